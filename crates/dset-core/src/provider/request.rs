//! The body of one call.

use serde::Serialize;
use serde_json::{Map, Value};

use super::Preset;
use crate::key::RequestSettings;

/// What one call asks for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Model, system prompt and parameters.
    pub settings: &'a RequestSettings,
    /// The user message.
    pub prompt: &'a str,
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

impl Preset {
    /// Writes the body of a call. `at_home` says that it goes to the service's own host.
    #[must_use]
    pub fn request_body(&self, request: &Request<'_>, at_home: bool) -> Vec<u8> {
        let settings = request.settings;
        let mut rest = Map::new();
        if let Some(max_tokens) = settings.max_tokens {
            rest.insert(self.max_tokens_field.clone(), max_tokens.into());
        }
        // What the user did not ask for is not sent: a stranger's server may refuse a field it
        // does not know. At home reasoning is said even so, because its default may change.
        let reasoning = settings.reasoning.or((at_home && self.thinking_field).then_some(true));
        match (self.thinking_field, reasoning) {
            (true, Some(on)) => {
                let kind = if on { "enabled" } else { "disabled" };
                rest.insert("thinking".into(), serde_json::json!({ "type": kind }));
            }
            // The one word for "off" that OpenAI-compatible servers share.
            (false, Some(false)) if settings.reasoning_effort.is_none() => {
                rest.insert("reasoning_effort".into(), "none".into());
            }
            _ => {}
        }
        if let Some(effort) = &settings.reasoning_effort {
            rest.insert("reasoning_effort".into(), effort.as_str().into());
        }
        let system = settings.system.as_deref().map(|content| Message { role: "system", content });
        let user = Message { role: "user", content: request.prompt };
        let body = Body {
            model: &settings.model,
            messages: system.into_iter().chain([user]).collect(),
            temperature: settings.temperature,
            rest,
        };
        serde_json::to_vec(&body).expect("a request is plain values")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::preset;

    fn body(id: &str, settings: RequestSettings, at_home: bool) -> String {
        let request = Request { settings: &settings, prompt: "Why?" };
        String::from_utf8(preset(id).unwrap().request_body(&request, at_home)).unwrap()
    }

    fn settings() -> RequestSettings {
        RequestSettings { model: "m".into(), ..RequestSettings::default() }
    }

    #[test]
    fn what_was_not_asked_for_is_not_sent_but_for_thinking_at_home() {
        let plain = r#"{"model":"m","messages":[{"role":"user","content":"Why?"}]}"#;
        assert_eq!(body("openai-compatible", settings(), false), plain);
        assert_eq!(body("deepseek", settings(), false), plain);
        let home = r#"{"model":"m","messages":[{"role":"user","content":"Why?"}],"thinking":{"type":"enabled"}}"#;
        assert_eq!(body("deepseek", settings(), true), home);
    }

    #[test]
    fn every_parameter_is_sent_under_the_services_own_name() {
        let all = RequestSettings {
            system: Some("Be brief.".into()),
            max_tokens: Some(100),
            temperature: Some(0.5),
            reasoning: Some(false),
            reasoning_effort: Some("low".into()),
            ..settings()
        };
        let sent = body("deepseek", all.clone(), true);
        for part in [
            r#"{"role":"system","content":"Be brief."},{"role":"user""#,
            r#""temperature":0.5"#,
            r#""max_tokens":100"#,
            r#""thinking":{"type":"disabled"}"#,
            r#""reasoning_effort":"low""#,
        ] {
            assert!(sent.contains(part), "{part} in {sent}");
        }
        let off = RequestSettings { reasoning: Some(false), ..settings() };
        assert!(body("openai-compatible", off, false).contains(r#""reasoning_effort":"none""#));
    }
}
