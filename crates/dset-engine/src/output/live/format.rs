//! What a live output looks like, and the list of all of them.

use std::io::{self, Read as _};
use std::path::Path;

use dset_core::answer::row::Row;
use thiserror::Error;

use super::{csv, json, jsonl, txt};

/// How much before a checkpoint is compared with what was written.
pub(crate) const TAIL_BYTES: usize = 64 * 1024;

/// Appends one row to the bytes of an output.
pub type WriteRow = fn(&Row, &mut Vec<u8>);

/// What rows tell beside the original's fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beside {
    /// The id that the input gives the question.
    pub id: bool,
    /// The model and the number of the sample: where a question has several answers, they are told
    /// apart by these.
    pub origin: bool,
}

/// What of a format depends on what rows tell beside the original's fields.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// See [`LiveFormat::header`].
    pub header: &'static [u8],
    /// See [`LiveFormat::header_with_bom`].
    pub header_with_bom: Option<&'static [u8]>,
    /// See [`LiveFormat::write`].
    pub write: WriteRow,
}

/// The looks that a format has.
#[derive(Debug, Clone, Copy)]
pub struct Looks {
    /// Returns one of them.
    pub of: fn(Beside) -> Look,
    /// Tells which a file has, by its first bytes, at most 256.
    pub of_file: fn(&[u8]) -> Beside,
}

/// How a live output looks: a file to which rows are appended, and which is repaired byte by byte.
#[derive(Debug, Clone, Copy)]
pub struct LiveFormat {
    /// Its name in settings and in the store.
    pub name: &'static str,
    /// Its file in the folder of outputs.
    pub file: &'static str,
    /// What it is, in one line, after "the answers" of the first of the list.
    pub about: &'static str,
    /// What its file begins with.
    pub header: &'static [u8],
    /// The same behind a byte order mark, where the format can have one.
    pub header_with_bom: Option<&'static [u8]>,
    /// What ends a line.
    pub newline: &'static [u8],
    /// The version of what its rows look like, from 1. A file that was begun with an earlier one
    /// keeps it until it is rebuilt.
    pub shape: u32,
    /// How rows looked in earlier shapes, by the shape, ascending.
    pub earlier_shapes: &'static [(u32, WriteRow)],
    /// Its place among those that loaders of datasets are told to read: of the outputs that are
    /// written, the README names the one with the lowest.
    pub loader_rank: u8,
    /// Appends one row.
    pub write: WriteRow,
    /// How it looks otherwise, where its rows do not tell everything in any case.
    pub looks: Option<Looks>,
}

/// Every live output there is, in the order in which they are named and written.
pub const LIVE_FORMATS: &[LiveFormat] = &[
    csv::FORMAT,
    json::FORMAT,
    txt::FORMAT,
    jsonl::FORMAT,
    #[cfg(test)]
    super::tests::FIFTH,
];

/// The outputs of the original script, whose bytes never change.
pub mod legacy {
    use super::{LiveFormat, csv, json, txt};

    /// `output.csv`.
    pub const CSV: LiveFormat = csv::FORMAT;
    /// `output.json`.
    pub const JSON: LiveFormat = json::FORMAT;
    /// `output.txt`.
    pub const TXT: LiveFormat = txt::FORMAT;
    /// All of them, which is what is written where no others are named.
    pub const ALL: &[LiveFormat] = &[CSV, JSON, TXT];
}

/// Tells whether there is an output in this folder.
pub(crate) fn has_outputs(folder: &Path) -> bool {
    legacy::ALL.iter().any(|format| folder.join(format.file).is_file())
}

/// Returns an output of dset's in this folder whose rows are not read back where the store is gone.
pub(crate) fn unread_output(folder: &Path) -> io::Result<Option<&'static str>> {
    let path = folder.join(jsonl::FORMAT.file);
    Ok(jsonl::begins_with_own_row(&path)?.then_some(jsonl::FORMAT.file))
}

/// A byte order mark, by which Excel knows that a file is UTF-8.
pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";
/// So much of a file tells how it looks.
const HEAD_BYTES: u64 = 256;

impl LiveFormat {
    /// Tells whether the original script had this output.
    pub(crate) fn is_legacy(&self) -> bool {
        legacy::ALL.iter().any(|format| format.name == self.name)
    }

    /// Returns the format with a byte order mark at the beginning of the file, or without, where it
    /// can have one.
    pub(crate) fn with_bom(self, has_bom: bool) -> LiveFormat {
        let Some(with_bom) = self.header_with_bom else { return self };
        let without = with_bom.strip_prefix(BOM).unwrap_or(self.header);
        LiveFormat { header: if has_bom { with_bom } else { without }, ..self }
    }

    /// Tells whether the file begins with a byte order mark.
    pub(crate) fn has_bom(&self) -> bool {
        self.header.starts_with(BOM)
    }

    /// Returns the format with what its rows tell beside the original's fields, where that differs.
    pub(crate) fn with_beside(self, beside: Beside) -> LiveFormat {
        let Some(looks) = self.looks else { return self };
        let Look { header, header_with_bom, write } = (looks.of)(beside);
        LiveFormat { header, header_with_bom, write, ..self }.with_bom(self.has_bom())
    }

    /// Tells what its rows tell beside the original's fields, as far as its header says so.
    pub(crate) fn beside(&self) -> Beside {
        self.looks.map(|looks| (looks.of_file)(self.header)).unwrap_or_default()
    }

    /// Returns the format as a file has it: what was begun with a byte order mark, or with columns
    /// beside the original's, goes on so. A file that does not tell, as one that is not there or was
    /// torn in its first bytes, is as it is wished here.
    pub(crate) fn as_in_file(self, path: &Path) -> io::Result<LiveFormat> {
        if self.looks.is_none() || !path.is_file() {
            return Ok(self);
        }
        let mut head = Vec::new();
        fs_err::File::open(path)?.take(HEAD_BYTES).read_to_end(&mut head)?;
        let is_torn = head.starts_with(&[0]) || self.header.starts_with(&head);
        let of_file = self.looks.filter(|_| !is_torn).map(|looks| (looks.of_file)(&head));
        let as_in_file = of_file.map_or(self, |beside| self.with_beside(beside));
        Ok(match head.first() {
            None | Some(0) => as_in_file,
            Some(_) => as_in_file.with_bom(BOM.starts_with(&head[..head.len().min(BOM.len())])),
        })
    }

    /// Returns the format as files of this shape have it; shape 0 is that of the first version.
    #[must_use]
    pub(crate) fn of_shape(self, shape: u32) -> LiveFormat {
        let earlier = self.earlier_shapes.iter().find(|(earlier, _)| shape <= *earlier);
        earlier.map_or(self, |&(shape, write)| LiveFormat { shape, write, ..self })
    }
}

/// A format that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no format `{name}`")]
pub struct UnknownFormat {
    /// What was asked for.
    pub name: String,
}

/// Returns the formats with these names, in the order of [`LIVE_FORMATS`].
pub fn live_formats(names: &[String]) -> Result<Vec<LiveFormat>, UnknownFormat> {
    let is_one = |name: &&String| LIVE_FORMATS.iter().any(|format| format.name == *name);
    if let Some(name) = names.iter().find(|name| !is_one(name)) {
        return Err(UnknownFormat { name: name.clone() });
    }
    let wanted = |format: &&LiveFormat| names.iter().any(|name| name == format.name);
    Ok(LIVE_FORMATS.iter().filter(wanted).copied().collect())
}
