//! Where services put the answer and the reasoning.
//!
//! Order: `reasoning_content`, `reasoning`, `reasoning_details`, thinking parts of an array, and a
//! leading `<think>` tag. A tag counts only as the first thing of the content, or as a lone closing
//! one, which chat templates that open it in the prompt leave behind; the first closing tag ends
//! it, so that tags inside an answer stay.

use std::borrow::Cow;

use serde::Deserialize;

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// `content`, in each of its shapes.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Content<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Parts(#[serde(borrow)] Vec<Part<'a>>),
}

/// One part of a content array: text, or thinking in a string (Anthropic) or in parts (Mistral).
#[derive(Debug, Deserialize)]
pub(super) struct Part<'a> {
    #[serde(rename = "type", default, borrow)]
    kind: Cow<'a, str>,
    #[serde(default, borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    thinking: Option<Box<Content<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(default, borrow)]
    pub(super) content: Option<Content<'a>>,
    #[serde(default, borrow)]
    reasoning_content: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    reasoning: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    reasoning_details: Option<Vec<Part<'a>>>,
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
        let (content, thinking) = match self.content {
            None => (String::new(), String::new()),
            Some(content) => content.split(),
        };
        let details = self.reasoning_details.unwrap_or_default();
        let details = details.into_iter().filter_map(|part| part.text).collect::<String>();
        let named = [self.reasoning_content, self.reasoning]
            .into_iter()
            .flatten()
            .map(Cow::into_owned)
            .chain([details, thinking])
            .find(|text| !text.is_empty());
        match named {
            Some(reasoning) => Texts { content, reasoning },
            None => split_tag(content),
        }
    }
}

impl Content<'_> {
    /// Returns the text parts and the thinking parts, each joined.
    pub(super) fn split(self) -> (String, String) {
        let parts = match self {
            Content::Text(text) => return (text.into_owned(), String::new()),
            Content::Parts(parts) => parts,
        };
        let (mut content, mut thinking) = (String::new(), String::new());
        for part in parts {
            match (part.thinking, part.text) {
                (Some(inner), _) => thinking.push_str(&inner.split().0),
                (None, Some(text)) if part.kind == "thinking" => thinking.push_str(&text),
                (None, Some(text)) => content.push_str(&text),
                (None, None) => {}
            }
        }
        (content, thinking)
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
