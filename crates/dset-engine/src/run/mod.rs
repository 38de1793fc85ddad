//! One run: planned, begun, driven to its end.

pub(crate) mod accepting;
pub(crate) mod begin;
pub(crate) mod bookmark;
pub mod budget;
pub mod choice;
pub mod drive;
pub(crate) mod feeder;
mod former;
pub(crate) mod ids;
pub mod lanes;
pub mod peer_limits;
pub(crate) mod plan_input;
pub mod prepare;
pub(crate) mod prompts;
pub mod redo;
pub mod report;
pub(crate) mod run_plan;
