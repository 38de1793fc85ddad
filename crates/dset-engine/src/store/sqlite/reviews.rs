//! What somebody who looked at answers thinks of them: ratings and notes, in a file of their own, so
//! that the store of what was paid for is never written for them.

use std::path::{Path, PathBuf};

pub use dset_core::answer::row::Review;
use rusqlite::{Connection, OpenFlags, params};

use crate::store::error::StoreError;

/// The file's name.
const REVIEWS: &str = "review.db";
const VERSION: i64 = 1;

/// Which answer a review is of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ReviewKey {
    pub(crate) key: [u8; 16],
    /// Which of several tries under this key, from 0.
    pub(crate) try_number: u32,
    pub(crate) generation: u32,
}

/// The reviews of a folder.
#[derive(Debug)]
pub(crate) struct Reviews {
    connection: Connection,
    path: PathBuf,
}

/// An error of this file is none of the store.
fn of_reviews(path: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::Foreign
        | StoreError::Damaged(_)
        | StoreError::Unreadable(_)
        | StoreError::Failed(_) => {
            StoreError::Reviews { path: path.to_owned(), why: error.to_string() }
        }
        other => other,
    }
}

impl Reviews {
    /// Opens them to read; `None` where nobody has reviewed anything.
    pub(crate) fn open_readonly(folder: &Path) -> Result<Option<Reviews>, StoreError> {
        let path = folder.join(REVIEWS);
        if !path.is_file() {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || {
            let connection = Connection::open_with_flags(&path, flags)?;
            connection.busy_timeout(std::time::Duration::from_secs(5))?;
            let reviews = Reviews { connection, path: path.clone() };
            Ok((reviews.version()? == VERSION).then_some(reviews))
        };
        open().map_err(|error| of_reviews(&path, error))
    }

    /// Opens them to write, and makes the file where there is none.
    pub(crate) fn open(folder: &Path) -> Result<Reviews, StoreError> {
        let path = folder.join(REVIEWS);
        Reviews::open_at(&path).map_err(|error| of_reviews(&path, error))
    }

    fn open_at(path: &Path) -> Result<Reviews, StoreError> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        connection.pragma_update(None, "synchronous", "full")?;
        let reviews = Reviews { connection, path: path.to_owned() };
        match reviews.version()? {
            0 => reviews.connection.execute_batch(&format!(
                "BEGIN IMMEDIATE;
                 CREATE TABLE IF NOT EXISTS reviews (
                   key BLOB NOT NULL,
                   try INTEGER NOT NULL,
                   generation INTEGER NOT NULL,
                   rating INTEGER,
                   note TEXT NOT NULL,
                   at INTEGER NOT NULL,
                   PRIMARY KEY (key, try, generation)
                 ) WITHOUT ROWID;
                 PRAGMA user_version = {VERSION};
                 COMMIT"
            ))?,
            VERSION => {}
            found => return Err(StoreError::Newer { found, by: None }),
        }
        Ok(reviews)
    }

    fn version(&self) -> Result<i64, StoreError> {
        Ok(self.connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
    }

    /// Returns all of a generation.
    pub(crate) fn all(&self, generation: u32) -> Result<Vec<(ReviewKey, Review)>, StoreError> {
        self.read(generation).map_err(|error| of_reviews(&self.path, error))
    }

    fn read(&self, generation: u32) -> Result<Vec<(ReviewKey, Review)>, StoreError> {
        let sql = "SELECT key, try, rating, note FROM reviews WHERE generation = ?1";
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([generation], |row| {
            let key = ReviewKey { key: row.get(0)?, try_number: row.get(1)?, generation };
            Ok((key, Review { rating: row.get(2)?, note: row.get(3)? }))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Puts a review in the place of what was said of that answer before, durably; an empty one
    /// removes it.
    pub(crate) fn set(&self, of: &ReviewKey, review: &Review, at: i64) -> Result<(), StoreError> {
        let ReviewKey { key, try_number, generation } = of;
        if *review == Review::default() {
            self.connection.execute(
                "DELETE FROM reviews WHERE key = ?1 AND try = ?2 AND generation = ?3",
                params![key, try_number, generation],
            )?;
            return Ok(());
        }
        self.connection.execute(
            "INSERT OR REPLACE INTO reviews VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![key, try_number, generation, review.rating, review.note, at],
        )?;
        Ok(())
    }
}
