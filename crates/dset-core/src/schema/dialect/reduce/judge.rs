//! What can be told of a schema by looking at it.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::super::restore::resolve;
use super::Members;

/// Of which properties a schema speaks, at whatever place of it about the same object.
#[derive(Debug, Default)]
pub(super) struct Spoken {
    names: BTreeSet<String>,
    /// How many there have to be, at least.
    least: u64,
    /// Those that it may rule out.
    ruled_out: BTreeSet<String>,
    /// It speaks of properties without naming them.
    others: bool,
}

/// How deep one schema may lie in the other where its properties are looked for.
const DEPTH_MAX: usize = 64;

impl Spoken {
    pub(super) fn of(root: &Value, members: &Members) -> Spoken {
        let mut spoken = Spoken::default();
        spoken.add(root, members, false, 0);
        spoken
    }

    /// Returns true if an object of these properties alone may lack one that is spoken of.
    pub(super) fn is_beyond(&self, properties: &Members) -> bool {
        let allowed = properties.keys().filter(|name| !self.ruled_out.contains(*name)).count();
        self.others
            || self.least > allowed as u64
            || self.names.iter().any(|name| !properties.contains_key(name))
    }

    fn add(&mut self, root: &Value, members: &Members, is_negated: bool, depth: usize) {
        if depth > DEPTH_MAX {
            self.others = true;
            return;
        }
        let is_some = |schema: &Value| *schema != Value::Bool(false);
        for (keyword, value) in members {
            let is_negated = is_negated || keyword == "not" || keyword == "if";
            if let ("required", Value::Array(names)) = (keyword.as_str(), value)
                && is_negated
            {
                self.ruled_out.extend(names.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            let mut below = |schema: &Value| match schema {
                Value::Object(schema) => self.add(root, schema, is_negated, depth + 1),
                Value::Array(names) => {
                    self.names.extend(names.iter().filter_map(Value::as_str).map(str::to_owned));
                }
                _ => {}
            };
            match (keyword.as_str(), value) {
                ("allOf" | "anyOf" | "oneOf", Value::Array(parts)) => {
                    parts.iter().for_each(below);
                }
                // These are not wanted.
                ("not", Value::Object(part))
                    if depth == 0 && part.keys().all(|own| own == "required") =>
                {
                    let names = part.get("required").and_then(Value::as_array);
                    let names = names.into_iter().flatten().filter_map(Value::as_str);
                    self.ruled_out.extend(names.map(str::to_owned));
                }
                ("if" | "then" | "else" | "not", part) => below(part),
                ("$ref", Value::String(target)) => match resolve(root, target) {
                    Some(target) => below(target),
                    None => self.others = true,
                },
                (
                    "dependentRequired" | "dependentSchemas" | "dependencies",
                    Value::Object(named),
                ) => {
                    named.values().for_each(below);
                    self.names.extend(named.keys().cloned());
                }
                ("properties", Value::Object(named)) => self.names.extend(named.keys().cloned()),
                ("required", names) => below(names),
                ("enum", Value::Array(values)) => values.iter().for_each(|value| self.value(value)),
                ("const", value) => self.value(value),
                ("propertyNames", Value::Object(names)) => match names.get("enum") {
                    Some(Value::Array(names)) => {
                        let names = names.iter().filter_map(Value::as_str);
                        self.names.extend(names.map(str::to_owned));
                    }
                    _ => self.others = true,
                },
                ("patternProperties", Value::Object(named)) => {
                    self.others |= named.values().any(is_some);
                }
                ("additionalProperties" | "unevaluatedProperties", others) => {
                    self.others |= is_some(others);
                }
                ("minProperties", least) => {
                    self.least = self.least.max(least.as_u64().unwrap_or(0));
                }
                ("maxProperties", most) if is_negated => {
                    self.least = self.least.max(most.as_u64().unwrap_or(0) + 1);
                }
                _ => {}
            }
        }
    }

    fn value(&mut self, value: &Value) {
        self.names.extend(value.as_object().into_iter().flat_map(Map::keys).cloned());
    }
}

/// Returns true if names may match patterns that say more of them than that there are none.
pub(super) fn has_patterns(members: &Members) -> bool {
    let patterns = members.get("patternProperties").and_then(Value::as_object);
    patterns.is_some_and(|named| named.values().any(|own| *own != Value::Bool(false)))
}

pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

pub(super) fn fits_kind(value: &Value, kind: &str) -> bool {
    kind_of(value) == kind || kind == "number" && value.is_number()
}

/// Returns true if a keyword is about values of a type.
pub(super) fn is_about(keyword: &str, kind: &str) -> bool {
    let kinds: &[&str] = match keyword {
        "properties"
        | "required"
        | "additionalProperties"
        | "patternProperties"
        | "minProperties"
        | "maxProperties"
        | "propertyNames"
        | "dependentRequired"
        | "dependentSchemas"
        | "unevaluatedProperties" => &["object"],
        "items" | "prefixItems" | "additionalItems" | "minItems" | "maxItems" | "uniqueItems"
        | "contains" | "minContains" | "maxContains" | "unevaluatedItems" => &["array"],
        "minLength" | "maxLength" | "pattern" | "format" | "contentEncoding"
        | "contentMediaType" => &["string"],
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => {
            &["number", "integer"]
        }
        _ => return true,
    };
    kinds.contains(&kind)
}

/// Returns true if every engine reads a pattern alike, and nothing that it matches breaks JSON:
/// bound at both ends, of plain characters, classes of them and groups.
pub(super) fn is_plain_pattern(pattern: &str) -> bool {
    let Some(inner) = pattern.strip_prefix('^').and_then(|rest| rest.strip_suffix('$')) else {
        return false;
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " _-:/,;@#%&=!()[]{}|?*+".contains(c);
    let (mut depth, mut is_alone) = (0_i32, true);
    for letter in inner.chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            '|' => is_alone &= depth > 0,
            _ => {}
        }
    }
    // A group that begins with a question mark is none; what one alone would be is another thing.
    inner.chars().all(is_plain) && is_alone && !inner.contains("(?")
}

/// Returns how many properties a schema has, and how many objects lie in each other.
pub(super) fn size(schema: &Value) -> (usize, usize) {
    let (mut properties, mut levels) = (0, 0);
    let mut add = |below: &Value, is_level: bool| {
        let (more, deep) = size(below);
        properties += more;
        levels = levels.max(deep + usize::from(is_level));
    };
    match schema {
        Value::Object(members) => {
            for (keyword, value) in members {
                add(value, keyword == "properties");
            }
            if let Some(Value::Object(named)) = members.get("properties") {
                properties += named.len();
            }
        }
        Value::Array(items) => items.iter().for_each(|item| add(item, false)),
        _ => {}
    }
    (properties, levels)
}

/// From how many values on the letters of an enumeration are counted.
pub(super) const ENUM_LONG: usize = 250;

/// Returns how many values all enumerations have, and how many letters the largest of those with more than
/// [`ENUM_LONG`].
pub(super) fn enums(schema: &Value) -> (usize, usize) {
    let Value::Object(members) = schema else {
        let below = schema.as_array().into_iter().flatten().map(enums);
        return below.fold((0, 0), |all, one| (all.0 + one.0, all.1.max(one.1)));
    };
    members.iter().fold((0, 0), |all, (keyword, value)| {
        let one = match value {
            Value::Array(values) if keyword == "enum" => {
                let letters = values.iter().filter_map(Value::as_str);
                let letters: usize = letters.map(|value| value.chars().count()).sum();
                (values.len(), if values.len() > ENUM_LONG { letters } else { 0 })
            }
            value => enums(value),
        };
        (all.0 + one.0, all.1.max(one.1))
    })
}

/// Returns true if a definition refers to itself, by way of others or not.
pub(super) fn refers_to_itself(sent: &Value) -> bool {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => members.iter().for_each(|(name, value)| match value {
                Value::String(target) if name == "$ref" => found.push(target),
                Value::Object(_) if name == "$defs" => {}
                value => references(value, found),
            }),
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let Some(Value::Object(named)) = sent.get("$defs") else { return false };
    named.keys().any(|start| {
        let (mut seen, mut next) = (Vec::new(), vec![start.as_str()]);
        while let Some(name) = next.pop() {
            let mut found = Vec::new();
            references(&named[name], &mut found);
            for target in found.iter().filter_map(|target| target.strip_prefix("#/$defs/")) {
                if target == start {
                    return true;
                }
                if !seen.contains(&target) && named.contains_key(target) {
                    seen.push(target);
                    next.push(target);
                }
            }
        }
        false
    })
}
