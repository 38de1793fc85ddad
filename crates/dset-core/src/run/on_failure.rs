//! What follows from a failure.

use std::sync::Arc;
use std::time::Duration;

use super::books::State;
use super::{Effect, Machine, Notice, Record, Why};
use crate::answer::{Failure, FailureClass, Refusal};
use crate::item::question::Question;
use crate::plan::ledger::Fault;
use crate::planted::{Bug, planted};
use crate::rate::retry::{
    HICCUP_RETRIES_MAX, RETRY_AFTER_MAX, THROTTLED_OTHERS_MIN, THROTTLES_MAX, hiccup_wait,
};
use crate::run::on_response::Returned;
use crate::time::Time;

/// So many replies of somebody who is no API are no accident, while nothing was answered.
const MISDIRECTED_MAX: u32 = 5;

impl Machine {
    pub(crate) fn failed(
        &mut self,
        now: Time,
        back: Returned,
        failure: Failure,
        effects: &mut Vec<Effect>,
    ) {
        self.record(
            Record::Failed {
                question: Arc::clone(&back.question),
                ask: back.ask,
                attempt: back.attempts,
                sent_at: back.sent_at,
                at: now,
                failure: Box::new(failure.clone()),
            },
            effects,
        );
        if let Some(held) = self.held.get_mut(&back.index) {
            held.failed_with = Some(failure.cause);
        }
        match failure.class {
            // What was written before it was paid for, and is bought anew: that is bounded.
            FailureClass::Throttled { wait, .. }
                if has_text(&failure) && wait.is_none_or(|wait| wait <= RETRY_AFTER_MAX) =>
            {
                let failure = Failure { wait: failure.wait.or(wait), ..failure };
                self.transient(now, &back, failure, effects);
            }
            FailureClass::Throttled { wait, .. } => {
                self.throttled(now, &back, failure, wait, effects);
            }
            FailureClass::Transient => self.transient(now, &back, failure, effects),
            FailureClass::Empty | FailureClass::OtherApi => {
                self.was_useless(now, &back, failure, effects);
            }
            FailureClass::KeyRefused => self.key_refused(&back, failure, effects),
            FailureClass::OutOfMoney => {
                self.make_ready(back.index);
                self.stop(Why::OutOfMoney(Box::new(failure)));
            }
            FailureClass::Refused(Refusal::Settings) => {
                self.make_ready(back.index);
                self.suspects.clear();
                self.stop(Why::WrongSettings(Box::new(failure)));
            }
            FailureClass::Refused(Refusal::Address) => {
                self.misdirected(now, back, failure, effects)
            }
            FailureClass::Refused(Refusal::Question) if self.answers_count > 0 => {
                self.service_works(now, back.lane, effects);
                self.reject(now, back.question, failure, effects);
            }
            FailureClass::Refused(Refusal::Request | Refusal::Question)
            | FailureClass::Forbidden => self.refused(now, back, failure, effects),
            FailureClass::Refused(Refusal::Moderation) | FailureClass::CutByLength => {
                self.service_works(now, back.lane, effects);
                if failure.partial.is_some() {
                    self.clear_suspects(now, effects);
                }
                self.reject(now, back.question, failure, effects);
            }
        }
    }

    fn throttled(
        &mut self,
        now: Time,
        back: &Returned,
        failure: Failure,
        wait: Option<Duration>,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(wait) = wait.filter(|wait| *wait > RETRY_AFTER_MAX) {
            self.make_ready(back.index);
            self.stop(Why::ToldToWait(Box::new(failure), wait));
            return;
        }
        if self.outage.is_some() {
            self.failed_in_outage(now, back, failure, effects);
            return;
        }
        if self.lanes.at(back.lane).pace.refused_throughout() && self.is_out() {
            self.begin_outage(now, back, failure, effects);
            return;
        }
        if self.stop.is_some() {
            self.make_ready(back.index);
            return;
        }
        let answered = self.failures.answered_count();
        let held = self.held.get_mut(&back.index).expect("a failed question is held");
        if held.throttled == 0 {
            held.first_throttled_at = answered;
        }
        held.throttled += 1;
        let (throttled, others) = (held.throttled, answered - held.first_throttled_at);
        if throttled > THROTTLES_MAX && others >= THROTTLED_OTHERS_MIN {
            self.end(now, Arc::clone(&back.question), Fault::GaveUp, failure, effects);
            return;
        }
        // The first time it is the first in line again, as soon as the pace allows. It may be the one
        // question that is refused always, and lets others go before it from then on. A service
        // with too much to do for everybody names no time, and is not asked again at once.
        let is_told = wait.is_some_and(|wait| !wait.is_zero());
        let is_overload = matches!(failure.status, Some(503 | 529)) && !is_told;
        let own = match throttled - u32::from(!is_overload) {
            0 => Duration::ZERO,
            times => hiccup_wait(self.rules.seed, back.index, times),
        };
        match own.is_zero() {
            true => self.make_ready(back.index),
            false => self.ask_again(now, back.index, own),
        }
        let until = self.lanes.at(back.lane).pace.paused_until(now);
        let wait = until.map_or(Duration::ZERO, |until| until.since(now));
        self.show_retry(back, failure, wait.max(own), effects);
    }

    fn transient(
        &mut self,
        now: Time,
        back: &Returned,
        failure: Failure,
        effects: &mut Vec<Effect>,
    ) {
        if self.stop.is_some() {
            self.make_ready(back.index);
            return;
        }
        // Hours are no wait between two tries of a question, which may be what the service stumbles
        // over: if it is the service, it is an outage.
        let failure =
            Failure { wait: failure.wait.filter(|wait| *wait <= RETRY_AFTER_MAX), ..failure };
        if let Some(wait) = failure.wait {
            self.lanes.at(back.lane).pace.pause(now, wait);
        }
        if self.outage.is_some() {
            self.failed_in_outage(now, back, failure, effects);
            return;
        }
        let most = self.rules.bounds.slots_max.max(1);
        let answered = self.failures.answered_count();
        let held = self.held.get_mut(&back.index).expect("a failed question is held");
        let first_failed_at = *held.first_failed_at.get_or_insert(answered);
        let is_new = first_failed_at == answered;
        if self.lanes.are_several() && self.failed_at_place(now, back, &failure, is_new, effects) {
            return;
        }
        let is_out = self.failures.failed(first_failed_at, self.flights.len(), most);
        if is_out && !self.lanes.are_several() {
            self.begin_outage(now, back, failure, effects);
            return;
        }
        self.try_again(now, back, failure, HICCUP_RETRIES_MAX, effects);
    }

    /// What answers is no API, or not there. Before the first answer it is the address, unless it is
    /// one reply among others that are still on their way.
    fn misdirected(
        &mut self,
        now: Time,
        back: Returned,
        failure: Failure,
        effects: &mut Vec<Effect>,
    ) {
        if self.answers_count > 0 {
            match failure.status {
                Some(400..=499) => self.refused(now, back, failure, effects),
                _ => self.transient(now, &back, failure, effects),
            }
            return;
        }
        self.misdirected += 1;
        if self.stop.is_some() {
            self.make_ready(back.index);
        } else if self.flights.is_empty() || self.misdirected >= MISDIRECTED_MAX {
            self.make_ready(back.index);
            self.suspects.clear();
            self.stop(Why::WrongSettings(Box::new(failure)));
        } else {
            self.try_again(now, &back, failure, HICCUP_RETRIES_MAX, effects);
        }
    }

    /// A failure that costs its question one of its retries, of which it has so many.
    pub(crate) fn try_again(
        &mut self,
        now: Time,
        back: &Returned,
        failure: Failure,
        retries_max: u32,
        effects: &mut Vec<Effect>,
    ) {
        let held = self.held.get_mut(&back.index).expect("a failed question is held");
        held.failures += 1;
        let failures = held.failures;
        let most = retries_max + u32::from(planted(Bug::AttemptsOffByOne));
        if failures > most && !planted(Bug::RetryPastTheLimit) {
            self.end(now, Arc::clone(&back.question), Fault::GaveUp, failure, effects);
            return;
        }
        let wait = hiccup_wait(self.rules.seed, back.index, failures);
        let wait = wait.max(failure.wait.unwrap_or_default());
        let wait = if planted(Bug::HiccupNotWaited) { Duration::from_millis(1) } else { wait };
        self.ask_again(now, back.index, wait);
        self.show_retry(back, failure, wait, effects);
    }

    /// Takes a failure at one of several places; `is_new` where its question had not failed before the
    /// last answer. True where that is all that follows: the place is taken for dead, or none answers.
    fn failed_at_place(
        &mut self,
        now: Time,
        back: &Returned,
        failure: &Failure,
        is_new: bool,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let slots_max = self.rules.bounds.slots_max;
        let lane = self.lanes.at(back.lane);
        let was_dead = lane.is_dead();
        let dies = is_new && lane.failed(slots_max);
        if dies {
            lane.die(now);
            let (model, endpoint) = (lane.place.model, lane.place.endpoint);
            let failure = Box::new(failure.clone());
            effects.push(Effect::Show(Notice::PlaceDown { model, endpoint, failure }));
        }
        if (dies || was_dead) && self.is_out() {
            self.begin_outage(now, back, failure.clone(), effects);
            return true;
        }
        if dies {
            self.make_ready(back.index);
        }
        // What probes a dead place costs a retry all the same: it may be the question's own fault,
        // and would be asked for ever.
        dies
    }

    pub(crate) fn show_retry(
        &self,
        back: &Returned,
        failure: Failure,
        wait: Duration,
        effects: &mut Vec<Effect>,
    ) {
        if self.stop.is_none() {
            let question = Arc::clone(&back.question);
            let failure = Box::new(failure);
            effects.push(Effect::Show(Notice::Retrying { question, failure, wait }));
        }
    }

    fn key_refused(&mut self, back: &Returned, failure: Failure, effects: &mut Vec<Effect>) {
        self.make_ready(back.index);
        self.stop(Why::KeyRefused(Box::new(failure)));
        // Before any success nothing on its way can be worth waiting for; after one it may be paid.
        if self.answers_count == 0 || planted(Bug::PaidAsksDroppedWithTheKey) {
            self.abandon_all(effects);
        }
    }

    fn refused(&mut self, now: Time, back: Returned, failure: Failure, effects: &mut Vec<Effect>) {
        self.service_works(now, back.lane, effects);
        if matches!(self.stop, Some(Why::WrongSettings(_))) {
            self.make_ready(back.index);
            return;
        }
        if self.rules.pause_on_error || self.stop.is_some() {
            self.reject(now, back.question, failure, effects);
            return;
        }
        self.held.remove(&back.index);
        for (question, failure) in
            self.suspects.refused(back.question, failure, self.answers_count > 0)
        {
            self.reject(now, question, failure, effects);
        }
    }

    /// Judges whether refusals are the settings' or the key's: true while nothing is asked because it
    /// may be refused whatever it is. Where all that was on its way is back, and no answer among it,
    /// the run ends.
    pub(crate) fn judge_suspects(&mut self) -> bool {
        let verdict = self.suspects.verdict(self.answers_count > 0);
        let Some(failure) = verdict.filter(|_| self.outage.is_none()) else { return false };
        // Nothing is left that could be marked wrongly.
        if self.answers_count > 0 && self.read.ended && self.held.is_empty() {
            return false;
        }
        if self.flights.is_empty() {
            let failure = Box::new(failure.clone());
            self.suspects.clear();
            self.stop(match failure.class {
                FailureClass::Forbidden => Why::KeyRefused(failure),
                _ => Why::WrongSettings(failure),
            });
        }
        true
    }

    /// What the model has written, be it half or nothing, proves settings and key; at the end of a
    /// run, too, questions that waited for a verdict are taken as refused.
    pub(crate) fn clear_suspects(&mut self, now: Time, effects: &mut Vec<Effect>) {
        for (question, failure) in self.suspects.clear() {
            self.reject(now, question, failure, effects);
        }
    }

    pub(crate) fn reject(
        &mut self,
        now: Time,
        question: Arc<Question>,
        failure: Failure,
        effects: &mut Vec<Effect>,
    ) {
        self.end(now, question, Fault::Rejected, failure, effects);
    }

    /// A question ends without an answer: marked ERROR, and the run goes on.
    pub(crate) fn end(
        &mut self,
        now: Time,
        question: Arc<Question>,
        fault: Fault,
        failure: Failure,
        effects: &mut Vec<Effect>,
    ) {
        self.held.remove(&question.index);
        let (state, count) = match fault {
            Fault::Rejected => (State::Rejected, &mut self.ledger.rejected),
            Fault::GaveUp => (State::GaveUp, &mut self.ledger.gave_up),
        };
        *count += 1;
        self.ledger.pending -= 1;
        self.states[question.index as usize] = state;
        let cut = failure.class == FailureClass::CutByLength;
        let cut_at_tokens =
            failure.partial.as_ref().and_then(|partial| partial.usage.output).filter(|_| cut);
        self.record(
            Record::Ended {
                question: Arc::clone(&question),
                fault,
                cause: failure.cause,
                at: now,
                cut_at_tokens,
            },
            effects,
        );
        self.bookmark_row(question.id, effects);
        effects.push(Effect::Show(Notice::Ended { question, fault, failure: Box::new(failure) }));
        if self.rules.pause_on_error && !planted(Bug::PauseForgotten) {
            self.stop(Why::Paused);
        }
    }
}

fn has_text(failure: &Failure) -> bool {
    let partial = failure.partial.as_deref();
    partial.is_some_and(|answer| !answer.content.is_empty() || !answer.reasoning.is_empty())
}
