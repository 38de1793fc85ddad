//! What the threads of one run know together of the server.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::store::roles::{SharedWord, TellShared};
use crate::store::server_fault::ServerFault;

/// Whether the server answers, whether the run is to stop, and who is told.
pub(super) struct Link {
    is_away: AtomicBool,
    pub(super) is_stopping: AtomicBool,
    pub(super) tell: TellShared,
}

impl Link {
    pub(super) fn new(tell: TellShared) -> Arc<Link> {
        let (is_away, is_stopping) = (AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Link { is_away, is_stopping, tell })
    }

    /// The server did not do what it was asked; returns true if that is news.
    pub(super) fn is_down(&self, fault: &ServerFault) -> bool {
        let is_news = !self.is_away.swap(true, Relaxed);
        if is_news {
            (self.tell)(SharedWord::Away(Some(fault.to_string())));
        }
        is_news
    }

    pub(super) fn is_up(&self) {
        if self.is_away.swap(false, Relaxed) {
            (self.tell)(SharedWord::Away(None));
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("is_away", &self.is_away).finish_non_exhaustive()
    }
}
