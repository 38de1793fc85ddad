//! The body of one call to Anthropic's Messages API.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::provider::request::body::Message;
use crate::provider::{Preset, Request};

/// The limit where neither the user nor the preset names one, which the API requires. Every model
/// may write as much, and the official client makes no call without a stream that may take longer
/// than ten minutes, which it reckons from 21,333 tokens on.
pub(crate) const MAX_TOKENS: u64 = 16_000;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<&'a str>,
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(flatten)]
    rest: Map<String, Value>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
}

/// Writes it. How much a model thinks it decides itself (`adaptive`): a budget of tokens is refused
/// since Claude 4.7, which also leaves what it thought out of the reply unless it is asked for.
pub(crate) fn body(
    preset: &Preset,
    request: &Request<'_>,
    stream: bool,
    temperature: Option<f64>,
) -> Vec<u8> {
    let settings = request.settings;
    let thinking = settings.reasoning.map(|on| match on {
        true => json!({ "type": "adaptive", "display": "summarized" }),
        false => json!({ "type": "disabled" }),
    });
    let effort = settings.reasoning_effort.as_deref();
    let mut rest = Map::new();
    rest.extend(thinking.map(|thinking| ("thinking".to_owned(), thinking)));
    rest.extend(effort.map(|effort| ("output_config".to_owned(), json!({ "effort": effort }))));
    request.add_fields(&mut rest);
    let system = request.whole_system();
    let body = Body {
        model: &settings.model,
        max_tokens: preset.max_tokens(settings).unwrap_or(MAX_TOKENS),
        system: system.as_deref(),
        messages: Message::all(request.content),
        temperature,
        rest,
        stream,
    };
    serde_json::to_vec(&body).expect("a request is plain values")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::content::Content;
    use crate::key::RequestSettings;
    use crate::provider::preset;

    #[test]
    fn the_system_prompt_stands_on_top_and_there_is_always_a_limit() {
        let anthropic = preset("anthropic").unwrap();
        let mut settings = RequestSettings { model: "m".into(), ..RequestSettings::default() };
        let sent = |settings: &RequestSettings, stream: bool| {
            let system = settings.system.as_deref();
            let request = Request {
                settings,
                system,
                content: &Content::Text("Why?".into()),
                params: None,
                conveyed: None,
            };
            let body = match stream {
                true => anthropic.streamed_body(&request, true),
                false => anthropic.request_body(&request, true),
            };
            String::from_utf8(body).unwrap()
        };
        let plain =
            r#"{"model":"m","max_tokens":16000,"messages":[{"role":"user","content":"Why?"}]}"#;
        assert_eq!(sent(&settings, false), plain);
        settings.system = Some("Be brief.".into());
        settings.max_tokens = Some(5);
        let full = r#"{"model":"m","max_tokens":5,"system":"Be brief.","messages":[{"role":"user","content":"Why?"}],"stream":true}"#;
        assert_eq!(sent(&settings, true), full);
        assert_eq!(anthropic.headers["anthropic-version"], "2023-06-01");
    }
}
