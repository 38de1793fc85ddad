//! `conversations` with `from` and `value`: what LLaMA-Factory and FastChat's kin read.

use super::{
    Cell, Column, Kind, Layout, Options, Record, Shape, answer_text, training_columns,
    training_rows,
};

/// A row for every answer: `human` asks, `gpt` answers, the system prompt in a column of its own, as
/// LLaMA-Factory has it.
pub(super) struct ShareGpt;

impl Layout for ShareGpt {
    fn name(&self) -> &'static str {
        "sharegpt"
    }

    fn about(&self) -> &'static str {
        "`conversations` of `human` and `gpt`, as LLaMA-Factory reads them"
    }

    fn columns(&self, shape: &Shape, _: &Options) -> Vec<Column> {
        let turns = Kind::Objects(&["from", "value"]);
        training_columns(shape, &[("conversations", turns), ("system", Kind::Text)])
    }

    fn rows(&self, record: &Record<'_>, options: &Options, emit: &mut dyn FnMut(&[Cell<'_>])) {
        training_rows(record, emit, |answer| {
            let asks = vec!["human".into(), record.prompt.into()];
            let answers = vec!["gpt".into(), answer_text(answer, options)];
            vec![Cell::Objects(vec![asks, answers]), Cell::text(record.system.unwrap_or_default())]
        });
    }
}
