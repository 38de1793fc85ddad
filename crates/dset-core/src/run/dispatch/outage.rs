//! An outage: when it begins, what is tried in it, and how it ends.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::on_response::ReturnedAsk;
use super::{ActiveQuestion, Dispatch};
use crate::answer::{Failure, FailureClass};
use crate::item::question::QuestionIndex;
use crate::plan::ledger::Fault;
use crate::planted::{PlantedBug, planted};
use crate::rate::outage::{Outage, Probe};
use crate::run::context::Context;
use crate::run::gate::budget::NoFunds;
use crate::run::{Effect, EndReason, Notice};
use crate::time::Time;

impl Dispatch {
    /// Tells whether no place of a model that still has work answers.
    pub(crate) fn is_out(&self) -> bool {
        let has_work = |model| {
            self.can_read() || self.active.values().any(|held| held.question.model == model)
        };
        self.router.are_all_open(has_work)
    }

    pub(crate) fn begin_outage(
        &mut self,
        cx: &mut Context<'_>,
        back: &ReturnedAsk,
        failure: Failure,
    ) {
        self.make_ready(cx.now, back.index);
        if cx.is_ending() {
            return;
        }
        self.hold_suspects(cx.now);
        self.open_outage(cx, back.index, failure, false);
    }

    /// Lets everything wait but what tries whether the service answers; with `is_of_refusals` it is there,
    /// and refuses everything.
    pub(crate) fn open_outage(
        &mut self,
        cx: &mut Context<'_>,
        index: QuestionIndex,
        failure: Failure,
        is_of_refusals: bool,
    ) {
        let lightly = cx.gates.slots_max() > 1;
        let mut outage = Outage::begin(cx.now, index, &cx.rules.backoff, lightly);
        outage.is_of_refusals = is_of_refusals;
        self.router.endpoints_mut().for_each(|lane| lane.open_circuit(cx.now));
        let wait = outage.retry_at.map(|at| self.router.not_paused(cx.now, at).since(cx.now));
        self.outage = Some(outage);
        self.last_failure = Some(Box::new(failure.clone()));
        cx.effects.push(Effect::Show(Notice::OutageBegan { failure: Box::new(failure), wait }));
    }

    /// A failure in an outage costs its question nothing; the probe's moves the schedule on.
    pub(crate) fn on_outage_failure(
        &mut self,
        cx: &mut Context<'_>,
        back: &ReturnedAsk,
        failure: Failure,
    ) {
        self.make_ready(cx.now, back.index);
        let answered = self.failures.answers();
        let held = self.active.get_mut(&back.index).expect("a failed question is held");
        held.first_failed_at.get_or_insert(answered);
        let outage = self.outage.as_mut().expect("called in an outage");
        if !outage.is_cross_check(back.ask) {
            self.last_failure = Some(Box::new(failure.clone()));
        }
        if !outage.failed(cx.now, back.ask, &cx.rules.backoff) {
            return;
        }
        if let Some(at) = outage.retry_at {
            let wait = self.router.not_paused(cx.now, at).since(cx.now);
            let failure = Box::new(failure);
            cx.effects.push(Effect::Show(Notice::OutageContinues { failure, wait }));
        }
    }

    /// The service said something that is about the question: it is there, if what was asked was sent
    /// after it began to fail. Returns the outage that is over with it, and what prolonged that.
    pub(crate) fn on_service_responded(
        &mut self,
        cx: &mut Context<'_>,
        back: &ReturnedAsk,
    ) -> Option<(Outage, Box<Failure>)> {
        let is_there = self.failures.answered(back.sent_at);
        let are_several = self.router.are_several();
        let lane = self.router.endpoint_mut(back.endpoint);
        let works = lane.answered(back.sent_at);
        if !(if are_several { works } else { is_there }) {
            return None;
        }
        let is_back = lane.close_circuit(cx.now) && self.outage.is_none();
        if is_back {
            let (model, endpoint) = (lane.spec.model, lane.spec.endpoint);
            cx.effects.push(Effect::Show(Notice::EndpointUp { model, endpoint }));
        }
        let outage = self.outage.take_if(|_| is_there)?;
        cx.effects.push(Effect::Show(Notice::OutageEnded { lasted: cx.now.since(outage.since) }));
        Some((outage, self.last_failure.take()?))
    }

    /// Takes an answer that came after the last retry to a question other than the one that had
    /// failed. With one at a time every retry was that question's, and it has given up; with more the
    /// retries went to several, and each is asked again while others succeed.
    pub(crate) fn on_isolated_failure(
        &mut self,
        cx: &mut Context<'_>,
        back: &ReturnedAsk,
        outage: &Outage,
        failure: Failure,
    ) {
        let is_isolated = outage.is_cross_check(back.ask) && !outage.is_of_refusals;
        if !is_isolated || cx.gates.slots_max() > 1 {
            return;
        }
        let index = outage.first_question();
        let Some(held) = self.active.get(&index) else { return };
        let question = Arc::clone(&held.question);
        if question.model == back.question.model {
            self.dequeue(index);
            self.end_question(cx, question, Fault::GaveUp, failure);
        }
    }

    /// In an outage one question asks whether it is over.
    pub(crate) fn send_probe(&mut self, cx: &mut Context<'_>) {
        let is_time = self.probe_at(cx).is_some_and(|at| at.has_come(cx.now));
        let Some(outage) = self.outage.as_ref().filter(|_| is_time) else { return };
        let Some((_, probe)) = outage.next() else { return };
        // A slot is free unless asks sent before the outage are still on their way; then one of
        // those may end the outage, and the probe waits for its slot. A light probe that hangs
        // holds up no retry.
        if !self.has_room(cx) || self.asks_in_flight.len() >= self.router.slots().max(2) {
            return;
        }
        let index = match outage.cross_check() {
            Some(another) => Some(another),
            None => self.probe_question(cx, outage.question, !outage.probed),
        };
        let Some(index) = index else { return };
        let retry = outage.retries + 1;
        let model = self.active[&index].question.model;
        let Some(lane) = self.router.probe(cx.now, model) else { return };
        let reserved = self.reserve(cx, index, lane);
        cx.declare_bound();
        let reservation = match reserved {
            Ok(reservation) => reservation,
            Err(NoFunds::Undeclared) => return,
            Err(NoFunds::Short) => return self.end_probes(cx, index, lane),
        };
        self.dequeue(index);
        match probe {
            Probe::Light => {}
            Probe::Retry => {
                let of = cx.rules.backoff.retries;
                cx.effects.push(Effect::Show(Notice::OutageRetry { retry, of }));
            }
            Probe::Another => {
                let question = Arc::clone(&self.active[&index].question);
                cx.effects.push(Effect::Show(Notice::OutageCrossCheck { question }));
            }
        }
        let ask = self.ask(cx, index, lane, reservation);
        let outage = self.outage.as_mut().expect("an outage does not end by sending");
        outage.on_probe_sent(ask, index, probe);
    }

    /// When the next probe of an outage goes: at its time, neither while the place that it would go
    /// to wants to be left alone nor beyond the user's limits. Absent where an event must come first.
    pub(crate) fn probe_at(&mut self, cx: &mut Context<'_>) -> Option<Time> {
        let outage = self.outage.as_ref()?;
        let ((at, _), another) = (outage.next()?, outage.cross_check());
        let asked: BTreeSet<QuestionIndex> =
            self.asks_in_flight.values().map(|f| f.index).collect();
        let may = |index| {
            another.map_or(!self.spare.contains(index), |another| another == *index)
                && !asked.contains(index)
        };
        let free = self.active.iter().filter(|(index, _)| may(index));
        let models: BTreeSet<u16> = free.map(|(_, held)| held.question.model).collect();
        let at = self.router.not_paused_any(cx.now, at, &models)?;
        let wait = cx.gates.wait(cx.now)?;
        Some(if wait.is_zero() { at } else { at.max(cx.now.after(wait)) })
    }

    /// First the question whose failure began it; with more than one at a time each further probe
    /// is the next unfinished one. Where everything is refused, those that were not are tried first,
    /// the last of them before the others.
    fn probe_question(
        &self,
        cx: &Context<'_>,
        last: QuestionIndex,
        first: bool,
    ) -> Option<QuestionIndex> {
        let same = first || cx.gates.slots_max() <= 1;
        let may = |index: &QuestionIndex| {
            let held = self.active.get(index);
            let model = held.map(|held| held.question.model);
            !self.is_asked(*index)
                && !self.spare.contains(index)
                && model.is_some_and(|model| self.router.may_probe(cx.now, model))
        };
        let mut free = self.active.keys().filter(|index| may(index));
        let outage = self.outage.as_ref().filter(|outage| outage.is_of_refusals);
        if let Some(outage) = outage {
            let rank = |&&index: &&QuestionIndex| {
                (self.suspects.contains(&index), outage.has_tried(index), Reverse(index))
            };
            return free.min_by_key(rank).copied();
        }
        if same && may(&last) {
            return Some(last);
        }
        free.clone().find(|&&index| index > last).or_else(|| free.next()).copied()
    }

    /// The question that is to tell whether the service answers others: of the model whose failure
    /// began the outage, of another row and never asked where there is such a one, and far from those
    /// that failed.
    fn cross_check_question(&self, outage: &Outage) -> Option<QuestionIndex> {
        let first = self.active.get(&outage.first_question()).map(|held| &held.question);
        let row = |index: QuestionIndex| index / self.per_row;
        let may = |index: &QuestionIndex| !outage.has_tried(*index) && !self.spare.contains(index);
        let others = self.active.iter().filter(|(index, _)| may(index));
        let rank = |&(&index, held): &(&QuestionIndex, &ActiveQuestion)| {
            let is_of_model = first.is_none_or(|first| first.model == held.question.model);
            let is_other_row = row(index) != row(outage.first_question());
            (is_of_model, is_other_row, held.attempts == 0, index)
        };
        others.max_by_key(rank).map(|(&index, _)| index)
    }

    /// When the last retry has failed and nothing that could succeed is on its way, tries another
    /// question; when that has failed too, ends the run.
    pub(crate) fn end_outage_if_final(&mut self, cx: &mut Context<'_>) {
        let Some(outage) = self.outage.as_ref().filter(|outage| outage.is_final()) else { return };
        if !self.asks_in_flight.is_empty() || cx.is_ending() {
            return;
        }
        if outage.cross_check().is_none() && !planted(PlantedBug::NoOtherQuestionTried) {
            // It is chosen among as many as may be held.
            if self.can_read() {
                return;
            }
            if let Some(index) = self.cross_check_question(outage) {
                let places = self.router.endpoints_of(self.active[&index].question.model);
                let outage = self.outage.as_mut().expect("it is there");
                outage.begin_cross_check(cx.now, index, places);
                return;
            }
        }
        let Some(failure) = self.last_failure.take() else { return };
        let is_of_refusals = outage.is_of_refusals;
        self.outage = None;
        cx.effects.push(Effect::Show(Notice::OutageExhausted { failure: failure.clone() }));
        let is_refusal =
            matches!(failure.class, FailureClass::Forbidden | FailureClass::Refused(_));
        if is_of_refusals && is_refusal {
            self.end_doubt(cx, *failure);
            return;
        }
        cx.shutdown.stop(EndReason::Unreachable(failure));
        let mut left = self.active.values();
        let last = planted(PlantedBug::BookmarkOnTheWrongRow);
        let held = if last { left.next_back() } else { left.next() };
        if let Some(held) = held.filter(|held| !cx.custody.stands(held.question.index)) {
            let question = Arc::clone(&held.question);
            let row_number = question.row_number;
            cx.effects.push(Effect::Show(Notice::MarkingRow { row_number }));
            cx.mark_row(question.id);
            self.marked_question = Some(question);
        }
    }
}
