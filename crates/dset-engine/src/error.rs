//! Why a run, or a look at one, cannot begin.

use std::io;
use std::path::{Path, PathBuf};

use dset_core::acceptance::AcceptanceError;
use dset_core::settings::Shard;
use dset_core::template::PromptError;
use thiserror::Error;

use crate::check::ProgramError;
use crate::http::ask::EndpointError;
use crate::os::lock::LockError;
use crate::output::live::{OutputError, UnknownFormat};
use crate::recover::legacy::LegacyImportError;
use crate::run::budget::LimitError;
use crate::source::SourceError;
use crate::source::bad_row::BadRows;
use crate::store::StoreError;

/// Why an engine cannot run.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The run cannot begin; nothing was asked.
    #[error(transparent)]
    Job(#[from] JobError),
    /// A limit of money cannot be kept; nothing was asked.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// A service cannot be asked in this way; nothing was asked.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The store failed at the beginning.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a run cannot begin. Nothing was asked.
#[derive(Debug, Error)]
pub enum JobError {
    /// The input.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// There is no question in it.
    #[error("`{}` has no questions", path.display())]
    NoQuestions {
        /// The input.
        path: PathBuf,
        /// Rows that were skipped because they cannot be asked.
        bad_rows: Box<BadRows>,
    },
    /// There is no field of this name to name the rows.
    #[error("there is no field `{field}` to name the rows")]
    NoSuchId {
        /// What was named.
        field: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Two rows have the same id.
    #[error("rows {} and {} have the same id", rows.0, rows.1)]
    EqualIds {
        /// The field.
        field: String,
        /// The id.
        id: String,
        /// The rows.
        rows: (u64, u64),
    },
    /// The template, or the system prompt.
    #[error("a prompt cannot be used: {0}")]
    Prompt(#[from] PromptError),
    /// An output that is to be written.
    #[error(transparent)]
    Format(#[from] UnknownFormat),
    /// As many runs as may take turns in a folder are at it.
    #[error("{most} runs take turns in `{}`, and no more may", folder.display())]
    NoLane {
        /// The folder that those of the runs are in.
        folder: PathBuf,
        /// How many.
        most: u32,
    },
    /// The folder of the outputs cannot be made or written.
    #[error("cannot use the folder `{}`: {error}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Another run has the folder.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An output.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The outputs of the original script.
    #[error(transparent)]
    Adopt(#[from] LegacyImportError),
    /// Answers were bought with other settings, and nobody has said what is to become of them.
    #[error("the settings have changed")]
    SettingsChanged {
        /// What: the setting, what it was, what it is.
        changes: Vec<(String, String, String)>,
        /// How many answers that concerns.
        answers: u64,
    },
    /// A check that answers are to be held against.
    #[error(transparent)]
    Check(#[from] AcceptanceError),
    /// A program that is to judge answers.
    #[error(transparent)]
    CheckProgram(#[from] ProgramError),
    /// No row is among those that are to be asked again.
    #[error("no row is to be asked again")]
    NothingToRedo,
    /// A question that is to be asked again, and that the file does not have.
    #[error("there is no question {number}")]
    NoSuchQuestion {
        /// The number that was said.
        number: u64,
        /// So many there are.
        questions: u64,
    },
    /// Answers that were accepted so far are not any more, and nobody has said what is to become of
    /// them.
    #[error("what answers are held against has changed")]
    AcceptanceChanged {
        /// How many answers would be asked for again.
        answers: u64,
        /// They were asked for without the schema of this run.
        is_schema_new: bool,
    },
    /// Rows say ERROR, nothing tells who wrote that, and nobody has said what is to become of the
    /// rows before the first of them.
    #[error("whether the rows before a bookmark were answered is not known")]
    Bookmark {
        /// The input.
        path: PathBuf,
        /// The folder with neither a store nor outputs.
        folder: PathBuf,
        /// The first row that says ERROR.
        row: u64,
        /// The questions before it.
        before: u64,
        /// All questions.
        questions: u64,
    },
    /// The store is gone, the answers of an output that is there are not read back, and nobody has said that all is
    /// to be asked again.
    #[error("`{file}` is in a folder without its store")]
    UnreadOutput {
        /// The folder with neither a store nor an output that is taken over.
        folder: PathBuf,
        /// The output.
        file: &'static str,
    },
    /// Nothing can be asked without a key.
    #[error("there is no key")]
    NoKey,
    /// More answers are wanted than a run can keep in mind.
    #[error("{answers} answers are wanted, and a run has room for {}", u32::MAX)]
    TooMany {
        /// How many.
        answers: u64,
    },
    /// The folder is that of a shard, and the whole input is to be asked.
    #[error("`{}` is the folder of a shard", folder.display())]
    ShardFolder {
        /// The folder.
        folder: PathBuf,
        /// The shard.
        shard: Shard,
    },
    /// The folder is that of a job, whose shards are asked.
    #[error("`{}` is the folder of a job", folder.display())]
    JobFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// The input was changed between two readings.
    #[error("the input was changed while it was being read")]
    InputChanged,
}

impl JobError {
    /// Returns why this folder cannot be used.
    #[must_use]
    pub fn folder(folder: &Path, error: io::Error) -> JobError {
        JobError::Folder { path: folder.to_owned(), error }
    }

    /// Returns why the lock of this folder was not taken.
    #[must_use]
    pub fn lock(folder: &Path, error: LockError) -> JobError {
        match error {
            LockError::Io(error) => JobError::folder(folder, error),
            held @ LockError::InUse(_) => JobError::Lock(held),
        }
    }
}
