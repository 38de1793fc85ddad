//! Which files are datasets of this folder that nobody changed since, so that they can be written
//! anew without a word.
//!
//! What was written stands in a file beside the store: the path of each from there, so that a folder that was
//! moved or mounted elsewhere knows its datasets, and a hash of its bytes. It
//! is written before the names are given, so that a crash leaves no dataset that dset does not know.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use fs_err as fs;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::os::files::{new_in, put, real_place};

/// The record of a folder. Its name has no ending that loaders take for data.
const RECORD: &str = "dset.datasets";

/// The datasets that dset wrote.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Written {
    /// By path, from the root here and from the folder in the file, the hashes that the file may have: what it has now, and what it is to have.
    files: BTreeMap<PathBuf, Vec<String>>,
    /// Of files that are not in a folder of the Hub, where their dataset was to go.
    #[serde(default)]
    of: BTreeMap<PathBuf, PathBuf>,
}

impl Written {
    /// Reads the record of a folder of outputs. One that is not there, or is damaged, knows of nothing.
    pub(super) fn read(folder: &Path) -> Written {
        let text = fs::read(folder.join(RECORD)).unwrap_or_default();
        let stored: Written = serde_json::from_slice(&text).unwrap_or_default();
        let folder = real(folder);
        stored.with_paths(|path| full(&folder.join(&path)).unwrap_or(path))
    }

    fn with_paths(self, change: impl Fn(PathBuf) -> PathBuf) -> Written {
        let Written { files, of } = self;
        Written {
            files: files.into_iter().map(|(path, hashes)| (change(path), hashes)).collect(),
            of: of.into_iter().map(|(path, to)| (change(path), change(to))).collect(),
        }
    }

    /// Tells whether a file is as dset wrote it.
    pub(super) fn is_unchanged(&self, path: &Path) -> bool {
        let known = full(path).ok().and_then(|path| self.files.get(&path));
        known.is_some_and(|known| hash(path).is_ok_and(|hash| known.contains(&hash)))
    }

    /// Finds the files of a dataset that it has no more, as dset wrote them: of other splits, or another number.
    pub(super) fn earlier(&self, to: &Path, new: &[PathBuf]) -> Vec<PathBuf> {
        let Ok(to) = full(to) else { return Vec::new() };
        let new: Vec<_> = new.iter().filter_map(|path| full(path).ok()).collect();
        let of_it = self.of.iter().filter(|(path, own)| **own == to && !new.contains(path));
        of_it.map(|(path, _)| path).filter(|path| self.is_unchanged(path)).cloned().collect()
    }

    /// Remembers where the dataset of these files was to go.
    pub(super) fn note(&mut self, to: &Path, files: &[PathBuf]) -> io::Result<()> {
        let to = full(to)?;
        for file in files {
            self.of.insert(full(file)?, to.clone());
        }
        Ok(())
    }

    /// Adds files that are about to get a name: of each the name, and where its bytes are now. In a
    /// folder that cannot be written, or is full, there is no record, and what is there is replaced only where the
    /// user says so.
    pub(super) fn record<'f>(
        mut self,
        folder: &Path,
        new: impl IntoIterator<Item = (&'f Path, &'f Path)>,
    ) -> io::Result<()> {
        self.files.retain(|path, _| path.exists());
        for (name, bytes) in new {
            let name = full(name)?;
            let now = hash(&name).ok();
            let known = self.files.entry(name).or_default();
            known.retain(|hash| Some(hash) == now.as_ref());
            let new = hash(bytes)?;
            if !known.contains(&new) {
                known.push(new);
            }
        }
        self.of.retain(|path, _| self.files.contains_key(path));
        let Ok(mut record) = new_in(folder) else { return Ok(()) };
        let from = real(folder);
        let stored = self.with_paths(|path| relative(&path, &from));
        let written = serde_json::to_writer_pretty(record.as_file_mut(), &stored);
        match written.map_err(io::Error::from).and_then(|()| put(record, &folder.join(RECORD))) {
            Err(error) if is_full(&error) => Ok(()),
            other => other,
        }
    }
}

/// Returns a folder from the root, by no link.
fn real(folder: &Path) -> PathBuf {
    fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned())
}

/// Returns a path from the root, without `..`; the folder that it is in by no link.
fn full(path: &Path) -> io::Result<PathBuf> {
    let mut full = PathBuf::new();
    for part in std::path::absolute(path)?.components() {
        match part {
            Component::ParentDir => _ = full.pop(),
            part => full.push(part),
        }
    }
    Ok(real_place(&full))
}

/// Returns a path from a folder, where both are in some folder beneath the root; others stay as they are.
fn relative(path: &Path, folder: &Path) -> PathBuf {
    let pairs = path.components().zip(folder.components());
    let shared = pairs.take_while(|(one, other)| one == other).count();
    if !path.components().take(shared).any(|part| matches!(part, Component::Normal(_))) {
        return path.to_owned();
    }
    let up = folder.components().skip(shared).map(|_| Component::ParentDir);
    up.chain(path.components().skip(shared)).collect()
}

/// A full disk is no reason to keep a dataset from another one.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Returns the XXH3 hash of a file's bytes in hex digits.
fn hash(path: &Path) -> io::Result<String> {
    let (mut file, mut hasher) = (File::open(path)?, Xxh3::new());
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(format!("{:032x}", hasher.digest128())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datasets_are_known_where_their_folder_was_moved_to() {
        let root = tempfile::tempdir().unwrap();
        let (before, after) = (root.path().join("one/project"), root.path().join("two"));
        fs::create_dir_all(before.join("out")).unwrap();
        let new = before.join("new");
        fs::write(&new, "x").unwrap();
        let dataset = before.join("out/../a.jsonl");
        let mut written = Written::default();
        written.note(&dataset, std::slice::from_ref(&dataset)).unwrap();
        written.record(&before.join("out"), [(&*dataset, &*new)]).unwrap();
        fs::rename(new, before.join("a.jsonl")).unwrap();
        assert!(Written::read(&before.join("out")).is_unchanged(&before.join("a.jsonl")));
        fs::rename(&before, &after).unwrap();
        let (out, dataset) = (after.join("out"), after.join("a.jsonl"));
        let written = Written::read(&out);
        assert!(written.is_unchanged(&dataset));
        assert_eq!(written.earlier(&dataset, &[]), [full(&dataset).unwrap()]);
        fs::write(&dataset, "y").unwrap();
        assert!(!Written::read(&out).is_unchanged(&dataset), "somebody changed it");
    }

    #[test]
    fn paths_from_the_root_are_known_as_earlier_versions_wrote_them() {
        let root = tempfile::tempdir().unwrap();
        let (out, dataset) = (root.path().join("out"), root.path().join("a.jsonl"));
        fs::create_dir(&out).unwrap();
        fs::write(&dataset, "x").unwrap();
        let known = serde_json::json!({ "files": { (dataset.to_str().unwrap()): [hash(&dataset).unwrap()] } });
        fs::write(out.join(RECORD), known.to_string()).unwrap();
        assert!(Written::read(&out).is_unchanged(&dataset));
    }

    #[test]
    fn what_shares_no_folder_keeps_its_path_from_the_root() {
        let of = |path: &str| relative(Path::new(path), Path::new("/work/project/out"));
        assert_eq!(of("/work/project/sets/a"), Path::new("../sets/a"));
        assert_eq!(of("/work/project/out/a"), Path::new("a"));
        assert_eq!(of("/data/a"), Path::new("/data/a"));
    }
}
