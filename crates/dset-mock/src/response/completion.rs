//! Answers in the shapes that services send.

use serde_json::json;

use crate::dialect::{MESSAGES, Shape, Thought, Usage};
use crate::response::answer::Answer;

/// When every answer was made: the same answer is the same bytes.
pub(crate) const CREATED: u64 = 1_795_348_800;

/// Writes the answer to one call.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    pub(crate) shape: &'static Shape,
    pub(crate) thought: Thought,
    /// A number of the question.
    pub(crate) question: u64,
    pub(crate) model: &'a str,
    pub(crate) tokens_in: u64,
    /// A stream is to tell its usage.
    pub(crate) wants_usage: bool,
}

impl Writer<'_> {
    pub(crate) fn id(&self) -> String {
        format!("{}{:016x}", self.shape.id, self.question)
    }

    /// Writes an answer in one piece; `finish` is one of DeepSeek's reasons.
    pub(crate) fn whole(&self, answer: &Answer, finish: &str) -> Vec<u8> {
        if self.shape.is_messages() {
            return self.message(answer, finish);
        }
        let mut body = String::with_capacity(900 + 2 * answer.content.len());
        let (id, model) = (self.id(), quoted(self.model));
        body += &format!("{{\"id\":\"{id}\",\"object\":\"chat.completion\",\"created\":{CREATED},");
        body += &format!("\"model\":{model},\"choices\":[{{\"index\":0,\"message\":");
        body += "{\"role\":\"assistant\",\"content\":";
        self.push_message(&mut body, answer);
        body += "},\"logprobs\":null,\"finish_reason\":";
        body += &quoted(self.shape.finish(finish));
        body += &self.native_finish(finish);
        body += "}],\"usage\":";
        body += &self.usage(answer);
        body += self.shape.extra;
        body += "}";
        body.into_bytes()
    }

    fn push_message(&self, body: &mut String, answer: &Answer) {
        let content = match answer.refusal {
            Some(words) => format!("null,\"refusal\":{}", quoted(words)),
            None => quoted(&answer.content),
        };
        let Some(reasoning) = answer.reasoning.as_deref() else {
            *body += &content;
            return;
        };
        let thought = quoted(reasoning);
        *body += &match self.thought {
            Thought::ReasoningContent => format!("{content},\"reasoning_content\":{thought}"),
            Thought::Reasoning => format!("{content},\"reasoning\":{thought}"),
            Thought::Details => format!(
                "{content},\"reasoning\":{thought},\"reasoning_details\":[{}]",
                detail(&thought)
            ),
            Thought::Both => {
                format!("{content},\"reasoning\":{thought},\"reasoning_content\":{thought}")
            }
            Thought::Blocks => format!(
                "{content},\"reasoning_content\":{thought},\"thinking_blocks\":[{{\"type\":\
                 \"thinking\",\"thinking\":{thought},\"signature\":\"{SIGNATURE}\"}}]"
            ),
            Thought::Tags => quoted(&format!("{THINK}{reasoning}{THOUGHT}{}", answer.content)),
            Thought::ClosingTag => quoted(&format!("{reasoning}{THOUGHT}{}", answer.content)),
            Thought::Chunks => {
                format!("[{},{{\"type\":\"text\",\"text\":{content}}}]", chunk(&thought))
            }
            Thought::Nothing => content,
        };
    }

    /// LiteLLM tells here what it made `stop` of.
    pub(crate) fn native_finish(&self, finish: &str) -> String {
        if self.shape.finish(finish) != "stop" || finish == "stop" {
            return String::new();
        }
        let native = json!({ "native_finish_reason": finish });
        format!(",\"provider_specific_fields\":{native}")
    }

    fn message(&self, answer: &Answer, finish: &str) -> Vec<u8> {
        let mut content = Vec::new();
        if let Some(reasoning) = &answer.reasoning {
            content
                .push(json!({ "type": "thinking", "thinking": reasoning, "signature": SIGNATURE }));
        }
        content.push(json!({ "type": "text", "text": answer.content }));
        json!({
            "id": self.id(), "type": "message", "role": "assistant", "model": self.model,
            "content": content, "stop_reason": self.shape.finish(finish), "stop_sequence": null,
            "usage": {
                "input_tokens": self.tokens_in, "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0, "output_tokens": answer.tokens_out,
                "service_tier": "standard"
            }
        })
        .to_string()
        .into_bytes()
    }

    pub(crate) fn usage(&self, answer: &Answer) -> String {
        let (input, output, thought) = (self.tokens_in, answer.tokens_out, answer.tokens_reasoning);
        let sum = input + output;
        let plain = format!(
            "\"prompt_tokens\":{input},\"completion_tokens\":{output},\"total_tokens\":{sum}"
        );
        if self.shape.usage == Usage::Plain {
            return format!("{{{plain}}}");
        }
        let more = match self.shape.usage {
            Usage::DeepSeek => {
                format!(",\"prompt_cache_hit_tokens\":0,\"prompt_cache_miss_tokens\":{input}")
            }
            Usage::OpenRouter => format!(",\"cost\":{}", sum as f64 * COST_PER_TOKEN),
            Usage::Groq => ",\"queue_time\":0.01,\"prompt_time\":0.002,\"completion_time\":0.1,\
                            \"total_time\":0.102"
                .to_owned(),
            Usage::OpenAi | Usage::Plain => String::new(),
        };
        format!(
            "{{{plain},\"prompt_tokens_details\":{{\"cached_tokens\":0}},\
             \"completion_tokens_details\":{{\"reasoning_tokens\":{thought}}}{more}}}"
        )
    }
}

/// Before and after reasoning that is part of the content.
pub(crate) const THINK: &str = "<think>\n";
pub(crate) const THOUGHT: &str = "\n</think>\n\n";
pub(crate) const SIGNATURE: &str = "EqQBCgIYAhIMcHJldGVuZA==";
/// What OpenRouter asks, in dollars: it must be something.
const COST_PER_TOKEN: f64 = 0.000_001;

pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("text is JSON")
}

/// One of OpenRouter's `reasoning_details`.
pub(crate) fn detail(thought: &str) -> String {
    format!("{{\"type\":\"reasoning.text\",\"text\":{thought},\"format\":\"unknown\",\"index\":0}}")
}

/// Reasoning as Mistral's chunk of a content.
pub(crate) fn chunk(thought: &str) -> String {
    format!(
        "{{\"type\":\"thinking\",\"thinking\":[{{\"type\":\"text\",\"text\":{thought}}}],\
         \"closed\":true}}"
    )
}

pub(crate) fn models(shape: &Shape) -> Vec<u8> {
    let model = |id: &&str| json!({ "id": id, "object": "model", "owned_by": shape.name });
    let models: Vec<_> = shape.models.iter().map(model).collect();
    json!({ "object": "list", "data": models }).to_string().into_bytes()
}

/// The same in Anthropic's shape.
pub(crate) fn message_models() -> Vec<u8> {
    let model = |id: &&str| {
        json!({
            "type": "model", "id": id, "display_name": id, "created_at": "2026-01-01T00:00:00Z"
        })
    };
    let models: Vec<_> = MESSAGES.models.iter().map(model).collect();
    let (first, last) = (MESSAGES.models.first(), MESSAGES.models.last());
    json!({ "data": models, "has_more": false, "first_id": first, "last_id": last })
        .to_string()
        .into_bytes()
}

pub(crate) fn balance(left: Option<u64>) -> Vec<u8> {
    let total = left.map_or("110.00".to_owned(), |left| format!("{left}.00"));
    let info = json!({
        "currency": "USD", "total_balance": total, "granted_balance": "0.00",
        "topped_up_balance": total
    });
    json!({ "is_available": left != Some(0), "balance_infos": [info] }).to_string().into_bytes()
}

/// OpenRouter's reply about a key; without a limit where the money is unlimited.
pub(crate) fn key(left: Option<u64>) -> Vec<u8> {
    json!({ "data": { "label": "pretend", "usage": 0, "limit": left, "limit_remaining": left } })
        .to_string()
        .into_bytes()
}
