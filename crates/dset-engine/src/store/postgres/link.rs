//! What the threads of one run know together of the server.

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use crate::store::roles::{SharedWord, TellShared};
use crate::store::server_fault::ServerFault;

/// Who needs the server.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    Journal,
    Lease,
}

/// Whether the server answers both, whether the run is to stop, and who is told.
pub(super) struct Link {
    is_away: Mutex<[bool; 2]>,
    pub(super) is_stopping: AtomicBool,
    pub(super) tell: TellShared,
}

impl Link {
    pub(super) fn new(tell: TellShared) -> Arc<Link> {
        Arc::new(Link { is_away: Mutex::default(), is_stopping: AtomicBool::new(false), tell })
    }

    /// The server did not do what this part asked of it.
    pub(super) fn is_down(&self, part: Part, fault: &ServerFault) {
        self.set(part, true, || Some(fault.to_string()));
    }

    pub(super) fn is_up(&self, part: Part) {
        self.set(part, false, || None);
    }

    /// Tells what is news: that it is away for one of them, or for neither any more.
    fn set(&self, part: Part, is_away: bool, word: impl FnOnce() -> Option<String>) {
        let mut away = self.is_away.lock().unwrap_or_else(PoisonError::into_inner);
        let was_away = away.contains(&true);
        away[part as usize] = is_away;
        if away.contains(&true) != was_away {
            (self.tell)(SharedWord::Away(word()));
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("is_away", &self.is_away).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_back_once_it_answers_everybody() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&heard);
        let link = Link::new(Arc::new(move |word| {
            let SharedWord::Away(detail) = word else { unreachable!() };
            told.lock().unwrap().push(detail.is_some());
        }));
        let fault = ServerFault::Failed("full".into());
        link.is_up(Part::Lease);
        link.is_down(Part::Journal, &fault);
        link.is_down(Part::Journal, &fault);
        link.is_up(Part::Lease);
        link.is_down(Part::Lease, &fault);
        link.is_up(Part::Journal);
        link.is_up(Part::Lease);
        assert_eq!(*heard.lock().unwrap(), [true, false]);
    }
}
