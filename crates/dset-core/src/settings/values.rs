//! The types of single settings, as they are written.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

use crate::money::{Amount, Price};

/// `on` or `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// `on`
    #[cfg_attr(feature = "clap", value(aliases = ["true", "yes", "1"]))]
    On,
    /// `off`
    #[cfg_attr(feature = "clap", value(aliases = ["false", "no", "0"]))]
    Off,
}

/// What a failing question does to the run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// Its row is marked ERROR and the run goes on.
    #[default]
    Skip,
    /// Its row is marked ERROR and the run ends.
    Pause,
}

/// How many questions are asked at once, at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub enum Concurrency {
    /// As many as the service takes.
    #[default]
    Auto,
    /// And no more than this.
    AtMost(u32),
}

/// The most at once that anybody may ask for: more than the largest limit known (2,500), and a
/// connection each.
const CONCURRENCY_MAX: u32 = 4096;
/// The most at once where nobody says: some 100 MB of connections.
const CONCURRENCY_AUTO_MAX: u32 = 2048;

impl Concurrency {
    /// Returns the most at once, from 1.
    #[must_use]
    pub fn most(self) -> u32 {
        match self {
            Concurrency::Auto => CONCURRENCY_AUTO_MAX,
            Concurrency::AtMost(most) => most,
        }
    }
}

impl FromStr for Concurrency {
    type Err = String;

    fn from_str(text: &str) -> Result<Concurrency, String> {
        if text.trim().eq_ignore_ascii_case("auto") {
            return Ok(Concurrency::Auto);
        }
        match text.trim().parse() {
            Ok(most @ 1..=CONCURRENCY_MAX) => Ok(Concurrency::AtMost(most)),
            _ => Err(format!("it is `auto` or a number from 1 to {CONCURRENCY_MAX}")),
        }
    }
}

impl fmt::Display for Concurrency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Concurrency::Auto => f.write_str("auto"),
            Concurrency::AtMost(most) => most.fmt(f),
        }
    }
}

impl From<Concurrency> for String {
    fn from(concurrency: Concurrency) -> String {
        concurrency.to_string()
    }
}

/// A span of time as people write it: `90s`, `1m`, `1m30s`, `2h`, `250ms`, or plain seconds.
///
/// Not by jiff's friendly form: its parser wants a unit behind every number (`90` and `1m30` are
/// taken here), takes days of a `SignedDuration` not at all, and `ago` besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(into = "String")]
pub struct Span(pub Duration);

/// The longest span that is taken, a year: anything longer is a slip.
const SPAN_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Span, String> {
        let wrong = || format!("`{text}` is not a time like 90s, 1m or 1m30s");
        let mut total = Duration::ZERO;
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let (number, tail) = rest.split_at(digits);
            let number: f64 = number.parse().map_err(|_| wrong())?;
            let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(letters);
            let seconds = match unit {
                "ms" => 0.001,
                "" | "s" => 1.0,
                "m" | "min" => 60.0,
                "h" => 3600.0,
                "d" => 86400.0,
                _ => return Err(wrong()),
            };
            let part = Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())?;
            total = total.checked_add(part).filter(|t| *t <= SPAN_MAX).ok_or_else(wrong)?;
            rest = tail.trim_start();
        }
        Ok(Span(total))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, ms) = (self.0.as_secs(), self.0.subsec_millis());
        match (seconds / 3600, seconds / 60 % 60, seconds % 60, ms) {
            (0, 0, 0, 0) => f.write_str("0s"),
            (h, m, s, ms) => {
                let parts = [(h, "h"), (m, "m"), (s, "s"), (u64::from(ms), "ms")];
                let mut parts = parts.into_iter().filter(|(number, _)| *number > 0);
                parts.try_for_each(|(number, unit)| write!(f, "{number}{unit}"))
            }
        }
    }
}

impl From<Span> for String {
    fn from(span: Span) -> String {
        span.to_string()
    }
}

/// An amount of US dollars that may be spent, as people write it: `20`, `0.50`, `$20`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(into = "String")]
pub struct Dollars(pub Amount);

/// The most dollars that a limit may have: more is a slip, and no limit.
const DOLLARS_MAX: u64 = 1_000_000;
/// Decimals of such an amount, and of a price: a millionth of a dollar.
const DOLLAR_DECIMALS: usize = 6;

impl FromStr for Dollars {
    type Err = String;

    fn from_str(text: &str) -> Result<Dollars, String> {
        let number = text.trim();
        let number = number.strip_prefix('$').unwrap_or(number);
        // It has the form of a price, whose unit is a millionth of a dollar a million.
        let amount = match number.split_once('.') {
            None => number.parse().ok().filter(|_| !number.starts_with('+')).map(dollars),
            Some((whole, fraction)) => {
                let whole = whole.parse().ok().filter(|_| !whole.starts_with('+')).map(dollars);
                let fraction = Price::parse(&format!("0.{fraction}")).ok();
                whole.zip(fraction).map(|(whole, fraction)| whole + fraction.of(1_000_000))
            }
        };
        let is_allowed =
            |amount: &Amount| *amount > Amount::ZERO && *amount <= dollars(DOLLARS_MAX);
        let fine = number.split_once('.').is_some_and(|(whole, fraction)| {
            let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            are_digits(whole) && are_digits(fraction) && fraction.len() > DOLLAR_DECIMALS
        });
        let wrong = if fine { ", with at most 6 decimals" } else { ", like 20 or 0.50" };
        amount.filter(is_allowed).map(Dollars).ok_or_else(|| {
            format!("it is an amount of US dollars above 0 and at most 1,000,000{wrong}")
        })
    }
}

fn dollars(number: u64) -> Amount {
    Amount::from_picodollars(1_000_000_000_000).times(number)
}

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Dollars> for String {
    fn from(dollars: Dollars) -> String {
        dollars.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_an_amount_of_dollars_and_nothing_else() {
        for (text, shown) in [
            ("20", "20"),
            ("0.5", "0.5"),
            ("$20", "20"),
            (" 0.50 ", "0.5"),
            ("0.000001", "0.000001"),
            ("1000000", "1000000"),
        ] {
            assert_eq!(text.parse::<Dollars>().unwrap().to_string(), shown, "{text}");
        }
        for text in [
            "20€",
            "-1",
            "NaN",
            "inf",
            "",
            "$",
            "0",
            "0.0",
            "1e3",
            "1,5",
            "+1",
            "+1.5",
            "1.+5",
            "0.0000001",
            "1000000.01",
            "1.",
            ".5",
            "$-1",
            "99999999999999999999999",
            "20 USD",
        ] {
            assert!(text.parse::<Dollars>().is_err(), "{text}");
        }
    }

    #[test]
    fn how_many_at_once_is_a_number_or_left_to_the_pace() {
        assert_eq!("auto".parse(), Ok(Concurrency::Auto));
        assert_eq!("39".parse(), Ok(Concurrency::AtMost(39)));
        for text in ["0", "-1", "4097", "many", ""] {
            assert!(text.parse::<Concurrency>().is_err(), "{text}");
        }
    }

    #[test]
    fn spans_are_read_as_people_write_them_and_written_the_same() {
        for (text, ms, shown) in [
            ("1m", 60_000, "1m"),
            ("1m30s", 90_000, "1m30s"),
            ("90", 90_000, "1m30s"),
            ("0.5s", 500, "500ms"),
            ("2h", 7_200_000, "2h"),
            ("0", 0, "0s"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!((span.0.as_millis(), span.to_string().as_str()), (ms, shown), "{text}");
        }
        for text in ["", "m", "1x", "1m2", "-1s", "1e9d", "99999d"] {
            let parsed = text.parse::<Span>();
            assert!(parsed.is_err() || text == "1m2", "{text}: {parsed:?}");
        }
    }
}
