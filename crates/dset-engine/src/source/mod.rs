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
mod error;
pub mod error_marks;
mod file;
mod files;
pub mod import;
pub(crate) mod items;
mod kind;
mod objects;
mod options;
mod overlooked;
pub(crate) mod packing;
mod slice;
pub mod spool;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dset_core::item::shape::Shape;
use dset_core::item::{Item, Place};
use dset_core::settings::Reading;

use crate::shard::ShardRows;
use bad_row::{BadRows, RowProblem};
pub use cursor::Cursor;
pub use error::{SourceError, place_words};
use error_marks::Marker;
pub(crate) use file::{layout_error, open_file, records_error};
pub use files::is_there;
#[cfg(feature = "postgres")]
pub(crate) use files::{below, partition_of, split_pattern};
use kind::choose;
pub use kind::{Likelihood, OpenSource, SOURCES, SourceKind};
pub use options::SourceOptions;

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

/// Fails where a setting says how another kind of input is read.
pub(crate) fn check_use(path: &Path, reading: &Reading) -> Result<(), SourceError> {
    let of_no_use = |setting| Err(SourceError::OfNoUse { path: path.to_owned(), setting });
    let chooses_part = [("config", &reading.config), ("split", &reading.split)];
    if let Some((setting, _)) = chooses_part.into_iter().find(|(_, given)| given.is_some())
        && !path.is_dir()
    {
        return of_no_use(setting);
    }
    if reading.split_on.is_none() {
        return Ok(());
    }
    let options = SourceOptions { reading: reading.clone(), ..SourceOptions::default() };
    let is_text = |file: &PathBuf| choose(SOURCES, file, &options).name == objects::TEXT.name;
    if !files_of(path, reading)?.iter().all(is_text) {
        return of_no_use("split-on");
    }
    Ok(())
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

#[cfg(test)]
mod tests;
