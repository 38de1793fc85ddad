//! What of a folder or a pattern cannot be looked at, so that nobody takes its rows for read: folders that may not
//! be read, names that are no UTF-8, which patterns do not match, and parts that are not there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::files::{is_hidden, is_pattern};
use crate::store::STORE;

/// Folders that cannot be read, and files and folders whose names are no UTF-8.
#[derive(Debug, Default)]
struct Overlooked {
    shut: Vec<PathBuf>,
    misnamed: Vec<PathBuf>,
}

/// Returns what is overlooked in a folder, and in all folders within it or only in those that lie in it, but for hidden
/// ones and those of runs; of files what `may_hold_rows`.
pub(super) fn in_folder(
    folder: &Path,
    is_deep: bool,
    may_hold_rows: impl Fn(&Path) -> bool,
) -> Vec<PathBuf> {
    let mut found = Overlooked::default();
    found.walk(folder, if is_deep { usize::MAX } else { 1 }, &may_hold_rows);
    found.shut.append(&mut found.misnamed);
    found.shut
}

/// Returns what a pattern overlooks.
pub(super) fn of_pattern(pattern: &Path) -> Vec<PathBuf> {
    let text = pattern.to_string_lossy();
    let (Ok(paths), Ok(compiled)) = (glob::glob(&text), glob::Pattern::new(&text)) else {
        return Vec::new();
    };
    let shut = paths.filter_map(Result::err).map(|error| error.path().to_owned());
    let is_literal = |part: &Path| !is_pattern(part);
    let whole = pattern.ancestors().skip(1).find(|above| is_literal(above)).unwrap_or(pattern);
    let base = if whole.as_os_str().is_empty() { Path::new(".") } else { whole };
    let parts = pattern.components().count() - whole.components().count();
    let depth = if text.contains("**") { usize::MAX } else { parts - 1 };
    let options = glob::MatchOptions { require_literal_separator: true, ..Default::default() };
    let mut found = Overlooked::default();
    found.walk(base, depth, &|path| {
        let path = if base == whole { path } else { path.strip_prefix(base).unwrap_or(path) };
        compiled.matches_with(&path.to_string_lossy(), options)
    });
    shut.chain(found.misnamed).collect()
}

/// So many parts are looked for, at most.
const PARTS_MAX: u64 = 100_000;

/// Returns the files that are missing among these, whose names say of how many parts they are:
/// `train-00000-of-00003.parquet`.
pub(super) fn missing_parts(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut sets: BTreeMap<_, BTreeSet<u64>> = BTreeMap::new();
    for path in paths {
        if let Some((part, set)) = part_of(path) {
            sets.entry(set).or_default().insert(part);
        }
    }
    let mut missing = Vec::new();
    for (PartSet { folder, before, total, behind, digits }, there) in sets {
        let first = u64::from(there.contains(&total));
        let absent = (first..total + first).filter(|part| !there.contains(part));
        missing.extend(
            absent.map(|part| folder.join(format!("{before}-{part:0digits$}-of-{behind}"))),
        );
    }
    missing
}

/// The parts of one whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct PartSet<'a> {
    folder: &'a Path,
    before: &'a str,
    total: u64,
    /// The number of all, and the ending.
    behind: &'a str,
    digits: usize,
}

/// Tells whether the name of a file says that it is one of several parts.
pub(super) fn is_one_of_several(path: &Path) -> bool {
    part_of(path).is_some()
}

/// Reads which part of what a file is by its name.
fn part_of(path: &Path) -> Option<(u64, PartSet<'_>)> {
    let (front, behind) = path.file_name()?.to_str()?.rsplit_once("-of-")?;
    let (before, part) = front.rsplit_once('-')?;
    let (total, _) = behind.split_once('.')?;
    let number = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten()
    };
    let (folder, digits) = (path.parent()?, part.len());
    let total = number(total).filter(|total| *total <= PARTS_MAX)?;
    Some((number(part)?, PartSet { folder, before, total, behind, digits }))
}

impl Overlooked {
    fn walk(&mut self, folder: &Path, depth: usize, is_meant: &dyn Fn(&Path) -> bool) {
        let Ok(entries) = fs_err::read_dir(folder) else {
            self.shut.push(folder.to_owned());
            return;
        };
        for entry in entries.flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_hidden(&path) {
                continue;
            }
            match (is_folder, name.to_str()) {
                (true, Some(_)) if depth > 0 && !path.join(STORE).exists() => {
                    self.walk(&path, depth - 1, is_meant);
                }
                (true, None) if depth > 0 => self.misnamed.push(path),
                (false, None) if is_meant(&path) => self.misnamed.push(path),
                _ => {}
            }
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::super::{SourceError, SourceOptions, open};
    use super::*;

    fn unread(input: &Path) -> Result<Vec<PathBuf>, SourceError> {
        open(input, &SourceOptions::default()).map(|source| source.unread().to_vec())
    }

    #[test]
    fn what_cannot_be_looked_at_is_named_as_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let within = |name: &[u8]| folder.path().join(OsStr::from_bytes(name));
        fs_err::write(within(b"a.jsonl"), "{\"question\": \"a\"}\n").unwrap();
        let misnamed = within(b"b\xff.jsonl");
        // Some file systems have no such names.
        if fs_err::write(&misnamed, "{\"question\": \"b\"}\n").is_err() {
            return;
        }
        fs_err::write(within(b"notes\xff.md"), "none of rows").unwrap();
        let named = [misnamed];
        assert_eq!(unread(folder.path()).unwrap(), named);
        assert_eq!(unread(&folder.path().join("*.jsonl")).unwrap(), named);
        assert_eq!(unread(&folder.path().join("a*.jsonl")).unwrap(), [""; 0].map(PathBuf::from));

        fs_err::create_dir(within(b"shut")).unwrap();
        fs_err::set_permissions(within(b"shut"), PermissionsExt::from_mode(0o000)).unwrap();
        // Root reads every folder.
        if fs_err::read_dir(within(b"shut")).is_err() {
            let [misnamed] = named;
            let both = [misnamed, within(b"shut")];
            assert_eq!(unread(folder.path()).unwrap(), both);
            assert_eq!(unread(&folder.path().join("**/*.jsonl")).unwrap(), both);
        }
        fs_err::set_permissions(within(b"shut"), PermissionsExt::from_mode(0o700)).unwrap();
    }

    #[test]
    fn parts_that_are_missing_are_named_as_not_read() {
        let missing = |names: &[&str]| {
            let paths: Vec<PathBuf> = names.iter().map(PathBuf::from).collect();
            let missing = missing_parts(&paths).into_iter();
            missing.map(|path| path.display().to_string()).collect::<Vec<_>>()
        };
        let (first, last) = ("d/train-00000-of-00003.parquet", "d/train-00002-of-00003.parquet");
        assert_eq!(missing(&[first, last]), ["d/train-00001-of-00003.parquet"]);
        assert_eq!(missing(&["x-1-of-2.jsonl.gz", "x-2-of-2.jsonl.gz"]), [""; 0]);
        assert_eq!(missing(&["x-1-of-3.csv", "x-3-of-3.csv"]), ["x-2-of-3.csv"]);
        assert_eq!(missing(&["a-of-b.csv", "a-1-of-x.csv", "1-of-3.csv", "q.csv"]), [""; 0]);

        let folder = tempfile::tempdir().unwrap();
        let part = |number| folder.path().join(format!("train-0000{number}-of-00003.jsonl"));
        for number in [0, 2] {
            fs_err::write(part(number), "{\"question\": \"a\"}\n").unwrap();
        }
        assert_eq!(unread(folder.path()).unwrap(), [part(1)]);
        assert_eq!(unread(&folder.path().join("*.jsonl")).unwrap(), [""; 0].map(PathBuf::from));
    }

    #[test]
    fn a_link_that_leads_to_no_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("a.jsonl"), "{\"question\": \"a\"}\n").unwrap();
        symlink("nowhere", folder.path().join(".#a.jsonl")).unwrap();
        assert!(unread(folder.path()).unwrap().is_empty());
        symlink("nowhere", folder.path().join("b.jsonl")).unwrap();
        for input in [folder.path().to_owned(), folder.path().join("*.jsonl")] {
            let missing = unread(&input).unwrap_err();
            assert!(matches!(&missing, SourceError::Missing { path } if path.ends_with("b.jsonl")));
        }
    }
}
