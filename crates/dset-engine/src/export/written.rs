//! Which files are datasets of this folder that nobody changed since, so that they can be written
//! anew without a word.
//!
//! What was written stands in a file beside the store: the path of each, and a hash of its bytes. It
//! is written before the names are given, so that a crash leaves no dataset that dset does not know.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::os::files::{new_in, put};

/// The record of a folder. Its name has no ending that loaders take for data.
const RECORD: &str = "dset.datasets";

/// The datasets that dset wrote.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Written {
    /// By path from the root, the hashes that the file may have: what it has now, and what it is to have.
    files: BTreeMap<PathBuf, Vec<String>>,
    /// Of files that are not in a folder of the Hub, where their dataset was to go.
    #[serde(default)]
    of: BTreeMap<PathBuf, PathBuf>,
}

impl Written {
    /// Reads the record of a folder of outputs. One that is not there, or is damaged, knows of nothing.
    pub(super) fn read(folder: &Path) -> Written {
        let text = fs::read(folder.join(RECORD)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Tells whether a file is as dset wrote it.
    pub(super) fn is_unchanged(&self, path: &Path) -> bool {
        let known = std::path::absolute(path).ok().and_then(|path| self.files.get(&path));
        known.is_some_and(|known| hash(path).is_ok_and(|hash| known.contains(&hash)))
    }

    /// Finds the files of a dataset that it has no more, as dset wrote them: of other splits, or another number.
    pub(super) fn earlier(&self, to: &Path, new: &[PathBuf]) -> Vec<PathBuf> {
        let Ok(to) = std::path::absolute(to) else { return Vec::new() };
        let new: Vec<_> = new.iter().filter_map(|path| std::path::absolute(path).ok()).collect();
        let of_it = self.of.iter().filter(|(path, own)| **own == to && !new.contains(path));
        of_it.map(|(path, _)| path).filter(|path| self.is_unchanged(path)).cloned().collect()
    }

    /// Remembers where the dataset of these files was to go.
    pub(super) fn note(&mut self, to: &Path, files: &[PathBuf]) -> io::Result<()> {
        let to = std::path::absolute(to)?;
        for file in files {
            self.of.insert(std::path::absolute(file)?, to.clone());
        }
        Ok(())
    }

    /// Adds files that are about to get a name: of each the name, and where its bytes are now. In a
    /// folder that cannot be written there is no record, and what is there is replaced only where the
    /// user says so.
    pub(super) fn record<'f>(
        mut self,
        folder: &Path,
        new: impl IntoIterator<Item = (&'f Path, &'f Path)>,
    ) -> io::Result<()> {
        self.files.retain(|path, _| path.exists());
        for (name, bytes) in new {
            let name = std::path::absolute(name)?;
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
        serde_json::to_writer_pretty(record.as_file_mut(), &self)?;
        put(record, &folder.join(RECORD))
    }
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
