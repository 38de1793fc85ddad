//! What follows from a reply.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::router::EndpointIndex;
use super::{Came, Dispatch};
use crate::acceptance::{Consequence, Verdicts};
use crate::answer::{Answer, FailureClass, ParsedReply};
use crate::item::content::Content;
use crate::item::question::{Question, QuestionIndex};
use crate::money::Amount;
use crate::planted::{PlantedBug, planted};
use crate::provider::is_unknown_end;
use crate::rate::ResponseSignal;
use crate::run::ask::AskId;
use crate::run::context::Context;
use crate::run::gate::payee::Bill;
use crate::run::{Effect, JournalRecord, Notice, Seq};
use crate::time::Time;

/// So many words that nobody knows are counted; a service has no more.
const UNKNOWN_ENDS_MAX: usize = 8;
/// So much of such a word is kept.
const END_CHARS_MAX: usize = 64;

/// An ask that has come back.
pub(crate) struct ReturnedAsk {
    pub(crate) ask: AskId,
    pub(crate) index: QuestionIndex,
    pub(crate) endpoint: EndpointIndex,
    pub(crate) sent_at: Time,
    pub(crate) attempts: u32,
    pub(crate) question: Arc<Question>,
    /// What it cost at most, where its reply came and was not counted, under a limit.
    pub(crate) cost_most: Option<Amount>,
    /// When its answer came, where that was recorded before it was judged.
    pub(crate) came_at: Option<Time>,
}

/// What a reply says about the pace.
fn response_signal(reading: &ParsedReply) -> ResponseSignal {
    let failure = match reading {
        ParsedReply::Answer(_) => return ResponseSignal::Answered { tokens: tokens(reading) },
        ParsedReply::Failure(failure) => failure,
    };
    match failure.class {
        FailureClass::Throttled { wait, .. } if matches!(failure.status, Some(503 | 529)) => {
            ResponseSignal::Overloaded { wait }
        }
        FailureClass::Throttled { wait, width } => ResponseSignal::Refused { wait, named: width },
        FailureClass::CutByLength | FailureClass::Empty => {
            ResponseSignal::Answered { tokens: tokens(reading) }
        }
        _ => ResponseSignal::Neutral,
    }
}

/// Tokens in and out, where counted.
fn tokens(reading: &ParsedReply) -> Option<u64> {
    let usage = match reading {
        ParsedReply::Answer(answer) => answer.usage,
        ParsedReply::Failure(failure) => failure.partial.as_ref()?.usage,
    };
    usage.output.map(|output| usage.input.unwrap_or(0) + output)
}

/// What an answer to this prompt takes: as it was counted, and of a side that was not counted some
/// three bytes a token.
fn tokens_about(reading: &ParsedReply, content: &Content) -> Option<u64> {
    let ParsedReply::Answer(answer) = reading else { return None };
    let about = |bytes: usize| bytes as u64 / 3;
    let input = answer.usage.input.unwrap_or_else(|| about(content.texts().map(str::len).sum()));
    let written = || about(answer.content.len() + answer.reasoning.len());
    Some(input + answer.usage.output.unwrap_or_else(written))
}

impl Dispatch {
    pub(crate) fn on_response(
        &mut self,
        cx: &mut Context<'_>,
        ask: AskId,
        reading: ParsedReply,
        verdicts: Option<Box<Verdicts>>,
    ) {
        let back = self.complete_ask(cx, ask, &reading);
        if cx.is_ending() && planted(PlantedBug::AnswerDroppedWhileStopping) {
            self.make_ready(cx.now, back.index);
            return;
        }
        match reading {
            ParsedReply::Answer(answer) => self.on_answer(cx, back, answer, verdicts),
            ParsedReply::Failure(failure) => {
                let index = back.index;
                self.on_failure(cx, back, failure);
                if self.is_enough(cx, index) {
                    self.settle_samples(cx, index);
                }
            }
        }
    }

    /// Takes an ask off its way, and tells the pace what its return says.
    pub(crate) fn complete_ask(
        &mut self,
        cx: &mut Context<'_>,
        ask: AskId,
        reading: &ParsedReply,
    ) -> ReturnedAsk {
        let flight = self.asks_in_flight.remove(&ask).expect("an ask is answered once");
        let has_begun = matches!(reading, ParsedReply::Answer(_));
        self.warmed(cx.now, flight.index, flight.warms_from, has_begun);
        let held = self.active.get(&flight.index).expect("a question on its way is held");
        let back = response_signal(reading);
        let lane = self.router.endpoint_mut(flight.endpoint);
        let came_at = flight.came.map(|came| came.at);
        let took = came_at.unwrap_or(cx.now).since(flight.sent.at);
        if matches!(back, ResponseSignal::Answered { .. }) {
            lane.latency.answered(took);
        }
        if let (Some(gate), ParsedReply::Answer(answer)) = (&mut cx.gates.tariff, reading) {
            gate.answered(cx.now, flight.endpoint, &answer.usage, took);
        }
        lane.on_return(cx.now, ask);
        lane.rate.on_return(cx.now, &flight.sent, back);
        let was_refused =
            matches!(back, ResponseSignal::Refused { .. } | ResponseSignal::Overloaded { .. });
        let taken = tokens_about(reading, &held.question.content).or_else(|| tokens(reading));
        cx.gates.on_return(cx.now, taken, was_refused);
        let cost_most = match (flight.came, reading) {
            (Some(came), _) => came.cost_most,
            (None, ParsedReply::Answer(answer)) => {
                cx.settle(&flight.paid(), &Bill::Answered(answer.usage, answer.cost))
            }
            (None, ParsedReply::Failure(failure)) => {
                cx.settle(&flight.paid(), &Bill::of_failure(failure))
            }
        };
        ReturnedAsk {
            ask,
            index: flight.index,
            endpoint: flight.endpoint,
            sent_at: flight.sent.at,
            attempts: held.attempts,
            question: Arc::clone(&held.question),
            cost_most,
            came_at,
        }
    }

    /// Takes an answer that is being judged: it is kept, whatever happens meanwhile.
    pub(crate) fn on_answer_came(
        &mut self,
        cx: &mut Context<'_>,
        ask: AskId,
        answer: Box<Answer>,
        verdicts: Box<Verdicts>,
    ) {
        let Some(flight) = self.asks_in_flight.get_mut(&ask) else { return };
        let held = self.active.get(&flight.index).expect("a question on its way is held");
        let cost_most = cx.settle(&flight.paid(), &Bill::Answered(answer.usage, answer.cost));
        flight.came = Some(Came { at: cx.now, cost_most });
        cx.record(JournalRecord::AnswerCame {
            question: Arc::clone(&held.question),
            ask,
            place: flight.endpoint,
            attempts: held.attempts,
            sent_at: flight.sent.at,
            at: cx.now,
            answer,
            verdicts,
            cost_most,
        });
        self.on_progress(cx.now, ask, 0);
    }

    /// Takes that an ask was dropped while its answer was being judged.
    pub(crate) fn on_not_judged(
        &mut self,
        cx: &mut Context<'_>,
        ask: AskId,
        answer: Box<Answer>,
        verdicts: Box<Verdicts>,
    ) {
        let came = self.asks_in_flight.get(&ask).and_then(|flight| flight.came);
        let reading = ParsedReply::Answer((*answer).clone());
        if came.is_none() {
            self.on_answer_came(cx, ask, answer, verdicts);
        }
        let back = self.complete_ask(cx, ask, &reading);
        self.let_go(back.index);
        self.leave_spares(cx, back.index);
    }

    /// Takes the beginning of a reply, and how far it has come.
    pub(crate) fn on_progress(&mut self, now: Time, ask: AskId, tokens: u64) {
        let Some(flight) = self.asks_in_flight.get_mut(&ask) else { return };
        flight.tokens = flight.tokens.max(tokens);
        if std::mem::replace(&mut flight.has_begun, true) {
            return;
        }
        self.router.endpoint_mut(flight.endpoint).rate.accepted(now, &flight.sent);
        let (index, from) = (flight.index, flight.warms_from.take());
        self.warmed(now, index, from, true);
    }

    fn on_answer(
        &mut self,
        cx: &mut Context<'_>,
        back: ReturnedAsk,
        answer: Answer,
        verdicts: Option<Box<Verdicts>>,
    ) {
        let over = self.on_service_responded(cx, &back);
        self.answers_count += 1;
        self.note_end(&answer.finish_reason);
        self.router.endpoint_mut(back.endpoint).on_answer();
        self.clear_useless(cx.now);
        self.refute_systemic_failure(cx, back.sent_at);
        if let Some((outage, failure)) = over {
            self.on_isolated_failure(cx, &back, &outage, *failure);
        }
        if let Some(verdicts) = &verdicts
            && verdicts.consequence() != Consequence::Accept
        {
            self.on_failed_check(cx, back, answer, verdicts);
            return;
        }
        self.unheard = None;
        self.let_go(back.index);
        cx.effects.push(Effect::Show(Notice::Answered {
            question: Arc::clone(&back.question),
            took: back.came_at.unwrap_or(cx.now).since(back.sent_at),
            usage: answer.usage,
            attempts: back.attempts,
        }));
        let (id, marked, index) = (back.question.id, back.question.marked, back.index);
        cx.custody.on_answer(index);
        self.settle_samples(cx, index);
        let completes_row = cx.custody.is_row_complete(index);
        let seq = record(cx, back, answer, completes_row, verdicts);
        cx.custody.hold_answer(seq, index);
        if completes_row {
            cx.custody.marks.answered(id, marked, seq);
        }
    }
}

impl Dispatch {
    fn note_end(&mut self, word: &str) {
        if !is_unknown_end(word) {
            return;
        }
        let word: String = word.chars().take(END_CHARS_MAX).collect();
        if self.unknown_ends.len() < UNKNOWN_ENDS_MAX || self.unknown_ends.contains_key(&word) {
            *self.unknown_ends.entry(word).or_default() += 1;
        }
    }

    /// Returns how many answers ended with each word that nobody knows.
    pub(crate) fn take_unknown_ends(&mut self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.unknown_ends)
    }
}

/// Hands an answer to the store that is accepted.
fn record(
    cx: &mut Context<'_>,
    back: ReturnedAsk,
    answer: Answer,
    completes_row: bool,
    verdicts: Option<Box<Verdicts>>,
) -> Seq {
    cx.record(JournalRecord::Answered {
        question: back.question,
        ask: back.ask,
        place: back.endpoint,
        attempts: back.attempts,
        sent_at: back.sent_at,
        at: back.came_at.unwrap_or(cx.now),
        answer: Box::new(answer),
        is_known: back.came_at.is_some(),
        completes_row,
        is_accepted: true,
        verdicts,
        cost_most: back.cost_most,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Usage;

    #[test]
    fn a_side_that_was_not_counted_counts_by_its_length() {
        let content = Content::Text("a question of thirty-three bytes.".into());
        let about = |input, output| {
            let usage = Usage { input, output, ..Usage::default() };
            let answer = Answer { content: "four".repeat(6), usage, ..Answer::default() };
            tokens_about(&ParsedReply::Answer(answer), &content)
        };
        assert_eq!(about(Some(40), Some(160)), Some(200));
        assert_eq!(about(None, Some(160)), Some(171));
        assert_eq!(about(Some(40), None), Some(48));
        assert_eq!(about(None, None), Some(19));
    }
}
