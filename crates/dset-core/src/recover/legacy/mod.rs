//! Reads the outputs that the original script left, and decides what each of them lacks.
//!
//! Rows of `output.json`, then those of `output.csv` that it lacks. A torn last row is to be cut,
//! what one file lacks is to be appended, a CSV with other columns is to be written anew, and
//! everything else stays: the script's doubled rows, and what a kill tore in the middle, behind
//! which later runs of the script wrote on in the same line. `output.txt` is searched for the rows that it
//! should have, and read only for questions that no other output answers.

mod complete_txt;
mod csv;
mod json;
mod txt;

use std::collections::{HashMap, HashSet, VecDeque};

use memchr::memmem;
use xxhash_rust::xxh3::xxh3_128;

use crate::answer::row::Row;
use crate::item::question::QuestionId;
use crate::time::read_stamp;
use complete_txt::complete_text;
pub use csv::read_csv;
pub use json::read_json;

const BOM: &[u8] = b"\xef\xbb\xbf";
/// The columns of `output.csv`.
const COLUMNS: [&str; 4] = ["timestamp", "question", "thoughts", "final_answer"];
/// `2026-11-22 11:49:24`, where `0` is any digit.
const STAMP: &[u8] = b"0000-00-00 00:00:00";
/// What stands before the question in `output.txt`.
const TXT_STAMP: &str = "Timestamp: ";

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

/// Returns true if bytes are a timestamp, or the beginning of one.
fn is_stamp(bytes: &[u8]) -> bool {
    let fits = |(byte, form): (&u8, &u8)| byte == form || *form == b'0' && byte.is_ascii_digit();
    bytes.len() <= STAMP.len() && bytes.iter().zip(STAMP).all(fits)
}

/// The script wrote local time without saying so; it is taken as it stands, and stands again.
fn unix_ms(stamp: &str) -> i64 {
    // Behind a row that was torn in its first cell.
    let last = || stamp.get(stamp.len().checked_sub(STAMP.len())?..);
    read_stamp(stamp).or_else(|| read_stamp(last()?)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
