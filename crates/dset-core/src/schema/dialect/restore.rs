//! Undoes in an answer what the reduction of its schema brought into it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schema::Schema;
use crate::structured::Json;
use crate::structured::json::push_token;

/// The member that holds the value where a schema asks for no object and a service for one.
pub(super) const WRAPPER: &str = "value";

/// How many nulls that may be the user's own are tried one by one.
const TRIED_MAX: usize = 32;

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

/// What schemas say of a place that is null.
#[derive(Debug, Default)]
struct Null {
    /// It may be absent and not null, by one that must hold: only the reduction lets it be null.
    is_ours: bool,
    /// It must be there, by one that must hold.
    is_required: bool,
    /// The first, by one in whose place another may hold.
    may_be_ours: bool,
    /// It may be null, or must be there, by one in whose place another may hold.
    may_be_theirs: bool,
}

struct Walk<'a> {
    root: &'a Value,
    nulls: BTreeMap<String, Null>,
    /// Which schema was held against which place: schemas may refer to themselves.
    seen: HashSet<(*const Value, String, bool)>,
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
            let (mut ours, mut doubtful) = (BTreeSet::new(), BTreeSet::new());
            for (place, null) in walk.nulls {
                let may_be = null.may_be_ours && !null.is_required;
                if null.is_ours && !null.is_required || may_be && !null.may_be_theirs {
                    ours.insert(place);
                } else if may_be {
                    doubtful.insert(place);
                }
            }
            remove(&mut value, &mut String::new(), &ours);
            decide(schema, &mut value, doubtful);
        }
        value
    }
}

fn is_wrapper(members: &[(String, Json)]) -> bool {
    matches!(members, [(name, _)] if name == WRAPPER)
}

/// Of nulls that one form of a union takes and another does not, removes those without which the
/// value fits, and no more. What fits as it stands is left so.
fn decide(schema: &Schema, value: &mut Json, mut doubtful: BTreeSet<String>) {
    let without = |places: &BTreeSet<String>| {
        let mut value = value.clone();
        remove(&mut value, &mut String::new(), places);
        value
    };
    let fits = |places: &BTreeSet<String>| {
        without(places).to_value().is_ok_and(|value| schema.validator.is_valid(&value))
    };
    if doubtful.is_empty() || fits(&BTreeSet::new()) {
        return;
    }
    let each: Vec<_> =
        doubtful.iter().take(TRIED_MAX).map(|place| BTreeSet::from_iter([place.clone()])).collect();
    if fits(&doubtful) {
        for one in each {
            let fewer = &doubtful - &one;
            if fits(&fewer) {
                doubtful = fewer;
            }
        }
    } else {
        doubtful = each.into_iter().find(fits).unwrap_or_default();
    }
    *value = without(&doubtful);
}

fn remove(value: &mut Json, place: &mut String, nulls: &BTreeSet<String>) {
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
            let is_ours = *member == Json::Null && nulls.contains(place.as_str());
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
        if !self.seen.insert((std::ptr::from_ref(schema), place.clone(), is_one_of)) {
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
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.visit(part, value, place, is_one_of);
        }
        for keyword in ["anyOf", "oneOf"] {
            let list = schema.get(keyword).and_then(Value::as_array);
            let all: Vec<&Value> = list.into_iter().flatten().collect();
            let holding = |form: &&Value| may_hold(self.root, form, value, 0);
            let mut forms: Vec<&Value> = all.iter().copied().filter(holding).collect();
            if forms.is_empty() {
                forms = all;
            }
            let is_one_of = is_one_of || forms.len() > 1;
            for form in forms {
                self.visit(form, value, place, is_one_of);
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
            let is_ours = !is_required && takes_null == Some(false);
            // A form that wants it and takes no null does not hold, and says nothing.
            let is_theirs = takes_null == Some(true) || is_required && takes_null.is_none();
            null.may_be_theirs |= is_theirs;
            match is_one_of {
                true => null.may_be_ours |= is_ours,
                false => {
                    null.is_ours |= is_ours;
                    null.is_required |= is_required;
                }
            }
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

/// Returns false where a schema surely does not take a value, whichever of its nulls are absent.
fn may_hold(root: &Value, schema: &Value, value: &Json, depth: usize) -> bool {
    let Value::Object(members) = schema else { return *schema != Value::Bool(false) };
    if depth > REFERENCES_MAX {
        return true;
    }
    let holds = |schema: &Value| may_hold(root, schema, value, depth + 1);
    let own = |name: &str| members.get("properties").and_then(|named| named.get(name));
    members.iter().all(|(keyword, said)| match (keyword.as_str(), said, value) {
        ("type", Value::Array(types), _) => types.iter().any(|kind| is_of(value, kind)),
        ("type", kind, _) => is_of(value, kind),
        ("const", said, _) => may_be(value, said),
        ("enum", Value::Array(values), _) => values.iter().any(|said| may_be(value, said)),
        ("allOf", Value::Array(parts), _) => parts.iter().all(holds),
        ("anyOf" | "oneOf", Value::Array(parts), _) => parts.iter().any(holds),
        ("$ref", Value::String(reference), _) => resolve(root, reference).is_none_or(holds),
        ("required", Value::Array(names), Json::Object(_)) => {
            names.iter().filter_map(Value::as_str).all(|name| match value.get(name) {
                Some(Json::Null) => own(name).is_none_or(|own| admits_null(root, own, 0)),
                member => member.is_some(),
            })
        }
        ("properties", Value::Object(named), Json::Object(_)) => named.iter().all(|(name, own)| {
            let member = value.get(name).filter(|member| **member != Json::Null);
            member.is_none_or(|member| may_hold(root, own, member, depth + 1))
        }),
        _ => true,
    })
}

fn is_of(value: &Json, kind: &Value) -> bool {
    let kinds: &[&str] = match value {
        Json::Null => &["null"],
        Json::Bool(_) => &["boolean"],
        Json::Number(_) => &["number", "integer"],
        Json::String(_) => &["string"],
        Json::Array(_) => &["array"],
        Json::Object(_) => &["object"],
    };
    kind.as_str().is_none_or(|kind| kinds.contains(&kind))
}

fn may_be(value: &Json, said: &Value) -> bool {
    match (value, said) {
        (Json::String(text), said) => said == text.as_str(),
        (Json::Bool(own), said) => said == own,
        (Json::Null, said) => said.is_null(),
        (Json::Number(_), said) => said.is_number(),
        (Json::Array(_), said) => said.is_array(),
        (Json::Object(_), said) => said.is_object(),
    }
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
    fn a_null_that_fits_nowhere_counts_as_absent_whatever_stands_beside() {
        let text = json!({"type": "string"});
        let either = json!({
            "type": "object",
            "properties": {"a": text, "b": text},
            "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
        });
        assert_eq!(restored(either, r#"{"a":"1","b":null}"#), r#"{"a":"1"}"#);
        let depends = json!({
            "type": "object",
            "properties": {"k": text, "v": {"type": "integer"}},
            "required": ["k"],
            "if": {"properties": {"k": {"const": "x"}}},
            "then": {"required": ["v"]},
        });
        assert_eq!(restored(depends.clone(), r#"{"k":"y","v":null}"#), r#"{"k":"y"}"#);
        assert_eq!(restored(depends, r#"{"k":"y","v":1}"#), r#"{"k":"y","v":1}"#);
    }

    #[test]
    fn of_several_forms_the_one_that_holds_says_what_its_nulls_are() {
        let form = |name: &str, x: Value| {
            json!({
                "type": "object",
                "properties": {"t": {"const": name}, "x": x, "y": {"type": "string"}},
                "required": ["t"],
            })
        };
        let (no_null, null) = (json!({"type": "integer"}), json!({"type": ["integer", "null"]}));
        let told =
            json!({"items": {"anyOf": [form("A", no_null.clone()), form("B", null.clone())]}});
        let value = r#"[{"t":"A","x":null,"y":null},{"t":"B","x":null,"y":null}]"#;
        assert_eq!(restored(told, value), r#"[{"t":"A"},{"t":"B","x":null}]"#);
        // Where a glance does not tell, what fits does.
        let short = |schema: Value, y: usize| json!({"allOf": [schema, {"properties": {"y": {"minLength": y}}}]});
        let one = json!({"items": {"anyOf": [
            short(form("A", no_null), 3),
            {"allOf": [form("A", null), {"properties": {"y": {"maxLength": 2}}}]},
        ]}});
        let value = r#"[{"t":"A","x":null,"y":"long"},{"t":"A","x":null,"y":"ab"}]"#;
        assert_eq!(restored(one, value), r#"[{"t":"A","y":"long"},{"t":"A","x":null,"y":"ab"}]"#);
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
