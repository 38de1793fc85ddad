//! Reads rows of `output.json`.

use memchr::memmem;
use serde::Deserialize;

use super::{BOM, LegacyFile, unix_ms};
use crate::answer::row::{Metadata, Row};

/// How every line of `output.json` begins. Nothing inside a row looks so, its quotes being escaped.
const JSON_ROW: &[u8] = b"{\"metadata\":";

/// Reads `output.json`: an object a line.
#[must_use]
pub fn read_json(bytes: &[u8]) -> LegacyFile {
    let mut found = LegacyFile { has_every_key: true, ..LegacyFile::default() };
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let ended = line.last() == Some(&b'\n');
        let blank = line.iter().all(u8::is_ascii_whitespace);
        match read_line(line.strip_prefix(BOM).unwrap_or(line)) {
            Some((at, row, has_every_key)) => {
                found.has_every_key &= has_every_key;
                found.rows.push(row);
                found.unread += u64::from(at > 0);
            }
            None if !ended && !blank => {
                found.torn = true;
                break;
            }
            None => found.unread += u64::from(!blank),
        }
        found.whole_bytes += line.len() as u64;
    }
    found.has_every_key &= !found.rows.is_empty();
    found
}

/// Reads the row in a line of `output.json`, where it begins, which is not at the start where the
/// line was torn and written on from by a later run, and whether it has every key.
fn read_line(line: &[u8]) -> Option<(usize, Row, bool)> {
    #[derive(Deserialize)]
    struct Line {
        metadata: Head,
        response: Response,
    }
    #[derive(Deserialize)]
    struct Head {
        #[serde(default)]
        timestamp: String,
        question: String,
        #[serde(flatten)]
        rest: serde_json::Map<String, serde_json::Value>,
    }
    #[derive(Deserialize)]
    struct Response {
        #[serde(default)]
        reasoning: Option<String>,
        #[serde(default)]
        answer: Option<String>,
    }
    let later = memmem::find_iter(line, JSON_ROW).filter(|&at| at > 0);
    std::iter::once(0).chain(later).find_map(|at| {
        let line: Line = serde_json::from_slice(&line[at..]).ok()?;
        let (metadata, has_every_key) = Metadata::read(line.metadata.rest);
        let row = Row {
            answered_at: unix_ms(&line.metadata.timestamp),
            question: line.metadata.question,
            reasoning: line.response.reasoning.unwrap_or_default(),
            answer: line.response.answer.unwrap_or_default(),
            metadata,
            reading: None,
        };
        Some((at, row, has_every_key))
    })
}
