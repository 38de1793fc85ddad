//! What a reply means: an answer, or a failure and its class.

mod cause;
pub mod row;
mod value;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use cause::Cause;
pub use value::ValueReading;

/// An answer that may be kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// The final answer, as the model wrote it.
    pub content: String,
    /// The reasoning, empty where the service gave none.
    pub reasoning: String,
    /// Why the model stopped, in the service's word; an open list (`stop`, `length`, …).
    pub finish_reason: String,
    /// Tokens, as counted by the service.
    pub usage: Usage,
    /// The model that says it answered.
    pub model: Option<String>,
    /// The service's own name for this call: a header, else the body's `id`.
    pub request_id: Option<String>,
    /// The backend's fingerprint, where given.
    pub system_fingerprint: Option<String>,
    /// What the service says that the call cost, in its currency (US dollars at OpenRouter).
    pub cost: Option<f64>,
    /// It has exactly as many tokens as it may have, though the service says that it is whole.
    pub at_token_limit: bool,
}

/// The reason to stop of an answer that the token limit cut.
pub const CUT: &str = "length";

impl Answer {
    /// Tells whether the token limit cut it.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.finish_reason == CUT
    }
}

/// Tokens of one call; a count that the service did not give is absent, not zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens sent, cached ones included.
    pub input: Option<u64>,
    /// Tokens of the input that came from the provider's cache.
    pub cached: Option<u64>,
    /// Tokens received, reasoning included.
    pub output: Option<u64>,
    /// Tokens of the output that were reasoning.
    pub reasoning: Option<u64>,
    /// Tokens of the input that were written into the provider's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<u64>,
    /// Those of them that are kept there for an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_1h: Option<u64>,
}

/// What one reply means.
#[derive(Debug, Clone, PartialEq)]
pub enum ParsedReply {
    /// A whole answer: the model came to its end and wrote one.
    Answer(Answer),
    /// Anything else: a refusal, a broken or unreadable reply, an answer that was cut.
    Failure(Failure),
}

/// A reply that is no finished answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// What is to be done about it.
    pub class: FailureClass,
    /// The cause, for people and counters, and for what is decided on it.
    pub cause: Cause,
    /// The HTTP status, where a reply came.
    pub status: Option<u16>,
    /// The service's own words or the network's, at most [`MESSAGE_CHARS_MAX`] characters.
    pub message: String,
    /// How long the service wants to be left alone, where the class does not say it.
    pub wait: Option<Duration>,
    /// The service's own name for this call.
    pub request_id: Option<String>,
    /// What was written before it failed (cut by length, filtered); it was paid for.
    pub partial: Option<Box<Answer>>,
}

impl ParsedReply {
    /// Puts the beginning that the model went on with before what it wrote, so that an answer is its
    /// whole turn. `may_repeat` says that the service may have done so.
    #[must_use]
    pub fn with_beginning(mut self, beginning: &str, may_repeat: bool) -> ParsedReply {
        let written = match &mut self {
            ParsedReply::Answer(answer) => Some(&mut answer.content),
            ParsedReply::Failure(failure) => failure.partial.as_mut().map(|part| &mut part.content),
        };
        if let Some(content) = written
            && !(may_repeat && content.starts_with(beginning))
        {
            content.insert_str(0, beginning);
        }
        self
    }

    /// Says of a reply that could not be read that its body was packed with something that was not asked for.
    #[must_use]
    pub fn packed_with(mut self, encoding: &str) -> ParsedReply {
        if let ParsedReply::Failure(failure) = &mut self
            && matches!(failure.class, FailureClass::Transient | FailureClass::OtherApi)
            && failure.status.is_some_and(|status| (200..300).contains(&status))
        {
            // It would come so again, and be billed again.
            failure.class = FailureClass::Empty;
            failure.cause = Cause::UnknownEncoding;
            failure.message =
                format!("the reply is packed with `{encoding}`, which was not asked for");
        }
        self
    }

    /// Takes what a service says does not fit the schema as an answer, so that it is held against that
    /// here; `is_judged` tells whether it will be.
    #[must_use]
    pub fn with_unfit_answer(self, is_judged: impl FnOnce(&Answer) -> bool) -> ParsedReply {
        match self {
            ParsedReply::Failure(Failure { cause, partial: Some(answer), .. })
                if cause == Cause::Unfit && is_judged(&answer) =>
            {
                ParsedReply::Answer(*answer)
            }
            other => other,
        }
    }

    /// Takes what the token limit cut as an answer, where there is a text: that it is not whole is a
    /// verdict on it.
    #[must_use]
    pub fn with_cut_answer(self) -> ParsedReply {
        match self {
            ParsedReply::Failure(Failure { cause, partial: Some(answer), .. })
                if cause == Cause::LengthLimit && !answer.content.trim().is_empty() =>
            {
                // Some servers say `stop` whatever it was that stopped them.
                ParsedReply::Answer(Answer { finish_reason: CUT.to_owned(), ..*answer })
            }
            other => other,
        }
    }
}

/// How much of a service's message is kept.
pub const MESSAGE_CHARS_MAX: usize = 2_000;

/// What a failure asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// Too many at once or per minute: wait, ask again, costs the question nothing.
    Throttled {
        /// How long the service wants to be left alone.
        wait: Option<Duration>,
        /// How many at once the service says it allows.
        width: Option<u32>,
    },
    /// May well work next time: network, 5xx, cut, unreadable or blank replies.
    Transient,
    /// The model came to its end and wrote no answer: nothing, reasoning alone, the call of a tool.
    /// May work next time; the service is there.
    Empty,
    /// A good reply that is not of a chat API, or holds no answer in any shape known here. The
    /// settings', where no other comes.
    OtherApi,
    /// This question will be refused again.
    Refused(Refusal),
    /// The answer was cut by the token limit: kept, and not bought again under the same limit.
    CutByLength,
    /// The answer is whole, and not accepted: kept, and no reply says so.
    FailedCheck,
    /// The key is wrong (401).
    KeyRefused,
    /// 403: the key's fault before any success, the question's after one.
    Forbidden,
    /// The account has no credit left.
    OutOfMoney,
}

/// Whose fault a refusal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The question's, as far as one reply can tell (400, 404, 405, 413, 422). The same words for
    /// several questions tell that it is the settings'.
    Request,
    /// The question's for certain: too long for the model.
    Question,
    /// Moderation, a content filter or the model's own refusal.
    Moderation,
    /// The settings' for certain: a retired model, a parameter out of range, a redirect.
    Settings,
    /// The address's, as long as nothing was answered: no such path, a page for people, another
    /// protocol. Once something was, it is the question's where the status blames the request, and
    /// may well work next time otherwise.
    Address,
}
