//! Whether the limits of money leave enough to ask everything again.

use thiserror::Error;

use super::budget::BudgetRules;
use super::payee::least_ask;
use crate::money::Amount;

/// Why nothing could be asked again: the answers that are there would count no more, and none would come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AgainUnpaid {
    /// The limit of one run is lower than what a question may cost.
    #[error("the limit of {} pays for no question", limit.shown())]
    Run {
        /// The limit.
        limit: Amount,
        /// The worst case of the cheapest ask.
        least: Amount,
    },
    /// The limit of the folder leaves less than that.
    #[error("the limit of {} is reached", limit.shown())]
    Folder {
        /// The limit.
        limit: Amount,
        /// What was spent, or perhaps billed.
        spent: Amount,
        /// The worst case of the cheapest ask.
        least: Amount,
        /// A limit that lets as much be spent as was spent before, once more.
        enough: Amount,
    },
}

impl BudgetRules {
    /// Fails where a run that asks everything again could ask nothing. `system_bytes` is the length of a
    /// system prompt that every ask has, `now` Unix time in milliseconds.
    pub fn check_again(&self, system_bytes: u64, now: i64) -> Result<(), AgainUnpaid> {
        let least = least_ask(&self.payees, system_bytes, &self.prices, now, self.timeout);
        if let Some(limit) = self.run.filter(|run| *run < least) {
            return Err(AgainUnpaid::Run { limit, least });
        }
        let Some(limit) = self.total else { return Ok(()) };
        let spent = self.spent_before + self.unsure_before;
        if limit - spent >= least {
            return Ok(());
        }
        Err(AgainUnpaid::Folder { limit, spent, least, enough: self.spent_before + spent + least })
    }
}
