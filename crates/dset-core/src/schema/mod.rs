//! JSON Schemas: what answers have to look like.
//!
//! The whole schema is checked here, always. What a service is sent is a reduction of it, which may
//! be improved without buying an answer again: it is no part of the key.

mod canonical;
pub mod dialect;
pub(crate) mod keywords;
mod read;
mod validate;

use std::sync::Arc;

use jsonschema::{Draft, Validator};
use serde_json::Value;

pub use read::{Notation, SchemaError};
pub use validate::{REASONS_MAX, Reason};

/// A schema that answers are checked against.
#[derive(Debug, Clone)]
pub struct Schema {
    source: Arc<Value>,
    canonical: String,
    draft: Draft,
    validator: Arc<Validator>,
}

impl Schema {
    /// Returns it as it was written.
    #[must_use]
    pub fn source(&self) -> &Value {
        &self.source
    }

    /// Returns the text of it that goes into the key of an answer.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// Returns which names there are where this way from the root leads into nothing, in every value that
    /// fits: an object names its properties, this one is none of them, and there are no others.
    pub(crate) fn names_in_place_of(&self, way: &[String]) -> Option<Vec<String>> {
        let mut node = &*self.source;
        for name in way {
            let object = node.as_object()?;
            let is_open =
                ["$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "if", "patternProperties"];
            if is_open.iter().any(|keyword| object.contains_key(*keyword)) {
                return None;
            }
            let properties = object.get("properties")?.as_object()?;
            match properties.get(name) {
                Some(inner) => node = inner,
                None => {
                    let is_closed = object.get("additionalProperties") == Some(&Value::Bool(false));
                    return is_closed.then(|| properties.keys().cloned().collect());
                }
            }
        }
        None
    }

    /// Returns true in drafts where what stands beside a `$ref` counts for nothing.
    pub(crate) fn ignores_beside_reference(&self) -> bool {
        self.draft == Draft::Draft7
    }
}

/// Two schemas are equal that ask for the same answers.
impl PartialEq for Schema {
    fn eq(&self, other: &Schema) -> bool {
        self.canonical == other.canonical
    }
}
