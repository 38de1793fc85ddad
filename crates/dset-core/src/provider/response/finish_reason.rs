//! What the end of an answer says about the answer.

use crate::answer::{Answer, CUT, Cause, Failure, FailureClass, ParsedReply, Refusal};
use crate::provider::failure::error;
use crate::provider::reply::HttpReply;
use crate::provider::response::truncation::breaks_off;

/// What a reason to stop says about the answer before it.
enum Finish {
    Whole,
    Cut,
    Filtered,
    Broken,
}

/// Reads a finish reason: an open list, in any case, since gateways shout them, and by its stem,
/// since every service has words of its own for the same. Gemini puts its own word behind a colon,
/// and its libraries write the name of the type before it.
fn finish_of(reason: &str) -> (Finish, &str) {
    let lower = reason.to_ascii_lowercase();
    let word = lower.split(':').next().unwrap_or_default().trim();
    let word = word.rsplit('.').next().unwrap_or_default();
    let word = word.strip_prefix("finish_reason_").unwrap_or(word);
    let begins = |stems: &[&str]| stems.iter().any(|stem| word.starts_with(stem));
    let has = |stems: &[&str]| stems.iter().any(|stem| word.contains(stem));
    match word {
        // Ollama may leave it out of a whole answer.
        "" | "stop" | "end_turn" | "stop_sequence" | "eos" | "eos_token" | "completed" => {
            (Finish::Whole, "stop")
        }
        "sensitive" | "refusal" | "recitation" | "blocklist" | "spii" | "language" => {
            (Finish::Filtered, reason)
        }
        _ if begins(&["content_filter", "guardrail", "censor", "prohibited"])
            || has(&["safety", "toxic", "policy", "filtered"]) =>
        {
            (Finish::Filtered, reason)
        }
        "insufficient_system_resource"
        | "network_error"
        | "pause_turn"
        | "incomplete"
        | "not_finished"
        | "failed"
        | "interrupted"
        | "expired"
        | "preempted"
        | "out_of_memory"
        | "kv_cache_full" => (Finish::Broken, reason),
        _ if has(&["overloaded"]) || begins(&["malformed"]) => (Finish::Broken, reason),
        // A server that ends what repeats itself.
        _ if begins(&["repetition"]) => (Finish::Cut, CUT),
        _ if has(&["timeout", "rate_limit", "time_limit"]) => (Finish::Broken, reason),
        // Before what begins with an error: Cohere's `ERROR_LIMIT` is a limit of tokens.
        _ if has(&[
            "length",
            "limit",
            "context_window",
            "token_cap",
            "max_",
            "maxtoken",
            "maxlen",
        ]) || begins(&["max", "capped"]) =>
        {
            (Finish::Cut, CUT)
        }
        _ if has(&["abort", "cancel", "error"]) => (Finish::Broken, reason),
        // A word that was unknown when this was written: what came with it is kept.
        _ => (Finish::Whole, reason),
    }
}

/// Returns true if a reason to stop, or none, leaves an answer whole.
pub(crate) fn is_whole(reason: &str) -> bool {
    matches!(finish_of(reason).0, Finish::Whole)
}

/// Returns true if nobody knows a reason to stop: what came with it is taken for whole.
pub(crate) fn is_unknown(reason: &str) -> bool {
    matches!(finish_of(reason), (Finish::Whole, word) if word != "stop")
}

/// How an answer came to its end.
pub(crate) struct End<'a> {
    /// The service's reason to stop; empty where there is none.
    pub(crate) finish: &'a str,
    /// The model's reason not to answer; empty where there is none.
    pub(crate) refusal: &'a str,
    /// It has exactly as many tokens as it may have.
    pub(crate) is_at_limit: bool,
    /// Its reasoning was begun and never ended.
    pub(crate) is_open: bool,
    /// The calls of tools in it, in words.
    pub(crate) calls: &'a str,
    /// Something stood in its place that is no text: all of that, as it came.
    pub(crate) odd: Option<&'a str>,
}

/// Says whether an answer that came to its end may be kept.
pub(crate) fn classify_finish(reply: &HttpReply, mut answer: Answer, end: &End<'_>) -> ParsedReply {
    let (mut finish, reason) = finish_of(end.finish);
    answer.finish_reason = reason.to_owned();
    if matches!(finish, Finish::Whole) && end.is_at_limit {
        // Some servers say `stop` whatever it was that stopped them.
        match breaks_off(&answer.content) || answer.content.trim().is_empty() {
            true => finish = Finish::Cut,
            false => answer.at_token_limit = true,
        }
    }
    let blank = answer.content.trim().is_empty();
    // What the model got wrong in the place of an answer it may get wrong again and again.
    if blank && answer.finish_reason.to_ascii_lowercase().contains("malformed") {
        finish = Finish::Whole;
    }
    let failure = |class, cause, message, answer| {
        failed(reply, class, cause, message, Some(Box::new(answer)))
    };
    match finish {
        // What was written before a refusal is no answer.
        _ if !end.refusal.trim().is_empty() => failure(
            FailureClass::Refused(Refusal::Moderation),
            Cause::RefusedByModel,
            end.refusal.to_owned(),
            answer,
        ),
        Finish::Whole if !blank => ParsedReply::Answer(answer),
        Finish::Whole => {
            let (cause, message) = describe_missing_answer(&answer, end);
            failure(FailureClass::Empty, cause, message, answer)
        }
        Finish::Cut => {
            let but = match end.is_at_limit && reason == "stop" {
                true => ", though the service says that it is whole",
                false => "",
            };
            let message = match answer.usage.output {
                Some(tokens) => format!("the answer was cut after {tokens} tokens{but}"),
                None => "the answer was cut by the token limit".to_owned(),
            };
            failure(FailureClass::CutByLength, Cause::LengthLimit, message, answer)
        }
        Finish::Filtered => {
            let message = format!("the service ended the answer: {}", answer.finish_reason);
            failure(
                FailureClass::Refused(Refusal::Moderation),
                Cause::ContentFilter,
                message,
                answer,
            )
        }
        Finish::Broken => {
            let message = format!("the service broke off: {}", answer.finish_reason);
            failure(FailureClass::Transient, Cause::BrokenOff, message, answer)
        }
    }
}

/// Says what came in place of an answer.
fn describe_missing_answer(answer: &Answer, end: &End<'_>) -> (Cause, String) {
    let has_reasoning = !answer.reasoning.trim().is_empty();
    let counted = answer.usage.reasoning.filter(|tokens| *tokens > 0).or(answer.usage.output);
    let so_much = match counted {
        Some(1) => "1 token".to_owned(),
        Some(tokens) => format!("{tokens} tokens"),
        None => format!("{} characters", answer.reasoning.chars().count()),
    };
    if !end.calls.is_empty() {
        let call = end.calls.trim_end();
        return (Cause::ToolCall, format!("the model calls a tool instead of answering: {call}"));
    }
    if let Some(odd) = end.odd {
        return (Cause::NoText, format!("the answer is no text: {odd}"));
    }
    if end.is_open {
        let message = format!("{so_much} of reasoning that never ended and no answer");
        return (Cause::EndlessReasoning, message);
    }
    if has_reasoning {
        return (Cause::OnlyReasoning, format!("{so_much} of reasoning and no answer"));
    }
    (Cause::EmptyAnswer, "the model finished and wrote nothing".to_owned())
}

/// Returns a failure that is worth another try.
pub(crate) fn transient(
    reply: &HttpReply,
    cause: Cause,
    message: String,
    partial: Option<Box<Answer>>,
) -> ParsedReply {
    failed(reply, FailureClass::Transient, cause, message, partial)
}

/// Returns a failure that names no wait.
pub(crate) fn failed(
    reply: &HttpReply,
    class: FailureClass,
    cause: Cause,
    message: String,
    partial: Option<Box<Answer>>,
) -> ParsedReply {
    ParsedReply::Failure(Failure {
        class,
        cause,
        status: Some(reply.status),
        message: error::printable(&message),
        wait: None,
        request_id: error::request_id(reply),
        partial,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_nobody_knows_is_no_known_end() {
        for (reason, expected) in [
            ("banana", true),
            ("tool_calls", true),
            ("", false),
            ("STOP", false),
            ("end_turn", false),
            ("length", false),
            ("content_filter", false),
            ("error", false),
        ] {
            assert_eq!(is_unknown(reason), expected, "{reason}");
        }
    }
}
