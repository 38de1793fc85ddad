//! Reads a schema as people write it, in JSON or in YAML.

use std::sync::Arc;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, ValidationError};
use serde_json::Value;
use thiserror::Error;

use crate::schema::{Schema, canonical, keywords};
use crate::structured::Json;

/// What a schema may be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notation {
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

/// Why a text is no schema that answers can be checked against. Places are JSON pointers into the
/// schema, empty for the whole of it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SchemaError {
    /// The text is neither JSON nor YAML.
    #[error("line {line}: {detail}")]
    Syntax {
        /// The line, from 1; 0 where it is not known.
        line: usize,
        /// What is wrong with it.
        detail: String,
    },
    /// It breaks the rules of JSON Schema.
    #[error("`{place}`: {detail}")]
    Invalid {
        /// Where.
        place: String,
        /// What is wrong there.
        detail: String,
    },
    /// `$schema` names a version that is not known here.
    #[error("`$schema` names `{0}`; known are the drafts 2020-12, 2019-09 and 7")]
    Draft(String),
    /// A reference leads out of the file, or to nothing.
    #[error("`{place}`: `{reference}` leads out of the file, or to nothing in it")]
    Reference {
        /// Where it stands.
        place: String,
        /// As it is written.
        reference: String,
    },
    /// A number in it loses digits, so that equal answers would be told apart or others not.
    #[error("`{place}`: {number} has more digits than can be compared; write it as text")]
    Number {
        /// Where.
        place: String,
        /// As it is written.
        number: String,
    },
}

impl Schema {
    /// Reads a schema and makes it ready to check values. Looks at no file and no network.
    pub fn read(text: &str, notation: Notation) -> Result<Schema, SchemaError> {
        match notation {
            Notation::Json => Schema::new(json(text)?),
            Notation::Yaml => Schema::new(yaml(text)?),
        }
    }

    /// Makes a schema of a value, see [`Schema::read`].
    pub fn new(source: Value) -> Result<Schema, SchemaError> {
        if is_wrapped(&source) {
            let detail = "the schema itself is in here, and what is around it belongs to a request: \
                          without that it would take any value";
            return Err(SchemaError::Invalid { place: "/schema".into(), detail: detail.into() });
        }
        let draft = draft(&source)?;
        if let Some(error) = unknown_reference(&source) {
            return Err(error);
        }
        let validator = jsonschema::options()
            .with_draft(draft)
            .offline()
            .should_validate_formats(true)
            .build(&source)
            .map_err(|error| invalid(&source, &error))?;
        let canonical = canonical::text(&source);
        Ok(Schema { source: Arc::new(source), canonical, draft, validator: Arc::new(validator) })
    }
}

/// Tells whether it is what APIs wrap around a schema: a name, `strict`, and the schema, and nothing that a
/// schema says.
fn is_wrapped(source: &Value) -> bool {
    let around = ["name", "strict", "schema", "description"];
    source.as_object().is_some_and(|members| {
        members.get("schema").is_some_and(Value::is_object)
            && members.contains_key("name")
            && members.keys().all(|member| around.contains(&&**member))
    })
}

fn json(text: &str) -> Result<Value, SchemaError> {
    let json = Json::parse(text.trim_start_matches('\u{feff}')).map_err(|error| {
        // Its own words say what it expected.
        let detail = serde_json::from_str::<Value>(text).err().map(|error| error.to_string());
        let detail = detail.unwrap_or_else(|| "it lies too deep".into());
        SchemaError::Syntax {
            line: text[..error.at.min(text.len())].matches('\n').count() + 1,
            detail,
        }
    })?;
    if let Some(place) = json.duplicate() {
        return Err(SchemaError::Invalid { place, detail: "it stands there twice".into() });
    }
    if let Some((place, number)) = json.inexact() {
        return Err(SchemaError::Number { place, number });
    }
    json.to_value().map_err(|place| SchemaError::Number { place, number: "a number".into() })
}

fn yaml(text: &str) -> Result<Value, SchemaError> {
    let wrong = |error: serde_yaml_ng::Error| SchemaError::Syntax {
        line: error.location().map_or(0, |location| location.line()),
        detail: error.to_string(),
    };
    // Through its own value, which takes no name twice.
    let value: serde_yaml_ng::Value = serde_yaml_ng::from_str(text).map_err(wrong)?;
    serde_json::to_value(value)
        .map_err(|error| SchemaError::Syntax { line: 0, detail: error.to_string() })
}

fn draft(source: &Value) -> Result<Draft, SchemaError> {
    let named = match source {
        Value::Object(members) => members.get("$schema"),
        Value::Bool(_) => None,
        _ => {
            let detail = "a schema is an object".to_owned();
            return Err(SchemaError::Invalid { place: String::new(), detail });
        }
    };
    let Some(named) = named else { return Ok(Draft::Draft202012) };
    let text = named.as_str().unwrap_or_default().trim_end_matches('#');
    match text.trim_start_matches("https://").trim_start_matches("http://") {
        "json-schema.org/draft/2020-12/schema" => Ok(Draft::Draft202012),
        "json-schema.org/draft/2019-09/schema" => Ok(Draft::Draft201909),
        "json-schema.org/draft-07/schema" => Ok(Draft::Draft7),
        _ => Err(SchemaError::Draft(named.as_str().map_or(named.to_string(), str::to_owned))),
    }
}

const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];

/// Finds a reference with a JSON pointer that leads nowhere. Others are judged where all of them are
/// resolved.
fn unknown_reference(source: &Value) -> Option<SchemaError> {
    keywords::find(source, &mut String::new(), &mut |schema, place| {
        let reference = schema.get("$ref")?.as_str()?;
        let pointer = reference.strip_prefix('#').filter(|rest| rest.starts_with('/'))?;
        let is_inner = source.get("$id").is_some() || schema.get("$id").is_some();
        let is_plain = !pointer.contains('%');
        (!is_inner && is_plain && source.pointer(pointer).is_none()).then(|| {
            let place = format!("{place}/$ref");
            SchemaError::Reference { place, reference: reference.to_owned() }
        })
    })
}

fn invalid(source: &Value, error: &ValidationError<'_>) -> SchemaError {
    if let ValidationErrorKind::Referencing(cause) = error.kind() {
        let words = cause.to_string();
        // Its words name what was looked for, resolved; the file has it as it was written.
        let found = keywords::find(source, &mut String::new(), &mut |schema, place| {
            REFERENCES.iter().find_map(|keyword| {
                let reference = schema.get(keyword)?.as_str()?;
                let (file, fragment) = reference.split_once('#').unwrap_or((reference, ""));
                let looked_for = if file.is_empty() { fragment } else { file };
                let is_it = !looked_for.is_empty() && words.contains(looked_for);
                is_it.then(|| (format!("{place}/{keyword}"), reference.to_owned()))
            })
        });
        return match found {
            Some((place, reference)) => SchemaError::Reference { place, reference },
            None => SchemaError::Invalid { place: String::new(), detail: words },
        };
    }
    let place = error.instance_path().to_string();
    SchemaError::Invalid {
        place,
        detail: super::validate::sentence(error, &error.instance().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error(schema: Value) -> String {
        Schema::new(schema).unwrap_err().to_string()
    }

    #[test]
    fn json_and_yaml_of_one_schema_are_one_schema() {
        let json = r#"{"type": "object", "properties": {"b": {"type": "string"}, "a": {"enum": ["yes", 1]}}, "required": ["b"]}"#;
        let yaml = "required: [b]\ntype: object\nproperties:\n  b: {type: string}\n  a:\n    enum: [yes, 1]\n";
        let (json, yaml) = (
            Schema::read(json, Notation::Json).unwrap(),
            Schema::read(yaml, Notation::Yaml).unwrap(),
        );
        assert_eq!(json.canonical(), yaml.canonical());
    }

    #[test]
    fn what_is_no_schema_is_refused_with_its_place() {
        for (schema, place) in [
            (json!({"type": "text"}), "/type"),
            (json!({"properties": {"a": {"required": "b"}}}), "/properties/a/required"),
            (json!({"items": {"minLength": -1}}), "/items/minLength"),
            (json!({"properties": {"a": {"pattern": "("}}}), "/properties/a/pattern"),
            (json!({"properties": ["a"]}), "/properties"),
        ] {
            let error = error(schema.clone());
            assert!(error.starts_with(&format!("`{place}`: ")), "{schema}: {error}");
        }
        assert_eq!(error(json!([])), "``: a schema is an object");
    }

    #[test]
    fn a_reference_out_of_the_file_is_refused() {
        for reference in [
            "https://example.com/a.json",
            "other.json#/x",
            "file:///etc/passwd",
            "#/$defs/none",
            "#none",
        ] {
            let error = error(json!({"properties": {"a": {"$ref": reference}}}));
            let says = format!(
                "`/properties/a/$ref`: `{reference}` leads out of the file, or to nothing in it"
            );
            assert_eq!(error, says);
        }
        for schema in [
            json!({"$ref": "#/$defs/a", "$defs": {"a": {"$anchor": "here"}, "b": {"$ref": "#here"}}}),
            json!({"$id": "https://e.com/a.json", "$defs": {"b": {"$id": "b.json"}}, "$ref": "b.json"}),
            json!({"$ref": "#"}),
        ] {
            Schema::new(schema).unwrap();
        }
    }

    #[test]
    fn texts_that_are_none_say_where() {
        let read = |text: &str, notation| Schema::read(text, notation).unwrap_err().to_string();
        let broken = read("{\n \"type\": \"object\",\n}", Notation::Json);
        assert!(broken.starts_with("line 3: "), "{broken}");
        let twice = read(r#"{"properties": {"a": {}, "a": {}}}"#, Notation::Json);
        assert_eq!(twice, "`/properties/a`: it stands there twice");
        let twice = read("type: object\ntype: array\n", Notation::Yaml);
        assert!(twice.contains("duplicate"), "{twice}");
        let broken = read("type: [object\n", Notation::Yaml);
        assert!(broken.starts_with("line "), "{broken}");
        assert_eq!(read("text", Notation::Yaml), "``: a schema is an object");
    }

    #[test]
    fn a_number_that_would_lose_digits_is_refused() {
        let text = r#"{"enum": [1, 123456789012345678901234567890]}"#;
        let error = Schema::read(text, Notation::Json).unwrap_err();
        let (place, number) = ("/enum/1".into(), "123456789012345678901234567890".into());
        assert_eq!(error, SchemaError::Number { place, number });
        Schema::read(r#"{"maximum": 18446744073709551615, "multipleOf": 0.01}"#, Notation::Json)
            .unwrap();
    }

    #[test]
    fn drafts_are_told_by_their_name_and_others_refused() {
        for (name, draft) in [
            ("https://json-schema.org/draft/2020-12/schema", Draft::Draft202012),
            ("https://json-schema.org/draft/2019-09/schema#", Draft::Draft201909),
            ("http://json-schema.org/draft-07/schema#", Draft::Draft7),
        ] {
            assert_eq!(Schema::new(json!({"$schema": name})).unwrap().draft, draft);
        }
        let four = error(json!({"$schema": "http://json-schema.org/draft-04/schema#"}));
        assert!(four.contains("draft-04"), "{four}");
    }
}
