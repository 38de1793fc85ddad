//! Reads structured answers: the JSON value that an answer holds, as it was written.

pub mod json;
pub mod place;
pub mod read;

pub use json::Json;
pub use place::{Place, PlaceError};
pub use read::{Parsed, ParsedFrom, Unreadable, read};
