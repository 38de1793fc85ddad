//! The user's own limits a minute: asks and tokens.
//!
//! No 60 seconds hold more asks than the limit, retries and earlier runs included. Within the
//! minute asks are spread, because many services keep a limit a minute by the second.

use std::collections::VecDeque;
use std::time::Duration;

use crate::planted::{PlantedBug, planted};
use crate::time::Time;

/// A window as the service sees it: one second more than a minute, because what is sent a minute
/// apart may arrive closer together.
const WINDOW_MS: i64 = 61_000;
/// What was not sent in time may be sent at once, up to this part of a minute's share.
const BURST_MS: f64 = 1_000.0;
/// Asks are caught up on only where a timer was late, or where so many go that a service can hardly
/// keep them apart; it may keep the limit to the ask.
const LATE_MS: f64 = 50.0;
const CLOSE_MS: f64 = 125.0;
/// No more than this part of the limit is kept back for answers longer than usual.
const MARGIN_SHARE: f64 = 0.25;
/// The latest answers from which the tokens of the next ones are predicted.
const REMEMBERED: usize = 500;
/// The standard deviations of their sum that are kept in reserve.
const DEVIATIONS: f64 = 3.0;

/// Limits of one minute; absent where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MinuteLimits {
    /// Asks, at least 1.
    pub asks: Option<u32>,
    /// Tokens in and out together, at least 1.
    pub tokens: Option<u64>,
}

/// An ask of an earlier run that may still count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EarlierAsk {
    /// When it was sent.
    pub sent_unix_ms: i64,
    /// When it came back.
    pub back_unix_ms: i64,
    /// What it took, where counted; 0 where it was refused.
    pub tokens: Option<u64>,
}

/// Limits on requests and tokens in any 60 seconds, over all asks and earlier runs.
#[derive(Debug, Clone)]
pub struct SlidingWindowLimit {
    limits: MinuteLimits,
    /// Sent: when, by the monotonic clock; before the run's start below zero.
    sent: VecDeque<i64>,
    /// Come back: when, and tokens.
    taken: VecDeque<(i64, u64)>,
    /// The sum of `taken`.
    taken_tokens: u64,
    /// Asks in flight, whose tokens are not known yet.
    on_the_way: u32,
    /// The last answers' tokens, their sum and the sum of their squares.
    last: VecDeque<u64>,
    sum: f64,
    squares: f64,
    largest: u64,
    /// When the next ask is due if they are spread evenly.
    due_ms: f64,
    /// The same for tokens.
    tokens_due_ms: f64,
}

impl SlidingWindowLimit {
    /// Starts with nothing sent.
    #[must_use]
    pub fn new(limits: MinuteLimits) -> SlidingWindowLimit {
        SlidingWindowLimit {
            limits,
            sent: VecDeque::new(),
            taken: VecDeque::new(),
            taken_tokens: 0,
            on_the_way: 0,
            last: VecDeque::new(),
            sum: 0.0,
            squares: 0.0,
            largest: 0,
            due_ms: f64::NEG_INFINITY,
            tokens_due_ms: f64::NEG_INFINITY,
        }
    }

    /// Takes the asks of earlier runs. Where the last one was killed it is not known what it had
    /// sent: then the minute before `now` is taken as full.
    pub fn restore(&mut self, now: Time, earlier: &[EarlierAsk], killed: bool) {
        if planted(PlantedBug::MinuteForgotten) {
            return;
        }
        // A stamp from the future is of a clock that was set since: it counts as just now.
        let at = |unix_ms: i64| now.monotonic_ms as i64 - (now.unix_ms - unix_ms).max(0);
        let mut sent: Vec<i64> = earlier.iter().map(|ask| at(ask.sent_unix_ms)).collect();
        let counted = earlier.iter().filter_map(|ask| ask.tokens).filter(|tokens| *tokens > 0);
        counted.for_each(|tokens| self.learn(tokens));
        let usual = self.typical_tokens();
        let mut taken: Vec<(i64, u64)> =
            earlier.iter().map(|ask| (at(ask.back_unix_ms), ask.tokens.unwrap_or(usual))).collect();
        sent.sort_unstable();
        sent.iter().for_each(|at| self.spread(*at as f64));
        // However many there were without this limit, they count for a minute.
        let a_minute_on = (now.monotonic_ms as i64 + WINDOW_MS) as f64;
        self.due_ms = self.due_ms.min(a_minute_on);
        self.tokens_due_ms = self.tokens_due_ms.min(a_minute_on);
        if killed {
            let full = self.limits.asks.unwrap_or(0) as usize;
            sent.extend(std::iter::repeat_n(now.monotonic_ms as i64, full));
            taken.extend(self.limits.tokens.map(|most| (now.monotonic_ms as i64, most)));
        }
        taken.sort_unstable();
        self.taken_tokens = taken.iter().map(|(_, tokens)| tokens).sum();
        (self.sent, self.taken) = (sent.into(), taken.into());
    }

    /// Returns how long an ask must wait at `now`; zero if it may be sent. Absent where only
    /// something that comes back can tell.
    pub fn wait(&mut self, now: Time) -> Option<Duration> {
        let (asks, tokens) = (self.asks_wait_ms(now), self.tokens_wait_ms(now)?);
        Some(Duration::from_millis(u64::try_from(asks.max(tokens)).unwrap_or(0)))
    }

    fn asks_wait_ms(&mut self, now: Time) -> i64 {
        let Some(most) = self.limits.asks else { return 0 };
        let now_ms = now.monotonic_ms as i64;
        while self.sent.front().is_some_and(|at| at + WINDOW_MS <= now_ms) {
            self.sent.pop_front();
        }
        let most = most.max(1) as usize;
        // As many may be left as fit beside one more.
        let in_the_way = (self.sent.len() + 1).saturating_sub(most);
        let full = match in_the_way {
            0 => 0,
            n => self.sent[n - 1] + WINDOW_MS - now_ms,
        };
        full.max((self.due_ms - now.monotonic_ms as f64).ceil() as i64)
    }

    fn tokens_wait_ms(&mut self, now: Time) -> Option<i64> {
        let Some(most) = self.limits.tokens else { return Some(0) };
        let now_ms = now.monotonic_ms as i64;
        while let Some(&(at, tokens)) =
            self.taken.front().filter(|(at, _)| at + WINDOW_MS <= now_ms)
        {
            debug_assert!(at <= now_ms, "what is taken came before");
            self.taken_tokens -= tokens;
            self.taken.pop_front();
        }
        let spread = (self.tokens_due_ms - BURST_MS - now.monotonic_ms as f64).ceil() as i64;
        let most = most as f64;
        let reserve = self.reserve(self.on_the_way + 1);
        if reserve > most && self.on_the_way > 0 {
            return None;
        }
        // One ask alone may be sent once the minute before it is empty: otherwise one that takes
        // more than the limit would never be.
        let room = (most - reserve).max(0.0);
        let mut left = self.taken_tokens;
        let mut wait = 0;
        for &(at, tokens) in &self.taken {
            if left as f64 <= room {
                break;
            }
            left -= tokens;
            wait = at + WINDOW_MS - now_ms;
        }
        Some(wait.max(spread))
    }

    /// Predicts the tokens of `asks` asks together: as many times the mean, and a margin for the
    /// spread of their sum and for one as large as the largest.
    fn reserve(&self, asks: u32) -> f64 {
        let most = self.limits.tokens.unwrap_or(0) as f64;
        let asks = f64::from(asks);
        if self.last.is_empty() {
            // Before the first answer each may take as much as the largest.
            return asks * most;
        }
        let count = self.last.len() as f64;
        let mean = self.sum / count;
        let deviation = (self.squares / count - mean * mean).max(0.0).sqrt();
        let margin = DEVIATIONS * deviation * asks.sqrt() + self.largest as f64 - mean;
        asks * mean + margin.min(most * MARGIN_SHARE)
    }

    /// What an answer takes as a rule; 0 before the first.
    fn typical_tokens(&self) -> u64 {
        (self.sum / self.last.len().max(1) as f64) as u64
    }

    fn learn(&mut self, tokens: u64) {
        let is_full = self.last.len() >= REMEMBERED;
        let forgotten = if is_full { self.last.pop_front() } else { None };
        self.last.push_back(tokens);
        let square = |tokens: u64| (tokens as f64) * (tokens as f64);
        let old = forgotten.map_or(0.0, |old| old as f64);
        self.sum += tokens as f64 - old;
        self.squares += square(tokens) - old * old;
        if forgotten == Some(self.largest) {
            self.largest = self.last.iter().copied().max().unwrap_or(0);
        }
        self.largest = self.largest.max(tokens);
    }

    /// Takes the sending of an ask.
    pub(crate) fn on_sent(&mut self, now: Time) {
        if self.limits.asks.is_some() {
            self.sent.push_back(now.monotonic_ms as i64);
        }
        if self.limits.tokens.is_some() {
            self.on_the_way += 1;
        }
        self.spread(now.monotonic_ms as f64);
    }

    /// Keeps the next ask apart from one that was sent then.
    fn spread(&mut self, sent_ms: f64) {
        if let Some(most) = self.limits.asks {
            let apart_ms = WINDOW_MS as f64 / f64::from(most.max(1));
            let caught_up_ms = if apart_ms < CLOSE_MS { BURST_MS } else { LATE_MS };
            let was_idle = sent_ms - self.due_ms > caught_up_ms;
            self.due_ms = if was_idle { sent_ms } else { self.due_ms } + apart_ms;
        }
        if let Some(most) = self.limits.tokens {
            // Before the first answer the reserve alone keeps asks apart.
            let mean = self.sum / self.last.len().max(1) as f64;
            let share = (mean / most.max(1) as f64).min(1.0);
            self.tokens_due_ms = self.tokens_due_ms.max(sent_ms) + share * WINDOW_MS as f64;
        }
    }

    /// Takes the return of an ask. What was not counted is taken as usual, because the service may
    /// have counted it; a refused ask takes nothing.
    pub fn on_return(&mut self, now: Time, tokens: Option<u64>, was_refused: bool) {
        if self.limits.tokens.is_none() {
            return;
        }
        self.on_the_way -= 1;
        if let Some(tokens) = tokens {
            self.learn(tokens);
        }
        if !was_refused && !planted(PlantedBug::TokensUncounted) {
            let tokens = tokens.unwrap_or(self.typical_tokens());
            self.taken_tokens += tokens;
            self.taken.push_back((now.monotonic_ms as i64, tokens));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time { monotonic_ms: ms, unix_ms: 1_000_000_000 + ms as i64 }
    }

    /// Sends whenever it may for `seconds`; each ask takes `tokens` and a second. Returns when.
    fn drive(minute: &mut SlidingWindowLimit, seconds: u64, tokens: u64) -> Vec<u64> {
        let mut sent: Vec<u64> = Vec::new();
        let mut on_its_way = VecDeque::new();
        for ms in 0..seconds * 1000 {
            while on_its_way.front().is_some_and(|&back| back <= ms) {
                on_its_way.pop_front();
                minute.on_return(at(ms), Some(tokens), false);
            }
            while minute.wait(at(ms)) == Some(Duration::ZERO) {
                minute.on_sent(at(ms));
                on_its_way.push_back(ms + 1000);
                sent.push(ms);
            }
        }
        sent
    }

    fn most_in_a_minute(sent: &[u64]) -> usize {
        let within = |from: usize| sent[from..].partition_point(|&ms| ms < sent[from] + 60_000);
        (0..sent.len()).map(within).max().unwrap_or(0)
    }

    #[test]
    fn no_minute_holds_more_asks_than_the_limit_and_nearly_as_many() {
        for most in [1, 2, 3, 60, 1000] {
            let limits = MinuteLimits { asks: Some(most), tokens: None };
            let sent = drive(&mut SlidingWindowLimit::new(limits), 400, 1);
            assert!(most_in_a_minute(&sent) <= most as usize, "{most}");
            assert!(sent.len() as f64 >= f64::from(most) * 6.0 * 0.98, "{most}: {}", sent.len());
        }
    }

    #[test]
    fn asks_are_kept_apart_from_the_first_on_and_after_a_rest() {
        let limits = MinuteLimits { asks: Some(240), tokens: None };
        let mut minute = SlidingWindowLimit::new(limits);
        let mut sent = drive(&mut minute, 10, 1);
        minute.on_sent(at(30_000));
        assert_eq!(minute.wait(at(30_001)), Some(Duration::from_millis(254)));
        minute.on_sent(at(30_300));
        assert_eq!(minute.wait(at(30_300)), Some(Duration::from_millis(209)), "it was late");
        sent.dedup_by(|later, earlier| *later - *earlier >= 250);
        assert_eq!(sent.len(), 1, "{sent:?}");
    }

    #[test]
    fn no_minute_holds_more_tokens_than_the_limit_and_most_of_them() {
        let limits = MinuteLimits { asks: None, tokens: Some(60_000) };
        let sent = drive(&mut SlidingWindowLimit::new(limits), 400, 500);
        assert!(most_in_a_minute(&sent) <= 120);
        assert!(sent.len() > 700, "{}", sent.len());
    }

    #[test]
    fn an_answer_that_takes_more_than_the_limit_is_sent_alone_and_once_a_minute() {
        let limits = MinuteLimits { asks: None, tokens: Some(1_000) };
        let sent = drive(&mut SlidingWindowLimit::new(limits), 200, 5_000);
        assert!(sent.len() >= 3, "{sent:?}");
        assert!(sent.windows(2).skip(1).all(|pair| pair[1] - pair[0] >= 61_000), "{sent:?}");
    }

    #[test]
    fn one_answer_far_longer_than_usual_does_not_slow_the_rest_for_long() {
        let limits = MinuteLimits { asks: None, tokens: Some(60_000) };
        let mut minute = SlidingWindowLimit::new(limits);
        for tokens in std::iter::repeat_n(500, 100).chain([50_000]) {
            minute.on_sent(at(0));
            minute.on_return(at(0), Some(tokens), false);
        }
        let sent = drive(&mut minute, 400, 500);
        assert!(sent.len() > 400, "{}", sent.len());
    }

    #[test]
    fn what_an_earlier_run_sent_counts() {
        let earlier: Vec<EarlierAsk> = (0..10)
            .map(|n| {
                let sent_unix_ms = at(0).unix_ms - 30_000 + n;
                EarlierAsk { sent_unix_ms, back_unix_ms: sent_unix_ms + 100, tokens: Some(100) }
            })
            .collect();
        for limits in [
            MinuteLimits { asks: Some(10), tokens: None },
            MinuteLimits { asks: None, tokens: Some(1_000) },
        ] {
            let mut minute = SlidingWindowLimit::new(limits);
            minute.restore(at(0), &earlier, false);
            let wait = minute.wait(at(0)).unwrap().as_millis();
            assert!((31_000..31_200).contains(&wait), "{limits:?}: {wait}");
            let mut minute = SlidingWindowLimit::new(limits);
            minute.restore(at(0), &earlier, true);
            let wait = minute.wait(at(0)).unwrap();
            assert!(wait >= Duration::from_secs(31), "{limits:?}: {wait:?}");
        }
    }

    /// Runs one after the other, each of so many asks that take 300 ms and `tokens`, half a second apart,
    /// in which whatever the last minute had is taken over. Returns when asks were sent.
    fn in_turns(limits: MinuteLimits, asks: &[u8], tokens: u64) -> Vec<u64> {
        let (mut ms, mut earlier) = (0, Vec::<EarlierAsk>::new());
        for asks in asks {
            let mut minute = SlidingWindowLimit::new(limits);
            minute.restore(at(ms), &earlier, false);
            let (mut left, mut on_its_way) = (*asks, VecDeque::new());
            while left > 0 || !on_its_way.is_empty() {
                while on_its_way.front().is_some_and(|&back| back <= ms) {
                    on_its_way.pop_front();
                    minute.on_return(at(ms), Some(tokens), false);
                }
                while left > 0 && minute.wait(at(ms)) == Some(Duration::ZERO) {
                    minute.on_sent(at(ms));
                    on_its_way.push_back(ms + 300);
                    let [sent_unix_ms, back_unix_ms] = [ms, ms + 300].map(|ms| at(ms).unix_ms);
                    earlier.push(EarlierAsk { sent_unix_ms, back_unix_ms, tokens: Some(tokens) });
                    left -= 1;
                }
                ms += 10;
            }
            ms += 500;
        }
        earlier.iter().map(|ask| (ask.sent_unix_ms - at(0).unix_ms) as u64).collect()
    }

    proptest::proptest! {
        #[test]
        fn short_runs_in_turns_are_within_the_limit_of_one(
            most in 20..200_u32,
            asks in proptest::collection::vec(1..40_u8, 1..20),
        ) {
            for limits in [
                MinuteLimits { asks: Some(most), tokens: None },
                MinuteLimits { asks: None, tokens: Some(u64::from(most) * 100) },
            ] {
                let sent = in_turns(limits, &asks, 100);
                proptest::prop_assert!(most_in_a_minute(&sent) <= most as usize);
            }
        }
    }

    #[test]
    fn runs_in_turns_are_spread_and_use_nearly_all_of_the_limit() {
        let limits = MinuteLimits { asks: Some(600), tokens: None };
        let sent = in_turns(limits, &[60; 30], 1);
        let minutes = *sent.last().unwrap() as f64 / 60_000.0;
        let (most, usual) = (most_in_a_minute(&sent), 1800.0 / minutes);
        assert!((570..=600).contains(&most), "{most}");
        assert!(usual > 540.0, "{usual}");
        let in_a_second = |from: usize| sent[from..].partition_point(|&ms| ms < sent[from] + 1000);
        let burst = (0..sent.len()).map(in_a_second).max();
        assert!(burst <= Some(21), "{burst:?}");
    }

    #[test]
    fn asks_of_before_without_a_limit_hold_nothing_up_for_longer_than_a_minute() {
        let ask = EarlierAsk {
            sent_unix_ms: at(0).unix_ms - 1_000,
            back_unix_ms: at(0).unix_ms,
            tokens: Some(1_000),
        };
        let limits = MinuteLimits { asks: Some(10), tokens: Some(10_000) };
        let mut minute = SlidingWindowLimit::new(limits);
        minute.restore(at(0), &[ask; 5_000], false);
        assert_eq!(minute.wait(at(61_000)), Some(Duration::ZERO));
    }

    #[test]
    fn after_a_run_that_was_killed_the_minute_is_taken_as_full() {
        let mut minute =
            SlidingWindowLimit::new(MinuteLimits { asks: Some(10), tokens: Some(1_000) });
        minute.restore(at(0), &[], true);
        assert_eq!(minute.wait(at(0)), Some(Duration::from_secs(61)));
        assert_eq!(minute.wait(at(61_000)), Some(Duration::ZERO));
    }
}
