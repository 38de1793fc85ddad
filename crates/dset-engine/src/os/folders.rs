//! Folders that get their names when they are whole.

use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use tempfile::TempDir;

use super::files::{TEMPORARY, folder_of, sync_folder};

/// Makes a folder without a name in another; it is removed unless it is put somewhere.
pub fn temporary_folder_in(folder: &Path) -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    builder.tempdir_in(folder)
}

/// Gives a folder its name, durably. One that has the name is removed, with everything in it.
pub fn put_folder(made: TempDir, to: &Path) -> io::Result<()> {
    sync_folder(made.path())?;
    let is_full = fs::read_dir(to).is_ok_and(|mut entries| entries.next().is_some());
    if is_full {
        let old = exchange(made, to)?;
        sync_folder(folder_of(to))?;
        return fs::remove_dir_all(old);
    }
    let _ = fs::remove_dir(to);
    fs::rename(made.path(), to)?;
    let _ = made.keep();
    sync_folder(folder_of(to))
}

/// Exchanges two folders in one step, and returns where the old one is then.
#[cfg(target_os = "linux")]
pub(crate) fn exchange(made: TempDir, to: &Path) -> io::Result<PathBuf> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, made.path(), CWD, to, RenameFlags::EXCHANGE)?;
    Ok(made.keep())
}

/// Puts one folder aside and the other into its place: no system call does both.
#[cfg(not(target_os = "linux"))]
pub(crate) fn exchange(made: TempDir, to: &Path) -> io::Result<PathBuf> {
    let mut old = made.path().as_os_str().to_owned();
    old.push("-old");
    let old = PathBuf::from(old);
    fs::rename(to, &old)?;
    if let Err(error) = fs::rename(made.path(), to) {
        fs::rename(&old, to)?;
        return Err(error);
    }
    fs::rename(&old, made.path())?;
    Ok(made.keep())
}
