//! Conditions over the fields of an item: one Jinja expression, with the names that templates have.

use super::{Template, TemplateError};
use crate::item::Item;

/// A parsed condition, its names bound to fields.
#[derive(Debug)]
pub struct Condition {
    template: Template,
}

impl Condition {
    /// Parses an expression. Fails on syntax and on names that are no field.
    pub fn new(source: &str, fields: &[String]) -> Result<Condition, TemplateError> {
        // The parentheses keep what follows the expression out of it.
        let template = Template::new(&format!("{{% if ({source}\n) %}}1{{% endif %}}"), fields)?;
        template.is_one_expression(source)?;
        Ok(Condition { template })
    }

    /// Tells whether it holds for an item. Fails where a field that it needs is missing there, or is
    /// of another kind.
    pub fn holds(&self, item: &Item<'_>) -> Result<bool, TemplateError> {
        Ok(!self.template.fill(item, item.text.trim())?.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::item::fields::Fields;
    use crate::item::{Place, Status};

    fn judged(source: &str, fields: serde_json::Value) -> Result<bool, TemplateError> {
        let fields = fields.as_object().unwrap().clone();
        let names: Vec<String> = fields.keys().cloned().collect();
        let item = Item {
            place: Place::Row(3),
            text: "Why?",
            turns: None,
            system: None,
            fields: Fields::Object(&fields),
            id: None,
            status: Status::Empty,
        };
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
        ] {
            assert_eq!(judged(source, fields.clone()), Ok(holds), "{source}");
        }
        for source in
            ["level >", "leve > 2", "level %}{% if true", "level # 1", "", "level + topic"]
        {
            assert!(judged(source, fields.clone()).is_err(), "{source}");
        }
    }
}
