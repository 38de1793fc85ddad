//! Questions that come through a pipe: written down before anything is asked, because an input is read
//! more than once, and joined with its answers again whenever somebody looks.

use std::io::{self, BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::{SourceError, records_error};
use crate::os::files::{folder_of, new_in, path_in_earlier, sync_folder};

/// What an input is called that is read from standard input.
pub const STDIN: &str = "-";

/// Returns where questions from a pipe are kept, in the folder of the outputs. Its name has no ending
/// by which loaders of datasets would take it for data.
#[must_use]
pub fn spool_path(output: &Path) -> PathBuf {
    output.join("dset.input")
}

/// What came through a pipe, whole, in a file that goes unless it is kept.
#[derive(Debug)]
pub struct Spooled {
    file: NamedTempFile,
    path: PathBuf,
}

/// Writes down all that comes, beside what came in an earlier run. Fails where nothing comes.
pub fn spool(mut from: impl Read, output: &Path) -> Result<Spooled, SourceError> {
    let path = spool_path(output);
    let failed = |error: io::Error| records_error(&path, error.into());
    fs_err::create_dir_all(output).map_err(failed)?;
    let mut file = new_in(output).map_err(failed)?;
    if io::copy(&mut from, file.as_file_mut()).map_err(failed)? == 0 {
        return Err(SourceError::Empty { path: STDIN.into() });
    }
    file.as_file().sync_all().map_err(failed)?;
    Ok(Spooled { file, path })
}

impl Spooled {
    /// Returns where it is until it is kept, to be looked at.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Puts it in the place of what came in an earlier run, durably. What came then is moved to the folder `earlier`
    /// of what was moved away, where that is said and it is not the same; returns where to.
    pub(crate) fn keep(&self, earlier: Option<&str>) -> Result<Option<PathBuf>, SourceError> {
        let Spooled { file, path } = self;
        let put = || {
            let stamp = earlier.filter(|_| path.exists());
            let moved = match stamp {
                Some(stamp) if !is_equal(file.path(), path)? => {
                    let name = path.file_name().expect("it has a name").to_string_lossy();
                    let to = path_in_earlier(folder_of(path), stamp, &name)?;
                    fs_err::rename(path, &to)?;
                    Some(to)
                }
                _ => None,
            };
            fs_err::rename(file.path(), path)?;
            sync_folder(folder_of(path))?;
            Ok(moved)
        };
        put().map_err(|error: io::Error| records_error(path, error.into()))
    }
}

/// Tells whether two files hold the same bytes.
fn is_equal(one: &Path, other: &Path) -> io::Result<bool> {
    if fs_err::metadata(one)?.len() != fs_err::metadata(other)?.len() {
        return Ok(false);
    }
    let open =
        |path| Ok::<_, io::Error>(BufReader::with_capacity(1 << 16, fs_err::File::open(path)?));
    let (mut one, mut other) = (open(one)?, open(other)?);
    loop {
        let (ahead, there) = (one.fill_buf()?, other.fill_buf()?);
        let both = ahead.len().min(there.len());
        if ahead[..both] != there[..both] || both == 0 {
            return Ok(ahead.is_empty() && there.is_empty());
        }
        one.consume(both);
        other.consume(both);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_through_a_pipe_is_kept_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("out");
        let kept = spool_path(&output);
        spool(&b"question\na\n"[..], &output).unwrap().keep(Some("now")).unwrap();
        assert_eq!(fs_err::read(&kept).unwrap(), b"question\na\n");
        assert!(matches!(spool(&b""[..], &output), Err(SourceError::Empty { .. })));
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the pipe is broken"))
            }
        }
        assert!(spool(b"half".chain(Broken), &output).is_err());
        assert_eq!(fs_err::read(&kept).unwrap(), b"question\na\n");
        drop(spool(&b"question\n"[..], &output).unwrap());
        assert_eq!(fs_err::read(&kept).unwrap(), b"question\na\n");
        assert_eq!(fs_err::read_dir(&output).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn what_came_before_is_moved_away_where_it_is_another_and_that_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let keep =
            |bytes: &[u8], earlier| spool(bytes, folder.path()).unwrap().keep(earlier).unwrap();
        assert_eq!(keep(b"a\nb\n", Some("now")), None);
        assert_eq!(keep(b"a\nb\n", Some("now")), None);
        let moved = keep(b"a\nc\n", Some("now")).unwrap();
        assert_eq!(fs_err::read(&moved).unwrap(), b"a\nb\n");
        assert_eq!(keep(b"d\n", None), None);
        assert_eq!(fs_err::read(spool_path(folder.path())).unwrap(), b"d\n");
        assert_eq!(fs_err::read_dir(moved.parent().unwrap()).unwrap().count(), 1);
    }
}
