//! How far an output is whole, as the store remembers it.

use crate::output::live::format::LiveFormat;
use crate::store::writer::message::Checkpoint;

/// How far an output is known to be whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// The name of the output's format.
    pub name: String,
    /// Rows in the output up to the mark.
    pub rows: u64,
    /// The length of the output up to the mark, in bytes.
    pub bytes: u64,
    /// A hash of its last 64 KiB and of the numbers here, see [`Checkpoint::seal`].
    pub(super) tail: [u8; 16],
    /// What its rows look like, see [`LiveFormat::shape`]; 0 in a mark of version 1, whose hash is
    /// of the bytes alone.
    pub shape: u32,
}

impl StoredCheckpoint {
    /// Returns the mark of an output that is not begun.
    pub(crate) fn none(format: LiveFormat) -> StoredCheckpoint {
        let mark = Checkpoint::for_bytes(format, 0, b"");
        StoredCheckpoint {
            name: mark.name.to_owned(),
            rows: 0,
            bytes: 0,
            tail: mark.seal(),
            shape: mark.shape,
        }
    }

    /// Returns true if a file whose bytes before the mark end with this hash is the one that was
    /// marked, and the mark is as it was written.
    pub(crate) fn fits(&self, tail: [u8; 16]) -> bool {
        let StoredCheckpoint { rows, bytes, shape, .. } = *self;
        match shape {
            0 => self.tail == tail,
            _ => self.tail == Checkpoint { name: "", rows, bytes, tail, shape }.seal(),
        }
    }
}
