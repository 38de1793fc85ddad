//! How the numbers of records are spread, and how answers came over time.

use serde::Serialize;

use super::columns::Record;
use super::filter::{NUMBERS, Ready, number};
use super::{BrowseError, Browser, Filter};

/// Parts of a distribution.
const BINS: usize = 24;
/// Parts of a time line.
const STEPS: usize = 60;
/// Those of [`NUMBERS`] whose spread says something.
const SPREAD: [usize; 6] = [3, 0, 1, 5, 6, 4];

/// How one number is spread.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Distribution {
    /// The number.
    pub name: &'static str,
    /// Records that have it.
    pub count: u64,
    /// The smallest.
    pub least: f64,
    /// Half of the records have no more.
    pub median: f64,
    /// 95 of 100 have no more.
    pub p95: f64,
    /// The largest.
    pub most: f64,
    /// The upper end of each part; each is as much larger than the one before.
    pub ends: Vec<f64>,
    /// Records in each part.
    pub counts: Vec<u64>,
}

/// Answers in a step of time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Its beginning, Unix seconds.
    pub at: u32,
    /// Answers that came in it.
    pub answers: u64,
}

/// How records are spread.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Distributions {
    /// Of each number that says something.
    pub numbers: Vec<Distribution>,
    /// The length of a step, seconds.
    pub step_seconds: u32,
    /// Answers over time.
    pub steps: Vec<Step>,
}

impl Browser {
    /// Tells how the records that a filter lets through are spread.
    pub fn distributions(&self, filter: &Filter) -> Result<Distributions, BrowseError> {
        self.with(|store, loaded| {
            let ready = Ready::new(filter, &loaded.columns)?;
            let found = self.found(store, loaded, &filter.terms)?;
            // Gone through once for each number: a list of them would be as large as all that is kept.
            let wanted = || {
                let records = loaded.columns.records.iter().enumerate();
                let is_wanted = |(at, record): &(usize, &Record)| {
                    record.answer > 0
                        && ready.holds(record)
                        && found.as_ref().is_none_or(|found| found.has(*at as u32))
                };
                records.filter(is_wanted).map(|(_, record)| record)
            };
            let mut numbers = Vec::new();
            for at in SPREAD {
                let all = wanted().map(|record| number(at, record));
                numbers.extend(spread(NUMBERS[at], all.filter(|one| !one.is_nan()).collect()));
            }
            let times = || wanted().map(|record| record.numbers.answered_at).filter(|at| *at > 0);
            let (step_seconds, steps) = over_time(times);
            Ok(Distributions { numbers, step_seconds, steps })
        })
    }
}

fn spread(name: &'static str, mut all: Vec<f64>) -> Option<Distribution> {
    all.sort_unstable_by(f64::total_cmp);
    let (least, most) = (*all.first()?, *all.last()?);
    if most <= 0.0 {
        return None;
    }
    // The least that so large a part does not exceed.
    let at = |part: f64| all[((all.len() as f64 * part).ceil() as usize).saturating_sub(1)];
    // From the smallest that is more than nothing, in equal steps of the logarithm.
    let from = all.iter().copied().find(|number| *number > 0.0).unwrap_or(most);
    let ratio = (most / from).powf(1.0 / BINS as f64).max(1.0);
    let ends: Vec<f64> = (1..=BINS).map(|bin| from * ratio.powi(bin as i32)).collect();
    let mut counts = vec![0; BINS];
    for number in &all {
        counts[ends.partition_point(|end| *end < *number).min(BINS - 1)] += 1;
    }
    let count = all.len() as u64;
    Some(Distribution { name, count, least, median: at(0.5), p95: at(0.95), most, ends, counts })
}

fn over_time<I: Iterator<Item = u32>>(times: impl Fn() -> I) -> (u32, Vec<Step>) {
    let (Some(first), Some(last)) = (times().min(), times().max()) else { return (0, Vec::new()) };
    let step = ((last - first) / STEPS as u32 + 1).max(1);
    let mut steps: Vec<Step> =
        (0..=(last - first) / step).map(|at| Step { at: first + at * step, answers: 0 }).collect();
    times().for_each(|at| steps[((at - first) / step) as usize].answers += 1);
    (step, steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_in_one_part_and_every_answer_in_one_step() {
        let spread = spread("seconds", vec![0.0, 0.1, 1.0, 10.0, 1000.0]).unwrap();
        assert_eq!(spread.counts.iter().sum::<u64>(), 5);
        assert_eq!((spread.least, spread.median, spread.most), (0.0, 1.0, 1000.0));
        let few = super::spread("bytes", vec![19.0, 19.0, 311.0]).unwrap();
        assert_eq!((few.median, few.p95), (19.0, 311.0));
        let hundred = super::spread("bytes", (1..=100).map(f64::from).collect()).unwrap();
        assert_eq!((hundred.median, hundred.p95), (50.0, 95.0));
        let same = super::spread("seconds", vec![2.0; 7]).unwrap();
        assert_eq!(same.counts.iter().sum::<u64>(), 7);
        assert!(super::spread("cost", vec![0.0]).is_none());
        let (step, steps) = over_time(|| [100, 100, 160, 400].into_iter());
        assert_eq!((step, steps.iter().map(|step| step.answers).sum::<u64>()), (6, 4));
    }
}
