//! Lines of a file, and the place that reading has got to.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use dset_core::csv::CELL_BYTES_MAX;
use dset_core::item::Place;

use crate::source::bad_row::RowProblem;
use crate::source::packing::{Unpacked, is_packed};
use crate::source::{Cursor, SourceError, records_error};

/// How much is read at once, in bytes.
const BUFFER_BYTES: usize = 1 << 16;

const MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads a file line by line, one that is packed among them.
#[derive(Debug)]
pub(super) struct LineReader {
    path: PathBuf,
    input: BufReader<Unpacked>,
    line_end: u8,
    line: u64,
    /// Bytes up to the end of that line; `None` where the file is packed.
    offset: Option<u64>,
}

impl LineReader {
    /// Opens a file whose lines end with this byte.
    pub(super) fn open(path: &Path, line_end: u8) -> Result<LineReader, SourceError> {
        let input = BufReader::with_capacity(BUFFER_BYTES, Unpacked::open(path)?);
        let offset = (!is_packed(path)?).then_some(0);
        Ok(LineReader { path: path.to_owned(), input, line_end, line: 0, offset })
    }

    /// Returns the number of the line that was read last, from 1; 0 before the first.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    pub(super) fn rewind(&mut self) -> Result<(), SourceError> {
        *self = LineReader::open(&self.path, self.line_end)?;
        Ok(())
    }

    pub(super) fn cursor(&self) -> Option<Cursor> {
        Some(Cursor::Line { offset: self.offset?, lines: self.line })
    }

    pub(super) fn seek(&mut self, to: &Cursor) -> Result<(), SourceError> {
        let Cursor::Line { offset, lines } = *to else { return self.rewind() };
        self.input = BufReader::with_capacity(BUFFER_BYTES, Unpacked::open_at(&self.path, offset)?);
        (self.line, self.offset) = (lines, Some(offset));
        Ok(())
    }

    /// Appends the next line with its end, without a byte order mark, to `text`; returns whether there was
    /// one. Fails where `text` becomes longer than a cell may be.
    pub(super) fn read_line(&mut self, text: &mut Vec<u8>) -> Result<bool, SourceError> {
        let before = text.len();
        let most = CELL_BYTES_MAX as u64 + 1;
        let read = self.input.by_ref().take(most).read_until(self.line_end, text);
        let read = read.map_err(|error| records_error(&self.path, error.into()))?;
        if read == 0 {
            return Ok(false);
        }
        self.line += 1;
        self.offset = self.offset.map(|offset| offset + read as u64);
        if self.line == 1 && text[before..].starts_with(MARK) {
            text.drain(before..before + MARK.len());
        }
        if text.len() > CELL_BYTES_MAX {
            let (path, place) = (self.path.clone(), Place::Line(self.line));
            let problem = RowProblem::TooLarge(CELL_BYTES_MAX);
            return Err(SourceError::BadRow { path, place, problem });
        }
        Ok(true)
    }
}
