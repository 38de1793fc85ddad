//! `generations` and lists beside them, as open-r1 writes them.

use std::borrow::Cow;

use super::columns::{Own, before_users, with_origin};
use super::conversation::{answer_message, keys, prompt_messages};
use super::{Cell, Column, Kind, Layout, Options, ReasoningPlace, Record, Shape, answer_text};
use crate::answer::row::Row;

/// A row for every question: all its answers in lists of the same length and order, and the first,
/// or the best where answers are ranked, in `messages`.
pub(super) struct OpenR1;

const ORIGIN: [Own; 1] = [("id", Kind::Text)];

/// The place of the answer that stands for all: of the highest rank the first.
fn chosen(record: &Record<'_>) -> usize {
    let ranks = record.ranks.unwrap_or_default().iter().enumerate();
    ranks
        .fold(
            (0, f64::NEG_INFINITY),
            |best, (at, &rank)| if rank > best.1 { (at, rank) } else { best },
        )
        .0
}

impl Layout for OpenR1 {
    fn name(&self) -> &'static str {
        "open-r1"
    }

    fn about(&self) -> &'static str {
        "a row a question, its answers in `generations`, as open-r1 has them"
    }

    fn reasoning(&self) -> &'static [ReasoningPlace] {
        &[ReasoningPlace::Think, ReasoningPlace::Drop]
    }

    fn keeps_all_columns(&self) -> bool {
        true
    }

    fn columns(&self, shape: &Shape, options: &Options) -> Vec<Column> {
        let own = [
            ("generations", Kind::Texts),
            ("finish_reasons", Kind::Texts),
            ("models", Kind::Texts),
            ("request_ids", Kind::Texts),
            ("messages", Kind::Objects(keys(options))),
        ];
        before_users(shape, &own, &ORIGIN)
    }

    fn rows(&self, record: &Record<'_>, options: &Options, emit: &mut dyn FnMut(&[Cell<'_>])) {
        let texts = |of: &dyn Fn(&Row) -> Option<String>| {
            let texts = record.answers.iter().map(|answer| of(answer).unwrap_or_default());
            Cell::Texts(texts.map(Cow::Owned).collect())
        };
        let mut messages = prompt_messages(record, options);
        messages.extend(record.answers.get(chosen(record)).map(|a| answer_message(a, options)));
        let own = vec![
            texts(&|answer| Some(answer_text(answer, options).into_owned())),
            texts(&|answer| answer.metadata.finish_reason.clone()),
            texts(&|answer| answer.metadata.model.clone()),
            texts(&|answer| answer.metadata.request_id.clone()),
            Cell::Objects(messages),
        ];
        emit(&with_origin(record, own, &ORIGIN, [Cell::text(record.id)]));
    }
}
