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
    match header.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        // A date; there is no clock here, but the reply says when it was sent.
        Err(_) => {
            let read = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|at| at.timestamp());
            let (until, sent) = (read(header)?, read(reply.header("date")?)?);
            let seconds = until.as_second().saturating_sub(sent.as_second());
            Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
        }
    }
}

/// Google's `RetryInfo`.
fn from_details(error: &Value) -> Option<Duration> {
    let details = error.get("details")?.as_array()?;
    details.iter().find_map(|detail| go_duration(detail.get("retryDelay")?.as_str()?))
}

/// `Please try again in 19.873s`, in OpenAI's and Groq's words.
fn from_message(message: &str) -> Option<Duration> {
    let after = message.split_once("try again in ")?.1;
    go_duration(after.split_whitespace().next()?.trim_end_matches(['.', ',']))
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
            (vec![("retry-after", "-5")], None),
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
        assert_eq!(read("slow down"), None);
    }
}
