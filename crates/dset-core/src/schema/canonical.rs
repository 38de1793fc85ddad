//! The text of a schema that goes into the key of an answer.
//!
//! Blanks and the order of keywords are left out of account. The order of `properties` is not:
//! models write them in that order, so another order is another request. A format on disk: another
//! text would buy every answer again.

use serde_json::{Map, Value};

use crate::schema::keywords::{Holds, holds};

/// Returns the canonical text of a schema.
pub(crate) fn text(schema: &Value) -> String {
    canonical(schema).to_string()
}

fn canonical(schema: &Value) -> Value {
    let Value::Object(members) = schema else { return schema.clone() };
    let mut keywords: Vec<_> = members.iter().collect();
    keywords.sort_by_key(|(keyword, _)| *keyword);
    let each = |(keyword, value): (&String, &Value)| {
        let value = match (holds(keyword), value) {
            (Holds::Schemas, Value::Array(list)) => list.iter().map(canonical).collect(),
            (Holds::Schemas, one) => canonical(one),
            (Holds::Named, Value::Object(named)) => {
                let mut named: Vec<_> =
                    named.iter().map(|(name, one)| (name.clone(), canonical(one))).collect();
                if keyword != "properties" {
                    named.sort_by(|one, other| one.0.cmp(&other.0));
                }
                Value::Object(named.into_iter().collect())
            }
            (_, data) => sorted(data),
        };
        (keyword.clone(), value)
    };
    Value::Object(keywords.into_iter().map(each).collect::<Map<_, _>>())
}

/// Returns data with the names of its objects sorted.
fn sorted(data: &Value) -> Value {
    match data {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(members) => {
            let mut members: Vec<_> =
                members.iter().map(|(name, value)| (name.clone(), sorted(value))).collect();
            members.sort_by(|one, other| one.0.cmp(&other.0));
            Value::Object(members.into_iter().collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_changes_answers_changes_the_text() {
        let one = json!({"type": "object", "properties": {"b": {"const": {"y": 1, "x": 2}}, "a": {"title": "A", "description": "d"}}});
        let same = json!({"properties": {"b": {"const": {"x": 2, "y": 1}}, "a": {"description": "d", "title": "A"}}, "type": "object"});
        let other = json!({"type": "object", "properties": {"a": {"title": "A", "description": "d"}, "b": {"const": {"y": 1, "x": 2}}}});
        assert_eq!(text(&one), text(&same));
        assert_ne!(text(&one), text(&other));
        // A format on disk.
        let on_disk = r#"{"properties":{"b":{"const":{"x":2,"y":1}},"a":{"description":"d","title":"A"}},"type":"object"}"#;
        assert_eq!(text(&one), on_disk);
    }
}
