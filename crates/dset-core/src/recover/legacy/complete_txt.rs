//! Tells which rows `output.txt` lacks.

use std::collections::HashMap;

use memchr::{memchr, memmem, memrchr};

use super::{Completion, STAMP, TXT_STAMP, is_stamp};
use crate::answer::row::Row;

const TXT_QUESTION: &[u8] = b"Question: ";

/// What stands before that where a question has several answers.
const TXT_MODEL: &[u8] = b"Model: ";

/// Searches `output.txt` for the rows, whenever they were written and with either line end, and
/// tells which it lacks. A torn end is cut if it is the beginning of one of those.
pub(super) fn complete_text(
    text: &[u8],
    rows: &[Row],
    write: fn(&Row, &mut Vec<u8>),
) -> Completion {
    let block = |row: &Row| {
        let mut block = Vec::new();
        write(row, &mut block);
        block
    };
    let behind_stamp = TXT_STAMP.len() + STAMP.len() + 1;
    // The rows that were not found yet, by the line of their question.
    let mut lacking: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
    // Where each row names its model, that line comes first.
    let names_model = |row: &Row| block(row)[behind_stamp..].starts_with(TXT_MODEL);
    let begins_with = if rows.first().is_some_and(names_model) { TXT_MODEL } else { TXT_QUESTION };
    for (at, row) in rows.iter().enumerate() {
        let line = first_line(&block(row)[behind_stamp..]).to_vec();
        lacking.entry(line).or_default().push(at);
    }
    let mut end = 0;
    for from in memmem::find_iter(text, begins_with) {
        if from < end || from > 0 && text[from - 1] != b'\n' {
            continue;
        }
        let Some(places) = lacking.get_mut(first_line(&text[from..])) else { continue };
        let is_here = |&at: &usize| {
            let body = &block(&rows[at])[behind_stamp..];
            let (length, followed) = follow(&text[from..], body);
            (followed == body.len()).then_some(length)
        };
        // The first of those that are longest: an answer may look like the end of a row.
        let here = places.iter().map(is_here).enumerate().rev().max_by_key(|(_, length)| *length);
        if let Some((place, Some(length))) = here {
            places.remove(place);
            end = from + length;
        }
    }
    let mut lacking: Vec<usize> = lacking.into_values().flatten().collect();
    lacking.sort_unstable();

    let rest = &text[end..];
    let last = memmem::rfind(rest, TXT_STAMP.as_bytes());
    let last = last.or_else(|| Some(memrchr(b'\n', rest)? + 1)).unwrap_or(0);
    let torn = &rest[last..];
    let is_torn = |&at: &usize| {
        let mut block = block(&rows[at]);
        // It may be of another second.
        let stamp = TXT_STAMP.len()..torn.len().clamp(TXT_STAMP.len(), behind_stamp - 1);
        let Some(found) = torn.get(stamp.clone()).filter(|found| is_stamp(found)) else {
            return block.starts_with(torn);
        };
        block[stamp].copy_from_slice(found);
        let (length, followed) = follow(torn, &block);
        length == torn.len() && followed < block.len()
    };
    let cut = if !torn.is_empty() && lacking.iter().any(is_torn) { torn.len() } else { 0 };
    Completion { whole_bytes: (text.len() - cut) as u64, missing_rows: lacking }
}

fn first_line(text: &[u8]) -> &[u8] {
    let line = &text[..memchr(b'\n', text).unwrap_or(text.len())];
    &line[..line.iter().rposition(|&byte| byte != b'\r').map_or(0, |at| at + 1)]
}

/// Returns how far two texts are the same but for CRs: a length of each.
fn follow(text: &[u8], other: &[u8]) -> (usize, usize) {
    let (mut at, mut other_at) = (0, 0);
    loop {
        while text.get(at) == Some(&b'\r') {
            at += 1;
        }
        while other.get(other_at) == Some(&b'\r') {
            other_at += 1;
        }
        if at == text.len() || text.get(at) != other.get(other_at) {
            return (at, other_at);
        }
        (at, other_at) = (at + 1, other_at + 1);
    }
}
