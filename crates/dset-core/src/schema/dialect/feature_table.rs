//! The tables of `docs/schemas.md`, held to what the code does.

use serde_json::{Value, json};

use super::{Conveyed, Method, Structured};
use crate::schema::Schema;

const PAGE: &str = include_str!("../../../../../docs/schemas.md");
const BEGIN: &str = "<!-- features -->\n";
const END: &str = "<!-- end of features -->";

const FORMS: [(&str, Structured); 9] = [
    ("openai", Structured::Openai),
    ("openrouter", Structured::Openrouter),
    ("groq", Structured::Groq),
    ("mistral", Structured::Mistral),
    ("gemini", Structured::Gemini),
    ("anthropic", Structured::Anthropic),
    ("json-schema", Structured::JsonSchema),
    ("json-object", Structured::JsonObject),
    ("prompt", Structured::Prompt),
];

/// What stands at `/properties/x`, with the keyword that it is about.
fn features() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("a property that may be absent", "", json!({"type": "string"})),
        ("`enum`", "enum", json!({"enum": ["a", "b"]})),
        ("`const`", "const", json!({"const": "a"})),
        ("`minLength`, `maxLength`", "maxLength", json!({"type": "string", "maxLength": 9})),
        (
            "`pattern`, bound at both ends and plain",
            "pattern",
            json!({"type": "string", "pattern": "^[a-z]+$"}),
        ),
        ("`format`", "format", json!({"type": "string", "format": "date"})),
        (
            "`minimum`, `maximum` of whole numbers",
            "minimum",
            json!({"type": "integer", "minimum": 1}),
        ),
        ("`multipleOf`", "multipleOf", json!({"type": "integer", "multipleOf": 5})),
        (
            "`minItems`, `maxItems`",
            "minItems",
            json!({"type": "array", "items": {"type": "string"}, "minItems": 1}),
        ),
        (
            "`uniqueItems`",
            "uniqueItems",
            json!({"type": "array", "items": {"type": "string"}, "uniqueItems": true}),
        ),
        ("`anyOf`", "anyOf", json!({"anyOf": [{"type": "string"}, {"type": "integer"}]})),
        ("`oneOf`", "oneOf", json!({"oneOf": [{"type": "string"}, {"type": "integer"}]})),
        ("`allOf`", "allOf", json!({"allOf": [{"type": "string"}, {"maxLength": 9}]})),
        ("`not`", "not", json!({"type": "string", "not": {"const": "a"}})),
        ("`$ref`", "$ref", json!({"$ref": "#/$defs/d"})),
        ("a schema that refers to itself", "$ref", json!({"$ref": "#"})),
        (
            "an object with any properties",
            "additionalProperties",
            json!({"type": "object", "additionalProperties": {"type": "string"}}),
        ),
    ]
}

/// Says what is sent of it.
fn sent(conveyed: &Conveyed, keyword: &str, is_optional: bool) -> &'static str {
    if conveyed.obstacle.is_some() || matches!(conveyed.method, Method::Json | Method::Prompt) {
        return match conveyed.method {
            Method::Strict | Method::Schema => "whole, not strict",
            Method::Json => "JSON, prompt",
            Method::Prompt => "prompt",
        };
    }
    if is_optional {
        return if conveyed.restore.nullable { "required, or null" } else { "may be absent" };
    }
    let of_it = |place: &str| place.ends_with(keyword) || place.contains(&format!("/{keyword}/"));
    match conveyed.changes.iter().find(|change| of_it(&change.place)) {
        Some(change) => change.becomes.map_or("left out", |becomes| match becomes {
            "anyOf" => "as `anyOf`",
            _ => "in other words",
        }),
        None => {
            let fields = Value::Object(conveyed.fields.clone()).to_string();
            let is_there = fields.contains(&format!("\"{keyword}\":"));
            if is_there { "sent" } else { "in other words" }
        }
    }
}

fn table() -> String {
    let mut table = String::from("| what a schema says |");
    FORMS.iter().for_each(|(name, _)| table += &format!(" `{name}` |"));
    table += "\n| --- |";
    FORMS.iter().for_each(|_| table += " --- |");
    table.push('\n');
    for (feature, keyword, at) in features() {
        let is_optional = keyword.is_empty();
        let required = if is_optional { json!(["y"]) } else { json!(["x", "y"]) };
        let schema = json!({
            "type": "object",
            "properties": {"x": at, "y": {"type": "string"}},
            "required": required,
            "$defs": {"d": {"type": "string"}},
        });
        let schema = Schema::new(schema).unwrap();
        table += &format!("| {feature} |");
        for (_, form) in FORMS {
            let conveyed = schema.convey(form, "openai/gpt-oss-120b");
            table += &format!(" {} |", sent(&conveyed, keyword, is_optional));
        }
        table.push('\n');
    }
    table
}

#[test]
fn the_page_says_what_each_form_is_sent_of_each_feature() {
    let table = table();
    let (_, rest) = PAGE.split_once(BEGIN).expect("the table has a mark before it");
    let (says, _) = rest.split_once(END).expect("the table has a mark behind it");
    assert_eq!(says.trim(), table.trim(), "write it anew:\n{table}");
}

#[test]
fn the_page_names_every_service_in_the_row_of_its_form() {
    let row_of = |form: &str| {
        let mark = format!("`{form}`");
        let mut rows = PAGE.lines().filter(|line| line.starts_with('|'));
        rows.find(|line| line.split('|').nth(1).is_some_and(|cell| cell.contains(&mark)))
            .unwrap_or_else(|| panic!("no row for {form}"))
    };
    for preset in crate::provider::presets() {
        let (form, _) = FORMS.iter().find(|(_, of)| *of == preset.structured).unwrap();
        let services = row_of(form).to_lowercase();
        let name = preset.name.to_lowercase();
        let first = name.split(|c: char| !c.is_alphanumeric() && c != '.').next().unwrap();
        assert!(services.contains(first), "{} is not in the row of `{form}`", preset.name);
    }
}
