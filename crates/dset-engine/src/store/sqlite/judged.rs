//! Which answers were judged, and which were not.

use std::collections::HashMap;

use dset_core::acceptance::{Terms, Verdict};
use dset_core::plan::AnswerId;
use rusqlite::params;

use super::calls::{self, StoredCall, USAGE};
use super::id_set::IdSet;
use super::store::Store;
use super::tries::CUT_ANSWERS;
use crate::store::error::StoreError;

/// Answers that were not judged.
#[derive(Debug, Default)]
pub(crate) struct Unjudged {
    pub(crate) answers: IdSet,
    pub(crate) tries: TriesByAnswer,
}

/// The answers under each key that has several.
#[derive(Debug, Default)]
pub(crate) struct TriesByAnswer {
    /// Those behind the first, by the first.
    later: HashMap<AnswerId, Vec<AnswerId>>,
    /// The first, by each of those behind it.
    first: HashMap<AnswerId, AnswerId>,
}

impl TriesByAnswer {
    /// Returns the first answer under the key of this one, where that is another.
    pub(crate) fn first_before(&self, answer: AnswerId) -> Option<AnswerId> {
        self.first.get(&answer).copied()
    }

    /// Tells whether there are answers behind this one, which is the first under its key.
    pub(crate) fn has_later(&self, answer: AnswerId) -> bool {
        self.later.contains_key(&answer)
    }

    /// Returns all answers under the key of this one, whichever of them it is, in the order of their tries.
    pub(crate) fn of(&self, answer: AnswerId) -> impl Iterator<Item = AnswerId> + '_ {
        let first = self.first.get(&answer).copied().unwrap_or(answer);
        std::iter::once(first).chain(self.later.get(&first).into_iter().flatten().copied())
    }
}

/// An answer that was judged.
#[derive(Debug)]
pub(crate) struct JudgedAnswer<'a> {
    /// What was thought of it; absent where it passed every check.
    pub(crate) list: Option<Vec<Verdict>>,
    /// Another try of its question came after it.
    pub(crate) is_followed: bool,
    /// The call that brought it; absent where another program made it.
    pub(crate) call: Option<StoredCall<'a>>,
}

impl Store {
    /// Returns the answers of a generation that were not judged under an acceptance, or of which a check
    /// could not tell.
    pub(crate) fn unjudged(
        &self,
        generation: u32,
        acceptance: &[u8; 16],
    ) -> Result<Unjudged, StoreError> {
        self.unjudged_among(generation, acceptance, "1")
    }

    /// Returns those among them that were cut by the token limit.
    pub(crate) fn unjudged_cut(
        &self,
        generation: u32,
        acceptance: &[u8; 16],
    ) -> Result<Unjudged, StoreError> {
        self.unjudged_among(generation, acceptance, &format!("own.id IN ({CUT_ANSWERS})"))
    }

    fn unjudged_among(
        &self,
        generation: u32,
        acceptance: &[u8; 16],
        of_these: &str,
    ) -> Result<Unjudged, StoreError> {
        let sql = "SELECT own.id FROM (
                     SELECT answer AS id FROM keys WHERE edition = ?1
                     UNION ALL SELECT t.answer FROM later_keys t WHERE t.edition = ?1) own
                   WHERE NOT EXISTS (SELECT 1 FROM verdicts v
                     WHERE v.answer = own.id AND v.acceptance = ?2
                     AND ifnull(instr(v.list, '\"unknown\"'), 0) = 0)
                   AND ";
        let sql = format!("{sql}{of_these}");
        let mut unjudged = Unjudged::default();
        let connection = &self.reader.connection;
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query(params![generation, &acceptance[..]])?;
        while let Some(row) = rows.next()? {
            unjudged.answers.insert(row.get(0)?);
        }
        unjudged.tries = self.tries_by_answer(Some(generation))?;
        Ok(unjudged)
    }

    /// Returns which answers of a generation, or of all, are under one key.
    pub(crate) fn tries_by_answer(
        &self,
        generation: Option<u32>,
    ) -> Result<TriesByAnswer, StoreError> {
        let sql = "SELECT t.first, t.answer FROM later_keys t
                   WHERE ifnull(t.edition = ?1, 1) ORDER BY t.key, t.try";
        let mut statement = self.reader.connection.prepare(sql)?;
        let mut rows = statement.query([generation])?;
        let mut tries = TriesByAnswer::default();
        while let Some(row) = rows.next()? {
            let (first, later) = (row.get(0)?, row.get(1)?);
            tries.later.entry(first).or_default().push(later);
            tries.first.insert(later, first);
        }
        Ok(tries)
    }

    /// Shows every answer of a generation that was judged on these terms.
    pub(crate) fn for_each_judged(
        &self,
        generation: u32,
        terms: &Terms,
        mut each: impl FnMut(&JudgedAnswer<'_>),
    ) -> Result<(), StoreError> {
        // Of whole ones nothing is recorded where nothing else is asked of them.
        let join = if terms.are_of_whole_alone() { "LEFT JOIN" } else { "JOIN" };
        let sql = format!(
            "SELECT v.list, own.is_followed, a.answered_at, a.life, f.request, {USAGE},
                     f.cost, f.cost_most, f.place
                   FROM (
                     SELECT k.answer AS id, EXISTS (SELECT 1 FROM later_tries l WHERE l.key = k.key)
                       AS is_followed FROM keys k WHERE k.edition = ?1
                     UNION ALL SELECT t.answer, EXISTS (SELECT 1 FROM later_tries l
                       WHERE l.key = t.key AND l.try > t.try) FROM later_keys t WHERE t.edition = ?1) own
                   {join} verdicts v ON v.answer = own.id AND v.acceptance = ?2
                   JOIN answers a ON a.id = own.id LEFT JOIN answer_facts f ON f.answer = own.id"
        );
        let mut statement = self.reader.connection.prepare(&sql)?;
        let mut rows = statement.query(params![generation, &terms.fingerprint[..]])?;
        while let Some(row) = rows.next()? {
            let list: Option<String> = row.get(0)?;
            let session: Option<i64> = row.get(3)?;
            let tokens = calls::usage(row, 5)?;
            let (at, request, said) = (row.get(2)?, row.get(4)?, row.get(11)?);
            let (most, place) = (calls::amount(row, 12)?, row.get(13)?);
            let call = session.map(|session| StoredCall {
                at,
                session,
                request,
                tokens,
                said,
                most,
                model: None,
                failed: None,
                later_try_of: None,
                answer: None,
                place,
            });
            each(&JudgedAnswer {
                list: list.map(|list| serde_json::from_str(&list).unwrap_or_default()),
                is_followed: row.get(1)?,
                call,
            });
        }
        Ok(())
    }
}
