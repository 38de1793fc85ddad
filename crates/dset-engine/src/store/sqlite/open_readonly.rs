//! The store, read-only: before, during and after a run, changing nothing.

use std::collections::HashMap;
use std::path::Path;
use std::time::SystemTime;

use dset_core::key::RequestSettings;
use dset_core::plan::AnswerId;
use dset_core::plan::ledger::Fault;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::connection::{EMPTY_BESIDE_LOG, beside, set_up};
use super::limits::STORE;
use super::limits::{APPLICATION, VERSION};
use super::migrate;
use super::reader::Reader;
use super::store::Store;
use crate::store::error::StoreError;
use crate::store::roles::Archive;

/// One run, as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// When it began, Unix milliseconds.
    pub started_at: i64,
    /// When it ended; absent where it never said goodbye, or is going on.
    pub ended_at: Option<i64>,
    /// How it ended, in a word.
    pub ending: Option<String>,
    /// Which service it asked.
    pub endpoint: String,
}

/// Asks that got no answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FailedAsks {
    /// The number of failed asks.
    pub count: u64,
    /// How many of them may have been paid for: a reply came, or the service may have written one.
    pub maybe_paid: u64,
    /// Why they failed, the most frequent first.
    pub causes: Vec<(String, u64)>,
    /// A run dropped asks on their way: those are not among these.
    pub were_dropped: bool,
}

/// Questions that ended without an answer, and why.
pub(crate) type Ended = HashMap<[u8; 16], (Fault, String)>;

/// Opens the store of a folder to look at it and lets `read` do so, on one snapshot; `None` where
/// there is no store, or one in which nothing was ever written.
///
/// Nothing is made or changed. A store that no process has open is read without SQLite's own files
/// beside it; should a run begin meanwhile, what was read is thrown away and read again.
pub fn open_readonly<T, E: From<StoreError>>(
    folder: &Path,
    mut read: impl FnMut(&Store) -> Result<T, E>,
) -> Result<Option<T>, E> {
    let path = folder.join(STORE);
    if !path.exists() {
        return Ok(None);
    }
    check_log(&path).map_err(E::from)?;
    if let Some(before) = at_rest(&path) {
        let looked = open(&path, true).and_then(|store| store.snapshot()).map_err(E::from);
        let looked = looked.and_then(|store| store.map(|store| read(&store)).transpose());
        if at_rest(&path) == Some(before) {
            return looked;
        }
    }
    match open(&path, false).and_then(|store| store.snapshot())? {
        Some(store) => read(&store).map(Some),
        None => Ok(None),
    }
}

/// Refuses an empty store beside a log: SQLite would take the log for another store's and delete
/// it, even on a read-only connection, and the answers are in it.
fn check_log(path: &Path) -> Result<(), StoreError> {
    // The log first: a process that makes a store writes to the store before there is a log.
    let has_log = fs_err::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0);
    if has_log && fs_err::metadata(path).is_ok_and(|store| store.len() == 0) {
        return Err(StoreError::Damaged(EMPTY_BESIDE_LOG.to_owned()));
    }
    Ok(())
}

/// What distinguishes one state of a store from another while no process has it open.
fn at_rest(path: &Path) -> Option<(u64, SystemTime)> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let metadata = fs_err::metadata(path).ok()?;
    let changed = metadata.modified().ok()?;
    (!Path::new(&log).exists()).then_some((metadata.len(), changed))
}

fn open(path: &Path, at_rest: bool) -> Result<Store, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let url = fs_err::canonicalize(path).ok().and_then(|path| url::Url::from_file_path(path).ok());
    let connection = match url.filter(|_| at_rest) {
        Some(mut url) => {
            url.set_query(Some("immutable=1"));
            Connection::open_with_flags(url.as_str(), flags | OpenFlags::SQLITE_OPEN_URI)?
        }
        None => Connection::open_with_flags(path, flags)?,
    };
    set_up(&connection)?;
    // What an older store lacks is made in memory.
    connection.pragma_update(None, "temp_store", "memory")?;
    Ok(Store {
        reader: Reader::new(connection),
        path: path.to_owned(),
        keys_missed: Default::default(),
    })
}

impl Store {
    /// Checks that this is a store of ours, and holds it as it is now; `None` where nothing was
    /// ever written to it.
    fn snapshot(self) -> Result<Option<Store>, StoreError> {
        self.reader.connection.execute_batch("BEGIN")?;
        let number =
            |sql: &str| self.reader.connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        let version = number("PRAGMA user_version")?;
        match version {
            0 if number("SELECT count(*) FROM sqlite_schema")? == 0 => Ok(None),
            0 => Err(StoreError::Foreign),
            _ if number("PRAGMA application_id")? != APPLICATION => Err(StoreError::Foreign),
            1..=VERSION => {
                migrate::show(&self.reader.connection, version)?;
                Ok(Some(self))
            }
            found => Err(self.reader.newer(found)),
        }
    }

    fn count(&self, sql: &str, generation: u32) -> Result<u64, StoreError> {
        let count: i64 = self.reader.connection.query_row(sql, [generation], |row| row.get(0))?;
        Ok(count as u64)
    }

    /// Returns the settings that a generation was last asked with, and their number.
    pub(crate) fn last_settings(
        &self,
        generation: u32,
    ) -> Result<Option<(i64, RequestSettings)>, StoreError> {
        let sql = "SELECT settings.id, text FROM settings LEFT JOIN lives ON settings.id = lives.settings
                   WHERE edition = ?1 AND settings.id <> 0 ORDER BY lives.id DESC, settings.id DESC LIMIT 1";
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, String>(1)?));
        let last = self.reader.connection.query_row(sql, [generation], row).optional()?;
        match last {
            None => Ok(None),
            Some((id, text)) => match RequestSettings::from_canonical_json(&text) {
                Some(settings) => Ok(Some((id, settings))),
                None => Err(StoreError::Damaged(format!("settings {id} cannot be read"))),
            },
        }
    }

    /// Returns the last run.
    pub(crate) fn last_session(&self) -> Result<Option<Session>, StoreError> {
        let sql =
            "SELECT started_at, ended_at, ending, endpoint FROM lives ORDER BY id DESC LIMIT 1";
        let life = self.reader.connection.query_row(sql, [], |row| {
            Ok(Session {
                started_at: row.get(0)?,
                ended_at: row.get(1)?,
                ending: row.get(2)?,
                endpoint: row.get(3)?,
            })
        });
        Ok(life.optional()?)
    }

    /// Returns what is known of the asks that failed, in every run.
    pub fn failed_asks(&self) -> Result<FailedAsks, StoreError> {
        let mut asks = FailedAsks::default();
        let mut causes: HashMap<String, u64> = HashMap::new();
        // Whether a question is answered now makes no ask dearer, and need not be looked up.
        self.for_each_failed_call(&HashMap::new(), &mut |call| {
            let Some(failed) = &call.failed else { return };
            asks.count += 1;
            asks.maybe_paid += u64::from(failed.billed_as().is_some());
            match causes.get_mut(failed.cause) {
                Some(number) => *number += 1,
                None => drop(causes.insert(failed.cause.to_owned(), 1)),
            }
        })?;
        let sql = "SELECT EXISTS (SELECT 1 FROM lives WHERE dropped)";
        asks.were_dropped = self.reader.connection.query_row(sql, [], |row| row.get(0))?;
        asks.causes = causes.into_iter().collect();
        asks.causes.sort_by(|(a, more), (b, most)| most.cmp(more).then_with(|| a.cmp(b)));
        Ok(asks)
    }

    /// Returns the questions of a generation that ended without an answer.
    pub(crate) fn ended(&self, generation: u32) -> Result<Ended, StoreError> {
        let sql = "SELECT question, fault, cause FROM ended WHERE edition = ?1";
        let mut statement = self.reader.connection.prepare(sql)?;
        let rows = statement.query_map([generation], |row| {
            let fault: String = row.get(1)?;
            Ok((row.get(0)?, (Fault::from_code(&fault), row.get(2)?)))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns the rows of the questions that ended without an answer, as they were when they did.
    pub(crate) fn ended_rows(
        &self,
        generation: u32,
    ) -> Result<Vec<(u64, Fault, String)>, StoreError> {
        let sql = "SELECT row, fault, cause FROM ended WHERE edition = ?1";
        let mut statement = self.reader.connection.prepare(sql)?;
        let rows = statement.query_map([generation], |row| {
            let (at, fault): (i64, String) = (row.get(0)?, row.get(1)?);
            Ok((at as u64, Fault::from_code(&fault), row.get(2)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns the questions whose mark is still to be written.
    pub(crate) fn marks(&self) -> Result<std::collections::HashSet<[u8; 16]>, StoreError> {
        let mut statement = self.reader.connection.prepare("SELECT question FROM marks")?;
        let marks = statement.query_map([], |row| row.get(0))?;
        Ok(marks.collect::<Result<_, _>>()?)
    }

    /// Returns how many answers a generation has, those of all tries.
    pub fn answers(&self, generation: u32) -> Result<u64, StoreError> {
        let sql = "SELECT (SELECT count(*) FROM keys WHERE edition = ?1)
                        + (SELECT count(*) FROM later_keys WHERE edition = ?1)";
        self.count(sql, generation)
    }

    /// Returns how many rows at the beginning of the outputs are as the original script wrote
    /// them: those that were taken over, until the outputs are rebuilt.
    pub(crate) fn rows_of_script(&self, generation: u32) -> Result<u64, StoreError> {
        if generation > 0 || self.meta::<i64>("rebuilt_at")?.is_some() {
            return Ok(0);
        }
        let sql = "SELECT count(*) FROM answers WHERE life IS NULL AND ?1 = 0";
        self.count(sql, generation)
    }

    /// Returns the answers in the order of the outputs, from a position on, a thousand at most;
    /// each with the row of the input that its row says, where it says one.
    pub(crate) fn rows_written(
        &self,
        generation: u32,
        position: u64,
    ) -> Result<Vec<(AnswerId, Option<u64>)>, StoreError> {
        let order = self.reader.order_from(generation, position)?;
        let sql = "SELECT row FROM answers WHERE id = ?1";
        let mut statement = self.reader.connection.prepare_cached(sql)?;
        let mut written = Vec::with_capacity(order.len());
        for (id, row) in order {
            let answered: Option<Option<i64>> =
                statement.query_row([id], |row| row.get(0)).optional()?;
            let answered = answered.flatten().and_then(|row| u64::try_from(row).ok());
            written.push((id, row.or(answered)));
        }
        Ok(written)
    }

    /// Returns the question of an answer.
    pub(crate) fn question(&self, answer: AnswerId) -> Result<Option<String>, StoreError> {
        let sql = "SELECT text_of(id, row, question) FROM answers WHERE id = ?1";
        Ok(self.reader.connection.query_row(sql, [answer], |row| row.get(0)).optional()?)
    }

    /// Returns what SQLite itself finds wrong with the file; nothing where it is sound.
    pub(crate) fn unsound(&self) -> Result<Vec<String>, StoreError> {
        let mut statement = self.reader.connection.prepare("PRAGMA integrity_check(20)")?;
        let found = statement.query_map([], |row| row.get::<_, String>(0))?;
        let mut found = found.collect::<Result<Vec<_>, _>>()?;
        found.retain(|line| line != "ok");
        Ok(found)
    }

    /// Returns what in the tables of a generation does not refer to what it should: how many, and
    /// of what.
    pub(crate) fn integrity_errors(
        &self,
        generation: u32,
    ) -> Result<Vec<(IntegrityError, u64)>, StoreError> {
        let mut found = Vec::new();
        for (what, sql) in DANGLING {
            let count = self.count(sql, generation)?;
            if count > 0 {
                found.push((what, count));
            }
        }
        Ok(found)
    }
}

/// A reference within the store that leads nowhere, or to the wrong place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntegrityError {
    /// A question counts as answered, and its answer is not there.
    KeyWithoutAnswer,
    /// An answer that no question can find.
    AnswerWithoutKey,
    /// An answer that two keys lead to.
    AnswerOfTwoKeys,
    /// A key that stands for two answers.
    KeyOfTwoAnswers,
    /// An answer, or a run, with settings that are not there.
    WithoutSettings,
    /// A place in the outputs for an answer that is not there, or is of another generation.
    PlaceWithoutAnswer,
    /// An answer with two places in the outputs.
    PlacedTwice,
    /// A hole in the places of the outputs.
    PlacesNotDense,
}

/// How each is counted; every one takes the generation, some do not use it.
const DANGLING: [(IntegrityError, &str); 8] = [
    (
        IntegrityError::KeyWithoutAnswer,
        "SELECT count(*) FROM (SELECT answer FROM keys UNION ALL SELECT answer FROM later_tries)
         WHERE ?1 >= 0 AND answer NOT IN (SELECT id FROM answers)",
    ),
    (
        IntegrityError::AnswerWithoutKey,
        "SELECT (SELECT count(*) FROM answers)
              - (SELECT count(*) FROM answers WHERE id IN (SELECT answer FROM keys
                 UNION ALL SELECT t.answer FROM later_keys t))
              WHERE ?1 >= 0",
    ),
    (
        IntegrityError::AnswerOfTwoKeys,
        "SELECT count(*) - count(DISTINCT answer) FROM
         (SELECT answer FROM keys UNION ALL SELECT answer FROM later_tries) WHERE ?1 >= 0",
    ),
    (
        IntegrityError::KeyOfTwoAnswers,
        "SELECT count(*) - count(DISTINCT key) FROM keys WHERE ?1 >= 0",
    ),
    (
        IntegrityError::WithoutSettings,
        "SELECT count(*) FROM (SELECT settings FROM keys UNION ALL SELECT settings FROM lives
         UNION ALL SELECT request FROM answer_facts)
         WHERE ?1 >= 0 AND settings NOT IN (SELECT id FROM settings)",
    ),
    (
        IntegrityError::PlaceWithoutAnswer,
        "SELECT count(*) FROM output_order WHERE edition = ?1
         AND answer NOT IN (SELECT answer FROM keys WHERE edition = ?1)
         AND answer NOT IN (SELECT t.answer FROM later_keys t
           WHERE t.edition = ?1)",
    ),
    (
        IntegrityError::PlacedTwice,
        "SELECT count(*) - count(DISTINCT answer) FROM output_order WHERE edition = ?1",
    ),
    (
        IntegrityError::PlacesNotDense,
        "SELECT ifnull(max(position) + 1, 0) - count(*) FROM output_order WHERE edition = ?1",
    ),
];
