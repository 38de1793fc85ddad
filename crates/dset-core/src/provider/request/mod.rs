//! The body of a request, in each dialect.

pub(crate) mod anthropic;
pub(crate) mod body;
