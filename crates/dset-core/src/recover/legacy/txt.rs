//! Reads rows of `output.txt` that no other output has.
//!
//! It is written for people: a text in it may look like the next field, or like the end of its row. Only
//! rows that can be read in one way are read; which of them count is decided by what else is there.

use std::collections::HashSet;

use super::{STAMP, TXT_STAMP, is_stamp, unix_ms};
use crate::answer::row::{Metadata, Row};
use crate::item::question::QuestionId;

const MODEL: &str = "Model: ";
const QUESTION: &str = "Question: ";
const REASONING: &str = "\nThought Process: ";
const ANSWER: &str = "\nFinal Answer: ";
/// What ends a row, its last line end among it.
const RULE: &str = "\n--------------------------------------------------\n\n";

/// What an answer was given to: a question, a sample and, where the row names it, the model.
type Slot = (u64, u32, Option<String>);

/// Returns the rows of `output.txt` to questions that none of these rows answers, and how many more there
/// are that cannot be read.
pub(super) fn only_in_txt(text: &[u8], known: &[Row]) -> (Vec<Row>, u64) {
    let mut slots: HashSet<Slot> = HashSet::new();
    for row in known {
        let (text_hash, sample) = (QuestionId::hash_text(&row.question), row.metadata.sample);
        slots.insert((text_hash, sample.unwrap_or(0), None));
        slots.insert((text_hash, sample.unwrap_or(0), row.metadata.model.clone()));
    }
    let mut found = (Vec::new(), 0);
    let Ok(text) = std::str::from_utf8(text) else { return found };
    // Windows' line ends, where the file has them throughout.
    let is_of_windows = text.matches('\n').count() == text.matches("\r\n").count();
    let of_unix = is_of_windows.then(|| text.replace("\r\n", "\n"));
    let mut rest: &str = of_unix.as_deref().unwrap_or(text);
    while let Some(begin) = begin_of_row(rest) {
        rest = &rest[begin..];
        let Some(end) = end_of_row(rest) else { break };
        // It was torn, and a later run wrote on behind it.
        if let Some(inner) = begin_of_row(&rest[1..end]) {
            rest = &rest[1 + inner..];
            continue;
        }
        let row = read(&rest[..end]);
        rest = rest.get(end + RULE.len()..).unwrap_or_default();
        let Some((question, metadata, texts)) = row else {
            found.1 += 1;
            continue;
        };
        let model = metadata.model.clone();
        if slots.contains(&(QuestionId::hash_text(question), metadata.sample.unwrap_or(0), model)) {
            continue;
        }
        match texts {
            Some((answered_at, reasoning, answer)) => found.0.push(Row {
                answered_at,
                question: question.to_owned(),
                reasoning: reasoning.to_owned(),
                answer: answer.to_owned(),
                metadata,
                reading: None,
            }),
            None => found.1 += 1,
        }
    }
    found
}

/// Returns where the next row begins: at the beginning of a line, or where another was torn and a later run wrote on
/// in the same line.
fn begin_of_row(text: &str) -> Option<usize> {
    let is_begin = |at: &usize| {
        let at_line = *at == 0 || text.as_bytes()[at - 1] == b'\n';
        let behind = at + TXT_STAMP.len() + STAMP.len();
        let stamp = text.as_bytes().get(at + TXT_STAMP.len()..behind);
        let goes_on = |next: &str| {
            text.get(behind..)
                .and_then(|rest| rest.strip_prefix('\n')?.strip_prefix(next))
                .is_some()
        };
        stamp.is_some_and(is_stamp) && (at_line || goes_on(QUESTION) || goes_on(MODEL))
    };
    text.match_indices(TXT_STAMP).map(|(at, _)| at).find(is_begin)
}

/// Returns how long the row at the beginning is: another row or nothing follows on its rule. The last one
/// may lack the line ends behind that.
fn end_of_row(text: &str) -> Option<usize> {
    let rule = RULE.trim_end();
    let is_end = |at: &usize| match text.get(at + RULE.len()..) {
        Some(rest) if text[*at..].starts_with(RULE) => {
            rest.is_empty() || begin_of_row(rest) == Some(0)
        }
        _ => matches!(&text[at + rule.len()..], "" | "\n"),
    };
    text.match_indices(rule).map(|(at, _)| at).find(is_end)
}

/// When it was answered, the reasoning and the answer.
type Texts<'a> = (i64, &'a str, &'a str);

/// Reads a row; its texts are absent where they can be read in several ways.
fn read(row: &str) -> Option<(&str, Metadata, Option<Texts<'_>>)> {
    let (stamp, mut rest) = row.strip_prefix(TXT_STAMP)?.split_once('\n')?;
    let mut metadata = Metadata::default();
    if let Some(origin) = rest.strip_prefix(MODEL) {
        let (origin, behind) = origin.split_once('\n')?;
        let (model, sample) = origin.rsplit_once(", sample ")?;
        metadata.model = Some(model.to_owned()).filter(|model| !model.is_empty());
        metadata.sample = Some(sample.parse().ok()?);
        rest = behind;
    }
    let texts = rest.strip_prefix(QUESTION)?;
    let (question, behind) = texts.split_once(REASONING)?;
    let (reasoning, answer) = behind.split_once(ANSWER)?;
    let is_one_way = texts.matches(REASONING).count() == 1 && texts.matches(ANSWER).count() == 1;
    Some((question, metadata, is_one_way.then(|| (unix_ms(stamp), reasoning, answer))))
}
