//! Dispatch: what is asked now, where, and again.
//!
//! A question whose text was read is active until it has an answer or ends without one. It waits in
//! line, is sent where there is room, and comes back: with an answer, which goes into custody, or with
//! a failure, which decides when it is asked again, whether it is given up, and whether it is the
//! question, the endpoint, the service or the settings that fail. What is durable, and what is in the
//! outputs, is none of its business ([`crate::run::custody`]).

mod funds;
mod on_failed_check;
mod on_failure;
mod on_response;
mod outage;
mod prefix_groups;
pub(crate) mod router;
pub(crate) mod samples;
mod send;
mod stall;
mod status;
mod systemic_failure;
mod useless_replies;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use self::prefix_groups::PrefixGroups;
use self::router::{EndpointIndex, Router};
use self::systemic_failure::{Proof, SystemicFailureDetector};
use self::useless_replies::UselessReplies;
use crate::answer::{Cause, Failure};
use crate::item::question::{Question, QuestionIndex};
use crate::money::Amount;
use crate::planted::{PlantedBug, planted};
use crate::rate::outage::{AnswerCounts, FailureStreak, Outage};
use crate::rate::{RateController, Ticket};
use crate::run::ask::AskId;
use crate::run::context::{Context, PaidAsk};
use crate::run::gate::payee::Reservation;
use crate::run::{Effect, Rules};
use crate::time::Time;

/// The questions that are asked or waiting to be, and the endpoints they are asked at.
#[derive(Debug)]
pub(crate) struct Dispatch {
    /// Questions whose texts are held: asked, or waiting to be.
    active: BTreeMap<QuestionIndex, ActiveQuestion>,
    /// Active questions that may be asked now, of each model, earliest in the file first.
    ready: Vec<BTreeSet<QuestionIndex>>,
    /// Which of these come one after the other because their prompts begin alike.
    groups: PrefixGroups,
    /// Active questions that may be asked from a moment on (its monotonic milliseconds).
    waiting: BTreeSet<(u64, QuestionIndex)>,
    asks_in_flight: BTreeMap<AskId, InFlight>,
    asks_count: u64,
    read: ReadProgress,
    /// Held samples that are asked only if those before them are not enough.
    spare: BTreeSet<QuestionIndex>,
    /// Entries of the plan that belong to one row of the input, from 1.
    per_row: u32,

    router: Router,
    failures: FailureStreak,
    outage: Option<Outage>,
    /// The failure that began or prolonged the outage.
    last_failure: Option<Box<Failure>>,
    systemic_failure: SystemicFailureDetector,
    /// Questions that were refused when everything was, and are asked once more.
    suspects: BTreeSet<QuestionIndex>,
    useless: UselessReplies,
    /// The answers of which the program that is to judge them said nothing, until it says something for the first time.
    unheard: Option<u32>,
    /// Replies of a server that is no API, before the first answer.
    misdirected: u32,

    dropped: u64,
    marked_question: Option<Arc<Question>>,
    answers_count: u64,
    /// Answers by the word that ended them, where nobody knows it.
    unknown_ends: BTreeMap<String, u64>,
    /// See [`crate::run::PlanSummary::answered_before`].
    answered_before: bool,
}

/// A question whose text is held.
#[derive(Debug)]
pub(crate) struct ActiveQuestion {
    question: Arc<Question>,
    attempts: u32,
    /// Failures that count towards giving up.
    failures: u32,
    /// Those among them that were replies without an answer.
    useless: u32,
    /// Refusals because there was too much to do, and how often the service had answered at the
    /// first.
    throttled: u32,
    first_throttled_at: u64,
    /// What the last failure was, in the plain words of [`Failure::cause`].
    failed_with: Option<Cause>,
    /// How often the service had answered when this question first failed.
    first_failed_at: Option<AnswerCounts>,
    /// An ask for it was dropped because it seemed to hang: it may just be slow, and only the
    /// timeout ends the next.
    seemed_stalled: bool,
    /// The places that have refused it, where another was asked for that.
    refused_at: Vec<EndpointIndex>,
}

impl ActiveQuestion {
    /// A question that was not asked so far.
    fn new(question: Arc<Question>) -> ActiveQuestion {
        ActiveQuestion {
            question,
            attempts: 0,
            failures: 0,
            useless: 0,
            failed_with: None,
            throttled: 0,
            first_throttled_at: 0,
            first_failed_at: None,
            seemed_stalled: false,
            refused_at: Vec::new(),
        }
    }
}

/// An ask on its way.
#[derive(Debug)]
struct InFlight {
    index: QuestionIndex,
    endpoint: EndpointIndex,
    sent: Ticket,
    /// What it may cost at most, where money is limited.
    reservation: Reservation,
    /// The reply has begun: it may be slow, but it is not hung.
    has_begun: bool,
    /// About how many tokens of a streamed answer have come.
    tokens: u64,
    abandoned: bool,
    /// From which of the beginnings of its prompt on it is the first, while its reply has not begun.
    warms_from: Option<usize>,
    /// It was dropped because nothing came for so long.
    stalled_after: Option<Duration>,
    /// An ask for its question was dropped for that before.
    was_dropped_before: bool,
    /// Its answer, where that is being judged, and is recorded already.
    came: Option<Came>,
}

/// An answer that came, and is being judged.
#[derive(Debug, Clone, Copy)]
struct Came {
    at: Time,
    /// What it cost at most, where it was not counted, under a limit.
    cost_most: Option<Amount>,
}

impl InFlight {
    /// What is known of it once it is to be paid.
    fn paid(&self) -> PaidAsk {
        let (sent_at, endpoint, reservation) = (self.sent.at, self.endpoint, self.reservation);
        PaidAsk { sent_at, endpoint, reservation }
    }

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

impl Dispatch {
    pub(crate) fn new(rules: &Rules) -> Dispatch {
        let router = Router::new(&rules.endpoints, rules.bounds);
        Dispatch {
            active: BTreeMap::new(),
            ready: vec![BTreeSet::new(); usize::from(router.models())],
            groups: PrefixGroups::default(),
            waiting: BTreeSet::new(),
            asks_in_flight: BTreeMap::new(),
            asks_count: 0,
            read: ReadProgress::default(),
            spare: BTreeSet::new(),
            per_row: 1,
            router,
            failures: FailureStreak::default(),
            outage: None,
            last_failure: None,
            systemic_failure: SystemicFailureDetector::default(),
            suspects: BTreeSet::new(),
            useless: UselessReplies::default(),
            unheard: Some(0),
            misdirected: 0,
            dropped: 0,
            marked_question: None,
            answers_count: 0,
            unknown_ends: BTreeMap::new(),
            answered_before: false,
        }
    }

    /// Takes over what other runs have found out about the endpoints. Without `pending` questions
    /// nothing will be read.
    pub(crate) fn start(&mut self, now: Time, pending: u64, per_row: u32, answered_before: bool) {
        for endpoint in self.router.endpoints_mut() {
            if let Some((limits, age)) = endpoint.spec.limits {
                endpoint.rate.restore(now, &limits, age);
            }
        }
        self.read.ended = pending == 0;
        self.per_row = per_row;
        self.answered_before = answered_before;
    }

    /// Key, settings and address have been good for an answer, in this run or before: what is refused
    /// is the questions' own fault until much speaks against it, or nothing in this run speaks for it.
    pub(crate) fn has_worked(&self) -> bool {
        self.answers_count > 0 || self.answered_before
    }

    fn proof(&self) -> Proof {
        match (self.answers_count, self.answered_before) {
            (0, false) => Proof::None,
            (0, true) => Proof::Before,
            _ => Proof::Now,
        }
    }

    /// The input has no more questions, or none that the plan knows.
    pub(crate) fn on_questions_end(&mut self) {
        (self.read.outstanding, self.read.ended) = (false, true);
    }

    /// The rate controllers, in the order of [`Rules::endpoints`].
    pub(crate) fn rates_mut(&mut self) -> impl Iterator<Item = &mut RateController> {
        self.router.endpoints_mut().map(|endpoint| &mut endpoint.rate)
    }

    /// The rate controller of the endpoint that an ask on its way went to.
    pub(crate) fn rate_of(&mut self, ask: AskId) -> Option<&mut RateController> {
        let flight = self.asks_in_flight.get(&ask)?;
        Some(&mut self.router.endpoint_mut(flight.endpoint).rate)
    }

    /// The rate controller of an endpoint.
    pub(crate) fn rate_at(&mut self, endpoint: EndpointIndex) -> &mut RateController {
        &mut self.router.endpoint_mut(endpoint).rate
    }

    /// Asks on their way.
    pub(crate) fn in_flight_count(&self) -> usize {
        self.asks_in_flight.len()
    }

    /// When the oldest ask on its way was sent.
    pub(crate) fn oldest_sent_at(&self) -> Option<Time> {
        self.asks_in_flight.values().map(|flight| flight.sent.at).min()
    }

    /// Drops every ask on its way.
    pub(crate) fn abandon_all(&mut self, effects: &mut Vec<Effect>) {
        for (&ask, flight) in self.asks_in_flight.iter_mut().filter(|(_, f)| !f.abandoned) {
            flight.abandoned = true;
            effects.push(Effect::Abandon(ask));
        }
    }

    /// Does everything that may follow from any event: drops what has stalled, judges what has
    /// failed, reads more and sends.
    pub(crate) fn step(&mut self, cx: &mut Context<'_>, is_paused: bool) {
        self.abandon_stalled(cx);
        // Whether the service is there again nobody needs to know.
        if self.active.is_empty() && self.read.ended {
            self.outage = None;
        }
        let may_send = !cx.is_ending()
            && !is_paused
            && !self.detect_systemic_failure(cx)
            && !self.judge_useless(cx);
        if may_send {
            self.read_more(cx);
        }
        self.end_outage_if_final(cx);
        if may_send && !cx.is_ending() {
            self.send(cx);
        }
    }

    /// Returns true if nothing is on its way and nothing is being read; `is_ending` or not, nothing
    /// will be sent.
    pub(crate) fn is_over(&self, is_ending: bool) -> bool {
        let nothing_left = self.read.ended && self.active.is_empty() && self.outage.is_none();
        (is_ending || nothing_left) && self.asks_in_flight.is_empty() && !self.read.outstanding
    }

    /// When something can be sent for which only time must pass.
    pub(crate) fn send_at(&mut self, cx: &mut Context<'_>) -> Option<Time> {
        if self.outage.is_some() {
            return self.probe_at(cx);
        }
        let first = self.waiting.first().map(|&(ms, _)| moment(cx.now, ms));
        let first = first.filter(|_| !planted(PlantedBug::LostWakeUp));
        let released = self.groups.release_at(cx.now).map(|ms| moment(cx.now, ms));
        [cx.gates.send_at, first, released].into_iter().flatten().min()
    }

    /// Asks whose answers, if they came, were not waited for.
    pub(crate) fn dropped_count(&self) -> u64 {
        self.dropped
    }

    /// The question that was marked because an outage ended the run.
    pub(crate) fn take_marked_question(&mut self) -> Option<Arc<Question>> {
        self.marked_question.take()
    }
}

/// The moment of these monotonic milliseconds, or `now` if it is past.
fn moment(now: Time, monotonic_ms: u64) -> Time {
    now.after(Duration::from_millis(monotonic_ms.saturating_sub(now.monotonic_ms)))
}
