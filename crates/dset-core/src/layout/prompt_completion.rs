//! `prompt` and `completion`, texts: what TRL and many scripts train on.

use super::{
    Cell, Column, Kind, Layout, Options, Record, Shape, answer_text, training_columns,
    training_rows,
};

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

    fn columns(&self, shape: &Shape, _: &Options) -> Vec<Column> {
        training_columns(shape, &[("prompt", Kind::Text), ("completion", Kind::Text)])
    }

    fn rows(&self, record: &Record<'_>, options: &Options, emit: &mut dyn FnMut(&[Cell<'_>])) {
        let prompt = match record.system {
            Some(system) => format!("{system}\n\n{}", record.prompt),
            None => record.prompt.to_owned(),
        };
        training_rows(record, emit, |answer| {
            vec![Cell::text(prompt.clone()), Cell::Text(answer_text(answer, options))]
        });
    }
}
