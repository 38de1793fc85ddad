//! In which order answers reach the outputs.

use super::Custody;
use super::question_state::QuestionState;
use crate::item::question::QuestionIndex;
use crate::planted::{PlantedBug, planted};
use crate::run::Effect;

/// What was given to the outputs.
#[derive(Debug, Default)]
pub(super) struct OutputProgress {
    /// Every question before this one has been placed or cannot be answered in this run.
    next: QuestionIndex,
    emitted: u64,
    confirmed: u64,
    flushed: bool,
    pub(super) failed: bool,
}

impl Custody {
    /// Rows up to this many are in the outputs.
    pub(crate) fn on_emitted(&mut self, upto: u64) {
        self.output.confirmed = self.output.confirmed.max(upto);
    }

    /// An output cannot be written: nothing more is placed.
    pub(crate) fn on_emit_failed(&mut self) {
        self.output.failed = true;
    }

    /// Places durable answers in the outputs, in the order of the input: a row waits for every
    /// earlier question that may still be answered in this run.
    pub(crate) fn place(&mut self, effects: &mut Vec<Effect>) {
        let mut questions = Vec::new();
        while let Some(&state) = self.states.get(self.output.next as usize) {
            let early = state == QuestionState::Unsynced && planted(PlantedBug::EmitBeforeDurable);
            if state.is_open() && !early && !planted(PlantedBug::PlacedOutOfOrder) {
                break;
            }
            if state == QuestionState::Durable || early {
                questions.push(self.output.next);
            }
            self.output.next += 1;
        }
        self.emit(questions, effects);
    }

    /// Places the durable answers that still wait, past the questions that stay unanswered.
    pub(crate) fn place_rest(&mut self, effects: &mut Vec<Effect>) {
        let rest = self.output.next..QuestionIndex::try_from(self.states.len()).expect("u32 rows");
        let questions =
            rest.filter(|&i| self.states[i as usize] == QuestionState::Durable).collect();
        self.emit(questions, effects);
    }

    /// Returns true once everything that was placed is in the outputs; until then they are flushed,
    /// once.
    pub(crate) fn flush(&mut self, effects: &mut Vec<Effect>) -> bool {
        let is_done = self.output.confirmed >= self.output.emitted;
        if !is_done && !std::mem::replace(&mut self.output.flushed, true) {
            effects.push(Effect::Flush);
        }
        is_done
    }

    /// Answers that are durable and in no output.
    pub(crate) fn unplaced_count(&self) -> u64 {
        self.states.iter().filter(|&&state| state == QuestionState::Durable).count() as u64
    }

    fn emit(&mut self, mut questions: Vec<QuestionIndex>, effects: &mut Vec<Effect>) {
        if questions.is_empty() || self.has_failed() {
            return;
        }
        if planted(PlantedBug::RowsReversed) {
            questions.reverse();
        }
        for &index in &questions {
            self.states[index as usize] = QuestionState::Placed;
        }
        self.output.emitted += questions.len() as u64;
        effects.push(Effect::Emit { upto: self.output.emitted, questions });
    }
}
