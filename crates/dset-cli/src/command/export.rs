//! `dset export --rebuild`: the outputs, written anew from the store.

use clap::Args;
use dset_engine::error::JobError;
use dset_engine::os::lock::LockError;
use dset_engine::recover::rebuild::rebuild;

use crate::display::page::{GOOD, Page};
use crate::display::text::{count, of};
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain::{self, folder_in_use};
use crate::run_selector::RunSelectorArgs;

#[derive(Debug, Args)]
#[command(after_help = "A rebuild writes the outputs anew: every answered \
question that is in the file of questions, in its order, once. Rows whose question was removed are \
left out; their answers stay in the store. Outputs that hold anything that dset did not write are \
copied to .earlier/<time>/ first. Nothing is asked. Cut short at any moment, it is finished by the \
next `dset run` or rebuild.

Exit codes: 0 rebuilt, 1 disk or damaged store, 2 usage or input, or nothing was asked yet, 11 a run \
has the folder.

Examples:
  dset export --rebuild             after rows were moved or removed in q.csv
  dset export --rebuild -o out      the outputs in another folder
  dset export --rebuild --csv-bom   output.csv as Excel wants it")]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) which: RunSelectorArgs,

    /// Write the three outputs anew, in the order of the questions
    #[arg(long)]
    pub(crate) rebuild: bool,

    /// Begin output.csv with a byte order mark, by which Excel knows UTF-8 [default: as the file is]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_name = "BOOL", hide_possible_values = true, requires = "rebuild")]
    #[arg(value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) csv_bom: Option<bool>,
}

pub(super) fn run(args: &ExportArgs) -> Result<Exit, UserError> {
    if !args.rebuild {
        return Err(UserError::new(Exit::Usage, "nothing was said of what to export")
            .cause("`dset export` rebuilds the outputs, and does nothing else yet")
            .hint(format!("Write them anew with `{} --rebuild`", args.which.command("export"))));
    }
    let mut settings = super::shared::settings_of(&args.which)?;
    settings.csv_bom = args.csv_bom.or(settings.csv_bom);
    let rebuilt = rebuild(&settings).map_err(|error| match error {
        JobError::Lock(LockError::InUse(holder)) => {
            folder_in_use("a `dset run` is using this folder", holder).hint(format!(
                "Wait for it (`{} --watch` shows it), or stop it with Ctrl-C there; then `{} \
                 --rebuild`",
                args.which.command("status"),
                args.which.command("export")
            ))
        }
        error => explain::job(error),
    })?;
    let Some(rebuilt) = rebuilt else {
        return Err(super::shared::nothing_asked(&args.which, &settings));
    };
    let page = Page::open();
    let input = settings.input.display();
    let files = rebuilt.files.join(", ");
    let rows = match rebuilt.rows {
        1 => "1 row".to_owned(),
        number => format!("{} rows each, in the order of {input}", count(number)),
    };
    page.line(GOOD, page.tick, &format!(" {}/: {files} have {rows}", settings.output.display()), 2);
    let say = |line: String| page.line(anstyle::Style::new(), "  ", &line, 2);
    if rebuilt.left_out > 0 {
        say(format!(
            "{} left out: no longer in {input} (what was answered stays in the store)",
            of(rebuilt.left_out, "row")
        ));
    }
    if rebuilt.presumed > 0 {
        say(format!(
            "{} before a bookmark left out: taken as answered, without a text",
            of(rebuilt.presumed, "question")
        ));
    }
    if rebuilt.unanswered > 0 {
        say(format!("{} without an answer yet", of(rebuilt.unanswered, "question")));
    }
    for path in &rebuilt.copied_to {
        say(format!("what dset had not written is kept in {}", path.display()));
    }
    Ok(Exit::Done)
}
