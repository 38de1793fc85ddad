//! The services: how they are asked, and what their replies mean.
//!
//! What differs between services and can be written as a value stands in `presets.json`; the
//! reading of replies is one tolerant reader for all, because a reply that was paid for must not be
//! lost to a field that a service renamed.

mod account;
mod address;
mod choice;
mod choices;
mod content;
mod cut;
mod document;
mod error;
mod foreign;
mod json;
mod judge;
mod loops;
mod messages;
mod money;
mod own;
mod pieces;
mod preset;
mod rate_limits;
mod read;
mod refusal;
mod request;
mod span;
mod sse;
mod stream;
mod table;
mod template;
mod texts;
mod thinking;
mod usage;
mod wait;

pub use account::{Balance, read_balance, read_models};
pub use address::is_of_address;
pub use choice::Ambiguous;
pub use error::refusal_signature;
pub use loops::{Loop, PERIOD_BYTES_MAX, REPEATED_BYTES_MIN, TIMES_MIN};
pub use own::{FieldFault, KEY_HEADERS, Providers, Table, field, fields};
pub use preset::{
    Dialect, ListsModels, Preset, ReasoningSwitch, Refuses, Retired, preset, presets,
};
pub use rate_limits::{Quota, RateLimits, rate_limits};
pub use read::{read, read_broken};
pub use request::Request;
pub use stream::{Kind, Progress, StreamReading};
pub use table::PresetError;
