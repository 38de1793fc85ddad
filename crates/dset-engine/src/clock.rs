//! The one place that reads the clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use dset_core::time::Time;

/// Tells the time since a run began, and since 1970.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began: Instant,
}

impl Clock {
    /// Begins now.
    #[must_use]
    pub fn start() -> Clock {
        Clock { began: Instant::now() }
    }

    /// Returns this moment.
    #[must_use]
    pub fn now(&self) -> Time {
        Time { monotonic_ms: self.began.elapsed().as_millis() as u64, unix_ms: unix_ms() }
    }

    /// Returns when a moment comes, for a timer.
    #[must_use]
    pub fn instant(&self, at: Time) -> Instant {
        self.began + std::time::Duration::from_millis(at.monotonic_ms)
    }
}

/// Returns Unix milliseconds; 0 on a machine whose clock stands before 1970.
#[must_use]
pub fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
