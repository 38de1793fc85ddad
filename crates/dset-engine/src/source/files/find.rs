//! Which files a folder, a dataset or a pattern means.

use std::path::{Path, PathBuf};

use dset_core::settings::Reading;

use super::Found;
use super::names::{is_hidden, is_of_rows, is_of_run, is_other_data, is_part, saved_set};
use super::own_outputs::{OwnOutputs, is_output, names_outputs};
use super::splits::of_split;
use crate::os::files::{folder_of, real_place};
use crate::source::dataset_card::{self, Rows};
use crate::source::{SourceError, SourceKind, overlooked};

/// Returns the files that are meant by a path, where it is no single one: of a folder, of the dataset
/// whose card lies there, or of a pattern; in the order of their names. What a run writes to `outputs` is none of
/// its input, or it would be asked again with every run; a pattern takes no output of other runs unless it says so.
pub(in crate::source) fn of(
    kinds: &[SourceKind],
    path: &Path,
    reading: &Reading,
    outputs: Option<&Path>,
) -> Result<Option<Found>, SourceError> {
    if let Some(folder) = saved_set(path).filter(|_| path.is_file()) {
        return Err(SourceError::SavedToDisk { path: folder });
    }
    let own = OwnOutputs::of(outputs);
    let overlooked;
    let (mut paths, others) = if path.is_dir() {
        let is_deep = near(kinds, path, &own).is_empty();
        let others = beside(kinds, path, is_deep, &own);
        overlooked = overlooked::in_folder(path, is_deep, |file| {
            is_of_rows(kinds, file) || is_other_data(file)
        });
        let rows = match own.are_in(path) && dataset_card::is_of_run(path) {
            true => Rows::Folder(path.to_owned()),
            false => dataset_card::rows(kinds, path, reading, &own)?,
        };
        match rows {
            Rows::Files(paths) => (paths, others),
            Rows::Folder(within) => {
                (of_split(&within, in_folder(kinds, &within, &own), &others, reading)?, others)
            }
        }
    } else if !path.exists() && is_pattern(path) {
        overlooked = overlooked::of_pattern(path);
        let mut found = matching(path);
        found.retain(|file| !own.have(file));
        let is_meant = names_outputs(path);
        found.into_iter().partition(|file| is_meant || !is_output(file))
    } else {
        return Ok(None);
    };
    if let Some(folder) = paths.iter().find_map(|path| saved_set(path)) {
        return Err(SourceError::SavedToDisk { path: folder });
    }
    // Spark writes parts without a byte where there is nothing to write.
    let is_blank =
        |path: &PathBuf| is_part(path) && fs_err::metadata(path).is_ok_and(|file| file.len() == 0);
    if !paths.iter().all(is_blank) {
        paths.retain(|path| !is_blank(path));
    }
    if !paths.is_empty() {
        let is_unread = |other: &PathBuf| !paths.contains(other) && !is_blank(other);
        // A pattern may mean some of the parts.
        let missing = if path.is_dir() { overlooked::missing_parts(&paths) } else { Vec::new() };
        let unread = others.into_iter().filter(is_unread);
        let mut unread: Vec<PathBuf> = unread.chain(overlooked).chain(missing).collect();
        unread.sort();
        return Ok(Some(Found { read: paths, unread }));
    }
    let mut saved = glob_in(path, "*").into_iter().chain(glob_in(path, "**/*"));
    match saved.find_map(|file| saved_set(&file)) {
        Some(path) => Err(SourceError::SavedToDisk { path }),
        None => Err(match overlooked.into_iter().next() {
            Some(path) => SourceError::NoPermission { path },
            None => SourceError::NoFiles { path: path.to_owned() },
        }),
    }
}

/// Tells whether a file would be read with an input of several files, were it there.
pub(crate) fn would_read(kinds: &[SourceKind], input: &Path, path: &Path) -> bool {
    let real = |path: &Path| fs_err::canonicalize(path).ok();
    let folder = real(folder_of(path));
    if input.is_dir() {
        let folders = [real(input), real(&input.join("data"))];
        let is_near = folder.is_some() && folders.contains(&folder);
        let has_near = || {
            let found = in_folder(kinds, input, &OwnOutputs::default());
            found.iter().any(|file| folders.contains(&real(folder_of(file))))
        };
        let is_within =
            || folder.as_ref().zip(folders[0].as_ref()).is_some_and(|(a, b)| a.starts_with(b));
        return is_of_rows(kinds, path) && (is_near || is_within() && !has_near());
    }
    if input.exists() || !is_pattern(input) {
        return false;
    }
    let options = glob::MatchOptions { require_literal_separator: true, ..Default::default() };
    let pattern = glob::Pattern::new(&real_place(input).to_string_lossy());
    pattern.is_ok_and(|pattern| pattern.matches_path_with(&real_place(path), options))
}

/// Tells whether there is a file, a folder, or anything that a pattern matches.
#[must_use]
pub fn is_there(path: &Path) -> bool {
    path.exists() || is_pattern(path) && !matching(path).is_empty()
}

/// Returns the folder that all files of a pattern lie in, without folders that say fields, and the pattern from there.
#[cfg(feature = "postgres")]
pub(crate) fn split_pattern(pattern: &Path) -> (PathBuf, PathBuf) {
    let parts: Vec<_> = pattern.components().collect();
    let is_open = |part: &std::path::Component<'_>| {
        let text = part.as_os_str().to_string_lossy();
        text.contains(['*', '?', '[', '='])
    };
    // The last part names files.
    let fixed = parts.iter().position(is_open).unwrap_or(parts.len()).min(parts.len() - 1);
    (parts[..fixed].iter().collect(), parts[fixed..].iter().collect())
}

/// Returns a path within a folder; of a pattern only what stands behind the folder is one.
#[cfg(feature = "postgres")]
pub(crate) fn below(folder: &Path, path: &Path) -> PathBuf {
    let joined = folder.join(path);
    match joined.exists() || !is_pattern(path) {
        true => joined,
        false => Path::new(&glob::Pattern::escape(&folder.to_string_lossy())).join(path),
    }
}

pub(in crate::source) fn is_pattern(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?', '['])
}

/// Returns the files that a pattern matches, and links that lead to none, which whoever opens them finds missing;
/// one that is broken matches nothing.
pub(in crate::source) fn matching(pattern: &Path) -> Vec<PathBuf> {
    let found = glob::glob(&pattern.to_string_lossy());
    let is_dead_link = |path: &Path| path.is_symlink() && !path.exists() && !is_hidden(path);
    let found = found.into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = found.filter(|p| p.is_file() || is_dead_link(p)).collect();
    found.sort();
    found
}

/// Returns the files of a folder itself and of its `data` that may hold rows.
fn near(kinds: &[SourceKind], folder: &Path, own: &OwnOutputs) -> Vec<PathBuf> {
    let near = glob_in(folder, "*").into_iter().chain(glob_in(folder, "data/*"));
    near.filter(|path| is_of_rows(kinds, path) && !own.have(path)).collect()
}

/// Returns the files of a folder that may hold rows: of the folder itself and of its `data`; where these
/// have none, of all folders within it, but for hidden ones and those of runs.
pub(in crate::source) fn in_folder(
    kinds: &[SourceKind],
    folder: &Path,
    own: &OwnOutputs,
) -> Vec<PathBuf> {
    let near = near(kinds, folder, own);
    let mut found = match near.is_empty() {
        false => near,
        true => {
            let mut deeper = glob_in(folder, "**/*");
            let is_others = |path: &Path| is_of_run(folder, path) || own.have(path);
            deeper.retain(|path| is_of_rows(kinds, path) && !is_others(path));
            deeper
        }
    };
    found.sort();
    found
}

/// Returns the files of a folder that may hold rows, and those with data that is not read: of the folder and of
/// those in it; where these have no rows (`is_deep`), of all folders within it.
fn beside(kinds: &[SourceKind], folder: &Path, is_deep: bool, own: &OwnOutputs) -> Vec<PathBuf> {
    let patterns = if is_deep { &["**/*"][..] } else { &["*", "*/*"] };
    let found = patterns.iter().flat_map(|pattern| glob_in(folder, pattern));
    let mut found: Vec<PathBuf> = found
        .filter(|path| is_of_rows(kinds, path) || is_other_data(path))
        .filter(|path| !is_of_run(folder, path) && !own.have(path))
        .collect();
    found.sort();
    found
}

/// Returns the files that a pattern matches within a folder.
fn glob_in(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let folder = glob::Pattern::escape(&folder.to_string_lossy());
    matching(&Path::new(&folder).join(pattern))
}
