//! `prompt` and `completion`, texts: what TRL and many scripts train on.

use super::columns::{reasoning_cell, training_columns, training_rows, with_reasoning};
use super::conversation::{question, system};
use super::{Cell, Column, Kind, Layout, Options, ReasoningPlace, Record, Shape, answer_text};

/// A row for every answer. The system prompt, where there is one, stands before the prompt, a blank
/// line between them.
pub(super) struct PromptCompletion;

impl Layout for PromptCompletion {
    fn name(&self) -> &'static str {
        "prompt-completion"
    }

    fn about(&self) -> &'static str {
        "`prompt` and `completion` as texts, as TRL reads them"
    }

    fn reasoning(&self) -> &'static [ReasoningPlace] {
        &[ReasoningPlace::Think, ReasoningPlace::Drop, ReasoningPlace::Field]
    }

    fn takes_turns(&self) -> bool {
        false
    }

    fn columns(&self, shape: &Shape, options: &Options) -> Vec<Column> {
        let own = [("prompt", Kind::Text), ("completion", Kind::Text)];
        training_columns(shape, &with_reasoning(&own, options))
    }

    fn rows(&self, record: &Record<'_>, options: &Options, emit: &mut dyn FnMut(&[Cell<'_>])) {
        let (system, question) = (system(record), question(record));
        let prompt = match &*system {
            "" => question.to_owned(),
            system => format!("{system}\n\n{question}"),
        };
        training_rows(record, emit, |_, answer| {
            let mut cells =
                vec![Cell::text(prompt.clone()), Cell::Text(answer_text(answer, options))];
            cells.extend(reasoning_cell(answer, options));
            cells
        });
    }
}
