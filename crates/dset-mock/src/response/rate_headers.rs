//! Headers that tell what is left of a limit.

use std::time::{Duration, SystemTime};

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue, RETRY_AFTER};

use crate::dialect::{RateHeaders, Waits};
use crate::limit::RemainingLimits;

/// The limit, what remains of it, and when all of it is there again.
type Names = [HeaderName; 3];

const OPENAI_REQUESTS: Names = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
const OPENAI_TOKENS: Names = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];
const ANTHROPIC_REQUESTS: Names = [
    HeaderName::from_static("anthropic-ratelimit-requests-limit"),
    HeaderName::from_static("anthropic-ratelimit-requests-remaining"),
    HeaderName::from_static("anthropic-ratelimit-requests-reset"),
];
const ANTHROPIC_TOKENS: Names = [
    HeaderName::from_static("anthropic-ratelimit-tokens-limit"),
    HeaderName::from_static("anthropic-ratelimit-tokens-remaining"),
    HeaderName::from_static("anthropic-ratelimit-tokens-reset"),
];
const TOGETHER_REQUESTS: Names = [
    HeaderName::from_static("x-ratelimit-limit"),
    HeaderName::from_static("x-ratelimit-remaining"),
    HeaderName::from_static("x-ratelimit-reset"),
];
const TOGETHER_TOKENS: Names = [
    HeaderName::from_static("x-tokenlimit-limit"),
    HeaderName::from_static("x-tokenlimit-remaining"),
    HeaderName::from_static("x-tokenlimit-reset"),
];
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// Tells what is left of the limits per minute.
pub(crate) fn add_rate_headers(
    headers: &mut HeaderMap,
    rooms: &RemainingLimits,
    style: RateHeaders,
) {
    let (requests, tokens) = match style {
        RateHeaders::OpenAi => (OPENAI_REQUESTS, OPENAI_TOKENS),
        RateHeaders::Anthropic => (ANTHROPIC_REQUESTS, ANTHROPIC_TOKENS),
        RateHeaders::Together => (TOGETHER_REQUESTS, TOGETHER_TOKENS),
    };
    for (room, [limit, remaining, reset]) in [(rooms.requests, requests), (rooms.tokens, tokens)] {
        let Some(room) = room else { continue };
        headers.insert(limit, HeaderValue::from(room.limit));
        headers.insert(remaining, HeaderValue::from(room.remaining));
        let text = match style {
            RateHeaders::OpenAi => go_duration(room.reset),
            RateHeaders::Anthropic => rfc3339(SystemTime::now() + room.reset),
            RateHeaders::Together => room.reset.as_secs_f64().ceil().to_string(),
        };
        if let Ok(text) = HeaderValue::from_str(&text) {
            // A 429 of Together's may have set its wait here.
            headers.entry(reset).or_insert(text);
        }
    }
}

/// Asks for a wait, in whole seconds.
pub(crate) fn add_wait_headers(headers: &mut HeaderMap, wait: Duration, waits: Waits) {
    let seconds = HeaderValue::from(wait.as_secs_f64().ceil() as u64);
    match waits {
        Waits::Body => {}
        Waits::Reset => {
            let [_, _, reset] = TOGETHER_REQUESTS;
            headers.insert(reset, seconds);
        }
        Waits::RetryAfter => {
            headers.insert(RETRY_AFTER, seconds);
        }
        Waits::Milliseconds => {
            headers.insert(RETRY_AFTER, seconds);
            headers.insert(RETRY_AFTER_MS, HeaderValue::from(wait.as_millis() as u64));
        }
    }
}

/// Writes a time in whole seconds of UTC.
fn rfc3339(at: SystemTime) -> String {
    let at = jiff::Timestamp::try_from(at).unwrap_or(jiff::Timestamp::MAX);
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Writes a duration as Go prints it: `0s`, `20ms`, `7.66s`, `2m59.56s`, `1h16m0.667s`.
pub(crate) fn go_duration(duration: Duration) -> String {
    let ms = duration.as_micros().div_ceil(1000);
    if ms < 1000 && ms > 0 {
        return format!("{ms}ms");
    }
    let (minutes, ms) = (ms / 60_000, ms % 60_000);
    let seconds = ms as f64 / 1000.0;
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_go_prints_them() {
        for (ms, text) in [
            (0, "0s"),
            (20, "20ms"),
            (1_000, "1s"),
            (7_660, "7.66s"),
            (60_000, "1m0s"),
            (179_560, "2m59.56s"),
            (4_560_667, "1h16m0.667s"),
        ] {
            assert_eq!(go_duration(Duration::from_millis(ms)), text);
        }
    }
}
