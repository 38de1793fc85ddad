//! What follows from a whole answer that is not accepted.
//!
//! It is kept like any other, and holds its slot until it is durable. Its question is asked again where
//! that may help and tries are left, and else ends as failed.

use std::sync::Arc;
use std::time::Duration;

use super::Dispatch;
use super::on_response::ReturnedAsk;
use crate::acceptance::{Consequence, Verdicts};
use crate::answer::{Answer, Cause, Failure, FailureClass};
use crate::planted::{PlantedBug, planted};
use crate::run::context::Context;
use crate::run::{EndReason, JournalRecord};

/// After so many answers without a verdict of the program that is to judge them, and none with one, it is the program.
const UNHEARD_MAX: u32 = 10;

impl Dispatch {
    /// Keeps an answer that is not accepted, and asks again or gives up.
    pub(crate) fn on_failed_check(
        &mut self,
        cx: &mut Context<'_>,
        back: ReturnedAsk,
        answer: Answer,
        verdicts: &Verdicts,
    ) {
        let cause = verdicts.rejection();
        let is_cut = cause == Cause::LengthLimit;
        let class = if is_cut { FailureClass::CutByLength } else { FailureClass::FailedCheck };
        // How far it came is remembered: under a higher limit it is asked again.
        let reached = Answer { usage: answer.usage, ..Answer::default() };
        let failure = Failure {
            class,
            cause,
            status: None,
            message: verdicts.summary(),
            wait: None,
            request_id: answer.request_id.clone(),
            partial: is_cut.then(|| Box::new(reached)),
        };
        let tries = back.question.tries();
        let has_more = tries < cx.rules.tries + u32::from(planted(PlantedBug::OneTryTooMany));
        let is_again = verdicts.consequence() == Consequence::Retry && has_more;
        let next = is_again.then(|| {
            back.question.another_try(&answer.content, verdicts.reasons(), cx.rules.retry)
        });
        let seq = cx.record(JournalRecord::Answered {
            question: Arc::clone(&back.question),
            ask: back.ask,
            place: back.endpoint,
            attempts: back.attempts,
            sent_at: back.sent_at,
            at: back.came_at.unwrap_or(cx.now),
            answer: Box::new(answer),
            is_known: back.came_at.is_some(),
            completes_row: false,
            is_accepted: false,
            verdicts: Some(Box::new(verdicts.clone())),
            cost_most: back.cost_most,
        });
        cx.custody.hold_failed(seq);
        self.unheard = self.unheard.filter(|_| verdicts.lack_a_program());
        let Some(next) = next else {
            self.reject(cx, back.question, failure.clone());
            self.detect_unheard_program(cx, failure);
            return;
        };
        let held = self.active.get_mut(&back.index).expect("a question that was asked is held");
        *held = super::ActiveQuestion::new(Arc::new(next));
        self.make_ready(cx.now, back.index);
        self.show_retry(cx, &back, failure, Duration::ZERO);
    }

    /// Ends a run whose program has said nothing of any answer, where more would be bought.
    fn detect_unheard_program(&mut self, cx: &mut Context<'_>, failure: Failure) {
        self.unheard = self.unheard.map(|count| count + 1);
        let is_over = self.read.ended && self.active.is_empty();
        let is_dead = self.unheard.is_some_and(|count| count >= UNHEARD_MAX);
        if is_dead && !is_over && !cx.is_ending() {
            let failure = Failure { cause: Cause::NoVerdict, ..failure };
            cx.shutdown.stop(EndReason::WrongSettings(Box::new(failure)));
        }
    }
}
