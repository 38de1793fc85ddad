//! What a refusal changes: the limit, a closure with probes, or the rate.

use std::time::Duration;

use super::{Ms, RateController, Ticket, ms};
use crate::planted::{PlantedBug, planted};
use crate::rate::concurrency_limit::{KEPT_IN_STREAK, Mode};
use crate::rate::random_rejection::{RateState, RejectionCause};
use crate::rate::request_rate::Reopening;
use crate::time::Time;

/// The first gap between probes, in terms of the mean latency.
const GAP_OF_LATENCY: f64 = 0.25;
const GAP_FIRST_MS: std::ops::RangeInclusive<f64> = 50.0..=250.0;
/// Where a rate is paced, three refusals in a row say that it is far off.
const GAP_OF_LATENCY_PACED: f64 = 0.5;
const GAP_FIRST_PACED_MS: std::ops::RangeInclusive<f64> = 100.0..=500.0;
/// The longest gap between probes: 30 s would lose 4 % at fixed windows, 2 s gains nothing.
const GAP_MAX_MS: f64 = 8_000.0;
/// The pause after a refusal where the rate is paced.
const PACED_PAUSE_MS: f64 = 250.0;
/// Consecutive refusals that close the gate where the rate is paced.
const PACED_STREAK: u32 = 3;
/// Refused with no more in flight than this share of what it was: certainly no limit on width.
const DRAINED: f64 = 0.05;
/// The advertised width counts as the reason of a refusal from this share of it on.
const NAMED_FILLED: f64 = 0.97;
/// Refused at less than this share of what is allowed: another client draws on the limit. One below
/// is only a race.
const BELOW_NAMED: f64 = 0.98;
const BELOW_FOUND: f64 = 0.99;
/// With fewer in flight shares are too coarse to tell.
const SHARED_MIN: f64 = 8.0;
/// The first width of a paced rate, in terms of the number in flight when refusals began and of
/// what the rate needs by Little's law.
const PACED_WIDTH_OF_IN_FLIGHT: f64 = 2.0;
const PACED_WIDTH_OF_RATE: f64 = 2.5;
/// The largest trial; more at once show no more.
const TRIAL_MAX: u32 = 256;
/// Episodes of refusals after which the kind of limit shows in other ways.
const TRIALS: u32 = 8;
/// How many silences an answer must take, at least: with shorter answers, what they free meanwhile
/// would be a burst.
const TRIAL_OF_LATENCY: f64 = 10.0;
/// Refused with nothing in flight, an ask is let in again after so long at least.
const LET_IN_MS_MIN: f64 = 50.0;
/// Where the climb begins after a wait that the service asked for: a bucket has no more by then.
const AFTER_A_WAIT: f64 = 0.5;
/// How long nothing but refusals, with nothing in flight that could succeed or one let through at a
/// time, may last before it is an outage.
const REFUSALS_ONLY_MAX: Duration = Duration::from_secs(5 * 60);
/// Overload is a reason to yield from this share of the last replies on; alone it is retried.
const OVERLOADED_SHARE: f64 = 0.03;
/// Consecutive failures that are an outage in the making, no overload.
const FAILURES_IN_A_ROW: u32 = 3;
/// The number of replies that the share is taken of.
const REPLIES: u32 = 50;

/// Nothing is let through but probes.
#[derive(Debug, Clone)]
pub(super) struct ClosedGate {
    gap: f64,
    /// When the next probe goes.
    probe_at: Ms,
    /// The probe in flight: its order, and when it was sent.
    pub(super) probe: Option<(u64, Ms)>,
    probed: u32,
    drained: bool,
}

impl ClosedGate {
    fn new(now: Ms, gap: f64) -> ClosedGate {
        ClosedGate { gap, probe_at: now + gap, probe: None, probed: 0, drained: false }
    }

    /// Returns when the next probe may go or the one in flight counts as let in.
    pub(super) fn opens_at(&self, quiet: f64) -> Ms {
        self.probe.map_or(self.probe_at, |(_, at)| at + quiet)
    }

    pub(super) fn probing(&mut self, order: u64, now: Ms) {
        self.probe = Some((order, now));
        self.probed += 1;
    }

    /// The probe came back without a verdict on the limits, or refused.
    fn probe_again(&mut self, now: Ms) {
        self.probe = None;
        self.gap = (2.0 * self.gap).min(GAP_MAX_MS);
        self.probe_at = now + self.gap;
    }
}

/// After a refusal answers free one slot, then two, four and so on, each once the last were let in: a
/// limit on width takes as many again, a bucket would refuse all whose turn comes together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trial {
    size: u32,
    left: u32,
    /// How many had been sent when it began.
    after: u64,
}

impl Trial {
    fn after(sent: u64) -> Trial {
        Trial { size: 1, left: 1, after: sent }
    }

    pub(super) fn sent(&mut self) {
        self.left = self.left.saturating_sub(1);
    }

    pub(super) fn is_out(self) -> bool {
        self.left == 0
    }

    /// The next, once nothing was refused for long enough.
    pub(super) fn let_in(self) -> Option<Trial> {
        let size = if self.is_out() { 2 * self.size } else { self.size };
        let left = if self.is_out() { size } else { self.left };
        (size <= TRIAL_MAX).then_some(Trial { size, left, ..self })
    }
}

/// The last replies, and which of them said that the service is overloaded.
#[derive(Debug, Clone, Default)]
pub(super) struct OverloadDetector {
    overloaded: u64,
    failures_in_a_row: u32,
}

impl OverloadDetector {
    pub(super) fn on_response(&mut self, overloaded: bool) {
        self.overloaded = self.overloaded << 1 | u64::from(overloaded);
    }

    pub(super) fn failed(&mut self) {
        self.failures_in_a_row += 1;
    }

    pub(super) fn worked(&mut self) {
        self.failures_in_a_row = 0;
    }

    fn is_overload(&self) -> bool {
        let last = self.overloaded & ((1 << REPLIES) - 1);
        f64::from(last.count_ones()) > OVERLOADED_SHARE * f64::from(REPLIES)
            && self.failures_in_a_row < FAILURES_IN_A_ROW
    }
}

impl RateController {
    /// Takes a 429; the ask is taken out of the number in flight already.
    pub(super) fn refused(
        &mut self,
        now: Time,
        sent: &Ticket,
        wait: Option<Duration>,
        named: Option<u32>,
    ) {
        let named = named.filter(|_| !planted(PlantedBug::NamedCeilingIgnored));
        self.note_refusal(now, wait);
        let at = ms(now);
        let round_trip = at - ms(sent.at);
        self.refusal_ms += (round_trip - self.refusal_ms) / super::REFUSAL_MEMORY;
        let accepted_before = (sent.order - 1).saturating_sub(self.refused_count) as f64;
        self.refused_count += 1;
        if self.is_look(sent) {
            self.look_is_over();
            self.note_throughout(now);
            return;
        }
        if named.is_none() && self.is_random_rejection(at, sent) {
            self.replies.on_response(false);
            self.note_throughout(now);
            return;
        }
        self.concurrency.refused(at, self.random_rejection.cost());
        self.trial.take_if(|trial| sent.order > trial.after);
        let is_first = sent.epoch == self.epoch && self.closed.is_none();
        self.rate.refused(at, self.latency_ms, is_first);
        self.advertised.refused(at, ms(sent.at));
        self.replies.on_response(false);
        self.last_named = named.is_some();
        if let Some(named) = named {
            self.concurrency.is_named(at, f64::from(named.max(1)));
        }
        let in_flight = self.in_flight as f64;
        if let Some(closed) = &mut self.closed {
            if closed.probe.is_some_and(|(order, _)| order == sent.order) {
                closed.probe_again(at);
                closed.drained |= in_flight <= DRAINED * self.in_flight_then;
            }
            self.note_throughout(now);
            return;
        }
        if !self.is_out {
            self.lower(at, sent, wait, named.map(f64::from), accepted_before);
        }
        self.note_throughout(now);
    }

    /// Returns true if a refusal is one that comes at any width; then nothing follows from it.
    fn is_random_rejection(&mut self, now: Ms, sent: &Ticket) -> bool {
        // At a rate that is kept to the ask refusals stand alone, and at any number at once.
        if self.closed.is_some() || self.is_out || self.rate.is_smooth() {
            return false;
        }
        let (order, n, state) = (sent.order, f64::from(sent.n), self.rate_state());
        match self.random_rejection.refused(now, order, n, state) {
            RejectionCause::Limit => false,
            RejectionCause::Random => true,
            RejectionCause::RandomSince(width) => {
                let beyond = !self.rate.waits();
                self.concurrency.climb_again(self.in_flight as f64 + 1.0, width, beyond);
                self.rate.end();
                self.streak = 0;
                self.epoch += 1;
                true
            }
        }
    }

    /// Returns true if the service is overloaded as often at any width; then none is yielded, and what
    /// was yielded is climbed back to.
    fn is_random_overload(&mut self, now: Ms, sent: &Ticket) -> bool {
        if self.closed.is_some() || self.is_out {
            return false;
        }
        let (order, n, state) = (sent.order, f64::from(sent.n), self.rate_state());
        match self.random_overload.refused(now, order, n, state) {
            RejectionCause::Limit => false,
            RejectionCause::Random => true,
            RejectionCause::RandomSince(width) => {
                let beyond = !self.rate.is_on() && self.refused_count == 0;
                self.concurrency.climb_again(self.in_flight as f64 + 1.0, width, beyond);
                self.epoch += 1;
                true
            }
        }
    }

    fn rate_state(&self) -> RateState {
        match () {
            () if self.rate.is_on() => RateState::Paced,
            () if self.concurrency.is_probing() => RateState::Probing,
            () => RateState::Plain,
        }
    }

    /// Finds the reason of a refusal and draws the consequence.
    fn lower(
        &mut self,
        now: Ms,
        sent: &Ticket,
        wait: Option<Duration>,
        named: Option<f64>,
        accepted_before: f64,
    ) {
        let (n, in_flight) = (f64::from(sent.n), self.in_flight as f64);
        if let Some(named) = named
            && n > named
            && in_flight >= NAMED_FILLED * named
        {
            self.concurrency.take(named);
            self.streak = 0;
            self.epoch += 1;
            return;
        }
        if sent.epoch < self.epoch {
            if !self.rate.is_on() {
                self.concurrency.lower_to(in_flight);
                self.plan_look(now, self.paused_until.map_or(0.0, ms));
            }
            return;
        }
        if self.rate.is_searching() {
            self.epoch += 1;
            self.rate.search_refused(now, ms(sent.at), accepted_before);
            self.lower_rate(now, wait);
            return;
        }
        self.epoch += 1;
        self.streak += 1;
        if self.streak == 1 {
            self.in_flight_then = in_flight;
            self.rate.emptied(now, ms(sent.at), n, accepted_before);
            if wait.is_some() && named.is_none() {
                self.rate.waited(now);
            }
            if self.rate.end_if_wrong(now) {
                self.concurrency.take_below(in_flight);
                return;
            }
            if !self.random_rejection.is_on() && self.rate.begin_if_clear(now) {
                self.widen_for_rate();
            }
        }
        if self.rate.is_on() {
            self.lower_rate(now, wait);
        } else if self.streak > 1 {
            self.concurrency.cut(KEPT_IN_STREAK);
            let gap = (GAP_OF_LATENCY * self.latency_ms)
                .clamp(*GAP_FIRST_MS.start(), *GAP_FIRST_MS.end());
            self.closed = Some(ClosedGate::new(now, gap));
        } else if self.is_shared_with_others(n) {
            self.concurrency.take_shared(now, in_flight);
        } else {
            self.concurrency.take_below(in_flight);
            self.try_slots();
            self.plan_look(now, self.paused_until.map_or(0.0, ms));
            if wait.is_some() && named.is_none() {
                self.concurrency.climb_from(AFTER_A_WAIT * in_flight);
            }
        }
    }

    /// The next asks go one, two, four and so on at a time, where there is time for it.
    fn try_slots(&mut self) {
        let is_long =
            self.answered_count == 0 || self.latency_ms >= TRIAL_OF_LATENCY * self.quiet();
        if is_long && self.epoch <= TRIALS && !self.last_named {
            self.trial = Some(Trial::after(self.sent_count));
        }
    }

    fn lower_rate(&mut self, now: Ms, wait: Option<Duration>) {
        if self.streak >= PACED_STREAK {
            let gap = (GAP_OF_LATENCY_PACED * self.latency_ms)
                .clamp(*GAP_FIRST_PACED_MS.start(), *GAP_FIRST_PACED_MS.end());
            self.closed = Some(ClosedGate::new(now, gap));
        } else if wait.is_none() {
            self.rate_resumes_at = now + PACED_PAUSE_MS;
            self.rate.paused(self.rate_resumes_at);
        }
    }

    fn is_shared_with_others(&self, n: f64) -> bool {
        let (in_flight, found) = (self.in_flight as f64, self.concurrency.found());
        let below_named =
            self.concurrency.named().is_some_and(|named| n < BELOW_NAMED * named - 1.0);
        let below_found = found.is_some_and(|found| n < BELOW_FOUND * found - 1.0);
        // While an ask above the limit is out, any other may be the one that is refused.
        self.rate.votes() <= 0.0
            && in_flight > SHARED_MIN
            && found.is_none_or(|found| in_flight >= found / 2.0)
            && !self.concurrency.is_probing()
            && (below_named || below_found)
    }

    fn widen_for_rate(&mut self) {
        let needed = self.rate.measured().unwrap_or(0.0) * self.latency_ms;
        let width = (PACED_WIDTH_OF_IN_FLIGHT * self.in_flight_then)
            .max(PACED_WIDTH_OF_RATE * needed)
            .min(f64::from(self.bounds.slots_max));
        self.concurrency.take(width);
        self.random_rejection.interrupted();
    }

    /// Takes a 503 or 529.
    pub(super) fn overloaded(&mut self, now: Time, sent: &Ticket, wait: Option<Duration>) {
        self.note_refusal(now, wait);
        self.replies.on_response(true);
        if self.is_random_overload(ms(now), sent) {
            // It would be so with fewer at once, too.
        } else if sent.epoch == self.epoch && !self.is_out && self.closed.is_none() {
            if self.concurrency.is_probing() {
                self.epoch += 1;
                self.concurrency.step_back(ms(now));
            } else if self.replies.is_overload() {
                self.epoch += 1;
                self.concurrency.yield_a_tenth();
            }
        } else {
            self.on_probe_inconclusive(now, sent);
        }
        self.replies.failed();
        self.note_throughout(now);
    }

    /// A probe that failed for another reason shows nothing: another follows.
    pub(super) fn on_probe_inconclusive(&mut self, now: Time, sent: &Ticket) {
        if let Some(closed) = &mut self.closed
            && closed.probe.is_some_and(|(order, _)| order == sent.order)
        {
            closed.probe_again(ms(now));
        }
    }

    /// A probe was let in: climbs back towards the limit, and votes on what kind of limit it is.
    pub(super) fn reopen(&mut self, now: Ms) {
        let Some(closed) = self.closed.take() else { return };
        let in_flight = self.in_flight as f64;
        self.streak = 0;
        let shown = Reopening {
            drained: closed.drained,
            // A number in the text is of a width: an ask that was let in found a slot that another
            // client left.
            as_many: !self.last_named && in_flight >= self.in_flight_then / 2.0,
            first: !self.last_named && closed.probed == 1,
        };
        let was_on = self.rate.is_on();
        let probe_at = closed.probe.map_or(now, |(_, at)| at);
        if !self.random_rejection.is_on()
            && self.rate.reopened(now, shown, self.answered_count as f64)
        {
            self.widen_for_rate();
        } else if shown.drained && !self.random_rejection.is_on() && self.rate.is_unknown() {
            let interval = (probe_at - self.let_in_at).max(LET_IN_MS_MIN);
            self.search_rate(now, probe_at, interval);
        } else if was_on && self.rate.end_if_wrong(now) {
            self.concurrency.take_below(in_flight);
        }
        if self.concurrency.mode() != Mode::Queue && !self.rate.is_on() {
            // To climb and not to jump: the limit may be a tenth of what it was.
            self.concurrency.climb_from(1.05 * in_flight + 2.0);
            self.try_slots();
        }
    }

    fn note_refusal(&mut self, now: Time, wait: Option<Duration>) {
        if let Some(wait) = wait {
            self.pause(now, wait);
        }
        self.refused_since.get_or_insert(now);
        self.refused_at = Some(now);
    }

    fn note_throughout(&mut self, now: Time) {
        let since = self.refused_since.map_or(Duration::ZERO, |since| now.since(since));
        let one_at_a_time = self.closed.is_some() || self.slots() == 1 || self.in_flight == 0;
        self.refused_throughout = one_at_a_time && since >= REFUSALS_ONLY_MAX;
    }
}
