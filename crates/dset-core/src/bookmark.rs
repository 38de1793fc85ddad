//! stub
use crate::question::QuestionId;
use std::collections::BTreeSet;
/// Marks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    /// set
    pub set: BTreeSet<QuestionId>,
    /// clear
    pub clear: BTreeSet<QuestionId>,
}
impl Marks {
    /// empty
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.clear.is_empty()
    }
}
