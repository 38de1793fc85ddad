//! One call, from when it comes until its reply is handed over or its client has left.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;

use crate::audit::{AskedQuestion, Audit};
use crate::limit::{Limits, Refusal, RemainingLimits};
use crate::prefix_cache::PrefixCache;

/// What is kept of all calls.
#[derive(Debug)]
pub(crate) struct SharedState {
    pub(crate) began: Instant,
    pub(crate) audit: Audit,
    pub(crate) limits: Mutex<Limits>,
    cache: Mutex<PrefixCache>,
}

impl SharedState {
    pub(crate) fn new(limits: Limits) -> SharedState {
        SharedState {
            began: Instant::now(),
            audit: Audit::default(),
            limits: Mutex::new(limits),
            cache: Mutex::default(),
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn cache(&self) -> std::sync::MutexGuard<'_, PrefixCache> {
        self.cache.lock().expect("no cache panics")
    }

    pub(crate) fn limits(&self) -> std::sync::MutexGuard<'_, Limits> {
        self.limits.lock().expect("no limit panics")
    }
}

/// A call in flight; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct CallGuard {
    books: Arc<SharedState>,
    pub(crate) asked: AskedQuestion,
    arrived: Duration,
    is_admitted: bool,
    streams: bool,
    answered: bool,
    handed_over: bool,
    tokens_made: u64,
    slot: Option<OwnedSemaphorePermit>,
}

impl CallGuard {
    pub(crate) fn begin(books: &Arc<SharedState>, question: &str, streams: bool) -> CallGuard {
        let came = books.now();
        CallGuard {
            asked: books.audit.asked(came, question),
            books: Arc::clone(books),
            arrived: came,
            is_admitted: false,
            streams,
            answered: false,
            handed_over: false,
            tokens_made: 0,
            slot: None,
        }
    }

    /// Asks the limits whether the call may come in, and how much is left after it.
    pub(crate) fn admit(&mut self, tokens_in: u64) -> (Result<(), Refusal>, RemainingLimits) {
        let now = self.books.now();
        let mut limits = self.books.limits();
        let let_in = limits.admit(now, tokens_in);
        self.is_admitted = let_in.is_ok();
        let rooms = limits.rooms(now);
        drop(limits);
        if self.is_admitted {
            self.books.audit.admitted(now, tokens_in);
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

impl Drop for CallGuard {
    fn drop(&mut self) {
        let now = self.books.now();
        if self.is_admitted {
            let mut limits = self.books.limits();
            limits.spent(now, self.tokens_made);
            limits.ended();
        }
        let answered = self.answered.then(|| now.saturating_sub(self.arrived));
        let left = self.streams && !self.handed_over && self.tokens_made > 0;
        self.books.audit.ended(now, self.asked.question, answered, self.tokens_made, left);
    }
}
