//! Columns of a dataset, their kinds, and what stands in them.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

/// A column of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name; no two columns of a dataset have the same.
    pub name: String,
    /// The kind of each of its cells.
    pub kind: Kind,
    /// Of [`Kind::Json`], what all values are, where they are alike.
    pub values: Option<Arc<ValueType>>,
}

impl Column {
    /// Returns a column whose values are as its kind says.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: Kind) -> Column {
        Column { name: name.into(), kind, values: None }
    }
}

/// What all values of a column are; each may be null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueType {
    /// Texts.
    Text,
    /// Whole numbers, 64 bits with a sign.
    Integer,
    /// Numbers of double precision.
    Float,
    /// True or false.
    Truth,
    /// Lists.
    List(Box<ValueType>),
    /// Objects with these keys, of which one may lack some; never without any.
    Object(Vec<(String, ValueType)>),
}

impl ValueType {
    /// Tells whether a value is of this type.
    #[must_use]
    pub fn has(&self, value: &Value) -> bool {
        match (self, value) {
            (_, Value::Null) | (ValueType::Text, Value::String(_)) => true,
            (ValueType::Truth, Value::Bool(_)) | (ValueType::Float, Value::Number(_)) => true,
            (ValueType::Integer, Value::Number(number)) => number.is_i64(),
            (ValueType::List(of), Value::Array(values)) => values.iter().all(|one| of.has(one)),
            (ValueType::Object(keys), Value::Object(object)) => object
                .iter()
                .all(|(key, value)| keys.iter().any(|(own, of)| own == key && of.has(value))),
            _ => false,
        }
    }
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text. Unknown text is the empty one.
    Text,
    /// A whole number, 64 bits with a sign.
    Integer,
    /// A number of double precision.
    Float,
    /// True or false.
    Truth,
    /// A moment in UTC, by the millisecond.
    Time,
    /// A list of texts.
    Texts,
    /// A list of objects, each with exactly these keys, all of them texts.
    Objects(&'static [&'static str]),
    /// A whole row: a JSON object with the keys that the row has, in their order.
    Row,
    /// Any JSON value. A file of typed columns has the type of [`Column::values`], or text where there is none.
    Json,
}

/// What stands in one place of a dataset.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    /// Of [`Kind::Text`].
    Text(Cow<'a, str>),
    /// Of [`Kind::Integer`]; absent where it is not known.
    Integer(Option<i64>),
    /// Of [`Kind::Float`]; absent where it is not known.
    Float(Option<f64>),
    /// Of [`Kind::Truth`]; absent where it is not known.
    Truth(Option<bool>),
    /// Of [`Kind::Time`], Unix milliseconds.
    Time(i64),
    /// Of [`Kind::Texts`].
    Texts(Vec<Cow<'a, str>>),
    /// Of [`Kind::Objects`]: a text for each key.
    Objects(Vec<Vec<Cow<'a, str>>>),
    /// Of [`Kind::Json`] and [`Kind::Row`]: the value, without blanks between its parts.
    Json(Cow<'a, str>),
}

impl<'a> Cell<'a> {
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Cell<'a> {
        Cell::Text(text.into())
    }

    pub(super) fn optional(text: &'a Option<String>) -> Cell<'a> {
        Cell::text(text.as_deref().unwrap_or_default())
    }

    pub(super) fn count(count: Option<u64>) -> Cell<'a> {
        Cell::Integer(count.and_then(|count| i64::try_from(count).ok()))
    }

    /// Tells whether a column of this kind may hold it.
    #[must_use]
    pub fn is_of(&self, kind: Kind) -> bool {
        match (self, kind) {
            (Cell::Text(_), Kind::Text)
            | (Cell::Integer(_), Kind::Integer)
            | (Cell::Float(_), Kind::Float)
            | (Cell::Truth(_), Kind::Truth)
            | (Cell::Time(_), Kind::Time)
            | (Cell::Texts(_), Kind::Texts)
            | (Cell::Json(_), Kind::Json | Kind::Row) => true,
            (Cell::Objects(objects), Kind::Objects(keys)) => {
                objects.iter().all(|texts| texts.len() == keys.len())
            }
            _ => false,
        }
    }
}
