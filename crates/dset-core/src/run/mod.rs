//! Decides what happens next in a run: one event in, effects out.
//!
//! Driven by the engine's loop in production and by a simulator in tests. A question moves one
//! way: read, asked, perhaps asked again, and at last answered, rejected or given up; its answer
//! keeps the slot of its ask until it is durable, so that a crash costs at most the asks on their
//! way. Which files exist, how a reply looks and what time it is are none of its business.

pub mod ask;
mod custody;
mod dispatch;
mod effect;
mod event;
mod on_failure;
mod on_response;
mod outage;
mod router;
mod snapshot;
mod stall;
mod systemic_failure;
mod useless_replies;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub use crate::plan::{PlanSummary, Planned};
pub use crate::run::router::EndpointSpec;
pub use effect::{Effect, EndReason, Ending, JournalRecord, Notice};
pub use event::{Event, Seq, StopSignal};
pub use snapshot::{InFlightAsk, OutageStatus, RateBound, Snapshot};

use crate::answer::Failure;
use crate::item::question::{Question, QuestionIndex};
use crate::plan::ledger::Ledger;
use crate::planted::{Mutant, planted};
use crate::rate::outage::{FailureStreak, Outage, OutageBackoff};
use crate::rate::retry::RETRY_AFTER_MAX;
use crate::rate::sliding_window::{EarlierAsk, MinuteLimits, SlidingWindowLimit};
use crate::rate::{Bounds, LimitSnapshot, Ticket};
use crate::run::ask::AskId;
use crate::run::custody::Custody;
use crate::run::router::{EndpointIndex, Router};
use crate::run::systemic_failure::SystemicFailureDetector;
use crate::run::useless_replies::UselessReplies;
use crate::time::Time;

/// How long asks on their way are waited for after SIGTERM, which init systems follow with SIGKILL.
pub const TERM_GRACE: Duration = Duration::from_secs(20);

/// What a run goes by.
#[derive(Debug, Clone)]
pub struct Rules {
    /// What the pace never goes beyond.
    pub bounds: Bounds,
    /// The user's own limits a minute.
    pub minute: MinuteLimits,
    /// Asks of the minute before this life.
    pub earlier: Vec<EarlierAsk>,
    /// The life before this one was killed: nobody knows what it had sent.
    pub killed: bool,
    /// Where the models are asked; at least one place for each model.
    pub endpoints: Vec<EndpointSpec>,
    /// The schedule of an outage.
    pub backoff: OutageBackoff,
    /// Stop at the first failing question.
    pub pause_on_error: bool,
    /// The most answers to ask for in this run.
    pub limit: Option<u64>,
    /// Seeds the jitter of waits.
    pub seed: u64,
}

/// The state of a run. See [`Machine::handle`].
#[derive(Debug)]
pub struct Machine {
    rules: Rules,
    custody: Custody,

    /// Questions whose texts are held: asked, or waiting to be.
    active: BTreeMap<QuestionIndex, ActiveQuestion>,
    /// Held questions that may be asked now, of each model, earliest in the file first.
    ready: Vec<BTreeSet<QuestionIndex>>,
    /// Held questions that may be asked from a moment on (its monotonic milliseconds).
    waiting: BTreeSet<(u64, QuestionIndex)>,
    asks_in_flight: BTreeMap<AskId, InFlight>,
    asks_count: u64,
    read: ReadProgress,

    router: Router,
    minute: SlidingWindowLimit,
    /// When the pace lets the next question be sent, where that is a matter of time.
    send_at: Option<Time>,
    rate_bound: Option<RateBound>,
    failures: FailureStreak,
    outage: Option<Outage>,
    /// The failure that began or prolonged the outage.
    last_failure: Option<Box<Failure>>,
    systemic_failure: SystemicFailureDetector,
    useless: UselessReplies,
    /// Replies of somebody who is no API, before the first answer.
    misdirected: u32,

    /// Somebody holds the run: nothing is sent.
    is_paused: bool,
    stop: Option<EndReason>,
    signal: Option<StopSignal>,
    /// SIGTERM has come.
    is_terminated: bool,
    /// Ctrl-C came twice: leave at once, and leave what is not placed to the next run.
    stop_now: bool,
    /// When asks on their way are dropped: SIGTERM leaves so much time and no more.
    abandon_at: Option<Time>,
    dropped: u64,
    marked_question: Option<Arc<Question>>,
    answers_count: u64,
    wake_at: Option<Time>,
    finished: bool,
}

/// A question whose text is held.
#[derive(Debug)]
struct ActiveQuestion {
    question: Arc<Question>,
    attempts: u32,
    /// Failures that count towards giving up.
    failures: u32,
    /// Refusals because there was too much to do, and how often the service had answered at the
    /// first.
    throttled: u32,
    first_throttled_at: u64,
    /// What the last failure was, in the plain words of [`Failure::cause`].
    failed_with: Option<&'static str>,
    /// How often the service had answered when this question first failed.
    first_failed_at: Option<u64>,
    /// An ask for it was dropped because it seemed to hang: it may just be slow, and only the
    /// timeout ends the next.
    seemed_stalled: bool,
}

/// An ask on its way.
#[derive(Debug)]
struct InFlight {
    index: QuestionIndex,
    endpoint: EndpointIndex,
    sent: Ticket,
    /// The reply has begun: it may be slow, but it is not hung.
    has_begun: bool,
    /// About how many tokens of a streamed answer have come.
    tokens: u64,
    abandoned: bool,
    /// It was dropped because nothing came for so long.
    stalled_after: Option<Duration>,
    /// An ask for its question was dropped for that before.
    was_dropped_before: bool,
}

impl InFlight {
    /// Nothing of its reply has come, and it may be dropped for that.
    fn may_stall(&self) -> bool {
        !self.has_begun && !self.abandoned && !self.was_dropped_before
    }
}

/// What was read of the input.
#[derive(Debug, Default)]
struct ReadProgress {
    outstanding: bool,
    ended: bool,
    taken: u64,
}

impl Machine {
    /// Makes the machine of one run; nothing happens before `Event::Started`.
    #[must_use]
    pub fn new(rules: Rules) -> Machine {
        let lanes = Router::new(&rules.endpoints, rules.bounds);
        Machine {
            ready: vec![BTreeSet::new(); usize::from(lanes.models())],
            router: lanes,
            minute: SlidingWindowLimit::new(rules.minute),
            send_at: None,
            rate_bound: None,
            rules,
            custody: Custody::default(),
            active: BTreeMap::new(),
            waiting: BTreeSet::new(),
            asks_in_flight: BTreeMap::new(),
            asks_count: 0,
            read: ReadProgress::default(),
            failures: FailureStreak::default(),
            outage: None,
            last_failure: None,
            systemic_failure: SystemicFailureDetector::default(),
            useless: UselessReplies::default(),
            misdirected: 0,
            is_paused: false,
            stop: None,
            signal: None,
            is_terminated: false,
            stop_now: false,
            abandon_at: None,
            dropped: 0,
            marked_question: None,
            answers_count: 0,
            wake_at: None,
            finished: false,
        }
    }

    /// Decides what happens next. Called once per event, never re-entered, never blocks.
    ///
    /// Appends to `effects`, in the order they are to be begun.
    pub fn handle(&mut self, now: Time, event: Event, effects: &mut Vec<Effect>) {
        assert!(!self.finished, "an event came after the end");
        match event {
            Event::Started(plan) => self.on_started(now, plan),
            Event::Questions(questions) => self.take_questions(questions),
            Event::QuestionsEnd => (self.read.outstanding, self.read.ended) = (false, true),
            Event::QuestionsChanged { row_number } => {
                (self.read.outstanding, self.read.ended) = (false, true);
                self.stop(EndReason::InputChanged { row_number });
            }
            Event::Replied { ask, reading, limits } => {
                if let (Some(limits), Some(flight)) = (limits, self.asks_in_flight.get(&ask)) {
                    self.router.endpoint_mut(flight.endpoint).rate.observe_headers(now, &limits);
                }
                self.on_response(now, ask, reading, effects);
            }
            Event::Progressed { ask, tokens } => self.on_progress(now, ask, tokens),
            Event::Abandoned { ask } => self.on_abandoned(now, ask, effects),
            Event::Synced { upto } => self.custody.on_synced(upto),
            Event::SyncFailed { upto } => {
                self.custody.on_sync_failed(upto);
                self.stop(EndReason::StoreFailed);
            }
            Event::Emitted { upto } => self.custody.on_emitted(upto),
            Event::EmitFailed => {
                self.custody.on_emit_failed();
                self.stop(EndReason::OutputFailed);
            }
            Event::Marked { took } => self.custody.on_marked(now, took),
            Event::MarkFailed => self.custody.on_mark_failed(now),
            Event::PeerThrottled { endpoint, until } => {
                let wait = until.since(now).min(RETRY_AFTER_MAX);
                let pace = &mut self.router.endpoint_mut(endpoint).rate;
                if pace.paused_until(now).is_none_or(|known| known.since(now) < wait) {
                    pace.pause(now, wait);
                }
            }
            Event::TimerFired => self.wake_at = None,
            Event::Stopped(signal) => self.on_stop_signal(now, signal, effects),
            Event::PauseRequested => self.is_paused = true,
            Event::ResumeRequested => self.is_paused = false,
            Event::ProbeRequested => self.probe_now(now),
        }
        self.step(now, effects);
        debug_assert!(self.custody.ledger().balances(), "the ledger balances at every event");
        debug_assert!(
            self.asks_in_flight.len() + self.custody.unsynced() <= self.slots_max(),
            "asked + waiting for the disk <= the most at once"
        );
    }

    /// Returns what this run has found out about each place, in the order of
    /// [`Rules::places`], and until when nothing may be sent there.
    pub fn limit_snapshots(&mut self, now: Time) -> Vec<(LimitSnapshot, Option<Time>)> {
        let lanes = self.router.endpoints_mut();
        lanes.map(|lane| (lane.rate.limit_snapshot(now), lane.rate.paused_until(now))).collect()
    }

    /// Returns where every question stands.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.custody.ledger()
    }

    fn on_started(&mut self, now: Time, plan: PlanSummary) {
        for lane in self.router.endpoints_mut() {
            if let Some((learnt, age)) = lane.spec.limits {
                lane.rate.restore(now, &learnt, age);
            }
        }
        self.minute.restore(now, &std::mem::take(&mut self.rules.earlier), self.rules.killed);
        self.custody.start(plan);
        self.read.ended = self.custody.ledger().pending == 0;
    }

    fn on_stop_signal(&mut self, now: Time, signal: StopSignal, effects: &mut Vec<Effect>) {
        let again = match signal {
            StopSignal::Interrupt => self.signal.is_some(),
            // Behind Ctrl-C it may be a container that stops: the grace of the first holds.
            StopSignal::Terminate => self.is_terminated,
        };
        self.signal.get_or_insert(signal);
        self.is_terminated |= signal == StopSignal::Terminate;
        self.stop(EndReason::Stopped(signal));
        if again {
            self.stop_now = true;
            self.abandon_all(effects);
            return;
        }
        if signal == StopSignal::Terminate && !planted(Mutant::GraceNeverEnds) {
            self.abandon_at.get_or_insert(now.after(TERM_GRACE));
        }
        if let Some(oldest) = self.asks_in_flight.values().map(|f| f.sent.at).min() {
            let (in_flight, longest) = (self.asks_in_flight.len(), now.since(oldest));
            effects.push(Effect::Show(Notice::Draining { signal, in_flight, longest }));
        }
    }

    /// Ends the run for this reason, unless a weightier one is known.
    fn stop(&mut self, why: EndReason) {
        if self.stop.as_ref().is_none_or(|known| why.rank() < known.rank()) {
            self.stop = Some(why);
        }
    }

    fn abandon_all(&mut self, effects: &mut Vec<Effect>) {
        for (&ask, flight) in self.asks_in_flight.iter_mut().filter(|(_, f)| !f.abandoned) {
            flight.abandoned = true;
            effects.push(Effect::Abandon(ask));
        }
    }

    /// Everything that may follow from any event, in one place.
    fn step(&mut self, now: Time, effects: &mut Vec<Effect>) {
        if self.abandon_at.is_some_and(|at| at.has_come(now)) {
            self.abandon_at = None;
            self.abandon_all(effects);
        }
        self.abandon_stalled(now, effects);
        let may_send = self.stop.is_none()
            && !self.is_paused
            && !self.detect_systemic_failure()
            && !self.judge_useless();
        if may_send {
            self.read_more(effects);
        }
        self.end_outage_if_final(now, effects);
        if may_send && self.stop.is_none() {
            self.send(now, effects);
        }
        self.custody.place(effects);
        if self.is_over() {
            self.finish(now, effects);
        } else {
            self.custody.mark_due(now, effects);
        }
        if !self.finished {
            self.set_timer(now, effects);
        }
    }

    /// Nothing is on its way and nothing will be sent.
    fn is_over(&self) -> bool {
        let nothing_left = self.read.ended && self.active.is_empty() && self.outage.is_none();
        (self.stop.is_some() || nothing_left)
            && self.asks_in_flight.is_empty()
            && !self.read.outstanding
    }

    /// The last records, rows and marks; then the end.
    fn finish(&mut self, now: Time, effects: &mut Vec<Effect>) {
        if self.stop.is_none() {
            self.clear_systemic_failure(now, effects);
        }
        if !self.custody.finish(self.stop_now, effects) {
            return;
        }
        let ledger = self.custody.ledger();
        let complete = ledger.pending == 0 && ledger.failed() == 0;
        let why = match self.stop.take() {
            Some(EndReason::Stopped(_) | EndReason::Paused) if complete => EndReason::Complete,
            Some(why) => why,
            None => EndReason::Complete,
        };
        self.finished = true;
        effects.push(Effect::Finish(Ending {
            reason: why,
            ledger,
            dropped: self.dropped,
            unplaced: self.custody.unplaced(),
            was_stopped: self.signal.is_some(),
            marked_question: self.marked_question.take(),
        }));
    }

    fn set_timer(&mut self, now: Time, effects: &mut Vec<Effect>) {
        let sends = self.stop.is_none() && !self.is_paused;
        let sending = match self.outage {
            _ if !sends => None,
            Some(_) => self.probe_at(now),
            None => {
                let first = self.waiting.first().map(|&(ms, _)| self.moment(now, ms));
                let first = first.filter(|_| !planted(Mutant::LostWakeUp));
                [self.send_at, first].into_iter().flatten().min()
            }
        };
        // What is due already was tried just now and waits for an event, such as a free slot.
        let at = [sending, self.abandon_at, self.custody.wake_at(), self.stalled_at()];
        let at = at.into_iter().flatten().filter(|at| !at.has_come(now)).min();
        if at.is_some() && at != self.wake_at {
            self.wake_at = at;
            effects.extend(at.map(Effect::SetTimer));
        }
    }

    fn moment(&self, now: Time, monotonic_ms: u64) -> Time {
        now.after(Duration::from_millis(monotonic_ms.saturating_sub(now.monotonic_ms)))
    }
}

#[cfg(test)]
mod tests;
