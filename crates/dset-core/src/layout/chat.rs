//! `messages`: what TRL, axolotl and most trainers read.

use super::columns::{training_columns, training_rows};
use super::conversation::{answer_message, keys, prompt_messages};
use super::{Cell, Column, Kind, Layout, Options, ReasoningPlace, Record, Shape};

/// A row for every answer: the messages as they were sent, and the answer as the last of them.
pub(super) struct Chat;

impl Layout for Chat {
    fn name(&self) -> &'static str {
        "chat"
    }

    fn about(&self) -> &'static str {
        "`messages`, as TRL, axolotl and their kin read them"
    }

    fn reasoning(&self) -> &'static [ReasoningPlace] {
        &ReasoningPlace::ALL
    }

    fn columns(&self, shape: &Shape, options: &Options) -> Vec<Column> {
        training_columns(shape, &[("messages", Kind::Objects(keys(options)))])
    }

    fn rows(&self, record: &Record<'_>, options: &Options, emit: &mut dyn FnMut(&[Cell<'_>])) {
        training_rows(record, emit, |_, answer| {
            let mut messages = prompt_messages(record, options);
            messages.push(answer_message(answer, options));
            vec![Cell::Objects(messages)]
        });
    }
}
