//! A JSON Schema of files of settings, for editors.

use dset_core::provider::fields;
use serde_json::{Map, Value, json};

use crate::setting::{Setting, Takes};

pub(super) fn schema() -> String {
    let mut properties = Map::new();
    for setting in Setting::all() {
        let mut of_setting = kind(&setting.takes());
        of_setting["description"] = setting.help().into();
        if let Some(default) = setting.default_text() {
            let description = format!("{} [default: {default}]", setting.help());
            of_setting["description"] = description.into();
        }
        properties.insert(setting.name(), of_setting);
    }
    properties.insert("provider".into(), provider());
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "dset.toml",
        "description": "Settings of dset",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    format!("{schema:#}\n")
}

fn kind(takes: &Takes) -> Value {
    match takes {
        Takes::Words(words) => json!({"enum": words}),
        Takes::Bool => json!({"type": "boolean"}),
        Takes::Whole { least, most } if *most >= u64::from(u32::MAX) => {
            json!({"type": "integer", "minimum": least})
        }
        Takes::Whole { least, most } => {
            json!({"type": "integer", "minimum": least, "maximum": most})
        }
        Takes::Number => json!({"type": "number"}),
        Takes::List => json!({"type": ["string", "array"], "items": {"type": "string"}}),
        Takes::WordOrNumber => json!({"type": ["string", "number"]}),
        Takes::Text => json!({"type": "string"}),
    }
}

fn provider() -> Value {
    let of_field = |empty: &Value| match empty {
        Value::String(_) => json!({"type": "string"}),
        Value::Bool(_) => json!({"type": "boolean"}),
        Value::Array(_) => json!({"type": ["string", "array"], "items": {"type": "string"}}),
        Value::Object(_) => json!({"type": "object"}),
        _ => json!({"type": "integer", "minimum": 0}),
    };
    let properties: Map<String, Value> =
        fields().iter().map(|(name, empty)| (name.clone(), of_field(empty))).collect();
    json!({
        "description": "Services of your own, by the name that stands before the slash in `model`",
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "additionalProperties": false,
            "properties": properties,
        },
    })
}
