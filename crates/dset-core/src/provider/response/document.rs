//! One JSON document of a reply: the whole of it, or one event of a stream.
//!
//! A whole reply is read as a stream of one event, so that an answer means the same however it
//! came. Both shapes are one: OpenAI's (`choices` with a `message` or a `delta`) and Anthropic's
//! (`content`, or `message_start`, `content_block_…`, `message_delta`).

use serde_json::value::RawValue;

use super::choices::Choices;
use super::content::{Content, Part};
use super::usage::Counts;
use crate::provider::failure::error;
use crate::provider::lenient_json::{Object, Text, read_fields};
use crate::provider::stream::event_shape_cache::TextSlot;

/// A document; what it does not say is empty.
#[derive(Debug, Default)]
pub(crate) struct Document<'a> {
    pub(super) id: Text<'a>,
    pub(super) model: Text<'a>,
    pub(super) system_fingerprint: Text<'a>,
    pub(super) choices: Choices<'a>,
    pub(super) usage: Object<Counts>,
    pub(super) x_groq: Object<GroqExtension<'a>>,
    pub(super) content: Option<Content<'a>>,
    pub(super) stop_reason: Text<'a>,
    pub(super) kind: Text<'a>,
    /// Read only of a `message_start`: elsewhere the name is that of an error's text.
    pub(super) message: Option<&'a RawValue>,
    pub(super) content_block: Object<Part<'a>>,
    pub(super) delta: Object<Part<'a>>,
    pub(super) error: Option<&'a RawValue>,
    pub(super) object: Text<'a>,
    /// DashScope's name for what went wrong, beside the message.
    pub(super) code: Text<'a>,
    pub(super) detail: Option<&'a RawValue>,
    pub(super) request_id: Text<'a>,
}

read_fields!(Document<'a>, "an answer", {
    "id" => id,
    "model" => model,
    "system_fingerprint" => system_fingerprint,
    "choices" => choices,
    "usage" => usage,
    "x_groq" => x_groq,
    "content" => content,
    "stop_reason" => stop_reason,
    "type" => kind,
    "message" => message,
    "content_block" => content_block,
    "delta" => delta,
    "error" => error,
    "object" => object,
    "code" => code,
    "detail" => detail,
    "request_id" => request_id,
});

/// Where Groq puts the counts of a stream, and why it ended one early: its SDK's `XGroq`.
#[derive(Debug, Default)]
pub(super) struct GroqExtension<'a> {
    pub(super) usage: Object<Counts>,
    pub(super) error: Text<'a>,
}

read_fields!(GroqExtension<'a>, "what Groq says", {
    "usage" => usage,
    "error" => error,
});

/// What Anthropic's `message_start` says.
#[derive(Debug, Default)]
pub(super) struct Start<'a> {
    pub(super) id: Text<'a>,
    pub(super) model: Text<'a>,
    pub(super) usage: Object<Counts>,
}

read_fields!(Start<'a>, "the start of a message", {
    "id" => id,
    "model" => model,
    "usage" => usage,
});

/// The events of Anthropic's streams, of which some say nothing.
const EVENTS: [&str; 7] = [
    "ping",
    "message_start",
    "message_delta",
    "message_stop",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
];

impl Document<'_> {
    /// Returns true if the document itself is an error, of which this is the text.
    pub(super) fn is_error(&self, text: &str) -> bool {
        let is_named = self.choices.0.is_none()
            && self.content.is_none()
            && (self.detail.is_some()
                || self.object.eq_ignore_ascii_case("error")
                || self.message.is_some() && error::is_code(&self.code));
        (is_named || self.is_bare())
            && error::parse(text)
                .is_some_and(|body| is_named || error::find_in_good(&body).is_some())
    }

    /// Returns true if nothing in it is part of an answer.
    pub(super) fn is_bare(&self) -> bool {
        self.choices.0.is_none()
            && self.content.is_none()
            && self.content_block.0.is_none()
            && self.delta.0.is_none()
            && self.usage.0.is_none()
            && self.x_groq.0.is_none()
            && self.kind.is_empty()
    }

    /// Returns true if it is of a shape that is read here, be it empty.
    pub(super) fn is_known(&self) -> bool {
        self.choices.0.is_some()
            || self.content.is_some()
            || self.usage.0.is_some()
            || self.x_groq.0.is_some()
            || self.error.is_some()
            || EVENTS.contains(&&*self.kind)
    }

    /// Returns the text of a document that adds a text to an answer and nothing else.
    pub(super) fn only_text(&self) -> Option<(&str, TextSlot)> {
        let says_more = self.usage.0.is_some()
            || self.x_groq.0.is_some()
            || self.content.is_some()
            || self.message.is_some()
            || self.error.is_some()
            || self.detail.is_some()
            || !self.stop_reason.is_empty();
        if says_more {
            return None;
        }
        let (choice, parts) = (&self.choices.0, [&self.content_block.0, &self.delta.0]);
        match (choice, parts) {
            (Some(choice), [None, None]) => choice.only_text(),
            (None, [None, Some(part)] | [Some(part), None]) => part.only_text(),
            _ => None,
        }
    }
}
