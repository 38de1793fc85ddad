//! Questions that are taken as answered without an answer: those before a bookmark.

use rusqlite::Transaction;

use super::store::{Store, together};
use crate::store::error::StoreError;

impl Store {
    /// Records questions that the user takes as answered, those before a bookmark.
    pub(crate) fn presume(&mut self, questions: &[[u8; 16]]) -> Result<(), StoreError> {
        let connection = &self.reader.connection;
        let transaction = together(connection)?;
        for question in questions {
            connection
                .prepare_cached("INSERT OR IGNORE INTO presumed (question) VALUES (?1)")?
                .execute([question])?;
        }
        connection
            .execute("INSERT OR REPLACE INTO meta (name, value) VALUES ('from_bookmark', 1)", [])?;
        transaction.map_or(Ok(()), Transaction::commit)?;
        Ok(())
    }

    /// Deletes what [`Store::presume`] recorded.
    pub(crate) fn withdraw_presumed(&self) -> Result<(), StoreError> {
        self.reader.connection.execute("DELETE FROM presumed", [])?;
        self.unset_meta("from_bookmark")
    }

    /// Records the user's consent to what an earlier version took for answered without asking.
    pub(crate) fn agree_to_presumed(&self) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO meta (name, value)
                   SELECT 'from_bookmark', 1 WHERE EXISTS (SELECT 1 FROM presumed)";
        self.reader.connection.execute(sql, [])?;
        Ok(())
    }

    /// Returns true if the user has consented to questions being taken as answered.
    pub(crate) fn has_agreed_to_presumed(&self) -> Result<bool, StoreError> {
        Ok(self.meta::<i64>("from_bookmark")?.is_some())
    }
}
