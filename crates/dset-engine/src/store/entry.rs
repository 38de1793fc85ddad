//! What the store remembers of asks, as rows of its tables and as lines of the rescue file.

use dset_core::machine::Record;
use dset_core::outcome::Fault;
use dset_core::plan::AnswerId;
use dset_core::row::{Metadata, Row};
use rusqlite::{OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};

use super::WriterSettings;

/// The causes of a question whose answer was cut, in `ended`: by the token limit, or before it.
const CUT: [&str; 2] = ["length limit", "repeats itself"];

/// Something that was paid for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    Answer(NewAnswer),
    Attempt(NewAttempt),
    Ended(NewEnded),
}

impl Entry {
    /// Takes what was paid for of a record: an answer, a reply that was refused (`body`), and that a
    /// question is not to be asked again because its answer was cut.
    pub(super) fn of(record: &Record, body: Option<&[u8]>, run: &WriterSettings) -> Option<Entry> {
        match record {
            Record::Answered { .. } => NewAnswer::of(record, run).map(Entry::Answer),
            Record::Failed { .. } => NewAttempt::of(record, Some(body?), run).map(Entry::Attempt),
            Record::Ended { .. } => NewEnded::of(record, run)
                .filter(|ended| CUT.contains(&&*ended.cause))
                .map(Entry::Ended),
            Record::Bookmarked { .. } => None,
        }
    }
}

/// An answer as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct NewAnswer {
    key: [u8; 16],
    pub(super) question_hash: [u8; 16],
    /// What its ending without an answer is remembered by, where that is not the question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ending: Option<[u8; 16]>,
    /// Answers to its row are still lacking.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) row_lacks: bool,
    #[serde(default, skip_serializing_if = "is_first")]
    sample: u32,
    settings: i64,
    edition: u32,
    life: i64,
    row: u64,
    answered_at: i64,
    question: String,
    reasoning: String,
    answer: String,
    metadata: Metadata,
}

impl NewAnswer {
    /// Takes an answer of this run; `None` where the record says something else.
    pub(super) fn of(record: &Record, run: &WriterSettings) -> Option<NewAnswer> {
        let Record::Answered { question, attempts, sent_at, at, answer, completes_row, .. } =
            record
        else {
            return None;
        };
        let seconds = at.since(*sent_at).as_secs_f64();
        let question_hash = question.id.hash();
        let mut metadata = Metadata::of(answer, question.row_number, *attempts, seconds);
        if run.models.len() > 1 {
            let asked = &run.models[usize::from(question.model)];
            metadata.model.get_or_insert_with(|| asked.clone());
        }
        metadata.sample = (run.samples > 1).then_some(question.sample);
        Some(NewAnswer {
            key: question.key.0,
            question_hash,
            ending: Some(question.ending).filter(|ending| *ending != question_hash),
            row_lacks: !completes_row,
            sample: question.sample,
            settings: run.settings[usize::from(question.model)],
            edition: run.edition,
            life: run.life,
            row: question.row_number,
            answered_at: at.unix_ms,
            question: question.text.to_string(),
            reasoning: answer.reasoning.clone(),
            answer: answer.content.clone(),
            metadata,
        })
    }

    /// Returns what its ending without an answer is remembered by.
    pub(super) fn ending(&self) -> [u8; 16] {
        self.ending.unwrap_or(self.question_hash)
    }

    /// Forgets that it once ended without an answer and, once its row has every answer, the wish for
    /// a mark.
    pub(super) fn forget_failure(&self, to: &Transaction<'_>) -> rusqlite::Result<()> {
        to.prepare_cached("DELETE FROM ended WHERE question = ?1 AND edition = ?2")?
            .execute(params![&self.ending()[..], self.edition])?;
        if !self.row_lacks {
            to.prepare_cached("DELETE FROM marks WHERE question = ?1")?
                .execute([&self.question_hash[..]])?;
        }
        Ok(())
    }

    /// Inserts it, and returns its id; `None` where an answer with its key is there already.
    pub(super) fn insert(&self, to: &Transaction<'_>) -> rusqlite::Result<Option<AnswerId>> {
        let known = to
            .prepare_cached("SELECT 1 FROM answer_keys WHERE key = ?1")?
            .query_row([&self.key[..]], |_| Ok(()))
            .optional()?;
        if known.is_some() {
            return Ok(None);
        }
        let metadata = serde_json::to_string(&self.metadata).expect("metadata is plain values");
        to.prepare_cached(
            "INSERT INTO answers (life, row, answered_at, question, reasoning, answer, metadata)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            self.life,
            self.row as i64,
            self.answered_at,
            self.question,
            self.reasoning,
            self.answer,
            metadata
        ])?;
        let id = to.last_insert_rowid();
        to.prepare_cached(
            "INSERT INTO answer_keys (key, question, settings, edition, sample, answer)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            &self.key[..],
            &self.question_hash[..],
            self.settings,
            self.edition,
            self.sample,
            id
        ])?;
        Ok(Some(id))
    }

    pub(super) fn into_row(self) -> Row {
        Row {
            answered_at: self.answered_at,
            question: self.question,
            reasoning: self.reasoning,
            answer: self.answer,
            metadata: self.metadata,
        }
    }
}

/// An ask that failed, as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct NewAttempt {
    life: i64,
    at: i64,
    row: u64,
    question: [u8; 16],
    key: [u8; 16],
    attempt: u32,
    seconds: f64,
    cause: String,
    status: Option<u16>,
    message: String,
    request_id: Option<String>,
    input_tokens: Option<i64>,
    output_tokens: Option<i64>,
    /// The reply, where it may have been paid for.
    body: Option<Vec<u8>>,
}

impl NewAttempt {
    /// Takes a failure of this run; `None` where the record says something else.
    pub(super) fn of(
        record: &Record,
        body: Option<&[u8]>,
        run: &WriterSettings,
    ) -> Option<NewAttempt> {
        let Record::Failed { question, attempt, sent_at, at, failure, .. } = record else {
            return None;
        };
        let usage = failure.partial.as_ref().map(|partial| partial.usage).unwrap_or_default();
        Some(NewAttempt {
            life: run.life,
            at: at.unix_ms,
            row: question.row_number,
            question: question.id.hash(),
            key: question.key.0,
            attempt: *attempt,
            seconds: at.since(*sent_at).as_secs_f64(),
            cause: failure.cause.to_owned(),
            status: failure.status,
            message: failure.message.clone(),
            request_id: failure.request_id.clone(),
            input_tokens: number(usage.input),
            output_tokens: number(usage.output),
            body: body.map(<[u8]>::to_vec),
        })
    }

    pub(super) fn insert(&self, to: &Transaction<'_>) -> rusqlite::Result<()> {
        let body = self.body.as_deref().and_then(|body| zstd::encode_all(body, 3).ok());
        to.prepare_cached(
            "INSERT INTO attempts (life, at, row, question, key, attempt, seconds, cause, status,
             message, request_id, input_tokens, output_tokens, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?
        .execute(params![
            self.life,
            self.at,
            self.row as i64,
            &self.question[..],
            &self.key[..],
            self.attempt,
            self.seconds,
            self.cause,
            self.status,
            self.message,
            self.request_id,
            self.input_tokens,
            self.output_tokens,
            body
        ])?;
        Ok(())
    }
}

/// A question that ended without an answer, as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct NewEnded {
    question: [u8; 16],
    edition: u32,
    row: u64,
    fault: String,
    cause: String,
    at: i64,
    max_tokens: Option<i64>,
    cut_at_tokens: Option<i64>,
}

impl NewEnded {
    /// Takes an ending of this run; `None` where the record says something else.
    pub(super) fn of(record: &Record, run: &WriterSettings) -> Option<NewEnded> {
        let Record::Ended { question, fault, cause, at, cut_at_tokens } = record else {
            return None;
        };
        let fault = match fault {
            Fault::Rejected => "rejected",
            Fault::GaveUp => "gave up",
        };
        Some(NewEnded {
            question: question.ending,
            edition: run.edition,
            row: question.row_number,
            fault: fault.to_owned(),
            cause: (*cause).to_owned(),
            at: at.unix_ms,
            max_tokens: number(run.max_tokens),
            cut_at_tokens: number(*cut_at_tokens),
        })
    }

    pub(super) fn insert(&self, to: &Transaction<'_>) -> rusqlite::Result<()> {
        to.prepare_cached(
            "INSERT OR REPLACE INTO ended
             (question, edition, row, fault, cause, at, max_tokens, cut_at_tokens)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            &self.question[..],
            self.edition,
            self.row as i64,
            self.fault,
            self.cause,
            self.at,
            self.max_tokens,
            self.cut_at_tokens
        ])?;
        Ok(())
    }
}

fn is_first(sample: &u32) -> bool {
    *sample == 0
}

fn number(count: Option<u64>) -> Option<i64> {
    count.and_then(|count| i64::try_from(count).ok())
}
