//! A limit on asks per time that is advertised nowhere: how it is distinguished from a limit on
//! concurrency, and how its rate is measured.
//!
//! A concurrency limit accepts again as soon as one answer is back. A token bucket does not, and
//! accepts after a pause though as many are in flight. That is put to the vote at each reopening.
//! Between two moments at which the bucket was empty, what was accepted divided by the time is the
//! rate, whatever the bucket's depth is.

use super::Ms;
use crate::rate::rate_search::RateSearch;

/// How fast votes fade, where the service never named a wait: resets and random bursts must not
/// add up to a rate.
const FADE_MS: f64 = 60_000.0;
/// The sum of votes that makes it a rate.
const ENOUGH: f64 = 1.8;
/// Votes beyond this are not collected.
const VOTES: std::ops::RangeInclusive<f64> = -3.0..=4.0;
/// The least time and number between two empty moments.
const MEASURED_MS_MIN: f64 = 3_000.0;
const MEASURED_ASKS_MIN: f64 = 30.0;
/// Where far fewer are in flight in the end than in the beginning, in terms of what was let in
/// between, what those took after they were let in (tokens) spoils the measurement.
const DRAINED_MAX: f64 = 0.5;
/// A pace below which so few asks go in a unit of time that it must be longer: the climb above what was
/// measured is refused once in three of them.
const UNIT_ASKS: f64 = 30.0;
/// A bucket that is empty again after so many, and so often in a row, has no depth to speak of.
const FEW: f64 = 4.0;
const FEW_TIMES: u32 = 3;
/// A measurement older than this is replaced and not averaged.
const MEASURED_STALE_MS: f64 = 120_000.0;
/// After it was found to be a width, no rate is tried for this time.
const BARRED_MS: f64 = 300_000.0;
/// Refusals at the same concurrency that make it a width.
const EPISODES: usize = 6;
/// What "the same" is.
const SAME_SHARE: f64 = 0.006;
/// And by how much more may have been let in: answers that are on their way back left room.
const LET_IN_SHARE: f64 = 0.05;
/// The rate sent in terms of the measured rate: begins a little below and then climbs, slowly
/// at first.
/// 0.002 finds a raised rate sooner but trebles the refusals of fixed windows.
const PACE_FIRST: f64 = 0.98;
const PACE_LINEAR: f64 = 0.004;
const PACE_CUBIC: f64 = 0.0004;
/// A rate that was never refused may be far too low (it may be no rate at all): it doubles in each
/// unit of time, until one refusal came no further above what was measured, or this many in all,
/// which are enough to see a width. A service that names a wait is a bucket, and needs no trial.
const TRIALS: u32 = 6;
const TRIAL_CLOSE: f64 = 1.25;
/// More doublings are no pace any more.
const TRIAL_DOUBLINGS: f64 = 16.0;
/// How much of the rate may be sent at once, in milliseconds of it.
pub(crate) const DEPTH_MS: f64 = 50.0;
/// What gathers during a pause, at most.
const GATHERED_MS_MAX: f64 = 2_000.0;

/// A token bucket: so much per time, and a little at once.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pacer {
    level: f64,
    at: Ms,
}

impl Pacer {
    /// An empty bucket: the first token comes after one interval.
    pub(crate) fn starting(now: Ms) -> Pacer {
        Pacer { level: 0.0, at: now }
    }

    /// Fills up at `per_ms`.
    pub(crate) fn fill(&mut self, now: Ms, per_ms: f64, depth_ms: f64) {
        let most = (per_ms * depth_ms).max(1.0);
        if self.level < most {
            self.level = (self.level + per_ms * (now - self.at).max(0.0)).min(most);
        }
        self.at = now;
    }

    /// Returns when the next may go, if not now.
    pub(crate) fn ready_at(&self, now: Ms, per_ms: f64) -> Option<Ms> {
        // The milliseconds of the caller are whole; a level that is short of 1 by less than a
        // millionth is only the rounding of sums.
        (self.level < 1.0 - 1e-6).then(|| now + (1.0 - self.level) / per_ms.max(1e-9))
    }

    pub(crate) fn take(&mut self) {
        self.level = (self.level - 1.0).max(-1.0);
    }

    pub(crate) fn empty(&mut self) {
        self.level = self.level.min(0.0);
    }
}

/// What a reopening shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reopening {
    /// A probe was refused though next to nothing was in flight.
    pub(crate) drained: bool,
    /// At least half as many are in flight as when the refusals began.
    pub(crate) as_many: bool,
    /// The first probe was let in.
    pub(crate) first: bool,
}

/// The measured rate and its votes.
#[derive(Debug, Clone)]
pub(crate) struct RequestRate {
    votes: f64,
    votes_at: Ms,
    /// The service named a wait once: a bucket, more likely than not.
    waits: bool,
    /// The last empty moment: when, how many had been let in, how many were in flight.
    mark: Option<(Ms, f64, f64)>,
    measured: Option<(f64, Ms)>,
    reopened: Option<(Ms, f64)>,
    is_on: bool,
    /// Refusals until the rate counts as tried.
    trials: u32,
    barred_until: Ms,
    episodes: [f64; EPISODES],
    /// The most at once of which one was let in, since each of the episodes.
    let_in: [f64; EPISODES],
    refused_at: Ms,
    /// When the pause that is being gathered over ends.
    gathers_until: Ms,
    pacer: Pacer,
    search: Option<RateSearch>,
    /// How many had been let in when it was last empty, and how often in a row that was only a few
    /// since the time before.
    emptied_at: f64,
    few_in_a_row: u32,
    /// It is kept to the ask: nothing gathers, not even in a pause.
    is_smooth: bool,
}

impl RequestRate {
    pub(crate) fn new() -> RequestRate {
        RequestRate {
            votes: 0.0,
            votes_at: 0.0,
            waits: false,
            mark: None,
            measured: None,
            reopened: None,
            is_on: false,
            trials: 0,
            barred_until: 0.0,
            episodes: [f64::NAN; EPISODES],
            let_in: [0.0; EPISODES],
            refused_at: 0.0,
            gathers_until: 0.0,
            pacer: Pacer::default(),
            search: None,
            emptied_at: 0.0,
            few_in_a_row: 0,
            is_smooth: false,
        }
    }

    /// Begins to search a rate that takes one ask in each `interval`.
    pub(crate) fn search(&mut self, now: Ms, sent_at: Ms, interval: Ms) {
        self.search = Some(RateSearch::new(sent_at, interval));
        self.is_on = true;
        self.is_smooth = true;
        self.trials = 0;
        self.votes = self.votes.max(ENOUGH);
        self.votes_at = now;
        self.episodes = [f64::NAN; EPISODES];
        self.mark = None;
        self.pacer = Pacer::starting(sent_at);
    }

    pub(crate) fn is_searching(&self) -> bool {
        self.search.is_some()
    }

    /// Returns true if it is kept to the ask.
    pub(crate) fn is_smooth(&self) -> bool {
        self.is_smooth
    }

    /// Returns true if it is a rate, of which nothing was measured, and which lets in a few at a time.
    pub(crate) fn is_unknown(&self) -> bool {
        let is_smooth = self.few_in_a_row >= FEW_TIMES;
        !self.is_on && is_smooth && self.votes >= ENOUGH && self.measured.is_none()
    }

    /// Takes a refusal during the search.
    pub(crate) fn search_refused(&mut self, now: Ms, sent_at: Ms, accepted: f64) {
        let Some(search) = &mut self.search else { return };
        if let Some(found) = search.refused(sent_at, accepted) {
            self.measured = Some((found, now));
            self.mark = Some((sent_at, accepted, 0.0));
            self.search = None;
        }
    }

    /// Asks per millisecond that are paced, or were measured.
    pub(crate) fn paced_per_ms(&self) -> f64 {
        let measured = self.measured().unwrap_or(0.0);
        self.search.map_or(measured, |search| search.pace())
    }

    pub(crate) fn is_on(&self) -> bool {
        self.is_on
    }

    pub(crate) fn votes(&self) -> f64 {
        self.votes
    }

    /// Returns true if the service named a wait once.
    pub(crate) fn waits(&self) -> bool {
        self.waits
    }

    /// Leaves the pacer: what was refused was no rate.
    pub(crate) fn end(&mut self) {
        self.is_on = false;
        self.is_smooth = false;
        self.search = None;
        self.votes = 0.0;
        self.mark = None;
    }

    /// Asks per millisecond, as measured.
    pub(crate) fn measured(&self) -> Option<f64> {
        self.measured.map(|(rate, _)| rate)
    }

    fn vote(&mut self, now: Ms, vote: f64) {
        if !self.waits {
            self.votes *= (-(now - self.votes_at) / FADE_MS).exp();
        }
        self.votes_at = now;
        self.votes = (self.votes + vote).clamp(*VOTES.start(), *VOTES.end());
    }

    /// Takes that the service named a wait and no width.
    pub(crate) fn waited(&mut self, now: Ms) {
        self.waits = true;
        self.vote(now, 1.0);
    }

    /// Takes the start of an episode of refusals: an ask sent at `sent_at` as the `n`-th at once
    /// was refused after `accepted` had been let in. Measures the rate.
    pub(crate) fn emptied(&mut self, now: Ms, sent_at: Ms, n: f64, accepted: f64) {
        let is_few = accepted - self.emptied_at <= FEW;
        self.few_in_a_row = if is_few { self.few_in_a_row + 1 } else { 0 };
        self.emptied_at = accepted;
        self.episodes.rotate_left(1);
        self.episodes[EPISODES - 1] = n;
        self.let_in.rotate_left(1);
        self.let_in[EPISODES - 1] = 0.0;
        if let Some((since, then, n_then)) = self.mark {
            let (ms, asks) = (sent_at - since, accepted - then);
            if ms < MEASURED_MS_MIN || asks < MEASURED_ASKS_MIN {
                return;
            }
            self.mark = Some((sent_at, accepted, n));
            if n_then - n > DRAINED_MAX * asks {
                return;
            }
            let rate = asks / ms;
            let averaged = match self.measured {
                // Too high is found out by the next refusal, too low is not.
                Some((before, at)) if now - at < MEASURED_STALE_MS => {
                    rate.max((before + rate) / 2.0)
                }
                _ => rate,
            };
            self.measured = Some((averaged, now));
        }
        self.mark = Some((sent_at, accepted, n));
    }

    /// Takes any refusal.
    ///
    /// The first of a burst also ends a trial of the rate.
    pub(crate) fn refused(&mut self, now: Ms, latency: Ms, is_first: bool) {
        if self.is_on && self.trials > 0 && is_first {
            let pace = self.pace(now, latency).unwrap_or(0.0);
            let is_close = pace <= TRIAL_CLOSE * self.measured().unwrap_or(0.0);
            self.trials = if is_close { 0 } else { self.trials - 1 };
        }
        self.refused_at = now;
        self.pacer.empty();
    }

    /// Takes the end of a closure; `answers` were counted since the start. Returns true where it is
    /// clear by now that the limit is a rate.
    pub(crate) fn reopened(&mut self, now: Ms, shown: Reopening, answers: f64) -> bool {
        let vote = match shown {
            Reopening { drained: true, .. } => 2.0,
            Reopening { as_many: true, .. } => 1.0,
            Reopening { first: true, .. } => 0.5,
            _ if self.waits => 0.0,
            _ => -1.0,
        };
        self.vote(now, vote);
        if let (Some((since, then)), Some((rate, at))) = (self.reopened, self.measured)
            && now - since >= MEASURED_MS_MIN
            && answers - then >= MEASURED_ASKS_MIN
        {
            let seen = (answers - then) / (now - since);
            self.measured = Some((seen.max((rate + seen) / 2.0), at));
        }
        self.reopened = Some((now, answers));
        self.begin_if_clear(now)
    }

    /// Begins to pace if enough has been seen for it.
    pub(crate) fn begin_if_clear(&mut self, now: Ms) -> bool {
        let clear = !self.is_on
            && self.votes >= ENOUGH
            && self.measured.is_some()
            && now >= self.barred_until;
        if clear {
            self.is_on = true;
            self.trials = if self.waits { 0 } else { TRIALS };
            self.episodes = [f64::NAN; EPISODES];
            self.pacer = Pacer::starting(now);
        }
        clear
    }

    /// Leaves the pacer if this is a width after all.
    pub(crate) fn end_if_wrong(&mut self, now: Ms) -> bool {
        let is_voted_down = self.votes <= 0.0 && !self.is_smooth;
        let wrong = self.is_on && (is_voted_down || self.is_a_width());
        if wrong {
            self.is_on = false;
            self.is_smooth = false;
            self.search = None;
            self.votes = 0.0;
            self.barred_until = now + BARRED_MS;
        }
        wrong
    }

    /// Takes an answer to an ask that was sent as the `n`-th at once.
    pub(crate) fn answered(&mut self, n: f64) {
        self.let_in[EPISODES - 1] = self.let_in[EPISODES - 1].max(n);
    }

    /// At a limit of width, paced refusals always come at the same number at once, which is more than
    /// one, and no more are let in.
    fn is_a_width(&self) -> bool {
        let least = self.episodes.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.episodes.iter().copied().fold(0.0, f64::max);
        let let_in = self.let_in.iter().copied().fold(0.0, f64::max);
        !self.episodes.iter().any(|n| n.is_nan())
            && least > 1.0
            && most - least <= SAME_SHARE * most + 1.0
            && let_in - least <= LET_IN_SHARE * least + 1.0
    }

    /// What was measured across an outage is no rate.
    pub(crate) fn interrupted(&mut self) {
        self.mark = None;
        self.reopened = None;
        self.votes = 0.0;
    }

    /// Takes a rate that was measured elsewhere; it is paced if it was then.
    pub(crate) fn recall(&mut self, now: Ms, per_ms: f64, paced: bool) {
        self.measured = Some((per_ms, now - MEASURED_STALE_MS / 2.0));
        if paced {
            self.vote(now, ENOUGH);
            self.begin_if_clear(now);
        }
    }

    /// Lets gather what is not sent until then.
    pub(crate) fn paused(&mut self, until: Ms) {
        self.gathers_until = self.gathers_until.max(until);
    }

    fn pace(&self, now: Ms, latency: Ms) -> Option<f64> {
        if let Some(search) = self.search {
            return Some(search.pace());
        }
        let (rate, _) = self.measured.filter(|_| self.is_on)?;
        let unit = (2.0 * latency).clamp(3_000.0, 60_000.0).max(UNIT_ASKS / rate);
        let x = (now - self.refused_at) / unit;
        if self.trials > 0 {
            return Some(rate * PACE_FIRST * x.min(TRIAL_DOUBLINGS).exp2());
        }
        Some(rate * (PACE_FIRST + PACE_LINEAR * x + PACE_CUBIC * x * x * x))
    }

    /// Returns when the next ask may go, if not now.
    pub(crate) fn ready_at(&mut self, now: Ms, latency: Ms) -> Option<Ms> {
        let per_ms = self.pace(now, latency)?;
        let depth = match self.pacer.at < self.gathers_until {
            _ if self.is_smooth => 0.0,
            true => GATHERED_MS_MAX,
            false => DEPTH_MS,
        };
        self.pacer.fill(now, per_ms, depth);
        self.pacer.ready_at(now, per_ms)
    }

    pub(crate) fn take(&mut self, now: Ms) {
        if self.is_on {
            self.pacer.take();
        }
        if let Some(search) = &mut self.search {
            search.sent(now);
        }
    }
}
