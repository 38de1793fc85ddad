//! Tells a hung ask from a slow one by how long the run's own answers took.

use std::time::Duration;

/// The least number of answers from which the slowest is estimated.
const ANSWERS_MIN: u64 = 100;
/// An ask counts as stalled at this multiple of the 99th percentile of latency: with log-normal
/// times of sigma 1, as heavy-tailed as services' are, one answer in a million takes as long.
const TIMES: u32 = 10;
/// Nor before this multiple of the slowest answer's latency.
const TIMES_SLOWEST: u32 = 3;
/// And never before this: a service that restarts or queues comes back within a minute.
const STALL_TIMEOUT_MIN: Duration = Duration::from_secs(60);
/// Buckets an octave; an answer is known to within a quarter of its time.
const BUCKETS_PER_OCTAVE: u32 = 4;
const BUCKETS: usize = 128;

/// How long answers took, in buckets that grow by a quarter of an octave from a millisecond on.
#[derive(Debug, Clone)]
pub struct Latency {
    buckets: [u64; BUCKETS],
    count: u64,
    slowest: Duration,
}

impl Default for Latency {
    fn default() -> Latency {
        Latency { buckets: [0; BUCKETS], count: 0, slowest: Duration::ZERO }
    }
}

impl Latency {
    /// Records the latency of an answer.
    pub fn answered(&mut self, took: Duration) {
        let octaves = (took.as_millis().max(1) as f64).log2();
        let bucket = (octaves * f64::from(BUCKETS_PER_OCTAVE)) as usize;
        self.buckets[bucket.min(BUCKETS - 1)] += 1;
        self.count += 1;
        self.slowest = self.slowest.max(took);
    }

    /// Returns how long the slowest took.
    #[must_use]
    pub fn slowest(&self) -> Duration {
        self.slowest
    }

    /// Returns how long 99 of a hundred answers take at most, once enough are known.
    #[must_use]
    pub fn percentile_99(&self) -> Option<Duration> {
        if self.count < ANSWERS_MIN {
            return None;
        }
        let mut rest = self.count / 100;
        let slowest = self.buckets.iter().enumerate().rev().find(|&(_, &count)| {
            let found = count > rest;
            rest = rest.saturating_sub(count);
            found
        });
        let (bucket, _) = slowest?;
        let ms = ((bucket + 1) as f64 / f64::from(BUCKETS_PER_OCTAVE)).exp2();
        // Whole milliseconds, as moments are: an alarm for this must not come before it.
        Some(Duration::from_millis(ms as u64))
    }

    /// Returns how long an ask of which nothing has come is waited for, once enough is known.
    #[must_use]
    pub fn stall_timeout(&self) -> Option<Duration> {
        let usual = self.percentile_99()? * TIMES;
        Some(usual.max(self.slowest * TIMES_SLOWEST).max(STALL_TIMEOUT_MIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(answers: impl Iterator<Item = u64>) -> Option<Duration> {
        let mut latency = Latency::default();
        answers.for_each(|ms| latency.answered(Duration::from_millis(ms)));
        latency.stall_timeout()
    }

    #[test]
    fn an_ask_is_hung_after_ten_times_what_nearly_every_answer_took() {
        let slow = after((0..1000).map(|n| if n < 985 { 10_000 } else { 60_000 })).unwrap();
        assert!((600..=760).contains(&slow.as_secs()), "{slow:?}");
        let even = after((0..1000).map(|_| 10_000)).unwrap();
        assert!((100..=130).contains(&even.as_secs()), "{even:?}");
        let one_straggler = after((0..1000).map(|n| if n < 999 { 10_000 } else { 90_000 }));
        assert_eq!(one_straggler.unwrap().as_secs(), 270);
    }

    #[test]
    fn nothing_is_hung_within_a_minute_or_before_a_hundred_answers() {
        assert_eq!(after((0..99).map(|_| 5)), None);
        assert_eq!(after((0..100).map(|_| 5)), Some(STALL_TIMEOUT_MIN));
    }
}
