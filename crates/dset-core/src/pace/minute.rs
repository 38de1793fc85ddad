//! The user's own limits a minute: asks and tokens.
//!
//! No 60 seconds hold more asks than the limit, retries and earlier runs included. Within the
//! minute asks are spread, because many services keep a limit a minute by the second.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Time;

/// A window as the service sees it: one second more than a minute, because what is sent a minute
/// apart may arrive closer together.
const WINDOW_MS: i64 = 61_000;
/// What was not sent in time may be sent at once, up to so much of a minute's share.
const BURST_MS: f64 = 1_000.0;
/// Nobody knows what the first answer takes; until it has come, asks are predicted to take this
/// part of the limit.
const FIRST_SHARE: u64 = 4;
/// Of so many answers the largest predicts what the next takes.
const REMEMBERED: usize = 500;

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
pub struct Earlier {
    /// When it was sent.
    pub sent_unix_ms: i64,
    /// When it came back.
    pub back_unix_ms: i64,
    /// What it took, where counted.
    pub tokens: Option<u64>,
}

/// Keeps the limits.
#[derive(Debug, Clone)]
pub struct Minute {
    limits: MinuteLimits,
    /// Sent: when, by the monotonic clock; before the run's start below zero.
    sent: VecDeque<i64>,
    /// Come back: when, and tokens.
    taken: VecDeque<(i64, u64)>,
    /// The sum of `taken`.
    taken_tokens: u64,
    /// Predicted for what is on its way.
    reserved: u64,
    /// The last answers' tokens.
    last: VecDeque<u64>,
    /// When the next ask is due if they are spread evenly.
    due_ms: f64,
    /// The same for tokens.
    tokens_due_ms: f64,
}

impl Minute {
    /// Starts with nothing sent.
    #[must_use]
    pub fn new(limits: MinuteLimits) -> Minute {
        Minute {
            limits,
            sent: VecDeque::new(),
            taken: VecDeque::new(),
            taken_tokens: 0,
            reserved: 0,
            last: VecDeque::new(),
            due_ms: 0.0,
            tokens_due_ms: 0.0,
        }
    }

    /// Takes the asks of earlier runs. Where the last one was killed nobody knows what it had sent:
    /// then the minute before `now` is taken as full.
    pub fn recall(&mut self, now: Time, earlier: &[Earlier], killed: bool) {
        // A stamp from the future is of a clock that was set since: it counts as just now.
        let at = |unix_ms: i64| now.monotonic_ms as i64 - (now.unix_ms - unix_ms).max(0);
        let mut sent: Vec<i64> = earlier.iter().map(|ask| at(ask.sent_unix_ms)).collect();
        let mut taken: Vec<(i64, u64)> =
            earlier.iter().filter_map(|ask| Some((at(ask.back_unix_ms), ask.tokens?))).collect();
        if killed {
            let full = self.limits.asks.unwrap_or(0) as usize;
            sent.extend(std::iter::repeat_n(now.monotonic_ms as i64, full));
            taken.extend(self.limits.tokens.map(|most| (now.monotonic_ms as i64, most)));
        }
        sent.sort_unstable();
        taken.sort_unstable();
        self.last.extend(earlier.iter().rev().filter_map(|ask| ask.tokens).take(REMEMBERED));
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
        full.max((self.due_ms - BURST_MS - now.monotonic_ms as f64).ceil() as i64)
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
        let predicted = self.predicted();
        // One ask alone may always be sent, once the minute before it is empty: otherwise one that
        // takes more than the limit would never be.
        let room = most.saturating_sub(self.reserved);
        if predicted > room && self.reserved > 0 {
            return None;
        }
        let room = room.max(predicted);
        let mut left = self.taken_tokens;
        let mut wait = 0;
        for &(at, tokens) in &self.taken {
            if left + predicted <= room {
                break;
            }
            left -= tokens;
            wait = at + WINDOW_MS - now_ms;
        }
        Some(wait.max(spread))
    }

    /// Predicts what the next ask takes: the most that one of the last answers took.
    fn predicted(&self) -> u64 {
        let first = self.limits.tokens.unwrap_or(0) / FIRST_SHARE;
        self.last.iter().copied().max().unwrap_or(first).max(1)
    }

    /// Takes the sending of an ask; returns what it is predicted to take, wanted at its return.
    pub fn sent(&mut self, now: Time) -> u64 {
        let now_ms = now.monotonic_ms as f64;
        if let Some(most) = self.limits.asks {
            self.sent.push_back(now.monotonic_ms as i64);
            self.due_ms = self.due_ms.max(now_ms) + WINDOW_MS as f64 / f64::from(most.max(1));
        }
        let Some(most) = self.limits.tokens else { return 0 };
        let predicted = self.predicted();
        self.reserved += predicted;
        let mean = match self.last.len() {
            0 => predicted as f64,
            count => self.last.iter().sum::<u64>() as f64 / count as f64,
        };
        let share = (mean / most.max(1) as f64).min(1.0);
        self.tokens_due_ms = self.tokens_due_ms.max(now_ms) + share * WINDOW_MS as f64;
        predicted
    }

    /// Takes the return of an ask that was `predicted` at its sending. What was not counted is
    /// taken as predicted, because the service may have counted it.
    pub fn back(&mut self, now: Time, predicted: u64, tokens: Option<u64>, was_refused: bool) {
        if self.limits.tokens.is_none() {
            return;
        }
        self.reserved -= predicted;
        if let Some(tokens) = tokens {
            self.last.truncate(REMEMBERED - 1);
            self.last.push_front(tokens);
        }
        if was_refused {
            return;
        }
        let tokens = tokens.unwrap_or(predicted);
        self.taken_tokens += tokens;
        self.taken.push_back((now.monotonic_ms as i64, tokens));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time { monotonic_ms: ms, unix_ms: 1_000_000_000 + ms as i64 }
    }

    /// Sends whenever it may for `seconds`; each ask takes `tokens` and a second. Returns when.
    fn drive(minute: &mut Minute, seconds: u64, tokens: u64) -> Vec<u64> {
        let mut sent: Vec<u64> = Vec::new();
        let mut on_its_way = VecDeque::new();
        for ms in 0..seconds * 1000 {
            while on_its_way.front().is_some_and(|&(back, _)| back <= ms) {
                let (_, predicted) = on_its_way.pop_front().unwrap();
                minute.back(at(ms), predicted, Some(tokens), false);
            }
            while minute.wait(at(ms)) == Some(Duration::ZERO) {
                on_its_way.push_back((ms + 1000, minute.sent(at(ms))));
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
            let sent = drive(&mut Minute::new(limits), 400, 1);
            assert!(most_in_a_minute(&sent) <= most as usize, "{most}");
            assert!(sent.len() as f64 >= f64::from(most) * 6.0 * 0.98, "{most}: {}", sent.len());
        }
    }

    #[test]
    fn no_minute_holds_more_tokens_than_the_limit_and_most_of_them() {
        let limits = MinuteLimits { asks: None, tokens: Some(60_000) };
        let sent = drive(&mut Minute::new(limits), 400, 500);
        assert!(most_in_a_minute(&sent) <= 120);
        assert!(sent.len() > 700, "{}", sent.len());
    }

    #[test]
    fn an_answer_that_takes_more_than_the_limit_is_sent_alone_and_once_a_minute() {
        let limits = MinuteLimits { asks: None, tokens: Some(1_000) };
        let sent = drive(&mut Minute::new(limits), 200, 5_000);
        assert!(sent.len() >= 3, "{sent:?}");
        assert!(sent.windows(2).skip(1).all(|pair| pair[1] - pair[0] >= 61_000), "{sent:?}");
    }

    #[test]
    fn what_an_earlier_run_sent_counts() {
        let earlier: Vec<Earlier> = (0..10)
            .map(|n| {
                let sent_unix_ms = at(0).unix_ms - 30_000 + n;
                Earlier { sent_unix_ms, back_unix_ms: sent_unix_ms + 100, tokens: Some(100) }
            })
            .collect();
        for limits in [
            MinuteLimits { asks: Some(10), tokens: None },
            MinuteLimits { asks: None, tokens: Some(1_000) },
        ] {
            let mut minute = Minute::new(limits);
            minute.recall(at(0), &earlier, false);
            let wait = minute.wait(at(0)).unwrap().as_millis();
            assert!((31_000..31_200).contains(&wait), "{limits:?}: {wait}");
            let mut minute = Minute::new(limits);
            minute.recall(at(0), &earlier, true);
            let wait = minute.wait(at(0)).unwrap();
            assert!(wait >= Duration::from_secs(31), "{limits:?}: {wait:?}");
        }
    }

    #[test]
    fn after_a_run_that_was_killed_the_minute_is_taken_as_full() {
        let mut minute = Minute::new(MinuteLimits { asks: Some(10), tokens: Some(1_000) });
        minute.recall(at(0), &[], true);
        assert_eq!(minute.wait(at(0)), Some(Duration::from_secs(61)));
        assert_eq!(minute.wait(at(61_000)), Some(Duration::ZERO));
    }
}
