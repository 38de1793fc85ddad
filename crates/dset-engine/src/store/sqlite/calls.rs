//! Every call that was billed or may have been, in every run: answers, and asks that failed.

use std::collections::{HashMap, HashSet};

use dset_core::answer::Usage;
use dset_core::answer::row::Metadata;
use dset_core::money::{Amount, FailedCall};

use super::iterate::text;
use super::limits::FACTS_FROM;
use super::store::Store;
use crate::store::error::StoreError;
use crate::store::invocation::AskedPlace;
use dset_core::plan::AnswerId;

/// A call, as the store has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoredCall<'a> {
    /// When its reply ended, Unix milliseconds.
    pub(crate) at: i64,
    /// The run that made it.
    pub(crate) session: i64,
    /// The settings it was asked with; absent where that is not known.
    pub(crate) request: Option<i64>,
    pub(crate) tokens: Usage,
    /// What the service says that it cost.
    pub(crate) said: Option<f64>,
    /// What it cost at most, where it was not counted, under a limit.
    pub(crate) most: Option<Amount>,
    /// The model by its name, where that is stored; then it counts before `request`.
    pub(crate) model: Option<&'a str>,
    /// How it failed; an answer came where it did not.
    pub(crate) failed: Option<FailedCall<'a>>,
    /// The first answer to the same question, where this is one behind it.
    pub(crate) later_try_of: Option<AnswerId>,
    /// The answer that came.
    pub(crate) answer: Option<AnswerId>,
    /// Which place of its run was asked; absent in runs of earlier versions.
    pub(crate) place: Option<u32>,
}

/// Stands for a run of which nothing is known.
const NO_SESSION: i64 = -1;

/// A run: where it asked, and the settings of its first model.
#[derive(Debug)]
pub(crate) struct StoredSession {
    pub(crate) id: i64,
    pub(crate) endpoint: String,
    pub(crate) request: i64,
    /// Its places in their order; none where that is not known.
    pub(crate) places: Vec<AskedPlace>,
}

/// Reads a number of tokens; `None` where there is none.
fn count(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Option<u64>> {
    let number: Option<i64> = row.get(at)?;
    Ok(number.and_then(|number| u64::try_from(number).ok()))
}

/// The columns that [`usage`] reads, of `answer_facts f`.
pub(super) const USAGE: &str =
    "f.input_tokens, f.cached_tokens, f.output_tokens, f.reasoning_tokens,
    f.written_tokens, f.written_1h_tokens";

/// Reads the numbers of tokens that stand beside each other from this column on.
pub(super) fn usage(row: &rusqlite::Row<'_>, from: usize) -> rusqlite::Result<Usage> {
    Ok(Usage {
        input: count(row, from)?,
        cached: count(row, from + 1)?,
        output: count(row, from + 2)?,
        reasoning: count(row, from + 3)?,
        written: count(row, from + 4)?,
        written_1h: count(row, from + 5)?,
    })
}

/// Reads an amount; `None` where there is none.
pub(super) fn amount(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Option<Amount>> {
    let picodollars: Option<i64> = row.get(at)?;
    Ok(picodollars.map(Amount::from_picodollars))
}

impl Store {
    /// Shows every answer that a run of dset bought, and then every ask of one that failed. What was
    /// taken over from another program is not among them.
    pub(crate) fn for_each_call(
        &self,
        mut each: impl FnMut(&StoredCall<'_>),
    ) -> Result<(), StoreError> {
        self.for_each_answered_call(&mut each)?;
        self.for_each_failed_call(&self.answered_with()?, &mut each)
    }

    /// Shows every answer that was taken over from outputs of dset whose store is gone, with the model that says
    /// it answered.
    pub(crate) fn for_each_call_before(
        &self,
        mut each: impl FnMut(&StoredCall<'_>),
    ) -> Result<(), StoreError> {
        // Such answers have settings of their own: without them nothing is looked at.
        let sql = "SELECT EXISTS (SELECT 1 FROM settings WHERE id = 0)";
        if !self.reader.connection.query_row(sql, [], |row| row.get::<_, bool>(0))? {
            return Ok(());
        }
        // Rows of the original script have no number.
        let sql = format!(
            "SELECT a.answered_at, {USAGE}, f.cost, a.id, f.model
                   FROM answers a LEFT JOIN answer_facts f ON f.answer = a.id
                   WHERE a.life IS NULL AND EXISTS
                     (SELECT 1 FROM answers WHERE life IS NULL AND row IS NOT NULL)"
        );
        let mut statement = self.reader.connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            each(&StoredCall {
                at: row.get(0)?,
                session: NO_SESSION,
                request: None,
                tokens: usage(row, 1)?,
                said: row.get(7)?,
                most: None,
                model: row.get_ref(9)?.as_str_or_null().map_err(rusqlite::Error::from)?,
                failed: None,
                later_try_of: None,
                answer: row.get(8)?,
                place: None,
            });
        }
        Ok(())
    }

    fn for_each_answered_call(
        &self,
        each: &mut impl FnMut(&StoredCall<'_>),
    ) -> Result<(), StoreError> {
        let facts_from = self.meta(FACTS_FROM)?.unwrap_or(AnswerId::MAX);
        let tries = self.tries_by_answer(None)?;
        let mut each = |call: StoredCall<'_>| {
            let later_try_of = call.answer.and_then(|answer| tries.first_before(answer));
            each(&StoredCall { later_try_of, ..call });
        };
        self.for_each_answered_call_before(facts_from, &mut each)?;
        let connection = &self.reader.connection;
        let lives: HashSet<i64> = connection
            .prepare("SELECT id FROM lives")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        // All of a folder's answers, and none of their texts.
        let sql = format!(
            "SELECT answered_at, life, request, {USAGE}, cost, cost_most, answer, place
             FROM answer_facts f WHERE answer >= ?1"
        );
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query([facts_from])?;
        let mut known = None;
        while let Some(row) = rows.next()? {
            let Some(session) = row.get(1)? else { continue };
            if known != Some(session) && !lives.contains(&session) {
                continue;
            }
            known = Some(session);
            each(StoredCall {
                at: row.get(0)?,
                session,
                request: row.get(2)?,
                tokens: usage(row, 3)?,
                said: row.get(9)?,
                most: amount(row, 10)?,
                model: None,
                failed: None,
                later_try_of: None,
                answer: Some(row.get(11)?),
                place: row.get(12)?,
            });
        }
        Ok(())
    }

    /// Shows the answers below a number, which earlier versions recorded: their metadata stand behind the texts,
    /// and are read only where the numbers stand there too, as in version 1.
    fn for_each_answered_call_before(
        &self,
        facts_from: AnswerId,
        each: &mut impl FnMut(StoredCall<'_>),
    ) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT a.answered_at, a.life, ifnull(f.request, l.settings),
                     iif(f.answer IS NULL, a.metadata, ''), {USAGE}, f.cost, f.cost_most, a.id, f.place
                   FROM answers a JOIN lives l ON l.id = a.life
                   LEFT JOIN answer_facts f ON f.answer = a.id WHERE a.id < ?1"
        );
        let mut statement = self.reader.connection.prepare(&sql)?;
        let mut rows = statement.query([facts_from])?;
        while let Some(row) = rows.next()? {
            let (tokens, said) = match text(row, 3)? {
                "" => (usage(row, 4)?, row.get(10)?),
                json => {
                    let known: Metadata = serde_json::from_str(json).unwrap_or_default();
                    let tokens = Usage {
                        input: known.input_tokens,
                        cached: known.cached_tokens,
                        output: known.output_tokens,
                        reasoning: known.reasoning_tokens,
                        ..Usage::default()
                    };
                    (tokens, known.cost)
                }
            };
            each(StoredCall {
                at: row.get(0)?,
                session: row.get(1)?,
                request: row.get(2)?,
                tokens,
                said,
                most: amount(row, 11)?,
                model: None,
                failed: None,
                later_try_of: None,
                answer: Some(row.get(12)?),
                place: row.get(13)?,
            });
        }
        Ok(())
    }

    /// Shows every ask of a run of dset that failed; `answered` is what is known of those of which the question has
    /// an answer now: its settings, by the key.
    pub(super) fn for_each_failed_call(
        &self,
        answered: &HashMap<[u8; 16], i64>,
        each: &mut impl FnMut(&StoredCall<'_>),
    ) -> Result<(), StoreError> {
        // With which settings a failed ask went out is known by its answer, or where its run had one
        // model.
        let sql = "SELECT t.at, t.life, iif(s.together, NULL, l.settings),
                     t.cause, t.status, t.body IS NOT NULL, t.input_tokens, t.output_tokens, t.key,
                     t.cached_tokens, t.cost, t.cost_most, t.model, t.place,
                     t.written_tokens, t.written_1h_tokens
                   FROM attempts t JOIN lives l ON l.id = t.life
                   LEFT JOIN settings s ON s.id = l.settings";
        let mut statement = self.reader.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (input, output, cached) = (count(row, 6)?, count(row, 7)?, count(row, 9)?);
            let (written, written_1h) = (count(row, 14)?, count(row, 15)?);
            let tokens = Usage { input, output, cached, written, written_1h, reasoning: None };
            let said: Option<f64> = row.get(10)?;
            let settings = answered.get(&row.get::<_, [u8; 16]>(8)?).copied();
            let model = row.get_ref(12)?.as_str_or_null().map_err(rusqlite::Error::from)?;
            let failed = FailedCall {
                cause: text(row, 3)?,
                status: row.get(4)?,
                has_reply: row.get(5)?,
                is_counted: tokens.input.is_some() || tokens.output.is_some() || said.is_some(),
                is_answered: settings.is_some(),
            };
            each(&StoredCall {
                at: row.get(0)?,
                session: row.get(1)?,
                request: settings.or(row.get(2)?),
                tokens,
                said,
                most: amount(row, 11)?,
                model,
                failed: Some(failed),
                later_try_of: None,
                answer: None,
                place: row.get(13)?,
            });
        }
        Ok(())
    }

    /// Returns the settings that answers were bought with for which asks had failed, by their keys.
    fn answered_with(&self) -> Result<HashMap<[u8; 16], i64>, StoreError> {
        let connection = &self.reader.connection;
        let mut failed = connection.prepare("SELECT DISTINCT key FROM attempts")?;
        let failed = failed.query_map([], |row| row.get(0))?;
        let failed: HashSet<[u8; 16]> = failed.collect::<Result<_, _>>()?;
        let mut answered = HashMap::new();
        if failed.is_empty() {
            return Ok(answered);
        }
        let mut statement = connection.prepare("SELECT key, settings FROM keys")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let key = row.get(0)?;
            if failed.contains(&key) {
                answered.insert(key, row.get(1)?);
            }
        }
        Ok(answered)
    }

    /// Returns every run.
    pub(crate) fn sessions(&self) -> Result<Vec<StoredSession>, StoreError> {
        let sql = "SELECT id, endpoint, settings, places FROM lives";
        let mut statement = self.reader.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            let places: Option<String> = row.get(3)?;
            let places = places.and_then(|places| serde_json::from_str(&places).ok());
            let (id, endpoint, request) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(StoredSession { id, endpoint, request, places: places.unwrap_or_default() })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns the text of all settings by their number.
    pub(crate) fn settings_texts(&self) -> Result<Vec<(i64, String)>, StoreError> {
        let mut statement = self.reader.connection.prepare("SELECT id, text FROM settings")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Write;

    #[test]
    fn calls_are_read_beside_the_texts_and_those_of_earlier_versions_with_them() {
        let folder = tempfile::tempdir().unwrap();
        let (mut store, _) = Store::open(folder.path()).unwrap();
        let life = store.begin_life(1, 1, "http://a", &[]).unwrap();
        for key in 1..=4 {
            let line = serde_json::json!({
                "key": vec![key; 16], "question_hash": vec![key; 16], "settings": 1, "edition": 0,
                "life": (key != 2).then_some(life), "row": key, "answered_at": key, "question": "q",
                "reasoning": "", "answer": "a", "metadata": {"output_tokens": 10 * key},
                "try_number": 1, "is_known": false,
            });
            let new = serde_json::from_value(line).unwrap();
            store.commit(&[Write::Answered(Box::new(new))]).unwrap();
        }
        let calls = |store: &Store| {
            let mut calls = Vec::new();
            let each = |call: &StoredCall<'_>| {
                calls.push((call.at, call.session, call.answer, call.tokens.output));
            };
            store.for_each_call(each).unwrap();
            calls
        };
        let of = |id: i64| (id, life, Some(id), Some(10 * id as u64));
        let expected = [1, 3, 4].map(of);
        assert_eq!(calls(&store), expected);
        // The first two as an earlier version left them, and nothing is read of the others but their facts.
        let before = "UPDATE answer_facts SET answered_at = NULL, life = NULL WHERE answer <= 2;
                      UPDATE answers SET answered_at = 77, life = 77 WHERE id > 2;
                      UPDATE meta SET value = 3 WHERE name = 'facts_from';";
        store.connection().execute_batch(before).unwrap();
        assert_eq!(calls(&store), expected);
    }
}
