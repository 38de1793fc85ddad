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
use judge::{refers_to_itself, size};

/// How many schemas a reduction may have: what is merged multiplies.
const SCHEMAS_MAX: usize = 20_000;

type Members = Map<String, Value>;

/// Reduces one schema.
pub(super) struct Reducer<'a> {
    root: &'a Value,
    rules: &'a Rules,
    optional: Optional,
    ignores_beside_reference: bool,
    pub(super) changes: Vec<Change>,
    /// Schemas that are referred to: where they are in the file, and their names in what is sent.
    definitions: Vec<(String, String)>,
    waiting: VecDeque<usize>,
    /// References that are being written out.
    open: Vec<String>,
    schemas: usize,
    unions: usize,
    optionals: usize,
    pub(super) has_nullable: bool,
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
            let (pointer, name) = self.definitions[at].clone();
            let target = self.root.pointer(&pointer).unwrap_or(&Value::Null);
            named.insert(name, self.schema(target, &pointer)?);
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
        if !rules.recursion && refers_to_itself(sent) {
            return whole("it refers to itself".into());
        }
        Ok(())
    }

    fn schema(&mut self, schema: &Value, place: &str) -> Result<Value, Obstacle> {
        self.schemas += 1;
        if self.schemas > SCHEMAS_MAX {
            return Err(obstacle(place, "it is too large once it is written out"));
        }
        let Value::Object(members) = schema else {
            return match schema {
                Value::Bool(true) => self.written(Flat::of(Members::new(), false), place),
                _ => Err(obstacle(place, "nothing at all fits here")),
            };
        };
        let flat = self.flat(members.clone(), place)?;
        if let Some(reference) = flat.members.get("$ref").and_then(Value::as_str) {
            return self.reference(reference, place);
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

    fn reference(&mut self, reference: &str, place: &str) -> Result<Value, Obstacle> {
        let pointer = self.pointer(reference, place)?;
        let known = self.definitions.iter().position(|(own, _)| *own == pointer);
        let at = known.unwrap_or_else(|| {
            let last = pointer.rsplit('/').next().unwrap_or_default();
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
            let mut name: String = last.chars().filter(|c| is_plain(*c)).collect();
            if name.is_empty() {
                name.push_str("root");
            }
            while self.definitions.iter().any(|(_, own)| *own == name) {
                name.push('_');
            }
            self.definitions.push((pointer, name));
            self.waiting.push_back(self.definitions.len() - 1);
            self.definitions.len() - 1
        });
        Ok(json!({ "$ref": format!("#/$defs/{}", self.definitions[at].1) }))
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
