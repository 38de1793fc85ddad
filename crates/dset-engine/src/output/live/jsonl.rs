//! `output.jsonl`: one flat object a line, for loaders of datasets.
//!
//! Every row has every key, in the same order and of the same type, and none is null: loaders take
//! the keys and types of the first rows, or of the first file, for those of all, and a column that
//! begins with nulls is refused later, or its values are dropped. 0 and an empty text stand for
//! what is not known.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use dset_core::answer::row::{CompleteMetadata, Metadata, Row};
use dset_core::structured::Parsed;
use dset_core::time::rfc3339;
use fs_err::File;
use serde::Serialize;
use serde::de::IgnoredAny;

use super::format::LiveFormat;

/// More than any row has: a question and what is kept of a reply, with every character escaped.
const FIRST_ROW_BYTES_MAX: u64 = 512 * 1024 * 1024;

pub(super) const FORMAT: LiveFormat = LiveFormat {
    name: "jsonl",
    file: "output.jsonl",
    about: "the same, a flat object a line, where `formats` names it",
    header: b"",
    header_with_bom: None,
    newline: b"\n",
    shape: 3,
    // Shape 1 has no id, neither has a value.
    earlier_shapes: &[
        (1, |row, output| write_with(row, "", None, output)),
        (2, |row, output| write_with(row, id(row), None, output)),
    ],
    loader_rank: 0,
    write,
    looks: None,
};

/// Tells whether the first row of this file has every column that dset writes. One that has no whole row is nobody's.
pub(super) fn begins_with_own_row(path: &Path) -> io::Result<bool> {
    if !path.is_file() {
        return Ok(false);
    }
    let mut first = Vec::new();
    BufReader::new(File::open(path)?.take(FIRST_ROW_BYTES_MAX)).read_until(b'\n', &mut first)?;
    Ok(is_own(&first))
}

fn is_own(line: &[u8]) -> bool {
    type Columns = BTreeMap<String, IgnoredAny>;
    let Ok(found) = serde_json::from_slice::<Columns>(line) else { return false };
    let empty = Row {
        answered_at: 0,
        question: String::new(),
        reasoning: String::new(),
        answer: String::new(),
        metadata: Metadata::default(),
        reading: None,
    };
    let mut own = Vec::new();
    write_with(&empty, "", None, &mut own);
    let own: Columns = serde_json::from_slice(&own).expect("written here");
    own.keys().all(|column| found.contains_key(column))
}

#[derive(Serialize)]
struct Line<'a> {
    /// Empty where the input gives none.
    id: &'a str,
    /// Row of the input file as a spreadsheet counts it, from 2 below a header.
    row: u64,
    question: &'a str,
    reasoning: &'a str,
    answer: &'a str,
    #[serde(flatten)]
    value: Option<Value<'a>>,
    model: &'a str,
    /// From 0.
    sample: u32,
    finish_reason: &'a str,
    input_tokens: u64,
    cached_tokens: u64,
    output_tokens: u64,
    reasoning_tokens: u64,
    seconds: f64,
    request_id: &'a str,
    /// RFC 3339 in UTC, to the millisecond: without a fraction `datasets` makes a date of it.
    time: String,
}

/// What is read of an answer that has to fit a schema; both are empty where there is no value.
#[derive(Serialize)]
struct Value<'a> {
    /// As JSON text: values may differ by row.
    parsed: String,
    parsed_from: &'a str,
}

fn id(row: &Row) -> &str {
    row.metadata.id.as_deref().unwrap_or_default()
}

fn write(row: &Row, output: &mut Vec<u8>) {
    let value = match row.parsed() {
        Some(Parsed { value, from }) => {
            Value { parsed: value.to_string(), parsed_from: from.name() }
        }
        None => Value { parsed: String::new(), parsed_from: "" },
    };
    write_with(row, id(row), Some(value), output);
}

fn write_with(row: &Row, id: &str, value: Option<Value<'_>>, output: &mut Vec<u8>) {
    let known = CompleteMetadata::from(&row.metadata);
    let line = Line {
        id,
        row: known.row,
        question: &row.question,
        reasoning: &row.reasoning,
        answer: &row.answer,
        value,
        model: known.model,
        sample: known.sample,
        finish_reason: known.finish_reason,
        input_tokens: known.input_tokens,
        cached_tokens: known.cached_tokens,
        output_tokens: known.output_tokens,
        reasoning_tokens: known.reasoning_tokens,
        seconds: known.seconds,
        request_id: known.request_id,
        time: rfc3339(row.answered_at),
    };
    serde_json::to_writer(&mut *output, &line).expect("a row is plain values");
    output.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_every_key_in_one_order_and_none_is_null() {
        let line = |metadata: Metadata| {
            let row = Row {
                answered_at: 1_795_348_164_005,
                question: "q\n\"é\"".into(),
                reasoning: String::new(),
                answer: "=a\u{2028}".into(),
                metadata,
                reading: None,
            };
            let mut bytes = Vec::new();
            write(&row, &mut bytes);
            String::from_utf8(bytes).unwrap()
        };
        let known = Metadata {
            row: Some(2),
            model: Some("m".into()),
            sample: Some(1),
            finish_reason: Some("stop".into()),
            input_tokens: Some(5),
            cached_tokens: Some(3),
            output_tokens: Some(7),
            reasoning_tokens: Some(4),
            seconds: Some(1.0),
            request_id: Some("r".into()),
            ..Metadata::default()
        };
        assert_eq!(
            line(known),
            "{\"id\":\"\",\"row\":2,\"question\":\"q\\n\\\"é\\\"\",\"reasoning\":\"\",\"answer\":\"=a\u{2028}\",\"parsed\":\"\",\"parsed_from\":\"\",\"model\":\"m\",\"sample\":1,\"finish_reason\":\"stop\",\"input_tokens\":5,\"cached_tokens\":3,\"output_tokens\":7,\"reasoning_tokens\":4,\"seconds\":1.0,\"request_id\":\"r\",\"time\":\"2026-11-22T11:49:24.005Z\"}\n"
        );
        assert_eq!(
            line(Metadata::default()),
            "{\"id\":\"\",\"row\":0,\"question\":\"q\\n\\\"é\\\"\",\"reasoning\":\"\",\"answer\":\"=a\u{2028}\",\"parsed\":\"\",\"parsed_from\":\"\",\"model\":\"\",\"sample\":0,\"finish_reason\":\"\",\"input_tokens\":0,\"cached_tokens\":0,\"output_tokens\":0,\"reasoning_tokens\":0,\"seconds\":0.0,\"request_id\":\"\",\"time\":\"2026-11-22T11:49:24.005Z\"}\n"
        );
    }

    #[test]
    fn a_row_of_any_shape_is_own_and_what_lacks_a_column_or_its_end_is_not() {
        let own = br#"{"id":"","row":2,"question":"q","reasoning":"","answer":"a","model":"m","sample":0,"finish_reason":"stop","input_tokens":1,"cached_tokens":0,"output_tokens":1,"reasoning_tokens":0,"seconds":0.1,"request_id":"","time":"2026-11-22T11:49:24.005Z"}"#;
        assert!(is_own(own));
        let of_now = String::from_utf8_lossy(own).replace("\"model\"", "\"parsed\":\"\",\"model\"");
        assert!(is_own(of_now.as_bytes()));
        assert!(!is_own(&own[..own.len() - 1]), "torn");
        for other in [&br#"{"question":"q","answer":"a"}"#[..], b"[]", b"", b"\0\0", b"question"] {
            assert!(!is_own(other));
        }
    }
}
