//! `system` and `conversations` with marks around thoughts and solutions, as OpenThoughts-114k and
//! Bespoke-Stratos have them.

use super::columns::{training_columns, training_rows};
use super::conversation::{behind_system, system};
use super::{Cell, Column, Kind, Layout, Options, ReasoningPlace, Record, Shape};
use crate::answer::row::Row;

/// A row for every answer. Sides are `user` and `assistant` there, and the system prompt, which
/// explains the marks to the model, is a column of its own.
pub(super) struct Thoughts;

fn marked(answer: &Row, options: &Options) -> String {
    let between = |mark: &str, text: &str| {
        format!("<|begin_of_{mark}|>\n\n{}\n\n<|end_of_{mark}|>", text.trim())
    };
    let solution = between("solution", &answer.answer);
    match options.reasoning {
        ReasoningPlace::Think if !answer.reasoning.trim().is_empty() => {
            format!("{}\n\n{solution}", between("thought", &answer.reasoning))
        }
        _ => solution,
    }
}

impl Layout for Thoughts {
    fn name(&self) -> &'static str {
        "thoughts"
    }

    fn about(&self) -> &'static str {
        "`conversations` with `<|begin_of_thought|>`, as OpenThoughts has them"
    }

    fn reasoning(&self) -> &'static [ReasoningPlace] {
        &[ReasoningPlace::Think, ReasoningPlace::Drop]
    }

    fn columns(&self, shape: &Shape, _: &Options) -> Vec<Column> {
        let turns = Kind::Objects(&["from", "value"]);
        training_columns(shape, &[("system", Kind::Text), ("conversations", turns)])
    }

    fn rows(&self, record: &Record<'_>, options: &Options, emit: &mut dyn FnMut(&[Cell<'_>])) {
        training_rows(record, emit, |_, answer| {
            let asked =
                behind_system(record).map(|(role, text)| vec![role.name().into(), text.into()]);
            let answered = vec!["assistant".into(), marked(answer, options).into()];
            vec![Cell::Text(system(record)), Cell::Objects(asked.chain([answered]).collect())]
        });
    }
}
