//! Conditions over the fields of an item: one Jinja expression, with the names that templates have.

use minijinja::ErrorKind;

use super::expression::{ParseError, parse};
use super::{TemplateError, known, names_of, row_error};
use crate::item::Item;

/// A parsed condition, its names bound to fields.
#[derive(Debug)]
pub struct Condition {
    parsed: minijinja::Expression<'static, 'static>,
}

impl Condition {
    /// Parses an expression. Fails on syntax and on names that are no field.
    pub fn new(source: &str, fields: &[String]) -> Result<Condition, TemplateError> {
        let is_known = |name: &str| {
            name == "question" || name == "row" || fields.iter().any(|field| field == name)
        };
        let parsed = parse(source, is_known).map_err(|error| match error {
            ParseError::Syntax(detail) => TemplateError::Syntax { line: 1, detail },
            ParseError::Unknown(name) => TemplateError::Undefined { name, known: known(fields) },
        })?;
        Ok(Condition { parsed })
    }

    /// Tells whether it holds for an item. Fails where a field that it needs is missing there, or is
    /// of another kind.
    pub fn holds(&self, item: &Item<'_>) -> Result<bool, TemplateError> {
        let names = names_of(item, item.text.trim(), None);
        let value = self.parsed.eval(names).map_err(|error| row_error(item, &error))?;
        match value.is_undefined() {
            true => Err(row_error(item, &ErrorKind::UndefinedError.into())),
            false => Ok(value.is_true()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(source: &str, fields: serde_json::Value) -> Result<bool, TemplateError> {
        let fields = fields.as_object().unwrap().clone();
        let names: Vec<String> = fields.keys().cloned().collect();
        let item = Item::of_fields(&fields);
        Condition::new(source, &names)?.holds(&item)
    }

    #[test]
    fn a_condition_is_one_expression_over_fields_of_any_kind() {
        let fields = json!({"level": 3, "topic": "art", "tags": ["a"], "note": null});
        for (source, holds) in [
            ("level > 2", true),
            ("level > 3", false),
            ("topic == 'art' and 'a' in tags", true),
            ("note", false),
            ("row['topic']|length == 3", true),
            ("question == 'Why?'", true),
            ("level in [1, 3]", true),
            ("level not in [1, 3]", false),
            ("'a' not in tags", false),
            ("2 < level and not level >= 4", true),
            // Nothing compares with nothing.
            ("note > 1", false),
            ("note < 1", false),
            ("note == 1", false),
            ("note != 1", true),
            ("note is none and row.note is none and note == none", true),
            ("topic is none or topic is not in ['art']", false),
            ("note == '' and row.note == '' and not row.note", true),
            ("note < 'a' or note > 'a' or 'a' in note", false),
            ("level * 2 > 5 and 1 < level < 4", true),
            ("level is gt 2 and [level, 9]|select('gt', 3)|list == [9]", true),
        ] {
            assert_eq!(judged(source, fields.clone()), Ok(holds), "{source}");
        }
        // Cells of a table are texts.
        let cells = json!({"level": "10", "empty": "", "topic": "art", "gold": "007"});
        for (source, holds) in [
            ("level > 2", true),
            ("level < 3", false),
            ("2 <= level", true),
            ("level == 10 and level != 9", true),
            ("level in [9, 10]", true),
            ("empty > 2", false),
            ("empty < 2", false),
            ("gold == '007' and gold != '7' and gold == 7", true),
            ("topic != 3", true),
            ("level|int + 1 > 10.5", true),
            ("level|int * 2 == 20", true),
            ("'-' * 3 == '---' and topic * 2 == 'artart'", true),
            ("level is gt 9 and gold < level", true),
            ("9 < level < 11", true),
            ("empty is none", false),
        ] {
            assert_eq!(judged(source, cells.clone()), Ok(holds), "{source}");
        }
        let error = judged("topic > 3", cells.clone()).unwrap_err().to_string();
        assert!(error.contains("`art` is compared with a number and is none"), "{error}");
        for source in ["level * 2 > 5", "2 * level > 5", "[level * 2]"] {
            let error = judged(source, cells.clone()).unwrap_err().to_string();
            assert!(error.contains("`10` is a text, which `*` would repeat"), "{error}");
        }
        for source in
            ["level >", "leve > 2", "level %}{% if true", "level # 1", "", "level + topic"]
        {
            assert!(judged(source, fields.clone()).is_err(), "{source}");
        }
    }
}
