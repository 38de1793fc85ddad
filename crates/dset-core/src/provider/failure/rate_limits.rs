//! The limits that services state in the headers of their replies, in each of their ways.

use std::time::Duration;

use crate::provider::failure::duration::{UNIX_MS_MIN, UNIX_SECONDS_MIN, go_duration, moment};

/// What a reply's headers say about limits; what they do not say is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// Of asks, in a minute unless the reset is further away.
    pub asks: Option<Quota>,
    /// Of tokens, in and out together.
    pub tokens: Option<Quota>,
}

/// One limit: how much of something in a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quota {
    /// How much in all; more than 0.
    pub limit: Option<u64>,
    /// How much was left when the reply was made.
    pub remaining: Option<u64>,
    /// How long until all of it is back.
    pub reset: Option<Duration>,
}

impl RateLimits {
    /// Returns true if nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.asks.is_none() && self.tokens.is_none()
    }
}

/// What a header's limit is of, in the order of the services' precedence.
const ASKS: usize = 0;
const TOKENS: usize = 1;
const TOKENS_IN: usize = 2;
const TOKENS_OUT: usize = 3;
const UNNAMED: usize = 4;

/// Reads the limits that a reply's headers state; names in lower case.
///
/// `now_unix_ms` is wanted because some services state the moment of the reset. Where tokens in and
/// out are limited apart, their sum is taken with the share that remains of the scarcer: the answer
/// to an ask tells only their sum.
#[must_use]
pub fn rate_limits(headers: &[(String, String)], now_unix_ms: i64) -> RateLimits {
    let mut found = [None::<Quota>; 5];
    for (name, value) in headers {
        if let Some((of, field)) = meaning(name) {
            let quota = found[of].get_or_insert_default();
            match field {
                Field::Limit => quota.limit = number(value).filter(|&limit| limit > 0),
                Field::Remaining => quota.remaining = number(value),
                Field::Reset => quota.reset = reset(value.trim(), now_unix_ms),
                Field::All => *quota = structured(value, now_unix_ms),
            }
        }
    }
    let told = |of: usize| found[of].and_then(known);
    // Without a name its span is unknown: only that nothing is left is of use.
    let gate = found[UNNAMED].filter(|quota| quota.remaining == Some(0) && quota.reset.is_some());
    RateLimits {
        asks: told(ASKS).or(gate.map(|gate| Quota { limit: None, ..gate })),
        tokens: told(TOKENS).or_else(|| apart(told(TOKENS_IN), told(TOKENS_OUT))),
    }
}

#[derive(Debug, Clone, Copy)]
enum Field {
    Limit,
    Remaining,
    Reset,
    /// All of them, as a structured field.
    All,
}

/// What the headers begin with that name a limit by its kind alone, or not at all: OpenAI's, those
/// of the IETF's drafts, and an older spelling.
const UNNAMED_PREFIXES: [&str; 3] = ["x-ratelimit-", "ratelimit-", "x-rate-limit-"];

/// Returns what a header says and of what.
fn meaning(name: &str) -> Option<(usize, Field)> {
    // Most headers are none of these; the first bytes say so.
    let rest = UNNAMED_PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix));
    let of = |text: &str| match text {
        "requests" => Some(ASKS),
        "tokens" => Some(TOKENS),
        "input-tokens" => Some(TOKENS_IN),
        "output-tokens" => Some(TOKENS_OUT),
        _ => None,
    };
    let field = |text: &str| match text {
        "limit" => Some(Field::Limit),
        "remaining" => Some(Field::Remaining),
        "reset" => Some(Field::Reset),
        _ => None,
    };
    if name == "ratelimit" {
        return Some((UNNAMED, Field::All));
    }
    if let Some(rest) = rest {
        return match rest.split_once('-') {
            Some((first, second)) => Some((of(second)?, field(first)?)),
            None => Some((UNNAMED, field(rest)?)),
        };
    }
    let (first, second) = name.strip_prefix("anthropic-ratelimit-")?.rsplit_once('-')?;
    Some((of(first)?, field(second)?))
}

/// Reads the IETF's `RateLimit`: `limit=20, remaining=0, reset=4` in the older drafts,
/// `"default";r=0;t=4` in the later ones, which may name several limits. The one that is used up
/// for the longest time counts, or else the first.
fn structured(value: &str, now_unix_ms: i64) -> Quota {
    let mut quotas: Vec<Quota> = Vec::new();
    let mut older = Quota::default();
    for item in value.split(',') {
        let mut quota = Quota::default();
        for (name, value) in item.split(';').filter_map(|part| part.split_once('=')) {
            let value = value.trim();
            match name.trim() {
                "limit" => older.limit = number(value).filter(|&limit| limit > 0),
                "remaining" => older.remaining = number(value),
                "reset" => older.reset = reset(value, now_unix_ms),
                "r" => quota.remaining = number(value),
                "t" => quota.reset = reset(value, now_unix_ms),
                _ => {}
            }
        }
        quotas.push(quota);
    }
    if older != Quota::default() {
        return older;
    }
    let used_up = quotas.iter().filter(|quota| quota.remaining == Some(0));
    let longest = used_up.max_by_key(|quota| quota.reset);
    longest.or(quotas.first()).copied().unwrap_or_default()
}

/// Returns how long the limit that refused an ask is used up, as far as its headers say: one
/// without a name, of which nothing is left or the rest is not given.
pub(crate) fn refused_for(headers: &[(String, String)], now_unix_ms: i64) -> Option<Duration> {
    let mut quota = Quota::default();
    for (name, value) in headers {
        match meaning(name) {
            Some((UNNAMED, Field::Remaining)) => quota.remaining = number(value),
            Some((UNNAMED, Field::Reset)) => quota.reset = reset(value.trim(), now_unix_ms),
            Some((UNNAMED, Field::All)) => quota = structured(value, now_unix_ms),
            _ => {}
        }
    }
    quota.reset.filter(|_| quota.remaining.is_none_or(|left| left == 0))
}

/// Azure says -1 or 0 where it does not know; a limit of 0 or a remainder below it is none.
fn number(value: &str) -> Option<u64> {
    let value = value.trim();
    let read = value.parse::<u64>().ok();
    read.or_else(|| value.parse::<f64>().ok().filter(|n| (0.0..1e15).contains(n)).map(|n| n as u64))
}

fn reset(value: &str, now_unix_ms: i64) -> Option<Duration> {
    if let Some(unix_ms) = moment(value) {
        let ms = u64::try_from(unix_ms.saturating_sub(now_unix_ms)).unwrap_or(0);
        return Some(Duration::from_millis(ms));
    }
    // `4, 4`, where two proxies have said it.
    let value = value.split_once(',').map_or(value, |(first, _)| first).trim();
    let until = |unix_ms: i64| {
        Duration::from_millis(u64::try_from(unix_ms.saturating_sub(now_unix_ms)).unwrap_or(0))
    };
    if let Ok(number) = value.parse::<f64>() {
        return match number {
            ms if ms >= UNIX_MS_MIN => Some(until(ms as i64)),
            seconds if seconds >= UNIX_SECONDS_MIN => Some(until((seconds * 1000.0) as i64)),
            seconds => Duration::try_from_secs_f64(seconds).ok(),
        };
    }
    go_duration(value)
}

/// A quota is of use with its limit; a service that does not know it says -1 or 0.
fn known(quota: Quota) -> Option<Quota> {
    quota.limit.is_some().then_some(quota)
}

fn apart(tokens_in: Option<Quota>, tokens_out: Option<Quota>) -> Option<Quota> {
    let (one, other) = match (tokens_in, tokens_out) {
        (Some(one), Some(other)) => (one, other),
        (one, other) => return one.or(other),
    };
    let share = |quota: Quota| {
        let limit = quota.limit? as f64;
        Some((quota.remaining? as f64 / limit).min(1.0))
    };
    let limit = one.limit?.saturating_add(other.limit?);
    let share = [share(one), share(other)].into_iter().flatten().reduce(f64::min);
    Some(Quota {
        limit: Some(limit),
        remaining: share.map(|share| (share * limit as f64) as u64),
        reset: one.reset.max(other.reset),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22 12:00:00 UTC.
    const NOW: i64 = 1_795_348_800_000;

    fn read(headers: &[(&str, &str)]) -> RateLimits {
        let headers: Vec<_> = headers.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect();
        rate_limits(&headers, NOW)
    }

    fn quota(limit: u64, remaining: u64, reset_ms: u64) -> Option<Quota> {
        let reset = Some(Duration::from_millis(reset_ms));
        Some(Quota { limit: Some(limit), remaining: Some(remaining), reset })
    }

    #[test]
    fn every_way_of_stating_a_reset_is_read() {
        for (value, ms) in [
            ("1s", Some(1_000)),
            ("6m0s", Some(360_000)),
            ("20ms", Some(20)),
            ("7.66s", Some(7_660)),
            ("2m59.56s", Some(179_560)),
            ("1h16m0.667s", Some(4_560_667)),
            ("12", Some(12_000)),
            ("0.5", Some(500)),
            ("2026-11-22T12:00:30Z", Some(30_000)),
            ("2026-11-22T11:59:00Z", Some(0)),
            ("1795348810", Some(10_000)),
            ("1795348810000", Some(10_000)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            let read = reset(value, NOW).map(|reset| reset.as_millis() as u64);
            assert_eq!(read, ms, "{value}");
        }
    }

    #[test]
    fn openai_and_groq_state_asks_and_tokens() {
        let limits = read(&[
            ("content-type", "application/json"),
            ("x-ratelimit-limit-requests", "14400"),
            ("x-ratelimit-remaining-requests", "14370"),
            ("x-ratelimit-reset-requests", "2m59.56s"),
            ("x-ratelimit-limit-tokens", "18000"),
            ("x-ratelimit-remaining-tokens", "17997"),
            ("x-ratelimit-reset-tokens", "7.66s"),
        ]);
        assert_eq!(limits.asks, quota(14_400, 14_370, 179_560));
        assert_eq!(limits.tokens, quota(18_000, 17_997, 7_660));
    }

    #[test]
    fn anthropic_states_moments_and_tokens_apart() {
        let limits = read(&[
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "49"),
            ("anthropic-ratelimit-requests-reset", "2026-11-22T12:00:01Z"),
            ("anthropic-ratelimit-input-tokens-limit", "30000"),
            ("anthropic-ratelimit-input-tokens-remaining", "30000"),
            ("anthropic-ratelimit-input-tokens-reset", "2026-11-22T12:00:00Z"),
            ("anthropic-ratelimit-output-tokens-limit", "10000"),
            ("anthropic-ratelimit-output-tokens-remaining", "5000"),
            ("anthropic-ratelimit-output-tokens-reset", "2026-11-22T12:00:30Z"),
        ]);
        assert_eq!(limits.asks, quota(50, 49, 1_000));
        assert_eq!(limits.tokens, quota(40_000, 20_000, 30_000));
    }

    #[test]
    fn a_limit_of_tokens_together_counts_for_more_than_those_apart() {
        let limits = read(&[
            ("anthropic-ratelimit-tokens-limit", "40000"),
            ("anthropic-ratelimit-tokens-remaining", "100"),
            ("anthropic-ratelimit-input-tokens-limit", "30000"),
        ]);
        let tokens = Quota { limit: Some(40_000), remaining: Some(100), reset: None };
        assert_eq!(limits.tokens, Some(tokens));
    }

    #[test]
    fn what_azure_does_not_know_is_unknown() {
        for unknown in ["-1", "0", "", "none"] {
            let limits = read(&[
                ("x-ratelimit-limit-requests", unknown),
                ("x-ratelimit-remaining-requests", "-1"),
                ("x-ratelimit-limit-tokens", unknown),
            ]);
            assert!(limits.is_empty(), "{unknown}: {limits:?}");
        }
    }

    #[test]
    fn an_unnamed_limit_says_only_that_nothing_is_left() {
        let gone = read(&[
            ("x-ratelimit-limit", "10"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "12"),
        ]);
        let reset = Some(Duration::from_secs(12));
        assert_eq!(gone.asks, Some(Quota { limit: None, remaining: Some(0), reset }));
        let left = read(&[("x-ratelimit-remaining", "3"), ("x-ratelimit-reset", "12")]);
        assert!(left.is_empty());
    }

    #[test]
    fn other_headers_say_nothing() {
        assert!(read(&[("date", "now"), ("x-request-id", "x-ratelimit-limit-tokens")]).is_empty());
        assert!(read(&[("x-ratelimit-policy", "60;w=60")]).is_empty());
    }
}
