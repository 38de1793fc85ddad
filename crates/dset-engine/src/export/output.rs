//! The files of a dataset, while they are written: whole, synced, and without their names until all
//! of them are there.

use std::path::{Path, PathBuf};

use dset_core::layout::{Cell, Column};
use tempfile::NamedTempFile;

use super::container::{Container, ContainerKind};
use super::error::ExportError;
use super::pack::Packing;
use crate::os::files::new_in;

/// How many rows each file of a split has.
#[derive(Debug, Clone)]
pub(super) enum FileRows {
    /// All.
    All,
    /// So many, and the last the rest.
    Each(u64),
    /// So many files, each with as many rows as this list says.
    Exactly(Vec<u64>),
}

impl FileRows {
    /// Divides rows into so many files, as evenly as it goes.
    pub(super) fn divided(rows: u64, files: u32) -> FileRows {
        let files = u64::from(files);
        FileRows::Exactly(
            (0..files).map(|at| rows / files + u64::from(at < rows % files)).collect(),
        )
    }

    /// Rows of the file at this place.
    fn of(&self, file: usize) -> u64 {
        match self {
            FileRows::All => u64::MAX,
            FileRows::Each(rows) => *rows,
            FileRows::Exactly(rows) => rows.get(file).copied().unwrap_or(u64::MAX),
        }
    }

    /// Files that there are at least.
    fn files_min(&self) -> usize {
        match self {
            FileRows::All | FileRows::Each(_) => 1,
            FileRows::Exactly(rows) => rows.len(),
        }
    }
}

/// The files of one split.
pub(super) struct SplitFiles {
    /// Its name; absent where there are no splits.
    pub(super) name: Option<String>,
    pub(super) files: Vec<(NamedTempFile, u64)>,
    rows: FileRows,
    open: Option<(NamedTempFile, Box<dyn Container>, u64)>,
}

/// All files of a dataset.
pub(super) struct Output<'a> {
    pub(super) splits: Vec<SplitFiles>,
    folder: &'a Path,
    kind: &'static ContainerKind,
    packing: Packing,
    columns: &'a [Column],
}

impl<'a> Output<'a> {
    /// Begins the files of these splits in a folder.
    pub(super) fn new(
        folder: &'a Path,
        (kind, packing): (&'static ContainerKind, Packing),
        columns: &'a [Column],
        splits: Vec<(Option<String>, FileRows)>,
    ) -> Output<'a> {
        let split = |(name, rows)| SplitFiles { name, files: Vec::new(), rows, open: None };
        Output { splits: splits.into_iter().map(split).collect(), folder, kind, packing, columns }
    }

    /// Writes a row.
    pub(super) fn row(&mut self, split: usize, cells: &[Cell<'_>]) -> Result<(), ExportError> {
        let failed = ExportError::io(self.folder);
        let at = self.splits[split].files.len();
        if self.splits[split].open.is_none() {
            self.open(split)?;
        }
        let split = &mut self.splits[split];
        let most = split.rows.of(at);
        if let Some((_, container, rows)) = &mut split.open {
            container.row(cells).map_err(failed)?;
            *rows += 1;
            if *rows >= most {
                split.close(self.folder)?;
            }
        }
        Ok(())
    }

    fn open(&mut self, split: usize) -> Result<(), ExportError> {
        let failed = ExportError::io(self.folder);
        let file = new_in(self.folder).map_err(&failed)?;
        let handle = file.as_file().try_clone().map_err(&failed)?;
        let container = (self.kind.open)(handle, self.packing, self.columns).map_err(&failed)?;
        self.splits[split].open = Some((file, container, 0));
        Ok(())
    }

    /// Ends all files, and makes what they hold durable. Every split has a file at least.
    pub(super) fn finish(mut self) -> Result<Vec<SplitFiles>, ExportError> {
        for at in 0..self.splits.len() {
            self.splits[at].close(self.folder)?;
            while self.splits[at].files.len() < self.splits[at].rows.files_min() {
                self.open(at)?;
                self.splits[at].close(self.folder)?;
            }
        }
        Ok(self.splits)
    }
}

impl SplitFiles {
    fn close(&mut self, folder: &Path) -> Result<(), ExportError> {
        let failed = ExportError::io(folder);
        let Some((file, container, rows)) = self.open.take() else { return Ok(()) };
        container.finish().map_err(&failed)?;
        file.as_file().sync_all().map_err(&failed)?;
        self.files.push((file, rows));
        Ok(())
    }

    /// Rows of all its files.
    pub(super) fn rows(&self) -> u64 {
        self.files.iter().map(|(_, rows)| rows).sum()
    }

    /// Returns the name of the file at this place: `stem-split-00000-of-00002.ending`. The numbers
    /// are there where `numbered` says so.
    pub(super) fn name_of(&self, at: usize, stem: &str, ending: &str, numbered: bool) -> String {
        let split = self.name.as_deref();
        let mut parts: Vec<String> =
            [Some(stem), split].into_iter().flatten().map(str::to_owned).collect();
        parts.retain(|part| !part.is_empty());
        if numbered {
            parts.push(format!("{at:05}-of-{:05}", self.files.len()));
        }
        format!("{}{ending}", parts.join("-"))
    }
}

/// Splits a file's name before its endings: `sft.jsonl.zst` is `sft` and `.jsonl.zst`.
pub(super) fn stem_and_ending<'n>(name: &'n str, kind: &ContainerKind) -> (&'n str, &'n str) {
    let lower = name.to_ascii_lowercase();
    let at = lower.rfind(&format!(".{}", kind.ending)).unwrap_or(name.len());
    name.split_at(at)
}

/// Finds the files that an earlier export wrote as another number of files, which whoever reads all of
/// them by a pattern would read too.
pub(super) fn earlier_shards(folder: &Path, new: &[PathBuf]) -> Vec<PathBuf> {
    let pattern = |name: &str| -> Option<(String, String)> {
        let (before, behind) = name.split_once("-of-")?;
        let (stem, number) = before.rsplit_once('-')?;
        let (count, ending) = behind.split_at_checked(5)?;
        let is_number = |text: &str| text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
        (is_number(number) && is_number(count)).then(|| (stem.to_owned(), ending.to_owned()))
    };
    let name_of = |path: &PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let patterns: Vec<_> =
        new.iter().filter_map(name_of).filter_map(|name| pattern(&name)).collect();
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_new = new.iter().any(|path| path.file_name() == Some(&entry.file_name()));
            !is_new && pattern(&name).is_some_and(|own| patterns.contains(&own))
        })
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}
