//! Reads the outputs that the original script left, and decides what each of them lacks.
//!
//! Rows of `output.json`, then those of `output.csv` that it lacks, matched by trimmed question and
//! ordinal. A torn last row is to be cut, what one file lacks is to be appended, and everything
//! else stays, the script's doubled rows too. `output.txt` is never parsed: it is only searched for
//! the rows that it should have.

use std::collections::{HashMap, HashSet};

use memchr::memmem;
use serde::Deserialize;

use crate::csv::{Record, Records};
use crate::question::QuestionId;
use crate::row::{Metadata, Row};

/// The three files as they were found; one that is not there is empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outputs<'a> {
    /// `output.csv`
    pub csv: &'a [u8],
    /// `output.json`
    pub json: &'a [u8],
    /// `output.txt`
    pub txt: &'a [u8],
}

/// What is taken over, and what is to be done to each file so that all have it.
#[derive(Debug, PartialEq)]
pub struct Adoption {
    /// Every row that counts as answered.
    pub rows: Vec<Row>,
    /// Of each row: the question it answers.
    pub ids: Vec<QuestionId>,
    /// What to do to `output.csv`.
    pub csv: Completion,
    /// What to do to `output.json`.
    pub json: Completion,
    /// What to do to `output.txt`.
    pub txt: Completion,
    /// Torn rows at the end of a file.
    pub torn: u64,
    /// Rows that cannot be read, and stay where they are.
    pub unread: u64,
}

/// What a file needs to be whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completion {
    /// Its length in bytes without a torn last row.
    pub whole_bytes: u64,
    /// The rows that it lacks, as places in [`Adoption::rows`].
    pub lacking: Vec<usize>,
}

/// What one file of the script holds.
#[derive(Debug, Default, PartialEq)]
pub struct Found {
    /// Its rows.
    pub rows: Vec<Row>,
    /// How long it is without a torn last row.
    pub whole_bytes: u64,
    /// Its last row is torn.
    pub torn: bool,
    /// Rows that cannot be read.
    pub unread: u64,
}

/// Decides what to take over. `write_txt` appends a row as `output.txt` has it.
pub fn adopt(outputs: Outputs<'_>, write_txt: fn(&Row, &mut Vec<u8>)) -> Adoption {
    let (json, csv) = (read_json(outputs.json), read_csv(outputs.csv));
    let json_ids = ids(&json.rows);
    let csv_ids = ids(&csv.rows);
    let in_json: HashSet<QuestionId> = json_ids.iter().copied().collect();
    let in_csv: HashSet<QuestionId> = csv_ids.iter().copied().collect();

    let lacks_csv = (0..json.rows.len()).filter(|&at| !in_csv.contains(&json_ids[at])).collect();
    let (mut rows, mut ids) = (json.rows, json_ids);
    let from_csv = rows.len();
    for (row, id) in csv.rows.into_iter().zip(csv_ids) {
        if !in_json.contains(&id) {
            rows.push(row);
            ids.push(id);
        }
    }
    let lacks_json = (from_csv..rows.len()).collect();
    let lacks_txt = lacking_in_text(outputs.txt, &rows, write_txt);
    Adoption {
        csv: Completion { whole_bytes: csv.whole_bytes, lacking: lacks_csv },
        json: Completion { whole_bytes: json.whole_bytes, lacking: lacks_json },
        txt: Completion { whole_bytes: outputs.txt.len() as u64, lacking: lacks_txt },
        torn: u64::from(json.torn) + u64::from(csv.torn),
        unread: json.unread + csv.unread,
        rows,
        ids,
    }
}

/// Returns what is to be appended to a file that ends (after the cut) with these bytes, before the
/// rows that it lacks: its header where it is empty, a line end where it has none.
#[must_use]
pub fn joint<'a>(whole: &[u8], header: &'a [u8], newline: &'a [u8]) -> &'a [u8] {
    match whole.last() {
        None => header,
        Some(b'\n') => b"",
        Some(_) => newline,
    }
}

/// Numbers rows with equal questions, as the plan does with those of the input.
fn ids(rows: &[Row]) -> Vec<QuestionId> {
    let mut seen: HashMap<u64, u32> = HashMap::new();
    rows.iter()
        .map(|row| {
            let text_hash = QuestionId::hash_text(&row.question);
            let next = seen.entry(text_hash).or_default();
            let ordinal = *next;
            *next += 1;
            QuestionId { text_hash, ordinal }
        })
        .collect()
}

/// Reads `output.json`: an object a line.
#[must_use]
pub fn read_json(bytes: &[u8]) -> Found {
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
    }
    #[derive(Deserialize)]
    struct Response {
        #[serde(default)]
        reasoning: Option<String>,
        #[serde(default)]
        answer: Option<String>,
    }
    let mut found = Found::default();
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let ended = line.last() == Some(&b'\n');
        let read = serde_json::from_slice::<Line>(line);
        let blank = line.iter().all(u8::is_ascii_whitespace);
        match read {
            Ok(line) => found.rows.push(Row {
                answered_at: unix_ms(&line.metadata.timestamp),
                question: line.metadata.question.trim().to_owned(),
                reasoning: line.response.reasoning.unwrap_or_default(),
                answer: line.response.answer.unwrap_or_default(),
                metadata: Metadata::default(),
            }),
            Err(_) if !ended && !blank => {
                found.torn = true;
                break;
            }
            Err(_) => found.unread += u64::from(!blank),
        }
        found.whole_bytes += line.len() as u64;
    }
    found
}

/// Reads `output.csv`, whose columns are known by the header or else are the script's.
#[must_use]
pub fn read_csv(bytes: &[u8]) -> Found {
    let mut found = Found::default();
    let (mut records, mut record) = (Records::new(bytes), Record::default());
    let mut columns = [Some(0), Some(1), Some(2), Some(3)];
    let mut is_first = true;
    loop {
        match records.next(&mut record) {
            Ok(true) => {}
            Ok(false) => {
                found.whole_bytes += record.raw().len() as u64;
                break;
            }
            // A character torn in its middle, at the end or before it: nothing behind is read.
            Err(_) => {
                found.torn = true;
                break;
            }
        }
        let ended = matches!(record.raw().last(), Some(b'\n' | b'\r'));
        // The LF behind a CR belongs to the record that begins with it.
        if !ended {
            found.torn = true;
            break;
        }
        found.whole_bytes += record.raw().len() as u64;
        let header = record.cells().any(|cell| cell.trim() == "final_answer");
        if std::mem::take(&mut is_first) && header {
            let at = |name| record.cells().position(|cell| cell.trim() == name);
            columns = ["timestamp", "question", "thoughts", "final_answer"].map(at);
            continue;
        }
        let cell = |at: usize| columns[at].and_then(|at| record.cell(at));
        match (cell(1), cell(3)) {
            (Some(question), Some(answer)) => found.rows.push(Row {
                answered_at: unix_ms(cell(0).unwrap_or_default()),
                question: question.trim().to_owned(),
                reasoning: cell(2).unwrap_or_default().to_owned(),
                answer: answer.to_owned(),
                metadata: Metadata::default(),
            }),
            _ => found.unread += 1,
        }
    }
    if found.torn && bytes.get(found.whole_bytes as usize) == Some(&b'\n') {
        found.whole_bytes += 1;
    }
    found
}

/// The script wrote local time without saying so; it is taken as it stands, and stands again.
fn unix_ms(stamp: &str) -> i64 {
    crate::time::read_stamp(stamp).unwrap_or(0)
}

/// Searches `output.txt` for rows; returns the places of those that it has not.
fn lacking_in_text(text: &[u8], rows: &[Row], write: fn(&Row, &mut Vec<u8>)) -> Vec<usize> {
    let mut from = 0;
    let mut lacking = Vec::new();
    let mut block = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        block.clear();
        write(row, &mut block);
        match memmem::find(&text[from..], &block) {
            Some(found) => from += found + block.len(),
            // Out of order, or written in another second than the other two: by its question.
            None if has_question(text, row) => {}
            None => lacking.push(at),
        }
    }
    lacking
}

fn has_question(text: &[u8], row: &Row) -> bool {
    let parts = [("Question: ", &row.question), ("Final Answer: ", &row.answer)];
    parts
        .iter()
        .all(|(name, part)| memmem::find(text, format!("{name}{part}\n").as_bytes()).is_some())
}
