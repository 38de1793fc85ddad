//! Files and folders that cannot be imported.

use std::path::Path;

use dset_core::csv::RecordsError;
use dset_engine::source::import::{EncodingCandidate, FolderError, ImportError, LeftOut};

use crate::display::text::{arguments, count, of, one_line, quoted, shortened};
use crate::error::UserError;
use crate::exit::Exit;
use crate::file_suggestion::import_and_run;
use crate::same_command::same_command_as;

/// Explains why a file cannot be imported.
pub(crate) fn import(error: ImportError) -> UserError {
    let user = UserError::new(Exit::Usage, one_line(&error.to_string()));
    match error {
        ImportError::Exists { .. } => {
            user.cause("an import overwrites nothing").hint("Name another file with `-o OUT.csv`")
        }
        ImportError::NoFolder { path } => {
            user.hint(format!("Make it with `mkdir -p {}`", quoted(&path.to_string_lossy())))
        }
        ImportError::NoSuchEncoding { .. } => {
            user.hint("Usual ones are windows-1252, iso-8859-2, UTF-16LE, shift_jis, gb18030").hint(
                "Of another one make UTF-8 first, like `iconv -f CP850 -t UTF-8 q.csv > new.csv`",
            )
        }
        ImportError::Torn { path, places, first } => torn(&path, places, &first),
        ImportError::WhichEncoding { path, readings } => which_encoding(&path, &readings),
        ImportError::Encoding { path, encoding } => {
            user.hint(format!("Make UTF-8 of it with `{}`", iconv(&path, encoding)))
        }
        ImportError::OtherForm { form: "YAML", path } => {
            let json = path.with_extension("json");
            let (from, to) = (quoted(&path.to_string_lossy()), quoted(&json.to_string_lossy()));
            user.hint(format!("Make JSON of it, like `yq -o=json {from} > {to}`, and import that"))
        }
        ImportError::OtherForm { .. } => user
            .cause("what belongs to the form would be asked with the questions")
            .hint("Make CSV of it, or JSON, or a text with a question a line that ends in .txt"),
        ImportError::NotText { field, .. } => user
            .cause("it holds a list or an object that is no chat, or a chat that is no JSON")
            .hint(format!(
                "Write the text of the question into `{}`, or name another field with \
                 `--column NAME`",
                one_line(&field)
            )),
        ImportError::Role { .. } => user
            .cause("known are user, assistant, system, developer, tool and their usual other names")
            .hint("Give the turn one of these roles, or leave the row out of the file"),
        ImportError::Archive { path } => super::source::archive(user, &path),
        ImportError::NotJson { detail, .. } => user.cause(shortened(&detail, 200)).hint(
            "JSON has one object a line, or is an array of objects or texts; a text with a \
             question a line ends in .txt",
        ),
        ImportError::Source(error) => super::source(error),
        ImportError::Io(error) => UserError::new(Exit::Ours, "cannot import that")
            .cause(one_line(&error.to_string()))
            .hint("Mend that, or write elsewhere with `-o OUT.csv`"),
        error => fields(error, user),
    }
}

/// Explains which fields are in doubt, or would lose something.
fn fields(error: ImportError, user: UserError) -> UserError {
    match error {
        ImportError::TwoFields { path, first, second, rows } => {
            let again = import_again(&path, &["column"]);
            let (first, second) = (quoted(&first), quoted(&second));
            user.cause(format!(
                "{} text in `{second}`, and it would not be asked",
                match rows {
                    1 => "1 row has".to_owned(),
                    rows => format!("{} rows have", count(rows)),
                }
            ))
            .hint(format!(
                "Take one, the other stays a column: `{again} --column {first}`, or \
                 `--column {second}`"
            ))
            .hint(format!(
                "To ask both, take the first, then run with a template: \
                 `--template '{{{{ question }}}} {{{{ {second} }}}}'`"
            ))
        }
        ImportError::LeftOut { path, left, of: all } => user
            .cause(format!(
                "of {} {} would lose something: {}",
                of(all, "row"),
                count(left.rows),
                left_out(&left)
            ))
            .hint(format!(
                "A run asks chats whole, as they are: `dset run {}`",
                quoted(&path.to_string_lossy())
            ))
            .hint(format!(
                "To ask only what the user says first: `{} --first-turn-only`",
                import_again(&path, &["first-turn-only"])
            )),
        ImportError::TooManyFields { path, .. } => {
            user.cause("each would be a column of the table").hint(format!(
                "A run asks it as it is: `dset run {}`",
                quoted(&path.to_string_lossy())
            ))
        }
        ImportError::NoQuestion { path, found, .. } => {
            let found: Vec<String> = found.iter().map(|name| one_line(name)).collect();
            let again = import_again(&path, &["column"]);
            let first = quoted(found.first().map_or("NAME", String::as_str));
            user.cause(format!("its fields are: {}", found.join(", ")))
                .hint(format!("Name the field: `{again} --column {first}`"))
        }
        _ => user,
    }
}

/// Returns the command that imports a file, without these flags.
fn import_again(path: &Path, without: &[&str]) -> String {
    match arguments().first().is_some_and(|word| word == "import") {
        true => same_command_as("import", without),
        false => import_and_run(path).0,
    }
}

/// Returns a command that makes UTF-8 of a file in an encoding that is not read here.
fn iconv(path: &Path, encoding: &str) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    let to = path.with_file_name(format!("{stem}-utf8.{ending}"));
    let (from, to) = (quoted(&path.to_string_lossy()), quoted(&to.to_string_lossy()));
    format!("iconv -f {encoding} -t UTF-8 {from} > {to}")
}

/// Says where a file is not UTF-8 that otherwise is.
fn torn(path: &Path, places: u64, first: &RecordsError) -> UserError {
    let shown = one_line(&path.display().to_string());
    let message = match places {
        1 => format!("`{shown}` is UTF-8, but for one place"),
        places => format!("`{shown}` is UTF-8, but for {} places", count(places)),
    };
    let which = if places == 1 { "" } else { "the first: " };
    let cause = match first {
        RecordsError::NotUtf8 { row, line, offset, byte, near, .. } => format!(
            "{which}row {row}, line {line}, byte {offset} of the file: 0x{byte:02X} (\"{}\")",
            one_line(near)
        ),
        other => other.to_string(),
    };
    let again = import_again(path, &["encoding"]);
    UserError::new(Exit::Usage, message)
        .cause(cause)
        .hint("A character is cut there: mend it in an editor")
        .hint(format!("Or go on with a \u{fffd} in its place: `{again} --encoding utf-8`"))
}

/// Shows lines of a file as the encodings have them that it may be in.
fn which_encoding(path: &Path, readings: &[EncodingCandidate]) -> UserError {
    let again = import_again(path, &["encoding"]);
    let shown = one_line(&path.display().to_string());
    let user = UserError::new(
        Exit::Usage,
        format!("cannot tell which encoding `{shown}` is in: it is not UTF-8"),
    )
    .cause("its bytes mean something in several; the likeliest is named first");
    let user = readings.iter().fold(user, |user, reading| {
        let lines: Vec<String> =
            reading.lines.iter().map(|line| shortened(&one_line(line), 60)).collect();
        let encoding = reading.encoding.to_lowercase();
        user.hint(format!("`{again} --encoding {encoding}` reads: {}", lines.join(" | ")))
    });
    user.hint(format!("If none is right, make UTF-8 of it first, like `{}`", iconv(path, "CP850")))
}

/// Explains why the folder of the original script cannot be taken over.
pub(crate) fn import_folder(error: FolderError) -> UserError {
    let user = UserError::new(Exit::Usage, one_line(&error.to_string()));
    match error {
        FolderError::NoOutputs { .. } => user
            .cause("there is no output.csv, output.json or output.txt in it, nor in dset_generator")
            .hint("Name the folder that the script was run in"),
        FolderError::HasStore { .. } => user
            .cause("it has a store, and its answers with it")
            .hint("Copy the whole folder instead, while no run has it, or run there"),
        FolderError::Here { .. } => {
            user.hint("Nothing needs to be imported: `dset run` takes its outputs over")
        }
        FolderError::Exists { .. } => user
            .cause("an import overwrites nothing, and nothing was copied")
            .hint("Import into an empty folder, or move that file out of the way"),
        FolderError::Io(error) => UserError::new(Exit::Ours, "cannot copy the folder")
            .cause(one_line(&error.to_string()))
            .hint("Remove what was copied, mend that and import again"),
    }
}

/// Says what of chats a question has no room for.
pub(crate) fn left_out(left: &LeftOut) -> String {
    let kinds = [
        ("system prompts", left.systems),
        ("further turns", left.turns),
        ("images or other parts", left.parts),
        ("tools", left.tools),
    ];
    let kinds = kinds.iter().filter(|(_, rows)| *rows > 0);
    let kinds: Vec<String> =
        kinds.map(|(kind, rows)| format!("{kind} in {}", of(*rows, "row"))).collect();
    kinds.join(", ")
}
