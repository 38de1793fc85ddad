//! Decides what happens next in a run: one event in, effects out.
//!
//! Driven by the engine's loop in production and by a simulator in tests. Which files exist, how a
//! reply looks and what time it is are none of its business.
//!
//! ```text
//!            questions            asks                 replies
//!   input ──────────────▶ dispatch ────▶ the service ─────────┐
//!                           ▲  ▲                              │
//!                     gates ┘  └─ again, while it may ────────┤
//!                                                             ▼
//!   outputs ◀──────────── custody ◀───────────────────── an answer
//!             rows, once    │  ▲
//!                           ▼  │ durable
//!                          store
//! ```
//!
//! The one loop, custody ⇄ store, is the promise itself: a row reaches an output only after its record
//! is durable, so that no crash leaves a row that the store does not know. Between them stand two
//! calls: dispatch hands records to custody, and asks it how many answers still hold a slot.

pub mod ask;
mod context;
mod custody;
mod dispatch;
mod effect;
mod event;
mod gate;
mod shutdown;
mod snapshot;

use std::time::Duration;

pub use crate::run::dispatch::router::EndpointSpec;
pub use crate::run::dispatch::samples::Enough;
pub use crate::run::gate::again::AgainUnpaid;
pub use crate::run::gate::budget::{
    BudgetRules, BudgetStatus, FundsUse, JobLimit, LimitOf, Spending,
};
pub use crate::run::gate::payee::{Payee, least_ask};
pub use crate::run::gate::permit::{Permit, PermitUse};
pub use crate::run::gate::tariff::{OffPeakError, OffPeakRules};
pub use effect::{Effect, EndReason, Ending, JournalRecord, Notice};
pub use event::{Event, PlanSummary, Planned, Seq, StopSignal};
pub use snapshot::{InFlightAsk, OutageStatus, RateBound, Snapshot};

use crate::acceptance::RetryWith;
use crate::plan::ledger::Ledger;
use crate::rate::outage::OutageBackoff;
use crate::rate::retry::RETRY_AFTER_MAX;
use crate::rate::sliding_window::{EarlierAsk, MinuteLimits};
use crate::rate::{Bounds, LimitSnapshot};
use crate::run::context::Context;
use crate::run::custody::Custody;
use crate::run::dispatch::Dispatch;
use crate::run::gate::Gates;
use crate::run::shutdown::Shutdown;
use crate::time::Time;

/// How long asks on their way are waited for after SIGTERM, which init systems follow with SIGKILL.
pub const TERM_GRACE: Duration = Duration::from_secs(20);

/// What a run goes by.
#[derive(Debug, Clone)]
pub struct Rules {
    /// What the rate controllers never go beyond.
    pub bounds: Bounds,
    /// The user's own limits a minute.
    pub minute: MinuteLimits,
    /// Asks of the minute before this session.
    pub earlier: Vec<EarlierAsk>,
    /// The session before this one was killed: what it had sent is unknown.
    pub killed: bool,
    /// Where the models are asked; at least one endpoint for each model.
    pub endpoints: Vec<EndpointSpec>,
    /// The schedule of an outage.
    pub backoff: OutageBackoff,
    /// How many answers a question gets at most until one is accepted, from 1.
    pub tries: u32,
    /// How it is asked again.
    pub retry: RetryWith,
    /// How many accepted samples of a model are enough, where not all are wanted that are planned.
    pub enough: Option<Enough>,
    /// Stop at the first failing question.
    pub pause_on_error: bool,
    /// The most answers to ask for in this run.
    pub limit: Option<u64>,
    /// What may be spent, where that is limited.
    pub budget: Option<BudgetRules>,
    /// The hours at which asks are sent, where only cheap ones are kept to.
    pub off_peak: Option<OffPeakRules>,
    /// Limits are shared with other runs: nothing is sent without a [`Permit`].
    pub is_shared: bool,
    /// Seeds the jitter of waits.
    pub seed: u64,
}

/// The state of a run. See [`Machine::handle`].
#[derive(Debug)]
pub struct Machine {
    rules: Rules,
    dispatch: Dispatch,
    gates: Gates,
    custody: Custody,
    shutdown: Shutdown,
    /// The user holds the run: nothing is sent.
    is_paused: bool,
    wake_at: Option<Time>,
    finished: bool,
}

impl Machine {
    /// Makes the machine of one run; nothing happens before `Event::Started`.
    #[must_use]
    pub fn new(mut rules: Rules) -> Machine {
        let (budget, off_peak) = (rules.budget.take(), rules.off_peak.take());
        Machine {
            dispatch: Dispatch::new(&rules),
            gates: Gates::new(
                rules.bounds.slots_max,
                rules.minute,
                budget,
                off_peak,
                rules.is_shared,
            ),
            custody: Custody::default(),
            shutdown: Shutdown::default(),
            rules,
            is_paused: false,
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
            Event::Synced { upto } => {
                self.custody.on_synced(upto);
                self.gates.on_synced(upto);
            }
            Event::SyncFailed { upto } => {
                self.custody.on_sync_failed(upto);
                self.shutdown.stop(EndReason::StoreFailed);
            }
            Event::Emitted { upto } => self.custody.on_emitted(upto),
            Event::EmitFailed => {
                self.custody.on_emit_failed();
                self.shutdown.stop(EndReason::OutputFailed);
            }
            Event::Marked { took } => self.custody.marks.written(now, took),
            Event::MarkFailed => self.custody.marks.failed(now),
            Event::TimerFired => self.wake_at = None,
            Event::Stopped(signal) => self.on_stop_signal(now, signal, effects),
            Event::Permitted(permit) => {
                if let Some(permits) = &mut self.gates.permits {
                    permits.grant(permit);
                }
            }
            Event::SharingHeld(is_held) => {
                if let Some(permits) = &mut self.gates.permits {
                    permits.hold(is_held);
                }
            }
            Event::Funded { granted, is_last } => {
                if let Some(budget) = &mut self.gates.budget {
                    budget.grant(granted, is_last);
                }
            }
            Event::LeaseLost => self.shutdown.stop(EndReason::LeaseLost),
            Event::PauseRequested => self.is_paused = true,
            Event::ResumeRequested => self.is_paused = false,
            event => self.dispatch_event(now, event, effects),
        }
        self.step(now, effects);
        debug_assert!(self.ledger().balances(), "the ledger balances at every event");
        debug_assert!(
            self.dispatch.in_flight_count() + self.custody.unsynced_count()
                <= self.gates.slots_max(),
            "asked + waiting for the disk <= the most at once"
        );
    }

    /// What is about questions and asks.
    fn dispatch_event(&mut self, now: Time, event: Event, effects: &mut Vec<Effect>) {
        let (dispatch, mut cx) = self.dispatching(now, effects);
        match event {
            Event::Questions(questions) => dispatch.take_questions(&mut cx, questions),
            Event::QuestionsEnd => dispatch.on_questions_end(),
            Event::QuestionsChanged { row_number } => {
                dispatch.on_questions_end();
                cx.shutdown.stop(EndReason::InputChanged { row_number });
            }
            Event::StoreUnreadable => {
                dispatch.on_questions_end();
                cx.shutdown.stop(EndReason::StoreFailed);
            }
            Event::Replied { ask, reading, limits, verdicts } => {
                if let (Some(limits), Some(rate)) = (limits, dispatch.rate_of(ask)) {
                    rate.observe_headers(now, &limits);
                }
                dispatch.on_response(&mut cx, ask, reading, verdicts);
            }
            Event::AnswerCame { ask, answer, verdicts } => {
                dispatch.on_answer_came(&mut cx, ask, answer, verdicts);
            }
            Event::NotJudged { ask, answer, verdicts } => {
                dispatch.on_not_judged(&mut cx, ask, answer, verdicts);
            }
            Event::Progressed { ask, tokens } => dispatch.on_progress(now, ask, tokens),
            Event::Abandoned { ask } => dispatch.on_abandoned(&mut cx, ask),
            Event::PeerThrottled { endpoint, until } => {
                let wait = until.since(now).min(RETRY_AFTER_MAX);
                let rate = dispatch.rate_at(endpoint);
                if rate.paused_until(now).is_none_or(|known| known.since(now) < wait) {
                    rate.pause(now, wait);
                }
            }
            Event::ProbeRequested => dispatch.probe_now(now),
            event => unreachable!("{event:?} is not about questions"),
        }
    }

    /// Dispatch, and what it has of the rest.
    fn dispatching<'a>(
        &'a mut self,
        now: Time,
        effects: &'a mut Vec<Effect>,
    ) -> (&'a mut Dispatch, Context<'a>) {
        let Machine { rules, dispatch, gates, custody, shutdown, .. } = self;
        (dispatch, Context { now, rules, custody, gates, shutdown, effects })
    }

    /// Returns what this run has found out about each endpoint, in the order of
    /// [`Rules::endpoints`], and until when nothing may be sent there.
    pub fn limit_snapshots(&mut self, now: Time) -> Vec<(LimitSnapshot, Option<Time>)> {
        let rates = self.dispatch.rates_mut();
        rates.map(|rate| (rate.limit_snapshot(now), rate.paused_until(now))).collect()
    }

    /// Returns what became of permits and what is wanted of a shared limit of money; what is told once is
    /// not told again.
    pub fn take_shared_use(&mut self, now: Time) -> (PermitUse, Option<FundsUse>) {
        let is_idle = self.dispatch.in_flight_count() == 0;
        let permits = self.gates.permits.as_mut().map(|permits| permits.take_use(now));
        let budget = self.gates.budget.as_mut();
        let funds = budget.and_then(|budget| budget.take_funds_use(is_idle));
        (permits.unwrap_or_default(), funds)
    }

    /// Returns where every question stands.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.custody.ledger()
    }

    /// Tells whether nothing more will be asked.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.shutdown.reason.is_some()
    }

    fn on_started(&mut self, now: Time, plan: PlanSummary) {
        self.gates.restore(now, &std::mem::take(&mut self.rules.earlier), self.rules.killed);
        let answered_before = plan.answered_before;
        self.custody.start(plan);
        let pending = self.custody.ledger().pending;
        self.dispatch.start(now, pending, self.custody.per_row(), answered_before);
    }

    fn on_stop_signal(&mut self, now: Time, signal: StopSignal, effects: &mut Vec<Effect>) {
        self.shutdown.on_signal(now, signal);
        if self.shutdown.is_immediate {
            self.dispatch.abandon_all(effects);
            return;
        }
        if let Some(oldest) = self.dispatch.oldest_sent_at() {
            let (in_flight, longest) = (self.dispatch.in_flight_count(), now.since(oldest));
            effects.push(Effect::Show(Notice::Draining { signal, in_flight, longest }));
        }
    }

    /// Everything that may follow from any event, in one place.
    fn step(&mut self, now: Time, effects: &mut Vec<Effect>) {
        if self.shutdown.is_grace_over(now) {
            self.dispatch.abandon_all(effects);
        }
        let (is_paused, pending) = (self.is_paused, self.ledger().pending);
        let (dispatch, mut cx) = self.dispatching(now, effects);
        dispatch.look_at_tariff(&mut cx, pending);
        dispatch.step(&mut cx, is_paused);
        self.custody.place(effects);
        if self.dispatch.is_over(self.shutdown.reason.is_some()) {
            self.finish(now, effects);
        } else if let Some(marks) = self.custody.marks_due(now) {
            effects.push(Effect::Mark(marks));
        }
        if !self.finished {
            self.set_timer(now, effects);
        }
    }

    /// The last records, rows and marks; then the end.
    fn finish(&mut self, now: Time, effects: &mut Vec<Effect>) {
        if self.shutdown.reason.is_none() {
            let (dispatch, mut cx) = self.dispatching(now, effects);
            dispatch.clear_systemic_failure(&mut cx);
        }
        if !self.custody.has_store_failed() {
            let (_, mut cx) = self.dispatching(now, effects);
            cx.close_budget();
        }
        if !self.custody.is_synced() {
            return;
        }
        if !self.custody.has_failed() {
            if !self.shutdown.is_immediate {
                self.custody.place_rest(effects);
            }
            if !self.custody.flush(effects) {
                return;
            }
        }
        if let Some(marks) = self.custody.marks_last() {
            effects.push(Effect::Mark(marks));
        }
        if self.custody.marks.is_busy() {
            return;
        }
        let ledger = self.ledger();
        let complete = ledger.pending == 0 && ledger.failed() == 0;
        let reason = match self.shutdown.reason.take() {
            Some(EndReason::Stopped(_) | EndReason::LeaseLost | EndReason::Paused) if complete => {
                EndReason::Complete
            }
            Some(reason) => reason,
            None => EndReason::Complete,
        };
        self.finished = true;
        effects.push(Effect::Finish(Box::new(Ending {
            reason,
            ledger,
            dropped: self.dispatch.dropped_count(),
            unplaced: self.custody.unplaced_count(),
            standing: self.custody.standing_count(),
            outdated: self.custody.outdated_count(),
            was_stopped: self.shutdown.signal.is_some(),
            marked_question: self.dispatch.take_marked_question(),
            budget: self.gates.budget_status(),
            unknown_ends: self.dispatch.take_unknown_ends(),
        })));
    }

    fn set_timer(&mut self, now: Time, effects: &mut Vec<Effect>) {
        let sends = self.shutdown.reason.is_none() && !self.is_paused;
        let (dispatch, mut cx) = self.dispatching(now, effects);
        let sending = if sends { dispatch.send_at(&mut cx) } else { None };
        // What is due already was tried just now and waits for an event, such as a free slot.
        let (abandon_at, marks_at) = (self.shutdown.abandon_at, self.custody.marks.wake_at());
        let at = [sending, abandon_at, marks_at, self.dispatch.stalled_at(now)];
        let at = at.into_iter().flatten().filter(|at| !at.has_come(now)).min();
        if at.is_some() && at != self.wake_at {
            self.wake_at = at;
            effects.extend(at.map(Effect::SetTimer));
        }
    }
}

#[cfg(test)]
mod tests;
