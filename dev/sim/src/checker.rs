//! A second, simple model of a run, driven by the same events as the machine.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use dset_core::answer::{Failure, FailureClass, ParsedReply, Refusal};
use dset_core::item::question::{Question, QuestionId, QuestionIndex};
use dset_core::plan::ledger::Ledger;
use dset_core::rate::retry::RETRY_AFTER_MAX;
use dset_core::run::ask::AskId;
use dset_core::run::{Event, Planned, Seq, StopSignal, TERM_GRACE};

use crate::ending::Reason;
use crate::pace::{ServiceChecker, Verdict};
use crate::prepare::Prepared;
use crate::schedule::ReplyKind;
use crate::world::World;

/// Consecutive questions refused in the same words from which the settings are at fault, unless
/// what is in flight is answered: before the first answer, and after it.
const ALIKE_AT_FIRST: usize = 5;
const ALIKE_LATER: usize = 10;
/// The same where the service says that it is the question, before the first answer.
const ALIKE_IF_CERTAIN: usize = 25;
/// Questions that are held at most where one of several models does not answer.
const HELD_FOR_OTHERS: usize = 4_096;
/// Questions that are held at most in an outage and after it, whatever the width.
const HELD_IN_OUTAGE: usize = 16;
/// The input is rewritten at most once in this time, or in this multiple of what the last took.
const REWRITE_EVERY_MS: u64 = 5_000;
const REWRITE_SHARE: u64 = 20;

/// An ask in flight.
pub(crate) struct InFlight {
    pub(crate) index: QuestionIndex,
    pub(crate) what: ReplyKind,
    pub(crate) attempt: u32,
    /// The model that was asked, and at which of its endpoints.
    pub(crate) place: (u16, u16),
    pub(crate) sent_ms: u64,
    pub(crate) abandoned: bool,
}

/// What the machine owes at once for an event.
pub(crate) enum Expected {
    Answer(AskId, InFlight),
    Failure(AskId, InFlight, Verdict),
    Nothing,
}

/// Refused questions, while it may still be the settings that are refused.
#[derive(Default)]
pub(crate) struct SystemicFailure {
    words: Option<String>,
    pub(crate) questions: Vec<QuestionIndex>,
    /// Rows that did not fail before.
    alike: BTreeSet<QuestionId>,
    are_forbidden: bool,
    are_certain: bool,
    /// When the first came, in a life that had had answers.
    since_ms: Option<u64>,
}

pub(crate) struct Checker {
    pub(crate) begin: Prepared,
    pub(crate) width: u32,
    pub(crate) is_several_models: bool,
    pub(crate) pause_on_error: bool,
    pub(crate) limit: Option<u64>,
    /// What the rows said before this life.
    pub(crate) statuses: Vec<String>,
    pub(crate) ledger: Ledger,
    pub(crate) flights: BTreeMap<AskId, InFlight>,
    pub(crate) dropped: u64,
    pub(crate) pace: ServiceChecker,

    pub(crate) read_count: u64,
    pub(crate) read_ended: bool,
    /// Questions that may still be answered.
    pub(crate) open: BTreeSet<QuestionIndex>,
    /// The number of answers that each row is to get.
    per_row: u32,
    /// There was an outage in this life.
    pub(crate) was_out: bool,
    /// Open questions whose texts the machine holds.
    pub(crate) held: BTreeSet<QuestionIndex>,
    /// How often each question was asked.
    pub(crate) asked: BTreeMap<QuestionIndex, u32>,
    pub(crate) answers: u64,
    /// Answers given to the disk of which the machine has not heard yet.
    pub(crate) unsynced: VecDeque<(Seq, QuestionIndex)>,
    /// The last question whose row was placed.
    pub(crate) placed: Option<QuestionIndex>,

    /// Questions that are refused on their own account.
    pub(crate) refused: BTreeSet<QuestionIndex>,
    pub(crate) suspects: SystemicFailure,
    /// Questions that were refused when everything was, and are asked once more.
    pub(crate) once_more: BTreeSet<QuestionIndex>,
    /// Questions that ended without an answer in this life.
    pub(crate) ended: BTreeSet<QuestionIndex>,
    /// Where the last event is done, these have ended.
    pub(crate) must_end: Vec<QuestionIndex>,

    /// What the run may end for. It is stopping once there is anything.
    pub(crate) reasons: BTreeSet<Reason>,
    /// The run is paused.
    pub(crate) is_held: bool,
    /// A second Ctrl-C: what waits for its place is left to the next life.
    pub(crate) stop_now: bool,
    /// SIGTERM has come: nothing new is sent.
    is_terminated: bool,
    /// What is in flight is dropped from this moment on.
    pub(crate) drop_from_ms: Option<u64>,

    /// The input is not rewritten before this moment.
    pub(crate) mark_from_ms: u64,
    pub(crate) mark_failed: bool,
}

impl Checker {
    pub(crate) fn new(world: &World, begin: Prepared, limit: Option<u64>) -> Checker {
        let plan = &begin.plan;
        let ledger = Ledger {
            questions: plan.states.len() as u64,
            answered: plan.count(Planned::Placed) + plan.count(Planned::Unplaced),
            presumed: 0,
            rejected: plan.count(Planned::Failed),
            gave_up: 0,
            pending: plan.count(Planned::Pending),
        };
        let open = plan.states.iter().zip(0..).filter(|(state, _)| **state == Planned::Pending);
        Checker {
            open: open.map(|(_, index)| index).collect(),
            begin,
            width: world.start.width,
            is_several_models: world.start.models > 1,
            pause_on_error: world.start.pause_on_error,
            limit,
            statuses: world.rows.iter().map(|row| row.status.clone()).collect(),
            ledger,
            flights: BTreeMap::new(),
            dropped: 0,
            pace: ServiceChecker::new(
                world.start.width,
                world.start.places().len() > 1,
                world.start.endpoints,
            ),
            read_count: 0,
            read_ended: ledger.pending == 0,
            per_row: world.start.models * world.start.samples,
            was_out: false,
            held: BTreeSet::new(),
            asked: BTreeMap::new(),
            answers: 0,
            unsynced: VecDeque::new(),
            placed: None,
            refused: BTreeSet::new(),
            suspects: SystemicFailure::default(),
            once_more: BTreeSet::new(),
            ended: BTreeSet::new(),
            must_end: Vec::new(),
            reasons: BTreeSet::new(),
            is_held: false,
            stop_now: false,
            is_terminated: false,
            drop_from_ms: None,
            mark_from_ms: 0,
            mark_failed: false,
        }
    }

    pub(crate) fn is_open(&self, index: QuestionIndex) -> bool {
        self.open.contains(&index)
    }

    pub(crate) fn has_unsynced(&self) -> bool {
        !self.unsynced.is_empty()
    }

    pub(crate) fn limit_is_reached(&self) -> bool {
        self.limit.is_some_and(|limit| self.read_count >= limit)
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.was_stopping() || self.is_systemic()
    }

    /// It was stopping before the last event.
    fn was_stopping(&self) -> bool {
        !self.reasons.is_empty()
    }

    /// There is an answer, of this run or before.
    fn has_worked(&self) -> bool {
        self.answers > 0 || self.begin.answered_before
    }

    /// All that was in flight is back, and what is suspected is so.
    fn is_systemic(&self) -> bool {
        let is_last = (self.read_ended || self.limit_is_reached()) && self.held.is_empty();
        let enough = match (self.answers > 0, self.begin.answered_before) {
            // The service is tried before that.
            (true, _) => return false,
            (false, true) if !is_last => ALIKE_LATER,
            (false, true) if self.suspects.are_forbidden => 2,
            _ if self.suspects.are_forbidden => 1,
            _ if self.suspects.are_certain => ALIKE_IF_CERTAIN,
            _ => ALIKE_AT_FIRST,
        };
        let is_idle = self.flights.is_empty() && !self.pace.is_out() && !self.is_held;
        self.suspects.alike.len() >= enough && is_idle
    }

    /// So many were refused since the last answer that the service is in doubt.
    pub(crate) fn is_doubted(&self) -> bool {
        let Some(since_ms) = self.suspects.since_ms else { return false };
        let sent_since = self.flights.values().filter(|flight| flight.sent_ms >= since_ms).count();
        self.answers > 0 && self.suspects.alike.len() >= ALIKE_LATER.max(sent_since)
    }

    /// Takes that an outage begins: those that were refused before it are asked once more.
    pub(crate) fn holds_suspects(&mut self, is_of_refusals: bool) {
        if is_of_refusals {
            assert!(
                self.is_doubted() && self.flights.is_empty(),
                "a service is in doubt for reasons"
            );
            self.pace.is_doubted(self.suspects.questions[0]);
        }
        if self.answers > 0 {
            self.asks_suspects_once_more();
        }
    }

    fn asks_suspects_once_more(&mut self) {
        let suspects = std::mem::take(&mut self.suspects).questions;
        self.held.extend(&suspects);
        self.once_more.extend(suspects);
    }

    /// Takes that a service that was in doubt has refused every try.
    pub(crate) fn refuses_all(&mut self, class: FailureClass) {
        let is_last = (self.read_ended || self.limit_is_reached())
            && self.held.iter().all(|index| self.once_more.contains(index));
        let is_request = FailureClass::Refused(Refusal::Request);
        match class {
            FailureClass::Forbidden => drop(self.reasons.insert(Reason::Key)),
            class if is_last && class == is_request => {
                for index in self.held.clone() {
                    self.refuse(index);
                }
            }
            _ => drop(self.reasons.insert(Reason::Settings)),
        }
    }

    /// Writes down a conviction.
    pub(crate) fn declare_systemic(&mut self) {
        if !self.was_stopping() && self.is_systemic() {
            let reason = if self.suspects.are_forbidden { Reason::Key } else { Reason::Settings };
            self.reasons.insert(reason);
            self.suspects = SystemicFailure::default();
        }
    }

    /// Nothing is in flight and nothing will be sent.
    pub(crate) fn is_over(&self) -> bool {
        let nothing_left = self.held.is_empty() && (self.read_ended || self.limit_is_reached());
        self.flights.is_empty() && (self.is_stopping() || nothing_left)
    }

    /// Takes an event before the machine hears of it; returns what must follow at once.
    pub(crate) fn observe(&mut self, now_ms: u64, event: &Event) -> Expected {
        self.declare_systemic();
        let is_late = self.drop_from_ms.is_some_and(|from| now_ms > from);
        let is_waited_for = self.flights.values().any(|flight| !flight.abandoned);
        assert!(!is_late || !is_waited_for, "nothing is waited for past the grace of SIGTERM");
        match event {
            Event::AnswerCame { .. } | Event::NotJudged { .. } => {
                panic!("nothing judges answers of this world");
            }
            Event::Replied { ask, reading, .. } => {
                let flight = self.flights.remove(ask).expect("an ask is on its way");
                return match reading {
                    ParsedReply::Answer(_) => {
                        self.answered(*ask, &flight);
                        Expected::Answer(*ask, flight)
                    }
                    ParsedReply::Failure(failure) => {
                        let verdict = self.failed(now_ms, &flight, failure);
                        self.pace.came_back(now_ms, *ask);
                        Expected::Failure(*ask, flight, verdict)
                    }
                };
            }
            Event::Abandoned { ask } => {
                self.flights.remove(ask).expect("an ask is on its way");
                self.dropped += 1;
            }
            Event::Synced { upto } => {
                while let Some(index) = self.no_longer_unsynced(*upto) {
                    self.open.remove(&index);
                    self.ledger.answered += 1;
                    self.ledger.pending -= 1;
                }
            }
            Event::SyncFailed { upto } => {
                self.reasons.insert(Reason::Store);
                while self.no_longer_unsynced(*upto).is_some() {}
            }
            Event::EmitFailed => drop(self.reasons.insert(Reason::Output)),
            Event::Stopped(signal) => self.stopped(now_ms, *signal),
            Event::Questions(questions) => self.questions_came(questions),
            Event::QuestionsEnd => self.read_ended = true,
            Event::QuestionsChanged { .. } => {
                self.read_ended = true;
                self.reasons.insert(Reason::Input);
            }
            Event::StoreUnreadable => {
                self.read_ended = true;
                self.reasons.insert(Reason::Store);
            }
            Event::Marked { took } => {
                let rest = REWRITE_EVERY_MS.max(REWRITE_SHARE * took.as_millis() as u64);
                self.mark_from_ms = now_ms + rest;
            }
            Event::MarkFailed => self.mark_failed = true,
            Event::LeaseLost => drop(self.reasons.insert(Reason::Lease)),
            Event::PauseRequested => self.is_held = true,
            Event::ResumeRequested => self.is_held = false,
            Event::Started(_)
            | Event::Emitted { .. }
            | Event::Progressed { .. }
            | Event::PeerThrottled { .. }
            | Event::ProbeRequested
            | Event::Permitted(_)
            | Event::SharingHeld(_)
            | Event::Funded { .. }
            | Event::TimerFired => {}
        }
        Expected::Nothing
    }

    fn questions_came(&mut self, questions: &[Question]) {
        self.read_count += questions.len() as u64;
        self.held.extend(questions.iter().map(|question| question.index));
        let most = match self.is_several_models {
            true => HELD_FOR_OTHERS.max(2 * self.width.max(1) as usize),
            false => 2 * self.width.max(1) as usize,
        };
        let most = match self.was_out {
            true => most.max(HELD_IN_OUTAGE).max(2 * self.per_row as usize),
            false => most,
        };
        let most = most + self.once_more.len();
        assert!(self.held.len() <= most, "the texts of twice the width are held");
    }

    fn no_longer_unsynced(&mut self, upto: Seq) -> Option<QuestionIndex> {
        self.unsynced.front().filter(|(seq, _)| *seq <= upto)?;
        self.unsynced.pop_front().map(|(_, index)| index)
    }

    fn stopped(&mut self, now_ms: u64, signal: StopSignal) {
        let is_second = match signal {
            StopSignal::Interrupt => self.reasons.contains(&Reason::Signal),
            StopSignal::Terminate => std::mem::replace(&mut self.is_terminated, true),
        };
        if is_second {
            self.stop_now = true;
            self.drop_from(now_ms);
        } else if signal == StopSignal::Terminate {
            self.drop_from(now_ms + TERM_GRACE.as_millis() as u64);
        }
        self.reasons.insert(Reason::Signal);
    }

    fn drop_from(&mut self, ms: u64) {
        self.drop_from_ms = Some(self.drop_from_ms.map_or(ms, |earlier| earlier.min(ms)));
    }

    fn answered(&mut self, ask: AskId, flight: &InFlight) {
        self.answers += 1;
        let alone = self.pace.clears_service(ask);
        let of_model =
            |index: &QuestionIndex| self.begin.requests[*index as usize].model == flight.place.0;
        if let Some(index) = alone.filter(of_model) {
            self.pace.failed_alone(index);
            self.must_end.push(index);
        }
        self.pace.answered(flight.place, flight.sent_ms);
        self.held.remove(&flight.index);
        self.suspects_are_refuted(flight);
    }

    fn failed(&mut self, now_ms: u64, flight: &InFlight, failure: &Failure) -> Verdict {
        let (index, others) = (flight.index, self.flights.len());
        let is_for_good = match failure.class {
            FailureClass::KeyRefused
            | FailureClass::OutOfMoney
            | FailureClass::Refused(Refusal::Settings) => Some(None),
            FailureClass::Throttled { wait: Some(wait), .. } if wait > RETRY_AFTER_MAX => {
                Some(Some(wait))
            }
            _ => None,
        };
        if is_for_good.is_some_and(|wait| self.pace.goes_on_without(now_ms, flight.place, wait)) {
            if self.pace.is_out() {
                self.pace.refused_again(index);
            }
            return Verdict::default();
        }
        match failure.class {
            FailureClass::Throttled { wait: Some(wait), .. } if wait > RETRY_AFTER_MAX => {
                self.reasons.insert(Reason::ToldToWait);
            }
            FailureClass::Throttled { wait, width } => {
                let verdict = self.pace.throttled(now_ms, index, flight.place, wait, width);
                return if self.was_stopping() { Verdict::default() } else { verdict };
            }
            FailureClass::FailedCheck => unreachable!("no reply says so"),
            FailureClass::Empty | FailureClass::OtherApi => {
                unreachable!("every simulated service writes something")
            }
            FailureClass::Transient if self.was_stopping() => {}
            FailureClass::Transient => {
                let verdict = self.pace.failed(now_ms, index, flight.place, others);
                self.must_end.extend(verdict.gives_up.then_some(index));
                return verdict;
            }
            FailureClass::Refused(Refusal::Settings) => {
                self.reasons.insert(Reason::Settings);
                self.suspects = SystemicFailure::default();
            }
            FailureClass::Refused(Refusal::Address) => {
                unreachable!("no simulated service is at a wrong address")
            }
            FailureClass::KeyRefused => drop(self.reasons.insert(Reason::Key)),
            FailureClass::OutOfMoney => drop(self.reasons.insert(Reason::Money)),
            FailureClass::Refused(Refusal::Request | Refusal::Question)
            | FailureClass::Forbidden => {
                if !self.pace.asks_elsewhere(now_ms, index, flight.place) {
                    self.suspect(now_ms, flight, failure);
                }
            }
            FailureClass::Refused(Refusal::Moderation) | FailureClass::CutByLength => {
                self.pace.works_at(flight.place, flight.sent_ms);
                if failure.partial.is_some() {
                    self.suspects_are_refuted(flight);
                }
                self.refuse(index);
            }
        }
        Verdict::default()
    }

    fn suspect(&mut self, now_ms: u64, flight: &InFlight, failure: &Failure) {
        let index = flight.index;
        let is_certain = failure.class == FailureClass::Refused(Refusal::Question);
        if self.pace.refuses_all() && !is_certain {
            self.pace.refused_again(index);
            return;
        }
        self.pace.works_at(flight.place, flight.sent_ms);
        // Whatever the settings are, it would be refused.
        if self.has_worked() && is_certain {
            self.refuse(index);
            return;
        }
        if self.reasons.first() == Some(&Reason::Settings) {
            return;
        }
        if self.pause_on_error || self.was_stopping() || self.once_more.contains(&index) {
            self.refuse(index);
            return;
        }
        let has_failed = self.begin.questions[index as usize].has_failed;
        if has_failed && self.has_worked() {
            self.refuse(index);
            return;
        }
        if self.suspects.words.as_ref() != Some(&failure.message) {
            self.suspects_are_refused();
            self.suspects.words = Some(failure.message.clone());
            self.suspects.since_ms = (self.answers > 0).then_some(now_ms);
        }
        self.suspects.are_forbidden = failure.class == FailureClass::Forbidden;
        self.suspects.are_certain = is_certain;
        if self.suspects.are_forbidden && !self.has_worked() || !has_failed {
            self.suspects.alike.insert(self.begin.questions[index as usize].id);
        }
        self.held.remove(&index);
        self.suspects.questions.push(index);
    }

    /// An answer clears those that were refused, in a life that had had answers only if it was asked for
    /// after the first of them.
    fn suspects_are_refuted(&mut self, flight: &InFlight) {
        let since_ms = self.suspects.since_ms;
        if since_ms.is_none_or(|since| flight.sent_ms >= since) {
            if since_ms.is_some() && self.suspects.are_forbidden {
                self.asks_suspects_once_more();
            }
            self.suspects_are_refused();
        }
    }

    fn suspects_are_refused(&mut self) {
        for index in std::mem::take(&mut self.suspects).questions {
            self.refuse(index);
        }
    }

    fn refuse(&mut self, index: QuestionIndex) {
        self.refused.insert(index);
        self.must_end.push(index);
    }
}
