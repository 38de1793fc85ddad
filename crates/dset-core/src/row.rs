//! What an output gets of an answer.

use serde::{Deserialize, Serialize};

use crate::answer::Answer;

/// One row of every output.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// When the answer came, Unix milliseconds.
    pub answered_at: i64,
    /// The question, trimmed.
    pub question: String,
    /// The reasoning, empty where there was none.
    pub reasoning: String,
    /// The answer.
    pub answer: String,
    /// What else is known of it.
    pub metadata: Metadata,
}

/// What is known of an answer beside its texts; whatever is not known is left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// The row of the question as a spreadsheet counts it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub row: Option<u64>,
    /// The model that says it answered; where it does not and several are asked, the asked one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub model: Option<String>,
    /// Which of several samples, from 0.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sample: Option<u32>,
    /// Why it stopped.
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
    /// How many asks the question took.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub attempts: Option<u32>,
    /// How long the last of them took.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seconds: Option<f64>,
    /// The service's own name for it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request_id: Option<String>,
    /// The backend's fingerprint.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub system_fingerprint: Option<String>,
}

impl Metadata {
    /// Collects what is known of an answer.
    #[must_use]
    pub fn of(answer: &Answer, row: u64, attempts: u32, seconds: f64) -> Metadata {
        Metadata {
            row: Some(row),
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
            seconds: Some((seconds * 1000.0).round() / 1000.0),
            request_id: answer.request_id.clone(),
            system_fingerprint: answer.system_fingerprint.clone(),
        }
    }
}
