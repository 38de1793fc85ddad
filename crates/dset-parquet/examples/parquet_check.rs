//! What `dev/parquet/run` asks of this crate, at the command line.
//!
//! ```text
//! parquet_check read FILE          # its rows as JSON lines
//! parquet_check count FILE         # reads its rows and says how many there are
//! parquet_check kinds FILE         # writes a row group or two of every kind of column
//! parquet_check write FILE ROWS    # writes rows of about 1.6 kB
//! parquet_check lines ROWS         # the same rows as JSON lines
//! ```
#![allow(clippy::print_stdout, reason = "a program of checks talks to its caller")]

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufWriter, Write as _};

use dset_core::layout::{Cell, Column, Kind};
use dset_parquet::{Reader, Writer, WriterOptions};
use serde_json::{Map, json};

type Outcome = Result<(), Box<dyn std::error::Error>>;

const WORDS: &[&str] = &[
    "the",
    "answer",
    "of",
    "model",
    "because",
    "therefore",
    "integral",
    "seven",
    "proof",
    "let",
    "assume",
    "that",
    "holds",
    "for",
    "every",
    "prime",
    "number",
    "step",
    "we",
    "find",
    "which",
    "is",
    "not",
    "equal",
    "to",
    "sum",
    "by",
    "induction",
    "hence",
    "question",
    "value",
    "known",
];
const NAMES: [(&str, Kind); 6] = [
    ("id", Kind::Text),
    ("question", Kind::Text),
    ("reasoning", Kind::Text),
    ("answer", Kind::Text),
    ("model", Kind::Text),
    ("tokens", Kind::Integer),
];

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["read", file] => read(file),
        ["count", file] => count(file),
        ["kinds", file] => kinds(file),
        ["write", file, rows] => write(file, rows.parse()?),
        ["lines", rows] => lines(rows.parse()?),
        _ => Err("read FILE | count FILE | kinds FILE | write FILE ROWS | lines ROWS".into()),
    }
}

fn read(file: &str) -> Outcome {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let (mut reader, mut row) = (Reader::open(file)?, Map::new());
    while reader.next(&mut row)? {
        serde_json::to_writer(&mut out, &row)?;
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

fn count(file: &str) -> Outcome {
    let (mut reader, mut row, mut rows) = (Reader::open(file)?, Map::new(), 0u64);
    while reader.next(&mut row)? {
        rows += 1;
    }
    println!("{rows}");
    Ok(())
}

fn columns(named: &[(&str, Kind)]) -> Vec<Column> {
    named.iter().map(|&(name, kind)| Column::new(name, kind)).collect()
}

/// Rows 0 to 24,999: what is unknown in the first row group, and in the first rows, is known later.
fn kinds(file: &str) -> Outcome {
    const MESSAGE: &[&str] = &["role", "content"];
    let columns = columns(&[
        ("text", Kind::Text),
        ("integer", Kind::Integer),
        ("float", Kind::Float),
        ("truth", Kind::Truth),
        ("time", Kind::Time),
        ("texts", Kind::Texts),
        ("messages", Kind::Objects(MESSAGE)),
    ]);
    let mut writer = Writer::new(File::create(file)?, &columns, WriterOptions::default())?;
    for row in 0..25_000_i64 {
        let known = row >= 21_000;
        let text = if row % 5 == 0 { String::new() } else { format!("NA {row}") };
        let message = |role: &'static str| vec![Cow::Borrowed(role), Cow::Owned(text.clone())];
        writer.push(&[
            Cell::Text(text.as_str().into()),
            Cell::Integer(known.then_some(row + (1 << 60))),
            Cell::Float(known.then_some(row as f64 / 4.0)),
            Cell::Truth(known.then_some(row % 2 == 0)),
            Cell::Time(1_764_380_000_000 + row),
            Cell::Texts(if known { vec![text.as_str().into(), "".into()] } else { vec![] }),
            Cell::Objects(if known { vec![message("user"), message("assistant")] } else { vec![] }),
        ])?;
    }
    writer.finish()?;
    Ok(())
}

/// Of splitmix64: a number that nothing is seen of in the result.
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// Texts of a row, about 1.6 kB, that compress about as prose does.
fn texts(row: u64) -> [String; 4] {
    // The same row is the same text, and shares no long run of words with the row beside it.
    let mut state = mixed(row.wrapping_add(1));
    let mut word = || {
        state = mixed(state);
        state
    };
    let mut prose = |bytes: usize| {
        let mut text = String::with_capacity(bytes + 16);
        while text.len() < bytes {
            let drawn = word();
            text.push_str(WORDS[drawn as usize % WORDS.len()]);
            if drawn >> 61 == 0 {
                text.push_str(&(drawn >> 40 & 0xFFFF).to_string());
            }
            text.push(' ');
        }
        text
    };
    [format!("{row:016x}"), prose(150), prose(900), prose(500)]
}

fn write(file: &str, rows: u64) -> Outcome {
    let mut writer = Writer::new(File::create(file)?, &columns(&NAMES), WriterOptions::default())?;
    for row in 0..rows {
        let [id, question, reasoning, answer] = texts(row);
        writer.push(&[
            Cell::Text(id.into()),
            Cell::Text(question.into()),
            Cell::Text(reasoning.into()),
            Cell::Text(answer.into()),
            Cell::Text("deepseek-reasoner".into()),
            Cell::Integer(Some(i64::try_from(row % 4_000)?)),
        ])?;
    }
    println!("{} bytes", writer.finish()?);
    Ok(())
}

fn lines(rows: u64) -> Outcome {
    let mut out = BufWriter::new(std::io::stdout().lock());
    for row in 0..rows {
        let [id, question, reasoning, answer] = texts(row);
        let line = json!({
            "id": id, "question": question, "reasoning": reasoning, "answer": answer,
            "model": "deepseek-reasoner", "tokens": row % 4_000,
        });
        writeln!(out, "{line}")?;
    }
    Ok(out.flush()?)
}
