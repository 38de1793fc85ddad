//! What can be wrong with a file that is read or written.

use std::path::{Path, PathBuf};

/// Why a file cannot be read, or not any further.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The system refused: no such file, no permission, a disk that fails.
    #[error("cannot read {path}: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file does not begin as Parquet files do.
    #[error("{} is not a Parquet file", path.display())]
    NotParquet {
        /// The file.
        path: PathBuf,
    },
    /// The file begins as Parquet files do, and its end is missing: a download or a program that wrote it
    /// stopped early.
    #[error("{path} is cut short: the end of a Parquet file is missing after {bytes} bytes", path = .path.display())]
    CutShort {
        /// The file.
        path: PathBuf,
        /// How long it is.
        bytes: u64,
    },
    /// The file, or some of its columns, can only be read with a key.
    #[error("{} is encrypted", path.display())]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// The end of the file, which says where everything is, makes no sense.
    #[error("{path} is damaged: {why}", path = .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the reader found.
        why: String,
    },
    /// A column has a type or a compression that is not supported.
    #[error("column \"{column}\" of {path} cannot be read: {why}", path = .path.display())]
    UnreadableColumn {
        /// The file.
        path: PathBuf,
        /// The column, as the file names it.
        column: String,
        /// What is not supported.
        why: String,
    },
    /// The end of the file is in order, and a part of its data is not.
    #[error("{path} is damaged at row {row}{}: {why}", in_column(.column.as_deref()), path = .path.display())]
    DamagedRow {
        /// The file.
        path: PathBuf,
        /// The first row that cannot be read; the first row of a file is 1.
        row: u64,
        /// The column, where it is known.
        column: Option<String>,
        /// What the reader found.
        why: String,
    },
}

impl ReadError {
    /// Returns the file that could not be read.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            ReadError::Io { path, .. }
            | ReadError::NotParquet { path }
            | ReadError::CutShort { path, .. }
            | ReadError::Encrypted { path }
            | ReadError::Damaged { path, .. }
            | ReadError::UnreadableColumn { path, .. }
            | ReadError::DamagedRow { path, .. } => path,
        }
    }
}

/// Why a file cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The file took no more bytes: a full disk, mostly.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Two columns have one name.
    #[error("two columns are named \"{0}\"")]
    SameName(String),
    /// A row has not one cell for each column.
    #[error("row {row} has {cells} cells for {columns} columns")]
    Cells {
        /// The row; the first is 1.
        row: u64,
        /// How many cells it has.
        cells: usize,
        /// How many columns there are.
        columns: usize,
    },
    /// A cell is of another kind than its column.
    #[error("row {row} has a cell of another kind in column \"{column}\"")]
    Kind {
        /// The row; the first is 1.
        row: u64,
        /// The column.
        column: String,
    },
    /// A row is too large for a file of this format.
    #[error("row {row} is too large for Parquet: {bytes} bytes")]
    TooLarge {
        /// The row; the first is 1.
        row: u64,
        /// About how large it is.
        bytes: usize,
    },
    /// The library that encodes refused.
    #[error("cannot encode Parquet: {0}")]
    Encode(String),
}

fn in_column(column: Option<&str>) -> String {
    column.map(|column| format!(" in column \"{column}\"")).unwrap_or_default()
}
