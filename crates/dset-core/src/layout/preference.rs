//! `prompt`, `chosen` and `rejected`, lists of messages: what TRL's trainers of preferences read.

use super::columns::{Own, before_users, with_origin};
use super::conversation::{answer_message, keys, prompt_messages};
use super::{Cell, Column, Kind, Layout, Options, ReasoningPlace, Record, Shape, Unfit};

/// A row for every question with answers of different ranks: the first of the highest against the
/// first of the lowest.
pub(super) struct Preference;

const ORIGIN: [Own; 5] = [
    ("id", Kind::Text),
    ("chosen_model", Kind::Text),
    ("rejected_model", Kind::Text),
    ("score_chosen", Kind::Float),
    ("score_rejected", Kind::Float),
];

/// The places of the best and of the worst answer.
fn pair(ranks: &[f64]) -> Result<(usize, usize), Unfit> {
    if ranks.len() < 2 {
        return Err(Unfit::OneAnswer);
    }
    let first_of = |better: fn(f64, f64) -> bool| {
        (1..ranks.len()).fold(0, |best, at| if better(ranks[at], ranks[best]) { at } else { best })
    };
    let (best, worst) = (first_of(|a, b| a > b), first_of(|a, b| a < b));
    if ranks[best] > ranks[worst] { Ok((best, worst)) } else { Err(Unfit::Tie) }
}

impl Layout for Preference {
    fn name(&self) -> &'static str {
        "preference"
    }

    fn about(&self) -> &'static str {
        "`prompt`, `chosen` and `rejected` as messages, as TRL's DPO reads them"
    }

    fn reasoning(&self) -> &'static [ReasoningPlace] {
        &ReasoningPlace::ALL
    }

    fn wants_rank(&self) -> bool {
        true
    }

    fn compares_answers(&self) -> bool {
        true
    }

    fn unfit(&self, record: &Record<'_>) -> Option<Unfit> {
        pair(record.ranks.unwrap_or_default()).err()
    }

    fn columns(&self, shape: &Shape, options: &Options) -> Vec<Column> {
        let own = ["prompt", "chosen", "rejected"].map(|name| (name, Kind::Objects(keys(options))));
        before_users(shape, &own, &ORIGIN)
    }

    fn rows(&self, record: &Record<'_>, options: &Options, emit: &mut dyn FnMut(&[Cell<'_>])) {
        let ranks = record.ranks.unwrap_or_default();
        let Ok((best, worst)) = pair(ranks) else { return };
        let [chosen, rejected] = [best, worst].map(|at| &record.answers[at]);
        let own = vec![
            Cell::Objects(prompt_messages(record, options)),
            Cell::Objects(vec![answer_message(chosen, options)]),
            Cell::Objects(vec![answer_message(rejected, options)]),
        ];
        let origin = [
            Cell::text(record.id),
            Cell::optional(&chosen.metadata.model),
            Cell::optional(&rejected.metadata.model),
            Cell::Float(Some(ranks[best])),
            Cell::Float(Some(ranks[worst])),
        ];
        emit(&with_origin(record, own, &ORIGIN, origin));
    }
}
