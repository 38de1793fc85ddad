//! What a run tells whoever watches it.

use std::path::PathBuf;

use dset_core::item::question::Question;
use dset_core::run::{Notice, Snapshot};
use dset_core::time::Time;

/// Watches a run. Called from the loop that drives it, so it must return at once.
pub trait Observer {
    /// Something happened.
    fn notice(&mut self, now: Time, notice: &Notice);
    /// Where the run stands; a few times a second.
    fn snapshot(&mut self, now: Time, snapshot: &Snapshot);
    /// Somebody wants to be told where the run stands, now and in full.
    fn status(&mut self, _now: Time, _snapshot: &Snapshot) {}
    /// Something went wrong that the end of the run will not tell of itself.
    fn local_failure(&mut self, now: Time, trouble: &LocalFailure);
    /// The answer to this question is durable in the store: from here on it is a promise.
    fn acknowledged(&mut self, _question: &Question) {}
}

/// Something that went wrong on this machine.
#[derive(Debug, Clone)]
pub enum LocalFailure {
    /// The marks could not be written; the store has them.
    Marks {
        /// The file.
        path: PathBuf,
        /// Why.
        detail: String,
    },
    /// The store has failed.
    Store {
        /// The file.
        path: PathBuf,
        /// Why.
        detail: String,
        /// Where the answers are that it did not take.
        rescued: Option<PathBuf>,
        /// How many they are.
        answers: u64,
    },
    /// The server that the work is shared by does not answer: the run waits for it.
    Server {
        /// Why; absent once it answers again.
        detail: Option<String>,
    },
    /// An output cannot be written.
    Output {
        /// Why, naming the file.
        detail: String,
        /// The text of an answer is damaged in the store.
        is_text_damaged: bool,
    },
}
