//! The column of the input that has marks of dset's.

use dset_core::csv::STATUS;
use dset_core::item::error_marks::MarksColumn;

use super::limits::{INPUT_IS_SHARED, MARKS_COLUMN};
use super::store::Store;
use crate::store::error::StoreError;

impl Store {
    /// Returns the column of the input that has marks of ours. A store that was made before that
    /// was recorded wrote them to `status`, if it wrote any.
    pub fn marks_column(&self) -> Result<MarksColumn, StoreError> {
        if self.meta::<i64>(INPUT_IS_SHARED)?.is_some() {
            return Ok(MarksColumn::Never);
        }
        let known = |column: String| match column.is_empty() {
            true => MarksColumn::Unknown,
            false => MarksColumn::Known(column),
        };
        if let Some(column) = self.meta::<String>(MARKS_COLUMN)? {
            return Ok(known(column));
        }
        let sql = "SELECT EXISTS (SELECT 1 FROM ended) OR EXISTS (SELECT 1 FROM marks)";
        let has_marks: bool = self.reader.connection.query_row(sql, [], |row| row.get(0))?;
        Ok(if has_marks { known(STATUS.to_owned()) } else { MarksColumn::Unknown })
    }

    /// Others read the input too: it is never marked.
    pub(crate) fn keep_input_unmarked(&self) -> Result<(), StoreError> {
        self.set_meta(INPUT_IS_SHARED, 1)
    }
}
