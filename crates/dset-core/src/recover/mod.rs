//! What a crash, or the original script, left behind: what it is and what it means.

pub mod legacy;
pub mod output_diff;
pub mod tail;
