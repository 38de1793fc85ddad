//! The input as CSV: records with the place of every byte, and what its columns mean.
//!
//! Reading and marking go through the same parser, so that they cannot disagree about what a cell
//! is. Streams: one record in memory at a time.

mod header_names;
mod layout;
mod other_form;
mod quotes;
mod records;
mod sniff;
mod suspicion;
mod unquoted_comma;

pub use crate::csv::header_names::{
    OWN_STATUS, STATUS, SecondNames, is_chat, is_header_word, question_among,
};
pub use crate::csv::other_form::{begins_list, other_form};
pub use crate::csv::sniff::{
    AmbiguousColumn, DetectedEncoding, SNIFFED_ROWS_MAX, ambiguous_column, declared_delimiter,
    delimiter_in_header, detect_delimiter, line_end, read_prefix,
};
pub use crate::csv::suspicion::{SuspectedFile, Suspicion, second_columns};
pub use crate::csv::unquoted_comma::UnquotedCommaDetector;
pub use layout::{Chosen, HeaderMode, Layout, LayoutError, survey, survey_marked, survey_records};
pub use quotes::Quotes;
pub use records::{CELL_BYTES_MAX, Record, RecordPosition, Records, RecordsError};

/// What a status cell says of a row that failed.
pub const ERROR: &str = "ERROR";
