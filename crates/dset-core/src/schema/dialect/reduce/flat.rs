//! What must hold at once, as one schema: `allOf`, and what stands beside references and unions.

use serde_json::{Value, json};

use super::super::Obstacle;
use super::super::merge::{has_more, is_remark, merge};
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
            members.retain(|keyword, _| keyword == "$ref");
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
            let merged = written.as_ref().and_then(|part| merge(&members, &part.members));
            match merged {
                Some(merged) => members = merged,
                None => {
                    has_lost |= written.is_none_or(|part| has_more(&part.members, &members));
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

    /// Makes `anyOf` of `oneOf`, and puts what stands beside it into each of its forms. Returns true
    /// if properties were lost.
    fn spread(&mut self, members: &mut Members, place: &str) -> Result<bool, Obstacle> {
        if let Some(forms) = members.shift_remove("oneOf") {
            if members.contains_key("anyOf") {
                self.leave_out(place, "oneOf");
            } else {
                self.rewrite(place, "oneOf", "anyOf");
                members.insert("anyOf".into(), forms);
            }
        }
        let limits = members.keys().any(|keyword| keyword != "anyOf" && !is_remark(keyword));
        let Some(Value::Array(forms)) = members.get("anyOf").filter(|_| limits).cloned() else {
            return Ok(false);
        };
        let mut beside = members.clone();
        beside.shift_remove("anyOf");
        let remarks: Members = members
            .iter()
            .filter(|(own, _)| is_remark(own))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        beside.retain(|keyword, _| !is_remark(keyword));
        let (mut spread, mut has_more_names) = (Vec::new(), false);
        for form in &forms {
            let Some(form) = self.written_out(form, place)? else { break };
            has_more_names |= form.has_lost || has_more(&form.members, &beside);
            match merge(&beside, &form.members) {
                Some(merged) => spread.push(Value::Object(merged)),
                None => break,
            }
        }
        if spread.len() < forms.len() {
            members.shift_remove("anyOf");
            self.leave_out(place, "anyOf");
            return Ok(has_more_names || spread.is_empty());
        }
        *members = remarks;
        members.insert("anyOf".into(), spread.into());
        Ok(false)
    }
}
