//! What a service is sent of a schema: fields of the body, words in the prompt, and what was left
//! out, which is checked here alone.

#[cfg(test)]
mod feature_table;
mod merge;
mod reduce;
mod restore;
mod rules;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::provider::{Dialect, Preset};
use crate::schema::Schema;

use reduce::Reducer;
use rules::Optional;

pub use restore::Restore;
pub use rules::Structured;

/// The version of the sentence that stands in the prompt where a service takes no schema. It stands
/// beside the answer, and in no key.
pub const SENTENCE_VERSION: u32 = 1;

const SENTENCE: &str =
    "Answer with one JSON value that fits this JSON Schema, and with nothing else:";

/// How long the name of a schema may be, in characters, and what it is where it has no title.
const NAME_CHARS_MAX: usize = 64;
const NAME: &str = "answer";

/// How a service is asked for answers that fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// It holds the model to the schema.
    Strict,
    /// It is given the schema, and does what it can.
    Schema,
    /// It holds the model to JSON; the schema stands in the prompt.
    Json,
    /// The schema stands in the prompt, and nothing holds the model to it.
    Prompt,
}

/// Something in the schema that is not sent as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The keyword, as a JSON pointer into the schema; into a part that was written out where it
    /// was referred to.
    pub place: String,
    /// What is sent in its place; `None` where it is left out.
    pub becomes: Option<&'static str>,
}

/// Why a schema cannot be sent in the form that a service holds to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// Where, as a JSON pointer into the schema; empty for the whole of it.
    pub place: String,
    /// What stands there, as a sentence without its full stop.
    pub why: String,
}

/// How an answer was asked for that has to fit a schema. It stands beside the answer, and is no part
/// of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedFor {
    /// The form in which this model of the service was asked.
    pub dialect: Structured,
    /// How it was asked.
    pub method: Method,
    /// The version of the sentence in the prompt, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentence: Option<u32>,
    /// What is to be undone in the answer.
    #[serde(flatten)]
    pub restore: Restore,
}

/// What is sent of a schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Conveyed {
    /// The form in which this model of the service is asked.
    pub dialect: Structured,
    /// How the service is asked.
    pub method: Method,
    /// Fields to add to the body; an object that is there already gets the members.
    pub fields: Map<String, Value>,
    /// What stands at the end of the system prompt.
    pub sentence: Option<String>,
    /// Whether the answer may come as a stream.
    pub may_stream: bool,
    /// What is not sent as it stands, each place once.
    pub changes: Vec<Change>,
    /// Why a better method could not be used.
    pub obstacle: Option<Obstacle>,
    /// What is to be undone in the answers.
    pub restore: Restore,
}

impl Conveyed {
    /// Returns what stands beside the answers.
    #[must_use]
    pub fn asked_for(&self) -> AskedFor {
        AskedFor {
            dialect: self.dialect,
            method: self.method,
            sentence: self.sentence.as_ref().map(|_| SENTENCE_VERSION),
            restore: self.restore,
        }
    }

    /// Returns the system prompt with what is said of the schema at its end.
    #[must_use]
    pub fn system(&self, system: Option<&str>) -> Option<String> {
        let sentence = self.sentence.as_deref()?;
        Some(match system {
            Some(system) => format!("{system}\n\n{sentence}"),
            None => sentence.to_owned(),
        })
    }

    /// Adds its fields to a body. Where the same object is there already, it gets the members that it
    /// lacks: what the user says is heard first.
    pub(crate) fn add_to(&self, body: &mut Map<String, Value>) {
        for (name, value) in &self.fields {
            match (body.get_mut(name), value) {
                (Some(Value::Object(own)), Value::Object(members)) => {
                    for (name, value) in members {
                        own.entry(name).or_insert_with(|| value.clone());
                    }
                }
                (Some(_), _) => {}
                (None, value) => drop(body.insert(name.clone(), value.clone())),
            }
        }
    }

    /// Returns how many bytes it adds to a request, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let fields = serde_json::to_string(&self.fields).map_or(0, |text| text.len());
        fields + self.sentence.as_ref().map_or(0, String::len)
    }
}

impl Schema {
    /// Returns what a model of a service is sent of it.
    #[must_use]
    pub fn convey(&self, structured: Structured, model: &str) -> Conveyed {
        let may_stream = structured != Structured::Groq;
        let structured = structured.for_model(model);
        let wrapped = !self.is_about_objects() && structured != Structured::Prompt;
        let mut conveyed = match self.reduced(structured, wrapped) {
            Ok(Some((sent, changes, nullable))) => Conveyed {
                method: match structured {
                    Structured::JsonSchema | Structured::Gemini => Method::Schema,
                    _ => Method::Strict,
                },
                fields: envelope(structured, &self.name(), &sent, true),
                changes,
                restore: Restore { nullable, wrapped },
                ..self.in_words(structured, wrapped)
            },
            Ok(None) => self.in_words(structured, wrapped),
            Err(obstacle) => self.without_strictness(structured, wrapped, obstacle),
        };
        if matches!(conveyed.method, Method::Strict | Method::Schema) {
            conveyed.sentence = None;
        }
        conveyed.may_stream = may_stream;
        conveyed
    }

    /// What is sent where the schema cannot be sent in the form that the service holds to.
    fn without_strictness(
        &self,
        structured: Structured,
        wrapped: bool,
        obstacle: Obstacle,
    ) -> Conveyed {
        let conveyed = match structured {
            Structured::Openai | Structured::Openrouter => Conveyed {
                method: Method::Schema,
                fields: envelope(structured, &self.name(), &self.whole(wrapped), false),
                ..self.in_words(structured, wrapped)
            },
            _ => self.in_words(structured, wrapped),
        };
        Conveyed { obstacle: Some(obstacle), ..conveyed }
    }

    fn in_words(&self, structured: Structured, wrapped: bool) -> Conveyed {
        let is_json = !matches!(structured, Structured::Anthropic | Structured::Prompt);
        let mut fields = Map::new();
        if is_json {
            fields.insert("response_format".into(), json!({ "type": "json_object" }));
        }
        Conveyed {
            dialect: structured,
            method: if is_json { Method::Json } else { Method::Prompt },
            fields,
            sentence: Some(format!("{SENTENCE}\n{}", self.whole(wrapped))),
            may_stream: true,
            changes: Vec::new(),
            obstacle: None,
            restore: Restore { nullable: false, wrapped },
        }
    }

    fn reduced(
        &self,
        structured: Structured,
        wrapped: bool,
    ) -> Result<Option<(Value, Vec<Change>, bool)>, Obstacle> {
        let Some(rules) = structured.rules() else { return Ok(None) };
        let reducer = || Reducer::new(self.source(), rules, self.ignores_beside_reference());
        let (sent, reducer) = reducer().whole(rules.optional).or_else(|obstacle| {
            // A service that counts what may be absent counts unions apart.
            let may = rules.optional == Optional::Kept && rules.is_strict;
            let other = may.then(|| reducer().whole(Optional::Nullable).ok()).flatten();
            other.ok_or(obstacle)
        })?;
        let sent = if wrapped { wrap(sent) } else { sent };
        Ok(Some((sent, reducer.changes, reducer.has_nullable)))
    }

    /// Returns the whole schema, inside an object where it is wrapped.
    fn whole(&self, wrapped: bool) -> Value {
        match wrapped {
            // What refers to the whole file still means the whole file.
            true if self.refers_to_the_file() => {
                let mut whole = wrap(json!({ "$ref": "#/$defs/root" }));
                let mut root = self.source().clone();
                if let Value::Object(root) = &mut root {
                    root.entry("$id").or_insert_with(|| "root".into());
                }
                whole["$defs"] = json!({ "root": root });
                whole
            }
            true => wrap(self.source().clone()),
            false => self.source().clone(),
        }
    }

    fn refers_to_the_file(&self) -> bool {
        super::keywords::find(self.source(), &mut String::new(), &mut |schema, _| {
            schema.get("$ref").map(|_| ())
        })
        .is_some()
    }

    /// Returns true if every value that fits is an object, as far as its own words say it.
    fn is_about_objects(&self) -> bool {
        let mut parts = Vec::new();
        self.add_parts(self.source(), &mut parts);
        let has = |own: &str| parts.iter().any(|part| part.get(own).is_some());
        let kinds: Vec<_> = parts.iter().filter_map(|part| part.get("type")).collect();
        let is_object = match kinds.is_empty() {
            true => has("properties") || has("additionalProperties") || has("required"),
            false => kinds.iter().any(|kind| *kind == "object"),
        };
        is_object && !has("anyOf") && !has("oneOf")
    }

    /// Collects what must hold of the whole: itself, what it refers to, and what is in `allOf`.
    fn add_parts<'a>(&'a self, schema: &'a Value, parts: &mut Vec<&'a Value>) {
        if parts.iter().any(|part| std::ptr::eq(*part, schema)) {
            return;
        }
        parts.push(schema);
        let target = schema.get("$ref").and_then(Value::as_str);
        if let Some(target) = target.and_then(|target| restore::resolve(self.source(), target)) {
            self.add_parts(target, parts);
        }
        let all = schema.get("allOf").and_then(Value::as_array);
        all.into_iter().flatten().for_each(|part| self.add_parts(part, parts));
    }

    fn name(&self) -> String {
        let title = self.source().get("title").and_then(Value::as_str).unwrap_or_default();
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
        let name: String = title.chars().map(plain).take(NAME_CHARS_MAX).collect();
        match name.trim_matches('_') {
            "" => NAME.to_owned(),
            name => name.to_owned(),
        }
    }
}

impl Preset {
    /// Returns what a model of this service is sent of a schema. Where its requests have another
    /// shape than the field that would hold it, the schema stands in the prompt.
    #[must_use]
    pub fn convey(&self, schema: &Schema, model: &str) -> Conveyed {
        let is_taken = match self.dialect {
            Dialect::Anthropic => self.structured == Structured::Anthropic,
            Dialect::Chat => self.structured != Structured::Anthropic,
        };
        schema.convey(if is_taken { self.structured } else { Structured::Prompt }, model)
    }
}

/// Puts a schema inside an object; its definitions stay on top.
fn wrap(mut schema: Value) -> Value {
    let definitions = schema.as_object_mut().and_then(|members| members.shift_remove("$defs"));
    let mut whole = json!({
        "type": "object",
        "properties": { restore::WRAPPER: schema },
        "required": [restore::WRAPPER],
        "additionalProperties": false,
    });
    if let Some(definitions) = definitions {
        whole["$defs"] = definitions;
    }
    whole
}

/// Returns the fields of the body that hold a schema.
fn envelope(
    structured: Structured,
    name: &str,
    schema: &Value,
    strict: bool,
) -> Map<String, Value> {
    let mut inner = json!({ "name": name, "schema": schema });
    match structured {
        Structured::Anthropic => {
            let format = json!({ "type": "json_schema", "schema": schema });
            return Map::from_iter([("output_config".to_owned(), json!({ "format": format }))]);
        }
        // What they make of it is not known for all of them.
        Structured::JsonSchema | Structured::Gemini => {}
        _ => inner = json!({ "name": name, "strict": strict, "schema": schema }),
    }
    let format = json!({ "type": "json_schema", "json_schema": inner });
    let mut fields = Map::from_iter([("response_format".to_owned(), format)]);
    if structured == Structured::Openrouter {
        fields.insert("provider".into(), json!({ "require_parameters": true }));
    }
    fields
}
