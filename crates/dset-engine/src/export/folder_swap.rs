//! A folder that is made beside and takes the place of another in one step, with what the user has in
//! the other.
//!
//! The new folder holds a lock, which names where it was made, until everything is done. So whatever a
//! crash leaves tells what it is: a folder with a lock beside is one that never got its name, and a lock
//! under the name says where the old folder is now, whose other entries still have to be moved.

use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use fs_err as fs;
use tempfile::TempDir;

use super::hub::{CARD, MANIFEST};
use super::target::DATA;
use crate::os::files::{folder_of, is_temporary, sync_folder};
use crate::os::folders::{exchange, temporary_folder_in};

/// Held while a folder is made and put into its place.
const LOCK: &str = ".dset-lock";

/// A folder without its name.
pub(super) struct NewFolder {
    made: TempDir,
    _lock: File,
}

impl NewFolder {
    /// Makes one in this folder.
    pub(super) fn make(folder: &Path) -> io::Result<NewFolder> {
        let made = temporary_folder_in(folder)?;
        let mut lock = File::create(made.path().join(LOCK))?;
        // A file system without locks loses only the cleaning up.
        let _ = lock.try_lock();
        let name = made.path().file_name().unwrap_or_default().to_string_lossy();
        lock.write_all(name.as_bytes())?;
        lock.sync_all()?;
        Ok(NewFolder { made, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        self.made.path()
    }

    /// Puts it into the place of another; what the user has beside our files moves with it.
    pub(super) fn swap(self, to: &Path) -> io::Result<()> {
        sync_folder(self.path())?;
        let there = fs::read_dir(to).is_ok_and(|mut entries| entries.next().is_some());
        if there {
            let old = exchange(self.made, to)?;
            sync_folder(folder_of(to))?;
            return take_over(&old, to);
        }
        let _ = fs::remove_dir(to);
        fs::rename(self.made.path(), to)?;
        let _ = self.made.keep();
        fs::remove_file(to.join(LOCK))?;
        sync_folder(to)?;
        sync_folder(folder_of(to))
    }
}

/// Finishes what a crash has left of a swap: the user's entries are moved, and the old folder is removed.
pub(super) fn finish_swap(to: &Path) -> io::Result<()> {
    let path = to.join(LOCK);
    let Ok(lock) = File::open(&path) else { return Ok(()) };
    if matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) {
        return Ok(());
    }
    let name = fs::read_to_string(&path)?;
    let old = folder_of(to).join(&name);
    if is_temporary(&old) && Path::new(&name).file_name() == Some(name.as_ref()) && old.is_dir() {
        return take_over(&old, to);
    }
    fs::remove_file(path)?;
    sync_folder(to)
}

/// Moves what is the user's from an old folder, removes that, and then the lock of the new one.
fn take_over(old: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(old)? {
        let entry = entry?;
        let name = entry.file_name();
        if ![DATA, CARD, MANIFEST, LOCK].iter().any(|own| name == *own) {
            fs::rename(entry.path(), free_path(to, &name))?;
        }
    }
    sync_folder(to)?;
    fs::remove_dir_all(old)?;
    fs::remove_file(to.join(LOCK))?;
    sync_folder(to)?;
    sync_folder(folder_of(to))
}

/// Returns the path of an entry in a folder. Where the user has made one of that name since, the older
/// one gets another: `notes.txt.earlier`.
fn free_path(folder: &Path, name: &OsStr) -> PathBuf {
    let mut name = name.to_owned();
    while fs::symlink_metadata(folder.join(&name)).is_ok() {
        name.push(".earlier");
    }
    folder.join(name)
}

/// Removes folders that a crash has left half made. One without a lock is an old one, with what is the
/// user's in it, and stays.
pub(super) fn remove_left_folders(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let lock = || File::open(path.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok());
        if is_temporary(&path) && path.is_dir() && lock() {
            let _ = fs::remove_dir_all(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::files::TEMPORARY;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// A folder `hub` with a dataset and a file of the user's, and a new one in its place that was not
    /// finished: the old one is still beside.
    fn cut_off_after_the_exchange(folder: &Path) -> PathBuf {
        let to = folder.join("hub");
        for name in [DATA, "mine"] {
            std::fs::create_dir_all(to.join(name)).unwrap();
        }
        std::fs::write(to.join("notes.txt"), "mine").unwrap();
        let new = NewFolder::make(folder).unwrap();
        std::fs::create_dir(new.path().join(DATA)).unwrap();
        exchange(new.made, &to).unwrap();
        to
    }

    #[test]
    fn what_is_the_users_comes_back_after_a_crash_in_a_swap() {
        let folder = tempfile::tempdir().unwrap();
        let to = cut_off_after_the_exchange(folder.path());
        assert_eq!(names(&to), [LOCK, DATA]);
        remove_left_folders(folder.path());
        assert_eq!(names(folder.path()).len(), 2, "the old folder is not thrown away");
        finish_swap(&to).unwrap();
        assert_eq!(names(&to), [DATA, "mine", "notes.txt"]);
        assert_eq!(names(folder.path()), ["hub"]);
        finish_swap(&to).unwrap();
    }

    #[test]
    fn what_the_user_made_anew_after_a_crash_stays_and_the_older_one_has_another_name() {
        let folder = tempfile::tempdir().unwrap();
        let to = cut_off_after_the_exchange(folder.path());
        std::fs::write(to.join("notes.txt"), "new").unwrap();
        std::fs::create_dir(to.join("mine")).unwrap();
        std::fs::write(to.join("mine/file"), "new").unwrap();
        finish_swap(&to).unwrap();
        assert_eq!(names(&to), [DATA, "mine", "mine.earlier", "notes.txt", "notes.txt.earlier"]);
        assert_eq!(std::fs::read_to_string(to.join("notes.txt")).unwrap(), "new");
        assert_eq!(std::fs::read_to_string(to.join("notes.txt.earlier")).unwrap(), "mine");
    }

    #[test]
    fn a_swap_that_was_half_finished_is_finished() {
        let folder = tempfile::tempdir().unwrap();
        let to = cut_off_after_the_exchange(folder.path());
        let old =
            names(folder.path()).into_iter().find(|name| name.starts_with(TEMPORARY)).unwrap();
        let old = folder.path().join(old);
        std::fs::rename(old.join("mine"), to.join("mine")).unwrap();
        std::fs::remove_dir(old.join(DATA)).unwrap();
        finish_swap(&to).unwrap();
        assert_eq!(names(&to), [DATA, "mine", "notes.txt"]);
        // Cut off when only the lock was left.
        std::fs::write(to.join(LOCK), old.file_name().unwrap().as_encoded_bytes()).unwrap();
        finish_swap(&to).unwrap();
        assert_eq!((names(&to).len(), names(folder.path())), (3, vec!["hub".to_owned()]));
    }

    #[test]
    fn a_lock_of_somebody_elses_moves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("hub");
        std::fs::create_dir_all(to.join("x")).unwrap();
        std::fs::create_dir(folder.path().join("home")).unwrap();
        for name in ["home", "../home", ""] {
            std::fs::write(to.join(LOCK), name).unwrap();
            finish_swap(&to).unwrap();
            assert_eq!(names(folder.path()), ["home", "hub"]);
        }
    }
}
