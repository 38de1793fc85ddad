//! Where a run stands, for whoever draws it.

use std::sync::Arc;

use super::{BudgetStatus, Machine};
use crate::item::question::Question;
use crate::plan::ledger::Ledger;
use crate::time::Time;

/// Where the run stands, for whoever draws it.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Where every question stands.
    pub ledger: Ledger,
    /// Asks on their way.
    pub in_flight: usize,
    /// How many at once there may be.
    pub slots: usize,
    /// Questions waiting to be asked again.
    pub retrying: usize,
    /// What those failed with, and how many with each, the commonest first.
    pub retrying_causes: Vec<(&'static str, usize)>,
    /// When the first of them is asked again.
    pub retry_at: Option<Time>,
    /// The service refuses asks because they are too many: fewer are sent for a while.
    pub throttled: bool,
    /// Questions answered in this session.
    pub answered: u64,
    /// About how many tokens have come of the answers on their way.
    pub coming_tokens: u64,
    /// The service does not answer.
    pub outage: Option<OutageStatus>,
    /// Nothing is sent before this moment, because the service asked for it.
    pub paused_until: Option<Time>,
    /// When the next ask goes, where it waits for its time.
    pub send_at: Option<Time>,
    /// Whose limit on asks in a time holds the next one, if one does.
    pub rate_bound: Option<RateBound>,
    /// When asks are cheap again, Unix milliseconds, if they are not and the run waits for that.
    pub cheap_at: Option<i64>,
    /// The two asks that have been on their way longest.
    pub longest: Vec<InFlightAsk>,
    /// Where the run stands with its limit of money, if it has one.
    pub budget: Option<BudgetStatus>,
    /// Somebody holds the run: nothing is sent.
    pub is_paused: bool,
    /// The run is stopping.
    pub stopping: bool,
}

/// Whose limit a run keeps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateBound {
    /// The user's, a minute.
    User,
    /// The service's: stated, or found.
    Service,
    /// The user's wish to ask only while it is cheap.
    Tariff,
}

/// An outage, for whoever draws it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutageStatus {
    /// When its first failure came.
    pub since: Time,
    /// When the service is tried next, by the schedule or lightly; absent while all that may be
    /// sent is on its way.
    pub next: Option<Time>,
    /// When the next retry of the schedule begins; absent while one is on its way.
    pub retry_at: Option<Time>,
    /// Which retry that is, or which is on its way, from 1.
    pub retry: u32,
    /// Of how many.
    pub of: u32,
    /// The service is being tried.
    pub is_probing: bool,
    /// Every retry has failed, and another question is asked.
    pub is_cross_checking: bool,
}

/// An ask on its way, for whoever draws it.
#[derive(Debug, Clone)]
pub struct InFlightAsk {
    /// The question.
    pub question: Arc<Question>,
    /// When it was sent.
    pub sent_at: Time,
    /// The reply has begun.
    pub has_begun: bool,
    /// About how many tokens of a streamed answer have come.
    pub tokens: u64,
}

impl Machine {
    /// Returns where the run stands.
    #[must_use]
    pub fn snapshot(&self, now: Time) -> Snapshot {
        Snapshot {
            is_paused: self.is_paused,
            stopping: self.shutdown.reason.is_some(),
            ..self.dispatch.snapshot(now, self.ledger(), &self.gates, &self.rules)
        }
    }
}
