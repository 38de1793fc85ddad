//! `dset import`: makes a file of questions of one that is almost one, or takes over the folder of
//! the original script.

use std::path::{Path, PathBuf};

use clap::Args;
use dset_core::csv::{HeaderMode, Quotes, RecordsError};
use dset_engine::source::import::{
    EncodingCandidate, FolderError, Form, ImportError, ImportOptions, Imported, ImportedFolder,
    LeftOut, import, import_folder,
};

use crate::csv_suspicion::delimiter_name;
use crate::display::page::{BAD, GOOD, Page};
use crate::display::text::{arguments, count, of, one_line, quoted, shortened};
use crate::error::{UserError, import_and_run};
use crate::exit::Exit;
use crate::usage::same_command_as;

#[derive(Debug, Args)]
#[command(
    after_help = "A table (CSV with any separator, TSV), a text with a question a line, JSON lines or a JSON \
array become a CSV file in UTF-8 with the column `question`; other columns stay. Encoding, separator and \
column are found out and told; where they are not sure, nothing is written, and the likely ones are \
shown. Of JSON the field question, prompt or text is taken, or what the user says in `messages`, \
`conversations` or the lines of a batch. Chats that have more than one question (a system prompt, \
several turns, images, tools) are refused with a count unless --first-turn-only is said.

A folder of the original script is taken over: its q.csv and its outputs are copied here, where \
`dset run` takes its answers as answered. In that folder itself `dset run` needs no import.

The file or folder is only read, and nothing here is overwritten.

Exit codes: 0 written, 1 disk, 2 usage or input.

Examples:
  dset import questions.tsv              becomes ./q.csv
  dset import old.csv -o new.csv         whatever its encoding and its separator
  dset import chats.jsonl --column task  the questions are in the field `task`
  dset import ../old-project             go on here from what the script did there"
)]
pub(crate) struct ImportArgs {
    /// File to read, or folder of the original script
    #[arg(value_name = "FILE|FOLDER")]
    from: PathBuf,

    /// CSV file to write; it must not be there yet [default: q.csv]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Encoding of the file, like windows-1252 or UTF-16LE [default: found out]
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,

    /// Sign between columns: one character, or `tab` [default: found out]
    #[arg(long, value_name = "SIGN", value_parser = parse_sign)]
    separator: Option<u8>,

    /// Column or field with the questions [default: question, prompt, text and the like]
    #[arg(long, value_name = "NAME")]
    column: Option<String>,

    /// Whether the first row is a header [default: auto]
    #[arg(long, value_name = "WHEN")]
    header: Option<HeaderMode>,

    /// Of chats, take what the user says first, and leave the rest out
    #[arg(long)]
    first_turn_only: bool,
}

fn parse_sign(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [sign] if sign.is_ascii_punctuation() && *sign != b'"' || *sign == b'\t' => Ok(*sign),
        _ => Err("it is one character like `;`, or `tab`".into()),
    }
}

pub(super) fn run(args: ImportArgs) -> Result<Exit, UserError> {
    let page = Page::open();
    if args.from.is_dir() {
        let taken = import_folder(&args.from, Path::new(".")).map_err(folder_error)?;
        tell_folder(&page, &args.from, &taken);
        return Ok(Exit::Done);
    }
    let to = args.output.unwrap_or_else(|| "q.csv".into());
    let options = ImportOptions {
        encoding: args.encoding,
        separator: args.separator,
        column: args.column,
        header: args.header.unwrap_or_default(),
        first_turn_only: args.first_turn_only,
    };
    let imported = import(&args.from, &to, &options)?;
    tell(&page, &args.from, &to, &imported);
    Ok(Exit::Done)
}

fn tell(page: &Page, from: &Path, to: &Path, imported: &Imported) {
    let (shown_from, shown_to) = (from.display(), to.display());
    let (rows, encoding) = (of(imported.rows, "row"), imported.encoding);
    let form = match imported.form {
        Form::Table { by, .. } => format!("separated by {}", delimiter_name(by)),
        Form::Lines => "a question a line".to_owned(),
        Form::JsonLines => "JSON lines".to_owned(),
        Form::JsonArray => "a JSON array".to_owned(),
    };
    let line = format!(" {shown_to} has {rows} of {shown_from} ({encoding}, {form})");
    page.line(GOOD, page.tick, &line, 2);
    let say = |line: String| page.line(anstyle::Style::new(), "  ", &line, 2);
    let column = one_line(&imported.column);
    match imported.form {
        _ if imported.is_chat => say(format!("the questions are what the user says in `{column}`")),
        Form::Table { has_header: false, .. } => {
            let rest = "the first row is a question (--header yes says otherwise)";
            say(format!("no header: questions are in {column}, and {rest}"));
        }
        Form::Table { .. } | Form::JsonLines | Form::JsonArray if imported.column != "question" => {
            say(format!("the questions are those of `{column}`, which is called `question` now"));
        }
        _ => {}
    }
    if imported.left.rows > 0 {
        let rest = left_out(&imported.left);
        page.line(BAD, page.cross, &format!(" left out, and not asked: {rest}"), 2);
    }
    if imported.left.answers > 0 {
        say(format!("answers in {} are left out", of(imported.left.answers, "chat")));
    }
    if imported.quotes == Quotes::Backslash {
        say("quotes with a backslash before them (\\\") were read as quotes".into());
    }
    if imported.mended > 0 {
        let named: Vec<String> = imported.mended_rows.iter().map(u64::to_string).collect();
        let more = if imported.mended > named.len() as u64 { ", …" } else { "" };
        say(format!(
            "{} put together again at commas without quotes (in {shown_to}: {} {}{more})",
            match imported.mended {
                1 => "1 question was".to_owned(),
                number => format!("{} questions were", count(number)),
            },
            if named.len() == 1 { "row" } else { "rows" },
            named.join(", ")
        ));
        say("look at them: where such a question ends cannot be known for sure".into());
    }
    if imported.empty > 0 {
        say(format!("{} without a question, which a run skips", of(imported.empty, "row")));
    }
    if imported.halves > 0 {
        let line = format!(
            " {} with half a character (like \\ud83d), which is \u{fffd} now: look at them",
            of(imported.halves, "row")
        );
        page.line(BAD, page.cross, &line, 2);
    } else if imported.unreadable > 0 {
        let line = format!(
            " {} with characters that {encoding} has not: look at them, or say another `--encoding`",
            of(imported.unreadable, "row")
        );
        page.line(BAD, page.cross, &line, 2);
    }
    let run = match to == Path::new("q.csv") {
        true => "dset run".to_owned(),
        false => format!("dset run {}", quoted(&to.to_string_lossy())),
    };
    page.blank();
    page.hint(&format!("Ask them with `{run}`"));
}

/// Says what of chats a question has no room for.
fn left_out(left: &LeftOut) -> String {
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

fn tell_folder(page: &Page, from: &Path, taken: &ImportedFolder) {
    let files: Vec<String> = taken.files.iter().map(|file| file.display().to_string()).collect();
    let line = format!(" copied from {}: {}", from.display(), files.join(", "));
    page.line(GOOD, page.tick, &line, 2);
    let say = |line: &str| page.line(anstyle::Style::new(), "  ", line, 2);
    say("a key is not copied: put it into .env here");
    page.blank();
    match taken.has_questions {
        true => page.hint("Go on with `dset run`: what the script answered counts as answered"),
        false => page.hint("There was no q.csv: put your questions there, then `dset run`"),
    }
}

impl From<ImportError> for UserError {
    fn from(error: ImportError) -> UserError {
        let user = UserError::new(Exit::Usage, one_line(&error.to_string()));
        match error {
            ImportError::Exists { .. } => user
                .cause("an import overwrites nothing")
                .hint("Name another file with `-o OUT.csv`"),
            ImportError::NoFolder { path } => {
                user.hint(format!("Make it with `mkdir -p {}`", quoted(&path.to_string_lossy())))
            }
            ImportError::NoSuchEncoding { .. } => user
                .hint("Usual ones are windows-1252, iso-8859-2, UTF-16LE, shift_jis, gb18030")
                .hint("Of another one make UTF-8 first, like `iconv -f CP850 -t UTF-8 q.csv > new.csv`"),
            ImportError::Torn { path, places, first } => torn(&path, places, &first),
            ImportError::WhichEncoding { path, readings } => which_encoding(&path, &readings),
            ImportError::Encoding { path, encoding } => user
                .hint(format!("Make UTF-8 of it with `{}`", iconv(&path, encoding))),
            ImportError::OtherForm { form: "YAML", path } => {
                let json = path.with_extension("json");
                let (from, to) =
                    (quoted(&path.to_string_lossy()), quoted(&json.to_string_lossy()));
                user.hint(format!(
                    "Make JSON of it, like `yq -o=json {from} > {to}`, and import that"
                ))
            }
            ImportError::OtherForm { .. } => user
                .cause("what belongs to the form would be asked with the questions")
                .hint("Make CSV of it, or JSON, or a text with a question a line that ends in .txt"),
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
                    "To ask only what the user says first: `{} --first-turn-only`",
                    import_again(&path, &["first-turn-only"])
                )),
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
            ImportError::Archive { .. } => user
                .cause("it looks like a workbook, or another archive")
                .hint("Save it as CSV in UTF-8 in the program that it is of"),
            ImportError::NotJson { detail, .. } => user.cause(shortened(&detail, 200)).hint(
                "JSON has one object a line, or is an array of objects or texts; a text with a \
                 question a line ends in .txt",
            ),
            ImportError::NoQuestion { path, found, .. } => {
                let found: Vec<String> = found.iter().map(|name| one_line(name)).collect();
                let again = import_again(&path, &["column"]);
                let first = quoted(found.first().map_or("NAME", String::as_str));
                user.cause(format!("its fields are: {}", found.join(", ")))
                    .hint(format!("Name the field: `{again} --column {first}`"))
            }
            ImportError::Source(error) => error.into(),
            ImportError::Io(error) => UserError::new(Exit::Ours, "cannot import that")
                .cause(one_line(&error.to_string()))
                .hint("Mend that, or write elsewhere with `-o OUT.csv`"),
        }
    }
}

/// Says where a file is not UTF-8 that otherwise is.
pub(crate) fn torn(path: &Path, places: u64, first: &RecordsError) -> UserError {
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

fn folder_error(error: FolderError) -> UserError {
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
