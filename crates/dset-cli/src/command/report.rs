//! `dset report`: a run in one file, to be passed on.

use std::path::PathBuf;

use clap::Args;

use crate::run_selector::RunSelectorArgs;
#[cfg(not(feature = "view"))]
use crate::{error::UserError, exit::Exit};

#[derive(Debug, Args)]
#[command(
    after_help = "Writes one file that reads without a script, a server or a network, and prints well: \
where every question stands, who was asked and what it took, how times, tokens and lengths are spread, why \
questions failed, the longest and the shortest answers, 20 records by chance, and the command that makes \
it again. What models wrote is escaped. Asks nothing and changes nothing but that file.

Exit codes: 0 written, 1 the store cannot be read or the file not written, 2 usage or input, or nothing \
was asked yet.

Examples:
  dset report                       report.html, of ./q.csv and ./dset_generator
  dset report --to talk.html        another file
  dset report --seed 7              other records"
)]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    pub(crate) which: RunSelectorArgs,

    /// The file; a report that is there is replaced
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    pub(crate) to: PathBuf,

    /// Chooses the records
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) seed: u64,
}

#[cfg(not(feature = "view"))]
pub(super) fn run(_: &ReportArgs) -> Result<Exit, UserError> {
    Err(super::view::not_built())
}

#[cfg(feature = "view")]
pub(super) use writer::run;

#[cfg(feature = "view")]
mod writer {
    use std::fs::File;
    use std::io::{ErrorKind, Read as _};
    use std::path::Path;

    use dset_engine::export::{ExportError, is_of_run};
    use dset_engine::os::clock::unix_ms;
    use dset_engine::os::files::write_shared;
    use dset_engine::view::status::run_status;
    use dset_view::{REPORT_MARK, Report};

    use super::ReportArgs;
    use crate::command::money::Money;
    use crate::command::resume_command::resume_command;
    use crate::command::view::{browser, explained};
    use crate::command::{shared, stats, status};
    use crate::display;
    use crate::display::text::date;
    use crate::error::UserError;
    use crate::exit::Exit;
    use crate::explain;

    /// So much of a file tells whether it is a report.
    const HEAD_BYTES: u64 = 1024;

    /// Tells whether it is a pipe, a device or a folder: no file of this name can be made, and reading
    /// it may never end.
    fn is_special(path: &Path) -> bool {
        path.metadata().is_ok_and(|found| !found.is_file())
    }

    /// Tells whether there is nothing of this name, or an earlier report.
    fn is_report(path: &Path) -> bool {
        let mut head = Vec::new();
        match File::open(path).map(|file| file.take(HEAD_BYTES).read_to_end(&mut head)) {
            Err(error) => error.kind() == ErrorKind::NotFound,
            Ok(_) => String::from_utf8_lossy(&head).contains(REPORT_MARK),
        }
    }

    pub(in crate::command) fn run(args: &ReportArgs) -> Result<Exit, UserError> {
        let (which, settings, terminal) = shared::settings_of(&args.which)?;
        if is_of_run(&settings, &args.to) {
            let error = ExportError::OfRun(args.to.clone());
            return Err(explain::export(error, &which));
        }
        if is_special(&args.to) {
            let file = args.to.display();
            return Err(UserError::new(Exit::Usage, format!("`{file}` is no file"))
                .cause(
                    "a report is a file: it is written whole, and put in place of an earlier one",
                )
                .hint("Name a file with `--to`"));
        }
        if !is_report(&args.to) {
            let file = args.to.display();
            return Err(UserError::new(Exit::Usage, format!("`{file}` is there already"))
                .cause("it is no report, and nothing is written over it")
                .hint("Name another file with `--to`"));
        }
        let money = Money::read()?;
        let Some(browser) = browser(&settings, &money)? else {
            return Err(shared::nothing_asked(&which, &settings));
        };
        let Some(stats) = stats::report(&settings, &money)? else {
            return Err(shared::nothing_asked(&which, &settings));
        };
        let standing = run_status(&settings).map_err(explain::job)?;
        let before = status::last_run(&standing);
        let command = resume_command(&which, before.as_ref(), &[]).to_string();
        let report = Report {
            browser: &browser,
            status: &status::report(&settings, &money)?,
            stats: &stats,
            date: &date(unix_ms()),
            command: &command,
            seed: args.seed,
        };
        let page = report.html().map_err(explained)?;
        write_shared(&args.to, page.as_bytes()).map_err(|error| {
            UserError::new(Exit::Ours, format!("cannot write `{}`", args.to.display()))
                .cause(error.to_string())
                .hint("Name a file in a folder that you may write to: `--to FILE`")
        })?;
        if !terminal.quiet {
            display::remark(&format!("{} written", args.to.display()));
        }
        Ok(Exit::Done)
    }
}
