//! JSON lines: an object, a text or the turns of a chat a line.

use std::path::Path;

use dset_core::csv::is_header_word;
use dset_core::item::Place;
use serde_json::Value;

use super::line_reader::LineReader;
use super::{Object, ObjectSource, Objects, Read};
use crate::source::bad_row::RowProblem;
use crate::source::chat::turns_in;
use crate::source::import::json_text;
use crate::source::{Cursor, Likelihood, Source, SourceError, SourceKind, SourceOptions};

pub(in crate::source) const KIND: SourceKind =
    SourceKind { name: "jsonl", endings: &["jsonl", "ndjson"], sniff, open };

/// A first line that is an object of its own.
fn sniff(head: &[u8]) -> Likelihood {
    let line = first_line(head);
    let behind = line.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    // The first line may be longer than what is looked at.
    let is_cut = line.len() == without_mark(head).trim_ascii().len();
    let is_object =
        behind.is_some_and(|rest| rest.starts_with(b"\"")) && (is_cut || object(line).is_ok());
    if is_object { Likelihood::Likely } else { Likelihood::No }
}

/// Returns the first line that is not blank, without the blanks around it.
pub(super) fn first_line(head: &[u8]) -> &[u8] {
    let mut lines = without_mark(head).split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    lines.find(|line| !line.is_empty()).unwrap_or_default()
}

pub(super) fn without_mark(head: &[u8]) -> &[u8] {
    head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head)
}

/// Tells whether every line of a file that begins like this is a text as JSON writes it, and one has what
/// means something else in a cell. Without such a line both forms say the same.
pub(in crate::source) fn are_texts(head: &[u8], path: &Path) -> bool {
    let read = |line: &[u8]| {
        let text = std::str::from_utf8(line).ok().filter(|line| line.starts_with('"'))?;
        match json_text::read(text).ok()? {
            (Value::String(text), _) => Some(text),
            _ => None,
        }
    };
    let first = first_line(head);
    if !first.starts_with(b"\"") || read(first).is_some_and(|text| is_header_word(&text)) {
        return false;
    }
    let Ok(mut lines) = JsonLines::open(path) else { return false };
    let mut has_escapes = false;
    while let Ok(Some(_)) = lines.next() {
        let line = without_mark(&lines.bytes).trim_ascii();
        if read(line).is_none() {
            return false;
        }
        match escapes(line) {
            Escapes::OfTex => return false,
            found => has_escapes |= found == Escapes::OfJson,
        }
    }
    has_escapes
}

#[derive(PartialEq, Eq)]
enum Escapes {
    None,
    OfJson,
    /// `\frac` and `\beta`, and no form feeds or backspaces.
    OfTex,
}

/// Tells whose escapes a text has. A tab before a letter is either's, as in `\theta`.
fn escapes(line: &[u8]) -> Escapes {
    let mut found = Escapes::None;
    let mut bytes = line.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            continue;
        }
        let escaped = bytes.next();
        let is_word = bytes.peek().is_some_and(u8::is_ascii_alphabetic);
        match escaped {
            Some(b'b' | b'f') if is_word => return Escapes::OfTex,
            Some(b't') if is_word => {}
            _ => found = Escapes::OfJson,
        }
    }
    found
}

fn open(path: &Path, options: &SourceOptions) -> Result<Box<dyn Source>, SourceError> {
    ObjectSource::open(path, Box::new(JsonLines::open(path)?), options)
}

#[derive(Debug)]
pub(super) struct JsonLines {
    lines: LineReader,
    bytes: Vec<u8>,
}

impl JsonLines {
    pub(super) fn open(path: &Path) -> Result<JsonLines, SourceError> {
        Ok(JsonLines { lines: LineReader::open(path, b'\n')?, bytes: Vec::new() })
    }
}

impl Objects for JsonLines {
    fn rewind(&mut self) -> Result<(), SourceError> {
        self.lines.rewind()
    }

    fn cursor(&self) -> Option<Cursor> {
        self.lines.cursor()
    }

    fn seek(&mut self, to: &Cursor) -> Result<(), SourceError> {
        self.lines.seek(to)
    }

    fn next(&mut self) -> Result<Option<(Place, Read)>, SourceError> {
        loop {
            self.bytes.clear();
            if !self.lines.read_line(&mut self.bytes)? {
                return Ok(None);
            }
            let line = self.bytes.trim_ascii();
            // DOS ends a text with 0x1A.
            if !line.is_empty() && line != b"\x1a" {
                return Ok(Some((Place::Line(self.lines.line()), object(line))));
            }
        }
    }
}

/// Reads the text of one row.
pub(super) fn object(text: &[u8]) -> Read {
    let text = std::str::from_utf8(text).map_err(|_| RowProblem::NotUtf8)?;
    let (value, has_half) = json_text::read(text).map_err(|error| {
        let detail = error.to_string();
        RowProblem::NotJson(detail.split(" at line ").next().unwrap_or_default().to_owned())
    })?;
    if has_half {
        return Err(RowProblem::HalfCharacter);
    }
    of_value(value)
}

/// Takes a JSON value for a row.
pub(super) fn of_value(value: Value) -> Read {
    match value {
        Value::Object(object) => Ok(object),
        Value::String(text) => Ok(Object::from_iter([("question".to_owned(), text.into())])),
        turns if turns_in(&turns).is_some_and(|turns| !turns.is_empty()) => {
            Ok(Object::from_iter([("messages".to_owned(), turns)]))
        }
        _ => Err(RowProblem::NotAnObject),
    }
}
