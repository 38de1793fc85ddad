//! The file of a store: what it may be before SQLite opens it, and how every connection is set up.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::texts;
use crate::store::error::StoreError;

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

/// Gives a connection to a store what every one has.
pub(super) fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    // A statement keeps its plan: otherwise SQLite reads one whose plan may depend on values that are bound, as a
    // join does, anew each time that it gets other values.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    texts::register(connection)
}
