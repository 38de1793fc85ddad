//! Plays a service: admits, refuses, queues, and says what it says.
//!
//! Times are microseconds since the beginning.

use std::collections::VecDeque;
use std::time::Duration;

use crate::service::{Latency, Limit, Service};

/// A simulated time or span, in microseconds.
pub(crate) type Us = u64;
/// An ask, by its number.
pub(crate) type AskIndex = u32;

/// The whole of an allowance as the headers show it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) limit: f64,
    pub(crate) remaining: f64,
    /// Until it is whole again.
    pub(crate) reset: Duration,
}

/// What the rate headers of a reply say.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Headers {
    pub(crate) requests: Option<Window>,
    pub(crate) tokens: Option<Window>,
}

/// What becomes of an ask that arrives.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Admission {
    /// It ends at this moment, well or with a reset.
    Works {
        until: Us,
        ends: Ending,
    },
    Queued,
    Refused {
        wait: Option<Duration>,
        named: Option<u32>,
    },
    Overloaded,
    Reset,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Ending {
    Answered { tokens: f64 },
    Reset,
}

/// Whether an ask would be admitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Room {
    Now,
    /// Not before this moment, or before something ends.
    At(Us),
    /// Not before something ends.
    WhenDone,
}

/// A limit's own counter: the level of a bucket, or what this minute has had.
#[derive(Debug)]
struct Counter {
    limit: Limit,
    level: f64,
    /// A minute's bucket, for the headers.
    shown: f64,
    at: Us,
}

#[derive(Debug)]
pub(crate) struct Server<'a> {
    service: &'a Service,
    random: fastrand::Rng,
    /// Draws random refusals, which are no part of what every sender gets alike.
    chance: fastrand::Rng,
    counters: Vec<Counter>,
    in_service: u32,
    queue: VecDeque<AskIndex>,
}

impl<'a> Server<'a> {
    pub(crate) fn new(service: &'a Service, seed: u64) -> Server<'a> {
        let counters = service.limits.iter().map(|limit| Counter::new(*limit)).collect();
        Server {
            service,
            // Latencies are drawn in the order of beginning, so that every sender gets the same.
            random: fastrand::Rng::with_seed(seed),
            chance: fastrand::Rng::with_seed(seed.rotate_left(32)),
            counters,
            in_service: 0,
            queue: VecDeque::new(),
        }
    }

    /// Takes an ask that arrives.
    pub(crate) fn arrives(&mut self, now: Us, ask: AskIndex) -> Admission {
        if self.dead_until(now).is_some() {
            return Admission::Reset;
        }
        if self.chance.f64() < self.service.trouble.refused {
            let wait = self.service.says.retry_after.then_some(CHANCE_WAIT);
            return Admission::Refused { wait, named: None };
        }
        if self.service.trouble.overloaded > 0.0
            && self.chance.f64() < self.service.trouble.overloaded
        {
            return Admission::Overloaded;
        }
        let input = self.service.tokens.input;
        self.counters.iter_mut().for_each(|counter| counter.refill(now));
        if let Some(full) = self.counters.iter().find(|c| !c.has_room(now, self.in_service, input))
        {
            if matches!(full.limit, Limit::Overload(_)) {
                return Admission::Overloaded;
            }
            let named = full.at_once(now).filter(|_| self.service.says.names_limit);
            let wait = full.wait(now).filter(|_| self.service.says.retry_after);
            return Admission::Refused { wait, named };
        }
        self.counters.iter_mut().for_each(|counter| counter.take(1.0, input));
        let slots = self.service.limits.iter().find_map(|limit| match limit {
            Limit::Slots(slots) => Some(*slots),
            _ => None,
        });
        if slots.is_some_and(|slots| self.in_service >= slots) {
            self.queue.push_back(ask);
            return Admission::Queued;
        }
        let (until, ends) = self.begin(now);
        Admission::Works { until, ends }
    }

    /// Takes the end of an ask; returns the next from the queue, which begins.
    pub(crate) fn ends(&mut self, now: Us, ending: Ending) -> Option<(AskIndex, Us, Ending)> {
        self.in_service -= 1;
        if let Ending::Answered { tokens } = ending {
            let output = tokens - self.service.tokens.input;
            self.counters.iter_mut().for_each(|counter| counter.take(0.0, output));
        }
        let next = self.queue.pop_front()?;
        let (until, ends) = self.begin(now);
        Some((next, until, ends))
    }

    /// What the headers say now.
    pub(crate) fn headers(&mut self, now: Us) -> Option<Headers> {
        if !self.service.says.headers {
            return None;
        }
        let mut headers = Headers::default();
        for counter in &mut self.counters {
            counter.refill(now);
            match counter.limit {
                Limit::Requests { per_minute, .. } => {
                    headers.requests = Some(counter.window(per_minute));
                }
                Limit::Tokens { per_minute, .. } => {
                    headers.tokens = Some(counter.window(per_minute));
                }
                Limit::Window { limit, .. } => {
                    let remaining = counter.level.floor();
                    let reset = counter.wait(now).unwrap_or_default();
                    headers.requests = Some(Window { limit, remaining, reset });
                }
                _ => {}
            }
        }
        Some(headers)
    }

    /// Whether an ask more would be admitted if it arrived now, after those on the way to it.
    pub(crate) fn room(&mut self, now: Us, on_the_way: u32) -> Room {
        if let Some(until) = self.dead_until(now) {
            return Room::At(until);
        }
        let input = self.service.tokens.input;
        let (held, waits) = (self.in_service + on_the_way, self.queue.len());
        let mut at = None;
        for counter in &mut self.counters {
            counter.refill(now);
            match counter.room(now, held, f64::from(on_the_way), input) {
                Room::Now => {}
                Room::At(when) => at = at.max(Some(when)),
                Room::WhenDone => {
                    return counter.change_after(now).map_or(Room::WhenDone, Room::At);
                }
            }
        }
        match at {
            Some(at) => Room::At(at),
            None if waits > 0 => Room::WhenDone,
            None => Room::Now,
        }
    }

    fn dead_until(&self, now: Us) -> Option<Us> {
        let (from, to) = self.service.trouble.dead_s?;
        (us(from)..us(to)).contains(&now).then(|| us(to))
    }

    /// Begins to work on an ask: until when, and how it ends.
    fn begin(&mut self, now: Us) -> (Us, Ending) {
        let knee = self.service.limits.iter().find_map(|limit| match limit {
            Limit::Knee(knee) => Some(1.0 + f64::from(self.in_service) / f64::from(*knee)),
            _ => None,
        });
        self.in_service += 1;
        let tokens = self.service.tokens;
        let output = tokens.output_median * (tokens.sigma * normal(&mut self.random)).exp();
        let takes_s = self.takes_s(now, output) * knee.unwrap_or(1.0);
        let (is_reset, share) = (self.random.f64(), self.random.f64());
        if is_reset < self.service.trouble.resets {
            return self.cut_by_death(now, now + us(takes_s * share), Ending::Reset);
        }
        let ends = Ending::Answered { tokens: tokens.input + output };
        self.cut_by_death(now, now + us(takes_s), ends)
    }

    fn cut_by_death(&self, now: Us, until: Us, ends: Ending) -> (Us, Ending) {
        match self.service.trouble.dead_s {
            Some((from, _)) if now < us(from) && us(from) <= until => (us(from), Ending::Reset),
            _ => (until, ends),
        }
    }

    fn takes_s(&mut self, now: Us, output: f64) -> f64 {
        let random = &mut self.random;
        match self.service.latency {
            Latency::Exact(seconds) => seconds,
            Latency::Uniform(least, most) => least + (most - least) * random.f64(),
            Latency::LogNormal { median_s, sigma } => median_s * (sigma * normal(random)).exp(),
            Latency::Swelling { median_s, sigma, period_s, times } => {
                let swollen = (now as f64 / 1e6 / period_s) as u64 % 2 == 1;
                let times = if swollen { times } else { 1.0 };
                times * median_s * (sigma * normal(random)).exp()
            }
            Latency::Tokens { base_s, per_second } => base_s + output / per_second,
        }
    }
}

impl Counter {
    fn new(limit: Limit) -> Counter {
        let (level, shown) = match limit {
            Limit::Requests { per_minute, burst_s } | Limit::Tokens { per_minute, burst_s } => {
                (per_minute / 60.0 * burst_s, per_minute)
            }
            Limit::Window { limit, .. } => (limit, limit),
            _ => (0.0, 0.0),
        };
        Counter { limit, level, shown, at: 0 }
    }

    fn refill(&mut self, now: Us) {
        let seconds = (now - self.at) as f64 / 1e6;
        match self.limit {
            Limit::Requests { per_minute, burst_s } | Limit::Tokens { per_minute, burst_s } => {
                let more = per_minute / 60.0 * seconds;
                self.level = (self.level + more).min(per_minute / 60.0 * burst_s);
                self.shown = (self.shown + more).min(per_minute);
            }
            Limit::Window { limit, seconds } if now / us(seconds) > self.at / us(seconds) => {
                self.level = limit;
            }
            _ => {}
        }
        self.at = now;
    }

    fn take(&mut self, requests: f64, tokens: f64) {
        let taken = if matches!(self.limit, Limit::Tokens { .. }) { tokens } else { requests };
        self.level -= taken;
        self.shown -= taken;
    }

    /// How many at once are allowed at `now`, where that is what is limited.
    fn at_once(&self, now: Us) -> Option<u32> {
        let Limit::AtOnce(schedule) = self.limit else { return None };
        schedule.iter().rev().find(|(from_s, _)| us(*from_s) <= now).map(|(_, limit)| *limit)
    }

    fn change_after(&self, now: Us) -> Option<Us> {
        let Limit::AtOnce(schedule) = self.limit else { return None };
        schedule.iter().map(|(from_s, _)| us(*from_s)).find(|from| *from > now)
    }

    /// Returns true if an ask is admitted that finds `held` others at work.
    fn has_room(&self, now: Us, held: u32, input: f64) -> bool {
        match self.limit {
            Limit::AtOnce(_) => self.at_once(now).is_none_or(|limit| held < limit),
            Limit::Overload(limit) => held < limit,
            Limit::Slots(_) | Limit::Knee(_) => true,
            Limit::Requests { .. } | Limit::Window { .. } => self.level >= 1.0,
            Limit::Tokens { .. } => self.level >= input,
        }
    }

    /// The same for a sender who sees everything, and does not fill queues.
    fn room(&self, now: Us, held: u32, on_the_way: f64, input: f64) -> Room {
        let wanted = match self.limit {
            Limit::Slots(slots) if held >= slots => return Room::WhenDone,
            Limit::Knee(knee) if held >= KNEES * knee => return Room::WhenDone,
            Limit::Requests { .. } | Limit::Window { .. } => 1.0 + on_the_way,
            Limit::Tokens { .. } => input * (1.0 + on_the_way),
            _ if self.has_room(now, held, input) => return Room::Now,
            _ => return Room::WhenDone,
        };
        if self.level >= wanted { Room::Now } else { Room::At(self.has_at(now, wanted)) }
    }

    /// When the level is high enough; one that has none is always.
    fn has_at(&self, now: Us, wanted: f64) -> Us {
        match self.limit {
            Limit::Requests { per_minute, .. } | Limit::Tokens { per_minute, .. } => {
                now + us((wanted - self.level) / (per_minute / 60.0)) + 1
            }
            Limit::Window { seconds, .. } => (now / us(seconds) + 1) * us(seconds),
            _ => now,
        }
    }

    /// Retry-After, in whole seconds as the header has it.
    fn wait(&self, now: Us) -> Option<Duration> {
        match self.limit {
            Limit::Requests { .. } | Limit::Window { .. } => {
                let wait_s = (self.has_at(now, 1.0) - now) as f64 / 1e6;
                Some(Duration::from_secs(wait_s.ceil() as u64))
            }
            _ => None,
        }
    }

    fn window(&self, per_minute: f64) -> Window {
        let missing = per_minute - self.shown;
        Window {
            limit: per_minute,
            remaining: self.shown.max(0.0).floor(),
            reset: Duration::from_secs_f64((missing / (per_minute / 60.0)).max(0.0)),
        }
    }
}

/// The `Retry-After` of a random refusal.
const CHANCE_WAIT: Duration = Duration::from_secs(1);

/// The concurrency of an all-knowing sender, in knees of the service: 80 % of what can be had at
/// all, for five times the latency of an idle service.
const KNEES: u32 = 4;

/// Returns seconds as microseconds.
pub(crate) fn us(seconds: f64) -> Us {
    (seconds * 1e6).round() as Us
}

/// Draws from a normal distribution (Box and Muller).
pub(crate) fn normal(random: &mut fastrand::Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.f64()).cos()
}
