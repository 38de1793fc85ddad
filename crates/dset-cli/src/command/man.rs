//! `dset man`: manual pages, made from the same grammar as help.

use std::path::PathBuf;

use clap::Args;

use crate::cli::command_line;
use crate::display::page::{GOOD, Page};
use crate::error::UserError;
use crate::exit::Exit;

#[derive(Debug, Args)]
#[command(
    after_help = "Without DIR the page of dset itself goes to standard output; with DIR a page \
for each command is written there.

Exit codes: 0 written, 1 disk, 2 usage.

Examples:
  dset man | man -l -                    read it
  dset man ~/.local/share/man/man1       so that `man dset-run` finds it"
)]
pub(crate) struct ManArgs {
    /// Folder for a page of every command
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub(super) fn run(args: &ManArgs) -> Result<Exit, UserError> {
    let fails = |error: std::io::Error| {
        UserError::new(Exit::Ours, "cannot write the manual pages")
            .cause(error.to_string())
            .hint("Mend that, or name another folder: `dset man DIR`")
    };
    let Some(folder) = &args.folder else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command_line()).render(&mut page).map_err(fails)?;
        super::shared::write_out(&page);
        return Ok(Exit::Done);
    };
    fs_err::create_dir_all(folder).map_err(fails)?;
    clap_mangen::generate_to(command_line(), folder).map_err(fails)?;
    let page = Page::open();
    let line = format!(" the manual pages are in {}", folder.display());
    page.line(GOOD, page.tick, &line, 2);
    Ok(Exit::Done)
}
