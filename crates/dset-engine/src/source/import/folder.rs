//! Copies what the original script left in its folder into another, where a run goes on from it.

use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use thiserror::Error;

use crate::os::files;
use crate::output::live::legacy;
use crate::store::Store;

/// The folder that the script writes into, and its file of questions.
const OUTPUTS: &str = "dset_generator";
const QUESTIONS: &str = "q.csv";

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedFolder {
    /// The files, as they are called here.
    pub files: Vec<PathBuf>,
    /// The file of questions is among them.
    pub has_questions: bool,
}

/// Why nothing was copied.
#[derive(Debug, Error)]
pub enum FolderError {
    /// There are no outputs, neither in it nor below it.
    #[error("`{}` has no outputs of the original script", path.display())]
    NoOutputs {
        /// Where they were looked for.
        path: PathBuf,
    },
    /// It has a store, so it is a folder of dset.
    #[error("`{}` is a folder of dset", path.display())]
    HasStore {
        /// The folder with the store.
        path: PathBuf,
    },
    /// It is the folder that it would be copied into.
    #[error("`{}` is this folder", path.display())]
    Here {
        /// What was named.
        path: PathBuf,
    },
    /// There is a file here that would be overwritten.
    #[error("there is a `{}` already", path.display())]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// A file cannot be copied.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Copies the outputs, and the questions where they are beside them, into the folder `here`.
///
/// `from` is the folder with the outputs or the one that holds it. Overwrites nothing: where one
/// of the files is here already, none is copied.
pub fn import_folder(from: &Path, here: &Path) -> Result<ImportedFolder, FolderError> {
    let found = |folder: &Path| legacy::ALL.iter().any(|format| folder.join(format.file).is_file());
    let outputs = [from.join(OUTPUTS), from.to_owned()].into_iter().find(|folder| found(folder));
    let outputs = outputs.ok_or_else(|| FolderError::NoOutputs { path: from.to_owned() })?;
    if Store::exists(&outputs) {
        return Err(FolderError::HasStore { path: outputs });
    }
    let real = fs::canonicalize(&outputs)?;
    let home = real.parent().unwrap_or(&real);
    let here_real = fs::canonicalize(here)?;
    if home == here_real || real == here_real {
        return Err(FolderError::Here { path: from.to_owned() });
    }
    let mut copies: Vec<(PathBuf, PathBuf)> = legacy::ALL
        .iter()
        .map(|format| (outputs.join(format.file), Path::new(OUTPUTS).join(format.file)))
        .collect();
    copies.push((home.join(QUESTIONS), QUESTIONS.into()));
    copies.retain(|(from, _)| from.is_file());
    for (_, to) in &copies {
        if fs::symlink_metadata(here.join(to)).is_ok() {
            return Err(FolderError::Exists { path: to.clone() });
        }
    }
    if Store::exists(&here.join(OUTPUTS)) {
        return Err(FolderError::HasStore { path: OUTPUTS.into() });
    }
    fs::create_dir_all(here.join(OUTPUTS))?;
    for (from, to) in &copies {
        let to = here.join(to);
        let mut copy = files::new_in(files::folder_of(&to))?;
        io::copy(&mut fs::File::open(from)?, copy.as_file_mut())?;
        files::put_new(copy, &to)?;
    }
    let files: Vec<PathBuf> = copies.into_iter().map(|(_, to)| to).collect();
    Ok(ImportedFolder {
        has_questions: files.iter().any(|file| file == Path::new(QUESTIONS)),
        files,
    })
}
