//! When the next ask may be sent: how many at once, how many a minute, and what a failing service
//! changes about it.
//!
//! [`Pace`] is told of everything that is sent and of everything that comes back, and answers one
//! question: may another be sent now? There is one for each endpoint, model and key.

pub mod latency;
pub mod minute;
pub mod outage;
pub mod retry;
pub mod width;

use std::time::Duration;

use crate::time::Time;
use width::Width;

/// What the pace never goes beyond, whatever it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How many at once, at most; at least 1.
    pub slots_max: u32,
}

/// Whether another ask may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum May {
    /// Now; every ask that is sent must be told before the next question.
    Now,
    /// Not before this moment, which is later than the one of the question. Something that comes
    /// back may change it.
    NotBefore(Time),
    /// Not until something comes back.
    NotYet,
}

/// What the pace remembers of an ask on its way. Given at its sending and wanted at its return.
#[derive(Debug, Clone)]
pub struct Sent {
    /// When it was sent.
    pub at: Time,
}

/// What an ask that is back says about the pace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Back {
    /// The service did the work: an answer, also a cut or filtered one.
    Answered {
        /// Tokens in and out together, where counted.
        tokens: Option<u64>,
    },
    /// Too many at once or in a minute: 429.
    Refused {
        /// How long the service wants to be left alone.
        wait: Option<Duration>,
        /// How many at once it says it allows.
        named: Option<u32>,
    },
    /// The service has too much to do for everybody: 503, 529.
    Overloaded {
        /// How long it wants to be left alone.
        wait: Option<Duration>,
    },
    /// It says nothing about the pace: reset, timed out, another status, refused for its content.
    Nothing,
}

/// Finds how many asks at once a service takes.
#[derive(Debug, Clone)]
pub struct Pace {
    width: Width,
    in_flight: usize,
    refused_throughout: bool,
}

impl Pace {
    /// Starts without any knowledge of the service.
    #[must_use]
    pub fn new(bounds: Bounds) -> Pace {
        Pace { width: Width::new(bounds.slots_max), in_flight: 0, refused_throughout: false }
    }

    /// Tells whether another ask may be sent at `now`.
    pub fn may_send(&mut self, now: Time) -> May {
        match self.paused_until(now) {
            Some(until) => May::NotBefore(until),
            None if self.in_flight < self.slots() => May::Now,
            None => May::NotYet,
        }
    }

    /// Takes the sending of an ask, also of one that was sent without `may_send` (a probe).
    pub fn sent(&mut self, now: Time) -> Sent {
        self.in_flight += 1;
        Sent { at: now }
    }

    /// Takes the first sign that an ask was let in and not refused: its status is 200.
    pub fn accepted(&mut self, _now: Time, _sent: &Sent) {}

    /// Takes the return of an ask.
    pub fn back(&mut self, now: Time, sent: &Sent, back: Back) {
        self.in_flight -= 1;
        match back {
            Back::Answered { .. } => {
                self.width.answered();
                self.refused_throughout = false;
            }
            Back::Refused { wait, named } => {
                self.refused_throughout =
                    self.width.refused(now, sent.at, self.in_flight, wait, named);
            }
            Back::Overloaded { wait } => {
                self.refused_throughout =
                    self.width.refused(now, sent.at, self.in_flight, wait, None);
            }
            Back::Nothing => {}
        }
    }

    /// Takes that nothing succeeds any more; from now on only probes are sent.
    pub fn outage_began(&mut self, _now: Time) {}

    /// Takes that the service is back.
    pub fn outage_over(&mut self, _now: Time) {}

    /// Sends nothing for so long: the service wants to be left alone.
    pub fn pause(&mut self, now: Time, wait: Duration) {
        self.width.pause(now, wait);
    }

    /// Takes how many at once the service says it allows.
    pub fn cap(&mut self, named: u32) {
        self.width.cap(named);
    }

    /// Returns the moment before which nothing is sent, if it is yet to come.
    #[must_use]
    pub fn paused_until(&self, now: Time) -> Option<Time> {
        self.width.paused_until(now)
    }

    /// Returns how many asks at once may be on their way, from 1 to the bound.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.width.slots()
    }

    /// Tells whether nothing but refusals has come for five minutes with one ask at a time, which
    /// is an outage.
    #[must_use]
    pub fn refused_throughout(&self) -> bool {
        self.refused_throughout
    }
}
