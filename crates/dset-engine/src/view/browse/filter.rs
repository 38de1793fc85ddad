//! Which records are wanted, in which order, and how many have what.

use std::collections::BTreeMap;

use serde::Serialize;

use super::columns::{Columns, Numbers, Record, State, UNKNOWN};

/// Columns that are told apart by name, in the order in which a viewer shows them.
pub const FACETS: [&str; 8] =
    ["state", "cause", "check", "model", "sample", "finish_reason", "attempts", "rating"];

/// Columns that records can be put in order and bounded by.
pub const NUMBERS: [&str; 9] = [
    "output_tokens",
    "reasoning_tokens",
    "input_tokens",
    "seconds",
    "cost",
    "answer_bytes",
    "reasoning_bytes",
    "answered_at",
    "rating",
];

/// Which records are wanted, as an address says it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// By the name of a facet, the values of which a record has to have one.
    pub values: BTreeMap<String, Vec<String>>,
    /// By the name of a number, the least and the most, as they are written.
    pub bounds: BTreeMap<String, (Option<String>, Option<String>)>,
    /// Words that the record has to have all of; see [`crate::view::search`].
    pub terms: Vec<String>,
    /// The number to order by; in the order of the input where there is none.
    pub sort: Option<String>,
    /// The largest first.
    pub descending: bool,
}

/// Why a filter cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// There is no such column.
    #[error("there is no column `{0}`")]
    UnknownColumn(String),
    /// This is no number.
    #[error("`{0}` is not a number")]
    NotANumber(String),
    /// What is looked for has no letter and no digit.
    #[error("there is no word to look for in `{0}`")]
    NoWord(String),
}

/// A value of a facet, and how many records have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FacetValue {
    /// The value; absent for records that have none.
    pub value: Option<String>,
    /// How many of the records that all other filters let through.
    pub count: u64,
}

/// The values of a column, and how many records have each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Facet {
    /// The column.
    pub name: &'static str,
    /// The values that occur, the most frequent first.
    pub values: Vec<FacetValue>,
}

/// A filter that was made ready for these columns.
pub(super) struct Ready {
    /// Of each facet the numbers that are let through; `None` where all are.
    allowed: [Option<Vec<bool>>; FACETS.len()],
    bounds: Vec<(usize, f64, f64)>,
}

/// Numbers of a facet whose values have names.
const NAMES: usize = 256;

fn facet_number(facet: usize, record: &Record) -> usize {
    match facet {
        0 => record.state as usize,
        1 => record.cause.into(),
        2 => record.check.into(),
        3 => record.model.into(),
        4 => record.sample.into(),
        5 => record.finish.into(),
        6 => record.attempts.into(),
        _ => record.rating.into(),
    }
}

/// Returns one more than the largest number that a record has in a facet, at least.
fn facet_size(columns: &Columns, facet: usize) -> usize {
    match facet {
        4 | 6 => 1 + columns.records.iter().map(|one| facet_number(facet, one)).max().unwrap_or(0),
        _ => NAMES,
    }
}

fn facet_value(columns: &Columns, facet: usize, number: usize) -> Option<String> {
    let name = |names: &super::columns::Names| names.name(number as u8).map(str::to_owned);
    match facet {
        0 => State::ALL.get(number).map(|state| state.name().to_owned()),
        1 => name(&columns.causes),
        2 => name(&columns.checks),
        3 => name(&columns.models),
        5 => name(&columns.finishes),
        4 => Some(number.to_string()),
        _ => (number > 0).then(|| number.to_string()),
    }
}

/// Returns a number of a record; NaN where it has none.
pub(super) fn number(at: usize, record: &Record) -> f64 {
    let Numbers { answered_at, .. } = record.numbers;
    let n = &record.numbers;
    let known = |number: u32| match record.has_numbers() {
        true if number != UNKNOWN => f64::from(number),
        _ => f64::NAN,
    };
    match at {
        0 => known(n.output_tokens),
        1 => known(n.reasoning_tokens),
        2 => known(n.input_tokens),
        3 => known(n.took_ms) / 1000.0,
        4 => f64::from(n.cost),
        5 => known(n.answer_bytes),
        6 => known(n.reasoning_bytes),
        7 => known(answered_at) * 1000.0,
        _ => {
            if record.rating == 0 {
                f64::NAN
            } else {
                f64::from(record.rating)
            }
        }
    }
}

fn column(name: &str) -> Result<usize, FilterError> {
    let at = NUMBERS.iter().position(|known| *known == name);
    at.ok_or_else(|| FilterError::UnknownColumn(name.to_owned()))
}

impl Ready {
    pub(super) fn new(filter: &Filter, columns: &Columns) -> Result<Ready, FilterError> {
        let mut allowed: [Option<Vec<bool>>; FACETS.len()] = Default::default();
        for (name, values) in &filter.values {
            let facet = FACETS.iter().position(|known| known == name);
            let facet = facet.ok_or_else(|| FilterError::UnknownColumn(name.clone()))?;
            let is_wanted = |number: usize| {
                let value = facet_value(columns, facet, number).unwrap_or_default();
                values.contains(&value)
            };
            allowed[facet] = Some((0..facet_size(columns, facet)).map(is_wanted).collect());
        }
        let mut bounds = Vec::new();
        for (name, (least, most)) in &filter.bounds {
            let of = |said: &Option<String>, or: f64| match said {
                None => Ok(or),
                Some(said) => match said.parse::<f64>() {
                    Ok(number) if number.is_finite() => Ok(number),
                    _ => Err(FilterError::NotANumber(said.clone())),
                },
            };
            let at = column(name)?;
            let as_stored = |bound: f64| match NUMBERS[at] {
                "cost" => f64::from(bound as f32),
                _ => bound,
            };
            let (least, most) = (of(least, f64::NEG_INFINITY)?, of(most, f64::INFINITY)?);
            bounds.push((at, as_stored(least), as_stored(most)));
        }
        if let Some(sort) = &filter.sort {
            column(sort)?;
        }
        Ok(Ready { allowed, bounds })
    }

    fn is_within(&self, record: &Record) -> bool {
        self.bounds.iter().all(|&(at, least, most)| (least..=most).contains(&number(at, record)))
    }

    /// Tells whether a record is let through.
    pub(super) fn holds(&self, record: &Record) -> bool {
        let of_facets = self.allowed.iter().enumerate().all(|(facet, allowed)| {
            allowed.as_ref().is_none_or(|allowed| allowed[facet_number(facet, record)])
        });
        of_facets && self.is_within(record)
    }

    /// Returns the records that are let through, in the wanted order. Those without the number stand at
    /// the end.
    pub(super) fn order(
        &self,
        filter: &Filter,
        columns: &Columns,
        has_words: impl Fn(u32) -> bool,
    ) -> Vec<u32> {
        let wanted = columns.records.iter().enumerate().filter_map(|(at, record)| {
            (self.holds(record) && has_words(at as u32)).then_some(at as u32)
        });
        let Some(by) = filter.sort.as_deref().and_then(|sort| column(sort).ok()) else {
            let mut order: Vec<u32> = wanted.collect();
            if filter.descending {
                order.reverse();
            }
            return order;
        };
        let of = |at: u32| number(by, &columns.records[at as usize]);
        let mut keyed: Vec<(u64, u32)> =
            wanted.map(|at| (sortable(of(at), filter.descending), at)).collect();
        keyed.sort_unstable();
        let mut order: Vec<u32> = keyed.into_iter().map(|(_, at)| at).collect();
        // It stands where the keys stood, which are four times as large.
        order.shrink_to_fit();
        order
    }

    /// Counts the values of each facet among the records that all other filters let through.
    pub(super) fn facets(&self, columns: &Columns, has_words: impl Fn(u32) -> bool) -> Vec<Facet> {
        let mut counts: Vec<Vec<u64>> =
            (0..FACETS.len()).map(|facet| vec![0; facet_size(columns, facet)]).collect();
        for (at, record) in columns.records.iter().enumerate() {
            if !self.is_within(record) || !has_words(at as u32) {
                continue;
            }
            // Where one facet alone keeps it out, it counts among the values of that one.
            let mut kept_out = None;
            let mut numbers = [0; FACETS.len()];
            let mut outs = 0;
            for (facet, number) in numbers.iter_mut().enumerate() {
                *number = facet_number(facet, record);
                if self.allowed[facet].as_ref().is_some_and(|allowed| !allowed[*number]) {
                    outs += 1;
                    kept_out = Some(facet);
                }
            }
            match (outs, kept_out) {
                (0, _) => (0..FACETS.len()).for_each(|facet| counts[facet][numbers[facet]] += 1),
                (1, Some(facet)) => counts[facet][numbers[facet]] += 1,
                _ => {}
            }
        }
        let facet = |(facet, counts): (usize, &Vec<u64>)| {
            let of = counts.iter().enumerate().filter(|(_, count)| **count > 0);
            let of = of.map(|(number, &count)| FacetValue {
                value: facet_value(columns, facet, number),
                count,
            });
            let mut values: Vec<FacetValue> = of.collect();
            values.sort_by_key(|value| std::cmp::Reverse(value.count));
            Facet { name: FACETS[facet], values }
        };
        counts.iter().enumerate().map(facet).collect()
    }
}

/// Returns a key that is smaller where the number comes earlier; none at all comes last.
fn sortable(number: f64, descending: bool) -> u64 {
    if number.is_nan() {
        return u64::MAX;
    }
    let bits = number.to_bits();
    let ascending = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    if descending { !ascending } else { ascending }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records that were answered at these times, the dearer the earlier; of the last one no tokens are known.
    fn columns(times: &[u32]) -> Columns {
        let record = |(row, answered_at): (usize, &u32)| {
            let mut record = Record::of(row as u32, row as i64 + 1);
            record.numbers = Numbers { answered_at: *answered_at, ..record.numbers };
            record.numbers.output_tokens = if row + 1 == times.len() { UNKNOWN } else { 7 };
            record.numbers.cost = 0.1;
            record
        };
        Columns { records: times.iter().enumerate().map(record).collect(), ..Columns::default() }
    }

    fn order(filter: &Filter, columns: &Columns) -> Vec<u32> {
        Ready::new(filter, columns).unwrap().order(filter, columns, |_| true)
    }

    #[test]
    fn records_are_in_order_by_the_second_and_those_without_the_number_stand_last() {
        let columns = columns(&[1_790_000_202, 1_790_000_199, 1_790_000_196]);
        let by = |sort: &str, descending| Filter {
            sort: Some(sort.to_owned()),
            descending,
            ..Filter::default()
        };
        assert_eq!(order(&by("answered_at", false), &columns), [2, 1, 0]);
        assert_eq!(order(&by("answered_at", true), &columns), [0, 1, 2]);
        assert_eq!(order(&by("output_tokens", false), &columns), [0, 1, 2]);
        assert_eq!(order(&by("output_tokens", true), &columns), [0, 1, 2]);
    }

    #[test]
    fn samples_and_attempts_are_told_apart_however_many() {
        let mut columns = columns(&[1, 2, 3]);
        for (record, number) in columns.records.iter_mut().zip([255, 256, 300]) {
            (record.sample, record.attempts) = (number, number);
        }
        for name in ["sample", "attempts"] {
            let values = [(name.to_owned(), vec!["300".to_owned()])].into();
            let filter = Filter { values, ..Filter::default() };
            assert_eq!(order(&filter, &columns), [2], "{name}");
            let ready = Ready::new(&Filter::default(), &columns).unwrap();
            let facets = ready.facets(&columns, |_| true);
            let facet = facets.iter().find(|facet| facet.name == name).unwrap();
            let values: Vec<_> = facet.values.iter().flat_map(|one| one.value.as_deref()).collect();
            assert_eq!(values, ["255", "256", "300"], "{name}");
        }
    }

    #[test]
    fn bounds_hold_for_costs_as_they_are_written_and_for_known_numbers_alone() {
        let columns = columns(&[1, 2]);
        let within = |name: &str, least: Option<&str>, most: Option<&str>| {
            let bounds = (least.map(str::to_owned), most.map(str::to_owned));
            let bounds = [(name.to_owned(), bounds)].into();
            order(&Filter { bounds, ..Filter::default() }, &columns)
        };
        assert_eq!(within("cost", Some("0.1"), Some("0.1")), [0, 1]);
        assert_eq!(within("output_tokens", None, Some("7")), [0]);
        assert_eq!(within("output_tokens", None, Some("6")), [0; 0]);
    }
}
