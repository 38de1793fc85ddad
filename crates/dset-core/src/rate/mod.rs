//! When the next ask may be sent: how many at once, how many a minute, and what a failing service
//! changes about it.
//!
//! [`RateController`] is told of everything that is sent and of everything that comes back, and answers one
//! question: may another be sent now? There is one for each endpoint, model and key. It needs no
//! configuration: `concurrency_limit` finds how many at once a service takes, `climb` how quickly it is
//! gone there, `silence` what was let in, `queueing` that more are of no use, `request_rate` what it takes
//! in a time, `advertised` keeps to what it says itself. All of them are in force at once; the smaller
//! wins. `random_rejection` tells which refusals say nothing, `look` and `rate_search` find a rate that
//! allows no burst.

mod advertised;
mod climb;
mod concurrency_limit;
pub mod latency;
mod limit_snapshot;
mod look;
mod on_refusal;
pub mod outage;
mod queueing;
mod random_rejection;
mod rate_search;
mod request_rate;
pub mod retry;
pub mod shared_bucket;
mod silence;
pub mod sliding_window;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::planted::{PlantedBug, planted};
use crate::provider::RateLimits;
use crate::rate::advertised::AdvertisedLimits;
use crate::rate::concurrency_limit::{ConcurrencyLimit, Mode};
pub use crate::rate::limit_snapshot::{LimitSnapshot, PeerState, limits_from_peers};
use crate::rate::look::Look;
use crate::rate::on_refusal::{ClosedGate, OverloadDetector, Trial};
use crate::rate::queueing::{Experiments, QueueingDetector, Verdict};
use crate::rate::random_rejection::RandomRejectionFilter;
use crate::rate::request_rate::RequestRate;
use crate::time::Time;

/// Milliseconds on the monotonic clock, with fractions.
type Ms = f64;

fn ms(at: Time) -> Ms {
    at.monotonic_ms as f64
}

/// The round trip of a refusal before the first has come.
const REFUSAL_MS_FIRST: f64 = 100.0;
/// Refusals over which their round trip is averaged.
const REFUSAL_MEMORY: f64 = 5.0;
/// The latency of an answer before the first has come.
const LATENCY_MS_FIRST: f64 = 1_000.0;
/// Answers over which their latency is averaged.
const LATENCY_MEMORY: f64 = 50.0;
/// The least width after an outage; W begins at a quarter of what it was, but not below this.
const AFTER_OUTAGE_MIN: f64 = 32.0;
const AFTER_OUTAGE: f64 = 0.25;
/// How long after a refusal a run counts as throttled.
const THROTTLED: Duration = Duration::from_secs(10);
/// The block of an ask that belongs to none.
const NO_BLOCK: u32 = u32::MAX;

/// What the rate controller never goes beyond, whatever it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How many at once, at most; at least 1.
    pub slots_max: u32,
    /// The user gave that number as one that the service takes: the climb to it is quick.
    pub is_trusted: bool,
}

/// Whether another ask may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// Now; every ask that is sent must be recorded with `sent` before the next question.
    Now,
    /// Not before this moment, which is later than the one of the question. Something that comes
    /// back may change it.
    NotBefore(Time),
    /// Not until something comes back.
    NotYet,
}

/// What the rate controller remembers of an ask in flight. Given at its sending and wanted at its
/// return.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// When it was sent.
    pub at: Time,
    /// How many were in flight then, itself counted.
    n: u32,
    /// Refusals of asks of an earlier epoch belong to a burst that was dealt with.
    epoch: u32,
    block: u32,
    /// The how many-th of all asks, from 1.
    order: u64,
}

/// What the end of an ask says about the service's limits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ResponseSignal {
    /// The service did the work: an answer, also a cut or filtered one.
    Answered {
        /// Tokens in and out together, where counted.
        tokens: Option<u64>,
    },
    /// Too many at once or in a minute: 429.
    Refused {
        /// How long the service wants to be left alone.
        wait: Option<Duration>,
        /// How many at once it says it allows.
        named: Option<u32>,
    },
    /// The service has too much to do for everybody: 503, 529.
    Overloaded {
        /// How long it wants to be left alone.
        wait: Option<Duration>,
    },
    /// It says nothing about the limits: reset, timed out, another status, refused for its
    /// content.
    Neutral,
}

/// Finds how many asks at once, and how many in a time, a service takes.
#[derive(Debug, Clone)]
pub struct RateController {
    bounds: Bounds,
    in_flight: usize,
    concurrency: ConcurrencyLimit,
    queueing: QueueingDetector,
    experiments: Option<Experiments>,
    rate: RequestRate,
    advertised: AdvertisedLimits,
    closed: Option<ClosedGate>,
    trial: Option<Trial>,
    look: Look,
    replies: OverloadDetector,
    random_rejection: RandomRejectionFilter,
    random_overload: RandomRejectionFilter,
    epoch: u32,
    /// Episodes of refusals since an ask that was sent after the last of them was answered.
    streak: u32,
    /// How many were in flight when the refusals began.
    in_flight_then: f64,
    /// The last refusal named how many at once are allowed.
    last_named: bool,
    sent_count: u64,
    /// When the last was sent.
    sent_at: Ms,
    answered_count: u64,
    refused_count: u64,
    refusal_ms: f64,
    latency_ms: f64,
    /// The same of the first answers, before there could be a queue.
    early_latency_ms: f64,
    /// When the last ask was sent that was answered.
    let_in_at: Ms,
    looked_at: Option<Ms>,
    paused_until: Option<Time>,
    /// The short pause of a paced rate after a refusal.
    rate_resumes_at: Ms,
    /// Only probes are sent.
    is_out: bool,
    refused_since: Option<Time>,
    refused_at: Option<Time>,
    refused_throughout: bool,
    is_rate_bound: bool,
}

impl RateController {
    /// Starts without any knowledge of the service.
    #[must_use]
    pub fn new(bounds: Bounds) -> RateController {
        let bounds = Bounds { slots_max: bounds.slots_max.max(1), ..bounds };
        RateController {
            bounds,
            in_flight: 0,
            concurrency: ConcurrencyLimit::new(bounds.slots_max, bounds.is_trusted),
            queueing: QueueingDetector::default(),
            experiments: None,
            rate: RequestRate::new(),
            advertised: AdvertisedLimits::default(),
            closed: None,
            trial: None,
            look: Look::default(),
            replies: OverloadDetector::default(),
            random_rejection: RandomRejectionFilter::of_refusals(),
            random_overload: RandomRejectionFilter::of_overload(),
            epoch: 0,
            streak: 0,
            in_flight_then: 0.0,
            last_named: false,
            sent_count: 0,
            sent_at: 0.0,
            answered_count: 0,
            refused_count: 0,
            refusal_ms: REFUSAL_MS_FIRST,
            latency_ms: LATENCY_MS_FIRST,
            early_latency_ms: LATENCY_MS_FIRST,
            let_in_at: 0.0,
            looked_at: None,
            paused_until: None,
            rate_resumes_at: 0.0,
            is_out: false,
            refused_since: None,
            refused_at: None,
            refused_throughout: false,
            is_rate_bound: false,
        }
    }

    /// Returns true if another ask may be sent at `now`.
    pub fn may_send(&mut self, now: Time) -> Permit {
        self.time_passed(now);
        self.is_rate_bound = false;
        if let Some(until) = self.paused_until(now) {
            return Permit::NotBefore(until);
        }
        if self.is_out || self.in_flight >= self.bounds.slots_max as usize {
            return Permit::NotYet;
        }
        let at = ms(now);
        if let Some(closed) = &self.closed {
            if self.concurrency.is_past_named(self.in_flight) {
                return Permit::NotYet;
            }
            let opens_at = closed.opens_at(self.quiet());
            return if opens_at > at { not_before(now, opens_at) } else { Permit::Now };
        }
        if let Some(decided_at) = self.look_decided_at() {
            return not_before(now, decided_at);
        }
        if self.in_flight >= self.slots() {
            let rises_at = self.concurrency.rises_at(at, self.in_flight, self.quiet());
            let next = [rises_at, self.looks_at()].into_iter().flatten().reduce(f64::min);
            return match next {
                Some(_) if self.looks_at().is_some_and(|looks_at| looks_at <= at) => Permit::Now,
                Some(next) => not_before(now, next),
                None => Permit::NotYet,
            };
        }
        if let Some(decided_at) = self.trial_decided_at() {
            return not_before(now, decided_at);
        }
        if self.rate.is_on() && self.rate_resumes_at > at {
            return not_before(now, self.rate_resumes_at);
        }
        let ready = [self.advertised.ready_at(at), self.rate.ready_at(at, self.latency_ms)];
        let ready_at = ready.into_iter().flatten().fold(at, f64::max);
        self.is_rate_bound = ready_at > at;
        if self.is_rate_bound { not_before(now, ready_at) } else { Permit::Now }
    }

    /// Takes the sending of an ask, also of one that was sent without `may_send` (a probe).
    pub fn sent(&mut self, now: Time) -> Ticket {
        self.time_passed(now);
        self.note_look(ms(now));
        self.in_flight += 1;
        self.sent_count += 1;
        self.sent_at = ms(now);
        if let Some(trial) = &mut self.trial {
            trial.sent();
        }
        self.advertised.take();
        self.rate.take(ms(now));
        let mut block = NO_BLOCK;
        if self.is_out {
            // A probe of an outage says nothing about closures or queues.
        } else if let Some(closed) = &mut self.closed {
            if closed.probe.is_none() {
                closed.probing(self.sent_count, ms(now));
            }
        } else if self.is_judging() {
            block = self.queueing.sent(self.in_flight, self.concurrency.width());
        }
        let n = u32::try_from(self.in_flight).unwrap_or(u32::MAX);
        Ticket { at: now, n, epoch: self.epoch, block, order: self.sent_count }
    }

    /// Takes the first sign that an ask was let in and not refused: its status is 200.
    pub fn accepted(&mut self, now: Time, sent: &Ticket) {
        self.time_passed(now);
        let at = ms(now);
        if self.is_probe(sent) {
            self.reopen(at);
        } else if self.is_look(sent) {
            self.look_let_in(at);
        } else if sent.epoch == self.epoch {
            self.concurrency.accepted(at, sent.n as usize);
        }
    }

    /// Takes the return of an ask.
    pub fn on_return(&mut self, now: Time, sent: &Ticket, back: ResponseSignal) {
        self.time_passed(now);
        self.in_flight = self.in_flight.saturating_sub(1);
        match back {
            ResponseSignal::Answered { tokens } => self.answered(now, sent, tokens),
            ResponseSignal::Refused { wait, named } => self.refused(now, sent, wait, named),
            ResponseSignal::Overloaded { wait } => self.overloaded(now, sent, wait),
            ResponseSignal::Neutral => {
                self.on_probe_inconclusive(now, sent);
                self.replies.failed();
                if self.is_look(sent) {
                    self.look_is_over();
                }
            }
        }
    }

    fn answered(&mut self, now: Time, sent: &Ticket, tokens: Option<u64>) {
        let (at, latency) = (ms(now), ms(now) - ms(sent.at));
        self.answered_count += 1;
        let memory = LATENCY_MEMORY.min(self.answered_count as f64);
        self.latency_ms += (latency - self.latency_ms) / memory;
        self.refused_since = None;
        self.refused_throughout = false;
        self.replies.on_response(false);
        self.replies.worked();
        if let Some(tokens) = tokens {
            self.advertised.answered(tokens);
        }
        self.concurrency.answered(at);
        if sent.epoch == self.epoch {
            self.streak = 0;
        }
        if self.is_probe(sent) {
            self.reopen(at);
        } else if self.is_look(sent) {
            self.look_let_in(at);
        }
        self.rate.answered(f64::from(sent.n));
        self.let_in_at = self.let_in_at.max(ms(sent.at));
        self.note_early_latency();
        self.detect_queueing(at, sent, latency);
    }

    /// Learns from an answer whether the service queues.
    fn detect_queueing(&mut self, now: Ms, sent: &Ticket, latency: Ms) {
        let mode = self.concurrency.mode();
        if mode == Mode::Queue
            && let Some(experiments) = &mut self.experiments
        {
            let changed = experiments.answered(now, self.concurrency.width(), self.in_flight);
            if let Some(width) = changed {
                self.concurrency.queue_at(width);
            }
        } else if self.is_judging() && sent.block != NO_BLOCK {
            if let Some(reach) = self.queueing.reach_if_even(latency) {
                self.concurrency.climb_mut().even(reach);
            }
            match self.queueing.answered(sent.block, sent.order, latency) {
                Some(Verdict::Worth(reach)) if self.rate.is_smooth() => self.widen_to(reach),
                Some(Verdict::Worth(reach)) => self.concurrency.climb_mut().judged(reach),
                Some(Verdict::Queues(width)) => {
                    self.concurrency.queue_at(width);
                    let begun = Experiments::new(now, self.latency_ms, self.in_flight);
                    self.experiments = Some(begun);
                }
                None => {}
            }
        }
    }

    /// Returns true if blocks of answers are judged. A pause after a refusal would look like a
    /// queue.
    fn is_judging(&self) -> bool {
        if self.rate.is_smooth() {
            return self.concurrency.mode() != Mode::Queue;
        }
        let is_smooth =
            self.refused_count == 0 || self.random_rejection.is_on() && !self.rate.waits();
        is_smooth && self.concurrency.mode() == Mode::Start && self.concurrency.found().is_none()
    }

    /// Takes the limits that a reply's headers state; those of any reply.
    pub fn observe_headers(&mut self, now: Time, limits: &RateLimits) {
        if !limits.is_empty() {
            self.advertised.observe_headers(now, limits, self.in_flight);
        }
    }

    /// Takes that nothing succeeds any more; from now on only probes are sent.
    pub fn outage_began(&mut self, now: Time) {
        self.time_passed(now);
        self.is_out = true;
        self.closed = None;
        self.streak = 0;
        self.rate.interrupted();
    }

    /// Takes that the service is back.
    pub fn outage_over(&mut self, now: Time) {
        self.time_passed(now);
        self.is_out = false;
        self.closed = None;
        self.streak = 0;
        self.epoch += 1;
        self.refused_since = None;
        self.refused_throughout = false;
        self.rate.interrupted();
        self.replies = OverloadDetector::default();
        self.random_rejection.interrupted();
        self.random_overload.interrupted();
        if self.concurrency.mode() == Mode::Queue {
            self.experiments = Some(Experiments::new(ms(now), self.latency_ms, self.in_flight));
        } else if !self.rate.is_on() {
            let width = self.concurrency.width();
            self.concurrency.climb_from(width.min(AFTER_OUTAGE_MIN.max(AFTER_OUTAGE * width)));
        }
    }

    /// Sends nothing for this time, as the service asked.
    pub fn pause(&mut self, now: Time, wait: Duration) {
        self.time_passed(now);
        let wait = if planted(PlantedBug::WaitCutShort) { wait / 2 } else { wait };
        let until = now.after(wait);
        self.paused_until = Some(self.paused_until.map_or(until, |earlier| earlier.max(until)));
        self.rate.paused(ms(until));
    }

    /// Returns the moment before which nothing is sent, if it is yet to come.
    #[must_use]
    pub fn paused_until(&self, now: Time) -> Option<Time> {
        self.paused_until.filter(|until| !until.has_come(now))
    }

    /// Returns `at`, or the end of the pause if that is later.
    #[must_use]
    pub(crate) fn not_paused(&self, now: Time, at: Time) -> Time {
        self.paused_until(now).map_or(at, |until| at.max(until))
    }

    /// Returns how many asks at once may be in flight, from 1 to the bound.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.concurrency.slots()
    }

    /// Returns true if the service has refused asks just now because they were too many.
    #[must_use]
    pub(crate) fn is_throttled(&self, now: Time) -> bool {
        self.refused_at.is_some_and(|at| now.since(at) < THROTTLED)
    }

    /// Returns true if the last question was answered with a moment to come because of how many the
    /// service takes in a time.
    #[must_use]
    pub(crate) fn is_rate_bound(&self) -> bool {
        self.is_rate_bound
    }

    /// Returns true if nothing but refusals has come for five minutes with one ask at a time, which
    /// is an outage.
    #[must_use]
    pub(crate) fn refused_throughout(&self) -> bool {
        self.refused_throughout
    }

    fn is_probe(&self, sent: &Ticket) -> bool {
        let probe = self.closed.as_ref().and_then(|closed| closed.probe);
        probe.is_some_and(|(order, _)| order == sent.order)
    }
}

/// The moment `at`, rounded up to a whole millisecond after `now`.
fn not_before(now: Time, at: Ms) -> Permit {
    let wait = (at - ms(now)).ceil().max(1.0);
    // Longer than any run: a wait that overflows is the same as one that never ends.
    Permit::NotBefore(now.after(Duration::from_millis(wait.min(1e15) as u64)))
}
