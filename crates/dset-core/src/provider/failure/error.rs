//! An error reply: where in it the error stands, and what it says.

use std::sync::Arc;

use serde_json::Value;

use super::refusal;
use crate::answer::{Answer, Cause, Failure, FailureClass, MESSAGE_CHARS_MAX, Refusal};
use crate::provider::failure::credit;
use crate::provider::failure::echo::Echo;
use crate::provider::failure::page::plain;
use crate::provider::failure::retry_after::wait;
use crate::provider::reply::HttpReply;
use crate::text::is_invisible;

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

/// How much of an error is read as JSON: more than any service says about one. Of a longer one only
/// the beginning is kept, as text, because JSON takes many times its size once it is parsed.
pub(crate) const ERROR_BYTES_MAX: usize = 64 * 1024;

/// Parses what may be an error, if it is not longer than errors are.
pub(crate) fn parse(text: &str) -> Option<Value> {
    (text.len() <= ERROR_BYTES_MAX).then(|| serde_json::from_str(text.trim()).ok())?
}

/// Returns as much of a text as a message may have.
pub(crate) fn beginning(text: &str) -> String {
    text.chars().take(MESSAGE_CHARS_MAX).collect()
}

/// All that an error says, without what it repeats of the question.
pub(crate) struct ErrorTexts<'a> {
    /// The body as JSON in lower case, or its text.
    pub(crate) json: String,
    /// Every text in it, and those in JSON that stands in a text.
    pub(crate) texts: Vec<String>,
    /// Some code in it stands for an empty account.
    pub(crate) has_money_code: bool,
    /// What was asked.
    pub(crate) echo: Echo<'a>,
}

/// How deep JSON may stand in the texts of JSON: a service behind a gateway behind a proxy.
const NESTED_MAX: usize = 4;

impl<'a> ErrorTexts<'a> {
    fn of(body: Option<&Value>, text: &str, sent: &'a [Arc<str>]) -> ErrorTexts<'a> {
        let mut said = ErrorTexts {
            json: String::new(),
            texts: Vec::new(),
            has_money_code: false,
            echo: Echo::of(sent),
        };
        match body {
            Some(body) => {
                let body = without_echo(body.clone());
                let json = body.to_string();
                said.json = before_answer(&json).to_lowercase();
                said.collect(&body, NESTED_MAX);
            }
            None => {
                let text = plain(text);
                said.json = text.to_lowercase();
                said.collect(&Value::String(text), NESTED_MAX);
            }
        }
        said
    }

    fn collect(&mut self, value: &Value, nested_max: usize) {
        match value {
            Value::String(text) => {
                let text = before_answer(text);
                self.texts.push(text.to_owned());
                let inside = text.find('{').zip(text.rfind('}'));
                let inside =
                    inside.and_then(|(from, to)| text.get(from..=to)).filter(|_| nested_max > 0);
                let parsed = inside.and_then(|json| serde_json::from_str::<Value>(json).ok());
                if let Some(parsed) = parsed {
                    self.json += &parsed.to_string().to_lowercase();
                    self.collect(&without_echo(parsed), nested_max - 1);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.collect(item, nested_max)),
            Value::Object(map) => {
                for (name, value) in map {
                    self.has_money_code |=
                        name.to_lowercase().ends_with("code") && credit::is_code(value);
                    self.collect(value, nested_max);
                }
            }
            _ => {}
        }
    }
}

/// Names under which services put what went wrong, as an object or as a text.
const ERRORS: [&str; 6] = ["error", "Error", "errors", "fault", "Response", "base_resp"];
/// Names of the text in it.
const MESSAGES: [&str; 13] = [
    "message",
    "msg",
    "detail",
    "error",
    "Message",
    "error_msg",
    "error_message",
    "err_msg",
    "errmsg",
    "status_msg",
    "faultstring",
    "error_description",
    "title",
];
/// Names of its code.
const CODES: [&str; 8] =
    ["code", "status", "error_code", "status_code", "Code", "err_code", "errcode", "err_no"];

/// Finds the error object of a body: `{"error": …}`, an array of such, or an error by itself.
pub(crate) fn find(body: &Value) -> Option<&Value> {
    match body {
        Value::Array(items) => items.first().and_then(find),
        Value::Object(map) => match map.get("error") {
            Some(error) if !error.is_null() => Some(error),
            _ if map.contains_key("detail") => map.get("detail"),
            _ if map.get("message").is_some_and(|said| !said.is_null()) => Some(body),
            _ => find_elsewhere(body),
        },
        _ => None,
    }
}

fn find_elsewhere(body: &Value) -> Option<&Value> {
    let inside = ERRORS.iter().find_map(|name| body.get(*name).filter(|inside| !is_none(inside)));
    match inside {
        // Tencent's lies in an envelope, which good replies have as well.
        Some(inside @ Value::Object(map)) if map.contains_key("Error") => inside.get("Error"),
        Some(inside) => Some(inside),
        None => MESSAGES
            .iter()
            .any(|name| body.get(*name).is_some_and(Value::is_string))
            .then_some(body),
    }
}

/// Finds the error in a body that came with a good status and holds no answer: one with a code for
/// what went wrong, so that the words of other APIs are none.
pub(crate) fn find_in_good(body: &Value) -> Option<&Value> {
    let error = find(body).filter(|error| !is_none(error))?;
    let failed = |error: &Value| {
        error.get("success") == Some(&Value::Bool(false))
            || CODES.iter().filter_map(|name| error.get(*name)).any(|code| match code {
                Value::String(code) => is_code(code.trim()),
                Value::Number(_) => !is_none(code),
                _ => false,
            })
    };
    (failed(error) || failed(body)).then_some(error)
}

/// Returns true if a code is the name of something that went wrong.
pub(crate) fn is_code(code: &str) -> bool {
    let is_good = |good: &str| code.eq_ignore_ascii_case(good);
    !code.is_empty() && !["0", "200", "ok", "success"].into_iter().any(is_good)
}

/// Returns true if what stands in the place of an error says that there was none.
pub(crate) fn is_none(error: &Value) -> bool {
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
pub(crate) fn read(reply: &HttpReply, body: Option<&Value>) -> Failure {
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
    let said = ErrorTexts::of(parsed.as_ref(), &text, &reply.sent);
    let classify = |status| (status, refusal::classify(reply, status, error, &message, &said));
    let (status, (class, cause)) = match effective_status(reply.status, error) {
        Some(status) => classify(status),
        // With neither a number nor a word for one, an error that a 400 would be known by is that.
        None => match classify(400) {
            known if is_known(known.1) => known,
            _ if is_rate(&said) => classify(429),
            _ => classify(502),
        },
    };
    if let Some(written) = error.and_then(unfit) {
        let answer = Answer {
            content: written.to_owned(),
            finish_reason: UNFIT.to_owned(),
            request_id: request_id(reply),
            ..Answer::default()
        };
        return Failure {
            class: FailureClass::Empty,
            cause: Cause::Unfit,
            status: Some(status),
            wait: None,
            message: printable(&message),
            request_id: request_id(reply),
            partial: Some(Box::new(answer)),
        };
    }
    let message = match reply.header("location").filter(|_| cause == Cause::Redirect) {
        Some(place) if message.is_empty() || text.trim_start().starts_with('<') => {
            format!("{SENDS_TO}{}", without_query(place))
        }
        Some(place) => format!("{SENDS_TO}{}: {message}", without_query(place)),
        None if message.is_empty() => format!("status {status}"),
        None => message,
    };
    Failure {
        class,
        cause,
        status: Some(status),
        wait: wait(reply, &said, false).filter(|_| class == FailureClass::Transient),
        message: printable(&message),
        request_id: request_id(reply).or_else(|| Some(parsed?.get("request_id")?.as_str()?.into())),
        partial: None,
    }
}

/// Groq's code for what the model wrote and the schema does not allow.
const UNFIT: &str = "json_validate_failed";

/// Returns what the model wrote, where the service refuses it and shows it.
fn unfit(error: &Value) -> Option<&str> {
    let is_unfit = error.get("code").and_then(Value::as_str) == Some(UNFIT);
    let written = error.get("failed_generation").and_then(Value::as_str);
    written.filter(|written| is_unfit && !written.trim().is_empty())
}

/// What stands before the place that a redirect points to.
pub(crate) const SENDS_TO: &str = "sends to ";

/// A query may hold a secret.
fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// Leaves out where FastAPI and OpenRouter repeat what they were sent and Groq what the model wrote: the words
/// of a question or an answer are no reason.
fn without_echo(mut error: Value) -> Value {
    match &mut error {
        Value::Array(items) => {
            items.iter_mut().for_each(|item| *item = without_echo(item.take()));
        }
        Value::Object(map) => {
            map.retain(|name, value| match &**name {
                "input" | "ctx" | "messages" | "prompt" | "request_body" | "flagged_input"
                | "failed_generation" => false,
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

/// Behind this llama.cpp puts what the model wrote.
const ANSWER_FOLLOWS: &str = "Failed to parse input at pos";

fn before_answer(message: &str) -> &str {
    message.find(ANSWER_FOLLOWS).map_or(message, |at| &message[..at + ANSWER_FOLLOWS.len()])
}

/// The statuses of errors that are named by a word alone, as Anthropic's are in a stream. Words
/// that blame the request are left out: LiteLLM calls a timeout `invalid_request_error`.
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

/// Returns true if a 400 was recognised by its words as something that no other try will mend.
fn is_known((class, _): (FailureClass, Cause)) -> bool {
    use FailureClass::{KeyRefused, OutOfMoney, Refused};
    matches!(class, KeyRefused | OutOfMoney)
        || matches!(class, Refused(refusal) if refusal != Refusal::Request)
}

/// MiniMax's codes, in its `base_resp`.
const MINIMAX: [(u64, u16); 12] = [
    (1002, 429),
    (1004, 401),
    (1008, 402),
    (1026, 451),
    (1027, 451),
    (1039, 429),
    (1041, 429),
    (1042, 400),
    (2013, 400),
    (2045, 429),
    (2049, 401),
    (2056, 429),
];

/// Words of a rate limit, where neither a number nor a code names it.
const RATE: [&str; 8] =
    ["rate limit", "request limit", "qps", "too many requests", "频率", "并发", "限流", "频繁"];

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
    let code = CODES.iter().find_map(|name| error?.get(*name));
    let number = code.and_then(|code| match code {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    });
    let is_minimax = error.is_some_and(|error| error.get("status_msg").is_some());
    let of_minimax = || MINIMAX.iter().find(|(own, _)| is_minimax && Some(*own) == number);
    number
        .and_then(|n| u16::try_from(n).ok())
        .filter(|n| (300..600).contains(n))
        .or_else(|| of_minimax().map(|(_, status)| *status))
        .or_else(|| told(word("code")).or_else(|| told(word("type"))))
}

/// Returns true if an error of which the status is not known is about a limit for a time.
fn is_rate(said: &ErrorTexts<'_>) -> bool {
    RATE.iter().any(|words| said.json.contains(words))
}

fn message_of(error: &Value) -> String {
    match error {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(message_of).collect::<Vec<_>>().join("; "),
        _ => {
            let said =
                MESSAGES.iter().find_map(|name| error.get(*name).filter(|said| !said.is_null()));
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

/// Returns the service's own name for a call.
pub(crate) fn request_id(reply: &HttpReply) -> Option<String> {
    REQUEST_ID_HEADERS.iter().find_map(|name| reply.header(name)).map(printable)
}

/// Makes a stranger's text safe and short: control characters become spaces, and what shows nothing is
/// left out, so that a key that is looked for later is not broken by it.
pub(crate) fn printable(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    text.chars()
        .filter(|c| !is_invisible(*c))
        .map(clean)
        .take(MESSAGE_CHARS_MAX)
        .collect::<String>()
        .trim()
        .to_owned()
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
