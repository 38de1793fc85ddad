//! Decides what a run of dset does, and does nothing itself.
//!
//! No clock, file, socket, thread or randomness of its own: whatever it needs of the world is an
//! argument, and whatever it wants of the world is a value it returns. So an outage of seven
//! minutes and a thousand crashes run in milliseconds, and a failing seed can be run again.

pub mod answer;
pub mod csv;
pub mod histogram;
pub mod item;
pub mod key;
pub mod plan;
pub mod planted;
pub mod provider;
pub mod rate;
pub mod recover;
pub mod run;
pub mod settings;
pub mod template;
pub mod time;
