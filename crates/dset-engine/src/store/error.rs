//! Why the store cannot be used.

use std::io;
use std::path::PathBuf;

use dset_core::plan::AnswerId;
use thiserror::Error;

use crate::store::sqlite::limits::{PATH_BYTES_MAX, STORE, VERSION};

/// Why the store cannot be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A newer program has written it.
    #[error("the store has version {found}, and this program knows {VERSION}")]
    Newer {
        /// The schema version of the store.
        found: i64,
        /// The version of that program, where it can be read.
        by: Option<String>,
    },
    /// It is no store of ours.
    #[error("it is not a store of this program")]
    Foreign,
    /// SQLite reports it as corrupt, or what it holds contradicts itself.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// A text of one answer is damaged; every other can be read.
    #[error("the text of answer {answer}{} is damaged", of_row(.row))]
    TextDamaged {
        /// Its number in the store.
        answer: AnswerId,
        /// The row of the input that it was given to, where it is known.
        row: Option<u64>,
    },
    /// Its path has more bytes than SQLite takes.
    #[error("its path has {0} bytes, and SQLite takes {PATH_BYTES_MAX} at most")]
    PathTooLong(usize),
    /// What beside the store holds ratings and notes cannot be read.
    #[error("the ratings and notes in {} cannot be read: {why}", .path.display())]
    Reviews {
        /// Where they are.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Another program has it locked.
    #[error("another program has the store locked")]
    Busy,
    /// It was deleted, moved or replaced while it was open.
    #[error("`{STORE}` was deleted or moved while the run went on{}", saved(.saved_in))]
    Gone {
        /// Where what it held is now.
        saved_in: Option<PathBuf>,
    },
    /// What it holds is not of the kind that is written there.
    #[error("{0}")]
    Unreadable(String),
    /// Anything else that went wrong with it.
    #[error("{0}")]
    Failed(String),
    /// Reading or writing a file failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

fn of_row(row: &Option<u64>) -> String {
    row.map(|row| format!(" (row {row})")).unwrap_or_default()
}

fn saved(place: &Option<PathBuf>) -> String {
    let saved = |path: &PathBuf| format!("; what it held is in {}", path.display());
    place.as_ref().map(saved).unwrap_or_default()
}
