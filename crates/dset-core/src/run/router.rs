//! The places where models are asked, each with a pace of its own.
//!
//! Where there are several, whichever has room is asked, and one that does not answer any more is
//! left alone while another does: a question that comes to it now and then asks whether it is back.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::rate::latency::Latency;
use crate::rate::{Bounds, Learnt, May, Pace};
use crate::run::ask::AskId;
use crate::time::Time;

/// So many failures in a row, and as many as are on their way, take a place for dead.
const FAILURES_MIN: u32 = 5;
/// When a dead place is tried first, how much longer each further time, and how long at most.
const PROBE_FIRST: Duration = Duration::from_secs(2);
const PROBE_GROWTH: f64 = 1.6;
const PROBE_MAX: Duration = Duration::from_secs(60);

/// A place where a model is asked.
#[derive(Debug, Clone)]
pub struct Place {
    /// Which model, by its place in the settings.
    pub model: u16,
    /// Which of that model's endpoints.
    pub endpoint: u16,
    /// What other runs have found out about it, and how old that is.
    pub learnt: Option<(Learnt, Duration)>,
}

/// Number of a lane, from 0.
pub(crate) type LaneIndex = usize;

/// A place and its pace.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) place: Place,
    pub(crate) pace: Pace,
    /// How long answers take there.
    pub(crate) latency: Latency,
    pub(crate) in_flight: usize,
    /// Failures since the last success.
    failed: u32,
    dead: Option<Dead>,
}

/// A place that does not answer.
#[derive(Debug)]
struct Dead {
    probe_at: Time,
    wait: Duration,
    probe: Option<AskId>,
}

impl Lane {
    /// Takes the sending of an ask.
    pub(crate) fn probing(&mut self, ask: AskId) {
        if let Some(dead) = &mut self.dead {
            dead.probe = Some(ask);
        }
    }

    /// Takes the return of an ask, whatever it brings.
    pub(crate) fn back(&mut self, now: Time, ask: AskId) {
        self.in_flight -= 1;
        if let Some(dead) = self.dead.as_mut().filter(|dead| dead.probe == Some(ask)) {
            dead.probe = None;
            dead.wait = dead.wait.mul_f64(PROBE_GROWTH).min(PROBE_MAX);
            dead.probe_at = now.after(dead.wait);
        }
    }

    /// Takes a failure of a question that had not failed before the last success anywhere; true if
    /// that is the one after which it is taken for dead.
    pub(crate) fn failed(&mut self, slots_max: u32) -> bool {
        self.failed += 1;
        let enough = FAILURES_MIN.min(slots_max).max(1);
        !self.is_dead() && self.failed >= enough && self.failed as usize >= self.in_flight
    }

    pub(crate) fn die(&mut self, now: Time) {
        if self.dead.is_none() {
            let probe_at = now.after(PROBE_FIRST);
            self.dead = Some(Dead { probe_at, wait: PROBE_FIRST, probe: None });
            self.pace.outage_began(now);
        }
    }

    /// Tries a dead place without waiting for its time.
    pub(crate) fn try_now(&mut self, now: Time) {
        if let Some(dead) = &mut self.dead {
            dead.probe_at = now;
        }
    }

    /// Takes any sign that it works; true if it was dead.
    pub(crate) fn lives(&mut self, now: Time) -> bool {
        self.failed = 0;
        let was_dead = self.dead.take().is_some();
        if was_dead {
            self.pace.outage_over(now);
        }
        was_dead
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.is_some()
    }

    fn may_send(&mut self, now: Time) -> May {
        match &self.dead {
            None => self.pace.may_send(now),
            Some(dead) if dead.probe.is_some() => May::NotYet,
            Some(dead) => match self.pace.not_paused(now, dead.probe_at) {
                at if at.has_come(now) => May::Now,
                at => May::NotBefore(at),
            },
        }
    }

    /// How full it is.
    fn load(&self) -> f64 {
        // A dead place comes first when its time has come: it is one ask.
        if self.is_dead() { -1.0 } else { self.in_flight as f64 / self.pace.slots() as f64 }
    }
}

/// Where the next ask of a model may go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Choice {
    Now(LaneIndex),
    NotBefore(Time),
    NotYet,
}

/// All places of a run.
#[derive(Debug)]
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    slots_max: usize,
    /// The lane that was probed last in an outage.
    probed: LaneIndex,
}

impl Lanes {
    pub(crate) fn new(places: &[Place], bounds: Bounds) -> Lanes {
        assert!(!places.is_empty(), "a run asks somewhere");
        let lane = |place: &Place| Lane {
            place: place.clone(),
            pace: Pace::new(bounds),
            latency: Latency::default(),
            in_flight: 0,
            failed: 0,
            dead: None,
        };
        let lanes = places.iter().map(lane).collect();
        Lanes { lanes, slots_max: bounds.slots_max.max(1) as usize, probed: 0 }
    }

    pub(crate) fn at(&mut self, lane: LaneIndex) -> &mut Lane {
        &mut self.lanes[lane]
    }

    pub(crate) fn each(&mut self) -> impl Iterator<Item = &mut Lane> {
        self.lanes.iter_mut()
    }

    /// The numbers of the models that are asked.
    pub(crate) fn models(&self) -> u16 {
        self.lanes.iter().map(|lane| lane.place.model + 1).max().expect("a run asks somewhere")
    }

    /// At how many places a model is asked.
    pub(crate) fn places_of(&self, model: u16) -> usize {
        self.lanes.iter().filter(|lane| lane.place.model == model).count()
    }

    pub(crate) fn count(&self) -> usize {
        self.lanes.len()
    }

    pub(crate) fn are_several(&self) -> bool {
        self.lanes.len() > 1
    }

    /// How many may be asked at once for all that is known.
    pub(crate) fn slots(&self) -> usize {
        let slots: usize = self.lanes.iter().map(|lane| lane.pace.slots()).sum();
        slots.min(self.slots_max)
    }

    /// Where the next ask of a model may go: to the emptiest of its places.
    pub(crate) fn choose(&mut self, now: Time, model: u16) -> Choice {
        if let [only] = &mut self.lanes[..] {
            return match only.may_send(now) {
                May::Now => Choice::Now(0),
                May::NotBefore(at) => Choice::NotBefore(at),
                May::NotYet => Choice::NotYet,
            };
        }
        let mut of_model: Vec<LaneIndex> =
            (0..self.lanes.len()).filter(|&at| self.lanes[at].place.model == model).collect();
        if of_model.len() > 1 {
            of_model.sort_by(|&a, &b| self.lanes[a].load().total_cmp(&self.lanes[b].load()));
        }
        let mut first: Option<Time> = None;
        for at in of_model {
            match self.lanes[at].may_send(now) {
                May::Now => return Choice::Now(at),
                May::NotBefore(time) => first = Some(first.map_or(time, |first| first.min(time))),
                May::NotYet => {}
            }
        }
        first.map_or(Choice::NotYet, Choice::NotBefore)
    }

    /// Which place of a model is probed next in an outage: each in its turn, but for those that want
    /// to be left alone.
    pub(crate) fn probe(&mut self, now: Time, model: u16) -> Option<LaneIndex> {
        let count = self.lanes.len();
        let next = (1..=count).map(|step| (self.probed + step) % count);
        let lanes = &self.lanes;
        let may = |at: &LaneIndex| {
            let lane = &lanes[*at];
            lane.place.model == model && lane.pace.paused_until(now).is_none()
        };
        self.probed = { next }.find(may)?;
        Some(self.probed)
    }

    /// Tells whether a place of this model may be probed now.
    pub(crate) fn may_probe(&self, now: Time, model: u16) -> bool {
        let of_model = self.lanes.iter().filter(|lane| lane.place.model == model);
        { of_model }.any(|lane| lane.pace.paused_until(now).is_none())
    }

    /// Tells whether no place of the models that still have work answers: each is dead, or has
    /// refused everything for too long.
    pub(crate) fn are_out(&self, mut has_work: impl FnMut(u16) -> bool) -> bool {
        let is_out = |lane: &Lane| lane.is_dead() || lane.pace.refused_throughout();
        self.lanes.iter().all(|lane| is_out(lane) || !has_work(lane.place.model))
    }

    /// Returns how long an ask at this place is waited for of which nothing has come.
    pub(crate) fn hung_after(&self, lane: LaneIndex) -> Option<Duration> {
        self.lanes[lane].latency.hung_after()
    }

    /// Returns `at`, or when the first place of these models may be asked if that is later; `None`
    /// where there is no such place.
    pub(crate) fn not_paused_any(
        &self,
        now: Time,
        at: Time,
        models: &BTreeSet<u16>,
    ) -> Option<Time> {
        let lanes = self.lanes.iter().filter(|lane| models.contains(&lane.place.model));
        lanes.map(|lane| lane.pace.not_paused(now, at)).min_by_key(|at| at.monotonic_ms)
    }

    /// Tells whether a place refuses asks because they are too many.
    pub(crate) fn are_throttled(&self, now: Time) -> bool {
        self.lanes.iter().any(|lane| lane.pace.is_throttled(now))
    }

    /// Tells whether a place takes no more in a time than it gets.
    pub(crate) fn are_rate_bound(&self) -> bool {
        self.lanes.iter().any(|lane| lane.pace.is_rate_bound())
    }

    /// Until when nothing may be sent anywhere, if that is yet to come.
    pub(crate) fn paused_until(&self, now: Time) -> Option<Time> {
        let until = self.lanes.iter().map(|lane| lane.pace.paused_until(now));
        until.min_by_key(|until| until.map_or(0, |until| until.monotonic_ms)).flatten()
    }

    /// Returns `at`, or the end of the pause if that is later.
    pub(crate) fn not_paused(&self, now: Time, at: Time) -> Time {
        self.paused_until(now).map_or(at, |until| at.max(until))
    }
}
