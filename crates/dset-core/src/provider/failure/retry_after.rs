//! How long a service wants to be left alone, in each of the ways services say it.

use std::time::Duration;

use jiff::tz::{Offset, TimeZone};

use super::error::ErrorTexts;
use super::rate_limits::refused_for;
use crate::provider::failure::duration::{moment, moment_in, number, span, until};
use crate::provider::reply::HttpReply;

/// No service wants to be left alone for longer; who says so has miscounted.
const WAIT_MAX: Duration = Duration::from_secs(366 * 24 * 3600);
/// A quota of the day with no word about when it is refilled.
const A_DAY: Duration = Duration::from_secs(24 * 3600);

/// Reads the wait from the headers, then from the fields of the body, then from its words. These
/// are only heard where they are about a limit: elsewhere they may be the question's.
pub(crate) fn wait(reply: &HttpReply, said: &ErrorTexts, with_words: bool) -> Option<Duration> {
    let now = sent_at(reply);
    let used_up = || with_words.then(|| refused_for(&reply.headers, now?))?;
    let in_headers = from_headers(reply, now);
    let named =
        in_headers.or_else(used_up).or_else(|| from_fields(&said.json, now)).or_else(|| {
            let from_words = |text: &String| from_words(text, now);
            with_words.then(|| said.texts.iter().filter_map(from_words).max())?
        });
    if with_words && in_headers.is_none() && is_daily(said) {
        // "Try again in 34 s" does not refill a quota of the day; a wait of minutes may, and what a
        // header asks for: OpenAI's come back one by one.
        return Some(named.filter(|wait| wait.as_secs() > 60).unwrap_or(A_DAY));
    }
    named
}

/// There is no clock here, but the reply says when it was sent or came.
fn sent_at(reply: &HttpReply) -> Option<i64> {
    moment(reply.header("date")?)
}

fn from_headers(reply: &HttpReply, now: Option<i64>) -> Option<Duration> {
    let values = |wanted: Kind| {
        let own = reply.headers.iter().filter(move |(name, _)| kind(name) == Some(wanted));
        own.filter_map(move |(_, value)| one_or_several(value, now, wanted)).max()
    };
    // Those with milliseconds are the more exact ones.
    values(Kind::Milliseconds).or_else(|| values(Kind::Span))
}

/// What a header or a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Milliseconds,
    /// In seconds where it has no unit, or a moment: `Retry-After` is written with both.
    Span,
    /// When a limit is over, or for how long it is not.
    Reset,
}

/// How names end that hold a wait, without what is between their words: HTTP's `Retry-After` and
/// what proxies make of it, Google's `retryDelay`, Hugging Face's `estimated_time` while a model is
/// loaded, names of gateways; the unit may stand behind
/// them.
const SPANS: [&str; 13] = [
    "retryafter",
    "retrydelay",
    "retryin",
    "retrywait",
    "waittime",
    "waitfor",
    "cooldown",
    "resetafter",
    "resetsafter",
    "resetin",
    "resetsin",
    "untilreset",
    "estimatedtime",
];
/// How names end that hold the moment at which a limit is over.
const RESETS: [&str; 6] =
    ["ratelimitreset", "resetat", "resetsat", "resettime", "retryat", "nextreset"];
const SECONDS: [&str; 4] = ["seconds", "inseconds", "secs", "sec"];
const MILLISECONDS: [&str; 4] = ["milliseconds", "inms", "millis", "ms"];

/// Tells what a header or a field of this name (in lower case) holds, if it is a wait.
fn kind(name: &str) -> Option<Kind> {
    if !["retry", "wait", "cooldown", "reset", "estimated"].iter().any(|stem| name.contains(stem)) {
        return None;
    }
    let name = name.strip_suffix("_s").unwrap_or(name);
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let is_span = |name: &str| name == "wait" || SPANS.iter().any(|end| name.ends_with(end));
    let has_unit =
        |units: &[&str]| units.iter().any(|unit| name.strip_suffix(unit).is_some_and(is_span));
    if is_span(&name) || has_unit(&SECONDS) {
        return Some(Kind::Span);
    }
    if has_unit(&MILLISECONDS) {
        return Some(Kind::Milliseconds);
    }
    let is_reset = name == "reset" || RESETS.iter().any(|end| name.ends_with(end));
    is_reset.then_some(Kind::Reset)
}

/// Reads a value of this kind.
fn value(text: &str, now: Option<i64>, kind: Kind) -> Option<Duration> {
    let wait = until(text, now)?;
    // A unit of its own counts for more than the name.
    let wait = match kind == Kind::Milliseconds && span(text).is_none() {
        true => wait / 1000,
        false => wait,
    };
    Some(wait).filter(|wait| *wait <= WAIT_MAX)
}

/// Reads the value of a header, or the longest of several in one: proxies join repeated headers
/// with commas, which dates have as well.
fn one_or_several(text: &str, now: Option<i64>, kind: Kind) -> Option<Duration> {
    let dates = text.split_inclusive("GMT").map(|date| date.trim_start_matches([',', ' ']));
    let parts = text.split(',');
    dates.chain(parts).filter_map(|part| value(part.trim().trim_matches('"'), now, kind)).max()
}

/// Finds the wait in the fields of a body, given as JSON in lower case. They are looked for as
/// text, because they may be anywhere: in details, in headers that a proxy copied, in the reply of
/// the provider behind it, as JSON in a string in JSON. A wait that is asked for outranks a moment.
fn from_fields(json: &str, now: Option<i64>) -> Option<Duration> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let mut waits = [None, None];
    let mut rest = json;
    while let Some(from) = rest.find(is_of_name) {
        let to = rest[from..].find(|c| !is_of_name(c)).map_or(rest.len(), |length| from + length);
        let (name, behind) = (&rest[from..to], &rest[to..]);
        rest = behind;
        let Some(kind) = kind(name) else { continue };
        let wait = value_behind(behind).and_then(|text| value(text, now, kind));
        let known = &mut waits[usize::from(kind == Kind::Reset)];
        *known = wait.max(*known);
    }
    let [asked, reset] = waits;
    asked.or(reset)
}

/// Returns the value behind the name of a field.
fn value_behind(rest: &str) -> Option<&str> {
    let value = rest.trim_start_matches(['"', '\\', '\'']).trim_start();
    let value = value.strip_prefix([':', '='])?;
    let marks = |c: char| c.is_whitespace() || "\"\\'{[(".contains(c);
    let mut value = value.trim_start_matches(marks);
    // `{"seconds": 4, "nanos": 0}`
    if let Some(seconds) = value.strip_prefix("seconds") {
        value = seconds.trim_start_matches(|c: char| marks(c) || c == ':');
    }
    let end = value.find(['"', '\\', '}', '\'']).unwrap_or(value.len());
    let value = &value[..end];
    // Of a number the next field is no part.
    let first = value.split(',').next().unwrap_or_default();
    Some(if first.parse::<f64>().is_ok() { first } else { value })
}

/// Words before a span, in lower case: OpenAI's and Groq's `Please try again in 19.873s`, Azure's
/// `Please retry after 26 seconds`, Google's `Please retry in 5.2s`.
const BEFORE_SPANS: [&str; 19] = [
    "again in",
    "again after",
    "again later in",
    "request in",
    "retry after",
    "retry-after",
    "retry in",
    "wait",
    "available in",
    "allowed in",
    "reset in",
    "resets in",
    "reset after",
    "resets after",
    "off for",
    "cool down",
    "cooldown",
    "sleep",
    "pause",
];
/// Words behind a span.
const BEHIND_SPANS: [&str; 3] = ["later", "from now", "before retrying"];
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
/// A span before words is no longer than this: `1 minute and 30 seconds`.
const SPAN_BYTES_MAX: usize = 24;
/// Words that may be between.
const FILLERS: [&str; 8] =
    ["for ", "about ", "approximately ", "at least ", "another ", "up to ", "around ", "~"];

fn from_words(text: &str, now: Option<i64>) -> Option<Duration> {
    let lower = text.to_lowercase();
    let behind = |words: &str| {
        let (_, rest) = lower.split_once(words)?;
        if rest.starts_with(char::is_alphanumeric) {
            return None;
        }
        let mut rest = rest.trim_start_matches([':', ' ']);
        while let Some(after) = FILLERS.iter().find_map(|filler| rest.strip_prefix(filler)) {
            rest = after;
        }
        Some(rest)
    };
    let before = |words: &&str| {
        let text = lower[..lower.find(*words)?].trim_end();
        let starts = text.rmatch_indices(|c: char| c.is_ascii_digit()).map(|(at, _)| at);
        let own = starts.take_while(|at| text.len() - at <= SPAN_BYTES_MAX);
        own.filter_map(|at| span(&text[at..])).last()
    };
    let at = |words: &&str| {
        let unix_ms = moment(&behind(words)?.to_uppercase())?;
        let ms = u64::try_from(unix_ms.saturating_sub(now?)).unwrap_or(0);
        Some(Duration::from_millis(ms))
    };
    let spans = BEFORE_SPANS.iter().filter_map(|words| until(behind(words)?, now));
    let spans = spans.chain(BEHIND_SPANS.iter().filter_map(before));
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
        let before = before.trim_end_matches([' ', '约', '大', '至', '少', '待', '候', '：', ':']);
        let is_wait = ["后", "之后", "以后", "再"].iter().any(|word| rest.starts_with(word))
            || ["等", "等待时间", "间隔", "休息"].iter().any(|word| before.ends_with(word));
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

/// Words of a shorter limit: where both are stated, either may be the one that is used up.
const SHORTER: [&str; 4] = ["per minute", "per-minute", "per second", "per-second"];
/// Google's names of the quotas that are used up.
const USED_UP_DAILY: &str = "perday";

fn is_daily(said: &ErrorTexts) -> bool {
    let says = |list: &[&str]| list.iter().any(|words| said.json.contains(words));
    says(&DAILY) && (!says(&SHORTER) || said.json.contains(USED_UP_DAILY))
}
