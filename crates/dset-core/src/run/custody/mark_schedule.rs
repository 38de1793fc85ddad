//! When the input file is marked, and with what.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::item::error_marks::InputMarks;
use crate::item::question::QuestionId;
use crate::planted::{PlantedBug, planted};
use crate::run::event::Seq;
use crate::time::Time;

/// The file with the questions is rewritten at most once in so long, …
const REWRITE_EVERY_MIN: Duration = Duration::from_secs(5);
/// … or in so many times what the last rewriting took.
const REWRITE_SHARE: u32 = 20;

/// The marks that the input file is still to get.
#[derive(Debug, Default)]
pub(crate) struct MarkSchedule {
    wanted: InputMarks,
    /// The wanted marks may be written once this record is durable.
    after: Seq,
    /// What is being written.
    writing: Option<InputMarks>,
    /// Rows that this run has marked, or was to mark.
    ours: BTreeSet<QuestionId>,
    not_before: Option<Time>,
    failed: bool,
}

impl MarkSchedule {
    pub(crate) fn want(&mut self, marks: InputMarks) {
        self.ours.extend(&marks.set);
        self.wanted.set.extend(marks.set);
        self.wanted.clear.extend(marks.clear);
    }

    /// Wants ERROR in a row, once `after` is durable.
    pub(crate) fn set(&mut self, id: QuestionId, after: Seq) {
        self.wanted.clear.remove(&id);
        self.wanted.set.insert(id);
        self.ours.insert(id);
        self.after = self.after.max(after);
    }

    /// Takes an answer to a question that was `marked` when it was read: ERROR is to be gone from
    /// its row once `after` is durable.
    pub(crate) fn answered(&mut self, id: QuestionId, marked: bool, after: Seq) {
        // A mark that an earlier run could not write may have been written since it was read.
        if !marked && !self.ours.contains(&id) {
            return;
        }
        self.wanted.set.remove(&id);
        self.wanted.clear.insert(id);
        self.after = self.after.max(after);
    }

    /// Returns the marks that are to be written now.
    pub(crate) fn due(&mut self, now: Time, synced: Seq) -> Option<InputMarks> {
        let known = self.after <= synced || planted(PlantedBug::MarkBeforeDurable);
        let may = self.not_before.is_none_or(|at| at.has_come(now)) && known;
        if may { self.take() } else { None }
    }

    /// Returns the marks that are to be written at the end; none of records that failed.
    pub(crate) fn last(&mut self, records_failed: bool) -> Option<InputMarks> {
        if records_failed { None } else { self.take() }
    }

    fn take(&mut self) -> Option<InputMarks> {
        if self.wanted.is_empty() || self.is_busy() || self.failed {
            return None;
        }
        let marks = std::mem::take(&mut self.wanted);
        self.writing = Some(marks.clone());
        Some(marks)
    }

    pub(crate) fn written(&mut self, now: Time, took: Duration) {
        self.writing = None;
        self.not_before = Some(now.after(REWRITE_EVERY_MIN.max(took * REWRITE_SHARE)));
    }

    /// A file that cannot be written is not tried again in this run.
    pub(crate) fn failed(&mut self, now: Time) {
        self.writing = None;
        self.not_before = Some(now);
        self.failed = true;
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.writing.is_some()
    }

    /// Returns when marks that wait for their time may be written.
    pub(crate) fn wake_at(&self) -> Option<Time> {
        let waits = !self.wanted.is_empty() && !self.is_busy() && !self.failed;
        self.not_before.filter(|_| waits)
    }
}
