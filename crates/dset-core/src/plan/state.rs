//! What a plan says of each wanted answer, and what of it a run starts from.

use crate::item::error_marks::InputMarks;
use crate::item::question::QuestionIndex;

/// Where each question stands before the first ask.
#[derive(Debug, Clone, Default)]
pub struct PlanSummary {
    /// One state a wanted answer, in the order of the input.
    pub states: Vec<Planned>,
    /// How many of them each row has, one behind the other; none is one.
    pub per_row: u32,
    /// Bookmarks that the store wants and the input lacks, or the other way round.
    pub marks: InputMarks,
}

/// Where one question stands before the first ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Planned {
    /// Answered, and its place in the outputs is decided.
    Placed,
    /// Answered, but its place in the outputs is not decided yet.
    Unplaced,
    /// Before a bookmark of the original script: taken as answered.
    Presumed,
    /// Cut by the token limit, which is no higher now: not asked again.
    Truncated,
    /// To be asked.
    Pending,
}

impl PlanSummary {
    /// Counts the questions in this state.
    #[must_use]
    pub fn count(&self, planned: Planned) -> u64 {
        self.states.iter().filter(|&&state| state == planned).count() as u64
    }

    /// Returns the questions in this state, in the order of the input.
    pub fn indexes(&self, planned: Planned) -> impl Iterator<Item = QuestionIndex> + '_ {
        let index = |at: usize| QuestionIndex::try_from(at).expect("a plan has at most u32 rows");
        self.states
            .iter()
            .enumerate()
            .filter(move |(_, s)| **s == planned)
            .map(move |(i, _)| index(i))
    }
}
