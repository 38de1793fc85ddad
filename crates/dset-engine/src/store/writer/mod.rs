//! The one thread that writes the store.
//!
//! It takes whatever has queued up while the last commit was in flight and commits it together,
//! so that the cost of a sync is shared by as many answers as arrive meanwhile. Only after the
//! commit does the machine hear of it; where it is to be durable elsewhere too, only then, and what comes meanwhile is
//! committed all the same. A failed commit is final.

pub(crate) mod message;
pub(crate) mod replaced;
mod thread;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use dset_core::item::question::QuestionIndex;
use dset_core::plan::AnswerId;
use dset_core::run::Seq;
use dset_core::schema::Schema;
use dset_core::schema::dialect::AskedFor;

use super::error::StoreError;
use super::rescue::{self, Origin};
use super::roles::Journal;
pub(crate) use message::tail_of;
pub use message::{Checkpoint, OutputOrder, Placed, ToStore};
use replaced::Replaced;
use thread::Thread;

/// What the thread reports; called on the writer's thread.
pub(crate) trait WriterListener: Send + 'static {
    /// All records up to this one are durable.
    fn synced(&self, upto: Seq);
    /// The store has failed; the answers up to this record are where `rescued` says, if anywhere.
    fn failed(&self, upto: Seq, error: &str, rescued: Option<PathBuf>, answers: u64);
    /// These rows have their place.
    fn ordered(&self, order: OutputOrder);
    /// Everything ordered so far is to be synced.
    fn flush(&self);
    /// These rows of this session are durably in every output.
    fn emitted(&self, upto: u64);
}

/// What the thread knows of its run.
#[derive(Debug)]
pub struct WriterSettings {
    /// The folder of the store, for a rescue.
    pub folder: PathBuf,
    /// The same from the root, as it was when the run began.
    pub real_folder: PathBuf,
    /// Something is left to ask, so that there may be something to rescue.
    pub may_buy: bool,
    /// The session that is recorded.
    pub session: i64,
    /// What a rescue says of it.
    pub(crate) origin: Origin,
    /// The settings that answers are bought with, of each model.
    pub settings: Vec<i64>,
    /// The models, by the names that they are asked under.
    pub models: Vec<String>,
    /// The schema that answers have to fit.
    pub schema: Option<Arc<Schema>>,
    /// How each model is asked for such answers.
    pub asked_for: Vec<Option<AskedFor>>,
    /// How many answers each gives to a question.
    pub samples: u32,
    /// The generation that is asked.
    pub generation: u32,
    /// What verdicts are known by.
    pub acceptance: [u8; 16],
    /// The token limit of this run.
    pub max_tokens: Option<u64>,
    /// The column of the input that the store knows to have marks, or nothing.
    pub marks_known: Option<String>,
    /// The column that marks are to go into.
    pub marks_name: String,
    /// What ended without an answer, and rows to be marked.
    pub failed: HashSet<[u8; 16]>,
    /// Answers of earlier sessions that wait for their place, with the rows of the input now.
    pub waiting: Vec<(QuestionIndex, AnswerId, Option<u64>)>,
    /// Answers that count until another comes in their place.
    pub(crate) replaced: Replaced,
    /// What may be in the queue at once.
    pub queue: usize,
}

/// The writer's thread, and the channel to it.
#[derive(Debug)]
pub struct Writer {
    sender: Option<SyncSender<ToStore>>,
    thread: Option<JoinHandle<Result<(), StoreError>>>,
}

impl Writer {
    /// Starts the thread, which writes to this journal.
    pub(crate) fn start(
        journal: impl Journal,
        settings: WriterSettings,
        listener: impl WriterListener,
    ) -> std::io::Result<Writer> {
        let (sender, receiver) = sync_channel(settings.queue);
        if settings.may_buy {
            rescue::reserve(&settings.folder);
        }
        let mut thread = Thread::new(journal, settings, listener);
        let thread = std::thread::Builder::new()
            .name("store".into())
            .spawn(move || thread.work(&receiver))?;
        Ok(Writer { sender: Some(sender), thread: Some(thread) })
    }

    /// Returns a way to tell the thread things.
    #[must_use]
    pub fn sender(&self) -> SyncSender<ToStore> {
        self.sender.clone().expect("the writer is asked for before it ends")
    }

    /// Waits until every message is processed, and the log is folded into the store. Every sender
    /// must be gone.
    ///
    /// Fails where the log cannot be folded in; every answer is in it all the same.
    pub fn join(mut self) -> Result<(), StoreError> {
        self.sender = None;
        let thread = self.thread.take().expect("a writer is joined once");
        thread.join().unwrap_or(Ok(()))
    }
}

#[cfg(test)]
mod tests;
