//! The questions, read from the input.

mod csv;

pub use csv::{Source, SourceError, SourceOptions};
