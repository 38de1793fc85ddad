//! Values that fit a schema, made up: always the same for the same question.

use fastrand::Rng;
use serde_json::{Map, Number, Value, json};

/// Values deeper than this are as small as the schema lets them be: schemas may refer to themselves.
const DEPTH_MAX: usize = 5;
/// How many of the things that may be there are there.
const SHARE: f64 = 0.75;
const WORDS: [&str; 8] = ["amber", "brook", "cedar", "dune", "ember", "fjord", "grove", "heath"];

/// Makes up a value that fits, as far as its keywords are known here; patterns are not.
pub(crate) fn instance(schema: &Value, random: &mut Rng) -> Value {
    Maker { root: schema, random }.value(schema, 0)
}

struct Maker<'a> {
    root: &'a Value,
    random: &'a mut Rng,
}

impl<'a> Maker<'a> {
    fn value(&mut self, schema: &'a Value, depth: usize) -> Value {
        let Value::Object(members) = schema else { return json!({}) };
        if let Some(target) = members.get("$ref").and_then(Value::as_str) {
            let pointer = target.trim_start_matches('#');
            let target = self.root.pointer(pointer).filter(|_| depth < 4 * DEPTH_MAX);
            return target.map_or(Value::Null, |target| self.value(target, depth + 1));
        }
        if let Some(value) = members.get("const") {
            return value.clone();
        }
        if let Some(values) = members.get("enum").and_then(Value::as_array) {
            let at = self.random.usize(..values.len().max(1));
            return values.get(at).cloned().unwrap_or_default();
        }
        if let Some(forms) = ["anyOf", "oneOf"].iter().find_map(|own| members.get(*own)?.as_array())
        {
            return self.one_of(schema, forms, depth);
        }
        if let Some(parts) = members.get("allOf").and_then(Value::as_array) {
            return self.all_of(members, parts, depth);
        }
        match self.kind(members) {
            "object" => self.object(members, depth),
            "array" => self.array(members, depth),
            "string" => self.text(members).into(),
            "integer" => self.number(members, true),
            "number" => self.number(members, false),
            "boolean" => self.random.bool().into(),
            "null" => Value::Null,
            _ => json!({}),
        }
    }

    /// Of several forms any; deep down the smallest. What stands beside them goes into it.
    fn one_of(&mut self, schema: &'a Value, forms: &'a [Value], depth: usize) -> Value {
        let is_null = |form: &&Value| form.get("type").is_some_and(|kind| kind == "null");
        let deep = forms.iter().find(is_null).filter(|_| depth >= DEPTH_MAX);
        let any = forms.get(self.random.usize(..forms.len().max(1)));
        let Some(form) = deep.or(any) else { return Value::Null };
        let mut value = self.value(form, depth + 1);
        if let (Value::Object(value), true) = (&mut value, schema.get("properties").is_some())
            && let Some(members) = schema.as_object()
            && let Value::Object(beside) = self.object(members, depth)
        {
            for (name, own) in beside {
                value.entry(name).or_insert(own);
            }
        }
        value
    }

    /// Of several schemas that all hold: the members of all of them.
    fn all_of(
        &mut self,
        members: &'a Map<String, Value>,
        parts: &'a [Value],
        depth: usize,
    ) -> Value {
        let mut made = match self.object(members, depth) {
            Value::Object(made) => made,
            _ => Map::new(),
        };
        for part in parts {
            match self.value(part, depth + 1) {
                Value::Object(more) => made.extend(more),
                other => return other,
            }
        }
        made.into()
    }

    fn kind(&mut self, members: &'a Map<String, Value>) -> &'a str {
        match members.get("type") {
            Some(Value::String(kind)) => kind,
            Some(Value::Array(kinds)) => {
                let at = self.random.usize(..kinds.len().max(1));
                kinds.get(at).and_then(Value::as_str).unwrap_or("null")
            }
            _ if ["properties", "required"].iter().any(|own| members.contains_key(*own)) => {
                "object"
            }
            _ if members.contains_key("items") => "array",
            _ => "string",
        }
    }

    fn object(&mut self, members: &'a Map<String, Value>, depth: usize) -> Value {
        let mut made = Map::new();
        let required: Vec<&str> = strings(members.get("required"));
        let properties = members.get("properties").and_then(Value::as_object);
        for (name, schema) in properties.into_iter().flatten() {
            let is_there =
                required.contains(&name.as_str()) || depth < DEPTH_MAX && self.random.f64() < SHARE;
            if is_there {
                made.insert(name.clone(), self.value(schema, depth + 1));
            }
        }
        for name in required {
            made.entry(name).or_insert_with(|| "amber".into());
        }
        made.into()
    }

    fn array(&mut self, members: &'a Map<String, Value>, depth: usize) -> Value {
        let count = |name: &str| members.get(name).and_then(Value::as_u64);
        let least = count("minItems").unwrap_or(0);
        let usual = if depth < DEPTH_MAX { least + self.random.u64(1..3) } else { least };
        let most = usual.min(count("maxItems").unwrap_or(u64::MAX));
        let empty = Value::Object(Map::new());
        let first = members.get("prefixItems").and_then(Value::as_array);
        let schema = members.get("items");
        let made = (0..most.max(first.map_or(0, Vec::len) as u64)).map(|at| {
            let own = first.and_then(|first| first.get(at as usize)).or(schema);
            match own {
                Some(own) => self.value(own, depth + 1),
                None => empty.clone(),
            }
        });
        made.collect()
    }

    fn text(&mut self, members: &Map<String, Value>) -> String {
        let day = self.random.u8(10..28);
        match members.get("format").and_then(Value::as_str) {
            Some("date") => return format!("2026-11-{day}"),
            Some("date-time") => return format!("2026-11-{day}T08:30:00Z"),
            Some("time") => return format!("08:30:{day}Z"),
            Some("duration") => return format!("P{day}D"),
            Some("email") => return format!("amber{day}@example.com"),
            Some("hostname") => return format!("h{day}.example.com"),
            Some("uri") => return format!("https://example.com/{day}"),
            Some("ipv4") => return format!("192.0.2.{day}"),
            Some("ipv6") => return format!("2001:db8::{day}"),
            Some("uuid") => return format!("00000000-0000-4000-8000-0000000000{day}"),
            _ => {}
        }
        let count = |name: &str| members.get(name).and_then(Value::as_u64).map(|own| own as usize);
        let mut text = WORDS[self.random.usize(..WORDS.len())].to_owned();
        while text.chars().count() < count("minLength").unwrap_or(0) {
            text += WORDS[self.random.usize(..WORDS.len())];
        }
        match count("maxLength") {
            Some(most) => text.chars().take(most).collect(),
            None => text,
        }
    }

    fn number(&mut self, members: &Map<String, Value>, is_whole: bool) -> Value {
        let bound = |name: &str| members.get(name).and_then(Value::as_f64);
        let above =
            bound("exclusiveMinimum").map(|least| least + if is_whole { 1.0 } else { 0.001 });
        let below = bound("exclusiveMaximum").map(|most| most - if is_whole { 1.0 } else { 0.001 });
        let least = bound("minimum").or(above);
        let most = bound("maximum").or(below);
        let (least, most) = match (least, most) {
            (Some(least), Some(most)) => (least, most),
            (Some(least), None) => (least, least + 100.0),
            (None, Some(most)) => (most - 100.0, most),
            (None, None) => (0.0, 100.0),
        };
        let drawn = least + self.random.f64() * (most - least);
        let step = bound("multipleOf").or(is_whole.then_some(1.0));
        let drawn = match step {
            Some(step) => ((drawn / step).floor() * step).max((least / step).ceil() * step),
            None => (drawn * 100.0).round() / 100.0,
        };
        let number = match is_whole || drawn.fract() == 0.0 && step.is_some() {
            true => Some(Number::from(drawn as i64)),
            false => Number::from_f64(drawn.clamp(least, most)),
        };
        number.map_or(Value::Null, Value::Number)
    }
}

fn strings(list: Option<&Value>) -> Vec<&str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_what_it_must_have_and_is_the_same_for_the_same_seed() {
        let schema = json!({
            "type": "object",
            "required": ["label", "n", "tags", "tree"],
            "properties": {
                "label": {"enum": ["yes", "no"]},
                "n": {"type": "integer", "minimum": 3, "maximum": 4},
                "tags": {"type": "array", "items": {"type": "string", "minLength": 9}, "minItems": 2},
                "tree": {"$ref": "#/$defs/node"},
                "may": {"type": ["string", "null"]},
            },
            "$defs": {"node": {"type": "object", "required": ["next"], "properties": {
                "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
            }}},
        });
        for seed in 0..200 {
            let value = instance(&schema, &mut Rng::with_seed(seed));
            assert_eq!(value, instance(&schema, &mut Rng::with_seed(seed)));
            assert!(value["label"] == "yes" || value["label"] == "no", "{value}");
            assert!((3..=4).contains(&value["n"].as_i64().unwrap()), "{value}");
            let tags = value["tags"].as_array().unwrap();
            assert!(tags.len() >= 2 && tags.iter().all(|tag| tag.as_str().unwrap().len() >= 9));
            assert!(value["tree"].get("next").is_some(), "{value}");
        }
    }
}
