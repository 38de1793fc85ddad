//! Where in a schema other schemas are.

use serde_json::Value;

use crate::structured::json::push_token;

/// What a keyword holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// A schema; in drafts before 2020-12 also a list of them (`items`).
    Schemas,
    /// Schemas by names: of properties, of patterns, or their own.
    Named,
    /// Anything else: a number, names, a value.
    Data,
}

/// Returns what a keyword holds.
pub(crate) fn holds(keyword: &str) -> Holds {
    match keyword {
        "additionalItems"
        | "additionalProperties"
        | "allOf"
        | "anyOf"
        | "contains"
        | "contentSchema"
        | "else"
        | "if"
        | "items"
        | "not"
        | "oneOf"
        | "prefixItems"
        | "propertyNames"
        | "then"
        | "unevaluatedItems"
        | "unevaluatedProperties" => Holds::Schemas,
        "$defs" | "definitions" | "dependencies" | "dependentSchemas" | "patternProperties"
        | "properties" => Holds::Named,
        _ => Holds::Data,
    }
}

/// Calls `each` with every schema in a schema, itself first, and its JSON pointer; ends with what
/// it returns first.
pub(crate) fn find<'a, T>(
    schema: &'a Value,
    place: &mut String,
    each: &mut impl FnMut(&'a Value, &str) -> Option<T>,
) -> Option<T> {
    if let Some(found) = each(schema, place) {
        return Some(found);
    }
    let before = place.len();
    let members = schema.as_object().into_iter().flatten();
    for (keyword, value) in members {
        let below: Vec<(Option<String>, &Value)> = match (holds(keyword), value) {
            (Holds::Schemas, Value::Array(list)) => {
                list.iter().enumerate().map(|(at, one)| (Some(at.to_string()), one)).collect()
            }
            (Holds::Schemas, one) => vec![(None, one)],
            (Holds::Named, Value::Object(named)) => {
                named.iter().map(|(name, one)| (Some(name.clone()), one)).collect()
            }
            _ => continue,
        };
        for (token, one) in below {
            push_token(place, keyword);
            if let Some(token) = token {
                push_token(place, &token);
            }
            if let Some(found) = find(one, place, each) {
                return Some(found);
            }
            place.truncate(before);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_schema_in_a_schema_is_visited_once_and_no_data_is() {
        let schema = json!({
            "properties": {"a/b": {"enum": [{"type": 1}]}, "properties": true},
            "anyOf": [{"not": {}}],
            "items": {"default": {"type": 1}},
        });
        let mut places = Vec::new();
        find(&schema, &mut String::new(), &mut |_, place| {
            places.push(place.to_owned());
            None::<()>
        });
        let all = ["", "/properties/a~1b", "/properties/properties", "/anyOf/0", "/anyOf/0/not"];
        assert_eq!(places[..5], all);
        assert_eq!(places[5..], ["/items"]);
    }
}
