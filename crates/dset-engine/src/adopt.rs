//! Takes over the outputs that the original script left: their rows count as answered.
//!
//! Rows of `output.json`, then those of `output.csv` that it lacks, matched by trimmed question and
//! ordinal. The files are copied first; a torn last row is cut, what one file lacks is appended,
//! and everything else stays, the script's doubled rows too. `output.txt` is never parsed: it is
//! only searched for the rows that it should have.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;

use dset_core::csv::{Record, Records};
use dset_core::question::QuestionId;
use dset_core::row::{Metadata, Row};
use fs_err as fs;
use rusqlite::params;
use serde::Deserialize;
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_128;

use crate::files;
use crate::sink::FORMATS;
use crate::store::{SinkMark, Store, StoreError};

/// What was taken over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Adopted {
    /// Rows that count as answered.
    pub rows: u64,
    /// Torn rows that were cut off.
    pub torn: u64,
    /// Rows that one of the files lacked.
    pub completed: u64,
    /// Rows that could not be read, and stay where they are.
    pub unread: u64,
    /// Where the files were copied to.
    pub copied_to: String,
}

/// Why nothing was taken over; the files are as they were, or copied.
#[derive(Debug, Error)]
pub enum AdoptError {
    /// A file fails.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What one file of the script holds.
#[derive(Default)]
struct Found {
    rows: Vec<Row>,
    /// How long it is without a torn last row.
    whole_bytes: u64,
    torn: bool,
    unread: u64,
}

/// Takes over the outputs in a folder whose store has no record yet; `None` where there are none.
pub fn adopt(
    store: &mut Store,
    folder: &Path,
    stamp: &str,
    now: i64,
) -> Result<Option<Adopted>, AdoptError> {
    let paths = FORMATS.map(|format| folder.join(format.file));
    if !paths.iter().any(|path| path.is_file()) {
        return Ok(None);
    }
    let [csv_path, json_path, txt_path] = &paths;
    let json = read_json(json_path)?;
    let csv = read_csv(csv_path)?;
    // A header alone is what a run of ours leaves that died before it asked anything.
    let is_begun = csv.whole_bytes > FORMATS[0].header.len() as u64 || csv.torn;
    let has_text = fs::metadata(txt_path).is_ok_and(|txt| txt.len() > 0);
    if !is_begun && json.whole_bytes == 0 && !json.torn && !has_text {
        return Ok(None);
    }
    for (format, path) in FORMATS.iter().zip(&paths).filter(|(_, path)| path.is_file()) {
        let copy = files::earlier(folder, stamp, format.file)?;
        fs::copy(path, &copy)?;
        fs::File::open(&copy)?.sync_all()?;
    }

    let json_ids = ids(&json.rows);
    let known: HashSet<QuestionId> = json_ids.iter().copied().collect();
    let csv_ids = ids(&csv.rows);
    let in_csv: HashSet<QuestionId> = csv_ids.iter().copied().collect();
    let only_csv = csv.rows.into_iter().zip(csv_ids).filter(|(_, id)| !known.contains(id));
    let only_csv: Vec<(Row, QuestionId)> = only_csv.collect();
    let lacks_json: Vec<&Row> = only_csv.iter().map(|(row, _)| row).collect();
    let json_rows = json.rows.iter().zip(&json_ids);
    let lacks_csv: Vec<&Row> =
        json_rows.filter(|(_, id)| !in_csv.contains(id)).map(|(row, _)| row).collect();
    let all: Vec<&Row> = json.rows.iter().chain(only_csv.iter().map(|(row, _)| row)).collect();
    let lacks_txt = lacking_in_text(txt_path, &all)?;

    let adopted = Adopted {
        rows: all.len() as u64,
        torn: u64::from(json.torn) + u64::from(csv.torn),
        completed: (lacks_json.len() + lacks_csv.len() + lacks_txt.len()) as u64,
        unread: json.unread + csv.unread,
        copied_to: format!("earlier/{stamp}"),
    };
    for (at, (whole, lacking)) in [
        (Some(csv.whole_bytes), lacks_csv),
        (Some(json.whole_bytes), lacks_json),
        (None, lacks_txt),
    ]
    .into_iter()
    .enumerate()
    {
        complete(&paths[at], FORMATS[at], whole, &lacking)?;
    }
    let ids: Vec<QuestionId> =
        json_ids.into_iter().chain(only_csv.iter().map(|(_, id)| *id)).collect();
    insert(store, &paths, &all, &ids, now)?;
    Ok(Some(adopted))
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

fn read_json(path: &Path) -> io::Result<Found> {
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
    if !path.is_file() {
        return Ok(found);
    }
    let bytes = fs::read(path)?;
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
    Ok(found)
}

fn read_csv(path: &Path) -> io::Result<Found> {
    let mut found = Found::default();
    if !path.is_file() {
        return Ok(found);
    }
    let bytes = fs::read(path)?;
    let (mut records, mut record) = (Records::new(bytes.as_slice()), Record::default());
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
    Ok(found)
}

/// The script wrote local time without saying so; it is taken as it stands, and stands again.
fn unix_ms(stamp: &str) -> i64 {
    dset_core::time::read_stamp(stamp).unwrap_or(0)
}

fn lacking_in_text<'a>(path: &Path, rows: &[&'a Row]) -> io::Result<Vec<&'a Row>> {
    if !path.is_file() {
        return Ok(rows.to_vec());
    }
    let bytes = fs::read(path)?;
    let mut from = 0;
    let mut lacking = Vec::new();
    for &row in rows {
        let mut block = Vec::new();
        (FORMATS[2].write)(row, &mut block);
        let rest = &bytes[from..];
        match memchr::memmem::find(rest, &block).map(|at| from + at + block.len()) {
            Some(end) => from = end,
            // Out of order, or written in another second than the other two: by its question.
            None if has_question(&bytes, row) => {}
            None => lacking.push(row),
        }
    }
    Ok(lacking)
}

fn has_question(text: &[u8], row: &Row) -> bool {
    let parts = [("Question: ", &row.question), ("Final Answer: ", &row.answer)];
    parts.iter().all(|(name, part)| {
        memchr::memmem::find(text, format!("{name}{part}\n").as_bytes()).is_some()
    })
}

/// Cuts a torn end off, and appends the rows that are lacking.
fn complete(
    path: &Path,
    format: crate::sink::Format,
    whole_bytes: Option<u64>,
    lacking: &[&Row],
) -> io::Result<()> {
    let file = fs::OpenOptions::new().create(true).read(true).append(true).open(path)?;
    if let Some(whole) = whole_bytes {
        file.set_len(whole)?;
    }
    let length = file.metadata()?.len();
    let mut bytes = Vec::new();
    if length == 0 {
        bytes.extend_from_slice(format.header);
    } else if fs::read(path)?.last() != Some(&b'\n') {
        bytes.extend_from_slice(format.newline);
    }
    lacking.iter().for_each(|row| (format.write)(row, &mut bytes));
    io::Write::write_all(&mut &file, &bytes)?;
    file.sync_all()
}

/// Records the rows as answered, and the files as whole, in one transaction.
fn insert(
    store: &mut Store,
    paths: &[std::path::PathBuf; 3],
    rows: &[&Row],
    ids: &[QuestionId],
    now: i64,
) -> Result<(), AdoptError> {
    let mut marks = Vec::new();
    for (format, path) in FORMATS.iter().zip(paths) {
        let bytes = fs::read(path)?;
        let tail = &bytes[bytes.len().saturating_sub(64 * 1024)..];
        marks.push(SinkMark {
            name: format.name,
            rows: rows.len() as u64,
            bytes: bytes.len() as u64,
            tail: xxh3_128(tail).to_be_bytes(),
        });
    }
    let fails = |error: rusqlite::Error| AdoptError::Store(error.into());
    let transaction = store.connection().transaction().map_err(fails)?;
    let all = || -> rusqlite::Result<()> {
        transaction.execute(
            "INSERT OR IGNORE INTO settings (id, hash, edition, text, decision, decided_at)
             VALUES (0, x'', 0, 'the original script', 'first', ?1)",
            [now],
        )?;
        for (position, (row, id)) in rows.iter().zip(ids).enumerate() {
            transaction
                .prepare_cached(
                    "INSERT INTO answers (answered_at, question, reasoning, answer, metadata)
                     VALUES (?1, ?2, ?3, ?4, '{}')",
                )?
                .execute(params![row.answered_at, row.question, row.reasoning, row.answer])?;
            let answer = transaction.last_insert_rowid();
            let hash = id.hash();
            let key = xxh3_128(&[b"script/1\n", &hash[..]].concat()).to_be_bytes();
            transaction
                .prepare_cached(
                    "INSERT INTO answer_keys (key, question, settings, edition, sample, answer)
                     VALUES (?1, ?2, 0, 0, 0, ?3)",
                )?
                .execute(params![&key[..], &hash[..], answer])?;
            transaction
                .prepare_cached(
                    "INSERT INTO output_order (edition, position, answer) VALUES (0, ?1, ?2)",
                )?
                .execute(params![position as i64, answer])?;
        }
        marks.iter().try_for_each(|mark| mark.record(&transaction))?;
        Ok(())
    };
    all().map_err(fails)?;
    transaction.commit().map_err(fails)
}
