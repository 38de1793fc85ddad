//! Why nothing can be shown.

use super::filter::FilterError;
use crate::error::JobError;
use crate::store::StoreError;

/// Why nothing can be shown.
#[derive(Debug, thiserror::Error)]
pub enum BrowseError {
    /// The input or the store cannot be read.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The filter is none.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// There is no such question, or no such answer.
    #[error("there is none of this number")]
    NoSuch,
    /// The store is no longer there.
    #[error("the store is no longer there")]
    Gone,
}

impl From<StoreError> for BrowseError {
    fn from(error: StoreError) -> BrowseError {
        BrowseError::Job(error.into())
    }
}
