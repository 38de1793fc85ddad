//! Replies that hold no answer though the service is there: either the model wrote nothing that is
//! one, or what speaks there is no chat API.
//!
//! A question may be such by itself, and is asked again a few times. Where several different ones are
//! so, one after the other and with no answer between them, it is not they: nothing more is asked until
//! what is on its way is back, and without an answer among it the run ends, and says why. A question that
//! is asked again says nothing new: those that are so by themselves are what is left in the end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::Dispatch;
use super::on_response::ReturnedAsk;
use crate::answer::{Failure, FailureClass};
use crate::item::question::{QuestionId, QuestionIndex};
use crate::plan::ledger::Fault;
use crate::rate::retry::TRANSIENT_RETRIES_MAX;
use crate::run::EndReason;
use crate::run::context::Context;
use crate::time::Time;

/// How often a question is asked again that got such a reply: each may have been paid for.
const RETRIES_MAX: u32 = 2;

/// So many different questions in a row without an answer are not by themselves so, before the first
/// answer and after it.
const ALIKE_AT_FIRST: usize = 5;
const ALIKE_LATER: usize = 10;
/// A reply of another API is clear enough to need fewer.
const OTHER_API_AT_FIRST: usize = 3;

/// The questions without an answer since the last answer, and the last reply of theirs.
#[derive(Debug, Default)]
pub(crate) struct UselessReplies {
    questions: BTreeSet<QuestionIndex>,
    /// Several of them may be samples of one row.
    rows: BTreeSet<QuestionId>,
    last: Option<Failure>,
    /// Before the first answer: those that are not asked again while there are others to ask, which
    /// tell more of the service than they do.
    pub(crate) parked: BTreeSet<QuestionIndex>,
    /// There are no others.
    has_no_others: bool,
}

impl UselessReplies {
    /// So many questions are held at the least while it is open whether any gets an answer.
    pub(crate) fn active_min(&self) -> usize {
        if self.parked.is_empty() { 0 } else { self.parked.len() + 2 * ALIKE_AT_FIRST }
    }
}

impl Dispatch {
    /// Takes a reply that holds no answer.
    pub(crate) fn on_useless_reply(
        &mut self,
        cx: &mut Context<'_>,
        back: &ReturnedAsk,
        failure: Failure,
    ) {
        if cx.is_ending() {
            self.make_ready(cx.now, back.index);
            return;
        }
        let held = self.active.get_mut(&back.index).expect("a failed question is held");
        let is_new = held.useless == 0 && !back.question.has_failed;
        held.useless += 1;
        let counts = is_new || failure.class == FailureClass::OtherApi;
        if counts {
            self.useless.questions.insert(back.index);
            self.useless.rows.insert(back.question.id);
        }
        self.useless.last = Some(failure.clone());
        self.on_service_responded(cx, back);
        if failure.class == FailureClass::Empty {
            self.refute_systemic_failure(cx, back.sent_at);
        }
        let has_worked = self.has_worked();
        let held = self.active.get_mut(&back.index).expect("a failed question is held");
        if counts && !has_worked && !self.useless.has_no_others && !cx.rules.pause_on_error {
            held.failures += 1;
            self.useless.parked.insert(back.index);
            self.show_retry(cx, back, failure, Duration::ZERO);
            return;
        }
        // What else went wrong with it before has cost none of these.
        let retries = if held.useless > RETRIES_MAX { 0 } else { TRANSIENT_RETRIES_MAX };
        self.retry_or_give_up(cx, back, failure, retries);
    }

    /// Forgets what was useless: there is an answer.
    pub(crate) fn clear_useless(&mut self, now: Time) {
        self.release_parked(now);
        self.useless = UselessReplies::default();
    }

    fn release_parked(&mut self, now: Time) {
        for index in std::mem::take(&mut self.useless.parked) {
            self.make_ready(now, index);
        }
    }

    /// Asks parked questions again where there is nothing else to ask.
    fn retry_parked_if_idle(&mut self, now: Time) {
        let is_idle = self.asks_in_flight.is_empty()
            && self.waiting.is_empty()
            && self.ready.iter().all(BTreeSet::is_empty);
        if is_idle && self.read.ended && !self.useless.parked.is_empty() {
            self.useless.has_no_others = true;
            self.release_parked(now);
        }
    }

    fn give_up_all(
        &mut self,
        cx: &mut Context<'_>,
        questions: &BTreeSet<QuestionIndex>,
        last: &Failure,
    ) {
        for index in questions {
            let Some(held) = self.active.get(index) else { continue };
            let question = Arc::clone(&held.question);
            self.dequeue(*index);
            self.end_question(cx, question, Fault::GaveUp, last.clone());
        }
    }

    /// Judges whether no question gets an answer: true while nothing is asked for that.
    pub(crate) fn judge_useless(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(last) = self.useless.last.as_ref().filter(|_| self.outage.is_none()) else {
            return false;
        };
        let has_worked = self.has_worked();
        let is_other = last.class == FailureClass::OtherApi;
        let most = match has_worked {
            true => ALIKE_LATER,
            false if is_other => OTHER_API_AT_FIRST,
            false => ALIKE_AT_FIRST,
        };
        let is_alone = || self.active.keys().all(|index| self.useless.questions.contains(index));
        let is_all = is_other && !has_worked && self.read.ended && is_alone();
        if self.useless.rows.len() < most && !is_all {
            self.retry_parked_if_idle(cx.now);
            return false;
        }
        // Nothing is left that could be asked in vain.
        if self.read.ended && self.active.is_empty() {
            return false;
        }
        if self.asks_in_flight.is_empty() {
            let last = last.clone();
            let useless = std::mem::take(&mut self.useless);
            cx.shutdown.stop(EndReason::WrongSettings(Box::new(last.clone())));
            // The settings are known to be good: the next run is to begin behind these.
            if has_worked && self.answers_count == 0 {
                self.give_up_all(cx, &useless.questions, &last);
            }
        }
        true
    }
}
