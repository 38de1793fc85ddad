//! Why no record could be read.

use std::io;

use thiserror::Error;

use super::CELL_BYTES_MAX;
use crate::csv::sniff::DetectedEncoding;

/// Why no record could be read.
#[derive(Debug, Error)]
pub enum RecordsError {
    /// Bytes that are no UTF-8.
    #[error("line {line}, column {column}: byte 0x{byte:02X} is not UTF-8")]
    NotUtf8 {
        /// Row as a spreadsheet counts it, from 1.
        row: u64,
        /// Byte of the file, from 0.
        offset: u64,
        /// Line in the file, from 1.
        line: u64,
        /// Character in the line, from 1.
        column: u64,
        /// The byte at which UTF-8 decoding failed.
        byte: u8,
        /// The readable text around it.
        near: String,
        /// What the file is instead, where its beginning tells.
        guess: Option<DetectedEncoding>,
    },
    /// Signs of an encoding that writes everything with the signs of ASCII.
    #[error("line {line}: text in ISO-2022")]
    Shifted {
        /// Line in the file, from 1.
        line: u64,
    },
    /// A quote within quotes is written with a backslash before it, not twice.
    #[error("row {row}, line {line}: a quote with a backslash before it within quotes")]
    Backslash {
        /// Row as a spreadsheet counts it, from 1.
        row: u64,
        /// Line in the file, from 1.
        line: u64,
    },
    /// There is text behind the quote that ends a cell.
    #[error("row {row}, line {line}: text behind the quote that ends a cell")]
    StrayQuote {
        /// Row as a spreadsheet counts it, from 1.
        row: u64,
        /// Line in the file, from 1.
        line: u64,
        /// The cell as it stands there.
        cell: String,
    },
    /// A NUL byte, which no text has.
    #[error("line {line}, column {column}: a NUL byte")]
    Nul {
        /// Line in the file, from 1.
        line: u64,
        /// Character in the line, from 1.
        column: u64,
        /// What the file may be, where that is text.
        guess: Option<DetectedEncoding>,
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
