//! Random refusals: a router over several services passes on what the one it drew says, so that a
//! share of the asks is refused at any concurrency. That is no limit.
//!
//! At a limit refusals follow each other, and below it there are none. So those that stand alone
//! and go on far below a width that was let in before are taken as random. The climb begins anew,
//! and from then on such refusals change nothing while they come no more often than down there.

use super::Ms;

/// A refusal stands alone where more asks than this were let in since the last one.
const ALONE: u64 = 2;
/// "Far below", in terms of the width at which the refusals began.
const FAR_BELOW: f64 = 0.85;
/// Where a rate is paced, the number at once wanders by itself.
const FAR_BELOW_PACED: f64 = 0.7;
/// So few at once are far below anything.
const FEW: f64 = 2.0;
/// More refusals than this down there are enough,
const ENOUGH: u32 = 3;
/// if the share that is refused is within these bounds: probes past the limit of others are refused
/// more seldom, and a service that is full more often.
const SHARE_MIN: f64 = 0.007;
const SHARE_MAX: f64 = 0.15;
/// A service that says that it is overloaded means everybody, and not the asks of this run.
const SHARE_MAX_OVERLOADED: f64 = 0.3;
/// What an ask that is let in makes good of the refusals in excess, in terms of the share. At a
/// limit more than half is refused: hence the upper bound.
const MADE_GOOD: f64 = 4.0;
const MADE_GOOD_BOUNDS: std::ops::RangeInclusive<f64> = 0.05..=0.3;
/// Refusals in excess of the share that are not random any more; fewer, while a probe past the
/// limit is in flight.
const EXCESS: f64 = 4.0;
const EXCESS_LOOKING: f64 = 2.5;
/// An overload is met by a cut of a tenth, and is no sign of how many are let in: more certainty.
const EXCESS_OVERLOADED: f64 = 8.0;
/// What finding the limit costs of the probe budget: some refusals were taken as random before.
const COST: f64 = 3.0;
/// Refusals over which the share is averaged.
const MEMORY: f64 = 20.0;
/// The share may rise to this multiple of what it was when it was found.
const RISES_TO: f64 = 1.5;
/// It is over when this multiple of the usual number of asks has brought none.
const OVER: f64 = 20.0;
/// It was a mistake where the limit shows up before this share of the width is reached again.
const REACHED: f64 = 0.9;
/// After a mistake no refusal is taken as random for this time, which doubles with each mistake.
const BARRED_MS: std::ops::RangeInclusive<f64> = 60_000.0..=3_600_000.0;

/// What a refusal comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum RejectionCause {
    /// Too many at once, or in a time.
    Limit,
    /// Random: nothing follows from it.
    Random,
    /// Random, as those before it that led down from this width.
    RandomSince(f64),
}

/// What the rate controller does when a refusal comes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum RateState {
    /// It keeps to the limit, or climbs.
    Plain,
    /// More than the limit may be in flight.
    Probing,
    /// A rate is paced.
    Paced,
}

/// How much is taken as random.
#[derive(Debug, Clone, Copy)]
struct Tolerance {
    share_max: f64,
    excess: f64,
    excess_looking: f64,
}

/// Separates random refusals from those of a limit.
#[derive(Debug, Clone)]
pub(crate) struct RandomRejectionFilter {
    tolerance: Tolerance,
    /// The order of the last ask that was refused.
    last: u64,
    decline: Option<Decline>,
    share: Option<Share>,
    barred_until: Ms,
    barred_ms: f64,
}

/// How refusals that stand alone led down from a width.
#[derive(Debug, Clone)]
struct Decline {
    width: f64,
    alone: u32,
    /// Far below that width: those that stood alone, all of them, and where they began.
    below: u32,
    refused: u32,
    since: u64,
}

/// The share that is refused at random.
#[derive(Debug, Clone)]
struct Share {
    /// The mean number of asks for one that is refused, and its least.
    distance: f64,
    distance_min: f64,
    /// Refusals beyond that share.
    excess: f64,
    /// The width that was let in before, until it is reached again.
    width: Option<f64>,
}

impl RandomRejectionFilter {
    /// Of refusals that say that this client asks too much.
    pub(crate) fn of_refusals() -> RandomRejectionFilter {
        RandomRejectionFilter::new(Tolerance {
            share_max: SHARE_MAX,
            excess: EXCESS,
            excess_looking: EXCESS_LOOKING,
        })
    }

    /// Of those that say that the service has too much to do.
    pub(crate) fn of_overload() -> RandomRejectionFilter {
        RandomRejectionFilter::new(Tolerance {
            share_max: SHARE_MAX_OVERLOADED,
            excess: EXCESS_OVERLOADED,
            excess_looking: EXCESS,
        })
    }

    fn new(tolerance: Tolerance) -> RandomRejectionFilter {
        RandomRejectionFilter {
            tolerance,
            last: 0,
            decline: None,
            share: None,
            barred_until: 0.0,
            barred_ms: 0.0,
        }
    }

    /// Returns true if a share of the asks is known to be refused at random.
    pub(crate) fn is_on(&self) -> bool {
        self.share.is_some()
    }

    /// What a refusal that is not random costs of the probe budget.
    pub(crate) fn cost(&self) -> f64 {
        if self.is_on() { COST } else { 1.0 }
    }

    /// Forgets what led down to here: another limit is in force.
    pub(crate) fn interrupted(&mut self) {
        self.decline = None;
    }

    /// Takes a refusal of the `order`-th ask, sent as the `n`-th at once.
    pub(crate) fn refused(
        &mut self,
        now: Ms,
        order: u64,
        n: f64,
        state: RateState,
    ) -> RejectionCause {
        let gap = order.saturating_sub(self.last);
        self.last = self.last.max(order);
        self.share.take_if(|share| gap as f64 > OVER * share.distance);
        let Some(share) = &mut self.share else { return self.decline(now, order, n, gap, state) };
        if share.allows(gap as f64, n, state, self.tolerance) {
            return RejectionCause::Random;
        }
        if share.width.is_some() {
            self.share = None;
            self.barred_ms = (2.0 * self.barred_ms).clamp(*BARRED_MS.start(), *BARRED_MS.end());
            self.barred_until = now + self.barred_ms;
        }
        RejectionCause::Limit
    }

    /// Takes a refusal while no share is known.
    fn decline(
        &mut self,
        now: Ms,
        order: u64,
        n: f64,
        gap: u64,
        state: RateState,
    ) -> RejectionCause {
        if state == RateState::Probing || now < self.barred_until {
            return RejectionCause::Limit;
        }
        let decline = self.decline.get_or_insert(Decline::from(n, 0));
        decline.refused += 1;
        if gap <= ALONE {
            decline.alone = decline.alone.saturating_sub(2);
            self.decline.take_if(|decline| decline.alone == 0);
            return RejectionCause::Limit;
        }
        decline.alone += 1;
        let far_below = if state == RateState::Paced { FAR_BELOW_PACED } else { FAR_BELOW };
        if n > (far_below * decline.width).max(FEW) {
            *decline = Decline::from(decline.width.max(n), decline.alone);
            return RejectionCause::Limit;
        }
        if decline.below == 0 {
            (decline.since, decline.refused) = (order, 0);
        }
        decline.below += 1;
        let share = f64::from(decline.refused) / (order - decline.since).max(1) as f64;
        if decline.below <= ENOUGH || !(SHARE_MIN..=self.tolerance.share_max).contains(&share) {
            return RejectionCause::Limit;
        }
        let width = decline.width;
        self.decline = None;
        self.share = Some(Share::new(share, width));
        RejectionCause::RandomSince(width)
    }
}

impl Decline {
    fn from(width: f64, alone: u32) -> Decline {
        Decline { width, alone, below: 0, refused: 0, since: 0 }
    }
}

impl Share {
    fn new(share: f64, width: f64) -> Share {
        let distance_min = 1.0 / (RISES_TO * share);
        Share { distance: 1.0 / share, distance_min, excess: 1.0, width: Some(width) }
    }

    /// Returns true if a refusal, `gap` asks after the last, is not too many.
    fn allows(&mut self, gap: f64, n: f64, state: RateState, tolerance: Tolerance) -> bool {
        let Tolerance { excess, excess_looking, .. } = tolerance;
        let (least, most) = MADE_GOOD_BOUNDS.into_inner();
        let good = (MADE_GOOD / self.distance).clamp(least, most);
        self.excess = ((self.excess - gap * good).max(0.0) + 1.0).min(excess);
        self.width.take_if(|width| n >= REACHED * *width);
        if self.excess >= if state == RateState::Probing { excess_looking } else { excess } {
            return false;
        }
        let distance = self.distance + (gap - self.distance) / MEMORY;
        self.distance = distance.max(self.distance_min);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Refused at each of these numbers at once, every twentieth ask.
    fn led_down(
        chance: &mut RandomRejectionFilter,
        numbers: &[u32],
        state: RateState,
    ) -> Vec<RejectionCause> {
        let refused = |(index, n): (usize, &u32)| {
            chance.refused(0.0, 20 * (index as u64 + 1), f64::from(*n), state)
        };
        numbers.iter().enumerate().map(refused).collect()
    }

    #[test]
    fn refusals_that_stand_alone_far_below_what_was_let_in_are_chance() {
        let mut chance = RandomRejectionFilter::of_refusals();
        let causes = led_down(&mut chance, &[100, 95, 90, 84, 82, 80, 78], RateState::Plain);
        assert_eq!(causes[..6], [RejectionCause::Limit; 6]);
        assert_eq!(causes[6], RejectionCause::RandomSince(100.0));
        assert_eq!(chance.refused(0.0, 160, 95.0, RateState::Plain), RejectionCause::Random);
        assert_eq!(
            chance.refused(0.0, 10_000, 100.0, RateState::Plain),
            RejectionCause::Limit,
            "it is over"
        );
        assert!(!chance.is_on());
    }

    #[test]
    fn refusals_at_the_ceiling_in_a_look_or_in_a_row_are_no_chance() {
        for (numbers, state) in [
            (&[100, 98, 96, 97, 96, 98, 97, 96], RateState::Plain),
            (&[100, 90, 80, 70, 60, 50, 40, 30], RateState::Probing),
        ] {
            let causes = led_down(&mut RandomRejectionFilter::of_refusals(), numbers, state);
            assert!(causes.iter().all(|cause| *cause == RejectionCause::Limit), "{causes:?}");
        }
        let mut chance = RandomRejectionFilter::of_refusals();
        for order in 0..100 {
            let n = 100.0 - order as f64;
            assert_eq!(chance.refused(0.0, order, n, RateState::Plain), RejectionCause::Limit);
        }
    }

    #[test]
    fn more_refusals_than_chance_has_are_of_a_limit_and_on_the_way_up_a_mistake() {
        for (n, is_mistake) in [(99.0, false), (85.0, true)] {
            let mut chance = RandomRejectionFilter::of_refusals();
            led_down(&mut chance, &[100, 95, 90, 84, 82, 80, 78], RateState::Plain);
            let causes =
                [150, 151, 152, 153, 154].map(|o| chance.refused(0.0, o, n, RateState::Plain));
            assert_eq!(causes[..4], [RejectionCause::Random; 4]);
            assert_eq!(causes[4], RejectionCause::Limit);
            assert_eq!(chance.is_on(), !is_mistake);
            assert_eq!(chance.barred_until > 0.0, is_mistake);
        }
    }
}
