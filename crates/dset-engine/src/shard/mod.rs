//! An input split into shards, each of which is run in a folder of its own, anywhere and at any time.
//!
//! `job.json` in the folder of the job says once where every shard begins and which of equal rows its rows
//! are, so that a shard has the keys, rows and ids that these rows have in a run of the whole input. It is
//! never changed; a shard's folder is a folder like that of any other run.

mod contents;
mod error;
mod job_file;
pub mod merge;
mod rows;
mod split;

pub use contents::Difference;
pub use error::JobFileError;
pub use job_file::{JobFile, JobInput, JobShard, shard_folder};
pub use rows::ShardRows;
pub use split::{SplitInput, split};

use std::path::Path;

use crate::store::Store;

/// Tells whether a folder is that of a job, and of no run.
#[must_use]
pub fn is_of_job(folder: &Path) -> bool {
    !Store::exists(folder) && JobFile::read(folder).is_ok()
}

#[cfg(test)]
mod tests;
