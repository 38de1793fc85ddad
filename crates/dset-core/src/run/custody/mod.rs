//! What a run owes: the state of every wanted answer, what of it is durable, in which order it
//! comes in the outputs, and which rows are marked.
//!
//! Keeps the promise that a row reaches an output only after its record is durable, and a mark the
//! input only after the record of it. Knows nothing of endpoints, retries or rates.

mod journal;
mod marks;
mod placing;
mod state;

use std::sync::Arc;
use std::time::Duration;

use crate::answer::{Failure, FailureClass};
use crate::item::question::{Question, QuestionId, QuestionIndex};
use crate::plan::ledger::{Fault, Ledger};
use crate::plan::{PlanSummary, Planned};
use crate::run::custody::journal::Journal;
use crate::run::custody::marks::MarkSchedule;
use crate::run::custody::placing::Placing;
use crate::run::custody::state::QuestionState;
use crate::run::effect::{Effect, JournalRecord};
use crate::run::event::Seq;
use crate::time::Time;

/// What is owed, and what became of it.
#[derive(Debug, Default)]
pub(super) struct Custody {
    states: Vec<QuestionState>,
    /// Consecutive entries of `states` that belong to one row; at least 1 once a run has started.
    per_row: u32,
    ledger: Ledger,
    journal: Journal,
    placing: Placing,
    marks: MarkSchedule,
}

impl Custody {
    /// Takes the plan. Comes first, once.
    pub(super) fn start(&mut self, plan: PlanSummary) {
        assert!(self.states.is_empty(), "a run starts once");
        self.ledger = Ledger {
            questions: plan.states.len() as u64,
            answered: plan.count(Planned::Placed) + plan.count(Planned::Unplaced),
            presumed: plan.count(Planned::Presumed),
            rejected: plan.count(Planned::Truncated),
            gave_up: 0,
            pending: plan.count(Planned::Pending),
        };
        self.states = plan.states.into_iter().map(QuestionState::from).collect();
        self.per_row = plan.per_row.max(1);
        self.marks.want(plan.marks);
    }

    pub(super) fn ledger(&self) -> Ledger {
        self.ledger
    }

    /// Returns which row a wanted answer belongs to, from 0.
    pub(super) fn row(&self, index: QuestionIndex) -> QuestionIndex {
        index / self.per_row
    }

    pub(super) fn per_row(&self) -> u32 {
        self.per_row
    }

    /// Counts the answers that are not durable: each takes the slot of its ask.
    pub(super) fn unsynced(&self) -> usize {
        self.journal.unsynced()
    }

    /// Has a failed ask recorded; the question stays owed.
    pub(super) fn record_failure(&mut self, record: JournalRecord, effects: &mut Vec<Effect>) {
        debug_assert!(matches!(record, JournalRecord::Failed { .. }));
        self.journal.record(record, effects);
    }

    /// Takes an answer; `record` makes its record, told whether its row is complete with it.
    pub(super) fn answered(
        &mut self,
        question: &Question,
        record: impl FnOnce(bool) -> JournalRecord,
        effects: &mut Vec<Effect>,
    ) {
        self.states[question.index as usize] = QuestionState::Unsynced;
        let completes_row = self.is_row_answered(question.index);
        let seq = self.journal.record_answer(question.index, record(completes_row), effects);
        if completes_row {
            self.marks.answered(question.id, question.marked, seq);
        }
    }

    /// Tells whether a row has every answer that it is to get.
    fn is_row_answered(&self, index: QuestionIndex) -> bool {
        let first = index - index % self.per_row;
        (first..first + self.per_row).all(|at| self.states[at as usize].is_answered())
    }

    /// Takes that a question ended without an answer: it is recorded, and its row marked.
    pub(super) fn ended(
        &mut self,
        now: Time,
        question: &Arc<Question>,
        fault: Fault,
        failure: &Failure,
        effects: &mut Vec<Effect>,
    ) {
        let (state, count) = match fault {
            Fault::Rejected => (QuestionState::Rejected, &mut self.ledger.rejected),
            Fault::GaveUp => (QuestionState::GaveUp, &mut self.ledger.gave_up),
        };
        *count += 1;
        self.ledger.pending -= 1;
        self.states[question.index as usize] = state;
        let cut = failure.class == FailureClass::CutByLength;
        let cut_at_tokens =
            failure.partial.as_ref().and_then(|partial| partial.usage.output).filter(|_| cut);
        let question = Arc::clone(question);
        let (id, cause) = (question.id, failure.cause);
        let record = JournalRecord::Ended { question, fault, cause, at: now, cut_at_tokens };
        self.journal.record(record, effects);
        self.mark_row(id, effects);
    }

    /// Marks a row ERROR: in the store first, then in the file.
    pub(super) fn mark_row(&mut self, id: QuestionId, effects: &mut Vec<Effect>) {
        let seq = self.journal.record(JournalRecord::RowMarked { id }, effects);
        self.marks.set(id, seq);
    }

    /// Takes that the records up to `upto` are durable.
    pub(super) fn on_synced(&mut self, upto: Seq) {
        self.journal.synced(upto);
        while let Some(index) = self.journal.next_answer(upto) {
            self.states[index as usize] = QuestionState::Durable;
            self.ledger.answered += 1;
            self.ledger.pending -= 1;
        }
    }

    /// Takes that the store failed. The answers up to `upto` that were not durable are not in it:
    /// they stay pending in this session, and the engine has put them where the next finds them.
    pub(super) fn on_sync_failed(&mut self, upto: Seq) {
        self.journal.failed(upto);
        while let Some(index) = self.journal.next_answer(upto) {
            self.states[index as usize] = QuestionState::Pending;
        }
    }

    pub(super) fn on_emitted(&mut self, upto: u64) {
        self.placing.confirmed(upto);
    }

    pub(super) fn on_emit_failed(&mut self) {
        self.placing.failed();
    }

    pub(super) fn on_marked(&mut self, now: Time, took: Duration) {
        self.marks.written(now, took);
    }

    pub(super) fn on_mark_failed(&mut self, now: Time) {
        self.marks.failed(now);
    }

    /// Places the durable answers whose turn has come.
    pub(super) fn place(&mut self, effects: &mut Vec<Effect>) {
        if self.journal.has_failed() {
            return;
        }
        self.placing.place(&mut self.states, effects);
    }

    /// Begins to write the marks that are due.
    pub(super) fn mark_due(&mut self, now: Time, effects: &mut Vec<Effect>) {
        if !self.journal.has_failed() {
            effects.extend(self.marks.due(now, self.journal.settled()).map(Effect::Mark));
        }
    }

    /// Returns when marks that wait for their time may be written.
    pub(super) fn wake_at(&self) -> Option<Time> {
        self.marks.wake_at()
    }

    /// Gives out the last rows and marks; true once nothing of this is outstanding. `leave_unplaced`
    /// leaves answers that wait for an earlier question to the next run.
    pub(super) fn finish(&mut self, leave_unplaced: bool, effects: &mut Vec<Effect>) -> bool {
        if !self.journal.is_settled() {
            return false;
        }
        if !self.journal.has_failed() && !self.placing.has_failed() {
            if !leave_unplaced {
                self.placing.place_rest(&mut self.states, effects);
            }
            if !self.placing.flush(effects) {
                return false;
            }
        }
        effects.extend(self.marks.last(self.journal.has_failed()).map(Effect::Mark));
        !self.marks.is_busy()
    }

    /// Counts the answers that are durable and in no output.
    pub(super) fn unplaced(&self) -> u64 {
        self.states.iter().filter(|&&state| state == QuestionState::Durable).count() as u64
    }
}
