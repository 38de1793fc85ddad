//! How a run goes about what is asked.

use std::time::Duration;

use super::values::{Concurrency, OnError};
use crate::rate::outage::OutageBackoff;
use crate::rate::sliding_window::MinuteLimits;

/// How a run asks: its limits and waits. None of it changes what is asked.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// How many at once, at most.
    pub concurrency: Concurrency,
    /// How many in a minute, at most.
    pub minute: MinuteLimits,
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
