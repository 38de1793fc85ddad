//! Containers: how the rows of a dataset are written into a file.

mod csv;
mod json;
#[cfg(feature = "parquet")]
mod parquet;

use std::fs::File;
use std::io;
use std::path::Path;

use dset_core::layout::{Cell, Column, ValueType};

use super::pack::Packing;

/// Writes the rows of one dataset, each once, to one file.
pub(super) trait Container {
    /// Writes a row: a cell for each column.
    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()>;

    /// Ends the file. Syncing it is the caller's.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// Begins a file of these columns.
type OpenContainer = fn(File, Packing, &[Column]) -> io::Result<Box<dyn Container>>;

/// What of an input is read again as it was, and so asked again with the same prompts.
#[derive(Clone, Copy)]
pub(super) enum Keeps {
    /// Every row, with the keys that it has.
    Rows,
    /// Columns of texts, and those of JSON of which this holds.
    Columns(fn(Option<&ValueType>) -> bool),
}

/// A kind of file.
pub struct ContainerKind {
    /// What the names of such files end with, without the dot.
    pub ending: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// It can be packed: `.gz`, `.zst`.
    pub packs: bool,
    /// It has a type for moments; otherwise they are text.
    pub(super) has_moments: bool,
    /// What is read again as it was.
    pub(super) keeps: Keeps,
    /// Tells whether a cell is written as it is, and not every reader takes it so.
    pub(super) is_awkward: fn(&Cell<'_>) -> bool,
    pub(super) open: OpenContainer,
}

/// The kinds of files that a dataset can be written to. Another one is a `Container` and a value in
/// this list.
pub const CONTAINERS: &[ContainerKind] = &[
    json::LINES,
    json::ARRAY,
    csv::KIND,
    #[cfg(feature = "parquet")]
    parquet::KIND,
];

/// The kind that a folder for the Hub has: Parquet, where that is built in.
pub(super) fn of_folders() -> &'static ContainerKind {
    let parquet = CONTAINERS.iter().find(|kind| kind.ending == "parquet");
    parquet.unwrap_or(&CONTAINERS[0])
}

/// Finds the kind of file and its packing by the ending of a name: `sft.jsonl`, `sft.jsonl.zst`.
pub(super) fn of_name(path: &Path) -> Option<(&'static ContainerKind, Packing)> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    let (stem, packing) = Packing::of_name(&name);
    let (_, ending) = stem.rsplit_once('.')?;
    let kind = CONTAINERS.iter().find(|kind| kind.ending == ending)?;
    (kind.packs || packing == Packing::None).then_some((kind, packing))
}
