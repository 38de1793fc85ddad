//! How long a service wants to be left alone, in each of the ways services say it.

use std::time::Duration;

use jiff::tz::{Offset, TimeZone};

use super::error::Said;
use super::rate_limits::refused_for;
use super::span::{moment, moment_in, number, span, until};
use crate::reply::HttpReply;

/// A quota of the day with no word about when it is refilled.
const A_DAY: Duration = Duration::from_secs(24 * 3600);

/// Headers with milliseconds, which are more exact than those with seconds, …
const HEADERS_MS: [&str; 4] =
    ["retry-after-ms", "x-ms-retry-after-ms", "x-retry-after-ms", "llm_provider-retry-after-ms"];
/// … and with seconds, spans or moments: HTTP's own, and what proxies and gateways name in its place.
const HEADERS: [&str; 6] = [
    "retry-after",
    "x-retry-after",
    "llm_provider-retry-after",
    "x-ratelimit-retry-after",
    "ratelimit-retry-after",
    "x-ratelimit-reset-after",
];

/// Reads the wait from the headers, then from the fields of the body, then from its words. These are
/// only heard where they are about a limit: elsewhere they may be the question's.
pub(super) fn wait(reply: &HttpReply, said: &Said, with_words: bool) -> Option<Duration> {
    let now = sent_at(reply);
    let used_up = || with_words.then(|| refused_for(&reply.headers, now?))?;
    let named = from_headers(reply, now)
        .or_else(used_up)
        .or_else(|| from_fields(&said.json, now))
        .or_else(|| {
            let from_words = |text: &String| from_words(text, now);
            with_words.then(|| said.texts.iter().filter_map(from_words).max())?
        });
    if with_words && is_daily(said) {
        // "Try again in 34 s" does not refill a quota of the day; a wait of minutes may.
        return Some(named.filter(|wait| wait.as_secs() > 60).unwrap_or(A_DAY));
    }
    named
}

/// There is no clock here, but the reply says when it was sent or came.
fn sent_at(reply: &HttpReply) -> Option<i64> {
    moment(reply.header("date")?)
}

fn from_headers(reply: &HttpReply, now: Option<i64>) -> Option<Duration> {
    let values = |named: &[&str], read: fn(&str, Option<i64>) -> Option<Duration>| {
        let own = reply.headers.iter().filter(|(name, _)| named.contains(&name.as_str()));
        own.filter_map(|(_, value)| read(value, now)).max()
    };
    values(&HEADERS_MS, in_milliseconds).or_else(|| values(&HEADERS, one_or_several))
}

fn in_milliseconds(value: &str, _: Option<i64>) -> Option<Duration> {
    let longest =
        value.split(',').filter_map(|ms| ms.trim().parse::<f64>().ok()).reduce(f64::max)?;
    Duration::try_from_secs_f64(longest / 1000.0).ok()
}

/// Reads the value of a header, or the longest of several in one: proxies join what they are told
/// with commas, which dates have as well.
fn one_or_several(value: &str, now: Option<i64>) -> Option<Duration> {
    let dates = value.split_inclusive("GMT").map(|date| date.trim_start_matches([',', ' ']));
    let parts = value.split(',');
    dates.chain(parts).filter_map(|part| until(part.trim(), now)).max()
}

/// Fields of bodies that hold a span, in seconds where they have no unit, or a moment; and how many
/// seconds a unit of theirs is. Google's `RetryInfo`, OpenRouter's metadata, many gateways.
const FIELDS: [(&str, f64); 16] = [
    ("retrydelay", 1.0),
    ("retry_delay", 1.0),
    ("retry-after", 1.0),
    ("retry_after", 1.0),
    ("retryafter", 1.0),
    ("retry_after_seconds", 1.0),
    ("retryafterseconds", 1.0),
    ("retry_after_ms", 0.001),
    ("retry-after-ms", 0.001),
    ("retryafterms", 0.001),
    ("retry_in", 1.0),
    ("retry_in_seconds", 1.0),
    ("wait_seconds", 1.0),
    ("resets_in_seconds", 1.0),
    ("reset_in_seconds", 1.0),
    ("reset_after", 1.0),
];
/// Fields with the moment at which a limit is over, which a wait that is asked for outranks.
const RESETS: [&str; 8] = [
    "x-ratelimit-reset",
    "ratelimit-reset",
    "x-rate-limit-reset",
    "reset_at",
    "resets_at",
    "resetat",
    "resetsat",
    "reset_time",
];

/// Finds the wait in the fields of a body, given as JSON in lower case. They are looked for as text,
/// because they may be anywhere: in details, in headers that a proxy copied, in the reply of the
/// provider behind it, as JSON in a string in JSON.
fn from_fields(json: &str, now: Option<i64>) -> Option<Duration> {
    let spans = FIELDS.iter().flat_map(|(name, seconds)| {
        values_of(json, name).filter_map(move |value| {
            let wait = until(value, now)?;
            // A unit of its own counts for more than the field's name.
            let has_unit = span(value).is_some();
            let scale = if has_unit { 1.0 } else { *seconds };
            Duration::try_from_secs_f64(wait.as_secs_f64() * scale).ok()
        })
    });
    let resets = || RESETS.iter().flat_map(|name| values_of(json, name));
    spans.max().or_else(|| resets().filter_map(|value| until(value, now)).max())
}

/// Returns what stands behind each field of this name.
fn values_of<'a>(json: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    json.match_indices(name).filter_map(move |(at, found)| {
        let rest = &json[at + found.len()..];
        if json[..at].ends_with(is_name) || rest.starts_with(is_name) {
            return None;
        }
        let mut value = rest.trim_start_matches(['"', '\\', '\'']).trim_start();
        value = value.strip_prefix([':', '='])?;
        let marks = |c: char| c.is_whitespace() || "\"\\'{[(".contains(c);
        value = value.trim_start_matches(marks);
        // `{"seconds": 4, "nanos": 0}`
        if let Some(seconds) = value.strip_prefix("seconds") {
            value = seconds.trim_start_matches(|c: char| marks(c) || c == ':');
        }
        let end = value.find(['"', '\\', '}', '\'']).unwrap_or(value.len());
        let value = &value[..end];
        // Of a number the next field is no part.
        Some(value.split_once(", ").or(value.split_once(',')).map_or(value, |(first, rest)| {
            if first.parse::<f64>().is_ok() || rest.is_empty() { first } else { value }
        }))
    })
}

/// Words before a span, in lower case: OpenAI's and Groq's `Please try again in 19.873s`, Azure's
/// `Please retry after 26 seconds`, Google's `Please retry in 5.2s`.
const BEFORE_SPANS: [&str; 14] = [
    "again in ",
    "again after ",
    "retry after ",
    "retry in ",
    "wait ",
    "wait for ",
    "available in ",
    "allowed in ",
    "reset in ",
    "resets in ",
    "reset after ",
    "resets after ",
    "off for ",
    "cooldown: ",
];
/// Words before a moment.
const BEFORE_MOMENTS: [&str; 9] = [
    "resets at",
    "reset at",
    "resets on",
    "reset on",
    "again at",
    "again after",
    "retry at",
    "retry after",
    "available at",
];
/// Words that may be between.
const FILLERS: [&str; 8] =
    ["for ", "about ", "approximately ", "at least ", "another ", "up to ", "around ", "~"];

fn from_words(text: &str, now: Option<i64>) -> Option<Duration> {
    let lower = text.to_lowercase();
    let behind = |words: &str| {
        let (_, mut rest) = lower.split_once(words)?;
        while let Some(after) = FILLERS.iter().find_map(|filler| rest.strip_prefix(filler)) {
            rest = after;
        }
        Some(rest.trim_start_matches([':', ' ']))
    };
    let at = |words: &&str| {
        let unix_ms = moment(&behind(words)?.to_uppercase())?;
        let ms = u64::try_from(unix_ms.saturating_sub(now?)).unwrap_or(0);
        Some(Duration::from_millis(ms))
    };
    let spans = BEFORE_SPANS.iter().filter_map(|words| until(behind(words)?, now));
    spans.chain(BEFORE_MOMENTS.iter().filter_map(at)).max().or_else(|| from_chinese(text, now))
}

const UNITS_ZH: [(&str, f64); 8] = [
    ("毫秒", 0.001),
    ("秒", 1.0),
    ("s", 1.0),
    ("分钟", 60.0),
    ("分", 60.0),
    ("个小时", 3600.0),
    ("小时", 3600.0),
    ("天", 86_400.0),
];
const DIGITS_ZH: [(&str, f64); 12] = [
    ("一", 1.0),
    ("两", 2.0),
    ("二", 2.0),
    ("三", 3.0),
    ("四", 4.0),
    ("五", 5.0),
    ("六", 6.0),
    ("七", 7.0),
    ("八", 8.0),
    ("九", 9.0),
    ("十", 10.0),
    ("半", 0.5),
];

/// `请在 4 秒后重试`, `请等待4秒`, `您的限额将在 2026-11-22 20:00:00 重置`. A number of seconds that is
/// neither waited for nor after which something comes is how a limit is worded.
fn from_chinese(text: &str, now: Option<i64>) -> Option<Duration> {
    let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let spans = starts.iter().filter_map(|&at| {
        let (before, rest) = text.split_at(at);
        // Not in the middle of a number.
        if before.ends_with(|c: char| c.is_ascii_digit() || c == '.') {
            return None;
        }
        let in_words =
            || DIGITS_ZH.iter().find_map(|(digit, n)| Some((*n, rest.strip_prefix(digit)?)));
        let (count, rest) = number(rest).or_else(in_words)?;
        let rest = rest.trim_start();
        let unit = |(unit, seconds): &(&str, f64)| Some((*seconds, rest.strip_prefix(unit)?));
        let (seconds, rest) = UNITS_ZH.iter().find_map(unit)?;
        let rest = rest.trim_start_matches('钟').trim_start();
        let before = before.trim_end_matches([' ', '约', '大', '至', '少', '待', '候']);
        let is_wait =
            ["后", "之后", "以后", "再试", "再重试"].iter().any(|word| rest.starts_with(word))
                || before.ends_with('等');
        let wait = Duration::try_from_secs_f64(count * seconds).ok();
        wait.filter(|_| is_wait)
    });
    spans.max().or_else(|| {
        let is_reset = ["重置", "恢复", "后重试", "解除"].iter().any(|word| text.contains(word));
        let beijing = || TimeZone::fixed(Offset::constant(8));
        let unix_ms = starts.iter().find_map(|&at| moment_in(&text[at..], beijing()))?;
        let ms = u64::try_from(unix_ms.saturating_sub(now?)).unwrap_or(0);
        is_reset.then_some(Duration::from_millis(ms))
    })
}

/// Words of a limit of the day or longer.
const DAILY: [&str; 11] = [
    "perday",
    "per day",
    "per-day",
    "daily limit",
    "daily quota",
    "daily request",
    "daily token",
    "daily free",
    "per month",
    "今日调用次数",
    "每日",
];

fn is_daily(said: &Said) -> bool {
    DAILY.iter().any(|words| said.json.contains(words))
}
