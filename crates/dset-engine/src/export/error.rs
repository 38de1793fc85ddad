//! Why there is no dataset.

use std::io;
use std::path::{Path, PathBuf};

use dset_core::layout::expression::ExpressionError;
use dset_core::layout::{ReasoningPlace, Unfit};
use thiserror::Error;

use crate::error::JobError;
use crate::store::StoreError;
use crate::view::status::Rows;

/// Why there is no dataset. What was under its name before is as it was.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The input or the store cannot be used.
    #[error(transparent)]
    Job(#[from] JobError),
    /// A file of that name is there, and may be somebody's work.
    #[error("`{}` is there already", .0.display())]
    Exists(PathBuf),
    /// What would be its folder is a file.
    #[error("`{}` is a file, and nothing can be written into it", .0.display())]
    BehindFile(PathBuf),
    /// A pipe or a device: no file of this name can be made.
    #[error("`{}` is no file", .0.display())]
    NotAFile(PathBuf),
    /// It is the input, or in the folder of the run's outputs.
    #[error("`{}` belongs to the run", .0.display())]
    OfRun(PathBuf),
    /// Files of an earlier export of more files are there, which would be read with the new ones.
    #[error("`{}` is of an earlier export", .0.display())]
    EarlierShard(PathBuf),
    /// The folder holds what dset did not write.
    #[error("`{}` is not a folder that dset wrote", .0.display())]
    ForeignFolder(PathBuf),
    /// The name says of no kind of file that is known.
    #[error("`{0}` ends with no kind of file that can be written")]
    UnknownEnding(String),
    /// A column that is named is not there.
    #[error("there is no column `{name}`")]
    UnknownColumn {
        /// Which option names it.
        option: &'static str,
        /// What the user named.
        name: String,
        /// The columns there are.
        known: Vec<String>,
    },
    /// Two columns would have the same name.
    #[error("two columns would be called `{0}`")]
    SameName(String),
    /// A column of what is to be asked again cannot be kept as it is.
    #[error("{about} cannot hold the column `{column}` as it is")]
    OtherKind {
        /// The column.
        column: String,
        /// What the file is.
        about: &'static str,
    },
    /// What is to be asked again has a NUL, and the file would not be read again.
    #[error("{about} cannot hold questions with a NUL character")]
    Nul {
        /// What the file is.
        about: &'static str,
        /// Which rows of the input.
        rows: Rows,
    },
    /// An expression cannot be used.
    #[error("`{option} {text}` cannot be used: {error}")]
    Expression {
        /// Which option it is.
        option: &'static str,
        /// As the user wrote it.
        text: String,
        /// What is wrong with it.
        error: ExpressionError,
    },
    /// It is not said which answers are better.
    #[error("it is not said which answers are better")]
    NoRank,
    /// The layout has no such place for reasoning.
    #[error("the layout {layout} cannot have reasoning so")]
    Reasoning {
        /// The layout.
        layout: &'static str,
        /// Where reasoning can go in it.
        places: &'static [ReasoningPlace],
    },
    /// The layout has no columns for ratings and notes.
    #[error("the layout {layout} has no columns for ratings and notes")]
    Reviews {
        /// The layout.
        layout: &'static str,
    },
    /// Rows cannot be made in this layout.
    #[error("{count} rows do not fit the layout {layout}")]
    Unfit {
        /// The layout.
        layout: &'static str,
        /// Why.
        unfit: Unfit,
        /// How many.
        count: u64,
        /// The first of them.
        rows: Vec<u64>,
    },
    /// Every question has one answer, and the layout needs two.
    #[error("no question has two answers")]
    OneAnswerEach,
    /// Answers are missing, and the user wants all.
    #[error("{count} answers are missing")]
    Missing {
        /// How many.
        count: u64,
    },
    /// Nothing is left to write into a folder.
    #[error("there is no row")]
    NoRows,
    /// The file cannot be written.
    #[error("cannot write `{}`: {error}", path.display())]
    Io {
        /// What is written.
        path: PathBuf,
        /// Why it cannot.
        error: io::Error,
    },
}

impl From<StoreError> for ExportError {
    fn from(error: StoreError) -> ExportError {
        ExportError::Job(error.into())
    }
}

impl ExportError {
    pub(super) fn io(path: &Path) -> impl Fn(io::Error) -> ExportError {
        move |error| ExportError::Io { path: path.to_owned(), error }
    }
}
