//! The outputs: projections of the store, in the order that the store has decided.
//!
//! A format is one file here and one value in [`LIVE_FORMATS`]. Outputs are written by a thread of their
//! own behind the store, synced at most once a second and at every ending, and never hold up an
//! ask.

mod csv;
mod file;
pub(crate) mod format;
mod json;
mod jsonl;
mod txt;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use dset_core::answer::row::Row;
use thiserror::Error;

pub(crate) use crate::output::live::file::Expected;
use crate::output::live::file::Opening;
pub use crate::output::live::file::Output;
pub use crate::output::live::format::{
    Beside, LIVE_FORMATS, LiveFormat, Look, Looks, UnknownFormat, WriteRow, legacy, live_formats,
};
pub(crate) use crate::output::live::format::{has_outputs, unread_output};
use crate::store::{
    Archive, CachedRow, Checkpoint, OutputOrder, Placed, StoreError, StoredCheckpoint,
};

/// Outputs are synced no more often than this.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// Rows that come one behind the other are written no more often than this: a write, and to be woken for it,
/// costs as much as some rows.
const WRITE_EVERY: Duration = Duration::from_millis(50);
/// Rows that are written together. A question that held up the order lets go of any number at once,
/// and they must not all be in memory.
const ROWS_AT_ONCE: usize = 256;
/// A buffer that was larger, for one large answer, is given back.
const KEPT_BYTES_MAX: usize = 1024 * 1024;

/// Why an output cannot be written.
#[derive(Debug, Error)]
pub enum OutputError {
    /// The file fails.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is a folder, a pipe or a device.
    #[error("`{}` is not a file", path.display())]
    NotAFile {
        /// Which.
        path: PathBuf,
    },
    /// It was deleted, moved or replaced while it was written.
    #[error("`{}` was deleted or moved while the run went on", path.display())]
    Gone {
        /// Which.
        path: PathBuf,
    },
    /// The store that it is a projection of fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What was found and done about an output before a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repair {
    /// It was missing, and is written anew.
    Missing {
        /// Which.
        file: &'static str,
        /// With so many rows.
        rows: u64,
    },
    /// It differed from what was written, was moved, and is written anew.
    Differed {
        /// Which.
        file: &'static str,
        /// Where it is now.
        moved_to: PathBuf,
    },
    /// Its last row was torn, and is written anew.
    Torn {
        /// Which.
        file: &'static str,
    },
    /// Somebody else's text stands at its end, and stays.
    Foreign {
        /// Which.
        file: &'static str,
    },
}

/// Writes an output anew, in the order that the store has decided, over whatever is there; returns
/// its checkpoint. The file that was there stays until the new one is whole and synced.
pub(crate) fn write_anew(
    folder: &Path,
    format: LiveFormat,
    reader: &dyn Archive,
    generation: u32,
) -> Result<Checkpoint, OutputError> {
    Ok(Output::write_anew(&folder.join(format.file), format, reader, generation)?.checkpoint())
}

/// Fails where an output that is there cannot be appended to; changes nothing.
pub(crate) fn try_to_append(folder: &Path, formats: &[LiveFormat]) -> Result<(), OutputError> {
    for format in formats {
        let path = folder.join(format.file);
        if path.is_file() {
            fs_err::OpenOptions::new().append(true).open(&path)?;
        } else if path.exists() {
            return Err(OutputError::NotAFile { path });
        }
    }
    Ok(())
}

/// The outputs of a folder that are written, whole.
#[derive(Debug)]
pub struct Outputs {
    outputs: Vec<Output>,
    reader: Box<dyn Archive>,
    /// Rows on their way into a file, kept for the next.
    bytes: Vec<u8>,
}

impl Outputs {
    /// Opens the outputs in these formats, repairing what a crash or a hand has done to them, and
    /// writes what is ordered and not in them yet. Any other output is left as it is.
    pub fn open(
        folder: &Path,
        formats: &[LiveFormat],
        reader: Box<dyn Archive>,
        generation: u32,
        checkpoints: &[StoredCheckpoint],
        stamp: &str,
    ) -> Result<(Outputs, Vec<Repair>), OutputError> {
        let opening = Opening { folder, reader: &*reader, generation, stamp };
        let mut repairs = Vec::new();
        let mut outputs = Vec::new();
        for &format in formats {
            let checkpoint = checkpoints.iter().find(|checkpoint| checkpoint.name == format.name);
            let format = checkpoint.map_or(format, |checkpoint| format.of_shape(checkpoint.shape));
            let (output, repair) = opening.open(format, checkpoint)?;
            outputs.push(output);
            repairs.extend(repair);
        }
        Ok((Outputs { outputs, reader, bytes: Vec::new() }, repairs))
    }

    /// Returns the checkpoints, everything being synced.
    #[must_use]
    pub(crate) fn checkpoints(&self) -> Vec<Checkpoint> {
        self.outputs.iter().map(Output::checkpoint).collect()
    }

    fn append(&mut self, order: &OutputOrder) -> Result<(), OutputError> {
        order.rows.chunks(ROWS_AT_ONCE).try_for_each(|rows| self.append_some(rows))
    }

    fn append_some(&mut self, rows: &[Placed]) -> Result<(), OutputError> {
        let absent = rows.iter().filter(|placed| placed.text.is_none());
        let read = absent.map(|placed| self.reader.row_at(placed.answer, placed.row));
        let read: Vec<Row> = read.collect::<Result<_, _>>()?;
        for output in &mut self.outputs {
            self.bytes.clear();
            let mut read = read.iter();
            for placed in rows {
                let row = placed.text.as_deref().map(CachedRow::row).or_else(|| read.next());
                let row = row.expect("read above where absent");
                (output.format().write)(row, &mut self.bytes);
            }
            output.append(&self.bytes, rows.len() as u64)?;
        }
        self.bytes.shrink_to(KEPT_BYTES_MAX);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), OutputError> {
        self.outputs.iter_mut().try_for_each(Output::sync)
    }

    /// Writes what is ordered until nobody orders any more, and tells `synced` how
    /// far every output is whole.
    ///
    /// Returns at the first failure, which leaves the outputs to the next run's repair.
    pub fn run(
        mut self,
        orders: &Receiver<ToOutputs>,
        synced: impl Fn(Vec<Checkpoint>, u64),
    ) -> Result<(), OutputError> {
        let mut upto = 0;
        let mut unsynced = false;
        let (mut synced_at, mut written_at) = (Instant::now(), None::<Instant>);
        let mut next = None;
        loop {
            let wait = SYNC_EVERY.saturating_sub(synced_at.elapsed());
            let message = match next.take() {
                Some(message) => Ok(message),
                None if unsynced => orders.recv_timeout(wait),
                None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let sync = match message {
                Ok(ToOutputs::Rows(mut order)) => {
                    if let Some(written_at) = written_at {
                        std::thread::sleep(WRITE_EVERY.saturating_sub(written_at.elapsed()));
                    }
                    written_at = Some(Instant::now());
                    next = take_more(orders, &mut order);
                    self.append(&order)?;
                    upto = order.upto;
                    unsynced = true;
                    synced_at.elapsed() >= SYNC_EVERY
                }
                Ok(ToOutputs::Flush) | Err(RecvTimeoutError::Timeout) => true,
                Ok(ToOutputs::End) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            if sync {
                self.sync()?;
                (unsynced, synced_at) = (false, Instant::now());
                synced(self.checkpoints(), upto);
            }
        }
    }
}

/// Takes the rows that are ordered by now too; returns the first message that is of something else.
fn take_more(orders: &Receiver<ToOutputs>, order: &mut OutputOrder) -> Option<ToOutputs> {
    for message in orders.try_iter() {
        match message {
            ToOutputs::Rows(more) => {
                order.upto = more.upto;
                order.rows.extend(more.rows);
            }
            other => return Some(other),
        }
    }
    None
}

/// What the thread of the outputs is told.
#[derive(Debug)]
pub enum ToOutputs {
    /// These rows come next.
    Rows(OutputOrder),
    /// Sync now.
    Flush,
    /// Nothing more comes.
    End,
}

#[cfg(test)]
mod tests;
