//! A limit a minute that many runs share: what of it may be granted now.
//!
//! One number says how far it is spent: the moment until which everything that was granted is paid for by
//! the time that has passed. Whoever grants keeps that number and has a clock; both are the same for all.

/// How long what was granted may be used, in microseconds.
pub const USE_US: i64 = 1_000_000;
/// What was not granted in time may be granted at once, up to this.
const BURST_US: i64 = 1_000_000;
/// A minute as the service sees it, with what may be used late and at once: in no 60 seconds is more sent
/// than the limit.
const MINUTE_US: i64 = 60_000_000 + BURST_US + USE_US;

/// A limit and how far it is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedBucket {
    per_minute: u64,
    due_us: i64,
}

impl SharedBucket {
    /// `due_us` is what [`SharedBucket::due_us`] returned the last time, 0 at first.
    #[must_use]
    pub fn new(per_minute: u64, due_us: i64) -> SharedBucket {
        SharedBucket { per_minute: per_minute.max(1), due_us }
    }

    /// Returns how many things of this size may be granted now.
    #[must_use]
    pub fn available(&self, now_us: i64, size: f64) -> u32 {
        let cost = self.cost(size).max(1);
        u32::try_from((now_us - self.from(now_us, cost)) / cost).unwrap_or(0)
    }

    /// Grants so many of this size; less than nothing gives them back.
    pub fn take(&mut self, now_us: i64, count: i64, size: f64) {
        let cost = self.cost(size);
        let from = if count > 0 { self.from(now_us, cost) } else { self.due_us };
        self.due_us = from.saturating_add(count.saturating_mul(cost));
    }

    /// Takes what things of this size have taken beside what they were granted as; less than nothing gives that back.
    pub fn correct(&mut self, now_us: i64, by: f64, size: f64) {
        // What waits for the time of one thing keeps what it has waited for.
        self.due_us = self.from(now_us, self.cost(size)).saturating_add(self.cost(by));
    }

    /// Returns what is to be kept.
    #[must_use]
    pub fn due_us(&self) -> i64 {
        self.due_us
    }

    /// How much time a thing of this size stands for; rounded so that nothing is gained.
    fn cost(&self, size: f64) -> i64 {
        (MINUTE_US as f64 / self.per_minute as f64 * size).ceil() as i64
    }

    /// What lies further back than a burst, or one thing, is lost.
    fn from(&self, now_us: i64, cost: i64) -> i64 {
        self.due_us.max(now_us - BURST_US.max(cost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Grants whatever there is every 10 ms for ten minutes; returns when each one was.
    fn drive(per_minute: u64, size: f64) -> Vec<i64> {
        let (mut due, mut granted) = (0, Vec::new());
        for now in (1_000_000_000_i64..1_600_000_000).step_by(10_000) {
            let mut bucket = SharedBucket::new(per_minute, due);
            let count = bucket.available(now, size);
            bucket.take(now, count.into(), size);
            due = bucket.due_us();
            granted.extend(std::iter::repeat_n(now, count as usize));
        }
        granted
    }

    #[test]
    fn no_minute_holds_more_than_the_limit_however_late_grants_are_used() {
        for per_minute in [1, 2, 7, 59, 60, 61, 600, 10_000] {
            let granted = drive(per_minute, 1.0);
            // Used at any time within what is allowed, sent in one minute.
            let window = 60_000_000 + USE_US;
            let most = granted
                .iter()
                .enumerate()
                .map(|(at, from)| granted[at..].partition_point(|one| one - from < window))
                .max();
            assert!(most.unwrap() <= per_minute as usize, "{most:?} of {per_minute}");
            let whole = per_minute as usize * 10;
            assert!(granted.len() * 100 >= whole * 90, "{} of {whole}", granted.len());
            if per_minute >= 60 {
                assert!(granted.len() * 100 >= whole * 95, "{} of {whole}", granted.len());
            }
        }
    }

    #[test]
    fn what_is_larger_than_a_second_of_the_limit_is_granted_all_the_same() {
        let granted = drive(6_000, 1_000.0);
        assert!((55..=60).contains(&granted.len()), "{}", granted.len());
        assert!(drive(6_000, 9_000.0).len() >= 5);
    }

    #[test]
    fn what_is_given_back_may_be_granted_again_and_a_debt_is_paid_first() {
        let mut bucket = SharedBucket::new(600, 0);
        let now = 1_000_000_000;
        let all = bucket.available(now, 1.0);
        assert!((9..=10).contains(&all), "{all}");
        bucket.take(now, all.into(), 1.0);
        assert_eq!(bucket.available(now, 1.0), 0);
        bucket.take(now, -4, 1.0);
        assert_eq!(bucket.available(now, 1.0), 4);
        bucket.take(now, 24, 1.0);
        assert_eq!(bucket.available(now + 1_000_000, 1.0), 0);
        assert_eq!(bucket.available(now + 2_500_000, 1.0), 4);
    }
}
