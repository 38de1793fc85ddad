//! When the service may be asked, by the simulator's own reckoning: how many at once, not before
//! when, and what a failing service is owed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dset_core::answer::FailureClass;
use dset_core::item::question::QuestionIndex;
use dset_core::rate::retry::{RETRY_AFTER_MAX, THROTTLES_MAX, TRANSIENT_RETRIES_MAX};
use dset_core::run::Notice;
use dset_core::run::ask::{Ask, AskId};

/// The waits of an outage.
pub(crate) const WAITS_MS: [u64; 3] = [60_000, 120_000, 240_000];
/// Consecutive failures that are an outage, whatever the width.
const FAILURES_MIN: u32 = 5;
/// Nothing but refusals for this time is an outage, and not before.
const REFUSALS_ONLY_MS: u64 = 5 * 60_000;
/// How long a limit that the service advertised is believed.
const NAMED_MS: u64 = 10_000;
/// The first light probe of an outage, and how much longer each further one waits, in tenths.
const LIGHT_FIRST_MS: u64 = 2_000;
const LIGHT_GROWTH_TENTHS: u64 = 16;

/// Where an outage stands, as the observer was notified.
struct Outage {
    retries: u32,
    next_at_ms: Option<u64>,
    /// Retries that were announced and are not asked yet.
    probes: u32,
    /// The light probe in flight, when the next may go, and how long the one after that waits.
    light: Option<AskId>,
    light_at_ms: u64,
    light_wait_ms: u64,
    /// The question whose failure began it, and those that were asked in it.
    began_with: Option<QuestionIndex>,
    tried: BTreeSet<QuestionIndex>,
    /// The question that is asked after the last retry with its model, how often that was announced, and its ask.
    another: Option<(QuestionIndex, u16)>,
    another_tries: u32,
    another_ask: Option<AskId>,
    /// The service is there, and refuses everything.
    is_of_refusals: bool,
}

/// What must follow from a failure.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) begins_outage: bool,
    /// An outage may begin, and need not.
    pub(crate) may_begin_outage: bool,
    pub(crate) gives_up: bool,
}

pub(crate) struct ServiceChecker {
    /// How many at once, at most; with one an outage is not probed lightly.
    width: u32,
    /// Models are asked at several endpoints: one that does not answer is left alone while another
    /// does, so that what is an outage is seen from each endpoint's own failures, and less of it is
    /// reckoned here.
    several: bool,
    /// Since when each endpoint has done nothing but refuse.
    refused_since: BTreeMap<(u16, u16), u64>,
    /// The concurrency that the service advertised, and when.
    named: Option<(u32, u64)>,
    /// Nothing is sent to an endpoint before this moment, because the service asked for it.
    not_before: BTreeMap<(u16, u16), u64>,
    /// The same of single questions.
    not_before_of: BTreeMap<QuestionIndex, u64>,
    /// How often the service has answered, and how often to an ask that was sent after it began to fail.
    works: u64,
    lives: u64,
    /// Consecutive failures since the last answer.
    failed: u32,
    /// Since when it has failed without such an answer, with which questions; the same of each place.
    failing_since: Option<u64>,
    failing: BTreeSet<QuestionIndex>,
    failing_at: BTreeMap<(u16, u16), u64>,
    first_failed: BTreeMap<QuestionIndex, (u64, u64)>,
    /// Failures that count towards giving up.
    failures: BTreeMap<QuestionIndex, u32>,
    throttles: BTreeMap<QuestionIndex, u32>,
    outage: Option<Outage>,
    /// The number of endpoints at which each model is asked.
    endpoints: u32,
    /// Places that are left alone while another answers, how often each has refused since its last answer
    /// (absent before the first), and which have refused a question.
    left_alone: BTreeSet<(u16, u16)>,
    /// Those that can answer nothing in this life.
    closed: BTreeSet<(u16, u16)>,
    refusals: BTreeMap<(u16, u16), u32>,
    refused_by: BTreeMap<QuestionIndex, BTreeSet<u16>>,
    /// The question that failed last.
    failed_last: Option<QuestionIndex>,
    /// Questions that failed throughout an outage while the service answered another after it.
    alone: BTreeSet<QuestionIndex>,
}

impl ServiceChecker {
    pub(crate) fn new(width: u32, several: bool, endpoints: u32) -> ServiceChecker {
        ServiceChecker {
            width: width.max(1),
            several,
            endpoints: endpoints.max(1),
            failed_last: None,
            left_alone: BTreeSet::new(),
            closed: BTreeSet::new(),
            refusals: BTreeMap::new(),
            refused_by: BTreeMap::new(),
            alone: BTreeSet::new(),
            refused_since: BTreeMap::new(),
            named: None,
            not_before: BTreeMap::new(),
            not_before_of: BTreeMap::new(),
            works: 0,
            lives: 0,
            failed: 0,
            failing_since: None,
            failing: BTreeSet::new(),
            failing_at: BTreeMap::new(),
            first_failed: BTreeMap::new(),
            failures: BTreeMap::new(),
            throttles: BTreeMap::new(),
            outage: None,
        }
    }

    pub(crate) fn is_out(&self) -> bool {
        self.outage.is_some()
    }

    /// Returns true if the service is there, and refuses everything.
    pub(crate) fn refuses_all(&self) -> bool {
        self.outage.as_ref().is_some_and(|outage| outage.is_of_refusals)
    }

    /// Takes an answer of an endpoint: ends an outage.
    pub(crate) fn answered(&mut self, place: (u16, u16), sent_ms: u64) {
        self.refused_since.remove(&place);
        self.refusals.insert(place, 0);
        self.works_at(place, sent_ms);
    }

    /// The question whose own fault an outage was, where this ask is answered: with one at a time
    /// all the retries were its own.
    pub(crate) fn clears_service(&self, ask: AskId) -> Option<QuestionIndex> {
        let outage = self.outage.as_ref().filter(|o| o.another_ask == Some(ask))?;
        outage.began_with.filter(|_| self.width == 1 && !outage.is_of_refusals)
    }

    /// Takes that a question, and not the service, was at fault.
    pub(crate) fn failed_alone(&mut self, index: QuestionIndex) {
        self.alone.insert(index);
    }

    /// Takes a reply that is about its question: the service is there, if it was asked after it began to
    /// fail.
    pub(crate) fn works_at(&mut self, place: (u16, u16), sent_ms: u64) {
        if self.failing_at.get(&place).is_none_or(|since| sent_ms >= *since) {
            self.failing_at.remove(&place);
            self.left_alone.remove(&place);
        }
        self.works += 1;
        self.failed = 0;
        if self.failing_since.is_none_or(|since| sent_ms >= since) {
            self.lives += 1;
            self.failing_since = None;
            self.failing.clear();
        }
    }

    /// Takes a refusal in an outage of refusals.
    pub(crate) fn refused_again(&mut self, index: QuestionIndex) {
        self.failed_last = Some(index);
        self.first_failed.entry(index).or_insert((self.works, self.lives));
    }

    /// Takes that it is open whether the service refuses everything, with the first that it refused.
    pub(crate) fn is_doubted(&mut self, first: QuestionIndex) {
        self.failed_last = Some(first);
    }

    /// Takes that a place refused a question; true if another is to be asked before that counts.
    pub(crate) fn asks_elsewhere(
        &mut self,
        now_ms: u64,
        index: QuestionIndex,
        place: (u16, u16),
    ) -> bool {
        if !self.several || self.is_out() {
            return false;
        }
        let is_doubted = match self.refusals.get_mut(&place) {
            Some(refusals) => {
                *refusals += 1;
                *refusals > FAILURES_MIN
            }
            None => true,
        };
        self.refused_by.entry(index).or_default().insert(place.1);
        let by = &self.refused_by[&index];
        let mut others = (0..self.endpoints as u16).filter(|endpoint| !by.contains(endpoint));
        let is_asked = is_doubted && others.any(|other| !self.is_left_alone((place.0, other)));
        if is_asked {
            self.failing_at.entry(place).or_insert(now_ms);
        }
        is_asked
    }

    fn is_left_alone(&self, place: (u16, u16)) -> bool {
        self.left_alone.contains(&place) || self.closed.contains(&place)
    }

    /// Takes that a place can answer nothing before a wait is over, or in this life; true if another of
    /// its model is left for the run to go on with.
    pub(crate) fn goes_on_without(
        &mut self,
        now_ms: u64,
        place: (u16, u16),
        wait: Option<Duration>,
    ) -> bool {
        let most_ms = RETRY_AFTER_MAX.as_millis() as u64;
        if let Some(wait) = wait {
            let not_before = self.not_before.entry(place).or_default();
            *not_before = (*not_before).max(now_ms + wait.as_millis() as u64);
        }
        let is_left = (0..self.endpoints as u16).any(|endpoint| {
            let other = (place.0, endpoint);
            let not_before = self.not_before.get(&other).copied().unwrap_or(0);
            other != place && !self.closed.contains(&other) && not_before <= now_ms + most_ms
        });
        if is_left && wait.is_none() {
            self.closed.insert(place);
        }
        is_left
    }

    /// Takes that an ask failed or was refused; in an outage it may have been the light probe.
    pub(crate) fn came_back(&mut self, now_ms: u64, ask: AskId) {
        let Some(outage) = self.outage.as_mut().filter(|o| o.light == Some(ask)) else { return };
        outage.light = None;
        outage.light_wait_ms = outage.light_wait_ms * LIGHT_GROWTH_TENTHS / 10;
        outage.light_at_ms = now_ms + outage.light_wait_ms;
    }

    /// Takes a failure that may well work next time, with `others` other asks in flight.
    pub(crate) fn failed(
        &mut self,
        now_ms: u64,
        index: QuestionIndex,
        place: (u16, u16),
        others: usize,
    ) -> Verdict {
        self.failed_last = Some(index);
        let (works, lives) = *self.first_failed.entry(index).or_insert((self.works, self.lives));
        if self.is_out() {
            return Verdict::default();
        }
        self.failing_since.get_or_insert(now_ms);
        self.failing_at.entry(place).or_insert(now_ms);
        if self.several {
            *self.failures.entry(index).or_default() += 1;
            return Verdict { may_begin_outage: true, ..Verdict::default() };
        }
        self.failed += u32::from(works == self.works);
        self.failing.extend((lives == self.lives).then_some(index));
        let enough = FAILURES_MIN.min(self.width) as usize;
        if self.failing.len().max(self.failed as usize) >= enough.max(others) {
            return Verdict { begins_outage: true, ..Verdict::default() };
        }
        let failures = self.failures.entry(index).or_default();
        *failures += 1;
        let wait_ms = (1_000 << (*failures - 1)).min(60_000) * 8 / 10;
        self.not_before_of.insert(index, now_ms + wait_ms);
        Verdict { gives_up: *failures > TRANSIENT_RETRIES_MAX, ..Verdict::default() }
    }

    /// Takes a refusal (429) of an endpoint.
    pub(crate) fn throttled(
        &mut self,
        now_ms: u64,
        index: QuestionIndex,
        place: (u16, u16),
        wait: Option<Duration>,
        named: Option<u32>,
    ) -> Verdict {
        self.failed_last = Some(index);
        if self.is_out() {
            self.first_failed.entry(index).or_insert((self.works, self.lives));
        }
        let wait_ms = wait.map_or(0, |wait| wait.as_millis() as u64);
        let not_before = self.not_before.entry(place).or_default();
        *not_before = (*not_before).max(now_ms + wait_ms);
        self.named =
            named.filter(|_| !self.several).map(|named| (named.max(1), now_ms)).or(self.named);
        *self.throttles.entry(index).or_default() += 1;
        let since = *self.refused_since.entry(place).or_insert(now_ms);
        let may_begin_outage = !self.is_out() && now_ms - since >= REFUSALS_ONLY_MS;
        Verdict { may_begin_outage, ..Verdict::default() }
    }

    pub(crate) fn has_given_up(&self, index: QuestionIndex) -> bool {
        let is_more =
            |counts: &BTreeMap<_, u32>, most| counts.get(&index).is_some_and(|count| *count > most);
        self.alone.contains(&index)
            || is_more(&self.failures, TRANSIENT_RETRIES_MAX)
            || is_more(&self.throttles, THROTTLES_MAX)
    }

    /// Checks an ask, with which `in_flight` are in flight.
    pub(crate) fn ask(&mut self, now_ms: u64, ask: &Ask, in_flight: usize) {
        let place = (ask.model, ask.endpoint);
        assert!(
            !self.closed.contains(&place),
            "a place that can answer nothing is not asked again"
        );
        let not_before = self.not_before.get(&place).copied().unwrap_or(0);
        assert!(now_ms >= not_before, "a wait that the service asks for is kept in full");
        let own = self.not_before_of.remove(&ask.question.index).unwrap_or(0);
        let Some(outage) = &mut self.outage else {
            let named = self.named.filter(|(_, at)| now_ms < at + NAMED_MS);
            assert!(
                named.is_none_or(|(named, _)| in_flight <= named as usize),
                "no more at once than the service has just named"
            );
            assert!(now_ms >= own, "a question that failed waits before it is asked again");
            return;
        };
        let index = ask.question.index;
        if let Some((announced, _)) = outage.another {
            assert_eq!(announced, index, "the question that was announced is asked");
            outage.another_ask = Some(ask.id);
        }
        outage.tried.insert(index);
        if outage.probes > 0 {
            outage.probes -= 1;
            return;
        }
        let is_light = self.width > 1 && outage.retries == 0 && outage.light.is_none();
        assert!(is_light, "in an outage only the probe is asked");
        assert!(now_ms >= outage.light_at_ms, "no light probe before its time");
        outage.light = Some(ask.id);
    }

    /// Takes a notice to the observer; true where the service is given up.
    pub(crate) fn notice(&mut self, now_ms: u64, notice: &Notice) -> bool {
        match notice {
            Notice::OutageBegan { failure, wait } => {
                assert!(self.outage.is_none(), "an outage begins once");
                let models = 0..=u16::from(self.several);
                let endpoints = self.endpoints as u16;
                self.left_alone = models
                    .flat_map(|model| (0..endpoints).map(move |endpoint| (model, endpoint)))
                    .collect();
                for &place in &self.left_alone {
                    self.failing_at.entry(place).or_insert(now_ms);
                }
                self.outage = Some(Outage {
                    retries: 0,
                    next_at_ms: None,
                    probes: 0,
                    light: None,
                    light_at_ms: now_ms + LIGHT_FIRST_MS,
                    light_wait_ms: LIGHT_FIRST_MS,
                    began_with: self.failed_last,
                    tried: self.failed_last.into_iter().collect(),
                    another: None,
                    another_tries: 0,
                    another_ask: None,
                    is_of_refusals: is_refusal(failure.class),
                });
                self.waits(now_ms, wait.expect("there are retries"));
            }
            Notice::EndpointDown { model, endpoint, .. } => {
                self.left_alone.insert((*model, *endpoint));
                self.failing_at.entry((*model, *endpoint)).or_insert(now_ms);
            }
            Notice::OutageRetry { retry, .. } => {
                let outage = self.outage.as_mut().expect("a retry in an outage");
                outage.retries += 1;
                assert_eq!(outage.retries, *retry, "retries are counted");
                let at = outage.next_at_ms.take().expect("a retry has its time");
                assert!(now_ms >= at, "no retry of an outage before its time");
                outage.probes += 1;
            }
            Notice::OutageContinues { wait, .. } => self.waits(now_ms, *wait),
            Notice::OutageCrossCheck { question } => {
                assert!(self.is_final(), "another question is tried after every retry");
                let outage = self.outage.as_mut().expect("another question in an outage");
                let is_new = outage.another.is_none() && !outage.tried.contains(&question.index);
                let is_same = outage.another == Some((question.index, question.model));
                assert!(is_new || is_same, "one other question is tried");
                outage.another = Some((question.index, question.model));
                outage.another_tries += 1;
                assert!(outage.another_tries <= self.endpoints, "once at each place");
                outage.probes += 1;
            }
            Notice::OutageExhausted { .. } => {
                assert!(self.is_final(), "the service is given up after every retry");
                self.outage = None;
                return true;
            }
            Notice::OutageEnded { .. } => {
                assert_eq!(self.failed, 0, "an outage is over when the service answers");
                let is_there = self.failing_since.is_none();
                assert!(
                    is_there,
                    "an outage is over when what was sent after it began is answered"
                );
                assert!(self.outage.take().is_some(), "an outage is over once");
            }
            _ => {}
        }
        false
    }

    /// Returns true if every retry of an outage has been begun and none is to come.
    pub(crate) fn is_final(&self) -> bool {
        let last = |outage: &Outage| {
            outage.retries as usize == WAITS_MS.len() && outage.next_at_ms.is_none()
        };
        self.outage.as_ref().is_some_and(last)
    }

    /// Returns true if another question was tried after every retry at every place that is not closed; absent
    /// where none was tried.
    pub(crate) fn has_tried_another(&self) -> Option<bool> {
        let outage = self.outage.as_ref()?;
        let (_, model) = outage.another?;
        let closed = self.closed.iter().filter(|(of, _)| *of == model).count() as u32;
        Some(outage.another_tries + closed >= self.endpoints)
    }

    /// Returns true if a question was asked in an outage, or began it.
    pub(crate) fn has_tried(&self, index: QuestionIndex) -> bool {
        self.outage.as_ref().is_some_and(|outage| outage.tried.contains(&index))
    }

    /// An outage waits for 1, 2 and 4 minutes, and longer where the service asks for that.
    fn waits(&mut self, now_ms: u64, wait: Duration) {
        let ms = wait.as_millis() as u64;
        let first = self.not_before.values().min().filter(|_| !self.several);
        let asked_for = first.map_or(0, |first| first.saturating_sub(now_ms));
        let outage = self.outage.as_mut().expect("a wait of an outage");
        let usual = WAITS_MS[outage.retries as usize];
        assert!(ms == usual || ms > usual && ms >= asked_for, "the waits are 1, 2 and 4 minutes");
        outage.next_at_ms = Some(now_ms + ms);
    }
}

/// A service says so that is there.
pub(crate) fn is_refusal(class: FailureClass) -> bool {
    matches!(class, FailureClass::Forbidden | FailureClass::Refused(_))
}
