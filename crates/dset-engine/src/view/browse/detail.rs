//! One question with everything that is known of it.

use serde_json::{Value, json};

use super::columns::{Record, State};
use super::requests::RowOfInput;
use super::{BrowseError, Browser, Filter};
use crate::store::{AttemptOfQuestion, AttemptSummary, Store};
use crate::view::browse::load::{Loaded, beginning};
use crate::view::show::{ShownQuestion, ShownSlot, ShownTry, SlotOutcome, object, tries};
use dset_core::plan::AnswerId;
use dset_core::plan::ledger::Fault;

/// Characters of a text that are sent with a question; the whole of it is a call of its own.
pub(super) const TEXT_CHARS_MAX: usize = 1_000_000;

/// One question, as `dset show --json` says it, with what a viewer needs beside it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Detail {
    /// The question, with `answer` (the number in the store), `rating` and `note` at each of its
    /// answers.
    pub question: Value,
    /// What the last run sends for it: `system`, `turns` and the row's own `params`; absent where the input is
    /// no longer what was asked. An answer to something else has it in a `request` of its own, null where that
    /// cannot be made any more.
    pub request: Option<Value>,
    /// The asks that failed, oldest first.
    pub attempts: Vec<Value>,
    /// The question before this among those that the filter lets through.
    pub previous: Option<u64>,
    /// The one behind.
    pub next: Option<u64>,
    /// Its place among them, from 1; absent where the filter leaves it out.
    pub place: Option<u64>,
    /// Records that the filter lets through.
    pub count: u64,
    /// Changes with whatever is shown.
    pub revision: u64,
}

/// Tells whether an ask of its question was for a record.
fn is_for(record: &Record, ask: &AttemptOfQuestion) -> bool {
    record.key == beginning(&ask.key)
}

/// Sums up the failed asks for a record that ended for a cause; those under other settings, where it ended
/// before these were decided.
fn tried(record: &Record, cause: &str, attempts: &[AttemptOfQuestion]) -> Option<AttemptSummary> {
    let own = AttemptSummary::of(attempts.iter().filter(|one| is_for(record, one)));
    own.or_else(|| {
        let fits = |one: &&AttemptOfQuestion| !cause.is_empty() && one.attempt.cause == cause;
        let last = attempts.iter().rev().find(fits)?;
        AttemptSummary::of(attempts.iter().filter(|one| one.key == last.key))
    })
}

/// Returns the first place of a row in an order of records, and the rows before and behind it. A row
/// stands where the first of its records does, so that no way goes in a circle.
fn way(
    order: &[u32],
    row: u32,
    rows: usize,
    row_of: impl Fn(u32) -> u32,
) -> (Option<usize>, Option<u32>, Option<u32>) {
    let mut passed = vec![false; rows];
    let (mut place, mut previous) = (None, None);
    for (at, seen) in order.iter().map(|record| row_of(*record)).enumerate() {
        if std::mem::replace(&mut passed[seen as usize], true) {
            continue;
        }
        match place {
            Some(_) => return (place, previous, Some(seen)),
            None if seen == row => place = Some(at),
            None => previous = Some(seen),
        }
    }
    (place, previous.filter(|_| place.is_some()), None)
}

impl Browser {
    /// Returns the question of this number, from 1.
    pub fn detail(&self, number: u64, filter: &Filter) -> Result<Detail, BrowseError> {
        self.with(|store, loaded| {
            let row = u32::try_from(number).ok().and_then(|number| number.checked_sub(1));
            let row = row.filter(|row| (*row as usize) < loaded.columns.row_numbers.len());
            let row = row.ok_or(BrowseError::NoSuch)?;
            let records = &loaded.columns.records;
            let order = self.order(store, loaded, filter)?;
            let (place, previous, next) =
                way(&order, row, loaded.columns.row_numbers.len(), |at| records[at as usize].row);
            let attempts = store.attempts_of_question(loaded.columns.questions[row as usize])?;
            let mut question = self.question(store, loaded, row, &attempts)?;
            let request = add_requests(loaded, row, &mut question);
            let columns = &loaded.columns;
            let of_row = &records[columns.of_row(row)];
            let attempts = attempts.iter().map(|one| {
                let mut object = object::attempt(&one.attempt);
                object["id"] = json!(one.id);
                object["has_reply"] = json!(one.has_reply);
                let of = of_row.iter().find(|record| is_for(record, one));
                object["model"] = json!(of.and_then(|of| columns.models.name(of.model)));
                object["sample"] = json!(of.map(|of| of.sample));
                object
            });
            Ok(Detail {
                question,
                request,
                attempts: attempts.collect(),
                previous: previous.map(|row| u64::from(row) + 1),
                next: next.map(|row| u64::from(row) + 1),
                place: place.map(|place| place as u64 + 1),
                count: order.len() as u64,
                revision: loaded.revision,
            })
        })
    }

    fn question(
        &self,
        store: &Store,
        loaded: &Loaded,
        row: u32,
        attempts: &[AttemptOfQuestion],
    ) -> Result<Value, BrowseError> {
        let columns = &loaded.columns;
        let number: u64 = columns.row_numbers[row as usize].into();
        let mut question = ShownQuestion {
            place: Some((u64::from(row) + 1, number)),
            text: String::new(),
            entries: Vec::new(),
        };
        for place in columns.of_row(row) {
            let record = &columns.records[place];
            let cause = columns.causes.name(record.cause).unwrap_or_default().to_owned();
            let tried = tried(record, &cause, attempts);
            let outcome = match record.state {
                State::Answered => {
                    let answer = store.as_reader().row_at(record.answer.into(), Some(number))?;
                    question.text.clone_from(&answer.question);
                    SlotOutcome::Answered(Box::new(answer))
                }
                State::Presumed => SlotOutcome::Presumed,
                State::Rejected => {
                    SlotOutcome::Failed { end: Some((Fault::Rejected, cause)), tried }
                }
                State::GaveUp if cause.is_empty() => SlotOutcome::Failed { end: None, tried },
                State::GaveUp => SlotOutcome::Failed { end: Some((Fault::GaveUp, cause)), tried },
                State::Pending | State::LeftOut => SlotOutcome::Pending { tried },
            };
            let model = columns.models.name(record.model).map(str::to_owned);
            let sample = record.sample.into();
            let tries = of_record(store, loaded, place as u32, record)?;
            question.entries.push(ShownSlot { model, sample, outcome, tries });
        }
        if question.text.is_empty() {
            question.text = loaded.open.get(row)?.unwrap_or_default();
        }
        let mut object = object::question(&question);
        let answers = object["answers"].as_array_mut().into_iter().flatten();
        for (record, answer) in columns.records[columns.of_row(row)].iter().zip(answers) {
            if record.state == State::LeftOut {
                answer["state"] = json!(record.state);
            }
            if record.answer > 0 {
                let review = match record.rating > 0 || record.has_note {
                    true => self.review_of(store, record.answer.into())?,
                    false => crate::store::Review::default(),
                };
                answer["id"] = json!(record.answer);
                answer["cost"] = json!(Some(record.numbers.cost).filter(|cost| !cost.is_nan()));
                answer["rating"] = json!(review.rating);
                answer["note"] = json!(review.note);
                for text in ["answer", "reasoning"] {
                    shorten(answer, text);
                }
            }
        }
        Ok(object)
    }

    /// Returns a whole answer, and its reasoning.
    pub fn texts(&self, answer: i64) -> Result<(String, String), BrowseError> {
        self.with(|store, loaded| {
            if answer < 1 || answer > loaded.pulse.answers {
                return Err(BrowseError::NoSuch);
            }
            let row = store.as_reader().row(answer)?;
            Ok((row.answer, row.reasoning))
        })
    }

    /// Returns the reply that was kept of a failed ask.
    pub fn reply(&self, attempt: i64) -> Result<Vec<u8>, BrowseError> {
        self.with(|store, _| store.reply_of(attempt)?.ok_or(BrowseError::NoSuch))
    }
}

/// Returns the answers to a wanted one, where checks say something of them.
fn of_record(
    store: &Store,
    loaded: &Loaded,
    place: u32,
    record: &Record,
) -> Result<Vec<ShownTry>, BrowseError> {
    let accepted = (record.answer > 0).then(|| i64::from(record.answer));
    let last = loaded.not_accepted.get(&place).copied();
    let of = match (accepted, last) {
        (None, None) => return Ok(Vec::new()),
        (Some(_), _) if !loaded.has_checks => return Ok(Vec::new()),
        (accepted, last) => accepted.or(last),
    };
    let Some((key, row)) = of.map(|of| store.key_of(of)).transpose()?.flatten() else {
        return Ok(Vec::new());
    };
    Ok(tries(store, &key, row, accepted)?)
}

/// Says at each answer what was sent for it where that is not what the last run sends, which is returned.
fn add_requests(loaded: &Loaded, row: u32, question: &mut Value) -> Option<Value> {
    let columns = &loaded.columns;
    let records = &columns.records[columns.of_row(row)];
    let answers: Vec<AnswerId> = records.iter().map(|record| record.answer.into()).collect();
    let number = columns.row_numbers[row as usize].into();
    let text = question["text"].as_str().unwrap_or_default();
    let sent = loaded.sent.of(RowOfInput { row, number, question: text.trim() }, &answers)?;
    for (id, answer) in answers.iter().zip(question["answers"].as_array_mut()?) {
        if let Some(other) = sent.others.get(id) {
            answer["request"] = json!(other);
        }
    }
    Some(sent.now)
}

/// Cuts a text that no page shows whole, and says how long it was.
fn shorten(answer: &mut Value, text: &str) {
    let Some(whole) = answer[text].as_str().filter(|whole| whole.len() > TEXT_CHARS_MAX) else {
        return;
    };
    let (cut, length): (String, usize) =
        (whole.chars().take(TEXT_CHARS_MAX).collect(), whole.chars().count());
    answer[format!("{text}_length")] = json!(length);
    answer[text] = json!(cut);
}

#[cfg(test)]
mod tests {
    use super::way;

    #[test]
    fn a_row_stands_where_its_first_record_does() {
        let order = [2, 0, 2, 1, 0, 3];
        let way = |row| way(&order, row, 4, |record| record);
        assert_eq!(way(2), (Some(0), None, Some(0)));
        assert_eq!(way(0), (Some(1), Some(2), Some(1)));
        assert_eq!(way(1), (Some(3), Some(0), Some(3)));
        assert_eq!(way(3), (Some(5), Some(1), None));
        assert_eq!(way(9), (None, None, None));
    }
}
