//! What an error of SQLite means for a store.

use super::texts;
use crate::store::error::StoreError;

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        if let rusqlite::Error::SqliteFailure(_, Some(words)) = &error
            && let Some(damaged) = texts::read_damaged(words)
        {
            return damaged;
        }
        use rusqlite::Error::{
            FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType,
        };
        // A value of another kind than we write.
        if let FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) =
            error
        {
            return StoreError::Damaged(error.to_string());
        }
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseCorrupt, DatabaseLocked, NotADatabase};
        match error.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => StoreError::Damaged(error.to_string()),
            Some(DatabaseBusy | DatabaseLocked) => StoreError::Busy,
            None => StoreError::Unreadable(error.to_string()),
            Some(_) => StoreError::Failed(error.to_string()),
        }
    }
}
