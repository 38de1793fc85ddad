//! The places where models are asked, each with a pace of its own.
//!
//! Where there are several, whichever has room is asked, and one that does not answer any more is
//! left alone while another does: a question that comes to it now and then asks whether it is back.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::item::question::QuestionIndex;
use crate::rate::latency::Latency;
use crate::rate::outage::{Unrefuted, are_outage};
use crate::rate::retry::RETRY_AFTER_MAX;
use crate::rate::{Bounds, LimitSnapshot, Permit, RateController};
use crate::run::ask::AskId;
use crate::time::Time;

/// So many refusals since its last answer may be a place's own.
const REFUSALS_MIN: u32 = 5;
/// When a dead place is tried first, how much longer each further time, and how long at most.
const PROBE_FIRST: Duration = Duration::from_secs(2);
const PROBE_GROWTH: f64 = 1.6;
const PROBE_MAX: Duration = Duration::from_secs(60);
/// How long an ask is waited for at least where only other places have answered: this one may be far
/// slower.
const STALL_TIMEOUT_ELSEWHERE: Duration = Duration::from_secs(5 * 60);

/// A place where a model is asked.
#[derive(Debug, Clone)]
pub struct EndpointSpec {
    /// Which model, by its place in the settings.
    pub model: u16,
    /// Which of that model's endpoints.
    pub endpoint: u16,
    /// What other runs have found out about it, and how old that is.
    pub limits: Option<(LimitSnapshot, Duration)>,
}

/// Number of a lane, from 0.
pub(crate) type EndpointIndex = usize;

/// A place and its pace.
#[derive(Debug)]
pub(crate) struct EndpointState {
    pub(crate) spec: EndpointSpec,
    pub(crate) rate: RateController,
    /// How long answers take there.
    pub(crate) latency: Latency,
    pub(crate) in_flight: usize,
    /// Failures since the last success.
    failed: u32,
    unrefuted: Unrefuted,
    has_answered: bool,
    /// Questions that it refused, since its last answer.
    refused: u32,
    open_circuit: Option<OpenCircuit>,
    /// It answers nothing in this run, whatever it is asked.
    is_closed: bool,
}

/// A place that does not answer.
#[derive(Debug)]
struct OpenCircuit {
    probe_at: Time,
    wait: Duration,
    probe: Option<AskId>,
}

impl EndpointState {
    /// Takes the sending of an ask.
    pub(crate) fn on_probe_sent(&mut self, ask: AskId) {
        if let Some(dead) = &mut self.open_circuit {
            dead.probe = Some(ask);
        }
    }

    /// Takes the return of an ask, whatever it brings.
    pub(crate) fn on_return(&mut self, now: Time, ask: AskId) {
        self.in_flight -= 1;
        if let Some(dead) = self.open_circuit.as_mut().filter(|dead| dead.probe == Some(ask)) {
            dead.probe = None;
            dead.wait = dead.wait.mul_f64(PROBE_GROWTH).min(PROBE_MAX);
            dead.probe_at = now.after(dead.wait);
        }
    }

    /// Takes a failure; `is_new` where its question had not failed before the last success anywhere, and
    /// `unrefuted` where not before the last sign of life. True if that is the one after which it is taken
    /// for dead.
    pub(crate) fn on_failure(
        &mut self,
        now: Time,
        is_new: bool,
        unrefuted: Option<QuestionIndex>,
        slots_max: u32,
    ) -> bool {
        self.failed += u32::from(is_new);
        let failures = self.unrefuted.failed(now, unrefuted).max(self.failed as usize);
        !self.is_circuit_open() && are_outage(failures, self.in_flight, slots_max)
    }

    /// Takes the refusal of a question; true if that may be the place's fault as well as the question's.
    pub(crate) fn on_refusal(&mut self) -> bool {
        self.refused += 1;
        !self.has_answered || self.refused > REFUSALS_MIN
    }

    /// Takes an answer.
    pub(crate) fn on_answer(&mut self) {
        (self.has_answered, self.refused) = (true, 0);
    }

    pub(crate) fn open_circuit(&mut self, now: Time) {
        if self.open_circuit.is_none() {
            let probe_at = now.after(PROBE_FIRST);
            self.open_circuit = Some(OpenCircuit { probe_at, wait: PROBE_FIRST, probe: None });
            self.unrefuted.begin(now);
            self.rate.outage_began(now);
        }
    }

    /// Tries a dead place without waiting for its time.
    pub(crate) fn probe_now(&mut self, now: Time) {
        if let Some(dead) = &mut self.open_circuit {
            dead.probe_at = now;
        }
    }

    /// Takes an answer, or another word about a question; true if it shows that the place works.
    pub(crate) fn answered(&mut self, sent_at: Time) -> bool {
        self.failed = 0;
        self.unrefuted.answered(sent_at)
    }

    /// Takes that it works; true if it was dead.
    pub(crate) fn close_circuit(&mut self, now: Time) -> bool {
        let was_dead = self.open_circuit.take().is_some();
        if was_dead {
            self.rate.outage_over(now);
        }
        was_dead && !self.is_closed
    }

    /// Takes that it answers nothing in this run.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
    }

    pub(crate) fn is_circuit_open(&self) -> bool {
        self.is_closed || self.open_circuit.is_some()
    }

    /// It may be asked within the time that a run waits.
    fn is_in_use(&self, now: Time) -> bool {
        let until = self.rate.paused_until(now);
        !self.is_closed && until.is_none_or(|until| until.since(now) <= RETRY_AFTER_MAX)
    }

    fn may_send(&mut self, now: Time) -> Permit {
        match &self.open_circuit {
            _ if self.is_closed => Permit::NotYet,
            None => self.rate.may_send(now),
            Some(dead) if dead.probe.is_some() => Permit::NotYet,
            Some(dead) => match self.rate.not_paused(now, dead.probe_at) {
                at if at.has_come(now) => Permit::Now,
                at => Permit::NotBefore(at),
            },
        }
    }

    /// How full it is.
    fn load(&self) -> f64 {
        // A dead place comes first when its time has come: it is one ask.
        if self.is_circuit_open() { -1.0 } else { self.in_flight as f64 / self.rate.slots() as f64 }
    }
}

/// Where the next ask of a model may go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Route {
    Now(EndpointIndex),
    NotBefore(Time),
    NotYet,
}

/// All places of a run.
#[derive(Debug)]
pub(crate) struct Router {
    endpoints: Vec<EndpointState>,
    slots_max: usize,
    /// The lane that was probed last in an outage.
    probed: EndpointIndex,
}

impl Router {
    pub(crate) fn new(places: &[EndpointSpec], bounds: Bounds) -> Router {
        assert!(!places.is_empty(), "a run asks somewhere");
        let lane = |place: &EndpointSpec| EndpointState {
            spec: place.clone(),
            rate: RateController::new(bounds),
            latency: Latency::default(),
            in_flight: 0,
            failed: 0,
            unrefuted: Unrefuted::default(),
            has_answered: false,
            refused: 0,
            open_circuit: None,
            is_closed: false,
        };
        let lanes = places.iter().map(lane).collect();
        Router { endpoints: lanes, slots_max: bounds.slots_max.max(1) as usize, probed: 0 }
    }

    pub(crate) fn endpoint_mut(&mut self, lane: EndpointIndex) -> &mut EndpointState {
        &mut self.endpoints[lane]
    }

    pub(crate) fn endpoints_mut(&mut self) -> impl Iterator<Item = &mut EndpointState> {
        self.endpoints.iter_mut()
    }

    /// The numbers of the models that are asked.
    pub(crate) fn models(&self) -> u16 {
        self.endpoints.iter().map(|lane| lane.spec.model + 1).max().expect("a run asks somewhere")
    }

    /// The places that are asked.
    fn open_endpoints(&self) -> impl Iterator<Item = (EndpointIndex, &EndpointState)> {
        self.endpoints.iter().enumerate().filter(|(_, lane)| !lane.is_closed)
    }

    /// The places where a model is asked.
    pub(crate) fn lanes_of(&self, model: u16) -> Vec<EndpointIndex> {
        let lanes = self.open_endpoints();
        lanes.filter(|(_, lane)| lane.spec.model == model).map(|(at, _)| at).collect()
    }

    /// At how many places a model is asked.
    pub(crate) fn endpoints_of(&self, model: u16) -> usize {
        self.lanes_of(model).len()
    }

    /// Tells whether another place of the same model is left that a run can wait for.
    pub(crate) fn leaves_another(&self, now: Time, lane: EndpointIndex) -> bool {
        let model = self.endpoints[lane].spec.model;
        let mut others = self.endpoints.iter().enumerate().filter(|(at, _)| *at != lane);
        others.any(|(_, other)| other.spec.model == model && other.is_in_use(now))
    }

    pub(crate) fn count(&self) -> usize {
        self.endpoints.len()
    }

    pub(crate) fn are_several(&self) -> bool {
        self.endpoints.len() > 1
    }

    /// How many may be asked at once for all that is known.
    pub(crate) fn slots(&self) -> usize {
        let slots: usize = self.open_endpoints().map(|(_, lane)| lane.rate.slots()).sum();
        slots.clamp(1, self.slots_max)
    }

    /// Tells whether there is another place of the same model that is not left alone and not among `tried`.
    pub(crate) fn has_another(&self, lane: EndpointIndex, tried: &[EndpointIndex]) -> bool {
        let model = self.endpoints[lane].spec.model;
        let mut lanes = self.endpoints.iter().enumerate();
        lanes.any(|(at, other)| {
            other.spec.model == model && !other.is_circuit_open() && !tried.contains(&at)
        })
    }

    /// Where the next ask of a model may go: to the emptiest of its places, but for those that have
    /// refused it where there are others.
    pub(crate) fn choose(&mut self, now: Time, model: u16, refused_at: &[EndpointIndex]) -> Route {
        if let [only] = &mut self.endpoints[..] {
            return match only.may_send(now) {
                Permit::Now => Route::Now(0),
                Permit::NotBefore(at) => Route::NotBefore(at),
                Permit::NotYet => Route::NotYet,
            };
        }
        let mut of_model: Vec<EndpointIndex> = (0..self.endpoints.len())
            .filter(|&at| self.endpoints[at].spec.model == model)
            .collect();
        if refused_at.first().is_some_and(|&lane| self.has_another(lane, refused_at)) {
            of_model.retain(|at| !refused_at.contains(at));
        }
        if of_model.len() > 1 {
            of_model
                .sort_by(|&a, &b| self.endpoints[a].load().total_cmp(&self.endpoints[b].load()));
        }
        let mut first: Option<Time> = None;
        for at in of_model {
            match self.endpoints[at].may_send(now) {
                Permit::Now => return Route::Now(at),
                // Its time may come in days, and another place has its turn before.
                Permit::NotBefore(_) if !self.endpoints[at].is_in_use(now) => {}
                Permit::NotBefore(time) => {
                    first = Some(first.map_or(time, |first| first.min(time)))
                }
                Permit::NotYet => {}
            }
        }
        first.map_or(Route::NotYet, Route::NotBefore)
    }

    /// Which place of a model is probed next in an outage: each in its turn, but for those that want
    /// to be left alone.
    pub(crate) fn probe(&mut self, now: Time, model: u16) -> Option<EndpointIndex> {
        let count = self.endpoints.len();
        let next = (1..=count).map(|step| (self.probed + step) % count);
        let lanes = &self.endpoints;
        let may = |at: &EndpointIndex| {
            let lane = &lanes[*at];
            lane.spec.model == model && !lane.is_closed && lane.rate.paused_until(now).is_none()
        };
        self.probed = { next }.find(may)?;
        Some(self.probed)
    }

    /// Tells whether a place of this model may be probed now.
    pub(crate) fn may_probe(&self, now: Time, model: u16) -> bool {
        let mut of_model = self.open_endpoints().filter(|(_, lane)| lane.spec.model == model);
        of_model.any(|(_, lane)| lane.rate.paused_until(now).is_none())
    }

    /// Tells whether no place of the models that still have work answers: each is dead, or has
    /// refused everything for too long.
    pub(crate) fn are_all_open(&self, mut has_work: impl FnMut(u16) -> bool) -> bool {
        let is_out =
            |lane: &EndpointState| lane.is_circuit_open() || lane.rate.refused_throughout();
        self.endpoints.iter().all(|lane| is_out(lane) || !has_work(lane.spec.model))
    }

    /// Returns how long an ask at this place is waited for of which nothing has come: by its own
    /// answers, or where those are too few by those of the other places of its model.
    /// `waits` are those of all such asks, the longest first.
    pub(crate) fn stall_timeout(
        &self,
        lane: EndpointIndex,
        waits: impl Iterator<Item = (EndpointIndex, Duration)> + Clone,
    ) -> Option<Duration> {
        let of = |lane: EndpointIndex| {
            let here = waits.clone().filter(move |(at, _)| *at == lane).map(|(_, wait)| wait);
            self.endpoints[lane].latency.stall_timeout(here)
        };
        let model = self.endpoints[lane].spec.model;
        let others = || self.lanes_of(model).into_iter().filter(|at| *at != lane).filter_map(of);
        of(lane).or_else(|| others().max().map(|elsewhere| elsewhere.max(STALL_TIMEOUT_ELSEWHERE)))
    }

    /// Returns `at`, or when the first place of these models may be asked if that is later; `None`
    /// where there is no such place.
    pub(crate) fn not_paused_any(
        &self,
        now: Time,
        at: Time,
        models: &BTreeSet<u16>,
    ) -> Option<Time> {
        let lanes = self.open_endpoints().filter(|(_, lane)| models.contains(&lane.spec.model));
        lanes.map(|(_, lane)| lane.rate.not_paused(now, at)).min_by_key(|at| at.monotonic_ms)
    }

    /// Tells whether a place refuses asks because they are too many.
    pub(crate) fn are_throttled(&self, now: Time) -> bool {
        self.open_endpoints().any(|(_, lane)| lane.rate.is_throttled(now))
    }

    /// Tells whether a place takes no more in a time than it gets.
    pub(crate) fn are_rate_bound(&self) -> bool {
        self.open_endpoints().any(|(_, lane)| lane.rate.is_rate_bound())
    }

    /// Until when nothing may be sent anywhere, if that is yet to come.
    pub(crate) fn paused_until(&self, now: Time) -> Option<Time> {
        let until = self.open_endpoints().map(|(_, lane)| lane.rate.paused_until(now));
        until.min_by_key(|until| until.map_or(0, |until| until.monotonic_ms)).flatten()
    }

    /// Returns `at`, or the end of the pause if that is later.
    pub(crate) fn not_paused(&self, now: Time, at: Time) -> Time {
        self.paused_until(now).map_or(at, |until| at.max(until))
    }
}
