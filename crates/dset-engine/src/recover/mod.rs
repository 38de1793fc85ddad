//! What a crash, an earlier version or the original script left behind, put right.

pub mod legacy;
pub mod rebuild;
