//! Where one question stands in a run.

use crate::run::event::Planned;

/// Where one question stands; one byte each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum QuestionState {
    /// Answered, and placed in the outputs.
    Placed,
    /// Answered, durable, and waiting for its place.
    Durable,
    /// Answered, and not durable yet.
    Unsynced,
    Presumed,
    /// Not among the rows that the user chose for this run.
    LeftOut,
    Rejected,
    GaveUp,
    Pending,
}

impl QuestionState {
    /// Tells whether it has an answer, or is taken to have one.
    pub(crate) fn is_answered(self) -> bool {
        matches!(
            self,
            QuestionState::Placed
                | QuestionState::Durable
                | QuestionState::Unsynced
                | QuestionState::Presumed
        )
    }

    /// Tells whether it may still get an answer in this run.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, QuestionState::Unsynced | QuestionState::Pending)
    }
}

impl From<Planned> for QuestionState {
    fn from(planned: Planned) -> QuestionState {
        match planned {
            Planned::Placed => QuestionState::Placed,
            Planned::Unplaced => QuestionState::Durable,
            Planned::Presumed => QuestionState::Presumed,
            Planned::LeftOut => QuestionState::LeftOut,
            Planned::Failed => QuestionState::Rejected,
            Planned::Pending => QuestionState::Pending,
        }
    }
}
