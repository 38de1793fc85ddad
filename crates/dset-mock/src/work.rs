//! One call, from when it comes until its reply is handed over or its client has left.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;

use crate::audit::{Asked, Audit};
use crate::limit::{Limits, Refusal, Rooms};

/// What is kept of all calls.
#[derive(Debug)]
pub(crate) struct Books {
    pub(crate) began: Instant,
    pub(crate) audit: Audit,
    pub(crate) limits: Mutex<Limits>,
}

impl Books {
    pub(crate) fn new(limits: Limits) -> Books {
        Books { began: Instant::now(), audit: Audit::default(), limits: Mutex::new(limits) }
    }

    pub(crate) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn limits(&self) -> std::sync::MutexGuard<'_, Limits> {
        self.limits.lock().expect("no limit panics")
    }
}

/// A call on its way; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Work {
    books: Arc<Books>,
    pub(crate) asked: Asked,
    came: Duration,
    let_in: bool,
    streams: bool,
    answered: bool,
    handed_over: bool,
    tokens_made: u64,
    slot: Option<OwnedSemaphorePermit>,
}

impl Work {
    pub(crate) fn begin(books: &Arc<Books>, question: &str, streams: bool) -> Work {
        let came = books.now();
        Work {
            asked: books.audit.asked(came, question),
            books: Arc::clone(books),
            came,
            let_in: false,
            streams,
            answered: false,
            handed_over: false,
            tokens_made: 0,
            slot: None,
        }
    }

    /// Asks the limits whether the call may come in, and how much is left after it.
    pub(crate) fn admit(&mut self, tokens_in: u64) -> (Result<(), Refusal>, Rooms) {
        let now = self.books.now();
        let mut limits = self.books.limits();
        let let_in = limits.admit(now, tokens_in);
        self.let_in = let_in.is_ok();
        let rooms = limits.rooms(now);
        drop(limits);
        if self.let_in {
            self.books.audit.let_in(now, tokens_in);
        }
        (let_in, rooms)
    }

    /// Keeps a place of the service until the call ends.
    pub(crate) fn holds(&mut self, slot: OwnedSemaphorePermit) {
        self.slot = Some(slot);
    }

    /// Output was handed to the network.
    pub(crate) fn made(&mut self, tokens: u64) {
        self.tokens_made += tokens;
    }

    /// The whole reply was handed to the network.
    pub(crate) fn handed_over(&mut self, is_answer: bool) {
        self.handed_over = true;
        self.answered = is_answer;
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let now = self.books.now();
        if self.let_in {
            let mut limits = self.books.limits();
            limits.spent(now, self.tokens_made);
            limits.ended();
        }
        let answered = self.answered.then(|| now.saturating_sub(self.came));
        let left = self.streams && !self.handed_over && self.tokens_made > 0;
        self.books.audit.ended(now, self.asked.question, answered, self.tokens_made, left);
    }
}
