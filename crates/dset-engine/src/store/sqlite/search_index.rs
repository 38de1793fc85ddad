//! An index of the words of answers, in a file beside the store that may be deleted at any time.
//!
//! What is indexed is the folded text (see [`super::tokenizer`]), in which words stand between single
//! spaces and every character of a script without blanks is a word. FTS5's `ascii` tokenizer takes such
//! a text apart at its spaces and changes nothing, so that the index finds what a scan finds: words,
//! beginnings of words, phrases, and any part of a Chinese or Japanese sentence, one character or more.
//! Of the texts it keeps nothing (`content = ''`).

use std::path::{Path, PathBuf};

use dset_core::plan::AnswerId;
use rusqlite::{Connection, OpenFlags, params};

use super::store::Store;
use super::tokenizer::{SearchTerms, Tokenizer};
use crate::store::error::StoreError;

/// The file's name.
pub(crate) const SEARCH_INDEX: &str = "dset.search.db";
/// Of another layout of the file: it is made anew.
const VERSION: i64 = 2;
/// Bytes of texts that are indexed in one transaction, within which nobody else can write the file.
const BATCH_BYTES: usize = 8 << 20;

/// The index of a store.
#[derive(Debug)]
pub(crate) struct SearchIndex {
    connection: Connection,
}

fn path(folder: &Path) -> PathBuf {
    folder.join(SEARCH_INDEX)
}

impl SearchIndex {
    /// Opens the index of this store to look into it; `None` where there is none that can be used.
    pub(crate) fn open_readonly(folder: &Path, store: &Store) -> Option<SearchIndex> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let path = path(folder);
        if !path.is_file() {
            return None;
        }
        let connection = Connection::open_with_flags(path, flags).ok()?;
        connection.busy_timeout(std::time::Duration::from_millis(500)).ok()?;
        let index = SearchIndex { connection };
        index.is_of(store).then_some(index)
    }

    /// Opens the index of this store to add to it, and makes it where there is none.
    pub(crate) fn open(folder: &Path, store: &Store) -> Result<SearchIndex, StoreError> {
        let connect = || -> Result<SearchIndex, StoreError> {
            let connection = Connection::open(path(folder))?;
            connection.busy_timeout(std::time::Duration::from_secs(5))?;
            connection.pragma_update(None, "page_size", 8192)?;
            connection.pragma_update(None, "journal_mode", "wal")?;
            // It can be made again: what a power cut takes is not waited for.
            connection.pragma_update(None, "synchronous", "off")?;
            Ok(SearchIndex { connection })
        };
        let index = connect()?;
        if index.is_of(store) {
            return Ok(index);
        }
        drop(index);
        for suffix in ["", "-wal", "-shm"] {
            let mut name = path(folder).into_os_string();
            name.push(suffix);
            match fs_err::remove_file(PathBuf::from(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error.into());
                }
                _ => {}
            }
        }
        let index = connect()?;
        index.connection.execute_batch(&format!(
            "BEGIN;
             CREATE VIRTUAL TABLE words USING fts5(question, reasoning, answer,
               content = '', tokenize = 'ascii');
             CREATE TABLE progress (birth INTEGER NOT NULL, last INTEGER NOT NULL, came_at INTEGER);
             INSERT INTO progress VALUES ({}, 0, NULL);
             PRAGMA user_version = {VERSION};
             COMMIT",
            store.birth()?
        ))?;
        Ok(index)
    }

    /// Tells whether it is of this store, and of no later state of it: one that is put back from a copy gives the
    /// numbers of answers that it lacks to others.
    fn is_of(&self, store: &Store) -> bool {
        let version = "PRAGMA user_version";
        if self.connection.query_row(version, [], |row| row.get(0)) != Ok(VERSION) {
            return false;
        }
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let sql = "SELECT birth, last, came_at FROM progress";
        let known: Result<(i64, AnswerId, Option<i64>), _> =
            self.connection.query_row(sql, [], read);
        known.is_ok_and(|(birth, last, came_at)| {
            store.birth().is_ok_and(|own| own == birth)
                && store.answered_at(last).is_ok_and(|own| own == came_at)
        })
    }

    /// Returns the last answer that is in it.
    pub(crate) fn last(&self) -> Result<AnswerId, StoreError> {
        Ok(self.connection.query_row("SELECT last FROM progress", [], |row| row.get(0))?)
    }

    /// Adds answers of the store that are not in it, as many as one transaction takes; tells whether
    /// there are more.
    pub(crate) fn add(&mut self, store: &Store, words: &mut Tokenizer) -> Result<bool, StoreError> {
        let transaction =
            self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let mut last: AnswerId =
            transaction.query_row("SELECT last FROM progress", [], |row| row.get(0))?;
        let mut more = false;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO words (rowid, question, reasoning, answer) VALUES (?1, ?2, ?3, ?4)",
            )?;
            let (mut bytes, mut folded) = (0, [Vec::new(), Vec::new(), Vec::new()]);
            store.for_each_text_after(last, |id, texts| {
                if bytes > BATCH_BYTES {
                    more = true;
                    return Ok(false);
                }
                for (text, to) in texts.iter().zip(&mut folded) {
                    words.fold(text, to)?;
                    bytes += text.len();
                }
                let [question, reasoning, answer] =
                    folded.each_ref().map(|text| String::from_utf8_lossy(text));
                insert.execute(params![id, question, reasoning, answer])?;
                last = id;
                Ok(true)
            })?;
        }
        let sql = "UPDATE progress SET last = ?1, came_at = ?2";
        transaction.execute(sql, params![last, store.answered_at(last)?])?;
        transaction.commit()?;
        Ok(more)
    }

    /// Shows every answer in it that has all of the terms in these of its texts together.
    pub(crate) fn find(
        &self,
        terms: &SearchTerms,
        within: [bool; 3],
        mut each: impl FnMut(AnswerId),
    ) -> Result<(), StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT rowid FROM words WHERE words MATCH ?1")?;
        let mut rows = statement.query([terms.all(within)])?;
        while let Some(row) = rows.next()? {
            each(row.get(0)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use dset_core::answer::row::{Metadata, Row};
    use proptest::prelude::*;

    use super::*;
    use crate::store::sqlite::SettingsRow;
    use crate::store::{NewAnswer, Write};

    fn store_of(folder: &Path, answers: &[&str]) -> Store {
        let (mut store, _) = Store::open(folder).unwrap();
        let write = |(at, answer): (usize, &&str)| {
            let row = Row {
                answered_at: 1,
                question: "Why?".into(),
                reasoning: String::new(),
                answer: (*answer).into(),
                metadata: Metadata::default(),
                reading: None,
            };
            let key = [at as u8; 16];
            Write::Answered(Box::new(NewAnswer::taken_over(row, key, key, 0)))
        };
        let writes: Vec<Write> = answers.iter().enumerate().map(write).collect();
        store.commit(&writes).unwrap();
        store
    }

    fn found(index: &SearchIndex, text: &str, within: [bool; 3]) -> BTreeSet<AnswerId> {
        let mut words = Tokenizer::open().unwrap();
        let terms = SearchTerms::new(&crate::view::search::terms(&[text.into()]), &mut words);
        let mut found = BTreeSet::new();
        index.find(&terms.unwrap(), within, |id| assert!(found.insert(id))).unwrap();
        found
    }

    #[test]
    fn one_character_of_a_script_without_spaces_is_found_and_so_are_words_beginnings_and_phrases() {
        let folder = tempfile::tempdir().unwrap();
        let answers =
            ["黑洞是时空中引力极强的区域", "Black holes: über-dense.", "the hole is black", "重力"];
        let store = store_of(folder.path(), &answers);
        let mut index = SearchIndex::open(folder.path(), &store).unwrap();
        while index.add(&store, &mut Tokenizer::open().unwrap()).unwrap() {}
        assert_eq!(index.last().unwrap(), 4);
        for (text, expected) in [
            ("黑洞", vec![1]),
            ("引力", vec![1]),
            ("力", vec![1, 4]),
            ("洞黑", vec![]),
            ("black", vec![2, 3]),
            ("\"black holes\"", vec![2]),
            ("hol*", vec![2, 3]),
            ("UBER", vec![2]),
            ("hol", vec![]),
            ("why", vec![1, 2, 3, 4]),
        ] {
            let all = found(&index, text, [true; 3]);
            assert_eq!(all.into_iter().collect::<Vec<_>>(), expected, "{text}");
        }
        assert!(found(&index, "why", [false, true, true]).is_empty());
    }

    #[test]
    fn an_index_of_another_store_or_of_a_later_state_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store_of(folder.path(), &["black", "white"]);
        let index = |store: &Store| {
            let mut index = SearchIndex::open(folder.path(), store).unwrap();
            let before = index.last().unwrap();
            index.add(store, &mut Tokenizer::open().unwrap()).unwrap();
            before
        };
        assert_eq!((index(&store), index(&store)), (0, 2));
        let last = |store: &Store| {
            SearchIndex::open_readonly(folder.path(), store).map(|index| index.last().unwrap())
        };
        assert_eq!(last(&store), Some(2));
        // As it was before its last answer, and then with another one in its place.
        for sql in [
            "DELETE FROM answers WHERE id = 2",
            "INSERT INTO answers (id, answered_at, question, reasoning, answer, metadata)
             SELECT 2, 99, question, reasoning, answer, metadata FROM answers WHERE id = 1",
        ] {
            store.connection().execute(sql, []).unwrap();
            assert_eq!(last(&store), None);
        }
        assert_eq!((index(&store), last(&store)), (0, Some(2)));
        let settings = SettingsRow { hash: vec![1; 16], decided_at: 7, ..SettingsRow::default() };
        store.take_settings(&settings).unwrap();
        assert_eq!(last(&store), if store.birth().unwrap() == 0 { Some(2) } else { None });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn the_index_finds_what_a_scan_finds(
            answers in prop::collection::vec("[a-cÄé黑洞のกั \"*.,𠮷0-]{0,12}", 1..6),
            looked_for in "[a-cÄ黑洞のก*0]{1,3}",
        ) {
            let folder = tempfile::tempdir().unwrap();
            let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
            let store = store_of(folder.path(), &answers);
            let mut words = Tokenizer::open().unwrap();
            let terms = SearchTerms::new(&[looked_for], &mut words).unwrap();
            prop_assume!(!terms.is_empty());
            let mut index = SearchIndex::open(folder.path(), &store).unwrap();
            index.add(&store, &mut words).unwrap();
            let mut by_index = Vec::new();
            index.find(&terms, [true; 3], |id| by_index.push(id)).unwrap();
            let (mut by_scan, mut folded) = (Vec::new(), Vec::new());
            for (at, answer) in answers.iter().enumerate() {
                words.fold(answer, &mut folded).unwrap();
                if terms.find([&folded]).is_some() {
                    by_scan.push(at as AnswerId + 1);
                }
            }
            prop_assert_eq!(by_index, by_scan);
        }
    }
}
