//! The fields of an item, by their names, whatever form they were read from.

use serde_json::{Map, Value};

use crate::csv::Record;

/// The fields of one item. Of two with the same name the first counts.
#[derive(Debug, Clone, Copy)]
pub enum Fields<'a> {
    /// The cells of a row, with the names of the columns; a short row lacks the last ones.
    Cells(&'a [String], &'a Record),
    /// The members of a JSON object.
    Object(&'a Map<String, Value>),
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Field<'a> {
    /// Text, as it stands.
    Text(&'a str),
    /// Any JSON value.
    Json(&'a Value),
}

impl<'a> Fields<'a> {
    /// Calls `each` with every field that the item has, in the order of the input.
    pub fn for_each(self, mut each: impl FnMut(&'a str, Field<'a>)) {
        match self {
            Fields::Cells(names, record) => {
                for (name, cell) in names.iter().zip(record.cells()) {
                    each(name, Field::Text(cell));
                }
            }
            Fields::Object(object) => {
                for (name, value) in object {
                    match value {
                        Value::String(text) => each(name, Field::Text(text)),
                        value => each(name, Field::Json(value)),
                    }
                }
            }
        }
    }

    /// Calls `each` as [`Fields::for_each`] does, also with the empty cells that a short row ends with where a
    /// template sees it.
    pub fn for_each_filled(self, mut each: impl FnMut(&'a str, Field<'a>)) {
        self.for_each(&mut each);
        if let Fields::Cells(names, record) = self {
            names.iter().skip(record.cells().count()).for_each(|name| each(name, Field::Text("")));
        }
    }

    /// Returns all fields as an object, to be kept.
    #[must_use]
    pub fn to_object(self) -> Map<String, Value> {
        let mut object = Map::new();
        self.for_each(|name, field| {
            object.entry(name).or_insert_with(|| match field {
                Field::Text(text) => Value::from(text),
                Field::Json(value) => value.clone(),
            });
        });
        object
    }

    /// Returns a field by its name. Linear in the number of fields.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Field<'a>> {
        let mut found = None;
        self.for_each(|own, field| {
            if own == name && found.is_none() {
                found = Some(field);
            }
        });
        found
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::csv::Records;

    #[test]
    fn fields_are_found_by_name_in_rows_and_in_objects() {
        let names = ["a", "b", "a", "c"].map(str::to_owned);
        let mut record = Record::default();
        Records::new(&b"1,2,3\n"[..]).next(&mut record).unwrap();
        let row = Fields::Cells(&names, &record);
        assert_eq!(row.get("a"), Some(Field::Text("1")), "the first of two");
        assert_eq!(row.get("c"), None, "the row is too short");
        let mut all = Vec::new();
        row.for_each_filled(|name, field| all.push((name, field)));
        let filled = [("a", "1"), ("b", "2"), ("a", "3"), ("c", "")];
        assert_eq!(all, filled.map(|(name, text)| (name, Field::Text(text))));
        let object = json!({"a": "1", "b": [2]});
        let object = Fields::Object(object.as_object().unwrap());
        assert_eq!(object.get("a"), Some(Field::Text("1")));
        assert_eq!(object.get("b"), Some(Field::Json(&json!([2]))));
    }
}
