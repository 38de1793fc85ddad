//! Whether a service says why its answers stop.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// How many streams of a service came to their end with a reason to stop, and without. Some servers never
/// give one; of one that does, a `[DONE]` without a reason is a gateway's, behind a stream that broke off.
#[derive(Debug)]
pub struct FinishReasons {
    given: AtomicU32,
    missing: AtomicU32,
}

impl FinishReasons {
    /// Of a service that is known to give them, or of one that nothing is known of.
    #[must_use]
    pub fn new(is_known_to_give_them: bool) -> FinishReasons {
        FinishReasons { given: u32::from(is_known_to_give_them).into(), missing: 0.into() }
    }

    /// Counts a stream that came to its end.
    pub(crate) fn note(&self, is_given: bool) {
        let count = if is_given { &self.given } else { &self.missing };
        // No more than can be counted in years of a run.
        let _ = count.fetch_update(Relaxed, Relaxed, |count| count.checked_add(1));
    }

    /// Returns true if most streams had a reason: behind a gateway there may be services of both kinds.
    pub(crate) fn are_given(&self) -> bool {
        self.given.load(Relaxed) > self.missing.load(Relaxed)
    }
}
