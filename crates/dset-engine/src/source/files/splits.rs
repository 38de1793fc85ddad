//! The split of a dataset that is asked.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use dset_core::settings::Reading;

use super::names::is_other_data;
use crate::source::SourceError;

/// The splits that names of files begin with, as the Hub's loader knows them.
const SPLITS: [&str; 7] = ["train", "training", "validation", "valid", "dev", "test", "eval"];

/// Returns the files of one split, where names tell of splits: of the one that was named, else of
/// `train`. Fails where one of `others` is of that split, too, and is of a form that is not read.
pub(super) fn of_split(
    folder: &Path,
    paths: Vec<PathBuf>,
    others: &[PathBuf],
    reading: &Reading,
) -> Result<Vec<PathBuf>, SourceError> {
    // The name of the file, or that of a folder that it lies in.
    let split = |path: &Path| -> Option<String> {
        path.ancestors().take_while(|part| *part != folder).find_map(|part| {
            let name = part.file_name()?.to_string_lossy().to_lowercase();
            let first = name.split(|c: char| !c.is_ascii_alphanumeric()).next()?;
            SPLITS.contains(&first).then(|| first.to_owned())
        })
    };
    if paths.is_empty() {
        return Ok(paths);
    }
    let splits: BTreeSet<String> = paths.iter().filter_map(|path| split(path)).collect();
    if splits.is_empty() && reading.split.is_none() {
        return Ok(paths);
    }
    let wanted = reading.split.clone().unwrap_or_else(|| "train".to_owned());
    if !splits.contains(&wanted) {
        return Err(SourceError::WhichPart {
            path: folder.to_owned(),
            what: "splits",
            given: reading.split.clone(),
            found: splits.into_iter().collect(),
        });
    }
    let is_wanted = |path: &PathBuf| split(path).as_ref() == Some(&wanted);
    match others.iter().find(|path| is_other_data(path) && is_wanted(path)) {
        Some(path) => Err(SourceError::UnreadPart { path: path.clone() }),
        None => Ok(paths.into_iter().filter(is_wanted).collect()),
    }
}
