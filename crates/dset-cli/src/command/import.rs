//! `dset import`: makes a file of questions of one that is almost one, or takes over the folder of
//! the original script.

use std::path::{Path, PathBuf};

use clap::Args;
use dset_core::csv::HeaderMode;
use dset_engine::import::{
    FolderError, Form, ImportError, ImportOptions, Imported, TakenOver, import, take_over,
};

use crate::display::page::{BAD, GOOD, Page};
use crate::display::text::{arguments, count, of, one_line, quoted, shortened};
use crate::error::{UserError, import_and_run, sign};
use crate::exit::Exit;
use crate::usage::same_command_as;

#[derive(Debug, Args)]
#[command(
    after_help = "A table (CSV with any separator, TSV), a text with a question a line, JSON lines or a JSON \
array become a CSV file in UTF-8 with the column `question`; other columns stay. Encoding, separator and \
column are found out and told. Of JSON the field question, prompt or text is taken, or what \
the user says first in `messages`.

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
        let taken = take_over(&args.from, Path::new(".")).map_err(folder_error)?;
        tell_folder(&page, &args.from, &taken);
        return Ok(Exit::Done);
    }
    let to = args.output.unwrap_or_else(|| "q.csv".into());
    let options = ImportOptions {
        encoding: args.encoding,
        separator: args.separator,
        column: args.column,
        header: args.header.unwrap_or_default(),
    };
    let imported = import(&args.from, &to, &options)?;
    tell(&page, &args.from, &to, &imported);
    Ok(Exit::Done)
}

fn tell(page: &Page, from: &Path, to: &Path, imported: &Imported) {
    let (shown_from, shown_to) = (from.display(), to.display());
    let (rows, encoding) = (of(imported.rows, "row"), imported.encoding);
    let form = match imported.form {
        Form::Table { by, .. } => format!("separated by {}", sign(by)),
        Form::Lines => "a question a line".to_owned(),
        Form::JsonLines => "JSON lines".to_owned(),
        Form::JsonArray => "a JSON array".to_owned(),
    };
    let line = format!(" {shown_to} has {rows} of {shown_from} ({encoding}, {form})");
    page.line(GOOD, page.tick, &line, 2);
    let say = |line: String| page.line(anstyle::Style::new(), "  ", &line, 2);
    let column = one_line(&imported.column);
    match imported.form {
        Form::Table { has_header: false, .. } => {
            let rest = "the first row is a question (--header yes says otherwise)";
            say(format!("no header: questions are in {column}, and {rest}"));
        }
        Form::JsonLines | Form::JsonArray if imported.column == "messages" => {
            say("the questions are what the user says first".into());
        }
        Form::Table { .. } | Form::JsonLines | Form::JsonArray if imported.column != "question" => {
            say(format!("the questions are those of `{column}`, which is called `question` now"));
        }
        _ => {}
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
    if imported.unreadable > 0 {
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

fn tell_folder(page: &Page, from: &Path, taken: &TakenOver) {
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
            ImportError::NoSuchEncoding { .. } => {
                user.hint("Usual ones are windows-1252, iso-8859-2, UTF-16LE, shift_jis, gb18030")
            }
            ImportError::Archive { .. } => user
                .cause("it looks like a workbook, or another archive")
                .hint("Save it as CSV in UTF-8 in the program that it is of"),
            ImportError::NotJson { detail, .. } => user.cause(shortened(&detail, 200)).hint(
                "JSON has one object a line, or is an array of objects or texts; a text with a \
                 question a line ends in .txt",
            ),
            ImportError::NoQuestion { path, found, .. } => {
                let found: Vec<String> = found.iter().map(|name| one_line(name)).collect();
                let again = match arguments().first().is_some_and(|word| word == "import") {
                    true => same_command_as("import", &["column"]),
                    false => import_and_run(&path).0,
                };
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
