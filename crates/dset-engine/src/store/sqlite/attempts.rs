//! Asks that failed, as the read-only views see them.

use std::collections::{HashMap, HashSet};

use dset_core::plan::AnswerId;
use rusqlite::{OptionalExtension, Row, params};

use super::store::Store;
use super::tries::accept;
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

impl Attempt {
    /// Reads when, how long, why, the status, the message and the call's name from the columns that begin at
    /// `first`.
    fn from_columns(row: &Row<'_>, first: usize) -> rusqlite::Result<Attempt> {
        Ok(Attempt {
            at: row.get(first)?,
            seconds: row.get(first + 1)?,
            cause: row.get(first + 2)?,
            status: row.get(first + 3)?,
            message: row.get(first + 4)?,
            request_id: row.get(first + 5)?,
        })
    }
}

/// The asks for one answer that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptSummary {
    /// How many, from 1.
    pub count: u64,
    /// The last of them.
    pub last: Attempt,
    /// The key of the answer that was asked for.
    pub(crate) key: [u8; 16],
    /// The newest reply that was kept, since it may have been paid for; only where it is looked up.
    pub reply: Option<Vec<u8>>,
}

/// A failed ask of a question.
#[derive(Debug)]
pub(crate) struct AttemptOfQuestion {
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
        asks: impl DoubleEndedIterator<Item = &'a AttemptOfQuestion>,
    ) -> Option<AttemptSummary> {
        let mut asks = asks.rev();
        let AttemptOfQuestion { attempt: last, key, .. } = asks.next()?;
        let (last, key) = (last.clone(), *key);
        Some(AttemptSummary { count: 1 + asks.count() as u64, last, key, reply: None })
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
            let last = Attempt::from_columns(row, 2)?;
            let key: [u8; 16] = row.get(1)?;
            let of_key = tried.entry(question).or_default();
            let count = 1 + of_key.get(&key).map_or(0, |tried| tried.count);
            of_key.insert(key, AttemptSummary { count, last, key, reply: None });
        }
        Ok(tried)
    }

    /// Returns the failed asks of the question whose hash begins so, oldest first, wherever in the input it
    /// stood then. In one pass over those of all.
    pub(crate) fn attempts_of_question(
        &self,
        beginning: [u8; 8],
    ) -> Result<Vec<AttemptOfQuestion>, StoreError> {
        let sql =
            "SELECT id, body IS NOT NULL, at, seconds, cause, status, message, request_id, key
                   FROM attempts WHERE substr(question, 1, 8) = ?1 ORDER BY id";
        let mut statement = self.reader.connection.prepare_cached(sql)?;
        let rows = statement.query_map([&beginning[..]], |row| {
            let attempt = Attempt::from_columns(row, 2)?;
            let (id, has_reply, key) = (row.get(0)?, row.get(1)?, row.get(8)?);
            Ok(AttemptOfQuestion { id, key, has_reply, attempt })
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

    /// Returns the newest reply that was kept of the failed asks for an answer.
    pub(crate) fn kept_reply(
        &self,
        key: &[u8; 16],
        at: i64,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT body FROM attempts WHERE key = ?1 AND at <= ?2 AND body IS NOT NULL
                   ORDER BY id DESC LIMIT 1";
        let connection = &self.reader.connection;
        let row = |row: &rusqlite::Row<'_>| row.get::<_, Vec<u8>>(0);
        let packed = connection.query_row(sql, params![&key[..], at], row).optional()?;
        // What cannot be unpacked is damaged, and `verify` is there to tell.
        Ok(packed.and_then(|packed| zstd::decode_all(&*packed).ok()))
    }

    /// Returns the answers of a generation that count and came last, newest first, each with its question.
    pub(crate) fn newest(
        &self,
        generation: u32,
        most: u32,
    ) -> Result<Vec<(AnswerId, [u8; 16])>, StoreError> {
        let terms = self.terms()?;
        let kept = self.kept(terms.as_ref())?;
        let sql = "SELECT k.answer, k.question, v.list FROM
                   (SELECT answer, question, edition FROM keys UNION ALL
                    SELECT answer, question, edition FROM later_keys) k
                   LEFT JOIN verdicts v ON v.answer = k.answer AND v.acceptance = ?2
                   WHERE k.edition = ?1 AND k.answer NOT IN (SELECT answer FROM set_aside)
                   ORDER BY k.answer DESC";
        let acceptance = terms.as_ref().map(|terms| terms.fingerprint).unwrap_or_default();
        let mut statement = self.reader.connection.prepare(sql)?;
        let mut rows = statement.query(params![generation, &acceptance[..]])?;
        let mut newest = Vec::new();
        while newest.len() < most as usize
            && let Some(row) = rows.next()?
        {
            let (answer, list) = (row.get(0)?, row.get::<_, Option<String>>(2)?);
            let counts = terms
                .as_ref()
                .is_none_or(|terms| kept.has(answer) || accept(terms, list.as_deref()));
            if counts {
                newest.push((answer, row.get(1)?));
            }
        }
        Ok(newest)
    }
}
