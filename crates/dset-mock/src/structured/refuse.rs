//! What services refuse of a request for an answer that fits a schema.

use serde_json::{Map, Value};

use crate::dialect::{Errors, Shape};
use crate::response::error::ApiError;
use crate::structured::Asked;

/// Keywords that OpenAI's strict form does not take.
const NOT_STRICT: [&str; 10] = [
    "allOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "patternProperties",
    "propertyNames",
];
const STRICT_PROPERTIES_MAX: usize = 5_000;
const STRICT_LEVELS_MAX: usize = 10;
const ANTHROPIC_UNIONS_MAX: usize = 16;
const ANTHROPIC_OPTIONAL_MAX: usize = 24;
/// The `maxLength` from which llama.cpp's grammar has too many repetitions.
const LLAMACPP_LENGTH_MAX: u64 = 2_000;

/// Tells why a service refuses what a request says of the shape of its answer.
pub(crate) fn refused(
    asked: &Asked<'_>,
    shape: &Shape,
    model: &str,
    is_streamed: bool,
    says_json: bool,
) -> Option<ApiError> {
    let kind = asked.response_format.and_then(|format| format.get("type")).and_then(Value::as_str);
    let schema = asked.response_format.and_then(|format| format.pointer("/json_schema/schema"));
    if kind == Some("json_object") && wants_the_word(shape) && !says_json {
        return Some(ApiError::request(
            "Prompt must contain the word 'json' in some form to use 'response_format' of type \
             'json_object'.",
        ));
    }
    if shape.is_messages() {
        let schema = asked.output_config.and_then(|config| config.pointer("/format/schema"));
        return schema.and_then(anthropic).map(ApiError::request);
    }
    if kind != Some("json_schema") {
        return None;
    }
    if shape.name == "deepseek" {
        return Some(ApiError::request("This response_format type is unavailable now"));
    }
    let Some(schema) = schema else {
        return Some(ApiError::request(
            "Missing required parameter: 'response_format.json_schema'",
        ));
    };
    match shape.name {
        "groq" if !model.starts_with("openai/gpt-oss") => {
            Some(ApiError::request("This model does not support response format `json_schema`."))
        }
        "groq" if is_streamed => {
            Some(ApiError::request("Streaming is not supported with response format `json_schema`"))
        }
        "openai" | "azure" | "groq" => strict(asked, schema),
        "llamacpp" => llamacpp(schema).map(ApiError::request),
        _ => None,
    }
}

fn wants_the_word(shape: &Shape) -> bool {
    shape.errors == Errors::DeepSeek
        || matches!(shape.name, "openai" | "azure" | "mistral" | "qwen")
}

fn strict(asked: &Asked<'_>, schema: &Value) -> Option<ApiError> {
    let format = asked.response_format.and_then(|format| format.get("json_schema"))?;
    let name = format.get("name").and_then(Value::as_str).unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let problem = match (1..=64).contains(&name.len()) && name.chars().all(is_plain) {
        false => Some("'name' does not match the pattern '^[a-zA-Z0-9_-]+$'".to_owned()),
        true if format.get("strict") != Some(&Value::Bool(true)) => None,
        true if schema.get("type").is_none_or(|kind| kind != "object") => {
            Some("schema must be a JSON Schema of 'type: \"object\"'".to_owned())
        }
        true => not_strict(schema),
    };
    problem.map(|problem| ApiError {
        param: Some("response_format"),
        ..ApiError::request(format!("Invalid schema for response_format '{name}': {problem}."))
    })
}

fn not_strict(schema: &Value) -> Option<String> {
    let mut properties = 0;
    each(schema, 0, &mut |own, depth| {
        let of = |name: &str| own.get(name);
        if let Some(keyword) = NOT_STRICT.iter().find(|keyword| own.contains_key(**keyword)) {
            return Some(format!("'{keyword}' is not permitted"));
        }
        if of("$ref").is_some() && own.len() > 1 {
            return Some("'$ref' cannot have keywords beside it".to_owned());
        }
        let is_object = of("type").is_some_and(|kind| is_of(kind, "object"));
        if !is_object {
            return None;
        }
        if of("additionalProperties") != Some(&Value::Bool(false)) {
            return Some(
                "'additionalProperties' is required to be supplied and to be false".into(),
            );
        }
        let names = of("properties").and_then(Value::as_object);
        let required = of("required").and_then(Value::as_array);
        properties += names.map_or(0, Map::len);
        let is_required = |name: &String| {
            required.is_some_and(|required| required.iter().any(|own| own == name.as_str()))
        };
        if let Some(name) = names.and_then(|names| names.keys().find(|name| !is_required(name))) {
            return Some(format!(
                "'required' must include every key in properties. Missing '{name}'"
            ));
        }
        (properties > STRICT_PROPERTIES_MAX || depth > STRICT_LEVELS_MAX)
            .then(|| "the schema is too large".to_owned())
    })
}

fn anthropic(schema: &Value) -> Option<String> {
    let (mut unions, mut optional) = (0, 0);
    let problem = each(schema, 0, &mut |own, depth| {
        if depth > 60 {
            return Some("recursive schemas are not supported".to_owned());
        }
        let is_list = own.get("type").is_some_and(Value::is_array);
        unions += usize::from(is_list || own.contains_key("anyOf"));
        let names = own.get("properties").and_then(Value::as_object).map_or(0, Map::len);
        let required = own.get("required").and_then(Value::as_array).map_or(0, Vec::len);
        optional += names.saturating_sub(required);
        let is_object = own.get("type").is_some_and(|kind| is_of(kind, "object"));
        (is_object && own.get("additionalProperties") != Some(&Value::Bool(false))).then(|| {
            "For 'object' type, 'additionalProperties' must be explicitly set to false".to_owned()
        })
    });
    let is_recursive = || refers_to_itself(schema);
    problem
        .or_else(|| {
            (unions > ANTHROPIC_UNIONS_MAX).then(|| {
                format!(
                    "Schemas contains too many parameters with union types ({unions} parameters)"
                )
            })
        })
        .or_else(|| {
            (optional > ANTHROPIC_OPTIONAL_MAX)
                .then(|| format!("Schemas contains too many optional parameters ({optional})"))
        })
        .or_else(|| is_recursive().then(|| "recursive schemas are not supported".to_owned()))
        .map(|problem| format!("output_config.format.schema: {problem}"))
}

fn llamacpp(schema: &Value) -> Option<String> {
    each(schema, 0, &mut |own, _| {
        let length = own.get("maxLength").and_then(Value::as_u64);
        if length.is_some_and(|length| length >= LLAMACPP_LENGTH_MAX) {
            return Some("failed to parse grammar".to_owned());
        }
        let is_object = own.get("type").is_some_and(|kind| kind == "object");
        let is_bare = !own.contains_key("properties") && !own.contains_key("additionalProperties");
        (is_object && is_bare).then(|| "Unrecognized schema: {\"type\":\"object\"}".to_owned())
    })
}

fn is_of(kind: &Value, wanted: &str) -> bool {
    kind == wanted || kind.as_array().is_some_and(|kinds| kinds.iter().any(|own| own == wanted))
}

/// Tells what a service refuses about an object of a schema at a depth.
type Problem<'p> = dyn FnMut(&Map<String, Value>, usize) -> Option<String> + 'p;

/// Calls `problem` with every schema in a schema, the definitions among them, and how deep it lies in
/// objects; returns the first problem.
fn each(schema: &Value, depth: usize, problem: &mut Problem<'_>) -> Option<String> {
    let own = schema.as_object()?;
    if let Some(found) = problem(own, depth) {
        return Some(found);
    }
    for name in ["properties", "$defs", "definitions"] {
        let named = own.get(name).and_then(Value::as_object);
        for part in named.into_iter().flat_map(Map::values) {
            if let Some(found) = each(part, depth + usize::from(name == "properties"), problem) {
                return Some(found);
            }
        }
    }
    for name in ["items", "additionalProperties", "not"] {
        if let Some(found) = own.get(name).and_then(|part| each(part, depth, problem)) {
            return Some(found);
        }
    }
    for name in ["anyOf", "oneOf", "allOf", "prefixItems"] {
        for part in own.get(name).and_then(Value::as_array).into_iter().flatten() {
            if let Some(found) = each(part, depth, problem) {
                return Some(found);
            }
        }
    }
    None
}

/// Tells whether following references leads back to where it began.
fn refers_to_itself(root: &Value) -> bool {
    fn walk<'a>(root: &'a Value, at: &'a Value, path: &mut Vec<&'a str>) -> bool {
        match at {
            Value::Object(members) => {
                members.iter().any(|(name, part)| match (name.as_str(), part.as_str()) {
                    ("$ref", Some(target)) => {
                        if path.contains(&target) {
                            return true;
                        }
                        let Some(part) = root.pointer(target.trim_start_matches('#')) else {
                            return false;
                        };
                        path.push(target);
                        let found = walk(root, part, path);
                        path.pop();
                        found
                    }
                    ("$defs" | "definitions" | "enum" | "const", _) => false,
                    _ => walk(root, part, path),
                })
            }
            Value::Array(parts) => parts.iter().any(|part| walk(root, part, path)),
            _ => false,
        }
    }
    walk(root, root, &mut vec!["#"])
}
