//! What is given to the store and to the outputs, and what became of it.

use super::{Effect, EndReason, JournalRecord, Machine, Seq};
use crate::item::question::{QuestionId, QuestionIndex};
use crate::planted::{Mutant, planted};
use crate::run::mark_schedule::QuestionState;

impl Machine {
    /// Marks a row ERROR: in the store first, then in the file.
    pub(crate) fn mark_row(&mut self, id: QuestionId, effects: &mut Vec<Effect>) {
        let seq = self.record(JournalRecord::RowMarked { id }, effects);
        self.marks.set(id, seq);
    }

    pub(crate) fn record(&mut self, record: JournalRecord, effects: &mut Vec<Effect>) -> Seq {
        self.records.given.0 += 1;
        effects.push(Effect::Record(self.records.given, record));
        self.records.given
    }

    pub(crate) fn on_synced(&mut self, upto: Seq) {
        assert!(upto <= self.records.given, "what is synced was given");
        self.records.synced = self.records.synced.max(upto);
        while let Some(&(seq, index)) = self.records.answers.front() {
            if seq > upto {
                break;
            }
            self.records.answers.pop_front();
            self.states[index as usize] = QuestionState::Durable;
            self.ledger.answered += 1;
            self.ledger.pending -= 1;
        }
    }

    /// The answers up to `upto` that were not durable are not in the store: they stay pending in
    /// this life, and the engine has put them where the next finds them.
    pub(crate) fn on_sync_failed(&mut self, upto: Seq) {
        self.records.failed = true;
        self.stop(EndReason::StoreFailed);
        self.records.synced = self.records.synced.max(upto);
        while self.records.answers.front().is_some_and(|&(seq, _)| seq <= upto) {
            let (_, index) = self.records.answers.pop_front().expect("there is a front");
            self.states[index as usize] = QuestionState::Pending;
        }
    }

    /// Places durable answers in the outputs, in the order of the input: a row waits for every
    /// earlier question that may still be answered in this run.
    pub(crate) fn place(&mut self, effects: &mut Vec<Effect>) {
        let mut questions = Vec::new();
        while let Some(&state) = self.states.get(self.output.next as usize) {
            let early = state == QuestionState::Unsynced && planted(Mutant::EmitBeforeDurable);
            if state.is_open() && !early && !planted(Mutant::PlacedOutOfOrder) {
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

    fn emit(&mut self, mut questions: Vec<QuestionIndex>, effects: &mut Vec<Effect>) {
        if questions.is_empty() || self.output.failed || self.records.failed {
            return;
        }
        if planted(Mutant::RowsReversed) {
            questions.reverse();
        }
        for &index in &questions {
            self.states[index as usize] = QuestionState::Placed;
        }
        self.output.emitted += questions.len() as u64;
        effects.push(Effect::Emit { upto: self.output.emitted, questions });
    }
}
