//! Tells an outage from a hiccup, and keeps its schedule.
//!
//! A failure is a hiccup while other questions succeed. It is an outage once the transient failures
//! since the last success number at least 5, or as many as may be asked at once if those are fewer,
//! and at least as many as the asks in flight: errors are fast and answers slow, so with many at
//! once several fail before the first succeeds. With one at a time the first failure already is
//! one, and the waits are the original's 1, 2 and 4 minutes.
//!
//! An answer to an ask that was sent before the failures began does not show that the service is there:
//! what a server had taken before it went away may still be answered. So it is an outage, too, once that
//! many different questions have failed since the last ask was sent that was answered.
//!
//! Once the retries have failed, one question that was not tried yet is asked. If it is answered,
//! the service works, and what failed is the fault of the questions that did.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::item::question::QuestionIndex;
use crate::planted::{PlantedBug, planted};
use crate::run::ask::AskId;
use crate::time::Time;

/// Consecutive failures that are an outage, whatever the width.
const FAILURES_MIN: u32 = 5;

/// Counts the failures since the service last answered.
#[derive(Debug, Clone, Default)]
pub struct FailureStreak {
    answers: AnswerCounts,
    failed: u32,
    unrefuted: Unrefuted,
}

/// How often the service has answered; a question remembers it with its first failure.
#[derive(Debug, Clone, Copy, Default)]
pub struct AnswerCounts {
    /// To whatever was asked.
    pub all: u64,
    /// In such a way that it was a sign of life.
    signs_of_life: u64,
}

/// The failures since the last sign of life, which is an answer to an ask that was sent after the
/// first of them.
#[derive(Debug, Clone, Default)]
pub struct Unrefuted {
    since: Option<Time>,
    questions: BTreeSet<QuestionIndex>,
}

impl Unrefuted {
    /// Takes the answer to an ask; true if it is a sign of life.
    pub fn answered(&mut self, sent_at: Time) -> bool {
        let is_alive = self.since.is_none_or(|since| since.has_come(sent_at));
        if is_alive {
            *self = Unrefuted::default();
        }
        is_alive
    }

    /// What was sent before now is no sign of life from now on.
    pub fn begin(&mut self, now: Time) {
        self.since.get_or_insert(now);
    }

    /// Takes a failure, of a question that counts; returns how many different ones have failed.
    pub fn failed(&mut self, now: Time, question: Option<QuestionIndex>) -> usize {
        self.begin(now);
        self.questions.extend(question);
        self.questions.len()
    }
}

impl FailureStreak {
    /// Returns how often the service has answered.
    #[must_use]
    pub fn answers(&self) -> AnswerCounts {
        self.answers
    }

    /// Returns true if no answer has come since a question first failed.
    #[must_use]
    pub fn is_new(&self, first_failed_at: AnswerCounts) -> bool {
        first_failed_at.all == self.answers.all
    }

    /// Returns true if there was no sign of life since a question first failed.
    #[must_use]
    pub(crate) fn is_unrefuted(&self, first_failed_at: AnswerCounts) -> bool {
        first_failed_at.signs_of_life == self.answers.signs_of_life
    }

    /// Takes an answer, or another word of the service about a question; true if it shows that the
    /// service is there.
    pub fn answered(&mut self, sent_at: Time) -> bool {
        self.answers.all += 1;
        self.failed = 0;
        let is_alive = self.unrefuted.answered(sent_at);
        self.answers.signs_of_life += u64::from(is_alive);
        is_alive
    }

    /// Takes a transient failure of a question that first failed when `first_failed_at` answers
    /// had come; returns true if the service is out.
    ///
    /// A question that had already failed before the last answer counts once, and one that had before the
    /// last sign of life not at all: a few poisonous ones at the end of a run are no outage.
    pub fn failed(
        &mut self,
        now: Time,
        question: QuestionIndex,
        first_failed_at: AnswerCounts,
        in_flight: usize,
        slots_max: u32,
    ) -> bool {
        self.failed += u32::from(self.is_new(first_failed_at));
        let is_unrefuted = self.is_unrefuted(first_failed_at);
        let unrefuted = self.unrefuted.failed(now, is_unrefuted.then_some(question));
        are_outage(unrefuted.max(self.failed as usize), in_flight, slots_max)
    }
}

/// Tells whether so many failures are an outage.
pub(crate) fn are_outage(failures: usize, in_flight: usize, slots_max: u32) -> bool {
    let enough = FAILURES_MIN.min(slots_max).max(1) as usize;
    failures >= enough && failures >= in_flight
}

/// The waits of an outage: `retries` of them, the last repeated where the list is shorter.
#[derive(Debug, Clone)]
pub struct OutageBackoff {
    /// How many retries there are.
    pub retries: u32,
    /// The wait before each; empty means none.
    pub waits: Vec<Duration>,
}

impl OutageBackoff {
    fn wait(&self, retry: u32) -> Option<Duration> {
        let at = (retry as usize).min(self.waits.len().saturating_sub(1));
        (retry < self.retries).then(|| self.waits.get(at).copied().unwrap_or(Duration::ZERO))
    }
}

/// When the first light probe goes, and how much longer each further one waits: a hiccup of
/// seconds is over in seconds, and a service that is down hears six of them in a minute.
const LIGHT_FIRST: Duration = Duration::from_secs(2);
const LIGHT_GROWTH: f64 = 1.6;
/// The first retry comes before it does; a client that tries only now can go on for ever.
const LIGHT_MAX: Duration = Duration::from_secs(60);

/// An outage: everything waits but one probing question.
///
/// The schedule's retries alone count towards giving up. Before the first of them the service is
/// probed lightly where more than one question may be asked at a time.
#[derive(Debug, Clone)]
pub struct Outage {
    /// When the first failure of it came.
    pub since: Time,
    /// Retries begun in this outage, from 0.
    pub retries: u32,
    /// When the next begins; absent while one is in flight, and after the last.
    pub retry_at: Option<Time>,
    /// The question that was probed last, or whose failure began it.
    pub question: QuestionIndex,
    /// Whether that question was probed, or only failed.
    pub probed: bool,
    /// The retry in flight.
    retry: Option<AskId>,
    /// The light probe in flight.
    light: Option<AskId>,
    /// When the next light probe goes, and how long after it the one after that.
    light_at: Option<Time>,
    light_wait: Duration,
    /// One light probe follows the other.
    lightly: bool,
    /// The question whose failure began it.
    began_with: QuestionIndex,
    /// Every question that was probed.
    tried: BTreeSet<QuestionIndex>,
    /// The question that is asked once the retries have failed.
    another: Option<CrossCheck>,
    /// The service is there, and refuses everything.
    pub is_of_refusals: bool,
}

/// A question that tells, after the last retry, whether the service answers others.
#[derive(Debug, Clone)]
struct CrossCheck {
    question: QuestionIndex,
    /// When it is asked; absent while it is in flight, and at the end.
    at: Option<Time>,
    /// Its ask in flight.
    ask: Option<AskId>,
    /// How many endpoints it may still be asked at.
    places: usize,
}

/// What an ask in an outage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// One that costs nothing if it fails.
    Light,
    /// One of the schedule.
    Retry,
    /// Another question, after the schedule.
    Another,
}

impl Outage {
    /// Begins one; the first retry follows after the first wait, if any is allowed, and light
    /// probes before it where they are wanted.
    #[must_use]
    pub fn begin(
        now: Time,
        question: QuestionIndex,
        backoff: &OutageBackoff,
        lightly: bool,
    ) -> Outage {
        let retry_at = backoff.wait(0).map(|wait| now.after(wait));
        Outage {
            since: now,
            retries: 0,
            retry_at,
            question,
            probed: false,
            retry: None,
            light: None,
            light_at: (lightly && retry_at.is_some()).then(|| now.after(LIGHT_FIRST)),
            light_wait: LIGHT_FIRST,
            lightly: lightly && retry_at.is_some(),
            began_with: question,
            tried: BTreeSet::new(),
            another: None,
            is_of_refusals: false,
        }
    }

    /// Returns the question whose failure began it.
    #[must_use]
    pub fn first_question(&self) -> QuestionIndex {
        self.began_with
    }

    /// Returns true if this question has failed in it, or begun it.
    #[must_use]
    pub fn has_tried(&self, question: QuestionIndex) -> bool {
        question == self.began_with || self.tried.contains(&question)
    }

    /// Returns the question that is asked after the last retry, once it is chosen.
    #[must_use]
    pub(crate) fn cross_check(&self) -> Option<QuestionIndex> {
        self.another.as_ref().map(|another| another.question)
    }

    /// Returns true if this is an ask of that question.
    #[must_use]
    pub(crate) fn is_cross_check(&self, ask: AskId) -> bool {
        self.another.as_ref().is_some_and(|another| another.ask == Some(ask))
    }

    /// Probes with this question too, at `places` endpoints one after the other, before the service
    /// is given up.
    pub(crate) fn begin_cross_check(&mut self, now: Time, question: QuestionIndex, places: usize) {
        self.another = Some(CrossCheck { question, at: Some(now), ask: None, places });
    }

    /// Returns what is to be sent next, and when.
    #[must_use]
    pub fn next(&self) -> Option<(Time, Probe)> {
        let light = self.light_at.filter(|_| self.light.is_none());
        let light = light.map(|at| (at, Probe::Light));
        let retry = self.retry_at.map(|at| (at, Probe::Retry));
        let another = self.another.as_ref().and_then(|another| another.at);
        let another = another.map(|at| (at, Probe::Another));
        // The retry goes first where both are due.
        [retry, light, another].into_iter().flatten().min_by_key(|(at, _)| at.monotonic_ms)
    }

    /// Takes the sending of a probe.
    pub(crate) fn on_probe_sent(&mut self, ask: AskId, question: QuestionIndex, probe: Probe) {
        (self.question, self.probed) = (question, true);
        self.tried.insert(question);
        match probe {
            Probe::Light => {
                self.light = Some(ask);
                self.light_at = None;
            }
            Probe::Retry => {
                self.retries += 1;
                self.retry_at = None;
                self.retry = Some(ask);
                self.light_at = None;
                self.lightly = false;
            }
            Probe::Another => {
                let another = self.another.as_mut().expect("another question was chosen");
                (another.at, another.ask) = (None, Some(ask));
                another.places -= 1;
            }
        }
    }

    /// Probes lightly at once, unless a probe is in flight.
    pub(crate) fn probe_now(&mut self, now: Time) {
        if !self.is_probing() && self.retry_at.is_some() {
            self.light_at = Some(now);
        }
    }

    /// Returns true if a probe is in flight.
    #[must_use]
    pub fn is_probing(&self) -> bool {
        let another = self.another.as_ref();
        let is_on_its_way = another.is_some_and(|another| another.ask.is_some());
        self.light.is_some() || self.retry.is_some() || is_on_its_way
    }

    /// Takes the failure of an ask; true if it was the retry in flight. Another follows after the
    /// next wait, if there is one.
    pub fn failed(&mut self, now: Time, ask: AskId, backoff: &OutageBackoff) -> bool {
        if self.light == Some(ask) {
            self.light = None;
            let growth = if planted(PlantedBug::ProbesUnpaced) { 0.5 } else { LIGHT_GROWTH };
            self.light_wait = self.light_wait.mul_f64(growth).min(LIGHT_MAX);
            self.light_at = self.lightly.then(|| now.after(self.light_wait));
        }
        if let Some(another) = self.another.as_mut().filter(|a| a.ask == Some(ask)) {
            another.ask = None;
            another.at = (another.places > 0).then_some(now);
        }
        let is_retry = self.retry == Some(ask);
        if is_retry {
            self.retry = None;
            self.retry_at = backoff.wait(self.retries).map(|wait| now.after(wait));
        }
        is_retry
    }

    /// Returns true if every retry has failed, and other questions so far.
    #[must_use]
    pub fn is_final(&self) -> bool {
        let is_asked = |another: &CrossCheck| another.at.is_some() || another.ask.is_some();
        let waits_for_another = self.another.as_ref().is_some_and(is_asked);
        self.retry.is_none() && self.retry_at.is_none() && !waits_for_another
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(monotonic_ms: u64) -> Time {
        Time { monotonic_ms, unix_ms: 0 }
    }

    #[test]
    fn with_one_at_a_time_the_first_failure_is_an_outage() {
        assert!(FailureStreak::default().failed(at(0), 0, AnswerCounts::default(), 0, 1));
    }

    #[test]
    fn with_many_at_once_as_many_must_fail_as_are_on_their_way() {
        let mut failures = FailureStreak::default();
        let failed =
            |i: u32| failures.failed(at(0), i, AnswerCounts::default(), 11 - i as usize, 500);
        let verdicts: Vec<bool> = (0..8).map(failed).collect();
        assert_eq!(verdicts, [false, false, false, false, false, true, true, true]);
    }

    #[test]
    fn a_question_that_failed_before_the_last_answer_does_not_count() {
        let mut failures = FailureStreak::default();
        failures.answered(at(0));
        assert!((0..20).all(|i| !failures.failed(at(0), i, AnswerCounts::default(), 0, 8)));
    }

    #[test]
    fn answers_to_asks_of_before_the_failures_do_not_show_that_the_service_is_there() {
        for (sent_ms, is_alive) in [(0, false), (999, false), (1_001, true)] {
            let mut failures = FailureStreak::default();
            let before = failures.answers();
            let early = (0..4).any(|i| failures.failed(at(1_000), i, before, 20, 64));
            assert_eq!((early, failures.answered(at(sent_ms))), (false, is_alive));
            // The four had failed before that answer, and the fifth had not.
            assert!(!(0..4).any(|i| failures.failed(at(2_000), i, before, 0, 64)));
            assert_eq!(failures.failed(at(3_000), 4, failures.answers(), 0, 64), !is_alive);
        }
    }

    #[test]
    fn a_list_shorter_than_the_retries_repeats_its_last_wait() {
        let minutes = |m: u64| Duration::from_secs(60 * m);
        let backoff = OutageBackoff { retries: 4, waits: vec![minutes(1), minutes(2)] };
        let waits: Vec<_> = (0..5).map(|retry| backoff.wait(retry)).collect();
        assert_eq!(
            waits,
            [Some(minutes(1)), Some(minutes(2)), Some(minutes(2)), Some(minutes(2)), None]
        );
    }
}
