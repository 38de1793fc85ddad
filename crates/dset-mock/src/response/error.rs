//! Errors, as each service words and shapes them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::dialect::{Errors, Shape};

/// The HTML page of a gateway, the body of a 502.
pub(crate) const HTML: &str = "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head>\
    <body>bad gateway</body></html>\n";

/// An error, before it has a shape.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) message: String,
    /// DeepSeek's or OpenAI's type.
    pub(crate) kind: &'static str,
    /// The `code` in OpenAI's shape of an error.
    pub(crate) code: Option<&'static str>,
    pub(crate) param: Option<&'static str>,
    /// What a service adds in its own way.
    pub(crate) why: ErrorShape,
    /// The wait that it asks for, where that is in the body.
    pub(crate) wait: Option<Duration>,
}

/// A reason that changes the shape of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorShape {
    /// The status tells all.
    Status,
    /// The money is gone, and waiting does not bring it back.
    Quota,
    /// The question is not allowed.
    Risk,
}

impl ApiError {
    /// A request that cannot be served.
    pub(crate) fn request(message: impl Into<String>) -> ApiError {
        ApiError {
            status: 400,
            message: message.into(),
            kind: "invalid_request_error",
            code: None,
            param: None,
            why: ErrorShape::Status,
            wait: None,
        }
    }

    /// What services say with a status.
    pub(crate) fn status(status: u16, shape: &Shape) -> ApiError {
        let (message, kind, code) = words_of(status, shape);
        ApiError { status, kind, code, ..ApiError::request(message) }
    }

    /// A 429 that will not go away by waiting.
    pub(crate) fn quota() -> ApiError {
        let message = "You exceeded your current quota, please check your plan and billing \
                       details. For more information on this error, read the docs.";
        let kind = "insufficient_quota";
        let why = ErrorShape::Quota;
        ApiError { status: 429, kind, code: Some(kind), why, ..ApiError::request(message) }
    }

    /// A question that is not allowed.
    pub(crate) fn risk(shape: &Shape) -> ApiError {
        let why = ErrorShape::Risk;
        match shape.errors {
            Errors::Azure => ApiError {
                code: Some("content_filter"),
                param: Some("prompt"),
                why,
                ..ApiError::request(
                    "The response was filtered due to the prompt triggering Azure OpenAI's \
                     content management policy. Please modify your prompt and retry.",
                )
            },
            Errors::OpenRouter => {
                ApiError { status: 403, why, ..ApiError::request("Input was flagged") }
            }
            _ => ApiError { why, ..ApiError::request("Content Exists Risk") },
        }
    }

    /// Writes it as the service does.
    pub(crate) fn body(&self, shape: &Shape, request_id: &str) -> Vec<u8> {
        self.json(shape, request_id).to_string().into_bytes()
    }

    fn json(&self, shape: &Shape, request_id: &str) -> Value {
        let ApiError { status, message, kind, code, param, .. } = self;
        let like_openai = |code: Value| json!({ "error": { "message": message, "type": kind, "param": param, "code": code } });
        match shape.errors {
            Errors::DeepSeek if self.why == ErrorShape::Quota => like_openai(json!(code)),
            Errors::DeepSeek => like_openai(json!("invalid_request_error")),
            Errors::OpenAi => like_openai(json!(code)),
            Errors::Azure if self.why == ErrorShape::Risk => {
                let result = json!({ "violence": { "filtered": true, "severity": "medium" } });
                json!({ "error": {
                    "message": message, "type": null, "param": param, "code": code, "status": status,
                    "innererror": {
                        "code": "ResponsibleAIPolicyViolation", "content_filter_result": result
                    }
                } })
            }
            Errors::Azure => like_openai(json!(code)),
            Errors::OpenRouter => {
                let metadata = match self.why {
                    ErrorShape::Status => json!({ "provider_name": "Pretend" }),
                    ErrorShape::Quota => {
                        let raw = like_openai(json!(code)).to_string();
                        json!({ "provider_name": "Pretend", "raw": raw })
                    }
                    ErrorShape::Risk => {
                        json!({ "provider_name": "Pretend", "reasons": ["violence"] })
                    }
                };
                json!({ "error": { "message": message, "code": status, "metadata": metadata } })
            }
            Errors::Anthropic => {
                let mut error = json!({ "type": kind, "message": message });
                if self.why == ErrorShape::Quota {
                    error["type"] = json!("rate_limit_error");
                    error["message"] = json!("Your organization has reached its spend limit.");
                    error["details"] = json!({ "error_code": "enforced_spend_limit_reached" });
                }
                json!({ "type": "error", "error": error, "request_id": request_id })
            }
            Errors::Gemini => json!([{ "error": {
                "code": status, "message": message, "status": google_status(*status),
                "details": self.google_details()
            } }]),
            Errors::Mistral => json!({
                "object": "error", "message": message, "type": kind, "param": param,
                "code": status.to_string()
            }),
            Errors::Number => like_openai(json!(status)),
            Errors::NumberText => like_openai(json!(status.to_string())),
            Errors::LlamaCpp => {
                json!({ "error": { "code": status, "message": message, "type": kind } })
            }
        }
    }

    fn google_details(&self) -> Vec<Value> {
        let mut details = Vec::new();
        if self.status == 429 {
            let per = if self.why == ErrorShape::Quota { "PerDay" } else { "PerMinute" };
            details.push(json!({
                "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [{ "quotaId": format!("GenerateRequests{per}PerProjectPerModel") }]
            }));
        }
        if let Some(wait) = self.wait {
            let delay = format!("{}s", wait.as_secs_f64());
            details.push(json!({
                "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay
            }));
        }
        details
    }
}

/// Returns the message, the type and the code that services send with a status.
fn words_of(status: u16, shape: &Shape) -> (&'static str, &'static str, Option<&'static str>) {
    let words = match shape.errors {
        Errors::Anthropic => match status {
            401 => Some(("invalid x-api-key", "authentication_error", None)),
            402 => Some(("Your credit balance is too low", "billing_error", None)),
            404 => Some(("Not found", "not_found_error", None)),
            413 => Some(("Request exceeds the maximum size", "request_too_large", None)),
            429 => Some(("Rate limited", "rate_limit_error", None)),
            529 => Some(("Overloaded", "overloaded_error", None)),
            500..=599 => Some(("Internal server error", "api_error", None)),
            _ => None,
        },
        Errors::LlamaCpp if status == 503 => Some(("Loading model", "unavailable_error", None)),
        Errors::Gemini if status == 503 => {
            Some(("The model is overloaded. Please try again later.", "server_error", None))
        }
        Errors::OpenAi | Errors::Azure => match status {
            401 => Some((
                "Incorrect API key provided",
                "invalid_request_error",
                Some("invalid_api_key"),
            )),
            429 => {
                Some(("Rate limit reached for requests", "requests", Some("rate_limit_exceeded")))
            }
            500 => Some((
                "The server had an error while processing your request",
                "server_error",
                None,
            )),
            503 => Some(("The engine is currently overloaded", "server_error", None)),
            _ => None,
        },
        _ => None,
    };
    if let Some(words) = words {
        return words;
    }
    let (message, kind) = match status {
        400 => ("This question is refused", "invalid_request_error"),
        401 => ("Authentication Fails, Your api key: ****0000 is invalid", "authentication_error"),
        402 => ("Insufficient Balance", "unknown_error"),
        403 => ("Forbidden", "permission_error"),
        404 => ("Not Found", "invalid_request_error"),
        405 => ("Method Not Allowed", "invalid_request_error"),
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
    };
    (message, kind, None)
}

fn google_status(status: u16) -> &'static str {
    match status {
        400 | 422 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        500..=599 => "INTERNAL",
        _ => "UNKNOWN",
    }
}
