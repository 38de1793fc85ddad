//! What the service lets in: limits on concurrent calls, on calls a minute and on tokens a minute.
//!
//! Knows no clock: what depends on the time takes the time since the start.

use std::str::FromStr;
use std::time::Duration;

use crate::settings::MockSettings;

/// What a limit per minute is counted over.
const MINUTE: Duration = Duration::from_secs(60);

/// A limit on calls at once that holds from some time on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConcurrencyAt {
    /// From when it holds, since the start.
    pub at: Duration,
    /// Calls at once; more are refused or queued.
    pub most: usize,
}

impl FromStr for ConcurrencyAt {
    type Err = String;

    fn from_str(text: &str) -> Result<ConcurrencyAt, String> {
        let shape = || "it must look like 15=20: seconds since the start, calls at once".to_owned();
        let (at, most) = text.split_once('=').ok_or_else(shape)?;
        let at = at.parse().map_err(|_| shape())?;
        let at = Duration::try_from_secs_f64(at).map_err(|_| shape())?;
        Ok(ConcurrencyAt { at, most: most.parse().map_err(|_| shape())? })
    }
}

/// The wait that a 429 asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RetryAfter {
    /// Always this many seconds.
    Seconds(f64),
    /// Whole seconds until there is room, where the limit is one that knows.
    Auto,
}

impl FromStr for RetryAfter {
    type Err = String;

    fn from_str(text: &str) -> Result<RetryAfter, String> {
        if text == "auto" {
            return Ok(RetryAfter::Auto);
        }
        match text.parse::<f64>() {
            Ok(seconds) if Duration::try_from_secs_f64(seconds).is_ok() => {
                Ok(RetryAfter::Seconds(seconds))
            }
            _ => Err(format!("`{text}` is neither seconds nor `auto`")),
        }
    }
}

/// How a limit per minute is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Window {
    /// A bucket that fills evenly.
    #[default]
    Bucket,
    /// All of it at the start of each minute since the start.
    Fixed,
}

impl FromStr for Window {
    type Err = String;

    fn from_str(text: &str) -> Result<Window, String> {
        match text {
            "bucket" => Ok(Window::Bucket),
            "fixed" => Ok(Window::Fixed),
            _ => Err(format!("`{text}` is neither `bucket` nor `fixed`")),
        }
    }
}

/// What is left of a limit per minute, as its headers give it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RemainingLimit {
    pub(crate) limit: u64,
    pub(crate) remaining: u64,
    /// Until all of it is there again.
    pub(crate) reset: Duration,
}

/// What is left of both.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct RemainingLimits {
    pub(crate) requests: Option<RemainingLimit>,
    pub(crate) tokens: Option<RemainingLimit>,
}

/// Why a call is not let in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Refusal {
    Overloaded,
    Concurrency { at_once: usize, most: usize },
    Requests { room: RemainingLimit, wait: Duration },
    Tokens { room: RemainingLimit, wait: Duration, wanted: u64 },
}

/// A limit per minute, counted as a token bucket or in windows.
#[derive(Debug)]
struct Meter {
    per_minute: f64,
    count: Count,
}

#[derive(Debug)]
enum Count {
    Bucket {
        depth: f64,
        /// Below 0 is a debt.
        level: f64,
        /// The level of a bucket that holds a whole minute: what headers tell, whatever the burst.
        minute: f64,
        at: Duration,
    },
    Fixed {
        minute: u64,
        used: f64,
    },
}

impl Meter {
    fn new(per_minute: u64, burst_s: f64, window: Window) -> Meter {
        let per_minute = per_minute as f64;
        // A bucket that cannot hold one ask would never let one in.
        let depth = (per_minute / 60.0 * burst_s).max(1.0);
        let count = match window {
            Window::Bucket => {
                Count::Bucket { depth, level: depth, minute: per_minute, at: Duration::ZERO }
            }
            Window::Fixed => Count::Fixed { minute: 0, used: 0.0 },
        };
        Meter { per_minute, count }
    }

    fn turn(&mut self, now: Duration) {
        match &mut self.count {
            Count::Bucket { depth, level, minute, at } => {
                let more = now.saturating_sub(*at).as_secs_f64() * self.per_minute / 60.0;
                *level = (*level + more).min(*depth);
                *minute = (*minute + more).min(self.per_minute);
                *at = now.max(*at);
            }
            Count::Fixed { minute, used } => {
                let current = now.as_secs() / MINUTE.as_secs();
                if current > *minute {
                    (*minute, *used) = (current, 0.0);
                }
            }
        }
    }

    /// Returns how long it is until `wanted` may be had; `None` where it may be had now.
    fn wait(&mut self, now: Duration, wanted: f64) -> Option<Duration> {
        self.turn(now);
        match &self.count {
            Count::Bucket { depth, level, .. } => {
                // Who wants more than the bucket holds gets it from a full one.
                let lacking = wanted.min(*depth) - level;
                // Less than a millionth is rounding.
                (lacking > 1e-6).then(|| span(lacking * 60.0 / self.per_minute))
            }
            Count::Fixed { minute, used } => (used + wanted.min(self.per_minute) > self.per_minute)
                .then(|| (MINUTE * (*minute as u32 + 1)).saturating_sub(now)),
        }
    }

    fn take(&mut self, now: Duration, amount: f64) {
        self.turn(now);
        match &mut self.count {
            Count::Bucket { level, minute, .. } => {
                *level -= amount;
                *minute -= amount;
            }
            Count::Fixed { used, .. } => *used += amount,
        }
    }

    fn room(&mut self, now: Duration) -> RemainingLimit {
        self.turn(now);
        let (remaining, reset) = match &self.count {
            Count::Bucket { minute, .. } => {
                (*minute, span((self.per_minute - minute) * 60.0 / self.per_minute))
            }
            Count::Fixed { minute, used } => {
                let end = MINUTE * (*minute as u32 + 1);
                (self.per_minute - used, end.saturating_sub(now))
            }
        };
        let remaining = remaining.max(0.0) as u64;
        RemainingLimit { limit: self.per_minute as u64, remaining, reset }
    }
}

fn span(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}

/// Every limit of a service, and what is in use of them.
#[derive(Debug)]
pub(crate) struct Limits {
    /// Calls that were let in and have not ended.
    working: usize,
    overload_max: Option<usize>,
    concurrency_max: Option<usize>,
    concurrency_at: Vec<ConcurrencyAt>,
    requests: Option<Meter>,
    tokens: Option<Meter>,
}

impl Limits {
    pub(crate) fn new(settings: &MockSettings) -> Limits {
        let mut concurrency_at = settings.concurrency_at.clone();
        concurrency_at.sort_by_key(|change| change.at);
        let burst_s = settings.burst_s.unwrap_or(MINUTE.as_secs_f64());
        let meter =
            |limit: Option<u64>| limit.map(|limit| Meter::new(limit, burst_s, settings.window));
        Limits {
            working: 0,
            overload_max: settings.overload_max,
            concurrency_max: settings.concurrency_max,
            concurrency_at,
            requests: meter(settings.rpm),
            tokens: meter(settings.tpm),
        }
    }

    /// Lets a call in and charges for it, or says why not; who was refused is not charged.
    pub(crate) fn admit(&mut self, now: Duration, tokens_in: u64) -> Result<(), Refusal> {
        let at_once = self.working + 1;
        if self.overload_max.is_some_and(|most| at_once > most) {
            return Err(Refusal::Overloaded);
        }
        let changed = self.concurrency_at.iter().rfind(|change| change.at <= now);
        let most = changed.map(|change| change.most).or(self.concurrency_max);
        if let Some(most) = most.filter(|most| at_once > *most) {
            return Err(Refusal::Concurrency { at_once, most });
        }
        if let Some(meter) = &mut self.requests
            && let Some(wait) = meter.wait(now, 1.0)
        {
            return Err(Refusal::Requests { room: meter.room(now), wait });
        }
        if let Some(meter) = &mut self.tokens
            && let Some(wait) = meter.wait(now, tokens_in as f64)
        {
            return Err(Refusal::Tokens { room: meter.room(now), wait, wanted: tokens_in });
        }
        self.working = at_once;
        if let Some(meter) = &mut self.requests {
            meter.take(now, 1.0);
        }
        self.spent(now, tokens_in);
        Ok(())
    }

    /// Charges tokens that could not be known when the call was let in.
    pub(crate) fn spent(&mut self, now: Duration, tokens: u64) {
        if let Some(meter) = &mut self.tokens {
            meter.take(now, tokens as f64);
        }
    }

    /// Takes out a call that was let in.
    pub(crate) fn ended(&mut self) {
        self.working -= 1;
    }

    pub(crate) fn rooms(&mut self, now: Duration) -> RemainingLimits {
        let room = |meter: &mut Option<Meter>| meter.as_mut().map(|meter| meter.room(now));
        RemainingLimits { requests: room(&mut self.requests), tokens: room(&mut self.tokens) }
    }
}

#[cfg(test)]
mod tests;
