//! One record, with the bytes it came from.

use std::ops::Range;

use memchr::{memchr, memmem};

use super::RecordsError;
use crate::csv::quotes::Quotes;

/// One record and the bytes it came from.
#[derive(Debug, Default)]
pub struct Record {
    /// Its row as a spreadsheet counts it, from 1: blank lines count, newlines in quotes do not.
    pub row_number: u64,
    /// The line of the file on which it begins, from 1.
    pub line: u64,
    pub(super) raw: Vec<u8>,
    pub(super) text: Vec<u8>,
    /// Of each field: its bytes in `raw`, quotes included, and its decoded text in `text`.
    pub(super) fields: Vec<(Range<usize>, Range<usize>)>,
    pub(super) quotes: Quotes,
}

impl Record {
    /// Returns how many fields it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Returns true if it has no field, as before the first record.
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

    /// Adds fields behind the first `len`, which it is given where it has fewer; what it has beyond them goes.
    pub fn append<'a>(&mut self, len: usize, texts: impl IntoIterator<Item = &'a str>) {
        let raw = self.raw.len();
        self.fields.resize(len, (raw..raw, 0..0));
        for text in texts {
            let begins = self.text.len();
            self.text.extend_from_slice(text.as_bytes());
            self.fields.push((raw..raw, begins..self.text.len()));
        }
    }

    /// Returns the bytes from the end of the record before to the end of this one: a byte order
    /// mark, blank lines, the fields, the end of the line.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Returns where in [`Record::raw`] a field stands, with its quotes.
    #[must_use]
    pub(crate) fn raw_field(&self, at: usize) -> Option<Range<usize>> {
        self.fields.get(at).map(|(raw, _)| raw.clone())
    }

    /// Returns true if a field has quotes around it.
    #[must_use]
    pub fn is_quoted(&self, at: usize) -> bool {
        let raw = self.raw_field(at).map(|field| &self.raw[field]);
        raw.is_some_and(|raw| raw.len() > 1 && raw.starts_with(b"\"") && raw.ends_with(b"\""))
    }

    /// Returns the line of the quote that opens the last field, if nothing closes it.
    pub(super) fn unclosed(&self) -> Option<u64> {
        let (field, _) = self.fields.last()?;
        let raw = &self.raw[field.clone()];
        let is_open = raw.starts_with(b"\"") && self.quotes.end(raw).is_none();
        is_open.then(|| self.line_of(field.start))
    }

    fn line_of(&self, at: usize) -> u64 {
        let before = &self.raw[self.fields[0].0.start..at];
        self.line + before.iter().filter(|&&byte| byte == b'\n').count() as u64
    }

    /// Finds a field whose quotes do not mean what they seem to: its text would be cut or garbled.
    pub(super) fn misquoted(&self) -> Option<RecordsError> {
        memchr(b'"', &self.raw)?;
        // A field that ends with a backslash and its quote may go on behind the comma.
        let mut goes_on = false;
        for (field, _) in &self.fields {
            let raw = &self.raw[field.clone()];
            let (row, line) = (self.row_number, || self.line_of(field.start));
            if !raw.starts_with(b"\"") {
                if goes_on && raw.ends_with(b"\"") {
                    return Some(RecordsError::Backslash { row, line: line() });
                }
                continue;
            }
            let Some(end) = self.quotes.end(raw) else { continue };
            goes_on |= self.quotes == Quotes::Twice && raw[..end].ends_with(b"\\");
            if raw[end + 1..].iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let has_backslash = memmem::find(raw, b"\\\"").is_some();
            return Some(match has_backslash && self.quotes == Quotes::Twice {
                true => RecordsError::Backslash { row, line: line() },
                false => {
                    let cell = String::from_utf8_lossy(raw).into_owned();
                    RecordsError::StrayQuote { row, line: line(), cell }
                }
            });
        }
        None
    }

    pub(super) fn clear(&mut self) {
        self.raw.clear();
        self.text.clear();
        self.fields.clear();
    }
}
