//! Which question is asked next, and when.

use std::sync::Arc;
use std::time::Duration;

use super::{Effect, Flight, Held, Machine, Notice, Why};
use crate::ask::{Ask, AskId};
use crate::planted::{Bug, planted};
use crate::question::{Question, QuestionIndex};
use crate::time::Time;

impl Machine {
    /// Takes questions that were read.
    pub(super) fn take_questions(&mut self, questions: Vec<Question>) {
        self.read.outstanding = false;
        for question in questions {
            let index = question.index;
            self.read.taken += 1;
            let question = Arc::new(question);
            let held = Held { question, attempts: 0, failures: 0, first_failed_at: None };
            let known = self.held.insert(index, held);
            assert!(known.is_none(), "a question is read once");
            self.ready.insert(index);
        }
    }

    /// Asks for more questions, so that at most twice the width are held.
    pub(super) fn read_more(&mut self, effects: &mut Vec<Effect>) {
        if self.read.ended || self.read.outstanding {
            return;
        }
        let left = self.rules.limit.map_or(u64::MAX, |limit| limit - self.read.taken.min(limit));
        if left == 0 {
            self.read.ended = true;
            return;
        }
        let room = (2 * self.rules.width.max(1) as usize).saturating_sub(self.held.len());
        let count = room.min(usize::try_from(left).unwrap_or(usize::MAX));
        // In batches of half a width: a message for every question would cost more than reading it.
        let enough = self.ready.len() >= self.width.slots();
        if count > 0 && (!enough || count >= self.rules.width as usize) {
            self.read.outstanding = true;
            effects.push(Effect::Read { count });
        }
    }

    /// Tells whether a slot is free: asked and waiting for the disk take one each.
    pub(super) fn has_room(&self) -> bool {
        let unsynced = self.records.answers.len();
        let unsynced = if planted(Bug::SlotFreedOnArrival) { 0 } else { unsynced };
        self.flights.len() + unsynced < self.width.slots()
    }

    /// Sends what may be sent now.
    pub(super) fn send(&mut self, now: Time, effects: &mut Vec<Effect>) {
        if self.outage.is_some() {
            self.send_probe(now, effects);
            return;
        }
        while let Some(&(ms, index)) = self.waiting.first() {
            if ms > now.monotonic_ms {
                break;
            }
            self.waiting.pop_first();
            self.ready.insert(index);
        }
        if self.width.paused_until(now).is_some() {
            return;
        }
        while self.has_room() {
            let Some(index) = self.ready.pop_first() else { break };
            self.ask(now, index, effects);
        }
    }

    /// In an outage one question asks whether it is over.
    fn send_probe(&mut self, now: Time, effects: &mut Vec<Effect>) {
        let Some(outage) = &self.outage else { return };
        let is_time = self.probe_at(now).is_some_and(|at| at.has_come(now));
        // A slot is free unless asks sent before the outage are still on their way; then one of
        // those may end the outage, and the probe waits for its slot.
        if !self.has_room() || !is_time {
            return;
        }
        let index = self.probe_question(outage.question, outage.retries == 0);
        let Some(index) = index else { return };
        self.ready.remove(&index);
        self.waiting.retain(|&(_, waiting)| waiting != index);
        let retry = self.outage.as_ref().map_or(1, |outage| outage.retries + 1);
        let of = self.rules.backoff.retries;
        effects.push(Effect::Show(Notice::OutageRetry { retry, of }));
        let ask = self.ask(now, index, effects);
        let outage = self.outage.as_mut().expect("an outage does not end by sending");
        outage.probing(ask, index);
    }

    /// When the next retry of an outage begins: at its time, and not while the service wants to be
    /// left alone.
    pub(super) fn probe_at(&self, now: Time) -> Option<Time> {
        let retry_at = self.outage.as_ref()?.retry_at?;
        Some(self.width.paused_until(now).map_or(retry_at, |until| retry_at.max(until)))
    }

    /// First the question whose failure began it; with more than one at a time each further probe
    /// is the next unfinished one.
    fn probe_question(&self, last: QuestionIndex, first: bool) -> Option<QuestionIndex> {
        let asked = |index: &QuestionIndex| self.flights.values().any(|f| f.index == *index);
        let same = first || self.rules.width <= 1;
        let mut free = self.held.keys().filter(|index| !asked(index));
        if same && self.held.contains_key(&last) && !asked(&last) {
            return Some(last);
        }
        free.clone().find(|&&index| index > last).or_else(|| free.next()).copied()
    }

    fn ask(&mut self, now: Time, index: QuestionIndex, effects: &mut Vec<Effect>) -> AskId {
        let held = self.held.get_mut(&index).expect("a question that is asked is held");
        held.attempts += 1;
        let attempt = held.attempts;
        self.asks_count += 1;
        let id = AskId(self.asks_count);
        self.flights.insert(id, Flight { index, sent_at: now, abandoned: false });
        let question = Arc::clone(&held.question);
        effects.push(Effect::Show(Notice::Asking { question: Arc::clone(&question), attempt }));
        effects.push(Effect::Ask(Ask { id, question, attempt, endpoint: 0, model: 0, sample: 0 }));
        id
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
