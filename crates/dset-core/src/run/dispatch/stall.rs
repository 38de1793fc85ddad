//! Asks that are dropped, and those of which nothing comes.

use std::time::Duration;

use super::Dispatch;
use crate::answer::{Cause, Failure, FailureClass, ParsedReply};
use crate::rate::ResponseSignal;
use crate::run::Effect;
use crate::run::ask::AskId;
use crate::run::context::{Context, PaidAsk};
use crate::run::dispatch::router::EndpointIndex;
use crate::run::gate::payee::Bill;
use crate::time::Time;

impl Dispatch {
    /// Takes that an ask was dropped.
    pub(crate) fn on_abandoned(&mut self, cx: &mut Context<'_>, ask: AskId) {
        let flight = self.asks_in_flight.get(&ask).expect("an ask is answered once");
        let Some(hung_after) = flight.stalled_after else {
            let flight = self.asks_in_flight.remove(&ask).expect("it was there just now");
            self.warmed(cx.now, flight.index, flight.warms_from, false);
            let lane = self.router.endpoint_mut(flight.endpoint);
            lane.on_return(cx.now, ask);
            lane.rate.on_return(cx.now, &flight.sent, ResponseSignal::Neutral);
            cx.gates.on_return(cx.now, None, false);
            let (sent_at, endpoint, reservation) =
                (flight.sent.at, flight.endpoint, flight.reservation);
            cx.settle(&PaidAsk { sent_at, endpoint, reservation }, &Bill::Lost);
            self.dropped += 1;
            self.make_ready(cx.now, flight.index);
            return;
        };
        let failure = Failure {
            class: FailureClass::Transient,
            cause: Cause::NoAnswer,
            status: None,
            message: format!(
                "nothing came for {} s, many times as long as answers of this run take",
                hung_after.as_secs()
            ),
            wait: None,
            request_id: None,
            partial: None,
        };
        let reading = ParsedReply::Failure(failure.clone());
        let back = self.complete_ask(cx, ask, &reading);
        self.on_failure(cx, back, failure);
    }

    /// Drops asks of which nothing has come for far longer than answers take.
    pub(crate) fn abandon_stalled(&mut self, cx: &mut Context<'_>) {
        let Some(at) = self.stalled_at(cx.now).filter(|at| at.has_come(cx.now)) else { return };
        let timeouts: Vec<_> =
            (0..self.router.count()).map(|lane| self.stall_timeout(cx.now, lane)).collect();
        for (&ask, flight) in &mut self.asks_in_flight {
            // None that was sent later can have hung yet.
            if flight.sent.at.monotonic_ms > at.monotonic_ms {
                break;
            }
            let hung_after = timeouts[flight.endpoint].filter(|_| flight.may_stall());
            let Some(hung_after) = hung_after.filter(|span| cx.now.since(flight.sent.at) >= *span)
            else {
                continue;
            };
            flight.abandoned = true;
            flight.stalled_after = Some(hung_after);
            if let Some(held) = self.active.get_mut(&flight.index) {
                held.seemed_stalled = true;
            }
            cx.effects.push(Effect::Abandon(ask));
        }
    }

    /// When the first ask on its way will have hung: one of each place, because each place has its
    /// own measure and asks are in the order in which they were sent.
    pub(crate) fn stalled_at(&self, now: Time) -> Option<Time> {
        let mut first: Option<Time> = None;
        let mut seen = Vec::new();
        for flight in self.asks_in_flight.values().filter(|flight| flight.may_stall()) {
            if seen.contains(&flight.endpoint) {
                continue;
            }
            seen.push(flight.endpoint);
            if let Some(span) = self.stall_timeout(now, flight.endpoint) {
                let at = flight.sent.at.after(span);
                first = Some(first.map_or(at, |first| if at.has_come(first) { at } else { first }));
            }
            if seen.len() == self.router.count() {
                break;
            }
        }
        first
    }

    /// How long an ask at this place is waited for of which nothing has come.
    fn stall_timeout(&self, now: Time, lane: EndpointIndex) -> Option<Duration> {
        let silent = self.asks_in_flight.values().filter(|flight| !flight.has_begun);
        let waits = silent.map(|flight| (flight.endpoint, now.since(flight.sent.at)));
        self.router.stall_timeout(lane, waits)
    }
}
