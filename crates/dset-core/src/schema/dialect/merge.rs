//! Two schemas of which both must hold, as one.

use serde_json::{Map, Value};

/// Keywords that say something to people and models, and limit nothing.
pub(super) const REMARKS: [&str; 8] = [
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "$comment",
];

/// Keywords that name parts of a file.
pub(super) const NAMES: [&str; 6] =
    ["$schema", "$id", "$anchor", "$defs", "definitions", "$vocabulary"];

/// Returns true if a keyword limits nothing.
pub(super) fn is_remark(keyword: &str) -> bool {
    REMARKS.contains(&keyword) || NAMES.contains(&keyword)
}

/// Returns one schema that takes what both take; `None` where it cannot be written down plainly.
pub(super) fn merge(
    one: &Map<String, Value>,
    other: &Map<String, Value>,
) -> Option<Map<String, Value>> {
    if is_closed(one) && has_more(other, one) || is_closed(other) && has_more(one, other) {
        return None;
    }
    let mut both = one.clone();
    for (keyword, value) in other {
        let merged = match both.get(keyword) {
            None => value.clone(),
            Some(own) if own == value || is_remark(keyword) => continue,
            Some(own) => merged(keyword, own, value)?,
        };
        both.insert(keyword.clone(), merged);
    }
    Some(both)
}

fn is_closed(schema: &Map<String, Value>) -> bool {
    schema.get("additionalProperties") == Some(&Value::Bool(false))
}

fn names(schema: &Map<String, Value>) -> impl Iterator<Item = &String> {
    schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys)
}

/// Returns true if a schema has properties that another has not.
fn has_more(schema: &Map<String, Value>, than: &Map<String, Value>) -> bool {
    names(schema).any(|name| !names(than).any(|own| own == name))
}

fn merged(keyword: &str, one: &Value, other: &Value) -> Option<Value> {
    match keyword {
        "properties" => {
            let (one, other) = (one.as_object()?, other.as_object()?);
            let mut both = one.clone();
            for (name, schema) in other {
                let merged = match both.get(name) {
                    None | Some(Value::Bool(true)) => schema.clone(),
                    Some(own) if own == schema || *schema == Value::Bool(true) => continue,
                    Some(own) => Value::Object(merge(own.as_object()?, schema.as_object()?)?),
                };
                both.insert(name.clone(), merged);
            }
            Some(Value::Object(both))
        }
        "required" => {
            let mut both = one.as_array()?.clone();
            both.extend(other.as_array()?.iter().filter(|name| !one_of(one, name)).cloned());
            Some(Value::Array(both))
        }
        "enum" => {
            let both: Vec<Value> =
                one.as_array()?.iter().filter(|value| one_of(other, value)).cloned().collect();
            (!both.is_empty()).then_some(Value::Array(both))
        }
        "type" => types(one, other),
        "minimum" | "exclusiveMinimum" | "minLength" | "minItems" | "minProperties" => {
            Some(if one.as_f64()? < other.as_f64()? { other.clone() } else { one.clone() })
        }
        "maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" | "maxProperties" => {
            Some(if one.as_f64()? > other.as_f64()? { other.clone() } else { one.clone() })
        }
        _ => None,
    }
}

fn one_of(list: &Value, value: &Value) -> bool {
    list.as_array().is_some_and(|list| list.contains(value))
}

fn types(one: &Value, other: &Value) -> Option<Value> {
    let list = |types: &Value| match types {
        Value::Array(types) => types.clone(),
        one => vec![one.clone()],
    };
    let (one, other) = (list(one), list(other));
    let takes = |types: &[Value], kind: &Value| {
        types.contains(kind) || kind == "integer" && types.iter().any(|own| own == "number")
    };
    let mut both: Vec<Value> = one.iter().filter(|kind| takes(&other, kind)).cloned().collect();
    for kind in other {
        if takes(&one, &kind) && !takes(&both, &kind) {
            both.push(kind);
        }
    }
    match both.len() {
        0 => None,
        1 => both.pop(),
        _ => Some(Value::Array(both)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(one: Value, other: Value) -> Option<Value> {
        merge(one.as_object().unwrap(), other.as_object().unwrap()).map(Value::Object)
    }

    #[test]
    fn what_both_ask_for_is_asked_for() {
        let both = merged(
            json!({"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]}),
            json!({"properties": {"a": {"type": "integer", "minimum": 1}, "b": {}}, "required": ["a", "b"]}),
        );
        let one = json!({"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}, "b": {}}, "required": ["a", "b"]});
        assert_eq!(both, Some(one));
        let both =
            merged(json!({"minimum": 1, "enum": [1, 2]}), json!({"minimum": 2, "enum": [2]}));
        assert_eq!(both, Some(json!({"minimum": 2, "enum": [2]})));
    }

    #[test]
    fn what_cannot_be_one_is_not_forced_together() {
        for (one, other) in [
            (json!({"type": "string"}), json!({"type": "number"})),
            (json!({"pattern": "a"}), json!({"pattern": "b"})),
            (
                json!({"properties": {"a": {}}, "additionalProperties": false}),
                json!({"properties": {"b": {}}}),
            ),
        ] {
            assert_eq!(merged(one, other), None);
        }
    }
}
