//! One JSON document of a reply: the whole of it, or one event of a stream.
//!
//! A whole reply is read as a stream of one event, so that an answer means the same however it
//! came. Both shapes are one: OpenAI's (`choices` with a `message` or a `delta`) and Anthropic's
//! (`content`, or `message_start`, `content_block_…`, `message_delta`).

use std::fmt;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::content::{Content, Message, Part, Texts};
use super::json::Text;
use super::template::{Place, Template};
use super::usage::{Count, Counts};
use super::{error, judge};
use crate::answer::{Answer, Failure, Reading, Usage};
use crate::reply::HttpReply;

/// A document; what it does not say is empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an answer")]
pub(super) struct Document<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    model: Text<'a>,
    #[serde(borrow)]
    system_fingerprint: Text<'a>,
    #[serde(borrow, deserialize_with = "first")]
    choices: Option<Choice<'a>>,
    usage: Option<Counts>,
    x_groq: Option<OfGroq>,
    #[serde(borrow)]
    content: Option<Content<'a>>,
    #[serde(borrow)]
    stop_reason: Text<'a>,
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    /// Read only of a `message_start`: elsewhere the name is that of an error's text.
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    content_block: Option<Part<'a>>,
    #[serde(borrow)]
    delta: Option<Part<'a>>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    object: Text<'a>,
    /// DashScope's name for what went wrong, beside the message.
    #[serde(borrow)]
    code: Text<'a>,
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
    #[serde(borrow)]
    request_id: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a choice with a message")]
struct Choice<'a> {
    index: Count,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    #[serde(borrow)]
    delta: Option<Message<'a>>,
    #[serde(borrow)]
    finish_reason: Text<'a>,
    #[serde(borrow)]
    provider_specific_fields: Option<Native<'a>>,
}

/// What LiteLLM says beside a reason that it has translated.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Native<'a> {
    #[serde(borrow)]
    native_finish_reason: Text<'a>,
}

/// Where Groq puts the counts of a stream.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OfGroq {
    usage: Option<Counts>,
}

/// What Anthropic's `message_start` says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Start<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    model: Text<'a>,
    usage: Option<Counts>,
}

/// Reads the first of a list and passes over the rest: one answer is asked for, and a list of many
/// would take a multiple of the reply that it came in.
fn first<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Choice<'a>>, D::Error> {
    struct First;
    impl<'de> Visitor<'de> for First {
        type Value = Option<Choice<'de>>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of choices")
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let first = seq.next_element()?;
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(first)
        }
    }
    deserializer.deserialize_any(First)
}

impl Document<'_> {
    /// Returns the text of a document that adds a text to an answer and nothing else.
    fn only_text(&self) -> Option<(&str, Place)> {
        let says_more = self.usage.is_some()
            || self.x_groq.is_some()
            || self.content.is_some()
            || self.message.is_some()
            || self.error.is_some()
            || self.detail.is_some()
            || !self.stop_reason.is_empty();
        if says_more {
            return None;
        }
        let (choice, parts) = (&self.choices, [&self.content_block, &self.delta]);
        match (choice, parts) {
            (Some(choice), [None, None]) => {
                let goes_on = choice.index.0.unwrap_or(0) == 0
                    && choice.finish_reason.is_empty()
                    && choice.provider_specific_fields.is_none()
                    && choice.message.is_none();
                choice.delta.as_ref().filter(|_| goes_on)?.only_text()
            }
            (None, [None, Some(part)] | [Some(part), None]) => part.only_text(),
            _ => None,
        }
    }
}

/// What has come of an answer so far.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) texts: Texts,
    id: String,
    model: String,
    system_fingerprint: String,
    counts: Option<Counts>,
    finish: String,
    /// More text has come since the reason to stop: it was none.
    goes_on: bool,
    /// Some reason was none. Some gateways send one with every piece, and which of them is the end
    /// only the end of the body tells.
    cries_wolf: bool,
    refusal: String,
    /// An error, as the JSON of a body that holds nothing else.
    error: String,
    /// Something in the shape of an answer came, be it empty.
    has_answer: bool,
    /// Nothing is to come any more.
    pub(super) is_done: bool,
    template: Option<Template>,
}

impl Draft {
    /// Reads one document, and adds what it says; fails, and adds nothing, where it is none.
    pub(super) fn read(&mut self, text: &str) -> Result<(), serde_json::Error> {
        if let Some((text, place)) = self.template.as_ref().and_then(|same| same.read(text)) {
            match place {
                Place::Content => self.texts.content.push_str(text),
                Place::Reasoning => self.texts.reasoning.push_str(text),
            }
            self.wrote();
            return Ok(());
        }
        let document = serde_json::from_str::<Document<'_>>(text)?;
        self.template =
            document.only_text().and_then(|(only, place)| Template::of(text, only, place));
        self.add(document, text);
        Ok(())
    }

    fn add(&mut self, document: Document<'_>, text: &str) {
        keep(&mut self.id, &document.id);
        keep(&mut self.model, &document.model);
        keep(&mut self.system_fingerprint, &document.system_fingerprint);
        self.fail(&document, text);
        if let Some(choice) = document.choices {
            self.has_answer = true;
            if choice.index.0.unwrap_or(0) == 0 {
                self.choose(choice);
            }
        } else if let Some(content) = document.content {
            self.has_answer = true;
            self.write(|texts| texts.add_content(content));
        }
        self.stop(&document.stop_reason);
        if &*document.kind == "message_start"
            && let Some(start) = document.message
            && let Ok(start) = serde_json::from_str::<Start<'_>>(start.get())
        {
            self.has_answer = true;
            keep(&mut self.id, &start.id);
            keep(&mut self.model, &start.model);
            self.count(start.usage.map(Counts::of_the_question));
        }
        for part in [document.content_block, document.delta].into_iter().flatten() {
            let reason = part.stop_reason().to_owned();
            self.write(|texts| texts.add_part(part));
            self.stop(&reason);
        }
        self.is_done |= &*document.kind == "message_stop";
        self.count(document.x_groq.and_then(|groq| groq.usage));
        self.count(document.usage);
    }

    fn choose(&mut self, choice: Choice<'_>) {
        // A service that sends the message once more at the end does not mean to say it twice.
        let message = match (choice.delta, choice.message) {
            (Some(delta), _) => Some(delta),
            (None, message) => message.filter(|_| self.texts.is_empty()),
        };
        if let Some(mut message) = message {
            self.refusal.push_str(&std::mem::take(&mut message.refusal));
            self.write(|texts| texts.add(message));
        }
        let native = choice.provider_specific_fields.unwrap_or_default().native_finish_reason;
        let reason = if native.is_empty() { choice.finish_reason } else { native };
        self.stop(&reason);
    }

    fn write(&mut self, add: impl FnOnce(&mut Texts)) {
        let before = self.texts.bytes();
        add(&mut self.texts);
        if self.texts.bytes() > before {
            self.wrote();
        }
    }

    fn wrote(&mut self) {
        self.goes_on |= !self.finish.is_empty();
        self.cries_wolf |= self.goes_on;
    }

    /// Takes a reason to stop. The last one counts, but without more text none makes an answer
    /// whole that an earlier one said is not: some services say `stop` once more with the counts.
    fn stop(&mut self, reason: &str) {
        if reason.is_empty() || reason.eq_ignore_ascii_case("null") {
            return;
        }
        if self.goes_on || judge::is_whole(&self.finish) {
            reason.clone_into(&mut self.finish);
        }
        self.goes_on = false;
    }

    /// An error after a reason to stop takes nothing back: the answer was whole.
    fn fail(&mut self, document: &Document<'_>, text: &str) {
        if !self.error.is_empty() || self.has_reason() && !self.cries_wolf {
            return;
        }
        if let Some(error) = document.error.map(RawValue::get) {
            let error = match error::parse(error) {
                Some(value) => value,
                None => error::beginning(error).into(),
            };
            let mut body = serde_json::json!({ "error": error });
            if !document.request_id.is_empty() {
                body["request_id"] = (*document.request_id).into();
            }
            self.error = body.to_string();
        } else if document.choices.is_none()
            && document.content.is_none()
            && (document.detail.is_some()
                || document.object.eq_ignore_ascii_case("error")
                || document.message.is_some() && error::is_code(&document.code))
            && error::parse(text).is_some()
        {
            text.clone_into(&mut self.error);
        }
    }

    fn count(&mut self, counts: Option<Counts>) {
        match (&mut self.counts, counts) {
            (Some(known), Some(later)) => known.update(&later),
            (known @ None, later) => *known = later,
            (Some(_), None) => {}
        }
    }

    /// Tells whether the model has said why it stopped, or the service that all has been sent, and
    /// no more text needs to be waited for.
    pub(super) fn has_end(&self) -> bool {
        self.is_done || self.has_reason() && !self.cries_wolf
    }

    /// Tells whether it is whole where nothing more is to come.
    pub(super) fn has_end_if_last(&self) -> bool {
        self.is_done || self.has_reason()
    }

    /// Tells whether the model has said why it stopped, and nothing after it.
    pub(super) fn has_reason(&self) -> bool {
        !self.finish.is_empty() && !self.goes_on
    }

    /// Returns how many bytes of text are kept.
    pub(super) fn bytes(&self) -> usize {
        self.texts.bytes() + self.refusal.len()
    }

    /// Tells whether anything came that an answer may be read of.
    pub(super) fn has_answer(&self) -> bool {
        self.has_answer
    }

    /// Returns every text that the service said, for whoever must take something out of them.
    pub(super) fn each_text(&mut self) -> impl Iterator<Item = &mut String> {
        let Draft { texts, id, model, system_fingerprint, finish, refusal, error, .. } = self;
        let Texts { content, reasoning, .. } = texts;
        [content, reasoning, id, model, system_fingerprint, finish, refusal, error].into_iter()
    }

    /// Returns the failure that the service named, with whatever had been written before it.
    pub(super) fn failure(&mut self, reply: &HttpReply) -> Option<Failure> {
        if self.error.is_empty() {
            return None;
        }
        let body = serde_json::from_str(&self.error).ok();
        let mut failure = error::read(reply, body.as_ref());
        failure.partial = self.partial(reply);
        Some(failure)
    }

    /// Returns what was written of an answer that did not end, if anything was.
    pub(super) fn partial(&mut self, reply: &HttpReply) -> Option<Box<Answer>> {
        let wrote = !self.texts.is_empty() || self.counts.is_some();
        wrote.then(|| Box::new(self.answer(reply)))
    }

    /// Judges an answer that has ended.
    pub(super) fn judge(mut self, reply: &HttpReply) -> Reading {
        let answer = self.answer(reply);
        judge::judge(reply, answer, &self.finish, &self.refusal)
    }

    fn answer(&mut self, reply: &HttpReply) -> Answer {
        let some = |text: &mut String| Some(std::mem::take(text)).filter(|text| !text.is_empty());
        let (content, reasoning) = std::mem::take(&mut self.texts).split();
        Answer {
            content,
            reasoning,
            finish_reason: String::new(),
            usage: self.counts.as_ref().map(Usage::from).unwrap_or_default(),
            model: some(&mut self.model),
            request_id: error::request_id(reply).or(some(&mut self.id)),
            system_fingerprint: some(&mut self.system_fingerprint),
        }
    }
}

/// Keeps the first that is said.
fn keep(known: &mut String, said: &str) {
    if known.is_empty() {
        known.push_str(said);
    }
}
