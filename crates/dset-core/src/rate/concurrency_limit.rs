//! How many asks at once a service takes: the width W, and the limit that was found above it.
//!
//! A refusal comes back within a network round trip, an answer takes seconds; so silence for a few
//! round trips while W is filled means that W was accepted, and growth is clocked by silence. A
//! refusal shows the limit exactly: it is what is in flight once the refused ones are back. Probing
//! past the limit is paid for with a budget that answers earn, so that the share of refusals is
//! bounded whatever the service does.

use super::Ms;
use crate::rate::climb::{Climb, FIRST, LATE_MS, Step};

/// What is kept of the limit after a refusal: a cut of 0.5 % runs into the same burst again, one
/// of 5 % loses 2 % of the goodput.
pub(crate) const KEPT: f64 = 0.98;
/// What is kept of the limit when refusals follow each other.
pub(crate) const KEPT_IN_STREAK: f64 = 0.96;
/// What an answer adds to the budget for probes past the limit. So at most 1 % is refused, with
/// room for the overshoot; 0.003 is blind for too long, 0.015 refuses too much where answers are
/// few.
const PROBE_BUDGET_PER_ANSWER: f64 = 0.007;
/// The bounds of the probe budget: never so low that it takes hours to probe again.
const PROBE_BUDGET: std::ops::RangeInclusive<f64> = -1.0..=3.0;
/// How long a limit is remembered, to notice that it fell; after one, answers earn double.
const FALL_REMEMBERED_MS: f64 = 900_000.0;
/// How long another client counts as being there after it was noticed.
const SHARED_MS: f64 = 300_000.0;
/// The largest step, as a share of W, while another client draws on the same limit.
const SHARED_STEP: f64 = 0.02;
/// How long one unit of the probe budget takes while another client holds a part of an advertised
/// limit.
const SHARED_CREDIT_MS: f64 = 20_000.0;
/// How long the limit advertised by the service is believed; then it is probed past, within the
/// probe budget.
const NAMED_MS: f64 = 10_000.0;
/// Up to this width answers may be too few to earn a probe in an hour,
const NARROW: f64 = 8.0;
/// so time earns one, too. At 8 slots of 8 s that is a look for 120 answers.
const NARROW_CREDIT_MS: f64 = 120_000.0;

/// What a step may be of the limit, and what it may be at any: where the status line comes early, a
/// step a round trip would end twice as high as the limit.
const STEP_MAX: f64 = 0.125;
const STEP_FREE: f64 = 8.0;
/// W approaches the limit asymptotically; this close counts as reached.
const GIVEN_BACK: f64 = 0.5;

/// What W does on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Climbs until the first refusal.
    Start,
    /// It stays at the limit, and probes past it from time to time.
    Hold,
    /// The service queues what it cannot do yet; only experiments change W.
    Queue,
}

/// The width, and what is known of the limit.
#[derive(Debug, Clone)]
pub(crate) struct ConcurrencyLimit {
    bound: f64,
    width: f64,
    ceil: f64,
    mode: Mode,
    climb: Climb,
    step: f64,
    credit: f64,
    /// How long W has been filled since it last changed.
    filled_ms: f64,
    best: f64,
    best_at: Ms,
    shared_at: Option<Ms>,
    named: Option<(f64, Ms)>,
    /// What the service has just advertised: an upper bound while it is believed.
    believed: f64,
}

impl ConcurrencyLimit {
    /// At most `bound`; where it `is_trusted`, the user gave it as a number that the service takes.
    pub(crate) fn new(bound: u32, is_trusted: bool) -> ConcurrencyLimit {
        let bound = f64::from(bound.max(1));
        ConcurrencyLimit {
            bound,
            width: FIRST.min(bound),
            ceil: f64::INFINITY,
            mode: Mode::Start,
            climb: Climb::new(bound, is_trusted),
            step: 1.0,
            credit: 1.0,
            filled_ms: 0.0,
            best: 0.0,
            best_at: 0.0,
            shared_at: None,
            named: None,
            believed: f64::INFINITY,
        }
    }

    pub(crate) fn slots(&self) -> usize {
        self.width.min(self.believed).clamp(1.0, self.bound) as usize
    }

    /// Returns true if as many are in flight as the service has just advertised.
    pub(crate) fn is_past_named(&self, in_flight: usize) -> bool {
        in_flight as f64 >= self.believed
    }

    pub(crate) fn width(&self) -> f64 {
        self.width
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// The limit, once a refusal has shown it.
    pub(crate) fn found(&self) -> Option<f64> {
        self.ceil.is_finite().then_some(self.ceil)
    }

    pub(crate) fn named(&self) -> Option<f64> {
        self.named.map(|(named, _)| named)
    }

    /// Returns true if an ask above the limit may be in flight.
    pub(crate) fn is_probing(&self) -> bool {
        self.mode == Mode::Hold && self.width > self.ceil
    }

    /// Takes the time that has passed with `in_flight` asks in flight.
    ///
    /// No refusal for `quiet` is proof of acceptance. W rises until it is no longer filled.
    pub(crate) fn passed(&mut self, now: Ms, ms: f64, in_flight: usize, quiet: f64) {
        if self.named.is_none_or(|(_, at)| now >= at + NAMED_MS) {
            self.believed = f64::INFINITY;
        }
        let is_held = self.width >= self.bound || self.width > self.believed;
        if in_flight != self.slots() || is_held {
            return self.earn(now, ms);
        }
        self.filled_ms += ms;
        self.earn(now, ms);
        match self.mode {
            Mode::Start => self.climb(),
            Mode::Hold if self.filled_ms >= quiet => self.probe_above(now),
            Mode::Hold | Mode::Queue => {}
        }
    }

    fn next_step(&self) -> Step {
        let step = self.climb.step(self.width, self.ceil);
        Step { to: step.to.min(self.bound), ..step }
    }

    /// The steps up that W was filled for.
    fn climb(&mut self) {
        let mut step = self.next_step();
        self.filled_ms = self.filled_ms.min(step.ms.max(LATE_MS));
        while self.filled_ms >= step.ms && self.width < step.to {
            self.filled_ms -= step.ms;
            self.width = (self.width * step.factor).min(step.to);
            if self.ceil.is_finite() && self.width >= self.ceil.min(self.bound) {
                return self.hold();
            }
            step = self.next_step();
        }
        self.filled_ms = self.filled_ms.min(step.ms);
    }

    /// What was sent has been accepted for long enough: goes on above the limit, or begins to.
    fn probe_above(&mut self, now: Ms) {
        if self.width > self.ceil {
            self.confirm(now);
        } else if self.is_given_back() && self.may_probe_at(now).is_some_and(|at| at <= now) {
            self.rise(now);
        }
    }

    /// Answers have given back what the last refusal cut off.
    fn is_given_back(&self) -> bool {
        self.width >= self.ceil - GIVEN_BACK
    }

    /// The width above the limit was accepted: it is the limit now.
    fn confirm(&mut self, now: Ms) {
        self.ceil = self.width;
        self.remember_best(now);
        self.step = (2.0 * self.step).min((STEP_MAX * self.ceil).max(STEP_FREE));
        self.rise(now);
    }

    fn rise(&mut self, now: Ms) {
        if self.is_shared(now) {
            self.step = self.step.min((SHARED_STEP * self.width).max(1.0));
        }
        self.width = (self.ceil.floor() + self.step).min(self.bound);
        self.filled_ms = 0.0;
    }

    /// When the limit may be probed past for all that is known now.
    fn may_probe_at(&self, now: Ms) -> Option<Ms> {
        let believed = match self.named {
            Some((named, at)) if self.ceil >= named => at + NAMED_MS,
            _ => 0.0,
        };
        if self.credit >= 1.0 {
            return Some(believed);
        }
        let per_ms = self.probe_budget_per_ms(now)?;
        Some(believed.max(now + (1.0 - self.credit) / per_ms))
    }

    /// When W will rise by silence alone, if it is filled and stays so.
    pub(crate) fn rises_at(&self, now: Ms, in_flight: usize, quiet: f64) -> Option<Ms> {
        if in_flight != self.slots() || self.width >= self.bound {
            return None;
        }
        if self.width > self.believed {
            return self.named.map(|(_, at)| at + NAMED_MS);
        }
        match self.mode {
            Mode::Start => {
                let step = self.next_step();
                (self.width < step.to).then_some(now + step.ms - self.filled_ms)
            }
            Mode::Hold => {
                let filled = now + quiet - self.filled_ms;
                if self.width > self.ceil {
                    return Some(filled);
                }
                let at = self.may_probe_at(now).filter(|_| self.is_given_back());
                at.map(|at| at.max(filled))
            }
            Mode::Queue => None,
        }
    }

    fn is_shared(&self, now: Ms) -> bool {
        self.shared_at.is_some_and(|at| now - at < SHARED_MS)
    }

    /// What time earns, where answers alone are too slow.
    fn probe_budget_per_ms(&self, now: Ms) -> Option<f64> {
        let short_of_named = self.named.is_some_and(|(named, _)| self.ceil < 0.9 * named);
        if self.is_shared(now) && short_of_named {
            Some(1.0 / SHARED_CREDIT_MS)
        } else if self.ceil <= NARROW {
            Some(1.0 / NARROW_CREDIT_MS)
        } else {
            None
        }
    }

    fn earn(&mut self, now: Ms, ms: f64) {
        if ms > 0.0
            && let Some(per_ms) = self.probe_budget_per_ms(now)
        {
            self.credit = (self.credit + ms * per_ms).min(*PROBE_BUDGET.end());
        }
    }

    fn remember_best(&mut self, now: Ms) {
        if self.ceil.is_finite()
            && (self.ceil >= self.best || now - self.best_at >= FALL_REMEMBERED_MS)
        {
            self.best = self.ceil;
            self.best_at = now;
        }
    }

    /// Takes an answer: it earns credit and gives back its share of what a refusal cut off, half of
    /// it in each round trip of answers.
    pub(crate) fn answered(&mut self, now: Ms) {
        self.remember_best(now);
        let after_a_fall = self.ceil < self.best / 2.0;
        let earned =
            if after_a_fall { 2.0 * PROBE_BUDGET_PER_ANSWER } else { PROBE_BUDGET_PER_ANSWER };
        self.credit = (self.credit + earned).min(*PROBE_BUDGET.end());
        if self.mode == Mode::Hold && self.width < self.ceil {
            self.width += (self.ceil - self.width) / self.width.max(1.0);
            self.width = self.width.min(self.bound);
        }
    }

    /// Takes proof that an ask sent as the `n`-th at once was let in.
    pub(crate) fn accepted(&mut self, now: Ms, n: usize) {
        if self.is_probing() && n >= self.slots() {
            self.confirm(now);
        }
    }

    /// Takes a refusal: it costs credit, and the silence begins anew.
    pub(crate) fn refused(&mut self, now: Ms, cost: f64) {
        self.remember_best(now);
        // A dear refusal may be owed for longer.
        self.credit = (self.credit - cost).max(*PROBE_BUDGET.start() + 1.0 - cost);
        self.filled_ms = 0.0;
        self.climb.refused();
    }

    /// What is known of how far W may rise by itself.
    pub(crate) fn climb_mut(&mut self) -> &mut Climb {
        &mut self.climb
    }

    /// Takes what the service says it allows.
    pub(crate) fn is_named(&mut self, now: Ms, named: f64) {
        self.named = Some((named, now));
        self.believed = named;
    }

    /// The limit is known exactly, and kept in full.
    pub(crate) fn take(&mut self, ceil: f64) {
        self.ceil = ceil.max(1.0);
        self.set(self.ceil);
        self.hold();
    }

    /// The limit is known exactly; a share of it is left free until answers give it back.
    pub(crate) fn take_below(&mut self, ceil: f64) {
        self.take(ceil);
        self.width = (KEPT * self.ceil).floor().max(1.0);
    }

    /// Another client draws on the same limit: what it took is not taken back.
    pub(crate) fn take_shared(&mut self, now: Ms, in_flight: f64) {
        self.shared_at = Some(now);
        self.take(KEPT * in_flight);
    }

    /// More of the same burst: the limit is no higher than what is left.
    pub(crate) fn lower_to(&mut self, in_flight: f64) {
        self.ceil = self.ceil.min(in_flight.max(1.0));
        self.width = self.width.min(in_flight.max(1.0));
    }

    /// Keeps a share of the limit.
    pub(crate) fn cut(&mut self, kept: f64) {
        let ceil = if self.ceil.is_finite() { self.ceil } else { self.width };
        self.take(kept * ceil);
    }

    /// The service is overloaded: a tenth less, and no look above until answers have paid for it.
    pub(crate) fn yield_a_tenth(&mut self) {
        let width = (0.9 * self.width).max(1.0);
        if self.mode == Mode::Queue {
            return self.set(width);
        }
        self.take(self.ceil.min(width));
        self.credit = self.credit.min(0.0);
    }

    /// What was sent above the limit met an overload: back to the limit.
    pub(crate) fn step_back(&mut self, now: Ms) {
        self.refused(now, 1.0);
        self.take(self.ceil);
    }

    /// Climbs from `width` towards the limit that is known.
    pub(crate) fn climb_from(&mut self, width: f64) {
        if !self.ceil.is_finite() {
            self.climb.has_been(self.width);
        }
        self.climb.interrupted();
        self.set(width.min(self.ceil));
        self.mode = if self.width >= self.ceil { Mode::Hold } else { Mode::Start };
        self.filled_ms = 0.0;
    }

    /// What was refused was no limit: climbs again from `from`, quickly up to `width`, which was
    /// let in before, and `beyond` or by looks alone.
    pub(crate) fn climb_again(&mut self, from: f64, width: f64, beyond: bool) {
        self.ceil = if beyond { f64::INFINITY } else { width };
        self.set(self.width.min(from));
        self.climb.knows(width);
        self.credit = self.credit.max(1.0);
        self.mode = Mode::Start;
    }

    /// More at once buy nothing from this service.
    pub(crate) fn queue_at(&mut self, width: f64) {
        self.set(width);
        self.mode = Mode::Queue;
    }

    fn hold(&mut self) {
        self.mode = Mode::Hold;
        self.step = 1.0;
        self.filled_ms = 0.0;
    }

    fn set(&mut self, width: f64) {
        self.width = width.clamp(1.0, self.bound);
        self.filled_ms = 0.0;
    }
}
