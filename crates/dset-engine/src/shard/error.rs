//! Why a job cannot be split or used.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::contents::Difference;

/// What is wrong with a job, or with what it is used for.
#[derive(Debug, Error)]
pub enum JobFileError {
    /// The folder has none.
    #[error("there is no job in `{}`", folder.display())]
    Missing {
        /// The folder.
        folder: PathBuf,
    },
    /// It cannot be read.
    #[error("`{}` cannot be read: {detail}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        detail: String,
    },
    /// A later version of dset wrote it.
    #[error("`{}` was written by {made_by}, in a form that this version does not know", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// What wrote it.
        made_by: String,
    },
    /// The folder has a job already.
    #[error("`{}` holds another job", folder.display())]
    Exists {
        /// The folder.
        folder: PathBuf,
    },
    /// It cannot be written.
    #[error("cannot write `{}`: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// There are fewer questions than shards.
    #[error("{questions} questions cannot be split into {shards} shards")]
    TooFew {
        /// Rows with a question.
        questions: u64,
        /// Shards that were wanted.
        shards: u32,
    },
    /// It has no shard of this number.
    #[error("there is no shard {number}: the job has {shards}")]
    NoSuchShard {
        /// What was named.
        number: u32,
        /// How many there are.
        shards: u32,
    },
    /// The input is not what was split.
    #[error("the input is not what was split: {0}")]
    Changed(Difference),
    /// Other rows were read than those that were split.
    #[error("a shard of {expected} questions has {found}")]
    OtherRows {
        /// How many were split.
        expected: u64,
        /// How many were read.
        found: u64,
    },
    /// Rows are to be read or asked otherwise than they were split.
    #[error("`{setting}` is not what the job was split with")]
    OtherSetting {
        /// The setting, by its name in files.
        setting: &'static str,
    },
}
