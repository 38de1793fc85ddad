//! The forms of input, and which of them a file is of.

use std::io::Read as _;
use std::path::Path;

use super::{Source, SourceError, SourceOptions, csv, ending_of, objects, packing, records_error};

/// So much of a file tells which source opens it, where its name does not.
const HEAD_BYTES: u64 = 4096;

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

/// Chooses by the name's ending, else by what the user says and the first bytes; a file that cannot be
/// read is left to the first kind, which says why.
pub(super) fn choose<'k>(
    kinds: &'k [SourceKind],
    path: &Path,
    options: &SourceOptions,
) -> &'k SourceKind {
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
