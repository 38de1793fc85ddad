//! What a client asks for, and what a service refuses to be asked.

use serde::Deserialize;
use serde_json::Value;

use crate::dialect::{Errors, Shape, Thought};
use crate::response::answer::BYTES_PER_TOKEN;
use crate::response::error::ApiError;
use crate::structured::{Asked, refused};

/// Tokens that a chat template adds.
const TEMPLATE_TOKENS: u64 = 4;
/// The most that DeepSeek makes in one answer, and this service of any.
const OUTPUT_TOKENS_MAX: u64 = 393_216;
/// The output limit where the request has none: what DeepSeek generates while it reasons.
const OUTPUT_TOKENS: u64 = 65_536;
/// Versions of Anthropic's interface; since the second, sampling parameters are refused.
const VERSIONS: [&str; 2] = ["2023-06-01", "2026-10-21"];

/// A request for an answer, in either interface.
#[derive(Debug, Deserialize)]
pub(crate) struct ChatRequest {
    #[serde(default)]
    pub(crate) model: String,
    messages: Vec<Message>,
    #[serde(default)]
    system: Content,
    #[serde(default)]
    pub(crate) stream: bool,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    temperature: Option<Value>,
    top_p: Option<Value>,
    top_k: Option<Value>,
    response_format: Option<Value>,
    output_config: Option<Value>,
    structured_outputs: Option<Value>,
    // The ways to say whether to think, and where to put it.
    thinking: Option<Kind>,
    reasoning_effort: Option<String>,
    reasoning: Option<Switches>,
    enable_thinking: Option<bool>,
    chat_template_kwargs: Option<Switches>,
    reasoning_format: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Message {
    #[serde(default)]
    role: String,
    #[serde(default)]
    content: Content,
}

/// Text, or a list of parts of which some are text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
    Nothing(()),
}

#[derive(Debug, Deserialize)]
struct Part {
    #[serde(default)]
    text: String,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

#[derive(Debug, Deserialize)]
struct Kind {
    #[serde(rename = "type", default)]
    kind: String,
}

#[derive(Debug, Deserialize)]
struct Switches {
    enabled: Option<bool>,
    exclude: Option<bool>,
    effort: Option<String>,
    enable_thinking: Option<bool>,
    thinking: Option<bool>,
}

impl Default for Content {
    fn default() -> Content {
        Content::Nothing(())
    }
}

impl Content {
    fn len(&self) -> usize {
        match self {
            Content::Text(text) => text.len(),
            Content::Parts(parts) => parts.iter().map(|part| part.text.len()).sum(),
            Content::Nothing(()) => 0,
        }
    }

    fn text(&self) -> String {
        match self {
            Content::Text(text) => text.clone(),
            Content::Parts(parts) => {
                let texts: Vec<&str> = parts.iter().map(|part| part.text.as_str()).collect();
                texts.join("\n").trim().to_owned()
            }
            Content::Nothing(()) => String::new(),
        }
    }
}

impl ChatRequest {
    /// Reads a request, or says why it is refused.
    pub(crate) fn read(body: &[u8], shape: &Shape) -> Result<ChatRequest, ApiError> {
        let call: ChatRequest = serde_json::from_slice(body).map_err(|error| {
            ApiError::request(format!(
                "Failed to deserialize the JSON body into the target type: {error}"
            ))
        })?;
        if shape.is_messages() && call.max_tokens.is_none() {
            return Err(ApiError::request("max_tokens: Field required"));
        }
        if shape.refuses_max_tokens && call.max_tokens.is_some() {
            let message = "Unsupported parameter: 'max_tokens' is not supported with this model. \
                           Use 'max_completion_tokens' instead.";
            return Err(ApiError {
                code: Some("unsupported_parameter"),
                param: Some("max_tokens"),
                ..ApiError::request(message)
            });
        }
        if shape.errors == Errors::DeepSeek {
            call.check_deepseek()?;
        }
        let refused = refused(&call.asked(), shape, &call.model, call.stream, call.says_json());
        refused.map_or(Ok(call), Err)
    }

    fn check_deepseek(&self) -> Result<(), ApiError> {
        if self.max_tokens.is_some_and(|most| !(1..=OUTPUT_TOKENS_MAX).contains(&most)) {
            return Err(ApiError::request(format!(
                "Invalid max_tokens value, the valid range of max_tokens is \
                 [1, {OUTPUT_TOKENS_MAX}]"
            )));
        }
        if self.stream_options.is_some() && !self.stream {
            return Err(ApiError::request("stream_options should be set along with stream = true"));
        }
        Ok(())
    }

    fn asked(&self) -> Asked<'_> {
        Asked {
            response_format: self.response_format.as_ref(),
            output_config: self.output_config.as_ref(),
            structured_outputs: self.structured_outputs.as_ref(),
        }
    }

    /// Returns the schema that the answer has to fit, if the request or its prompt has one.
    pub(crate) fn schema(&self) -> Option<Value> {
        let system = [self.system.text()].into_iter();
        let texts = self.messages.iter().filter(|message| message.role == "system");
        let texts: Vec<String> =
            system.chain(texts.map(|message| message.content.text())).collect();
        self.asked().schema(texts.iter().map(String::as_str))
    }

    fn says_json(&self) -> bool {
        let says = |message: &Message| message.content.text().to_lowercase().contains("json");
        self.messages.iter().any(says)
    }

    /// Checks what a version of Anthropic's interface no longer takes.
    pub(crate) fn check_version(&self, version: Option<&str>) -> Result<(), ApiError> {
        let Some(version) = version else {
            return Err(ApiError::request("anthropic-version: header is required"));
        };
        if !VERSIONS.contains(&version) {
            return Err(ApiError::request(format!(
                "anthropic-version: \"{version}\" is not a valid version"
            )));
        }
        let sampling =
            [("temperature", &self.temperature), ("top_p", &self.top_p), ("top_k", &self.top_k)];
        match sampling.iter().find(|(_, given)| given.is_some()) {
            Some((name, _)) if version == VERSIONS[1] => {
                Err(ApiError::request(format!("{name}: Extra inputs are not permitted")))
            }
            _ => Ok(()),
        }
    }

    /// Returns the question: what the user said last, before what is wrong with an answer to it.
    pub(crate) fn question(&self) -> Option<String> {
        let skipped = if self.correction().is_some() { 2 } else { 0 };
        let before = &self.messages[..self.messages.len() - skipped];
        let last = before.iter().rfind(|message| message.role == "user");
        last.map(|message| message.content.text())
    }

    /// Returns an answer that the request shows, and what it says is wrong with it.
    pub(crate) fn correction(&self) -> Option<(String, String)> {
        let [.., answer, wrong] = &*self.messages else { return None };
        let says = wrong.content.text();
        let is_it = answer.role == "assistant"
            && wrong.role == "user"
            && says.starts_with("This answer was not accepted");
        is_it.then(|| (answer.content.text(), says))
    }

    pub(crate) fn tokens_in(&self) -> u64 {
        let sent: usize = self.messages.iter().map(|message| message.content.len()).sum();
        (sent + self.system.len()).div_ceil(BYTES_PER_TOKEN) as u64 + TEMPLATE_TOKENS
    }

    pub(crate) fn tokens_max(&self) -> u64 {
        let most = self.max_tokens.or(self.max_completion_tokens).unwrap_or(OUTPUT_TOKENS);
        most.min(OUTPUT_TOKENS_MAX)
    }

    pub(crate) fn wants_usage(&self) -> bool {
        self.stream_options.as_ref().is_some_and(|options| options.include_usage)
    }

    /// Returns true if the model thinks: Anthropic's where it is asked to, others' where the
    /// request does not switch it off, in any of the ways there are.
    pub(crate) fn thinks(&self, shape: &Shape) -> bool {
        let kind = self.thinking.as_ref().map(|thinking| thinking.kind.as_str());
        if shape.is_messages() {
            return matches!(kind, Some("enabled" | "adaptive"));
        }
        let off = |switches: &Option<Switches>| {
            switches.as_ref().is_some_and(|switches| {
                let told = [switches.enabled, switches.enable_thinking, switches.thinking];
                told.contains(&Some(false)) || switches.effort.as_deref() == Some("none")
            })
        };
        kind != Some("disabled")
            && self.reasoning_effort.as_deref() != Some("none")
            && self.enable_thinking != Some(false)
            && !off(&self.reasoning)
            && !off(&self.chat_template_kwargs)
    }

    /// Returns where the reasoning is to be, if not where the service puts it by itself.
    pub(crate) fn thought(&self) -> Option<Thought> {
        if self.reasoning.as_ref().is_some_and(|reasoning| reasoning.exclude == Some(true)) {
            return Some(Thought::Nothing);
        }
        match self.reasoning_format.as_deref() {
            Some("raw") => Some(Thought::Tags),
            Some("hidden") => Some(Thought::Nothing),
            Some("parsed") => Some(Thought::Reasoning),
            _ => None,
        }
    }
}
