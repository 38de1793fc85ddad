//! The order in which durable answers come in the outputs, and how far the outputs have got.

use crate::item::question::QuestionIndex;
use crate::planted::{Mutant, planted};
use crate::run::custody::state::QuestionState;
use crate::run::effect::Effect;

/// What was given to the outputs.
#[derive(Debug, Default)]
pub(super) struct Placing {
    /// Every question before this one has been placed or cannot be answered in this run.
    next: QuestionIndex,
    emitted: u64,
    confirmed: u64,
    flushed: bool,
    failed: bool,
}

impl Placing {
    /// Places durable answers in the order of the input: a row waits for every earlier question
    /// that may still be answered in this run.
    pub(super) fn place(&mut self, states: &mut [QuestionState], effects: &mut Vec<Effect>) {
        let mut questions = Vec::new();
        while let Some(&state) = states.get(self.next as usize) {
            let early = state == QuestionState::Unsynced && planted(Mutant::EmitBeforeDurable);
            if state.is_open() && !early && !planted(Mutant::PlacedOutOfOrder) {
                break;
            }
            if state == QuestionState::Durable || early {
                questions.push(self.next);
            }
            self.next += 1;
        }
        self.emit(states, questions, effects);
    }

    /// Places the durable answers that still wait, past the questions that stay unanswered.
    pub(super) fn place_rest(&mut self, states: &mut [QuestionState], effects: &mut Vec<Effect>) {
        let rest = self.next..QuestionIndex::try_from(states.len()).expect("u32 rows");
        let questions = rest.filter(|&i| states[i as usize] == QuestionState::Durable).collect();
        self.emit(states, questions, effects);
    }

    fn emit(
        &mut self,
        states: &mut [QuestionState],
        mut questions: Vec<QuestionIndex>,
        effects: &mut Vec<Effect>,
    ) {
        if questions.is_empty() || self.failed {
            return;
        }
        if planted(Mutant::RowsReversed) {
            questions.reverse();
        }
        for &index in &questions {
            states[index as usize] = QuestionState::Placed;
        }
        self.emitted += questions.len() as u64;
        effects.push(Effect::Emit { upto: self.emitted, questions });
    }

    /// Takes that nothing is emitted any more: an output, or the store, has failed.
    pub(super) fn failed(&mut self) {
        self.failed = true;
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Takes that so many rows of this session are durable in every output.
    pub(super) fn confirmed(&mut self, upto: u64) {
        self.confirmed = self.confirmed.max(upto);
    }

    /// Tells whether all that was emitted is durable in the outputs; asks for that, once, if not.
    pub(super) fn flush(&mut self, effects: &mut Vec<Effect>) -> bool {
        if self.confirmed >= self.emitted {
            return true;
        }
        if !std::mem::replace(&mut self.flushed, true) {
            effects.push(Effect::Flush);
        }
        false
    }
}
