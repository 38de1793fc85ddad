//! The keys of first answers: how one is found, and where one is put.
//!
//! They lie in the order of the rows. Whoever looks for a key whose row is not sure finds it in an
//! index that this connection alone has, in a temporary table.

use std::cell::Cell;

use dset_core::plan::AnswerId;
use rusqlite::{Connection, OptionalExtension, params};

/// To make an index of all keys takes as long as to go through them so many times.
const SCANS_MAX: u32 = 16;

/// A key as it is put in, and its parts.
pub(super) struct NewKey<'a> {
    pub(super) row: Option<u64>,
    pub(super) key: &'a [u8; 16],
    pub(super) question: &'a [u8; 16],
    pub(super) settings: i64,
    pub(super) generation: u32,
    pub(super) sample: u32,
    pub(super) answer: AnswerId,
}

/// Makes the keys of the store findable without their rows, by this connection; they are so from then on.
pub(super) fn index(connection: &Connection) -> rusqlite::Result<()> {
    if is_indexed(connection)? {
        return Ok(());
    }
    connection.execute_batch(
        "CREATE TEMP TABLE key_index (key BLOB PRIMARY KEY, answer INTEGER NOT NULL) WITHOUT ROWID;
         INSERT OR IGNORE INTO key_index (key, answer) SELECT key, answer FROM keys ORDER BY key;",
    )
}

/// Gives the index back.
pub(super) fn drop_index(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("DROP TABLE IF EXISTS temp.key_index")
}

fn is_indexed(connection: &Connection) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM temp.sqlite_schema WHERE name = 'key_index'")?
        .exists([])
}

/// Finds the first answer under a key; needs the index.
pub(super) fn find(connection: &Connection, key: &[u8]) -> rusqlite::Result<Option<AnswerId>> {
    let mut statement =
        connection.prepare_cached("SELECT answer FROM temp.key_index WHERE key = ?1")?;
    statement.query_row([key], |row| row.get(0)).optional()
}

/// Finds the answer that is so many tries under a key, from 1; needs the index.
pub(super) fn find_try(
    connection: &Connection,
    key: &[u8],
    number: u32,
) -> rusqlite::Result<Option<AnswerId>> {
    if number == 1 {
        return find(connection, key);
    }
    let sql = "SELECT answer FROM later_tries WHERE key = ?1 AND try = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_row(params![key, number], |row| row.get(0)).optional()
}

/// Looks for a key among all of them; `missed` is how often that was done, and from some number on it is
/// done in the index.
pub(super) fn find_anywhere(
    connection: &Connection,
    key: &[u8],
    missed: &Cell<u32>,
) -> rusqlite::Result<Option<AnswerId>> {
    missed.set(missed.get() + 1);
    if missed.get() > SCANS_MAX {
        index(connection)?;
        return find(connection, key);
    }
    let mut statement = connection.prepare_cached("SELECT answer FROM keys WHERE key = ?1")?;
    statement.query_row([key], |row| row.get(0)).optional()
}

/// Finds the first answer under a key that was given to this row, or that an earlier version put in.
pub(super) fn find_at(
    connection: &Connection,
    key: &[u8],
    row: Option<u64>,
) -> rusqlite::Result<Option<AnswerId>> {
    let sql = "SELECT answer FROM keys_by_row WHERE row = ?1 AND key = ?2
               UNION ALL SELECT answer FROM answer_keys WHERE key = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_row(params![row_of(row), key], |row| row.get(0)).optional()
}

/// What one transaction knows of the keys.
pub(super) struct Keys {
    is_indexed: bool,
}

impl Keys {
    pub(super) fn of(connection: &Connection) -> rusqlite::Result<Keys> {
        Ok(Keys { is_indexed: is_indexed(connection)? })
    }

    /// Finds the first answer under a key: without the index as [`find_at`] does and, where that is not
    /// enough because the row may have moved since, in an index that is made for it.
    pub(super) fn find(
        &mut self,
        connection: &Connection,
        key: &[u8],
        row: Option<u64>,
        may_have_moved: bool,
    ) -> rusqlite::Result<Option<AnswerId>> {
        let found = match self.is_indexed {
            true => return find(connection, key),
            false => find_at(connection, key, row)?,
        };
        if found.is_some() || !may_have_moved {
            return Ok(found);
        }
        index(connection)?;
        self.is_indexed = true;
        find(connection, key)
    }

    /// Puts a key in.
    pub(super) fn insert(&self, connection: &Connection, new: &NewKey<'_>) -> rusqlite::Result<()> {
        let sql = "INSERT INTO keys_by_row (row, key, question, settings, edition, sample, answer)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        connection.prepare_cached(sql)?.execute(params![
            row_of(new.row),
            &new.key[..],
            &new.question[..],
            new.settings,
            new.generation,
            new.sample,
            new.answer
        ])?;
        if self.is_indexed { note(connection, new.key, new.answer) } else { Ok(()) }
    }
}

/// Tells the index of a key that was put in.
pub(super) fn note(connection: &Connection, key: &[u8], answer: AnswerId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO temp.key_index (key, answer) VALUES (?1, ?2)")?
        .execute(params![key, answer])?;
    Ok(())
}

fn row_of(row: Option<u64>) -> i64 {
    row.map_or(0, |row| row as i64)
}
