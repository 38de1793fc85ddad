//! Parquet files: reads rows of any as JSON values, writes datasets.
//!
//! [`Reader`] gives the rows of a file one by one, whatever wrote it; [`Writer`] takes the rows of a layout
//! (`dset_core::layout`). The types of Arrow, with which it is
//! done, are not part of what is public here, because they change every few months.
//!
//! # Values
//!
//! A value is the one that DuckDB 2.0's `to_json` gives of it, with the time zone set to UTC: dates and
//! times as `2024-03-15`, `12:34:56.789`, `2024-03-15 12:34:56.789` and with `+00` behind it where the
//! file says that it is UTC; bytes that are no text with `\xNN` for what does not print; UUIDs as text; JSON as what
//! it says; maps as objects. It differs in these:
//!
//! 1. NaN is null, and the infinities are the texts `inf` and `-inf`. DuckDB writes them as bare words, which are
//!    not JSON.
//! 2. A decimal with more digits than a 64-bit number gives back is a text with all of them. DuckDB
//!    writes a number with those digits, which most readers of JSON, this program's too, would round; above
//!    38 digits it rounds itself.
//! 3. A JSON column's text that is not JSON is that text. DuckDB fails.
//! 4. The key of a map that is a list or a struct is written as JSON. DuckDB writes it in its own notation.
//!    Of equal keys of a map, or of a struct, the last one counts; DuckDB writes all.
//! 5. Names of columns that differ in case alone stay as they are. DuckDB, which does not tell them apart,
//!    numbers the later ones.
//! 6. Bytes that are UTF-8 without a NUL are that text, whether the file says that they are one or not. [`Reader::bytes`] names
//!    the columns of a row that hold others.
//! 7. Variants and geometries are the bytes in which the file keeps them. DuckDB decodes them.
//! 8. An index of pandas with a name, of numbers in equal steps, is a column, though it stands beside the data
//!    alone. DuckDB does not read it.

mod error;
mod json;
mod reader;
mod writer;

pub use error::{ReadError, WriteError};
pub use reader::Reader;
pub use writer::{Writer, WriterOptions};
