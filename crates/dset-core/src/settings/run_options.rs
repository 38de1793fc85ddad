//! How a run goes about what is asked.

use std::time::Duration;

use super::values::{Concurrency, OnError};
use crate::money::Amount;
use crate::rate::outage::OutageBackoff;
use crate::rate::sliding_window::MinuteLimits;

/// How a run asks: its limits and waits. None of it changes what is asked.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// How many at once, at most.
    pub concurrency: Concurrency,
    /// How many in a minute, at most.
    pub minute: MinuteLimits,
    /// What it may cost.
    pub cost: CostLimits,
    /// It asks only while that is cheap.
    pub off_peak: bool,
    /// Runs on this machine tell each other what a service takes.
    pub share_pace: bool,
    /// The schedule of an outage.
    pub backoff: OutageBackoff,
    /// The longest time for one ask.
    pub timeout: Duration,
    /// The longest time without a word of an answer that has begun to stream.
    pub idle_timeout: Duration,
    /// A streamed answer that repeats itself without end is ended.
    pub stop_loops: bool,
    /// What a failing question does.
    pub on_error: OnError,
}

/// What asking may cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CostLimits {
    /// The folder in all its runs, where that is limited.
    pub total: Option<Amount>,
    /// One run, where that is limited.
    pub run: Option<Amount>,
    /// The most tokens that a reply can have, where somebody says so.
    pub output_bound: Option<u64>,
}

impl CostLimits {
    /// Tells whether money is limited.
    #[must_use]
    pub fn are_set(&self) -> bool {
        self.total.is_some() || self.run.is_some()
    }
}
