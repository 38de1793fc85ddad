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
/// Where the 99th percentile is not known, the least number of answers of which the slowest tells
/// anything, its multiple, and a time in which even a long line of thought comes to its end: what is
/// dropped is paid for twice where it was only slow.
const ANSWERS_FEW: u64 = 10;
const TIMES_SLOWEST_OF_FEW: u32 = 20;
const STALL_TIMEOUT_OF_FEW: Duration = Duration::from_secs(10 * 60);
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
    pub(crate) fn percentile_99(&self) -> Option<Duration> {
        self.percentile_99_with(std::iter::empty())
    }

    /// The same, with those that are still waited for as slower than they have been waited for: the
    /// hard questions of a young run are all among them. Unknown where they alone are more than one
    /// in a hundred.
    fn percentile_99_with(&self, waits: impl Iterator<Item = Duration>) -> Option<Duration> {
        if self.count < ANSWERS_MIN {
            return None;
        }
        let mut bucket = BUCKETS;
        let mut slower = 0;
        while (slower + self.buckets[bucket - 1]) * 100 <= self.count {
            bucket -= 1;
            slower += self.buckets[bucket];
        }
        let waits: Vec<Duration> =
            waits.take_while(|wait| *wait > bucket_end(bucket - 1)).collect();
        let all = self.count + waits.len() as u64;
        let is_slowest = |bucket: usize| {
            let out = waits.iter().filter(|wait| **wait > bucket_end(bucket)).count() as u64;
            let slower: u64 = self.buckets[bucket + 1..].iter().sum();
            (slower + out) * 100 <= all
        };
        let last = self.buckets.iter().rposition(|&count| count > 0)?;
        (bucket - 1..=last).find(|&bucket| is_slowest(bucket)).map(bucket_end)
    }

    /// Returns how long an ask of which nothing has come is waited for, once enough is known;
    /// `waits` are those of all of which nothing has come, the longest first.
    #[must_use]
    pub(crate) fn stall_timeout(&self, waits: impl Iterator<Item = Duration>) -> Option<Duration> {
        if self.count < ANSWERS_FEW {
            return None;
        }
        Some(match self.percentile_99_with(waits) {
            Some(usual) => (usual * TIMES).max(self.slowest * TIMES_SLOWEST).max(STALL_TIMEOUT_MIN),
            None => (self.slowest * TIMES_SLOWEST_OF_FEW).max(STALL_TIMEOUT_OF_FEW),
        })
    }
}

/// What the answers of a bucket took at most.
fn bucket_end(bucket: usize) -> Duration {
    let ms = ((bucket + 1) as f64 / f64::from(BUCKETS_PER_OCTAVE)).exp2();
    // Whole milliseconds, as moments are: an alarm for this must not come before it.
    Duration::from_millis(ms as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(answers: impl Iterator<Item = u64>, waits: &[u64]) -> Option<Duration> {
        let mut latency = Latency::default();
        answers.for_each(|ms| latency.answered(Duration::from_millis(ms)));
        latency.stall_timeout(waits.iter().map(|ms| Duration::from_millis(*ms)))
    }

    fn after(answers: impl Iterator<Item = u64>) -> Option<Duration> {
        with(answers, &[])
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
    fn of_few_answers_twenty_times_the_slowest_and_never_within_ten_minutes() {
        assert_eq!(after((0..9).map(|_| 5)), None);
        assert_eq!(after((0..10).map(|_| 5)), Some(STALL_TIMEOUT_OF_FEW));
        let slow = after((0..99).map(|n| if n == 50 { 40_000 } else { 4_000 }));
        assert_eq!(slow, Some(Duration::from_secs(800)));
        assert_eq!(after((0..100).map(|_| 5)), Some(STALL_TIMEOUT_MIN));
    }

    #[test]
    fn while_more_than_one_in_a_hundred_are_waited_for_as_long_none_of_them_is_hung() {
        let quick = || (0..500).map(|_| 400);
        assert_eq!(with(quick(), &[60_000; 5]), Some(STALL_TIMEOUT_MIN));
        assert_eq!(with(quick(), &[60_000; 6]), Some(STALL_TIMEOUT_OF_FEW));
        assert_eq!(with(quick(), &[400; 64]), Some(STALL_TIMEOUT_MIN), "they are on time");
        let hard = || (0..500).map(|n| if n % 50 == 0 { 75_000 } else { 400 });
        let known = with(hard(), &[80_000; 3]).unwrap();
        assert!((750..900).contains(&known.as_secs()), "{known:?}");
    }

    #[test]
    fn an_ask_on_its_way_counts_as_slower_than_it_has_been_waited_for() {
        let spread = || (1..=1000_u64).map(|n| n * 100);
        let (alone, others) = (with(spread(), &[]).unwrap(), with(spread(), &[99_500; 4]).unwrap());
        assert!(alone <= others, "{alone:?} {others:?}");
    }
}
