//! Finds a rate of which nothing is known but that it is one: begins low, doubles while nothing is
//! refused, and closes in between what was let in and what was refused.

use super::Ms;

/// The pace doubles in this time, but within no fewer asks than these.
const DOUBLES_MS: f64 = 2_000.0;
const DOUBLES_ASKS: f64 = 4.0;
/// A wait so much longer than the pace demands was for something else, and shows nothing about it.
const LATE: f64 = 1.5;
/// So many must have been let in between two refusals to say what the rate is.
const ASKS_MIN: f64 = 3.0;
/// Refused at no more than this multiple of what was let in: found.
const CLOSE: f64 = 1.1;
/// Refused before so many were let in, it goes on from this share of the pace; otherwise from this
/// share of what was let in, and grows half as fast.
const KEPT: f64 = 0.7;
const BELOW: f64 = 0.98;
/// The lowest pace: one in a minute.
const PACE_MIN: f64 = 1.0 / 60_000.0;

/// The pace of a search, in asks per millisecond.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RateSearch {
    pace: f64,
    /// How many times slower than at first it grows.
    slower: f64,
    sent_at: Ms,
    /// The last moment at which the bucket was empty, and how many had been let in by then.
    since: Option<(Ms, f64)>,
}

impl RateSearch {
    /// Begins with one ask in each `interval`, the last of which was sent at `now`.
    pub(crate) fn new(now: Ms, interval: Ms) -> RateSearch {
        RateSearch { pace: (1.0 / interval).max(PACE_MIN), slower: 1.0, sent_at: now, since: None }
    }

    pub(crate) fn pace(&self) -> f64 {
        self.pace
    }

    /// Takes the sending of an ask.
    pub(crate) fn sent(&mut self, now: Ms) {
        let passed = now - self.sent_at;
        self.sent_at = now;
        if passed * self.pace <= LATE {
            let doubles_ms = self.slower * DOUBLES_MS.max(DOUBLES_ASKS / self.pace);
            self.pace *= (passed / doubles_ms).exp2();
        }
    }

    /// Takes that an ask sent at `sent_at` was refused after `accepted` had been let in; returns the
    /// rate once it is found.
    pub(crate) fn refused(&mut self, sent_at: Ms, accepted: f64) -> Option<f64> {
        let since = self.since.replace((sent_at, accepted));
        let (ms, asks) = since.map_or((0.0, 0.0), |(at, then)| (sent_at - at, accepted - then));
        if asks < ASKS_MIN {
            self.pace = (KEPT * self.pace).max(PACE_MIN);
            // At first it grows within two asks by as much as is taken back here.
            self.slower = if since.is_some() { self.slower.max(2.0) } else { self.slower };
            return None;
        }
        let let_in = asks / ms.max(1.0);
        if self.pace <= CLOSE * let_in {
            return Some(let_in);
        }
        self.pace = BELOW * let_in;
        self.slower *= 2.0;
        None
    }
}
