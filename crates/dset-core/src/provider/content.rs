//! Where services put the answer and the reasoning.
//!
//! Order: `reasoning_content`, `reasoning`, `reasoning_details`, thinking parts of an array, and a
//! leading `<think>` tag. A tag counts only as the first thing of the content, or as a lone closing
//! one, which chat templates that open it in the prompt leave behind; the first closing tag ends
//! it, so that tags inside an answer stay.

use std::borrow::Cow;
use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// `content` in each of its shapes: a text, or a list of parts.
///
/// Parts are joined as they are read: a list of many small ones would take a multiple of the reply
/// that it came in.
#[derive(Debug, Default)]
pub(super) struct Content<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) thinking: String,
}

/// One part of a content array: text, or thinking in a string (Anthropic) or in parts (Mistral).
#[derive(Debug, Deserialize)]
#[serde(expecting = "a part of an answer")]
struct Part<'a> {
    #[serde(rename = "type", default, borrow)]
    kind: Cow<'a, str>,
    #[serde(default, borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    thinking: Option<Box<Content<'a>>>,
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
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content<'de>, A::Error> {
                let mut whole = Content::default();
                while let Some(part) = seq.next_element::<Part<'de>>()? {
                    match (part.thinking, part.text) {
                        (Some(inner), _) => whole.thinking.push_str(&inner.text),
                        (None, Some(text)) if part.kind == "thinking" => {
                            whole.thinking.push_str(&text);
                        }
                        (None, Some(text)) => whole.text.to_mut().push_str(&text),
                        (None, None) => {}
                    }
                }
                Ok(whole)
            }
        }
        deserializer.deserialize_any(TextOrParts)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(expecting = "the message of an answer")]
pub(super) struct Message<'a> {
    #[serde(default, borrow)]
    pub(super) content: Option<Content<'a>>,
    #[serde(default, borrow)]
    reasoning_content: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    reasoning: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    reasoning_details: Option<Content<'a>>,
    #[serde(default, borrow)]
    pub(super) refusal: Option<Cow<'a, str>>,
}

/// The answer and the reasoning of a message.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Texts {
    pub(super) content: String,
    pub(super) reasoning: String,
}

impl Message<'_> {
    pub(super) fn texts(self) -> Texts {
        let (content, thinking) = self.content.unwrap_or_default().split();
        let (details, of_details) = self.reasoning_details.unwrap_or_default().split();
        let named = [self.reasoning_content, self.reasoning]
            .into_iter()
            .flatten()
            .map(Cow::into_owned)
            .chain([details, of_details, thinking])
            .find(|text| !text.is_empty());
        match named {
            Some(reasoning) => Texts { content, reasoning },
            None => split_tag(content),
        }
    }
}

impl Content<'_> {
    /// Returns the text and the thinking.
    pub(super) fn split(self) -> (String, String) {
        (self.text.into_owned(), self.thinking)
    }
}

fn split_tag(content: String) -> Texts {
    let body = content.trim_start();
    if let Some(opened) = body.strip_prefix(OPEN) {
        let (reasoning, answer) = opened.split_once(CLOSE).unwrap_or((opened, ""));
        return Texts { content: answer.trim().into(), reasoning: reasoning.trim().into() };
    }
    match body.split_once(CLOSE) {
        Some((reasoning, answer)) if !reasoning.contains(OPEN) => {
            Texts { content: answer.trim().into(), reasoning: reasoning.trim().into() }
        }
        _ => Texts { content, reasoning: String::new() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(message: &str) -> (String, String) {
        let texts = serde_json::from_str::<Message<'_>>(message).unwrap().texts();
        (texts.content, texts.reasoning)
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
