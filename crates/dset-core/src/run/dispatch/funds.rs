//! What may still be asked where money is limited.

use super::Dispatch;
use super::router::{EndpointIndex, Route};
use crate::item::question::QuestionIndex;
use crate::money::Amount;
use crate::run::context::Context;
use crate::run::gate::budget::NoFunds;
use crate::run::gate::payee::Reservation;
use crate::run::{Effect, EndReason, Notice};

impl Dispatch {
    /// Reserves what asking a held question there may cost at most.
    pub(crate) fn reserve(
        &self,
        cx: &mut Context<'_>,
        index: QuestionIndex,
        lane: EndpointIndex,
    ) -> Result<Reservation, NoFunds> {
        let held = self.active.get(&index).expect("a question that is asked is held");
        cx.gates.reserve(cx.now, lane, &held.question)
    }

    /// Called where what is left does not pay for the next question. While an ask is on its way its
    /// reservation may come back; then whichever question can be paid for is asked, and where there is
    /// none the run ends.
    pub(crate) fn end_if_spent(&mut self, cx: &mut Context<'_>) {
        if !self.asks_in_flight.is_empty() || self.read.outstanding {
            return;
        }
        let mut least = Amount::MAX;
        for model in 0..self.router.models() {
            let route = self.may_send(cx, model, None);
            let lanes: Vec<EndpointIndex> = match route {
                Route::Now(lane) => vec![lane],
                Route::NotBefore(_) | Route::NotYet => self.router.lanes_of(model),
            };
            let ready = self.ready[usize::from(model)].iter().copied();
            let waiting = self.waiting.iter().map(|&(_, index)| index);
            let waiting = waiting.filter(|index| self.active[index].question.model == model);
            let held: Vec<(QuestionIndex, bool)> =
                ready.map(|at| (at, true)).chain(waiting.map(|at| (at, false))).collect();
            for (index, is_ready) in held {
                for &lane in &lanes {
                    let Err(amount) = self.worst(cx, index, lane) else {
                        if let (Route::Now(lane), true) = (route, is_ready) {
                            self.ask_out_of_turn(cx, index, lane);
                        }
                        return;
                    };
                    least = least.min(amount);
                }
            }
        }
        self.spent(cx, least);
    }

    /// Called where what is left does not pay for the next probe of an outage.
    pub(crate) fn end_probes(
        &mut self,
        cx: &mut Context<'_>,
        index: QuestionIndex,
        lane: EndpointIndex,
    ) {
        if self.asks_in_flight.is_empty()
            && let Err(least) = self.worst(cx, index, lane)
        {
            self.spent(cx, least);
        }
    }

    fn spent(&mut self, cx: &mut Context<'_>, least: Amount) {
        cx.effects.push(Effect::Show(Notice::CostLimitReached { least }));
        cx.shutdown.stop(EndReason::CostLimit { least });
    }

    fn ask_out_of_turn(&mut self, cx: &mut Context<'_>, index: QuestionIndex, lane: EndpointIndex) {
        let reserved = self.reserve(cx, index, lane);
        cx.declare_bound();
        if let Ok(reservation) = reserved {
            self.dequeue(index);
            let ask = self.ask(cx, index, lane, reservation);
            self.router.endpoint_mut(lane).on_probe_sent(ask);
        }
    }

    /// Returns what asking a held question there may cost at most, as an error where that is more than
    /// is left.
    fn worst(
        &self,
        cx: &mut Context<'_>,
        index: QuestionIndex,
        lane: EndpointIndex,
    ) -> Result<Amount, Amount> {
        let Some(budget) = &mut cx.gates.budget else { return Ok(Amount::ZERO) };
        let worst = budget.worst(cx.now, lane, &self.active[&index].question);
        if budget.can_pay(worst) { Ok(worst.amount) } else { Err(worst.amount) }
    }
}
