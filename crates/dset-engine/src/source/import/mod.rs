//! Makes a CSV file of questions, in UTF-8 and with commas, of a file that is almost one.
//!
//! Reads a table with any separator, a text with a question a line, or JSON, in any encoding;
//! one row in memory at a time. The file is only read, and nothing is overwritten.

pub(super) mod chat;
mod encoding;
mod error;
mod folder;
mod json_lines;
pub(super) mod json_text;
mod table;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use dset_core::csv::{
    DetectedEncoding, HeaderMode, LayoutError, Quotes, Record, Records, RecordsError, begins_list,
    declared_delimiter, delimiter_in_header, detect_delimiter, is_header_word, line_end,
    other_form, read_prefix,
};
use encoding_rs::Encoding;
use encoding_rs_io::{DecodeReaderBytes, DecodeReaderBytesBuilder};
use fs_err::File;

use crate::os::files;
use crate::source::packing::{Unpacked, without_packing};
use crate::source::{self, SourceError};

use encoding::{EncodingDetection, EncodingScan};

pub use chat::LeftOut;
pub use encoding::EncodingCandidate;
pub use error::{ImportError, JsonPlace};
pub use folder::{FolderError, ImportedFolder, import_folder};

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
    /// Of a chat what the user says first is enough.
    pub first_turn_only: bool,
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

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The encoding that the file was in.
    pub encoding: &'static str,
    /// What it was taken for.
    pub form: Form,
    /// How quotes within quotes are written.
    pub quotes: Quotes,
    /// The column or field that the questions are of; empty where there are no names.
    pub column: String,
    /// The questions are what users say in chats.
    pub is_chat: bool,
    /// What of those chats is left out.
    pub left: LeftOut,
    /// Rows with half a character, which is U+FFFD now.
    pub halves: u64,
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

/// Writes the questions of `from` into a new file `to`.
///
/// Returns what `from` was taken for. Fails where `to` is there already, and leaves no part of it
/// behind where it fails.
pub fn import(from: &Path, to: &Path, options: &ImportOptions) -> Result<Imported, ImportError> {
    drop(source::open_file(from)?);
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

/// Tells what a file of text is, which may be packed, by its name and its first bytes.
pub(super) fn form_of(path: &Path) -> Result<Form, ImportError> {
    let input = Input { path, encoding: encoding_rs::UTF_8, skipped: 0 };
    let unpacked = input.decoded(Unpacked::open(path)?);
    let head = read_prefix(unpacked, HEAD_BYTES).map_err(|error| input.unread(error))?;
    form(&without_packing(path), &head, &ImportOptions::default())
}

/// Returns what the encoding of a file is called, or why that is not known.
pub fn encoding_of(path: &Path) -> Result<&'static str, ImportError> {
    encoding(path, &ImportOptions::default()).map(Encoding::name)
}

fn convert(
    from: &Path,
    output: impl Write,
    options: &ImportOptions,
) -> Result<Imported, ImportError> {
    let mut input = Input { path: from, encoding: encoding(from, options)?, skipped: 0 };
    let mut head = read_prefix(input.open()?, HEAD_BYTES).map_err(|error| input.unread(error))?;
    let first = head.lines().next().unwrap_or_default();
    let named = declared_delimiter(first);
    if named.is_some() {
        // What ends the line stays, so that lines are counted as they are.
        input.skipped = first.len();
        head.drain(..first.len());
    }
    let options = &ImportOptions { separator: options.separator.or(named), ..options.clone() };
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(output);
    let mut imported = Imported {
        encoding: input.encoding.name(),
        form: form(from, &head, options)?,
        quotes: Quotes::default(),
        column: String::new(),
        is_chat: false,
        left: LeftOut::default(),
        halves: 0,
        rows: 0,
        empty: 0,
        unreadable: 0,
        mended: 0,
        mended_rows: Vec::new(),
    };
    match imported.form {
        Form::Table { by, .. } => {
            table::write(&input, by, options, &mut writer, &mut imported)?;
        }
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

type Decoded<R> = BufReader<DecodeReaderBytes<R, Vec<u8>>>;
type Text = Decoded<File>;

impl Input<'_> {
    /// Opens it as UTF-8 from its beginning, without a byte order mark.
    fn open(&self) -> Result<Text, ImportError> {
        let mut text = self.decoded(source::open_file(self.path)?);
        let skipped = text.by_ref().take(self.skipped as u64).read_to_end(&mut Vec::new());
        skipped.map_err(|error| self.unread(error))?;
        Ok(text)
    }

    fn decoded<R: Read>(&self, file: R) -> Decoded<R> {
        let mut decoder = DecodeReaderBytesBuilder::new();
        decoder.encoding(Some(self.encoding)).bom_override(true).strip_bom(true);
        BufReader::new(decoder.build(file))
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
    let path = || path.to_owned();
    match DetectedEncoding::detect(&head(&path())?) {
        Some(DetectedEncoding::Archive) => return Err(ImportError::Archive { path: path() }),
        Some(DetectedEncoding::Utf32) => {
            return Err(ImportError::Encoding {
                path: path(),
                encoding: DetectedEncoding::Utf32.name(),
            });
        }
        Some(guess) => return Ok(named(guess.name()).expect("the names of guesses are labels")),
        None => {}
    }
    match EncodingScan::from_reader(source::open_file(&path())?)?.detect() {
        EncodingDetection::Sure(encoding) => Ok(encoding),
        EncodingDetection::Torn(places) => {
            let first = first_torn(&path())?;
            Err(ImportError::Torn { path: path(), places, first })
        }
        EncodingDetection::Unsure(readings) => {
            Err(ImportError::WhichEncoding { path: path(), readings })
        }
        EncodingDetection::Unreadable(encoding) => {
            Err(ImportError::Encoding { path: path(), encoding })
        }
    }
}

/// Returns where a file is not UTF-8 for the first time.
fn first_torn(path: &Path) -> Result<RecordsError, ImportError> {
    let (mut records, mut record) = (Records::new(source::open_file(path)?), Record::default());
    loop {
        match records.next(&mut record) {
            Ok(true) => {}
            // It was changed in between.
            Ok(false) => return Ok(io::Error::other("it is being changed").into()),
            Err(error) => return Ok(error),
        }
    }
}

fn head(path: &Path) -> Result<Vec<u8>, ImportError> {
    let mut head = Vec::new();
    source::open_file(path)?.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// Finds out what a file is, from its name and its first bytes.
fn form(path: &Path, head: &str, options: &ImportOptions) -> Result<Form, ImportError> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let first = head.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if let Some(form) =
        other_form(&ending.to_lowercase(), first).filter(|_| options.separator.is_none())
    {
        return Err(ImportError::OtherForm { path: path.to_owned(), form });
    }
    let is_object = serde_json::from_str::<serde_json::Map<_, _>>(first).is_ok();
    let mut record = Record::default();
    let has_first = Records::new(head.as_bytes()).next(&mut record).unwrap_or(false);
    let column = options.column.as_deref();
    let has_sign = has_first && delimiter_in_header(&record, column).is_some();
    // A header above lines: one word, and no quotes around what has commas.
    let is_line = record.len() == 1 && !head.contains('"');
    let is_table = has_sign || has_first && !is_line && record.cells().any(is_header_word);
    let table = |by: u8| Form::Table { by, has_header: false };
    Ok(match (ending.to_lowercase().as_str(), options.separator) {
        (_, Some(by)) => table(by),
        // A chat may stand on a line of its own.
        ("jsonl" | "ndjson", None) if first.trim_end().ends_with(']') => Form::JsonLines,
        ("jsonl" | "ndjson" | "json", None) => match first.trim_start().starts_with('[') {
            true => Form::JsonArray,
            false => Form::JsonLines,
        },
        (_, None) if is_object => Form::JsonLines,
        (_, None) if begins_list(head) => Form::JsonArray,
        ("tsv", None) if detect_delimiter(head) == b',' && !is_table => table(b'\t'),
        ("txt", None) if !is_table => Form::Lines,
        _ => table(detect_delimiter(head)),
    })
}

/// Writes every line as a question; blank ones, and a header, are left out.
fn lines(
    input: &Input<'_>,
    writer: &mut csv::Writer<impl Write>,
    imported: &mut Imported,
) -> Result<(), ImportError> {
    let mut write = |cell: &str| writer.write_record([cell]).map_err(io::Error::from);
    write(QUESTION)?;
    let end = line_end(input.open()?).map_err(|error| input.unread(error))?;
    for line in input.open()?.split(end) {
        let line = line.map_err(|error| input.unread(error))?;
        // What decodes it gives UTF-8, in place of what is none.
        let line = String::from_utf8_lossy(&line);
        // Blanks around it may belong to it; what DOS ends a text with does not.
        let line = line.trim_end_matches(['\r', '\u{1a}']);
        let is_header = imported.rows == 0 && is_header_word(line);
        if !line.trim().is_empty() && !is_header {
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
