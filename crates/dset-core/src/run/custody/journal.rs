//! The records given to the store, and which of them are durable.

use std::collections::VecDeque;

use crate::item::question::QuestionIndex;
use crate::run::effect::{Effect, JournalRecord};
use crate::run::event::Seq;

/// The records of this session, in the order they were given.
#[derive(Debug, Default)]
pub(super) struct Journal {
    given: Seq,
    synced: Seq,
    /// Answers that are not durable, oldest first; at most as many as may be asked at once.
    answers: VecDeque<(Seq, QuestionIndex)>,
    failed: bool,
}

impl Journal {
    /// Gives the store a record; returns its number.
    pub(super) fn record(&mut self, record: JournalRecord, effects: &mut Vec<Effect>) -> Seq {
        self.given.0 += 1;
        effects.push(Effect::Record(self.given, record));
        self.given
    }

    /// Gives the store an answer, which stays [`Journal::unsynced`] until it is durable.
    pub(super) fn record_answer(
        &mut self,
        index: QuestionIndex,
        record: JournalRecord,
        effects: &mut Vec<Effect>,
    ) -> Seq {
        let seq = self.record(record, effects);
        self.answers.push_back((seq, index));
        seq
    }

    /// Takes that the records up to `upto` are durable.
    pub(super) fn synced(&mut self, upto: Seq) {
        assert!(upto <= self.given, "what is synced was given");
        self.synced = self.synced.max(upto);
    }

    /// Takes that the records up to `upto` are durable or lost.
    pub(super) fn failed(&mut self, upto: Seq) {
        self.failed = true;
        self.synced = self.synced.max(upto);
    }

    /// Takes the oldest answer out of those that wait, if its record is at most `upto`.
    pub(super) fn next_answer(&mut self, upto: Seq) -> Option<QuestionIndex> {
        let &(seq, index) = self.answers.front()?;
        if seq > upto {
            return None;
        }
        self.answers.pop_front();
        Some(index)
    }

    /// Counts the answers that are not durable.
    pub(super) fn unsynced(&self) -> usize {
        self.answers.len()
    }

    /// Returns the last record that is settled: durable, or lost with the store.
    pub(super) fn settled(&self) -> Seq {
        self.synced
    }

    pub(super) fn is_settled(&self) -> bool {
        self.synced >= self.given
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }
}
