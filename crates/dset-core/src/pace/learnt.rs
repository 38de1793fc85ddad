//! What is worth telling the next run, or another process at the same service, about its pace.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ceiling::Mode;
use super::{Ms, Pace, ms};
use crate::time::Time;

/// Until this age a ceiling is as good as new.
const FRESH: Duration = Duration::from_secs(3600);
/// Until this age half of it is worth a climb; services change their limits with the hour.
const USEFUL: Duration = Duration::from_secs(24 * 3600);
/// A minute, in which rates are stated.
const MINUTE_MS: f64 = 60_000.0;

/// What was found out about a service's limits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Learnt {
    /// How many at once it took, once that is known.
    pub ceiling: Option<u32>,
    /// Asks a minute that it took, where that was measured.
    pub rate_per_minute: Option<f64>,
    /// The rate is the limit, and not merely what the ceiling came to.
    pub paced: bool,
    /// When this was known, in Unix milliseconds.
    pub at_unix_ms: i64,
}

impl Pace {
    /// Returns what is known of the service.
    #[must_use]
    pub fn learnt(&self, now: Time) -> Learnt {
        let queues = self.ceiling.mode() == Mode::Queue;
        let ceiling = self.ceiling.found().or(queues.then(|| self.ceiling.width()));
        Learnt {
            ceiling: ceiling.map(|ceiling| ceiling as u32),
            rate_per_minute: self.rate.measured().map(|per_ms| per_ms * MINUTE_MS),
            paced: self.rate.is_on(),
            at_unix_ms: now.unix_ms,
        }
    }

    /// Takes what was known `age` ago; without effect once anything came back.
    ///
    /// It is where the climb goes, and no promise: a refusal on the way counts for more.
    pub fn recall(&mut self, now: Time, learnt: &Learnt, age: Duration) {
        let share = match age {
            age if age <= FRESH => 1.0,
            age if age <= USEFUL => 0.5,
            _ => return,
        };
        if self.answered_count + self.refused_count > 0 {
            return;
        }
        if let Some(ceiling) = learnt.ceiling {
            self.ceiling.expect(share * f64::from(ceiling));
        }
        let per_ms: Option<Ms> = learnt.rate_per_minute.map(|rate| share * rate / MINUTE_MS);
        if let Some(per_ms) = per_ms.filter(|&per_ms| per_ms.is_finite() && per_ms > 0.0) {
            self.rate.recall(ms(now), per_ms, learnt.paced);
        }
    }
}
