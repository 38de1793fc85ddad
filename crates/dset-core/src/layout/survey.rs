//! Which columns an input has, and of which kind each is: known before the first row is written.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Cell, Column, Kind, ValueType};
use crate::item::fields::{Field, Fields};

/// What the values of a column were seen to be, nulls left out.
#[derive(Debug, Clone, Default)]
enum Seen {
    /// Nothing.
    #[default]
    Nothing,
    Text,
    Number(Numbers),
    Truth,
    List(Box<Seen>),
    Object(Objects),
    /// Of several kinds, or a number that is none of ours.
    Mixed,
}

#[derive(Debug, Clone, Copy, Default)]
struct Numbers {
    integer: bool,
    /// An integer that a number of double precision does not hold.
    wide: bool,
    float: bool,
}

#[derive(Debug, Clone, Default)]
struct Objects {
    count: u64,
    /// Every key, how many objects have it, and its values.
    keys: Vec<(String, u64, Seen)>,
}

/// Integers up to here are exact in double precision.
const EXACT_MAX: u64 = 1 << 53;

/// Objects with more keys than this are maps from anything to anything.
const KEYS_MAX: usize = 256;

impl Seen {
    fn note(&mut self, value: &Value) {
        if value.is_null() {
            return;
        }
        if matches!(self, Seen::Nothing) {
            *self = match value {
                Value::Null => Seen::Nothing,
                Value::String(_) => Seen::Text,
                Value::Number(_) => Seen::Number(Numbers::default()),
                Value::Bool(_) => Seen::Truth,
                Value::Array(_) => Seen::List(Box::default()),
                Value::Object(_) => Seen::Object(Objects::default()),
            };
        }
        match (&mut *self, value) {
            (Seen::Text, Value::String(_)) | (Seen::Truth, Value::Bool(_)) => {}
            (Seen::Number(seen), Value::Number(number)) => match number.as_i64() {
                Some(number) => {
                    seen.integer = true;
                    seen.wide |= number.unsigned_abs() > EXACT_MAX;
                }
                None if number.is_f64() => seen.float = true,
                None => *self = Seen::Mixed,
            },
            (Seen::List(of), Value::Array(values)) => values.iter().for_each(|one| of.note(one)),
            (Seen::Object(seen), Value::Object(object)) => {
                seen.count += 1;
                for (key, value) in object {
                    let place = seen.keys.iter().position(|(own, ..)| own == key);
                    let place = place.unwrap_or_else(|| {
                        seen.keys.push((key.clone(), 0, Seen::Nothing));
                        seen.keys.len() - 1
                    });
                    seen.keys[place].1 += 1;
                    seen.keys[place].2.note(value);
                }
                if seen.keys.len() > KEYS_MAX {
                    *self = Seen::Mixed;
                }
            }
            _ => *self = Seen::Mixed,
        }
    }

    fn note_text(&mut self) {
        match self {
            Seen::Nothing => *self = Seen::Text,
            Seen::Text => {}
            _ => *self = Seen::Mixed,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Seen::Number(Numbers { integer: true, float: false, .. }) => Kind::Integer,
            Seen::Number(Numbers { integer: true, wide: true, .. }) => Kind::Text,
            Seen::Number(_) => Kind::Float,
            Seen::Truth => Kind::Truth,
            Seen::List(_) | Seen::Object(_) => Kind::Json,
            Seen::Nothing | Seen::Text | Seen::Mixed => Kind::Text,
        }
    }

    /// Returns the type that all values are of; `exactly` where each would be read as the value that it was.
    fn values(&self, exactly: bool) -> Option<ValueType> {
        Some(match self {
            Seen::Nothing | Seen::Text => ValueType::Text,
            Seen::Number(Numbers { integer: true, float: false, .. }) => ValueType::Integer,
            Seen::Number(Numbers { integer: true, wide, .. }) if *wide || exactly => return None,
            Seen::Number(_) => ValueType::Float,
            Seen::Truth => ValueType::Truth,
            Seen::List(of) => ValueType::List(Box::new(of.values(exactly)?)),
            Seen::Object(Objects { count, keys }) => {
                let lacks = keys.iter().any(|(_, with, _)| with < count);
                if keys.is_empty() || exactly && lacks {
                    return None;
                }
                let typed = |(key, _, seen): &(String, u64, Seen)| {
                    Some((key.clone(), seen.values(exactly)?))
                };
                ValueType::Object(keys.iter().map(typed).collect::<Option<_>>()?)
            }
            Seen::Mixed => return None,
        })
    }
}

/// A column of an input.
#[derive(Debug, Clone, Default)]
struct Surveyed {
    seen: Seen,
    /// Items that have it.
    present: u64,
    /// Items in which it is a value, and no null.
    filled: u64,
}

/// What one pass over an input tells of its columns.
#[derive(Debug, Default)]
pub struct Survey {
    names: Vec<String>,
    places: HashMap<String, usize>,
    columns: Vec<Surveyed>,
    items: u64,
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
        self.columns.push(Surveyed::default());
        self.names.len() - 1
    }

    /// Looks at the fields of one item.
    pub fn note(&mut self, fields: Fields<'_>) {
        self.items += 1;
        fields.for_each_filled(|name, field| {
            let place = self.place(name);
            let column = &mut self.columns[place];
            column.present += 1;
            match field {
                Field::Json(value) => {
                    column.seen.note(value);
                    column.filled += u64::from(!value.is_null());
                }
                Field::Text(_) => {
                    column.seen.note_text();
                    column.filled += 1;
                }
            }
        });
    }

    /// The names of all columns, in the order in which they were seen; of two with the same name the
    /// first.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the columns of these names; one of several kinds is text. `as_it_is` keeps what is not text in
    /// every item as JSON, of any kind; it has no type where an item lacks it, which a null does not say.
    #[must_use]
    pub fn kept(&self, names: &[String], as_it_is: bool) -> Kept {
        let mut kept = Kept::default();
        for name in names {
            let Some(&place) = self.places.get(name) else { continue };
            if kept.places.contains_key(name) {
                continue;
            }
            let Surveyed { seen, present, filled } = &self.columns[place];
            let is_text = matches!(seen, Seen::Text) && *filled == self.items;
            let kind = if as_it_is && !is_text { Kind::Json } else { seen.kind() };
            let is_typed = kind == Kind::Json && (!as_it_is || *present >= self.items);
            let values = is_typed.then(|| seen.values(as_it_is)).flatten();
            kept.places.insert(name.clone(), kept.columns.len());
            kept.columns.push(Column { name: name.clone(), kind, values: values.map(Arc::new) });
        }
        kept
    }
}

/// The columns of an input that a dataset keeps.
#[derive(Debug, Default)]
pub struct Kept {
    columns: Vec<Column>,
    places: HashMap<String, usize>,
    /// Of whole rows, what each column is called in them.
    keys: Option<Vec<String>>,
}

impl Kept {
    /// Their names and kinds.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Returns the same columns as one of [`Kind::Row`], in which each has another name.
    #[must_use]
    pub fn in_rows(self, keys: Vec<String>) -> Kept {
        Kept { keys: Some(keys), ..self }
    }

    /// Returns the cells of one item; what it lacks is empty, or not known.
    #[must_use]
    pub fn cells<'a>(&self, fields: Fields<'a>) -> Vec<Cell<'a>> {
        if let Some(keys) = &self.keys {
            return vec![self.row(fields, keys)];
        }
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

    /// Returns what an item has, in the order in which templates see it.
    fn row<'a>(&self, fields: Fields<'a>, keys: &[String]) -> Cell<'a> {
        let mut found = Vec::new();
        fields.for_each_filled(|name, field| {
            if let Some(&place) = self.places.get(name) {
                found.push((name, &keys[place], field));
            }
        });
        if matches!(fields, Fields::Cells(..)) {
            found.sort_by_key(|(name, ..)| *name);
        }
        let mut row = Map::new();
        for (_, key, field) in found {
            row.entry(key).or_insert_with(|| match field {
                Field::Text(text) => Value::from(text),
                Field::Json(value) => value.clone(),
            });
        }
        Cell::Json(Value::Object(row).to_string().into())
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
    use crate::csv::{Record, Records};

    #[test]
    fn a_column_has_the_kind_of_all_its_values_and_text_where_they_differ() {
        let rows = [
            json!({"n": 1, "x": 1, "ok": true, "mixed": 1, "list": [1],
                "nested": [{"a": 1}], "late": null, "none": null}),
            json!({"n": null, "x": 1.5, "ok": null, "mixed": "a", "list": {"k": 1},
                "nested": [{"a": 2.5, "b": ["x"]}, null], "late": 7}),
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
                ("nested", Kind::Json),
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
            Cell::Json(r#"[{"a":2.5,"b":["x"]},null]"#.into()),
            Cell::Integer(Some(7)),
            Cell::text(""),
            Cell::text(""),
            Cell::text(""),
        ];
        assert_eq!(cells, expected);
        let object = ValueType::Object(vec![
            ("a".into(), ValueType::Float),
            ("b".into(), ValueType::List(Box::new(ValueType::Text))),
        ]);
        let nested = kept.columns().iter().find(|column| column.name == "nested").unwrap();
        assert_eq!(nested.values.as_deref(), Some(&ValueType::List(Box::new(object))));
        assert!(cells.iter().zip(kept.columns()).all(|(cell, column)| cell.is_of(column.kind)));
    }

    #[test]
    fn what_is_to_be_asked_again_is_kept_as_it_is() {
        let rows = [
            json!({"messages": [{"role": "user"}], "topic": "a", "n": 1, "x": 1, "m": {"k": 1}, "s": null}),
            json!({"messages": [], "topic": "b", "n": null, "x": 1.5, "m": {"l": 1}, "s": "t"}),
        ];
        let mut survey = Survey::default();
        rows.iter().for_each(|row| survey.note(Fields::Object(row.as_object().unwrap())));
        let kept = survey.kept(survey.names(), true);
        let cells = kept.cells(Fields::Object(rows[0].as_object().unwrap()));
        let json = |text: &'static str| Cell::Json(text.into());
        let list = json(r#"[{"role":"user"}]"#);
        let expected =
            [list, Cell::text("a"), json("1"), json("1"), json(r#"{"k":1}"#), json("null")];
        assert_eq!(cells, expected);
        // Numbers of both kinds and objects of different keys would not be read as they were.
        let typed: Vec<_> = kept.columns().iter().map(|column| column.values.is_some()).collect();
        assert_eq!(typed, [true, false, true, false, false, true]);
    }

    #[test]
    fn what_is_to_be_asked_again_has_what_each_row_has_in_its_order() {
        let rows = [json!({"q": "a", "b": null}), json!({"b": 1, "n": 2, "q": "b"})];
        let mut survey = Survey::default();
        let fields = |row| Fields::Object(Value::as_object(row).unwrap());
        rows.iter().for_each(|row| survey.note(fields(row)));
        let kept = survey.kept(survey.names(), true);
        let typed: Vec<_> = kept.columns().iter().map(|column| column.values.is_some()).collect();
        assert_eq!(typed, [false, true, false], "a row lacks the last, and a null is not that");
        let kept = kept.in_rows(["question", "b", "n"].map(str::to_owned).into());
        let row = |text: &'static str| vec![Cell::Json(text.into())];
        assert_eq!(kept.cells(fields(&rows[0])), row(r#"{"question":"a","b":null}"#));
        assert_eq!(kept.cells(fields(&rows[1])), row(r#"{"b":1,"n":2,"question":"b"}"#));
    }

    #[test]
    fn a_row_of_a_table_has_all_of_its_columns_as_templates_see_them() {
        let names = ["q", "b", "a"].map(str::to_owned);
        let mut record = Record::default();
        Records::new(&b"x,y\n"[..]).next(&mut record).unwrap();
        let fields = Fields::Cells(&names, &record);
        let mut survey = Survey::new(&names);
        survey.note(fields);
        let kept = survey.kept(survey.names(), true);
        assert!(kept.columns().iter().all(|column| column.kind == Kind::Text));
        let kept = kept.in_rows(names.clone().into());
        assert_eq!(kept.cells(fields), [Cell::Json(r#"{"a":"","b":"y","q":"x"}"#.into())]);
    }
}
