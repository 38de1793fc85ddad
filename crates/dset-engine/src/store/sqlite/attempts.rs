//! Asks that failed, as the read-only views see them.

use std::collections::{HashMap, HashSet};

use rusqlite::{OptionalExtension, params};

use super::store::Store;
use crate::store::error::StoreError;

/// An ask that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// When it ended, in Unix milliseconds.
    pub at: i64,
    /// How long it took.
    pub seconds: f64,
    /// Why, in one or two words.
    pub cause: String,
    /// The HTTP status, where a reply came.
    pub status: Option<u16>,
    /// The service's own words, or the network's.
    pub message: String,
    /// The service's own name for this call.
    pub request_id: Option<String>,
}

/// The asks for one answer that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptSummary {
    /// How many, from 1.
    pub count: u64,
    /// The last of them.
    pub last: Attempt,
    /// The newest reply that was kept, since it may have been paid for; only where it is looked up.
    pub reply: Option<Vec<u8>>,
}

/// A failed ask of a row.
#[derive(Debug)]
pub(crate) struct AttemptOfRow {
    /// Its number.
    pub(crate) id: i64,
    /// The key of the answer that was asked for.
    pub(crate) key: [u8; 16],
    /// Its reply was kept.
    pub(crate) has_reply: bool,
    pub(crate) attempt: Attempt,
}

impl AttemptSummary {
    /// Sums up asks, oldest first.
    pub(crate) fn of<'a>(
        asks: impl DoubleEndedIterator<Item = &'a AttemptOfRow>,
    ) -> Option<AttemptSummary> {
        let mut asks = asks.rev();
        let last = asks.next()?.attempt.clone();
        Some(AttemptSummary { count: 1 + asks.count() as u64, last, reply: None })
    }
}

/// The failed asks of some questions: of each question those of every answer, by the answer's key.
pub(crate) type AttemptsByQuestion = HashMap<[u8; 16], HashMap<[u8; 16], AttemptSummary>>;

impl Store {
    /// Returns the failed asks of these questions, in one pass over those of all.
    pub(crate) fn attempts_by_question(
        &self,
        questions: &HashSet<[u8; 16]>,
    ) -> Result<AttemptsByQuestion, StoreError> {
        let mut tried = AttemptsByQuestion::new();
        if questions.is_empty() {
            return Ok(tried);
        }
        let sql = "SELECT question, key, at, seconds, cause, status, message, request_id
                   FROM attempts ORDER BY id";
        let mut statement = self.reader.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let question: [u8; 16] = row.get(0)?;
            if !questions.contains(&question) {
                continue;
            }
            let last = Attempt {
                at: row.get(2)?,
                seconds: row.get(3)?,
                cause: row.get(4)?,
                status: row.get(5)?,
                message: row.get(6)?,
                request_id: row.get(7)?,
            };
            let before = tried.entry(question).or_default().entry(row.get(1)?);
            before
                .and_modify(|tried| {
                    *tried =
                        AttemptSummary { count: tried.count + 1, last: last.clone(), reply: None }
                })
                .or_insert(AttemptSummary { count: 1, last, reply: None });
        }
        Ok(tried)
    }

    /// Returns the failed asks of a row of the input, oldest first. In one pass over those of all.
    pub(crate) fn attempts_at_row(&self, row: u64) -> Result<Vec<AttemptOfRow>, StoreError> {
        let sql =
            "SELECT id, body IS NOT NULL, at, seconds, cause, status, message, request_id, key
                   FROM attempts WHERE row = ?1 ORDER BY id";
        let mut statement = self.reader.connection.prepare_cached(sql)?;
        let rows = statement.query_map([row as i64], |row| {
            let attempt = Attempt {
                at: row.get(2)?,
                seconds: row.get(3)?,
                cause: row.get(4)?,
                status: row.get(5)?,
                message: row.get(6)?,
                request_id: row.get(7)?,
            };
            let (id, has_reply, key) = (row.get(0)?, row.get(1)?, row.get(8)?);
            Ok(AttemptOfRow { id, key, has_reply, attempt })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns the reply that was kept of a failed ask.
    pub(crate) fn reply_of(&self, attempt: i64) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT body FROM attempts WHERE id = ?1 AND body IS NOT NULL";
        let packed: Option<Vec<u8>> =
            self.reader.connection.query_row(sql, [attempt], |row| row.get(0)).optional()?;
        Ok(packed.and_then(|packed| zstd::decode_all(&*packed).ok()))
    }

    /// Returns the newest reply that was kept of the failed asks for an answer to a question.
    pub(crate) fn kept_reply(
        &self,
        question: &[u8; 16],
        at: i64,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT body FROM attempts WHERE question = ?1 AND at <= ?2 AND body IS NOT NULL
                   ORDER BY id DESC LIMIT 1";
        let connection = &self.reader.connection;
        let row = |row: &rusqlite::Row<'_>| row.get::<_, Vec<u8>>(0);
        let packed = connection.query_row(sql, params![&question[..], at], row).optional()?;
        // What cannot be unpacked is damaged, and `verify` is there to tell.
        Ok(packed.and_then(|packed| zstd::decode_all(&*packed).ok()))
    }

    /// Returns the answers of an edition that came last, newest first, each with its question.
    pub(crate) fn newest(
        &self,
        edition: u32,
        most: u32,
    ) -> Result<Vec<(dset_core::plan::AnswerId, [u8; 16])>, StoreError> {
        let sql = "SELECT answer, question FROM keys WHERE edition = ?1
                   ORDER BY answer DESC LIMIT ?2";
        let mut statement = self.reader.connection.prepare(sql)?;
        let rows = statement.query_map([edition, most], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
