//! The questions, read from the input.

mod csv;
pub mod error_marks;
pub mod import;

pub use csv::{Source, SourceError, SourceOptions};
pub(crate) use csv::{layout_error, open};
