//! What is sent to the writer's thread, and what it hands to the outputs.

use dset_core::item::question::QuestionIndex;
use dset_core::plan::AnswerId;
use dset_core::run::{JournalRecord, Seq};

use crate::output::live::format::{LiveFormat, TAIL_BYTES};
use crate::store::row_cache::CachedRow;

/// A message to the writer's thread.
#[derive(Debug)]
pub enum ToStore {
    /// Makes a record durable.
    Record {
        /// The record's sequence number, which `WriterListener::synced` reports.
        seq: Seq,
        /// The answer, failed attempt or ended question.
        record: Box<JournalRecord>,
        /// The reply, of a failure that may have been paid for.
        body: Option<Vec<u8>>,
    },
    /// These answers come next in the outputs.
    Order {
        /// Rows ordered in this session with these.
        upto: u64,
        /// The questions, in order.
        questions: Vec<QuestionIndex>,
    },
    /// Tell the outputs to sync what was ordered so far.
    Flush,
    /// The outputs are whole up to here.
    Checkpoints {
        /// How far each output is whole.
        checkpoints: Vec<Checkpoint>,
        /// Rows of this session that are in all of them.
        upto: u64,
    },
    /// These marks are written: forget the wish for them.
    Marked {
        /// The hashes of the questions that are marked.
        questions: Vec<[u8; 16]>,
        /// The column that they are in, where any is.
        column: Option<String>,
    },
    /// The run has ended.
    End {
        /// When the run ended, in Unix milliseconds.
        at: i64,
        /// How, in a few words.
        ending: String,
        /// Asks were dropped that may have reached the service.
        dropped: bool,
    },
}

/// How far an output is known to be whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The name of the output's format.
    pub name: &'static str,
    /// Rows in the output up to the checkpoint.
    pub rows: u64,
    /// The length of the output up to the checkpoint, in bytes.
    pub bytes: u64,
    /// A hash of its last 64 KiB.
    pub tail: [u8; 16],
    /// What its rows look like, see [`LiveFormat::shape`].
    pub shape: u32,
}

impl Checkpoint {
    /// Marks the end of an output that holds these bytes.
    pub(crate) fn for_bytes(format: LiveFormat, rows: u64, whole: &[u8]) -> Checkpoint {
        let bytes = whole.len() as u64;
        Checkpoint { name: format.name, rows, bytes, tail: tail_of(whole), shape: format.shape }
    }

    /// Hashes what is recorded: a number that is not as it was written is noticed like a byte of
    /// the file.
    pub(in crate::store) fn seal(&self) -> [u8; 16] {
        let mut bytes = [0; 36];
        bytes[..16].copy_from_slice(&self.tail);
        bytes[16..24].copy_from_slice(&self.rows.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.bytes.to_le_bytes());
        bytes[32..].copy_from_slice(&self.shape.to_le_bytes());
        xxhash_rust::xxh3::xxh3_128(&bytes).to_be_bytes()
    }
}

pub(crate) fn tail_of(whole: &[u8]) -> [u8; 16] {
    let tail = &whole[whole.len().saturating_sub(TAIL_BYTES)..];
    xxhash_rust::xxh3::xxh3_128(tail).to_be_bytes()
}

/// Rows whose place is durable, for the outputs.
#[derive(Debug)]
pub struct OutputOrder {
    /// Rows ordered in this session with these.
    pub upto: u64,
    /// The answers, in the order of the output.
    pub rows: Vec<Placed>,
}

/// An answer that has its place, or waits for it.
#[derive(Debug)]
pub struct Placed {
    /// The answer's id in the store.
    pub answer: AnswerId,
    /// Its texts, where they are still in memory.
    pub text: Option<Box<CachedRow>>,
    /// The row of the input now, where that may be another than when it was answered.
    pub row: Option<u64>,
}
