//! What the name of a file says of it: that it holds rows, other data, or tells of a dataset.

use std::path::{Path, PathBuf};

use crate::os::files::folder_of;
use crate::source::packing::ENDINGS;
use crate::source::{SourceKind, ending_of};
use crate::store::STORE;

/// Tells whether a file or folder is hidden by its name.
pub(in crate::source) fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// Tells whether a file lies in a hidden folder, or in one that a run writes.
pub(super) fn is_of_run(within: &Path, path: &Path) -> bool {
    let folders = path.ancestors().skip(1).take_while(|folder| *folder != within);
    folders.into_iter().any(|folder| is_hidden(folder) || folder.join(STORE).exists())
}

/// How files with data end that are not read.
const OTHER_DATA: [&str; 27] = [
    "arrow", "feather", "ipc", "orc", "avro", "xz", "bz2", "lz4", "zip", "tar", "tgz", "7z", "rar",
    "br", "xlsx", "xls", "ods", "pkl", "pickle", "npy", "npz", "h5", "hdf5", "tfrecord", "msgpack",
    "sqlite", "db",
];

pub(super) fn is_other_data(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    // Without what says that it is packed.
    let is_packed = || ENDINGS.iter().any(|packed| ending == Some(packed));
    let is_data = ending.is_some_and(|ending| OTHER_DATA.contains(&ending)) || is_packed();
    is_data && !is_hidden(path) && !ABOUT.contains(&&*name)
}

/// Files that stand beside the rows of a dataset and tell of it.
const ABOUT: [&str; 7] = [
    "dset.json",
    "requirements.txt",
    "license.txt",
    "readme.txt",
    "dataset_info.json",
    "dataset_infos.json",
    "dataset_dict.json",
];

/// Tells whether a file's name says that it holds rows, and is not hidden.
pub(super) fn is_of_rows(kinds: &[SourceKind], path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let is_named = ending_of(path)
        .is_some_and(|ending| kinds.iter().any(|kind| kind.endings.contains(&ending.as_str())));
    let is_about = || ABOUT.contains(&&*name) || name == "state.json" && saved_set(path).is_some();
    is_named && !is_hidden(path) && !is_about()
}

/// Returns the folder of a dataset that `save_to_disk` wrote, where a file is one of its files that tell
/// of it: the rows are in Arrow files.
pub(super) fn saved_set(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let folder = folder_of(path);
    let is_saved = match name {
        "state.json" => folder.join("dataset_info.json").is_file(),
        "dataset_info.json" => folder.join("state.json").is_file(),
        "dataset_dict.json" => true,
        _ => false,
    };
    is_saved.then(|| folder.to_owned())
}

pub(super) fn is_part(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("part-"))
}
