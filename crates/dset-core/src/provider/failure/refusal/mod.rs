//! What a refusal means: the status first, then the words.
//!
//! Codes and types are of little use: DeepSeek calls nearly everything `invalid_request_error`,
//! LiteLLM calls a timeout so. What looks temporary and is not (quotas, spend limits) and the other
//! way round (OpenRouter's budget in flight) is recognised by its words.

use serde_json::Value;

use super::error::ErrorTexts;
use crate::answer::{Cause, FailureClass, Refusal};
use crate::provider::failure::credit::{Money, money};
use crate::provider::failure::retry_after::wait;
use crate::provider::reply::HttpReply;

/// Words by which services refuse a question for its content.
const MODERATION: [&str; 24] = [
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
    // MiniMax, StepFun, Volcengine, Zhipu and what speaks Chinese.
    "new_sensitive",
    "censorship",
    "sensitivecontent",
    r#""code":"1301""#,
    "敏感内容",
    "敏感词",
    "涉敏",
    "内容违规",
    "违规内容",
];

/// Words of a gateway's own filter: LiteLLM's.
const GUARDRAIL: [&str; 3] =
    ["violated guardrail policy", "bedrock_guardrail_response", "keyword banned"];

/// Words of an account that may ask nothing any more, whatever it was for.
const ACCOUNT: [&str; 4] = [
    "resource has been temporarily blocked",
    "account was flagged",
    "account has been flagged",
    "account has been suspended",
];

/// Words about a field of the request, whose name may be any word.
const PARAMETER: [&str; 4] =
    ["unknown parameter", "unknown_parameter", "unsupported parameter", "unsupported_parameter"];
/// Words of other refusals that every question would get.
const SETTINGS: [&str; 21] = [
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
    "unsupported value",
    "unsupported_value",
    "unrecognized request argument",
    "extra_forbidden",
    "stream_options",
    "response_format type is unavailable",
    "invalid temperature",
    "'temperature'",
    "deprecated for this model",
];

/// Words of OpenRouter where no host of the model takes what this question holds.
const NO_HOST: [&str; 3] =
    ["that support image input", "that support file input", "that support audio input"];

/// What a 404 or 410 is about that no question can mend, and what it says of it.
const SERVED: [&str; 3] = ["model", "deployment", "endpoints"];
const NOT_SERVED: [&str; 7] =
    ["not found", "not_found", "notfound", "not exist", "no endpoints", "no longer", "end of life"];

/// Words of a wrong key under another status than 401.
const KEY: [&str; 7] = [
    "api key expired",
    "no_db_connection",
    "api_key_invalid",
    "api key not valid",
    "incorrect api key",
    "invalid_api_key",
    "invalidapikey",
];

/// Words of a prompt that does not fit.
const TOO_LONG: [&str; 24] = [
    // OpenAI, vLLM, Mistral and most others; llama.cpp; Anthropic.
    "maximum context length",
    "context_length_exceeded",
    "exceed_context_size",
    "exceeds the available context size",
    "prompt is too long",
    "exceed context limit",
    // Gemini, SGLang, xAI, Moonshot, DashScope.
    "exceeds the maximum number of tokens",
    "longer than the model's context length",
    "maximum prompt length is",
    "exceeded model token limit",
    "range of input length should be",
    // Hosts of text-generation-inference, vLLM of before, Groq.
    "`inputs` must have less than",
    "`inputs` tokens + `max_new_tokens` must be",
    "longer than the maximum model length",
    "reduce the length of the",
    // LM Studio, Ollama, Bedrock, Cohere, MiniMax, Zhipu.
    "greater than the context length",
    "context the overflows",
    "exceeds the context length",
    "input is too long",
    "total number of tokens in the prompt cannot exceed",
    "context window exceeds limit",
    "prompt exceeds max length",
    "prompt 超长",
    "输入过长",
];

/// Words of a 429 for one prompt that is larger than what a whole minute allows.
const TOO_LARGE: [&str; 2] = ["request too large", "must be reduced"];

/// Words of servers that speak TLS and were not spoken to in it: nginx's, Go's, Apache's, Envoy's.
const PLAIN_HTTP: [&str; 5] = [
    "plain http request was sent to https",
    "http request to an https server",
    "speaking plain http to an ssl",
    "requires tls",
    "https is required",
];

/// Words of a limit for a time under another status than 429.
const RATE: [&str; 15] = [
    "out of call volume quota",
    "rate limit exceeded",
    "rate limit reached",
    "rate limit hit",
    "rate limited",
    "rate_limit_exceeded",
    "rate_limit_error",
    "secondary rate limit",
    "too many requests",
    "throttling",
    "request limit reached",
    "请求过于频繁",
    "频率过高",
    "并发数过高",
    "触发限流",
];

/// Words of a gateway whose upstream was asked and did not answer to the end, under a status that
/// says nothing of it: LiteLLM's, OpenRouter's, Envoy's.
const UPSTREAM_TIMED_OUT: [&str; 3] = ["timed out", "timeouterror", "upstream request timeout"];
const UPSTREAM_LOST: [&str; 7] = [
    "connection error",
    "connection reset",
    "connection aborted",
    "connection lost",
    "disconnected",
    "remote end closed",
    "peer closed connection",
];

/// Envoy's reasons of a 503 for a request that was on its way upstream.
const ENVOY_LOST: [&str; 3] = [
    "reset reason: connection termination",
    "reset reason: remote reset",
    "reset reason: protocol error",
];

/// Reads a refusal: its class and its cause.
pub(crate) fn classify(
    reply: &HttpReply,
    status: u16,
    error: Option<&Value>,
    message: &str,
    said: &ErrorTexts<'_>,
) -> (FailureClass, Cause) {
    use FailureClass::{Forbidden, KeyRefused, OutOfMoney, Refused, Throttled, Transient};
    let says = |list: &[&str]| list.iter().any(|word| said.json.contains(word));
    // Where it would end a run, a question may have said it.
    let says_itself =
        |list: &[&str]| list.iter().any(|word| said.json.contains(word) && !said.echo.has(word));
    let asked_wait = wait(reply, said, true);
    let width = width_named(message);
    let throttled = |cause| (Throttled { wait: asked_wait, width }, cause);
    let should_retry = reply.header("x-should-retry");
    let in_flight = said.json.contains("in_flight_budget");
    let money = match money(&said.texts, &said.echo) {
        // DeepSeek allows fewer at once where little is left.
        _ if width.is_some() || in_flight => Money::Unsaid,
        _ if said.has_money_code => Money::Gone,
        Money::Doubtful if asked_wait.is_some() || status >= 500 => Money::Unsaid,
        money => money,
    };
    let is_rate = says(&RATE);
    let is_page = reply.body.trim_ascii_start().starts_with(b"<");
    match status {
        300..=399 => (Refused(Refusal::Settings), Cause::Redirect),
        // Whose words stand beside it, the question's or the filter's, is not known.
        400 | 403 if says(&GUARDRAIL) || error.is_some_and(has_moderation_reasons) => {
            (Refused(Refusal::Moderation), Cause::ContentFilter)
        }
        400..=599 if money != Money::Unsaid => (OutOfMoney, Cause::OutOfMoney),
        401 => (KeyRefused, Cause::KeyRefused),
        402 if in_flight => throttled(Cause::BudgetInFlight),
        402 => (OutOfMoney, Cause::OutOfMoney),
        429 if says(&TOO_LARGE) || is_beyond_a_minute(reply, message) => {
            (Refused(Refusal::Question), Cause::TooLongForModel)
        }
        // OpenRouter's, of a key; with a 429 it would be one of a minute.
        403 if says(&["key limit exceeded"]) => (OutOfMoney, Cause::OutOfMoney),
        // A limit that no waiting lifts must be lifted by the account's owner.
        429 if should_retry == Some("false") && asked_wait.is_none() => {
            (OutOfMoney, Cause::LimitReached)
        }
        429 => throttled(Cause::RateLimited),
        500..=599 if should_retry == Some("false") => (Refused(Refusal::Request), Cause::Refused),
        529 => throttled(Cause::Overloaded),
        503 if says(&ENVOY_LOST) => (Transient, Cause::ConnectionLost),
        503 if asked_wait.is_some() => throttled(Cause::Overloaded),
        500..=599 if is_rate => throttled(Cause::RateLimited),
        503 => (Transient, Cause::Overloaded),
        400 | 403 if says_itself(&KEY) => (KeyRefused, Cause::KeyRefused),
        400 | 497 if says(&PLAIN_HTTP) => (Refused(Refusal::Address), Cause::WrongProtocol),
        // A login, a firewall or a web server: no API says so. A rate limiter may be one.
        400 | 403 | 406 | 511 if is_page && !is_rate && asked_wait.is_none() => {
            (Refused(Refusal::Address), Cause::PageForPeople)
        }
        407 => (Refused(Refusal::Address), Cause::ProxyLogin),
        511 => (Refused(Refusal::Address), Cause::NetworkLogin),
        400..=499 if says(&ACCOUNT) => (Forbidden, Cause::Forbidden),
        400 | 404 | 422 if says_itself(&PARAMETER) => {
            (Refused(Refusal::Settings), Cause::WrongSettings)
        }
        400..=499 if says(&MODERATION) => (Refused(Refusal::Moderation), Cause::ContentFilter),
        // The code of a service in a reply with a good status; a real 451 is about a country.
        451 if reply.status != 451 => (Refused(Refusal::Moderation), Cause::ContentFilter),
        // GitHub's secondary rate limit, and gateways that have no other status.
        403 if is_rate || asked_wait.is_some() => throttled(Cause::RateLimited),
        403 => (Forbidden, Cause::Forbidden),
        408 => (Transient, Cause::TimedOut),
        409 | 423 | 425 | 449 => (Transient, Cause::NotReady),
        // Hugging Face's engine that failed, a gateway that gave up, Groq without capacity.
        424 | 499 => (Transient, Cause::ServerError),
        498 => (Transient, Cause::Overloaded),
        // A web server's limit, which says nothing of the model's.
        413 if is_page => (Refused(Refusal::Question), Cause::RequestTooLarge),
        400..=499 if says(&TOO_LONG) || status == 413 => {
            (Refused(Refusal::Question), Cause::TooLongForModel)
        }
        400..=499 if is_rate => throttled(Cause::RateLimited),
        400 | 404 | 405 | 422 if says_itself(&SETTINGS) => {
            (Refused(Refusal::Settings), Cause::WrongSettings)
        }
        404 if says(&NO_HOST) => (Refused(Refusal::Request), Cause::Refused),
        404 | 410 if says(&SERVED) && says(&NOT_SERVED) => {
            (Refused(Refusal::Settings), Cause::ModelNotServed)
        }
        _ if should_retry == Some("true") => (Transient, Cause::ServerError),
        404 | 405 | 410 | 421 | 426 | 501 => (Refused(Refusal::Address), Cause::WrongAddress),
        400..=499 => (Refused(Refusal::Request), Cause::Refused),
        504 | 524 => (Transient, Cause::TimedOut),
        500..=599 if says(&UPSTREAM_TIMED_OUT) => (Transient, Cause::TimedOut),
        500..=599 if says(&UPSTREAM_LOST) => (Transient, Cause::ConnectionLost),
        _ => (Transient, Cause::ServerError),
    }
}

/// OpenRouter's moderation comes with the reasons in its metadata.
fn has_moderation_reasons(error: &Value) -> bool {
    error.get("metadata").is_some_and(|metadata| metadata.get("reasons").is_some())
}

/// More bytes of a text are not in one token on average, whatever its language.
const BYTES_A_TOKEN_MAX: usize = 6;

/// Anthropic's `… rate limit of 30,000 input tokens per minute …`, for what is longer than that by itself.
fn is_beyond_a_minute(reply: &HttpReply, message: &str) -> bool {
    let Some((before, _)) = message.split_once(" input tokens per minute") else { return false };
    let number = before.rsplit(' ').next().unwrap_or_default().replace(',', "");
    let sent: usize = reply.sent.iter().map(|text| text.len()).sum();
    number.parse().is_ok_and(|limit: usize| sent / BYTES_A_TOKEN_MAX > limit)
}

/// `… exceeds your concurrency limit of 39 …`
fn width_named(message: &str) -> Option<u32> {
    let after = message.split_once("concurrency limit of ")?.1;
    let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    after[..digits].parse().ok()
}

#[cfg(test)]
mod tests;
