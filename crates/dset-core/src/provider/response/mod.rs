//! A whole reply: what it says, and how its answer ended.

pub(crate) mod answer_builder;
pub(crate) mod choices;
pub(crate) mod content;
pub(crate) mod document;
pub(crate) mod finish_reason;
pub(crate) mod read;
pub(crate) mod thinking;
pub(crate) mod truncation;
pub(crate) mod usage;
