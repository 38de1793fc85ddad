//! The body of one call.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::item::content::{Content, Role};
use crate::item::params::Params;
use crate::key::RequestSettings;
use crate::provider::Preset;
use crate::provider::request::anthropic;
use crate::provider::service::preset::{Continuing, Dialect, ReasoningSwitch, Unsupported};
use crate::schema::dialect::Conveyed;

/// What one call asks for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The model and the parameters that are sent with every request.
    pub settings: &'a RequestSettings,
    /// The system prompt, as it is sent with this question.
    pub system: Option<&'a str>,
    /// What is asked.
    pub content: &'a Content,
    /// Further fields, which the row brings along.
    pub params: Option<&'a Params>,
    /// What is sent of the schema that the answer has to fit.
    pub conveyed: Option<&'a Conveyed>,
}

impl Request<'_> {
    /// Adds the fields that the user and the row name, and those of the schema.
    pub(crate) fn add_fields(&self, body: &mut Map<String, Value>) {
        self.settings.params.add_to(body);
        self.params.into_iter().for_each(|params| params.add_to(body));
        self.conveyed.into_iter().for_each(|conveyed| conveyed.add_to(body));
    }

    /// Returns the system prompt with what is said of the schema.
    pub(crate) fn whole_system(&self) -> Option<Cow<'_, str>> {
        let with_schema = self.conveyed.and_then(|conveyed| conveyed.system(self.system));
        with_schema.map(Cow::Owned).or(self.system.map(Cow::Borrowed))
    }
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
pub(crate) struct Message<'a> {
    role: &'static str,
    content: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    prefix: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
}

impl<'a> Message<'a> {
    fn new(role: &'static str, content: &'a str) -> Message<'a> {
        Message { role, content, prefix: false, partial: false }
    }

    /// Returns what is said, in its order.
    pub(crate) fn all(content: &'a Content) -> Vec<Message<'a>> {
        let message = |role: Role, content| Message::new(role.name(), content);
        match content {
            Content::Text(text) => vec![message(Role::User, text)],
            Content::Chat(turns) => {
                turns.iter().map(|turn| message(turn.role, &turn.text)).collect()
            }
        }
    }
}

impl Preset {
    /// Writes the body of a call. `at_home` says that it goes to the service's own host.
    #[must_use]
    pub fn request_body(&self, request: &Request<'_>, at_home: bool) -> Vec<u8> {
        self.body(request, at_home, false)
    }

    /// Writes the body of a call whose answer comes as a stream, with its counts at the end.
    #[must_use]
    pub fn streamed_body(&self, request: &Request<'_>, at_home: bool) -> Vec<u8> {
        self.body(request, at_home, true)
    }

    /// Returns how many tokens an answer may have, where a limit is sent.
    #[must_use]
    pub fn max_tokens(&self, settings: &RequestSettings) -> Option<u64> {
        let wanted = settings.max_tokens.or(self.max_tokens_default);
        match self.dialect {
            Dialect::Chat => wanted,
            Dialect::Anthropic => wanted.or(Some(anthropic::MAX_TOKENS)),
        }
    }

    fn body(&self, request: &Request<'_>, at_home: bool, stream: bool) -> Vec<u8> {
        let settings = request.settings;
        let leaves_out = self.leaves_out_temperature(settings, at_home);
        let temperature = settings.temperature.filter(|_| !leaves_out);
        match self.dialect {
            Dialect::Chat => self.chat(request, at_home, stream, temperature),
            Dialect::Anthropic => anthropic::body(self, request, stream, temperature),
        }
    }

    fn chat(
        &self,
        request: &Request<'_>,
        at_home: bool,
        stream: bool,
        temperature: Option<f64>,
    ) -> Vec<u8> {
        let settings = request.settings;
        let mut rest = Map::new();
        if let Some(max_tokens) = self.max_tokens(settings) {
            rest.insert(self.max_tokens_field.clone(), max_tokens.into());
        }
        if stream {
            rest.insert("stream".into(), true.into());
            if !self.refuses.contains(&Unsupported::StreamOptions) {
                rest.insert("stream_options".into(), json!({ "include_usage": true }));
            }
        }
        self.reasoning(settings, at_home, &mut rest);
        request.add_fields(&mut rest);
        let system = request.whole_system();
        let system = system.as_deref().map(|content| Message::new("system", content));
        let mut messages: Vec<Message<'_>> =
            system.into_iter().chain(Message::all(request.content)).collect();
        if request.content.beginning().is_some() {
            self.go_on_with(messages.last_mut(), &mut rest);
        }
        let body = Body { model: &settings.model, messages, temperature, rest };
        serde_json::to_vec(&body).expect("a request is plain values")
    }

    /// Asks to go on with the last message.
    fn go_on_with(&self, last: Option<&mut Message<'_>>, rest: &mut Map<String, Value>) {
        match (self.continuing, last) {
            (Continuing::Prefix, Some(last)) => last.prefix = true,
            (Continuing::Partial, Some(last)) => last.partial = true,
            (Continuing::ContinueFinalMessage, _) => {
                rest.insert("add_generation_prompt".into(), false.into());
                rest.insert("continue_final_message".into(), true.into());
            }
            (
                Continuing::No | Continuing::AsItStands | Continuing::Prefix | Continuing::Partial,
                _,
            ) => {}
        }
    }

    /// Says whether and how much to reason. What the user did not ask for is not sent: an unknown
    /// server may refuse a field it does not know. DeepSeek's official host gets it even so,
    /// because its default may change.
    fn reasoning(&self, settings: &RequestSettings, at_home: bool, rest: &mut Map<String, Value>) {
        use ReasoningSwitch::{
            Adaptive, Effort, EnableThinking, ReasoningObject, TemplateKwargs, ThinkingType,
        };
        let (on, effort) = (settings.reasoning, settings.reasoning_effort.as_deref());
        let by_default = at_home && self.reasons_always();
        match (self.reasoning_switch, on) {
            (ThinkingType, on) => {
                if let Some(on) = on.or(by_default.then_some(true)) {
                    let kind = if on { "enabled" } else { "disabled" };
                    rest.insert("thinking".into(), json!({ "type": kind }));
                }
            }
            (ReasoningObject, on) => {
                let mut reasoning = Map::new();
                reasoning.extend(on.map(|on| ("enabled".to_owned(), on.into())));
                reasoning.extend(effort.map(|effort| ("effort".to_owned(), effort.into())));
                if !reasoning.is_empty() {
                    rest.insert("reasoning".into(), reasoning.into());
                }
                return;
            }
            (EnableThinking, Some(on)) => {
                rest.insert("enable_thinking".into(), on.into());
            }
            (TemplateKwargs, Some(on)) => {
                let kwargs = json!({ "enable_thinking": on, "thinking": on });
                rest.insert("chat_template_kwargs".into(), kwargs);
            }
            (Effort | Adaptive, Some(false)) if effort.is_none() => {
                rest.insert("reasoning_effort".into(), "none".into());
            }
            (Effort | Adaptive | EnableThinking | TemplateKwargs, _) => {}
        }
        if let Some(effort) = effort {
            rest.insert("reasoning_effort".into(), effort.into());
        }
    }

    /// Returns true if every model of it reasons unless a request switches that off.
    fn reasons_always(&self) -> bool {
        self.reasoning_models.iter().any(String::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::content::Turn;
    use crate::provider::preset;
    use crate::provider::presets;

    fn body(id: &str, settings: RequestSettings, at_home: bool) -> String {
        let system = settings.system.as_deref();
        let request = Request {
            settings: &settings,
            system,
            content: &Content::Text("Why?".into()),
            params: None,
            conveyed: None,
        };
        String::from_utf8(preset(id).unwrap().request_body(&request, at_home)).unwrap()
    }

    fn settings() -> RequestSettings {
        RequestSettings { model: "m".into(), ..RequestSettings::default() }
    }

    #[test]
    fn what_was_not_asked_for_is_not_sent_but_for_thinking_at_home() {
        let plain = r#"{"model":"m","messages":[{"role":"user","content":"Why?"}]}"#;
        for preset in presets() {
            match preset.id.as_str() {
                "anthropic" | "anthropic-compatible" => {}
                "deepseek" => assert_eq!(body("deepseek", settings(), false), plain),
                id => assert_eq!(body(id, settings(), true), plain, "{id}"),
            }
        }
        let home = r#"{"model":"m","messages":[{"role":"user","content":"Why?"}],"thinking":{"type":"enabled"}}"#;
        assert_eq!(body("deepseek", settings(), true), home);
    }

    #[test]
    fn a_service_is_asked_in_its_own_way_to_go_on_with_an_answer() {
        let turn = |role, text: &str| Turn { role, text: text.into() };
        let turns = [turn(Role::User, "Why?"), turn(Role::Assistant, "Beca")];
        let sent = |preset: &Preset, content: &Content| -> Value {
            let settings = &settings();
            let request = Request { settings, system: None, content, params: None, conveyed: None };
            serde_json::from_slice(&preset.request_body(&request, false)).unwrap()
        };
        let (begun, asked) = (turns.clone(), turns[..1].to_vec());
        for preset in presets() {
            let body = sent(preset, &Content::Chat(begun.clone().into()));
            let last = &body["messages"][1];
            let flags = [
                last.get("prefix").is_some(),
                last.get("partial").is_some(),
                body.get("continue_final_message").is_some(),
            ];
            let expected = match preset.id.as_str() {
                "deepseek" | "mistral" => [true, false, false],
                "moonshot" | "qwen" => [false, true, false],
                "vllm" | "sglang" | "llamacpp" => [false, false, true],
                _ => [false; 3],
            };
            assert_eq!(flags, expected, "{}", preset.id);
            assert_eq!((&last["role"], &last["content"]), (&json!("assistant"), &json!("Beca")));
            let plain = sent(preset, &Content::Chat(asked.clone().into()));
            assert_eq!(plain["messages"], json!([{ "role": "user", "content": "Why?" }]));
            assert_eq!(plain.get("continue_final_message"), None, "{}", preset.id);
        }
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
        assert!(body("openai", all.clone(), true).contains(r#""max_completion_tokens":100"#));
        assert!(body("groq", all, true).contains(r#""max_completion_tokens":100"#));
    }

    #[test]
    fn reasoning_is_switched_in_the_words_of_each_service() {
        let with = |id: &str, on: Option<bool>, effort: Option<&str>| {
            let effort = effort.map(str::to_owned);
            let sent = body(
                id,
                RequestSettings { reasoning: on, reasoning_effort: effort, ..settings() },
                true,
            );
            let mut sent: Map<String, Value> = serde_json::from_str(&sent).unwrap();
            sent.retain(|name, _| !["model", "messages", "max_tokens"].contains(&name.as_str()));
            Value::from(sent)
        };
        for (id, on, off, low) in [
            (
                "openai",
                json!({}),
                json!({"reasoning_effort":"none"}),
                json!({"reasoning_effort":"low"}),
            ),
            (
                "deepseek",
                json!({"thinking":{"type":"enabled"}}),
                json!({"thinking":{"type":"disabled"}}),
                json!({"thinking":{"type":"enabled"},"reasoning_effort":"low"}),
            ),
            (
                "zai",
                json!({"thinking":{"type":"enabled"}}),
                json!({"thinking":{"type":"disabled"}}),
                json!({"reasoning_effort":"low"}),
            ),
            (
                "openrouter",
                json!({"reasoning":{"enabled":true}}),
                json!({"reasoning":{"enabled":false}}),
                json!({"reasoning":{"effort":"low"}}),
            ),
            (
                "qwen",
                json!({"enable_thinking":true}),
                json!({"enable_thinking":false}),
                json!({"reasoning_effort":"low"}),
            ),
            (
                "vllm",
                json!({"chat_template_kwargs":{"enable_thinking":true,"thinking":true}}),
                json!({"chat_template_kwargs":{"enable_thinking":false,"thinking":false}}),
                json!({"reasoning_effort":"low"}),
            ),
            (
                "anthropic",
                json!({"thinking":{"type":"adaptive","display":"summarized"}}),
                json!({"thinking":{"type":"disabled"}}),
                json!({"output_config":{"effort":"low"}}),
            ),
        ] {
            assert_eq!(with(id, Some(true), None), on, "{id} on");
            assert_eq!(with(id, Some(false), None), off, "{id} off");
            assert_eq!(with(id, None, Some("low")), low, "{id} low");
        }
    }

    #[test]
    fn a_temperature_is_left_out_where_it_is_refused_and_nowhere_else() {
        let is_sent = |id: &str, model: &str, reasoning: Option<bool>, at_home: bool| {
            let settings = RequestSettings {
                model: model.into(),
                temperature: Some(0.5),
                reasoning,
                ..settings()
            };
            let sent = body(id, settings.clone(), at_home).contains("temperature");
            assert_ne!(sent, preset(id).unwrap().leaves_out_temperature(&settings, at_home));
            sent
        };
        assert!(!is_sent("deepseek", "deepseek-flash", None, true));
        assert!(is_sent("deepseek", "deepseek-flash", None, false));
        assert!(is_sent("deepseek", "deepseek-flash", Some(false), true));
        assert!(!is_sent("openai", "gpt-6-luna", None, true));
        assert!(is_sent("openai", "gpt-4.1", None, true));
        assert!(is_sent("anthropic", "claude-haiku-4-5", None, true));
        assert!(!is_sent("anthropic", "claude-haiku-5-5", Some(true), true));
        assert!(is_sent("openai-compatible", "gpt-6-luna", Some(true), false));
    }

    #[test]
    fn a_stream_is_asked_for_with_its_counts_where_these_may_be_asked_for() {
        let all = settings();
        let system = all.system.as_deref();
        let request = Request {
            settings: &all,
            system,
            content: &Content::Text("Why?".into()),
            params: None,
            conveyed: None,
        };
        for preset in presets() {
            let sent = preset.streamed_body(&request, true);
            let sent: Value = serde_json::from_slice(&sent).unwrap();
            assert_eq!(sent["stream"], true, "{}", preset.id);
            let without = ["anthropic", "anthropic-compatible", "mistral", "zai"];
            let counts = !without.contains(&preset.id.as_str());
            assert_eq!(sent["stream_options"]["include_usage"] == true, counts, "{}", preset.id);
        }
    }
}
