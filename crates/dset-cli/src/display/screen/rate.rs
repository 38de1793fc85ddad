//! How fast answers come, from the last two minutes in which any were asked for.

use std::collections::VecDeque;
use std::time::Duration;

/// A rate goes by so much of the time that was spent asking.
const WINDOW: Duration = Duration::from_secs(120);
/// Before so many have come, nothing can be told.
const ANSWERS_MIN: u64 = 5;

/// Counts answers by the second. Time is that spent asking: what is held or waits for a service
/// that is out makes no rate.
#[derive(Debug, Default)]
pub(super) struct Rate {
    now: Duration,
    /// How many came in each second, the last second first to go.
    seconds: VecDeque<(u64, u64)>,
    came: u64,
}

impl Rate {
    /// Lets time pass.
    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
        let begin = self.now.saturating_sub(WINDOW).as_secs();
        while self.seconds.front().is_some_and(|(second, _)| *second < begin) {
            self.seconds.pop_front();
        }
    }

    /// Counts an answer.
    pub(super) fn add(&mut self) {
        self.came += 1;
        let second = self.now.as_secs();
        match self.seconds.back_mut().filter(|(last, _)| *last == second) {
            Some((_, count)) => *count += 1,
            None => self.seconds.push_back((second, 1)),
        }
    }

    /// Answers a minute.
    pub(super) fn per_minute(&self) -> Option<f64> {
        let count: u64 = self.seconds.iter().map(|(_, count)| count).sum();
        let span = self.now.min(WINDOW).as_secs_f64();
        (self.came >= ANSWERS_MIN && span > 0.0).then(|| count as f64 / span * 60.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_told_from_five_answers_on_and_forgets_what_was_before_two_minutes() {
        let mut rate = Rate::default();
        for _ in 0..4 {
            rate.pass(Duration::from_secs(1));
            rate.add();
        }
        assert_eq!(rate.per_minute(), None);
        rate.pass(Duration::from_secs(1));
        rate.add();
        assert_eq!(rate.per_minute(), Some(60.0));
        for _ in 0..240 {
            rate.pass(Duration::from_millis(500));
        }
        assert_eq!(rate.per_minute(), Some(0.0 + 0.5 * f64::from(1_u8)));
        rate.pass(Duration::from_secs(1));
        assert_eq!(rate.per_minute(), Some(0.0));
    }
}
