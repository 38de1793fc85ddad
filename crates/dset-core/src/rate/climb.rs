//! How the width rises while no limit is known.
//!
//! What it grows by in the round trip of a refusal is refused. So it doubles once a second until so
//! many asks were let in that a small bucket would have been empty, and four times a second after
//! that. How far it goes is bounded by what answers have shown: a service that only queues refuses
//! nothing.

/// The first width: where four are taken at once, twelve are refused.
pub(crate) const FIRST: f64 = 16.0;
/// How far the climb goes by silence alone, before answers have shown anything: behind 4 slots of
/// 18 s so many wait five minutes, within a cut-off of ten; and it is more than a bucket of sixty
/// holds, which thus shows before answers of 5 s come back together.
const UNJUDGED: f64 = 68.0;
/// How long the first step waits for a first answer.
const FIRST_MS: f64 = 1_500.0;
/// How long W must have been filled before a step into the unknown, and the factor of such a step:
/// doubles once a second.
const SLOW_MS: f64 = 50.0;
const SLOW: f64 = 1.035;
/// So many asks must have been let in, and none refused, before the climb is quick: a bucket of sixty
/// is empty by then.
const MANY: u64 = 64;
/// A quick step: doubles more than four times a second. In small ones, because an empty bucket
/// refuses a step whole.
const QUICK_MS: f64 = 10.0;
const QUICK: f64 = 1.03;
/// The same after answers that showed to have been worked on side by side: seven times a second.
const QUICK_EVEN: f64 = 1.05;
/// A step towards what was let in before: doubles four times a second.
const KNOWN_MS: f64 = 50.0;
const KNOWN: f64 = 1.15;
/// A step towards a number that the user gave: doubles every 50 ms, as what a refusal needs to come
/// back is less than that.
const TRUSTED_MS: f64 = 10.0;
/// Up to this width the user's number is taken for what the service takes.
const TRUSTED_MAX: f64 = 256.0;
/// A timer may be late by so much on a busy machine; the steps that it missed are taken together.
pub(crate) const LATE_MS: f64 = 50.0;

/// What is known of how far, and how quickly, the width may rise.
#[derive(Debug, Clone)]
pub(crate) struct Climb {
    /// Where it goes when no limit is known but such a width once worked.
    known: f64,
    /// How far it goes for the user's word, until something speaks against it.
    trusted: f64,
    /// How far it goes by what answers have shown.
    reach: f64,
    is_judged: bool,
    is_quick: bool,
    is_even: bool,
}

/// A step of the climb.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// How long W must have been filled.
    pub(crate) ms: f64,
    pub(crate) factor: f64,
    /// W rises no farther; not at all where it is as wide.
    pub(crate) to: f64,
}

impl Climb {
    /// At most `bound`; where it `is_trusted`, the user gave it as a number that the service takes.
    pub(crate) fn new(bound: f64, is_trusted: bool) -> Climb {
        Climb {
            known: 0.0,
            trusted: if is_trusted { bound.min(TRUSTED_MAX) } else { 0.0 },
            reach: UNJUDGED,
            is_judged: false,
            is_quick: false,
            is_even: false,
        }
    }

    /// Returns the next step from `width`; `ceil` is the limit, infinite where none was found.
    pub(crate) fn step(&self, width: f64, ceil: f64) -> Step {
        let known = if ceil.is_finite() { ceil } else { self.known };
        if width < self.trusted {
            return Step { ms: TRUSTED_MS, factor: KNOWN, to: self.trusted };
        }
        if width < known || ceil.is_finite() {
            return Step { ms: KNOWN_MS, factor: KNOWN, to: known };
        }
        let is_first = width <= FIRST && !self.is_judged;
        let (ms, factor) = match () {
            () if self.is_quick && self.is_even => (QUICK_MS, QUICK_EVEN),
            () if self.is_quick => (QUICK_MS, QUICK),
            () if is_first => (FIRST_MS, SLOW),
            () => (SLOW_MS, SLOW),
        };
        Step { ms, factor, to: self.reach }
    }

    /// Takes how many asks were let in while none was refused.
    pub(crate) fn let_in(&mut self, count: u64) {
        self.is_quick |= count >= MANY;
    }

    /// Takes a refusal.
    pub(crate) fn refused(&mut self) {
        self.is_quick = false;
        self.trusted = 0.0;
    }

    /// Takes that W is given up for a smaller one that is climbed from.
    pub(crate) fn interrupted(&mut self) {
        self.trusted = 0.0;
    }

    /// Takes a width that was let in before.
    pub(crate) fn knows(&mut self, width: f64) {
        self.known = width;
    }

    /// Takes that W has been so large, as far as it went.
    pub(crate) fn has_been(&mut self, width: f64) {
        self.known = self.known.max(width);
    }

    /// Takes how far a block of answers lets it go.
    pub(crate) fn judged(&mut self, reach: f64) {
        self.is_judged = true;
        self.reach = self.reach.max(reach);
    }

    /// Takes how far the first answers let it go that were worked on side by side.
    pub(crate) fn even(&mut self, reach: f64) {
        self.is_even |= reach > self.reach;
        self.reach = self.reach.max(reach);
    }
}
