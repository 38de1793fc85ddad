//! A good status around what is no answer: an error by another name, or the reply of another API.
//!
//! Gateways say errors in a 200 under any name, and an address that is not that of a chat API
//! answers well, and with something else. Both are reported with the beginning of what came; the
//! second will not mend itself, and is a matter of the settings where nothing else comes.

use serde_json::{Value, json};

use super::error;
use crate::answer::{Answer, Cause, FailureClass, ParsedReply};
use crate::provider::reply::HttpReply;
use crate::provider::response::finish_reason::failed;

/// How many characters of a reply are quoted in an error.
const QUOTED_CHARS_MAX: usize = 300;

/// Names under which an error says what it is, and its number.
const MESSAGES: [&str; 12] = [
    "message",
    "msg",
    "error_msg",
    "error_message",
    "errormessage",
    "errmsg",
    "err_msg",
    "status_msg",
    "error_description",
    "faultstring",
    "detail",
    "title",
];
const CODES: [&str; 6] = ["code", "error_code", "errorcode", "errcode", "err_code", "status_code"];

/// Where services put an error one level down.
const INSIDE: [&str; 5] = ["base_resp", "header", "ResponseMetadata", "fault", "exception"];

/// Words of an error in a message that stands alone.
const WRONG: [&str; 14] = [
    "error",
    "fail",
    "busy",
    "limit",
    "unavailable",
    "overload",
    "timeout",
    "timed out",
    "denied",
    "invalid",
    "forbidden",
    "unauthorized",
    "exceed",
    "try again",
];

/// Returns the error in a document that does not call it so, in the shape that others have.
pub(crate) fn error_in(document: &Value) -> Option<Value> {
    let map = document.as_object()?;
    // An answer of some API, whatever stands beside it.
    if api_of(document).is_some() {
        return None;
    }
    for name in INSIDE {
        if let Some(inside) = map.get(name).filter(|inside| inside.is_object())
            && let Some(error) = inside.get("Error").and_then(shaped).or_else(|| failure_of(inside))
        {
            return Some(error);
        }
    }
    failure_of(document)
}

/// Reads an object as an error where it says that it is one.
fn failure_of(object: &Value) -> Option<Value> {
    let map = object.as_object()?;
    let is_error_name = |name: &str| {
        let name = name.to_ascii_lowercase();
        name.starts_with("err") || name.starts_with("exception") || name.starts_with("fault")
    };
    let named = map.iter().find(|(name, value)| is_error_name(name) && !error::is_none(value));
    let code = field(object, &CODES);
    let failed = ["error", "fail", "failed", "failure"];
    let status = map.get("status").and_then(Value::as_str).unwrap_or_default();
    let kind = map.get("type").and_then(Value::as_str).unwrap_or_default();
    let says_so = code.is_some_and(|code| !error::is_none(code) && is_failure(code))
        || map.get("success") == Some(&Value::Bool(false))
        || failed.iter().any(|word| status.eq_ignore_ascii_case(word))
        || kind.ends_with("error");
    let says = field(object, &MESSAGES).is_some();
    match named {
        // A sentence in the place of a name: `error parsing tool call`.
        Some((name, value)) if !says => match value {
            Value::String(text) if !MESSAGES.contains(&&*name.to_ascii_lowercase()) => {
                Some(json!({ "error": { "message": format!("{name}: {text}"), "code": code } }))
            }
            Value::Object(_) | Value::Array(_) => shaped(value.get(0).unwrap_or(value)),
            _ => shaped(object),
        },
        Some(_) => shaped(object),
        None if says_so && says => shaped(object),
        None => None,
    }
}

/// Returns true if a code is that of a failure: not 200, not `OK`.
fn is_failure(code: &Value) -> bool {
    code.as_str().is_none_or(error::is_code)
}

/// Brings an error into the shape that most services give it.
fn shaped(error: &Value) -> Option<Value> {
    let message = match field(error, &MESSAGES) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => error.as_str().map_or_else(|| error.to_string(), str::to_owned),
    };
    let field = |names: &[&str]| field(error, names).cloned().unwrap_or_default();
    Some(json!({
        "error": { "message": message, "code": field(&CODES), "type": field(&["type"]) },
    }))
}

fn field<'a>(object: &'a Value, names: &[&str]) -> Option<&'a Value> {
    let map = object.as_object()?;
    let named = |name: &&str| map.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
    names.iter().find_map(named).map(|(_, value)| value).filter(|value| !value.is_null())
}

/// Names the API that a document is of, where it is none that is spoken here.
fn api_of(document: &Value) -> Option<&'static str> {
    let map = match document {
        Value::Array(items) => return items.first().and_then(api_of),
        Value::Object(map) => map,
        _ => return None,
    };
    let text = |name: &str| map.get(name).and_then(Value::as_str).unwrap_or_default();
    let has = |name: &str| map.get(name).is_some_and(|value| !value.is_null());
    Some(match () {
        () if text("object") == "response"
            || text("type").starts_with("response.")
            || has("output_text") =>
        {
            "OpenAI's Responses API"
        }
        () if has("candidates") || has("promptFeedback") => "Gemini's own API",
        () if has("done") && (has("message") || has("response")) => "Ollama's own API",
        () if map.get("choices").and_then(Value::as_array).is_some_and(|c| !c.is_empty()) => {
            "a stream in lines of JSON"
        }
        () if has("generated_text") => "an API for completions",
        () if text("object") == "list" => "a list, and not a chat",
        () if ["output", "outputs", "predictions", "generations", "result", "results"]
            .iter()
            .any(|name| map.get(*name).is_some_and(|v| v.is_object() || v.is_array()))
            || map.get("message").is_some_and(Value::is_object) =>
        {
            "another API"
        }
        () => return None,
    })
}

/// Judges a document that holds no answer; `text` is all that came.
pub(crate) fn judge(reply: &HttpReply, text: &str, partial: Option<Box<Answer>>) -> ParsedReply {
    let first = serde_json::Deserializer::from_str(start(text)).into_iter::<Value>().next();
    let document = first.and_then(Result::ok);
    let quoted: String = text.trim().chars().take(QUOTED_CHARS_MAX).collect();
    if let Some(document) = &document {
        let known = error::find(document).filter(|_| document.get("error").is_some());
        let found = known.map(|_| document.clone()).or_else(|| error_in(document));
        let found = found.or_else(|| alone(document));
        if let Some(body) = found {
            let mut failure = error::read(reply, Some(&body));
            failure.partial = partial;
            return ParsedReply::Failure(failure);
        }
        if let Some(api) = api_of(document) {
            let message = format!("what came is of {api}: {quoted}");
            return failed(reply, FailureClass::OtherApi, Cause::OtherApi, message, partial);
        }
    }
    let is_something = document.is_some_and(|document| match document {
        // A chat API's own, with nothing in it.
        Value::Object(map) => !map.is_empty() && !map.contains_key("choices"),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    });
    let class = if is_something { FailureClass::OtherApi } else { FailureClass::Transient };
    failed(reply, class, Cause::Unreadable, format!("there is no answer in it: {quoted}"), partial)
}

/// A message with nothing beside it, if its words are those of an error.
fn alone(document: &Value) -> Option<Value> {
    let message = field(document, &MESSAGES)?.as_str()?.to_lowercase();
    WRONG.iter().any(|word| message.contains(word)).then(|| shaped(document)).flatten()
}

/// As much of a text as errors are long: JSON takes many times its size once it is parsed.
fn start(text: &str) -> &str {
    let most = text.len().min(error::ERROR_BYTES_MAX);
    let end = (0..=most).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{Failure, Refusal};
    use crate::provider::response::read::parse_reply;

    fn whole(body: &str) -> Failure {
        match parse_reply(&HttpReply::new(200, Vec::new(), body.into())) {
            ParsedReply::Failure(failure) => failure,
            ParsedReply::Answer(answer) => panic!("{body}: {answer:?}"),
        }
    }

    fn streamed(events: &str) -> Failure {
        let headers = vec![("content-type".to_owned(), "text/event-stream".to_owned())];
        match parse_reply(&HttpReply::new(200, headers, events.into())) {
            ParsedReply::Failure(failure) => failure,
            ParsedReply::Answer(answer) => panic!("{events}: {answer:?}"),
        }
    }

    #[test]
    fn a_reply_of_another_api_is_told_with_its_beginning_and_no_outage() {
        for body in [
            r#"{"id":"resp_1","object":"response","status":"completed","error":null,"output":[{"type":"message","content":[{"type":"output_text","text":"4"}]}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"4"}],"role":"model"},"finishReason":"STOP"}]}"#,
            r#"[{"candidates":[{"content":{"parts":[{"text":"4"}]}}]}]"#,
            r#"{"model":"m","message":{"role":"assistant","content":"4"},"done":true}"#,
            r#"{"model":"m","response":"4","done":true}"#,
            "{\"message\":{\"content\":\"4\"},\"done\":false}\n{\"message\":{\"content\":\"\"},\"done\":true}\n",
            r#"{"id":"c","message":{"role":"assistant","content":[{"type":"text","text":"4"}]},"finish_reason":"COMPLETE"}"#,
            r#"{"output":{"message":{"content":[{"text":"4"}]}},"stopReason":"end_turn"}"#,
            r#"[{"generated_text":"4"}]"#,
            r#"{"object":"list","data":[{"id":"m"}]}"#,
            r#"{"result":{"response":"4"},"success":true,"errors":[],"messages":[]}"#,
            r#"{"status":"ok","version":"1"}"#,
            r#"{"message":"Welcome to this API"}"#,
        ] {
            let failure = whole(body);
            assert_eq!(failure.class, FailureClass::OtherApi, "{body}: {failure:?}");
            assert!(failure.message.contains(&body[..20]), "{body}: {}", failure.message);
        }
        for events in [
            "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{}}\n\nevent: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"4\"}\n\n",
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"4\"}]}}]}\n\n",
            "data: {\"candidates\":[]}\n\ndata: [DONE]\n\n",
        ] {
            let failure = streamed(events);
            assert_eq!(failure.class, FailureClass::OtherApi, "{events}: {failure:?}");
            let first = events.split("data: ").nth(1).unwrap();
            assert!(failure.message.contains(&first[..15]), "{events}: {}", failure.message);
        }
    }

    #[test]
    fn an_error_by_another_name_is_one_whole_and_in_a_stream() {
        use FailureClass::{OutOfMoney, Transient};
        let throttled = FailureClass::Throttled { wait: None, width: None };
        for (body, class, says) in [
            (
                r#"{"error_code":17,"error_msg":"daily request limit reached"}"#,
                FailureClass::Throttled {
                    wait: Some(std::time::Duration::from_secs(86_400)),
                    width: None,
                },
                "daily request limit reached",
            ),
            (
                r#"{"error parsing tool call":"invalid character"}"#,
                Transient,
                "error parsing tool call: invalid character",
            ),
            (r#"{"errors":[{"message":"boom"}]}"#, Transient, "boom"),
            (r#"{"errors":["boom"]}"#, Transient, "boom"),
            (r#"{"errorMessage":"boom","errorType":"Runtime"}"#, Transient, "boom"),
            (r#"{"errcode":40001,"errmsg":"boom"}"#, Transient, "boom"),
            (r#"{"Error":{"Message":"boom"}}"#, Transient, "boom"),
            (r#"{"base_resp":{"status_code":1000,"status_msg":"boom"}}"#, Transient, "boom"),
            (r#"{"header":{"code":10013,"message":"boom"}}"#, Transient, "boom"),
            (r#"{"ResponseMetadata":{"Error":{"Code":"X","Message":"boom"}}}"#, Transient, "boom"),
            (r#"{"code":1001,"msg":"boom"}"#, Transient, "boom"),
            (r#"{"code":429,"msg":"slow down"}"#, throttled, "slow down"),
            (r#"{"code":402,"msg":"top up"}"#, OutOfMoney, "top up"),
            (r#"{"success":false,"message":"boom"}"#, Transient, "boom"),
            (r#"{"status":"error","message":"boom"}"#, Transient, "boom"),
            (r#"{"message":"the upstream failed"}"#, Transient, "the upstream failed"),
        ] {
            let failure = whole(body);
            assert_eq!(failure.class, class, "{body}: {failure:?}");
            assert!(failure.message.contains(says), "{body}: {}", failure.message);
            let half = r#"data: {"choices":[{"delta":{"content":"Half"}}]}"#;
            let failure = streamed(&format!("{half}\n\nevent: error\ndata: {body}\n\n"));
            assert_eq!(failure.class, class, "{body}: {failure:?}");
            assert_eq!(failure.partial.unwrap().content, "Half", "{body}");
        }
        let half = r#"data: {"choices":[{"delta":{"content":"Half"}}]}"#;
        let too_long =
            r#"{"message":"the prompt is too long for this model","type":"invalid_request_error"}"#;
        for event in ["event: error\n", "event:error\n", ""] {
            let failure = streamed(&format!("{half}\n\n{event}data: {too_long}\n\n"));
            let class = FailureClass::Refused(Refusal::Question);
            assert_eq!(failure.class, class, "{event}: {failure:?}");
        }
        let plain =
            streamed(&format!("{half}\n\nevent: error\ndata: the engine died\n\ndata: [DONE]\n\n"));
        assert_eq!((plain.class, &*plain.message), (Transient, "the engine died"));
        assert_eq!(plain.partial.unwrap().content, "Half");
    }

    #[test]
    fn what_stands_beside_an_answer_in_a_stream_is_no_error() {
        for beside in [
            r#"{"type":"status","message":"queued"}"#,
            r#"{"status":"processing","code":0}"#,
            r#"{"base_resp":{"status_code":0,"status_msg":"success"}}"#,
            r#"{"prompt_filter_results":[{"prompt_index":0}],"choices":[]}"#,
            r#"{"errors":[],"error_code":0,"error_msg":""}"#,
        ] {
            let events = format!(
                "data: {beside}\n\ndata: {{\"choices\":[{{\"delta\":{{\"content\":\"4\"}}}}]}}\n\ndata: {beside}\n\ndata: [DONE]\n\n"
            );
            let reply = HttpReply::new(200, Vec::new(), events.into());
            let ParsedReply::Answer(answer) = parse_reply(&reply) else { panic!("{beside}") };
            assert_eq!(answer.content, "4");
        }
    }
}
