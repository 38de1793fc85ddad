//! `instruction`, `input` and `output`: what Alpaca began, and LLaMA-Factory reads.

use super::columns::{reasoning_cell, training_columns, training_rows, with_reasoning};
use super::conversation::{question, system};
use super::{Cell, Column, Kind, Layout, Options, ReasoningPlace, Record, Shape, answer_text};

/// A row for every answer; `input` is always there and empty, because readers fail where the key is
/// absent, and take an empty one for none.
pub(super) struct Alpaca;

impl Layout for Alpaca {
    fn name(&self) -> &'static str {
        "alpaca"
    }

    fn about(&self) -> &'static str {
        "`instruction`, `input` and `output`, as LLaMA-Factory reads them"
    }

    fn reasoning(&self) -> &'static [ReasoningPlace] {
        &[ReasoningPlace::Think, ReasoningPlace::Drop, ReasoningPlace::Field]
    }

    fn takes_turns(&self) -> bool {
        false
    }

    fn columns(&self, shape: &Shape, options: &Options) -> Vec<Column> {
        let own = ["instruction", "input", "output", "system"].map(|name| (name, Kind::Text));
        training_columns(shape, &with_reasoning(&own, options))
    }

    fn rows(&self, record: &Record<'_>, options: &Options, emit: &mut dyn FnMut(&[Cell<'_>])) {
        training_rows(record, emit, |_, answer| {
            let mut cells = vec![
                Cell::text(question(record)),
                Cell::text(""),
                Cell::Text(answer_text(answer, options)),
                Cell::Text(system(record)),
            ];
            cells.extend(reasoning_cell(answer, options));
            cells
        });
    }
}
