//! Undoes in an answer what the reduction of its schema brought into it.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema::Schema;
use crate::structured::Json;
use crate::structured::json::push_token;

/// The member that holds the value where a schema asks for no object and a service for one.
pub(super) const WRAPPER: &str = "value";

/// What the reduction brought into answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restore {
    /// Properties that may be absent were asked for as null.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nullable: bool,
    /// The value was asked for inside an object, as its one member `value`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wrapped: bool,
}

/// How a place that is null came to be so.
#[derive(Debug, Default)]
struct Null {
    /// It may be absent and not null: only the reduction lets it be null.
    is_ours: bool,
    /// It must be there, or one of several forms lets it be null.
    is_theirs: bool,
}

struct Walk<'a> {
    root: &'a Value,
    nulls: BTreeMap<String, Null>,
    /// Which schema was held against which place: schemas may refer to themselves.
    seen: HashSet<(*const Value, String)>,
}

impl Restore {
    /// Returns the value that the schema is about: unwrapped, and without each `null` at a property
    /// that only the reduction lets be null.
    #[must_use]
    pub fn apply(self, schema: &Schema, value: Json) -> Json {
        let mut value = match value {
            Json::Object(mut members) if self.wrapped && is_wrapper(&members) => {
                members.pop().map_or(Json::Null, |(_, value)| value)
            }
            other => other,
        };
        if self.nullable {
            let root = schema.source();
            let mut walk = Walk { root, nulls: BTreeMap::new(), seen: HashSet::new() };
            walk.visit(root, &value, &mut String::new(), false);
            let ours = |null: &Null| null.is_ours && !null.is_theirs;
            walk.nulls.retain(|_, null| ours(null));
            if !walk.nulls.is_empty() {
                remove(&mut value, &mut String::new(), &walk.nulls);
            }
        }
        value
    }
}

fn is_wrapper(members: &[(String, Json)]) -> bool {
    matches!(members, [(name, _)] if name == WRAPPER)
}

fn remove(value: &mut Json, place: &mut String, nulls: &BTreeMap<String, Null>) {
    let before = place.len();
    match value {
        Json::Array(items) => {
            for (at, item) in items.iter_mut().enumerate() {
                push_token(place, &at.to_string());
                remove(item, place, nulls);
                place.truncate(before);
            }
        }
        Json::Object(members) => members.retain_mut(|(name, member)| {
            push_token(place, name);
            let is_ours = *member == Json::Null && nulls.contains_key(place.as_str());
            if !is_ours {
                remove(member, place, nulls);
            }
            place.truncate(before);
            !is_ours
        }),
        _ => {}
    }
}

impl<'a> Walk<'a> {
    /// Holds a schema against a value. `is_one_of` says that another schema may hold in its place.
    fn visit(&mut self, schema: &'a Value, value: &Json, place: &mut String, is_one_of: bool) {
        if !self.seen.insert((std::ptr::from_ref(schema), place.clone())) {
            return;
        }
        let Some(target) = schema.get("$ref").and_then(Value::as_str) else {
            return self.parts(schema, value, place, is_one_of);
        };
        if let Some(target) = resolve(self.root, target) {
            self.visit(target, value, place, is_one_of);
        }
        self.parts(schema, value, place, is_one_of);
    }

    fn parts(&mut self, schema: &'a Value, value: &Json, place: &mut String, is_one_of: bool) {
        for (keyword, is_choice) in [("allOf", false), ("anyOf", true), ("oneOf", true)] {
            let list = schema.get(keyword).and_then(Value::as_array);
            let is_one_of = is_one_of || is_choice && list.is_some_and(|list| list.len() > 1);
            for part in list.into_iter().flatten() {
                self.visit(part, value, place, is_one_of);
            }
        }
        for keyword in ["then", "else"] {
            if let Some(part) = schema.get(keyword) {
                self.visit(part, value, place, true);
            }
        }
        let before = place.len();
        match value {
            Json::Object(members) => {
                for (name, member) in members {
                    push_token(place, name);
                    self.property(schema, name, member, place, is_one_of);
                    place.truncate(before);
                }
            }
            Json::Array(items) => {
                let list = |keyword| schema.get(keyword).and_then(Value::as_array);
                let first = list("prefixItems").or_else(|| list("items"));
                for (at, item) in items.iter().enumerate() {
                    let own = first.and_then(|first| first.get(at));
                    if let Some(own) = own.or_else(|| schema.get("items")) {
                        push_token(place, &at.to_string());
                        self.visit(own, item, place, is_one_of);
                        place.truncate(before);
                    }
                }
            }
            _ => {}
        }
    }

    fn property(
        &mut self,
        schema: &'a Value,
        name: &str,
        value: &Json,
        place: &mut String,
        is_one_of: bool,
    ) {
        let required = schema.get("required").and_then(Value::as_array);
        let is_required = required.is_some_and(|names| names.iter().any(|own| own == name));
        let own = schema.get("properties").and_then(|properties| properties.get(name));
        if *value == Json::Null {
            let takes_null = own.map(|own| admits_null(self.root, own, 0));
            let null = self.nulls.entry(place.clone()).or_default();
            null.is_ours |= !is_required && takes_null == Some(false);
            // A form that wants it and takes no null does not hold, and says nothing.
            null.is_theirs |= match is_one_of {
                true => takes_null == Some(true) || is_required && takes_null.is_none(),
                false => is_required,
            };
        }
        let other = schema.get("additionalProperties").filter(|other| other.is_object());
        if let Some(own) = own.or(other) {
            self.visit(own, value, place, is_one_of);
        }
    }
}

/// Returns what a reference within the file leads to: by a JSON pointer or by an anchor.
pub(super) fn resolve<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    let fragment = reference.strip_prefix('#')?;
    if fragment.is_empty() || fragment.starts_with('/') {
        return root.pointer(fragment);
    }
    crate::schema::keywords::find(root, &mut String::new(), &mut |schema, _| {
        (schema.get("$anchor").and_then(Value::as_str) == Some(fragment)).then_some(schema)
    })
}

/// How many references are followed, one from the other.
const REFERENCES_MAX: usize = 32;

/// Returns true if a schema takes null. Of one that refers to itself alone, false.
pub(super) fn admits_null(root: &Value, schema: &Value, depth: usize) -> bool {
    let Value::Object(members) = schema else { return *schema == Value::Bool(true) };
    if depth > REFERENCES_MAX {
        return false;
    }
    let admits = |schema: &Value| admits_null(root, schema, depth + 1);
    members.iter().all(|(keyword, value)| match (keyword.as_str(), value) {
        ("type", Value::Array(types)) => types.iter().any(|own| own == "null"),
        ("type", own) => own == "null",
        ("const", own) => own.is_null(),
        ("enum", Value::Array(values)) => values.contains(&Value::Null),
        ("allOf", Value::Array(parts)) => parts.iter().all(admits),
        ("anyOf" | "oneOf", Value::Array(parts)) => parts.iter().any(admits),
        ("not", part) => !admits(part),
        ("$ref", Value::String(reference)) => resolve(root, reference).is_none_or(admits),
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn restored(schema: Value, value: &str) -> String {
        let schema = Schema::new(schema).unwrap();
        let restore = Restore { nullable: true, wrapped: false };
        restore.apply(&schema, Json::parse(value).unwrap()).to_string()
    }

    #[test]
    fn a_null_counts_as_absent_only_where_the_reduction_brought_it() {
        let schema = json!({
            "type": "object",
            "required": ["must"],
            "properties": {
                "must": {"type": "string"},
                "may": {"type": "string"},
                "null": {"type": ["string", "null"]},
                "any": {},
                "list": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
            "$defs": {"node": {"properties": {"next": {"$ref": "#/$defs/node"}, "id": {"type": "integer"}}, "type": "object"}},
        });
        let value = r#"{"must":null,"may":null,"null":null,"any":null,"list":[{"next":{"next":null,"id":1},"id":null}],"x":null}"#;
        let kept = r#"{"must":null,"null":null,"any":null,"list":[{"next":{"id":1}}],"x":null}"#;
        assert_eq!(restored(schema, value), kept);
    }

    #[test]
    fn of_several_forms_one_that_takes_null_keeps_it() {
        let a = json!({"type": "object", "properties": {"x": {"type": "string"}}});
        let b = json!({"type": "object", "properties": {"x": {"type": "null"}}});
        assert_eq!(restored(json!({"anyOf": [a, b]}), r#"{"x":null}"#), r#"{"x":null}"#);
        assert_eq!(restored(json!({"anyOf": [a, a]}), r#"{"x":null}"#), "{}");
        assert_eq!(
            restored(json!({"allOf": [a, {"required": ["x"]}]}), r#"{"x":null}"#),
            r#"{"x":null}"#
        );
    }

    #[test]
    fn a_wrapped_value_is_unwrapped_and_any_other_left_alone() {
        let schema = Schema::new(json!({"type": "array"})).unwrap();
        let restore = Restore { wrapped: true, nullable: false };
        for (value, kept) in [
            (r#"{"value":[1.0]}"#, "[1.0]"),
            ("[1]", "[1]"),
            (r#"{"value":1,"x":2}"#, r#"{"value":1,"x":2}"#),
        ] {
            assert_eq!(restore.apply(&schema, Json::parse(value).unwrap()).to_string(), kept);
        }
    }

    proptest! {
        #[test]
        fn what_fits_is_never_changed(
            must in prop::option::of(0..9u8),
            may in prop::option::of(0..9u8),
        ) {
            let kind = json!({"type": "integer"});
            let schema = json!({"type": "object", "properties": {"may": kind, "must": {"type": ["integer", "null"]}}, "required": ["must"]});
            let mut value = serde_json::Map::from_iter([("must".to_owned(), json!(must))]);
            value.extend(may.map(|may| ("may".to_owned(), json!(may))));
            let text = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(restored(schema, &text), text);
        }
    }
}
