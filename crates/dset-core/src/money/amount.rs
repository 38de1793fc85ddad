//! Exact money: whole numbers of a millionth of a millionth of a dollar.
//!
//! A price of so many dollars a million tokens, with at most six decimals, is a whole number of
//! picodollars a token; so costs are products and sums of whole numbers, and nothing is rounded
//! before it is shown.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

/// Picodollars in a dollar.
const DOLLAR: i128 = 1_000_000_000_000;
/// Decimals of a dollar that an [`Amount`] holds.
const AMOUNT_DECIMALS: usize = 12;
/// Decimals that a price in dollars a million tokens may have.
const PRICE_DECIMALS: usize = 6;
/// The dearest price, in dollars a million tokens: a hundred times the dearest there ever was. More
/// is a slip, like a price in cents.
const PRICE_DOLLARS_MAX: u64 = 100_000;

/// The price of one token in picodollars, which is millionths of a dollar a million tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(u64);

/// Why a text is no price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// It has a sign in front.
    #[error("a price is not negative")]
    Negative,
    /// It is no plain decimal number: a currency, an exponent, a comma, a word.
    #[error("a price is a plain decimal number of dollars a million tokens, like 0.30")]
    NoNumber,
    /// It has more than six decimals.
    #[error("a price in dollars a million tokens has at most 6 decimals")]
    TooFine,
    /// It is more than 100,000 dollars.
    #[error("a price in dollars a million tokens is at most 100,000")]
    TooLarge,
}

impl Price {
    /// Reads a price in dollars a million tokens: digits, with at most one point between them.
    pub fn parse(text: &str) -> Result<Price, PriceError> {
        if text.starts_with('-') {
            return Err(PriceError::Negative);
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !is_digits(whole) || !is_digits(fraction) {
            return Err(PriceError::NoNumber);
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > PRICE_DECIMALS {
            return Err(PriceError::TooFine);
        }
        // So many digits overflow only where the bound would refuse them.
        let dollars: u64 = whole.parse().map_err(|_| PriceError::TooLarge)?;
        if dollars > PRICE_DOLLARS_MAX {
            return Err(PriceError::TooLarge);
        }
        let millionths: u64 =
            format!("{fraction:0<PRICE_DECIMALS$}").parse().map_err(|_| PriceError::NoNumber)?;
        Ok(Price(dollars * 1_000_000 + millionths))
    }

    /// Reads a price in dollars a token: digits, with at most one point between them, and 12 decimals.
    pub fn of_token(text: &str) -> Result<Price, PriceError> {
        if text.starts_with('-') {
            return Err(PriceError::Negative);
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let fraction = format!("{fraction:0<6}");
        let (millions, rest) = fraction.split_at_checked(6).ok_or(PriceError::NoNumber)?;
        let rest = if rest.is_empty() { "0" } else { rest };
        Price::parse(&format!("{whole}{millions}.{rest}"))
    }

    /// Returns what so many tokens cost.
    #[must_use]
    pub fn of(self, tokens: u64) -> Amount {
        // 64 bits times 64 bits fit in 128; what a sign takes away saturates.
        let product = u128::from(self.0) * u128::from(tokens);
        Amount(i128::try_from(product).unwrap_or(i128::MAX))
    }
}

impl fmt::Display for Price {
    /// Writes it in dollars a million tokens, with two decimals or as many as it has.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal(i128::from(self.0), PRICE_DECIMALS, 2))
    }
}

/// An amount of money in picodollars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i128);

impl Amount {
    /// Nothing.
    pub const ZERO: Amount = Amount(0);
    /// More than anybody has.
    pub const MAX: Amount = Amount(i128::MAX);

    /// Takes what a service says in dollars: the shortest decimal number that is this one, cut at
    /// twelve decimals upwards. `None` where it is negative, or no number.
    #[must_use]
    pub fn from_dollars(said: f64) -> Option<Amount> {
        if !said.is_finite() || said < 0.0 {
            return None;
        }
        // `Display` of a float writes no exponent.
        let text = format!("{said}");
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let kept = &fraction[..fraction.len().min(AMOUNT_DECIMALS)];
        let rest = fraction[kept.len()..].bytes().any(|digit| digit != b'0');
        let fraction: i128 = format!("{kept:0<AMOUNT_DECIMALS$}").parse().ok()?;
        let whole: i128 = whole.parse().ok()?;
        Some(Amount(whole.checked_mul(DOLLAR)?.checked_add(fraction + i128::from(rest))?))
    }

    /// Takes a number of picodollars.
    #[must_use]
    pub fn from_picodollars(number: i64) -> Amount {
        Amount(i128::from(number))
    }

    /// Returns it in picodollars.
    #[must_use]
    pub fn picodollars(self) -> i128 {
        self.0
    }

    /// Returns an equal share of it, rounded up; all of it where there is nobody to share.
    #[must_use]
    pub fn share(self, number: u64) -> Amount {
        let number = i128::from(number.max(1));
        Amount(self.0.div_euclid(number) + i128::from(self.0.rem_euclid(number) > 0))
    }

    /// Returns so many times it.
    #[must_use]
    pub fn times(self, number: u64) -> Amount {
        Amount(self.0.saturating_mul(i128::from(number)))
    }

    /// Writes it in dollars for people, rounded up: with two decimals from a dollar on, else with as
    /// many as show two digits that count, at most six.
    #[must_use]
    pub fn shown(self) -> String {
        let decimals = match self.0.unsigned_abs() {
            0 => 2,
            size if size >= DOLLAR as u128 => 2,
            size => (AMOUNT_DECIMALS - size.ilog10() as usize + 1).clamp(2, 6),
        };
        let unit = 10_i128.pow((AMOUNT_DECIMALS - decimals) as u32);
        let up = self.0.div_euclid(unit) + i128::from(self.0.rem_euclid(unit) > 0);
        format!("${}", decimal(up, decimals, 2))
    }
}

impl fmt::Display for Amount {
    /// Writes it in dollars, exactly, with as many decimals as it has.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal(self.0, AMOUNT_DECIMALS, 0))
    }
}

impl Add for Amount {
    type Output = Amount;
    fn add(self, other: Amount) -> Amount {
        Amount(self.0.saturating_add(other.0))
    }
}

impl Sub for Amount {
    type Output = Amount;
    fn sub(self, other: Amount) -> Amount {
        Amount(self.0.saturating_sub(other.0))
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Amount) {
        *self = *self + other;
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Amount>>(amounts: I) -> Amount {
        amounts.fold(Amount::ZERO, Amount::add)
    }
}

/// Writes a number of units, of which `10^decimals` are one, with as many decimals as it has and at
/// least so many.
fn decimal(units: i128, decimals: usize, least: usize) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let one = 10_u128.pow(decimals as u32);
    let (whole, part) = (units.unsigned_abs() / one, units.unsigned_abs() % one);
    let part = format!("{part:0decimals$}");
    let used = part.trim_end_matches('0').len().max(least.min(decimals));
    match used {
        0 => format!("{sign}{whole}"),
        used => format!("{sign}{whole}.{}", &part[..used]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_a_plain_decimal_number_and_nothing_else() {
        for (text, picodollars) in [
            ("0", 0),
            ("0.3", 300_000),
            ("0.30", 300_000),
            ("0.000001", 1),
            ("0.0000010", 1),
            ("12.5", 12_500_000),
            ("100000", 100_000_000_000),
        ] {
            assert_eq!(Price::parse(text), Ok(Price(picodollars)), "{text}");
        }
        for (text, error) in [
            ("-1", PriceError::Negative),
            ("-0", PriceError::Negative),
            ("", PriceError::NoNumber),
            ("NaN", PriceError::NoNumber),
            ("inf", PriceError::NoNumber),
            ("20€", PriceError::NoNumber),
            ("$20", PriceError::NoNumber),
            ("0,3", PriceError::NoNumber),
            ("1_000", PriceError::NoNumber),
            ("+1", PriceError::NoNumber),
            ("3e-7", PriceError::NoNumber),
            ("1.", PriceError::NoNumber),
            (".5", PriceError::NoNumber),
            ("1.2.3", PriceError::NoNumber),
            (" 1", PriceError::NoNumber),
            ("٣", PriceError::NoNumber),
            ("0.0000001", PriceError::TooFine),
            ("100001", PriceError::TooLarge),
            ("99999999999999999999999", PriceError::TooLarge),
        ] {
            assert_eq!(Price::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn amounts_are_rounded_up_and_only_where_they_are_shown() {
        let cost = Price::parse("0.006").unwrap().of(1);
        assert_eq!((cost.to_string(), cost.shown()), ("0.000000006".into(), "$0.000001".into()));
        for (dollars, exact, shown) in [
            (0.0, "0", "$0.00"),
            (20.0, "20", "$20.00"),
            (4.101, "4.101", "$4.11"),
            (0.1 + 0.2, "0.300000000001", "$0.31"),
            (0.00042, "0.00042", "$0.00042"),
            (1e-15, "0.000000000001", "$0.000001"),
            (0.999_999_9, "0.9999999", "$1.00"),
        ] {
            let amount = Amount::from_dollars(dollars).unwrap();
            assert_eq!((&*amount.to_string(), &*amount.shown()), (exact, shown));
        }
        for nonsense in [-0.01, f64::NAN, f64::INFINITY, f64::MAX] {
            assert_eq!(Amount::from_dollars(nonsense), None);
        }
        assert_eq!(Amount::from_dollars(10.0).unwrap().share(3).to_string(), "3.333333333334");
        assert_eq!(Price::parse("0.3").unwrap().to_string(), "0.30");
        assert_eq!(Price::parse("0.0028").unwrap().to_string(), "0.0028");
    }
}
