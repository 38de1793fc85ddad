//! Reads records one at a time, with the bytes each came from.

use std::io::{self, Read};
use std::ops::Range;

use csv_core::{ReadFieldResult, Reader, ReaderBuilder};
use thiserror::Error;

use super::looks::Guess;

/// The largest record that is read; a larger one is a quote that was never closed, or no CSV.
pub const CELL_BYTES_MAX: usize = 64 * 1024 * 1024;

const BOM: &[u8] = b"\xef\xbb\xbf";
const CHUNK: usize = 64 * 1024;
const DECODED: usize = 4 * 1024;

/// Why no record could be read.
#[derive(Debug, Error)]
pub enum RecordsError {
    /// Bytes that are no UTF-8.
    #[error("line {line}, column {column}: byte 0x{byte:02X} is not UTF-8")]
    NotUtf8 {
        /// Line in the file, from 1.
        line: u64,
        /// Character in the line, from 1.
        column: u64,
        /// The byte.
        byte: u8,
        /// The readable text around it.
        near: String,
        /// What the file may be instead.
        guess: Guess,
    },
    /// A NUL byte, which no text has.
    #[error("line {line}, column {column}: a NUL byte")]
    Nul {
        /// Line in the file, from 1.
        line: u64,
        /// Character in the line, from 1.
        column: u64,
        /// What the file may be, where that is text.
        guess: Option<Guess>,
    },
    /// A record of more than [`CELL_BYTES_MAX`] bytes.
    #[error("line {line}: a row of more than {} MiB; is a quote missing?", CELL_BYTES_MAX >> 20)]
    TooLarge {
        /// The line it begins on.
        line: u64,
    },
    /// The file ends within quotes: everything behind the one that opens them is in one cell.
    #[error("line {line}: a quote that is never closed")]
    Unclosed {
        /// The line with the quote.
        line: u64,
    },
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// One record and the bytes it came from.
#[derive(Debug, Default)]
pub struct Record {
    /// Its row as a spreadsheet counts it, from 1: blank lines count, newlines in quotes do not.
    pub row_number: u64,
    /// The line of the file on which it begins, from 1.
    pub line: u64,
    raw: Vec<u8>,
    text: Vec<u8>,
    /// Of each field: its bytes in `raw`, quotes included, and its decoded text in `text`.
    fields: Vec<(Range<usize>, Range<usize>)>,
}

impl Record {
    /// Returns how many fields it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Tells whether it has no field, as before the first record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Returns a field, decoded; absent where the record is too short.
    #[must_use]
    pub fn cell(&self, at: usize) -> Option<&str> {
        let (_, text) = self.fields.get(at)?;
        Some(std::str::from_utf8(&self.text[text.clone()]).expect("the whole record is UTF-8"))
    }

    /// Returns all fields, decoded.
    pub fn cells(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|at| self.cell(at))
    }

    /// Returns the bytes from the end of the record before to the end of this one: a byte order
    /// mark, blank lines, the fields, the end of the line.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Returns where in [`Record::raw`] a field stands, with its quotes.
    #[must_use]
    pub fn raw_field(&self, at: usize) -> Option<Range<usize>> {
        self.fields.get(at).map(|(raw, _)| raw.clone())
    }

    /// Returns the line of the quote that opens the last field, if nothing closes it.
    fn unclosed(&self) -> Option<u64> {
        let (field, _) = self.fields.last()?;
        let mut rest = self.raw[field.clone()].strip_prefix(b"\"")?;
        while let Some(at) = rest.iter().position(|&byte| byte == b'"') {
            // Two are one that belongs to the text.
            rest = rest[at + 1..].strip_prefix(b"\"")?;
        }
        let before = &self.raw[self.fields[0].0.start..field.start];
        Some(self.line + before.iter().filter(|&&byte| byte == b'\n').count() as u64)
    }

    fn clear(&mut self) {
        self.raw.clear();
        self.text.clear();
        self.fields.clear();
    }
}

impl crate::prompt::Cells for Record {
    fn cell(&self, column: usize) -> Option<&str> {
        Record::cell(self, column)
    }
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
    /// The record before ended with CR, so that an LF right behind it is no blank line.
    after_cr: bool,
    /// What the beginning looks like, where it is not like UTF-8.
    guess: Option<Guess>,
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
            after_cr: false,
            guess: None,
        }
    }

    /// Takes another sign than a comma between fields.
    #[must_use]
    pub fn separated_by(mut self, sign: u8) -> Records<R> {
        self.reader = ReaderBuilder::new().delimiter(sign).build();
        self
    }

    /// Reads the next record into `record`; false at the end, where [`Record::raw`] holds what
    /// came after the last record.
    pub fn next(&mut self, record: &mut Record) -> Result<bool, RecordsError> {
        record.clear();
        if !self.started {
            self.started = true;
            self.fill()?;
            let head = &self.buffer[..self.filled];
            self.guess = Guess::of(head);
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
            record.fields.push((raw, text_from..record.text.len()));
            if record_end {
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

    /// Reads the next record as [`Records::next`] does; one within whose quotes the file ends is an
    /// error.
    pub fn next_closed(&mut self, record: &mut Record) -> Result<bool, RecordsError> {
        let more = self.next(record)?;
        // Only what the end of the file has ended can be open.
        let is_last = more && self.ended && self.at == self.filled;
        match is_last.then(|| record.unclosed()).flatten() {
            Some(line) => Err(RecordsError::Unclosed { line }),
            None => Ok(more),
        }
    }

    /// Reads one field; tells whether it ends its record and whether a byte ended it. `None` at
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
        while self.filled < BOM.len() {
            match self.input.read(&mut self.buffer[self.filled..]) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
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
            let guess = self.guess.unwrap_or(Guess::Windows1252);
            return Err(RecordsError::NotUtf8 { line, column, byte: raw[at], near, guess });
        }
        if let Some(at) = raw.iter().position(|&byte| byte == 0) {
            let (line, column) = place(at);
            return Err(RecordsError::Nul { line, column, guess: self.guess });
        }
        self.line += raw.iter().filter(|&&byte| byte == b'\n').count() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All records as (row number, line, cells).
    fn read(bytes: &[u8]) -> Result<Vec<(u64, u64, Vec<String>)>, RecordsError> {
        let (mut records, mut record, mut all) = (Records::new(bytes), Record::default(), vec![]);
        let mut copied = Vec::new();
        while records.next(&mut record)? {
            copied.extend_from_slice(record.raw());
            all.push((record.row_number, record.line, record.cells().map(String::from).collect()));
        }
        copied.extend_from_slice(record.raw());
        assert_eq!(copied, bytes, "every byte belongs to a record or to the end");
        Ok(all)
    }

    #[test]
    fn blank_lines_count_in_row_numbers_and_quoted_newlines_do_not() {
        for newline in ["\n", "\r\n"] {
            let text = "a\n\n\"b\nb\"\nc".replace('\n', newline);
            let rows: Vec<_> = read(text.as_bytes()).unwrap();
            let places: Vec<_> = rows.iter().map(|(row, line, _)| (*row, *line)).collect();
            assert_eq!(places, [(1, 1), (3, 3), (4, 5)], "{newline:?}");
        }
        let rows = read(b"a\r\rb\r").unwrap();
        assert_eq!(rows.iter().map(|row| row.0).collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn the_raw_bytes_of_a_field_are_where_it_stands_with_its_quotes() {
        let (mut records, mut record) =
            (Records::new(&b"\n\"a,b\", c ,\r\n"[..]), Record::default());
        assert!(records.next(&mut record).unwrap());
        let raw: Vec<_> = (0..3).map(|at| &record.raw()[record.raw_field(at).unwrap()]).collect();
        assert_eq!(raw, [&b"\"a,b\""[..], b" c ", b""]);
    }

    #[test]
    fn a_quote_that_nothing_closes_is_an_error_with_its_line() {
        let closed = |bytes: &[u8]| {
            let (mut records, mut record) = (Records::new(bytes), Record::default());
            while records.next_closed(&mut record)? {}
            Ok::<(), RecordsError>(())
        };
        for (text, line) in [
            ("q\na\n\"b\nc\n", 3),
            ("\"", 1),
            ("\n\na,\"b \"\" c\r\nd", 3),
            ("\"a\nb\",\"c", 2),
            ("q\n\"\"\"", 2),
            ("\u{feff}\n\n\"abc", 3),
        ] {
            let error = closed(text.as_bytes()).unwrap_err();
            assert!(
                matches!(error, RecordsError::Unclosed { line: at } if at == line),
                "{text:?}: {error}"
            );
        }
        for text in ["\"a\"", "\"a\"\"\"", "a\"b", "\"a\"b\"", "\"\"", "q\n\"a\nb\"\n", ""] {
            assert!(closed(text.as_bytes()).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_with_their_place() {
        let error = read(b"question\ncaf\xe9,x\n").unwrap_err();
        let RecordsError::NotUtf8 { line, column, byte, near, guess } = error else { panic!() };
        assert_eq!((line, column, byte, near.as_str()), (2, 4, 0xe9, "caf?,x"));
        assert_eq!(guess, Guess::Windows1252);
        assert!(matches!(
            read(b"a\nb\0"),
            Err(RecordsError::Nul { line: 2, column: 2, guess: None })
        ));
        let utf16 = read(b"\xff\xfeq\0\n\0").unwrap_err();
        assert!(matches!(utf16, RecordsError::NotUtf8 { guess: Guess::Utf16Le, .. }));
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_cell() {
        assert_eq!(read(b"\xef\xbb\xbfquestion\n").unwrap()[0].2, ["question"]);
    }

    proptest::proptest! {
        #[test]
        fn fields_are_those_of_the_csv_crate(text in "[a\"',\n\r é]{0,40}") {
            let mut reader = csv::ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .from_reader(text.as_bytes());
            let expected: Vec<Vec<String>> = reader
                .records()
                .map(|record| record.unwrap().iter().map(String::from).collect())
                .collect();
            let found: Vec<_> = read(text.as_bytes()).unwrap().into_iter().map(|row| row.2).collect();
            proptest::prop_assert_eq!(found, expected);
        }
    }
}
