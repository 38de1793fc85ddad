//! Whether few were let in because more at once are refused, or because no more come within a moment.
//!
//! Some gateways keep a rate to the ask: of a burst they let in one, or a few, as a service does that
//! takes no more at once. But a second later a rate takes another one, while a width is still full.
//! One ask is the price of knowing.

use super::{Ms, RateController, Ticket};

/// How long nothing is sent before the ask that tells, where no wait is named: long enough for most
/// rates that are kept to the ask.
const QUIET_MS: f64 = 1_100.0;
/// Where more were let in, other clients may have left as much, and answers tell soon by themselves.
const LET_IN_MAX: u64 = 3;
/// How many may be in flight before the first answers have told how long they take.
const WIDTH_MIN: f64 = 68.0;
/// What a rate needs by Little's law, several times over: answers are uneven.
const WIDTH_OF_RATE: f64 = 2.5;
/// The answers that tell how long they take without a queue.
const EARLY: u64 = 16;

/// The one ask beyond the width, once.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) enum Look {
    /// Nothing was refused yet.
    #[default]
    Idle,
    /// It goes at this moment, if nothing else was sent for as long.
    Waits {
        at: Ms,
        quiet: Ms,
    },
    /// It was sent; nothing else is until it is decided.
    Sent {
        order: u64,
        at: Ms,
        quiet: Ms,
    },
    Over,
}

impl RateController {
    /// Takes a refusal that showed a width; the wait that it named ends at `resumes_at`.
    pub(super) fn plan_look(&mut self, now: Ms, resumes_at: Ms) {
        let is_wanted = matches!(self.look, Look::Idle | Look::Waits { .. })
            && !self.rate.is_on()
            && !self.last_named
            && !self.random_rejection.is_on()
            && self.answered_count + self.in_flight as u64 <= LET_IN_MAX;
        if is_wanted {
            let quiet = QUIET_MS.max(resumes_at - now);
            self.look = Look::Waits { at: now + quiet, quiet };
        }
    }

    /// When the look goes; only while the width is filled.
    pub(super) fn looks_at(&self) -> Option<Ms> {
        let Look::Waits { at, quiet } = self.look else { return None };
        (self.in_flight > 0).then(|| at.max(self.sent_at + quiet))
    }

    /// When the look in flight is decided.
    pub(super) fn look_decided_at(&self) -> Option<Ms> {
        let Look::Sent { at, .. } = self.look else { return None };
        Some(at + self.quiet())
    }

    /// Takes the sending of an ask, which is the look if it goes beyond the width.
    pub(super) fn note_look(&mut self, now: Ms) {
        if let Look::Waits { quiet, .. } = self.look
            && self.closed.is_none()
            && !self.is_out
            && self.in_flight >= self.slots()
        {
            self.look = Look::Sent { order: self.sent_count + 1, at: now, quiet };
        }
    }

    /// Returns true if this ask is the look, whose fate is known now.
    pub(super) fn is_look(&self, sent: &Ticket) -> bool {
        matches!(self.look, Look::Sent { order, .. } if order == sent.order)
    }

    pub(super) fn look_is_over(&mut self) {
        self.look = Look::Over;
    }

    /// The look was let in: what was refused was a rate.
    pub(super) fn look_let_in(&mut self, now: Ms) {
        let Look::Sent { at, quiet, .. } = self.look else { return };
        self.search_rate(now, at, quiet);
    }

    /// Begins to search a rate that takes one ask in each `interval`; the last was sent at `sent_at`.
    pub(super) fn search_rate(&mut self, now: Ms, sent_at: Ms, interval: Ms) {
        self.look_is_over();
        self.rate.search(now, sent_at, interval);
        self.trial = None;
        self.streak = 0;
        self.epoch += 1;
        self.random_rejection.interrupted();
        self.concurrency.take(WIDTH_MIN);
    }

    /// Takes the latency of an answer; those of the first show what a rate needs.
    pub(super) fn note_early_latency(&mut self) {
        if self.answered_count <= EARLY {
            self.early_latency_ms = self.latency_ms;
        }
    }

    /// As many at once as the rate needs, up to `reach`: behind a rate there may be a queue.
    pub(super) fn widen_to(&mut self, reach: f64) {
        let width = self.width_for_rate().min(reach);
        if width > self.concurrency.width() {
            self.concurrency.take(width);
        }
    }

    fn width_for_rate(&self) -> f64 {
        WIDTH_OF_RATE * self.rate.paced_per_ms() * self.early_latency_ms
    }
}
