//! The sessions of a folder: when each began, and whether it came to its end.

use rusqlite::{OptionalExtension, params};

use super::limits::IDENTITY;
use super::store::Store;
use crate::store::error::StoreError;
use crate::store::invocation::AskedPlace;

impl Store {
    /// Returns what tells this store from all others; absent where no run of this version has begun in it.
    pub(crate) fn identity(&self) -> Result<Option<[u8; 16]>, StoreError> {
        self.meta(IDENTITY)
    }

    /// Begins a life that asks at these places; returns its number.
    pub(crate) fn begin_life(
        &self,
        at: i64,
        settings: i64,
        endpoint: &str,
        places: &[AskedPlace],
    ) -> Result<i64, StoreError> {
        let version = env!("CARGO_PKG_VERSION");
        let together = self.reader.connection.unchecked_transaction()?;
        together.execute(
            "INSERT OR IGNORE INTO meta (name, value) VALUES (?1, randomblob(16))",
            [IDENTITY],
        )?;
        together.execute(
            "INSERT INTO lives (started_at, version, settings, endpoint, places, identity)
             VALUES (?1, ?2, ?3, ?4, ?5, randomblob(16))",
            params![at, version, settings, endpoint, AskedPlace::to_json(places)],
        )?;
        let life = together.last_insert_rowid();
        together.commit()?;
        Ok(life)
    }

    /// Returns the endpoint of the last life, and whether that life said goodbye.
    pub(crate) fn last_life(&self) -> Result<Option<(String, bool)>, StoreError> {
        let sql = "SELECT endpoint, ended_at IS NOT NULL FROM lives ORDER BY id DESC LIMIT 1";
        Ok(self
            .reader
            .connection
            .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?)
    }

    /// Tells whether there is an answer under these settings that a run got whose first endpoint was this.
    pub(crate) fn has_answers_from(
        &self,
        settings: i64,
        endpoint: &str,
    ) -> Result<bool, StoreError> {
        // In which run an answer of an earlier version came stands with its texts alone.
        let sql = "SELECT EXISTS (SELECT 1 FROM keys k LEFT JOIN answer_facts f ON f.answer = k.answer
          CROSS JOIN lives l ON l.id = ifnull(f.life, (SELECT life FROM answers WHERE id = k.answer))
          WHERE k.settings = ?1 AND l.endpoint = ?2)";
        let found =
            self.reader.connection.query_row(sql, params![settings, endpoint], |row| row.get(0));
        Ok(found?)
    }
}
