//! What silence shows: a refusal comes back within a network round trip, so what was not refused for
//! a few of them was let in. Silence is a timer and no event.

use super::{Ms, RateController, Trial, ms};
use crate::time::Time;

/// No refusal for four of its round trips: accepted. They vary by a fifth, and queues lie between.
const QUIET_ROUND_TRIPS: f64 = 4.0;
/// A slow gateway must not stop the growth, nor a fast one be trusted to the millisecond.
const QUIET_MS: std::ops::RangeInclusive<f64> = 50.0..=2_000.0;

impl RateController {
    pub(super) fn quiet(&self) -> f64 {
        (QUIET_ROUND_TRIPS * self.refusal_ms).clamp(*QUIET_MS.start(), *QUIET_MS.end())
    }

    /// Draws the consequences of silence.
    pub(super) fn time_passed(&mut self, now: Time) {
        let at = ms(now);
        let resumed = self.paused_until.map_or(0.0, ms);
        let since = self.looked_at.unwrap_or(at).max(resumed).min(at);
        self.looked_at = Some(at);
        let quiet = self.quiet();
        let is_silent = at >= self.sent_at + quiet;
        self.note_let_in(is_silent);
        if is_silent {
            self.trial = self.trial.and_then(Trial::let_in);
        }
        if self.look_decided_at().is_some_and(|decided_at| decided_at <= at) {
            self.look_let_in(at);
        }
        match &self.closed {
            Some(closed) if closed.probe.is_some() && closed.opens_at(quiet) <= at => {
                self.reopen(at);
            }
            Some(_) => {}
            None if self.is_out => {}
            None => self.concurrency.passed(at, at - since, self.in_flight, quiet),
        }
    }

    /// Tells the climb how many were let in: all that were sent, or those that were answered.
    fn note_let_in(&mut self, is_silent: bool) {
        if self.refused_count == 0 {
            let let_in = if is_silent { self.sent_count } else { self.answered_count };
            self.concurrency.climb_mut().let_in(let_in);
        }
    }

    /// Returns when the trial is decided, if all of it was sent. Limits that the service states are
    /// paced, and need none.
    pub(super) fn trial_decided_at(&self) -> Option<Ms> {
        let is_out = self.trial.is_some_and(Trial::is_out) && !self.advertised.is_known();
        is_out.then(|| self.sent_at + self.quiet())
    }
}
