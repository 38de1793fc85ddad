//! Answers to a schema: what a request asks for, what a service refuses of it, and a value that fits.

mod instance;
mod refuse;
mod spoil;

use serde_json::{Value, json};

pub(crate) use instance::instance;
pub(crate) use refuse::refused;
pub(crate) use spoil::spoiled;

/// The words before a schema that stands in a prompt.
const IN_WORDS: &str = "JSON Schema";

/// What a request says of the shape of its answer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked<'a> {
    pub(crate) response_format: Option<&'a Value>,
    pub(crate) output_config: Option<&'a Value>,
    pub(crate) structured_outputs: Option<&'a Value>,
}

impl Asked<'_> {
    /// Returns the schema that the answer has to fit: of the request, else of the prompt; any object
    /// where JSON is asked for without one.
    pub(crate) fn schema<'t>(&self, mut texts: impl Iterator<Item = &'t str>) -> Option<Value> {
        let format = self.response_format;
        let places = [
            format.and_then(|format| format.pointer("/json_schema/schema")),
            format.and_then(|format| format.get("schema")),
            self.output_config.and_then(|config| config.pointer("/format/schema")),
            self.structured_outputs.and_then(|outputs| outputs.get("json")),
        ];
        let of_request = places.into_iter().flatten().next().cloned();
        of_request.or_else(|| texts.find_map(in_words)).or_else(|| {
            let kind = format.and_then(|format| format.get("type"));
            kind.filter(|kind| **kind == "json_object").map(|_| json!({ "type": "object" }))
        })
    }
}

/// Finds a schema in a text: the JSON object that follows the words for one.
fn in_words(text: &str) -> Option<Value> {
    let behind = &text[text.find(IN_WORDS)?..];
    let schema = &behind[behind.find('{')?..];
    let mut values = serde_json::Deserializer::from_str(schema).into_iter::<Value>();
    values.next()?.ok()
}
