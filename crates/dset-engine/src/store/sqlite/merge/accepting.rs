//! Which of two answers to one request a check has accepted.

use dset_core::acceptance::Terms;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::copied::Copied;
use crate::store::error::StoreError;
use crate::store::sqlite::tries::{accept, saved_terms};

/// The terms of the store into which answers are taken.
pub(super) struct Accepting {
    terms: Option<Terms>,
}

impl Accepting {
    /// Reads them; where nothing but whole answers is asked for, no answer was judged.
    pub(super) fn read(to: &Connection) -> Result<Accepting, StoreError> {
        let terms = saved_terms(to)?.filter(|terms| !terms.are_of_whole_alone());
        Ok(Accepting { terms })
    }

    /// Tells whether an answer of the other store was accepted, and all that are here under its key were judged
    /// and were not.
    pub(super) fn prefers(
        &self,
        from: &Connection,
        answer: i64,
        key: &Copied,
        to: &Transaction<'_>,
    ) -> rusqlite::Result<bool> {
        let Some(terms) = &self.terms else { return Ok(false) };
        if is_accepted(from, answer, terms)? != Some(true) {
            return Ok(false);
        }
        let sql = "SELECT answer FROM temp.key_index WHERE key = ?1
                   UNION ALL SELECT answer FROM later_tries WHERE key = ?1";
        let mut statement = to.prepare_cached(sql)?;
        let mut tries = statement.query([key.get("key")])?;
        while let Some(row) = tries.next()? {
            if is_accepted(to, row.get(0)?, terms)? != Some(false) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Tells whether an answer was accepted; absent where it was not judged.
fn is_accepted(of: &Connection, answer: i64, terms: &Terms) -> rusqlite::Result<Option<bool>> {
    let of_answer = params![answer, &terms.fingerprint[..]];
    let sql = "SELECT 1 FROM kept WHERE answer = ?1 AND acceptance = ?2";
    if of.prepare_cached(sql)?.exists(of_answer)? {
        return Ok(Some(true));
    }
    let sql = "SELECT list FROM verdicts WHERE answer = ?1 AND acceptance = ?2";
    let list: Option<Option<String>> =
        of.prepare_cached(sql)?.query_row(of_answer, |row| row.get(0)).optional()?;
    Ok(list.map(|list| accept(terms, list.as_deref())))
}
