//! Spans and moments as services write them: in headers, in fields of JSON, in sentences.

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A number from here on is a moment in Unix milliseconds, one from the next on in Unix seconds,
/// and a smaller one a span.
pub(crate) const UNIX_MS_MIN: f64 = 1e11;
pub(crate) const UNIX_SECONDS_MIN: f64 = 1e9;

/// Returns how long it is until what a text begins with, which may be a span (in seconds where it
/// has no unit) or a moment. Without the time of now, in Unix milliseconds, a moment says nothing.
pub(crate) fn until(text: &str, now: Option<i64>) -> Option<Duration> {
    let text = text.trim_start();
    let from_now = |unix_ms: i64| {
        let ms = u64::try_from(unix_ms.saturating_sub(now?)).unwrap_or(0);
        Some(Duration::from_millis(ms))
    };
    if let Some(unix_ms) = moment(text) {
        return from_now(unix_ms);
    }
    if let Some(span) = span(text) {
        return Some(span);
    }
    let (number, rest) = number(text)?;
    // `3 attempts` and `3-5` are no seconds.
    let rest = rest.trim_start();
    if !rest.is_empty() && !rest.starts_with(['.', ',', ';', ')', '"', '\'', '}', ']', '!']) {
        return None;
    }
    match number {
        ms if ms >= UNIX_MS_MIN => from_now(ms as i64),
        seconds if seconds >= UNIX_SECONDS_MIN => from_now((seconds * 1000.0) as i64),
        seconds => Duration::try_from_secs_f64(seconds).ok(),
    }
}

/// Reads the span that a text begins with: `5s`, `5 seconds`, `2 minutes and 30 seconds`,
/// `1h16m0.6s`, `a minute`, `PT4S`, `00:00:04`.
pub(crate) fn span(text: &str) -> Option<Duration> {
    let lower = text.to_lowercase();
    let mut rest = lower.trim_start();
    if let Some(clock) = clock(rest) {
        return Some(clock);
    }
    rest = rest.strip_prefix("pt").unwrap_or(rest);
    let mut total = None;
    while let Some((number, after)) = number(rest).or_else(|| number_in_words(rest)) {
        let after = after.trim_start();
        let unit = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let Some(seconds) = seconds_of(&after[..unit]) else { break };
        let part = Duration::try_from_secs_f64(number * seconds).ok()?;
        total = Some(total.unwrap_or(Duration::ZERO).checked_add(part)?);
        // `second(s)`
        rest = after[unit..].trim_start_matches("(s)").trim_start_matches([' ', ',']);
        rest = rest.strip_prefix("and ").unwrap_or(rest);
    }
    total
}

/// Reads the number that a text begins with.
pub(crate) fn number(text: &str) -> Option<(f64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    // The full stop of a sentence is no part of it.
    let digits = text[..digits].trim_end_matches('.').len();
    Some((text[..digits].parse().ok()?, &text[digits..]))
}

fn number_in_words(text: &str) -> Option<(f64, &str)> {
    const WORDS: [(&str, f64); 14] = [
        ("a ", 1.0),
        ("an ", 1.0),
        ("one ", 1.0),
        ("two ", 2.0),
        ("three ", 3.0),
        ("four ", 4.0),
        ("five ", 5.0),
        ("six ", 6.0),
        ("seven ", 7.0),
        ("eight ", 8.0),
        ("nine ", 9.0),
        ("ten ", 10.0),
        ("thirty ", 30.0),
        ("sixty ", 60.0),
    ];
    WORDS.iter().find_map(|(word, number)| Some((*number, text.strip_prefix(word)?)))
}

/// `00:00:04`
fn clock(text: &str) -> Option<Duration> {
    let (hours, rest) = number(text)?;
    let (minutes, rest) = number(rest.strip_prefix(':')?)?;
    let (seconds, _) = number(rest.strip_prefix(':')?)?;
    Duration::try_from_secs_f64(hours * 3600.0 + minutes * 60.0 + seconds).ok()
}

fn seconds_of(unit: &str) -> Option<f64> {
    Some(match unit {
        "ms" | "msec" | "msecs" | "millis" | "millisecond" | "milliseconds" => 0.001,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86_400.0,
        _ => return None,
    })
}

/// Reads `1s`, `6m0s`, `20ms`, `7.66s`, `1h16m0.667s`, and nothing else.
pub(crate) fn go_duration(text: &str) -> Option<Duration> {
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

/// Reads the moment that a text begins with, in Unix milliseconds: a date of HTTP in any of its
/// three forms, or year, month and day in this order with a time behind them, of UTC where no zone
/// is named.
pub(crate) fn moment(text: &str) -> Option<i64> {
    moment_in(text, TimeZone::UTC)
}

/// Like [`moment`], of this time zone where none is named.
pub(crate) fn moment_in(text: &str, zone: TimeZone) -> Option<i64> {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return iso_moment(text, zone);
    }
    http_date(text)
}

/// The length of `2026-11-22 12:00:30`.
const DATE_AND_TIME: usize = 19;

fn iso_moment(text: &str, zone: TimeZone) -> Option<i64> {
    let date = text.get(..DATE_AND_TIME)?.replace(' ', "T").replace('/', "-").to_uppercase();
    let date: DateTime = date.parse().ok()?;
    let rest = &text[DATE_AND_TIME..];
    let (fraction, rest) = match rest.strip_prefix('.').and_then(number) {
        Some((_, after)) => (rest[..rest.len() - after.len()].parse().unwrap_or(0.0), after),
        None => (0.0, rest),
    };
    let rest = rest.trim_start();
    let offset = |rest: &str| {
        let sign = if rest.starts_with('-') { -1 } else { 1 };
        let digits: String = rest[1..].chars().filter(|c| *c != ':').take(4).collect();
        let number: i32 = digits.parse().ok()?;
        Some(sign * (number / 100 * 3600 + number % 100 * 60))
    };
    let zone = match rest.chars().next() {
        Some('+' | '-') => {
            let seconds = offset(rest)?;
            jiff::tz::Offset::from_seconds(seconds).ok()?.to_time_zone()
        }
        _ if ["z", "Z", "utc", "UTC", "gmt", "GMT"].iter().any(|utc| rest.starts_with(utc)) => {
            TimeZone::UTC
        }
        _ => zone,
    };
    let at = zone.to_timestamp(date).ok()?.as_millisecond();
    Some(at + (fraction * 1000.0) as i64)
}

fn http_date(text: &str) -> Option<i64> {
    // `Sun, 22 Nov 2026 12:00:00 GMT`, and the two older forms of the same moment.
    let end = text.find("GMT").map_or(text.len(), |at| at + 3);
    let date = &text[..end];
    if let Ok(zoned) = jiff::fmt::rfc2822::parse(date) {
        return Some(zoned.timestamp().as_millisecond());
    }
    let old = |format: &str| {
        let (time, _) = jiff::fmt::strtime::BrokenDownTime::parse_prefix(format, date).ok()?;
        Some(TimeZone::UTC.to_timestamp(time.to_datetime().ok()?).ok()?.as_millisecond())
    };
    old("%A, %d-%b-%y %H:%M:%S").or_else(|| old("%a %b %e %H:%M:%S %Y"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22 12:00:00 UTC.
    const NOW: i64 = 1_795_348_800_000;

    #[test]
    fn a_span_or_a_moment_is_read_in_every_way_of_writing_it() {
        for (text, ms) in [
            ("4", Some(4_000)),
            ("4.5", Some(4_500)),
            ("4s", Some(4_000)),
            ("4 s", Some(4_000)),
            ("4sec.", Some(4_000)),
            ("4 seconds before", Some(4_000)),
            ("4000ms", Some(4_000)),
            ("2m59.56s", Some(179_560)),
            ("1 minute and 30 seconds.", Some(90_000)),
            ("1 hour, 1 minute", Some(3_660_000)),
            ("26 second(s).", Some(26_000)),
            ("a minute", Some(60_000)),
            ("PT4S", Some(4_000)),
            ("00:00:04", Some(4_000)),
            ("1795348804", Some(4_000)),
            ("1795348804000", Some(4_000)),
            ("1795348804.5", Some(4_500)),
            ("2026-11-22T12:00:04Z", Some(4_000)),
            ("2026-11-22 12:00:04 UTC", Some(4_000)),
            ("2026-11-22T12:00:04.250Z", Some(4_250)),
            ("2026-11-22T20:00:04+08:00", Some(4_000)),
            ("2026/11/22 12:00:04", Some(4_000)),
            ("Sun, 22 Nov 2026 12:00:04 GMT", Some(4_000)),
            ("Sunday, 22-Nov-26 12:00:04 GMT", Some(4_000)),
            ("Sun Nov 22 12:00:04 2026", Some(4_000)),
            ("Sun, 22 Nov 2026 11:00:00 GMT", Some(0)),
            ("-4", None),
            ("3 attempts", None),
            ("3-5 seconds", None),
            ("inf", None),
            ("soon", None),
            ("", None),
        ] {
            let read = until(text, Some(NOW)).map(|span| span.as_millis());
            assert_eq!(read, ms, "{text}");
        }
        assert_eq!(until("1795348804", None), None);
    }
}
