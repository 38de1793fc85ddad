//! How a question ended, and the ledger that must balance.

use serde::{Deserialize, Serialize};

/// How a question that got no answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The service refused it, or its answer may not be kept.
    Rejected,
    /// Every retry failed.
    GaveUp,
}

/// Where every question of the input stands. At any moment
/// `questions = answered + presumed + rejected + gave_up + pending`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Non-empty questions in the input.
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
