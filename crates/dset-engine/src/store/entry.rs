//! What is remembered of asks, as it is stored and as lines of the rescue file.

use std::sync::Arc;

use dset_core::answer::row::{Metadata, Row};
use dset_core::answer::{Cause, Usage, ValueReading};
use dset_core::money::Amount;
use dset_core::plan::AnswerId;
use dset_core::run::JournalRecord;
use serde::{Deserialize, Serialize};

use super::rescue::Origin;
use super::roles::Write;
use super::sqlite::NewVerdicts;
use super::writer::WriterSettings;

/// Something that was paid for, or who paid for what follows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    Run(Box<Origin>),
    Answer(Box<NewAnswer>),
    Attempt(NewAttempt),
    Ended(NewEnded),
}

impl Entry {
    /// Takes what was paid for of a record: an answer, a reply that was refused (`body`), and that
    /// a question is not to be asked again because its answer was cut.
    pub(super) fn from_record(
        record: &JournalRecord,
        body: Option<&[u8]>,
        run: &WriterSettings,
    ) -> Option<Entry> {
        match record {
            JournalRecord::Answered { .. } | JournalRecord::AnswerCame { .. } => {
                NewAnswer::from_answered(record, run).map(|new| Entry::Answer(Box::new(new)))
            }
            JournalRecord::Failed { .. } => {
                NewAttempt::of(record, Some(body?), run).map(Entry::Attempt)
            }
            JournalRecord::Ended { .. } => NewEnded::from_ended(record, run)
                .filter(|ended| Cause::from_code(&ended.cause).is_some_and(Cause::is_cut))
                .map(Entry::Ended),
            JournalRecord::RowMarked { .. } | JournalRecord::BoundDeclared { .. } => None,
        }
    }
}

/// Tokens of an input that were written into the provider's cache, and those of them that are kept for an hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Written {
    pub(super) all: Option<i64>,
    pub(super) hour: Option<i64>,
}

impl Written {
    fn of(usage: &Usage) -> Written {
        Written { all: number(usage.written), hour: number(usage.written_1h) }
    }

    fn is_unknown(&self) -> bool {
        *self == Written::default()
    }
}

/// An answer as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct NewAnswer {
    pub(super) key: [u8; 16],
    pub(super) question_hash: [u8; 16],
    /// What its ending without an answer is remembered by, where that is not the question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ending: Option<[u8; 16]>,
    /// Answers to its row are still lacking.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) row_lacks: bool,
    #[serde(default, skip_serializing_if = "is_first")]
    pub(super) sample: u32,
    pub(super) settings: i64,
    #[serde(rename = "edition")]
    pub(super) generation: u32,
    /// Absent where no run of ours asked for it.
    pub(super) life: Option<i64>,
    pub(super) row: Option<u64>,
    pub(super) answered_at: i64,
    pub(super) question: String,
    pub(super) reasoning: String,
    pub(super) answer: String,
    pub(super) metadata: Metadata,
    /// How its value is read.
    #[serde(skip)]
    pub(super) reading: Option<ValueReading>,
    /// Which answer under its key it is, from 1.
    #[serde(default = "first", skip_serializing_if = "is_first_try")]
    pub(super) try_number: u32,
    /// What is thought of it; absent where nothing is asked of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) verdicts: Option<NewVerdicts>,
    /// What it cost at most where it was not counted, in millionths of a millionth of a dollar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cost_most: Option<i64>,
    /// Which place of its run it came from; absent in answers of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) place: Option<u32>,
    /// Tokens that were written into the provider's cache, and those of them that are kept for an hour.
    #[serde(default, skip_serializing_if = "Written::is_unknown")]
    pub(super) written: Written,
    /// It was recorded when it came, and what is thought of it is added.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_known: bool,
    /// Answers that count no more with it, by their numbers in this store.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) sets_aside: Vec<AnswerId>,
    /// Answers that count no more once it is accepted, which programs have to say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) replaces: Vec<AnswerId>,
}

impl NewAnswer {
    /// Takes an answer of this run; `None` where the record says something else.
    pub(super) fn from_answered(record: &JournalRecord, run: &WriterSettings) -> Option<NewAnswer> {
        let (JournalRecord::Answered {
            question,
            attempts,
            sent_at,
            at,
            answer,
            cost_most,
            place,
            ..
        }
        | JournalRecord::AnswerCame {
            question,
            attempts,
            sent_at,
            at,
            answer,
            cost_most,
            place,
            ..
        }) = record
        else {
            return None;
        };
        let (is_known, is_accepted, completes_row, verdicts) = match record {
            JournalRecord::Answered { is_known, is_accepted, completes_row, verdicts, .. } => {
                (*is_known, *is_accepted, *completes_row, verdicts.as_deref())
            }
            JournalRecord::AnswerCame { verdicts, .. } => (false, false, false, Some(&**verdicts)),
            _ => return None,
        };
        let sets_aside = run.replaced.by(question.index, is_accepted);
        let replaces = match record {
            JournalRecord::AnswerCame { .. } if sets_aside.is_empty() => {
                run.replaced.by(question.index, true)
            }
            _ => Vec::new(),
        };
        let seconds = at.since(*sent_at).as_secs_f64();
        let question_hash = question.id.hash();
        let mut metadata = Metadata::new(answer, question.row_number, *attempts, seconds);
        if run.models.len() > 1 {
            let asked = &run.models[usize::from(question.model)];
            metadata.model.get_or_insert_with(|| asked.clone());
        }
        let asked_for = run.asked_for[usize::from(question.model)];
        metadata.asked_for = asked_for;
        metadata.id = question.name.as_deref().map(str::to_owned);
        let try_number = question.try_number();
        metadata.tries = Some(try_number).filter(|number| *number > 1);
        let verdicts = verdicts.map(|verdicts| NewVerdicts {
            acceptance: run.acceptance,
            list: (!verdicts.are_passed()).then(|| verdicts.list.clone()),
        });
        metadata.sample = (run.samples > 1).then_some(question.sample);
        Some(NewAnswer {
            key: question.key.0,
            question_hash,
            ending: Some(question.failure_key).filter(|ending| *ending != question_hash),
            row_lacks: !completes_row,
            sample: question.sample,
            settings: run.settings[usize::from(question.model)],
            generation: run.generation,
            life: Some(run.session),
            row: Some(question.row_number),
            answered_at: at.unix_ms,
            question: question.text.to_string(),
            reasoning: answer.reasoning.clone(),
            answer: answer.content.clone(),
            metadata,
            reading: run
                .schema
                .as_ref()
                .zip(asked_for)
                .map(|(schema, asked)| ValueReading::new(Arc::clone(schema), asked.restore)),
            try_number,
            verdicts,
            cost_most: cost_most.map(picodollars),
            place: u32::try_from(*place).ok(),
            written: Written::of(&answer.usage),
            is_known,
            sets_aside,
            replaces,
        })
    }

    /// Returns what its ending without an answer is remembered by.
    pub(super) fn failure_key(&self) -> [u8; 16] {
        self.ending.unwrap_or(self.question_hash)
    }

    /// Returns what is to be forgotten now that there is an answer: that it once ended without one
    /// and, once its row has every answer, the wish for a mark.
    pub(super) fn forgets(&self) -> impl Iterator<Item = Write> + use<> {
        let ended = Write::NotEnded { question: self.failure_key(), generation: self.generation };
        let mark = (!self.row_lacks).then_some(Write::Marked(self.question_hash));
        std::iter::once(ended).chain(mark)
    }

    /// A row of an output, of which nothing else is known, as an answer to this question under this
    /// key.
    pub(crate) fn taken_over(
        row: Row,
        key: [u8; 16],
        question_hash: [u8; 16],
        generation: u32,
    ) -> NewAnswer {
        NewAnswer {
            key,
            question_hash,
            ending: None,
            row_lacks: false,
            sample: row.metadata.sample.unwrap_or(0),
            settings: 0,
            generation,
            life: None,
            row: row.metadata.row.filter(|row| i64::try_from(*row).is_ok()),
            answered_at: row.answered_at,
            question: row.question,
            reasoning: row.reasoning,
            answer: row.answer,
            metadata: row.metadata,
            reading: None,
            try_number: 1,
            verdicts: None,
            cost_most: None,
            place: None,
            written: Written::default(),
            is_known: false,
            sets_aside: Vec::new(),
            replaces: Vec::new(),
        }
    }

    pub(super) fn into_row(self) -> Row {
        Row {
            answered_at: self.answered_at,
            question: self.question,
            reasoning: self.reasoning,
            answer: self.answer,
            metadata: self.metadata,
            reading: self.reading,
        }
    }
}

/// An ask that failed, as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct NewAttempt {
    pub(super) life: i64,
    pub(super) at: i64,
    pub(super) row: u64,
    pub(super) question: [u8; 16],
    pub(super) key: [u8; 16],
    pub(super) attempt: u32,
    pub(super) seconds: f64,
    pub(super) cause: String,
    pub(super) status: Option<u16>,
    pub(super) message: String,
    pub(super) request_id: Option<String>,
    pub(super) input_tokens: Option<i64>,
    pub(super) output_tokens: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cached_tokens: Option<i64>,
    /// What the service says that it cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cost: Option<f64>,
    /// What it cost at most where a reply came that was not counted, in millionths of a millionth of a dollar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cost_most: Option<i64>,
    /// The model that was asked, by its name on the wire; absent in asks of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<String>,
    /// Which place of its run was asked; absent in asks of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) place: Option<u32>,
    /// Tokens that were written into the provider's cache.
    #[serde(default, skip_serializing_if = "Written::is_unknown")]
    pub(super) written: Written,
    /// The reply, where it may have been paid for.
    pub(super) body: Option<Vec<u8>>,
}

impl NewAttempt {
    /// Takes a failure of this run; `None` where the record says something else.
    pub(super) fn of(
        record: &JournalRecord,
        body: Option<&[u8]>,
        run: &WriterSettings,
    ) -> Option<NewAttempt> {
        let JournalRecord::Failed {
            question, attempt, sent_at, at, failure, cost_most, place, ..
        } = record
        else {
            return None;
        };
        let usage = failure.partial.as_ref().map(|partial| partial.usage).unwrap_or_default();
        Some(NewAttempt {
            life: run.session,
            at: at.unix_ms,
            row: question.row_number,
            question: question.id.hash(),
            key: question.key.0,
            attempt: *attempt,
            seconds: at.since(*sent_at).as_secs_f64(),
            cause: failure.cause.code().to_owned(),
            status: failure.status,
            message: failure.message.clone(),
            request_id: failure.request_id.clone(),
            input_tokens: number(usage.input),
            output_tokens: number(usage.output),
            cached_tokens: number(usage.cached),
            cost: failure.partial.as_ref().and_then(|partial| partial.cost),
            cost_most: cost_most.map(picodollars),
            model: run.models.get(usize::from(question.model)).cloned(),
            place: u32::try_from(*place).ok(),
            written: Written::of(&usage),
            body: body.map(<[u8]>::to_vec),
        })
    }
}

/// A question that ended without an answer, as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct NewEnded {
    pub(super) question: [u8; 16],
    #[serde(rename = "edition")]
    pub(super) generation: u32,
    pub(super) row: u64,
    pub(super) fault: String,
    pub(super) cause: String,
    pub(super) at: i64,
    pub(super) max_tokens: Option<i64>,
    pub(super) cut_at_tokens: Option<i64>,
}

impl NewEnded {
    /// Takes an ending of this run; `None` where the record says something else.
    pub(super) fn from_ended(record: &JournalRecord, run: &WriterSettings) -> Option<NewEnded> {
        let JournalRecord::Ended { question, fault, cause, at, cut_at_tokens } = record else {
            return None;
        };
        Some(NewEnded {
            question: question.failure_key,
            generation: run.generation,
            row: question.row_number,
            fault: fault.code().to_owned(),
            cause: cause.code().to_owned(),
            at: at.unix_ms,
            max_tokens: number(run.max_tokens),
            cut_at_tokens: number(*cut_at_tokens),
        })
    }
}

const fn first() -> u32 {
    1
}

fn is_first_try(number: &u32) -> bool {
    *number == 1
}

fn is_first(sample: &u32) -> bool {
    *sample == 0
}

/// Returns an amount as it is stored: a limit is at most a million dollars, of which 64 bits hold nine.
pub(super) fn picodollars(amount: Amount) -> i64 {
    i64::try_from(amount.picodollars()).unwrap_or(i64::MAX)
}

fn number(count: Option<u64>) -> Option<i64> {
    count.and_then(|count| i64::try_from(count).ok())
}

#[cfg(test)]
impl NewAttempt {
    /// An ask of the question and key of this byte that timed out.
    pub(super) fn timed_out(life: i64, key: u8) -> NewAttempt {
        NewAttempt {
            life,
            at: 9,
            row: 2,
            question: [key; 16],
            key: [key; 16],
            attempt: 1,
            seconds: 0.5,
            cause: "timed out".into(),
            status: Some(500),
            message: "no".into(),
            request_id: None,
            input_tokens: Some(1),
            output_tokens: None,
            cached_tokens: None,
            cost: None,
            cost_most: None,
            model: None,
            place: None,
            written: Written::default(),
            body: None,
        }
    }
}
