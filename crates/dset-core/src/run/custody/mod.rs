//! Custody: what was paid for, until it is durable and in its place.
//!
//! Every answer is a record; a record is durable when the store says so; a durable answer is placed
//! in the outputs in the order of the input, once. Between its coming and its being durable an answer
//! keeps the slot of its ask, so that a crash costs at most as many answers as there are slots. What is
//! asked, and when, is none of its business ([`crate::run::dispatch`]).

mod mark_schedule;
mod placing;
mod question_state;

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;

use self::mark_schedule::MarkSchedule;
use self::placing::OutputProgress;
use self::question_state::QuestionState;
use crate::item::error_marks::InputMarks;
use crate::item::question::{QuestionId, QuestionIndex};
use crate::plan::Redo;
use crate::plan::ledger::{Fault, Ledger};
use crate::run::{Effect, JournalRecord, PlanSummary, Planned, Seq};
use crate::time::Time;

/// What a run owes for what it has asked.
#[derive(Debug)]
pub(crate) struct Custody {
    states: Vec<QuestionState>,
    /// Those to be asked whose row is in the outputs already.
    placed_before: BTreeSet<QuestionIndex>,
    /// Those among them that were answered.
    outdated: u64,
    /// Rows that are asked again on purpose.
    redo: Redo,
    /// Samples are left out because there are enough.
    drops_samples: bool,
    /// Entries of the plan that belong to one row of the input.
    per_row: u32,
    ledger: Ledger,
    records: StoreProgress,
    output: OutputProgress,
    pub(crate) marks: MarkSchedule,
}

/// What was given to the store.
#[derive(Debug, Default)]
struct StoreProgress {
    given: Seq,
    synced: Seq,
    /// Answers that keep a slot until they are durable, in the order they were given.
    answers: VecDeque<(Seq, Held)>,
    failed: bool,
}

/// An answer that keeps a slot.
#[derive(Debug, Clone, Copy)]
enum Held {
    /// It is accepted, and the one that counts for this question.
    Accepted(QuestionIndex),
    /// It is not.
    Failed,
}

impl Default for Custody {
    fn default() -> Custody {
        Custody {
            states: Vec::new(),
            placed_before: BTreeSet::new(),
            outdated: 0,
            redo: Redo::default(),
            drops_samples: false,
            per_row: 1,
            ledger: Ledger::default(),
            records: StoreProgress::default(),
            output: OutputProgress::default(),
            marks: MarkSchedule::default(),
        }
    }
}

impl Custody {
    /// Takes over what the plan says of every question.
    pub(crate) fn start(&mut self, plan: PlanSummary) {
        assert!(self.states.is_empty(), "a run starts once");
        let Redo { answered_beside, presumed_beside, .. } = plan.redo;
        let questions = plan.states.len() as u64 - plan.count(Planned::LeftOut);
        let answered = plan.count(Planned::Placed) + plan.count(Planned::Unplaced);
        self.ledger = Ledger {
            questions: questions - answered_beside - presumed_beside,
            answered: answered - answered_beside,
            presumed: plan.count(Planned::Presumed) - presumed_beside,
            rejected: plan.count(Planned::Failed),
            gave_up: 0,
            pending: plan.count(Planned::Pending),
        };
        self.states = plan.states.into_iter().map(QuestionState::from).collect();
        self.per_row = plan.per_row.max(1);
        self.placed_before = plan.placed_before;
        self.redo = plan.redo;
        self.marks.want(plan.marks);
    }

    /// Where every question stands.
    pub(crate) fn ledger(&self) -> Ledger {
        self.ledger
    }

    /// Entries of the plan that belong to one row of the input, from 1.
    pub(crate) fn per_row(&self) -> u32 {
        self.per_row
    }

    /// Answers that have come and are not durable yet.
    pub(crate) fn unsynced_count(&self) -> usize {
        self.records.answers.len()
    }

    /// Hands a record to the store.
    pub(crate) fn record(&mut self, record: JournalRecord, effects: &mut Vec<Effect>) -> Seq {
        self.records.given.0 += 1;
        effects.push(Effect::Record(self.records.given, record));
        self.records.given
    }

    /// An answer has come that is accepted.
    pub(crate) fn on_answer(&mut self, index: QuestionIndex) {
        self.states[index as usize] = QuestionState::Unsynced;
    }

    /// Returns true if the row of this question has every answer that it is to get.
    pub(crate) fn is_row_complete(&self, index: QuestionIndex) -> bool {
        let first = index - index % self.per_row;
        let mut row = (first..first + self.per_row).map(|at| (at, self.states[at as usize]));
        row.all(|(at, state)| {
            state.is_answered()
                || state == QuestionState::LeftOut && self.drops_samples
                || self.stands(at)
        })
    }

    /// Returns true if a question has an accepted answer from before, which counts until another is
    /// accepted.
    pub(crate) fn stands(&self, index: QuestionIndex) -> bool {
        self.redo.stands.contains(&index)
    }

    /// Counts the questions that ended without another accepted answer than the one they had.
    pub(crate) fn standing_count(&self) -> u64 {
        self.redo.stands.iter().filter(|at| self.has_failed_question(**at)).count() as u64
    }

    /// Counts the answers that came while the outputs have another for their rows.
    pub(crate) fn outdated_count(&self) -> u64 {
        self.outdated
    }

    /// Returns true if a question has ended without an accepted answer.
    pub(crate) fn has_failed_question(&self, index: QuestionIndex) -> bool {
        matches!(self.states[index as usize], QuestionState::Rejected | QuestionState::GaveUp)
    }

    /// Counts the accepted answers among these.
    pub(crate) fn accepted_count(&self, of: Range<QuestionIndex>) -> usize {
        of.filter(|at| self.states[*at as usize].is_answered()).count()
    }

    /// An answer is not wanted any more: it counts no longer, wherever it stands.
    pub(crate) fn leave_out(&mut self, index: QuestionIndex) {
        let state = &mut self.states[index as usize];
        let term = match state {
            QuestionState::Pending => &mut self.ledger.pending,
            QuestionState::Rejected => &mut self.ledger.rejected,
            QuestionState::GaveUp => &mut self.ledger.gave_up,
            _ => return,
        };
        *term -= 1;
        self.ledger.questions -= 1;
        *state = QuestionState::LeftOut;
        self.drops_samples = true;
    }

    /// The answer to this question is in record `seq`; until that is durable it keeps a slot.
    pub(crate) fn hold_answer(&mut self, seq: Seq, index: QuestionIndex) {
        self.records.answers.push_back((seq, Held::Accepted(index)));
    }

    /// An answer that is not accepted is in record `seq`; until that is durable it keeps a slot.
    pub(crate) fn hold_failed(&mut self, seq: Seq) {
        self.records.answers.push_back((seq, Held::Failed));
    }

    /// A question has ended without an answer.
    pub(crate) fn on_failed(&mut self, index: QuestionIndex, fault: Fault) {
        let (state, count) = match fault {
            Fault::Rejected => (QuestionState::Rejected, &mut self.ledger.rejected),
            Fault::GaveUp => (QuestionState::GaveUp, &mut self.ledger.gave_up),
        };
        *count += 1;
        self.ledger.pending -= 1;
        self.states[index as usize] = state;
    }

    /// Marks a row ERROR: in the store first, then in the file.
    pub(crate) fn mark_row(&mut self, id: QuestionId, effects: &mut Vec<Effect>) {
        let seq = self.record(JournalRecord::RowMarked { id }, effects);
        self.marks.set(id, seq);
    }

    /// Records up to `upto` are durable.
    pub(crate) fn on_synced(&mut self, upto: Seq) {
        assert!(upto <= self.records.given, "what is synced was given");
        self.records.synced = self.records.synced.max(upto);
        while let Some(&(seq, held)) = self.records.answers.front() {
            if seq > upto {
                break;
            }
            self.records.answers.pop_front();
            let Held::Accepted(index) = held else { continue };
            // A row that is in the outputs is not written twice: it is a rebuild's to replace it.
            let was_placed = self.placed_before.contains(&index);
            self.outdated += u64::from(was_placed);
            self.states[index as usize] =
                if was_placed { QuestionState::Placed } else { QuestionState::Durable };
            self.ledger.answered += 1;
            self.ledger.pending -= 1;
        }
    }

    /// The answers up to `upto` that were not durable are not in the store: they stay pending in
    /// this session, and the engine has put them where the next one finds them.
    pub(crate) fn on_sync_failed(&mut self, upto: Seq) {
        self.records.failed = true;
        self.records.synced = self.records.synced.max(upto);
        while self.records.answers.front().is_some_and(|&(seq, _)| seq <= upto) {
            let (_, held) = self.records.answers.pop_front().expect("there is a front");
            if let Held::Accepted(index) = held {
                self.states[index as usize] = QuestionState::Pending;
            }
        }
    }

    /// Returns true once everything that was given to the store is durable or has failed.
    pub(crate) fn is_synced(&self) -> bool {
        self.records.synced >= self.records.given
    }

    /// Returns true if the store could not be written.
    pub(crate) fn has_store_failed(&self) -> bool {
        self.records.failed
    }

    /// Returns true if the store or an output could not be written.
    pub(crate) fn has_failed(&self) -> bool {
        self.records.failed || self.output.failed
    }

    /// Returns the marks that are to be written now; none after a record has failed.
    pub(crate) fn marks_due(&mut self, now: Time) -> Option<InputMarks> {
        if self.records.failed { None } else { self.marks.due(now, self.records.synced) }
    }

    /// Returns the marks that are to be written at the end.
    pub(crate) fn marks_last(&mut self) -> Option<InputMarks> {
        self.marks.last(self.records.failed)
    }
}
