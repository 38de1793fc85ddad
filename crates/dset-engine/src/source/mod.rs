//! The questions, read from the input.
//!
//! An input is anything that gives [`Item`]s one after the other, and again from the first:
//! a [`Source`]. Which of [`SOURCES`] opens a file, its name and its first bytes tell. A further form
//! is one file here and one line in that list.

pub mod bad_row;
mod chat;
mod csv;
mod cursor;
mod dataset_card;
pub mod error_marks;
mod file;
mod files;
pub mod import;
pub(crate) mod items;
mod objects;
mod overlooked;
pub(crate) mod packing;
mod slice;
pub mod spool;

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dset_core::csv::{HeaderMode, RecordsError, SuspectedFile, Suspicion};
use dset_core::item::error_marks::MarksColumn;
use dset_core::item::params::SERVICE_TIER;
use dset_core::item::shape::Shape;
use dset_core::item::{Item, Place};
use dset_core::key::RequestSettings;
use dset_core::settings::{JobSpec, Reading};
use dset_core::template::DEFAULT_TEMPLATE;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::shard::{JobFileError, ShardRows};
use bad_row::{BadRows, RowProblem};
pub use cursor::Cursor;
use error_marks::Marker;
pub(crate) use file::{layout_error, open_file, records_error};
pub use files::is_there;

/// So much of a file tells which source opens it, where its name does not.
const HEAD_BYTES: u64 = 4096;

/// Fields that may name the rows where the user names none, the likeliest first.
pub(crate) const ID_FIELDS: [&str; 4] = ["id", "uuid", "custom_id", "_id"];

/// The items of one input, one after the other.
pub trait Source: fmt::Debug + Send {
    /// Returns what is known of all items.
    fn shape(&self) -> &Shape;

    /// Goes back to the first item.
    fn rewind(&mut self) -> Result<(), SourceError>;

    /// Reads the next item; false behind the last.
    fn advance(&mut self) -> Result<bool, SourceError>;

    /// Returns the item that was read last.
    fn current(&self) -> Item<'_>;

    /// Reads the next item and returns it; `None` behind the last.
    fn next(&mut self) -> Result<Option<Item<'_>>, SourceError> {
        Ok(if self.advance()? { Some(self.current()) } else { None })
    }

    /// Returns where the item stands that was read last.
    fn position(&self) -> Place;

    /// Gives every item from now on the id that this field holds.
    fn take_ids_from(&mut self, field: &str);

    /// Leaves out the item that was read last, or fails with what is wrong with it, as the user says.
    fn skip_bad_row(&mut self, problem: RowProblem) -> Result<(), SourceError>;

    /// Returns the rows that were left out so far because they cannot be asked.
    fn bad_rows(&self) -> BadRows {
        BadRows::default()
    }

    /// Returns how many rows were left out so far because they cannot be asked.
    fn skipped(&self) -> u64 {
        self.bad_rows().count
    }

    /// Returns from where the next item, or one before it, can be read without what stands before;
    /// `None` where nothing new is known of that.
    fn cursor(&self) -> Option<Cursor> {
        None
    }

    /// Goes to a place that a source of the same input gave.
    fn seek(&mut self, to: &Cursor) -> Result<(), SourceError> {
        let _ = to;
        self.rewind()
    }

    /// Returns what is known of these rows as a part of a larger input.
    fn shard_rows(&self) -> Option<&ShardRows> {
        None
    }

    /// Returns the files of the folder that are not read, in the order of their names.
    fn unread(&self) -> &[PathBuf] {
        &[]
    }

    /// Returns what writes marks into the input; `None` where it is never written.
    fn marker(&self) -> Option<Arc<dyn Marker>> {
        None
    }
}

/// Opens a file at its first item.
pub type OpenSource = fn(&Path, &SourceOptions) -> Result<Box<dyn Source>, SourceError>;

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
    pub open: OpenSource,
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
pub const SOURCES: &[SourceKind] = &[
    csv::KIND,
    csv::TSV,
    objects::LINES,
    objects::ARRAY,
    objects::TEXT,
    #[cfg(feature = "parquet")]
    objects::PARQUET,
];

/// How the input is to be read.
#[derive(Debug, Clone, Default)]
pub struct SourceOptions {
    /// Whether the first row is a header.
    pub header: HeaderMode,
    /// The field with the questions, where the user names it.
    pub column: Option<String>,
    /// The column that marks are known to have been written to.
    pub marks: MarksColumn,
    /// The user says in a template which fields are sent.
    pub has_template: bool,
    /// The user gives a system prompt, which may name a field.
    pub has_system: bool,
    /// The fields of requests that flags say for all rows, by the names that rows have for them.
    pub said: Map<String, Value>,
    /// How rows are read, as the user says.
    pub reading: Reading,
    /// The folder that the run writes to: what it has written there is no input of several files.
    pub outputs: Option<PathBuf>,
    /// Fields that every row of the file has, because folders that it lies in say so.
    pub(crate) partition: Vec<(String, Value)>,
}

impl SourceOptions {
    /// Returns how these settings read the input; `marks` is the column that the store knows to
    /// have marks.
    #[must_use]
    pub fn new(settings: &JobSpec, marks: MarksColumn) -> SourceOptions {
        let has_template = settings.model().request.template != DEFAULT_TEMPLATE;
        let (column, reading) = (settings.column.clone(), settings.reading.clone());
        let (header, has_system) = (settings.header, settings.model().request.system.is_some());
        let said = said_for_all(&settings.model().request);
        let outputs = Some(settings.output.clone());
        let partition = Vec::new();
        SourceOptions {
            header,
            column,
            marks,
            has_template,
            has_system,
            said,
            reading,
            outputs,
            partition,
        }
    }

    /// Reads it as it was asked under these settings.
    pub(crate) fn asked_with(self, request: &RequestSettings) -> SourceOptions {
        let has_template = request.template != DEFAULT_TEMPLATE;
        SourceOptions { has_template, said: said_for_all(request), ..self }
    }
}

/// Returns what settings say of requests that rows may say too.
fn said_for_all(request: &RequestSettings) -> Map<String, Value> {
    let names = ["max_tokens", "max_completion_tokens", "max_output_tokens"];
    let limits = names.iter().map(|name| (*name, request.max_tokens.map(Value::from)));
    let others = [
        (SERVICE_TIER, request.params.get(SERVICE_TIER).cloned()),
        ("n", Some(Value::from(1))),
        ("temperature", request.temperature.map(Value::from)),
        ("reasoning_effort", request.reasoning_effort.clone().map(Value::from)),
    ];
    let said = limits.chain(others);
    said.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
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
    /// None of its fields is one of questions.
    #[error("no field of `{}` holds questions", path.display())]
    NoQuestionField {
        /// What was read.
        path: PathBuf,
        /// What there is.
        found: Vec<String>,
    },
    /// Two fields may be meant.
    #[error("`{}` has `{second}` beside `{first}`", path.display())]
    TwoFields {
        /// What was read.
        path: PathBuf,
        /// The field that would be asked.
        first: String,
        /// The field that would not.
        second: String,
    },
    /// A row cannot be asked.
    #[error("`{}`, {}: {problem}", path.display(), place_words(*place))]
    BadRow {
        /// What was read.
        path: PathBuf,
        /// Where.
        place: Place,
        /// Why.
        problem: RowProblem,
    },
    /// Its content is broken as a whole.
    #[error("{detail}")]
    Unreadable {
        /// What was read.
        path: PathBuf,
        /// Why, with the file.
        detail: String,
    },
    /// Files of one input are of two kinds.
    #[error("`{}` is {}, and `{}` is {}", first.display(), names.0, second.display(), names.1)]
    MixedKinds {
        /// The first file.
        first: PathBuf,
        /// The first of another kind.
        second: PathBuf,
        /// What they are.
        names: (&'static str, &'static str),
    },
    /// No file of a folder or a pattern may hold rows.
    #[error("no file of `{}` holds rows", path.display())]
    NoFiles {
        /// The folder or the pattern.
        path: PathBuf,
    },
    /// It is, or holds, what `datasets` wrote by `save_to_disk`.
    #[error("`{}` is a data set that `save_to_disk` wrote", path.display())]
    SavedToDisk {
        /// The folder of the data set.
        path: PathBuf,
    },
    /// A file that the card of a data set names is not there.
    #[error("the card of `{}` names `{pattern}`, which is not there", path.display())]
    NamedFileMissing {
        /// The folder.
        path: PathBuf,
        /// As the card has it.
        pattern: String,
    },
    /// A file of the split that is asked cannot be read.
    #[error("`{}` belongs to what is asked, and cannot be read", path.display())]
    UnreadPart {
        /// The file.
        path: PathBuf,
    },
    /// Git has a pointer in the place of the file.
    #[error("`{}` is a pointer of Git LFS, not the file", path.display())]
    LfsPointer {
        /// Where the file should be.
        path: PathBuf,
    },
    /// A data set has several configurations, or none of this name.
    #[error("`{}` has {}", path.display(), parts(what, found))]
    WhichPart {
        /// The folder.
        path: PathBuf,
        /// `configurations` or `splits`.
        what: &'static str,
        /// The name that was given.
        given: Option<String>,
        /// What there are.
        found: Vec<String>,
    },
    /// The card of a data set cannot be read.
    #[error("the card of `{}` cannot be read: {detail}", path.display())]
    Card {
        /// The folder.
        path: PathBuf,
        /// Why.
        detail: String,
    },
    /// The condition for rows cannot be judged.
    #[error("the condition for rows cannot be judged: {detail}")]
    Condition {
        /// Why.
        detail: String,
    },
    /// It would be asked otherwise than it is meant.
    #[error("{}", SuspectedFile { name: &path.display(), suspicion })]
    Suspicious {
        /// What was read.
        path: PathBuf,
        /// What speaks against it.
        suspicion: Suspicion,
    },
    /// It is a part of a job that cannot be read.
    #[error(transparent)]
    Job(#[from] JobFileError),
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
    match &options.reading.shard {
        Some(shard) => slice::open(path, options, shard),
        None => open_whole(path, options),
    }
}

fn open_whole(path: &Path, options: &SourceOptions) -> Result<Box<dyn Source>, SourceError> {
    open_among(SOURCES, path, options)
}

/// Returns the files that an input is made of, in the order in which they are read.
pub(crate) fn files_of(path: &Path, reading: &Reading) -> Result<Vec<PathBuf>, SourceError> {
    let several = files::of(SOURCES, path, reading, None)?;
    Ok(several.map_or_else(|| vec![path.to_owned()], |found| found.read))
}

/// Tells whether a file would be among those of an input of several files, were it there.
pub(crate) fn would_read(input: &Path, path: &Path) -> bool {
    files::would_read(SOURCES, input, path)
}

fn open_among(
    kinds: &[SourceKind],
    path: &Path,
    options: &SourceOptions,
) -> Result<Box<dyn Source>, SourceError> {
    let several = files::of(kinds, path, &options.reading, options.outputs.as_deref())?;
    match several {
        Some(found) => files::Files::open(kinds, path, found, options),
        None => (choose(kinds, path, options).open)(path, options),
    }
}

/// Opens a file as CSV, whatever its name says.
fn open_csv(path: &Path, options: &SourceOptions) -> Result<Box<dyn Source>, SourceError> {
    (csv::KIND.open)(path, options)
}

/// Tells whether a file is packed, as far as it can be read.
#[must_use]
pub fn is_packed(path: &Path) -> bool {
    packing::is_packed(path).unwrap_or(false)
}

/// Returns how a file's name ends, in lower case, without what says that it is packed.
fn ending_of(path: &Path) -> Option<String> {
    Some(packing::without_packing(path).extension()?.to_str()?.to_lowercase())
}

/// Says which splits or configurations there are.
fn parts(what: &str, found: &[String]) -> String {
    match found {
        [] => format!("no {what}"),
        found => format!("the {what} {}", found.join(", ")),
    }
}

/// Says where a row stands.
#[must_use]
pub fn place_words(place: Place) -> String {
    match place {
        Place::Row(number) => format!("row {number}"),
        Place::Line(number) => format!("line {number}"),
        Place::Element(number) => format!("element {number}"),
    }
}

/// Chooses by the name's ending, else by what the user says and the first bytes; a file that cannot be
/// read is left to the first kind, which says why.
fn choose<'k>(kinds: &'k [SourceKind], path: &Path, options: &SourceOptions) -> &'k SourceKind {
    let ending = ending_of(path).unwrap_or_default();
    if let Some(kind) = kinds.iter().find(|kind| kind.endings.contains(&ending.as_str())) {
        return kind;
    }
    // Only questions of a text have something between them.
    let text = kinds.iter().find(|kind| kind.name == objects::TEXT.name);
    if let Some(text) = text.filter(|_| options.reading.split_on.is_some()) {
        return text;
    }
    let (first, others) = kinds.split_first().expect("there is a kind of source");
    let mut head = Vec::new();
    if others.is_empty()
        || packing::Unpacked::open(path)
            .and_then(|file| {
                let read = file.take(HEAD_BYTES).read_to_end(&mut head);
                read.map_err(|error| records_error(path, error.into()))
            })
            .is_err()
    {
        return first;
    }
    let lines = kinds.iter().find(|kind| kind.name == objects::LINES.name);
    if let Some(lines) = lines.filter(|_| objects::are_texts(&head, path)) {
        return lines;
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
