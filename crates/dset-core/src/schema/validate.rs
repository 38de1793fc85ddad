//! Whether a value fits a schema, and what whoever wrote it can do about it.
//!
//! Formats are checked under every draft where they are known; one that is not known limits nothing.

use std::collections::HashSet;

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde::{Deserialize, Serialize};

use crate::schema::Schema;
use crate::structured::{Json, Place};

/// How many reasons are given at once: more is not read, by people or by models.
pub const REASONS_MAX: usize = 8;
/// How much of a value is shown, in characters.
const SHOWN_CHARS_MAX: usize = 60;
/// How long a sentence is at most, in characters: it may quote the schema.
const SENTENCE_CHARS_MAX: usize = 300;

/// Why a value does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Where, as a JSON pointer into the value; empty for the whole of it.
    pub place: String,
    /// What is wrong there, as a sentence without its full stop.
    pub sentence: String,
}

impl Schema {
    /// Returns why a value does not fit, at most [`REASONS_MAX`] reasons; none where it fits.
    #[must_use]
    pub fn reasons(&self, value: &Json) -> Vec<Reason> {
        let read = match value.to_value() {
            Ok(read) => read,
            Err(place) => {
                return vec![Reason { place, sentence: "this number is too large".into() }];
            }
        };
        // Most values fit, and this is the quick way to know.
        if self.validator.is_valid(&read) {
            return Vec::new();
        }
        let mut reasons = Vec::new();
        for error in self.validator.iter_errors(&read) {
            add(&error, value, &mut reasons);
            if reasons.len() >= REASONS_MAX {
                break;
            }
        }
        reasons.truncate(REASONS_MAX);
        reasons
    }
}

fn add(error: &ValidationError<'_>, value: &Json, reasons: &mut Vec<Reason>) {
    let branches = match error.kind() {
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            context.as_slice()
        }
        _ => &[],
    };
    if let Some(branch) = nearest(branches, error) {
        branch.iter().for_each(|error| add(error, value, reasons));
        return;
    }
    let place = error.instance_path().to_string();
    let written = match place.is_empty() {
        true => Some(value),
        false => Place::read(&place).ok().and_then(|place| place.find(value)),
    };
    // Numbers that are the same only as doubles are not.
    if let (ValidationErrorKind::UniqueItems, Some(Json::Array(items))) = (error.kind(), written)
        && are_different(items)
    {
        return;
    }
    let shown = written.map_or_else(|| error.instance().to_string(), Json::to_string);
    let reason = Reason { place, sentence: sentence(error, &shown) };
    if !reasons.contains(&reason) {
        reasons.push(reason);
    }
}

fn are_different(items: &[Json]) -> bool {
    let mut texts = HashSet::new();
    items.iter().all(|item| texts.insert(comparable(item)))
}

/// Returns a text that two values share that are equal: of numbers every digit of whole ones counts.
fn comparable(value: &Json) -> String {
    let all = |items: &mut dyn Iterator<Item = String>| items.collect::<Vec<_>>().join(",");
    match value {
        Json::Number(digits) => match digits.parse::<f64>() {
            // A zero has no sign.
            Ok(number) if digits.contains(['.', 'e', 'E']) || number == 0.0 => {
                (number + 0.0).to_string()
            }
            _ => digits.to_string(),
        },
        Json::Array(items) => format!("[{}]", all(&mut items.iter().map(comparable))),
        Json::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| name);
            let member = |(name, own): &(String, Json)| format!("{name:?}:{}", comparable(own));
            format!("{{{}}}", all(&mut members.into_iter().map(member)))
        }
        other => other.to_string(),
    }
}

/// Returns the branch that was probably meant: the only one that is of the value's own type.
fn nearest<'a>(
    branches: &'a [Vec<ValidationError<'static>>],
    whole: &ValidationError<'_>,
) -> Option<&'a [ValidationError<'static>]> {
    let is_of_other_kind = |error: &ValidationError<'_>| {
        let kinds = matches!(
            error.kind(),
            ValidationErrorKind::Type { .. }
                | ValidationErrorKind::Constant { .. }
                | ValidationErrorKind::Enum { .. }
                | ValidationErrorKind::FalseSchema
        );
        kinds && error.instance_path() == whole.instance_path()
    };
    let mut meant = branches.iter().filter(|branch| !branch.iter().any(is_of_other_kind));
    match (meant.next(), meant.next()) {
        (Some(one), None) => Some(one),
        _ => None,
    }
}

/// Says what is wrong in one sentence, and shows the value where it is short.
pub(crate) fn sentence(error: &ValidationError<'_>, shown: &str) -> String {
    let says = shortened(&error.masked_with("this").to_string(), SENTENCE_CHARS_MAX);
    let is_shown = matches!(
        error.kind(),
        ValidationErrorKind::Required { .. }
            | ValidationErrorKind::AdditionalProperties { .. }
            | ValidationErrorKind::UnevaluatedProperties { .. }
    );
    match is_shown || shown.chars().count() > SHOWN_CHARS_MAX {
        true => says,
        false => format!("{says}; it is {shown}"),
    }
}

fn shortened(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn reasons(schema: Value, value: Value) -> Vec<String> {
        reasons_of(schema, &value.to_string())
    }

    fn reasons_of(schema: Value, value: &str) -> Vec<String> {
        let value = Json::parse(value).unwrap();
        let reasons = Schema::new(schema).unwrap().reasons(&value);
        reasons.into_iter().map(|reason| format!("{}: {}", reason.place, reason.sentence)).collect()
    }

    #[test]
    fn a_reason_names_the_place_and_what_is_wanted_there() {
        let schema = json!({
            "type": "object",
            "properties": {
                "age": {"type": "integer", "minimum": 18},
                "tags": {"type": "array", "items": {"enum": ["a", "b"]}},
                "day": {"type": "string", "format": "date"},
            },
            "required": ["age", "name"],
            "additionalProperties": false,
        });
        let value = json!({"age": 3, "tags": ["a", "c"], "day": "2023-02-30", "x": 1});
        assert_eq!(
            reasons(schema, value),
            [
                r#": "name" is a required property"#,
                "/age: this is less than the minimum of 18; it is 3",
                r#"/tags/1: this is not one of "a" or "b"; it is "c""#,
                r#"/day: this is not a "date"; it is "2023-02-30""#,
                r#": Additional properties are not allowed ('x' was unexpected)"#,
            ]
        );
    }

    #[test]
    fn of_several_branches_the_one_of_the_values_type_is_meant() {
        let schema = json!({"anyOf": [{"type": "null"}, {"type": "object", "required": ["a"]}]});
        assert_eq!(reasons(schema.clone(), json!({})), [r#": "a" is a required property"#]);
        assert_eq!(reasons(schema, json!({"a": 1})), [""; 0]);
    }

    #[test]
    fn numbers_are_compared_as_decimals() {
        let price = json!({"multipleOf": 0.01});
        assert_eq!(reasons(price.clone(), json!(19.99)), [""; 0]);
        assert_eq!(reasons(price, json!(19.999)).len(), 1);
        assert_eq!(reasons(json!({"type": "integer"}), json!(1.0)), [""; 0]);
    }

    #[test]
    fn a_reason_shows_every_digit_and_what_differs_in_one_is_different() {
        let says = reasons_of(json!({"const": 1}), "9007199254740993.0");
        assert_eq!(says, [": 1 was expected; it is 9007199254740993.0"]);
        let unique = json!({"uniqueItems": true});
        let two = "[12345678901234567890123,12345678901234567890124]";
        assert_eq!(reasons_of(unique.clone(), two), [""; 0]);
        for same in ["[1,1.0]", "[0,-0]", "[12345678901234567890123,12345678901234567890123]"] {
            assert_eq!(reasons_of(unique.clone(), same).len(), 1, "{same}");
        }
    }

    #[test]
    fn reasons_are_few_and_short() {
        let schema = json!({"items": {"type": "string"}, "maxLength": 1});
        let many: Vec<u32> = (0..1_000).collect();
        assert_eq!(reasons(schema, json!(many)).len(), REASONS_MAX);
        let long = reasons(json!({"type": "integer"}), json!("x".repeat(100_000)));
        assert!(long[0].len() < 100, "{long:?}");
    }
}
