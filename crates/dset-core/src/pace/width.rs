//! How many asks may be on their way at once.
//!
//! A ceiling from the user, below which refusals push and answers lift: a refusal cuts a tenth off
//! what was on its way, once for each burst; every answer gives back its share, so that a round
//! trip of answers gives back one. Refusals with no answer between them pause everything, for
//! longer each time.

use std::time::Duration;

use crate::planted::{Bug, planted};
use crate::time::Time;

/// The first pause when nothing but refusals comes; doubled each time.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// The longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Nothing but refusals for so long, at width 1, is an outage.
const REFUSALS_ONLY_MAX: Duration = Duration::from_secs(5 * 60);

/// How many at once, and from when on.
#[derive(Debug, Clone)]
pub struct Width {
    ceiling: u32,
    width: f64,
    /// Asks sent before this moment belong to a burst that was already answered with a cut.
    cut_at: Option<Time>,
    /// Nothing is sent before this moment.
    paused_until: Option<Time>,
    /// Cuts since the last answer.
    streak: u32,
    /// The first refusal since the last answer.
    refused_since: Option<Time>,
}

impl Width {
    /// Starts at the ceiling, which is at least 1.
    #[must_use]
    pub fn new(ceiling: u32) -> Width {
        let ceiling = ceiling.max(1);
        Width {
            ceiling,
            width: f64::from(ceiling),
            cut_at: None,
            paused_until: None,
            streak: 0,
            refused_since: None,
        }
    }

    /// Returns how many asks may be on their way.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.width.floor().max(1.0) as usize
    }

    /// Returns the moment before which nothing is sent, if it is yet to come.
    #[must_use]
    pub fn paused_until(&self, now: Time) -> Option<Time> {
        self.paused_until.filter(|until| !until.has_come(now))
    }

    /// Takes an answer: gives back a share of what refusals took.
    pub fn answered(&mut self) {
        self.width = (self.width + 1.0 / self.width).min(f64::from(self.ceiling));
        self.streak = 0;
        self.refused_since = None;
    }

    /// Takes a refusal of an ask sent at `sent_at`, with `in_flight` others still on their way.
    ///
    /// `wait` is how long the service wants to be left alone, `named` how many at once it says it
    /// allows. Returns true once nothing but refusals has come for five minutes at width 1.
    pub fn refused(
        &mut self,
        now: Time,
        sent_at: Time,
        in_flight: usize,
        wait: Option<Duration>,
        named: Option<u32>,
    ) -> bool {
        let since = *self.refused_since.get_or_insert(now);
        if let Some(named) = named {
            self.cap(named);
        }
        if let Some(wait) = wait {
            self.pause(now, wait);
        }
        if self.cut_at.is_none_or(|cut| sent_at.monotonic_ms >= cut.monotonic_ms) {
            self.cut_at = Some(now);
            let on_the_way = self.width.min(in_flight as f64 + 1.0);
            self.width = (on_the_way * 0.9).max(1.0);
            self.streak += 1;
            if self.streak > 1 && wait.is_none() {
                self.pause(now, (PAUSE_FIRST * (1 << (self.streak - 2).min(6))).min(PAUSE_MAX));
            }
        }
        self.slots() == 1 && now.since(since) >= REFUSALS_ONLY_MAX
    }

    /// Takes how many at once the service says it allows.
    pub fn cap(&mut self, named: u32) {
        if planted(Bug::NamedCeilingIgnored) {
            return;
        }
        self.width = self.width.min(f64::from(named.max(1)));
    }

    /// Sends nothing for so long: the service wants to be left alone.
    pub fn pause(&mut self, now: Time, wait: Duration) {
        let wait = if planted(Bug::WaitCutShort) { wait / 2 } else { wait };
        let until = now.after(wait);
        self.paused_until = Some(self.paused_until.map_or(until, |earlier| earlier.max(until)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time { monotonic_ms: ms, unix_ms: ms as i64 }
    }

    #[test]
    fn a_burst_of_refusals_cuts_once_and_answers_give_it_back() {
        let mut width = Width::new(20);
        for in_flight in (10..20).rev() {
            width.refused(at(100), at(0), in_flight, None, None);
        }
        assert_eq!(width.slots(), 18);
        (0..40).for_each(|_| width.answered());
        assert_eq!(width.slots(), 20);
    }

    #[test]
    fn a_wait_the_service_asks_for_is_kept_in_full() {
        let mut width = Width::new(4);
        width.refused(at(0), at(0), 3, Some(Duration::from_secs(90)), None);
        width.refused(at(10), at(0), 2, Some(Duration::from_secs(5)), None);
        assert_eq!(width.paused_until(at(20)), Some(at(90_000)));
        assert_eq!(width.paused_until(at(90_000)), None);
    }

    #[test]
    fn a_ceiling_named_by_the_service_is_taken() {
        let mut width = Width::new(64);
        width.refused(at(0), at(0), 63, None, Some(39));
        assert!(width.slots() <= 39);
    }

    #[test]
    fn nothing_but_refusals_for_five_minutes_at_width_1_is_an_outage() {
        let mut width = Width::new(1);
        assert!(!width.refused(at(0), at(0), 0, None, None));
        assert!(!width.refused(at(299_999), at(200_000), 0, None, None));
        assert!(width.refused(at(300_000), at(299_999), 0, None, None));
        width.answered();
        assert!(!width.refused(at(700_000), at(699_999), 0, None, None));
    }
}
