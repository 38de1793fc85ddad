//! Which row and which column of damaged data cannot be read.

use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::arrow::ProjectionMask;

use super::batch::ROWS_MAX;
use super::{Position, Reader};
use crate::error::ReadError;

/// Runs a part of the library that reads what a stranger wrote. It is made to return errors, but
/// where a length or an offset lies it may panic, which ends as an error here. (The program's panic hook
/// is called all the same; it is not a library's to replace.)
pub(super) fn caught<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(said.unwrap_or("the reader failed").to_owned())
    })
}

/// Names the row and the column of a fault at a position: reads each column by itself, row by row, up to
/// its first fault. It costs as much as reading a batch again, once.
pub(super) fn locate(reader: &Reader, at: &Position, why: String) -> ReadError {
    // A fault is in the group that was begun, or in one that could not be.
    let group = if at.group.is_some() { at.next_group.saturating_sub(1) } else { at.next_group };
    let mut first: Option<(u64, String, String)> = None;
    for (root, name) in reader.columns.iter().enumerate() {
        if let Some((row, why)) = first_fault(reader, group, root, at.in_group)
            && first.as_ref().is_none_or(|(earlier, ..)| row < *earlier)
        {
            first = Some((row, name.clone(), why));
        }
    }
    let path = reader.path.clone();
    let numbered = |row: u64| at.before_group + row + 1;
    match first {
        Some((row, column, why)) => {
            ReadError::DamagedRow { path, row: numbered(row), column: Some(column), why }
        }
        None => ReadError::DamagedRow { path, row: numbered(at.in_group), column: None, why },
    }
}

/// The first row of a group, at or after `from`, whose value of a column cannot be read.
fn first_fault(reader: &Reader, group: usize, root: usize, from: u64) -> Option<(u64, String)> {
    let columns = ProjectionMask::roots(reader.metadata.parquet_schema(), [root]);
    let from_row = usize::try_from(from).unwrap_or(usize::MAX);
    let mut rows = match reader.group_reader(group, 1, columns, from_row) {
        Ok(rows) => rows,
        Err(why) => return Some((from, why)),
    };
    let mut row = from;
    // The fault showed in the batch that begins here, whatever number of rows the group claims.
    while row < reader.group_rows(group).min(from + ROWS_MAX) {
        match caught(|| rows.next().transpose().map_err(|error| error.to_string())) {
            Ok(Some(_)) => row += 1,
            Ok(None) => return Some((row, "the column ends here".to_owned())),
            Err(why) => return Some((row, why)),
        }
    }
    None
}
