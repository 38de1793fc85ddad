//! What is sent back: answers, events, errors, headers.

pub(crate) mod answer;
pub(crate) mod body;
pub(crate) mod completion;
pub(crate) mod error;
pub(crate) mod events;
pub(crate) mod plan;
pub(crate) mod rate_headers;
