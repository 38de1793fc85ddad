//! What is said where a file would be asked otherwise than it is meant.

use std::path::Path;

use dset_core::csv::Suspicion;
use dset_engine::source::import::{Form, check};

use crate::display::text::{count, one_line, quoted, same_command, shortened};
use crate::error::{UserError, convert};
use crate::exit::Exit;

/// Adds to an error what is suspected, and what to do.
pub(crate) fn explain(user: UserError, path: &Path, suspicion: Suspicion) -> UserError {
    match suspicion {
        Suspicion::Separated { by } => UserError::new(
            Exit::Usage,
            format!("`{}` is separated by {}, not by commas", path.display(), delimiter_name(by)),
        )
        .hint(convert(path)),
        Suspicion::SeparatorLine { by } => user
            .cause(format!("it says that columns are separated by {}", delimiter_name(by)))
            .hint(convert(path)),
        Suspicion::NotCsv { ending } => {
            let name = path.display();
            let not_csv = |holds: &str| {
                UserError::new(Exit::Usage, format!("`{name}` holds {holds}, not CSV"))
            };
            match ending.as_str() {
                "tsv" => not_csv("columns separated by tabs").hint(convert(path)),
                "txt" => not_csv("plain text").hint(convert(path)),
                _ => match check(path) {
                    Ok(Form::JsonArray) => not_csv("a JSON array").hint(convert(path)),
                    Ok(_) => not_csv("JSON lines").hint(convert(path)),
                    // An import would say the same.
                    Err(error) => UserError::from(error),
                },
            }
        }
        Suspicion::UnquotedComma { before, behind, column, .. } => user
            .cause(format!(
                "what is asked would be `{}`, without `,{}`",
                shortened(&before, 60),
                shortened(&behind, 60)
            ))
            .hint(convert(path))
            .hint(format!(
                "Or put quotes around it, or name every column in the header, or ask what \
                 stands before commas: `{} --column {column}`",
                same_command()
            )),
        Suspicion::WhichColumn { doubt, .. } => {
            let (first, likelier) = (one_line(&doubt.first), one_line(&doubt.likelier));
            let found: Vec<String> = doubt.found.iter().map(|name| one_line(name)).collect();
            user.cause(format!(
                "the columns are: {}; the first holds numbers, and `{likelier}` holds sentences",
                found.join(", ")
            ))
            .hint(format!("Ask those: `{} --column {}`", same_command(), quoted(&likelier)))
            .hint(format!(
                "Ask the first: `{} --column {}`",
                same_command(),
                quoted(&first)
            ))
        }
        Suspicion::TwoColumns { first, second, rows, .. } => {
            let has = if rows == 1 {
                "1 row has".to_owned()
            } else {
                format!("{} rows have", count(rows))
            };
            let (first, second) = (quoted(&one_line(&first)), quoted(&one_line(&second)));
            let again = same_command();
            user.cause(format!("{has} text in `{second}`, and it would not be asked"))
                .hint(format!(
                    "Ask both: `{again} --template '{{{{ {first} }}}} {{{{ {second} }}}}'`"
                ))
                .hint(format!("Ask the first: `{again} --column {first}`"))
                .hint(format!("Ask the second: `{again} --column {second}`"))
        }
        Suspicion::Chats { column } => user
            .cause(format!("column `{}` holds the turns of chats", one_line(&column)))
            .hint(convert(path)),
    }
}

/// Names a sign between columns.
pub(crate) fn delimiter_name(by: u8) -> &'static str {
    match by {
        b';' => "semicolons",
        b'\t' => "tabs",
        b'|' => "bars",
        b',' => "commas",
        _ => "another sign",
    }
}
