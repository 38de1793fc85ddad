//! What an error reply means: status first, then the message.
//!
//! Codes and types are of little use: DeepSeek calls nearly everything `invalid_request_error`,
//! LiteLLM calls a timeout so. What looks temporary and is not (quotas, spend limits) and the other
//! way round (OpenRouter's budget in flight) is told by its words.

use serde_json::Value;

use super::wait::wait;
use crate::answer::{Failure, FailureClass, MESSAGE_CHARS_MAX, Refusal};
use crate::reply::HttpReply;

const REQUEST_ID_HEADERS: [&str; 8] = [
    "x-request-id",
    "request-id",
    "x-deepseek-request-id",
    "x-ds-trace-id",
    "apim-request-id",
    "x-litellm-call-id",
    "x-groq-id",
    "cf-ray",
];

/// Words of moderation.
const MODERATION: [&str; 15] = [
    "content exists risk",
    "content_filter",
    "content management policy",
    "responsibleaipolicyviolation",
    "content policy",
    "content filtering policy",
    "moderation",
    "flagged",
    "prohibited_content",
    "data_inspection_failed",
    "datainspectionfailed",
    "inappropriate content",
    "unsafe or sensitive content",
    "violates usage guidelines",
    "considered high risk",
];

/// Words of refusals that every question would get.
const SETTINGS: [&str; 25] = [
    "supported api model names",
    "model not exist",
    "model_not_found",
    "invalid model",
    "unknown model",
    "not a valid model",
    "model does not exist",
    "does not exist or you do not have access",
    "unable to access model",
    "decommissioned",
    "no models loaded",
    "invalid max_tokens",
    "unsupported parameter",
    "unsupported_parameter",
    "unsupported value",
    "unsupported_value",
    "unknown parameter",
    "unknown_parameter",
    "unrecognized request argument",
    "extra_forbidden",
    "stream_options",
    "response_format type is unavailable",
    "invalid temperature",
    "'temperature'",
    "deprecated for this model",
];

/// What a 404 or 410 is about that no question can mend, and what it says of it.
const SERVED: [&str; 3] = ["model", "deployment", "endpoints"];
const NOT_SERVED: [&str; 7] =
    ["not found", "not_found", "notfound", "not exist", "no endpoints", "no longer", "end of life"];

/// Words of an empty purse, and of limits that somebody must lift.
const MONEY: [&str; 20] = [
    "insufficient_quota",
    "insufficient balance",
    "enforced_spend_limit_reached",
    "contract_spend",
    "spend limit",
    "spending limit",
    "used all available credits",
    "credits are depleted",
    "credit balance is too low",
    "billing_hard_limit",
    "billing_not_active",
    "reached your specified api usage limits",
    "exceeded_current_quota",
    "arrearage",
    "in good standing",
    "insufficient_user_quota",
    "pre_consume_token_quota",
    "quota is not enough",
    "额度不足",
    "exceeded your current quota, please check your plan and billing details. for more information",
];

/// Words of a wrong key under another status than 401.
const KEY: [&str; 6] = [
    "no_db_connection",
    "api_key_invalid",
    "api key not valid",
    "incorrect api key",
    "invalid_api_key",
    "invalidapikey",
];

/// Words of a prompt that does not fit.
const TOO_LONG: [&str; 5] = [
    "maximum context length",
    "context_length_exceeded",
    "exceed_context_size",
    "exceeds the available context size",
    "prompt is too long",
];

/// Words of a 429 for one prompt that is larger than what a whole minute allows.
const TOO_LARGE: [&str; 2] = ["request too large", "must be reduced"];

/// How much of an error is read as JSON: more than any service says about one. Of a longer one only
/// the beginning is kept, as text, because JSON takes many times its size once it is parsed.
pub(super) const ERROR_BYTES_MAX: usize = 64 * 1024;

/// Parses what may be an error, if it is not longer than errors are.
pub(super) fn parse(text: &str) -> Option<Value> {
    (text.len() <= ERROR_BYTES_MAX).then(|| serde_json::from_str(text.trim()).ok())?
}

/// Returns as much of a text as a message may have.
pub(super) fn beginning(text: &str) -> String {
    text.chars().take(MESSAGE_CHARS_MAX).collect()
}

/// Finds the error object of a body: `{"error": …}`, an array of such, or an error by itself.
pub(super) fn find(body: &Value) -> Option<&Value> {
    match body {
        Value::Array(items) => items.first().and_then(find),
        Value::Object(map) => match map.get("error") {
            Some(error) if !error.is_null() => Some(error),
            _ if map.contains_key("detail") => map.get("detail"),
            _ if map.get("message").is_some_and(|said| !said.is_null()) => Some(body),
            _ => None,
        },
        _ => None,
    }
}

/// Tells whether a code is the name of something that went wrong.
pub(super) fn is_code(code: &str) -> bool {
    let is_good = |good: &str| code.eq_ignore_ascii_case(good);
    !code.is_empty() && !["0", "200", "ok", "success"].into_iter().any(is_good)
}

/// Tells whether what stands in the place of an error says that there was none.
pub(super) fn is_none(error: &Value) -> bool {
    match error {
        Value::Null => true,
        Value::Bool(failed) => !failed,
        Value::Number(code) => [Some(0.0), Some(200.0)].contains(&code.as_f64()),
        Value::String(text) => {
            let text = text.trim();
            !is_code(text) || ["none", "null"].iter().any(|word| text.eq_ignore_ascii_case(word))
        }
        Value::Array(items) => items.iter().all(is_none),
        Value::Object(map) => map.values().all(is_none),
    }
}

/// Reads an error reply; `body` where it was parsed already.
pub(super) fn read(reply: &HttpReply, body: Option<&Value>) -> Failure {
    let text = String::from_utf8_lossy(&reply.body);
    let parsed = match body {
        Some(body) => Some(body.clone()),
        None => parse(&text),
    };
    let error = parsed.as_ref().and_then(find);
    let message = match error {
        Some(error) => message_of(error),
        None => plain(&text),
    };
    // Everything the service said, for the words that only stand in a code or a nested body.
    let words = match error {
        Some(error) => without_echo(error.clone()).to_string().to_lowercase(),
        None => message.to_lowercase(),
    };
    let classify = |status| (status, classify(reply, status, error, &message, &words));
    let (status, (class, cause)) = match effective_status(reply.status, error) {
        Some(status) => classify(status),
        // With neither a number nor a word for one, an error that a 400 would be known by is that.
        None => {
            Some(classify(400)).filter(|(_, read)| is_known(*read)).unwrap_or_else(|| classify(502))
        }
    };
    let message = if message.is_empty() { format!("status {status}") } else { message };
    Failure {
        class,
        cause,
        status: Some(status),
        // Not from the words, which may be the question's.
        wait: wait(reply, error, "").filter(|_| class == FailureClass::Transient),
        message: printable(&message),
        request_id: request_id(reply).or_else(|| Some(parsed?.get("request_id")?.as_str()?.into())),
        partial: None,
    }
}

/// Leaves out where FastAPI repeats what it was sent: the words of a question are no reason.
fn without_echo(mut error: Value) -> Value {
    match &mut error {
        Value::Array(items) => {
            items.iter_mut().for_each(|item| *item = without_echo(item.take()));
        }
        Value::Object(map) => {
            map.retain(|name, value| match &**name {
                "input" | "ctx" => false,
                // Of a proxy, it may be what the provider said behind it.
                "body" => value.get("error").is_some(),
                _ => true,
            });
            map.values_mut().for_each(|value| *value = without_echo(value.take()));
        }
        _ => {}
    }
    error
}

/// The statuses of errors that are told by a word alone, as Anthropic's are in a stream. Words that
/// blame the request are left out: LiteLLM calls a timeout `invalid_request_error`.
const STATUSES: [(&str, u16); 9] = [
    ("overloaded_error", 529),
    ("rate_limit_error", 429),
    ("rate_limit_exceeded", 429),
    ("insufficient_quota", 429),
    ("authentication_error", 401),
    ("billing_error", 402),
    ("permission_error", 403),
    ("timeout_error", 504),
    ("Throttling", 429),
];

/// Tells whether a 400 was told by its words, as something that no other try will mend.
fn is_known((class, _): (FailureClass, &str)) -> bool {
    use FailureClass::{KeyRefused, OutOfMoney, Refused};
    matches!(class, KeyRefused | OutOfMoney)
        || matches!(class, Refused(refusal) if refusal != Refusal::Request)
}

/// A 200 with an error inside has the status of that error, if the error says any.
fn effective_status(status: u16, error: Option<&Value>) -> Option<u16> {
    if !(200..300).contains(&status) {
        return Some(status);
    }
    let word = |name| error.and_then(|error| error.get(name)?.as_str()).unwrap_or_default();
    let told = |word: &str| {
        // DashScope says `Throttling.RateQuota`.
        let word = word.split('.').next();
        STATUSES.iter().find(|(own, _)| Some(*own) == word).map(|(_, status)| *status)
    };
    let code = error.and_then(|error| error.get("code").or_else(|| error.get("status")));
    let number = code.and_then(|code| match code {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    });
    number
        .and_then(|n| u16::try_from(n).ok())
        .filter(|n| (300..600).contains(n))
        .or_else(|| told(word("code")).or_else(|| told(word("type"))))
}

fn classify(
    reply: &HttpReply,
    status: u16,
    error: Option<&Value>,
    message: &str,
    words: &str,
) -> (FailureClass, &'static str) {
    use FailureClass::{Forbidden, KeyRefused, OutOfMoney, Refused, Throttled, Transient};
    let says = |list: &[&str]| list.iter().any(|word| words.contains(word));
    let throttled = |cause| {
        let (wait, width) = (wait(reply, error, message), width_named(message));
        (Throttled { wait, width }, cause)
    };
    let should_retry = reply.header("x-should-retry");
    let in_flight = words.contains("in_flight_budget");
    match status {
        300..=399 => (Refused(Refusal::Settings), "redirect"),
        401 => (KeyRefused, "key refused"),
        402 if in_flight => throttled("budget in flight"),
        402 => (OutOfMoney, "out of money"),
        // Google says the same words of a quota that is full again in a minute, with the time.
        400..=499 if says(&MONEY) && !words.contains("retryinfo") => (OutOfMoney, "out of money"),
        429 if says(&TOO_LARGE) => (Refused(Refusal::Question), "too long for the model"),
        // OpenRouter's, of a key; with a 429 it would be one of a minute.
        403 if says(&["key limit exceeded"]) => (OutOfMoney, "out of money"),
        // A limit that no waiting lifts is one that somebody must lift.
        429 if should_retry == Some("false") && wait(reply, error, message).is_none() => {
            (OutOfMoney, "limit reached")
        }
        429 => throttled("rate limited"),
        500..=599 if should_retry == Some("false") => (Refused(Refusal::Request), "refused"),
        529 => throttled("overloaded"),
        503 if wait(reply, error, message).is_some() => throttled("overloaded"),
        503 => (Transient, "overloaded"),
        400 | 403 if says(&KEY) => (KeyRefused, "key refused"),
        400..=499 if says(&MODERATION) => (Refused(Refusal::Moderation), "content filter"),
        403 if error.is_some_and(has_moderation_reasons) => {
            (Refused(Refusal::Moderation), "content filter")
        }
        // GitHub's secondary rate limit.
        403 if reply.header("retry-after").is_some() => throttled("rate limited"),
        403 => (Forbidden, "forbidden"),
        408 => (Transient, "timed out"),
        409 | 423 | 425 | 449 => (Transient, "not ready"),
        // Hugging Face's engine that failed, a gateway that gave up, Groq without capacity.
        424 | 499 => (Transient, "server error"),
        498 => (Transient, "overloaded"),
        400..=499 if says(&TOO_LONG) || status == 413 => {
            (Refused(Refusal::Question), "too long for the model")
        }
        400 | 404 | 405 | 422 if says(&SETTINGS) => (Refused(Refusal::Settings), "wrong settings"),
        404 | 410 if says(&SERVED) && says(&NOT_SERVED) => {
            (Refused(Refusal::Settings), "model not served")
        }
        _ if should_retry == Some("true") => (Transient, "server error"),
        400..=499 => (Refused(Refusal::Request), "refused"),
        504 | 524 => (Transient, "timed out"),
        _ => (Transient, "server error"),
    }
}

/// OpenRouter's moderation comes as a 403 with the reasons in its metadata.
fn has_moderation_reasons(error: &Value) -> bool {
    error.get("metadata").is_some_and(|metadata| metadata.get("reasons").is_some())
}

/// `… exceeds your concurrency limit of 39 …`
fn width_named(message: &str) -> Option<u32> {
    let after = message.split_once("concurrency limit of ")?.1;
    let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    after[..digits].parse().ok()
}

fn message_of(error: &Value) -> String {
    match error {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(message_of).collect::<Vec<_>>().join("; "),
        _ => {
            let said = ["message", "msg", "detail", "error"]
                .into_iter()
                .find_map(|name| error.get(name).filter(|said| !said.is_null()));
            let said = said.map_or_else(|| error.to_string(), message_of);
            // FastAPI's place of a fault, and what the provider said behind OpenRouter.
            let place = error
                .get("loc")
                .and_then(Value::as_array)
                .map(|place| place.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("."));
            let raw = error.get("metadata").and_then(|metadata| metadata.get("raw")?.as_str());
            match (place, raw) {
                (Some(place), _) => format!("{place}: {said}"),
                (None, Some(raw)) => format!("{said}: {raw}"),
                (None, None) => said,
            }
        }
    }
}

/// The text of a body that is no JSON: as it is, or the words of an HTML page.
pub(super) fn plain(text: &str) -> String {
    let text = text.trim();
    if !text.starts_with('<') {
        return beginning(text);
    }
    let mut ends = (0..=text.len().min(ERROR_BYTES_MAX)).rev();
    let text = &text[..ends.find(|&end| text.is_char_boundary(end)).unwrap_or(0)];
    let lower = text.to_ascii_lowercase();
    let title = lower.find("<title>").zip(lower.find("</title>"));
    let inside = title.and_then(|(from, to)| text.get(from + 7..to)).unwrap_or("an HTML page");
    inside.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the service's own name for a call.
pub(super) fn request_id(reply: &HttpReply) -> Option<String> {
    REQUEST_ID_HEADERS.iter().find_map(|name| reply.header(name)).map(printable)
}

/// Makes a stranger's text safe and short: control characters become spaces.
pub(super) fn printable(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(clean).take(MESSAGE_CHARS_MAX).collect::<String>().trim().to_owned()
}

/// Returns what stays of a refusal when digits and ids are left out, to tell the same refusal of
/// different questions.
#[must_use]
pub fn refusal_signature(message: &str) -> String {
    let message = message.split(" (request_id").next().unwrap_or_default();
    let is_id = |word: &str| word.len() >= 8 && word.chars().any(|c| c.is_ascii_digit());
    let words = message.split_whitespace().filter(|word| !is_id(word));
    let without_digits =
        words.map(|word| word.chars().filter(|c| !c.is_ascii_digit()).collect::<String>());
    without_digits.collect::<Vec<_>>().join(" ")
}
