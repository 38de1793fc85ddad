//! How long a service wants to be left alone, in each of the ways services say it.

use std::time::Duration;

use serde_json::Value;

use crate::reply::HttpReply;

/// A quota of the day with no word about when it is refilled.
const A_DAY: Duration = Duration::from_secs(24 * 3600);

/// Reads the wait from the headers, then the body, then the message.
pub(super) fn wait(reply: &HttpReply, error: Option<&Value>, message: &str) -> Option<Duration> {
    let named = from_headers(reply)
        .or_else(|| error.and_then(from_details))
        .or_else(|| from_message(message));
    if is_daily(error, message) {
        // "Try again in 34 s" does not refill a quota of the day; a wait of minutes may.
        return Some(named.filter(|wait| wait.as_secs() > 60).unwrap_or(A_DAY));
    }
    named
}

fn from_headers(reply: &HttpReply) -> Option<Duration> {
    let ms = reply.header("retry-after-ms").and_then(|text| text.trim().parse::<f64>().ok());
    if let Some(wait) = ms.and_then(|ms| Duration::try_from_secs_f64(ms / 1000.0).ok()) {
        return Some(wait);
    }
    let header = ["retry-after", "llm_provider-retry-after"]
        .into_iter()
        .find_map(|name| reply.header(name))?
        .trim();
    if let Ok(seconds) = header.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    span(header).or_else(|| {
        // A date; there is no clock here, but the reply says when it was sent or came.
        let read = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|at| at.timestamp());
        let (until, sent) = (read(header)?, read(reply.header("date")?)?);
        let seconds = until.as_second().saturating_sub(sent.as_second());
        Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
    })
}

/// Google's `RetryInfo`.
fn from_details(error: &Value) -> Option<Duration> {
    let details = error.get("details")?.as_array()?;
    details.iter().find_map(|detail| go_duration(detail.get("retryDelay")?.as_str()?))
}

/// `Please try again in 19.873s`, in OpenAI's and Groq's words, `Please retry after 26 seconds` in
/// Azure's, `Please retry in 5.2s` in Google's.
fn from_message(message: &str) -> Option<Duration> {
    const WORDS: [&str; 4] = ["try again in ", "try again after ", "retry after ", "retry in "];
    let message = message.to_lowercase();
    WORDS.iter().find_map(|words| span(message.split_once(words)?.1))
}

/// Reads the span that a text begins with: `5s`, `5 seconds`, `2 minutes and 30 seconds`.
fn span(text: &str) -> Option<Duration> {
    let mut words = text.split_whitespace().map(|word| word.trim_end_matches(['.', ',', ';', ')']));
    let mut total = None;
    while let Some(word) = words.next() {
        let part = match word.parse::<f64>() {
            _ if word == "and" && total.is_some() => continue,
            Ok(number) => words
                .next()
                .and_then(seconds_of)
                .and_then(|seconds| Duration::try_from_secs_f64(number * seconds).ok()),
            Err(_) => go_duration(word),
        };
        let Some(part) = part else { break };
        total = Some(total.unwrap_or(Duration::ZERO).checked_add(part)?);
    }
    total
}

fn seconds_of(unit: &str) -> Option<f64> {
    // `second(s)`
    Some(match unit.split('(').next().unwrap_or_default() {
        "ms" | "millisecond" | "milliseconds" => 0.001,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86_400.0,
        _ => return None,
    })
}

/// Reads `1s`, `6m0s`, `20ms`, `7.66s`, `1h16m0.667s`.
pub(super) fn go_duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let tail = &rest[digits..];
        let (seconds, unit) = [("ms", 0.001), ("h", 3600.0), ("m", 60.0), ("s", 1.0)]
            .into_iter()
            .find(|(unit, _)| tail.starts_with(unit))
            .map(|(unit, seconds)| (seconds, unit))?;
        total = total.checked_add(Duration::try_from_secs_f64(number * seconds).ok()?)?;
        rest = &tail[unit.len()..];
    }
    (!text.is_empty()).then_some(total)
}

fn is_daily(error: Option<&Value>, message: &str) -> bool {
    let quota = |error: &Value| {
        let details = error.get("details").and_then(Value::as_array);
        details.into_iter().flatten().any(|detail| {
            let violations = detail.get("violations").and_then(Value::as_array);
            violations.into_iter().flatten().any(|violation| {
                violation
                    .get("quotaId")
                    .and_then(Value::as_str)
                    .is_some_and(|id| id.contains("PerDay"))
            })
        })
    };
    error.is_some_and(quota) || message.contains("per day")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(headers: &[(&str, &str)]) -> HttpReply {
        let headers = headers.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect();
        HttpReply { status: 429, headers, body: Vec::new() }
    }

    #[test]
    fn a_wait_is_read_from_every_header_that_says_it() {
        let date = "Sun, 22 Nov 2026 12:00:00 GMT";
        for (headers, ms) in [
            (vec![("retry-after", "20"), ("retry-after-ms", "19873")], Some(19_873)),
            (vec![("retry-after", "1.5")], Some(1_500)),
            (vec![("llm_provider-retry-after", "3")], Some(3_000)),
            (vec![("retry-after", "Sun, 22 Nov 2026 12:01:30 GMT"), ("date", date)], Some(90_000)),
            (vec![("retry-after", "Sun, 22 Nov 2026 12:01:30 GMT")], None),
            (vec![("retry-after", "5s")], Some(5_000)),
            (vec![("retry-after", "5 seconds")], Some(5_000)),
            (vec![("retry-after", "-5")], None),
            (vec![("retry-after", "-5s")], None),
            (vec![("retry-after", "inf")], None),
            (vec![("retry-after", "soon")], None),
            (vec![], None),
        ] {
            let read = wait(&reply(&headers), None, "").map(|wait| wait.as_millis());
            assert_eq!(read, ms, "{headers:?}");
        }
    }

    #[test]
    fn a_wait_in_words_is_read_and_a_quota_of_the_day_is_not_waited_for_in_seconds() {
        let read = |message| wait(&reply(&[]), None, message).map(|wait| wait.as_secs_f64());
        assert_eq!(read("Please try again in 19.873s. Visit"), Some(19.873));
        assert_eq!(read("Please try again in 2m59.56s."), Some(179.56));
        assert_eq!(
            read("requests per day (RPD): Limit 1. Please try again in 7.2s"),
            Some(86_400.0)
        );
        for (message, seconds) in [
            ("Please try again in 5 seconds.", Some(5.0)),
            ("Try again in 500 milliseconds", Some(0.5)),
            ("Please retry after 2 minutes (id 7)", Some(120.0)),
            ("Retry after 1 minute and 30 seconds.", Some(90.0)),
            ("please wait and try again after 26 second(s).", Some(26.0)),
            ("Please retry in 5.2s. Thank you", Some(5.2)),
            ("please retry after 1 hour, or 3 times", Some(3_600.0)),
            ("Please retry after 3 attempts", None),
            ("try again in a while", None),
            ("try again in 1e300 hours", None),
            ("try again in NaN seconds", None),
            ("slow down", None),
        ] {
            assert_eq!(read(message), seconds, "{message}");
        }
    }
}
