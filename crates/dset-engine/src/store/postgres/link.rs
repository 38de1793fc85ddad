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
    answers: Mutex<[Option<bool>; 2]>,
    pub(super) is_stopping: AtomicBool,
    pub(super) tell: TellShared,
}

impl Link {
    pub(super) fn new(tell: TellShared) -> Arc<Link> {
        Arc::new(Link { answers: Mutex::default(), is_stopping: AtomicBool::new(false), tell })
    }

    /// The server did not do what this part asked of it.
    pub(super) fn is_down(&self, part: Part, fault: &ServerFault) {
        self.set(part, Some(false), || Some(fault.to_string()));
    }

    pub(super) fn is_up(&self, part: Part) {
        self.set(part, Some(true), || None);
    }

    /// This part has given its connection back.
    pub(super) fn is_without(&self, part: Part) {
        self.set(part, None, || None);
    }

    /// Tells whether the server answers this part; nothing where it has not been asked.
    pub(super) fn answers(&self, part: Part) -> Option<bool> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)[part as usize]
    }

    /// Tells what is news: that it is away for one of them, or for neither any more.
    fn set(&self, part: Part, answers: Option<bool>, word: impl FnOnce() -> Option<String>) {
        let mut known = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let was_away = known.contains(&Some(false));
        known[part as usize] = answers;
        if known.contains(&Some(false)) != was_away {
            (self.tell)(SharedWord::Away(word()));
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("answers", &self.answers).finish_non_exhaustive()
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
        link.is_without(Part::Journal);
        assert_eq!([Part::Lease, Part::Journal].map(|part| link.answers(part)), [Some(true), None]);
        assert_eq!(*heard.lock().unwrap(), [true, false]);
    }
}
