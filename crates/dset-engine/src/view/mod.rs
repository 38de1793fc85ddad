//! Everything that only reads: the input, the store and the outputs as they stand.

pub mod browse;
pub mod check;
pub mod check_stats;
pub mod elsewhere;
pub mod estimate;
pub mod expenses;
pub(crate) mod index;
pub mod inspect;
pub mod judged_before;
pub mod prompt_order;
pub mod search;
pub(crate) mod sent;
pub mod show;
pub mod stats;
pub mod status;
pub mod verify;
