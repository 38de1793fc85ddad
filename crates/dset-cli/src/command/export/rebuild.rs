//! `dset export --rebuild`: the outputs, written anew from the store.

use dset_engine::error::JobError;
use dset_engine::os::lock::LockError;
use dset_engine::recover::rebuild::rebuild;

use super::ExportArgs;
use crate::display::page::{GOOD, Page};
use crate::display::text::{count, of};
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain::{self, folder_in_use};

pub(super) fn run(args: &ExportArgs) -> Result<Exit, UserError> {
    let (which, mut settings, _) = crate::command::shared::settings_of(&args.which)?;
    settings.csv_bom = args.csv_bom.or(settings.csv_bom);
    settings.csv_id = args.csv_id.or(settings.csv_id);
    let rebuilt = rebuild(&settings).map_err(|error| match error {
        JobError::Lock(LockError::InUse(holder)) => {
            folder_in_use("a `dset run` is using this folder", holder).hint(format!(
                "Wait for it (`{} --watch` shows it), or stop it with Ctrl-C there; then `{} \
                 --rebuild`",
                which.command("status"),
                which.command("export")
            ))
        }
        error => explain::job(error),
    })?;
    let Some(rebuilt) = rebuilt else {
        return Err(crate::command::shared::nothing_asked(&which, &settings));
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
    if let Some((rows, from)) = rebuilt.taken_back {
        say(format!("{} that the store did not know taken back from {from}", of(rows, "row")));
    }
    if rebuilt.replaced > 0 {
        let rows = of(rebuilt.replaced, "row");
        say(format!("{rows} with another answer than before: the one that counts since"));
    }
    if rebuilt.left_out > 0 {
        say(format!(
            "{} left out: no longer in {input}, or not accepted any more (all answers stay in the store)",
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
