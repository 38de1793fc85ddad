//! `dset import`: makes a file of questions of one that is almost one, or takes over the folder of
//! the original script.

use std::path::{Path, PathBuf};

use clap::Args;
use dset_core::csv::{HeaderMode, Quotes};
use dset_engine::source::import::{
    Form, ImportOptions, Imported, ImportedFolder, import, import_folder,
};

use crate::display::page::{BAD, GOOD, Page};
use crate::display::text::{count, of, one_line, quoted};
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain::{self, delimiter_name, left_out};

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
        let taken = import_folder(&args.from, Path::new(".")).map_err(explain::import_folder)?;
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
    let imported = import(&args.from, &to, &options).map_err(explain::import)?;
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
    tell_mended(&say, &shown_to.to_string(), imported);
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

/// Which questions were cut at their commas, and put together again.
fn tell_mended(say: &impl Fn(String), shown_to: &str, imported: &Imported) {
    if imported.mended == 0 {
        return;
    }
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
