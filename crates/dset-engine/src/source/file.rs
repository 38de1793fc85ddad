//! Opens the files that sources read, and says what is wrong with them.

use std::io;
use std::path::Path;

use dset_core::csv::{LayoutError, RecordsError};
use fs_err::File;

use super::SourceError;

/// Opens a regular file for reading; fails on folders, pipes and devices.
pub(crate) fn open_file(path: &Path) -> Result<File, SourceError> {
    let io = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => SourceError::Missing { path: path.to_owned() },
        io::ErrorKind::PermissionDenied => SourceError::NoPermission { path: path.to_owned() },
        _ => records_error(path, error.into()),
    };
    let metadata = fs_err::metadata(path).map_err(io)?;
    if !metadata.is_file() {
        let is_folder = metadata.is_dir();
        return Err(SourceError::NotAFile { path: path.to_owned(), is_folder });
    }
    File::open(path).map_err(io)
}

pub(crate) fn records_error(path: &Path, error: RecordsError) -> SourceError {
    SourceError::Records { path: path.to_owned(), error }
}

pub(crate) fn layout_error(path: &Path, error: LayoutError) -> SourceError {
    let path = path.to_owned();
    match error {
        LayoutError::NoSuchColumn { column, found } => {
            SourceError::NoSuchColumn { path, column, found }
        }
        LayoutError::Empty => SourceError::Empty { path },
        LayoutError::Records(error) => SourceError::Records { path, error },
    }
}
