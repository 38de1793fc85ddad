//! Services: what is known of each, and which one a name means.

pub(crate) mod account;
pub(crate) mod custom;
pub(crate) mod preset;
pub(crate) mod resolve_model;
pub(crate) mod suggest_address;
pub(crate) mod validate_preset;
