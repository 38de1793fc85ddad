//! Places in an input from which it can be read without what stands before.

use dset_core::csv::RecordPosition;
use serde::{Deserialize, Serialize};

/// A place in an input from which it can be read on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cursor {
    /// Behind a record of a table.
    Record(RecordPosition),
    /// Behind a line of a text: how many bytes and lines come before.
    Line {
        /// Bytes.
        offset: u64,
        /// Lines.
        lines: u64,
    },
    /// The beginning of a row group.
    Group {
        /// Which, from 0.
        number: u64,
        /// Rows before it, those included that cannot be asked.
        rows: u64,
    },
    /// The beginning of a file among several.
    File {
        /// Which, from 0.
        number: u64,
        /// Items before it.
        items: u64,
        /// Rows before it, those included that cannot be asked; as many as items where it is not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rows: Option<u64>,
    },
}

impl Cursor {
    /// Returns the byte of the file, where it is one.
    #[must_use]
    pub fn byte(&self) -> Option<u64> {
        match self {
            Cursor::Record(at) => Some(at.offset),
            Cursor::Line { offset, .. } => Some(*offset),
            Cursor::Group { .. } | Cursor::File { .. } => None,
        }
    }
}
