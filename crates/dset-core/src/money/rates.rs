//! What each kind of token costs, and when.

use serde::Deserialize;

use super::amount::Price;

/// Milliseconds in a day.
const DAY_MS: i64 = 86_400_000;
/// Minutes in a day.
const DAY_MINUTES: u16 = 1_440;

/// Prices of the kinds of tokens, in dollars a million tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// Tokens sent that no cache held.
    pub input: Price,
    /// Tokens sent that the provider's cache held; absent where they cost what the others do.
    pub cached_input: Option<Price>,
    /// Tokens sent that were written into the cache, where that has a price of its own.
    pub cache_write: Option<Price>,
    /// The same, kept for an hour.
    pub cache_write_1h: Option<Price>,
    /// Tokens received.
    pub output: Price,
    /// Tokens received that were reasoning, where they have a price of their own.
    pub reasoning: Option<Price>,
}

/// Hours of the week at which another tariff holds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Hours of the day in UTC, each from its beginning up to and without its end.
    pub utc: Vec<Hours>,
    /// Days of the week in UTC, 1 is Monday.
    pub weekdays: Vec<u8>,
    /// What it is then.
    pub is: Tariff,
}

/// What a tariff is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tariff {
    /// The dearer hours.
    Peak,
    /// Every other hour.
    OffPeak,
}

/// A span within a day, in minutes since midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "(String, String)")]
pub struct Hours {
    /// The first minute.
    pub from: u16,
    /// The first minute after it; at most 1,440.
    pub until: u16,
}

impl Window {
    /// Tells whether a moment, in Unix milliseconds, lies in it.
    #[must_use]
    pub fn holds(&self, unix_ms: i64) -> bool {
        // 1970-01-01 was a Thursday, the fourth day.
        let weekday = (unix_ms.div_euclid(DAY_MS) + 3).rem_euclid(7) + 1;
        let minute = unix_ms.rem_euclid(DAY_MS) / 60_000;
        let is_within =
            |hours: &Hours| (i64::from(hours.from)..i64::from(hours.until)).contains(&minute);
        self.weekdays.iter().any(|day| i64::from(*day) == weekday) && self.utc.iter().any(is_within)
    }

    pub(super) fn is_sound(&self) -> bool {
        let are_days = self.weekdays.iter().all(|day| (1..=7).contains(day));
        are_days && !self.weekdays.is_empty() && !self.utc.is_empty()
    }
}

impl TryFrom<(String, String)> for Hours {
    type Error = &'static str;

    fn try_from((from, until): (String, String)) -> Result<Hours, &'static str> {
        let minutes = |text: &str| {
            let (hours, minutes) = text.split_once(':')?;
            let digits = |part: &str| (part.len() == 2).then(|| part.parse::<u16>().ok())?;
            let (hours, minutes) = (digits(hours)?, digits(minutes)?);
            (minutes < 60).then_some(hours * 60 + minutes).filter(|all| *all <= DAY_MINUTES)
        };
        match (minutes(&from), minutes(&until)) {
            (Some(from), Some(until)) if from < until => Ok(Hours { from, until }),
            _ => Err("hours are two times of one day, like [\"01:00\", \"04:00\"]"),
        }
    }
}

impl<'de> Deserialize<'de> for Price {
    /// Reads it from a text, so that no binary fraction stands between the figure and its meaning.
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Price, D::Error> {
        let text = String::deserialize(from)?;
        Price::parse(&text).map_err(serde::de::Error::custom)
    }
}
