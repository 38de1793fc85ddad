//! Asks that are dropped, and those of which nothing comes.

use super::{Effect, Machine};
use crate::answer::{Failure, FailureClass, Reading};
use crate::rate::Back;
use crate::run::ask::AskId;
use crate::time::Time;

impl Machine {
    /// Takes that an ask was dropped.
    pub(crate) fn abandoned(&mut self, now: Time, ask: AskId, effects: &mut Vec<Effect>) {
        let flight = self.flights.get(&ask).expect("an ask is answered once");
        let Some(hung_after) = flight.hung_after else {
            let flight = self.flights.remove(&ask).expect("it was there just now");
            let lane = self.lanes.at(flight.lane);
            lane.back(now, ask);
            lane.pace.back(now, &flight.sent, Back::Nothing);
            self.minute.back(now, None, false);
            self.dropped += 1;
            self.make_ready(flight.index);
            return;
        };
        let failure = Failure {
            class: FailureClass::Transient,
            cause: "no answer",
            status: None,
            message: format!(
                "nothing came for {} s, ten times as long as answers of this run take",
                hung_after.as_secs()
            ),
            wait: None,
            request_id: None,
            partial: None,
        };
        let reading = Reading::Failure(failure.clone());
        let back = self.returned(now, ask, &reading);
        self.failed(now, back, failure, effects);
    }

    /// Drops asks of which nothing has come for far longer than answers take.
    pub(crate) fn abandon_hung(&mut self, now: Time, effects: &mut Vec<Effect>) {
        let Some(at) = self.hung_at().filter(|at| at.has_come(now)) else { return };
        for (&ask, flight) in &mut self.flights {
            // None that was sent later can have hung yet.
            if flight.sent.at.monotonic_ms > at.monotonic_ms {
                break;
            }
            let hung_after = self.lanes.hung_after(flight.lane);
            let hung_after = hung_after.filter(|_| flight.may_hang());
            let Some(hung_after) = hung_after.filter(|span| now.since(flight.sent.at) >= *span)
            else {
                continue;
            };
            flight.abandoned = true;
            flight.hung_after = Some(hung_after);
            if let Some(held) = self.held.get_mut(&flight.index) {
                held.seemed_to_hang = true;
            }
            effects.push(Effect::Abandon(ask));
        }
    }

    /// When the first ask on its way will have hung: one of each place, because each place has its
    /// own measure and asks are in the order in which they were sent.
    pub(crate) fn hung_at(&self) -> Option<Time> {
        let mut first: Option<Time> = None;
        let mut seen = Vec::new();
        for flight in self.flights.values().filter(|flight| flight.may_hang()) {
            if seen.contains(&flight.lane) {
                continue;
            }
            seen.push(flight.lane);
            if let Some(span) = self.lanes.hung_after(flight.lane) {
                let at = flight.sent.at.after(span);
                first = Some(first.map_or(at, |first| if at.has_come(first) { at } else { first }));
            }
            if seen.len() == self.lanes.count() {
                break;
            }
        }
        first
    }
}
