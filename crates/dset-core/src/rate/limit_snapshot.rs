//! What is worth telling the next run, or another process at the same service, about its pace.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Ms, RateController, ms};
use crate::rate::concurrency_limit::Mode;
use crate::time::Time;

/// Until this age a limit is as good as new.
const FRESH: Duration = Duration::from_secs(3600);
/// Until this age half of it is worth a climb; services change their limits with the hour.
const USEFUL: Duration = Duration::from_secs(24 * 3600);
/// A minute, in which rates are advertised.
const MINUTE_MS: f64 = 60_000.0;

/// What was found out about a service's limits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LimitSnapshot {
    /// Asks at once that the service accepts; absent until a refusal showed it.
    pub ceiling: Option<u32>,
    /// Asks a minute that it accepts; absent where that was not measured.
    pub rate_per_minute: Option<f64>,
    /// The rate is what is limited, and not merely what the concurrency limit came to.
    pub paced: bool,
    /// When this was known, in Unix milliseconds.
    pub at_unix_ms: i64,
}

/// Another run on the same machine that asks the same service with the same key, or did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PeerState {
    /// Its limits, with the times at which they were seen.
    pub limits: LimitSnapshot,
    /// How long ago it published them.
    pub age: Duration,
    /// It is asking now.
    pub is_running: bool,
}

/// Returns what a run that begins may expect of a service, and how old that knowledge is: what the
/// runs that go on take together, shared among them and this one; without any, what the last one
/// found.
#[must_use]
pub fn limits_from_peers(neighbours: &[PeerState]) -> Option<(LimitSnapshot, Duration)> {
    let newest =
        neighbours.iter().min_by_key(|neighbour| (!neighbour.is_running, neighbour.age))?;
    if !newest.is_running {
        return Some((newest.limits, newest.age));
    }
    let running = neighbours.iter().filter(|neighbour| neighbour.is_running);
    let (mut count, mut ceiling, mut rate) = (1, None::<u32>, None::<f64>);
    for PeerState { limits: learnt, .. } in running {
        count += 1;
        ceiling = learnt.ceiling.map(|own| own.saturating_add(ceiling.unwrap_or(0))).or(ceiling);
        rate = learnt.rate_per_minute.map(|own| own + rate.unwrap_or(0.0)).or(rate);
    }
    let learnt = LimitSnapshot {
        ceiling: ceiling.map(|all| (all / count).max(1)),
        rate_per_minute: rate.map(|all| all / f64::from(count)),
        ..newest.limits
    };
    Some((learnt, newest.age))
}

impl RateController {
    /// Returns what is known of the service.
    #[must_use]
    pub fn limit_snapshot(&self, now: Time) -> LimitSnapshot {
        let queues = self.concurrency.mode() == Mode::Queue;
        let ceiling = self.concurrency.found().or(queues.then(|| self.concurrency.width()));
        LimitSnapshot {
            ceiling: ceiling.map(|ceiling| ceiling as u32),
            rate_per_minute: self.rate.measured().map(|per_ms| per_ms * MINUTE_MS),
            paced: self.rate.is_on(),
            at_unix_ms: now.unix_ms,
        }
    }

    /// Takes what was known `age` ago; without effect once anything came back.
    ///
    /// It is where the climb goes, and no promise: a refusal on the way counts for more.
    pub fn restore(&mut self, now: Time, learnt: &LimitSnapshot, age: Duration) {
        let share = match age {
            age if age <= FRESH => 1.0,
            age if age <= USEFUL => 0.5,
            _ => return,
        };
        if self.answered_count + self.refused_count > 0 {
            return;
        }
        if let Some(ceiling) = learnt.ceiling {
            self.concurrency.climb_mut().knows(share * f64::from(ceiling));
        }
        let per_ms: Option<Ms> = learnt.rate_per_minute.map(|rate| share * rate / MINUTE_MS);
        if let Some(per_ms) = per_ms.filter(|&per_ms| per_ms.is_finite() && per_ms > 0.0) {
            self.rate.recall(ms(now), per_ms, learnt.paced);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neighbour(ceiling: u32, seconds: u64, is_running: bool) -> PeerState {
        let learnt = LimitSnapshot {
            ceiling: Some(ceiling),
            rate_per_minute: None,
            paced: false,
            at_unix_ms: 0,
        };
        PeerState { limits: learnt, age: Duration::from_secs(seconds), is_running }
    }

    #[test]
    fn a_run_expects_its_share_of_what_others_take_or_all_that_the_last_one_took() {
        let expects = |neighbours: &[PeerState]| limits_from_peers(neighbours)?.0.ceiling;
        assert_eq!(expects(&[]), None);
        assert_eq!(expects(&[neighbour(80, 60, false), neighbour(100, 600, false)]), Some(80));
        let both = [neighbour(60, 1, true), neighbour(30, 2, true), neighbour(500, 9, false)];
        assert_eq!(expects(&both), Some(30), "90 in all, for three");
    }
}
