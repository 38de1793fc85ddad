//! One ask as an HTTP call, and what a service tells for free.

pub mod ask;
pub(crate) mod client;
mod deadline;
mod describe_error;
pub mod probe;
pub(crate) mod redact;
mod tunnel;
mod unpack;
