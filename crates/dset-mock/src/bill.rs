//! What calls cost: prices of tokens, by the clock, and a balance that falls.
//!
//! Knows no clock: what depends on the time takes the time since the start. Money is whole
//! picodollars, so that a client's sums can be compared to the last digit.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

/// Decimals of a dollar in a picodollar, and of a price a million tokens in picodollars a token.
const DECIMALS: usize = 12;
const DECIMALS_A_MILLION: usize = 6;

/// What a token costs, in picodollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenPrices {
    /// Sent, and not found in the cache.
    pub input: u64,
    /// Sent, and found in the cache.
    pub cached_input: u64,
    /// Received, reasoning included.
    pub output: u64,
}

impl FromStr for TokenPrices {
    type Err = String;

    fn from_str(text: &str) -> Result<TokenPrices, String> {
        let prices: Option<Vec<u64>> =
            text.split('/').map(|price| decimal(price, DECIMALS_A_MILLION)).collect();
        match prices.as_deref() {
            Some(&[input, cached_input, output]) => Ok(TokenPrices { input, cached_input, output }),
            Some(&[input, output]) => Ok(TokenPrices { input, cached_input: input, output }),
            _ => Err("it must look like 0.30/0.006/1.20: dollars a million tokens sent, sent and \
                      found in the cache, received"
                .to_owned()),
        }
    }
}

/// An amount of money in picodollars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dollars(pub u64);

impl FromStr for Dollars {
    type Err = String;

    fn from_str(text: &str) -> Result<Dollars, String> {
        let amount = decimal(text, DECIMALS).map(Dollars);
        amount.ok_or_else(|| format!("`{text}` is no amount of dollars, like 5 or 0.25"))
    }
}

impl fmt::Display for Dollars {
    /// Writes all twelve decimals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = 10u64.pow(DECIMALS as u32);
        write!(f, "{}.{:012}", self.0 / unit, self.0 % unit)
    }
}

impl Serialize for Dollars {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// A time in which everything costs a multiple.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeakPrices {
    /// Since the start.
    pub from: Duration,
    /// The first instant after it, since the start.
    pub to: Duration,
    /// How many times as much.
    pub factor: u64,
}

impl FromStr for PeakPrices {
    type Err = String;

    fn from_str(text: &str) -> Result<PeakPrices, String> {
        let shape = || "it must look like 5..15=2: seconds since the start, how many times as much";
        let parsed = text.split_once('=').and_then(|(span, factor)| {
            let (from, to) = span.split_once("..")?;
            let instant = |text: &str| Duration::try_from_secs_f64(text.parse().ok()?).ok();
            Some(PeakPrices {
                from: instant(from)?,
                to: instant(to)?,
                factor: factor.parse().ok()?,
            })
        });
        parsed.filter(|peak| peak.from < peak.to).ok_or_else(|| shape().to_owned())
    }
}

/// Tokens of one call that are charged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Charged {
    pub(crate) input: u64,
    /// Of `input`.
    pub(crate) cached_input: u64,
    pub(crate) output: u64,
}

impl Charged {
    /// Works out the cost of a call that the service begins at `now`; nothing where it has no
    /// prices.
    pub(crate) fn cost(
        self,
        prices: Option<TokenPrices>,
        peaks: &[PeakPrices],
        now: Duration,
    ) -> Dollars {
        let Some(prices) = prices else { return Dollars::default() };
        let peak = peaks.iter().find(|peak| (peak.from..peak.to).contains(&now));
        let sum = (self.input - self.cached_input) * prices.input
            + self.cached_input * prices.cached_input
            + self.output * prices.output;
        Dollars(sum * peak.map_or(1, |peak| peak.factor))
    }
}

/// Reads a plain decimal number as a whole number of its smallest unit.
fn decimal(text: &str, decimals: usize) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_plain(whole) || !is_plain(fraction) || fraction.len() > decimals {
        return None;
    }
    format!("{whole}{fraction:0<decimals$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_costs_its_tokens_by_kind_and_by_the_clock() {
        let prices: TokenPrices = "0.30/0.006/1.20".parse().unwrap();
        let peaks = ["5..15=2".parse().unwrap()];
        let call = Charged { input: 1_000, cached_input: 640, output: 100 };
        let cost = |second| call.cost(Some(prices), &peaks, Duration::from_secs(second));
        let once = 360 * 300_000 + 640 * 6_000 + 100 * 1_200_000;
        assert_eq!([cost(4), cost(5), cost(15)], [Dollars(once), Dollars(2 * once), Dollars(once)]);
        assert_eq!(call.cost(None, &peaks, Duration::ZERO), Dollars(0));
        assert_eq!(Dollars(once).to_string(), "0.000231840000");
    }

    #[test]
    fn what_is_no_price_and_no_amount_is_refused() {
        for text in ["", "1", "1/2/3/4", "-1/2", "1e3/2", "1/2€", "0.0000001/1", "NaN/1"] {
            assert!(text.parse::<TokenPrices>().is_err(), "{text}");
        }
        for text in ["", "-1", "$5", "inf", "99999999", "0.0000000000001"] {
            assert!(text.parse::<Dollars>().is_err(), "{text}");
        }
        for text in ["5..4=2", "5=2", "a..b=2", "1..2=-1"] {
            assert!(text.parse::<PeakPrices>().is_err(), "{text}");
        }
        assert_eq!("5".parse(), Ok(Dollars(5_000_000_000_000)));
        let same = "0.3/1.2".parse::<TokenPrices>().unwrap();
        assert_eq!(same.cached_input, same.input);
    }
}
