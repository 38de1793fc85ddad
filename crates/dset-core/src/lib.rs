//! Decides what a run of dset does, and does nothing itself.
//!
//! No clock, file, socket, thread or randomness of its own: whatever it needs of the world is an
//! argument, and whatever it wants of the world is a value it returns. So an outage of seven
//! minutes and a thousand crashes run in milliseconds, and a failing seed can be run again.

pub mod adopt;
pub mod answer;
pub mod ask;
pub mod bookmark;
pub mod compare;
pub mod csv;
pub mod histogram;
pub mod key;
pub mod machine;
pub mod outcome;
pub mod pace;
pub mod plan;
pub mod planted;
pub mod prompt;
pub mod provider;
pub mod question;
pub mod reply;
pub mod row;
pub mod settings;
pub mod tail;
pub mod time;
pub mod wanted;
