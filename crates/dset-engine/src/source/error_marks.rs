//! Writes bookmarks into the input file.

use std::fmt;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use dset_core::csv::{LayoutError, survey_marked};
use dset_core::item::error_marks::{InputMarks, MarkRewriteError, RewriteCounts, rewrite};
use thiserror::Error;

use crate::os::files;
use crate::source::SourceOptions;

/// How often a file that changes under our hands is tried again.
const TRIES: u32 = 3;

/// Why the marks are not in the file, which is as it was.
#[derive(Debug, Error)]
pub enum MarkError {
    /// It cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is no longer the CSV it was.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// It is no longer the CSV it was.
    #[error(transparent)]
    Bookmark(#[from] MarkRewriteError),
    /// Somebody writes it at the same time.
    #[error("it is being changed by somebody else")]
    Changing,
}

/// Writes marks into an input, as it is when they are written.
pub trait Marker: fmt::Debug + Send + Sync {
    /// Writes these marks; returns also the name of the field that they are in. `known` is the field
    /// that marks are known to have been written to.
    fn write(
        &self,
        marks: &InputMarks,
        known: Option<&str>,
    ) -> Result<(RewriteCounts, String), MarkError>;
}

/// Marks a CSV file, see [`rewrite_marks`].
#[derive(Debug)]
pub(super) struct CsvMarker {
    pub(super) path: PathBuf,
    pub(super) options: SourceOptions,
}

impl Marker for CsvMarker {
    fn write(
        &self,
        marks: &InputMarks,
        known: Option<&str>,
    ) -> Result<(RewriteCounts, String), MarkError> {
        rewrite_marks(&self.path, &self.options, marks, known)
    }
}

/// Rewrites a file with these marks, as it is now; returns also the name of the column that they are
/// in. Nothing is written where nothing changes.
///
/// A file that its owner made read-only fails with `PermissionDenied`, although the folder would let
/// it be replaced. A hard link is not followed: its other name keeps the file as it was.
fn rewrite_marks(
    path: &Path,
    options: &SourceOptions,
    marks: &InputMarks,
    known: Option<&str>,
) -> Result<(RewriteCounts, String), MarkError> {
    let column = options.column.as_deref();
    for _ in 0..TRIES {
        let before = stamp(path)?;
        let layout = survey_marked(fs_err::File::open(path)?, options.header, column, known)?;
        let mut done = RewriteCounts::default();
        let unchanged = || if stamp(path)? == before { Ok(()) } else { Err(MarkError::Changing) };
        let write = |output: &mut dyn io::Write| {
            let mut output = BufWriter::new(output);
            done = rewrite(fs_err::File::open(path)?, &mut output, &layout, marks)?;
            io::Write::flush(&mut output)?;
            // Before it is said that nothing changes, too.
            unchanged()?;
            Ok(done.is_change().then_some(()))
        };
        let replaced = files::replace(path, write, unchanged);
        match replaced {
            Ok(_) => return Ok((done, layout.marks_name())),
            Err(MarkError::Changing) => {}
            Err(error) => return Err(error),
        }
    }
    Err(MarkError::Changing)
}

/// What tells one state of a file from another: its length and the time of its last change.
fn stamp(path: &Path) -> io::Result<(u64, std::time::SystemTime)> {
    let metadata = fs_err::metadata(path)?;
    Ok((metadata.len(), metadata.modified()?))
}

#[cfg(test)]
mod tests {
    use dset_core::item::question::QuestionId;

    use super::*;

    fn set(text: &str) -> InputMarks {
        let id = QuestionId { text_hash: QuestionId::hash_text(text), ordinal: 0 };
        InputMarks { set: [id].into(), ..InputMarks::default() }
    }

    #[cfg(unix)]
    #[test]
    fn a_symlink_is_followed_and_the_mode_is_kept() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real.csv"), folder.path().join("q.csv"));
        fs_err::write(&real, "question,status\na,\n").unwrap();
        fs_err::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).unwrap();
        fs_err::os::unix::fs::symlink(&real, &link).unwrap();
        rewrite_marks(&link, &SourceOptions::default(), &set("a"), None).unwrap();
        assert!(fs_err::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs_err::read_to_string(&real).unwrap(), "question,status\na,ERROR\n");
        assert_eq!(fs_err::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 2, "no temp file stays");
    }

    fn written(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("q.csv");
        fs_err::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn a_file_that_was_edited_since_it_was_read_is_marked_as_it_is_now() {
        let (_folder, path) = written("question,status\na,\nb,\n");
        fs_err::write(&path, "id;note,status,question\r\n1,,b\r\n2,,a\r\n3,,a\r\n").unwrap();
        let (done, column) =
            rewrite_marks(&path, &SourceOptions::default(), &set("a"), None).unwrap();
        assert_eq!(column, "status");
        assert_eq!((done.set, done.missing), (1, 0));
        let now = "id;note,status,question\r\n1,,b\r\n2,ERROR,a\r\n3,,a\r\n";
        assert_eq!(fs_err::read_to_string(&path).unwrap(), now);
        // Its question is gone: nothing is written.
        fs_err::write(&path, "question\nc\n").unwrap();
        let (done, _) = rewrite_marks(&path, &SourceOptions::default(), &set("a"), None).unwrap();
        assert_eq!(done.missing, 1);
        assert_eq!(fs_err::read_to_string(&path).unwrap(), "question\nc\n");
    }

    #[test]
    fn a_file_that_is_no_csv_any_more_is_left_as_it_is() {
        let (folder, path) = written("question,status\na,\n");
        for bytes in [&b""[..], b"question\ncaf\xe9\n", b"question\na\0\n"] {
            fs_err::write(&path, bytes).unwrap();
            rewrite_marks(&path, &SourceOptions::default(), &set("a"), None).unwrap_err();
            assert_eq!(fs_err::read(&path).unwrap(), bytes);
            assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1, "no temp file stays");
        }
        fs_err::remove_file(&path).unwrap();
        rewrite_marks(&path, &SourceOptions::default(), &set("a"), None).unwrap_err();
        assert!(!path.exists(), "a file that was removed is not made again");
    }

    #[test]
    fn a_file_that_its_owner_made_read_only_is_left_as_it_is() {
        let (folder, path) = written("question,status\na,\n");
        let mut permissions = fs_err::metadata(&path).unwrap().permissions();
        permissions.set_readonly(true);
        fs_err::set_permissions(&path, permissions).unwrap();
        let error = rewrite_marks(&path, &SourceOptions::default(), &set("a"), None).unwrap_err();
        assert!(matches!(&error, MarkError::Io(e) if e.kind() == io::ErrorKind::PermissionDenied));
        assert_eq!(fs_err::read_to_string(&path).unwrap(), "question,status\na,\n");
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1, "no temp file stays");
        // With nothing to change there is nothing to complain of.
        assert_eq!(
            rewrite_marks(&path, &SourceOptions::default(), &set("b"), None).unwrap().0.missing,
            1
        );
    }

    #[cfg(unix)]
    #[test]
    fn in_a_folder_that_may_not_be_written_the_file_stays_as_it_was() {
        use std::os::unix::fs::PermissionsExt;
        let (folder, path) = written("question,status\na,\n");
        let mode = |mode| {
            fs_err::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        };
        mode(0o555);
        // Root may write everywhere: then the mark is there.
        let may_write = fs_err::write(folder.path().join("probe"), "").is_ok();
        let result = rewrite_marks(&path, &SourceOptions::default(), &set("a"), None);
        mode(0o755);
        assert_eq!(result.is_ok(), may_write);
        let expected =
            if may_write { "question,status\na,ERROR\n" } else { "question,status\na,\n" };
        assert_eq!(fs_err::read_to_string(&path).unwrap(), expected);
    }

    #[cfg(unix)]
    #[test]
    fn the_other_name_of_a_hard_link_keeps_the_file_as_it_was() {
        let (folder, path) = written("question,status\na,\n");
        let other = folder.path().join("other.csv");
        fs_err::hard_link(&path, &other).unwrap();
        rewrite_marks(&path, &SourceOptions::default(), &set("a"), None).unwrap();
        assert_eq!(fs_err::read_to_string(&path).unwrap(), "question,status\na,ERROR\n");
        assert_eq!(fs_err::read_to_string(&other).unwrap(), "question,status\na,\n");
    }

    #[test]
    fn a_read_only_file_is_left_alone_though_a_rename_could_replace_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("q.csv");
        fs_err::write(&path, "question,status\na,\n").unwrap();
        let mut permissions = fs_err::metadata(&path).unwrap().permissions();
        permissions.set_readonly(true);
        fs_err::set_permissions(&path, permissions).unwrap();
        let error = rewrite_marks(&path, &SourceOptions::default(), &set("a"), None).unwrap_err();
        assert!(error.to_string().contains("read-only"), "{error}");
        assert_eq!(fs_err::read_to_string(&path).unwrap(), "question,status\na,\n");
    }

    #[test]
    fn a_file_in_which_nothing_changes_is_not_rewritten() {
        let (_folder, path) = written("question,status\na,todo\n");
        let before = fs_err::metadata(&path).unwrap().modified().unwrap();
        let options = SourceOptions::default();
        let (done, _) = rewrite_marks(&path, &options, &set("a"), Some("status")).unwrap();
        assert_eq!(done.left_alone, 1);
        assert_eq!(fs_err::metadata(&path).unwrap().modified().unwrap(), before);
    }

    #[test]
    fn a_status_column_of_the_users_own_is_never_touched_and_marks_have_a_column_beside_it() {
        let (_folder, path) = written("question,status\na,OK\nb,\nc,ERROR\n");
        let clear = |text: &str| InputMarks { clear: set(text).set, ..InputMarks::default() };
        let (_, column) = rewrite_marks(&path, &SourceOptions::default(), &set("b"), None).unwrap();
        let marked = "question,status,dset_status\na,OK\nb,,ERROR\nc,ERROR\n";
        assert_eq!(column, "dset_status");
        assert_eq!(fs_err::read_to_string(&path).unwrap(), marked);
        rewrite_marks(&path, &SourceOptions::default(), &clear("c"), None).unwrap();
        assert_eq!(fs_err::read_to_string(&path).unwrap(), marked);
    }
}
