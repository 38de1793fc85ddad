//! Makes a CSV file of questions, in UTF-8 and with commas, of a file that is almost one.
//!
//! Reads a table with any separator, a text with a question a line, or JSON, in any encoding;
//! one row in memory at a time. The file is only read, and nothing is overwritten.

mod folder;
mod json_lines;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use dset_core::csv::{
    Cuts, Guess, HeaderMode, Layout, LayoutError, ROWS_LOOKED_AT, Record, Records, RecordsError,
    STATUS, doubt, head_of, is_header_word, named_separator, separated_by, separator,
    survey_records,
};
use encoding_rs::{Encoding, UTF_8};
use encoding_rs_io::{DecodeReaderBytes, DecodeReaderBytesBuilder};
use fs_err::File;
use thiserror::Error;

use crate::files;
use crate::source::{self, SourceError};

pub use folder::{FolderError, TakenOver, take_over};

/// So much of a file tells its encoding and its separator.
const HEAD_BYTES: usize = 64 * 1024;
/// The name of the column with the questions in what is written.
const QUESTION: &str = "question";
/// So many rows that were put together are named.
const NAMED_MAX: usize = 5;

/// What somebody says of the file; the rest is found out.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// A name of its encoding, as web pages have them.
    pub encoding: Option<String>,
    /// The sign between its columns.
    pub separator: Option<u8>,
    /// The column or field with the questions.
    pub column: Option<String>,
    /// Whether the first row is a header.
    pub header: HeaderMode,
}

/// What a file was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Columns with this sign between them.
    Table {
        /// The sign.
        by: u8,
        /// The first row is a header.
        has_header: bool,
    },
    /// A question a line.
    Lines,
    /// A JSON object a line.
    JsonLines,
    /// A JSON array of objects or texts.
    JsonArray,
}

/// Where an object stands in a file, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonPlace {
    /// On a line.
    Line(u64),
    /// In an array.
    Item(u64),
}

impl std::fmt::Display for JsonPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            JsonPlace::Line(number) => write!(f, "line {number}"),
            JsonPlace::Item(number) => write!(f, "item {number}"),
        }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The encoding that the file was in.
    pub encoding: &'static str,
    /// What it was taken for.
    pub form: Form,
    /// The column or field that the questions are of; empty where there are no names.
    pub column: String,
    /// Rows written, the header not counted.
    pub rows: u64,
    /// Rows among them without a question.
    pub empty: u64,
    /// Rows with a character that the encoding has not.
    pub unreadable: u64,
    /// Rows whose question was cut and is put together again.
    pub mended: u64,
    /// The first of those, as a spreadsheet counts in what is written.
    pub mended_rows: Vec<u64>,
}

/// Why nothing was written.
#[derive(Debug, Error)]
pub enum ImportError {
    /// There is a file where it was to be written.
    #[error("there is a `{}` already", path.display())]
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// The folder that it was to be written into is not there.
    #[error("there is no folder `{}`", path.display())]
    NoFolder {
        /// Which.
        path: PathBuf,
    },
    /// No encoding has this name.
    #[error("there is no encoding `{given}`")]
    NoSuchEncoding {
        /// What was named.
        given: String,
    },
    /// It is an archive, and no text.
    #[error("`{}` is not text", path.display())]
    Archive {
        /// What was read.
        path: PathBuf,
    },
    /// A line is no JSON object.
    #[error("`{}`, line {line}, is not a JSON object", path.display())]
    NotJson {
        /// What was read.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        detail: String,
    },
    /// An object has no field with a question.
    #[error("`{}`, {at}, has no question", path.display())]
    NoQuestion {
        /// What was read.
        path: PathBuf,
        /// Which object.
        at: JsonPlace,
        /// The fields that it has.
        found: Vec<String>,
    },
    /// It cannot be read as questions.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// What it becomes cannot be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Writes the questions of `from` into a new file `to`.
///
/// Returns what `from` was taken for. Fails where `to` is there already, and leaves no part of it
/// behind where it fails.
pub fn import(from: &Path, to: &Path, options: &ImportOptions) -> Result<Imported, ImportError> {
    drop(source::open(from)?);
    if fs_err::symlink_metadata(to).is_ok() {
        return Err(ImportError::Exists { path: to.to_owned() });
    }
    let folder = files::folder_of(to);
    if !folder.exists() {
        return Err(ImportError::NoFolder { path: folder.to_owned() });
    }
    let mut file = files::new_in(folder)?;
    let imported = convert(from, file.as_file_mut(), options)?;
    files::put_new(file, to).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => ImportError::Exists { path: to.to_owned() },
        _ => error.into(),
    })?;
    Ok(imported)
}

/// Tells what an import would take a file for, or why it would not.
pub fn check(from: &Path) -> Result<Form, ImportError> {
    convert(from, io::sink(), &ImportOptions::default()).map(|imported| imported.form)
}

fn convert(
    from: &Path,
    output: impl Write,
    options: &ImportOptions,
) -> Result<Imported, ImportError> {
    let mut input = Input { path: from, encoding: encoding(from, options)?, skipped: 0 };
    let mut head = head_of(input.open()?, HEAD_BYTES).map_err(|error| input.unread(error))?;
    let first = head.lines().next().unwrap_or_default();
    let named = named_separator(first);
    if named.is_some() {
        // What ends the line stays, so that lines are counted as they are.
        input.skipped = first.len();
        head.drain(..first.len());
    }
    let options = &ImportOptions { separator: options.separator.or(named), ..options.clone() };
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(output);
    let mut imported = Imported {
        encoding: input.encoding.name(),
        form: form(from, &head, options),
        column: String::new(),
        rows: 0,
        empty: 0,
        unreadable: 0,
        mended: 0,
        mended_rows: Vec::new(),
    };
    match imported.form {
        Form::Table { by, .. } => table(&input, by, options, &mut writer, &mut imported)?,
        Form::Lines => lines(&input, &mut writer, &mut imported)?,
        Form::JsonLines | Form::JsonArray => {
            json_lines::write(&input, options, &mut writer, &mut imported)?;
        }
    }
    writer.flush()?;
    Ok(imported)
}

/// A file, and how it is read.
struct Input<'a> {
    path: &'a Path,
    encoding: &'static Encoding,
    /// Bytes of its beginning that are for spreadsheets alone.
    skipped: usize,
}

type Text = BufReader<DecodeReaderBytes<File, Vec<u8>>>;

impl Input<'_> {
    /// Opens it as UTF-8 from its beginning, without a byte order mark.
    fn open(&self) -> Result<Text, ImportError> {
        let file = source::open(self.path)?;
        let mut decoder = DecodeReaderBytesBuilder::new();
        decoder.encoding(Some(self.encoding)).bom_override(true).strip_bom(true);
        let mut text = BufReader::new(decoder.build(file));
        let skipped = text.by_ref().take(self.skipped as u64).read_to_end(&mut Vec::new());
        skipped.map_err(|error| self.unread(error))?;
        Ok(text)
    }

    fn fails(&self, error: impl Into<LayoutError>) -> ImportError {
        source::layout_error(self.path, error.into()).into()
    }

    fn unread(&self, error: io::Error) -> ImportError {
        self.fails(RecordsError::from(error))
    }
}

/// Finds out the encoding, unless somebody says it.
fn encoding(path: &Path, options: &ImportOptions) -> Result<&'static Encoding, ImportError> {
    let named = |name: &str| Encoding::for_label(name.trim().as_bytes());
    if let Some(given) = &options.encoding {
        return named(given).ok_or_else(|| ImportError::NoSuchEncoding { given: given.clone() });
    }
    let guess = match Guess::of(&head(path)?) {
        None if is_utf8(path)? => return Ok(UTF_8),
        guess => guess.unwrap_or(Guess::Windows1252),
    };
    if guess == Guess::Archive {
        return Err(ImportError::Archive { path: path.to_owned() });
    }
    Ok(named(guess.name()).expect("the names of guesses are labels"))
}

fn head(path: &Path) -> Result<Vec<u8>, ImportError> {
    let mut head = Vec::new();
    source::open(path)?.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// Tells whether a file is UTF-8 to its end.
fn is_utf8(path: &Path) -> Result<bool, ImportError> {
    let mut file = source::open(path)?;
    let mut bytes = vec![0; HEAD_BYTES];
    let mut kept = 0;
    loop {
        let read = file.read(&mut bytes[kept..])?;
        let held = kept + read;
        match std::str::from_utf8(&bytes[..held]) {
            Ok(_) => kept = 0,
            // A character that the next bytes may complete.
            Err(error) if error.error_len().is_none() && read > 0 => {
                bytes.copy_within(error.valid_up_to()..held, 0);
                kept = held - error.valid_up_to();
            }
            Err(_) => return Ok(false),
        }
        if read == 0 {
            return Ok(true);
        }
    }
}

/// Finds out what a file is, from its name and its first bytes.
fn form(path: &Path, head: &str, options: &ImportOptions) -> Form {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let first = head.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let is_object = serde_json::from_str::<serde_json::Map<_, _>>(first).is_ok();
    let mut record = Record::default();
    let has_first = Records::new(head.as_bytes()).next(&mut record).unwrap_or(false);
    let column = options.column.as_deref();
    let has_sign = has_first && separated_by(&record, column).is_some();
    // A header above lines: one word, and no quotes around what has commas.
    let is_line = record.len() == 1 && !head.contains('"');
    let is_table = has_sign || has_first && !is_line && record.cells().any(is_header_word);
    let table = |by: u8| Form::Table { by, has_header: false };
    match (ending.to_lowercase().as_str(), options.separator) {
        (_, Some(by)) => table(by),
        ("jsonl" | "ndjson" | "json", None) => match first.trim_start().starts_with('[') {
            true => Form::JsonArray,
            false => Form::JsonLines,
        },
        (_, None) if is_object => Form::JsonLines,
        ("tsv", None) if separator(head) == b',' && !is_table => table(b'\t'),
        ("txt", None) if !is_table => Form::Lines,
        _ => table(separator(head)),
    }
}

/// What takes a row, and its cells where its question was put together.
type EachRow<'a> = &'a mut dyn FnMut(&Record, Option<Vec<String>>) -> io::Result<()>;

/// Writes a table with its columns as they are, but for the name of the one with the questions, and
/// for questions that were cut at a comma or a semicolon.
fn table(
    input: &Input<'_>,
    by: u8,
    options: &ImportOptions,
    writer: &mut csv::Writer<impl Write>,
    imported: &mut Imported,
) -> Result<(), ImportError> {
    let column = options.column.as_deref();
    let records = || Ok::<_, ImportError>(Records::new(input.open()?).separated_by(by));
    let layout = survey_records(records()?, options.header, column, None);
    let layout = layout.map_err(|error| input.fails(error))?;
    imported.form = Form::Table { by, has_header: layout.has_header };
    imported.column = layout.columns.get(layout.question).cloned().unwrap_or_default();
    let mends = column.is_none() && matches!(by, b',' | b';');
    let rows = |each: EachRow<'_>| {
        let (mut records, mut record) = (records()?, Record::default());
        let mut cuts = None;
        while records.next_closed(&mut record).map_err(|error| input.fails(error))? {
            let is_first = cuts.is_none();
            let cuts = *cuts.get_or_insert_with(|| Cuts::of(&record, &layout));
            if !(is_first && layout.has_header) {
                each(&record, cuts.mended(&record, by).filter(|_| mends))?;
            }
        }
        Ok::<_, ImportError>(())
    };
    let mut names = names(&layout);
    let mut width = if layout.has_header { names.len() } else { 1 };
    rows(&mut |record, mended| {
        width = width.max(mended.map_or(record.len(), |cells| cells.len()));
        Ok(())
    })?;
    // A column without a name has one all the same: none may be taken for the rest of a question.
    names.resize(width, String::new());
    writer.write_record(&names).map_err(io::Error::from)?;
    let mut first: Vec<Vec<String>> = Vec::new();
    rows(&mut |record, mended| {
        if first.len() < ROWS_LOOKED_AT {
            first.push(record.cells().map(str::to_owned).collect());
        }
        let mut cells: Vec<&str> = match &mended {
            Some(cells) => cells.iter().map(String::as_str).collect(),
            None => record.cells().collect(),
        };
        // What is written has no quotes where a blank leads, nor blanks in its header.
        if let Some(next) = cells.get_mut(layout.question + 1) {
            *next = next.trim_start();
        }
        imported.count(cells.get(layout.question).copied().unwrap_or_default(), &cells);
        imported.mended += u64::from(mended.is_some());
        if mended.is_some() && imported.mended_rows.len() < NAMED_MAX {
            imported.mended_rows.push(imported.rows + 1);
        }
        writer.write_record(&cells).map_err(io::Error::from)
    })?;
    if let Some(doubt) = doubt(&layout, &first) {
        return Err(SourceError::WhichColumn { path: input.path.to_owned(), doubt }.into());
    }
    Ok(())
}

/// Returns the header that is written: no second column may have the name of the questions.
fn names(layout: &Layout) -> Vec<String> {
    let name = |(at, own): (usize, &String)| match own.to_lowercase() == QUESTION {
        _ if at == layout.question => QUESTION.to_owned(),
        _ if layout.status == Some(at) => STATUS.to_owned(),
        true => format!("{own}_{}", at + 1),
        false => own.clone(),
    };
    layout.columns.iter().enumerate().map(name).collect()
}

/// Writes every line as a question; blank ones, and a header, are left out.
fn lines(
    input: &Input<'_>,
    writer: &mut csv::Writer<impl Write>,
    imported: &mut Imported,
) -> Result<(), ImportError> {
    let mut write = |cell: &str| writer.write_record([cell]).map_err(io::Error::from);
    write(QUESTION)?;
    for line in input.open()?.lines() {
        let line = line.map_err(|error| input.unread(error))?;
        let line = line.trim();
        let is_header = imported.rows == 0 && is_header_word(line);
        if !line.is_empty() && !is_header {
            imported.count(line, &[line]);
            write(line)?;
        }
    }
    if imported.rows == 0 {
        return Err(SourceError::Empty { path: input.path.to_owned() }.into());
    }
    Ok(())
}

impl Imported {
    fn count(&mut self, question: &str, cells: &[&str]) {
        self.rows += 1;
        self.empty += u64::from(question.trim().is_empty());
        let unreadable = cells.iter().any(|cell| cell.contains(char::REPLACEMENT_CHARACTER));
        self.unreadable += u64::from(unreadable);
    }
}
