//! Files that are whole or not there: written beside, synced, renamed, and the folder synced.
//!
//! tempfile makes the file beside. What is left is the order of the syncs, the folder's last, and errors
//! that name the path: no more than a crate for it would need around it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use fs_err as fs;
use tempfile::NamedTempFile;

/// The folder of what was moved out of the way.
pub(crate) const EARLIER: &str = ".earlier";
/// What the names of files begin with that are being written, or that a crash has left so.
pub(crate) const TEMPORARY: &str = ".dset-";

/// Makes what happened to the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    // Windows has no handle on a folder that can be synced, and its renames are journalled.
    if cfg!(unix) { fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Returns the folder a file is in.
#[must_use]
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Returns a path from the root, with the folders that are there as they are really called.
#[must_use]
pub fn real_place(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = path
        .ancestors()
        .skip(1)
        .find_map(|above| Some((fs::canonicalize(above).ok()?, path.strip_prefix(above).ok()?)));
    there.map_or_else(|| path.clone(), |(above, rest)| above.join(rest))
}

/// Replaces a file by what `write` writes, or leaves it as it was, as it does a read-only one. Mode
/// bits stay; a symlink is followed, so that the file it leads to is replaced. `may` is asked last,
/// when everything is on the disk and only the name is left to change.
pub fn replace<T, E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<Option<T>, E>,
    may: impl FnOnce() -> Result<(), E>,
) -> Result<Option<T>, E> {
    let real = fs::canonicalize(path)?;
    let folder = folder_of(&real).to_owned();
    let mut file = temporary_in(&folder)?;
    let Some(result) = write(file.as_file_mut())? else { return Ok(None) };
    let metadata = fs::metadata(&real)?;
    // A rename needs no right to write the file itself; who made it read-only meant it.
    if metadata.permissions().readonly() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is read-only").into());
    }
    fs::set_permissions(file.path(), metadata.permissions())?;
    keep_owner(file.path(), &metadata);
    file.as_file().sync_all()?;
    may()?;
    name(file, &real)?;
    Ok(Some(result))
}

/// Makes a file beside the one that it is to become; gone when it is dropped.
///
/// Locked while it is written, which distinguishes it from one that a crash has left.
pub(crate) fn temporary_in(folder: &Path) -> io::Result<NamedTempFile> {
    let file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(folder)?;
    // A file system without locks loses only the cleaning up.
    let _ = file.as_file().try_lock();
    Ok(file)
}

/// Makes a file beside the one that it is to become, with the mode bits of a new file (`umask`).
pub(crate) fn new_in(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder.tempfile_in(folder)?;
    let _ = file.as_file().try_lock();
    Ok(file)
}

/// Gives a temporary file its name, unless a file has it; durable when this returns.
pub(crate) fn put_new(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    sync_folder(folder_of(path))
}

/// Gives a temporary file its name, replacing a file that has it; durable when this returns.
pub fn put(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    name(file, path)
}

/// Gives a temporary file that is synced its name, durably.
fn name(file: NamedTempFile, path: &Path) -> io::Result<()> {
    // Renamed by the standard library: `persist` makes the system call itself, and then no library
    // under the program can fail it or count it.
    let (_open, temporary) = file.keep().map_err(|error| error.error)?;
    if let Err(error) = fs::rename(&temporary, path) {
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    sync_folder(folder_of(path))
}

/// Removes the temporary files that crashed runs have left in a folder, as far as that is allowed.
/// Those that another run is writing now are locked, and stay.
pub(crate) fn remove_left_over(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let is_ours = is_temporary(&entry.path());
        let is_file = || entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_ours && is_file() && is_left_over(&entry.path()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_left_over(path: &Path) -> bool {
    // For reading: it may have the mode bits of a read-only input.
    fs::File::open(path).is_ok_and(|file| file.file().try_lock().is_ok())
}

/// Keeps the owner where this process may; otherwise the file belongs to who runs it.
fn keep_owner(path: &Path, metadata: &std::fs::Metadata) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let _ = std::os::unix::fs::chown(path, Some(metadata.uid()), Some(metadata.gid()));
    }
    #[cfg(not(unix))]
    let _ = (path, metadata);
}

/// Writes a new file whole, readable by its owner alone, replacing one that is there.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = temporary_in(folder_of(path))?;
    file.write_all(bytes)?;
    put(file, path)
}

/// Writes a new file whole, with the mode bits of any new file (`umask`), replacing one that is there.
pub fn write_shared(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = new_in(folder_of(path))?;
    file.write_all(bytes)?;
    put(file, path)
}

/// Writes a new file with the mode bits of any new file (`umask`); fails where there is one.
/// Durable when this returns.
pub fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written?;
    sync_folder(folder_of(path))
}

/// Tries whether files can be made in a folder. The file it is tried with has no name where the
/// system knows such files, and does not stay.
pub fn try_to_write(folder: &Path) -> io::Result<()> {
    let mut file = tempfile::tempfile_in(folder)?;
    file.write_all(b"dset")
}

/// Returns how many bytes can still be written in a folder, where the system tells.
#[must_use]
pub fn free_bytes(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let told = rustix::fs::statvfs(folder).ok()?;
        told.f_bavail.checked_mul(told.f_frsize)
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

/// Returns true if others than its owner may read a file; never where the system has no such bits.
#[must_use]
pub fn is_open_to_others(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// Makes a folder, and those above it that are missing, and shuts it to others.
pub fn private_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Returns true if a file is one that was being written, by its name.
#[must_use]
pub(crate) fn is_temporary(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let random = name.and_then(|name| name.strip_prefix(TEMPORARY));
    // As `tempfile` makes them; any other name with this beginning may be the user's own.
    random.is_some_and(|r| r.len() == 6 && r.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Returns a place for a file that is moved out of the way: `.earlier/<stamp>/<name>`.
pub(crate) fn path_in_earlier(folder: &Path, stamp: &str, name: &str) -> io::Result<PathBuf> {
    let place = folder.join(EARLIER).join(stamp);
    fs::create_dir_all(&place)?;
    sync_folder(&folder.join(EARLIER))?;
    let mut path = place.join(name);
    let mut number = 1;
    while path.exists() {
        number += 1;
        path = place.join(format!("{number}-{name}"));
    }
    Ok(path)
}

/// Which file a name led to when it was looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Its device and number; absent where the system has none, and where an open file cannot be
    /// deleted anyway.
    number: Option<(u64, u64)>,
}

impl Identity {
    /// Looks a name up.
    pub(crate) fn from_path(path: &Path) -> io::Result<Identity> {
        let metadata = fs::metadata(path)?;
        #[cfg(unix)]
        let number = {
            use std::os::unix::fs::MetadataExt;
            Some((metadata.dev(), metadata.ino()))
        };
        #[cfg(not(unix))]
        let number = {
            drop(metadata);
            None
        };
        Ok(Identity { number })
    }

    /// Returns true if a name still leads to the same file: what is written into an open file that
    /// was deleted is gone when it is closed, and no write fails because of that.
    #[must_use]
    pub fn is_at(self, path: &Path) -> bool {
        self.number.is_none() || Identity::from_path(path).is_ok_and(|now| now == self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_crash_left_is_removed_and_what_is_being_written_stays() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        for name in [".dset-left01", ".dset-mine", "dset-mine", ".other"] {
            fs::write(folder.join(name), "x").unwrap();
        }
        let writing = temporary_in(folder).unwrap();
        remove_left_over(folder);
        assert!(!folder.join(".dset-left01").exists());
        for name in [".dset-mine", "dset-mine", ".other"] {
            assert!(folder.join(name).exists(), "{name}");
        }
        put(writing, &folder.join("whole")).unwrap();
        remove_left_over(folder);
        assert_eq!(fs::read_dir(folder).unwrap().count(), 4, "no temp file stays");
    }
}
