//! Why an input cannot be read, or a row of it not be asked.

use std::path::PathBuf;

use dset_core::csv::{RecordsError, SuspectedFile, Suspicion};
use dset_core::item::Place;
use thiserror::Error;

use super::bad_row::RowProblem;
use crate::shard::JobFileError;

/// Why there are no questions.
#[derive(Debug, Error)]
pub enum SourceError {
    /// There is no such file.
    #[error("there is no `{}`", path.display())]
    Missing {
        /// What was looked for.
        path: PathBuf,
    },
    /// It is a folder, a pipe or a device: the input is read twice and marked, so it is a file.
    #[error("`{}` is not a file", path.display())]
    NotAFile {
        /// What it is called.
        path: PathBuf,
        /// It is a folder.
        is_folder: bool,
    },
    /// It may not be read.
    #[error("`{}` may not be read", path.display())]
    NoPermission {
        /// What was opened.
        path: PathBuf,
    },
    /// There is nothing in it.
    #[error("`{}` is empty", path.display())]
    Empty {
        /// What was read.
        path: PathBuf,
    },
    /// The field that the user named is not there.
    #[error("cannot find the column `{column}` in `{}`", path.display())]
    NoSuchColumn {
        /// What was read.
        path: PathBuf,
        /// What was named.
        column: String,
        /// What there is.
        found: Vec<String>,
    },
    /// None of its fields is one of questions.
    #[error("no field of `{}` holds questions", path.display())]
    NoQuestionField {
        /// What was read.
        path: PathBuf,
        /// What there is.
        found: Vec<String>,
    },
    /// Two fields may be meant.
    #[error("`{}` has `{second}` beside `{first}`", path.display())]
    TwoFields {
        /// What was read.
        path: PathBuf,
        /// The field that would be asked.
        first: String,
        /// The field that would not.
        second: String,
    },
    /// A row cannot be asked.
    #[error("`{}`, {}: {problem}", path.display(), place_words(*place))]
    BadRow {
        /// What was read.
        path: PathBuf,
        /// Where.
        place: Place,
        /// Why.
        problem: RowProblem,
    },
    /// Its content is broken as a whole.
    #[error("{detail}")]
    Unreadable {
        /// What was read.
        path: PathBuf,
        /// Why, with the file.
        detail: String,
    },
    /// Files of one input are of two kinds.
    #[error("`{}` is {}, and `{}` is {}", first.display(), names.0, second.display(), names.1)]
    MixedKinds {
        /// The first file.
        first: PathBuf,
        /// The first of another kind.
        second: PathBuf,
        /// What they are.
        names: (&'static str, &'static str),
    },
    /// No file of a folder or a pattern may hold rows.
    #[error("no file of `{}` holds rows", path.display())]
    NoFiles {
        /// The folder or the pattern.
        path: PathBuf,
    },
    /// It is, or holds, what `datasets` wrote by `save_to_disk`.
    #[error("`{}` is a dataset that `save_to_disk` wrote", path.display())]
    SavedToDisk {
        /// The folder of the dataset.
        path: PathBuf,
    },
    /// A file that the card of a dataset names is not there.
    #[error("the card of `{}` names `{pattern}`, which is not there", path.display())]
    NamedFileMissing {
        /// The folder.
        path: PathBuf,
        /// As the card has it.
        pattern: String,
    },
    /// A file of the split that is asked cannot be read.
    #[error("`{}` belongs to what is asked, and cannot be read", path.display())]
    UnreadPart {
        /// The file.
        path: PathBuf,
    },
    /// Git has a pointer in the place of the file.
    #[error("`{}` is a pointer of Git LFS, not the file", path.display())]
    LfsPointer {
        /// Where the file should be.
        path: PathBuf,
    },
    /// A dataset has several configurations, or none of this name.
    #[error("`{}` has {}", path.display(), parts(what, found))]
    WhichPart {
        /// The folder.
        path: PathBuf,
        /// `configurations` or `splits`.
        what: &'static str,
        /// The name that was given.
        given: Option<String>,
        /// What there are.
        found: Vec<String>,
    },
    /// A setting says how another kind of input is read.
    #[error("--{setting} is of no use for `{}`", path.display())]
    OfNoUse {
        /// What was to be read.
        path: PathBuf,
        /// `config`, `split` or `split-on`.
        setting: &'static str,
    },
    /// The card of a dataset cannot be read.
    #[error("the card of `{}` cannot be read: {detail}", path.display())]
    Card {
        /// The folder.
        path: PathBuf,
        /// Why.
        detail: String,
    },
    /// The condition for rows cannot be judged.
    #[error("the condition for rows cannot be judged: {detail}")]
    Condition {
        /// Why.
        detail: String,
    },
    /// It would be asked otherwise than it is meant.
    #[error("{}", SuspectedFile { name: &path.display(), suspicion })]
    Suspicious {
        /// What was read.
        path: PathBuf,
        /// What speaks against it.
        suspicion: Suspicion,
    },
    /// It is a part of a job that cannot be read.
    #[error(transparent)]
    Job(#[from] JobFileError),
    /// It is no text, or no CSV.
    #[error("`{}`: {error}", path.display())]
    Records {
        /// What was read.
        path: PathBuf,
        /// What is wrong with it, and where.
        error: RecordsError,
    },
}

/// Says which splits or configurations there are.
fn parts(what: &str, found: &[String]) -> String {
    match found {
        [] => format!("no {what}"),
        found => format!("the {what} {}", found.join(", ")),
    }
}

/// Says where a row stands.
#[must_use]
pub fn place_words(place: Place) -> String {
    match place {
        Place::Row(number) => format!("row {number}"),
        Place::Line(number) => format!("line {number}"),
        Place::Element(number) => format!("element {number}"),
    }
}
