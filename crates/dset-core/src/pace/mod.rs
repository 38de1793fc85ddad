//! When the next ask may be sent: how many at once, and what a failing service changes about it.

pub mod outage;
pub mod retry;
pub mod width;
