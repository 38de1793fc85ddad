//! The gate of tariffs: asks are sent while tokens are cheap.
//!
//! Which tariff holds is a matter of the wall clock, so it is looked at anew at every event, and at
//! least every minute while nothing may be sent: a clock that is set moves the hours with it.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::answer::Usage;
use crate::money::{Amount, Asked, Cost, Prices, Tariff};
use crate::rate::latency::Latency;
use crate::time::Time;

/// How often the wall clock is looked at while nothing may be sent.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How long answers are taken to take as long as the run has seen too few of them.
const LATENCY_UNKNOWN: Duration = Duration::from_secs(60);
/// So many spans of one tariff are looked through for cheap hours: two weeks of ten a day.
const SPANS_MAX: usize = 140;
/// From so many answers on the run's own pace tells how long the rest takes,
const PACE_ANSWERS_MIN: u64 = 20;
/// with a reserve of a fifth.
const PACE_RESERVE: f64 = 1.2;

/// Whose hours a run keeps to.
#[derive(Debug, Clone)]
pub struct OffPeakRules {
    /// What tokens cost, and when.
    pub prices: Arc<Prices>,
    /// The provider, where it is known, and the model at each of the places where models are asked, in
    /// their order.
    pub places: Vec<(Option<String>, String)>,
    /// When the run is to be done, in Unix milliseconds, at whatever price the rest needs.
    pub deadline: Option<i64>,
    /// The longest that an ask may take.
    pub timeout: Duration,
}

/// Why a run cannot keep to cheap hours.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OffPeakError {
    /// When it is to be done is past.
    #[error("the deadline is past")]
    Late,
    /// Nobody knows what the model costs.
    #[error("--off-peak needs the price of {model}, which is not known")]
    NoPrice {
        /// The model.
        model: String,
    },
    /// The model costs the same at every hour.
    #[error("{model} has no cheaper hours")]
    NoHours {
        /// The model.
        model: String,
    },
    /// There is no hour within two weeks at which all models are cheap.
    #[error("there is no hour at which all models are cheap")]
    NoHourOfAll,
}

/// Hours of one tariff, in Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hours {
    from: i64,
    /// The first moment after them; `i64::MAX` where they do not end.
    until: i64,
    are_cheap: bool,
}

impl Hours {
    fn hold(&self, unix_ms: i64) -> bool {
        (self.from..self.until).contains(&unix_ms)
    }
}

impl OffPeakRules {
    /// Fails where these hours cannot be kept to from `now` on, Unix time in milliseconds.
    pub fn check(&self, now: i64) -> Result<(), OffPeakError> {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            return Err(OffPeakError::Late);
        }
        for (provider, model) in &self.places {
            let found = self.prices.find(Asked { provider: provider.as_deref(), model }, now);
            let Some(found) = found else {
                return Err(OffPeakError::NoPrice { model: model.clone() });
            };
            if found.tariff(now).is_none() {
                return Err(OffPeakError::NoHours { model: model.clone() });
            }
        }
        self.next_cheap(now).map(|_| ()).ok_or(OffPeakError::NoHourOfAll)
    }

    fn hours(&self, unix_ms: i64) -> Hours {
        let mut hours = Hours { from: unix_ms, until: i64::MAX, are_cheap: true };
        for (provider, model) in &self.places {
            let asked = Asked { provider: provider.as_deref(), model };
            if let Some(found) = self.prices.find(asked, unix_ms) {
                hours.are_cheap &= found.tariff(unix_ms) != Some(Tariff::Peak);
                let ends = [found.next_tariff(unix_ms), found.ends()];
                hours.until = ends.into_iter().flatten().fold(hours.until, i64::min);
            }
        }
        hours
    }

    /// Returns the first moment from this one on, in Unix milliseconds, at which every model is cheap;
    /// `None` where there is none within two weeks.
    #[must_use]
    pub fn next_cheap(&self, unix_ms: i64) -> Option<i64> {
        let mut hours = self.hours(unix_ms);
        for _ in 0..SPANS_MAX {
            if hours.are_cheap {
                return Some(hours.from);
            }
            if hours.until == i64::MAX {
                return None;
            }
            hours = self.hours(hours.until);
        }
        None
    }

    /// Returns until when a run that begins now waits for cheap hours, in Unix milliseconds; `None` where it asks
    /// at once.
    #[must_use]
    pub fn waits_until(&self, unix_ms: i64) -> Option<i64> {
        let cheap = self.next_cheap(unix_ms).filter(|cheap| *cheap > unix_ms)?;
        self.deadline.is_none_or(|deadline| deadline > cheap).then_some(cheap)
    }

    fn cost(&self, place: usize, tokens: &Usage, unix_ms: i64) -> Amount {
        let (provider, model) = &self.places[place];
        let asked = Asked { provider: provider.as_deref(), model };
        match self.prices.cost(asked, tokens, unix_ms) {
            Cost::Between(_, upper) => upper,
            Cost::Unknown(_) => Amount::ZERO,
        }
    }
}

/// What changed at the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TariffChange {
    /// Nothing more is sent until then, Unix milliseconds, which saves so much where that is known.
    Closed { until: i64, saves: Option<Amount> },
    /// Asks are sent again: because they are cheap, or because the rest would be late otherwise.
    Opened { for_deadline: bool },
}

/// The state of the gate.
#[derive(Debug)]
pub(crate) struct TariffGate {
    rules: OffPeakRules,
    hours: Option<Hours>,
    /// Nothing is sent while the wall clock stands within these.
    closed: Option<Hours>,
    is_late: bool,
    is_first: bool,
    latency: Latency,
    answers: u64,
    /// What they would have cost at the dear tariff beyond what they do at the cheap one.
    difference: Amount,
    /// How long asks could be sent, and when that was last added up.
    open_ms: u64,
    seen_ms: u64,
}

impl TariffGate {
    pub(crate) fn new(rules: OffPeakRules) -> TariffGate {
        TariffGate {
            rules,
            hours: None,
            closed: None,
            is_late: false,
            is_first: true,
            latency: Latency::default(),
            answers: 0,
            difference: Amount::ZERO,
            open_ms: 0,
            seen_ms: 0,
        }
    }

    fn is_open(&self) -> bool {
        self.closed.is_none() || self.is_late
    }

    /// Looks at the clock, with so many questions left and so many asked at once.
    pub(crate) fn look(&mut self, now: Time, pending: u64, slots: usize) -> Option<TariffChange> {
        let was_open = self.is_open();
        if was_open {
            self.open_ms += now.monotonic_ms.saturating_sub(self.seen_ms);
        }
        self.seen_ms = now.monotonic_ms;
        let was_first = std::mem::take(&mut self.is_first);
        let at = now.unix_ms;
        if self.closed.is_none_or(|closed| !closed.hold(at)) {
            self.closed = self.closed_at(at);
        }
        let late = |gate: &TariffGate, deadline: i64| {
            at.saturating_add(gate.rest(pending, slots)) >= deadline
        };
        self.is_late = self.closed.is_some()
            && self.rules.deadline.is_some_and(|deadline| self.is_late || late(self, deadline));
        match (was_open, self.is_open()) {
            (false, true) => Some(TariffChange::Opened { for_deadline: self.is_late }),
            (true, true) if was_first && self.is_late => {
                Some(TariffChange::Opened { for_deadline: true })
            }
            (true, false) => {
                let until = self.closed.map_or(at, |closed| closed.until);
                Some(TariffChange::Closed { until, saves: self.saves(pending) })
            }
            _ => None,
        }
    }

    /// What is left after these hours, where they are dear or about to end.
    fn closed_at(&mut self, at: i64) -> Option<Hours> {
        let hours = self.hours.filter(|hours| hours.hold(at));
        let hours = hours.unwrap_or_else(|| self.rules.hours(at));
        self.hours = Some(hours);
        let margin = i64::try_from(self.margin().as_millis()).unwrap_or(i64::MAX);
        let dear_from = if hours.are_cheap { hours.until } else { at };
        if dear_from.saturating_sub(margin) > at || dear_from == i64::MAX {
            return None;
        }
        let until = self.rules.next_cheap(dear_from)?;
        Some(Hours { from: at, until, are_cheap: false })
    }

    /// How long before the end of cheap hours the last ask is sent.
    fn margin(&self) -> Duration {
        let usual = self.latency.percentile_99();
        let usual = usual.unwrap_or_else(|| LATENCY_UNKNOWN.max(self.latency.slowest() * 2));
        usual.min(self.rules.timeout)
    }

    /// How long the rest takes, in milliseconds.
    fn rest(&self, pending: u64, slots: usize) -> i64 {
        let one_ms = match self.answers {
            PACE_ANSWERS_MIN.. => self.open_ms as f64 / self.answers as f64,
            _ => LATENCY_UNKNOWN.as_millis() as f64 / slots.max(1) as f64,
        };
        (pending as f64 * one_ms * PACE_RESERVE) as i64 + self.margin().as_millis() as i64
    }

    /// What it saves not to ask the rest now.
    fn saves(&self, pending: u64) -> Option<Amount> {
        let all = self.difference.times(pending);
        (self.answers > 0).then(|| all.share(self.answers)).filter(|saved| *saved > Amount::ZERO)
    }

    /// An answer came after so long.
    pub(crate) fn answered(&mut self, now: Time, place: usize, tokens: &Usage, took: Duration) {
        self.latency.answered(took);
        self.answers += 1;
        let Some(hours) = self.hours.filter(|hours| hours.until != i64::MAX) else { return };
        let here = self.rules.cost(place, tokens, now.unix_ms.min(hours.until - 1));
        let there = self.rules.cost(place, tokens, hours.until);
        self.difference += here.max(there) - here.min(there);
    }

    /// Returns how long nothing is sent as things stand, and when the clock is to be looked at again.
    pub(crate) fn wait(&self, now: Time) -> Duration {
        let Some(until) = self.reopens_at() else { return Duration::ZERO };
        let left = u64::try_from(until.saturating_sub(now.unix_ms)).unwrap_or(0);
        Duration::from_millis(left.max(1)).min(LOOK_EVERY)
    }

    /// Returns when asks are sent again, in Unix milliseconds, if none are now.
    pub(crate) fn reopens_at(&self) -> Option<i64> {
        self.closed.filter(|_| !self.is_late).map(|closed| closed.until)
    }
}
