//! What must hold at once, as one schema: `allOf`, and what stands beside references and unions.

use serde_json::{Value, json};

use super::super::Obstacle;
use super::super::merge::{is_remark, merge};
use super::judge::Spoken;
use super::{Flat, Members, Reducer, SCHEMAS_MAX, obstacle};

impl Reducer<'_> {
    /// Merges what stands beside a reference or in `allOf`, and spreads what stands beside `anyOf`.
    pub(super) fn flat(&mut self, mut members: Members, place: &str) -> Result<Flat, Obstacle> {
        for keyword in ["$dynamicRef", "$recursiveRef"] {
            if members.contains_key(keyword) {
                return Err(obstacle(place, "a reference of this kind cannot be sent"));
            }
        }
        let mut has_lost = false;
        let mut parts: Vec<(&str, Value)> = Vec::new();
        if let Some(Value::Array(all)) = members.shift_remove("allOf")
            && !(self.ignores_beside_reference && members.contains_key("$ref"))
        {
            parts.extend(all.into_iter().map(|part| ("allOf", part)));
        }
        let limits = members.keys().any(|keyword| keyword != "$ref" && !is_remark(keyword));
        if members.contains_key("$ref") && self.ignores_beside_reference {
            members.retain(|keyword, _| keyword == "$ref" || keyword == "description");
        } else if members.contains_key("$ref") && (limits || !parts.is_empty()) {
            let reference = members.shift_remove("$ref").unwrap_or_default();
            parts.insert(0, ("$ref", json!({ "$ref": reference })));
        }
        if let ([(_, part)], true) = (parts.as_slice(), members.keys().all(|own| is_remark(own)))
            && part.as_object().is_some_and(|part| part.len() == 1 && part.contains_key("$ref"))
        {
            members.insert("$ref".into(), part["$ref"].clone());
            return Ok(Flat::of(members, has_lost));
        }
        for (keyword, part) in parts {
            let written = self.written_out(&part, place)?;
            has_lost |= written.as_ref().is_none_or(|part| part.has_lost);
            let merged = written.as_ref().and_then(|part| merge(&members, &part.members));
            match merged {
                Some(merged) => members = merged,
                None => {
                    has_lost |= written.is_some_and(|part| self.has_more(&part.members, &members));
                    self.leave_out(place, keyword);
                }
            }
        }
        let is_one_of = members.contains_key("oneOf") && !members.contains_key("anyOf");
        has_lost |= self.spread(&mut members, place)?;
        Ok(Flat { members, has_lost, union: if is_one_of { "oneOf" } else { "anyOf" } })
    }

    /// Returns what a schema says itself, with references written out; `None` where it refers to
    /// itself, or is not about anything that can be merged.
    pub(super) fn written_out(
        &mut self,
        schema: &Value,
        place: &str,
    ) -> Result<Option<Flat>, Obstacle> {
        self.schemas += 1;
        if self.schemas > SCHEMAS_MAX {
            return Err(obstacle(place, "it is too large once it is written out"));
        }
        let Value::Object(members) = schema else {
            let nothing = Flat::of(Members::new(), false);
            return Ok((*schema == Value::Bool(true)).then_some(nothing));
        };
        let flat = self.flat(members.clone(), place)?;
        let Some(reference) = flat.members.get("$ref").and_then(Value::as_str) else {
            return Ok(Some(flat));
        };
        let pointer = self.pointer(reference, place)?;
        if self.open.contains(&pointer) {
            return Ok(None);
        }
        let target = self.root.pointer(&pointer).cloned().unwrap_or_default();
        self.open.push(pointer);
        let written = self.written_out(&target, place);
        self.open.pop();
        written
    }

    /// Returns true if a schema speaks of properties that another does not name.
    fn has_more(&self, schema: &Members, than: &Members) -> bool {
        let nothing = Members::new();
        let properties = than.get("properties").and_then(Value::as_object).unwrap_or(&nothing);
        Spoken::of(self.root, schema).is_beyond(properties)
    }

    /// Makes `anyOf` of `oneOf`, and puts what stands beside it into each of its forms. Returns true
    /// if properties were lost.
    fn spread(&mut self, members: &mut Members, place: &str) -> Result<bool, Obstacle> {
        let mut has_lost = false;
        if let Some(forms) = members.shift_remove("oneOf") {
            let one_of = Members::from_iter([("anyOf".to_owned(), forms.clone())]);
            if members.contains_key("anyOf") {
                self.leave_out(place, "oneOf");
                has_lost = self.has_more(&one_of, members);
            } else {
                self.rewrite(place, "oneOf", "anyOf");
                members.extend(one_of);
            }
        }
        let limits = members.keys().any(|keyword| keyword != "anyOf" && !is_remark(keyword));
        let Some(Value::Array(forms)) = members.get("anyOf").filter(|_| limits).cloned() else {
            return Ok(has_lost);
        };
        let mut beside = members.clone();
        beside.shift_remove("anyOf");
        let remarks: Members = members
            .iter()
            .filter(|(own, _)| is_remark(own))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        beside.retain(|keyword, _| !is_remark(keyword));
        let mut spread = Vec::new();
        for form in &forms {
            let written = self.written_out(form, place)?.filter(|form| !form.has_lost);
            match written.and_then(|form| merge(&beside, &form.members)) {
                Some(merged) => spread.push(Value::Object(merged)),
                None => break,
            }
        }
        if spread.len() < forms.len() {
            let union = members.shift_remove("anyOf").unwrap_or_default();
            self.leave_out(place, "anyOf");
            let union = Members::from_iter([("anyOf".to_owned(), union)]);
            return Ok(has_lost || spread.is_empty() || self.has_more(&union, &beside));
        }
        *members = remarks;
        members.insert("anyOf".into(), spread.into());
        Ok(has_lost)
    }
}
