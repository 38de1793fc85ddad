//! Several files as one input: those of a folder, of a pattern, or of a dataset.
//!
//! They are read in the order of their names. The number of a row is its number among the rows of all
//! of them, also those that cannot be asked; what is wrong with one names its file and its row there.

mod find;
mod names;
mod own_outputs;
mod splits;

use std::path::{Path, PathBuf};

use dset_core::item::shape::Shape;
use dset_core::item::{Item, Place};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::bad_row::{BadRows, RowProblem};
use super::{Cursor, Source, SourceError, SourceKind, SourceOptions, overlooked};
use crate::source::kind::choose;

pub use find::is_there;
pub(crate) use find::would_read;
#[cfg(feature = "postgres")]
pub(crate) use find::{below, split_pattern};
pub(super) use find::{in_folder, is_pattern, matching, of};
pub(super) use names::is_hidden;
pub(super) use own_outputs::OwnOutputs;

/// Several files, one behind the other.
#[derive(Debug)]
pub(super) struct Files {
    /// The folder or the pattern that they are of.
    input: PathBuf,
    paths: Vec<PathBuf>,
    unread: Vec<PathBuf>,
    kind: SourceKind,
    options: SourceOptions,
    shape: Shape,
    /// The place of the open file among them, and the file.
    at: usize,
    open: Box<dyn Source>,
    id_field: Option<String>,
    /// Rows that were read, those included that cannot be asked.
    row: u64,
    /// Items and rows of the files before the open one.
    items: u64,
    before: (u64, u64),
    /// Of the files before the open one.
    bad_rows: BadRows,
}

/// The files of a folder or a pattern.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Those that are the input, in the order of their names.
    pub(super) read: Vec<PathBuf>,
    /// Those that may hold rows and are not.
    pub(super) unread: Vec<PathBuf>,
}

/// Tells whether a file without rows is whole: it has bytes, or is one of several parts.
fn may_hold_nothing(path: &Path) -> bool {
    let has_bytes = fs_err::metadata(path).is_ok_and(|file| file.len() > 0);
    has_bytes || names::is_part(path) || overlooked::is_one_of_several(path)
}

impl Files {
    /// Opens files as one input, without those that hold no rows: programs that write in parts leave such. Fails
    /// where they are not all of one kind, one lacks the question, or one that is no such part has not a byte: it
    /// may not have come whole.
    pub(super) fn open(
        kinds: &[SourceKind],
        input: &Path,
        Found { read: found, unread }: Found,
        options: &SourceOptions,
    ) -> Result<Box<dyn Source>, SourceError> {
        let first = found.first().expect("there is a file");
        let kind = *choose(kinds, first, options);
        for path in &found {
            let other = choose(kinds, path, options);
            if other.name != kind.name {
                let (first, second) = (first.clone(), path.clone());
                let names = (kind.name, other.name);
                return Err(SourceError::MixedKinds { first, second, names });
            }
        }
        let mut paths = Vec::with_capacity(found.len());
        let mut begun: Option<(Box<dyn Source>, Shape)> = None;
        for path in &found {
            let other = match (kind.open)(path, &partitioned(input, path, options)) {
                Err(SourceError::Empty { .. }) if may_hold_nothing(path) => continue,
                other => other?,
            };
            paths.push(path.clone());
            let Some((_, shape)) = &mut begun else {
                let shape = Shape { marks: None, ..other.shape().clone() };
                begun = Some((other, shape));
                continue;
            };
            let other = other.shape();
            for name in &other.fields {
                if !shape.fields.contains(name) {
                    shape.fields.push(name.clone());
                }
            }
            let question = &shape.fields[shape.question];
            if other.fields.get(other.question) != Some(question) {
                let (path, column) = (path.clone(), question.clone());
                return Err(SourceError::NoSuchColumn {
                    path,
                    column,
                    found: other.fields.clone(),
                });
            }
        }
        let Some((open, shape)) = begun else {
            return Err(SourceError::Empty { path: first.clone() });
        };
        Ok(Box::new(Files {
            input: input.to_owned(),
            paths,
            unread,
            kind,
            options: options.clone(),
            shape,
            at: 0,
            open,
            id_field: None,
            row: 0,
            items: 0,
            before: (0, 0),
            bad_rows: BadRows::default(),
        }))
    }

    fn open_at(&mut self, at: usize) -> Result<(), SourceError> {
        self.at = at;
        let path = &self.paths[at];
        self.open = (self.kind.open)(path, &partitioned(&self.input, path, &self.options))?;
        if let Some(field) = &self.id_field {
            self.open.take_ids_from(field);
        }
        Ok(())
    }
}

impl Source for Files {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn rewind(&mut self) -> Result<(), SourceError> {
        (self.items, self.row, self.before) = (0, 0, (0, 0));
        self.bad_rows = BadRows::default();
        self.open_at(0)
    }

    fn cursor(&self) -> Option<Cursor> {
        let (items, rows) = self.before;
        Some(Cursor::File { number: self.at as u64, items, rows: Some(rows) })
    }

    fn seek(&mut self, to: &Cursor) -> Result<(), SourceError> {
        let Cursor::File { number, items, rows } = *to else { return self.rewind() };
        let row = rows.unwrap_or(items);
        (self.items, self.row, self.before) = (items, row, (items, row));
        self.bad_rows = BadRows::default();
        self.open_at((number as usize).min(self.paths.len() - 1))
    }

    fn advance(&mut self) -> Result<bool, SourceError> {
        loop {
            let skipped = self.open.skipped();
            let more = self.open.advance()?;
            self.row += self.open.skipped() - skipped;
            if more {
                (self.items, self.row) = (self.items + 1, self.row + 1);
                return Ok(true);
            }
            if self.at + 1 == self.paths.len() {
                return Ok(false);
            }
            self.bad_rows.extend(&self.paths[self.at], self.open.bad_rows());
            self.before = (self.items, self.row);
            self.open_at(self.at + 1)?;
        }
    }

    fn current(&self) -> Item<'_> {
        Item { place: Place::Row(self.row), ..self.open.current() }
    }

    fn position(&self) -> Place {
        Place::Row(self.row)
    }

    fn take_ids_from(&mut self, field: &str) {
        self.id_field = Some(field.to_owned());
        self.open.take_ids_from(field);
    }

    fn skip_bad_row(&mut self, problem: RowProblem) -> Result<(), SourceError> {
        self.open.skip_bad_row(problem)
    }

    fn unread(&self) -> &[PathBuf] {
        &self.unread
    }

    fn skipped(&self) -> u64 {
        self.bad_rows.count + self.open.skipped()
    }

    fn bad_rows(&self) -> BadRows {
        let mut all = self.bad_rows.clone();
        all.extend(&self.paths[self.at], self.open.bad_rows());
        all
    }
}

/// Returns how a file is read whose folders, below the input, say a field of all its rows: `year=2024`, as
/// Spark, DuckDB and others write partitions.
fn partitioned(input: &Path, path: &Path, options: &SourceOptions) -> SourceOptions {
    SourceOptions { partition: partition_of(input, path), ..options.clone() }
}

/// Returns the fields that the folders of a file say, below the input.
pub(crate) fn partition_of(input: &Path, path: &Path) -> Vec<(String, Value)> {
    let below = path.strip_prefix(input).unwrap_or(path).parent().unwrap_or(Path::new(""));
    let field = |part: std::path::Component<'_>| {
        let (name, value) = part.as_os_str().to_str()?.split_once('=')?;
        let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let value = match value {
            "__HIVE_DEFAULT_PARTITION__" | "__HIVE_NULL_PARTITION__" => Value::Null,
            value => decoded(value).into(),
        };
        (!name.is_empty()).then(|| (decoded(name), value))
    };
    below.components().filter_map(field).collect()
}

#[cfg(test)]
mod tests;
