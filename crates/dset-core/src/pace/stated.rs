//! Limits that the service states in the headers of its replies, and a pace that stays below them.
//!
//! What remains is as old as the answer was long, so what is in flight is taken off it.

use super::Ms;
use super::rate::{DEPTH_MS, Pacer};
use super::retry::RETRY_AFTER_MAX;
use crate::provider::{Quota, RateLimits};
use crate::time::Time;

/// Stated limits are a minute's unless they say otherwise.
const MINUTE_MS: f64 = 60_000.0;
/// A reset further away than this is no minute's: a quota of the day, which is no pace.
const MINUTE_RESET_MS_MAX: f64 = 90_000.0;
/// The pace is the stated limit times this, less while little remains: clocks differ.
const OF_THE_LIMIT: f64 = 0.998;
const WITH_NOTHING_LEFT: f64 = 0.95;
const PER_SHARE_LEFT: f64 = 0.9;
/// What remains above half of the limit is spent over so long.
const SURPLUS_MS: f64 = 20_000.0;
/// A refusal while more than this remains says that the limit is kept in less than a minute.
const ENFORCED_BELOW: f64 = 0.10;
/// Answers over which the tokens of an ask are averaged.
const TOKENS_MEMORY: f64 = 500.0;

/// The stated limits and their pacers.
#[derive(Debug, Clone, Default)]
pub(super) struct Stated {
    asks: Paced,
    tokens: Paced,
    tokens_per_ask: f64,
    counted: f64,
}

#[derive(Debug, Clone, Default)]
struct Paced {
    /// Absent while unknown, or where it is a day's.
    limit: Option<f64>,
    /// What remains once all that is in flight has come in.
    remaining: f64,
    /// Nothing remains until then.
    gone_until: Option<Ms>,
    /// The surplus was spent and refused: the limit is kept in less than a minute.
    has_no_surplus: bool,
    pacer: Pacer,
}

impl Paced {
    fn told(&mut self, now: Ms, quota: &Quota, in_flight: f64) {
        let reset = quota.reset.map(|reset| reset.as_secs_f64() * 1000.0);
        self.gone_until = match (quota.remaining, reset) {
            // Some services state when all of it is back, a day from now, though the next ask may go in
            // seconds: a wait longer than any that is obeyed is left to a refusal to ask for.
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
        }
        self.limit = limit;
        if let Some(limit) = limit {
            let remaining = quota.remaining.map_or(limit / 2.0, |remaining| remaining as f64);
            self.remaining = (remaining - in_flight).max(0.0);
        }
    }

    /// What a millisecond lets through.
    fn per_ms(&self) -> Option<f64> {
        let limit = self.limit?;
        let share = (WITH_NOTHING_LEFT + PER_SHARE_LEFT * self.remaining / limit).min(1.0);
        let surplus = (self.remaining - limit / 2.0).max(0.0);
        let extra = if self.has_no_surplus { 0.0 } else { surplus / SURPLUS_MS };
        Some(limit / MINUTE_MS * share * OF_THE_LIMIT + extra)
    }

    fn refused(&mut self) {
        if self.limit.is_some_and(|limit| self.remaining > ENFORCED_BELOW * limit) {
            self.has_no_surplus = true;
        }
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

impl Stated {
    /// Takes the headers of a reply.
    pub(super) fn told(&mut self, now: Time, limits: &RateLimits, in_flight: usize) {
        let now = super::ms(now);
        if let Some(quota) = &limits.asks {
            self.asks.told(now, quota, in_flight as f64);
        }
        if let Some(quota) = &limits.tokens {
            self.tokens.told(now, quota, in_flight as f64 * self.tokens_per_ask);
        }
    }

    /// Takes the tokens of an answer.
    pub(super) fn answered(&mut self, tokens: u64) {
        self.counted = (self.counted + 1.0).min(TOKENS_MEMORY);
        self.tokens_per_ask += (tokens as f64 - self.tokens_per_ask) / self.counted;
    }

    /// Takes a refusal, which may say more of the limits than they say themselves.
    pub(super) fn refused(&mut self) {
        self.asks.refused();
        self.tokens.refused();
    }

    /// Returns when the next ask may go, if not now.
    pub(super) fn ready_at(&mut self, now: Ms) -> Option<Ms> {
        let asks = self.asks.ready_at(now, 1.0);
        // Before the first answer nobody knows what an ask takes.
        let tokens = match self.tokens_per_ask >= 1.0 {
            true => self.tokens.ready_at(now, self.tokens_per_ask),
            false => None,
        };
        match (asks, tokens) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (one, other) => one.or(other),
        }
    }

    pub(super) fn take(&mut self) {
        self.asks.pacer.take();
        self.tokens.pacer.take();
    }
}
