//! `messages`: what TRL, axolotl, OpenAI's fine-tuning and most trainers read.

use std::borrow::Cow;

use super::{
    Cell, Column, Kind, Layout, Options, ReasoningPlace, Record, Shape, answer_text,
    training_columns, training_rows,
};

/// A row for every answer: the messages as they were sent, and the answer as the last of them.
///
/// Every message has every key, because readers take the first for the kind of all; reasoning is
/// `reasoning_content`, the one name that TRL and axolotl both render.
pub(super) struct Chat;

/// The keys of a message; the last only where reasoning has a field of its own.
const KEYS: &[&str] = &["role", "content", "reasoning_content"];

fn keys(options: &Options) -> &'static [&'static str] {
    if options.reasoning == ReasoningPlace::Field { KEYS } else { &KEYS[..2] }
}

impl Layout for Chat {
    fn name(&self) -> &'static str {
        "chat"
    }

    fn about(&self) -> &'static str {
        "`messages`, as TRL, axolotl and OpenAI's fine-tuning read them"
    }

    fn columns(&self, shape: &Shape, options: &Options) -> Vec<Column> {
        training_columns(shape, &[("messages", Kind::Objects(keys(options)))])
    }

    fn rows(&self, record: &Record<'_>, options: &Options, emit: &mut dyn FnMut(&[Cell<'_>])) {
        let keys = keys(options).len();
        training_rows(record, emit, |answer| {
            let message = |role: &'static str, content: Cow<'_, str>, reasoning: &str| {
                let texts = [role.into(), content.into_owned().into(), reasoning.to_owned().into()];
                texts.into_iter().take(keys).collect::<Vec<Cow<'_, str>>>()
            };
            let system = record.system.map(|system| message("system", system.into(), ""));
            let user = message("user", record.prompt.into(), "");
            let own = message("assistant", answer_text(answer, options), &answer.reasoning);
            vec![Cell::Objects(system.into_iter().chain([user, own]).collect())]
        });
    }
}
