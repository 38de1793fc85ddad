//! Two models beside each other: what each is like on the questions that both answered, who is rated
//! better, and where they differ.

use serde::Serialize;

use super::columns::{Columns, Record};
use super::filter::{NUMBERS, Ready, number};
use super::{BrowseError, Browser, Filter};
use crate::store::Store;

/// Texts that are compared to find rows that differ, at most in one call.
const LOOKED_AT_MAX: usize = 20_000;
/// Characters of an answer that a row shows.
const SHOWN_CHARS: usize = 600;

/// What one model is like on the questions that both answered.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Side {
    /// The model.
    pub model: String,
    /// Questions that only this one answered.
    pub alone: u64,
    /// Times that its rating is the higher one.
    pub wins: u64,
    /// Tokens received, on average; absent, like what follows, where it is not known.
    pub output_tokens: Option<f64>,
    /// Seconds, on average.
    pub seconds: Option<f64>,
    /// Bytes of an answer, on average.
    pub answer_bytes: Option<f64>,
    /// Dollars in all, of the answers whose cost is known; absent where none is.
    pub cost: Option<f64>,
}

impl Side {
    /// Takes in what its answers are like on the questions that both answered.
    fn average(&mut self, both: &[[&Record; 2]], of: usize) {
        let mean = |name: &str| {
            let at = NUMBERS.iter().position(|own| *own == name)?;
            let all = both.iter().map(|pair| number(at, pair[of])).filter(|one| !one.is_nan());
            let (sum, count) = all.fold((0.0, 0_u64), |(sum, count), one| (sum + one, count + 1));
            (count > 0).then(|| sum / count as f64)
        };
        self.output_tokens = mean("output_tokens");
        self.seconds = mean("seconds");
        self.answer_bytes = mean("answer_bytes");
        let costs = both.iter().map(|pair| f64::from(pair[of].numbers.cost));
        self.cost = costs.filter(|cost| !cost.is_nan()).reduce(|sum, cost| sum + cost);
    }
}

/// A question that both answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// Its number.
    pub question: u64,
    /// The question.
    pub text: String,
    /// The beginnings of the answers.
    pub answers: [String; 2],
    /// Their ratings.
    pub ratings: [Option<u8>; 2],
    /// They are the same text.
    pub same: bool,
}

/// Two models beside each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The two.
    pub sides: [Side; 2],
    /// Questions that both answered.
    pub both: u64,
    /// Times that both are rated alike.
    pub ties: u64,
    /// Questions of which both answers are rated.
    pub rated: u64,
    /// Some of the questions.
    pub pairs: Vec<Pair>,
    /// Where to go on; absent behind the last.
    pub next: Option<u64>,
}

fn name(columns: &Columns, record: &Record) -> String {
    columns.models.name(record.model).unwrap_or_default().to_owned()
}

impl Browser {
    /// Compares two models on the questions that a filter lets through, and returns at most `limit` of
    /// them from the `offset`th on; `only_different` leaves out those with the same answer.
    pub fn compare(
        &self,
        [a, b]: [&str; 2],
        filter: &Filter,
        only_different: bool,
        (offset, limit): (u64, usize),
    ) -> Result<Comparison, BrowseError> {
        self.with(|store, loaded| {
            let columns = &loaded.columns;
            let ready = Ready::new(filter, columns)?;
            let found = self.found(store, loaded, &filter.terms)?;
            let mut sides = [a, b].map(|model| Side { model: model.to_owned(), ..Side::default() });
            let mut seen = Comparison {
                both: 0,
                ties: 0,
                rated: 0,
                pairs: Vec::new(),
                next: None,
                sides: sides.clone(),
            };
            let (mut at, mut both) = (0, Vec::new());
            while at < columns.records.len() {
                let row = columns.records[at].row;
                let end = at + columns.records[at..].partition_point(|one| one.row == row);
                let is_wanted = |place: &usize| {
                    ready.holds(&columns.records[*place])
                        && found.as_ref().is_none_or(|found| found.has(*place as u32))
                };
                let of = |model: &str| {
                    let mut of_row = columns.records[at..end].iter();
                    of_row.find(|one| one.answer > 0 && name(columns, one) == model)
                };
                let any = (at..end).any(|place| is_wanted(&place));
                match (of(a).filter(|_| any), of(b).filter(|_| any)) {
                    (Some(a), Some(b)) => both.push([a, b]),
                    (Some(_), None) => sides[0].alone += 1,
                    (None, Some(_)) => sides[1].alone += 1,
                    (None, None) => {}
                }
                at = end;
            }
            for pair in &both {
                match (pair[0].rating, pair[1].rating) {
                    (0, _) | (_, 0) => continue,
                    (a, b) if a == b => seen.ties += 1,
                    (a, b) => sides[usize::from(b > a)].wins += 1,
                }
                seen.rated += 1;
            }
            for (of, side) in sides.iter_mut().enumerate() {
                side.average(&both, of);
            }
            seen.both = both.len() as u64;
            for (place, pair) in both.iter().enumerate().skip(offset as usize) {
                if seen.pairs.len() == limit || place - offset as usize > LOOKED_AT_MAX {
                    seen.next = Some(place as u64);
                    break;
                }
                let same_length = pair[0].numbers.answer_bytes == pair[1].numbers.answer_bytes;
                let shown = shown(store, pair)?;
                if !(only_different && same_length && shown.same) {
                    seen.pairs.push(shown);
                }
            }
            seen.sides = sides;
            Ok(seen)
        })
    }
}

fn shown(store: &Store, pair: &[&Record; 2]) -> Result<Pair, BrowseError> {
    let [a, b] = [pair[0], pair[1]].map(|one| store.as_reader().row(one.answer.into()));
    let (a, b) = (a?, b?);
    let begin = |text: &str| text.chars().take(SHOWN_CHARS).collect();
    let rating = |one: &Record| (one.rating > 0).then_some(one.rating);
    Ok(Pair {
        question: u64::from(pair[0].row) + 1,
        text: begin(&a.question),
        same: a.answer == b.answer,
        answers: [begin(&a.answer), begin(&b.answer)],
        ratings: [rating(pair[0]), rating(pair[1])],
    })
}
