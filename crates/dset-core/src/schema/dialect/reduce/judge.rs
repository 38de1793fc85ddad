//! What can be told of a schema by looking at it.

use serde_json::{Map, Value};

use super::Members;

/// Returns true if keywords that are not sent speak of properties that `properties` does not.
pub(super) fn has_names_elsewhere(members: &Members, properties: &Members) -> bool {
    let is_new = |schema: &Value| {
        let named = schema.get("properties").and_then(Value::as_object);
        named.into_iter().flat_map(Map::keys).any(|name| !properties.contains_key(name))
    };
    let patterns = members.get("patternProperties").and_then(Value::as_object);
    let dependent = ["dependentSchemas", "dependencies"];
    let dependent = dependent.iter().filter_map(|own| members.get(*own)?.as_object());
    patterns.is_some_and(|patterns| !patterns.is_empty())
        || ["then", "else"].iter().filter_map(|own| members.get(*own)).any(is_new)
        || dependent.flat_map(Map::values).any(is_new)
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
