//! What is still to come, by what came so far: sums of many answers, as an interval.

/// Of a normal distribution, so many standard deviations on both sides hold 90 %.
const Z_90: f64 = 1.645;
/// How much wider a sample of few makes that: Student's t is about `Z_90 + T_EXTRA / (count - 1)`, within
/// 3 % from three answers on.
const T_EXTRA: f64 = 1.56;
/// How much wider it is made for each time that the standard deviation holds the mean: a sample of
/// lengths with a long tail shows too little of the tail. Found by simulation, see the test.
const TAIL: f64 = 0.15;
/// Fewer answers tell nothing of how much they differ.
pub const SAMPLE_LEAST: u64 = 5;

/// Numbers of the same kind, one an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sample {
    count: u64,
    sum: f64,
    squares: f64,
}

/// What a sum will probably be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// Less than this in one of twenty cases.
    pub low: f64,
    /// The middle.
    pub expected: f64,
    /// More than this in one of twenty cases.
    pub high: f64,
}

impl Forecast {
    /// Returns what several sums come to together, each by itself. `None` where one of them is unknown.
    pub fn total(sums: impl IntoIterator<Item = Option<Forecast>>) -> Option<Forecast> {
        let mut total = Forecast { low: 0.0, expected: 0.0, high: 0.0 };
        let (mut below, mut above) = (0.0, 0.0);
        for sum in sums {
            let Forecast { low, expected, high } = sum?;
            total.expected += expected;
            // Independent of each other: squares of what they may be off add up.
            below += (expected - low).powi(2);
            above += (high - expected).powi(2);
        }
        total.low = (total.expected - below.sqrt()).max(0.0);
        total.high = total.expected + above.sqrt();
        Some(total)
    }
}

impl Sample {
    /// Adds the number of an answer.
    pub fn add(&mut self, number: f64) {
        self.count += 1;
        self.sum += number;
        self.squares += number * number;
    }

    /// Returns how many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Forecasts the sum of so many more, as if they were drawn from the same: with what differs
    /// between them, and with what a sample of this size may be off. `None` of fewer than
    /// [`SAMPLE_LEAST`].
    #[must_use]
    pub fn forecast(&self, more: u64) -> Option<Forecast> {
        if self.count < SAMPLE_LEAST {
            return None;
        }
        let (seen, more) = (self.count as f64, more as f64);
        let mean = self.sum / seen;
        let variance = ((self.squares - self.sum * mean) / (seen - 1.0)).max(0.0);
        let expected = more * mean;
        if expected <= 0.0 {
            return Some(Forecast { low: 0.0, expected: 0.0, high: 0.0 });
        }
        let deviations = (Z_90 + T_EXTRA / (seen - 1.0)) * (1.0 + TAIL * variance.sqrt() / mean);
        let width = deviations * (variance * (more + more * more / seen)).sqrt() / expected;
        // As factors and not as sums: lengths and costs are never below nothing, and their tail is above.
        let (low, high) = (expected * (-width).exp(), expected * width.exp());
        Some(Forecast { low, expected, high })
    }
}

/// Returns how many of so many answers are paid for by a balance in dollars, where they are expected to
/// cost so much together; all where they cost nothing.
#[must_use]
pub fn answers_paid(dollars: f64, expected: f64, answers: u64) -> u64 {
    if expected <= 0.0 {
        return answers;
    }
    ((dollars.max(0.0) / expected * answers as f64) as u64).min(answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_balance_pays_for_its_share_of_the_answers_and_for_no_more_than_all() {
        for (dollars, expected, paid) in
            [(1.0, 4.0, 50), (9.0, 4.0, 200), (0.0, 4.0, 0), (-2.0, 4.0, 0), (0.0, 0.0, 200)]
        {
            assert_eq!(answers_paid(dollars, expected, 200), paid, "{dollars} of {expected}");
        }
    }

    /// How lengths of answers are distributed.
    #[derive(Debug, Clone, Copy)]
    enum Lengths {
        LogNormal(f64),
        Mixed,
    }

    #[test]
    fn sums_of_several_kinds_come_to_their_total_and_one_alone_is_itself() {
        let one = Forecast { low: 8.0, expected: 10.0, high: 13.0 };
        assert_eq!(Forecast::total([Some(one)]), Some(one));
        let other = Forecast { low: 85.0, expected: 100.0, high: 104.0 };
        let both = Forecast::total([Some(one), Some(other)]).unwrap();
        assert_eq!((both.expected, both.high), (110.0, 115.0));
        assert!(both.low < 95.0 && both.low > 94.0);
        assert_eq!(Forecast::total([Some(one), None]), None);
    }

    #[test]
    fn nine_of_ten_sums_lie_in_their_forecast() {
        // Log-normal lengths, by a generator of its own, so that the same seed is the same run.
        let mut state = 7_u64;
        let mut uniform = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((state >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
        };
        let mut length = |kind: Lengths| {
            let normal = (-2.0 * uniform().ln()).sqrt() * (uniform() * std::f64::consts::TAU).cos();
            match kind {
                Lengths::LogNormal(sigma) => (6.0 + sigma * normal).exp(),
                // Seven of ten short, the others ten times as long.
                Lengths::Mixed if uniform() < 0.7 => (5.0 + 0.3 * normal).exp(),
                Lengths::Mixed => (7.3 + 0.3 * normal).exp(),
            }
        };
        let log_normal = [0.3, 0.6, 1.0].map(Lengths::LogNormal);
        for kind in log_normal.into_iter().chain([Lengths::Mixed]) {
            let mut held = 0;
            for _ in 0..2_000 {
                let mut sample = Sample::default();
                (0..50).for_each(|_| sample.add(length(kind)));
                let sum: f64 = (0..500).map(|_| length(kind)).sum();
                let forecast = sample.forecast(500).unwrap();
                held += u32::from((forecast.low..=forecast.high).contains(&sum));
            }
            let share = f64::from(held) / 2_000.0;
            assert!((0.88..0.95).contains(&share), "{kind:?}: {share}");
        }
    }

    #[test]
    fn few_answers_forecast_nothing_and_equal_ones_exactly() {
        let mut sample = Sample::default();
        for _ in 0..SAMPLE_LEAST {
            assert_eq!(sample.forecast(1), None);
            sample.add(2.0);
        }
        let exactly = Forecast { low: 20.0, expected: 20.0, high: 20.0 };
        assert_eq!(sample.forecast(10), Some(exactly));
        assert_eq!(sample.forecast(0).unwrap().high, 0.0);
    }
}
