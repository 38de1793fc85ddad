//! What follows from a failure.

use std::sync::Arc;
use std::time::Duration;

use super::Dispatch;
use super::on_response::ReturnedAsk;
use super::router::EndpointIndex;
use crate::answer::{Cause, Failure, FailureClass, Refusal};
use crate::item::question::Question;
use crate::plan::ledger::Fault;
use crate::planted::{PlantedBug, planted};
use crate::rate::outage::AnswerCounts;
use crate::rate::retry::{
    RETRY_AFTER_MAX, THROTTLED_OTHERS_MIN, THROTTLES_MAX, TRANSIENT_RETRIES_MAX, backoff_wait,
};
use crate::run::context::Context;
use crate::run::{Effect, EndReason, JournalRecord, Notice};

/// So many replies of somebody who is no API are no accident, while nothing was answered.
const MISDIRECTED_MAX: u32 = 5;

impl Dispatch {
    pub(crate) fn on_failure(&mut self, cx: &mut Context<'_>, back: ReturnedAsk, failure: Failure) {
        let failure = blame_own_fields(&back.question, failure);
        cx.record(JournalRecord::Failed {
            question: Arc::clone(&back.question),
            ask: back.ask,
            place: back.endpoint,
            attempt: back.attempts,
            sent_at: back.sent_at,
            at: cx.now,
            failure: Box::new(failure.clone()),
            cost_most: back.cost_most,
        });
        if let Some(held) = self.active.get_mut(&back.index) {
            held.failed_with = Some(failure.cause);
        }
        if self.close_place(cx, &back, &failure) || self.ask_elsewhere(cx, &back, &failure) {
            return;
        }
        match failure.class {
            // What was written before it was paid for, and is bought anew: that is bounded.
            FailureClass::Throttled { wait, .. }
                if has_text(&failure) && wait.is_none_or(|wait| wait <= RETRY_AFTER_MAX) =>
            {
                let failure = Failure { wait: failure.wait.or(wait), ..failure };
                self.on_transient(cx, &back, failure);
            }
            FailureClass::Throttled { wait, .. } => {
                self.on_throttled(cx, &back, failure, wait);
            }
            FailureClass::Transient => self.on_transient(cx, &back, failure),
            FailureClass::Empty | FailureClass::OtherApi => {
                self.on_useless_reply(cx, &back, failure);
            }
            FailureClass::KeyRefused => self.on_key_refused(cx, &back, failure),
            FailureClass::OutOfMoney => {
                self.make_ready(cx.now, back.index);
                cx.shutdown.stop(EndReason::OutOfMoney(Box::new(failure)));
            }
            FailureClass::Refused(Refusal::Settings) => {
                self.make_ready(cx.now, back.index);
                self.systemic_failure.clear();
                cx.shutdown.stop(EndReason::WrongSettings(Box::new(failure)));
            }
            FailureClass::Refused(Refusal::Address) => self.on_misdirected(cx, back, failure),
            FailureClass::Refused(Refusal::Question) if self.has_worked() => {
                self.on_service_responded(cx, &back);
                self.reject(cx, back.question, failure);
            }
            FailureClass::Refused(Refusal::Request | Refusal::Question)
            | FailureClass::Forbidden => self.on_refused(cx, back, failure),
            FailureClass::Refused(Refusal::Moderation)
            | FailureClass::CutByLength
            | FailureClass::FailedCheck => {
                self.on_service_responded(cx, &back);
                if failure.partial.is_some() {
                    self.refute_systemic_failure(cx, back.sent_at);
                }
                self.reject(cx, back.question, failure);
            }
        }
    }

    fn on_throttled(
        &mut self,
        cx: &mut Context<'_>,
        back: &ReturnedAsk,
        failure: Failure,
        wait: Option<Duration>,
    ) {
        if let Some(wait) = wait.filter(|wait| *wait > RETRY_AFTER_MAX) {
            self.make_ready(cx.now, back.index);
            cx.shutdown.stop(EndReason::RetryAfterTooLong(Box::new(failure), wait));
            return;
        }
        if self.outage.is_some() {
            self.on_outage_failure(cx, back, failure);
            return;
        }
        if self.router.endpoint_mut(back.endpoint).rate.refused_throughout() && self.is_out() {
            self.begin_outage(cx, back, failure);
            return;
        }
        if cx.is_ending() {
            self.make_ready(cx.now, back.index);
            return;
        }
        let answered = self.failures.answers().all;
        let held = self.active.get_mut(&back.index).expect("a failed question is held");
        if held.throttled == 0 {
            held.first_throttled_at = answered;
        }
        held.throttled += 1;
        let (throttled, others) = (held.throttled, answered - held.first_throttled_at);
        if throttled > THROTTLES_MAX && others >= THROTTLED_OTHERS_MIN {
            self.end_question(cx, Arc::clone(&back.question), Fault::GaveUp, failure);
            return;
        }
        // The first time it is the first in line again, as soon as the pace allows. It may be the one
        // question that is refused always, and lets others go before it from then on. A service
        // with too much to do for everybody names no time, and is not asked again at once.
        let is_told = wait.is_some_and(|wait| !wait.is_zero());
        let is_overload = matches!(failure.status, Some(503 | 529)) && !is_told;
        let own = match throttled - u32::from(!is_overload) {
            0 => Duration::ZERO,
            times => backoff_wait(cx.rules.seed, back.index, times),
        };
        match own.is_zero() {
            true => self.make_ready(cx.now, back.index),
            false => self.schedule_retry(cx.now, back.index, own),
        }
        let until = self.router.endpoint_mut(back.endpoint).rate.paused_until(cx.now);
        let wait = until.map_or(Duration::ZERO, |until| until.since(cx.now));
        self.show_retry(cx, back, failure, wait.max(own));
    }

    fn on_transient(&mut self, cx: &mut Context<'_>, back: &ReturnedAsk, failure: Failure) {
        if cx.is_ending() {
            self.make_ready(cx.now, back.index);
            return;
        }
        // Hours are no wait between two tries of a question, which may be what the service stumbles
        // over: if it is the service, it is an outage.
        let failure =
            Failure { wait: failure.wait.filter(|wait| *wait <= RETRY_AFTER_MAX), ..failure };
        if let Some(wait) = failure.wait {
            self.router.endpoint_mut(back.endpoint).rate.pause(cx.now, wait);
        }
        if self.outage.is_some() {
            self.on_outage_failure(cx, back, failure);
            return;
        }
        let most = cx.rules.bounds.slots_max.max(1);
        let answered = self.failures.answers();
        let held = self.active.get_mut(&back.index).expect("a failed question is held");
        let first_failed_at = *held.first_failed_at.get_or_insert(answered);
        let in_flight = self.asks_in_flight.len();
        let is_out = self.failures.failed(cx.now, back.index, first_failed_at, in_flight, most);
        if self.router.are_several() {
            if self.on_endpoint_failure(cx, back, &failure, first_failed_at) {
                return;
            }
        } else if is_out {
            self.begin_outage(cx, back, failure);
            return;
        }
        self.retry_or_give_up(cx, back, failure, TRANSIENT_RETRIES_MAX);
    }

    /// What answers is no API, or not there. Before the first answer it is the address, unless it is
    /// one reply among others that are still on their way. What a proxy or a network says that wants a login is
    /// never about a question.
    fn on_misdirected(&mut self, cx: &mut Context<'_>, back: ReturnedAsk, failure: Failure) {
        let is_on_the_way =
            matches!(failure.cause, Cause::ProxyLogin | Cause::ProxyRefused | Cause::NetworkLogin);
        match failure.status {
            Some(400..=499) if self.has_worked() && !is_on_the_way => {
                return self.on_refused(cx, back, failure);
            }
            _ if self.answers_count > 0 => return self.on_transient(cx, &back, failure),
            _ => {}
        }
        self.misdirected += 1;
        if cx.is_ending() {
            self.make_ready(cx.now, back.index);
        } else if self.asks_in_flight.is_empty() || self.misdirected >= MISDIRECTED_MAX {
            self.make_ready(cx.now, back.index);
            self.systemic_failure.clear();
            cx.shutdown.stop(EndReason::WrongSettings(Box::new(failure)));
        } else {
            self.retry_or_give_up(cx, &back, failure, TRANSIENT_RETRIES_MAX);
        }
    }

    /// A failure that costs its question one of its retries, of which it has so many.
    pub(crate) fn retry_or_give_up(
        &mut self,
        cx: &mut Context<'_>,
        back: &ReturnedAsk,
        failure: Failure,
        retries_max: u32,
    ) {
        let held = self.active.get_mut(&back.index).expect("a failed question is held");
        held.failures += 1;
        let failures = held.failures;
        let most = retries_max + u32::from(planted(PlantedBug::AttemptsOffByOne));
        if failures > most && !planted(PlantedBug::RetryPastTheLimit) {
            self.end_question(cx, Arc::clone(&back.question), Fault::GaveUp, failure);
            return;
        }
        let wait = backoff_wait(cx.rules.seed, back.index, failures);
        let wait = wait.max(failure.wait.unwrap_or_default());
        let wait =
            if planted(PlantedBug::HiccupNotWaited) { Duration::from_millis(1) } else { wait };
        self.schedule_retry(cx.now, back.index, wait);
        self.show_retry(cx, back, failure, wait);
    }

    /// Takes a failure at one of several places. True where that is all that follows: the place is taken
    /// for dead, or none answers.
    fn on_endpoint_failure(
        &mut self,
        cx: &mut Context<'_>,
        back: &ReturnedAsk,
        failure: &Failure,
        first_failed_at: AnswerCounts,
    ) -> bool {
        let slots_max = cx.rules.bounds.slots_max;
        let lane = self.router.endpoint_mut(back.endpoint);
        let was_dead = lane.is_circuit_open();
        let is_new = self.failures.is_new(first_failed_at);
        let unrefuted = self.failures.is_unrefuted(first_failed_at).then_some(back.index);
        let dies = lane.on_failure(cx.now, is_new, unrefuted, slots_max);
        if dies {
            self.leave_alone(cx, back.endpoint, failure);
        }
        if (dies || was_dead) && self.is_out() {
            self.begin_outage(cx, back, failure.clone());
            return true;
        }
        if dies {
            self.make_ready(cx.now, back.index);
        }
        // What probes a dead place costs a retry all the same: it may be the question's own fault,
        // and would be asked for ever.
        dies
    }

    /// A place of several says what would end a run that has no other: true where it is left alone for
    /// that, and another is asked.
    fn close_place(&mut self, cx: &mut Context<'_>, back: &ReturnedAsk, failure: &Failure) -> bool {
        let is_for_good = match failure.class {
            FailureClass::KeyRefused
            | FailureClass::OutOfMoney
            | FailureClass::Refused(Refusal::Settings) => true,
            FailureClass::Throttled { wait: Some(wait), .. } if wait > RETRY_AFTER_MAX => false,
            _ => return false,
        };
        if !self.router.are_several() || !self.router.leaves_another(cx.now, back.endpoint) {
            return false;
        }
        let lane = self.router.endpoint_mut(back.endpoint);
        let is_news = !lane.is_circuit_open();
        if is_for_good {
            lane.close();
        }
        if is_news {
            self.leave_alone(cx, back.endpoint, failure);
        }
        if self.outage.is_some() {
            self.on_outage_failure(cx, back, failure.clone());
            return true;
        }
        self.make_ready(cx.now, back.index);
        self.show_retry(cx, back, failure.clone(), Duration::ZERO);
        true
    }

    /// A place that answers nothing says no to a question: true where another is to be asked before that
    /// counts. Once it has said so a few times, it is left alone.
    fn ask_elsewhere(
        &mut self,
        cx: &mut Context<'_>,
        back: &ReturnedAsk,
        failure: &Failure,
    ) -> bool {
        let may_be_the_place = matches!(
            failure.class,
            FailureClass::Empty
                | FailureClass::OtherApi
                | FailureClass::Forbidden
                | FailureClass::Refused(Refusal::Request | Refusal::Question | Refusal::Address)
        );
        if !may_be_the_place || !self.router.are_several() || self.outage.is_some() {
            return false;
        }
        let slots_max = cx.rules.bounds.slots_max;
        let is_address = failure.class == FailureClass::Refused(Refusal::Address);
        let is_doubted = self.router.endpoint_mut(back.endpoint).on_refusal() || is_address;
        let held = self.active.get_mut(&back.index).expect("a failed question is held");
        if !held.refused_at.contains(&back.endpoint) {
            held.refused_at.push(back.endpoint);
        }
        if !is_doubted || !self.router.has_another(back.endpoint, &held.refused_at) {
            return false;
        }
        let lane = self.router.endpoint_mut(back.endpoint);
        if lane.on_failure(cx.now, true, Some(back.index), slots_max) {
            self.leave_alone(cx, back.endpoint, failure);
        }
        self.make_ready(cx.now, back.index);
        self.show_retry(cx, back, failure.clone(), Duration::ZERO);
        true
    }

    fn leave_alone(&mut self, cx: &mut Context<'_>, lane: EndpointIndex, failure: &Failure) {
        let lane = self.router.endpoint_mut(lane);
        lane.open_circuit(cx.now);
        let (model, endpoint) = (lane.spec.model, lane.spec.endpoint);
        let failure = Box::new(failure.clone());
        cx.effects.push(Effect::Show(Notice::EndpointDown { model, endpoint, failure }));
    }

    pub(crate) fn show_retry(
        &self,
        cx: &mut Context<'_>,
        back: &ReturnedAsk,
        failure: Failure,
        wait: Duration,
    ) {
        if !cx.is_ending() {
            let question = Arc::clone(&back.question);
            let failure = Box::new(failure);
            cx.effects.push(Effect::Show(Notice::Retrying { question, failure, wait }));
        }
    }

    fn on_key_refused(&mut self, cx: &mut Context<'_>, back: &ReturnedAsk, failure: Failure) {
        self.make_ready(cx.now, back.index);
        cx.shutdown.stop(EndReason::KeyRefused(Box::new(failure)));
        // What is on its way may be paid for: it went with another key, or before this one was refused.
        if planted(PlantedBug::PaidAsksDroppedWithTheKey) {
            self.abandon_all(cx.effects);
        }
    }

    pub(crate) fn reject(
        &mut self,
        cx: &mut Context<'_>,
        question: Arc<Question>,
        failure: Failure,
    ) {
        self.end_question(cx, question, Fault::Rejected, failure);
    }

    /// A question ends without an answer: marked ERROR where it has none from before, and the run goes on.
    pub(crate) fn end_question(
        &mut self,
        cx: &mut Context<'_>,
        question: Arc<Question>,
        fault: Fault,
        failure: Failure,
    ) {
        self.let_go(question.index);
        cx.custody.on_failed(question.index, fault);
        self.settle_samples(cx, question.index);
        // There are enough without it.
        if cx.rules.enough.is_some() && !cx.custody.has_failed_question(question.index) {
            return;
        }
        let cut = failure.class == FailureClass::CutByLength;
        let cut_at_tokens =
            failure.partial.as_ref().and_then(|partial| partial.usage.output).filter(|_| cut);
        let stands = cx.custody.stands(question.index);
        if !stands {
            cx.record(JournalRecord::Ended {
                question: Arc::clone(&question),
                fault,
                cause: failure.cause,
                at: cx.now,
                cut_at_tokens,
            });
            cx.mark_row(question.id);
        }
        cx.effects.push(Effect::Show(Notice::Ended {
            question,
            fault,
            failure: Box::new(failure),
            stands,
        }));
        if cx.rules.pause_on_error && !planted(PlantedBug::PauseForgotten) {
            cx.shutdown.stop(EndReason::Paused);
        }
    }
}

/// Where a row has fields of its own for its request, they may be what a service takes for wrong settings.
fn blame_own_fields(question: &Question, failure: Failure) -> Failure {
    if question.params.is_none() || failure.cause != Cause::WrongSettings {
        return failure;
    }
    Failure { class: FailureClass::Refused(Refusal::Request), cause: Cause::Refused, ..failure }
}

fn has_text(failure: &Failure) -> bool {
    let partial = failure.partial.as_deref();
    partial.is_some_and(|answer| !answer.content.is_empty() || !answer.reasoning.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::params::Params;
    use crate::item::question::{Key, QuestionId};

    #[test]
    fn wrong_settings_are_the_rows_own_where_it_has_fields_of_its_own() {
        let id = QuestionId { text_hash: 0, ordinal: 0 };
        let plain = Question::new(0, 2, "q".into(), Key([0; 16]), id);
        let fields = serde_json::json!({ "top_p": 3 }).as_object().unwrap().clone();
        let own = Arc::new(Params::new(fields).unwrap());
        let with_fields = Question { params: Some(own), ..plain.clone() };
        let settings = FailureClass::Refused(Refusal::Settings);
        let refused = FailureClass::Refused(Refusal::Request);
        for (question, cause, class) in [
            (&plain, Cause::WrongSettings, settings),
            (&with_fields, Cause::WrongSettings, refused),
            (&with_fields, Cause::ModelNotServed, settings),
            (&with_fields, Cause::Redirect, settings),
        ] {
            let failure = Failure {
                class: settings,
                cause,
                status: Some(400),
                wait: None,
                message: String::new(),
                request_id: None,
                partial: None,
            };
            assert_eq!(blame_own_fields(question, failure).class, class, "{cause:?}");
        }
    }
}
