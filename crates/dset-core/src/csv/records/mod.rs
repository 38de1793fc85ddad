//! Reads records one at a time, with the bytes each came from.
//!
//! csv-core does the parsing. Its user, the csv crate, gives fields without the bytes they came from,
//! and a cell can only be marked in place by those.

mod error;
mod record;

use std::io::{self, Read};

use csv_core::{ReadFieldResult, Reader, ReaderBuilder};
use memchr::{memchr, memchr2, memmem};
use serde::{Deserialize, Serialize};

pub use error::RecordsError;
pub use record::Record;

use super::quotes::Quotes;
use crate::csv::sniff::DetectedEncoding;

/// The largest record that is read; a larger one is a quote that was never closed, or no CSV.
pub const CELL_BYTES_MAX: usize = 64 * 1024 * 1024;

const BOM: &[u8] = b"\xef\xbb\xbf";
/// What DOS ends a text with, and `copy` on Windows still does.
const END_MARK: u8 = 0x1a;
const ESC: u8 = 0x1b;
const CHUNK: usize = 64 * 1024;
const DECODED: usize = 4 * 1024;

/// The end of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordPosition {
    /// Bytes of the file up to there.
    pub offset: u64,
    /// Rows up to there, as a spreadsheet counts.
    pub row_number: u64,
    /// The line of the file on which the next record begins, from 1, if no blank line comes first.
    pub line: u64,
    /// The record ended with CR, so that an LF right behind it is no blank line.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub after_cr: bool,
}

/// Reads records from bytes.
#[derive(Debug)]
pub struct Records<R> {
    input: R,
    reader: Reader,
    buffer: Vec<u8>,
    /// Where a field is decoded; a longer one in parts.
    decoded: Vec<u8>,
    at: usize,
    filled: usize,
    ended: bool,
    started: bool,
    row_number: u64,
    line: u64,
    /// Bytes of the records before.
    offset: u64,
    quotes: Quotes,
    sign: u8,
    /// NUL and signs of ISO-2022 are characters like others.
    takes_any_text: bool,
    /// The record before ended with CR, so that an LF right behind it is no blank line.
    after_cr: bool,
    /// What the beginning looks like, where it is not like UTF-8.
    guess: Option<DetectedEncoding>,
}

impl<R: Read> Records<R> {
    /// Reads from the start of a file.
    pub fn new(input: R) -> Records<R> {
        Records {
            input,
            reader: Reader::new(),
            buffer: vec![0; CHUNK],
            decoded: vec![0; DECODED],
            at: 0,
            filled: 0,
            ended: false,
            started: false,
            row_number: 0,
            line: 1,
            offset: 0,
            quotes: Quotes::default(),
            sign: b',',
            takes_any_text: false,
            after_cr: false,
            guess: None,
        }
    }

    /// Goes on behind a record that was read before: `input` begins there.
    #[must_use]
    pub fn resume(input: R, at: RecordPosition) -> Records<R> {
        let RecordPosition { offset, row_number, line, after_cr } = at;
        Records { started: true, row_number, line, offset, after_cr, ..Records::new(input) }
    }

    /// Returns where the record that was read last ends.
    pub fn position(&self) -> RecordPosition {
        let Records { offset, row_number, line, after_cr, .. } = *self;
        RecordPosition { offset, row_number, line, after_cr }
    }

    /// Takes another sign than a comma between fields.
    #[must_use]
    pub fn with_delimiter(mut self, sign: u8) -> Records<R> {
        self.sign = sign;
        self.build();
        self
    }

    /// Takes another way of writing a quote within quotes.
    #[must_use]
    pub fn with_quotes(mut self, quotes: Quotes) -> Records<R> {
        self.quotes = quotes;
        self.build();
        self
    }

    /// Takes NUL and what looks like ISO-2022 as characters, as in what dset wrote: a model may write any.
    #[must_use]
    pub(crate) fn with_any_text(mut self) -> Records<R> {
        self.takes_any_text = true;
        self
    }

    fn build(&mut self) {
        let escape = (self.quotes == Quotes::Backslash).then_some(b'\\');
        self.reader = ReaderBuilder::new().delimiter(self.sign).escape(escape).build();
    }

    /// Reads the next record into `record`; false at the end, where [`Record::raw`] holds what
    /// came after the last record.
    pub fn next(&mut self, record: &mut Record) -> Result<bool, RecordsError> {
        record.clear();
        record.quotes = self.quotes;
        if !self.started {
            self.started = true;
            self.fill()?;
            let head = &self.buffer[..self.filled];
            self.guess = DetectedEncoding::detect(head);
            if head.starts_with(BOM) {
                record.raw.extend_from_slice(BOM);
                self.at = BOM.len();
            }
        }
        loop {
            let (from, text_from) = (record.raw.len(), record.text.len());
            let end = self.field(record)?;
            let raw_to = record.raw.len();
            let Some((record_end, terminated)) = end else { break };
            let skipped = if record.fields.is_empty() { self.leading(record, from) } else { 0 };
            let raw = from + skipped..raw_to - usize::from(terminated);
            if self.quotes == Quotes::Backslash && record.raw[raw.clone()].starts_with(b"\"") {
                record.text.truncate(text_from);
                self.quotes.decoded(&record.raw[raw.clone()], &mut record.text);
            }
            record.fields.push((raw, text_from..record.text.len()));
            if record_end {
                if record.text.last() == Some(&END_MARK) && self.cut_end_mark(record)? {
                    break;
                }
                self.row_number += 1;
                record.row_number = self.row_number;
                self.check(record)?;
                self.after_cr = terminated && record.raw.last() == Some(&b'\r');
                return Ok(true);
            }
        }
        self.check(record)?;
        Ok(false)
    }

    /// Takes the mark off that ends the file, where this is the last record; returns true if that
    /// is all there was. The mark stays among the raw bytes.
    fn cut_end_mark(&mut self, record: &mut Record) -> Result<bool, RecordsError> {
        let is_left = |byte: &u8| matches!(*byte, b'\r' | b'\n' | END_MARK);
        loop {
            if !self.buffer[self.at..self.filled].iter().all(is_left) {
                return Ok(false);
            }
            if self.ended {
                break;
            }
            self.buffer.copy_within(self.at..self.filled, 0);
            (self.at, self.filled) = (0, self.filled - self.at);
            if self.filled == self.buffer.len() {
                return Ok(false);
            }
            self.read_more()?;
        }
        if let Some((raw, text)) = record.fields.last_mut() {
            let marks = record.text[text.clone()].iter().rev().take_while(|b| **b == END_MARK);
            let marks = marks.count();
            raw.end = raw.end.saturating_sub(marks).max(raw.start);
            text.end -= marks;
        }
        // A quote that is open is the beginning of a field.
        let is_empty = record.raw.iter().all(is_left);
        if is_empty {
            record.fields.clear();
            record.raw.extend_from_slice(&self.buffer[self.at..self.filled]);
            self.at = self.filled;
        }
        Ok(is_empty)
    }

    /// Reads the next record as [`Records::next`] does; one within whose quotes the file ends is an
    /// error, and so is one whose quotes do not mean what they seem to.
    pub fn next_strict(&mut self, record: &mut Record) -> Result<bool, RecordsError> {
        let more = self.next(record)?;
        // Only what the end of the file has ended can be open.
        let is_last = more && self.ended && self.at == self.filled;
        match is_last.then(|| record.unclosed()).flatten() {
            Some(line) => Err(RecordsError::Unclosed { line }),
            None => record.misquoted().map_or(Ok(more), Err),
        }
    }

    /// Reads one field; returns true if it ends its record and whether a byte ended it. `None` at
    /// the end of the file.
    fn field(&mut self, record: &mut Record) -> Result<Option<(bool, bool)>, RecordsError> {
        loop {
            if self.at == self.filled && !self.ended {
                self.fill()?;
            }
            let input = &self.buffer[self.at..self.filled];
            let (result, read, written) = self.reader.read_field(input, &mut self.decoded);
            record.raw.extend_from_slice(&input[..read]);
            record.text.extend_from_slice(&self.decoded[..written]);
            self.at += read;
            if record.raw.len() > CELL_BYTES_MAX {
                return Err(RecordsError::TooLarge { line: self.line });
            }
            match result {
                ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull => {}
                ReadFieldResult::Field { record_end } => return Ok(Some((record_end, read > 0))),
                ReadFieldResult::End => return Ok(None),
            }
        }
    }

    fn fill(&mut self) -> Result<(), RecordsError> {
        (self.at, self.filled) = (0, 0);
        // The first look must see a whole byte order mark.
        while self.filled < BOM.len() && !self.ended {
            self.read_more()?;
        }
        Ok(())
    }

    fn read_more(&mut self) -> Result<(), RecordsError> {
        match self.input.read(&mut self.buffer[self.filled..]) {
            Ok(0) => self.ended = true,
            Ok(read) => self.filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Counts the blank lines before a record, which the parser skips; returns their bytes.
    fn leading(&mut self, record: &mut Record, from: usize) -> usize {
        let raw = &record.raw[from..];
        let blank = raw.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        // A record cannot begin with the end of its own line: the last such byte may be one.
        let mut lines = 0;
        let mut cr = self.after_cr;
        for &byte in &raw[..blank] {
            lines += u64::from(!(byte == b'\n' && cr));
            cr = byte == b'\r';
        }
        self.row_number += lines;
        record.line = self.line + raw[..blank].iter().filter(|&&byte| byte == b'\n').count() as u64;
        blank
    }

    fn check(&mut self, record: &Record) -> Result<(), RecordsError> {
        let raw = record.raw();
        let place = |at: usize| {
            let before = &raw[..at];
            let line = self.line + before.iter().filter(|&&byte| byte == b'\n').count() as u64;
            let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |nl| nl + 1);
            let start = if start == 0 && before.starts_with(BOM) { BOM.len() } else { start };
            let column =
                String::from_utf8_lossy(&before[start.min(at)..]).chars().count() as u64 + 1;
            (line, column)
        };
        if let Err(error) = std::str::from_utf8(raw) {
            let at = error.valid_up_to();
            let (line, column) = place(at);
            let from = raw[..at]
                .iter()
                .rposition(|b| matches!(b, b'\n' | b',' | b'"'))
                .map_or(0, |b| b + 1);
            let around = &raw[from.max(at.saturating_sub(24))..raw.len().min(at + 12)];
            let near = String::from_utf8_lossy(around);
            let near = near.lines().next().unwrap_or_default().replace('\u{fffd}', "?");
            let (guess, offset) = (self.guess, self.offset + at as u64);
            // At the end of the file there may be no record to have a number.
            let row = record.row_number.max(self.row_number);
            return Err(RecordsError::NotUtf8 {
                row,
                offset,
                line,
                column,
                byte: raw[at],
                near,
                guess,
            });
        }
        if !self.takes_any_text && memchr2(0, ESC, raw).is_some() {
            if let Some(at) = memchr(0, raw) {
                let (line, column) = place(at);
                return Err(RecordsError::Nul { line, column, guess: self.guess });
            }
            // Terminal control sequences begin otherwise.
            if let Some(at) = memmem::find(raw, b"\x1b$") {
                return Err(RecordsError::Shifted { line: place(at).0 });
            }
        }
        self.offset += raw.len() as u64;
        self.line += raw.iter().filter(|&&byte| byte == b'\n').count() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
