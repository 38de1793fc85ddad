//! A text with a question a line, or with a separator of the user's between questions.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use dset_core::csv::{CELL_BYTES_MAX, is_header_word, line_end};
use dset_core::item::Place;

use super::{Object, ObjectSource, Objects, Read};
use crate::source::bad_row::RowProblem;
use crate::source::import::{Form, form_of};
use crate::source::packing::{Unpacked, is_packed};
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
    path: PathBuf,
    separator: Option<String>,
    input: BufReader<Unpacked>,
    line_end: u8,
    line: u64,
    /// Bytes up to the end of that line; `None` where the file is packed.
    offset: Option<u64>,
    has_ended: bool,
}

impl Blocks {
    fn open(path: &Path, separator: Option<String>) -> Result<Blocks, SourceError> {
        let input = BufReader::with_capacity(1 << 16, Unpacked::open(path)?);
        let text = BufReader::with_capacity(1 << 16, Unpacked::open(path)?);
        let line_end = line_end(text).map_err(|error| records_error(path, error.into()))?;
        Ok(Blocks {
            path: path.to_owned(),
            separator,
            input,
            line_end,
            line: 0,
            offset: (!is_packed(path)?).then_some(0),
            has_ended: false,
        })
    }

    fn read_line(&mut self, text: &mut Vec<u8>) -> Result<bool, SourceError> {
        let before = text.len();
        let most = CELL_BYTES_MAX as u64 + 1;
        let read = self.input.by_ref().take(most).read_until(self.line_end, text);
        let read = read.map_err(|error| records_error(&self.path, error.into()))?;
        self.line += 1;
        self.offset = self.offset.map(|offset| offset + read as u64);
        if self.line == 1 && text[before..].starts_with(b"\xef\xbb\xbf") {
            text.drain(before..before + 3);
        }
        if text.len() > CELL_BYTES_MAX {
            let (path, place) = (self.path.clone(), Place::Line(self.line));
            let problem = RowProblem::TooLarge(CELL_BYTES_MAX);
            return Err(SourceError::BadRow { path, place, problem });
        }
        Ok(read > 0)
    }

    /// Reads up to the next line that is the separator, or one line; returns where it begins.
    fn read_block(&mut self, text: &mut Vec<u8>) -> Result<u64, SourceError> {
        let first = self.line + 1;
        loop {
            let before = text.len();
            if !self.read_line(text)? {
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
        *self = Blocks::open(&self.path, self.separator.take())?;
        Ok(())
    }

    fn cursor(&self) -> Option<Cursor> {
        Some(Cursor::Line { offset: self.offset?, lines: self.line })
    }

    fn seek(&mut self, to: &Cursor) -> Result<(), SourceError> {
        let Cursor::Line { offset, lines } = *to else { return self.rewind() };
        self.input = BufReader::with_capacity(1 << 16, Unpacked::open_at(&self.path, offset)?);
        (self.line, self.offset, self.has_ended) = (lines, Some(offset), false);
        Ok(())
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
