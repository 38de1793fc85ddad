//! Whether the store can be read at all, and whether what it refers to is there.

use dset_core::settings::{CostLimits, JobSpec};

use crate::error::JobError;
use crate::os::lock::Running;
use crate::store::{IntegrityError, Store, StoreError};
use crate::view::index::RunIndex;
use crate::view::verify::{Difference, VerifyReport};

/// References within the store that lead nowhere, of each kind how many.
type Dangling = Vec<(IntegrityError, u64)>;

/// Checks the store alone; where it is too damaged to check anything else, that is all the report.
pub(super) fn check(
    store: &Store,
    settings: &JobSpec,
    generation: u32,
) -> Result<Result<(RunIndex, Dangling), Box<VerifyReport>>, JobError> {
    let unsound = store.unsound()?;
    if !unsound.is_empty() {
        return Ok(Err(Box::new(damaged(unsound))));
    }
    let dangling = store.integrity_errors(generation)?;
    match RunIndex::load_chosen(store, settings) {
        Ok(index) => Ok(Ok((index, dangling))),
        Err(JobError::Store(error)) => match unreadable(&error) {
            Some(detail) => {
                let mut report = damaged(vec![detail]);
                report.differences.extend(dangling.into_iter().map(told));
                Ok(Err(Box::new(report)))
            }
            None => Err(error.into()),
        },
        Err(error) => Err(error),
    }
}

pub(super) fn told((what, count): (IntegrityError, u64)) -> Difference {
    Difference::Dangling(what, count)
}

/// What is wrong with a store that is ours and cannot be read, whoever noticed it.
pub(super) fn unreadable(error: &StoreError) -> Option<String> {
    match error {
        StoreError::Damaged(detail) | StoreError::Unreadable(detail) => Some(detail.clone()),
        _ => None,
    }
}

/// Reports a store of which nothing but its damage can be told.
pub(super) fn damaged(found: Vec<String>) -> VerifyReport {
    VerifyReport {
        running: Running::No,
        ledger: None,
        answers: 0,
        outputs: Vec::new(),
        differences: vec![Difference::StoreDamaged(found)],
        notes: Vec::new(),
        endpoint: None,
        invocation: None,
        cost_limit: CostLimits::default(),
        requests: Vec::new(),
        samples: 1,
    }
}
