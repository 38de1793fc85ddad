//! Which question is asked next, and when.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::lanes::{Choice, LaneIndex};
use super::{Effect, Flight, Held, Machine, Notice, RateBound, Why};
use crate::ask::{Ask, AskId};
use crate::pace::outage::Probe;
use crate::planted::{Bug, planted};
use crate::question::{Question, QuestionIndex};
use crate::time::Time;

/// So many questions are held at most where a model does not answer and others do.
const HELD_FOR_OTHERS: usize = 4_096;

impl Machine {
    /// Takes questions that were read.
    pub(super) fn take_questions(&mut self, questions: Vec<Question>) {
        self.read.outstanding = false;
        for question in questions {
            let index = question.index;
            self.read.taken += 1;
            self.ready[usize::from(question.model)].insert(index);
            let question = Arc::new(question);
            let held = Held {
                question,
                attempts: 0,
                failures: 0,
                failed_with: None,
                throttled: 0,
                first_throttled_at: 0,
                first_failed_at: None,
                seemed_to_hang: false,
            };
            let known = self.held.insert(index, held);
            assert!(known.is_none(), "a question is read once");
        }
    }

    /// How many questions may be held: twice the width, or more where one of several models has none
    /// left to ask, because those of another that does not answer are in the way.
    fn held_max(&self) -> usize {
        let most = (2 * self.lanes.slots()).max(self.useless.held_min());
        let lacks = self.ready.len() > 1 && self.ready.iter().any(BTreeSet::is_empty);
        if lacks { most.max(HELD_FOR_OTHERS) } else { most }
    }

    /// Tells whether more questions will be read as things stand.
    pub(super) fn can_read(&self) -> bool {
        !self.read.ended && self.held.len() < self.held_max()
    }

    /// Asks for more questions, so that at most [`Machine::held_max`] are held.
    pub(super) fn read_more(&mut self, effects: &mut Vec<Effect>) {
        if self.read.ended || self.read.outstanding {
            return;
        }
        let left = self.rules.limit.map_or(u64::MAX, |limit| limit - self.read.taken.min(limit));
        if left == 0 {
            self.read.ended = true;
            return;
        }
        let slots = self.lanes.slots();
        let room = self.held_max().saturating_sub(self.held.len()).min(2 * slots);
        let count = room.min(usize::try_from(left).unwrap_or(usize::MAX));
        // In batches of a width: a message for every question would cost more than reading it.
        let ready = self.ready.iter().map(BTreeSet::len);
        let enough = ready.clone().sum::<usize>() >= slots && ready.min() > Some(0);
        if count > 0 && (!enough || count >= slots) {
            self.read.outstanding = true;
            effects.push(Effect::Read { count });
        }
    }

    /// How many may be asked or waiting for the disk, whatever the pace.
    pub(super) fn slots_max(&self) -> usize {
        self.rules.bounds.slots_max.max(1) as usize
    }

    /// Tells whether a slot is free. Answers that wait for the disk take one too, so that a crash
    /// cannot cost more than there are, but they are no longer the service's.
    fn has_room(&self) -> bool {
        let unsynced = self.records.answers.len();
        let unsynced = if planted(Bug::SlotFreedOnArrival) { 0 } else { unsynced };
        self.flights.len() + unsynced < self.slots_max()
    }

    /// Where another ask of a model may be sent, as far as the places and the user's limits go.
    fn may_send(&mut self, now: Time, model: u16) -> Choice {
        match self.minute.wait(now) {
            None => Choice::NotYet,
            Some(Duration::ZERO) => self.lanes.choose(now, model),
            Some(wait) => {
                self.rate_bound = Some(RateBound::User);
                Choice::NotBefore(now.after(wait))
            }
        }
    }

    /// Puts a held question in the line of its model.
    pub(super) fn make_ready(&mut self, index: QuestionIndex) {
        let held = self.held.get(&index).expect("a question that is asked again is held");
        self.ready[usize::from(held.question.model)].insert(index);
    }

    /// Sends what may be sent now.
    pub(super) fn send(&mut self, now: Time, effects: &mut Vec<Effect>) {
        (self.send_at, self.rate_bound) = (None, None);
        if self.outage.is_some() {
            self.send_probe(now, effects);
            return;
        }
        while let Some(&(ms, index)) = self.waiting.first() {
            if ms > now.monotonic_ms {
                break;
            }
            self.waiting.pop_first();
            self.make_ready(index);
        }
        // Each model comes first in its turn, so that none takes all that a minute may hold.
        let models = self.lanes.models();
        let first = (self.asks_count % u64::from(models)) as u16;
        for step in 0..models {
            self.send_to(now, (first + step) % models, effects);
        }
    }

    fn send_to(&mut self, now: Time, model: u16, effects: &mut Vec<Effect>) {
        while self.has_room()
            && let Some(&index) = self.ready[usize::from(model)].first()
        {
            match self.may_send(now, model) {
                Choice::Now(lane) => {
                    self.ready[usize::from(model)].pop_first();
                    let ask = self.ask(now, index, lane, effects);
                    self.lanes.at(lane).probing(ask);
                }
                Choice::NotBefore(at) => {
                    self.send_at = Some(self.send_at.map_or(at, |first| first.min(at)));
                    let by_service = self.lanes.are_rate_bound().then_some(RateBound::Service);
                    self.rate_bound = self.rate_bound.or(by_service);
                    break;
                }
                Choice::NotYet => break,
            }
        }
    }

    /// In an outage one question asks whether it is over.
    fn send_probe(&mut self, now: Time, effects: &mut Vec<Effect>) {
        let is_time = self.probe_at(now).is_some_and(|at| at.has_come(now));
        let Some(outage) = self.outage.as_ref().filter(|_| is_time) else { return };
        let Some((_, probe)) = outage.next() else { return };
        // A slot is free unless asks sent before the outage are still on their way; then one of
        // those may end the outage, and the probe waits for its slot. A light probe that hangs
        // holds up no retry.
        if !self.has_room() || self.flights.len() >= self.lanes.slots().max(2) {
            return;
        }
        let Some(index) = self.probe_question(now, outage.question, !outage.probed) else { return };
        let retry = outage.retries + 1;
        let model = self.held[&index].question.model;
        let Some(lane) = self.lanes.probe(now, model) else { return };
        self.ready[usize::from(model)].remove(&index);
        self.waiting.retain(|&(_, waiting)| waiting != index);
        if probe == Probe::Retry {
            let of = self.rules.backoff.retries;
            effects.push(Effect::Show(Notice::OutageRetry { retry, of }));
        }
        let ask = self.ask(now, index, lane, effects);
        let outage = self.outage.as_mut().expect("an outage does not end by sending");
        outage.probing(ask, index, probe);
    }

    /// When the next probe of an outage goes: at its time, neither while the place that it would go
    /// to wants to be left alone nor beyond the user's limits. Absent where an event must come first.
    pub(super) fn probe_at(&mut self, now: Time) -> Option<Time> {
        let (at, _) = self.outage.as_ref()?.next()?;
        let asked: BTreeSet<QuestionIndex> = self.flights.values().map(|f| f.index).collect();
        let free = self.held.iter().filter(|(index, _)| !asked.contains(index));
        let models: BTreeSet<u16> = free.map(|(_, held)| held.question.model).collect();
        let at = self.lanes.not_paused_any(now, at, &models)?;
        let wait = self.minute.wait(now)?;
        Some(if wait.is_zero() { at } else { at.max(now.after(wait)) })
    }

    /// First the question whose failure began it; with more than one at a time each further probe
    /// is the next unfinished one.
    fn probe_question(&self, now: Time, last: QuestionIndex, first: bool) -> Option<QuestionIndex> {
        let asked = |index: &QuestionIndex| self.flights.values().any(|f| f.index == *index);
        let same = first || self.slots_max() <= 1;
        let may = |index: &QuestionIndex| {
            let held = self.held.get(index);
            let model = held.map(|held| held.question.model);
            !asked(index) && model.is_some_and(|model| self.lanes.may_probe(now, model))
        };
        let mut free = self.held.keys().filter(|index| may(index));
        if same && may(&last) {
            return Some(last);
        }
        free.clone().find(|&&index| index > last).or_else(|| free.next()).copied()
    }

    fn ask(
        &mut self,
        now: Time,
        index: QuestionIndex,
        lane: LaneIndex,
        effects: &mut Vec<Effect>,
    ) -> AskId {
        let held = self.held.get_mut(&index).expect("a question that is asked is held");
        held.attempts += 1;
        let attempt = held.attempts;
        let was_dropped_before = held.seemed_to_hang;
        self.useless.parked.remove(&index);
        self.asks_count += 1;
        let id = AskId(self.asks_count);
        self.minute.sent(now);
        let at = self.lanes.at(lane);
        at.in_flight += 1;
        let (endpoint, sent) = (at.place.endpoint, at.pace.sent(now));
        let flight = Flight {
            index,
            lane,
            sent,
            has_begun: false,
            tokens: 0,
            abandoned: false,
            hung_after: None,
            was_dropped_before,
        };
        self.flights.insert(id, flight);
        let question = Arc::clone(&held.question);
        effects.push(Effect::Show(Notice::Asking { question: Arc::clone(&question), attempt }));
        let (model, sample) = (question.model, question.sample);
        effects.push(Effect::Ask(Ask { id, question, attempt, endpoint, model, sample }));
        id
    }

    /// Tries a service that is out, and places that are, without waiting for their time. What the
    /// service itself asked to be waited for is waited for.
    pub(super) fn try_now(&mut self, now: Time) {
        if let Some(outage) = &mut self.outage {
            outage.try_now(now);
        }
        self.lanes.each().for_each(|lane| lane.try_now(now));
    }

    /// Puts a question back, to be asked after `wait`.
    pub(super) fn ask_again(&mut self, now: Time, index: QuestionIndex, wait: Duration) {
        self.waiting.insert((now.after(wait).monotonic_ms, index));
    }

    /// Ends the run when the last retry has failed and nothing that could succeed is on its way.
    pub(super) fn end_outage_if_final(&mut self, effects: &mut Vec<Effect>) {
        let is_final = self.outage.as_ref().is_some_and(|outage| outage.is_final());
        if !is_final || !self.flights.is_empty() || self.stop.is_some() {
            return;
        }
        let Some(failure) = self.last_failure.take() else { return };
        self.outage = None;
        effects.push(Effect::Show(Notice::OutageFinal { failure: failure.clone() }));
        self.stop(Why::Unreachable(failure));
        let mut left = self.held.values();
        let last = planted(Bug::BookmarkOnTheWrongRow);
        if let Some(held) = if last { left.next_back() } else { left.next() } {
            let question = Arc::clone(&held.question);
            let row_number = question.row_number;
            effects.push(Effect::Show(Notice::Bookmarking { row_number }));
            self.bookmark_row(question.id, effects);
            self.bookmark = Some(question);
        }
    }
}
