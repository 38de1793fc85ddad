//! Answers that were not accepted, and what was thought of all of them.

use std::collections::{HashMap, HashSet};

use dset_core::acceptance::{Consequence, Outcome, Standing, Terms, Verdict};
use dset_core::answer::Cause;
use dset_core::item::question::Key;
use dset_core::key::RequestSettings;
use dset_core::plan::{AnswerId, Tries};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::id_set::IdSet;
use super::keys;
use super::rejudged::Rejudged;
use super::store::Store;
use crate::store::error::StoreError;

/// The name of the terms among the values of the whole store.
pub(super) const ACCEPTANCE: &str = "acceptance";

/// The name of what rows expected when all answers were judged.
pub(super) const EXPECTED: &str = "expected";

/// The answers that were cut by the token limit, those of the original script apart.
pub(super) const CUT_ANSWERS: &str =
    "SELECT answer FROM answer_facts WHERE finish = 'length' AND request <> 0";

/// What is thought of a new answer, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NewVerdicts {
    pub(crate) acceptance: [u8; 16],
    /// Absent where every check passed.
    pub(crate) list: Option<Vec<Verdict>>,
}

impl NewVerdicts {
    /// Tells whether a check could not tell.
    pub(crate) fn are_unknown(&self) -> bool {
        self.list.iter().flatten().any(|verdict| verdict.outcome == Outcome::Unknown)
    }
}

/// The answers under one key, as the plan counts them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    /// The one that counts, or the last.
    pub(super) answer: AnswerId,
    /// It is accepted, and the outputs have another.
    pub(super) is_outdated: bool,
    pub(super) standing: Standing,
    pub(super) tries: Tries,
    /// How many of them have a place in the outputs.
    pub(super) placed: u64,
    /// It is not accepted only because a program is still to judge it.
    pub(super) waits: bool,
}

/// Of each key with several answers, those behind the first with what was thought of them.
pub(super) type LaterTries = HashMap<Key, Vec<(AnswerId, Option<String>)>>;

/// What is known of answers beside their verdicts.
#[derive(Debug)]
pub(super) struct Known<'a> {
    /// They have a place in the outputs.
    pub(super) placed: IdSet,
    /// They are kept, whatever the terms say.
    pub(super) kept: IdSet,
    /// They count no more.
    pub(super) aside: IdSet,
    /// What is thought of them in place of what is stored.
    pub(super) rejudged: &'a Rejudged,
}

/// Tells whether these terms accept an answer of which this is stored; absent where every check passed.
pub(super) fn accept(terms: &Terms, list: Option<&str>) -> bool {
    let list: Option<Vec<Verdict>> = list.and_then(|list| serde_json::from_str(list).ok());
    terms.consequence(list.as_deref()) == Consequence::Accept
}

/// Counts the answers under one key: an accepted one that has its place, else the first that is
/// accepted, else the last. Without terms all are accepted.
pub(super) fn count(
    terms: Option<&Terms>,
    known: &Known<'_>,
    tries: &[(AnswerId, Option<String>)],
) -> Counted {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let aside = number(tries.iter().filter(|(answer, _)| known.aside.has(*answer)).count());
    let counts = Tries { aside, count: number(tries.len()) - aside };
    let mut counted = Counted {
        answer: 0,
        is_outdated: false,
        standing: Standing::Another,
        tries: counts,
        placed: 0,
        waits: false,
    };
    let mut has_place = false;
    for (answer, list) in tries {
        let is_placed = known.placed.has(*answer);
        counted.placed += u64::from(is_placed);
        if known.aside.has(*answer) {
            if counted.answer == 0 {
                counted.answer = *answer;
            }
            continue;
        }
        let read = |list: &String| serde_json::from_str(list).ok();
        let now = terms.and_then(|terms| known.rejudged.get(*answer, &terms.fingerprint));
        let list: Option<Vec<Verdict>> = match now {
            _ if known.kept.has(*answer) || terms.is_none() => None,
            Some(now) => now.cloned(),
            None => list.as_ref().and_then(read),
        };
        let standing = terms.map_or(Standing::Accepted, |terms| {
            terms.standing(terms.consequence(list.as_deref()), counts.count)
        });
        let waits = terms.zip(list.as_deref()).is_some_and(|(terms, list)| terms.waits(list));
        let was_accepted = counted.standing == Standing::Accepted;
        let is_better = match standing {
            Standing::Accepted => !was_accepted || is_placed && !has_place,
            Standing::Another | Standing::Failed => !was_accepted,
        };
        if is_better {
            (counted.answer, counted.standing, has_place) = (*answer, standing, is_placed);
            counted.waits = waits;
        }
    }
    let is_accepted = counted.standing == Standing::Accepted;
    counted.is_outdated = is_accepted && counted.placed > 0 && !has_place;
    counted
}

/// Returns the terms of the last run.
pub(super) fn saved_terms(of: &Connection) -> Result<Option<Terms>, StoreError> {
    let sql = "SELECT value FROM meta WHERE name = ?1";
    let text: Option<String> = of.query_row(sql, [ACCEPTANCE], |row| row.get(0)).optional()?;
    let damaged = |_| StoreError::Damaged("what was accepted last cannot be read".to_owned());
    text.map(|text| serde_json::from_str(&text)).transpose().map_err(damaged)
}

impl Store {
    /// Returns the terms on which the last run accepted answers; `None` where it accepted all: of a run
    /// that holds answers against nothing and wants all of them, where none was cut.
    pub(crate) fn terms(&self) -> Result<Option<Terms>, StoreError> {
        saved_terms(&self.reader.connection)?
            .map_or(Ok(None), |terms| self.terms_that_reject(terms))
    }

    /// Returns the terms on which answers were accepted before a run with those of `now`: the same, where every run
    /// was brought here from elsewhere, for they are runs of one job.
    pub(crate) fn terms_before(&self, now: &Terms) -> Result<Option<Terms>, StoreError> {
        if saved_terms(&self.reader.connection)?.is_none() {
            let (lives, others) = (self.all_lives()?, self.lives_of_others()?);
            if !lives.is_empty() && lives.iter().all(|life| others.contains(&life.id)) {
                return Ok(Some(now.clone()));
            }
        }
        self.terms()
    }

    /// Returns these terms, of a run of before; `None` where it accepted all.
    pub(crate) fn terms_that_reject(&self, terms: Terms) -> Result<Option<Terms>, StoreError> {
        if !terms.are_of_whole_alone() || terms.enough.is_some() {
            return Ok(Some(terms));
        }
        let sql = "SELECT EXISTS (SELECT 1 FROM verdicts WHERE acceptance = ?1)";
        let acceptance = &terms.fingerprint[..];
        let was_cut = self.reader.connection.query_row(sql, [acceptance], |row| row.get(0))?;
        Ok(Some(terms).filter(|_| was_cut))
    }

    /// Tells whether there are answers that were cut by the token limit.
    pub(crate) fn has_cut_answers(&self) -> Result<bool, StoreError> {
        // Each has left a verdict, or the end of its question: where there is none of either, not all answers
        // are gone through.
        let sql = format!(
            "SELECT CASE WHEN EXISTS (SELECT 1 FROM verdicts)
               OR EXISTS (SELECT 1 FROM ended WHERE cause = '{}')
             THEN EXISTS ({CUT_ANSWERS}) ELSE 0 END",
            Cause::LengthLimit.code()
        );
        Ok(self.reader.connection.query_row(&sql, [], |row| row.get(0))?)
    }

    /// Remembers the terms of this run.
    pub(crate) fn save_terms(&self, terms: &Terms) -> Result<(), StoreError> {
        if saved_terms(&self.reader.connection)?.as_ref() == Some(terms) {
            return Ok(());
        }
        let terms = serde_json::to_string(terms).expect("terms are plain values");
        self.set_meta(ACCEPTANCE, terms)
    }

    /// Returns the hash of what rows expected when all answers were judged last.
    pub(crate) fn expected(&self) -> Result<Option<String>, StoreError> {
        self.meta(EXPECTED)
    }

    /// Remembers it; nothing, where not all are judged by what rows expect now.
    pub(crate) fn save_expected(&self, expected: Option<&String>) -> Result<(), StoreError> {
        match expected {
            _ if self.expected()?.as_ref() == expected => Ok(()),
            Some(expected) => self.set_meta(EXPECTED, expected),
            None => self.unset_meta(EXPECTED),
        }
    }

    /// Returns the answers that are to be kept, whatever these terms say.
    pub(crate) fn kept(&self, terms: Option<&Terms>) -> Result<IdSet, StoreError> {
        let mut kept = IdSet::default();
        let Some(terms) = terms else { return Ok(kept) };
        let sql = "SELECT answer FROM kept WHERE acceptance = ?1";
        let mut statement = self.reader.connection.prepare(sql)?;
        let mut rows = statement.query([&terms.fingerprint[..]])?;
        while let Some(row) = rows.next()? {
            kept.insert(row.get(0)?);
        }
        Ok(kept)
    }

    /// Takes back that answers are to be kept, whatever these terms say.
    pub(crate) fn withdraw_kept(&self, terms: &Terms) -> Result<(), StoreError> {
        let sql = "DELETE FROM kept WHERE acceptance = ?1";
        self.reader.connection.execute(sql, [&terms.fingerprint[..]])?;
        Ok(())
    }

    /// Returns the answers that count no more.
    pub(crate) fn set_aside(&self) -> Result<IdSet, StoreError> {
        let mut aside = IdSet::default();
        let mut statement = self.reader.connection.prepare("SELECT answer FROM set_aside")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            aside.insert(row.get(0)?);
        }
        Ok(aside)
    }

    /// Returns the answers to a question of a generation that count no more, each with its sample and the settings
    /// that it was bought with; in the order in which they came.
    pub(crate) fn set_aside_of(
        &self,
        generation: u32,
        question: &[u8; 16],
    ) -> Result<Vec<(AnswerId, u32, Option<RequestSettings>)>, StoreError> {
        let sql = "SELECT k.answer, k.sample, s.text FROM
                   (SELECT answer, question, settings, edition, sample FROM keys UNION ALL
                    SELECT answer, question, settings, edition, sample FROM later_keys) k
                   LEFT JOIN settings s ON s.id = k.settings
                   WHERE k.edition = ?1 AND k.question = ?2
                   AND k.answer IN (SELECT answer FROM set_aside) ORDER BY k.answer";
        let mut statement = self.reader.connection.prepare(sql)?;
        let all = statement.query_map(params![generation, &question[..]], |row| {
            let text: Option<String> = row.get(2)?;
            let settings = text.and_then(|text| RequestSettings::from_canonical_json(&text));
            Ok((row.get(0)?, row.get(1)?, settings))
        })?;
        Ok(all.collect::<Result<_, _>>()?)
    }

    /// Returns all answers under a key, in the order of their tries. It is found at once where it was
    /// answered as this row; else all keys are gone through, and for many such an index is made.
    pub(crate) fn tries(
        &self,
        key: &[u8; 16],
        row: Option<u64>,
    ) -> Result<Vec<AnswerId>, StoreError> {
        let connection = &self.reader.connection;
        let first = match keys::find_at(connection, key, row)? {
            None => keys::find_anywhere(connection, key, &self.keys_missed)?,
            found => found,
        };
        let sql = "SELECT answer FROM later_tries WHERE key = ?1 ORDER BY try";
        let mut later = connection.prepare_cached(sql)?;
        let later = later.query_map([&key[..]], |row| row.get(0))?;
        Ok(first.map(Ok).into_iter().chain(later).collect::<Result<_, _>>()?)
    }

    /// Returns all answers under these keys, in the order of their tries; in one pass over all keys.
    pub(crate) fn tries_of(
        &self,
        wanted: &HashSet<[u8; 16]>,
    ) -> Result<HashMap<[u8; 16], Vec<AnswerId>>, StoreError> {
        let mut tries: HashMap<_, Vec<_>> = HashMap::new();
        if wanted.is_empty() {
            return Ok(tries);
        }
        for sql in [
            "SELECT key, answer FROM keys",
            "SELECT key, answer FROM later_tries ORDER BY key, try",
        ] {
            let mut statement = self.reader.connection.prepare(sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let key = row.get(0)?;
                if wanted.contains(&key) {
                    tries.entry(key).or_default().push(row.get(1)?);
                }
            }
        }
        Ok(tries)
    }

    /// Returns the answers behind the first of each key, with what was thought of them.
    pub(super) fn later_tries(&self, terms: Option<&Terms>) -> Result<LaterTries, StoreError> {
        let sql = "SELECT t.key, t.answer, v.list FROM later_tries t
                   LEFT JOIN verdicts v ON v.answer = t.answer AND v.acceptance = ?1
                   ORDER BY t.key, t.try";
        let acceptance = terms.map(|terms| terms.fingerprint).unwrap_or_default();
        let mut statement = self.reader.connection.prepare(sql)?;
        let mut rows = statement.query([&acceptance[..]])?;
        let mut tries = LaterTries::new();
        while let Some(row) = rows.next()? {
            tries.entry(Key(row.get(0)?)).or_default().push((row.get(1)?, row.get(2)?));
        }
        Ok(tries)
    }
}

/// Returns what was thought of an answer under an acceptance; `None` where it was not judged, nothing
/// where it passed every check.
pub(super) fn verdicts(
    connection: &Connection,
    answer: AnswerId,
    acceptance: &[u8; 16],
) -> Result<Option<Vec<Verdict>>, StoreError> {
    let sql = "SELECT list FROM verdicts WHERE answer = ?1 AND acceptance = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let params = params![answer, &acceptance[..]];
    let list = statement.query_row(params, |row| row.get::<_, Option<String>>(0)).optional()?;
    let read = |list: String| serde_json::from_str(&list).unwrap_or_default();
    Ok(list.map(|list| list.map(read).unwrap_or_default()))
}

/// Records what is thought of an answer, in place of what was.
pub(super) fn record(
    to: &Connection,
    answer: AnswerId,
    verdicts: &NewVerdicts,
) -> rusqlite::Result<()> {
    let list = verdicts.list.as_ref();
    let list = list.map(|list| serde_json::to_string(list).expect("verdicts are plain values"));
    to.prepare_cached(
        "INSERT OR REPLACE INTO verdicts (answer, acceptance, list) VALUES (?1, ?2, ?3)",
    )?
    .execute(params![answer, &verdicts.acceptance[..], list])?;
    Ok(())
}

/// Records that an answer is to be kept.
pub(super) fn keep(
    to: &Connection,
    answer: AnswerId,
    acceptance: &[u8; 16],
) -> rusqlite::Result<()> {
    to.prepare_cached("INSERT OR IGNORE INTO kept (answer, acceptance) VALUES (?1, ?2)")?
        .execute(params![answer, &acceptance[..]])?;
    Ok(())
}
