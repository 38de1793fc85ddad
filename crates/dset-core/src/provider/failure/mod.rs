//! Replies that are no answer: what they mean, and how long to wait.

pub(crate) mod error;
pub(crate) mod foreign;
pub(crate) mod money;
pub(crate) mod rate_limits;
pub(crate) mod refusal;
pub(crate) mod retry_after;
pub(crate) mod span;
