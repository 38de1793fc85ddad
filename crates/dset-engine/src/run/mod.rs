//! One run: planned, begun, driven to its end.

pub mod drive;
pub(crate) mod feeder;
pub mod peer_limits;
pub(crate) mod plan_input;
pub mod prepare;
pub(crate) mod prompts;
