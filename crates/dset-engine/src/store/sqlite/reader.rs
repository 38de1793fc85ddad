//! What reads answers, beside the thread that writes them.

use std::path::Path;

use dset_core::acceptance::Verdict;
use dset_core::answer::row::Row;
use dset_core::plan::AnswerId;
use rusqlite::{Connection, params};

use super::connection::set_up;
use super::schemas::Schemas;
use super::{facts, tries};
use crate::store::error::StoreError;
use crate::store::roles::Archive;

/// Reads answers beside the writer.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) connection: Connection,
    pub(super) schemas: Schemas,
}

impl Reader {
    pub(super) fn new(connection: Connection) -> Reader {
        Reader { connection, schemas: Schemas::default() }
    }

    /// Says that a program of a later version wrote this, and which, as far as that can be read.
    pub(super) fn newer(&self, found: i64) -> StoreError {
        let sql = "SELECT version FROM lives ORDER BY id DESC LIMIT 1";
        let by = self.connection.query_row(sql, [], |row| row.get(0)).ok();
        StoreError::Newer { found, by }
    }

    pub(super) fn open(path: &Path) -> Result<Reader, StoreError> {
        let connection = Connection::open_with_flags(
            path,
            rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        set_up(&connection)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        Ok(Reader::new(connection))
    }
}

/// Reads one answer by its number, see [`Archive::row`].
pub(super) fn row_sql() -> String {
    format!(
        "SELECT a.answered_at, text_of(a.id, a.row, a.question), reasoning_of(a.id, a.row, a.reasoning, a.answer),
           answer_of(a.id, a.row, a.reasoning, a.answer), a.life, {}
         FROM answers a
         LEFT JOIN answer_facts f ON f.answer = a.id WHERE a.id = ?1",
        facts::COLUMNS
    )
}

impl Archive for Reader {
    fn verdicts(
        &self,
        answer: AnswerId,
        acceptance: &[u8; 16],
    ) -> Result<Option<Vec<Verdict>>, StoreError> {
        tries::verdicts(&self.connection, answer, acceptance)
    }

    fn row(&self, answer: AnswerId) -> Result<Row, StoreError> {
        let mut statement = self.connection.prepare_cached(&row_sql())?;
        let mut rows = statement.query([answer])?;
        let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        let metadata = facts::metadata(row, 5)?;
        let reading = match metadata.asked_for {
            Some(asked_for) => self.schemas.reading(&self.connection, row.get(4)?, asked_for)?,
            None => None,
        };
        Ok(Row {
            answered_at: row.get(0)?,
            question: row.get(1)?,
            reasoning: row.get(2)?,
            answer: row.get(3)?,
            metadata,
            reading,
        })
    }

    fn order_from(
        &self,
        generation: u32,
        position: u64,
    ) -> Result<Vec<(AnswerId, Option<u64>)>, StoreError> {
        let sql = "SELECT answer, row FROM output_order
                   WHERE edition = ?1 AND position >= ?2 ORDER BY position LIMIT 1000";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![generation, position as i64], |row| {
            let at: Option<i64> = row.get(1)?;
            Ok((row.get(0)?, at.and_then(|at| u64::try_from(at).ok())))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
