//! How much came when: seconds, minutes, latencies.
//!
//! Knows no clock: times are times since the start. Memory does not grow with the calls.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;

/// Seconds of which there is a record: a day, so that a forgotten service does not grow.
const SECONDS_MAX: usize = 86_400;
/// The resolution of [`MinuteMax`].
const CELL_MS: u64 = 100;
/// Cells before the current one that may be within the same 60 s.
const CELLS: u64 = 60_000 / CELL_MS;
/// Two latencies that differ by less are one.
const LATENCY_STEP: f64 = 1.02;
/// The shortest latency that is distinguished from 0, in milliseconds.
const LATENCY_MS_MIN: f64 = 0.01;
/// Steps from the shortest latency to about four hours.
const LATENCY_STEPS: usize = 1_060;

/// What happened in one second since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Second {
    /// Whole answers handed to the network.
    pub answered: u64,
    /// Replies with another status than 200.
    pub refused: u64,
    /// The most calls in flight.
    pub in_flight_max: usize,
}

/// One [`Second`] after the other.
#[derive(Debug, Default)]
pub(crate) struct Series(Vec<Second>);

impl Series {
    /// Returns the second of a time; the seconds since the last one had `in_flight` in flight.
    /// After a day the last second takes everything.
    pub(crate) fn at(&mut self, now: Duration, in_flight: usize) -> &mut Second {
        let index = (now.as_secs() as usize).min(SECONDS_MAX - 1);
        while self.0.len() <= index {
            self.0.push(Second { in_flight_max: in_flight, ..Second::default() });
        }
        &mut self.0[index]
    }

    pub(crate) fn seconds(&self) -> &[Second] {
        &self.0
    }
}

/// The most of something in any 60 s; up to 60.1 s are taken together.
#[derive(Debug, Default)]
pub(crate) struct MinuteMax {
    cells: VecDeque<(u64, u64)>,
    sum: u64,
    max: u64,
}

impl MinuteMax {
    pub(crate) fn add(&mut self, now: Duration, amount: u64) {
        let cell = now.as_millis() as u64 / CELL_MS;
        match self.cells.back_mut() {
            // Two threads may read the clock in another order than they get here.
            Some((last, sum)) if *last >= cell => *sum += amount,
            _ => self.cells.push_back((cell, amount)),
        }
        self.sum += amount;
        while let Some((first, amount)) = self.cells.front().copied()
            && first + CELLS < cell
        {
            self.sum -= amount;
            self.cells.pop_front();
        }
        self.max = self.max.max(self.sum);
    }

    pub(crate) fn max(&self) -> u64 {
        self.max
    }
}

/// How long answers took, to 1 %.
#[derive(Debug)]
pub(crate) struct Latencies {
    steps: Vec<u64>,
    count: u64,
}

impl Default for Latencies {
    fn default() -> Latencies {
        Latencies { steps: vec![0; LATENCY_STEPS], count: 0 }
    }
}

impl Latencies {
    pub(crate) fn add(&mut self, latency: Duration) {
        let ms = latency.as_secs_f64() * 1000.0;
        let step = (ms / LATENCY_MS_MIN).max(1.0).ln() / LATENCY_STEP.ln();
        self.steps[(step as usize).min(LATENCY_STEPS - 1)] += 1;
        self.count += 1;
    }

    /// Returns the latency in milliseconds which that share of answers did not exceed; 0 where
    /// there was no answer.
    pub(crate) fn quantile_ms(&self, share: f64) -> f64 {
        let mut left = (self.count as f64 * share).ceil() as u64;
        for (step, count) in self.steps.iter().enumerate() {
            if *count >= left && left > 0 {
                let ms = LATENCY_MS_MIN * LATENCY_STEP.powf(step as f64 + 0.5);
                return (ms * 100.0).round() / 100.0;
            }
            left = left.saturating_sub(*count);
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_without_an_event_keep_what_is_on_its_way() {
        let mut series = Series::default();
        series.at(Duration::from_millis(500), 0).answered += 1;
        series.at(Duration::from_millis(3_200), 7).refused += 1;
        let in_flight: Vec<usize> = series.seconds().iter().map(|s| s.in_flight_max).collect();
        assert_eq!(in_flight, [0, 7, 7, 7]);
        assert_eq!((series.seconds()[0].answered, series.seconds()[3].refused), (1, 1));
        series.at(Duration::from_secs(1_000_000), 0);
        assert_eq!(series.seconds().len(), SECONDS_MAX);
    }

    #[test]
    fn the_busiest_minute_is_found_wherever_it_begins() {
        let mut minute = MinuteMax::default();
        for second in [0, 10, 50, 55, 65, 108, 200] {
            minute.add(Duration::from_secs(second), 1);
        }
        // From 50 to 108; from 0 to 55 there are as many.
        assert_eq!(minute.max(), 4);
        minute.add(Duration::from_secs(259), 5);
        assert_eq!(minute.max(), 6);
        minute.add(Duration::from_secs(261), 1);
        assert_eq!(minute.max(), 6);
    }

    #[test]
    fn quantiles_are_within_one_percent() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.quantile_ms(0.5), 0.0);
        for ms in 1..=1000 {
            latencies.add(Duration::from_millis(ms));
        }
        for (share, ms) in [(0.5, 500.0), (0.99, 990.0)] {
            let measured = latencies.quantile_ms(share);
            assert!((measured / ms - 1.0).abs() < 0.011, "{measured} is not about {ms}");
        }
    }
}
