//! Answers piece by piece, in the shapes that services send.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::dialect::{Errors, StreamUsage, Thought};
use crate::response::answer::Answer;
use crate::response::completion::{
    CREATED, SIGNATURE, THINK, THOUGHT, Writer, chunk, detail, quoted,
};
use crate::response::error::ApiError;

/// Characters of a piece, at least: about eight tokens.
const PIECE_BYTES: usize = 24;
/// Pieces of a text, at most: a long answer is sent in larger ones.
const PIECES_MAX: usize = 200;

/// A stream, in the parts that may be missing.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// Before there is any output.
    pub(crate) head: Vec<Bytes>,
    /// Output, with its tokens.
    pub(crate) pieces: Vec<(Bytes, u64)>,
    /// Why it ended and what it cost.
    pub(crate) finish: Vec<Bytes>,
    /// What tells that nothing is missing.
    pub(crate) mark: Bytes,
}

impl Writer<'_> {
    /// Writes an answer as a stream; `finish` is one of DeepSeek's reasons.
    pub(crate) fn stream(&self, answer: &Answer, finish: &str) -> Events {
        let mut events = if self.shape.is_messages() {
            self.message_events(answer, finish)
        } else {
            self.chunks(answer, finish)
        };
        // Boundaries between blocks have no tokens, but the difference cannot be seen.
        let count = events.pieces.len() as u64;
        for (index, (_, tokens)) in events.pieces.iter_mut().enumerate() {
            let until = |index: u64| answer.tokens_out * index / count;
            *tokens = until(index as u64 + 1) - until(index as u64);
        }
        events
    }

    /// Writes an error that comes when the stream has begun.
    pub(crate) fn stream_error(&self) -> Bytes {
        let error = ApiError::status(if self.shape.is_messages() { 529 } else { 500 }, self.shape);
        match self.shape.errors {
            Errors::Anthropic => {
                let body = json!({
                    "type": "error", "error": { "type": error.kind, "message": error.message }
                });
                event("error", &body)
            }
            Errors::OpenRouter => {
                let error = json!({
                    "code": "server_error", "message": "Provider disconnected unexpectedly"
                });
                let rest = format!(",\"provider\":\"Pretend\",\"error\":{error}");
                let mut bytes =
                    self.chunk("{\"content\":\"\"}", Some("error"), None, &rest).to_vec();
                bytes.extend_from_slice(DONE);
                bytes.into()
            }
            _ => {
                let body = error.body(self.shape, &self.id());
                [b"data: ", body.as_slice(), b"\n\n"].concat().into()
            }
        }
    }

    fn chunks(&self, answer: &Answer, finish: &str) -> Events {
        let delta = |delta: &str| self.chunk(delta, None, None, "");
        let mut events = Events { mark: Bytes::from_static(DONE), ..Events::default() };
        let is_deepseek = self.shape.errors == Errors::DeepSeek;
        let thinks = answer.reasoning.is_some();
        if self.shape.comments_first {
            events.head.push(Bytes::from_static(self.shape.comment.as_bytes()));
        }
        events.head.push(delta(if is_deepseek && thinks {
            "{\"role\":\"assistant\",\"content\":null,\"reasoning_content\":\"\"}"
        } else {
            "{\"role\":\"assistant\",\"content\":\"\"}"
        }));
        let mut push = |text: &str| events.pieces.push((delta(text), 0));
        let content = |text: &str| {
            let null = if is_deepseek && thinks { ",\"reasoning_content\":null" } else { "" };
            format!("{{\"content\":{}{null}}}", quoted(text))
        };
        if let Some(reasoning) = answer.reasoning.as_deref() {
            if self.thought == Thought::Tags {
                push(&content(THINK));
            }
            for piece in pieces(reasoning) {
                match self.thought {
                    Thought::Nothing => {}
                    Thought::Tags | Thought::ClosingTag => push(&content(piece)),
                    _ => push(&self.thought_delta(piece, is_deepseek)),
                }
            }
            if matches!(self.thought, Thought::Tags | Thought::ClosingTag) {
                push(&content(THOUGHT));
            }
        }
        if let Some(words) = answer.refusal {
            push(&format!("{{\"refusal\":{}}}", quoted(words)));
        }
        for piece in pieces(&answer.content) {
            push(&content(piece));
        }
        self.push_finish(&mut events, answer, finish, is_deepseek);
        events
    }

    fn push_finish(&self, events: &mut Events, answer: &Answer, finish: &str, is_deepseek: bool) {
        let usage = self.usage(answer);
        let (with, rest) = match self.shape.stream_usage {
            StreamUsage::LastChunk => (Some(usage.as_str()), String::new()),
            StreamUsage::XGroq => {
                let rest = format!(",\"x_groq\":{{\"id\":\"{}\",\"usage\":{usage}}}", self.id());
                (None, rest)
            }
            StreamUsage::ExtraChunk => (None, String::new()),
        };
        let delta =
            if is_deepseek { "{\"content\":\"\",\"reasoning_content\":null}" } else { "{}" };
        events.finish.push(self.chunk(delta, Some(finish), with, &rest));
        if self.wants_usage && self.shape.stream_usage != StreamUsage::LastChunk {
            let head = self.chunk_head();
            events.finish.push(format!("{head}\"choices\":[],\"usage\":{usage}}}\n\n").into());
        }
    }

    fn thought_delta(&self, piece: &str, is_deepseek: bool) -> String {
        let text = quoted(piece);
        match self.thought {
            Thought::ReasoningContent if is_deepseek => {
                format!("{{\"content\":null,\"reasoning_content\":{text}}}")
            }
            Thought::Reasoning => format!("{{\"reasoning\":{text}}}"),
            Thought::Details => format!(
                "{{\"content\":\"\",\"reasoning\":{text},\"reasoning_details\":[{}]}}",
                detail(&text)
            ),
            Thought::Both => format!("{{\"reasoning\":{text},\"reasoning_content\":{text}}}"),
            Thought::Blocks => format!(
                "{{\"reasoning_content\":{text},\"thinking_blocks\":[{{\"type\":\"thinking\",\
                 \"thinking\":{text}}}]}}"
            ),
            Thought::Chunks => format!("{{\"content\":[{}]}}", chunk(&text)),
            _ => format!("{{\"reasoning_content\":{text}}}"),
        }
    }

    fn chunk_head(&self) -> String {
        let (id, model) = (self.id(), quoted(self.model));
        format!(
            "data: {{\"id\":\"{id}\",\"object\":\"chat.completion.chunk\",\"created\":{CREATED},\
             \"model\":{model},\"system_fingerprint\":\"fp_pretend\","
        )
    }

    fn chunk(&self, delta: &str, finish: Option<&str>, usage: Option<&str>, rest: &str) -> Bytes {
        let native = finish.map_or_else(String::new, |finish| self.native_finish(finish));
        let finish = finish.map_or_else(|| "null".to_owned(), |f| quoted(self.shape.finish(f)));
        let usage = match usage {
            Some(usage) => format!(",\"usage\":{usage}"),
            None if self.wants_usage => ",\"usage\":null".to_owned(),
            None => String::new(),
        };
        let head = self.chunk_head();
        format!(
            "{head}\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\
             \"finish_reason\":{finish}{native}}}]{usage}{rest}}}\n\n"
        )
        .into()
    }

    fn message_events(&self, answer: &Answer, finish: &str) -> Events {
        let usage = json!({
            "input_tokens": self.tokens_in, "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0, "output_tokens": 1
        });
        let start = json!({ "type": "message_start", "message": {
            "id": self.id(), "type": "message", "role": "assistant", "model": self.model,
            "content": [], "stop_reason": null, "stop_sequence": null, "usage": usage
        } });
        let ping = Bytes::from_static(self.shape.comment.as_bytes());
        let mut events =
            Events { head: vec![event("message_start", &start), ping], ..Events::default() };
        let mut push = |name: &str, body: Value| events.pieces.push((event(name, &body), 0));
        let (begin, delta, end) =
            ("content_block_start", "content_block_delta", "content_block_stop");
        let mut index = 0;
        if let Some(reasoning) = &answer.reasoning {
            let block = json!({ "type": "thinking", "thinking": "", "signature": "" });
            push(begin, json!({ "type": begin, "index": index, "content_block": block }));
            for piece in pieces(reasoning) {
                let piece = json!({ "type": "thinking_delta", "thinking": piece });
                push(delta, json!({ "type": delta, "index": index, "delta": piece }));
            }
            let signature = json!({ "type": "signature_delta", "signature": SIGNATURE });
            push(delta, json!({ "type": delta, "index": index, "delta": signature }));
            push(end, json!({ "type": end, "index": index }));
            index += 1;
        }
        let block = json!({ "type": "text", "text": "" });
        push(begin, json!({ "type": begin, "index": index, "content_block": block }));
        for piece in pieces(&answer.content) {
            let piece = json!({ "type": "text_delta", "text": piece });
            push(delta, json!({ "type": delta, "index": index, "delta": piece }));
        }
        let reason = json!({ "stop_reason": self.shape.finish(finish), "stop_sequence": null });
        let last = json!({
            "type": "message_delta", "delta": reason,
            "usage": { "output_tokens": answer.tokens_out }
        });
        events.finish.push(event(end, &json!({ "type": end, "index": index })));
        events.finish.push(event("message_delta", &last));
        events.mark = event("message_stop", &json!({ "type": "message_stop" }));
        events
    }
}

const DONE: &[u8] = b"data: [DONE]\n\n";

fn event(name: &str, body: &Value) -> Bytes {
    format!("event: {name}\ndata: {body}\n\n").into()
}

fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let size = PIECE_BYTES.max(text.len() / PIECES_MAX);
    let mut left = text;
    std::iter::from_fn(move || {
        if left.is_empty() {
            return None;
        }
        let end = (size..left.len()).find(|at| left.is_char_boundary(*at)).unwrap_or(left.len());
        let (piece, rest) = left.split_at(end);
        left = rest;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_text_and_no_character_is_split() {
        for text in ["", "short", &"ä€😀".repeat(500)] {
            let parts: Vec<&str> = pieces(text).collect();
            assert_eq!(parts.concat(), text);
            assert!(parts.len() <= PIECES_MAX + 1);
        }
    }
}
