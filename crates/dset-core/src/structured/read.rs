//! Where the JSON value of an answer is: the whole of it, a fenced block, or among words.
//!
//! Nothing is repaired: no quotes are added, no commas dropped, no names guessed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::structured::json::{Json, Problem, SyntaxError};

/// Where the value of an answer stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParsedFrom {
    /// It was the whole answer.
    Whole,
    /// In the one fenced block with JSON.
    Fence,
    /// Among words.
    Text,
}

impl ParsedFrom {
    /// Returns its name in datasets.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ParsedFrom::Whole => "whole",
            ParsedFrom::Fence => "fence",
            ParsedFrom::Text => "text",
        }
    }
}

/// The value of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// As it was written.
    pub value: Json,
    /// Where it stood.
    pub from: ParsedFrom,
}

/// Why an answer has no value. As text it is a sentence for the model that wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// There is no JSON in it.
    None,
    /// It is broken: where in the answer, and how.
    Syntax {
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// What is wrong there.
        problem: Problem,
    },
    /// There are several, and none says that it is the answer.
    Several,
    /// This JSON pointer stands twice.
    Duplicate(String),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreadable::None => f.write_str("there is no JSON in the answer"),
            Unreadable::Several => f.write_str("there are several JSON values in the answer"),
            Unreadable::Duplicate(place) => write!(f, "`{place}` stands there twice"),
            Unreadable::Syntax { problem: Problem::Cut, .. } => {
                f.write_str("the answer ends before its JSON does")
            }
            Unreadable::Syntax { line, column, problem } => {
                write!(f, "the JSON is broken at line {line}, column {column}: ")?;
                f.write_str(match problem {
                    Problem::Cut => "it ends there",
                    Problem::Unexpected => "this must not stand there",
                    Problem::Escape => "an escape in this string means nothing",
                    Problem::ControlCharacter => "a control character in a string is not escaped",
                    Problem::Trailing => "something follows the value",
                    Problem::TooDeep => "it lies too deep",
                })
            }
        }
    }
}

/// Reads the JSON value of an answer: the whole of it, else the one in a fenced block, else an
/// object or an array with nothing but words around it.
pub fn read(answer: &str) -> Result<Parsed, Unreadable> {
    let (value, from) = find(answer)?;
    match value.duplicate() {
        Some(place) => Err(Unreadable::Duplicate(place)),
        None => Ok(Parsed { value, from }),
    }
}

fn find(answer: &str) -> Result<(Json, ParsedFrom), Unreadable> {
    // A byte order mark is a blank.
    let whole = answer.trim_matches(|letter: char| letter.is_whitespace() || letter == '\u{feff}');
    if let Ok(value) = Json::parse(whole) {
        return Ok((value, ParsedFrom::Whole));
    }
    match fenced(answer)[..] {
        [] => in_words(answer).map(|value| (value, ParsedFrom::Text)),
        [block] => {
            let value = Json::parse(block).map_err(|error| at(answer, block, error))?;
            Ok((value, ParsedFrom::Fence))
        }
        _ => Err(Unreadable::Several),
    }
}

/// Returns the fenced blocks that may hold the value: those that say that they are JSON, else those
/// that do not say what they are and begin like it.
fn fenced(answer: &str) -> Vec<&str> {
    let (mut said, mut unsaid) = (Vec::new(), Vec::new());
    let mut keep = |info: &str, from: usize, to: usize| {
        let block = &answer[from..to];
        match info.split_whitespace().next() {
            Some(word) if word.eq_ignore_ascii_case("json") => said.push(block),
            None if block.trim_start().starts_with(['{', '[']) => unsaid.push(block),
            _ => {}
        }
    };
    // Of the block that is open: its marks, where it begins, what it says that it is. One line may
    // end with its marks though none are expected there: what is broken there is so to the end.
    let mut open: Option<(&str, usize, &str)> = None;
    let (mut at, mut may_end_in_line) = (0, true);
    for line in answer.split_inclusive('\n') {
        let (start, text) = (at, line.trim());
        at += line.len();
        let fence = |mark: char| {
            let rest = text.trim_start_matches(mark);
            (text.len() - rest.len() >= 3).then(|| text.split_at(text.len() - rest.len()))
        };
        match (open, fence('`').or_else(|| fence('~'))) {
            (None, Some((marks, info))) if !info.contains('`') => {
                (open, may_end_in_line) = (Some((marks, at, info)), true);
            }
            (Some((marks, from, info)), Some((own, ""))) if own.starts_with(marks) => {
                keep(info, from, start);
                open = None;
            }
            (Some((marks, from, info)), None) if may_end_in_line && text.ends_with(marks) => {
                let value = text.trim_end_matches(|letter| marks.starts_with(letter));
                let to = start + line.find(text).unwrap_or_default() + value.len();
                match Json::parse(&answer[from..to]) {
                    Ok(_) => {
                        keep(info, from, to);
                        open = None;
                    }
                    Err(_) => may_end_in_line = false,
                }
            }
            _ => {}
        }
    }
    // A block that is not closed goes to the end, as in Markdown.
    if let Some((_, from, info)) = open {
        keep(info, from, answer.len());
    }
    if said.is_empty() { unsaid } else { said }
}

const BRACKETS: [char; 4] = ['{', '}', '[', ']'];

fn in_words(answer: &str) -> Result<Json, Unreadable> {
    let start = answer.find(BRACKETS).ok_or(Unreadable::None)?;
    let text = &answer[start..];
    if !text.starts_with(['{', '[']) {
        return Err(Unreadable::None);
    }
    let (value, end) = Json::parse_first(text).map_err(|error| at(answer, text, error))?;
    match text[end..].contains(BRACKETS) {
        true => Err(Unreadable::Several),
        false => Ok(value),
    }
}

/// Returns an error in a part of the answer as one in the answer.
fn at(answer: &str, part: &str, error: SyntaxError) -> Unreadable {
    let start = part.as_ptr() as usize - answer.as_ptr() as usize;
    let before = &answer[..start + error.at];
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    Unreadable::Syntax {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        problem: error.problem,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(answer: &str) -> Result<(String, ParsedFrom), String> {
        let parsed = read(answer).map_err(|why| why.to_string())?;
        Ok((parsed.value.to_string(), parsed.from))
    }

    #[test]
    fn a_value_is_found_whole_in_a_fence_and_among_words() {
        for (answer, value, from) in [
            (" {\"a\": 1.0}\n", r#"{"a":1.0}"#, ParsedFrom::Whole),
            ("\u{feff}[1]", "[1]", ParsedFrom::Whole),
            ("42", "42", ParsedFrom::Whole),
            ("\"yes\"", "\"yes\"", ParsedFrom::Whole),
            ("```json\n{\"a\": 1}\n```", r#"{"a":1}"#, ParsedFrom::Fence),
            ("Sure!\n\n~~~JSON\n3\n~~~\nDone {a}.", "3", ParsedFrom::Fence),
            ("```\n[1, 2]\n```", "[1,2]", ParsedFrom::Fence),
            ("```json\n{\"a\": 1}", r#"{"a":1}"#, ParsedFrom::Fence),
            ("```json\n{\"a\": 1}```", r#"{"a":1}"#, ParsedFrom::Fence),
            ("Sure:\n```json\n{\"a\":\n  1} ```  \nDone {a}.", r#"{"a":1}"#, ParsedFrom::Fence),
            ("~~~~\n[1]~~~~", "[1]", ParsedFrom::Fence),
            ("```json\n\"``` and ```\"\n```", r#""``` and ```""#, ParsedFrom::Fence),
            ("```python\nx = [1]\n```\n```json\n{}\n```", "{}", ParsedFrom::Fence),
            ("```\n{}\n```\nwhich is\n```json\n[]\n```", "[]", ParsedFrom::Fence),
            ("````json\n{\"code\": \"```\"}\n````", r#"{"code":"```"}"#, ParsedFrom::Fence),
            ("Here: {\"a\": \"}\"} I hope.", r#"{"a":"}"}"#, ParsedFrom::Text),
            ("The list is [1, 2].", "[1,2]", ParsedFrom::Text),
        ] {
            assert_eq!(found(answer), Ok((value.to_owned(), from)), "{answer}");
        }
    }

    #[test]
    fn nothing_is_repaired_or_guessed() {
        let broken = |place: &str, what: &str| format!("the JSON is broken at {place}: {what}");
        for (answer, why) in [
            ("", "there is no JSON in the answer".to_owned()),
            ("The answer is 42.", "there is no JSON in the answer".to_owned()),
            ("Nothing :-] at all", "there is no JSON in the answer".to_owned()),
            ("{\"a\": 1} and {\"b\": 2}", "there are several JSON values in the answer".into()),
            ("{\"a\": 1}\n{\"a\": 2}", "there are several JSON values in the answer".into()),
            (
                "```json\n1\n```\n```json\n2\n```",
                "there are several JSON values in the answer".into(),
            ),
            ("{\"a\": {\"b\": ", "the answer ends before its JSON does".into()),
            ("```json\n{\"a\": [1,\n", "the answer ends before its JSON does".into()),
            ("{\"a\": 1, \"a\": 2}", "`/a` stands there twice".into()),
            ("Ok:\né {'a': 1}", broken("line 2, column 4", "this must not stand there")),
            ("```json\n{\"a\": 1,}\n```", broken("line 2, column 9", "this must not stand there")),
            ("```json\n{} {}\n```", broken("line 2, column 4", "something follows the value")),
            (
                "{\"a\": \"x\ny\"}",
                broken("line 1, column 9", "a control character in a string is not escaped"),
            ),
        ] {
            assert_eq!(found(answer), Err(why), "{answer}");
        }
    }

    proptest! {
        #[test]
        fn a_value_is_the_same_however_it_is_dressed(
            members in prop::collection::btree_map(any::<String>(), any::<String>(), 0..4),
            words in "[A-Za-z .,!]{0,20}",
        ) {
            let value = serde_json::to_string(&members).unwrap();
            let fence = format!("{words}\n```json\n{value}\n```\n{words}");
            prop_assert_eq!(found(&value), Ok((value.clone(), ParsedFrom::Whole)));
            prop_assert_eq!(found(&fence), Ok((value.clone(), ParsedFrom::Fence)));
            let text = format!("x{words}{value}{words}");
            prop_assert_eq!(found(&text), Ok((value, ParsedFrom::Text)));
        }

        #[test]
        fn no_answer_breaks_it(answer in "[`~\\n{}\\[\\]\":,a-c1é ]{0,40}") {
            let _ = read(&answer);
        }
    }
}
