//! Where services put the answer and the reasoning: the shapes of a message and of its parts.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::provider::failure::error;
use crate::provider::lenient_json::{Text, read_fields};
use crate::provider::stream::event_shape_cache::TextSlot;

/// `content` in each of its shapes: a text, a part, or a list of either.
///
/// Parts are joined as they are read: a list of many small ones would take a multiple of the reply
/// that it came in.
#[derive(Debug, Default)]
pub(crate) struct Content<'a> {
    pub(crate) text: Cow<'a, str>,
    pub(crate) thinking: String,
    /// What a service tells in place of the reasoning, or beside it.
    pub(crate) summary: String,
    pub(crate) refusal: String,
    pub(crate) calls: String,
    /// Something stood there that is no text.
    pub(crate) is_odd: bool,
    /// Something was written that cannot be read: encrypted reasoning, its signature.
    pub(crate) is_sealed: bool,
}

/// A content inside of a part.
type Inner<'a> = Option<Box<Content<'a>>>;

/// One part of a content array: text, or thinking in a string (Anthropic) or in parts (Mistral).
/// Anthropic's stream has the same parts, and pieces of them.
#[derive(Debug, Default)]
pub(crate) struct Part<'a> {
    kind: Text<'a>,
    text: Inner<'a>,
    /// The text itself, where `text` is an object.
    value: Text<'a>,
    content: Inner<'a>,
    thinking: Inner<'a>,
    reasoning: Inner<'a>,
    summary: Inner<'a>,
    refusal: Text<'a>,
    /// Of a call of a tool.
    name: Text<'a>,
    input: Option<&'a RawValue>,
    partial_json: Text<'a>,
    /// Encrypted reasoning, and what is to prove that it is the model's.
    data: Text<'a>,
    signature: Text<'a>,
    /// Why the model stopped, in Anthropic's `message_delta`.
    stop_reason: Text<'a>,
}

read_fields!(Part<'a>, "a part of an answer", {
    "type" => kind,
    "text" => text,
    "value" => value,
    "content" => content,
    "thinking" => thinking,
    "reasoning" => reasoning,
    "summary" => summary,
    "refusal" => refusal,
    "name" => name,
    "input" => input,
    "partial_json" => partial_json,
    "data" => data,
    "signature" => signature,
    "stop_reason" => stop_reason,
});

impl Part<'_> {
    pub(crate) fn stop_reason(&self) -> &str {
        &self.stop_reason
    }

    /// Returns the text of a part that has nothing else.
    pub(crate) fn only_text(&self) -> Option<(&str, TextSlot)> {
        let has_more = [&self.content, &self.reasoning, &self.summary].iter().any(|c| c.is_some())
            || self.input.is_some()
            || [&self.value, &self.refusal, &self.name, &self.partial_json, &self.stop_reason]
                .into_iter()
                .chain([&self.data, &self.signature])
                .any(|text| !text.is_empty());
        if has_more {
            return None;
        }
        match (&self.thinking, &self.text) {
            (Some(inner), None) => Some((inner.plain()?, TextSlot::Reasoning)),
            (None, Some(inner)) if !is_thinking(&self.kind) => {
                Some((inner.plain()?, TextSlot::Content))
            }
            _ => None,
        }
    }

    /// Adds to a content what this part of it says.
    pub(crate) fn join(self, to: &mut Content<'_>) {
        let thinks = is_thinking(&self.kind);
        let is_call = ["tool", "function", "input_json"].iter().any(|k| self.kind.starts_with(k));
        let before = to.bytes();
        for inner in [self.thinking, self.reasoning].into_iter().flatten() {
            to.thinking.push_str(&inner.text);
            to.thinking.push_str(&inner.thinking);
            to.summary.push_str(&inner.summary);
        }
        for inner in self.summary.into_iter() {
            to.summary.push_str(&inner.text);
            to.summary.push_str(&inner.thinking);
            to.summary.push_str(&inner.summary);
        }
        // What a tool gave back, or a summary of the chat so far, is not the model's answer.
        let is_beside = self.kind.ends_with("_result") || self.kind.starts_with("compaction");
        for inner in [self.text, self.content].into_iter().flatten().filter(|_| !is_beside) {
            to.take(*inner, thinks);
        }
        let own = if thinks { &mut to.thinking } else { to.text.to_mut() };
        own.push_str(&self.value);
        to.refusal.push_str(&self.refusal);
        to.is_sealed |= !self.data.is_empty() || !self.signature.is_empty();
        if is_call {
            let input = self.input.map_or("", RawValue::get);
            let said = if input == "{}" { "" } else { input };
            called(&mut to.calls, &self.name, said);
            to.calls.push_str(&self.partial_json);
        }
        // A text that is still empty is one, and thoughts may be encrypted.
        let is_known = thinks || is_call || ["text", "output_text"].contains(&&*self.kind);
        to.is_odd |= to.bytes() == before && !is_known;
    }
}

/// Returns true if a part with this name is reasoning: `thinking`, `reasoning.text`, `thought`.
fn is_thinking(kind: &str) -> bool {
    !kind.is_empty() && ["think", "reason", "thought"].iter().any(|stem| kind.contains(stem))
}

/// Notes the call of a tool, or a piece of one.
fn called(calls: &mut String, name: &str, arguments: &str) {
    if !name.is_empty() {
        let gap = if calls.is_empty() { "" } else { "; " };
        *calls += &format!("{gap}{name} ");
    }
    calls.push_str(arguments);
}

impl<'a> Content<'a> {
    fn bytes(&self) -> usize {
        let Content { text, thinking, summary, refusal, calls, .. } = self;
        text.len() + thinking.len() + summary.len() + refusal.len() + calls.len()
    }

    /// Returns the text, where there is nothing else.
    pub(crate) fn plain(&self) -> Option<&str> {
        let is_text = self.bytes() == self.text.len() && !self.is_odd && !self.is_sealed;
        is_text.then_some(&*self.text)
    }

    /// Returns all of it, where all is reasoning.
    pub(crate) fn all(&self) -> &str {
        let all = [&*self.text, &*self.thinking, &*self.summary];
        all.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
    }

    /// Returns the reasoning among the parts of an answer.
    pub(crate) fn thoughts(&self) -> &str {
        if self.thinking.is_empty() { &self.summary } else { &self.thinking }
    }

    fn take(&mut self, other: Content<'_>, thinks: bool) {
        let text = if thinks { &mut self.thinking } else { self.text.to_mut() };
        text.push_str(&other.text);
        self.thinking.push_str(&other.thinking);
        self.summary.push_str(&other.summary);
        self.refusal.push_str(&other.refusal);
        self.calls.push_str(&other.calls);
        self.is_odd |= other.is_odd;
        self.is_sealed |= other.is_sealed;
    }

    fn odd() -> Content<'a> {
        Content { is_odd: true, ..Content::default() }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Content<'a>, D::Error> {
        struct TextOrParts;
        impl<'de> Visitor<'de> for TextOrParts {
            type Value = Content<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or its parts")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Content<'de>, E> {
                Ok(Content { text: text.into(), ..Content::default() })
            }
            fn visit_str<E>(self, text: &str) -> Result<Content<'de>, E> {
                Ok(Content { text: text.to_owned().into(), ..Content::default() })
            }
            fn visit_bool<E>(self, is_odd: bool) -> Result<Content<'de>, E> {
                Ok(Content { is_odd, ..Content::default() })
            }
            fn visit_u64<E>(self, _: u64) -> Result<Content<'de>, E> {
                Ok(Content::odd())
            }
            fn visit_i64<E>(self, _: i64) -> Result<Content<'de>, E> {
                Ok(Content::odd())
            }
            fn visit_f64<E>(self, _: f64) -> Result<Content<'de>, E> {
                Ok(Content::odd())
            }
            fn visit_unit<E>(self) -> Result<Content<'de>, E> {
                Ok(Content::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Content<'de>, A::Error> {
                let mut whole = Content::default();
                Part::deserialize(MapAccessDeserializer::new(map))?.join(&mut whole);
                Ok(whole)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content<'de>, A::Error> {
                let mut whole = Content::default();
                while let Some(piece) = seq.next_element::<Content<'de>>()? {
                    whole.take(piece, false);
                }
                Ok(whole)
            }
        }
        deserializer.deserialize_any(TextOrParts)
    }
}

/// The calls of tools that a model wants, in words; none were offered.
#[derive(Debug, Default)]
pub(crate) struct Calls(pub(crate) String);

#[derive(Debug, Default)]
struct Call<'a> {
    function: Option<Box<Call<'a>>>,
    name: Text<'a>,
    arguments: Option<&'a RawValue>,
}

read_fields!(Call<'a>, "the call of a tool", {
    "function" => function,
    "name" => name,
    "arguments" => arguments,
});

impl Call<'_> {
    fn join(self, calls: &mut String) {
        let raw = self.arguments.map_or("null", RawValue::get);
        let arguments = serde_json::from_str::<Option<String>>(raw);
        let arguments = arguments.map_or_else(|_| raw.to_owned(), Option::unwrap_or_default);
        called(calls, &self.name, &arguments);
        self.function.into_iter().for_each(|function| function.join(calls));
    }
}

/// Of longer lists the beginning is kept unparsed: parsed, they would take many times their size.
const CALLS_BYTES_MAX: usize = 64 * 1024;

impl<'de> Deserialize<'de> for Calls {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Calls, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        if raw.len() > CALLS_BYTES_MAX {
            return Ok(Calls(error::beginning(raw)));
        }
        // What is no call is none, whatever it is: an answer may stand beside it.
        let list = serde_json::from_str::<Vec<Call<'_>>>(raw);
        let list = list.or_else(|_| serde_json::from_str(raw).map(|call| vec![call]));
        let mut calls = String::new();
        list.unwrap_or_default().into_iter().for_each(|call| call.join(&mut calls));
        Ok(Calls(calls))
    }
}

/// A message, or the next piece of one.
#[derive(Debug, Default)]
pub(crate) struct Message<'a> {
    pub(crate) content: Option<Content<'a>>,
    reasoning_content: Option<Content<'a>>,
    reasoning: Option<Content<'a>>,
    reasoning_details: Option<Content<'a>>,
    thinking: Option<Content<'a>>,
    thinking_blocks: Option<Content<'a>>,
    thinking_content: Option<Content<'a>>,
    reasoning_text: Option<Content<'a>>,
    reasoning_summary: Option<Content<'a>>,
    thought: Option<Content<'a>>,
    thoughts: Option<Content<'a>>,
    refusal: Text<'a>,
    tool_calls: Option<Calls>,
    function_call: Option<Calls>,
    audio: Option<&'a RawValue>,
    /// OpenRouter's place for pictures.
    images: Option<&'a RawValue>,
    /// Where some gateways put what went wrong.
    pub(crate) error: Option<&'a RawValue>,
}

read_fields!(Message<'a>, "the message of an answer", {
    "content" => content,
    "reasoning_content" => reasoning_content,
    "reasoning" => reasoning,
    "reasoning_details" => reasoning_details,
    "thinking" => thinking,
    "thinking_blocks" => thinking_blocks,
    "thinking_content" => thinking_content,
    "reasoning_text" => reasoning_text,
    "reasoning_summary" => reasoning_summary,
    "thought" => thought,
    "thoughts" => thoughts,
    "refusal" => refusal,
    "tool_calls" => tool_calls,
    "function_call" => function_call,
    "audio" => audio,
    "images" => images,
    "error" => error,
});

impl<'a> Message<'a> {
    /// The places of the reasoning beside the two usual ones.
    fn others(&self) -> [&Option<Content<'a>>; 8] {
        [
            &self.reasoning_details,
            &self.thinking,
            &self.thinking_blocks,
            &self.thinking_content,
            &self.reasoning_text,
            &self.reasoning_summary,
            &self.thought,
            &self.thoughts,
        ]
    }

    /// Tells whether it says something of the answer.
    pub(crate) fn has_content(&self) -> bool {
        self.content.as_ref().is_some_and(|content| !content.text.is_empty())
    }

    /// Returns the text of a message that has one text and nothing else.
    pub(crate) fn only_text(&self) -> Option<(&str, TextSlot)> {
        let has_more = !self.refusal.is_empty()
            || self.error.is_some()
            || self.is_beyond_text()
            || self.calls().next().is_some()
            || self.others().into_iter().any(Option::is_some);
        if has_more {
            return None;
        }
        let [content, beside, beside_too] =
            [&self.content, &self.reasoning_content, &self.reasoning]
                .map(|place| place.as_ref().map_or(Some(""), Content::plain));
        match (content?, beside?, beside_too?) {
            (text, "", "") => Some((text, TextSlot::Content)),
            ("", text, "") | ("", "", text) => Some((text, TextSlot::Reasoning)),
            _ => None,
        }
    }

    /// Returns the reasoning, from the first place that has any.
    pub(crate) fn reasoning(&self) -> &str {
        let usual = [&self.reasoning_content, &self.reasoning];
        let places = usual.into_iter().chain(self.others()).flatten().map(Content::all);
        let of_content = self.content.as_ref().map(Content::thoughts);
        places.chain(of_content).find(|text| !text.is_empty()).unwrap_or_default()
    }

    /// Tells whether the model wrote something that is no text: sounds, pictures, encrypted reasoning.
    pub(crate) fn is_beyond_text(&self) -> bool {
        let is_some = |raw: &&RawValue| !["null", "[]", "{}", "\"\""].contains(&raw.get());
        let usual = [&self.content, &self.reasoning_content, &self.reasoning];
        [self.audio, self.images].iter().flatten().any(is_some)
            || usual.into_iter().chain(self.others()).flatten().any(|content| content.is_sealed)
    }

    /// Returns in what words the model refuses, if it does.
    pub(crate) fn refusal(&self) -> &str {
        let of_content = self.content.as_ref().map_or("", |content| &*content.refusal);
        if self.refusal.is_empty() { of_content } else { &self.refusal }
    }

    /// Returns the calls of tools in it.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &str> {
        let own = [&self.tool_calls, &self.function_call].into_iter().flatten();
        let of_content = self.content.as_ref().map(|content| &*content.calls);
        own.map(|calls| &*calls.0).chain(of_content).filter(|calls| !calls.is_empty())
    }
}

#[cfg(test)]
mod tests;
