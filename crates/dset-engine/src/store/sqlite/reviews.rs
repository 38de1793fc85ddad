//! What somebody who looked at answers thinks of them: ratings and notes, in a file of their own, so
//! that the store of what was paid for is never written for them.

use std::path::{Path, PathBuf};

pub use dset_core::answer::row::Review;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, params};

use super::store::Store;
use crate::store::error::StoreError;

/// The file's name.
const REVIEWS: &str = "review.db";
const VERSION: i64 = 1;

/// What is said of an answer anew; what is absent stays as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReviewChange {
    /// From 1 to 5; `None` takes the rating back.
    pub rating: Option<Option<u8>>,
    /// The whole note; empty to take it back.
    pub note: Option<String>,
}

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

    /// Returns all, each with when it was said.
    fn read_all(&self) -> Result<Vec<(ReviewKey, Review, i64)>, StoreError> {
        let sql = "SELECT key, try, rating, note, generation, at FROM reviews";
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            let (key, try_number, generation) = (row.get(0)?, row.get(1)?, row.get(4)?);
            let review = Review { rating: row.get(2)?, note: row.get(3)? };
            Ok((ReviewKey { key, try_number, generation }, review, row.get(5)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
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

    /// Takes over what was said elsewhere of these answers, by how they are known here; what was said last
    /// stays.
    fn take_in(&mut self, reviews: &[(ReviewKey, Review, i64)]) -> Result<(), StoreError> {
        let writing = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (ReviewKey { key, try_number, generation }, review, at) in reviews {
            writing.execute(
                "INSERT INTO reviews VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (key, try, generation) DO UPDATE SET rating = excluded.rating,
                 note = excluded.note, at = excluded.at WHERE excluded.at > reviews.at",
                params![key, try_number, generation, review.rating, review.note, at],
            )?;
        }
        writing.commit()?;
        Ok(())
    }

    /// Changes what was said of an answer, durably, and returns the whole of it; a review that says
    /// nothing any more is removed.
    pub(crate) fn change(
        &mut self,
        of: &ReviewKey,
        change: ReviewChange,
        at: i64,
    ) -> Result<Review, StoreError> {
        let ReviewKey { key, try_number, generation } = of;
        // Two changes at once come one after the other.
        let writing = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let before = writing.query_row(
            "SELECT rating, note FROM reviews WHERE key = ?1 AND try = ?2 AND generation = ?3",
            params![key, try_number, generation],
            |row| Ok(Review { rating: row.get(0)?, note: row.get(1)? }),
        );
        let before = before.optional()?.unwrap_or_default();
        let review = Review {
            rating: change.rating.unwrap_or(before.rating),
            note: change.note.unwrap_or(before.note),
        };
        if review == Review::default() {
            writing.execute(
                "DELETE FROM reviews WHERE key = ?1 AND try = ?2 AND generation = ?3",
                params![key, try_number, generation],
            )?;
        } else {
            writing.execute(
                "INSERT OR REPLACE INTO reviews VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![key, try_number, generation, review.rating, review.note, at],
            )?;
        }
        writing.commit()?;
        Ok(review)
    }
}

/// Takes over into a folder what was said in another one of answers that are in both stores: as a try, each may be
/// another one here.
pub(crate) fn merge_reviews(
    (from, other): (&Path, &Store),
    (to, store): (&Path, &Store),
) -> Result<(), StoreError> {
    let Some(reviews) = Reviews::open_readonly(from)? else { return Ok(()) };
    let all = reviews.read_all().map_err(|error| of_reviews(&reviews.path, error))?;
    let keys = all.iter().map(|(of, ..)| of.key).collect();
    let (theirs, ours) = (other.tries_of(&keys)?, store.tries_of(&keys)?);
    let mut taken = Vec::new();
    for (of, review, at) in all {
        let known = theirs.get(&of.key).and_then(|tries| tries.get(of.try_number as usize));
        let Some(came_at) = known.map_or(Ok(None), |answer| other.answered_at(*answer))? else {
            continue;
        };
        for (number, own) in (0..).zip(ours.get(&of.key).into_iter().flatten()) {
            if store.answered_at(*own)? == Some(came_at) {
                taken.push((ReviewKey { try_number: number, ..of }, review, at));
                break;
            }
        }
    }
    if taken.is_empty() {
        return Ok(());
    }
    let mut own = Reviews::open(to)?;
    own.take_in(&taken).map_err(|error| of_reviews(&own.path, error))
}
