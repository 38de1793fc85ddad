//! How long a failed ask waits before it is tried again.
//!
//! Jitter comes from a hash of seed, question and attempt, so that a run of the simulator is a
//! function of its seed.

use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// How often a question may fail while others succeed before it is given up. Two, as in most
/// SDKs, are far too few for a night; eight reach over two minutes.
pub const TRANSIENT_RETRIES_MAX: u32 = 8;

/// How often a question may be refused because there is too much to do, while others are answered,
/// before it is given up: what the service says may be about this question. One in a hundred is
/// usual; with one in ten refused it is one question in ten billion.
pub const THROTTLES_MAX: u32 = 10;
/// Answers to other questions that must have come meanwhile.
pub const THROTTLED_OTHERS_MIN: u64 = 30;

/// The longest wait between two tries of one question while others succeed.
pub const BACKOFF_WAIT_MAX: Duration = Duration::from_secs(60);

/// The longest wait a service may ask for; a longer one ends the run, which says when to return.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(10 * 60);

/// Returns the wait after a question's `failures`-th failure (from 1): 1 s, 2 s, 4 s and so on to
/// [`BACKOFF_WAIT_MAX`], each ±20 %.
#[must_use]
pub(crate) fn backoff_wait(seed: u64, question: u32, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let wait = Duration::from_secs(1u64 << doublings).min(BACKOFF_WAIT_MAX);
    jittered(seed, question, failures, wait)
}

/// Returns `wait` ±20 %.
#[must_use]
pub(crate) fn jittered(seed: u64, question: u32, attempt: u32, wait: Duration) -> Duration {
    let hash = xxh3_64_with_seed(&[question.to_le_bytes(), attempt.to_le_bytes()].concat(), seed);
    let share = (hash >> 11) as f64 / (1u64 << 53) as f64;
    wait.mul_f64(0.8 + 0.4 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_a_second_to_a_minute() {
        for (failures, seconds) in [(1, 1.0), (2, 2.0), (3, 4.0), (6, 32.0), (7, 60.0), (40, 60.0)]
        {
            let wait = backoff_wait(7, 3, failures).as_secs_f64();
            assert!((seconds * 0.8..=seconds * 1.2).contains(&wait), "{failures}: {wait}");
        }
    }

    #[test]
    fn the_same_seed_waits_the_same_and_questions_differ() {
        assert_eq!(backoff_wait(1, 2, 3), backoff_wait(1, 2, 3));
        assert_ne!(backoff_wait(1, 2, 3), backoff_wait(1, 4, 3));
    }
}
