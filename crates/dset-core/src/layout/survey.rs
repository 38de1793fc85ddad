//! Which columns an input has, and of which kind each is: known before the first row is written.

use std::collections::HashMap;

use serde_json::Value;

use super::{Cell, Column, Kind};
use crate::item::fields::{Field, Fields};

/// Kinds of values that a column was seen to have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Seen {
    text: bool,
    integer: bool,
    /// An integer that a number of double precision does not hold.
    wide: bool,
    float: bool,
    truth: bool,
    /// A list, an object, or a number that is none of ours.
    other: bool,
}

/// Integers up to here are exact in double precision.
const EXACT_MAX: u64 = 1 << 53;

impl Seen {
    fn note(&mut self, field: Field<'_>) {
        match field {
            Field::Text(_) | Field::Json(Value::String(_)) => self.text = true,
            Field::Json(Value::Null) => {}
            Field::Json(Value::Bool(_)) => self.truth = true,
            Field::Json(Value::Number(number)) => match number.as_i64() {
                Some(number) => {
                    self.integer = true;
                    self.wide |= number.unsigned_abs() > EXACT_MAX;
                }
                None if number.is_f64() => self.float = true,
                None => self.other = true,
            },
            Field::Json(Value::Array(_) | Value::Object(_)) => self.other = true,
        }
    }

    fn kind(self) -> Kind {
        let Seen { text, integer, wide, float, truth, other } = self;
        match (text || other, integer, float, truth) {
            (false, true, false, false) => Kind::Integer,
            (false, true, true, false) if !wide => Kind::Float,
            (false, false, true, false) => Kind::Float,
            (false, false, false, true) => Kind::Truth,
            _ => Kind::Text,
        }
    }
}

/// What one pass over an input tells of its columns.
#[derive(Debug, Default)]
pub struct Survey {
    names: Vec<String>,
    places: HashMap<String, usize>,
    seen: Vec<Seen>,
}

impl Survey {
    /// Begins with the columns that are known already.
    #[must_use]
    pub fn new(names: &[String]) -> Survey {
        let mut survey = Survey::default();
        for name in names {
            survey.place(name);
        }
        survey
    }

    fn place(&mut self, name: &str) -> usize {
        if let Some(&place) = self.places.get(name) {
            return place;
        }
        self.places.insert(name.to_owned(), self.names.len());
        self.names.push(name.to_owned());
        self.seen.push(Seen::default());
        self.names.len() - 1
    }

    /// Looks at the fields of one item.
    pub fn note(&mut self, fields: Fields<'_>) {
        fields.for_each(|name, field| {
            let place = self.place(name);
            self.seen[place].note(field);
        });
    }

    /// The names of all columns, in the order in which they were seen; of two with the same name the
    /// first.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the columns of these names. `as_it_is` keeps what is not text as JSON, of any kind;
    /// otherwise a column of several kinds is text.
    #[must_use]
    pub fn kept(&self, names: &[String], as_it_is: bool) -> Kept {
        let mut kept = Kept::default();
        for name in names {
            let Some(&place) = self.places.get(name) else { continue };
            if kept.places.contains_key(name) {
                continue;
            }
            let seen = self.seen[place];
            let is_text = seen == Seen { text: seen.text, ..Seen::default() };
            let kind = if as_it_is && !is_text { Kind::Json } else { seen.kind() };
            kept.places.insert(name.clone(), kept.columns.len());
            kept.columns.push(Column { name: name.clone(), kind });
        }
        kept
    }
}

/// The columns of an input that a dataset keeps.
#[derive(Debug, Default)]
pub struct Kept {
    columns: Vec<Column>,
    places: HashMap<String, usize>,
}

impl Kept {
    /// Their names and kinds.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Returns the cells of one item; what it lacks is empty, or not known.
    #[must_use]
    pub fn cells<'a>(&self, fields: Fields<'a>) -> Vec<Cell<'a>> {
        let mut found = vec![None; self.columns.len()];
        if !found.is_empty() {
            fields.for_each(|name, field| {
                if let Some(&place) = self.places.get(name) {
                    found[place].get_or_insert(field);
                }
            });
        }
        self.columns.iter().zip(found).map(|(column, field)| cell(column.kind, field)).collect()
    }
}

fn cell<'a>(kind: Kind, field: Option<Field<'a>>) -> Cell<'a> {
    let value = match field {
        Some(Field::Json(value)) => value,
        Some(Field::Text(text)) if kind == Kind::Json => {
            return Cell::Json(Value::from(text).to_string().into());
        }
        Some(Field::Text(text)) => return Cell::text(text),
        None => &Value::Null,
    };
    match kind {
        Kind::Integer => Cell::Integer(value.as_i64()),
        Kind::Float => Cell::Float(value.as_f64()),
        Kind::Truth => Cell::Truth(value.as_bool()),
        Kind::Json => Cell::Json(value.to_string().into()),
        _ if value.is_null() => Cell::text(""),
        _ => Cell::text(value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_column_has_the_kind_of_all_its_values_and_text_where_they_differ() {
        let rows = [
            json!({"n": 1, "x": 1, "ok": true, "mixed": 1, "list": [1], "late": null, "none": null}),
            json!({"n": null, "x": 1.5, "ok": null, "mixed": "a", "list": {"k": 1}, "late": 7}),
            json!({"n": 3, "big": u64::MAX, "new": "b"}),
        ];
        let mut survey = Survey::new(&["n".to_owned()]);
        rows.iter().for_each(|row| survey.note(Fields::Object(row.as_object().unwrap())));
        let kept = survey.kept(survey.names(), false);
        let kinds: Vec<_> = kept.columns().iter().map(|c| (&*c.name, c.kind)).collect();
        assert_eq!(
            kinds,
            [
                ("n", Kind::Integer),
                ("x", Kind::Float),
                ("ok", Kind::Truth),
                ("mixed", Kind::Text),
                ("list", Kind::Text),
                ("late", Kind::Integer),
                ("none", Kind::Text),
                ("big", Kind::Text),
                ("new", Kind::Text),
            ]
        );
        let cells = kept.cells(Fields::Object(rows[1].as_object().unwrap()));
        let expected = [
            Cell::Integer(None),
            Cell::Float(Some(1.5)),
            Cell::Truth(None),
            Cell::text("a"),
            Cell::text(r#"{"k":1}"#),
            Cell::Integer(Some(7)),
            Cell::text(""),
            Cell::text(""),
            Cell::text(""),
        ];
        assert_eq!(cells, expected);
        assert!(cells.iter().zip(kept.columns()).all(|(cell, column)| cell.is_of(column.kind)));
    }

    #[test]
    fn what_is_to_be_asked_again_is_kept_as_it_is() {
        let row = json!({"messages": [{"role": "user"}], "topic": "a", "n": 1});
        let fields = Fields::Object(row.as_object().unwrap());
        let mut survey = Survey::default();
        survey.note(fields);
        let kept = survey.kept(survey.names(), true);
        let cells = kept.cells(fields);
        let json = |text: &'static str| Cell::Json(text.into());
        assert_eq!(cells, [json(r#"[{"role":"user"}]"#), Cell::text("a"), json("1")]);
    }
}
