//! The names and places of columns: those of a layout, and those of the input that it keeps.

use super::{Cell, Column, Kind, Options, ReasoningPlace, Record, Shape};
use crate::answer::row::Row;

/// A column of ours, by its usual name.
pub(super) type Own = (&'static str, Kind);

/// Where a row for training is from, and its answer's value where answers have to fit a schema: as text,
/// because values may differ by row, and readers take the first rows for all.
const OF_ANSWER: [Own; 4] =
    [("id", Kind::Text), ("model", Kind::Text), ("sample", Kind::Integer), ("parsed", Kind::Text)];

fn of_answer(shape: &Shape) -> &'static [Own] {
    match shape.has_values {
        true => &OF_ANSWER,
        false => &OF_ANSWER[..3],
    }
}

/// The user's columns, then ours: `dset_` before a name that the user's own columns have taken, none
/// where one of theirs holds the same.
pub(super) fn behind_users(shape: &Shape, own: &[Own]) -> Vec<Column> {
    let mut columns = shape.fields.clone();
    for &(name, kind) in own.iter().filter(|(name, _)| !shape.held.contains(name)) {
        columns.push(Column::new(free(name, "dset_", &columns), kind));
    }
    columns
}

/// Our columns, under the names that trainers know, then those of the input that are kept: `input_`
/// before a name that is ours.
pub(super) fn before_users(shape: &Shape, own: &[Own], origin: &[Own]) -> Vec<Column> {
    let column = |&(name, kind): &Own| Column::new(name, kind);
    let origin = origin.iter().filter(|(name, _)| !shape.held.contains(name));
    let mut columns: Vec<_> = own.iter().chain(origin).map(column).collect();
    for field in &shape.fields {
        let name = free(&field.name, "input_", &columns);
        columns.push(Column { name, ..field.clone() });
    }
    columns
}

fn free(name: &str, before: &str, taken: &[Column]) -> String {
    let mut name = name.to_owned();
    while taken.iter().any(|column| column.name == name) {
        name.insert_str(0, before);
    }
    name
}

/// The columns of a layout for training that has a row for every answer.
pub(super) fn training_columns(shape: &Shape, own: &[Own]) -> Vec<Column> {
    before_users(shape, own, of_answer(shape))
}

/// Shows a row of a layout for training for every answer of a record; `own` makes its own cells.
pub(super) fn training_rows<'a>(
    record: &'a Record<'_>,
    emit: &mut dyn FnMut(&[Cell<'_>]),
    own: impl Fn(usize, &'a Row) -> Vec<Cell<'a>>,
) {
    for (at, answer) in record.answers.iter().enumerate() {
        let parsed = if record.shape.has_values { answer.parsed() } else { None };
        let origin = [
            Cell::text(record.id),
            Cell::optional(&answer.metadata.model),
            Cell::Integer(Some(answer.metadata.sample.unwrap_or(0).into())),
            Cell::text(parsed.map(|parsed| parsed.value.to_string()).unwrap_or_default()),
        ];
        emit(&with_origin(record, own(at, answer), of_answer(record.shape), origin));
    }
}

/// Returns the cells of a row in the order of [`before_users`]; cells behind the last name are left out.
pub(super) fn with_origin<'a, const N: usize>(
    record: &'a Record<'_>,
    mut own: Vec<Cell<'a>>,
    names: &[Own],
    origin: [Cell<'a>; N],
) -> Vec<Cell<'a>> {
    let origin =
        names.iter().zip(origin).filter(|((name, _), _)| !record.shape.held.contains(name));
    own.extend(origin.map(|(_, cell)| cell));
    own.extend(record.fields.iter().cloned());
    own
}

/// The columns of a layout of texts, and one for the reasoning where it has a field of its own.
pub(super) fn with_reasoning(own: &[Own], options: &Options) -> Vec<Own> {
    let reasoning =
        (options.reasoning == ReasoningPlace::Field).then_some(("reasoning", Kind::Text));
    own.iter().copied().chain(reasoning).collect()
}

/// The cell of the column that [`with_reasoning`] adds.
pub(super) fn reasoning_cell<'a>(answer: &'a Row, options: &Options) -> Option<Cell<'a>> {
    (options.reasoning == ReasoningPlace::Field).then(|| Cell::text(&*answer.reasoning))
}
