//! Answers that were not accepted, and what was thought of all of them.

use std::collections::{HashMap, HashSet};

use dset_core::acceptance::{Consequence, Outcome, Standing, Terms, Verdict};
use dset_core::answer::{Cause, Usage};
use dset_core::item::question::Key;
use dset_core::plan::{AnswerId, Tries};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::calls::{self, StoredCall};
use super::id_set::IdSet;
use super::keys;
use super::store::Store;
use crate::store::error::StoreError;

/// The name of the terms among the values of the whole store.
pub(super) const ACCEPTANCE: &str = "acceptance";

/// The name of what rows expected when all answers were judged.
pub(super) const EXPECTED: &str = "expected";

/// The answers that were cut by the token limit, those of the original script apart.
const CUT_ANSWERS: &str =
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

/// What is thought of answers and not stored so far.
pub(crate) type Rejudged = HashMap<AnswerId, NewVerdicts>;

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
    /// It was cut by the token limit.
    pub(super) is_cut: bool,
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
        is_cut: false,
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
        let list: Option<Vec<Verdict>> = match (terms, known.rejudged.get(answer)) {
            _ if known.kept.has(*answer) => None,
            (None, _) => None,
            (Some(terms), Some(now)) if now.acceptance == terms.fingerprint => now.list.clone(),
            (Some(_), _) => list.as_ref().and_then(read),
        };
        let standing = terms.map_or(Standing::Accepted, |terms| {
            terms.standing(terms.consequence(list.as_deref()), counts.count)
        });
        let is_cut = list.iter().flatten().any(Verdict::says_cut);
        let was_accepted = counted.standing == Standing::Accepted;
        let is_better = match standing {
            Standing::Accepted => !was_accepted || is_placed && !has_place,
            Standing::Another | Standing::Failed => !was_accepted,
        };
        if is_better {
            (counted.answer, counted.standing, has_place) = (*answer, standing, is_placed);
            counted.is_cut = is_cut;
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
            "SELECT v.list, own.is_followed, a.answered_at, a.life, f.request, f.input_tokens,
                     f.cached_tokens, f.output_tokens, f.reasoning_tokens, f.cost, f.cost_most
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
            let [input, cached, output, reasoning] = [5, 6, 7, 8].map(|at| calls::count(row, at));
            let tokens =
                Usage { input: input?, cached: cached?, output: output?, reasoning: reasoning? };
            let (at, request, said) = (row.get(2)?, row.get(4)?, row.get(9)?);
            let most = calls::amount(row, 10)?;
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
