//! The services: how they are asked, and what their replies mean.
//!
//! What differs between services and can be written as a value stands in `presets.json`; the
//! reading of replies is one tolerant reader for all, because a reply that was paid for must not be
//! lost to a field that a service renamed.

mod content;
mod error;
mod preset;
mod rate_limits;
mod read;
mod request;
mod wait;

pub use error::refusal_signature;
pub use preset::{Preset, Retired, preset, presets};
pub use rate_limits::{Quota, RateLimits, rate_limits};
pub use read::{read, read_broken};
pub use request::Request;
