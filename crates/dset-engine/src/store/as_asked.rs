//! What the rows of one run are found by, whatever its folder was asked with since.

use dset_core::acceptance::Terms;
use dset_core::key::RequestSettings;
use serde::{Deserialize, Serialize};

use crate::store::{Invocation, StoreError};

/// How a run asked, and on which terms it accepted answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AsAsked {
    pub(crate) known: KnownSettings,
    /// What each model was asked with, as canonical JSON.
    pub(crate) requests: Vec<String>,
    pub(crate) samples: u32,
    pub(crate) terms: Terms,
    pub(crate) call: Invocation,
}

/// Which settings a run can have had answers of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownSettings {
    /// How often everything was asked again.
    pub(crate) generation: u32,
    /// The number of the last.
    pub(crate) last: i64,
}

impl AsAsked {
    pub(crate) fn requests(&self) -> Result<Vec<RequestSettings>, StoreError> {
        let read = |text: &String| RequestSettings::from_canonical_json(text);
        let read: Option<Vec<_>> = self.requests.iter().map(read).collect();
        let damaged = || StoreError::Damaged("what was asked cannot be read".to_owned());
        read.filter(|read| !read.is_empty()).ok_or_else(damaged)
    }
}
