//! A reply as it comes: bytes in any pieces; reports at once what each held, and is read at the
//! end.
//!
//! What a service sends may be the stream that was asked for, an answer or an error in plain JSON,
//! or a page of HTML; the first bytes tell. An answer is whole when the model has said why it
//! stopped (`finish_reason`, `stop_reason`) or the service that all was sent (`[DONE]`,
//! `message_stop`). Either is enough: Anthropic has no `[DONE]`, some proxies leave it out, and
//! Ollama may leave out the reason. A gateway may say `[DONE]` itself when the service behind it
//! broke off, so that where most answers have a reason
//! ([`FinishReasons`](finish_reasons::FinishReasons)) one without is cut. What comes after a reason
//! is counts alone, so that neither a missing `[DONE]` nor a connection that breaks there makes an
//! answer less whole. Without either
//! it was cut, however cleanly the connection was closed, and is never an answer. Where text comes
//! after a reason, as from gateways that send one with every piece, that reason was none, and a
//! later one is an end only with the end of the body.

pub(crate) mod event_shape_cache;
mod finish;
pub(crate) mod finish_reasons;
pub(crate) mod pieces;
pub(crate) mod repetition;
pub(crate) mod sse;
pub(crate) mod text_accumulator;

use std::sync::Arc;

use jiff::fmt::rfc2822::DateTimePrinter;

use crate::item::content::Content;
use crate::provider::failure::error;
use crate::provider::reply::{HttpReply, REPLY_BYTES_MAX};
use crate::provider::response::answer_builder::AnswerBuilder;
use crate::provider::response::read::{read_document, text_of};
use crate::provider::response::thinking::MARK_BYTES;
use crate::provider::stream::sse::Sse;

/// A reply of which some has come.
#[derive(Debug)]
pub struct StreamParser {
    /// Status and headers; the body as well, of what is no stream.
    head: HttpReply,
    form: Form,
    sse: Sse,
    draft: AnswerBuilder,
    /// An event could not be read, and what it held is missing.
    is_garbled: bool,
    /// The beginning of the first event that is not JSON, or none that can be read.
    stray: Option<String>,
    is_too_large: bool,
    /// Bytes that said nothing: blank lines, comments.
    blank_bytes: usize,
    has_payload: bool,
    is_in_tag: bool,
    loops: Option<repetition::RepetitionDetector>,
    looped: Option<repetition::Repetition>,
    /// How many tokens the answer may have.
    limit: Option<u64>,
    /// An answer without a reason to stop is cut.
    needs_reason: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Unknown,
    Whole,
    Events,
}

/// What some bytes of a reply were, the most telling thing in them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChunkKind {
    /// Nothing, blank lines or comments: the service is there, and has nothing to say yet.
    #[default]
    Blank,
    /// Anything but text of the model: the event that opens a stream, counts, a whole reply.
    Payload,
    /// Text of the reasoning.
    Reasoning,
    /// Text of the answer.
    Content,
}

/// How far a reply has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// What the bytes were that were pushed last.
    pub kind: ChunkKind,
    /// They were the first that were not [`ChunkKind::Blank`].
    pub is_first_payload: bool,
    /// Bytes of reasoning so far; 0 where the service sends none.
    pub reasoning_bytes: u64,
    /// Bytes of answer so far.
    pub content_bytes: u64,
    /// The model has said why it stopped: the answer is whole, and only counts are to come.
    pub has_end: bool,
    /// The service has said that nothing is to come any more. The rest of the body may be read so
    /// that the connection can be used again, and need not be waited for.
    pub is_done: bool,
    /// More came than is kept: whatever is still to come is thrown away.
    pub is_too_large: bool,
    /// The model repeats itself without end; only where that is watched for.
    pub looped: Option<repetition::Repetition>,
}

impl Progress {
    /// Returns about how many tokens have come: a quarter of the bytes, which suits English (four
    /// letters a token, one byte each) and Chinese (one sign of three bytes is 0.6 of a token).
    #[must_use]
    pub fn tokens_about(&self) -> u64 {
        (self.reasoning_bytes + self.content_bytes) / 4
    }
}

impl StreamParser {
    /// Begins to read a reply with this status and these headers (names in lower case).
    #[must_use]
    pub fn new(status: u16, headers: Vec<(String, String)>) -> StreamParser {
        StreamParser {
            head: HttpReply::new(status, headers, Vec::new()),
            form: if is_good(status) { Form::Unknown } else { Form::Whole },
            sse: Sse::default(),
            draft: AnswerBuilder::default(),
            is_garbled: false,
            stray: None,
            is_too_large: false,
            blank_bytes: 0,
            has_payload: false,
            is_in_tag: false,
            loops: None,
            looped: None,
            limit: None,
            needs_reason: false,
        }
    }

    /// Says what was sent: what an error repeats of it says nothing of the service.
    #[must_use]
    pub fn in_reply_to(mut self, content: &Content, system: Option<&Arc<str>>) -> StreamParser {
        self.head.sent = content.shared_texts().chain(system).cloned().collect();
        self
    }

    /// Says how many tokens the answer may have.
    #[must_use]
    pub fn with_token_limit(mut self, tokens: Option<u64>) -> StreamParser {
        self.limit = tokens;
        self
    }

    /// Says when it came, for a service that wants to be left alone until a moment and does not say
    /// what time it has.
    #[must_use]
    pub fn received_at(mut self, unix_ms: i64) -> StreamParser {
        if self.head.header("date").is_none()
            && let Ok(at) = jiff::Timestamp::from_millisecond(unix_ms)
            && let Ok(date) = DateTimePrinter::new().timestamp_to_string(&at)
        {
            self.head.headers.push(("date".to_owned(), date));
        }
        self
    }

    /// Watches for an answer that repeats itself without end.
    #[must_use]
    pub fn detecting_repetition(mut self) -> StreamParser {
        self.loops = Some(repetition::RepetitionDetector::default());
        self
    }

    /// Takes the next bytes of the body, in pieces of any size.
    pub fn push(&mut self, bytes: &[u8]) -> Progress {
        let body = self.head.body.len().saturating_add(bytes.len());
        self.is_too_large |= self.form != Form::Events && body > REPLY_BYTES_MAX;
        let kind = if self.is_too_large { ChunkKind::Blank } else { self.take(bytes) };
        // Of a stream the text counts alone: each token comes in some 300 bytes of JSON, and an
        // answer of 64 K tokens in 19 MB.
        if kind == ChunkKind::Blank {
            self.blank_bytes = self.blank_bytes.saturating_add(bytes.len());
        }
        let kept = self.draft.bytes().max(self.blank_bytes);
        self.is_too_large |= kept > REPLY_BYTES_MAX;
        let is_first_payload = kind != ChunkKind::Blank && !self.has_payload;
        self.has_payload |= is_first_payload;
        Progress {
            kind,
            is_first_payload,
            reasoning_bytes: self.draft.texts.reasoning.len() as u64,
            content_bytes: self.draft.texts.content.len() as u64,
            has_end: self.draft.has_end(),
            is_done: self.draft.is_done,
            is_too_large: self.is_too_large,
            looped: self.looped,
        }
    }

    fn take(&mut self, bytes: &[u8]) -> ChunkKind {
        let blank = bytes.iter().all(u8::is_ascii_whitespace);
        match self.form {
            Form::Events => return self.take_events(bytes),
            // Blank lines that keep a connection alive are no part of what is read.
            _ if blank && self.head.body.is_empty() => return ChunkKind::Blank,
            Form::Whole => self.head.body.extend_from_slice(bytes),
            Form::Unknown => {
                self.head.body.extend_from_slice(bytes);
                match form(&self.head, &self.head.body) {
                    Some(Form::Events) => {
                        self.form = Form::Events;
                        // Blanks before it are left out, however they came.
                        let body = std::mem::take(&mut self.head.body);
                        return self.take_events(body.trim_ascii_start());
                    }
                    Some(form) => self.form = form,
                    None => return ChunkKind::Blank,
                }
            }
        }
        if blank { ChunkKind::Blank } else { ChunkKind::Payload }
    }

    fn take_events(&mut self, bytes: &[u8]) -> ChunkKind {
        let before = (self.draft.texts.content.len(), self.draft.texts.reasoning.len());
        let StreamParser { sse, draft, is_garbled, stray, .. } = self;
        let mut has_events = false;
        let pushed = sse.push(bytes, &mut |data, is_error| {
            has_events |= !is_keep_alive(data);
            if let Err(text) = take_event(draft, data, is_error) {
                // After the end there are only counts to lose, and a word such as `ping` holds
                // nothing of an answer.
                *is_garbled |= text.starts_with(['{', '[']) && !draft.has_end();
                stray.get_or_insert_with(|| error::beginning(&text));
            }
        });
        self.is_too_large |= pushed.is_err();
        let texts = &self.draft.texts;
        self.is_garbled |= texts.is_torn();
        let kind = match (texts.content.len() > before.0, texts.reasoning.len() > before.1) {
            // A tag counts as reasoning until it is closed; the answer after it is reported at the
            // end.
            (true, _) if self.is_in_tag || before.0 < MARK_BYTES => {
                self.is_in_tag = texts.is_in_tag(before.0);
                if self.is_in_tag { ChunkKind::Reasoning } else { ChunkKind::Content }
            }
            (true, _) => ChunkKind::Content,
            (false, true) => ChunkKind::Reasoning,
            (false, false) if has_events => ChunkKind::Payload,
            (false, false) => ChunkKind::Blank,
        };
        if let (Some(loops), None) = (&mut self.loops, self.looped) {
            let texts = &self.draft.texts;
            // Less than before where the answer began again.
            let content = texts.content.get(before.0..).unwrap_or_default();
            let reasoning = texts.reasoning.get(before.1..).unwrap_or_default();
            self.looped = loops.push(reasoning).or_else(|| loops.push(content));
        }
        kind
    }

    /// Returns every text of a reply all of which has come, and the body where it is no stream: so
    /// that a key which the service echoes is taken out before anything is read, and none is cut
    /// in half where a long message is.
    pub fn texts_mut(&mut self) -> (impl Iterator<Item = &mut String>, &mut Vec<u8>) {
        self.flush();
        let strays = self.stray.iter_mut().chain(&mut self.sse.stray);
        (self.draft.texts_mut().chain(strays), &mut self.head.body)
    }

    /// Returns true if it is a stream, and not one piece that was sent in its place.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.form == Form::Events
    }

    /// Returns the body as it came, of what is no stream.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.head.body
    }

    /// Returns what came of a stream beside the texts of an answer, by names: calls of tools, a refusal,
    /// and what could not be read.
    pub fn side_texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let names = ["calls", "refusal", "no_text", "unread"];
        names.into_iter().zip(self.draft.side_texts()).filter(|(_, text)| !text.is_empty())
    }
}

/// Tells whether an event says nothing but that the connection is open: an empty one, or Anthropic's.
fn is_keep_alive(data: &[u8]) -> bool {
    let data = data.trim_ascii();
    data.is_empty()
        || [&br#"{"type":"ping""#[..], br#"{"type": "ping""#]
            .iter()
            .any(|ping| data.starts_with(ping))
}

/// Reads one event, which the service may call an error; gives back the text of one that cannot be
/// read.
fn take_event(draft: &mut AnswerBuilder, data: &[u8], is_error: bool) -> Result<(), String> {
    let text = text_of(data);
    match text.trim() {
        "" if is_error => {
            draft.fail_with("an error without a word");
            Ok(())
        }
        "" => Ok(()),
        // What comes behind the end is of something else.
        _ if draft.is_done => Ok(()),
        "[DONE]" => {
            draft.is_done = true;
            Ok(())
        }
        text => {
            let read = read_document(draft, text).map_err(|_| text.to_owned());
            if is_error {
                draft.fail_with(text);
                return Ok(());
            }
            read
        }
    }
}

/// Tells what a body is by its first bytes, and by its content type where they leave it open;
/// `None` where too few have come. The bytes are heard first because proxies name a type that
/// their error pages do not have.
fn form(head: &HttpReply, body: &[u8]) -> Option<Form> {
    const FIELDS: [&[u8]; 5] = [b":", b"data:", b"event:", b"id:", b"retry:"];
    const BOM: &[u8] = b"\xef\xbb\xbf";
    let body = body.trim_ascii_start();
    if BOM.starts_with(body) {
        return None;
    }
    let body = body.strip_prefix(BOM).unwrap_or(body).trim_ascii_start();
    let says_events =
        head.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
    match body {
        [] => None,
        [b'{' | b'[' | b'<' | b'"', ..] => Some(Form::Whole),
        _ if says_events => Some(Form::Events),
        _ if FIELDS.iter().any(|field| body.starts_with(field)) => Some(Form::Events),
        _ if FIELDS.iter().any(|field| field.starts_with(body)) => None,
        _ => Some(Form::Whole),
    }
}

/// Returns true if a whole body is a stream that was not asked for.
pub(super) fn is_events(reply: &HttpReply) -> bool {
    is_good(reply.status) && form(reply, &reply.body) == Some(Form::Events)
}

fn is_good(status: u16) -> bool {
    (200..300).contains(&status)
}

#[cfg(test)]
mod tests;
