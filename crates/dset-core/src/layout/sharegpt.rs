//! `conversations` with `from` and `value`: what LLaMA-Factory and FastChat's kin read.

use super::columns::{reasoning_cell, training_columns, training_rows, with_reasoning};
use super::conversation::{behind_system, system};
use super::{Cell, Column, Kind, Layout, Options, ReasoningPlace, Record, Shape, answer_text};
use crate::item::content::Role;

/// A row for every answer: `human` asks, `gpt` answers, the system prompt in a column of its own, as
/// LLaMA-Factory has it.
pub(super) struct ShareGpt;

fn side(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "human",
        Role::Assistant => "gpt",
    }
}

impl Layout for ShareGpt {
    fn name(&self) -> &'static str {
        "sharegpt"
    }

    fn about(&self) -> &'static str {
        "`conversations` of `human` and `gpt`, as LLaMA-Factory reads them"
    }

    fn reasoning(&self) -> &'static [ReasoningPlace] {
        &[ReasoningPlace::Think, ReasoningPlace::Drop, ReasoningPlace::Field]
    }

    fn columns(&self, shape: &Shape, options: &Options) -> Vec<Column> {
        let turns = Kind::Objects(&["from", "value"]);
        let own = [("conversations", turns), ("system", Kind::Text)];
        training_columns(shape, &with_reasoning(&own, options))
    }

    fn rows(&self, record: &Record<'_>, options: &Options, emit: &mut dyn FnMut(&[Cell<'_>])) {
        training_rows(record, emit, |_, answer| {
            let asked =
                behind_system(record).map(|(role, text)| vec![side(role).into(), text.into()]);
            let answered = vec!["gpt".into(), answer_text(answer, options)];
            let conversation = asked.chain([answered]).collect();
            let mut cells = vec![Cell::Objects(conversation), Cell::Text(system(record))];
            cells.extend(reasoning_cell(answer, options));
            cells
        });
    }
}
