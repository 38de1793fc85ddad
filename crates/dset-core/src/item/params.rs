//! Further fields of a request's body, which the user or a row of the input names.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::settings::begins_like_a_key;
use crate::structured::Json;

/// Fields that are sent with a request as they are, beside those that dset sets itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Params(BTreeMap<String, Value>);

/// Why fields cannot be sent along.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParamError {
    /// It is not written as `NAME=JSON`.
    #[error("`{0}` is not like NAME=JSON")]
    NoValue(String),
    /// The value is not JSON.
    #[error("the value of `{name}` is not JSON: {detail}")]
    NotJson {
        /// The name of the field.
        name: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A name that no field has.
    #[error("`{0}` is no name of a field")]
    Name(String),
    /// dset sets the field itself.
    #[error("`{name}` is set by {setter}")]
    Own {
        /// The name of the field, with that of its member after a dot.
        name: String,
        /// What sets it.
        setter: &'static str,
    },
    /// A model that calls a tool does not answer.
    #[error("`{0}` is of tools, and the call of a tool is no answer")]
    Tools(String),
    /// It holds a key.
    #[error("`{0}` holds a key, and what stands in settings is shown and sent along")]
    Key(String),
}

/// Fields that dset sets itself, or members of them, each with what sets it.
const OWN: [(&str, &str); 30] = [
    ("model", "--model"),
    ("messages", "the question, --template and --system"),
    ("prompt", "the question, --template and --system"),
    ("input", "the question, --template and --system"),
    ("system", "--system"),
    ("stream", "--stream"),
    ("stream_options", "--stream"),
    ("n", "--samples"),
    ("best_of", "--samples"),
    ("max_tokens", "--max-tokens"),
    ("max_completion_tokens", "--max-tokens"),
    ("max_output_tokens", "--max-tokens"),
    ("max_new_tokens", "--max-tokens"),
    ("n_predict", "--max-tokens"),
    ("num_predict", "--max-tokens"),
    ("temperature", "--temperature"),
    ("response_format", "--schema"),
    ("output_format", "--schema"),
    ("json_schema", "--schema"),
    ("guided_json", "--schema"),
    ("structured_outputs.json", "--schema"),
    ("output_config.format", "--schema"),
    ("output_config.effort", "--reasoning-effort"),
    ("reasoning_effort", "--reasoning-effort"),
    ("enable_thinking", "--reasoning"),
    ("thinking.type", "--reasoning"),
    ("reasoning.enabled", "--reasoning"),
    ("reasoning.effort", "--reasoning-effort"),
    ("chat_template_kwargs.enable_thinking", "--reasoning"),
    ("chat_template_kwargs.thinking", "--reasoning"),
];

/// Fields that let a model call tools, which is no answer.
pub const TOOLS: [&str; 4] = ["tools", "tool_choice", "functions", "function_call"];

/// The field that chooses how soon a call is served, and what it costs.
pub const SERVICE_TIER: &str = "service_tier";
/// The values of [`SERVICE_TIER`], and of what is like it, that cost what everybody pays.
const USUAL_TIERS: [&str; 4] = ["auto", "default", "standard", "standard_only"];

/// How a field changes what a call costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Billing {
    /// Tokens have another price, which can be said.
    OtherPrice,
    /// Something else is billed than tokens in and one answer of the most tokens that it may have.
    Apart,
}

/// Fields that change what a call costs, at whichever service.
const BILLED: [(&str, Billing); 20] = [
    // Searches at so much a call.
    ("web_search_options", Billing::Apart),
    ("web_search", Billing::Apart),
    ("search_parameters", Billing::Apart),
    ("enable_search", Billing::Apart),
    ("plugins", Billing::Apart),
    ("data_sources", Billing::Apart),
    // Tools and skills that run at the service.
    ("mcp_servers", Billing::Apart),
    ("container", Billing::Apart),
    ("compound_custom", Billing::Apart),
    // More answers, or more tokens of one, than are asked for.
    ("num_return_sequences", Billing::Apart),
    ("num_completions", Billing::Apart),
    ("candidate_count", Billing::Apart),
    ("prediction", Billing::Apart),
    // Another tier, place or kind of tokens, and prompts that are written into a cache on request.
    (SERVICE_TIER, Billing::OtherPrice),
    ("speed", Billing::OtherPrice),
    ("inference_geo", Billing::OtherPrice),
    ("audio", Billing::OtherPrice),
    ("cache_control", Billing::OtherPrice),
    // Other models than the one that is asked.
    ("models", Billing::OtherPrice),
    ("fallbacks", Billing::OtherPrice),
];

impl Params {
    /// Returns the value of a field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Returns the field that makes a call cost something else than what is counted, and how.
    #[must_use]
    pub fn billed_otherwise(&self) -> Option<(&'static str, Billing)> {
        let is_usual = |value: &Value| match value {
            Value::Null => true,
            Value::Bool(is_on) => !is_on,
            Value::Number(count) => count.as_f64().is_some_and(|count| count <= 1.0),
            Value::String(tier) => USUAL_TIERS.contains(&tier.as_str()),
            Value::Array(list) => list.is_empty(),
            Value::Object(_) => false,
        };
        let is_billed = |name: &str| self.get(name).is_some_and(|value| !is_usual(value));
        BILLED.into_iter().find(|(name, _)| is_billed(name))
    }

    /// Takes fields as they are to be sent.
    pub fn new(fields: Map<String, Value>) -> Result<Params, ParamError> {
        fields.iter().try_for_each(|(name, value)| check(name, value))?;
        Ok(Params(fields.into_iter().collect()))
    }

    /// Returns true if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the fields, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Puts these fields over others: of two with one name, this one's counts.
    #[must_use]
    pub fn over(&self, lower: &Params) -> Params {
        Params(lower.0.iter().chain(&self.0).map(|(n, v)| (n.clone(), v.clone())).collect())
    }

    /// Puts each over the ones before it.
    #[must_use]
    pub fn merged(all: &[Params]) -> Params {
        all.iter().fold(Params::default(), |lower, upper| upper.over(&lower))
    }

    /// Adds the fields to a body. Where the same object is there already, it gets the members.
    pub(crate) fn add_to(&self, body: &mut Map<String, Value>) {
        for (name, value) in &self.0 {
            match (body.get_mut(name), value) {
                (Some(Value::Object(own)), Value::Object(members)) => own.extend(members.clone()),
                _ => drop(body.insert(name.clone(), value.clone())),
            }
        }
    }

    /// Returns how many bytes they add to a request, about.
    pub(crate) fn bytes(&self) -> usize {
        if self.is_empty() {
            0
        } else {
            serde_json::to_string(&self.0).map_or(0, |text| text.len())
        }
    }
}

/// Returns the fields that dset sets itself, or members of them after a dot, each with what sets it.
pub fn setters() -> impl Iterator<Item = (&'static str, &'static str)> {
    OWN.into_iter()
}

/// Tells what sets a field where that is dset itself.
#[must_use]
pub fn setter(name: &str, value: &Value) -> Option<(String, &'static str)> {
    OWN.iter().find_map(|(own, setter)| match own.split_once('.') {
        None => (*own == name).then(|| (name.to_owned(), *setter)),
        Some((object, _)) if object != name => None,
        Some((_, member)) => match value.as_object() {
            Some(members) => {
                members.contains_key(member).then(|| (format!("{name}.{member}"), *setter))
            }
            None => Some((name.to_owned(), *setter)),
        },
    })
}

fn check(name: &str, value: &Value) -> Result<(), ParamError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.';
    if name.is_empty() || !name.chars().all(is_plain) {
        return Err(ParamError::Name(name.to_owned()));
    }
    if let Some((name, setter)) = setter(name, value) {
        return Err(ParamError::Own { name, setter });
    }
    if TOOLS.contains(&name) {
        return Err(ParamError::Tools(name.to_owned()));
    }
    match begins_like_a_key(&value.to_string()) {
        true => Err(ParamError::Key(name.to_owned())),
        false => Ok(()),
    }
}

/// Reads `NAME=JSON`, or a JSON object of several.
impl FromStr for Params {
    type Err = ParamError;

    fn from_str(text: &str) -> Result<Params, ParamError> {
        let text = text.trim();
        if text.starts_with('{') {
            return match value("{…}", text)? {
                Value::Object(fields) => Params::new(fields),
                _ => Err(ParamError::NoValue(text.to_owned())),
            };
        }
        let (name, written) = text.split_once('=').ok_or_else(|| {
            // A key that was pasted is not repeated.
            let shown = if begins_like_a_key(text) { "…" } else { text };
            ParamError::NoValue(shown.to_owned())
        })?;
        let name = name.trim();
        Params::new(Map::from_iter([(name.to_owned(), value(name, written)?)]))
    }
}

/// Reads a value, each number of which is sent as it is written.
fn value(name: &str, text: &str) -> Result<Value, ParamError> {
    let wrong = |detail: String| ParamError::NotJson { name: name.to_owned(), detail };
    let json = Json::parse(text.trim()).map_err(|_| {
        let own = serde_json::from_str::<Value>(text).err();
        wrong(own.map_or_else(|| "it lies too deep".to_owned(), |error| error.to_string()))
    })?;
    if let Some(place) = json.duplicate() {
        return Err(wrong(format!("`{place}` stands there twice")));
    }
    if let Some((_, number)) = json.inexact() {
        return Err(wrong(format!("{number} has more digits than can be sent")));
    }
    json.to_value().map_err(|place| wrong(format!("the number at `{place}` is too large")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<String, String> {
        let params = text.parse::<Params>().map_err(|error| error.to_string())?;
        Ok(serde_json::to_string(&params).unwrap())
    }

    #[test]
    fn a_field_is_written_as_name_and_json() {
        for (text, fields) in [
            ("top_p=0.9", r#"{"top_p":0.9}"#),
            (" seed = 42 ", r#"{"seed":42}"#),
            (r#"stop=["\n", "="]"#, r#"{"stop":["\n","="]}"#),
            ("user=\"me\"", r#"{"user":"me"}"#),
            ("logprobs=false", r#"{"logprobs":false}"#),
            (r#"{"top_p": 0.9, "seed": 1}"#, r#"{"seed":1,"top_p":0.9}"#),
            // Properties stay in their order: models write them so.
            (r#"x={"b":1,"a":2}"#, r#"{"x":{"b":1,"a":2}}"#),
            ("thinking={\"budget_tokens\":5}", r#"{"thinking":{"budget_tokens":5}}"#),
        ] {
            assert_eq!(read(text).as_deref(), Ok(fields), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_sent_along_is_refused_with_what_sets_it() {
        for (text, said) in [
            ("top_p", "`top_p` is not like NAME=JSON"),
            ("user=me", "the value of `user` is not JSON: "),
            ("=1", "`` is no name of a field"),
            ("top p=1", "`top p` is no name of a field"),
            ("x={\"a\":1,\"a\":2}", "the value of `x` is not JSON: `/a` stands there twice"),
            ("seed=12345678901234567890123", "has more digits than can be sent"),
            ("temperature=1", "`temperature` is set by --temperature"),
            ("max_completion_tokens=1", "`max_completion_tokens` is set by --max-tokens"),
            ("n=2", "`n` is set by --samples"),
            ("{\"response_format\":{}}", "`response_format` is set by --schema"),
            ("thinking=true", "`thinking` is set by --reasoning"),
            (
                "chat_template_kwargs={\"thinking\":true}",
                "`chat_template_kwargs.thinking` is set by --reasoning",
            ),
            ("tools=[]", "`tools` is of tools"),
            ("api_key=\"sk-0123456789abcdef\"", "`api_key` holds a key"),
            ("sk-0123456789abcdef", "`…` is not like"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn fields_that_are_objects_are_joined_with_those_that_are_there() {
        let mut body = Map::new();
        body.insert("chat_template_kwargs".into(), json!({"thinking": true}));
        let params: Params =
            r#"{"chat_template_kwargs": {"style": 1}, "top_k": 5}"#.parse().unwrap();
        params.add_to(&mut body);
        let joined = json!({"chat_template_kwargs": {"thinking": true, "style": 1}, "top_k": 5});
        assert_eq!(Value::from(body), joined);
        let over = Params::merged(&["a=1".parse().unwrap(), r#"{"a":2,"b":3}"#.parse().unwrap()]);
        assert_eq!(serde_json::to_string(&over).unwrap(), r#"{"a":2,"b":3}"#);
    }

    #[test]
    fn what_changes_the_price_of_a_call_is_told_and_what_says_the_usual_is_not() {
        let billed = |fields: Value| {
            Params::new(fields.as_object().unwrap().clone()).unwrap().billed_otherwise()
        };
        for usual in [
            json!({}),
            json!({"service_tier": "auto", "cache_control": null, "plugins": []}),
            json!({"enable_search": false, "num_return_sequences": 1, "top_p": 0.5}),
        ] {
            assert_eq!(billed(usual.clone()), None, "{usual}");
        }
        for (fields, name, billing) in [
            (json!({"service_tier": "priority"}), "service_tier", Billing::OtherPrice),
            (json!({"cache_control": {"type": "ephemeral"}}), "cache_control", Billing::OtherPrice),
            (json!({"models": ["a", "b"]}), "models", Billing::OtherPrice),
            (json!({"web_search_options": {}}), "web_search_options", Billing::Apart),
            (json!({"plugins": [{"id": "web"}]}), "plugins", Billing::Apart),
            (json!({"num_return_sequences": 8}), "num_return_sequences", Billing::Apart),
            (json!({"prediction": {"type": "content"}}), "prediction", Billing::Apart),
            // What no price holds for comes first.
            (json!({"models": ["a"], "enable_search": true}), "enable_search", Billing::Apart),
        ] {
            assert_eq!(billed(fields.clone()), Some((name, billing)), "{fields}");
        }
    }
}
