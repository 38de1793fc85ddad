//! Files that earlier runs have left beside the store and the input.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use dset_core::settings::JobSpec;
use fs_err as fs;

use crate::os::files;
use crate::store;
use crate::view::verify::{Difference, Findings, Note};

/// Looks for them; of files that a run may still need or write only where none goes on, `is_idle`.
pub(super) fn check(settings: &JobSpec, is_idle: bool) -> Findings {
    let folder = settings.output.as_path();
    let mut found = Findings::default();
    if is_idle {
        found.differences.extend(store::waiting(folder).into_iter().map(Difference::Rescue));
        let folders = [folder, files::folder_of(&settings.input)];
        let left: BTreeSet<PathBuf> = folders.into_iter().flat_map(leftovers).collect();
        found.notes.extend(left.into_iter().map(Note::Leftover));
    }
    let unread = [store::UNREAD, store::OLD_UNREAD].map(|name| folder.join(name));
    found.notes.extend(unread.into_iter().filter(|path| path.exists()).map(Note::Unread));
    found
}

/// Files that a writer leaves behind when it is killed.
fn leftovers(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.filter(|path| files::is_temporary(path)).collect()
}
