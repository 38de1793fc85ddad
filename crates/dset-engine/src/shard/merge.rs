//! Puts together what was asked apart: the stores of several folders, and the shards of a job.

use std::path::{Path, PathBuf};

use dset_core::plan::ledger::Ledger;
use dset_core::settings::{CostLimits, JobSpec};
use thiserror::Error;

use super::JobFile;
use crate::error::JobError;
use crate::os::clock::unix_ms;
use crate::os::lock::{Lock, Running};
use crate::source::SourceError;
use crate::store::{Rescued, Store, StoreError, merge_reviews, open_readonly, waiting};
use crate::view::status::run_status;

pub use crate::store::{Contradiction, Merged};

/// Why folders cannot be put together. Nothing was changed, but for folders that were taken in before.
#[derive(Debug, Error)]
pub enum MergeError {
    /// A folder has no store.
    #[error("nothing was asked yet in `{}`", folder.display())]
    NoStore {
        /// The folder.
        folder: PathBuf,
    },
    /// Everything was asked again in one folder more often than in another.
    #[error("everything was asked again {found} times in `{}`, and {expected} times in the others", folder.display())]
    Generations {
        /// The folder.
        folder: PathBuf,
        /// How often there.
        found: u32,
        /// How often in those before it.
        expected: u32,
    },
    /// The target, or a store.
    #[error(transparent)]
    Job(#[from] JobError),
    /// A store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes what these folders have into the store of `target`, which is made where there is none: answers by
/// their keys, each once. Folders may be in use; the target may not. Cut short at any moment, it is finished
/// by the next merge. `is_job` says that the folders are shards of one: its input is never marked.
pub fn merge(folders: &[PathBuf], target: &Path, is_job: bool) -> Result<Merged, MergeError> {
    let mut generations: Option<u32> = None;
    let mut merged = Merged::default();
    for folder in folders {
        take_in_rescued(folder, &mut merged)?;
        let found = open_readonly(folder, |store| store.generation())?;
        let Some(found) = found else {
            return Err(MergeError::NoStore { folder: folder.clone() });
        };
        let expected = *generations.get_or_insert(found);
        if found != expected {
            return Err(MergeError::Generations { folder: folder.clone(), found, expected });
        }
    }
    fs_err::create_dir_all(target).map_err(|error| JobError::folder(target, error))?;
    let lock = Lock::take(target, unix_ms());
    let _lock = lock.map_err(|error| JobError::lock(target, error))?;
    let (mut store, rescued) = Store::open(target)?;
    add_rescued(&mut merged, rescued);
    let found = store.generation()?;
    if let Some(expected) = generations.filter(|expected| *expected != found)
        && !store.is_blank()?
    {
        return Err(MergeError::Generations { folder: target.to_owned(), found, expected });
    }
    let real = |path: &Path| fs_err::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if is_job {
        store.keep_input_unmarked()?;
    }
    for folder in folders.iter().filter(|folder| real(folder) != real(target)) {
        let taken = open_readonly(folder, |other| {
            let taken = store.take_in(other)?;
            merge_reviews((folder, other), (target, &store))?;
            Ok::<_, StoreError>(taken)
        })?;
        taken.into_iter().for_each(|one| merged.add(one));
    }
    Ok(merged)
}

/// Takes what a run could only rescue into the store of its folder, as the next run there would.
pub fn take_in_rescued(folder: &Path, merged: &mut Merged) -> Result<(), JobError> {
    if !Store::exists(folder) || waiting(folder).is_empty() {
        return Ok(());
    }
    let lock = Lock::take(folder, unix_ms());
    let _lock = lock.map_err(|error| JobError::lock(folder, error))?;
    add_rescued(merged, Store::open(folder)?.1);
    Ok(())
}

fn add_rescued(merged: &mut Merged, rescued: Option<Rescued>) {
    let Some(Rescued { answers, unread }) = rescued else { return };
    merged.rescued += answers;
    merged.unread += unread;
}

/// Remembers what all of a job may cost, for whoever goes on in the folder into which it was merged.
pub fn keep_cost_limit(folder: &Path, limits: CostLimits) -> Result<(), JobError> {
    let lock = Lock::take(folder, unix_ms());
    let _lock = lock.map_err(|error| JobError::lock(folder, error))?;
    Ok(Store::open(folder)?.0.keep_cost_limit(limits)?)
}

/// Where a shard stands.
#[derive(Debug, Clone)]
pub struct ShardStatus {
    /// Which, from 0.
    pub number: u32,
    /// Where its questions stand.
    pub ledger: Ledger,
    /// It was begun.
    pub has_store: bool,
    /// Whether a run has it.
    pub running: Running,
    /// Answers that its last run could only rescue: they count once they are taken in.
    pub rescued: u64,
}

impl ShardStatus {
    /// Tells whether everything was asked and no run has it; what failed may be asked again.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.ledger.pending == 0 && !matches!(self.running, Running::Yes(_))
    }
}

/// Tells where every shard of a job stands; `spec` is what its runs are asked with. Reads the input once.
pub fn job_status(
    job: &JobFile,
    folder: &Path,
    spec: &JobSpec,
) -> Result<Vec<ShardStatus>, JobError> {
    let of = |number: u32| {
        let part = job.part(folder, number, spec.clone()).map_err(SourceError::from)?;
        let status = run_status(&JobSpec { input: spec.input.clone(), ..part })?;
        let (ledger, has_store) = (status.ledger, status.has_store);
        let (running, rescued) = (status.running, status.rescued);
        Ok(ShardStatus { number, ledger, has_store, running, rescued })
    };
    (0..job.count()).map(of).collect()
}
