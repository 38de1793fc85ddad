//! `prompt`, `completion` and `label`: what TRL's KTO reads.

use super::columns::{training_columns, training_rows};
use super::conversation::{answer_message, keys, prompt_messages};
use super::{Cell, Column, Kind, Layout, Options, ReasoningPlace, Record, Shape};

/// A row for every answer; it is a good one where its rank is above 0, or true.
pub(super) struct Kto;

impl Layout for Kto {
    fn name(&self) -> &'static str {
        "kto"
    }

    fn about(&self) -> &'static str {
        "`prompt`, `completion` and whether it is good, as TRL's KTO reads them"
    }

    fn reasoning(&self) -> &'static [ReasoningPlace] {
        &ReasoningPlace::ALL
    }

    fn wants_rank(&self) -> bool {
        true
    }

    fn columns(&self, shape: &Shape, options: &Options) -> Vec<Column> {
        let messages = Kind::Objects(keys(options));
        let own = [("prompt", messages), ("completion", messages), ("label", Kind::Truth)];
        training_columns(shape, &own)
    }

    fn rows(&self, record: &Record<'_>, options: &Options, emit: &mut dyn FnMut(&[Cell<'_>])) {
        let ranks = record.ranks.unwrap_or_default();
        training_rows(record, emit, |at, answer| {
            vec![
                Cell::Objects(prompt_messages(record, options)),
                Cell::Objects(vec![answer_message(answer, options)]),
                Cell::Truth(ranks.get(at).map(|&rank| rank > 0.0)),
            ]
        });
    }
}
