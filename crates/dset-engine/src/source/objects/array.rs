//! A JSON array of objects, texts or chats; one element in memory at a time.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use dset_core::csv::CELL_BYTES_MAX;
use dset_core::item::Place;

use serde::de::IgnoredAny;

use super::lines::{JsonLines, first_line, object, without_mark};
use super::whole::Whole;
use super::{ObjectSource, Objects, Read};
use crate::source::bad_row::RowProblem;
use crate::source::packing::Unpacked;
use crate::source::{
    Likelihood, Source, SourceError, SourceKind, SourceOptions, place_words, records_error,
};

pub(in crate::source) const KIND: SourceKind =
    SourceKind { name: "json", endings: &["json"], sniff, open };

/// An array of objects, texts or lists, or an object over several lines.
fn sniff(head: &[u8]) -> Likelihood {
    let text = without_mark(head).trim_ascii();
    let is_json = match text.first() {
        _ if [&b"["[..], b"{"].contains(&first_line(head)) => true,
        Some(b'{') => is_value(text),
        Some(b'[') => match text[1..].trim_ascii_start() {
            [b'{', ..] => true,
            [b'"' | b'[', ..] => is_value(text),
            rest => rest == b"]",
        },
        _ => false,
    };
    if is_json { Likelihood::Likely } else { Likelihood::No }
}

/// Tells whether a text begins with JSON, whose end need not be there, and nothing is behind that in its line.
fn is_value(text: &[u8]) -> bool {
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => matches!(&text[values.byte_offset()..], [] | [b'\n' | b'\r', ..]),
        Some(Err(error)) => error.is_eof(),
        None => false,
    }
}

/// Opens an array; what is called JSON and is none is read as JSON lines, as the original script's
/// `output.json` is, or as a whole.
fn open(path: &Path, options: &SourceOptions) -> Result<Box<dyn Source>, SourceError> {
    let mut array = JsonArray::open(path)?;
    let objects: Box<dyn Objects> = match array.skip_blanks()? {
        Some(b'[') => match array.first_as_turn(options.column.as_deref())? {
            Some(turns) => Box::new(turns),
            None => Box::new(JsonArray::open(path)?),
        },
        _ => match Whole::of_objects(path)? {
            Some(whole) => Box::new(whole),
            None => Box::new(JsonLines::open(path)?),
        },
    };
    ObjectSource::open(path, objects, options)
}

#[derive(Debug)]
struct JsonArray {
    path: PathBuf,
    input: BufReader<Unpacked>,
    element: u64,
    state: State,
    bytes: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Before,
    Within,
    Behind,
}

impl JsonArray {
    fn open(path: &Path) -> Result<JsonArray, SourceError> {
        let input = BufReader::with_capacity(1 << 16, Unpacked::open(path)?);
        let (path, bytes) = (path.to_owned(), Vec::new());
        Ok(JsonArray { path, input, element: 0, state: State::Before, bytes })
    }

    /// Returns the next byte that is no blank and leaves it; `None` at the end.
    fn skip_blanks(&mut self) -> Result<Option<u8>, SourceError> {
        loop {
            let buffer = self.input.fill_buf();
            let buffer = buffer.map_err(|error| records_error(&self.path, error.into()))?;
            let is_blank =
                |byte: u8| byte.is_ascii_whitespace() || b"\xef\xbb\xbf\x1a".contains(&byte);
            let blanks = buffer.iter().take_while(|&&byte| is_blank(byte)).count();
            let (found, is_end) = (buffer.get(blanks).copied(), buffer.is_empty());
            self.input.consume(blanks);
            if found.is_some() || is_end {
                return Ok(found);
            }
        }
    }

    /// Reads the first element; returns the whole, where that is the turns of one chat, and not rows with the
    /// field that the user named.
    fn first_as_turn(&mut self, column: Option<&str>) -> Result<Option<Whole>, SourceError> {
        match self.next() {
            Ok(Some((_, Ok(first)))) if column.is_none_or(|name| !first.contains_key(name)) => {
                Whole::of_turns(&self.path, &first.into())
            }
            _ => Ok(None),
        }
    }

    fn broken(&self, detail: &str) -> SourceError {
        let (shown, place) = (self.path.display(), place_words(Place::Element(self.element)));
        let detail = format!("`{shown}`, {place}: {detail}");
        SourceError::Unreadable { path: self.path.clone(), detail }
    }

    /// Reads the bytes of one element, up to the comma or bracket behind it, which is left.
    fn read_element(&mut self) -> Result<(), SourceError> {
        self.bytes.clear();
        let (mut depth, mut in_text, mut is_escaped) = (0_u32, false, false);
        loop {
            let buffer = self.input.fill_buf();
            let buffer = buffer.map_err(|error| records_error(&self.path, error.into()))?;
            if buffer.is_empty() {
                return Err(self.broken("the file ends within the array"));
            }
            let mut end = None;
            for (at, &byte) in buffer.iter().enumerate() {
                match byte {
                    _ if is_escaped => is_escaped = false,
                    b'\\' if in_text => is_escaped = true,
                    b'"' => in_text = !in_text,
                    _ if in_text => {}
                    b'{' | b'[' => depth += 1,
                    b',' | b']' | b'}' if depth == 0 => {
                        end = Some(at);
                        break;
                    }
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
            }
            let taken = end.unwrap_or(buffer.len());
            self.bytes.extend_from_slice(&buffer[..taken]);
            self.input.consume(taken);
            if end.is_some() {
                return Ok(());
            }
            if self.bytes.len() > CELL_BYTES_MAX {
                let (path, place) = (self.path.clone(), Place::Element(self.element));
                let problem = RowProblem::TooLarge(CELL_BYTES_MAX);
                return Err(SourceError::BadRow { path, place, problem });
            }
        }
    }
}

impl Objects for JsonArray {
    fn rewind(&mut self) -> Result<(), SourceError> {
        *self = JsonArray::open(&self.path)?;
        Ok(())
    }

    fn next(&mut self) -> Result<Option<(Place, Read)>, SourceError> {
        let sign = self.skip_blanks()?;
        match (&self.state, sign) {
            (State::Behind, _) => return Ok(None),
            (State::Before, Some(b'[')) | (State::Within, Some(b',')) => self.input.consume(1),
            (State::Within, Some(b']')) => {}
            _ => return Err(self.broken("the array is broken behind this element")),
        }
        let is_first = self.state == State::Before;
        self.state = State::Within;
        match self.skip_blanks()? {
            // An empty array, the end, or a comma behind the last element.
            Some(b']') if is_first || sign == Some(b']') => {
                self.input.consume(1);
                self.state = State::Behind;
                return match self.skip_blanks()? {
                    None => Ok(None),
                    Some(_) => Err(self.broken("there is more behind the array")),
                };
            }
            _ => self.element += 1,
        }
        self.read_element()?;
        Ok(Some((Place::Element(self.element), object(self.bytes.trim_ascii()))))
    }
}
