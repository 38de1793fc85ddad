//! What a snapshot says of dispatch.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Dispatch, InFlight, moment};
use crate::answer::Cause;
use crate::plan::ledger::Ledger;
use crate::run::gate::Gates;
use crate::run::gate::tariff::TariffGate;
use crate::run::{InFlightAsk, OutageStatus, Rules, Snapshot};
use crate::time::Time;

impl Dispatch {
    /// Where the run stands; it is neither paused nor stopping, as far as dispatch knows.
    pub(crate) fn snapshot(
        &self,
        now: Time,
        ledger: Ledger,
        gates: &Gates,
        rules: &Rules,
    ) -> Snapshot {
        let longest = self.asks_in_flight.values().filter(|flight| !flight.abandoned).take(2);
        let in_flight = |flight: &InFlight| {
            Some(InFlightAsk {
                question: Arc::clone(&self.active.get(&flight.index)?.question),
                sent_at: flight.sent.at,
                has_begun: flight.has_begun,
                tokens: flight.tokens,
            })
        };
        Snapshot {
            ledger,
            in_flight: self.asks_in_flight.len(),
            slots: self.router.slots(),
            retrying: self.waiting.len(),
            retrying_causes: self.retrying_causes(),
            retry_at: self.waiting.first().map(|&(ms, _)| moment(now, ms)),
            throttled: self.router.are_throttled(now),
            answered: self.answers_count,
            coming_tokens: self.asks_in_flight.values().map(|flight| flight.tokens).sum(),
            outage: self.outage_status(now, rules),
            paused_until: self.router.paused_until(now),
            send_at: gates.send_at.filter(|at| !at.has_come(now)),
            rate_bound: gates.rate_bound,
            cheap_at: gates.tariff.as_ref().and_then(TariffGate::reopens_at),
            longest: longest.filter_map(in_flight).collect(),
            budget: gates.budget_status(),
            is_paused: false,
            stopping: false,
        }
    }

    fn outage_status(&self, now: Time, rules: &Rules) -> Option<OutageStatus> {
        let outage = self.outage.as_ref()?;
        let not_paused = |at| self.router.not_paused(now, at);
        Some(OutageStatus {
            since: outage.since,
            next: outage.next().map(|(at, _)| not_paused(at)),
            retry_at: outage.retry_at.map(not_paused),
            retry: outage.retries + u32::from(outage.retry_at.is_some()),
            of: rules.backoff.retries,
            is_probing: outage.is_probing(),
            is_cross_checking: outage.cross_check().is_some(),
        })
    }

    fn retrying_causes(&self) -> Vec<(&'static str, usize)> {
        let mut causes: BTreeMap<&'static str, usize> = BTreeMap::new();
        for (_, index) in &self.waiting {
            let cause = self.active.get(index).and_then(|held| held.failed_with);
            let cause = cause.map(Cause::code);
            *causes.entry(cause.unwrap_or("failed")).or_default() += 1;
        }
        let mut causes: Vec<_> = causes.into_iter().collect();
        causes.sort_by_key(|&(cause, count)| (Reverse(count), cause));
        causes
    }
}
