//! The one place that reads the clock.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dset_core::time::Time;

/// A running process looks at the clock more often than this.
const STOPPED_FROM_MS: u64 = 2_000;

/// The time since a run began, and since 1970.
///
/// The first stands still while the process does (Ctrl-Z, a debugger, a machine that sleeps), so
/// that no wait comes to its end and no ask grows old in a time in which nothing was read. The
/// caller must read it at least once a second.
#[derive(Debug)]
pub struct Clock {
    began: Instant,
    seen_ms: AtomicU64,
    stopped_ms: AtomicU64,
}

impl Clock {
    /// Starts a clock whose monotonic time is 0 now.
    #[must_use]
    pub fn start() -> Clock {
        Clock {
            began: Instant::now(),
            seen_ms: AtomicU64::default(),
            stopped_ms: AtomicU64::default(),
        }
    }

    /// Returns the present time, monotonic and Unix.
    #[must_use]
    pub fn now(&self) -> Time {
        self.at(Instant::now())
    }

    fn at(&self, now: Instant) -> Time {
        let ms = (now - self.began).as_millis() as u64;
        let unseen = ms.saturating_sub(self.seen_ms.fetch_max(ms, Relaxed));
        if unseen >= STOPPED_FROM_MS {
            self.stopped_ms.fetch_add(unseen, Relaxed);
        }
        Time { monotonic_ms: ms.saturating_sub(self.stopped_ms.load(Relaxed)), unix_ms: unix_ms() }
    }

    /// Returns when a moment comes, for a timer, if the process is not stopped until then.
    #[must_use]
    pub fn instant(&self, at: Time) -> Instant {
        let ms = self.stopped_ms.load(Relaxed) + at.monotonic_ms;
        self.began + Duration::from_millis(ms)
    }
}

/// Returns Unix milliseconds; 0 on a machine whose clock stands before 1970.
#[must_use]
pub fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stands_still_while_the_process_does() {
        let clock = Clock::start();
        let at = |seconds: f64| clock.at(clock.began + Duration::from_secs_f64(seconds));
        assert_eq!(at(1.0).monotonic_ms, 1_000);
        assert_eq!(at(2.5).monotonic_ms, 2_500);
        let back = at(602.5);
        assert_eq!(back.monotonic_ms, 2_500, "ten minutes of Ctrl-Z");
        assert_eq!(at(603.5).monotonic_ms, 3_500);
        assert_eq!(clock.instant(back), clock.began + Duration::from_secs_f64(602.5));
    }
}
