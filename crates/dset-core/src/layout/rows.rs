//! The columns of the input, the answer, and everything that is known of it.

use super::{Cell, Column, Kind, Layout, Options, Record, Shape, own_columns};

/// A row for every answer: the user's columns under their own names, then ours.
pub(super) struct Rows;

const OWN: [(&str, Kind); 15] = [
    ("id", Kind::Text),
    ("row", Kind::Integer),
    ("question", Kind::Text),
    ("reasoning", Kind::Text),
    ("answer", Kind::Text),
    ("model", Kind::Text),
    ("sample", Kind::Integer),
    ("finish_reason", Kind::Text),
    ("input_tokens", Kind::Integer),
    ("cached_tokens", Kind::Integer),
    ("output_tokens", Kind::Integer),
    ("reasoning_tokens", Kind::Integer),
    ("seconds", Kind::Float),
    ("request_id", Kind::Text),
    ("time", Kind::Time),
];

impl Layout for Rows {
    fn name(&self) -> &'static str {
        "rows"
    }

    fn about(&self) -> &'static str {
        "your columns, the answer, and where it is from"
    }

    fn keeps_all_columns(&self) -> bool {
        true
    }

    fn columns(&self, shape: &Shape, _: &Options) -> Vec<Column> {
        let users = shape.fields.iter().map(|name| Column { name: name.clone(), kind: Kind::Text });
        users.chain(own_columns(shape, &OWN)).collect()
    }

    fn rows(&self, record: &Record<'_>, _: &Options, emit: &mut dyn FnMut(&[Cell<'_>])) {
        for answer in record.answers {
            let known = &answer.metadata;
            let mut cells: Vec<_> = record.fields.iter().map(|&field| Cell::text(field)).collect();
            cells.extend([
                Cell::text(record.id),
                Cell::count(Some(record.row)),
                Cell::text(record.question),
                Cell::text(&*answer.reasoning),
                Cell::text(&*answer.answer),
                Cell::optional(&known.model),
                Cell::Integer(Some(known.sample.unwrap_or(0).into())),
                Cell::optional(&known.finish_reason),
                Cell::count(known.input_tokens),
                Cell::count(known.cached_tokens),
                Cell::count(known.output_tokens),
                Cell::count(known.reasoning_tokens),
                Cell::Float(known.seconds),
                Cell::optional(&known.request_id),
                Cell::Time(answer.answered_at),
            ]);
            emit(&cells);
        }
    }
}
