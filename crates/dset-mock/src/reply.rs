//! Bodies in the shapes that real services send.

use serde_json::json;

use crate::answer::Answer;

/// Writes an answer in DeepSeek's shape.
pub(crate) fn completion(
    id: u64,
    model: &str,
    input: u64,
    answer: &Answer,
    finish: &str,
) -> Vec<u8> {
    let Answer { reasoning, content, tokens_reasoning: thought, tokens_out: output } = answer;
    let size = content.len() + reasoning.as_ref().map_or(0, String::len);
    let mut body = Vec::with_capacity(640 + size + size / 8);
    let mut push = |text: &str| body.extend_from_slice(text.as_bytes());
    push(&format!("{{\"id\":\"pretend-{id:016x}\",\"object\":\"chat.completion\",\"created\":"));
    push("1795348800,\"model\":");
    push(&quoted(model));
    push(",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":");
    push(&quoted(content));
    if let Some(reasoning) = reasoning {
        push(",\"reasoning_content\":");
        push(&quoted(reasoning));
    }
    push("},\"logprobs\":null,\"finish_reason\":");
    push(&quoted(finish));
    push(&format!(
        "}}],\"usage\":{{\"prompt_tokens\":{input},\"completion_tokens\":{output},\"total_tokens\":{},\
         \"prompt_tokens_details\":{{\"cached_tokens\":0}},\"completion_tokens_details\":\
         {{\"reasoning_tokens\":{thought}}},\"prompt_cache_hit_tokens\":0,\
         \"prompt_cache_miss_tokens\":{input}}},\"system_fingerprint\":\"fp_pretend\"}}",
        input + output
    ));
    body
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("text is JSON")
}

/// Writes an error in DeepSeek's shape, in which nearly everything has the same code.
pub(crate) fn error(message: &str, kind: &str) -> Vec<u8> {
    let error = json!({
        "message": message, "type": kind, "param": null, "code": "invalid_request_error"
    });
    json!({ "error": error }).to_string().into_bytes()
}

/// Returns the message and the type that services send with a status.
pub(crate) fn words_of(status: u16) -> (&'static str, &'static str) {
    match status {
        400 => ("This question is refused", "invalid_request_error"),
        401 => ("Authentication Fails, Your api key: ****0000 is invalid", "authentication_error"),
        402 => ("Insufficient Balance", "unknown_error"),
        403 => ("Forbidden", "permission_error"),
        404 => ("Not Found", "invalid_request_error"),
        422 => {
            ("Failed to deserialize the JSON body into the target type", "invalid_request_error")
        }
        429 => ("Rate limit reached for requests", "rate_limit_error"),
        503 => (
            "Service is too busy. We advise users to temporarily switch to alternative LLM API \
             service providers.",
            "service_unavailable_error",
        ),
        529 => ("Overloaded", "overloaded_error"),
        500..=599 => ("Internal Server Error", "server_error"),
        _ => ("Something else", "unknown_error"),
    }
}

pub(crate) const HTML: &str = "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head>\
    <body>bad gateway</body></html>\n";

/// A 429 that will not go away by waiting, in OpenAI's shape.
pub(crate) fn quota() -> Vec<u8> {
    let message = "You exceeded your current quota, please check your plan and billing details. \
        For more information on this error, read the docs.";
    let code = "insufficient_quota";
    json!({ "error": { "message": message, "type": code, "param": null, "code": code } })
        .to_string()
        .into_bytes()
}

pub(crate) fn models() -> Vec<u8> {
    let model = |id| json!({ "id": id, "object": "model", "owned_by": "deepseek" });
    json!({ "object": "list", "data": MODELS.map(model) }).to_string().into_bytes()
}

/// What `--strict-model` takes.
pub(crate) const MODELS: [&str; 2] = ["deepseek-flash", "deepseek-v4-pro"];

pub(crate) fn balance(left: Option<u64>) -> Vec<u8> {
    let total = left.map_or("110.00".to_owned(), |left| format!("{left}.00"));
    let info = json!({
        "currency": "USD", "total_balance": total, "granted_balance": "0.00",
        "topped_up_balance": total
    });
    json!({ "is_available": left != Some(0), "balance_infos": [info] }).to_string().into_bytes()
}
