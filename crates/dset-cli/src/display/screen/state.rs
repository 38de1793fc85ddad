//! Where a run stands, as far as it is shown, and what is said of it.

use std::time::Duration;

use dset_core::run::{OutageStatus, RateBound, Snapshot};
use dset_core::time::Time;

use crate::display::text::{count, minutes, when};

/// Where a run stands, as far as it is shown.
#[derive(Debug, Clone)]
pub(super) struct ScreenState {
    pub(super) now: Time,
    pub(super) snapshot: Snapshot,
    /// Questions in the file.
    pub(super) questions: u64,
    /// Of each ask of the snapshot that is among the longest: its question's number, and which of
    /// several answers it is.
    pub(super) longest: Vec<(u64, String)>,
    /// The file of questions, for the title.
    pub(super) input: String,
    /// Questions that this run will still ask.
    pub(super) left: u64,
    /// Answers a minute, once enough have come to tell.
    pub(super) per_minute: Option<f64>,
    /// Tokens written so far.
    pub(super) output: u64,
    /// The part of them that was reasoning, in words.
    pub(super) reasoning: String,
    /// What began or prolonged the outage.
    pub(super) why: Option<String>,
    /// Places that do not answer while others do.
    pub(super) places_down: usize,
}

/// What is said above the bar; the first that holds.
pub(super) enum Mode {
    Stopping,
    Paused,
    Outage(OutageStatus),
    Asking,
}

impl ScreenState {
    pub(super) fn mode(&self) -> Mode {
        match self.snapshot.outage {
            _ if self.snapshot.stopping => Mode::Stopping,
            _ if self.snapshot.is_paused => Mode::Paused,
            Some(outage) => Mode::Outage(outage),
            None => Mode::Asking,
        }
    }

    pub(super) fn done(&self) -> u64 {
        let ledger = &self.snapshot.ledger;
        ledger.questions - ledger.pending - ledger.presumed
    }

    pub(super) fn percent(&self) -> u8 {
        (self.done() * 100).checked_div(self.snapshot.ledger.questions).unwrap_or(100) as u8
    }

    pub(super) fn wait(&self, until: Time) -> String {
        // What is left of a second counts: a wait of a second begins with 0:01.
        minutes(until.since(self.now) + Duration::from_millis(999))
    }

    pub(super) fn longest(&self) -> Option<Duration> {
        self.snapshot.longest.first().map(|ask| self.now.since(ask.sent_at))
    }

    /// How long the rest will take, where that can be told honestly.
    pub(super) fn eta(&self) -> Option<Duration> {
        let per_minute = self.per_minute.filter(|per_minute| *per_minute > 0.0)?;
        let left = Duration::from_secs_f64((self.left as f64 / per_minute * 60.0).min(1e9));
        // The end comes after whatever waits to be asked again.
        let waits = self.snapshot.retry_at.map_or(Duration::ZERO, |at| at.since(self.now));
        let left = left.max(waits);
        // The last ones take as long as they take: no rate tells how long.
        let is_last = self.left <= self.snapshot.in_flight as u64;
        let is_told = !is_last || self.longest().is_none_or(|longest| longest <= left);
        matches!(self.mode(), Mode::Asking if self.left > 0 && is_told).then_some(left)
    }

    /// Whether a key that tries the service now would do anything.
    pub(super) fn can_try_now(&self) -> bool {
        let snapshot = &self.snapshot;
        let waits = |outage: OutageStatus| !outage.is_probing && outage.next.is_some();
        let is_told_to_wait = snapshot.paused_until.is_some();
        !snapshot.stopping
            && !snapshot.is_paused
            && ((snapshot.outage.is_some_and(waits) && !is_told_to_wait) || self.places_down > 0)
    }

    /// `2 overloaded, 1 timed out, next in 0:31`; nothing where nothing waits.
    pub(super) fn waiting(&self) -> Option<String> {
        let snapshot = &self.snapshot;
        let causes = snapshot.retrying_causes.iter();
        let causes: Vec<_> = causes.map(|(cause, count)| format!("{count} {cause}")).collect();
        let next = snapshot.retry_at.filter(|at| !at.has_come(self.now));
        let next = next.map(|at| format!(", next in {}", self.wait(at))).unwrap_or_default();
        let number = snapshot.retrying as u64;
        (number > 0).then(|| format!("{} waiting: {}{next}", count(number), causes.join(", ")))
    }

    /// Why fewer are asked than could be.
    pub(super) fn pace(&self) -> Option<String> {
        let snapshot = &self.snapshot;
        if let Some(until) = snapshot.paused_until {
            Some(format!("the service wants to be left alone for {}", self.wait(until)))
        } else if let Some(at) = snapshot.cheap_at {
            Some(format!("waiting for cheaper hours, at {}", when(at)))
        } else if snapshot.throttled {
            Some(format!("the service takes {} at once", count(snapshot.slots as u64)))
        } else if snapshot.in_flight == 0 {
            let at = snapshot.send_at?;
            Some(format!("next question in {}, to keep to a limit per minute", self.wait(at)))
        } else {
            snapshot.rate_bound.map(|whose| match whose {
                RateBound::User => "keeping to your limit per minute".to_owned(),
                RateBound::Tariff => "waiting for cheaper hours".to_owned(),
                RateBound::Service => "keeping to what the service takes per minute".to_owned(),
            })
        }
    }
}
