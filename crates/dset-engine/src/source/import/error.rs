//! Why a file cannot be imported.

use std::io;
use std::path::PathBuf;

use dset_core::csv::RecordsError;
use thiserror::Error;

use super::chat::LeftOut;
use super::encoding::EncodingCandidate;
use crate::source::SourceError;

/// Where an object stands in a file, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonPlace {
    /// On a line.
    Line(u64),
    /// In an array.
    Item(u64),
}

impl std::fmt::Display for JsonPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            JsonPlace::Line(number) => write!(f, "line {number}"),
            JsonPlace::Item(number) => write!(f, "item {number}"),
        }
    }
}

/// Why nothing was written.
#[derive(Debug, Error)]
pub enum ImportError {
    /// There is a file where it was to be written.
    #[error("there is a `{}` already", path.display())]
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// The folder that it was to be written into is not there.
    #[error("there is no folder `{}`", path.display())]
    NoFolder {
        /// Which.
        path: PathBuf,
    },
    /// No encoding has this name.
    #[error("there is no encoding `{given}`")]
    NoSuchEncoding {
        /// What was named.
        given: String,
    },
    /// It is UTF-8, but for some places.
    #[error("`{}` is UTF-8 with {places} places that are not", path.display())]
    Torn {
        /// What was read.
        path: PathBuf,
        /// How many there are.
        places: u64,
        /// The first of them.
        first: RecordsError,
    },
    /// Its encoding is not known for sure.
    #[error("cannot tell which encoding `{}` is in", path.display())]
    WhichEncoding {
        /// What was read.
        path: PathBuf,
        /// Some of its lines as the likely ones have them, the likeliest first.
        readings: Vec<EncodingCandidate>,
    },
    /// Its encoding is known and cannot be read.
    #[error("`{}` is in {encoding}, which cannot be read", path.display())]
    Encoding {
        /// What was read.
        path: PathBuf,
        /// What it is called.
        encoding: &'static str,
    },
    /// It holds questions in a form that is not read.
    #[error("`{}` is {form}, which is not read", path.display())]
    OtherForm {
        /// What was read.
        path: PathBuf,
        /// What it is.
        form: &'static str,
    },
    /// Two fields may be meant together, as the instruction and its input.
    #[error("`{}` has `{second}` beside `{first}`", path.display())]
    TwoFields {
        /// What was read.
        path: PathBuf,
        /// The field that would be asked.
        first: String,
        /// The field that would not.
        second: String,
        /// Rows in which that says something.
        rows: u64,
    },
    /// Its objects have more fields than a table has columns.
    #[error("`{}` has more than {most} fields", path.display())]
    TooManyFields {
        /// What was read.
        path: PathBuf,
        /// How many a table may have.
        most: usize,
    },
    /// Its chats have more than a question has room for.
    #[error("`{}` has chats with more than one question", path.display())]
    LeftOut {
        /// What was read.
        path: PathBuf,
        /// What would be left out.
        left: LeftOut,
        /// Of so many rows.
        of: u64,
    },
    /// The field with the question holds neither text nor a chat.
    #[error("`{}`, {at}: `{field}` is no text", path.display())]
    NotText {
        /// What was read.
        path: PathBuf,
        /// Which object.
        at: JsonPlace,
        /// Which field.
        field: String,
    },
    /// A turn of a chat is of nobody who is known.
    #[error("`{}`, {at}: a turn of `{role}`", path.display())]
    Role {
        /// What was read.
        path: PathBuf,
        /// Which object.
        at: JsonPlace,
        /// Who says it.
        role: String,
    },
    /// It is an archive, and no text.
    #[error("`{}` is not text", path.display())]
    Archive {
        /// What was read.
        path: PathBuf,
    },
    /// A line is no JSON object.
    #[error("`{}`, line {line}, is not a JSON object", path.display())]
    NotJson {
        /// What was read.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        detail: String,
    },
    /// An object has no field with a question.
    #[error("`{}`, {at}, has no question", path.display())]
    NoQuestion {
        /// What was read.
        path: PathBuf,
        /// Which object.
        at: JsonPlace,
        /// The fields that it has.
        found: Vec<String>,
    },
    /// It cannot be read as questions.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// What it becomes cannot be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}
