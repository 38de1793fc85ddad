//! Texts as they lie in the store: a long one as a BLOB, compressed with Zstandard.
//!
//! SQL that writes a text says `packed(?)`, and SQL that reads one `text_of(id, row, column)` or, where its length in
//! bytes is enough, `octets_of(id, row, column)`: what is TEXT is itself. `id` and `row` are those of the answer: damage of
//! a text is an error of that one. `is_whole(column)` says whether there is any.

use std::sync::{Mutex, PoisonError};

use dset_core::plan::AnswerId;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Error, OptionalExtension as _, ffi, params};
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{self, CParameter};

use super::store::Store;
use crate::store::error::StoreError;

/// Shorter texts, in bytes, stay as they are: there is little to find in them.
const PACKED_MIN: usize = 128;
/// Higher levels make texts of some kilobytes no smaller, and take longer (docs/performance.md).
const LEVEL: i32 = 1;
/// SQLite's own limit of a text, in bytes (`SQLITE_MAX_LENGTH`).
const TEXT_MAX: u64 = 1_000_000_000;

/// Gives a connection the functions for texts.
pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    let mut compressor = Compressor::new(LEVEL).map_err(out_of_memory)?;
    // So that a byte that has changed on the disk is noticed.
    compressor.set_parameter(CParameter::ChecksumFlag(true)).map_err(out_of_memory)?;
    let compressor = Mutex::new(compressor);
    function(connection, c"packed", 1, move |context| {
        let value = context.get_raw(0);
        let mut compressor = compressor.lock().unwrap_or_else(PoisonError::into_inner);
        match value {
            ValueRef::Text(text) if text.len() >= PACKED_MIN => match compressor.compress(text) {
                Ok(packed) if packed.len() < text.len() => Ok(Value::Blob(packed)),
                _ => Ok(value.try_into()?),
            },
            other => Ok(other.try_into()?),
        }
    })?;
    let decompressor = Mutex::new(Decompressor::new().map_err(out_of_memory)?);
    function(connection, c"text_of", 3, move |context| match context.get_raw(2) {
        ValueRef::Blob(packed) => {
            let mut decompressor = decompressor.lock().unwrap_or_else(PoisonError::into_inner);
            let text = unpack_with(&mut decompressor, packed);
            text.map(Value::Text).ok_or_else(|| damaged_in(context))
        }
        other => Ok(other.try_into()?),
    })?;
    function(connection, c"octets_of", 3, |context| match context.get_raw(2) {
        ValueRef::Text(text) => Ok(Value::Integer(text.len() as i64)),
        ValueRef::Blob(packed) => match octets(packed) {
            Some(octets) => Ok(Value::Integer(octets as i64)),
            None => Err(damaged_in(context)),
        },
        _ => Ok(Value::Null),
    })?;
    let decompressor = Mutex::new(Decompressor::new().map_err(out_of_memory)?);
    function(connection, c"is_whole", 1, move |context| match context.get_raw(0) {
        ValueRef::Blob(packed) => {
            let mut decompressor = decompressor.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(Value::Integer(unpack_with(&mut decompressor, packed).is_some().into()))
        }
        _ => Ok(Value::Integer(1)),
    })
}

/// Returns the text of a value that was read as it lies there; `None` where it is damaged.
pub(super) fn unpack(value: &Value) -> rusqlite::Result<Option<String>> {
    match value {
        Value::Text(text) => Ok(Some(text.clone())),
        Value::Blob(packed) => {
            Ok(unpack_with(&mut Decompressor::new().map_err(out_of_memory)?, packed))
        }
        _ => Ok(Some(String::new())),
    }
}

fn function(
    connection: &Connection,
    name: &std::ffi::CStr,
    arguments: i32,
    of: impl Fn(&Context<'_>) -> rusqlite::Result<Value> + Send + 'static,
) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    let of = move |context: &mut Context<'_>| of(context);
    connection.create_scalar_function(name, arguments, flags, of)
}

fn unpack_with(decompressor: &mut Decompressor<'_>, packed: &[u8]) -> Option<String> {
    String::from_utf8(decompressor.decompress(packed, octets(packed)?).ok()?).ok()
}

/// Returns how long a compressed text is, which its head says.
fn octets(packed: &[u8]) -> Option<usize> {
    let said = zstd_safe::get_frame_content_size(packed).ok().flatten();
    said.filter(|octets| *octets <= TEXT_MAX).map(|octets| octets as usize)
}

/// What an error of one text begins with: of an error of a function SQLite passes on nothing but words.
const DAMAGED: &str = "damaged text: ";

/// Says that a text of an answer is damaged.
pub(super) fn damaged(answer: AnswerId, row: Option<i64>) -> Error {
    let row = row.map_or_else(String::new, |row| row.to_string());
    let failure = ffi::Error::new(ffi::SQLITE_CORRUPT);
    Error::SqliteFailure(failure, Some(format!("{DAMAGED}{answer} {row}")))
}

fn damaged_in(context: &Context<'_>) -> Error {
    match (context.get(0), context.get(1)) {
        (Ok(answer), Ok(row)) => damaged(answer, row),
        (Err(error), _) | (_, Err(error)) => error,
    }
}

/// Reads that of the words of an error.
pub(super) fn read_damaged(words: &str) -> Option<StoreError> {
    let (answer, row) = words.strip_prefix(DAMAGED)?.split_once(' ')?;
    Some(StoreError::TextDamaged { answer: answer.parse().ok()?, row: row.parse().ok() })
}

impl Store {
    /// Returns the answers of which a text is damaged; reads every text.
    pub(crate) fn damaged_texts(&self) -> Result<Vec<(AnswerId, Option<u64>)>, StoreError> {
        let sql = "SELECT id, row FROM answers
                   WHERE NOT (is_whole(question) AND is_whole(reasoning) AND is_whole(answer)) ORDER BY id";
        let mut statement = self.reader.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            let at: Option<i64> = row.get(1)?;
            Ok((row.get(0)?, at.and_then(|at| u64::try_from(at).ok())))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns those of these answers of which a text is damaged.
    pub(crate) fn damaged_among(
        &self,
        answers: &[AnswerId],
    ) -> Result<Vec<(AnswerId, Option<u64>)>, StoreError> {
        let sql = "SELECT row FROM answers WHERE id = ?1
                   AND NOT (is_whole(question) AND is_whole(reasoning) AND is_whole(answer))";
        let mut statement = self.reader.connection.prepare(sql)?;
        let mut found = Vec::new();
        for answer in answers {
            let row = statement.query_row([answer], |row| row.get::<_, Option<i64>>(0));
            let damaged = |row: Option<i64>| (*answer, row.and_then(|row| u64::try_from(row).ok()));
            found.extend(row.optional()?.map(damaged));
        }
        Ok(found)
    }

    /// Fails where a text of one of these answers is damaged.
    pub(crate) fn check_texts(&self, answers: &[AnswerId]) -> Result<(), StoreError> {
        match self.damaged_among(answers)?.first() {
            Some(&(answer, row)) => Err(StoreError::TextDamaged { answer, row }),
            None => Ok(()),
        }
    }

    /// Takes the answers of which a text is damaged out of the order of the outputs, where it cannot be followed
    /// with them: some of their places are `from` there on. The outputs are then to be rebuilt.
    pub(crate) fn leave_out_damaged(
        &mut self,
        edition: u32,
        from: u64,
        names_origin: bool,
        (stamp, now): (&str, i64),
    ) -> Result<(), StoreError> {
        if self.position(edition)? <= from {
            return Ok(());
        }
        let placed = self.order(edition)?;
        if self.damaged_among(&placed[placed.len().min(from as usize)..])?.is_empty() {
            return Ok(());
        }
        let damaged = self.damaged_among(&placed)?;
        let transaction = self.reader.connection.transaction()?;
        for (answer, _) in &damaged {
            let sql = "DELETE FROM output_order WHERE edition = ?1 AND answer = ?2";
            transaction.execute(sql, params![edition, answer])?;
        }
        transaction.execute_batch(&format!(
            "CREATE TEMP TABLE left AS SELECT row_number() OVER (ORDER BY position) - 1 AS position, answer, row
               FROM output_order WHERE edition = {edition};
             DELETE FROM output_order WHERE edition = {edition};
             INSERT INTO output_order (edition, position, answer, row)
               SELECT {edition}, position, answer, row FROM temp.left;
             DROP TABLE temp.left;
             DELETE FROM sinks;"
        ))?;
        let sql = "INSERT OR REPLACE INTO meta (name, value)
                   VALUES ('rebuilding', ?1), ('rebuilt_at', ?2), ('rebuilt_with_origin', ?3)";
        transaction.execute(sql, params![stamp, now, names_origin])?;
        transaction.commit()?;
        Ok(())
    }
}

fn out_of_memory(_: std::io::Error) -> Error {
    Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_NOMEM), None)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use proptest::prelude::*;

    use super::super::store::Reader;
    use super::super::{STORE, open_readonly};
    use super::*;
    use crate::store::roles::{Archive as _, Write};

    fn connection() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        register(&connection).unwrap();
        connection
    }

    proptest! {
        #[test]
        fn every_text_comes_back_as_it_was(
            text in prop_oneof!["\\PC{0,400}", "(abc|\u{0}|é|\n){0,400}"],
        ) {
            let sql = "SELECT text_of(1, 2, packed(?1)), octets_of(1, 2, packed(?1)), packed(?1)";
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            let found = connection().query_row(sql, [&text], read);
            let (back, octets, packed): (String, i64, Value) = found.unwrap();
            prop_assert_eq!(&back, &text);
            prop_assert_eq!(octets as usize, text.len());
            prop_assert_eq!(unpack(&packed).unwrap(), Some(text));
        }
    }

    #[test]
    fn what_is_damaged_or_claims_to_be_endless_is_an_error() {
        let connection = connection();
        let text = "an answer that is long enough to be worth it, ".repeat(9);
        let sql = "SELECT packed(?1)";
        let packed: Vec<u8> = connection.query_row(sql, [&text], |row| row.get(0)).unwrap();
        assert!(packed.len() * 3 < text.len());
        let refused = |bytes: &[u8]| {
            let sql = "SELECT text_of(7, 8, ?1)";
            let read = connection.query_row(sql, [bytes], |row| row.get(0));
            let error = StoreError::from(read.map(|_: String| ()).unwrap_err());
            let expected = StoreError::TextDamaged { answer: 7, row: Some(8) };
            assert_eq!(error.to_string(), expected.to_string(), "{error:?}");
            let is_whole = "SELECT is_whole(?1)";
            assert_eq!(connection.query_row(is_whole, [bytes], |row| row.get(0)), Ok(0));
        };
        for at in 0..packed.len() {
            let mut changed = packed.clone();
            changed[at] ^= 0x08;
            refused(&changed);
            refused(&packed[..at]);
        }
        // A frame that says it holds 2^62 bytes.
        refused(b"\x28\xb5\x2f\xfd\xe0\0\0\0\0\0\0\0\x40\x01\0\0");
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
                |_, _| true,
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
