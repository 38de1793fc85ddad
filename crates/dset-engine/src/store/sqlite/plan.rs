//! What the store knows before a run: keys, what ended and how, and what of it counts.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use dset_core::acceptance::Terms;
use dset_core::item::question::{Key, QuestionIndex};
use dset_core::key::RequestSettings;
use dset_core::plan::{
    AnswerId, Former, FoundBy, Plan, Planner, Provenance, Role, StoreFacts, Stored,
};
use rusqlite::{OptionalExtension, params};

use super::id_set::IdSet;
use super::purchases::Purchase;
use super::rejudged::Rejudged;
use super::store::Store;
use super::{facts, tries};
use crate::store::as_asked::KnownSettings;
use crate::store::error::StoreError;

/// What counts as if it were not there, because its rows are asked again on purpose.
#[derive(Debug, Default)]
pub(crate) struct Anew {
    pub(crate) answers: Vec<AnswerId>,
    /// What ended without an answer.
    pub(crate) failures: HashSet<[u8; 16]>,
}

/// The questions that are held against a store.
pub(crate) struct Wanted<'a> {
    pub(crate) planner: &'a Planner,
    /// How other settings asked them, as far as their answers are found by that and not by their questions.
    pub(crate) former: &'a Former,
    pub(crate) anew: &'a Anew,
    /// What is thought of answers in place of what is stored.
    pub(crate) rejudged: &'a Rejudged,
    /// The settings whose answers may count, where those of later ones do not.
    pub(crate) known: Option<KnownSettings>,
}

impl Store {
    /// Holds the questions against what is stored of this generation, as each model is asked and as these
    /// terms accept it, and calls `answered` for each answered entry with the answer that counts and those
    /// behind it.
    pub(crate) fn plan(
        &self,
        wanted: &Wanted<'_>,
        generation: u32,
        requests: &[RequestSettings],
        terms: Option<&Terms>,
        answered: impl FnMut(QuestionIndex, AnswerId, Role),
    ) -> Result<Plan, StoreError> {
        let Wanted { planner, former, anew, rejudged, known: known_settings } = *wanted;
        let purchases = self.purchases(generation, requests, known_settings)?;
        let known = self.store_facts(wanted, generation, requests, terms, &purchases)?;
        let mut later = self.later_tries(terms)?;
        let (kept, mut aside) = (self.kept(terms)?, self.set_aside()?);
        anew.answers.iter().for_each(|answer| aside.insert(*answer));
        let known_answers =
            tries::Known { placed: self.placed(generation)?, kept, aside, rejudged };
        let judged = "LEFT JOIN verdicts v ON v.answer = k.answer AND v.acceptance = ?2";
        let (list, judged) = if terms.is_some() { ("v.list", judged) } else { ("NULL", "") };
        let sql = format!(
            "SELECT k.key, k.question, k.settings, k.answer, k.sample, {list} FROM keys k {judged}
             WHERE k.edition = ?1 AND ?2 IS NOT NULL"
        );
        let acceptance = terms.map(|terms| terms.fingerprint).unwrap_or_default();
        let mut statement = self.reader.connection.prepare(&sql)?;
        let mut failed = None;
        let placed_seen = Cell::new(0);
        let stored = statement.query_map(params![generation, &acceptance[..]], |row| {
            let id: AnswerId = row.get(3)?;
            let purchase = purchases.get(&row.get::<_, i64>(2)?);
            let (bought, mut model) = match purchase {
                Some(known) => (known.provenance, known.model),
                None => (Provenance::OtherSettings, 0),
            };
            let found_by = purchase.map_or(FoundBy::Question, |known| known.found_by(former));
            if bought == Provenance::Imported && requests.len() > 1 {
                model = self.model_of(id, requests)?;
            }
            let key = Key(row.get(0)?);
            let first = [(id, row.get(5)?)];
            let counted = match later.remove(&key) {
                None => tries::count(terms, &known_answers, &first),
                Some(later) => {
                    let all: Vec<_> = first.into_iter().chain(later).collect();
                    tries::count(terms, &known_answers, &all)
                }
            };
            placed_seen.set(placed_seen.get() + counted.placed);
            Ok(Stored {
                key,
                question: row.get(1)?,
                id: counted.answer,
                provenance: bought,
                model,
                sample: row.get(4)?,
                found_by,
                placed: counted.placed > 0,
                is_outdated: counted.is_outdated,
                standing: counted.standing,
                waits: counted.waits,
                tries: counted.tries,
            })
        })?;
        // A row that cannot be read ends the scan, and the plan with it.
        let stored = stored.map_while(|row| row.map_err(|error| failed = Some(error.into())).ok());
        let plan = planner.plan_and_note(generation, stored, &known, answered);
        let damaged = |what: &str| Err(StoreError::Damaged(what.to_owned()));
        match failed {
            Some(error) => Err(error),
            None if placed_seen.get() != known_answers.placed.count => {
                damaged("rows of the outputs have no key")
            }
            None if plan.inconsistent_keys > 0 => damaged("answers are not under their keys"),
            None => Ok(plan),
        }
    }

    /// Collects what is known beside the answers.
    fn store_facts(
        &self,
        Wanted { planner, former, anew, .. }: &Wanted<'_>,
        generation: u32,
        requests: &[RequestSettings],
        terms: Option<&Terms>,
        purchases: &HashMap<i64, Purchase>,
    ) -> Result<StoreFacts, StoreError> {
        let max_tokens = requests.first().and_then(|first| first.max_tokens);
        let primary_model = match requests.len() {
            0 | 1 => None,
            _ => self.first_model(generation)?,
        };
        let mut former_keys = HashMap::new();
        for purchase in purchases.values().filter(|one| one.provenance == Provenance::OtherSettings)
        {
            if let Some(former) = former.requests.iter().find(|one| one.hash[..] == purchase.hash) {
                former_keys.extend(planner.former_keys(generation, purchase.model, former));
            }
        }
        let mut truncated = self.cut(generation, max_tokens)?;
        truncated.retain(|failure| !anew.failures.contains(failure));
        Ok(StoreFacts {
            former_keys,
            primary_model,
            enough: terms.and_then(|terms| terms.enough),
            presumed: self.hashes("SELECT question FROM presumed WHERE ?1 = 0", generation)?,
            ended: self.hashes("SELECT question FROM ended WHERE edition = ?1", generation)?,
            truncated,
            unwritten_marks: self.hashes("SELECT question FROM marks WHERE ?1 >= 0", generation)?,
            has_other_provenance: purchases.values().any(|one| {
                matches!(one.provenance, Provenance::OtherSettings | Provenance::Imported)
            }),
        })
    }

    /// Returns the answers of a generation that were bought with these settings, by their number.
    pub(crate) fn bought_under(
        &self,
        generation: u32,
        settings: i64,
    ) -> Result<Vec<AnswerId>, StoreError> {
        let sql = "SELECT answer FROM keys WHERE edition = ?1 AND settings = ?2
                   UNION ALL SELECT answer FROM later_keys WHERE edition = ?1 AND settings = ?2";
        let mut statement = self.reader.connection.prepare(sql)?;
        let answers = statement.query_map(params![generation, settings], |row| row.get(0))?;
        Ok(answers.collect::<Result<_, _>>()?)
    }

    /// Tells which of several models gave an answer of which nothing but its row is known: the
    /// first where that does not say.
    fn model_of(&self, answer: AnswerId, requests: &[RequestSettings]) -> rusqlite::Result<u16> {
        let sql = "SELECT f.model, a.metadata FROM answers a
                   LEFT JOIN answer_facts f ON f.answer = a.id WHERE a.id = ?1";
        let mut statement = self.reader.connection.prepare_cached(sql)?;
        let model = statement.query_row([answer], |row| facts::model(row, 0)).optional()?.flatten();
        let is_it = |request: &RequestSettings| model.as_ref() == Some(&request.model);
        Ok(requests.iter().position(is_it).unwrap_or(0) as u16)
    }

    /// Returns the answers of a generation by their questions, samples and, where `by_model`, the
    /// models that gave them, with whether they have their place.
    pub(crate) fn by_question(
        &self,
        generation: u32,
        by_model: bool,
    ) -> Result<HashMap<Given, (AnswerId, bool)>, StoreError> {
        let placed = self.placed(generation)?;
        let sql =
            "SELECT k.question, k.sample, k.answer, iif(?2, f.model, NULL), iif(?2, a.metadata, NULL)
             FROM keys k LEFT JOIN answers a ON a.id = k.answer
             LEFT JOIN answer_facts f ON f.answer = k.answer WHERE k.edition = ?1";
        let mut statement = self.reader.connection.prepare(sql)?;
        let answers = statement.query_map(params![generation, by_model], |row| {
            let id = row.get(2)?;
            let (question, sample) = (row.get(0)?, row.get(1)?);
            let given = Given { question, sample, model: facts::model(row, 3)? };
            Ok((given, (id, placed.has(id))))
        })?;
        Ok(answers.collect::<Result<_, _>>()?)
    }

    fn hashes(&self, sql: &str, generation: u32) -> Result<HashSet<[u8; 16]>, StoreError> {
        let mut statement = self.reader.connection.prepare(sql)?;
        let hashes = statement.query_map([generation], |row| row.get(0))?;
        Ok(hashes.collect::<Result<_, _>>()?)
    }

    /// Questions cut by a token limit that is no lower than the one of this run.
    fn cut(
        &self,
        generation: u32,
        max_tokens: Option<u64>,
    ) -> Result<HashSet<[u8; 16]>, StoreError> {
        let mut statement = self.reader.connection.prepare(
            "SELECT question, max_tokens, cut_at_tokens FROM ended
             WHERE edition = ?1 AND cause IN ('length limit', 'repeats itself')",
        )?;
        let rows = statement.query_map([generation], |row| {
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

    fn placed(&self, generation: u32) -> Result<IdSet, StoreError> {
        let mut statement = self.reader.connection.prepare(
            "SELECT position, answer FROM output_order WHERE edition = ?1 ORDER BY position",
        )?;
        let mut ids = IdSet::default();
        let mut rows = statement.query([generation])?;
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

    /// Returns true if anything is recorded of one of these questions.
    pub(crate) fn has_record_of(&self, questions: &HashSet<[u8; 16]>) -> Result<bool, StoreError> {
        let sql = "SELECT question FROM keys UNION ALL SELECT question FROM attempts
                   UNION ALL SELECT question FROM ended UNION ALL SELECT question FROM presumed";
        self.is_any_in(sql, questions)
    }

    /// Returns true if one of these questions failed once.
    pub(crate) fn has_failed(&self, questions: &HashSet<[u8; 16]>) -> Result<bool, StoreError> {
        let sql = "SELECT question FROM ended UNION ALL SELECT question FROM attempts";
        self.is_any_in(sql, questions)
    }

    fn is_any_in(&self, sql: &str, questions: &HashSet<[u8; 16]>) -> Result<bool, StoreError> {
        let mut statement = self.reader.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if questions.contains(&row.get::<_, [u8; 16]>(0)?) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns true if anything was ever recorded: an answer, an ask, a presumption.
    pub fn is_blank(&self) -> Result<bool, StoreError> {
        let sql = "SELECT NOT EXISTS (SELECT 1 FROM answers) AND NOT EXISTS (SELECT 1 FROM lives)
                   AND NOT EXISTS (SELECT 1 FROM presumed)";
        Ok(self.reader.connection.query_row(sql, [], |row| row.get(0))?)
    }
}

/// What an answer was given to.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Given {
    pub(crate) question: [u8; 16],
    pub(crate) sample: u32,
    /// The model that says it answered, where that is asked for.
    pub(crate) model: Option<String>,
}
