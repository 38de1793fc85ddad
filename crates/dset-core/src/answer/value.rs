//! The JSON value of an answer that was asked for under a schema.

use std::sync::Arc;

use crate::schema::Schema;
use crate::schema::dialect::Restore;
use crate::structured::{Parsed, read};

/// How the value of an answer is read.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueReading {
    schema: Arc<Schema>,
    restore: Restore,
}

impl ValueReading {
    /// Reads values of answers under this schema, and undoes what its reduction brought into them.
    #[must_use]
    pub fn new(schema: Arc<Schema>, restore: Restore) -> ValueReading {
        ValueReading { schema, restore }
    }

    /// Returns the value of an answer; none where it has none that can be read. Whether it fits the
    /// schema is another matter.
    #[must_use]
    pub fn read(&self, answer: &str) -> Option<Parsed> {
        let parsed = read(answer).ok()?;
        Some(Parsed { value: self.restore.apply(&self.schema, parsed.value), ..parsed })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::structured::ParsedFrom;

    #[test]
    fn a_value_is_read_without_what_the_reduction_brought_and_with_its_digits() {
        let schema = json!({"type": "array", "items": {"type": "object", "properties": {"n": {"type": "number"}}}});
        let schema = Arc::new(Schema::new(schema).unwrap());
        let reading = ValueReading::new(schema, Restore { nullable: true, wrapped: true });
        let read = |answer| reading.read(answer).map(|own| (own.value.to_string(), own.from));
        let fenced = "```json\n{\"value\": [{\"n\": null}, {\"n\": 1.50}]}\n```";
        assert_eq!(read(fenced), Some((r#"[{},{"n":1.50}]"#.to_owned(), ParsedFrom::Fence)));
        assert_eq!(read("no"), None);
    }
}
