//! One batch of rows after another.

use arrow_array::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder as Builder,
};
use parquet::basic::Type as PhysicalType;
use parquet::file::metadata::RowGroupMetaData;

use super::{Position, Reader, fault};
use crate::error::ReadError;

/// About how much a batch takes: enough that its costs do not count, little beside a run.
pub(super) const BYTES: u64 = 8 << 20;
/// The most rows of a batch: more of them make nothing faster.
pub(super) const ROWS_MAX: u64 = 8_192;

impl Reader {
    /// Returns true if there is a row at the position, for which it reads the next batch if it must.
    pub(super) fn has_row(&mut self) -> Result<bool, ReadError> {
        loop {
            if self.at.batch.as_ref().is_some_and(|batch| self.at.row < batch.num_rows()) {
                return Ok(true);
            }
            // Freed first, so that there are never two.
            self.at.batch = None;
            self.at.row = 0;
            if self.at.group.is_none() && !self.next_group()? {
                return Ok(false);
            }
            match self.next_batch() {
                Ok(Some(batch)) => {
                    self.at.in_group += batch.num_rows() as u64;
                    self.at.batch = Some(batch);
                }
                Ok(None) => self.end_group()?,
                Err(why) => return Err(self.fault(why)),
            }
        }
    }

    /// Begins the next row group; false if there is none.
    fn next_group(&mut self) -> Result<bool, ReadError> {
        let group = self.at.next_group;
        if group >= self.metadata.metadata().num_row_groups() {
            return Ok(false);
        }
        let rows = batch_rows(self.metadata.metadata().row_group(group));
        match self.group_reader(group, rows, ProjectionMask::all(), 0) {
            Ok(reader) => self.at.group = Some(reader),
            Err(why) => return Err(self.fault(why)),
        }
        self.at.next_group += 1;
        Ok(true)
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, String> {
        let Some(group) = &mut self.at.group else { return Ok(None) };
        fault::caught(|| group.next().transpose().map_err(|error| error.to_string()))
    }

    /// Ends a row group, which must have had all its rows.
    fn end_group(&mut self) -> Result<(), ReadError> {
        let promised = self.group_rows(self.at.next_group - 1);
        if self.at.in_group != promised {
            return Err(self
                .fault(format!("a row group ends after {} of {promised} rows", self.at.in_group)));
        }
        self.at.before_group += self.at.in_group;
        self.at.in_group = 0;
        self.at.group = None;
        Ok(())
    }

    /// Reads columns of a row group from a row on, in batches of so many rows.
    pub(super) fn group_reader(
        &self,
        group: usize,
        rows: usize,
        columns: ProjectionMask,
        from: usize,
    ) -> Result<ParquetRecordBatchReader, String> {
        let file = self.file.try_clone().map_err(|error| error.to_string())?;
        fault::caught(|| {
            Builder::new_with_metadata(file, self.metadata.clone())
                .with_row_groups(vec![group])
                .with_batch_size(rows)
                .with_projection(columns)
                .with_offset(from)
                .build()
                .map_err(|error| error.to_string())
        })
    }

    pub(super) fn group_rows(&self, group: usize) -> u64 {
        self.metadata.metadata().row_group(group).num_rows().try_into().unwrap_or(0)
    }

    /// Makes an error of what went wrong at the position, after which nothing can be read.
    fn fault(&mut self, why: String) -> ReadError {
        let at = std::mem::take(&mut self.at);
        self.at = Position { next_group: usize::MAX, ..Position::default() };
        fault::locate(self, &at, why)
    }
}

/// How many rows of a group make a batch: by what its pages hold and what their values take once read.
///
/// Text is not copied: a value of it points into a page or a dictionary, so that a long text which many
/// rows share is there once.
fn batch_rows(group: &RowGroupMetaData) -> usize {
    let held = |bytes: i64| u64::try_from(bytes).unwrap_or(0);
    let mut bytes = 0u64;
    for column in group.columns() {
        let width = match column.column_type() {
            PhysicalType::BYTE_ARRAY | PhysicalType::FIXED_LEN_BYTE_ARRAY => 16,
            _ => 8,
        };
        let values = held(column.num_values()).saturating_mul(width);
        bytes = bytes.saturating_add(held(column.uncompressed_size())).saturating_add(values);
    }
    let per_row = bytes / held(group.num_rows()).max(1);
    let rows = (BYTES / per_row.max(1)).clamp(1, ROWS_MAX);
    usize::try_from(rows).unwrap_or(1)
}
