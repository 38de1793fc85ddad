//! When an ask is given up, and when a stream that says nothing is.
//!
//! [`super::ask`] waits for them; time in which the process was stopped does not count.

use std::time::Duration;

use dset_core::provider::reply::TransportError;
use dset_core::provider::{ChunkKind, Progress};
use dset_core::settings::IDLE_TIMEOUT;
use tokio::time::Instant;

/// How long a stream may bring no word at all: a service may queue for ten minutes, and says by
/// comments that it is there.
const FIRST_TOKEN_MAX: Duration = Duration::from_secs(10 * 60 + 30);
/// How long the counts may be away once an answer is whole, and how long the end of the body once
/// the service has said that nothing is to come: the connection can then be used again.
const USAGE_WAIT_MAX: Duration = Duration::from_secs(30);
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(1);

/// A moment at which an ask is given up, if it is awaited awake.
///
/// A timer that goes off late was slept through (Ctrl-Z, a machine with too much to do), and what
/// came meanwhile is here and not yet read: the deadline moves by the delay. At the least, every
/// task is polled once more.
pub(super) struct Deadline {
    pub(super) at: Instant,
    had_turn: bool,
}

impl Deadline {
    const TURN: Duration = Duration::from_millis(50);

    pub(super) fn after(span: Duration) -> Deadline {
        Deadline { at: Instant::now() + span, had_turn: false }
    }

    /// Asks when its timer has gone off. Where it has not passed, it has a new moment.
    pub(super) fn has_passed(&mut self, now: Instant) -> bool {
        if now < self.at {
            return false;
        }
        let late = now - self.at;
        let passed = std::mem::replace(&mut self.had_turn, true) && late < Deadline::TURN;
        self.at = now + late.max(Deadline::TURN);
        passed
    }
}

/// How long a stream may say nothing: comments and blank lines are no words.
pub(super) struct IdleTimeout {
    first: Duration,
    idle: Duration,
    /// What it is now, and until when that is.
    span: Duration,
    pub(super) until: Deadline,
    /// The answer is whole: nothing is lost if no more comes.
    pub(super) is_whole: bool,
}

impl IdleTimeout {
    pub(super) fn new(idle: Duration) -> IdleTimeout {
        // A shorter wait for the next word makes the wait for the first no longer.
        let first = if idle < IDLE_TIMEOUT { idle * 2 } else { FIRST_TOKEN_MAX };
        let until = Deadline::after(first);
        IdleTimeout { first, idle, span: first, until, is_whole: false }
    }

    /// Takes what has come; true where it lasts less long than before.
    pub(super) fn note_progress(&mut self, now: Instant, progress: &Progress) -> bool {
        if progress.kind == ChunkKind::Blank {
            return false;
        }
        self.span = match progress {
            progress if progress.is_done => CLOSE_WAIT_MAX,
            progress if progress.has_end => USAGE_WAIT_MAX,
            // The event that opens a stream is no word: a model may think unseen before its first.
            progress if progress.reasoning_bytes + progress.content_bytes == 0 => self.first,
            _ => self.idle,
        };
        self.is_whole = progress.is_done || progress.has_end;
        let until = Deadline { at: now + self.span, had_turn: false };
        let before = std::mem::replace(&mut self.until, until);
        self.until.at < before.at
    }

    pub(super) fn broken(&self) -> TransportError {
        TransportError::Silent(self.span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_a_stream_is_not_its_first_word() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        assert_eq!(IdleTimeout::new(minutes(1)).span, minutes(2));
        let (mut patience, now) = (IdleTimeout::new(IDLE_TIMEOUT), Instant::now());
        let progress =
            |kind, content_bytes| Progress { kind, content_bytes, ..Progress::default() };
        patience.note_progress(now, &progress(ChunkKind::Payload, 0));
        assert_eq!(patience.until.at, now + FIRST_TOKEN_MAX);
        assert!(!patience.note_progress(now + minutes(9), &progress(ChunkKind::Blank, 0)));
        assert!(patience.note_progress(now, &progress(ChunkKind::Content, 3)));
        assert_eq!(patience.until.at, now + minutes(5));
    }

    #[test]
    fn a_deadline_that_was_slept_through_is_waited_for_as_much_longer() {
        let second = Duration::from_secs(1);
        let mut deadline = Deadline::after(5 * second);
        let due = deadline.at;
        assert!(!deadline.has_passed(due - second) && deadline.at == due);
        assert!(!deadline.has_passed(due), "everything has its turn once more");
        assert!(deadline.at > due && deadline.at < due + second);
        assert!(deadline.has_passed(deadline.at));
        let mut deadline = Deadline::after(5 * second);
        let due = deadline.at;
        assert!(!deadline.has_passed(due + 9 * second));
        assert_eq!(deadline.at, due + 18 * second);
        assert!(deadline.has_passed(deadline.at));
    }
}
