//! Questions that come through a pipe: written down before anything is asked, because an input is read
//! more than once, and joined with its answers again whenever somebody looks.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::{SourceError, records_error};
use crate::os::files::{new_in, put};

/// What an input is called that is read from standard input.
pub const STDIN: &str = "-";

/// Returns where questions from a pipe are kept, in the folder of the outputs. Its name has no ending
/// by which loaders of data sets would take it for data.
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
    Ok(Spooled { file, path })
}

impl Spooled {
    /// Returns where it is until it is kept, to be looked at.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Puts it in the place of what came in an earlier run, durably, and returns where.
    pub fn keep(self) -> Result<PathBuf, SourceError> {
        let Spooled { file, path } = self;
        put(file, &path).map_err(|error| records_error(&path, error.into()))?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_through_a_pipe_is_kept_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("out");
        let kept = spool(&b"question\na\n"[..], &output).unwrap().keep().unwrap();
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
}
