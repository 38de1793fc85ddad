//! ERROR bookmarks in the user's own file, every other byte kept as it was.
//!
//! Marks go by question, not by row number: a file that was edited meanwhile is marked as it is
//! now. Only an empty status cell is set and only `ERROR` is cleared; any other value is the user's.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Read, Write};

use thiserror::Error;

use crate::csv::{ERROR, Layout, Record, Records, RecordsError};
use crate::item::question::QuestionId;

/// Rows to be marked, and rows whose mark is to go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InputMarks {
    /// Are to say ERROR.
    pub set: BTreeSet<QuestionId>,
    /// Are not to say ERROR any more.
    pub clear: BTreeSet<QuestionId>,
}

impl InputMarks {
    /// Tells whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.clear.is_empty()
    }

    /// Returns the hashes of the questions of these rows, whose marks the store need not remember once the
    /// input says so.
    #[must_use]
    pub fn question_hashes(&self) -> Vec<[u8; 16]> {
        self.set.iter().chain(&self.clear).map(|id| id.hash()).collect()
    }
}

/// Which column of an input has marks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum MarksColumn {
    /// None that is known.
    #[default]
    Unknown,
    /// The one of this name.
    Known(String),
    /// None ever: others read the input too, and it stays as it is.
    Never,
}

impl MarksColumn {
    /// Returns its name, where one is known.
    #[must_use]
    pub fn known(&self) -> Option<&str> {
        match self {
            MarksColumn::Known(name) => Some(name),
            MarksColumn::Unknown | MarksColumn::Never => None,
        }
    }
}

/// What a rewriting did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RewriteCounts {
    /// Rows that say ERROR now.
    pub set: u64,
    /// Rows that do not any more.
    pub cleared: u64,
    /// Rows whose status is the user's own word, or that cannot be marked: left alone.
    pub left_alone: u64,
    /// Marks whose question is not in the file.
    pub missing: u64,
}

impl RewriteCounts {
    /// Tells whether the new bytes differ from the old.
    #[must_use]
    pub fn is_change(&self) -> bool {
        self.set + self.cleared > 0
    }
}

/// Why a file was not rewritten.
#[derive(Debug, Error)]
pub enum MarkRewriteError {
    /// It cannot be read as CSV.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// It cannot be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Copies a file with these marks. `layout` must come from a survey of the same bytes.
///
/// Linear in the file; keeps one record in memory.
pub fn rewrite(
    input: impl Read,
    mut output: impl Write,
    layout: &Layout,
    marks: &InputMarks,
) -> Result<RewriteCounts, MarkRewriteError> {
    let column = layout.marks_column();
    let wanted = || marks.set.iter().chain(&marks.clear);
    // Rows counted so far, of each text that some mark is for.
    let mut ordinals: HashMap<u64, u32> = wanted().map(|id| (id.text_hash, 0)).collect();
    let mut done = RewriteCounts { missing: wanted().count() as u64, ..RewriteCounts::default() };
    let (mut records, mut record) = (Records::new(input), Record::default());
    let mut is_header = layout.has_header;
    while records.next(&mut record)? {
        if std::mem::take(&mut is_header) {
            let name = layout.status.is_none() && !marks.set.is_empty();
            let named = if name { with_cell(&record, column, layout.status_name()) } else { None };
            output.write_all(named.as_deref().unwrap_or(record.raw()))?;
            continue;
        }
        let question = record.cell(layout.question).unwrap_or_default();
        let text_hash = QuestionId::hash_text(question);
        let Some(seen) = ordinals.get_mut(&text_hash) else {
            output.write_all(record.raw())?;
            continue;
        };
        let id = QuestionId { text_hash, ordinal: *seen };
        *seen += 1;
        let (set, clear) = (marks.set.contains(&id), marks.clear.contains(&id));
        done.missing -= u64::from(set || clear);
        let status = record.cell(column).unwrap_or_default().trim();
        let new = match status {
            "" if set => Some(ERROR),
            ERROR if clear => Some(""),
            _ => None,
        };
        let bytes = new.and_then(|value| with_cell(&record, column, value));
        done.set += u64::from(set && bytes.is_some());
        done.cleared += u64::from(clear && bytes.is_some());
        done.left_alone += u64::from(set && bytes.is_none() && status != ERROR);
        output.write_all(bytes.as_deref().unwrap_or(record.raw()))?;
    }
    output.write_all(record.raw())?;
    Ok(done)
}

/// Returns a record's bytes with this cell changed or added; `None` where that cannot be done
/// without changing what the other cells say, as behind a quote that is never closed.
fn with_cell(record: &Record, column: usize, value: &str) -> Option<Vec<u8>> {
    let raw = record.raw();
    let last = record.raw_field(record.len().checked_sub(1)?)?;
    let (range, commas) = match record.raw_field(column) {
        Some(range) => (range, 0),
        None => (last.end..last.end, column + 1 - record.len()),
    };
    let mut bytes = raw[..range.start].to_vec();
    bytes.extend(std::iter::repeat_n(b',', commas));
    // Whoever quotes a cell, or every cell, goes on doing so.
    let quote: &[u8] = if raw[range.clone()].starts_with(b"\"") { b"\"" } else { b"" };
    bytes.extend_from_slice(quote);
    bytes.extend_from_slice(value.as_bytes());
    bytes.extend_from_slice(quote);
    bytes.extend_from_slice(&raw[range.end..]);

    let (mut records, mut read) = (Records::new(bytes.as_slice()), Record::default());
    let is_one = records.next(&mut read).ok()? && read.len() == record.len().max(column + 1);
    let same = |at: usize| read.cell(at) == Some(record.cell(at).unwrap_or_default());
    let others = (0..read.len()).filter(|&at| at != column).all(same);
    (is_one && others && read.cell(column) == Some(value)).then_some(bytes)
}

#[cfg(test)]
mod tests;
