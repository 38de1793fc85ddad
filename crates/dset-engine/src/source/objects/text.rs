//! A text with a question a line, or with a separator of the user's between questions.

use std::io::BufReader;
use std::path::Path;

use dset_core::csv::{is_header_word, line_end};
use dset_core::item::Place;

use super::line_reader::LineReader;
use super::{Object, ObjectSource, Objects, Read};
use crate::source::bad_row::RowProblem;
use crate::source::import::{Form, form_of};
use crate::source::packing::Unpacked;
use crate::source::{
    Cursor, Likelihood, Source, SourceError, SourceKind, SourceOptions, open_csv, records_error,
};

pub(in crate::source) const KIND: SourceKind =
    SourceKind { name: "text", endings: &["txt", "text"], sniff: |_| Likelihood::No, open };

fn open(path: &Path, options: &SourceOptions) -> Result<Box<dyn Source>, SourceError> {
    let separator = options.reading.split_on.clone();
    // What is called a text may be a table; the CSV source says what is to be done about it.
    if separator.is_none() && !matches!(form_of(path), Ok(Form::Lines)) {
        return open_csv(path, options);
    }
    ObjectSource::open(path, Box::new(Blocks::open(path, separator)?), options)
}

#[derive(Debug)]
struct Blocks {
    lines: LineReader,
    separator: Option<String>,
    has_ended: bool,
}

impl Blocks {
    fn open(path: &Path, separator: Option<String>) -> Result<Blocks, SourceError> {
        let text = BufReader::with_capacity(1 << 16, Unpacked::open(path)?);
        let line_end = line_end(text).map_err(|error| records_error(path, error.into()))?;
        Ok(Blocks { lines: LineReader::open(path, line_end)?, separator, has_ended: false })
    }

    /// Reads up to the next line that is the separator, or one line; returns where it begins.
    fn read_block(&mut self, text: &mut Vec<u8>) -> Result<u64, SourceError> {
        let first = self.lines.line() + 1;
        loop {
            let before = text.len();
            if !self.lines.read_line(text)? {
                self.has_ended = true;
                return Ok(first);
            }
            let Some(separator) = &self.separator else { return Ok(first) };
            if text[before..].trim_ascii() == separator.trim().as_bytes() {
                text.truncate(before);
                return Ok(first);
            }
        }
    }
}

impl Objects for Blocks {
    fn rewind(&mut self) -> Result<(), SourceError> {
        self.has_ended = false;
        self.lines.rewind()
    }

    fn cursor(&self) -> Option<Cursor> {
        self.lines.cursor()
    }

    fn seek(&mut self, to: &Cursor) -> Result<(), SourceError> {
        self.has_ended = false;
        self.lines.seek(to)
    }

    fn next(&mut self) -> Result<Option<(Place, Read)>, SourceError> {
        while !self.has_ended {
            let mut text = Vec::new();
            let line = self.read_block(&mut text)?;
            let Ok(text) = String::from_utf8(text) else {
                return Ok(Some((Place::Line(line), Err(RowProblem::NotUtf8))));
            };
            // Blanks around a line may belong to it; what ends a line or a text does not.
            let text = text.trim_end_matches(['\n', '\r', '\u{1a}']);
            let text =
                if self.separator.is_some() { text.trim_start_matches(['\n', '\r']) } else { text };
            // A first line that is a header says nothing.
            let is_header = line == 1 && self.separator.is_none() && is_header_word(text);
            if !text.trim().is_empty() && !is_header {
                let object = Object::from_iter([("question".to_owned(), text.into())]);
                return Ok(Some((Place::Line(line), Ok(object))));
            }
        }
        Ok(None)
    }

    fn fields(&self) -> Option<Vec<String>> {
        Some(vec!["question".to_owned()])
    }
}
