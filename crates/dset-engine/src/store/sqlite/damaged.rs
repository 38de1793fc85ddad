//! Answers of which a text is damaged.

use dset_core::plan::AnswerId;
use rusqlite::{OptionalExtension as _, params};

use super::store::Store;
use crate::store::error::StoreError;

impl Store {
    /// Returns the answers of which a text is damaged; reads every text.
    pub(crate) fn damaged_texts(&self) -> Result<Vec<(AnswerId, Option<u64>)>, StoreError> {
        let sql = "SELECT id, row FROM answers
                   WHERE NOT is_whole(question, reasoning, answer) ORDER BY id";
        let mut statement = self.reader.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            let at: Option<i64> = row.get(1)?;
            Ok((row.get(0)?, at.and_then(|at| u64::try_from(at).ok())))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns those of these answers of which a text is damaged.
    pub(crate) fn damaged_among(
        &self,
        answers: &[AnswerId],
    ) -> Result<Vec<(AnswerId, Option<u64>)>, StoreError> {
        let sql = "SELECT row FROM answers WHERE id = ?1
                   AND NOT is_whole(question, reasoning, answer)";
        let mut statement = self.reader.connection.prepare(sql)?;
        let mut found = Vec::new();
        for answer in answers {
            let row = statement.query_row([answer], |row| row.get::<_, Option<i64>>(0));
            let damaged = |row: Option<i64>| (*answer, row.and_then(|row| u64::try_from(row).ok()));
            found.extend(row.optional()?.map(damaged));
        }
        Ok(found)
    }

    /// Fails where a text of one of these answers is damaged.
    pub(crate) fn check_texts(&self, answers: &[AnswerId]) -> Result<(), StoreError> {
        match self.damaged_among(answers)?.first() {
            Some(&(answer, row)) => Err(StoreError::TextDamaged { answer, row }),
            None => Ok(()),
        }
    }

    /// Returns the answers with a damaged text in the order of the outputs of a generation, where any has its place at
    /// `from` or behind it.
    pub(crate) fn damaged_in_order(
        &self,
        generation: u32,
        from: u64,
    ) -> Result<Vec<AnswerId>, StoreError> {
        if self.position(generation)? <= from {
            return Ok(Vec::new());
        }
        let placed = self.order(generation)?;
        if self.damaged_among(&placed[placed.len().min(from as usize)..])?.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.damaged_among(&placed)?.into_iter().map(|(answer, _)| answer).collect())
    }

    /// Takes these answers out of the order of the outputs, which are then to be rebuilt.
    pub(crate) fn leave_out(
        &mut self,
        generation: u32,
        answers: &[AnswerId],
        names_origin: bool,
        (stamp, now): (&str, i64),
    ) -> Result<(), StoreError> {
        let transaction = self.reader.connection.transaction()?;
        for answer in answers {
            let sql = "DELETE FROM output_order WHERE edition = ?1 AND answer = ?2";
            transaction.execute(sql, params![generation, answer])?;
        }
        transaction.execute_batch(&format!(
            "CREATE TEMP TABLE left AS SELECT row_number() OVER (ORDER BY position) - 1 AS position, answer, row
               FROM output_order WHERE edition = {generation};
             DELETE FROM output_order WHERE edition = {generation};
             INSERT INTO output_order (edition, position, answer, row)
               SELECT {generation}, position, answer, row FROM temp.left;
             DROP TABLE temp.left;
             DELETE FROM sinks;"
        ))?;
        let sql = "INSERT OR REPLACE INTO meta (name, value)
                   VALUES ('rebuilding', ?1), ('rebuilt_at', ?2), ('rebuilt_with_origin', ?3)";
        transaction.execute(sql, params![stamp, now, names_origin])?;
        transaction.commit()?;
        Ok(())
    }
}
