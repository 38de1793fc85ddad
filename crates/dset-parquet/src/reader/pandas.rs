//! The index that pandas keeps beside the columns.

use parquet::file::metadata::ParquetMetaData;
use serde_json::Value;

/// A named index of numbers in equal steps: pandas says so of the file, and writes no column.
#[derive(Debug)]
pub(super) struct RangeIndex {
    pub(super) name: String,
    start: i64,
    step: i64,
}

impl RangeIndex {
    /// Returns the index of a file; `None` where it has none with a name, or one that is a column.
    pub(super) fn of(metadata: &ParquetMetaData, columns: &[String]) -> Option<RangeIndex> {
        let said = metadata.file_metadata().key_value_metadata()?;
        let said = said.iter().find(|entry| entry.key == "pandas")?.value.as_ref()?;
        let said: Value = serde_json::from_str(said).ok()?;
        let [index] = said.get("index_columns")?.as_array()?.as_slice() else { return None };
        let name = index.get("name")?.as_str()?;
        if index.get("kind")? != "range" || columns.iter().any(|own| own == name) {
            return None;
        }
        let number = |name: &str| index.get(name)?.as_i64();
        Some(RangeIndex { name: name.to_owned(), start: number("start")?, step: number("step")? })
    }

    /// Returns its value of a row, from 0.
    pub(super) fn at(&self, row: u64) -> Value {
        let steps = i64::try_from(row).ok().and_then(|row| row.checked_mul(self.step));
        steps.and_then(|steps| steps.checked_add(self.start)).into()
    }
}
