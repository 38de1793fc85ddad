//! The columns of the input, the answer, and everything that is known of it.

use super::columns::{Own, behind_users};
use super::{Cell, Column, Kind, Layout, Options, ReasoningPlace, Record, Shape, answer_text};

/// A row for every answer: the user's columns under their own names, then ours.
pub(super) struct Rows;

const OWN: [Own; 19] = [
    ("id", Kind::Text),
    ("row", Kind::Integer),
    ("question", Kind::Text),
    ("reasoning", Kind::Text),
    ("answer", Kind::Text),
    // As text: what fits a schema may differ by row, and readers take the first rows for all.
    ("parsed", Kind::Text),
    ("parsed_from", Kind::Text),
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
    ("rating", Kind::Integer),
    ("note", Kind::Text),
];

/// The columns there are: reasoning has one where it has a field of its own, values where answers have
/// to fit a schema, reviews where they are wanted.
fn own(shape: &Shape, options: &Options) -> impl Fn(&Own) -> bool {
    let has_reasoning = options.reasoning == ReasoningPlace::Field;
    let (has_values, has_reviews) = (shape.has_values, shape.has_reviews);
    move |(name, _)| match *name {
        "reasoning" => has_reasoning,
        "parsed" | "parsed_from" => has_values,
        "rating" | "note" => has_reviews,
        _ => true,
    }
}

impl Layout for Rows {
    fn name(&self) -> &'static str {
        "rows"
    }

    fn about(&self) -> &'static str {
        "your columns, the answer, and where it is from"
    }

    fn shows_prompt(&self) -> bool {
        false
    }

    fn reasoning(&self) -> &'static [ReasoningPlace] {
        &ReasoningPlace::ALL
    }

    fn keeps_all_columns(&self) -> bool {
        true
    }

    fn has_reviews(&self) -> bool {
        true
    }

    fn columns(&self, shape: &Shape, options: &Options) -> Vec<Column> {
        behind_users(shape, &OWN.into_iter().filter(own(shape, options)).collect::<Vec<_>>())
    }

    fn rows(&self, record: &Record<'_>, options: &Options, emit: &mut dyn FnMut(&[Cell<'_>])) {
        for answer in record.answers {
            let known = &answer.metadata;
            let review = known.review.as_ref();
            let parsed = if record.shape.has_values { answer.parsed() } else { None };
            let (value, from) = match &parsed {
                Some(parsed) => (parsed.value.to_string(), parsed.from.name()),
                None => (String::new(), ""),
            };
            let cells = [
                Cell::text(record.id),
                Cell::count(Some(record.row)),
                Cell::text(record.question),
                Cell::text(&*answer.reasoning),
                Cell::Text(answer_text(answer, options)),
                Cell::text(value),
                Cell::text(from),
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
                Cell::count(review.and_then(|review| review.rating).map(u64::from)),
                Cell::text(review.map_or("", |review| &review.note)),
            ];
            let is_there = own(record.shape, options);
            let cells = OWN.iter().zip(cells).filter(|(column, _)| is_there(column));
            let cells = cells.filter(|((name, _), _)| !record.shape.held.contains(name));
            let fields = record.fields.iter().cloned();
            emit(&fields.chain(cells.map(|(_, cell)| cell)).collect::<Vec<_>>());
        }
    }
}
