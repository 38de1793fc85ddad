//! What a viewer reads of answers: the numbers of all, and the beginnings of the texts of a few.

use dset_core::acceptance::{Outcome, Verdict};
use dset_core::answer::Usage;
use dset_core::answer::row::Metadata;
use dset_core::plan::AnswerId;
use rusqlite::{OptionalExtension, params};

use super::calls::{self, USAGE};
use super::iterate::text;
use super::store::Store;
use crate::store::error::StoreError;

/// Characters of a question that a list gets.
const QUESTION_CHARS: u32 = 240;
/// Characters of an answer that a list gets.
const ANSWER_CHARS: u32 = 320;

/// What changes when there is something new to see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Pulse {
    /// What all the rest is of: the generation, the runs, the settings that were decided, when the store
    /// began.
    pub(crate) basis: (u32, i64, i64, i64),
    /// The last answer.
    pub(crate) answers: AnswerId,
    /// The last failed ask.
    pub(crate) attempts: i64,
    /// Questions that ended without an answer.
    pub(crate) ended: i64,
}

/// The numbers of an answer.
#[derive(Debug)]
pub(crate) struct AnswerFacts {
    pub(crate) id: AnswerId,
    /// The run that brought it.
    pub(crate) session: Option<i64>,
    /// The row that it answered.
    pub(crate) row: Option<u64>,
    /// Unix milliseconds.
    pub(crate) answered_at: i64,
    /// Bytes.
    pub(crate) reasoning_bytes: u64,
    /// Bytes.
    pub(crate) answer_bytes: u64,
    /// The settings that it was asked with; absent in stores of version 1.
    pub(crate) request: Option<i64>,
    pub(crate) sample: Option<u32>,
    pub(crate) attempts: Option<u32>,
    pub(crate) seconds: Option<f64>,
    pub(crate) finish_reason: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) tokens: Usage,
    /// What the service says that it cost.
    pub(crate) cost: Option<f64>,
    /// Which place of its run it came from.
    pub(crate) place: Option<u32>,
}

/// The beginnings of the texts of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Excerpts {
    pub(crate) question: String,
    pub(crate) answer: String,
}

impl Store {
    /// Returns what tells one state of the store from a later one.
    pub(crate) fn pulse(&self) -> Result<Pulse, StoreError> {
        let (birth, generation) = (self.birth()?, self.generation()?);
        let sql = "SELECT (SELECT ifnull(max(id), 0) FROM lives),
                     (SELECT ifnull(max(id), 0) FROM settings),
                     (SELECT ifnull(max(id), 0) FROM answers),
                     (SELECT ifnull(max(id), 0) FROM attempts),
                     (SELECT count(*) FROM ended)";
        let pulse = self.reader.connection.query_row(sql, [], |row| {
            Ok(Pulse {
                basis: (generation, row.get(0)?, row.get(1)?, birth),
                answers: row.get(2)?,
                attempts: row.get(3)?,
                ended: row.get(4)?,
            })
        })?;
        Ok(pulse)
    }

    /// Returns when the store began, which tells it from another in its place.
    pub(crate) fn birth(&self) -> Result<i64, StoreError> {
        let sql = "SELECT ifnull((SELECT min(decided_at) FROM settings), 0)";
        Ok(self.reader.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// Shows the numbers of every answer behind `after`, in the order of arrival, without unpacking
    /// a text.
    pub(crate) fn for_each_fact(
        &self,
        after: AnswerId,
        mut each: impl FnMut(AnswerFacts),
    ) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT a.id, a.life, a.row, a.answered_at, reasoning_octets(a.id, a.row, a.reasoning, a.answer),
                     answer_octets(a.id, a.row, a.reasoning, a.answer), iif(f.answer IS NULL, a.metadata, ''), f.request,
                     f.sample, f.attempts, f.seconds, f.finish, f.model, {USAGE}, f.cost, f.place
                   FROM answers a LEFT JOIN answer_facts f ON f.answer = a.id
                   WHERE a.id > ?1 ORDER BY a.id"
        );
        let mut statement = self.reader.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([after])?;
        while let Some(row) = rows.next()? {
            each(fact(row)?);
        }
        Ok(())
    }

    /// Returns the beginnings of the texts of an answer.
    pub(crate) fn excerpts(&self, answer: AnswerId) -> Result<Excerpts, StoreError> {
        let sql =
            "SELECT substr(text_of(id, row, question), 1, ?2), substr(answer_of(id, row, reasoning, answer), 1, ?3)
             FROM answers WHERE id = ?1";
        let mut statement = self.reader.connection.prepare_cached(sql)?;
        let of =
            |row: &rusqlite::Row<'_>| Ok(Excerpts { question: row.get(0)?, answer: row.get(1)? });
        Ok(statement.query_row(params![answer, QUESTION_CHARS, ANSWER_CHARS], of)?)
    }

    /// Shows the answers that do not pass every check, with the names of those checks.
    pub(crate) fn for_each_failed_check(
        &self,
        acceptance: &[u8; 16],
        mut each: impl FnMut(AnswerId, &str),
    ) -> Result<(), StoreError> {
        let sql = "SELECT answer, list FROM verdicts WHERE acceptance = ?1 AND list IS NOT NULL";
        let mut statement = self.reader.connection.prepare_cached(sql)?;
        let mut rows = statement.query([&acceptance[..]])?;
        while let Some(row) = rows.next()? {
            let list: Vec<Verdict> = serde_json::from_str(text(row, 1)?).unwrap_or_default();
            let failed = list.iter().filter(|verdict| verdict.outcome != Outcome::Passed);
            let names: Vec<&str> = failed.map(|verdict| &*verdict.check).collect();
            if !names.is_empty() {
                each(row.get(0)?, &names.join(", "));
            }
        }
        Ok(())
    }

    /// Returns the key of an answer, and the row that it was given to; of what an earlier version put
    /// in, in one pass over all of that.
    pub(crate) fn key_of(&self, answer: AnswerId) -> Result<Option<KeyAndRow>, StoreError> {
        let sql = "SELECT k.key, a.row FROM answers a
                   JOIN keys_by_row k ON k.row = ifnull(a.row, 0) AND k.answer = a.id WHERE a.id = ?1
                   UNION ALL SELECT key, NULL FROM answer_keys WHERE answer = ?1
                   UNION ALL SELECT t.key, a.row FROM answers a JOIN later_tries t ON t.answer = a.id
                   WHERE a.id = ?1";
        let mut statement = self.reader.connection.prepare_cached(sql)?;
        let found = statement.query_row([answer], |row| {
            let place: Option<i64> = row.get(1)?;
            Ok((row.get(0)?, place.and_then(|place| u64::try_from(place).ok())))
        });
        Ok(found.optional()?)
    }
}

/// The key of an answer, and the row that it was given to, where that is known.
type KeyAndRow = ([u8; 16], Option<u64>);

fn fact(row: &rusqlite::Row<'_>) -> Result<AnswerFacts, StoreError> {
    fn number(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Option<u64>> {
        let stored: Option<i64> = row.get(at)?;
        Ok(stored.and_then(|stored| u64::try_from(stored).ok()))
    }
    let (reasoning, answer): (i64, i64) = (row.get(4)?, row.get(5)?);
    let mut facts = AnswerFacts {
        id: row.get(0)?,
        session: row.get(1)?,
        row: number(row, 2)?,
        answered_at: row.get(3)?,
        reasoning_bytes: reasoning as u64,
        answer_bytes: answer as u64,
        request: row.get(7)?,
        sample: row.get(8)?,
        attempts: row.get(9)?,
        seconds: row.get(10)?,
        finish_reason: row.get(11)?,
        model: row.get(12)?,
        tokens: calls::usage(row, 13)?,
        cost: row.get(19)?,
        place: row.get(20)?,
    };
    let json = text(row, 6)?;
    if !json.is_empty() {
        let known: Metadata = serde_json::from_str(json).unwrap_or_default();
        facts.sample = known.sample;
        facts.attempts = known.attempts;
        facts.seconds = known.seconds;
        facts.finish_reason = known.finish_reason;
        facts.model = known.model;
        facts.cost = known.cost;
        facts.tokens = Usage {
            input: known.input_tokens,
            cached: known.cached_tokens,
            output: known.output_tokens,
            reasoning: known.reasoning_tokens,
            ..Usage::default()
        };
    }
    Ok(facts)
}
