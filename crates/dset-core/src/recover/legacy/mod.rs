//! Reads the outputs that the original script left, and decides what each of them lacks.
//!
//! Rows of `output.json`, then those of `output.csv` that it lacks. A torn last row is to be cut,
//! what one file lacks is to be appended, a CSV with other columns is to be written anew, and
//! everything else stays: the script's doubled rows, and what a kill tore in the middle, behind
//! which later runs of the script wrote on in the same line. `output.txt` is searched for the rows that it
//! should have, and read only for questions that no other output answers.

mod txt;

use std::collections::{HashMap, HashSet, VecDeque};

use memchr::{memchr, memmem, memrchr};
use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_128;

use crate::answer::row::{Metadata, Row};
use crate::csv::{Record, Records, RecordsError};
use crate::item::question::QuestionId;
use crate::time::read_stamp;

const BOM: &[u8] = b"\xef\xbb\xbf";
/// How every line of `output.json` begins. Nothing inside a row looks so, its quotes being escaped.
const JSON_ROW: &[u8] = b"{\"metadata\":";
/// The columns of `output.csv`.
const COLUMNS: [&str; 4] = ["timestamp", "question", "thoughts", "final_answer"];
/// What dset writes behind them: where it does.
const FURTHER_COLUMNS: [&[&str]; 4] =
    [&[], &["id"], &["model", "sample"], &["model", "sample", "id"]];
/// The places of these columns in the script's own files.
const SCRIPTS_COLUMNS: [Option<usize>; 4] = [Some(0), Some(1), Some(2), Some(3)];
/// `2026-11-22 11:49:24`, where `0` is any digit.
const STAMP: &[u8] = b"0000-00-00 00:00:00";
/// What stands before the question in `output.txt`.
const TXT_STAMP: &str = "Timestamp: ";
const TXT_QUESTION: &[u8] = b"Question: ";
/// What stands before that where a question has several answers.
const TXT_MODEL: &[u8] = b"Model: ";

/// The three files as they were found; one that is not there is empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct LegacyOutputs<'a> {
    /// The bytes of `output.csv`; empty where there is none.
    pub csv: &'a [u8],
    /// The bytes of `output.json`; empty where there is none.
    pub json: &'a [u8],
    /// The bytes of `output.txt`; empty where there is none.
    pub txt: &'a [u8],
}

/// What is taken over, and what is to be done to each file so that all have it.
#[derive(Debug, PartialEq)]
pub struct LegacyAnswers {
    /// Every row that counts as answered.
    pub rows: Vec<Row>,
    /// Of each row: the question it answers.
    pub ids: Vec<QuestionId>,
    /// What to do to `output.csv`.
    pub csv: Completion,
    /// What to do to `output.json`.
    pub json: Completion,
    /// Its rows have every key of their metadata.
    pub json_has_every_key: bool,
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
    /// The rows that it lacks, as places in [`LegacyAnswers::rows`].
    pub missing_rows: Vec<usize>,
}

/// What one file of the script holds.
#[derive(Debug, Default, PartialEq)]
pub struct LegacyFile {
    /// The rows that could be read, in the order of the file.
    pub rows: Vec<Row>,
    /// How long it is without a torn last row.
    pub whole_bytes: u64,
    /// Its last row is torn.
    pub torn: bool,
    /// Rows that cannot be read.
    pub unread: u64,
    /// Every row has every key of its metadata, as only dset writes them.
    pub has_every_key: bool,
    /// It has other columns than the script's, so that no row can be appended to it.
    pub other_columns: bool,
}

/// The texts in one of the files, or in the part of it that is the script's.
#[derive(Debug)]
pub enum LegacyTexts<'a> {
    /// Of `output.csv` and `output.json`: the questions with their answers.
    Rows(HashSet<(String, String)>),
    /// Of `output.txt`, which is only searched.
    Txt(&'a [u8]),
}

impl LegacyTexts<'_> {
    /// Returns true if a row that was taken over is still there.
    #[must_use]
    pub fn contain(&self, row: &Row) -> bool {
        match self {
            LegacyTexts::Rows(rows) => rows.contains(&(row.question.clone(), row.answer.clone())),
            LegacyTexts::Txt(text) => {
                [("Question: ", &row.question), ("Final Answer: ", &row.answer)].iter().all(
                    |(name, part)| {
                        memmem::find(text, format!("{name}{part}\n").as_bytes()).is_some()
                    },
                )
            }
        }
    }
}

impl From<LegacyFile> for LegacyTexts<'_> {
    fn from(found: LegacyFile) -> Self {
        LegacyTexts::Rows(found.rows.into_iter().map(|row| (row.question, row.answer)).collect())
    }
}

/// Decides what to take over. `write_txt` appends a row as `output.txt` has it.
pub fn read_legacy_outputs(
    outputs: LegacyOutputs<'_>,
    write_txt: fn(&Row, &mut Vec<u8>),
) -> LegacyAnswers {
    let (json, csv) = (read_json(outputs.json), read_csv(outputs.csv));
    let (lacks_csv, only_csv) = compare(&json.rows, &csv.rows);

    let json_has_every_key = json.has_every_key;
    let mut rows = json.rows;
    let lacks_json = rows.len()..rows.len() + only_csv.len();
    let mut only_csv = only_csv.into_iter().peekable();
    let from_csv = csv.rows.into_iter().enumerate();
    rows.extend(from_csv.filter(|(at, _)| only_csv.next_if_eq(at).is_some()).map(|(_, row)| row));
    let (mut only_txt, mut unread_txt) = txt::only_in_txt(outputs.txt, &rows);
    // What is not found again as it would be written is not what was written; but the last may be torn.
    let found = complete_text(outputs.txt, &only_txt, write_txt);
    let is_cut = found.whole_bytes < outputs.txt.len() as u64;
    for at in found.missing_rows.into_iter().rev() {
        if at + 1 < only_txt.len() || !is_cut {
            only_txt.remove(at);
            unread_txt += 1;
        }
    }
    let of_txt: Vec<usize> = (rows.len()..rows.len() + only_txt.len()).collect();
    rows.extend(only_txt);
    let txt = complete_text(outputs.txt, &rows, write_txt);
    let csv_is = match csv.other_columns {
        // Written anew; the file as it was is among the copies.
        true => Completion { whole_bytes: 0, missing_rows: (0..rows.len()).collect() },
        false => Completion {
            whole_bytes: csv.whole_bytes,
            missing_rows: lacks_csv.into_iter().chain(of_txt.iter().copied()).collect(),
        },
    };
    let lacks_json = lacks_json.chain(of_txt).collect();
    LegacyAnswers {
        torn: [json.torn, csv.torn, txt.whole_bytes < outputs.txt.len() as u64]
            .map(u64::from)
            .iter()
            .sum(),
        unread: json.unread + csv.unread + unread_txt,
        csv: csv_is,
        json: Completion { whole_bytes: json.whole_bytes, missing_rows: lacks_json },
        json_has_every_key,
        txt,
        ids: ids(&rows, false),
        rows,
    }
}

/// Returns what is to be appended to a file that ends (after the cut) with these bytes, before the
/// rows that it lacks: its header where it is empty, the rest of a line end where it has none.
#[must_use]
pub fn joint<'a>(whole: &[u8], header: &'a [u8], newline: &'a [u8]) -> &'a [u8] {
    match whole.last() {
        None => header,
        Some(b'\n') => b"",
        Some(b'\r') => newline.strip_prefix(b"\r").unwrap_or(newline),
        Some(_) => newline,
    }
}

/// Numbers rows with equal questions, as the plan does with those of the input: of each sample, and
/// where `by_model` of each model, because a question has a row for each.
#[must_use]
pub fn ids(rows: &[Row], by_model: bool) -> Vec<QuestionId> {
    let mut seen: HashMap<(u64, u32, Option<&str>), u32> = HashMap::new();
    rows.iter()
        .map(|row| {
            let text_hash = QuestionId::hash_text(&row.question);
            let (sample, model) = (row.metadata.sample, row.metadata.model.as_deref());
            let of = (text_hash, sample.unwrap_or(0), model.filter(|_| by_model));
            let next = seen.entry(of).or_default();
            let ordinal = *next;
            *next += 1;
            QuestionId { text_hash, ordinal }
        })
        .collect()
}

/// Returns the places of the rows that only `left` has, and of those that only `right` has.
///
/// Rows are the same that say the same; of the others, those with the same question, in their
/// order, because the user may have corrected an answer in one file. So a question that was asked
/// twice, its first answer being in one of the files alone, keeps both answers.
fn compare(left: &[Row], right: &[Row]) -> (Vec<usize>, Vec<usize>) {
    let all = ((0..left.len()).collect(), (0..right.len()).collect());
    let others = without_pairs(left, right, all, hash_texts);
    let tell_samples = right.iter().any(|row| row.metadata.sample.is_some());
    let of_question = |row: &Row| QuestionId::hash_text(&row.question).into();
    let of_sample = |row: &Row| {
        let sample = row.metadata.sample.unwrap_or(0);
        u128::from(sample) << 64 | u128::from(QuestionId::hash_text(&row.question))
    };
    without_pairs(left, right, others, if tell_samples { of_sample } else { of_question })
}

/// Takes out one row of each side as long as there are two with the same key.
fn without_pairs(
    left: &[Row],
    right: &[Row],
    (left_at, right_at): (Vec<usize>, Vec<usize>),
    key: fn(&Row) -> u128,
) -> (Vec<usize>, Vec<usize>) {
    let mut waiting: HashMap<u128, VecDeque<usize>> = HashMap::new();
    for at in left_at {
        waiting.entry(key(&left[at])).or_default().push_back(at);
    }
    let mut is_paired =
        |at| waiting.get_mut(&key(&right[at])).and_then(VecDeque::pop_front).is_some();
    let only_right = right_at.into_iter().filter(|&at| !is_paired(at)).collect();
    let mut only_left: Vec<usize> = waiting.into_values().flatten().collect();
    only_left.sort_unstable();
    (only_left, only_right)
}

/// Hashes what a row says, without the CRs that Windows puts into one file and not into another.
fn hash_texts(row: &Row) -> u128 {
    let texts = [&row.question, &row.reasoning, &row.answer].map(|text| text.replace('\r', ""));
    xxh3_128(texts.join("\0").as_bytes())
}

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

/// Reads `output.csv`, whose columns are known by the header or else are the script's.
///
/// A row that is torn in the middle of the file may leave a quote open, which swallows the rows
/// behind it: a record that no writer of CSV makes is read again from the first sound row in it.
#[must_use]
pub fn read_csv(bytes: &[u8]) -> LegacyFile {
    let mut found = LegacyFile::default();
    let (mut records, mut record) = (Records::new(bytes).with_any_text(), Record::default());
    let (mut columns, mut width) = (SCRIPTS_COLUMNS, COLUMNS.len());
    let mut further: Vec<String> = Vec::new();
    let (mut from, mut is_first) = (0, true);
    loop {
        let read = records.next(&mut record);
        let to = from + record.raw().len();
        if matches!(read, Ok(false)) {
            found.whole_bytes = to as u64;
            return found;
        }
        let ended = is_ended(&record) && !matches!(read, Err(RecordsError::TooLarge { .. }));
        let header = if ended && read.is_ok() { columns_of(&record) } else { None };
        // The first record may name the columns in another order; a later header is a copy of it.
        let may_reorder = std::mem::take(&mut is_first);
        let header = header.filter(|named| may_reorder || *named == columns);
        let sound = ended && read.is_ok() && is_sound(&record, width);
        if header.is_none() && !sound {
            let searched = if ended { to } else { bytes.len() };
            if let Some(at) = sound_row(bytes, from, searched, width) {
                found.unread += 1;
                from = at;
                records = Records::new(&bytes[from..]).with_any_text();
                continue;
            }
        }
        if !ended {
            found.torn = true;
            break;
        }
        from = to;
        found.whole_bytes = to as u64;
        if let Some(named) = header {
            (columns, width) = (named, record.len());
            further = record.cells().skip(COLUMNS.len()).map(str::to_owned).collect();
            let is_ours = FURTHER_COLUMNS.iter().any(|ours| **ours == *further);
            found.other_columns = !is_ours || columns != SCRIPTS_COLUMNS;
            continue;
        }
        // Nothing is guessed: half of one row and half of another would make a wrong answer.
        if !sound {
            found.unread += 1;
            continue;
        }
        let cell = |at: usize| columns[at].and_then(|at| record.cell(at));
        match (cell(1), cell(3)) {
            (Some(question), Some(answer)) => found.rows.push(Row {
                answered_at: unix_ms(cell(0).unwrap_or_default()),
                question: question.to_owned(),
                reasoning: cell(2).unwrap_or_default().to_owned(),
                answer: answer.to_owned(),
                metadata: match found.other_columns {
                    true => Metadata::default(),
                    false => metadata_of(&further, &record),
                },
                reading: None,
            }),
            _ => found.unread += 1,
        }
    }
    // The LF behind a CR belongs to the record that begins with it.
    if bytes.get(found.whole_bytes as usize) == Some(&b'\n') {
        found.whole_bytes += 1;
    }
    found
}

/// Reads what dset writes behind the columns of the script.
fn metadata_of(further: &[String], record: &Record) -> Metadata {
    let cell = |name: &str| {
        let at = further.iter().position(|own| own == name)?;
        record.cell(COLUMNS.len() + at).filter(|cell| !cell.is_empty())
    };
    Metadata {
        id: cell("id").map(str::to_owned),
        model: cell("model").map(str::to_owned),
        sample: cell("sample").and_then(|sample| sample.parse().ok()),
        ..Metadata::default()
    }
}

/// Returns true if a record has its line end, or the CR of it: a line end in quotes is none, nor is the
/// mark of the end of a file.
fn is_ended(record: &Record) -> bool {
    let last = record.len().checked_sub(1).and_then(|last| record.raw_field(last));
    last.is_some_and(|field| matches!(record.raw().get(field.end), Some(b'\r' | b'\n')))
}

/// Returns true if a record is one that a writer of CSV makes: as wide as the others, a quote only
/// around a whole field, and doubled within.
fn is_sound(record: &Record, width: usize) -> bool {
    let is_quoted = |field: &[u8]| {
        let inner = field.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
        inner.is_some_and(|mut inner| {
            while let Some(at) = memchr(b'"', inner) {
                if inner.get(at + 1) != Some(&b'"') {
                    return false;
                }
                inner = &inner[at + 2..];
            }
            true
        })
    };
    let fields = (0..record.len()).filter_map(|at| Some(&record.raw()[record.raw_field(at)?]));
    record.len() == width
        && fields.into_iter().all(|field| memchr(b'"', field).is_none() || is_quoted(field))
}

/// Finds the first sound row that begins with a timestamp behind the start of a record.
fn sound_row(bytes: &[u8], from: usize, to: usize, width: usize) -> Option<usize> {
    let blank = bytes[from..to].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    (from + blank + 1..to).find(|&at| {
        let begins = &bytes[at..];
        begins.get(STAMP.len()) == Some(&b',') && is_stamp(&begins[..STAMP.len()]) && {
            let mut records = Records::new(begins).with_any_text();
            let mut record = Record::default();
            matches!(records.next(&mut record), Ok(true))
                && is_ended(&record)
                && is_sound(&record, width)
        }
    })
}

/// Returns true if bytes are a timestamp, or the beginning of one.
fn is_stamp(bytes: &[u8]) -> bool {
    let fits = |(byte, form): (&u8, &u8)| byte == form || *form == b'0' && byte.is_ascii_digit();
    bytes.len() <= STAMP.len() && bytes.iter().zip(STAMP).all(fits)
}

/// Returns where the columns are, if a record is a header.
fn columns_of(record: &Record) -> Option<[Option<usize>; 4]> {
    let at = |name: &str| record.cells().position(|cell| cell.trim() == name);
    let columns = COLUMNS.map(at);
    (columns[1].is_some() && columns[3].is_some()).then_some(columns)
}

/// The script wrote local time without saying so; it is taken as it stands, and stands again.
fn unix_ms(stamp: &str) -> i64 {
    // Behind a row that was torn in its first cell.
    let last = || stamp.get(stamp.len().checked_sub(STAMP.len())?..);
    read_stamp(stamp).or_else(|| read_stamp(last()?)).unwrap_or(0)
}

/// Searches `output.txt` for the rows, whenever they were written and with either line end, and
/// tells which it lacks. A torn end is cut if it is the beginning of one of those.
fn complete_text(text: &[u8], rows: &[Row], write: fn(&Row, &mut Vec<u8>)) -> Completion {
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

#[cfg(test)]
mod tests;
