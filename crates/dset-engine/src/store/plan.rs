//! What the store knows before a run: settings and their decisions, keys, what ended and how.

use std::collections::{HashMap, HashSet};

use dset_core::key::RequestSettings;
use dset_core::plan::{AnswerId, Bought, Known, Plan, Planner, Stored};
use dset_core::question::{Key, QuestionIndex};
use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError};

/// How the settings of a run stand to those of the answers in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Their number, where they are decided.
    pub id: Option<i64>,
}

impl Store {
    /// Looks these settings up in an edition.
    pub fn settings(&self, settings: &RequestSettings, edition: u32) -> Result<Held, StoreError> {
        let hash = settings.hash();
        let id = self
            .reader
            .connection
            .query_row(
                "SELECT id FROM settings WHERE hash = ?1 AND edition = ?2",
                params![&hash[..], edition],
                |row| row.get(0),
            )
            .optional()?;
        Ok(Held { id })
    }

    /// Returns the settings that bought an answer of an edition, as they were decided last.
    pub fn bought_with(&self, edition: u32) -> Result<Option<String>, StoreError> {
        let sql = "SELECT text FROM settings WHERE id <> 0 AND id IN
                   (SELECT settings FROM answer_keys WHERE edition = ?1) ORDER BY id DESC LIMIT 1";
        Ok(self.reader.connection.query_row(sql, [edition], |row| row.get(0)).optional()?)
    }

    /// Records a decision for these settings; returns their number.
    pub fn decide(
        &self,
        settings: &RequestSettings,
        edition: u32,
        decision: &str,
        at: i64,
    ) -> Result<i64, StoreError> {
        self.reader.connection.execute(
            "INSERT INTO settings (id, hash, edition, text, decision, decided_at)
             VALUES ((SELECT max(0, ifnull(max(id), 0)) + 1 FROM settings), ?1, ?2, ?3, ?4, ?5)",
            params![&settings.hash()[..], edition, settings.text(), decision, at],
        )?;
        Ok(self.reader.connection.last_insert_rowid())
    }

    /// Holds the questions against what is stored of this edition.
    pub fn plan(
        &self,
        planner: Planner,
        edition: u32,
        settings: Option<i64>,
        max_tokens: Option<u64>,
    ) -> Result<Plan, StoreError> {
        self.plan_and_note(planner, edition, settings, max_tokens, |_, _| {})
    }

    /// Does the same, and tells `answered` of each answered question which answer is its own.
    pub fn plan_and_note(
        &self,
        planner: Planner,
        edition: u32,
        settings: Option<i64>,
        max_tokens: Option<u64>,
        answered: impl FnMut(QuestionIndex, AnswerId),
    ) -> Result<Plan, StoreError> {
        let placed = self.placed(edition)?;
        let known = Known {
            presumed: self.hashes("SELECT question FROM presumed WHERE ?1 = 0", edition)?,
            cut: self.cut(edition, max_tokens)?,
            unwritten: self.hashes("SELECT question FROM marks WHERE ?1 >= 0", edition)?,
            has_others: self.has_others(edition, settings)?,
        };
        let mut statement = self.reader.connection.prepare(
            "SELECT key, question, settings, answer FROM answer_keys WHERE edition = ?1 ORDER BY key",
        )?;
        let mut failed = None;
        let mut last: Option<Key> = None;
        let mut placed_seen = 0;
        let stored = statement.query_map([edition], |row| {
            let bought: i64 = row.get(2)?;
            let id: AnswerId = row.get(3)?;
            Ok(Stored {
                key: Key(row.get(0)?),
                question: row.get(1)?,
                id,
                bought: match bought {
                    0 => Bought::ByScript,
                    id if Some(id) == settings => Bought::Now,
                    _ => Bought::Otherwise,
                },
                placed: placed.has(id),
            })
        })?;
        // A row that cannot be read ends the scan, and the plan with it; so does a key out of order,
        // which would hide answers and buy them again.
        let stored = stored.map_while(|row| {
            let row: Stored = row.map_err(|error| failed = Some(error.into())).ok()?;
            if last.replace(row.key).is_some_and(|last| last >= row.key) {
                failed =
                    Some(StoreError::Damaged("the keys of the answers are out of order".into()));
                return None;
            }
            placed_seen += u64::from(row.placed);
            Some(row)
        });
        let plan = planner.plan_and_note(stored, &known, answered);
        let damaged = |what: &str| Err(StoreError::Damaged(what.to_owned()));
        match failed {
            Some(error) => Err(error),
            None if placed_seen != placed.count => damaged("rows of the outputs have no key"),
            None if plan.contradicted > 0 => damaged("answers are not under their keys"),
            None => Ok(plan),
        }
    }

    fn has_others(&self, edition: u32, settings: Option<i64>) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM settings WHERE (edition = ?1 OR id = 0) AND id IS NOT ?2)";
        Ok(self.reader.connection.query_row(sql, params![edition, settings], |row| row.get(0))?)
    }

    /// Returns the answers of an edition by their questions, with whether they have their place.
    pub fn by_question(
        &self,
        edition: u32,
    ) -> Result<HashMap<[u8; 16], (AnswerId, bool)>, StoreError> {
        let placed = self.placed(edition)?;
        let sql = "SELECT question, answer FROM answer_keys WHERE edition = ?1";
        let mut statement = self.reader.connection.prepare(sql)?;
        let answers = statement.query_map([edition], |row| {
            let id = row.get(1)?;
            Ok((row.get(0)?, (id, placed.has(id))))
        })?;
        Ok(answers.collect::<Result<_, _>>()?)
    }

    fn hashes(&self, sql: &str, edition: u32) -> Result<HashSet<[u8; 16]>, StoreError> {
        let mut statement = self.reader.connection.prepare(sql)?;
        let hashes = statement.query_map([edition], |row| row.get(0))?;
        Ok(hashes.collect::<Result<_, _>>()?)
    }

    /// Questions cut by a token limit that is no lower than the one of this run.
    fn cut(&self, edition: u32, max_tokens: Option<u64>) -> Result<HashSet<[u8; 16]>, StoreError> {
        let mut statement = self.reader.connection.prepare(
            "SELECT question, max_tokens, cut_at_tokens FROM ended
             WHERE edition = ?1 AND cause IN ('length limit', 'repeats itself')",
        )?;
        let rows = statement.query_map([edition], |row| {
            let limits: (Option<i64>, Option<i64>) = (row.get(1)?, row.get(2)?);
            Ok((row.get(0)?, limits))
        })?;
        let mut cut = HashSet::new();
        for row in rows {
            let (question, (limit, reached)): ([u8; 16], _) = row?;
            let [limit, reached] = [limit, reached].map(|n| n.and_then(|n| u64::try_from(n).ok()));
            if !dset_core::plan::is_raised(max_tokens, limit, reached) {
                cut.insert(question);
            }
        }
        Ok(cut)
    }

    fn placed(&self, edition: u32) -> Result<Ids, StoreError> {
        let mut statement = self.reader.connection.prepare(
            "SELECT position, answer FROM output_order WHERE edition = ?1 ORDER BY position",
        )?;
        let mut ids = Ids::default();
        let mut rows = statement.query([edition])?;
        let mut next: i64 = 0;
        while let Some(row) = rows.next()? {
            let (position, answer): (i64, AnswerId) = (row.get(0)?, row.get(1)?);
            // Each place once, and each answer: anything else would double rows of the outputs.
            if position != next || answer < 1 || ids.has(answer) {
                return Err(StoreError::Damaged("the order of the outputs is broken".into()));
            }
            next += 1;
            ids.insert(answer);
        }
        Ok(ids)
    }

    /// Records questions as answered before a bookmark of the original script.
    pub fn presume(&mut self, questions: &[[u8; 16]]) -> Result<(), StoreError> {
        let transaction = self.reader.connection.transaction()?;
        for question in questions {
            transaction
                .prepare_cached("INSERT OR IGNORE INTO presumed (question) VALUES (?1)")?
                .execute([question])?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Takes that back; returns how many questions it concerned.
    pub fn withdraw_presumed(&self) -> Result<usize, StoreError> {
        Ok(self.reader.connection.execute("DELETE FROM presumed", [])?)
    }

    /// Tells whether anything was ever recorded: an answer, an ask, a presumption.
    pub fn is_blank(&self) -> Result<bool, StoreError> {
        let sql = "SELECT NOT EXISTS (SELECT 1 FROM answers) AND NOT EXISTS (SELECT 1 FROM lives)
                   AND NOT EXISTS (SELECT 1 FROM presumed)";
        Ok(self.reader.connection.query_row(sql, [], |row| row.get(0))?)
    }
}

/// A set of row ids, which are dense: a bit each.
#[derive(Debug, Default)]
struct Ids {
    bits: Vec<u64>,
    count: u64,
}

impl Ids {
    fn insert(&mut self, id: AnswerId) {
        let (at, bit) = (id as usize / 64, id as u64 % 64);
        if self.bits.len() <= at {
            self.bits.resize(at + 1, 0);
        }
        self.bits[at] |= 1 << bit;
        self.count += 1;
    }

    fn has(&self, id: AnswerId) -> bool {
        self.bits.get(id as usize / 64).is_some_and(|bits| bits >> (id as u64 % 64) & 1 == 1)
    }
}
