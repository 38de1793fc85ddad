//! Opens the files that sources read, and says what is wrong with them.

use std::io::{self, Read as _, Seek as _};
use std::path::Path;

use dset_core::csv::{LayoutError, RecordsError};
use fs_err::File;

use super::SourceError;

/// How a file begins that Git has in the place of a large one.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Opens a regular file for reading; fails on folders, pipes and devices, and on what stands in the place of
/// a file that was not fetched.
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
    let mut file = File::open(path).map_err(io)?;
    let mut head = Vec::new();
    file.by_ref().take(LFS_POINTER.len() as u64).read_to_end(&mut head).map_err(io)?;
    if head == LFS_POINTER {
        return Err(SourceError::LfsPointer { path: path.to_owned() });
    }
    file.rewind().map_err(io)?;
    Ok(file)
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
