//! `messages` and nothing else: what OpenAI's fine-tuning takes.

use super::columns::before_users;
use super::conversation::{answer_message, keys, prompt_messages};
use super::{Cell, Column, Kind, Layout, Options, ReasoningPlace, Record, Shape};

/// A row for every answer. The service refuses keys that it does not know, so that no row says where
/// it is from.
pub(super) struct OpenAi;

impl Layout for OpenAi {
    fn name(&self) -> &'static str {
        "openai"
    }

    fn about(&self) -> &'static str {
        "`messages` and nothing else, as OpenAI's fine-tuning takes them"
    }

    fn reasoning(&self) -> &'static [ReasoningPlace] {
        &[ReasoningPlace::Drop, ReasoningPlace::Think]
    }

    fn columns(&self, shape: &Shape, options: &Options) -> Vec<Column> {
        before_users(shape, &[("messages", Kind::Objects(keys(options)))], &[])
    }

    fn rows(&self, record: &Record<'_>, options: &Options, emit: &mut dyn FnMut(&[Cell<'_>])) {
        for answer in record.answers {
            let mut messages = prompt_messages(record, options);
            messages.push(answer_message(answer, options));
            let fields = record.fields.iter().cloned();
            emit(&[Cell::Objects(messages)].into_iter().chain(fields).collect::<Vec<_>>());
        }
    }
}
