//! `dset export --rebuild`: the outputs, written anew from the store.

use dset_engine::rebuild::rebuild;

use crate::cli::ExportArgs;
use crate::display::page::{GOOD, Page};
use crate::display::text::{count, of};
use crate::error::UserError;
use crate::exit::Exit;

pub(super) fn run(args: &ExportArgs) -> Result<Exit, UserError> {
    if !args.rebuild {
        return Err(UserError::new(Exit::Usage, "nothing was said of what to export")
            .cause("`dset export` rebuilds the outputs, and does nothing else yet")
            .hint(format!("Write them anew with `{} --rebuild`", args.which.command("export"))));
    }
    let settings = args.which.settings()?;
    let Some(rebuilt) = rebuild(&settings)? else {
        return Err(super::nothing_asked(&args.which, &settings));
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
            "{} left out: no longer in {input} (the answers stay in the store)",
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
