//! What follows from a failure.

use std::sync::Arc;
use std::time::Duration;

use super::{Effect, EndReason, JournalRecord, Machine, Notice};
use crate::answer::{Failure, FailureClass, Refusal};
use crate::item::question::Question;
use crate::plan::ledger::Fault;
use crate::planted::{Mutant, planted};
use crate::rate::retry::{
    RETRY_AFTER_MAX, THROTTLED_OTHERS_MIN, THROTTLES_MAX, TRANSIENT_RETRIES_MAX, backoff_wait,
};
use crate::run::on_response::ReturnedAsk;
use crate::time::Time;

/// So many replies of somebody who is no API are no accident, while nothing was answered.
const MISDIRECTED_MAX: u32 = 5;

impl Machine {
    pub(crate) fn on_failure(
        &mut self,
        now: Time,
        back: ReturnedAsk,
        failure: Failure,
        effects: &mut Vec<Effect>,
    ) {
        self.custody.record_failure(
            JournalRecord::Failed {
                question: Arc::clone(&back.question),
                ask: back.ask,
                attempt: back.attempts,
                sent_at: back.sent_at,
                at: now,
                failure: Box::new(failure.clone()),
            },
            effects,
        );
        if let Some(held) = self.active.get_mut(&back.index) {
            held.failed_with = Some(failure.cause);
        }
        match failure.class {
            // What was written before it was paid for, and is bought anew: that is bounded.
            FailureClass::Throttled { wait, .. }
                if has_text(&failure) && wait.is_none_or(|wait| wait <= RETRY_AFTER_MAX) =>
            {
                let failure = Failure { wait: failure.wait.or(wait), ..failure };
                self.on_transient(now, &back, failure, effects);
            }
            FailureClass::Throttled { wait, .. } => {
                self.on_throttled(now, &back, failure, wait, effects);
            }
            FailureClass::Transient => self.on_transient(now, &back, failure, effects),
            FailureClass::Empty | FailureClass::OtherApi => {
                self.on_useless_reply(now, &back, failure, effects);
            }
            FailureClass::KeyRefused => self.on_key_refused(&back, failure, effects),
            FailureClass::OutOfMoney => {
                self.make_ready(back.index);
                self.stop(EndReason::OutOfMoney(Box::new(failure)));
            }
            FailureClass::Refused(Refusal::Settings) => {
                self.make_ready(back.index);
                self.systemic_failure.clear();
                self.stop(EndReason::WrongSettings(Box::new(failure)));
            }
            FailureClass::Refused(Refusal::Address) => {
                self.on_misdirected(now, back, failure, effects)
            }
            FailureClass::Refused(Refusal::Question) if self.answers_count > 0 => {
                self.on_service_responded(now, back.endpoint, effects);
                self.reject(now, back.question, failure, effects);
            }
            FailureClass::Refused(Refusal::Request | Refusal::Question)
            | FailureClass::Forbidden => self.on_refused(now, back, failure, effects),
            FailureClass::Refused(Refusal::Moderation) | FailureClass::CutByLength => {
                self.on_service_responded(now, back.endpoint, effects);
                if failure.partial.is_some() {
                    self.clear_systemic_failure(now, effects);
                }
                self.reject(now, back.question, failure, effects);
            }
        }
    }

    fn on_throttled(
        &mut self,
        now: Time,
        back: &ReturnedAsk,
        failure: Failure,
        wait: Option<Duration>,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(wait) = wait.filter(|wait| *wait > RETRY_AFTER_MAX) {
            self.make_ready(back.index);
            self.stop(EndReason::RetryAfterTooLong(Box::new(failure), wait));
            return;
        }
        if self.outage.is_some() {
            self.on_outage_failure(now, back, failure, effects);
            return;
        }
        if self.router.endpoint_mut(back.endpoint).rate.refused_throughout() && self.is_out() {
            self.begin_outage(now, back, failure, effects);
            return;
        }
        if self.stop.is_some() {
            self.make_ready(back.index);
            return;
        }
        let answered = self.failures.answered_count();
        let held = self.active.get_mut(&back.index).expect("a failed question is held");
        if held.throttled == 0 {
            held.first_throttled_at = answered;
        }
        held.throttled += 1;
        let (throttled, others) = (held.throttled, answered - held.first_throttled_at);
        if throttled > THROTTLES_MAX && others >= THROTTLED_OTHERS_MIN {
            self.end_question(now, Arc::clone(&back.question), Fault::GaveUp, failure, effects);
            return;
        }
        // The first time it is the first in line again, as soon as the pace allows. It may be the one
        // question that is refused always, and lets others go before it from then on. A service
        // with too much to do for everybody names no time, and is not asked again at once.
        let is_told = wait.is_some_and(|wait| !wait.is_zero());
        let is_overload = matches!(failure.status, Some(503 | 529)) && !is_told;
        let own = match throttled - u32::from(!is_overload) {
            0 => Duration::ZERO,
            times => backoff_wait(self.rules.seed, back.index, times),
        };
        match own.is_zero() {
            true => self.make_ready(back.index),
            false => self.schedule_retry(now, back.index, own),
        }
        let until = self.router.endpoint_mut(back.endpoint).rate.paused_until(now);
        let wait = until.map_or(Duration::ZERO, |until| until.since(now));
        self.show_retry(back, failure, wait.max(own), effects);
    }

    fn on_transient(
        &mut self,
        now: Time,
        back: &ReturnedAsk,
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
            self.router.endpoint_mut(back.endpoint).rate.pause(now, wait);
        }
        if self.outage.is_some() {
            self.on_outage_failure(now, back, failure, effects);
            return;
        }
        let most = self.rules.bounds.slots_max.max(1);
        let answered = self.failures.answered_count();
        let held = self.active.get_mut(&back.index).expect("a failed question is held");
        let first_failed_at = *held.first_failed_at.get_or_insert(answered);
        let is_new = first_failed_at == answered;
        if self.router.are_several()
            && self.on_endpoint_failure(now, back, &failure, is_new, effects)
        {
            return;
        }
        let is_out = self.failures.failed(first_failed_at, self.asks_in_flight.len(), most);
        if is_out && !self.router.are_several() {
            self.begin_outage(now, back, failure, effects);
            return;
        }
        self.retry_or_give_up(now, back, failure, TRANSIENT_RETRIES_MAX, effects);
    }

    /// What answers is no API, or not there. Before the first answer it is the address, unless it is
    /// one reply among others that are still on their way.
    fn on_misdirected(
        &mut self,
        now: Time,
        back: ReturnedAsk,
        failure: Failure,
        effects: &mut Vec<Effect>,
    ) {
        if self.answers_count > 0 {
            match failure.status {
                Some(400..=499) => self.on_refused(now, back, failure, effects),
                _ => self.on_transient(now, &back, failure, effects),
            }
            return;
        }
        self.misdirected += 1;
        if self.stop.is_some() {
            self.make_ready(back.index);
        } else if self.asks_in_flight.is_empty() || self.misdirected >= MISDIRECTED_MAX {
            self.make_ready(back.index);
            self.systemic_failure.clear();
            self.stop(EndReason::WrongSettings(Box::new(failure)));
        } else {
            self.retry_or_give_up(now, &back, failure, TRANSIENT_RETRIES_MAX, effects);
        }
    }

    /// A failure that costs its question one of its retries, of which it has so many.
    pub(crate) fn retry_or_give_up(
        &mut self,
        now: Time,
        back: &ReturnedAsk,
        failure: Failure,
        retries_max: u32,
        effects: &mut Vec<Effect>,
    ) {
        let held = self.active.get_mut(&back.index).expect("a failed question is held");
        held.failures += 1;
        let failures = held.failures;
        let most = retries_max + u32::from(planted(Mutant::AttemptsOffByOne));
        if failures > most && !planted(Mutant::RetryPastTheLimit) {
            self.end_question(now, Arc::clone(&back.question), Fault::GaveUp, failure, effects);
            return;
        }
        let wait = backoff_wait(self.rules.seed, back.index, failures);
        let wait = wait.max(failure.wait.unwrap_or_default());
        let wait = if planted(Mutant::HiccupNotWaited) { Duration::from_millis(1) } else { wait };
        self.schedule_retry(now, back.index, wait);
        self.show_retry(back, failure, wait, effects);
    }

    /// Takes a failure at one of several places; `is_new` where its question had not failed before the
    /// last answer. True where that is all that follows: the place is taken for dead, or none answers.
    fn on_endpoint_failure(
        &mut self,
        now: Time,
        back: &ReturnedAsk,
        failure: &Failure,
        is_new: bool,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let slots_max = self.rules.bounds.slots_max;
        let lane = self.router.endpoint_mut(back.endpoint);
        let was_dead = lane.is_circuit_open();
        let dies = is_new && lane.on_failure(slots_max);
        if dies {
            lane.open_circuit(now);
            let (model, endpoint) = (lane.spec.model, lane.spec.endpoint);
            let failure = Box::new(failure.clone());
            effects.push(Effect::Show(Notice::EndpointDown { model, endpoint, failure }));
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
        back: &ReturnedAsk,
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

    fn on_key_refused(&mut self, back: &ReturnedAsk, failure: Failure, effects: &mut Vec<Effect>) {
        self.make_ready(back.index);
        self.stop(EndReason::KeyRefused(Box::new(failure)));
        // Before any success nothing on its way can be worth waiting for; after one it may be paid.
        if self.answers_count == 0 || planted(Mutant::PaidAsksDroppedWithTheKey) {
            self.abandon_all(effects);
        }
    }

    fn on_refused(
        &mut self,
        now: Time,
        back: ReturnedAsk,
        failure: Failure,
        effects: &mut Vec<Effect>,
    ) {
        self.on_service_responded(now, back.endpoint, effects);
        if matches!(self.stop, Some(EndReason::WrongSettings(_))) {
            self.make_ready(back.index);
            return;
        }
        if self.rules.pause_on_error || self.stop.is_some() {
            self.reject(now, back.question, failure, effects);
            return;
        }
        self.active.remove(&back.index);
        for (question, failure) in
            self.systemic_failure.refused(back.question, failure, self.answers_count > 0)
        {
            self.reject(now, question, failure, effects);
        }
    }

    /// Judges whether refusals are the settings' or the key's: true while nothing is asked because it
    /// may be refused whatever it is. Where all that was on its way is back, and no answer among it,
    /// the run ends.
    pub(crate) fn detect_systemic_failure(&mut self) -> bool {
        let verdict = self.systemic_failure.verdict(self.answers_count > 0);
        let Some(failure) = verdict.filter(|_| self.outage.is_none()) else { return false };
        // Nothing is left that could be marked wrongly.
        if self.answers_count > 0 && self.read.ended && self.active.is_empty() {
            return false;
        }
        if self.asks_in_flight.is_empty() {
            let failure = Box::new(failure.clone());
            self.systemic_failure.clear();
            self.stop(match failure.class {
                FailureClass::Forbidden => EndReason::KeyRefused(failure),
                _ => EndReason::WrongSettings(failure),
            });
        }
        true
    }

    /// What the model has written, be it half or nothing, proves settings and key; at the end of a
    /// run, too, questions that waited for a verdict are taken as refused.
    pub(crate) fn clear_systemic_failure(&mut self, now: Time, effects: &mut Vec<Effect>) {
        for (question, failure) in self.systemic_failure.clear() {
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
        self.end_question(now, question, Fault::Rejected, failure, effects);
    }

    /// A question ends without an answer: marked ERROR, and the run goes on.
    pub(crate) fn end_question(
        &mut self,
        now: Time,
        question: Arc<Question>,
        fault: Fault,
        failure: Failure,
        effects: &mut Vec<Effect>,
    ) {
        self.active.remove(&question.index);
        self.custody.ended(now, &question, fault, &failure, effects);
        effects.push(Effect::Show(Notice::Ended { question, fault, failure: Box::new(failure) }));
        if self.rules.pause_on_error && !planted(Mutant::PauseForgotten) {
            self.stop(EndReason::Paused);
        }
    }
}

fn has_text(failure: &Failure) -> bool {
    let partial = failure.partial.as_deref();
    partial.is_some_and(|answer| !answer.content.is_empty() || !answer.reasoning.is_empty())
}
