//! Reads a file row by row.

mod batch;
mod fault;
mod open;
mod pandas;
mod schema;

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReader};
use serde_json::{Map, Value};

use crate::error::ReadError;
use crate::json::{self, Shape};
use pandas::RangeIndex;

/// A Parquet file, read row by row as JSON values.
///
/// It holds one batch of rows at a time, of about 8 MiB where rows are about equally long, and what the batch
/// lies in: pages, which are unpacked whole. They take a megabyte a column as most programs write them, and up
/// to 100 MB as DuckDB does.
pub struct Reader {
    path: PathBuf,
    file: File,
    metadata: ArrowReaderMetadata,
    columns: Vec<String>,
    shapes: Vec<Shape>,
    /// What stands behind the columns that the file has.
    index: Option<RangeIndex>,
    rows: u64,
    at: Position,
    /// Columns in which the row that was given last holds bytes that are no text.
    bytes: Vec<String>,
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
    /// later ones are `name_1`, `name_2`. An index of pandas that has a name is the last one.
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
        self.bytes.clear();
        if !self.has_row()? {
            row.clear();
            return Ok(false);
        }
        let number = self.at.before_group + self.at.in_group - self.left_in_batch();
        let Some(batch) = &self.at.batch else { return Ok(false) };
        let cells = batch.columns().iter().zip(&self.shapes).zip(&self.columns);
        let values = cells.map(|((array, shape), name)| {
            let mut is_bytes = false;
            let value = json::value(array.as_ref(), shape, self.at.row, &mut is_bytes);
            self.bytes.extend(is_bytes.then(|| name.clone()));
            value
        });
        let values = values.chain(self.index.iter().map(|index| index.at(number)));
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

    /// Returns the columns in which the row that was given last holds bytes that are no text: their values
    /// are what DuckDB shows of them.
    #[must_use]
    pub fn bytes(&self) -> &[String] {
        &self.bytes
    }

    /// Returns the row group of the next row, from 0, and how many rows come before that group; behind the
    /// last row, how many groups and rows there are.
    #[must_use]
    pub fn group(&self) -> (usize, u64) {
        let given = self.at.in_group - self.left_in_batch();
        match &self.at.group {
            None => (self.at.next_group, self.at.before_group),
            Some(_) if given == self.group_rows(self.at.next_group - 1) => {
                (self.at.next_group, self.at.before_group + given)
            }
            Some(_) => (self.at.next_group - 1, self.at.before_group),
        }
    }

    fn left_in_batch(&self) -> u64 {
        self.at.batch.as_ref().map_or(0, |batch| (batch.num_rows() - self.at.row) as u64)
    }

    /// Goes to before the first row of a row group, from 0; one behind the last has none.
    pub fn seek_group(&mut self, group: usize) {
        let next_group = group.min(self.metadata.metadata().num_row_groups());
        let before_group = (0..next_group).map(|group| self.group_rows(group)).sum();
        self.at = Position { next_group, before_group, ..Position::default() };
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
