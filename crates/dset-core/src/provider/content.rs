//! Where services put the answer and the reasoning.
//!
//! Order: `reasoning_content`, `reasoning`, `reasoning_details`, thinking parts of an array, and a
//! leading `<think>` tag. A tag counts only as the first thing of the content, or as a lone closing
//! one, which chat templates that open it in the prompt leave behind; the first closing tag ends
//! it, so that tags inside an answer stay.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::json::{Text, read_fields};
use super::template::Place;

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// `content` in each of its shapes: a text, a part, or a list of either.
///
/// Parts are joined as they are read: a list of many small ones would take a multiple of the reply
/// that it came in.
#[derive(Debug, Default)]
pub(super) struct Content<'a> {
    text: Cow<'a, str>,
    thinking: String,
}

/// One part of a content array: text, or thinking in a string (Anthropic) or in parts (Mistral).
/// Anthropic's stream has the same parts, and pieces of them.
#[derive(Debug, Default)]
pub(super) struct Part<'a> {
    kind: Text<'a>,
    text: Text<'a>,
    thinking: Option<Box<Content<'a>>>,
    /// OpenRouter's `reasoning.summary`.
    summary: Text<'a>,
    /// Of Anthropic's `message_delta`.
    stop_reason: Text<'a>,
}

read_fields!(Part<'a>, "a part of an answer", {
    "type" => kind,
    "text" => text,
    "thinking" => thinking,
    "summary" => summary,
    "stop_reason" => stop_reason,
});

impl Part<'_> {
    pub(super) fn stop_reason(&self) -> &str {
        &self.stop_reason
    }

    /// Returns the text of a part that has nothing else.
    pub(super) fn only_text(&self) -> Option<(&str, Place)> {
        let is_thinking = &*self.kind == "thinking";
        let has_more = !self.summary.is_empty() || !self.stop_reason.is_empty() || is_thinking;
        match (&self.thinking, &*self.text) {
            _ if has_more => None,
            (Some(inner), "") if inner.thinking.is_empty() => Some((&inner.text, Place::Reasoning)),
            (None, text) => Some((text, Place::Content)),
            _ => None,
        }
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
                Ok(Content { text: text.into(), thinking: String::new() })
            }
            fn visit_str<E>(self, text: &str) -> Result<Content<'de>, E> {
                Ok(Content { text: text.to_owned().into(), thinking: String::new() })
            }
            fn visit_bool<E>(self, _: bool) -> Result<Content<'de>, E> {
                Ok(Content::default())
            }
            fn visit_unit<E>(self) -> Result<Content<'de>, E> {
                Ok(Content::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Content<'de>, A::Error> {
                let mut whole = Content::default();
                let part = Part::deserialize(MapAccessDeserializer::new(map))?;
                part.join(whole.text.to_mut(), &mut whole.thinking);
                Ok(whole)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content<'de>, A::Error> {
                let mut whole = Content::default();
                while let Some(piece) = seq.next_element::<Content<'de>>()? {
                    whole.text.to_mut().push_str(&piece.text);
                    whole.thinking.push_str(&piece.thinking);
                }
                Ok(whole)
            }
        }
        deserializer.deserialize_any(TextOrParts)
    }
}

impl Part<'_> {
    fn join(self, text: &mut String, thinking: &mut String) {
        match self.thinking {
            Some(inner) => thinking.push_str(&inner.text),
            None if &*self.kind == "thinking" => thinking.push_str(&self.text),
            None => {
                text.push_str(&self.text);
                thinking.push_str(&self.summary);
            }
        }
    }
}

/// A message, or the next piece of one. Tool calls are not read: none were asked for.
#[derive(Debug, Default)]
pub(super) struct Message<'a> {
    content: Option<Content<'a>>,
    reasoning_content: Text<'a>,
    reasoning: Text<'a>,
    reasoning_details: Option<Content<'a>>,
    pub(super) refusal: Text<'a>,
}

read_fields!(Message<'a>, "the message of an answer", {
    "content" => content,
    "reasoning_content" => reasoning_content,
    "reasoning" => reasoning,
    "reasoning_details" => reasoning_details,
    "refusal" => refusal,
});

impl Message<'_> {
    /// Returns the text of a message that has one text and nothing else.
    pub(super) fn only_text(&self) -> Option<(&str, Place)> {
        let content = self.content.as_ref();
        let thinks = content.is_some_and(|content| !content.thinking.is_empty());
        if thinks || self.reasoning_details.is_some() || !self.refusal.is_empty() {
            return None;
        }
        let content = content.map_or("", |content| &*content.text);
        match (content, &*self.reasoning_content, &*self.reasoning) {
            (text, "", "") => Some((text, Place::Content)),
            ("", text, "") | ("", "", text) => Some((text, Place::Reasoning)),
            _ => None,
        }
    }
}

/// The answer and the reasoning of a message, as far as it has come.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Texts {
    pub(super) content: String,
    pub(super) reasoning: String,
}

impl Texts {
    pub(super) fn is_empty(&self) -> bool {
        self.content.is_empty() && self.reasoning.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.content.len() + self.reasoning.len()
    }

    /// Adds a message or a piece of one, its reasoning from the first place that has any.
    pub(super) fn add(&mut self, message: Message<'_>) {
        let content = message.content.unwrap_or_default();
        let details = message.reasoning_details.unwrap_or_default();
        self.content.push_str(&content.text);
        let places: [&str; 5] = [
            &message.reasoning_content,
            &message.reasoning,
            &details.text,
            &details.thinking,
            &content.thinking,
        ];
        let reasoning = places.into_iter().find(|text| !text.is_empty());
        self.reasoning.push_str(reasoning.unwrap_or_default());
    }

    pub(super) fn add_content(&mut self, content: Content<'_>) {
        self.content.push_str(&content.text);
        self.reasoning.push_str(&content.thinking);
    }

    pub(super) fn add_part(&mut self, part: Part<'_>) {
        part.join(&mut self.content, &mut self.reasoning);
    }

    /// Returns answer and reasoning, once all has come.
    pub(super) fn split(self) -> (String, String) {
        if self.reasoning.is_empty() {
            split_tag(self.content)
        } else {
            (self.content, self.reasoning)
        }
    }

    /// Tells whether the content, as far as it has come, is the inside of a leading think tag, of
    /// which it is known that it was not closed within the first `open` bytes.
    pub(super) fn is_in_tag(&self, open: usize) -> bool {
        let new = &self.content.as_bytes()[open.saturating_sub(CLOSE.len())..];
        self.reasoning.is_empty()
            && self.content.trim_start().starts_with(OPEN)
            && memchr::memmem::find(new, CLOSE.as_bytes()).is_none()
    }
}

fn split_tag(content: String) -> (String, String) {
    let body = content.trim_start();
    if let Some(opened) = body.strip_prefix(OPEN) {
        let (reasoning, answer) = opened.split_once(CLOSE).unwrap_or((opened, ""));
        return (answer.trim().into(), reasoning.trim().into());
    }
    match body.split_once(CLOSE) {
        Some((reasoning, answer)) if !reasoning.contains(OPEN) => {
            (answer.trim().into(), reasoning.trim().into())
        }
        _ => (content, String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(message: &str) -> (String, String) {
        let mut texts = Texts::default();
        texts.add(serde_json::from_str::<Message<'_>>(message).unwrap());
        texts.split()
    }

    fn pair(content: &str, reasoning: &str) -> (String, String) {
        (content.to_owned(), reasoning.to_owned())
    }

    #[test]
    fn reasoning_is_taken_from_the_first_place_that_has_any() {
        for (message, expected) in [
            (r#"{"content":"a","reasoning_content":"r"}"#, pair("a", "r")),
            (r#"{"content":"a","reasoning_content":"","reasoning":"r"}"#, pair("a", "r")),
            (r#"{"content":"a","reasoning_content":"r","reasoning":"s"}"#, pair("a", "r")),
            (
                r#"{"content":"a","reasoning_details":[{"type":"reasoning.text","text":"r"}]}"#,
                pair("a", "r"),
            ),
            (
                r#"{"content":[{"type":"thinking","thinking":"r"},{"type":"text","text":"a"}]}"#,
                pair("a", "r"),
            ),
            (
                r#"{"content":"a","reasoning_details":[{"type":"reasoning.summary","summary":"r"},
                    {"type":"reasoning.encrypted","data":"x"}]}"#,
                pair("a", "r"),
            ),
            (r#"{"content":"a","reasoning":{"effort":"high"},"refusal":0}"#, pair("a", "")),
            (r#"{"content":null}"#, pair("", "")),
        ] {
            assert_eq!(texts(message), expected, "{message}");
        }
    }

    #[test]
    fn a_think_tag_counts_only_where_it_leads_or_closes_alone() {
        for (content, expected) in [
            ("<think>r</think>a", pair("a", "r")),
            ("\\n<think>\\nr\\n</think>\\n\\na", pair("a", "r")),
            ("r\\n</think>\\na", pair("a", "r")),
            ("<think>r", pair("", "r")),
            ("<think>r</think>use </think> so", pair("use </think> so", "r")),
            ("The tag <think>x</think> is", pair("The tag <think>x</think> is", "")),
            (" plain ", pair(" plain ", "")),
        ] {
            assert_eq!(texts(&format!(r#"{{"content":"{content}"}}"#)), expected, "{content}");
        }
    }
}
