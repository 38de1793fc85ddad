//! What is written of the answers: live outputs, and what else lies in their folder.

pub(crate) mod folder;
pub mod live;
