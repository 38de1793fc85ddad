//! Rows that are asked again on purpose: what was begun and is not done, and which answers are on their way into
//! the place of others.

use std::collections::{HashMap, HashSet};

use dset_core::plan::AnswerId;
use dset_core::run::EndReason;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use super::store::Store;
use super::tries::NewVerdicts;
use crate::store::error::StoreError;

/// The name of what was begun among the values of the whole store.
const REDOS: &str = "redos";

/// Rows that are asked again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenRedo {
    /// Which rows, as they are named on the command line.
    pub(crate) rows: String,
    /// What they are asked, and what their answers are held against, as a hash.
    pub(crate) asked: String,
    /// The last answer that was there before.
    pub(crate) last_before: AnswerId,
    /// When it was begun: Unix time, milliseconds.
    pub(crate) began: i64,
    /// The last run that asked them; it is done where that went to its end.
    pub(crate) life: i64,
}

impl Store {
    /// Returns what was begun and is not done.
    pub(crate) fn open_redos(&self) -> Result<Vec<OpenRedo>, StoreError> {
        let Some(text) = self.meta::<String>(REDOS)? else { return Ok(Vec::new()) };
        let damaged =
            |_| StoreError::Damaged("what was asked again last cannot be read".to_owned());
        let open: Vec<OpenRedo> = serde_json::from_str(&text).map_err(damaged)?;
        // Of another generation, or done since with other settings, it is nobody's any more.
        let sql =
            "SELECT l.ending, s.edition FROM lives l LEFT JOIN settings s ON s.id = l.settings
                   WHERE l.id = ?1";
        let (mut statement, generation) =
            (self.reader.connection.prepare(sql)?, self.generation()?);
        let mut done: HashMap<&str, i64> = HashMap::new();
        let mut left = Vec::new();
        for redo in &open {
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
            let life: Option<(Option<String>, Option<u32>)> =
                statement.query_row([redo.life], read).optional()?;
            let (ending, of) = life.unwrap_or_default();
            if ending.is_some_and(|ending| ending.starts_with(EndReason::COMPLETE)) {
                let last = done.entry(&redo.rows).or_insert(redo.life);
                *last = redo.life.max(*last);
            } else if of.is_none_or(|of| of == generation) {
                left.push(redo);
            }
        }
        left.retain(|redo| done.get(&*redo.rows).is_none_or(|done| *done < redo.life));
        Ok(left.into_iter().cloned().collect())
    }

    /// Remembers what a run begins, or goes on with.
    pub(crate) fn save_redo(&self, redo: &OpenRedo) -> Result<(), StoreError> {
        let mut open = self.open_redos()?;
        open.retain(|other| (&other.rows, &other.asked) != (&redo.rows, &redo.asked));
        open.push(redo.clone());
        self.set_meta(REDOS, serde_json::to_string(&open).expect("a redo is plain values"))
    }

    /// Returns the number of the last answer.
    pub(crate) fn last_answer(&self) -> Result<AnswerId, StoreError> {
        Ok(self.last_answer_at()?.map_or(0, |(answer, _)| answer))
    }

    /// Returns the number of the last answer, and when it came.
    pub(crate) fn last_answer_at(&self) -> Result<Option<(AnswerId, i64)>, StoreError> {
        let sql = "SELECT id, answered_at FROM answers ORDER BY id DESC LIMIT 1";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        Ok(self.reader.connection.query_row(sql, [], read).optional()?)
    }

    /// Returns when an answer came; `None` where it is not there.
    pub(crate) fn answered_at(&self, answer: AnswerId) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT answered_at FROM answers WHERE id = ?1";
        Ok(self.reader.connection.query_row(sql, [answer], |row| row.get(0)).optional()?)
    }

    /// Returns what has ended without an answer since then.
    pub(crate) fn ended_since(
        &self,
        generation: u32,
        open: &OpenRedo,
    ) -> Result<HashSet<[u8; 16]>, StoreError> {
        // What failed in another run since is none of it.
        let sql = "SELECT question FROM ended WHERE edition = ?1 AND at >= ?2
                   AND NOT EXISTS (SELECT 1 FROM lives WHERE id > ?3 AND started_at <= at)";
        let mut statement = self.reader.connection.prepare(sql)?;
        let rows =
            statement.query_map(params![generation, open.began, open.life], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns the answers that came in these runs.
    #[cfg(feature = "postgres")]
    pub(crate) fn answers_of_lives(&self, lives: &[i64]) -> Result<HashSet<AnswerId>, StoreError> {
        if lives.is_empty() {
            return Ok(HashSet::new());
        }
        let mut statement = self.reader.connection.prepare("SELECT id, life FROM answers")?;
        let mut rows = statement.query([])?;
        let mut answers = HashSet::new();
        while let Some(row) = rows.next()? {
            let life: Option<i64> = row.get(1)?;
            if life.is_some_and(|life| lives.contains(&life)) {
                answers.insert(row.get(0)?);
            }
        }
        Ok(answers)
    }

    /// Returns, of each answer that programs have not judged, those in whose place it comes once it is accepted.
    pub(crate) fn to_replace(&self) -> Result<HashMap<AnswerId, Vec<AnswerId>>, StoreError> {
        let mut statement =
            self.reader.connection.prepare("SELECT answer, before FROM replaces")?;
        let mut rows = statement.query([])?;
        let mut all: HashMap<AnswerId, Vec<AnswerId>> = HashMap::new();
        while let Some(row) = rows.next()? {
            all.entry(row.get(0)?).or_default().push(row.get(1)?);
        }
        Ok(all)
    }
}

/// An answer counts no more; one that is not there, where the end of the store is lost, is none: another will have
/// its number.
pub(super) fn set_aside(to: &Connection, answer: AnswerId) -> rusqlite::Result<()> {
    let sql = "INSERT OR IGNORE INTO set_aside (answer) SELECT id FROM answers WHERE id = ?1";
    to.prepare_cached(sql)?.execute([answer])?;
    to.prepare_cached("DELETE FROM replaces WHERE before = ?1")?.execute([answer])?;
    Ok(())
}

/// Tells whether an answer counts no more.
pub(super) fn is_aside(of: &Connection, answer: AnswerId) -> rusqlite::Result<bool> {
    of.prepare_cached("SELECT 1 FROM set_aside WHERE answer = ?1")?.exists([answer])
}

/// An answer comes in place of another, if that is there, once it is accepted.
pub(super) fn will_replace(
    to: &Connection,
    answer: AnswerId,
    before: AnswerId,
) -> rusqlite::Result<()> {
    let sql =
        "INSERT OR IGNORE INTO replaces (answer, before) SELECT ?1, id FROM answers WHERE id = ?2";
    to.prepare_cached(sql)?.execute([answer, before])?;
    Ok(())
}

/// What is thought of an answer is known: where every check could tell, it waits for no other word.
pub(super) fn settle(
    to: &Connection,
    answer: AnswerId,
    verdicts: &NewVerdicts,
) -> rusqlite::Result<()> {
    if !verdicts.are_unknown() {
        to.prepare_cached("DELETE FROM replaces WHERE answer = ?1")?.execute([answer])?;
    }
    Ok(())
}
