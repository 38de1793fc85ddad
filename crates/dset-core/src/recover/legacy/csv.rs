//! Reads rows of `output.csv`, torn ones among them.

use memchr::memchr;

use super::{COLUMNS, LegacyFile, STAMP, is_stamp, unix_ms};
use crate::answer::row::{Metadata, Row};
use crate::csv::{Record, Records, RecordsError};

/// What dset writes behind them: where it does.
const FURTHER_COLUMNS: [&[&str]; 4] =
    [&[], &["id"], &["model", "sample"], &["model", "sample", "id"]];

/// The places of these columns in the script's own files.
const SCRIPTS_COLUMNS: [Option<usize>; 4] = [Some(0), Some(1), Some(2), Some(3)];

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

/// Returns where the columns are, if a record is a header.
fn columns_of(record: &Record) -> Option<[Option<usize>; 4]> {
    let at = |name: &str| record.cells().position(|cell| cell.trim() == name);
    let columns = COLUMNS.map(at);
    (columns[1].is_some() && columns[3].is_some()).then_some(columns)
}
