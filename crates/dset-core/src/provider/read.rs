//! From bytes to meaning: one tolerant reader for every service.

use std::borrow::Cow;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::content::{Content, Message};
use super::error;
use crate::answer::{Answer, Failure, FailureClass, Reading, Refusal, Usage};
use crate::reply::{Broken, HttpReply};

/// A chat completion in OpenAI's shape, or a message in Anthropic's.
#[derive(Debug, Deserialize)]
#[serde(expecting = "an answer")]
struct Completion<'a> {
    #[serde(default, borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    model: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    system_fingerprint: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "first")]
    choices: Option<Choice<'a>>,
    #[serde(default)]
    usage: Option<Counts>,
    #[serde(default, borrow)]
    error: Option<&'a RawValue>,
    #[serde(default, borrow)]
    content: Option<Content<'a>>,
    #[serde(default, borrow)]
    stop_reason: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "a choice with a message")]
struct Choice<'a> {
    #[serde(default, borrow)]
    message: Option<Message<'a>>,
    #[serde(default, borrow)]
    finish_reason: Option<Cow<'a, str>>,
    #[serde(default)]
    provider_specific_fields: Option<Native>,
}

/// Reads the first of a list and passes over the rest: one answer is asked for, and a list of many
/// would take a multiple of the reply that it came in.
fn first<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Choice<'a>>, D::Error> {
    struct First;
    impl<'de> Visitor<'de> for First {
        type Value = Option<Choice<'de>>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list of choices")
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let first = seq.next_element()?;
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(first)
        }
    }
    deserializer.deserialize_any(First)
}

/// What LiteLLM says beside a reason that it has translated.
#[derive(Debug, Deserialize)]
struct Native {
    #[serde(default)]
    native_finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Counts {
    #[serde(default)]
    prompt_tokens: Count,
    #[serde(default)]
    completion_tokens: Count,
    #[serde(default)]
    prompt_cache_hit_tokens: Count,
    #[serde(default)]
    prompt_tokens_details: Option<Details>,
    #[serde(default)]
    completion_tokens_details: Option<Details>,
    #[serde(default)]
    input_tokens: Count,
    #[serde(default)]
    output_tokens: Count,
    #[serde(default)]
    cache_read_input_tokens: Count,
    #[serde(default)]
    cache_creation_input_tokens: Count,
    #[serde(default)]
    output_tokens_details: Option<Details>,
}

#[derive(Debug, Default, Deserialize)]
struct Details {
    #[serde(default)]
    cached_tokens: Count,
    #[serde(default)]
    reasoning_tokens: Count,
}

/// No reply has so many tokens; more is no count, and would overflow sums and the store's integers.
const COUNT_MAX: u64 = 1_000_000_000_000_000;

/// A count that may be anything: only a number, or a number in a string, is one.
#[derive(Debug, Default, Clone, Copy)]
struct Count(Option<u64>);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Count, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Count;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a count")
            }
            fn visit_u64<E>(self, value: u64) -> Result<Count, E> {
                Ok(Count((value <= COUNT_MAX).then_some(value)))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Count, E> {
                Ok(Count(u64::try_from(value).ok()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Count, E> {
                Ok(Count((0.0..=COUNT_MAX as f64).contains(&value).then_some(value as u64)))
            }
            fn visit_str<E>(self, value: &str) -> Result<Count, E> {
                Ok(Count(value.trim().parse().ok().filter(|count| *count <= COUNT_MAX)))
            }
            fn visit_bool<E>(self, _: bool) -> Result<Count, E> {
                Ok(Count(None))
            }
            fn visit_unit<E>(self) -> Result<Count, E> {
                Ok(Count(None))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Count, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Count(None))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Count, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Count(None))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl From<Counts> for Usage {
    fn from(counts: Counts) -> Usage {
        let details = counts.prompt_tokens_details.unwrap_or_default();
        let cached = counts.prompt_cache_hit_tokens.0.or(details.cached_tokens.0);
        let out = counts.completion_tokens_details.or(counts.output_tokens_details);
        // Anthropic's input leaves the cached tokens out; here it includes them, as elsewhere.
        let native = counts.input_tokens.0.map(|input| {
            let read = counts.cache_read_input_tokens.0.unwrap_or(0);
            input + read + counts.cache_creation_input_tokens.0.unwrap_or(0)
        });
        Usage {
            input: counts.prompt_tokens.0.or(native),
            cached: cached.or(counts.cache_read_input_tokens.0),
            output: counts.completion_tokens.0.or(counts.output_tokens.0),
            reasoning: out.and_then(|details| details.reasoning_tokens.0),
        }
    }
}

/// Reads a whole reply. Never fails: what cannot be read is a failure worth another try.
#[must_use]
pub fn read(reply: &HttpReply) -> Reading {
    if !(200..300).contains(&reply.status) {
        return Reading::Failure(error::read(reply, None));
    }
    // The strict reading first: it is ten times as fast as the lossy one.
    let text = std::str::from_utf8(&reply.body)
        .map_or_else(|_| String::from_utf8_lossy(&reply.body), Cow::Borrowed);
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return transient(reply, "blank reply", "the reply had no content".into(), None);
    }
    match serde_json::from_str::<Completion<'_>>(text) {
        Ok(completion) => of_completion(reply, completion),
        Err(first) => {
            let mended = match text.contains("\\u") {
                true => Cow::Owned(without_lone_surrogates(text)),
                false => Cow::Borrowed(text),
            };
            if let Ok(completion) = serde_json::from_str::<Completion<'_>>(&mended) {
                return of_completion(reply, completion);
            }
            match error::parse(&mended) {
                Some(value) if error::find(&value).is_some() => {
                    Reading::Failure(error::read(reply, Some(&value)))
                }
                _ if text.starts_with('<') => {
                    let page = error::plain(text);
                    transient(reply, "unreadable reply", format!("a page of HTML: {page}"), None)
                }
                _ => transient(
                    reply,
                    "unreadable reply",
                    format!("not the JSON of an answer: {first}"),
                    None,
                ),
            }
        }
    }
}

fn of_completion(reply: &HttpReply, completion: Completion<'_>) -> Reading {
    if let Some(error) = completion.error.map(RawValue::get).filter(|error| *error != "null") {
        let error = error::parse(error).unwrap_or_else(|| error::beginning(error).into());
        let body = serde_json::json!({ "error": error });
        return Reading::Failure(error::read(reply, Some(&body)));
    }
    let mut answer = Answer {
        usage: completion.usage.map(Usage::from).unwrap_or_default(),
        model: completion.model.map(Cow::into_owned),
        request_id: error::request_id(reply).or(completion.id.map(Cow::into_owned)),
        system_fingerprint: completion.system_fingerprint.map(Cow::into_owned),
        ..Answer::default()
    };
    let mut refusal = None;
    let mut finish = completion.stop_reason.map(Cow::into_owned);
    if let Some(choice) = completion.choices {
        let native = choice.provider_specific_fields.and_then(|native| native.native_finish_reason);
        finish = native.or(choice.finish_reason.map(Cow::into_owned));
        let mut message = choice.message.unwrap_or_default();
        refusal = message.refusal.take().filter(|text| !text.is_empty()).map(Cow::into_owned);
        let texts = message.texts();
        (answer.content, answer.reasoning) = (texts.content, texts.reasoning);
    } else if let Some(content) = completion.content {
        (answer.content, answer.reasoning) = content.split();
    } else {
        return transient(reply, "unreadable reply", "the reply held no answer".into(), None);
    }
    judge(reply, answer, finish, refusal)
}

/// What a reason to stop says about the answer before it.
enum Finish {
    Whole,
    Cut,
    Filtered,
    Broken,
}

/// Reads a finish reason: an open list, in any case, since gateways shout them.
fn finish_of(reason: Option<&str>) -> (Finish, &str) {
    let Some(reason) = reason.filter(|reason| !reason.is_empty()) else {
        // Ollama may leave it out of a whole answer.
        return (Finish::Whole, "stop");
    };
    match reason.to_ascii_lowercase().as_str() {
        "stop" | "end_turn" | "stop_sequence" | "eos" | "eos_token" => (Finish::Whole, "stop"),
        "length" | "max_tokens" | "model_length" | "model_context_window_exceeded" => {
            (Finish::Cut, "length")
        }
        "content_filter" | "sensitive" | "refusal" | "safety" | "recitation"
        | "prohibited_content" => (Finish::Filtered, reason),
        "insufficient_system_resource" | "aborted" | "error" | "network_error" | "pause_turn" => {
            (Finish::Broken, reason)
        }
        // A word that nobody knew when this was written: what came with it is kept.
        _ => (Finish::Whole, reason),
    }
}

fn judge(
    reply: &HttpReply,
    mut answer: Answer,
    finish: Option<String>,
    refusal: Option<String>,
) -> Reading {
    let (finish, reason) = finish_of(finish.as_deref());
    answer.finish_reason = reason.to_owned();
    let blank = answer.content.trim().is_empty();
    let failure = |class, cause, message: String, answer| {
        Reading::Failure(Failure {
            class,
            cause,
            status: Some(reply.status),
            message: error::printable(&message),
            request_id: error::request_id(reply),
            partial: Some(Box::new(answer)),
        })
    };
    match (finish, refusal) {
        (_, Some(refusal)) if blank => failure(
            FailureClass::Refused(Refusal::Moderation),
            "refused by the model",
            refusal,
            answer,
        ),
        (Finish::Whole, _) if !blank => Reading::Answer(answer),
        (Finish::Whole, _) => {
            let message = "the model finished and wrote nothing".to_owned();
            failure(FailureClass::Transient, "empty answer", message, answer)
        }
        (Finish::Cut, _) => {
            let message = match answer.usage.output {
                Some(tokens) => format!("the answer was cut after {tokens} tokens"),
                None => "the answer was cut by the token limit".to_owned(),
            };
            failure(FailureClass::CutByLength, "length limit", message, answer)
        }
        (Finish::Filtered, _) => {
            let message = format!("the service ended the answer: {}", answer.finish_reason);
            failure(FailureClass::Refused(Refusal::Moderation), "content filter", message, answer)
        }
        (Finish::Broken, _) => {
            let message = format!("the service broke off: {}", answer.finish_reason);
            failure(FailureClass::Transient, "broken off", message, answer)
        }
    }
}

fn transient(
    reply: &HttpReply,
    cause: &'static str,
    message: String,
    partial: Option<Box<Answer>>,
) -> Reading {
    Reading::Failure(Failure {
        class: FailureClass::Transient,
        cause,
        status: Some(reply.status),
        message: error::printable(&message),
        request_id: error::request_id(reply),
        partial,
    })
}

/// Reads the way no whole reply came.
#[must_use]
pub fn read_broken(broken: &Broken) -> Failure {
    let (cause, message) = match broken {
        Broken::Connect(detail) => ("connection failed", detail.clone()),
        Broken::Reset(detail) => ("connection lost", detail.clone()),
        Broken::Cut(detail) => ("reply cut off", detail.clone()),
        Broken::TimedOut(after) => {
            ("timed out", format!("no whole reply within {} s", after.as_secs_f64()))
        }
        Broken::TooLarge => ("reply too large", "the reply is larger than any answer".to_owned()),
    };
    Failure {
        class: FailureClass::Transient,
        cause,
        status: None,
        message: error::printable(&message),
        request_id: None,
        partial: None,
    }
}

/// Replaces `\ud800` to `\udfff` that do not stand in pairs, which models cut in the middle of an
/// emoji leave behind and JSON readers refuse, by U+FFFD.
fn without_lone_surrogates(text: &str) -> String {
    let unit = |at: usize| {
        let hex = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(hex, 16).ok()
    };
    let mut mended = String::with_capacity(text.len());
    let (mut at, mut copied) = (0, 0);
    while let Some(found) = text[at..].find('\\') {
        at += found;
        match unit(at) {
            Some(0xd800..=0xdbff) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => at += 12,
            Some(0xd800..=0xdfff) => {
                mended.push_str(&text[copied..at]);
                mended.push_str("\\ufffd");
                at += 6;
                copied = at;
            }
            Some(_) => at += 6,
            // Some other escape: its second byte is no backslash that could begin another.
            None => at = text.len().min(at + 2),
        }
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    mended.push_str(&text[copied..]);
    mended
}

#[cfg(test)]
mod tests;
