//! Limits that the service advertises in the headers of its replies, and a pacer that stays below
//! them.
//!
//! What remains is as old as the answer was long, so what is in flight is taken off it.

use super::Ms;
use super::retry::RETRY_AFTER_MAX;
use crate::provider::{Quota, RateLimits};
use crate::rate::request_rate::{DEPTH_MS, Pacer};
use crate::time::Time;

/// Advertised limits are a minute's unless they say otherwise.
const MINUTE_MS: f64 = 60_000.0;
/// A reset further away than this is no minute's: a quota of the day, which is no pace.
const MINUTE_RESET_MS_MAX: f64 = 90_000.0;
/// The rate sent is the advertised limit times this, less while little remains: clocks differ.
const OF_THE_LIMIT: f64 = 0.998;
const WITH_NOTHING_LEFT: f64 = 0.95;
const PER_SHARE_LEFT: f64 = 0.9;
/// What remains above half of the limit is spent over this part of its span.
const SURPLUS_OF_SPAN: f64 = 1.0 / 3.0;
/// A refusal while more than this remains says that the limit is kept in less than a minute.
const ENFORCED_BELOW: f64 = 0.10;
/// Tolerance of a reset against the span of a fixed window: no reset is further away than the
/// window is long, but for clocks and rounding.
const RESET_EXACT: f64 = 1.05;
/// The spans that services keep limits in, in seconds.
const SPANS: [f64; 8] = [1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0];
/// How many limits may be taken beyond what the span allows, with more than half left all the time,
/// before the span is taken to be longer; fewer where resets so near leave only a token bucket.
const TOO_MANY: f64 = 1.25;
const TOO_MANY_FOR_A_BUCKET: f64 = 0.5;
/// So many resets must be heard, and for so many times the span that they speak for.
const HEARD_LEAST: u32 = 4;
const LISTENED: f64 = 4.0;
/// Refusals that speak against a span that is less than a minute, and how much of one a reply makes
/// good.
const AGAINST_MAX: f64 = 3.0;
const MADE_GOOD: f64 = 0.02;
/// Refusals within this time count as one.
const BURST_MS: f64 = 1_000.0;
/// Answers over which the tokens of an ask are averaged.
const TOKENS_MEMORY: f64 = 500.0;

/// The advertised limits and their pacers.
#[derive(Debug, Clone, Default)]
pub(crate) struct AdvertisedLimits {
    asks: Paced,
    tokens: Paced,
    tokens_per_ask: f64,
    counted: f64,
}

#[derive(Debug, Clone, Default)]
struct Paced {
    /// Absent while unknown, or where it is a day's.
    limit: Option<f64>,
    /// Since when it is known.
    since: Ms,
    /// What remains once all that is in flight has come in.
    remaining: f64,
    /// Nothing remains until then.
    gone_until: Option<Ms>,
    /// The surplus was spent and refused: the limit is kept in less than a minute.
    has_no_surplus: bool,
    span: Span,
    pacer: Pacer,
}

/// The time in which a limit is kept, which services do not state: a minute, unless it comes back
/// faster than a minute's would.
#[derive(Debug, Clone, Default)]
struct Span {
    /// How often a minute was halved.
    halved: u32,
    reset_max: Ms,
    /// Since when more than half was left all the time, and what was taken since.
    plenty: Option<(Ms, f64)>,
    against: f64,
    refused_at: Option<Ms>,
    /// How often it was found too short.
    doubts: f64,
    /// Since when resets are heard, how many, and the longest span that one of them speaks for.
    heard: Option<(Ms, u32, f64)>,
}

impl Span {
    fn ms(&self) -> f64 {
        let (span, least) = (MINUTE_MS / f64::from(self.halved).exp2(), self.least());
        // More cannot be seen to be too many for it once a window's half is used.
        if self.is_short() && span <= 2.0 * least { least } else { span }
    }

    /// What it is at least: that of a fixed window with such resets.
    fn least(&self) -> f64 {
        let long_enough = |span: &f64| span * 1000.0 * RESET_EXACT >= self.reset_max;
        SPANS.into_iter().find(long_enough).map_or(MINUTE_MS, |span| span * 1000.0)
    }

    fn is_short(&self) -> bool {
        self.halved > 0
    }

    /// Returns true if it is less than a minute and as short as it can be.
    fn is_found(&self) -> bool {
        self.is_short() && self.ms() <= self.least()
    }

    /// Takes what the reset of a reply speaks for: all of a limit comes back in the span, what was used
    /// of it in a share of that. A window's reset says less near its end; but who listens for several
    /// times what is found has heard its beginning, too.
    fn hear_reset(&mut self, now: Ms, limit: f64, remaining: f64, reset: Ms) {
        let speaks_for = reset * limit / (limit - remaining).max(1.0);
        let (since, heard, longest) = self.heard.unwrap_or((now, 0, 0.0));
        let (heard, longest) = (heard + 1, longest.max(speaks_for));
        self.heard = Some((since, heard, longest));
        let span = SPANS.into_iter().map(|span| span * 1000.0).find(|s| s * RESET_EXACT >= longest);
        // A reset of before may have been longer: no span is shorter than those allow.
        let Some(span) = span.map(|span| span.max(self.least())) else { return };
        let is_sure = heard >= HEARD_LEAST && now - since >= LISTENED * span * (1.0 + self.doubts);
        if is_sure && span < self.ms() {
            while self.ms() > span {
                self.halved += 1;
            }
            self.plenty = None;
        }
    }

    /// Takes what remained of a limit when a reply was made for which `each` was taken.
    fn observe_window(&mut self, now: Ms, limit: f64, remaining: f64, reset: Ms, each: f64) {
        self.reset_max = self.reset_max.max(reset);
        self.hear_reset(now, limit, remaining, reset);
        self.against = (self.against - MADE_GOOD).max(0.0);
        if remaining < limit / 2.0 {
            self.plenty = None;
            return;
        }
        let (since, taken) = self.plenty.unwrap_or((now, 0.0));
        let beyond = taken + each - limit * (now - since) / self.ms();
        if beyond <= 0.0 {
            self.plenty = Some((now, 0.0));
            return;
        }
        self.plenty = Some((since, taken + each));
        let is_bucket = self.least() <= self.ms() / 2.0;
        let too_many = if is_bucket { TOO_MANY_FOR_A_BUCKET } else { TOO_MANY };
        if self.ms() > self.least()
            && beyond >= (too_many * limit + 2.0 * each) * (1.0 + self.doubts)
        {
            self.halved += 1;
            self.plenty = None;
        }
    }

    /// Counts a refusal against the span in force.
    fn refused(&mut self, now: Ms) {
        self.plenty = None;
        if self.refused_at.is_some_and(|at| now - at < BURST_MS) || !self.is_short() {
            return;
        }
        self.refused_at = Some(now);
        self.against += 1.0;
        if self.against >= AGAINST_MAX {
            self.against = 0.0;
            self.halved -= 1;
            self.doubts = 2.0 * self.doubts + 1.0;
            self.heard = None;
        }
    }
}

impl Paced {
    fn observe_quota(&mut self, now: Ms, quota: &Quota, in_flight: f64, each: f64) {
        let reset = quota.reset.map(|reset| reset.as_secs_f64() * 1000.0);
        self.gone_until = match (quota.remaining, reset) {
            // Some services state when all of it is back, a day from now, though the next ask may
            // go in seconds: a wait longer than any that is obeyed is left to a refusal to ask for.
            (Some(0), Some(reset)) if reset > RETRY_AFTER_MAX.as_secs_f64() * 1000.0 => None,
            (Some(0), Some(reset)) if quota.limit.is_none() || reset > MINUTE_RESET_MS_MAX => {
                Some(now + reset)
            }
            _ => None,
        };
        let limit = quota.limit.map(|limit| limit as f64).filter(|&limit| limit > 0.0);
        let limit = limit.filter(|_| reset.is_none_or(|reset| reset <= MINUTE_RESET_MS_MAX));
        if self.limit.is_none() {
            // Nothing has gathered in the time before the limit was known.
            self.pacer = Pacer::starting(now);
            self.since = now;
        }
        if self.limit != limit {
            self.span = Span::default();
        }
        self.limit = limit;
        let Some(limit) = limit else { return };
        let remaining = quota.remaining.map_or(limit / 2.0, |remaining| remaining as f64);
        self.remaining = (remaining - in_flight * each).max(0.0);
        if let (Some(_), Some(reset)) = (quota.remaining, reset) {
            self.span.observe_window(now, limit, remaining, reset, each);
        }
    }

    /// What a millisecond lets through.
    fn per_ms(&self) -> Option<f64> {
        let limit = self.limit?;
        let span = self.span.ms();
        let share = (WITH_NOTHING_LEFT + PER_SHARE_LEFT * self.remaining / limit).min(1.0);
        let surplus = (self.remaining - limit / 2.0).max(0.0);
        let has_surplus = !self.has_no_surplus && !self.span.is_found();
        let extra = if has_surplus { surplus / (SURPLUS_OF_SPAN * span) } else { 0.0 };
        Some(limit / span * share * OF_THE_LIMIT + extra)
    }

    /// Takes the refusal of an ask that was sent at `sent_at`.
    fn refused(&mut self, now: Ms, sent_at: Ms) {
        let Some(limit) = self.limit.filter(|_| sent_at >= self.since) else { return };
        if !self.span.is_short() && self.remaining > ENFORCED_BELOW * limit {
            self.has_no_surplus = true;
        }
        self.span.refused(now);
    }

    fn ready_at(&mut self, now: Ms, each: f64) -> Option<Ms> {
        if let Some(until) = self.gone_until.filter(|&until| until > now) {
            return Some(until);
        }
        let per_ms = self.per_ms()? / each;
        self.pacer.fill(now, per_ms, DEPTH_MS);
        self.pacer.ready_at(now, per_ms)
    }
}

impl AdvertisedLimits {
    /// Takes the headers of a reply.
    pub(crate) fn observe_headers(&mut self, now: Time, limits: &RateLimits, in_flight: usize) {
        let now = super::ms(now);
        if let Some(quota) = &limits.asks {
            self.asks.observe_quota(now, quota, in_flight as f64, 1.0);
        }
        if let Some(quota) = &limits.tokens {
            self.tokens.observe_quota(now, quota, in_flight as f64, self.tokens_per_ask);
        }
    }

    /// Returns true if the service states a limit.
    pub(crate) fn is_known(&self) -> bool {
        self.asks.limit.is_some() || self.tokens.limit.is_some()
    }

    /// Returns how often a minute was halved, of the limit for which it was most often.
    #[cfg(test)]
    pub(super) fn halvings(&self) -> u32 {
        self.asks.span.halved.max(self.tokens.span.halved)
    }

    /// Takes the tokens of an answer.
    pub(crate) fn answered(&mut self, tokens: u64) {
        self.counted = (self.counted + 1.0).min(TOKENS_MEMORY);
        self.tokens_per_ask += (tokens as f64 - self.tokens_per_ask) / self.counted;
    }

    /// Takes a refusal, which may say more of the limits than they say themselves.
    pub(crate) fn refused(&mut self, now: Ms, sent_at: Ms) {
        self.asks.refused(now, sent_at);
        self.tokens.refused(now, sent_at);
    }

    /// Returns when the next ask may go, if not now.
    pub(crate) fn ready_at(&mut self, now: Ms) -> Option<Ms> {
        let asks = self.asks.ready_at(now, 1.0);
        // Before the first answer the tokens of an ask are unknown.
        let tokens = match self.tokens_per_ask >= 1.0 {
            true => self.tokens.ready_at(now, self.tokens_per_ask),
            false => None,
        };
        match (asks, tokens) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (one, other) => one.or(other),
        }
    }

    pub(crate) fn take(&mut self) {
        self.asks.pacer.take();
        self.tokens.pacer.take();
    }
}
