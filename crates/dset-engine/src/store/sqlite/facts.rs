//! What is known of an answer beside its texts: columns in `answer_facts`, and in
//! `answers.metadata` as JSON what has no column. Version 1 kept all of it there.

use dset_core::answer::row::Metadata;
use dset_core::plan::AnswerId;
use rusqlite::{Connection, Row, params};

use crate::store::entry::Written;
use crate::store::error::StoreError;
use crate::store::sqlite::iterate::text;

/// What [`metadata`] reads, in its order, of `answers a LEFT JOIN answer_facts f ON f.answer =
/// a.id`.
pub(super) const COLUMNS: &str = "a.metadata, f.answer IS NOT NULL, a.row, f.sample, f.attempts,
    f.seconds, f.finish, f.model, f.request_id, f.input_tokens, f.cached_tokens, f.output_tokens,
    f.reasoning_tokens, f.cost";

/// Reads what is known of an answer from these columns, which begin at `from`.
pub(super) fn metadata(row: &Row<'_>, from: usize) -> Result<Metadata, StoreError> {
    // A number that fits no column stays among the rest.
    fn number(row: &Row<'_>, at: usize, rest: Option<u64>) -> rusqlite::Result<Option<u64>> {
        let stored: Option<i64> = row.get(at)?;
        Ok(rest.or(stored.and_then(|stored| u64::try_from(stored).ok())))
    }
    let json = text(row, from)?;
    let rest: Metadata = match json {
        "" => Metadata::default(),
        json => serde_json::from_str(json).unwrap_or_default(),
    };
    if !row.get::<_, bool>(from + 1)? {
        return Ok(rest);
    }
    Ok(Metadata {
        row: number(row, from + 2, rest.row)?,
        sample: row.get(from + 3)?,
        attempts: row.get(from + 4)?,
        seconds: row.get(from + 5)?,
        finish_reason: row.get(from + 6)?,
        model: row.get(from + 7)?,
        request_id: row.get(from + 8)?,
        input_tokens: number(row, from + 9, rest.input_tokens)?,
        cached_tokens: number(row, from + 10, rest.cached_tokens)?,
        output_tokens: number(row, from + 11, rest.output_tokens)?,
        reasoning_tokens: number(row, from + 12, rest.reasoning_tokens)?,
        cost: row.get(from + 13)?,
        ..rest
    })
}

/// Reads the model that says it answered, from `f.model, a.metadata`, which begin at `from`.
pub(super) fn model(row: &Row<'_>, from: usize) -> rusqlite::Result<Option<String>> {
    if let Some(model) = row.get(from)? {
        return Ok(Some(model));
    }
    let json: Option<String> = row.get(from + 1)?;
    let known = json.and_then(|json| serde_json::from_str::<Metadata>(&json).ok());
    Ok(known.and_then(|known| known.model))
}

/// What of it has no column, as JSON; nothing where everything has one.
pub(super) fn rest(known: &Metadata) -> String {
    let too_large = |number: Option<u64>| number.filter(|number| i64::try_from(*number).is_err());
    let rest = Metadata {
        row: too_large(known.row),
        model: None,
        sample: None,
        finish_reason: None,
        input_tokens: too_large(known.input_tokens),
        cached_tokens: too_large(known.cached_tokens),
        output_tokens: too_large(known.output_tokens),
        reasoning_tokens: too_large(known.reasoning_tokens),
        attempts: None,
        seconds: None,
        request_id: None,
        cost: None,
        ..known.clone()
    };
    if rest == Metadata::default() {
        return String::new();
    }
    serde_json::to_string(&rest).expect("metadata is plain values")
}

/// What is known of a call beside what rows say of it.
pub(super) struct OfCall {
    /// What it cost at most where it was not counted.
    pub(super) cost_most: Option<i64>,
    pub(super) answered_at: i64,
    /// Its run, and which of its places was asked.
    pub(super) life: Option<i64>,
    pub(super) place: Option<u32>,
    pub(super) written: Written,
}

/// Inserts what has a column.
pub(super) fn insert(
    to: &Connection,
    answer: AnswerId,
    request: i64,
    known: &Metadata,
    of_call: &OfCall,
) -> rusqlite::Result<()> {
    let number = |number: Option<u64>| number.and_then(|number| i64::try_from(number).ok());
    to.prepare_cached(
        "INSERT INTO answer_facts (answer, request, sample, attempts, seconds, finish, model,
         request_id, input_tokens, cached_tokens, output_tokens, reasoning_tokens, cost,
         cost_most, answered_at, life, place, written_tokens, written_1h_tokens)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
    )?
    .execute(params![
        answer,
        request,
        known.sample,
        known.attempts,
        known.seconds,
        known.finish_reason,
        known.model,
        known.request_id,
        number(known.input_tokens),
        number(known.cached_tokens),
        number(known.output_tokens),
        number(known.reasoning_tokens),
        known.cost,
        of_call.cost_most,
        of_call.answered_at,
        of_call.life,
        of_call.place,
        of_call.written.all,
        of_call.written.hour
    ])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Store;
    use super::*;
    use crate::store::{AnswerRef, NewAnswer, Write};

    #[test]
    fn whatever_is_known_of_an_answer_is_read_as_it_was_stored() {
        let all = Metadata {
            row: Some(7),
            id: Some("a-7".into()),
            model: Some("m".into()),
            sample: Some(0),
            finish_reason: Some("stop".into()),
            input_tokens: Some(1),
            cached_tokens: Some(0),
            output_tokens: Some(2),
            reasoning_tokens: Some(3),
            at_token_limit: Some(true),
            cost: Some(0.1 + 0.2),
            attempts: Some(1),
            tries: Some(2),
            failed_checks: Vec::new(),
            review: None,
            seconds: Some(2.0),
            request_id: Some(String::new()),
            system_fingerprint: Some("fp".into()),
            asked_for: None,
        };
        let odd = Metadata { row: Some(u64::MAX), input_tokens: Some(u64::MAX), ..all.clone() };
        for known in [Metadata::default(), all, odd] {
            let folder = tempfile::tempdir().unwrap();
            let (mut store, _) = Store::open(folder.path()).unwrap();
            let row = dset_core::answer::row::Row {
                answered_at: 1,
                question: "q".into(),
                reasoning: String::new(),
                answer: "a".into(),
                metadata: known.clone(),
                reading: None,
            };
            let new = NewAnswer::taken_over(row.clone(), [1; 16], [2; 16], 0);
            let place = Write::Placed { generation: 0, answer: AnswerRef::New(0), row: None };
            let ids = store.commit(&[Write::Answered(Box::new(new)), place]).unwrap();
            assert_eq!(store.as_reader().row(ids[0].unwrap()).unwrap(), row);
            let mut measured = Vec::new();
            store.for_each_measured(0, |one| measured.push(one.metadata)).unwrap();
            assert_eq!(measured, [known]);
        }
    }
}
