//! What follows from a reply.

use std::sync::Arc;

use super::books::State;
use super::{Effect, Machine, Notice, Record};
use crate::answer::{Answer, FailureClass, Reading};
use crate::item::question::{Question, QuestionIndex};
use crate::planted::{Bug, planted};
use crate::rate::Back;
use crate::run::ask::AskId;
use crate::run::router::LaneIndex;
use crate::time::Time;

/// An ask that has come back.
pub(crate) struct Returned {
    pub(crate) ask: AskId,
    pub(crate) index: QuestionIndex,
    pub(crate) lane: LaneIndex,
    pub(crate) sent_at: Time,
    pub(crate) attempts: u32,
    pub(crate) question: Arc<Question>,
}

/// What a reply says about the pace.
fn says(reading: &Reading) -> Back {
    let failure = match reading {
        Reading::Answer(_) => return Back::Answered { tokens: tokens(reading) },
        Reading::Failure(failure) => failure,
    };
    match failure.class {
        FailureClass::Throttled { wait, .. } if matches!(failure.status, Some(503 | 529)) => {
            Back::Overloaded { wait }
        }
        FailureClass::Throttled { wait, width } => Back::Refused { wait, named: width },
        FailureClass::CutByLength | FailureClass::Empty => {
            Back::Answered { tokens: tokens(reading) }
        }
        _ => Back::Nothing,
    }
}

/// Tokens in and out, where counted.
fn tokens(reading: &Reading) -> Option<u64> {
    let usage = match reading {
        Reading::Answer(answer) => answer.usage,
        Reading::Failure(failure) => failure.partial.as_ref()?.usage,
    };
    usage.output.map(|output| usage.input.unwrap_or(0) + output)
}

/// What an answer to this prompt takes: as it was counted, and of a side that was not counted some
/// three bytes a token.
fn tokens_about(reading: &Reading, prompt: &str) -> Option<u64> {
    let Reading::Answer(answer) = reading else { return None };
    let about = |bytes: usize| bytes as u64 / 3;
    let input = answer.usage.input.unwrap_or_else(|| about(prompt.len()));
    let written = || about(answer.content.len() + answer.reasoning.len());
    Some(input + answer.usage.output.unwrap_or_else(written))
}

impl Machine {
    pub(crate) fn replied(
        &mut self,
        now: Time,
        ask: AskId,
        reading: Reading,
        effects: &mut Vec<Effect>,
    ) {
        let back = self.returned(now, ask, &reading);
        if self.stop.is_some() && planted(Bug::AnswerDroppedWhileStopping) {
            self.make_ready(back.index);
            return;
        }
        match reading {
            Reading::Answer(answer) => self.answered(now, back, answer, effects),
            Reading::Failure(failure) => self.failed(now, back, failure, effects),
        }
    }

    /// Takes an ask off its way, and tells the pace what its return says.
    pub(crate) fn returned(&mut self, now: Time, ask: AskId, reading: &Reading) -> Returned {
        let flight = self.flights.remove(&ask).expect("an ask is answered once");
        let held = self.held.get(&flight.index).expect("a question on its way is held");
        let back = says(reading);
        let lane = self.lanes.at(flight.lane);
        if matches!(back, Back::Answered { .. }) {
            lane.latency.answered(now.since(flight.sent.at));
        }
        lane.back(now, ask);
        lane.pace.back(now, &flight.sent, back);
        let was_refused = matches!(back, Back::Refused { .. } | Back::Overloaded { .. });
        let taken = tokens_about(reading, &held.question.prompt).or_else(|| tokens(reading));
        self.minute.back(now, taken, was_refused);
        Returned {
            ask,
            index: flight.index,
            lane: flight.lane,
            sent_at: flight.sent.at,
            attempts: held.attempts,
            question: Arc::clone(&held.question),
        }
    }

    /// Takes the beginning of a reply, and how far it has come.
    pub(crate) fn progressed(&mut self, now: Time, ask: AskId, tokens: u64) {
        let Some(flight) = self.flights.get_mut(&ask) else { return };
        flight.tokens = flight.tokens.max(tokens);
        if !std::mem::replace(&mut flight.has_begun, true) {
            self.lanes.at(flight.lane).pace.accepted(now, &flight.sent);
        }
    }

    fn answered(&mut self, now: Time, back: Returned, answer: Answer, effects: &mut Vec<Effect>) {
        let over = self.service_works(now, back.lane, effects);
        self.answers_count += 1;
        self.is_of_use();
        self.clear_suspects(now, effects);
        if let Some((outage, failure)) = over {
            self.failed_alone(now, &back, &outage, *failure, effects);
        }
        self.held.remove(&back.index);
        effects.push(Effect::Show(Notice::Answered {
            question: Arc::clone(&back.question),
            took: now.since(back.sent_at),
            usage: answer.usage,
            attempts: back.attempts,
        }));
        let (id, marked) = (back.question.id, back.question.marked);
        self.states[back.index as usize] = State::Unsynced;
        let completes_row = self.is_row_answered(back.index);
        let seq = self.record(
            Record::Answered {
                question: back.question,
                ask: back.ask,
                attempts: back.attempts,
                sent_at: back.sent_at,
                at: now,
                answer: Box::new(answer),
                completes_row,
            },
            effects,
        );
        self.records.answers.push_back((seq, back.index));
        if completes_row {
            self.marks.answered(id, marked, seq);
        }
    }

    /// Tells whether a row has every answer that it is to get.
    fn is_row_answered(&self, index: QuestionIndex) -> bool {
        let first = index - index % self.per_row;
        (first..first + self.per_row).all(|at| self.states[at as usize].is_answered())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Usage;

    #[test]
    fn a_side_that_was_not_counted_counts_by_its_length() {
        let prompt = "a question of thirty-three bytes.";
        let about = |input, output| {
            let usage = Usage { input, output, ..Usage::default() };
            let answer = Answer { content: "four".repeat(6), usage, ..Answer::default() };
            tokens_about(&Reading::Answer(answer), prompt)
        };
        assert_eq!(about(Some(40), Some(160)), Some(200));
        assert_eq!(about(None, Some(160)), Some(171));
        assert_eq!(about(Some(40), None), Some(48));
        assert_eq!(about(None, None), Some(19));
    }
}
