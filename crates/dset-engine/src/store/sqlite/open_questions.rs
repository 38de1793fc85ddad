//! The questions that have no answer, in a database of its own that goes with this process: a source
//! gives no row by its number, and a list shows any.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};

use super::iterate::text;
use crate::store::error::StoreError;

/// Questions by their rows among those that are asked. SQLite keeps some in memory and the rest in a
/// file without a name.
#[derive(Debug)]
pub(crate) struct OpenQuestions {
    connection: Mutex<Connection>,
}

impl OpenQuestions {
    /// Makes an empty one.
    pub(crate) fn new() -> Result<OpenQuestions, StoreError> {
        let connection = Connection::open("")?;
        connection.execute_batch(
            "PRAGMA journal_mode = off; PRAGMA synchronous = off;
             CREATE TABLE questions (row INTEGER PRIMARY KEY, text TEXT NOT NULL);
             BEGIN",
        )?;
        Ok(OpenQuestions { connection: Mutex::new(connection) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the question of a row.
    pub(crate) fn insert(&self, row: u32, question: &str) -> Result<(), StoreError> {
        self.connection()
            .prepare_cached("INSERT OR REPLACE INTO questions VALUES (?1, ?2)")?
            .execute(params![row, question])?;
        Ok(())
    }

    /// Returns the question of a row.
    pub(crate) fn get(&self, row: u32) -> Result<Option<String>, StoreError> {
        let connection = self.connection();
        let mut statement =
            connection.prepare_cached("SELECT text FROM questions WHERE row = ?1")?;
        Ok(statement.query_row([row], |row| row.get(0)).optional()?)
    }

    /// Shows every question.
    pub(crate) fn for_each(
        &self,
        mut each: impl FnMut(u32, &str) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached("SELECT row, text FROM questions")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            each(row.get(0)?, text(row, 1)?)?;
        }
        Ok(())
    }
}
