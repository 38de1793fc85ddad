//! What the store knows before a run: settings and their decisions, keys, what ended and how.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use dset_core::acceptance::Terms;
use dset_core::csv::STATUS;
use dset_core::item::error_marks::MarksColumn;
use dset_core::item::question::{Key, QuestionIndex};
use dset_core::key::{ModelHash, RequestSettings, SettingsHash};
use dset_core::plan::{AnswerId, Former, FoundBy, Plan, Planner, Provenance, StoreFacts, Stored};
use rusqlite::{OptionalExtension, params};

use super::id_set::IdSet;
use super::limits::{INPUT_IS_SHARED, MARKS_COLUMN};
use super::store::Store;
use super::tries::Rejudged;
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
    /// Returns the number of these settings in an edition, where they are decided.
    pub fn settings(
        &self,
        settings: &RequestSettings,
        edition: u32,
    ) -> Result<Option<i64>, StoreError> {
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
        Ok(id)
    }

    /// Returns the settings that bought an answer of an edition, as they were decided last.
    pub fn bought_with(&self, edition: u32) -> Result<Option<String>, StoreError> {
        let sql = "SELECT text FROM settings WHERE id <> 0 AND id IN
                   (SELECT settings FROM keys WHERE edition = ?1) ORDER BY id DESC LIMIT 1";
        Ok(self.reader.connection.query_row(sql, [edition], |row| row.get(0)).optional()?)
    }

    /// Returns true if answers were bought with this system prompt, sent as it stands.
    pub fn has_answers_to(&self, system: &str) -> Result<bool, StoreError> {
        let sql = "SELECT id, text FROM settings WHERE id <> 0";
        let mut statement = self.reader.connection.prepare(sql)?;
        let settings = statement
            .query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?
            .collect::<Result<Vec<_>, _>>()?;
        for (id, text) in settings {
            let is_it = RequestSettings::from_canonical_json(&text)
                .is_some_and(|settings| settings.fixed_system() == Some(system));
            let sql = "SELECT EXISTS (SELECT 1 FROM keys WHERE settings = ?1)";
            let connection = &self.reader.connection;
            if is_it && connection.query_row(sql, [id], |row| row.get(0))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Records a decision for these settings, and whether the model is asked beside others; returns
    /// their number.
    pub fn decide(
        &self,
        settings: &RequestSettings,
        edition: u32,
        decision: &str,
        together: bool,
        at: i64,
    ) -> Result<i64, StoreError> {
        self.reader.connection.execute(
            "INSERT INTO settings (id, hash, edition, text, decision, together, decided_at)
             VALUES ((SELECT max(0, ifnull(max(id), 0)) + 1 FROM settings), ?1, ?2, ?3, ?4, ?5, ?6)",
            params![&settings.hash()[..], edition, settings.canonical_json(), decision, together, at],
        )?;
        Ok(self.reader.connection.last_insert_rowid())
    }

    /// Returns true if models were asked beside each other in an edition.
    pub fn has_parallel_models(&self, edition: u32) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM settings WHERE edition = ?1 AND together)";
        Ok(self.reader.connection.query_row(sql, [edition], |row| row.get(0))?)
    }

    /// Returns the settings of an edition that this model was last asked with.
    pub fn text_of_model(
        &self,
        model: ModelHash,
        edition: u32,
    ) -> Result<Option<String>, StoreError> {
        let sql = "SELECT text FROM settings WHERE edition = ?1 AND id <> 0 ORDER BY id DESC";
        let mut statement = self.reader.connection.prepare(sql)?;
        let mut texts = statement.query_map([edition], |row| row.get::<_, String>(0))?;
        let is_of_it = |text: &String| {
            RequestSettings::from_canonical_json(text)
                .is_some_and(|settings| settings.model_hash() == model)
        };
        Ok(texts.find(|text| text.as_ref().map_or(true, is_of_it)).transpose()?)
    }

    /// Returns the model that an edition was first asked with.
    fn first_model(&self, edition: u32) -> Result<Option<ModelHash>, StoreError> {
        let sql = "SELECT text FROM settings WHERE edition = ?1 AND id <> 0 ORDER BY id LIMIT 1";
        let text: Option<String> =
            self.reader.connection.query_row(sql, [edition], |row| row.get(0)).optional()?;
        Ok(text
            .and_then(|text| RequestSettings::from_canonical_json(&text))
            .map(|first| first.model_hash()))
    }

    /// Remembers what a run wants: settings by their numbers, and samples. Nothing is remembered of
    /// one of each, which is what the last life says.
    pub fn save_requests(&self, settings: &[i64], samples: u32) -> Result<(), StoreError> {
        let kept = self.meta::<String>("asked")?;
        if settings.len() == 1 && samples == 1 {
            return kept.map_or(Ok(()), |_| self.unset_meta("asked"));
        }
        let ids: Vec<String> = settings.iter().map(i64::to_string).collect();
        let asked = format!("{};{samples}", ids.join(","));
        if kept.as_ref() == Some(&asked) { Ok(()) } else { self.set_meta("asked", asked) }
    }

    /// Returns what the last run of an edition asked each model with, and how many samples it
    /// wanted.
    pub fn last_requests(
        &self,
        edition: u32,
    ) -> Result<Option<(Vec<RequestSettings>, u32)>, StoreError> {
        let Some(asked) = self.meta::<String>("asked")? else {
            return Ok(self.last_settings(edition)?.map(|(_, settings)| (vec![settings], 1)));
        };
        let damaged = || StoreError::Damaged("what was asked last cannot be read".to_owned());
        let (ids, samples) = asked.split_once(';').ok_or_else(damaged)?;
        let mut requests = Vec::new();
        for id in ids.split(',') {
            let id: i64 = id.parse().map_err(|_| damaged())?;
            let sql = "SELECT text FROM settings WHERE id = ?1";
            let text: Option<String> =
                self.reader.connection.query_row(sql, [id], |row| row.get(0)).optional()?;
            requests.push(
                text.and_then(|t| RequestSettings::from_canonical_json(&t)).ok_or_else(damaged)?,
            );
        }
        let samples = samples.parse().ok().filter(|samples| *samples > 0).ok_or_else(damaged)?;
        Ok(Some((requests, samples)))
    }

    /// Returns the number of the last settings of any run.
    pub(crate) fn last_settings_number(&self) -> Result<i64, StoreError> {
        let sql = "SELECT ifnull(max(id), 0) FROM settings";
        Ok(self.reader.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// Holds the questions against what is stored of this edition, as each model is asked and as these
    /// terms accept it, and calls
    /// `answered` for each answered entry with the answer that counts.
    pub(crate) fn plan(
        &self,
        wanted: &Wanted<'_>,
        edition: u32,
        requests: &[RequestSettings],
        terms: Option<&Terms>,
        answered: impl FnMut(QuestionIndex, AnswerId),
    ) -> Result<Plan, StoreError> {
        let Wanted { planner, former, anew, rejudged, known: known_settings } = *wanted;
        let max_tokens = requests.first().and_then(|first| first.max_tokens);
        let purchases = self.purchases(edition, requests, known_settings)?;
        let primary_model = match requests.len() {
            0 | 1 => None,
            _ => self.first_model(edition)?,
        };
        let mut former_keys = HashMap::new();
        for purchase in purchases.values().filter(|one| one.provenance == Provenance::OtherSettings)
        {
            if let Some(former) = former.requests.iter().find(|one| one.hash[..] == purchase.hash) {
                former_keys.extend(planner.former_keys(edition, purchase.model, former));
            }
        }
        let mut truncated = self.cut(edition, max_tokens)?;
        truncated.retain(|failure| !anew.failures.contains(failure));
        let known = StoreFacts {
            former_keys,
            primary_model,
            enough: terms.and_then(|terms| terms.enough),
            presumed: self.hashes("SELECT question FROM presumed WHERE ?1 = 0", edition)?,
            ended: self.hashes("SELECT question FROM ended WHERE edition = ?1", edition)?,
            truncated,
            unwritten_marks: self.hashes("SELECT question FROM marks WHERE ?1 >= 0", edition)?,
            has_other_provenance: purchases.values().any(|one| {
                matches!(one.provenance, Provenance::OtherSettings | Provenance::Imported)
            }),
        };
        let mut later = self.later_tries(terms)?;
        let (kept, mut aside) = (self.kept(terms)?, self.set_aside()?);
        anew.answers.iter().for_each(|answer| aside.insert(*answer));
        let known_answers = tries::Known { placed: self.placed(edition)?, kept, aside, rejudged };
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
        let stored = statement.query_map(params![edition, &acceptance[..]], |row| {
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
                is_cut: counted.is_cut,
                tries: counted.tries,
            })
        })?;
        // A row that cannot be read ends the scan, and the plan with it.
        let stored = stored.map_while(|row| row.map_err(|error| failed = Some(error.into())).ok());
        let plan = planner.plan_and_note(edition, stored, &known, answered);
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

    /// Returns for all settings of a generation what answers bought with them are to a run with
    /// these settings, and for which of its models they count, or may.
    fn purchases(
        &self,
        edition: u32,
        requests: &[RequestSettings],
        known: Option<KnownSettings>,
    ) -> Result<HashMap<i64, Purchase>, StoreError> {
        let sql = "SELECT id, hash, text, together FROM settings WHERE edition = ?1 OR id = 0";
        let mut statement = self.reader.connection.prepare(sql)?;
        let rows = statement.query_map([edition], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, Vec<u8>>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, bool>(3)?,
            ))
        })?;
        let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
        let of = |hash: &[u8]| requests.iter().position(|request| request.hash() == hash);
        // Where models are asked beside each other, the answers of one stand for no other's.
        let any_beside = rows.iter().any(|(.., is_beside)| *is_beside);
        let mut own = rows.iter().filter(|(_, hash, ..)| of(hash) == Some(0));
        let first_is_beside = own.next().map_or(any_beside, |(.., is_beside)| *is_beside);
        let mut others = Vec::new();
        let mut other_model = |model: Option<ModelHash>| {
            let at = others.iter().position(|other| *other == model).unwrap_or_else(|| {
                others.push(model);
                others.len() - 1
            });
            (Provenance::OtherModel, (requests.len() + at) as u16)
        };
        let mut purchase = |(id, hash, text, is_beside): &(i64, Vec<u8>, String, bool)| {
            if *id == 0 {
                return (Provenance::Imported, 0);
            }
            let of_text = || Some(RequestSettings::from_canonical_json(text)?.model_hash());
            // Of a later run, which is none of those that this one kept.
            if known.is_some_and(|known| *id > known.last) {
                return other_model(of_text());
            }
            if let Some(model) = of(hash) {
                return (Provenance::Current, model as u16);
            }
            let model = of_text();
            match requests.iter().position(|request| Some(request.model_hash()) == model) {
                Some(model) => (Provenance::OtherSettings, model as u16),
                None if *is_beside || first_is_beside => other_model(model),
                None => (Provenance::OtherSettings, 0),
            }
        };
        let mut of_row = |row: &(i64, Vec<u8>, String, bool)| {
            let (provenance, model) = purchase(row);
            (row.0, Purchase { provenance, model, hash: row.1.clone() })
        };
        Ok(rows.iter().map(&mut of_row).collect())
    }

    /// Returns the settings, other than these, that answers of this generation were bought with.
    pub(crate) fn former_settings(
        &self,
        requests: &[RequestSettings],
        known: Option<KnownSettings>,
    ) -> Result<Vec<RequestSettings>, StoreError> {
        let edition = match known {
            Some(known) => known.generation,
            None => self.edition()?,
        };
        let purchases = self.purchases(edition, requests, known)?;
        let is_other = |one: &Purchase| one.provenance == Provenance::OtherSettings;
        let mut former = Vec::new();
        if !purchases.values().any(is_other) {
            return Ok(former);
        }
        // Not those with which nothing was bought.
        let sql = "SELECT text, id FROM settings
                   WHERE id IN (SELECT settings FROM keys WHERE edition = ?1)";
        let mut statement = self.reader.connection.prepare(sql)?;
        let mut rows = statement.query([edition])?;
        while let Some(row) = rows.next()? {
            if purchases.get(&row.get(1)?).is_some_and(is_other) {
                former.extend(RequestSettings::from_canonical_json(&row.get::<_, String>(0)?));
            }
        }
        Ok(former)
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

    /// Returns the answers of an edition by their questions, samples and, where `by_model`, the
    /// models that gave them, with whether they have their place.
    pub(crate) fn by_question(
        &self,
        edition: u32,
        by_model: bool,
    ) -> Result<HashMap<Given, (AnswerId, bool)>, StoreError> {
        let placed = self.placed(edition)?;
        let sql =
            "SELECT k.question, k.sample, k.answer, iif(?2, f.model, NULL), iif(?2, a.metadata, NULL)
             FROM keys k LEFT JOIN answers a ON a.id = k.answer
             LEFT JOIN answer_facts f ON f.answer = k.answer WHERE k.edition = ?1";
        let mut statement = self.reader.connection.prepare(sql)?;
        let answers = statement.query_map(params![edition, by_model], |row| {
            let (id, model) = (row.get(2)?, facts::model(row, 3)?);
            Ok(((row.get(0)?, row.get(1)?, model), (id, placed.has(id))))
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

    fn placed(&self, edition: u32) -> Result<IdSet, StoreError> {
        let mut statement = self.reader.connection.prepare(
            "SELECT position, answer FROM output_order WHERE edition = ?1 ORDER BY position",
        )?;
        let mut ids = IdSet::default();
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

    /// Returns the column of the input that has marks of ours. A store that was made before that
    /// was recorded wrote them to `status`, if it wrote any.
    pub fn marks_column(&self) -> Result<MarksColumn, StoreError> {
        if self.meta::<i64>(INPUT_IS_SHARED)?.is_some() {
            return Ok(MarksColumn::Never);
        }
        let known = |column: String| match column.is_empty() {
            true => MarksColumn::Unknown,
            false => MarksColumn::Known(column),
        };
        if let Some(column) = self.meta::<String>(MARKS_COLUMN)? {
            return Ok(known(column));
        }
        let sql = "SELECT EXISTS (SELECT 1 FROM ended) OR EXISTS (SELECT 1 FROM marks)";
        let has_marks: bool = self.reader.connection.query_row(sql, [], |row| row.get(0))?;
        Ok(if has_marks { known(STATUS.to_owned()) } else { MarksColumn::Unknown })
    }

    /// Others read the input too: it is never marked.
    pub(crate) fn keep_input_unmarked(&self) -> Result<(), StoreError> {
        self.set_meta(INPUT_IS_SHARED, 1)
    }

    /// Returns true if anything was ever recorded: an answer, an ask, a presumption.
    pub fn is_blank(&self) -> Result<bool, StoreError> {
        let sql = "SELECT NOT EXISTS (SELECT 1 FROM answers) AND NOT EXISTS (SELECT 1 FROM lives)
                   AND NOT EXISTS (SELECT 1 FROM presumed)";
        Ok(self.reader.connection.query_row(sql, [], |row| row.get(0))?)
    }
}

/// What answers bought with some settings are to a run.
#[derive(Debug)]
struct Purchase {
    provenance: Provenance,
    /// For which of its models they count, or may; for another model a number behind all of these.
    model: u16,
    /// What the settings are known by.
    hash: Vec<u8>,
}

impl Purchase {
    /// Tells how its answers are found.
    fn found_by(&self, former: &Former) -> FoundBy {
        let is_it = |hash: &SettingsHash| hash[..] == self.hash;
        match self.provenance {
            Provenance::OtherSettings if former.requests.iter().any(|one| is_it(&one.hash)) => {
                FoundBy::FormerKey
            }
            Provenance::OtherSettings if former.unbound.iter().any(is_it) => FoundBy::LoneQuestion,
            _ => FoundBy::Question,
        }
    }
}

/// A question, the sample, and the model that says it answered.
pub(crate) type Given = ([u8; 16], u32, Option<String>);
