//! Files that are whole or not there: written beside, synced, renamed, and the folder synced.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use fs_err as fs;

/// Makes what happened to the names in a folder durable.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
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

/// Replaces a file by what `write` writes, or leaves it as it was. Mode bits stay; a symlink is
/// followed, so that the file it leads to is replaced.
pub fn replace<T, E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<Option<T>, E>,
) -> Result<Option<T>, E> {
    let real = fs::canonicalize(path)?;
    let folder = folder_of(&real).to_owned();
    let mut file = tempfile::Builder::new().prefix(".dset-").tempfile_in(&folder)?;
    let Some(result) = write(file.as_file_mut())? else { return Ok(None) };
    let metadata = fs::metadata(&real)?;
    fs::set_permissions(file.path(), metadata.permissions())?;
    keep_owner(file.path(), &metadata);
    file.as_file().sync_all()?;
    file.persist(&real).map_err(|error| E::from(error.error))?;
    sync_folder(&folder)?;
    Ok(Some(result))
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

/// Writes a new file whole, replacing one that is there.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(".dset-").tempfile_in(folder_of(path))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder_of(path))
}

/// Returns a place for a file that is moved out of the way: `earlier/<stamp>/<name>`.
pub fn earlier(folder: &Path, stamp: &str, name: &str) -> io::Result<PathBuf> {
    let place = folder.join("earlier").join(stamp);
    fs::create_dir_all(&place)?;
    sync_folder(&folder.join("earlier"))?;
    let mut path = place.join(name);
    let mut number = 1;
    while path.exists() {
        number += 1;
        path = place.join(format!("{number}-{name}"));
    }
    Ok(path)
}
