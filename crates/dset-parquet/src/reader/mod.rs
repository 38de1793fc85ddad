//! Reads a file row by row.

mod batch;
mod fault;
mod open;
mod schema;

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReader};
use serde_json::{Map, Value};

use crate::error::ReadError;
use crate::json::{self, Shape};

/// A Parquet file, read row by row as JSON values.
///
/// It holds one batch of rows at a time, of about [`batch::BYTES`], and beside it what the batch lies in:
/// a page of each column, which is a megabyte with most writers and never in parts.
pub struct Reader {
    path: PathBuf,
    file: File,
    metadata: ArrowReaderMetadata,
    columns: Vec<String>,
    shapes: Vec<Shape>,
    rows: u64,
    at: Position,
}

/// Where a reader stands.
#[derive(Default)]
struct Position {
    /// The row group after the one that is being read.
    next_group: usize,
    /// Rows in the groups before the one that is being read.
    before_group: u64,
    /// Rows of the group that were given or are in `batch`.
    in_group: u64,
    /// The group that is being read.
    group: Option<ParquetRecordBatchReader>,
    batch: Option<RecordBatch>,
    /// The next row of `batch`.
    row: usize,
}

impl Reader {
    /// Opens a file and reads its end, which says what is in it.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is no Parquet file, is cut short, encrypted or damaged at its end, or has a
    /// column of a type or a compression that is not supported. What is wrong with its data shows in
    /// [`next`](Reader::next).
    pub fn open(path: impl AsRef<Path>) -> Result<Reader, ReadError> {
        open::open(path.as_ref())
    }

    /// Returns the names of the columns, in the file's order. Where the file gives one name to several, the
    /// later ones are `name_1`, `name_2`.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Returns how many rows the file says that it has.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Puts the next row into `row`: a value for each column, in their order, and nothing else. Returns
    /// false, with an empty `row`, after the last one.
    ///
    /// # Errors
    ///
    /// The data is damaged: the error names the first row, and the column, that cannot be read. Rows
    /// of the same batch before it are not given. After an error there is no further row before
    /// [`rewind`](Reader::rewind).
    pub fn next(&mut self, row: &mut Map<String, Value>) -> Result<bool, ReadError> {
        if !self.has_row()? {
            row.clear();
            return Ok(false);
        }
        let Some(batch) = &self.at.batch else { return Ok(false) };
        let cells = batch.columns().iter().zip(&self.shapes);
        let values = cells.map(|(array, shape)| json::value(array.as_ref(), shape, self.at.row));
        // Most callers hand in the row before this one: then the names need not be made again.
        if row.len() == self.columns.len() && row.keys().eq(&self.columns) {
            row.values_mut().zip(values).for_each(|(place, value)| *place = value);
        } else {
            row.clear();
            row.extend(self.columns.iter().cloned().zip(values));
        }
        self.at.row += 1;
        Ok(true)
    }

    /// Goes back to before the first row.
    pub fn rewind(&mut self) {
        self.at = Position::default();
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Reader { path, columns, rows, .. } = self;
        f.debug_struct("Reader")
            .field("path", path)
            .field("columns", columns)
            .field("rows", rows)
            .finish_non_exhaustive()
    }
}
