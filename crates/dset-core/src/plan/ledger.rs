//! How a question ended, and the ledger that must balance.

use serde::{Deserialize, Serialize};

use crate::run::Planned;

/// How a question that got no answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The service refused it, or its answer may not be kept.
    Rejected,
    /// Every retry failed.
    GaveUp,
}

impl Fault {
    /// Returns the words that stand for it in a store and on screen; stores are read for ever, so
    /// they never change. JSON has them as serde writes them, with `_`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Fault::Rejected => "rejected",
            Fault::GaveUp => "gave up",
        }
    }

    /// Returns the fault of which these are the words. What an older version wrote and nobody knows
    /// any longer counts as given up: it is asked again.
    #[must_use]
    pub fn from_code(code: &str) -> Fault {
        if code == Fault::Rejected.code() { Fault::Rejected } else { Fault::GaveUp }
    }
}

/// Where every question of the input stands, those apart that the user left out. At any moment
/// `questions = answered + presumed + rejected + gave_up + pending`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Non-empty questions in the input that are answered or chosen to be.
    pub questions: u64,
    /// Have a durable answer.
    pub answered: u64,
    /// Lie before a bookmark of the original script, which leaves no other record.
    pub presumed: u64,
    /// Were refused, or cut by the token limit.
    pub rejected: u64,
    /// Failed every retry.
    pub gave_up: u64,
    /// Anything else.
    pub pending: u64,
}

impl Ledger {
    /// Counts a question where it stands: as it was planned and, where it has no answer, as it
    /// ended. A question that failed and is to be asked again counts as failed until it is; one that is
    /// left out does not count.
    pub fn count(&mut self, planned: Planned, ended: Option<Fault>) {
        let term = match (planned, ended) {
            (Planned::LeftOut, _) => return,
            (Planned::Placed | Planned::Unplaced, _) => &mut self.answered,
            (Planned::Presumed, _) => &mut self.presumed,
            (Planned::Failed, _) | (Planned::Pending, Some(Fault::Rejected)) => &mut self.rejected,
            (Planned::Pending, Some(Fault::GaveUp)) => &mut self.gave_up,
            (Planned::Pending, None) => &mut self.pending,
        };
        *term += 1;
    }

    /// Tells whether the terms add up.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.questions
            == self.answered + self.presumed + self.rejected + self.gave_up + self.pending
    }

    /// Questions that ended without an answer, which are the rows marked ERROR.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.rejected + self.gave_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_counts_once_as_it_stands() {
        let mut ledger = Ledger { questions: 7, ..Ledger::default() };
        for (planned, ended) in [
            (Planned::Placed, None),
            (Planned::Unplaced, Some(Fault::GaveUp)),
            (Planned::Presumed, None),
            (Planned::Failed, Some(Fault::Rejected)),
            (Planned::Pending, Some(Fault::Rejected)),
            (Planned::Pending, Some(Fault::GaveUp)),
            (Planned::Pending, None),
        ] {
            ledger.count(planned, ended);
        }
        let expected =
            Ledger { questions: 7, answered: 2, presumed: 1, rejected: 2, gave_up: 1, pending: 1 };
        assert_eq!(ledger, expected);
        assert!(ledger.balances());
    }
}
