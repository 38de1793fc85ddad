//! What an output gets of an answer.

use serde::{Deserialize, Serialize};

use crate::answer::{Answer, ValueReading};
use crate::schema::dialect::{AskedFor, Restore};
use crate::structured::Parsed;

/// One row of every output.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// When the answer came, Unix milliseconds.
    pub answered_at: i64,
    /// The question as it was read, without the blanks around it.
    pub question: String,
    /// The reasoning, empty where there was none.
    pub reasoning: String,
    /// The text of the answer, without its reasoning.
    pub answer: String,
    /// What else is known of it.
    pub metadata: Metadata,
    /// How its value is read, where it was asked for under a schema.
    pub reading: Option<ValueReading>,
}

/// What somebody thinks of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// From 1, bad, to 5, good; absent where it was not rated.
    pub rating: Option<u8>,
    /// What there is to say of it; empty where there is nothing.
    #[serde(default)]
    pub note: String,
}

impl Row {
    /// Returns what is to be undone in the answer before it is held against a schema.
    #[must_use]
    pub fn restore(&self) -> Restore {
        self.metadata.asked_for.map(|asked| asked.restore).unwrap_or_default()
    }

    /// Returns the value of an answer that was asked for under a schema, where there is one.
    #[must_use]
    pub fn parsed(&self) -> Option<Parsed> {
        self.reading.as_ref()?.read(&self.answer)
    }

    /// Returns the model that answered, empty where it is not known, and which of several samples it
    /// is, from 0.
    #[must_use]
    pub fn origin(&self) -> (&str, u32) {
        let Metadata { model, sample, .. } = &self.metadata;
        (model.as_deref().unwrap_or_default(), sample.unwrap_or(0))
    }
}

/// What is known of an answer beside its texts; whatever is not known is left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// The row of the question as a spreadsheet counts it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub row: Option<u64>,
    /// The id that the input gave the question when it was answered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<String>,
    /// The model that says it answered; where it does not and several are asked, the asked one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub model: Option<String>,
    /// Which of several samples, from 0.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sample: Option<u32>,
    /// Why the model stopped, in the service's word; absent where it gave none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub finish_reason: Option<String>,
    /// Tokens sent, cached ones included.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub input_tokens: Option<u64>,
    /// Tokens sent that were cached.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cached_tokens: Option<u64>,
    /// Tokens received, reasoning included.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub output_tokens: Option<u64>,
    /// Tokens received that were reasoning.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reasoning_tokens: Option<u64>,
    /// It has exactly as many tokens as it may have, though the service says that it is whole.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub at_token_limit: Option<bool>,
    /// What the service says that the call cost.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cost: Option<f64>,
    /// How many asks the answer took.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub attempts: Option<u32>,
    /// Which answer to the question it is, from 1, where those before it were not accepted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tries: Option<u32>,
    /// The checks that it does not pass, where somebody has looked; never written with it.
    #[serde(skip)]
    pub failed_checks: Vec<String>,
    /// What somebody thinks of it, where that was looked up; never written with it.
    #[serde(skip)]
    pub review: Option<Review>,
    /// How long the last of them took.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seconds: Option<f64>,
    /// The service's own name for it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request_id: Option<String>,
    /// The service's `system_fingerprint`; absent where it sent none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub system_fingerprint: Option<String>,
    /// How it was asked for, where it has to fit a schema.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub asked_for: Option<AskedFor>,
}

impl Metadata {
    /// Collects what is known of an answer.
    #[must_use]
    pub fn new(answer: &Answer, row: u64, attempts: u32, seconds: f64) -> Metadata {
        Metadata {
            row: Some(row),
            id: None,
            model: answer.model.clone(),
            sample: None,
            finish_reason: Some(answer.finish_reason.clone()),
            input_tokens: answer.usage.input,
            cached_tokens: answer.usage.cached,
            output_tokens: answer.usage.output,
            reasoning_tokens: answer.usage.reasoning,
            at_token_limit: answer.at_token_limit.then_some(true),
            cost: answer.cost,
            attempts: Some(attempts),
            tries: None,
            failed_checks: Vec::new(),
            review: None,
            seconds: Some((seconds * 1000.0).round() / 1000.0),
            request_id: answer.request_id.clone(),
            system_fingerprint: answer.system_fingerprint.clone(),
            asked_for: None,
        }
    }
}

/// What is known of an answer as `output.json` says it: every key in every row, with a value of the
/// same kind, because loaders of datasets take the keys and kinds of the first rows for those of
/// all. 0, false and an empty text stand for what is not known.
#[derive(Debug, Serialize)]
pub struct CompleteMetadata<'a> {
    /// Row of the input file as a spreadsheet counts it, from 1.
    pub row: u64,
    /// The id of the question, where the input gives ids.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub id: &'a str,
    /// The model that answered.
    pub model: &'a str,
    /// Which sample, from 0.
    pub sample: u32,
    /// Why it stopped.
    pub finish_reason: &'a str,
    /// Tokens sent, cached ones included.
    pub input_tokens: u64,
    /// Tokens sent that were cached.
    pub cached_tokens: u64,
    /// Tokens received, reasoning included.
    pub output_tokens: u64,
    /// Tokens received that were reasoning.
    pub reasoning_tokens: u64,
    /// See [`Metadata::at_token_limit`].
    pub at_token_limit: bool,
    /// What the service says that the call cost.
    pub cost: f64,
    /// Asks that the answer took.
    pub attempts: u32,
    /// See [`Metadata::tries`].
    #[serde(skip_serializing_if = "is_one")]
    pub tries: u32,
    /// Duration of the last of them.
    pub seconds: f64,
    /// The service's name for it.
    pub request_id: &'a str,
    /// The backend's fingerprint.
    pub system_fingerprint: &'a str,
}

fn is_one(tries: &u32) -> bool {
    *tries == 1
}

impl<'a> From<&'a Metadata> for CompleteMetadata<'a> {
    fn from(metadata: &'a Metadata) -> CompleteMetadata<'a> {
        // Every field by its name: one that is added is not forgotten here.
        let Metadata {
            row,
            id,
            model,
            sample,
            finish_reason,
            input_tokens,
            cached_tokens,
            output_tokens,
            reasoning_tokens,
            at_token_limit,
            cost,
            attempts,
            tries,
            failed_checks: _,
            review: _,
            seconds,
            request_id,
            system_fingerprint,
            // For the store alone.
            asked_for: _,
        } = metadata;
        let text = |text: &'a Option<String>| text.as_deref().unwrap_or_default();
        CompleteMetadata {
            row: row.unwrap_or_default(),
            id: text(id),
            model: text(model),
            sample: sample.unwrap_or_default(),
            finish_reason: text(finish_reason),
            input_tokens: input_tokens.unwrap_or_default(),
            cached_tokens: cached_tokens.unwrap_or_default(),
            output_tokens: output_tokens.unwrap_or_default(),
            reasoning_tokens: reasoning_tokens.unwrap_or_default(),
            at_token_limit: at_token_limit.unwrap_or_default(),
            cost: cost.unwrap_or_default(),
            attempts: attempts.unwrap_or_default(),
            tries: tries.unwrap_or(1),
            seconds: seconds.unwrap_or_default(),
            request_id: text(request_id),
            system_fingerprint: text(system_fingerprint),
        }
    }
}

impl Metadata {
    /// Reads the metadata of a row of `output.json`, and whether it has every key. Unknown keys and
    /// values of other types are left out.
    #[must_use]
    pub fn read(mut said: serde_json::Map<String, serde_json::Value>) -> (Metadata, bool) {
        let keys = serde_json::to_value(CompleteMetadata::from(&Metadata::default()));
        let keys = keys.expect("plain values");
        let keys = keys.as_object().expect("it has keys");
        let has_every_key = keys.keys().all(|key| said.contains_key(key));
        if has_every_key {
            said.retain(|key, value| keys.get(key) != Some(value));
        }
        (serde_json::from_value(said.into()).unwrap_or_default(), has_every_key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_with_every_key_is_read_back_as_what_is_known() {
        let known = Metadata { row: Some(2), seconds: Some(1.0), ..Metadata::default() };
        let read = |text: &str| Metadata::read(serde_json::from_str(text).unwrap());
        for metadata in [known.clone(), Metadata::default()] {
            let text = serde_json::to_string(&CompleteMetadata::from(&metadata)).unwrap();
            assert_eq!(read(&text), (metadata, true));
        }
        // A zero that an earlier version wrote is one.
        let zero = Metadata { cached_tokens: Some(0), ..known };
        assert_eq!(read(&serde_json::to_string(&zero).unwrap()), (zero, false));
    }
}
