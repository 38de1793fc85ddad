//! Writes a schema keyword by keyword, those that a service does not take left out.

use serde_json::{Value, json};

use super::super::Obstacle;
use super::super::merge::NAMES;
use super::super::restore::admits_null;
use super::super::rules::Optional;
use super::judge::{Spoken, fits_kind, has_patterns, is_about, is_plain_pattern, kind_of};
use super::{Flat, Members, Reducer, obstacle};
use crate::structured::json::push_token;

const NOT_NAMED: &str = "the object may have properties that are not named";

impl Reducer<'_> {
    pub(super) fn written(&mut self, flat: Flat, place: &str) -> Result<Value, Obstacle> {
        let Flat { mut members, has_lost, union } = flat;
        let mut sent = Members::new();
        for remark in ["title", "description"] {
            if let Some(text) = members.shift_remove(remark) {
                sent.insert(remark.into(), text);
            }
        }
        members.retain(|keyword, _| !NAMES.contains(&keyword.as_str()) && keyword != "$comment");
        if has_lost && members.contains_key("anyOf") {
            // Each of its forms would be closed without the properties that were lost.
            if self.rules.is_strict {
                return Err(obstacle(place, NOT_NAMED));
            }
            members.shift_remove("anyOf");
            self.leave_out(place, union);
        }
        if let Some(Value::Array(forms)) = members.shift_remove("anyOf") {
            self.unions += 1;
            let forms = forms
                .iter()
                .enumerate()
                .map(|(at, form)| self.schema(form, &format!("{place}/{union}/{at}")));
            sent.insert("anyOf".into(), forms.collect::<Result<Vec<_>, _>>()?.into());
            members.keys().for_each(|keyword| self.leave_out(place, keyword));
            return Ok(sent.into());
        }
        let kinds = self.kinds(&mut members, place)?;
        if kinds.len() > 1
            && (self.rules.for_engines
                || kinds.iter().any(|kind| kind == "object" || kind == "array"))
        {
            return self.by_kind(sent, &members, &kinds, has_lost, place);
        }
        match kinds.as_slice() {
            [] => {}
            [kind] => drop(sent.insert("type".into(), kind.clone().into())),
            several => drop(sent.insert("type".into(), json!(several))),
        }
        self.unions += usize::from(kinds.len() > 1);
        self.values(&mut members, &mut sent, place);
        if kinds.iter().any(|kind| kind == "object") {
            self.object(&mut members, &mut sent, has_lost, place)?;
        }
        if kinds.iter().any(|kind| kind == "array") {
            self.array(&mut members, &mut sent, place)?;
        }
        self.limits(members, &mut sent, &kinds, place)?;
        Ok(sent.into())
    }

    /// Returns the types of a place, those that follow from what is said there included.
    fn kinds(&mut self, members: &mut Members, place: &str) -> Result<Vec<String>, Obstacle> {
        let kinds: Vec<String> = match members.shift_remove("type") {
            Some(Value::String(kind)) => vec![kind],
            Some(Value::Array(kinds)) => {
                kinds.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            _ => {
                let values = members.get("enum").and_then(Value::as_array).cloned();
                let values = values.or_else(|| members.get("const").map(|own| vec![own.clone()]));
                let mut kinds: Vec<String> = Vec::new();
                for kind in values.iter().flatten().map(kind_of) {
                    if !kinds.iter().any(|own| own == kind) {
                        kinds.push(kind.to_owned());
                    }
                }
                let has = |names: &[&str]| names.iter().any(|name| members.contains_key(*name));
                if kinds.is_empty() && has(&["properties", "required", "additionalProperties"]) {
                    kinds.push("object".into());
                } else if kinds.is_empty() && has(&["items", "prefixItems"]) {
                    kinds.push("array".into());
                }
                kinds
            }
        };
        match kinds.is_empty() && self.rules.is_strict {
            true => Err(obstacle(place, "it does not say of which type the value is")),
            false => Ok(kinds),
        }
    }

    /// Writes a place of several types as a union with one form for each of them.
    fn by_kind(
        &mut self,
        mut sent: Members,
        members: &Members,
        kinds: &[String],
        has_lost: bool,
        place: &str,
    ) -> Result<Value, Obstacle> {
        self.unions += 1;
        let mut forms = Vec::new();
        for kind in kinds {
            let mut own = members.clone();
            own.retain(|keyword, _| is_about(keyword, kind));
            if let Some(Value::Array(values)) = own.get_mut("enum") {
                values.retain(|value| fits_kind(value, kind));
                if values.is_empty() {
                    continue;
                }
            }
            if own.get("const").is_some_and(|value| !fits_kind(value, kind)) {
                continue;
            }
            own.insert("type".into(), kind.clone().into());
            forms.push(self.written(Flat::of(own, has_lost), place)?);
        }
        if let ([_], true) = (forms.as_slice(), sent.is_empty()) {
            return Ok(forms.remove(0));
        }
        sent.insert("anyOf".into(), forms.into());
        Ok(sent.into())
    }

    fn values(&mut self, members: &mut Members, sent: &mut Members, place: &str) {
        // Engines calculate with doubles.
        let is_exact = |value: &Value| value.as_f64().is_none_or(|number| number.abs() < 9e15);
        let for_engines = self.rules.for_engines;
        if let Some(value) = members.shift_remove("const") {
            match (for_engines, is_exact(&value)) {
                (true, true) => drop(sent.insert("enum".into(), json!([value]))),
                (true, false) => self.leave_out(place, "const"),
                (false, _) => drop(sent.insert("const".into(), value)),
            }
        }
        if let Some(Value::Array(values)) = members.shift_remove("enum") {
            match !for_engines || values.iter().all(is_exact) {
                true => drop(sent.insert("enum".into(), values.into())),
                false => self.leave_out(place, "enum"),
            }
        }
    }

    fn object(
        &mut self,
        members: &mut Members,
        sent: &mut Members,
        has_lost: bool,
        place: &str,
    ) -> Result<(), Obstacle> {
        let required: Vec<String> = match members.shift_remove("required") {
            Some(Value::Array(names)) => {
                names.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        let properties = match members.shift_remove("properties") {
            Some(Value::Object(properties)) => properties,
            _ => Members::new(),
        };
        let others = members.shift_remove("additionalProperties");
        let has_patterns = has_patterns(members);
        let is_open = match &others {
            Some(Value::Bool(false)) => has_patterns,
            Some(_) => true,
            None => {
                has_lost
                    || properties.is_empty()
                    || required.iter().any(|name| !properties.contains_key(name))
                    || [&*members, &*sent]
                        .iter()
                        .any(|own| Spoken::of(self.root, own).is_beyond(&properties))
            }
        };
        if is_open && self.rules.is_strict {
            return Err(obstacle(place, NOT_NAMED));
        }
        let mut names = Vec::new();
        let mut written = Members::new();
        for (name, schema) in &properties {
            let mut below = format!("{place}/properties");
            push_token(&mut below, name);
            let mut own = self.schema(schema, &below)?;
            let is_required = required.contains(name);
            if !is_required
                && self.optional == Optional::Nullable
                && !admits_null(self.root, schema, 0)
            {
                own = self.nullable(own);
            }
            self.optionals += usize::from(!is_required && self.optional == Optional::Kept);
            if is_required || self.optional == Optional::Nullable {
                names.push(Value::from(name.as_str()));
            }
            written.insert(name.clone(), own);
        }
        if required.iter().any(|name| !properties.contains_key(name)) {
            self.leave_out(place, "required");
        }
        if !written.is_empty() || self.rules.is_strict {
            sent.insert("properties".into(), written.into());
        }
        if !names.is_empty() || self.rules.is_strict {
            sent.insert("required".into(), names.into());
        }
        match others {
            // What is said of the others is not said of those that match a pattern.
            Some(others) if has_patterns && others != true => {
                self.leave_out(place, "additionalProperties");
            }
            Some(Value::Bool(is)) => drop(sent.insert("additionalProperties".into(), is.into())),
            Some(others) => {
                let others = self.schema(&others, &format!("{place}/additionalProperties"))?;
                sent.insert("additionalProperties".into(), others);
            }
            None if !is_open && self.rules.closes => {
                self.rewrite(place, "additionalProperties", "false");
                sent.insert("additionalProperties".into(), false.into());
            }
            None => {}
        }
        Ok(())
    }

    fn nullable(&mut self, mut schema: Value) -> Value {
        self.has_nullable = true;
        self.unions += 1;
        let none = json!({ "type": "null" });
        let is_plain =
            ["enum", "const", "properties", "items"].iter().all(|own| schema.get(own).is_none());
        let kind = schema.get("type").cloned();
        if let (Some(Value::String(kind)), true) = (&kind, is_plain) {
            schema["type"] = json!([kind, "null"]);
            return schema;
        }
        if let Some(Value::Array(forms)) = schema.get_mut("anyOf") {
            self.unions -= 1;
            forms.push(none);
            return schema;
        }
        json!({ "anyOf": [schema, none] })
    }

    fn array(
        &mut self,
        members: &mut Members,
        sent: &mut Members,
        place: &str,
    ) -> Result<(), Obstacle> {
        // Before 2020-12 a list is what `prefixItems` is since.
        if let Some(Value::Array(first)) = members.get("items").cloned() {
            let rest = members.shift_remove("additionalItems");
            members.shift_remove("items");
            members.insert("prefixItems".into(), first.into());
            members.extend(rest.map(|rest| ("items".to_owned(), rest)));
        }
        if let Some(Value::Array(first)) = members.get("prefixItems").cloned()
            && self.rules.keeps.contains(&"prefixItems")
        {
            members.shift_remove("prefixItems");
            let first = first
                .iter()
                .enumerate()
                .map(|(at, item)| self.schema(item, &format!("{place}/prefixItems/{at}")));
            sent.insert("prefixItems".into(), first.collect::<Result<Vec<_>, _>>()?.into());
        }
        // What follows the first ones is not what they are.
        let items =
            if members.contains_key("prefixItems") { None } else { members.shift_remove("items") };
        match items {
            Some(Value::Bool(false)) if sent.contains_key("prefixItems") => {
                sent.insert("items".into(), false.into());
            }
            Some(items) => {
                let items = self.schema(&items, &format!("{place}/items"))?;
                sent.insert("items".into(), items);
            }
            None if self.rules.is_strict => {
                return Err(obstacle(place, "the array does not say what its items are"));
            }
            None => {}
        }
        Ok(())
    }

    fn limits(
        &mut self,
        members: Members,
        sent: &mut Members,
        kinds: &[String],
        place: &str,
    ) -> Result<(), Obstacle> {
        for (keyword, value) in members {
            let is_kept = match keyword.as_str() {
                "format" => self.rules.formats.iter().any(|own| value == *own),
                own if !self.rules.keeps.contains(&own) => false,
                "pattern" => value.as_str().is_some_and(is_plain_pattern),
                // A limit on an array without items, or on fractions, means other things to engines.
                "minItems" | "maxItems" if self.rules.for_engines => sent.contains_key("items"),
                "minimum" | "maximum" if self.rules.for_engines => {
                    let is_whole = value.as_i64().is_some_and(|bound| bound.abs() < 1 << 53);
                    is_whole && kinds == ["integer"]
                }
                _ => true,
            };
            match is_kept {
                true => drop(sent.insert(keyword, value)),
                false => self.leave_out(place, &keyword),
            }
        }
        Ok(())
    }
}
