//! The open store, and what is read of it whoever asks.

use std::cell::Cell;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

use dset_core::plan::AnswerId;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::checkpoint::StoredCheckpoint;
use super::connection::{check_head, connect};
use super::limits::{APPLICATION, PATH_BYTES_MAX, STORE, VERSION};
use super::migrate;
use super::reader::Reader;
use crate::os::files;
use crate::store::error::StoreError;
use crate::store::rescue::{self, Rescued};
use crate::store::roles::{Archive, Write};
use crate::store::writer::message::Checkpoint;

/// An open store, for reading and for what is written before and after a run.
#[derive(Debug)]
pub struct Store {
    pub(super) reader: Reader,
    pub(super) path: PathBuf,
    /// How often a key was looked for that is not where its row would have it.
    pub(super) keys_missed: Cell<u32>,
}

impl Store {
    /// Returns true if a folder has a store.
    #[must_use]
    pub fn exists(folder: &Path) -> bool {
        folder.join(STORE).exists()
    }

    /// Opens the store of a folder, making it where there is none, and takes in what an earlier
    /// run could only rescue. One without any record is left so: outputs that lie beside it come first.
    pub fn open(folder: &Path) -> Result<(Store, Option<Rescued>), StoreError> {
        let path = folder.join(STORE);
        let is_new = !path.exists();
        check_head(&path)?;
        let whole = path.parent().and_then(|folder| folder.canonicalize().ok());
        let bytes = whole.map_or(0, |folder| folder.join(STORE).as_os_str().len());
        if bytes > PATH_BYTES_MAX {
            return Err(StoreError::PathTooLong(bytes));
        }
        let connection = connect(&path)?;
        let mut store =
            Store { reader: Reader::new(connection), path, keys_missed: Cell::default() };
        let version: i64 =
            store.reader.connection.query_row("PRAGMA user_version", [], |r| r.get(0))?;
        let application: i64 =
            store.reader.connection.query_row("PRAGMA application_id", [], |r| r.get(0))?;
        let tables = "SELECT EXISTS (SELECT 1 FROM sqlite_schema)";
        match version {
            0 if store.reader.connection.query_row(tables, [], |row| row.get(0))? => {
                return Err(StoreError::Foreign);
            }
            0 => {}
            _ if application != APPLICATION => return Err(StoreError::Foreign),
            1..=VERSION => {}
            found => return Err(store.reader.newer(found)),
        }
        migrate::migrate(&mut store.reader.connection, version)?;
        if is_new {
            files::sync_folder(folder)?;
        }
        let rescued = if store.is_blank()? { None } else { store.take_in_rescued(folder)? };
        Ok((store, rescued))
    }

    /// Takes in what an earlier run of this folder could only rescue.
    pub(crate) fn take_in_rescued(&mut self, folder: &Path) -> Result<Option<Rescued>, StoreError> {
        rescue::take_in(folder, self)
    }

    /// Holds back what is recorded from now on: [`Store::commit_held`] makes all of it durable at once, and
    /// where the store is closed before that, nothing of it ever was.
    pub(crate) fn hold_writes(&self) -> Result<(), StoreError> {
        Ok(self.reader.connection.execute_batch("BEGIN IMMEDIATE")?)
    }

    /// Makes durable what was held back.
    pub(crate) fn commit_held(&self) -> Result<(), StoreError> {
        Ok(self.reader.connection.execute_batch("COMMIT")?)
    }

    /// Returns the connection, for tests that put something into the store.
    #[cfg(test)]
    pub(crate) fn connection(&mut self) -> &mut Connection {
        &mut self.reader.connection
    }

    /// Returns where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns what reads answers, on this very connection.
    pub(crate) fn as_reader(&self) -> &dyn Archive {
        &self.reader
    }

    /// Opens a second connection that only reads.
    pub(crate) fn reader(&self) -> Result<Box<dyn Archive>, StoreError> {
        Ok(Box::new(Reader::open(&self.path)?))
    }

    /// Returns a value of `meta`.
    pub fn meta<T: rusqlite::types::FromSql>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let sql = "SELECT value FROM meta WHERE name = ?1";
        Ok(self.reader.connection.query_row(sql, [name], |row| row.get(0)).optional()?)
    }

    /// Sets a value of `meta`, durably.
    pub(crate) fn set_meta(
        &self,
        name: &str,
        value: impl rusqlite::types::ToSql,
    ) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)";
        self.reader.connection.execute(sql, params![name, value])?;
        Ok(())
    }

    /// Removes a value of `meta`.
    pub(crate) fn unset_meta(&self, name: &str) -> Result<(), StoreError> {
        self.reader.connection.execute("DELETE FROM meta WHERE name = ?1", [name])?;
        Ok(())
    }

    /// Forgets how far an output is whole.
    pub(crate) fn forget_checkpoint(&self, name: &str) -> Result<(), StoreError> {
        self.reader.connection.execute("DELETE FROM sinks WHERE name = ?1", [name])?;
        Ok(())
    }

    /// Returns the generation that is asked now, from 0.
    pub fn generation(&self) -> Result<u32, StoreError> {
        Ok(self.meta("edition")?.unwrap_or(0))
    }

    /// Returns what ended without an answer, and rows to be marked.
    pub(crate) fn failed(&self, generation: u32) -> Result<HashSet<[u8; 16]>, StoreError> {
        let sql = "SELECT question FROM ended WHERE edition = ?1 UNION SELECT question FROM marks";
        let mut statement = self.reader.connection.prepare(sql)?;
        let rows = statement.query_map([generation], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns how many rows of a generation have their place.
    pub fn position(&self, generation: u32) -> Result<u64, StoreError> {
        let sql = "SELECT ifnull(max(position) + 1, 0) FROM output_order WHERE edition = ?1";
        let position: i64 =
            self.reader.connection.query_row(sql, [generation], |row| row.get(0))?;
        Ok(position as u64)
    }

    /// Returns how far each output is known to be whole.
    pub(crate) fn checkpoints(&self) -> Result<Vec<StoredCheckpoint>, StoreError> {
        let sql = "SELECT name, rows, bytes, tail, shape FROM sinks";
        let mut statement = self.reader.connection.prepare(sql)?;
        let checkpoints = statement.query_map([], |row| {
            let (rows, bytes): (i64, i64) = (row.get(1)?, row.get(2)?);
            let (rows, bytes) = (rows as u64, bytes as u64);
            Ok(StoredCheckpoint {
                name: row.get(0)?,
                rows,
                bytes,
                tail: row.get(3)?,
                shape: row.get(4)?,
            })
        })?;
        Ok(checkpoints.collect::<Result<_, _>>()?)
    }

    /// Records the checkpoints of all outputs together.
    pub(crate) fn record_checkpoints(
        &mut self,
        checkpoints: &[Checkpoint],
    ) -> Result<(), StoreError> {
        self.commit(&checkpoints.iter().cloned().map(Write::Checkpoint).collect::<Vec<_>>())?;
        Ok(())
    }

    /// Returns the whole order of a generation.
    pub(crate) fn order(&self, generation: u32) -> Result<Vec<AnswerId>, StoreError> {
        let sql = "SELECT answer FROM output_order WHERE edition = ?1 ORDER BY position";
        let mut statement = self.reader.connection.prepare(sql)?;
        let rows = statement.query_map([generation], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns true if all these answers are there.
    pub(crate) fn has_answers(&self, answers: &[AnswerId]) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM answers WHERE id = ?1)";
        let mut statement = self.reader.connection.prepare(sql)?;
        for id in answers {
            if !statement.query_row([id], |row| row.get::<_, bool>(0))? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Begins a transaction, unless what is recorded is held back in one.
pub(super) fn together(connection: &Connection) -> rusqlite::Result<Option<Transaction<'_>>> {
    connection.is_autocommit().then(|| connection.unchecked_transaction()).transpose()
}
