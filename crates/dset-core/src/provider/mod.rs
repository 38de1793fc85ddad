//! The services: how they are asked, and what their replies mean.
//!
//! What differs between services and can be written as a value stands in `presets.json`; the
//! reading of replies is one tolerant reader for all, because a reply that was paid for must not be
//! lost to a field that a service renamed.

mod failure;
mod lenient_json;
pub mod reply;
mod request;
mod response;
mod service;
pub(crate) mod stream;

pub use crate::provider::failure::error::refusal_signature;
pub use crate::provider::failure::rate_limits::{Quota, RateLimits, rate_limits};
pub use crate::provider::request::body::Request;
pub(crate) use crate::provider::response::finish_reason::is_unknown as is_unknown_end;
pub use crate::provider::response::read::{classify_transport_error, parse_reply};
pub use crate::provider::service::account::{Balance, read_balance, read_models};
pub use crate::provider::service::custom::{
    FieldError, KEY_HEADERS, Providers, Table, field, fields,
};
pub use crate::provider::service::preset::{
    Continuing, Dialect, ListsModels, Preset, ReasoningSwitch, RetiredModel, Unsupported, preset,
    presets,
};
pub use crate::provider::service::resolve_model::Ambiguous;
pub use crate::provider::service::suggest_address::is_address_failure;
pub use crate::provider::service::validate_preset::PresetError;
pub use crate::provider::stream::repetition::{
    PERIOD_BYTES_MAX, REPEATED_BYTES_MIN, Repetition, TIMES_MIN,
};
pub use stream::finish_reasons::FinishReasons;
pub use stream::{ChunkKind, Progress, StreamParser};
