//! Replies that are no answer: what they mean, and how long to wait.

pub(crate) mod credit;
pub(crate) mod duration;
pub(crate) mod echo;
pub(crate) mod error;
pub(crate) mod other_apis;
pub(crate) mod page;
pub(crate) mod rate_limits;
pub(crate) mod refusal;
pub(crate) mod retry_after;
