//! Outputs of runs among the files of a folder: what a run writes is none of its input.

use std::path::{Path, PathBuf};

use crate::os::files::folder_of;
use crate::output::live::LIVE_FORMATS;
use crate::store::STORE;

/// What the run itself writes.
#[derive(Debug, Default)]
pub(in crate::source) struct OwnOutputs {
    /// The folder, where it is there.
    folder: Option<PathBuf>,
}

impl OwnOutputs {
    pub(super) fn of(folder: Option<&Path>) -> OwnOutputs {
        OwnOutputs { folder: folder.and_then(|folder| fs_err::canonicalize(folder).ok()) }
    }

    pub(super) fn are_in(&self, folder: &Path) -> bool {
        self.folder.is_some() && fs_err::canonicalize(folder).ok() == self.folder
    }

    pub(super) fn have(&self, file: &Path) -> bool {
        is_written_by_run(file) && self.are_in(folder_of(file))
    }
}

/// Tells whether a file has the name of one that a run writes.
pub(super) fn is_written_by_run(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name == STORE || LIVE_FORMATS.iter().any(|format| name == format.file)
}

/// Tells whether a file is an output of a run, whose store lies beside it.
pub(super) fn is_output(path: &Path) -> bool {
    is_written_by_run(path) && path.with_file_name(STORE).is_file()
}

/// Tells whether a pattern is one of outputs: `runs/*/output.jsonl`.
pub(super) fn names_outputs(pattern: &Path) -> bool {
    pattern.file_name().is_some_and(|name| name.to_string_lossy().starts_with("output"))
}
