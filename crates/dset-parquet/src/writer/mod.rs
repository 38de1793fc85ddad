//! Writes a dataset row by row.

mod column;

use std::io::Write;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use dset_core::layout::{Cell, Column};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use self::column::{ColumnBuilder, bytes_of};
use crate::error::WriteError;

/// What the file says that it was made by: the same for the same bytes of rows, so without a time.
const CREATED_BY: &str = concat!("dset version ", env!("CARGO_PKG_VERSION"));
/// Rows are handed to the encoder when they take about this much, so that no page is much larger,
const BATCH_BYTES: usize = 4 << 20;
/// or when there are this many, as many as the encoder takes in one step.
const BATCH_ROWS: usize = 1_024;
/// The most text of one row. The format counts the bytes of a page in 31 bits, and a row is in one page.
const ROW_BYTES_MAX: usize = 1 << 30;

/// How a dataset is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriterOptions {
    /// How hard zstd tries, from 1 to 22; 3 is what DuckDB and zstd itself do.
    pub level: i32,
    /// A row group ends after this many rows. Readers take rows at random a row group at a time.
    pub group_rows: usize,
    /// A row group ends after about this many bytes of data, before compression. What is written of a group
    /// is in memory, compressed, until it ends.
    pub group_bytes: usize,
}

impl Default for WriterOptions {
    fn default() -> Self {
        WriterOptions { level: 3, group_rows: 20_000, group_bytes: 100_000_000 }
    }
}

/// A dataset that is being written as Parquet, compressed by zstd, with statistics and page index.
///
/// Types: text is `string`, whole numbers `int64`, numbers `double`, true and false `bool`, moments
/// `timestamp[ms, UTC]`, lists `list<string>` and `list<struct<…: string>>`,
/// JSON whose values are alike lists and structs of these, and other JSON `string`. No column is of the null type, whatever its
/// values are. The same rows give the same bytes.
///
/// A writer that is dropped before [`finish`](Writer::finish) leaves a file that nothing reads, as does one
/// that failed.
pub struct Writer<W: Write + Send> {
    file: ArrowWriter<W>,
    schema: SchemaRef,
    columns: Vec<Column>,
    builders: Vec<ColumnBuilder>,
    options: WriterOptions,
    /// Rows that were taken.
    rows: u64,
    batch: Extent,
    group: Extent,
}

/// How much of something there is.
#[derive(Default)]
struct Extent {
    rows: usize,
    bytes: usize,
}

impl<W: Write + Send> Writer<W> {
    /// Begins a file of these columns. It is written from `file`'s place on; syncing it is the caller's.
    ///
    /// # Errors
    ///
    /// There is no column, two have one name, the level is none of zstd's, or the file takes no bytes.
    pub fn new(file: W, columns: &[Column], options: WriterOptions) -> Result<Self, WriteError> {
        if columns.is_empty() {
            return Err(WriteError::Encode("a file needs a column".to_owned()));
        }
        for (index, column) in columns.iter().enumerate() {
            if columns[..index].iter().any(|earlier| earlier.name == column.name) {
                return Err(WriteError::SameName(column.name.clone()));
            }
        }
        let fields: Vec<_> = columns.iter().map(column::field).collect();
        let schema = Arc::new(Schema::new(fields));
        let properties = WriterProperties::builder()
            .set_created_by(CREATED_BY.to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(options.level)?))
            .set_statistics_enabled(EnabledStatistics::Page)
            .set_max_row_group_row_count(Some(options.group_rows.max(1)))
            .build();
        Ok(Writer {
            file: ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties))?,
            schema,
            columns: columns.to_vec(),
            builders: columns.iter().map(ColumnBuilder::new).collect(),
            options,
            rows: 0,
            batch: Extent::default(),
            group: Extent::default(),
        })
    }

    /// Adds a row: a cell for each column, of its kind.
    ///
    /// # Errors
    ///
    /// The cells are not those of the columns, the row has more than 1 GiB of text, or the file took no
    /// more bytes. Nothing of a row that is refused is written.
    pub fn push(&mut self, cells: &[Cell<'_>]) -> Result<(), WriteError> {
        let row = self.rows + 1;
        let columns = self.columns.len();
        if cells.len() != columns {
            return Err(WriteError::Cells { row, cells: cells.len(), columns });
        }
        for (cell, column) in cells.iter().zip(&self.columns) {
            if !column::fits(cell, column) {
                return Err(WriteError::Kind { row, column: column.name.clone() });
            }
        }
        let bytes = cells.iter().map(bytes_of).sum();
        if bytes > ROW_BYTES_MAX {
            return Err(WriteError::TooLarge { row, bytes });
        }
        for (cell, builder) in cells.iter().zip(&mut self.builders) {
            builder.push(cell);
        }
        self.rows = row;
        for extent in [&mut self.batch, &mut self.group] {
            extent.rows += 1;
            extent.bytes += bytes;
        }
        self.hand_over()
    }

    /// Writes what is left and the end of the file. Returns how many bytes the file has.
    ///
    /// # Errors
    ///
    /// The file took no more bytes.
    pub fn finish(mut self) -> Result<u64, WriteError> {
        self.encode()?;
        self.file.finish()?;
        Ok(self.file.bytes_written() as u64)
    }

    /// Gives rows to the encoder, and ends a row group, where there are enough.
    fn hand_over(&mut self) -> Result<(), WriteError> {
        let ends = self.group.bytes >= self.options.group_bytes
            || self.group.rows >= self.options.group_rows;
        if ends || self.batch.bytes >= BATCH_BYTES || self.batch.rows >= BATCH_ROWS {
            self.encode()?;
        }
        if ends {
            self.file.flush()?;
            self.group = Extent::default();
        }
        Ok(())
    }

    fn encode(&mut self) -> Result<(), WriteError> {
        if self.batch.rows == 0 {
            return Ok(());
        }
        let arrays = self.builders.iter_mut().map(ColumnBuilder::finish).collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays)
            .map_err(|error| WriteError::Encode(error.to_string()))?;
        self.file.write(&batch)?;
        self.batch = Extent::default();
        Ok(())
    }
}

impl<W: Write + Send> std::fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Writer { columns, rows, options, .. } = self;
        f.debug_struct("Writer")
            .field("columns", columns)
            .field("rows", rows)
            .field("options", options)
            .finish_non_exhaustive()
    }
}

impl From<ParquetError> for WriteError {
    fn from(error: ParquetError) -> Self {
        match error {
            ParquetError::External(cause) => match cause.downcast::<std::io::Error>() {
                Ok(io) => WriteError::Io(*io),
                Err(other) => WriteError::Encode(other.to_string()),
            },
            other => WriteError::Encode(other.to_string()),
        }
    }
}
