//! The open store, and what is read of it whoever asks.

use std::cell::Cell;
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use dset_core::acceptance::Verdict;
use dset_core::answer::row::Row;
use dset_core::money::Amount;
use dset_core::plan::AnswerId;
use dset_core::settings::CostLimits;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::checkpoint::StoredCheckpoint;
use super::limits::{APPLICATION, IDENTITY, PATH_BYTES_MAX, STORE, VERSION};
use super::schemas::Schemas;
use super::{facts, migrate, texts, tries};
use crate::os::files;
use crate::output::live::format::{LiveFormat, legacy, live_formats};
use crate::store::error::StoreError;
use crate::store::rescue::{self, Rescued};
use crate::store::roles::{Archive, Write};
use crate::store::writer::message::Checkpoint;

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        if let rusqlite::Error::SqliteFailure(_, Some(words)) = &error
            && let Some(damaged) = texts::read_damaged(words)
        {
            return damaged;
        }
        use rusqlite::Error::{
            FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType,
        };
        // A value of another kind than we write.
        if let FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) =
            error
        {
            return StoreError::Damaged(error.to_string());
        }
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseCorrupt, DatabaseLocked, NotADatabase};
        match error.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => StoreError::Damaged(error.to_string()),
            Some(DatabaseBusy | DatabaseLocked) => StoreError::Busy,
            None => StoreError::Unreadable(error.to_string()),
            Some(_) => StoreError::Failed(error.to_string()),
        }
    }
}

/// An open store, for reading and for what is written before and after a run.
#[derive(Debug)]
pub struct Store {
    pub(super) reader: Reader,
    pub(super) path: PathBuf,
    /// How often a key was looked for that is not where its row would have it.
    pub(super) keys_missed: Cell<u32>,
}

/// What may be wished of `output.csv`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CsvWish {
    /// It begins with a byte order mark.
    Bom,
    /// It has a column of ids.
    Id,
}

impl CsvWish {
    /// Its name in `meta`.
    fn name(self) -> &'static str {
        match self {
            CsvWish::Bom => "csv_bom",
            CsvWish::Id => "csv_id",
        }
    }
}

impl Store {
    /// Returns true if a folder has a store.
    #[must_use]
    pub fn exists(folder: &Path) -> bool {
        folder.join(STORE).exists()
    }

    /// Opens the store of a folder, making it where there is none, and takes in what an earlier
    /// run could only rescue. One without any record is left so: outputs that lie beside it come first.
    pub fn open(folder: &Path) -> Result<(Store, Option<Rescued>), StoreError> {
        let path = folder.join(STORE);
        let is_new = !path.exists();
        check_head(&path)?;
        let whole = path.parent().and_then(|folder| folder.canonicalize().ok());
        let bytes = whole.map_or(0, |folder| folder.join(STORE).as_os_str().len());
        if bytes > PATH_BYTES_MAX {
            return Err(StoreError::PathTooLong(bytes));
        }
        let connection = connect(&path)?;
        let mut store =
            Store { reader: Reader::new(connection), path, keys_missed: Cell::default() };
        let version: i64 =
            store.reader.connection.query_row("PRAGMA user_version", [], |r| r.get(0))?;
        let application: i64 =
            store.reader.connection.query_row("PRAGMA application_id", [], |r| r.get(0))?;
        let tables = "SELECT EXISTS (SELECT 1 FROM sqlite_schema)";
        match version {
            0 if store.reader.connection.query_row(tables, [], |row| row.get(0))? => {
                return Err(StoreError::Foreign);
            }
            0 => {}
            _ if application != APPLICATION => return Err(StoreError::Foreign),
            1..=VERSION => {}
            found => return Err(store.reader.newer(found)),
        }
        migrate::migrate(&mut store.reader.connection, version)?;
        if is_new {
            files::sync_folder(folder)?;
        }
        let rescued = if store.is_blank()? { None } else { store.take_in_rescued(folder)? };
        Ok((store, rescued))
    }

    /// Takes in what an earlier run of this folder could only rescue.
    pub(crate) fn take_in_rescued(&mut self, folder: &Path) -> Result<Option<Rescued>, StoreError> {
        rescue::take_in(folder, self)
    }

    /// Holds back what is recorded from now on: [`Store::commit_held`] makes all of it durable at once, and
    /// where the store is closed before that, nothing of it ever was.
    pub(crate) fn hold_writes(&self) -> Result<(), StoreError> {
        Ok(self.reader.connection.execute_batch("BEGIN IMMEDIATE")?)
    }

    /// Makes durable what was held back.
    pub(crate) fn commit_held(&self) -> Result<(), StoreError> {
        Ok(self.reader.connection.execute_batch("COMMIT")?)
    }

    /// Returns the connection, for tests that put something into the store.
    #[cfg(test)]
    pub(crate) fn connection(&mut self) -> &mut Connection {
        &mut self.reader.connection
    }

    /// Returns where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns what reads answers, on this very connection.
    pub(crate) fn as_reader(&self) -> &dyn Archive {
        &self.reader
    }

    /// Opens a second connection that only reads.
    pub(crate) fn reader(&self) -> Result<Box<dyn Archive>, StoreError> {
        Ok(Box::new(Reader::open(&self.path)?))
    }

    /// Returns a value of `meta`.
    pub fn meta<T: rusqlite::types::FromSql>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let sql = "SELECT value FROM meta WHERE name = ?1";
        Ok(self.reader.connection.query_row(sql, [name], |row| row.get(0)).optional()?)
    }

    /// Sets a value of `meta`, durably.
    pub fn set_meta(
        &self,
        name: &str,
        value: impl rusqlite::types::ToSql,
    ) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)";
        self.reader.connection.execute(sql, params![name, value])?;
        Ok(())
    }

    /// Removes a value of `meta`.
    pub fn unset_meta(&self, name: &str) -> Result<(), StoreError> {
        self.reader.connection.execute("DELETE FROM meta WHERE name = ?1", [name])?;
        Ok(())
    }

    /// Returns the formats that the last run wrote, or these where there was none.
    pub(crate) fn formats(&self, or: &[String]) -> Result<Vec<LiveFormat>, StoreError> {
        let kept = self.meta::<String>("formats")?;
        let kept: Option<Vec<String>> = kept.map(|k| k.split(',').map(str::to_owned).collect());
        let kept = kept.and_then(|names| live_formats(&names).ok());
        Ok(kept.or_else(|| live_formats(or).ok()).unwrap_or_else(|| legacy::ALL.to_vec()))
    }

    /// Remembers which formats a run writes.
    pub(crate) fn keep_formats(&self, names: &[String]) -> Result<(), StoreError> {
        let names = names.join(",");
        match self.meta::<String>("formats")? {
            Some(kept) if kept == names => Ok(()),
            _ => self.set_meta("formats", names),
        }
    }

    /// Returns how `output.csv` was last wished to be in this; `None` where nobody has said.
    pub(crate) fn csv_wish(&self, of: CsvWish) -> Result<Option<bool>, StoreError> {
        self.meta(of.name())
    }

    /// Remembers how `output.csv` is wished to be in this; `None` leaves it as it is.
    pub(crate) fn keep_csv_wish(&self, of: CsvWish, wish: Option<bool>) -> Result<(), StoreError> {
        match wish {
            Some(_) if self.csv_wish(of)? != wish => self.set_meta(of.name(), wish),
            _ => Ok(()),
        }
    }

    /// Remembers what the folder may cost in all its runs, and how long a reply can be, for whoever
    /// goes on with the run.
    pub(crate) fn keep_cost_limit(&self, limits: CostLimits) -> Result<(), StoreError> {
        let text = |most: Option<Amount>| most.map(|most| most.picodollars().to_string());
        let (total, run) = (text(limits.total), text(limits.run));
        let value = serde_json::json!([total, limits.output_bound, run]).to_string();
        match self.meta::<String>("cost_limit")? {
            Some(kept) if kept == value => Ok(()),
            None if limits == CostLimits::default() => Ok(()),
            _ => self.set_meta("cost_limit", value),
        }
    }

    /// Returns what was remembered of the last run.
    pub(crate) fn cost_limit(&self) -> Result<CostLimits, StoreError> {
        let kept = self.meta::<String>("cost_limit")?.unwrap_or_default();
        let kept: serde_json::Value = serde_json::from_str(&kept).unwrap_or_default();
        let most = |at: usize| kept[at].as_str()?.parse().ok().map(Amount::from_picodollars);
        Ok(CostLimits { total: most(0), run: most(2), output_bound: kept[1].as_u64() })
    }

    /// Forgets how far an output is whole.
    pub(crate) fn forget_mark(&self, name: &str) -> Result<(), StoreError> {
        self.reader.connection.execute("DELETE FROM sinks WHERE name = ?1", [name])?;
        Ok(())
    }

    /// Returns the edition that is asked now, from 0.
    pub fn edition(&self) -> Result<u32, StoreError> {
        Ok(self.meta("edition")?.unwrap_or(0))
    }

    /// Returns what tells this store from all others; absent where no run of this version has begun in it.
    pub(crate) fn identity(&self) -> Result<Option<[u8; 16]>, StoreError> {
        self.meta(IDENTITY)
    }

    /// Begins a life; returns its number.
    pub fn begin_life(&self, at: i64, settings: i64, endpoint: &str) -> Result<i64, StoreError> {
        let version = env!("CARGO_PKG_VERSION");
        let together = self.reader.connection.unchecked_transaction()?;
        together.execute(
            "INSERT OR IGNORE INTO meta (name, value) VALUES (?1, randomblob(16))",
            [IDENTITY],
        )?;
        together.execute(
            "INSERT INTO lives (started_at, version, settings, endpoint, identity)
             VALUES (?1, ?2, ?3, ?4, randomblob(16))",
            params![at, version, settings, endpoint],
        )?;
        let life = together.last_insert_rowid();
        together.commit()?;
        Ok(life)
    }

    /// Returns the endpoint of the last life, and whether that life said goodbye.
    pub fn last_life(&self) -> Result<Option<(String, bool)>, StoreError> {
        let sql = "SELECT endpoint, ended_at IS NOT NULL FROM lives ORDER BY id DESC LIMIT 1";
        Ok(self
            .reader
            .connection
            .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?)
    }

    /// Tells whether there is an answer under these settings that a run got whose first endpoint was this.
    pub fn has_answers_from(&self, settings: i64, endpoint: &str) -> Result<bool, StoreError> {
        // In which run an answer of an earlier version came stands with its texts alone.
        let sql = "SELECT EXISTS (SELECT 1 FROM keys k LEFT JOIN answer_facts f ON f.answer = k.answer
          CROSS JOIN lives l ON l.id = ifnull(f.life, (SELECT life FROM answers WHERE id = k.answer))
          WHERE k.settings = ?1 AND l.endpoint = ?2)";
        let found =
            self.reader.connection.query_row(sql, params![settings, endpoint], |row| row.get(0));
        Ok(found?)
    }

    /// Returns what ended without an answer, and rows to be marked.
    pub(crate) fn failed(&self, edition: u32) -> Result<HashSet<[u8; 16]>, StoreError> {
        let sql = "SELECT question FROM ended WHERE edition = ?1 UNION SELECT question FROM marks";
        let mut statement = self.reader.connection.prepare(sql)?;
        let rows = statement.query_map([edition], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns how many rows of an edition have their place.
    pub fn position(&self, edition: u32) -> Result<u64, StoreError> {
        let sql = "SELECT ifnull(max(position) + 1, 0) FROM output_order WHERE edition = ?1";
        let position: i64 = self.reader.connection.query_row(sql, [edition], |row| row.get(0))?;
        Ok(position as u64)
    }

    /// Returns how far each output is known to be whole.
    pub fn sink_marks(&self) -> Result<Vec<StoredCheckpoint>, StoreError> {
        let sql = "SELECT name, rows, bytes, tail, shape FROM sinks";
        let mut statement = self.reader.connection.prepare(sql)?;
        let marks = statement.query_map([], |row| {
            let (rows, bytes): (i64, i64) = (row.get(1)?, row.get(2)?);
            let (rows, bytes) = (rows as u64, bytes as u64);
            Ok(StoredCheckpoint {
                name: row.get(0)?,
                rows,
                bytes,
                tail: row.get(3)?,
                shape: row.get(4)?,
            })
        })?;
        Ok(marks.collect::<Result<_, _>>()?)
    }

    /// Records the marks of all outputs together.
    pub fn record_marks(&mut self, marks: &[Checkpoint]) -> Result<(), StoreError> {
        self.commit(&marks.iter().cloned().map(Write::Checkpoint).collect::<Vec<_>>())?;
        Ok(())
    }

    /// Returns the whole order of an edition.
    pub(crate) fn order(&self, edition: u32) -> Result<Vec<AnswerId>, StoreError> {
        let sql = "SELECT answer FROM output_order WHERE edition = ?1 ORDER BY position";
        let mut statement = self.reader.connection.prepare(sql)?;
        let rows = statement.query_map([edition], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns true if all these answers are there.
    pub(crate) fn has_answers(&self, answers: &[AnswerId]) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM answers WHERE id = ?1)";
        let mut statement = self.reader.connection.prepare(sql)?;
        for id in answers {
            if !statement.query_row([id], |row| row.get::<_, bool>(0))? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Begins a transaction, unless what is recorded is held back in one.
pub(super) fn together(connection: &Connection) -> rusqlite::Result<Option<Transaction<'_>>> {
    connection.is_autocommit().then(|| connection.unchecked_transaction()).transpose()
}

/// Returns a file that SQLite keeps beside the store.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// What is wrong with an empty store beside a log.
pub(super) const EMPTY_BESIDE_LOG: &str =
    "`dset.db` is missing or empty, but its log `dset.db-wal` is not";

/// Refuses what SQLite would take for a store in which nothing ever was: it would begin it anew,
/// and delete the log that holds the last answers.
pub(super) fn check_head(path: &Path) -> Result<(), StoreError> {
    const BEGINNING: &[u8] = b"SQLite format 3\0";
    // The size of a page stands behind it, in two bytes.
    const HEAD_BYTES: u64 = 18;
    let damaged = |why: &str| Err(StoreError::Damaged(why.to_owned()));
    // The first write to a new store was cut off: SQLite undoes it.
    if beside(path, "-journal").exists() {
        return Ok(());
    }
    let mut head = Vec::new();
    let mut length = 0;
    match fs_err::metadata(path) {
        Ok(metadata) if !metadata.is_file() => return damaged("`dset.db` is not a file"),
        Ok(metadata) => {
            length = metadata.len();
            let file = fs_err::File::open(path)?;
            io::Read::read_to_end(&mut io::Read::take(file, HEAD_BYTES), &mut head)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    let has_log = fs_err::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0);
    if head.is_empty() && has_log {
        return damaged(EMPTY_BESIDE_LOG);
    }
    let begins_well = head.len() as u64 == HEAD_BYTES && head.starts_with(BEGINNING);
    if !head.is_empty() && !begins_well {
        return damaged("`dset.db` does not begin as a database does");
    }
    // A log may hold what a page lacks; without one, every page is whole.
    let page_bytes = match head.last_chunk().map_or(0, |last| u16::from_be_bytes(*last)) {
        1 => 65536,
        bytes => u64::from(bytes.max(1)),
    };
    if !has_log && !length.is_multiple_of(page_bytes) {
        return damaged("`dset.db` ends in the middle of a page");
    }
    Ok(())
}

/// Pages in the log, 16 MB of them, before it is folded into the store: a page that many keys dirty
/// is then written once for all.
const LOG_PAGES: u32 = 4_000;

pub(super) fn connect(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(path)?;
    set_up(&connection)?;
    // The size holds only if it is set before the first table is made.
    connection.pragma_update(None, "page_size", 4096)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "cell_size_check", true)?;
    if cfg!(target_os = "macos") {
        connection.pragma_update(None, "fullfsync", true)?;
        connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    }
    Ok(connection)
}

/// Reads answers beside the writer.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) connection: Connection,
    pub(super) schemas: Schemas,
}

impl Reader {
    pub(super) fn new(connection: Connection) -> Reader {
        Reader { connection, schemas: Schemas::default() }
    }

    /// Says that a program of a later version wrote this, and which, as far as that can be read.
    pub(super) fn newer(&self, found: i64) -> StoreError {
        let sql = "SELECT version FROM lives ORDER BY id DESC LIMIT 1";
        let by = self.connection.query_row(sql, [], |row| row.get(0)).ok();
        StoreError::Newer { found, by }
    }

    pub(super) fn open(path: &Path) -> Result<Reader, StoreError> {
        let connection = Connection::open_with_flags(
            path,
            rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        set_up(&connection)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        Ok(Reader::new(connection))
    }
}

/// Gives a connection to a store what every one has.
pub(super) fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    // A statement keeps its plan: otherwise SQLite reads one whose plan may depend on values that are bound, as a
    // join does, anew each time that it gets other values.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    texts::register(connection)
}

/// Reads one answer by its number, see [`Archive::row`].
pub(super) fn row_sql() -> String {
    format!(
        "SELECT a.answered_at, text_of(a.id, a.row, a.question), reasoning_of(a.id, a.row, a.reasoning, a.answer),
           answer_of(a.id, a.row, a.reasoning, a.answer), a.life, {}
         FROM answers a
         LEFT JOIN answer_facts f ON f.answer = a.id WHERE a.id = ?1",
        facts::COLUMNS
    )
}

impl Archive for Reader {
    fn verdicts(
        &self,
        answer: AnswerId,
        acceptance: &[u8; 16],
    ) -> Result<Option<Vec<Verdict>>, StoreError> {
        tries::verdicts(&self.connection, answer, acceptance)
    }

    fn row(&self, answer: AnswerId) -> Result<Row, StoreError> {
        let mut statement = self.connection.prepare_cached(&row_sql())?;
        let mut rows = statement.query([answer])?;
        let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        let metadata = facts::metadata(row, 5)?;
        let reading = match metadata.asked_for {
            Some(asked_for) => self.schemas.reading(&self.connection, row.get(4)?, asked_for)?,
            None => None,
        };
        Ok(Row {
            answered_at: row.get(0)?,
            question: row.get(1)?,
            reasoning: row.get(2)?,
            answer: row.get(3)?,
            metadata,
            reading,
        })
    }

    fn order_from(
        &self,
        edition: u32,
        position: u64,
    ) -> Result<Vec<(AnswerId, Option<u64>)>, StoreError> {
        let sql = "SELECT answer, row FROM output_order
                   WHERE edition = ?1 AND position >= ?2 ORDER BY position LIMIT 1000";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![edition, position as i64], |row| {
            let at: Option<i64> = row.get(1)?;
            Ok((row.get(0)?, at.and_then(|at| u64::try_from(at).ok())))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
