//! What dispatch has of the rest of the machine while it takes an event.

use crate::item::question::QuestionId;
use crate::run::custody::Custody;
use crate::run::gate::Gates;
use crate::run::shutdown::Shutdown;
use crate::run::{Effect, JournalRecord, Rules, Seq};
use crate::time::Time;

/// The moment, the rules, and the parts of the machine beside dispatch.
pub(crate) struct Context<'a> {
    pub(crate) now: Time,
    pub(crate) rules: &'a Rules,
    pub(crate) custody: &'a mut Custody,
    pub(crate) gates: &'a mut Gates,
    pub(crate) shutdown: &'a mut Shutdown,
    pub(crate) effects: &'a mut Vec<Effect>,
}

impl Context<'_> {
    /// Hands a record to the store.
    pub(crate) fn record(&mut self, record: JournalRecord) -> Seq {
        self.custody.record(record, self.effects)
    }

    /// Marks a row ERROR: in the store first, then in the file.
    pub(crate) fn mark_row(&mut self, id: QuestionId) {
        self.custody.mark_row(id, self.effects);
    }

    /// Returns true if the run is ending: nothing more is asked.
    pub(crate) fn is_ending(&self) -> bool {
        self.shutdown.reason.is_some()
    }
}
