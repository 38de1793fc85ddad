//! Counts of whole numbers by their size, in little memory however many there are.

/// Bits of a number that are kept: below twice this many every number is its own bucket, above, a
/// bucket is at most 1/64 of its numbers wide.
const BITS: u32 = 6;
const PER_OCTAVE: u64 = 1 << BITS;

/// Counts of whole numbers. A quantile of it is off by less than 0.8 %, and exact below 128; it
/// takes 30 KiB at most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

impl Histogram {
    /// Adds one value to its bucket.
    pub fn add(&mut self, number: u64) {
        let at = bucket(number);
        if self.buckets.len() <= at {
            self.buckets.resize(at + 1, 0);
        }
        self.buckets[at] += 1;
        self.count += 1;
        self.max = self.max.max(number);
    }

    /// Returns how many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns the largest, exactly.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.max
    }

    /// Returns the number that a share of all, from 0 to 1, does not exceed; `None` of none.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let wanted = ((self.count as f64 * share).ceil() as u64).clamp(1, self.count.max(1));
        if wanted == self.count {
            return Some(self.max);
        }
        let mut seen = 0;
        for (at, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                let (first, last) = (first_of(at), first_of(at + 1) - 1);
                return Some((first + (last - first) / 2).min(self.max));
            }
        }
        None
    }

    /// Returns how many there are in each of these ranges: below the first bound, from each bound
    /// to the next, from the last on. A bound is met as closely as a quantile.
    #[must_use]
    pub fn between(&self, bounds: &[u64]) -> Vec<u64> {
        let mut counts = vec![0; bounds.len() + 1];
        for (at, count) in self.buckets.iter().enumerate() {
            counts[bounds.partition_point(|bound| *bound <= first_of(at))] += count;
        }
        counts
    }
}

fn bucket(number: u64) -> usize {
    let octave = u64::BITS.saturating_sub(number.leading_zeros() + BITS + 1);
    (u64::from(octave) * PER_OCTAVE + (number >> octave)) as usize
}

/// The smallest number of a bucket.
fn first_of(at: usize) -> u64 {
    let at = at as u64;
    match at / PER_OCTAVE {
        0 | 1 => at,
        octave => (PER_OCTAVE + at % PER_OCTAVE).saturating_mul(1 << (octave - 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_in_the_bucket_that_begins_with_it_or_below() {
        for number in (0..5_000).chain([99_999, 1 << 40, (1 << 40) - 1, u64::MAX / 2]) {
            let at = bucket(number);
            assert!(first_of(at) <= number && number < first_of(at + 1), "{number} in {at}");
        }
    }

    #[test]
    fn quantiles_are_off_by_less_than_eight_in_a_thousand() {
        let mut histogram = Histogram::default();
        (1..=100_000).for_each(|number| histogram.add(number));
        for (share, exact) in [(0.5, 50_000.0), (0.9, 90_000.0), (0.99, 99_000.0)] {
            let found = histogram.quantile(share).unwrap() as f64;
            assert!((found - exact).abs() / exact < 0.008, "{share}: {found}");
        }
        assert_eq!((histogram.max(), histogram.count()), (100_000, 100_000));
        assert_eq!(histogram.quantile(1.0), Some(100_000), "the largest is exact");
        assert_eq!(Histogram::default().quantile(0.5), None);
    }

    #[test]
    fn few_and_small_numbers_are_exact() {
        let mut histogram = Histogram::default();
        [3, 1, 2].into_iter().for_each(|number| histogram.add(number));
        assert_eq!([0.0, 0.5, 1.0].map(|share| histogram.quantile(share).unwrap()), [1, 2, 3]);
        assert_eq!(histogram.between(&[2, 3]), [1, 1, 1]);
    }

    #[test]
    fn it_takes_no_more_memory_than_it_says() {
        let mut histogram = Histogram::default();
        histogram.add(u64::MAX / 2);
        assert!(histogram.buckets.len() * 8 <= 30 * 1024);
    }
}
