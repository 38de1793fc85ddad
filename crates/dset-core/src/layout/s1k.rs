//! `question`, `thinking_trajectories` and `attempt`, as s1K has them.

use super::columns::{training_columns, training_rows};
use super::conversation::question;
use super::{Cell, Column, Kind, Layout, Options, ReasoningPlace, Record, Shape};

/// A row for every answer: its reasoning is a list of one, because readers of s1K take the first.
pub(super) struct S1k;

impl Layout for S1k {
    fn name(&self) -> &'static str {
        "s1k"
    }

    fn about(&self) -> &'static str {
        "`question`, `thinking_trajectories` and `attempt`, as s1K has them"
    }

    fn reasoning(&self) -> &'static [ReasoningPlace] {
        &[ReasoningPlace::Field]
    }

    fn takes_turns(&self) -> bool {
        false
    }

    fn columns(&self, shape: &Shape, _: &Options) -> Vec<Column> {
        let own = [
            ("question", Kind::Text),
            ("thinking_trajectories", Kind::Texts),
            ("attempt", Kind::Text),
        ];
        training_columns(shape, &own)
    }

    fn rows(&self, record: &Record<'_>, _: &Options, emit: &mut dyn FnMut(&[Cell<'_>])) {
        training_rows(record, emit, |_, answer| {
            vec![
                Cell::text(question(record)),
                Cell::Texts(vec![answer.reasoning.as_str().into()]),
                Cell::text(&*answer.answer),
            ]
        });
    }
}
