//! Gates: whether one more ask may be sent, whatever it asks.
//!
//! They are asked one after the other, the cheapest first: a free slot, the user's limits a minute,
//! the hours at which it is cheap ([`tariff`]), what the endpoint's rate controller allows
//! ([`crate::run::dispatch`]'s router), then the money ([`budget`]). A further limit in time is a field here and a line in [`Gates::wait`]; each names the
//! moment from which time alone would let an ask through, so that the run sets its timer for it.

pub(crate) mod again;
pub(crate) mod budget;
pub(crate) mod payee;
pub(crate) mod permit;
pub(crate) mod tariff;
#[cfg(test)]
mod tests;

use std::time::Duration;

use self::budget::{Budget, BudgetRules, BudgetStatus, NoFunds};
use self::payee::Reservation;
use self::permit::PermitGate;
use self::tariff::{OffPeakRules, TariffGate};
use crate::item::question::Question;
use crate::planted::{PlantedBug, planted};
use crate::rate::sliding_window::{EarlierAsk, MinuteLimits, SlidingWindowLimit};
use crate::run::{RateBound, Seq};
use crate::time::Time;

/// The limits that hold for all endpoints together.
#[derive(Debug)]
pub(crate) struct Gates {
    slots_max: usize,
    minute: SlidingWindowLimit,
    /// What was granted of limits that are shared with other runs.
    pub(crate) permits: Option<PermitGate>,
    /// When asks are cheap, where only then any are sent.
    pub(crate) tariff: Option<TariffGate>,
    /// What may be spent, where that is limited.
    pub(crate) budget: Option<Budget>,
    /// When the next ask may be sent, where that is a matter of time.
    pub(crate) send_at: Option<Time>,
    /// Whose limit holds the run up.
    pub(crate) rate_bound: Option<RateBound>,
}

impl Gates {
    /// `slots_max` asks at once at most (at least one), the user's own limits a minute and of money, the
    /// hours that are kept to, and whether limits are shared with other runs.
    pub(crate) fn new(
        slots_max: u32,
        minute: MinuteLimits,
        budget: Option<BudgetRules>,
        off_peak: Option<OffPeakRules>,
        is_shared: bool,
    ) -> Gates {
        let slots_max = slots_max.max(1);
        Gates {
            slots_max: slots_max as usize,
            minute: SlidingWindowLimit::new(minute),
            permits: is_shared.then(PermitGate::default),
            tariff: off_peak.map(TariffGate::new),
            budget: budget.map(|rules| Budget::new(rules, slots_max)),
            send_at: None,
            rate_bound: None,
        }
    }

    /// Counts the asks of the minute before this session; of a session that was `killed` nobody
    /// knows what it had sent.
    pub(crate) fn restore(&mut self, now: Time, earlier: &[EarlierAsk], killed: bool) {
        self.minute.restore(now, earlier, killed);
    }

    /// How many may be asked or waiting for the disk at once.
    pub(crate) fn slots_max(&self) -> usize {
        self.slots_max
    }

    /// Returns true if a slot is free. Answers that wait for the disk take one too, so that a crash
    /// cannot cost more than there are, but they are no longer the service's.
    pub(crate) fn has_room(&self, in_flight: usize, unsynced: usize) -> bool {
        let unsynced = if planted(PlantedBug::SlotFreedOnArrival) { 0 } else { unsynced };
        in_flight + unsynced < self.slots_max
    }

    /// Returns how long until one more ask is within the limits that hold for all endpoints; zero if
    /// it is now, `None` where an event must come first.
    pub(crate) fn wait(&mut self, now: Time) -> Option<Duration> {
        let minute = self.minute.wait(now)?;
        if let Some(permits) = &mut self.permits {
            permits.wait(now)?;
        }
        Some(self.tariff.as_ref().map_or(minute, |tariff| minute.max(tariff.wait(now))))
    }

    /// Whose limit it is that [`Gates::wait`] keeps to.
    pub(crate) fn bound(&self) -> RateBound {
        let is_closed = self.tariff.as_ref().is_some_and(|tariff| tariff.reopens_at().is_some());
        if is_closed { RateBound::Tariff } else { RateBound::User }
    }

    /// An ask is sent.
    pub(crate) fn on_sent(&mut self, now: Time) {
        self.minute.on_sent(now);
        if let Some(permits) = &mut self.permits {
            permits.on_sent();
        }
    }

    /// An ask is back: it took about `tokens`, in and out, and the service may have refused it for
    /// being one too many.
    pub(crate) fn on_return(&mut self, now: Time, tokens: Option<u64>, was_refused: bool) {
        self.minute.on_return(now, tokens, was_refused);
        if let Some(permits) = &mut self.permits {
            permits.on_return(tokens, was_refused);
        }
    }

    /// Reserves what asking this there may cost at most, where that is limited.
    pub(crate) fn reserve(
        &mut self,
        now: Time,
        place: usize,
        question: &Question,
    ) -> Result<Reservation, NoFunds> {
        match &mut self.budget {
            Some(budget) => budget.reserve(now, place, question),
            None => Ok(Reservation::default()),
        }
    }

    /// Records up to `upto` are durable.
    pub(crate) fn on_synced(&mut self, upto: Seq) {
        if let Some(budget) = &mut self.budget {
            budget.on_synced(upto);
        }
    }

    /// Where the run stands with its limit of money.
    pub(crate) fn budget_status(&self) -> Option<BudgetStatus> {
        self.budget.as_ref().map(Budget::status)
    }
}
