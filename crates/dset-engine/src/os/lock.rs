//! One run at a time on one folder.
//!
//! The system frees the lock when its holder dies, so a lock is never stale and the file is never
//! deleted. Who holds it stands in a second file, since a locked one cannot be read on Windows.
//! Every version locks the same file, so that an old and a new one never run on a folder at once.
//!
//! The lock is the standard library's; a crate for lock files would add only names and retries.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::os::files::Identity;

const LOCK: &str = "dset.lock";
const HOLDER: &str = "dset.running";
/// How an earlier version called it: loaders of datasets took it for data.
const OLD_HOLDER: &str = "dset.lock.json";

/// A reader that checks whether a run is going on holds the lock for a moment, and a run that
/// begins just then tries again after this time, …
const RETRY_EVERY: std::time::Duration = std::time::Duration::from_millis(10);
/// … this many times, after which the holder is another run.
const RETRIES_MAX: u32 = 5;

/// A folder that is ours until this is dropped.
#[derive(Debug)]
pub struct Lock {
    /// Absent on a file system without locks.
    file: Option<File>,
    path: PathBuf,
    /// The file that is locked.
    identity: Identity,
}

/// Who runs on a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process id of the holder.
    pub pid: u32,
    /// When it began, Unix milliseconds.
    pub started_at: i64,
}

/// Why a folder is not ours.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another run has it.
    #[error("another run is using the folder")]
    InUse(Option<Holder>),
    /// The lock file cannot be made.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What came of locking a file.
pub(crate) enum Tried {
    /// It is ours until the file is dropped; absent on a file system without locks.
    Ours(Option<File>),
    /// Somebody else has it.
    Taken,
}

/// Locks a file, which is made where there is none.
pub(crate) fn try_to_lock(path: &Path) -> io::Result<Tried> {
    let mut options = fs::OpenOptions::new();
    let file = options.create(true).truncate(false).read(true).write(true).open(path)?;
    let file = file.into_parts().0;
    match file.try_lock() {
        Ok(()) => Ok(Tried::Ours(Some(file))),
        Err(TryLockError::WouldBlock) => Ok(Tried::Taken),
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
            Ok(Tried::Ours(None))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

impl Lock {
    /// Takes the lock of a folder, or says who has it.
    pub fn take(folder: &Path, started_at: i64) -> Result<Lock, LockError> {
        let path = folder.join(LOCK);
        let mut tried = try_to_lock(&path)?;
        for _ in 0..RETRIES_MAX {
            if !matches!(tried, Tried::Taken) {
                break;
            }
            std::thread::sleep(RETRY_EVERY);
            tried = try_to_lock(&path)?;
        }
        let held = match tried {
            Tried::Ours(file) => file,
            Tried::Taken => return Err(LockError::InUse(holder(folder))),
        };
        let holder = Holder { pid: std::process::id(), started_at };
        let holder = serde_json::to_vec(&holder).expect("a holder is plain values");
        fs::write(folder.join(HOLDER), holder)?;
        // Left by an earlier version, which does not run now.
        let _ = fs::remove_file(folder.join(OLD_HOLDER));
        let identity = Identity::from_path(&path)?;
        Ok(Lock { file: held, path, identity })
    }

    /// Locks the name again where somebody has deleted the file, which nobody else would find locked.
    pub fn keep(&mut self) {
        if self.file.is_none() || self.identity.is_at(&self.path) {
            return;
        }
        let made = File::options().create_new(true).read(true).write(true).open(&self.path);
        let Ok(file) = made else { return };
        if let (Ok(()), Ok(identity)) = (file.try_lock(), Identity::from_path(&self.path)) {
            (self.file, self.identity) = (Some(file), identity);
        }
    }

    /// Returns true if a second run would be noticed.
    #[must_use]
    pub(crate) fn is_exclusive(&self) -> bool {
        self.file.is_some()
    }
}

/// Whether a run is going on in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Running {
    /// No run holds the lock.
    No,
    /// One is, and this is who.
    Yes(Option<Holder>),
    /// This file system has no locks.
    Unknown,
}

/// Returns true if a run is going on in a folder, making and changing nothing.
#[must_use]
pub fn running(folder: &Path) -> Running {
    let Ok(file) = fs::File::open(folder.join(LOCK)) else { return Running::No };
    // Shared, so that those who look do not see each other; gone with the file.
    match file.into_parts().0.try_lock_shared() {
        Ok(()) => Running::No,
        Err(TryLockError::WouldBlock) => Running::Yes(holder(folder)),
        Err(TryLockError::Error(_)) => Running::Unknown,
    }
}

/// Returns who took the lock last.
#[must_use]
pub fn holder(folder: &Path) -> Option<Holder> {
    let read = |name| -> Option<Holder> {
        serde_json::from_slice(&fs::read(folder.join(name)).ok()?).ok()
    };
    [HOLDER, OLD_HOLDER].into_iter().filter_map(read).max_by_key(|holder| holder.started_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_whose_file_is_deleted_is_taken_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = Lock::take(folder.path(), 7).unwrap();
        fs::remove_file(folder.path().join(LOCK)).unwrap();
        first.keep();
        assert!(matches!(Lock::take(folder.path(), 8), Err(LockError::InUse(Some(_)))));
        first.keep();
        drop(first);
        assert!(Lock::take(folder.path(), 9).unwrap().is_exclusive());
    }

    #[test]
    fn a_second_run_on_a_folder_is_told_who_has_it_until_the_first_ends() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take(folder.path(), 7).unwrap();
        let Err(LockError::InUse(Some(holder))) = Lock::take(folder.path(), 8) else { panic!() };
        assert_eq!(holder, Holder { pid: std::process::id(), started_at: 7 });
        drop(first);
        assert!(Lock::take(folder.path(), 9).unwrap().is_exclusive());
    }

    #[test]
    fn a_run_of_an_earlier_version_is_seen_and_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        // As version 0.1.0 before the change of names holds a folder.
        let held = File::create(folder.path().join("dset.lock")).unwrap();
        held.try_lock().unwrap();
        let note = folder.path().join("dset.lock.json");
        fs::write(&note, r#"{"pid":7,"started_at":9}"#).unwrap();
        let holder = Holder { pid: 7, started_at: 9 };
        assert_eq!(running(folder.path()), Running::Yes(Some(holder.clone())));
        let Err(LockError::InUse(Some(by))) = Lock::take(folder.path(), 10) else { panic!() };
        assert_eq!(by, holder);
        drop(held);
        let _lock = Lock::take(folder.path(), 11).unwrap();
        assert!(!note.exists(), "loaders of datasets take it for data");
        // And the earlier version sees this one.
        let other = File::options().read(true).open(folder.path().join("dset.lock")).unwrap();
        assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
    }

    #[test]
    fn whoever_looks_sees_a_run_and_makes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(running(folder.path()), Running::No);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let lock = Lock::take(folder.path(), 7).unwrap();
        let holder = Holder { pid: std::process::id(), started_at: 7 };
        assert_eq!(running(folder.path()), Running::Yes(Some(holder)));
        drop(lock);
        assert_eq!(running(folder.path()), Running::No);
    }
}
