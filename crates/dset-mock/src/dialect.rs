//! How services differ on the wire, as a table.
//!
//! What a service does otherwise than OpenAI stands in its line; shapes that more than one has are
//! enums, which `reply`, `stream` and `error` write out.

use std::fmt;
use std::str::FromStr;

/// The service that is pretended to be.
#[derive(Clone, Copy)]
pub struct Dialect(pub(crate) &'static Shape);

impl Dialect {
    /// Every service that can be pretended.
    pub fn all() -> impl Iterator<Item = Dialect> {
        SHAPES.iter().map(Dialect)
    }

    /// Returns what it is called on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name
    }
}

impl Default for Dialect {
    fn default() -> Dialect {
        Dialect(&SHAPES[0])
    }
}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Dialect {
    type Err = String;

    fn from_str(text: &str) -> Result<Dialect, String> {
        Dialect::all().find(|dialect| dialect.name() == text).ok_or_else(|| {
            let names: Vec<&str> = Dialect::all().map(Dialect::name).collect();
            format!("`{text}` is none of {}", names.join(", "))
        })
    }
}

/// Where the reasoning is in a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thought {
    /// `message.reasoning_content`.
    ReasoningContent,
    /// `message.reasoning`.
    Reasoning,
    /// `message.reasoning` and `message.reasoning_details[]`.
    Details,
    /// `message.reasoning` and `message.reasoning_content`, the same twice.
    Both,
    /// `message.reasoning_content` and `message.thinking_blocks[]`.
    Blocks,
    /// `<think>` tags at the start of `message.content`.
    Tags,
    /// The same without the opening tag.
    ClosingTag,
    /// `message.content` is a list of chunks, of which the first is the reasoning.
    Chunks,
    /// Nowhere; it is only counted.
    Nothing,
}

const THOUGHTS: [(&str, Thought); 9] = [
    ("reasoning_content", Thought::ReasoningContent),
    ("reasoning", Thought::Reasoning),
    ("reasoning_details", Thought::Details),
    ("both", Thought::Both),
    ("thinking_blocks", Thought::Blocks),
    ("tags", Thought::Tags),
    ("closing-tag", Thought::ClosingTag),
    ("chunks", Thought::Chunks),
    ("nothing", Thought::Nothing),
];

impl FromStr for Thought {
    type Err = String;

    fn from_str(text: &str) -> Result<Thought, String> {
        THOUGHTS.iter().find(|(name, _)| *name == text).map(|(_, thought)| *thought).ok_or_else(
            || format!("`{text}` is none of {}", THOUGHTS.map(|(name, _)| name).join(", ")),
        )
    }
}

/// What a service counts, and how it calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Usage {
    DeepSeek,
    OpenAi,
    /// OpenAI's with the price.
    OpenRouter,
    /// OpenAI's, with seconds of each phase.
    Groq,
    /// Input, output and their sum.
    Plain,
}

/// The body of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Errors {
    /// `error` with message, type, param and code; nearly everything has the same code.
    DeepSeek,
    OpenAi,
    /// OpenAI's with `innererror` where the content filter refuses.
    Azure,
    /// The code is the status, details are metadata.
    OpenRouter,
    Anthropic,
    /// A list of one error.
    Gemini,
    /// Without `error` around it.
    Mistral,
    /// OpenAI's with the status as code.
    Number,
    /// OpenAI's with the status as code, as text.
    NumberText,
    /// An object of code, message and type.
    LlamaCpp,
}

/// The headers that tell what is left of a limit per minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RateHeaders {
    OpenAi,
    Anthropic,
    Together,
}

/// Where a 429 tells the wait that it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waits {
    RetryAfter,
    /// `retry-after`, and `retry-after-ms` beside it.
    Milliseconds,
    /// `x-ratelimit-reset`.
    Reset,
    /// `retryDelay` in the body.
    Body,
}

/// Where a stream tells its usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamUsage {
    /// In a chunk without choices, where it is asked for.
    ExtraChunk,
    /// With the finish reason, always.
    LastChunk,
    /// With the finish reason, in `x_groq`.
    XGroq,
}

/// All that a service does in its own way.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) models: &'static [&'static str],
    pub(crate) thought: Thought,
    pub(crate) usage: Usage,
    pub(crate) stream_usage: StreamUsage,
    pub(crate) errors: Errors,
    pub(crate) rate_headers: RateHeaders,
    pub(crate) waits: Waits,
    /// How an answer's id begins.
    pub(crate) id: &'static str,
    pub(crate) request_id_header: Option<&'static str>,
    /// A key may also come in this header, beside `authorization`.
    pub(crate) key_header: Option<&'static str>,
    /// What a stream says while nothing is there to say.
    pub(crate) comment: &'static str,
    /// A stream says so also before its first chunk.
    pub(crate) comments_first: bool,
    /// `max_tokens` is refused, `max_completion_tokens` is the name.
    pub(crate) refuses_max_tokens: bool,
    /// What else stands at the end of an answer in one piece, each after a comma.
    pub(crate) extra: &'static str,
    /// Words for DeepSeek's finish reasons.
    pub(crate) finish: &'static [(&'static str, &'static str)],
}

const OPENAI: Shape = Shape {
    name: "openai",
    models: &["gpt-6-luna", "gpt-6-sol"],
    thought: Thought::Nothing,
    usage: Usage::OpenAi,
    stream_usage: StreamUsage::ExtraChunk,
    errors: Errors::OpenAi,
    rate_headers: RateHeaders::OpenAi,
    waits: Waits::Milliseconds,
    id: "chatcmpl-",
    request_id_header: Some("x-request-id"),
    key_header: None,
    comment: ": keep-alive\n\n",
    comments_first: false,
    refuses_max_tokens: true,
    extra: ",\"system_fingerprint\":\"fp_pretend\"",
    finish: &[],
};

/// A service that is like OpenAI's, as most are.
const LIKE_OPENAI: Shape = Shape {
    name: "",
    models: &["pretend-model"],
    thought: Thought::ReasoningContent,
    waits: Waits::RetryAfter,
    request_id_header: None,
    refuses_max_tokens: false,
    ..OPENAI
};

/// What is served at `/v1/messages`, whatever the dialect.
pub(crate) const MESSAGES: Shape = Shape {
    name: "messages",
    models: &["claude-sonnet-5-5"],
    errors: Errors::Anthropic,
    rate_headers: RateHeaders::Anthropic,
    id: "msg_",
    request_id_header: Some("request-id"),
    key_header: Some("x-api-key"),
    comment: "event: ping\ndata: {\"type\":\"ping\"}\n\n",
    finish: &[
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("content_filter", "refusal"),
        ("insufficient_system_resource", "pause_turn"),
    ],
    ..LIKE_OPENAI
};

const SHAPES: [Shape; 22] = [
    Shape {
        name: "deepseek",
        models: &["deepseek-flash", "deepseek-v4-pro"],
        usage: Usage::DeepSeek,
        stream_usage: StreamUsage::LastChunk,
        errors: Errors::DeepSeek,
        id: "pretend-",
        request_id_header: Some("x-request-id"),
        comments_first: true,
        ..LIKE_OPENAI
    },
    OPENAI,
    Shape {
        name: "azure",
        errors: Errors::Azure,
        request_id_header: Some("apim-request-id"),
        key_header: Some("api-key"),
        ..OPENAI
    },
    Shape {
        name: "openrouter",
        models: &["deepseek/deepseek-v4.1-flash"],
        thought: Thought::Details,
        usage: Usage::OpenRouter,
        errors: Errors::OpenRouter,
        id: "gen-",
        comment: ": OPENROUTER PROCESSING\n\n",
        extra: ",\"provider\":\"Pretend\"",
        comments_first: true,
        finish: &[("insufficient_system_resource", "error")],
        ..LIKE_OPENAI
    },
    // What it serves for clients of OpenAI's.
    Shape {
        name: "anthropic",
        models: &["claude-sonnet-5-5"],
        thought: Thought::Nothing,
        rate_headers: RateHeaders::Anthropic,
        request_id_header: Some("request-id"),
        key_header: Some("x-api-key"),
        ..LIKE_OPENAI
    },
    Shape {
        name: "gemini",
        models: &["gemini-3-flash"],
        thought: Thought::Nothing,
        errors: Errors::Gemini,
        waits: Waits::Body,
        ..LIKE_OPENAI
    },
    Shape {
        name: "mistral",
        models: &["magistral-medium-latest"],
        thought: Thought::Chunks,
        usage: Usage::Plain,
        stream_usage: StreamUsage::LastChunk,
        errors: Errors::Mistral,
        id: "cmpl-",
        finish: &[("insufficient_system_resource", "error")],
        ..LIKE_OPENAI
    },
    Shape {
        name: "groq",
        models: &["openai/gpt-oss-120b"],
        thought: Thought::Reasoning,
        usage: Usage::Groq,
        stream_usage: StreamUsage::XGroq,
        request_id_header: Some("x-request-id"),
        ..LIKE_OPENAI
    },
    Shape {
        name: "together",
        thought: Thought::Both,
        rate_headers: RateHeaders::Together,
        waits: Waits::Reset,
        finish: &[("stop", "eos")],
        ..LIKE_OPENAI
    },
    Shape { name: "fireworks", ..LIKE_OPENAI },
    Shape { name: "xai", models: &["grok-5"], ..LIKE_OPENAI },
    Shape { name: "moonshot", models: &["kimi-k3"], ..LIKE_OPENAI },
    Shape { name: "qwen", models: &["qwen4-max"], ..LIKE_OPENAI },
    Shape {
        name: "zai",
        models: &["glm-5"],
        stream_usage: StreamUsage::LastChunk,
        finish: &[
            ("content_filter", "sensitive"),
            ("insufficient_system_resource", "network_error"),
        ],
        ..LIKE_OPENAI
    },
    Shape { name: "cerebras", thought: Thought::Reasoning, ..LIKE_OPENAI },
    Shape { name: "nvidia", thought: Thought::Tags, ..LIKE_OPENAI },
    Shape {
        name: "vllm",
        thought: Thought::Reasoning,
        usage: Usage::Plain,
        errors: Errors::Number,
        ..LIKE_OPENAI
    },
    Shape { name: "sglang", usage: Usage::Plain, errors: Errors::Number, ..LIKE_OPENAI },
    Shape {
        name: "llamacpp",
        usage: Usage::Plain,
        errors: Errors::LlamaCpp,
        extra: ",\"timings\":{\"prompt_ms\":2.0,\"predicted_ms\":100.0}",
        ..LIKE_OPENAI
    },
    Shape {
        name: "ollama",
        thought: Thought::Reasoning,
        usage: Usage::Plain,
        extra: ",\"system_fingerprint\":\"fp_ollama\"",
        ..LIKE_OPENAI
    },
    Shape { name: "lmstudio", thought: Thought::Tags, usage: Usage::Plain, ..LIKE_OPENAI },
    Shape {
        name: "litellm",
        thought: Thought::Blocks,
        errors: Errors::NumberText,
        request_id_header: Some("x-litellm-call-id"),
        // It takes every reason that it does not know for a good one.
        finish: &[("insufficient_system_resource", "stop")],
        ..LIKE_OPENAI
    },
];

impl Shape {
    /// Returns what the service calls a finish reason of DeepSeek's.
    pub(crate) fn finish<'a>(&self, reason: &'a str) -> &'a str {
        self.finish.iter().find(|(ours, _)| *ours == reason).map_or(reason, |(_, theirs)| theirs)
    }

    /// Answers as Anthropic's own interface does.
    pub(crate) fn is_messages(&self) -> bool {
        self.name == MESSAGES.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dialect_and_place_is_found_by_its_name() {
        assert_eq!(Dialect::default().name(), "deepseek");
        for dialect in Dialect::all() {
            assert_eq!(dialect.name().parse::<Dialect>().unwrap().name(), dialect.name());
        }
        for (name, thought) in THOUGHTS {
            assert_eq!(name.parse(), Ok(thought));
        }
        assert!("".parse::<Dialect>().is_err() && "head".parse::<Thought>().is_err());
    }
}
