//! Texts as they lie in the store: compressed with Zstandard where they are long.
//!
//! The reasoning and the answer of a row are one frame: in `reasoning` lies the frame of both texts, one behind the other,
//! and in `answer` where the second begins, in bytes, as a BLOB: four bytes, little-endian, and the same inverted, so that a
//! changed bit is noticed. A question has a frame of its own. What is TEXT is itself.
//!
//! SQL that reads texts says `text_of(id, row, question)`, `reasoning_of(id, row, reasoning, answer)` and
//! `answer_of(id, row, reasoning, answer)` or, where their lengths in bytes are enough, `reasoning_octets` and `answer_octets` of
//! the same. `id` and `row` are those of the answer: damage of a text is an error of that one.
//! `is_whole(question, reasoning, answer)` says whether there is any.

use std::cell::RefCell;

use dset_core::plan::AnswerId;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, Error, ffi};
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{self, CParameter};

use crate::store::error::StoreError;

/// Shorter texts, in bytes, stay as they are: there is little to find in them.
const PACKED_MIN: usize = 128;
/// The fastest but for those that leave letters as they are: level 1 makes texts of some kilobytes a sixth smaller, and takes half as
/// long again (docs/performance.md).
const LEVEL: i32 = -1;
/// SQLite's own limit of a text, in bytes (`SQLITE_MAX_LENGTH`).
const TEXT_MAX: u64 = 1_000_000_000;
/// A buffer that was larger, for one large text, is given back.
const KEPT_BYTES_MAX: usize = 1024 * 1024;

thread_local! {
    /// Its tables are large, and serve every text of a thread.
    static PACKER: RefCell<Option<Packer>> = const { RefCell::new(None) };
}

struct Packer {
    compressor: Compressor<'static>,
    decompressor: Decompressor<'static>,
    both: Vec<u8>,
    /// The frame that was unpacked last, and its text: both texts of a row are asked for, one after the other.
    last: (Vec<u8>, String),
}

fn with_packer<T>(does: impl FnOnce(&mut Packer) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    PACKER.with_borrow_mut(|packer| match packer {
        Some(packer) => does(packer),
        None => {
            let mut compressor = Compressor::new(LEVEL).map_err(out_of_memory)?;
            // So that a byte that has changed on the disk is noticed.
            compressor.set_parameter(CParameter::ChecksumFlag(true)).map_err(out_of_memory)?;
            let decompressor = Decompressor::new().map_err(out_of_memory)?;
            let (both, last) = Default::default();
            does(packer.insert(Packer { compressor, decompressor, both, last }))
        }
    })
}

/// Returns what is kept of a question.
pub(super) fn pack(text: &str) -> rusqlite::Result<ToSqlOutput<'_>> {
    let packed = with_packer(|packer| Ok(packer.pack(text.as_bytes())))?;
    Ok(packed.map_or_else(|| text.into(), |packed| ToSqlOutput::Owned(Value::Blob(packed))))
}

/// Returns what is kept of a reasoning and an answer, for the columns of these names.
pub(super) fn pack_both<'a>(
    reasoning: &'a str,
    answer: &'a str,
) -> rusqlite::Result<[ToSqlOutput<'a>; 2]> {
    let packed = with_packer(|packer| {
        let mut both = std::mem::take(&mut packer.both);
        both.clear();
        both.extend_from_slice(reasoning.as_bytes());
        both.extend_from_slice(answer.as_bytes());
        let packed = packer.pack(&both);
        both.shrink_to(KEPT_BYTES_MAX);
        packer.both = both;
        Ok(packed)
    })?;
    Ok(match (packed, u32::try_from(reasoning.len())) {
        (Some(packed), Ok(split)) => [packed, [split, !split].map(u32::to_le_bytes).concat()]
            .map(|bytes| ToSqlOutput::Owned(Value::Blob(bytes))),
        _ => [reasoning.into(), answer.into()],
    })
}

impl Packer {
    /// Returns the frame of a text, where that is worth it.
    fn pack(&mut self, text: &[u8]) -> Option<Vec<u8>> {
        if text.len() < PACKED_MIN {
            return None;
        }
        let packed = self.compressor.compress(text).ok()?;
        (packed.len() < text.len()).then_some(packed)
    }

    fn unpack(&mut self, frame: &[u8]) -> rusqlite::Result<&str> {
        let (last, text) = &mut self.last;
        if last.is_empty() || last != frame {
            last.clear();
            let unpacked = self.decompressor.decompress(frame, octets(frame)?);
            *text = String::from_utf8(unpacked.map_err(|_| damaged())?).map_err(|_| damaged())?;
            last.extend_from_slice(frame);
        }
        Ok(text)
    }
}

/// Gives a connection the functions for texts.
pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    of_answer(connection, c"text_of", 1, |context| text(context.get_raw(2)))?;
    for (text, octets, which) in [
        (c"reasoning_of", c"reasoning_octets", Part::Reasoning),
        (c"answer_of", c"answer_octets", Part::Answer),
    ] {
        of_answer(connection, text, 2, move |context| {
            part(context.get_raw(2), context.get_raw(3), which)
        })?;
        of_answer(connection, octets, 2, move |context| {
            part_octets(context.get_raw(2), context.get_raw(3), which)
        })?;
    }
    function(connection, c"is_whole", 3, |context| {
        let [question, reasoning, answer] = [0, 1, 2].map(|at| context.get_raw(at));
        let parts = [Part::Reasoning, Part::Answer].map(|which| part(reasoning, answer, which));
        let is_whole = text(question).is_ok() && parts.iter().all(Result::is_ok);
        Ok(Value::Integer(is_whole.into()))
    })
}

/// Gives it one of which the first values are the number and the row of an answer.
fn of_answer(
    connection: &Connection,
    name: &std::ffi::CStr,
    takes: i32,
    of: impl Fn(&Context<'_>) -> rusqlite::Result<Value> + Send + 'static,
) -> rusqlite::Result<()> {
    function(connection, name, takes + 2, move |context| {
        of(context).map_err(|_| match (context.get(0), context.get(1)) {
            (Ok(answer), Ok(row)) => damaged_of(answer, row),
            (Err(error), _) | (_, Err(error)) => error,
        })
    })
}

/// Returns the text of a value that was read as it lies there.
pub(super) fn unpack(value: &Value) -> rusqlite::Result<String> {
    string(text(value.into())?)
}

/// Returns the reasoning and the answer of the values that were read of these columns as they lie there.
pub(super) fn unpack_both(reasoning: &Value, answer: &Value) -> rusqlite::Result<[String; 2]> {
    let read = |which| string(part(reasoning.into(), answer.into(), which)?);
    Ok([read(Part::Reasoning)?, read(Part::Answer)?])
}

fn string(value: Value) -> rusqlite::Result<String> {
    match value {
        Value::Text(text) => Ok(text),
        Value::Null => Ok(String::new()),
        _ => Err(damaged()),
    }
}

#[derive(Clone, Copy)]
enum Part {
    Reasoning,
    Answer,
}

impl Part {
    fn of<T>(self, reasoning: T, answer: T) -> T {
        match self {
            Part::Reasoning => reasoning,
            Part::Answer => answer,
        }
    }
}

fn text(value: ValueRef<'_>) -> rusqlite::Result<Value> {
    match value {
        ValueRef::Blob(frame) => {
            with_packer(|packer| Ok(Value::Text(packer.unpack(frame)?.to_owned())))
        }
        other => Ok(other.try_into()?),
    }
}

fn part(reasoning: ValueRef<'_>, answer: ValueRef<'_>, part: Part) -> rusqlite::Result<Value> {
    let (ValueRef::Blob(frame), ValueRef::Blob(split)) = (reasoning, answer) else {
        return text(part.of(reasoning, answer));
    };
    let split = place(split)?;
    with_packer(|packer| {
        let (reasoning, answer) =
            packer.unpack(frame)?.split_at_checked(split).ok_or_else(damaged)?;
        Ok(Value::Text(part.of(reasoning, answer).to_owned()))
    })
}

fn part_octets(
    reasoning: ValueRef<'_>,
    answer: ValueRef<'_>,
    part: Part,
) -> rusqlite::Result<Value> {
    let octets = match (reasoning, answer) {
        (ValueRef::Blob(frame), ValueRef::Blob(split)) => {
            let split = place(split)?;
            let second = octets(frame)?.checked_sub(split).ok_or_else(damaged)?;
            part.of(split, second)
        }
        _ => match part.of(reasoning, answer) {
            ValueRef::Text(text) => text.len(),
            ValueRef::Blob(frame) => octets(frame)?,
            _ => return Ok(Value::Null),
        },
    };
    Ok(Value::Integer(octets as i64))
}

/// Reads where the second text of a frame begins.
fn place(bytes: &[u8]) -> rusqlite::Result<usize> {
    let ([place, inverted], []) = bytes.as_chunks::<4>() else { return Err(damaged()) };
    let (place, inverted) = (u32::from_le_bytes(*place), u32::from_le_bytes(*inverted));
    if place == !inverted { Ok(place as usize) } else { Err(damaged()) }
}

fn function(
    connection: &Connection,
    name: &std::ffi::CStr,
    takes: i32,
    of: impl Fn(&Context<'_>) -> rusqlite::Result<Value> + Send + 'static,
) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    connection
        .create_scalar_function(name, takes, flags, move |context: &mut Context<'_>| of(context))
}

/// Returns how long the text of a frame is, which its head says.
fn octets(frame: &[u8]) -> rusqlite::Result<usize> {
    let said = zstd_safe::get_frame_content_size(frame).ok().flatten();
    let is_possible = |&octets: &u64| octets <= TEXT_MAX;
    said.filter(is_possible).map(|octets| octets as usize).ok_or_else(damaged)
}

/// What SQLite says of damage of its own.
fn damaged() -> Error {
    Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), None)
}

/// What an error of one text begins with: of an error of a function SQLite passes on nothing but words.
const DAMAGED: &str = "damaged text: ";

/// Says that a text of an answer is damaged.
pub(super) fn damaged_of(answer: AnswerId, row: Option<i64>) -> Error {
    let row = row.map_or_else(String::new, |row| row.to_string());
    let failure = ffi::Error::new(ffi::SQLITE_CORRUPT);
    Error::SqliteFailure(failure, Some(format!("{DAMAGED}{answer} {row}")))
}

/// Reads that of the words of an error.
pub(super) fn read_damaged(words: &str) -> Option<StoreError> {
    let (answer, row) = words.strip_prefix(DAMAGED)?.split_once(' ')?;
    Some(StoreError::TextDamaged { answer: answer.parse().ok()?, row: row.parse().ok() })
}

fn out_of_memory(_: std::io::Error) -> Error {
    Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_NOMEM), None)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusqlite::params;

    use super::super::reader::Reader;
    use super::super::store::Store;
    use super::super::{STORE, open_readonly};
    use super::*;
    use crate::store::roles::{Archive as _, Write};

    fn connection() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        register(&connection).unwrap();
        connection
    }

    fn texts() -> impl Strategy<Value = String> {
        prop_oneof!["\\PC{0,400}", "(abc|\u{0}|é|\n){0,400}"]
    }

    proptest! {
        #[test]
        fn every_text_comes_back_as_it_was(
            question in texts(), reasoning in texts(), answer in texts(),
        ) {
            let connection = connection();
            let [first, second] = pack_both(&reasoning, &answer).unwrap();
            let kept = params![pack(&question).unwrap(), first, second];
            let sql = "SELECT text_of(1, 2, ?1), reasoning_of(1, 2, ?2, ?3), answer_of(1, 2, ?2, ?3)";
            let read = |row: &rusqlite::Row<'_>| Ok([row.get(0)?, row.get(1)?, row.get(2)?]);
            let back: [String; 3] = connection.query_row(sql, kept, read).unwrap();
            prop_assert_eq!(back.each_ref(), [&question, &reasoning, &answer]);
            let sql = "SELECT reasoning_octets(1, 2, ?2, ?3), answer_octets(1, 2, ?2, ?3), ?2, ?3, ?1";
            let read = |row: &rusqlite::Row<'_>| {
                Ok(([row.get(0)?, row.get(1)?], [row.get(2)?, row.get(3)?]))
            };
            let (octets, kept): ([i64; 2], [Value; 2]) =
                connection.query_row(sql, kept, read).unwrap();
            prop_assert_eq!(octets, [&back[1], &back[2]].map(|text| text.len() as i64));
            prop_assert_eq!(unpack_both(&kept[0], &kept[1]).unwrap(), [&*back[1], &back[2]]);
        }
    }

    #[test]
    fn what_is_damaged_or_claims_to_be_endless_is_an_error() {
        let connection = connection();
        let text = "an answer thät is long enough to be worth it, ".repeat(9);
        let packed = pack(&text).unwrap();
        let packed: Vec<u8> =
            connection.query_row("SELECT ?1", [packed], |row| row.get(0)).unwrap();
        assert!(packed.len() * 3 < text.len());
        let is_refused = |sql: &str, bytes: &[u8], split: &[u8]| {
            let read = connection.query_row(sql, [bytes, split], |row| row.get::<_, Value>(0));
            let error = StoreError::from(read.map(|_| ()).unwrap_err());
            let is_named = matches!(&error, StoreError::TextDamaged { answer: 7, row: Some(8) });
            assert!(is_named, "{error:?}");
        };
        let refused = |bytes: &[u8]| is_refused("SELECT text_of(7, 8, ?1), ?2", bytes, b"");
        for at in 0..packed.len() {
            let mut changed = packed.clone();
            changed[at] ^= 0x08;
            refused(&changed);
            refused(&packed[..at]);
        }
        // A frame that says it holds 2^62 bytes.
        refused(b"\x28\xb5\x2f\xfd\xe0\0\0\0\0\0\0\0\x40\x01\0\0");
        // No place in the text, none that two texts can meet at, none, and one that has changed.
        let begins = |at: u32| [at, !at].map(u32::to_le_bytes).concat();
        let mut changed = begins(1);
        changed[0] ^= 2;
        for split in [begins(u32::MAX), begins(13), vec![0], changed] {
            is_refused("SELECT reasoning_of(7, 8, ?1, ?2)", &packed, &split);
            is_refused("SELECT answer_of(7, 8, ?1, ?2)", &packed, &split);
        }
        is_refused("SELECT reasoning_octets(7, 8, ?1, ?2)", &packed, &begins(u32::MAX));
    }

    #[test]
    fn a_long_text_is_read_in_every_way_as_one_of_an_earlier_version_is() {
        let folder = tempfile::tempdir().unwrap();
        let (mut store, _) = Store::open(folder.path()).unwrap();
        let texts = ["q", "r", "aé"].map(|text| format!("{text} and so on ").repeat(100));
        for key in [7, 8] {
            let line = serde_json::json!({
                "key": vec![key; 16], "question_hash": vec![key; 16], "settings": 1, "edition": 0, "life": 1,
                "row": key, "answered_at": 7, "question": texts[0], "reasoning": texts[1],
                "answer": texts[2], "metadata": {}, "try_number": 1, "is_known": false,
            });
            let new = serde_json::from_value(line).unwrap();
            store.commit(&[Write::Answered(Box::new(new))]).unwrap();
        }
        // The second as earlier versions kept it.
        let sql = "UPDATE answers SET question = ?1, reasoning = ?2, answer = ?3 WHERE id = 2";
        store.connection().execute(sql, params![texts[0], texts[1], texts[2]]).unwrap();
        let kinds = "SELECT group_concat(typeof(question) || typeof(reasoning) || typeof(answer))";
        let kinds: String = store
            .connection()
            .query_row(&format!("{kinds} FROM answers"), [], |row| row.get(0))
            .unwrap();
        assert_eq!(kinds, "blobblobblob,texttexttext");

        open_readonly(folder.path(), |store| {
            for id in [1, 2] {
                assert_eq!(store.question(id)?.as_ref(), Some(&texts[0]));
                let excerpts = store.excerpts(id)?;
                assert!(texts[0].starts_with(&excerpts.question));
                assert!(texts[2].starts_with(&excerpts.answer) && excerpts.answer.len() > 300);
            }
            let mut seen = Vec::new();
            store.for_each_text_after(0, |id, read| {
                seen.push(id);
                assert_eq!(read, [0, 1, 2].map(|at: usize| &*texts[at]));
                Ok(true)
            })?;
            store.for_each_fact(0, |fact| {
                seen.push(fact.id);
                let bytes = [fact.reasoning_bytes, fact.answer_bytes].map(|bytes| bytes as usize);
                assert_eq!(bytes, [texts[1].len(), texts[2].len()]);
            })?;
            store.for_each_measured(0, |measured| {
                seen.push(measured.id);
                assert_eq!(measured.answer as usize, texts[2].chars().count());
            })?;
            store.for_each_answer(
                |_| true,
                |new| {
                    let read = [new.question, new.reasoning, new.answer];
                    assert_eq!(read, texts);
                    Ok(())
                },
            )?;
            assert_eq!(seen, [1, 2, 1, 2, 1, 2]);
            Ok::<_, StoreError>(())
        })
        .unwrap();
        let reader = Reader::open(&folder.path().join(STORE)).unwrap();
        let rows = [1, 2].map(|id| reader.row(id).unwrap());
        assert!(rows.iter().all(|row| [&*row.question, &*row.reasoning, &*row.answer]
            == [0, 1, 2].map(|at: usize| &*texts[at])));
    }
}
