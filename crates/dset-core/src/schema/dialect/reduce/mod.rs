//! Reduces a schema to what a service takes of it.
//!
//! A reduction only ever asks for less, but for three things that are said: properties that nobody
//! spoke of are not asked for, one that may be absent may have to be null, and what has properties
//! is an object. Where that would rule out answers that fit, there is an [`Obstacle`].

mod flat;
mod judge;
mod write;

use std::collections::VecDeque;

use serde_json::{Map, Value, json};

use super::restore::resolve;
use super::rules::{Optional, Rules};
use super::{Change, Obstacle};
use crate::structured::json::push_token;
use judge::{ENUM_LONG, enums, refers_to_itself, size};

/// How many schemas a reduction may have: what is merged multiplies.
const SCHEMAS_MAX: usize = 20_000;

/// How deep one may lie in another: a file has at most so many levels.
const DEPTH_MAX: usize = 128;

type Members = Map<String, Value>;

/// Reduces one schema.
pub(super) struct Reducer<'a> {
    root: &'a Value,
    rules: &'a Rules,
    optional: Optional,
    ignores_beside_reference: bool,
    pub(super) changes: Vec<Change>,
    definitions: Vec<Definition>,
    waiting: VecDeque<usize>,
    /// Schemas that are being written and may lead to themselves.
    writing: Vec<Value>,
    depth: usize,
    /// References that are being written out.
    open: Vec<String>,
    schemas: usize,
    unions: usize,
    optionals: usize,
    pub(super) has_nullable: bool,
}

/// A schema that is referred to.
struct Definition {
    /// Where it is in the file.
    place: String,
    /// What it is called in what is sent.
    name: String,
    /// What it is where it is not what the file has there: something stands beside a reference to it.
    merged: Option<Value>,
}

/// A schema whose `allOf` is merged, and whether properties were lost in that.
struct Flat {
    members: Members,
    has_lost: bool,
    /// What `anyOf` was called where it was written.
    union: &'static str,
}

impl Flat {
    fn of(members: Members, has_lost: bool) -> Flat {
        Flat { members, has_lost, union: "anyOf" }
    }
}

impl<'a> Reducer<'a> {
    pub(super) fn new(root: &'a Value, rules: &'a Rules, ignores_beside_reference: bool) -> Self {
        Reducer {
            root,
            rules,
            optional: rules.optional,
            ignores_beside_reference,
            changes: Vec::new(),
            definitions: Vec::new(),
            waiting: VecDeque::new(),
            writing: Vec::new(),
            depth: 0,
            open: Vec::new(),
            schemas: 0,
            unions: 0,
            optionals: 0,
            has_nullable: false,
        }
    }

    /// Returns what is sent, with the definitions that it refers to.
    pub(super) fn whole(mut self, optional: Optional) -> Result<(Value, Self), Obstacle> {
        self.optional = optional;
        let mut sent = self.schema(self.root, "")?;
        let mut named = Members::new();
        while let Some(at) = self.waiting.pop_front() {
            let Definition { place, name, merged } = &self.definitions[at];
            let (place, name, merged) = (place.clone(), name.clone(), merged.clone());
            let written = match merged {
                Some(merged) => self.in_place(&merged, &place)?,
                None => self.schema(self.root.pointer(&place).unwrap_or(&Value::Null), &place)?,
            };
            named.insert(name, written);
        }
        // Services take no reference for the whole; one of a union is wrapped anyhow.
        if let Some(own) = sent.get("$ref").and_then(Value::as_str) {
            let name = own.trim_start_matches("#/$defs/");
            sent = named.get(name).cloned().unwrap_or_default();
        }
        if let (false, Value::Object(sent)) = (named.is_empty(), &mut sent) {
            sent.insert("$defs".into(), named.into());
        }
        self.within_limits(&sent)?;
        Ok((sent, self))
    }

    fn within_limits(&self, sent: &Value) -> Result<(), Obstacle> {
        let whole = |why: String| Err(Obstacle { place: String::new(), why });
        let rules = self.rules;
        if self.optionals > rules.optional_max {
            return whole(format!("more than {} properties may be absent", rules.optional_max));
        }
        if self.unions > rules.unions_max {
            return whole(format!("it has more than {} unions", rules.unions_max));
        }
        let (properties, levels) = size(sent);
        if properties > rules.properties_max {
            return whole(format!("it has more than {} properties", rules.properties_max));
        }
        if levels > rules.levels_max {
            return whole(format!("it is deeper than {} levels", rules.levels_max));
        }
        let (values, letters) = enums(sent);
        if values > rules.enum_values_max || letters > rules.enum_letters_max {
            return whole(format!(
                "its lists of values are longer than {} values, or {} letters where one has more than {ENUM_LONG}",
                rules.enum_values_max, rules.enum_letters_max,
            ));
        }
        if !rules.recursion && refers_to_itself(sent) {
            return whole("it refers to itself".into());
        }
        Ok(())
    }

    /// Writes a schema. One that merges others, and leads to itself over them, becomes a definition.
    fn schema(&mut self, schema: &Value, place: &str) -> Result<Value, Obstacle> {
        let merges = ["$ref", "allOf", "anyOf", "oneOf"];
        if !merges.iter().any(|keyword| schema.get(keyword).is_some()) {
            return self.in_place(schema, place);
        }
        let known = self.definitions.iter().position(|own| own.merged.as_ref() == Some(schema));
        if let Some(at) = known {
            return Ok(self.refer(at));
        }
        if self.writing.contains(schema) {
            let at = self.define(place, Some(schema.clone()));
            return Ok(self.refer(at));
        }
        self.writing.push(schema.clone());
        let written = self.in_place(schema, place);
        self.writing.pop();
        written
    }

    fn in_place(&mut self, schema: &Value, place: &str) -> Result<Value, Obstacle> {
        self.schemas += 1;
        if self.schemas > SCHEMAS_MAX {
            return Err(obstacle(place, "it is too large once it is written out"));
        }
        if self.depth >= DEPTH_MAX {
            return Err(obstacle(place, "it is too deep once it is written out"));
        }
        self.depth += 1;
        let written = self.object_or_bool(schema, place);
        self.depth -= 1;
        written
    }

    fn object_or_bool(&mut self, schema: &Value, place: &str) -> Result<Value, Obstacle> {
        let Value::Object(members) = schema else {
            return match schema {
                Value::Bool(true) => self.written(Flat::of(Members::new(), false), place),
                _ => Err(obstacle(place, "nothing at all fits here")),
            };
        };
        let flat = self.flat(members.clone(), place)?;
        if let Some(reference) = flat.members.get("$ref").and_then(Value::as_str) {
            return self.reference(reference, flat.members.get("description"), place);
        }
        self.written(flat, place)
    }

    fn leave_out(&mut self, place: &str, keyword: &str) {
        let mut place = place.to_owned();
        push_token(&mut place, keyword);
        let change = Change { place, becomes: None };
        if !self.changes.contains(&change) {
            self.changes.push(change);
        }
    }

    fn rewrite(&mut self, place: &str, keyword: &str, becomes: &'static str) {
        let mut place = place.to_owned();
        push_token(&mut place, keyword);
        let change = Change { place, becomes: Some(becomes) };
        if !self.changes.contains(&change) {
            self.changes.push(change);
        }
    }

    /// Writes a reference. Services take no description beside one, and the model is to read it: it goes into a
    /// definition of its own.
    fn reference(
        &mut self,
        reference: &str,
        description: Option<&Value>,
        place: &str,
    ) -> Result<Value, Obstacle> {
        let pointer = self.pointer(reference, place)?;
        let target = self.root.pointer(&pointer).and_then(Value::as_object);
        let merged = target.zip(description).and_then(|(target, description)| {
            let mut described = target.clone();
            let before = described.insert("description".into(), description.clone());
            (before.as_ref() != Some(description)).then_some(Value::Object(described))
        });
        let is_it = |own: &Definition| own.merged == merged && own.place == pointer;
        let known = self.definitions.iter().position(is_it);
        let at = known.unwrap_or_else(|| self.define(&pointer, merged));
        Ok(self.refer(at))
    }

    fn define(&mut self, place: &str, merged: Option<Value>) -> usize {
        let last = place.rsplit('/').next().unwrap_or_default();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        let mut name: String = last.chars().filter(|c| is_plain(*c)).collect();
        if name.is_empty() {
            name.push_str("root");
        }
        while self.definitions.iter().any(|own| own.name == name) {
            name.push('_');
        }
        self.definitions.push(Definition { place: place.to_owned(), name, merged });
        self.waiting.push_back(self.definitions.len() - 1);
        self.definitions.len() - 1
    }

    fn refer(&self, at: usize) -> Value {
        json!({ "$ref": format!("#/$defs/{}", self.definitions[at].name) })
    }

    /// Returns where a reference leads, as a JSON pointer.
    fn pointer(&self, reference: &str, place: &str) -> Result<String, Obstacle> {
        let fails = || obstacle(place, "this reference cannot be sent");
        let target = resolve(self.root, reference).ok_or_else(fails)?;
        crate::schema::keywords::find(self.root, &mut String::new(), &mut |schema, place| {
            std::ptr::eq(schema, target).then(|| place.to_owned())
        })
        .or_else(|| reference.strip_prefix('#').map(str::to_owned))
        .filter(|pointer| self.root.pointer(pointer).is_some())
        .ok_or_else(fails)
    }
}

fn obstacle(place: &str, why: &str) -> Obstacle {
    Obstacle { place: place.to_owned(), why: why.to_owned() }
}
