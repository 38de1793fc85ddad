//! `instruction`, `input` and `output`: what Alpaca began, and LLaMA-Factory reads.

use super::{
    Cell, Column, Kind, Layout, Options, Record, Shape, answer_text, training_columns,
    training_rows,
};

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

    fn columns(&self, shape: &Shape, _: &Options) -> Vec<Column> {
        let own = ["instruction", "input", "output", "system"].map(|name| (name, Kind::Text));
        training_columns(shape, &own)
    }

    fn rows(&self, record: &Record<'_>, options: &Options, emit: &mut dyn FnMut(&[Cell<'_>])) {
        training_rows(record, emit, |answer| {
            vec![
                Cell::text(record.prompt),
                Cell::text(""),
                Cell::Text(answer_text(answer, options)),
                Cell::text(record.system.unwrap_or_default()),
            ]
        });
    }
}
