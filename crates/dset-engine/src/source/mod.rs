//! The questions, read from the input.
//!
//! An input is anything that gives [`Item`]s one after the other, and again from the first:
//! a [`Source`]. Which of [`SOURCES`] opens a file, its name and its first bytes tell. A further form
//! is one file here and one line in that list.

mod csv;
pub mod error_marks;
mod file;
pub mod import;
pub(crate) mod items;

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dset_core::csv::{HeaderMode, RecordsError, SuspectedFile, Suspicion};
use dset_core::item::shape::Shape;
use dset_core::item::{Item, Place};
use dset_core::settings::Settings;
use dset_core::template::DEFAULT_TEMPLATE;
use thiserror::Error;

use error_marks::Marker;
pub(crate) use file::{layout_error, open_file, records_error};

/// So much of a file tells which source opens it, where its name does not.
const HEAD_BYTES: u64 = 4096;

/// The items of one input, one after the other.
pub trait Source: fmt::Debug + Send {
    /// Returns what is known of all items.
    fn shape(&self) -> &Shape;

    /// Goes back to the first item.
    fn rewind(&mut self) -> Result<(), SourceError>;

    /// Reads the next item; `None` behind the last.
    fn next(&mut self) -> Result<Option<Item<'_>>, SourceError>;

    /// Returns where the item stands that was read last.
    fn position(&self) -> Place;

    /// Returns what writes marks into the input; `None` where it is never written.
    fn marker(&self) -> Option<Arc<dyn Marker>> {
        None
    }
}

/// A form of input.
#[derive(Debug, Clone, Copy)]
pub struct SourceKind {
    /// What it is called.
    pub name: &'static str,
    /// How the names of such files end, in lower case, without the dot.
    pub endings: &'static [&'static str],
    /// Judges the first bytes of a file, at most 4096.
    pub sniff: fn(&[u8]) -> Likelihood,
    /// Opens a file at its first item.
    pub open: fn(&Path, &SourceOptions) -> Result<Box<dyn Source>, SourceError>,
}

/// Whether a file is of a form, as far as its first bytes tell; the likelier, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Likelihood {
    /// It is not.
    No,
    /// Nothing speaks against it.
    Possible,
    /// Something speaks for it.
    Likely,
}

/// The forms that a run reads. The first is what a file is read as that is of no form.
pub const SOURCES: &[SourceKind] = &[csv::KIND];

/// How the input is to be read.
#[derive(Debug, Clone, Default)]
pub struct SourceOptions {
    /// Whether the first row is a header.
    pub header: HeaderMode,
    /// The field with the questions, where the user names it.
    pub column: Option<String>,
    /// The column that marks are known to have been written to.
    pub marks: Option<String>,
    /// The user says in a template which fields are sent.
    pub has_template: bool,
}

impl SourceOptions {
    /// Returns how these settings read the input; `marks` is the column that the store knows to
    /// have marks.
    #[must_use]
    pub fn new(settings: &Settings, marks: Option<String>) -> SourceOptions {
        let has_template = settings.model().request.template != DEFAULT_TEMPLATE;
        let column = settings.column.clone();
        SourceOptions { header: settings.header, column, marks, has_template }
    }
}

/// Why there are no questions.
#[derive(Debug, Error)]
pub enum SourceError {
    /// There is no such file.
    #[error("there is no `{}`", path.display())]
    Missing {
        /// What was looked for.
        path: PathBuf,
    },
    /// It is a folder, a pipe or a device: the input is read twice and marked, so it is a file.
    #[error("`{}` is not a file", path.display())]
    NotAFile {
        /// What it is called.
        path: PathBuf,
        /// It is a folder.
        is_folder: bool,
    },
    /// It may not be read.
    #[error("`{}` may not be read", path.display())]
    NoPermission {
        /// What was opened.
        path: PathBuf,
    },
    /// There is nothing in it.
    #[error("`{}` is empty", path.display())]
    Empty {
        /// What was read.
        path: PathBuf,
    },
    /// The field that the user named is not there.
    #[error("cannot find the column `{column}` in `{}`", path.display())]
    NoSuchColumn {
        /// What was read.
        path: PathBuf,
        /// What was named.
        column: String,
        /// What there is.
        found: Vec<String>,
    },
    /// It would be asked otherwise than it is meant.
    #[error("{}", SuspectedFile { name: &path.display(), suspicion })]
    Suspicious {
        /// What was read.
        path: PathBuf,
        /// What speaks against it.
        suspicion: Suspicion,
    },
    /// It is no text, or no CSV.
    #[error("`{}`: {error}", path.display())]
    Records {
        /// What was read.
        path: PathBuf,
        /// What is wrong with it, and where.
        error: RecordsError,
    },
}

/// Opens an input at its first item.
pub fn open(path: &Path, options: &SourceOptions) -> Result<Box<dyn Source>, SourceError> {
    open_among(SOURCES, path, options)
}

fn open_among(
    kinds: &[SourceKind],
    path: &Path,
    options: &SourceOptions,
) -> Result<Box<dyn Source>, SourceError> {
    (choose(kinds, path).open)(path, options)
}

/// Chooses by the name's ending, else by the first bytes; a file that cannot be read is left to the
/// first kind, which says why.
fn choose<'k>(kinds: &'k [SourceKind], path: &Path) -> &'k SourceKind {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let ending = ending.to_lowercase();
    if let Some(kind) = kinds.iter().find(|kind| kind.endings.contains(&ending.as_str())) {
        return kind;
    }
    let (first, others) = kinds.split_first().expect("there is a kind of source");
    let mut head = Vec::new();
    if others.is_empty()
        || open_file(path)
            .and_then(|file| {
                let read = file.take(HEAD_BYTES).read_to_end(&mut head);
                read.map_err(|error| records_error(path, error.into()))
            })
            .is_err()
    {
        return first;
    }
    // Of equally likely ones the first.
    others.iter().fold(
        first,
        |best, kind| {
            if (kind.sniff)(&head) > (best.sniff)(&head) { kind } else { best }
        },
    )
}

#[cfg(test)]
mod tests;
