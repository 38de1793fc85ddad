//! Numbers as people and models write them, compared exactly.

use std::sync::LazyLock;

use num_bigint::BigInt;
use num_rational::BigRational;
use regex::{Captures, Regex};

use super::latex;
use super::unit::{Beside, unit_of};

/// How many digits a number may have, and how large an exponent may be: an answer is a text of any
/// length, and nobody asked for more.
const DIGITS_MAX: usize = 1_000;

/// A number with what stands beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quantity {
    value: BigRational,
    /// A unit or a currency, without the plural; empty where there is none.
    unit: String,
    /// The unit may as well be a factor: 3M, 300K.
    may_be_factor: bool,
}

/// Why two quantities are not the same.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Difference<'a> {
    Value,
    Units(&'a str, &'a str),
}

const DECIMAL: &str =
    r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?:[ '’_]\d{3})+(?:\.\d+)?|\d+(?:\.\d*)?|\.\d+)";
const CURRENCY: &str = r"(?:[A-Z]{1,3} ?)?\p{Sc}|[A-Z]{3} ";
const UNIT: &str = r#"[\p{L}\p{Sc}°′″'"Ω][\p{L}\p{Sc}°′″'"²³/·. -]{0,40}(?:\^[23])?"#;

static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    let exponent = r"(?:[eE](?<e>[+-]?\d{1,4})| ?[×x*·] ?10 ?(?:(?:\^|\*\*) ?\{?(?<power>[+-]?\d{1,4})\}?|(?<raised>⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,4})))";
    let number = format!(
        r"(?:(?<whole>\d+) )?(?<top>{DECIMAL}) ?[/⁄] ?(?<bottom>{DECIMAL})|(?<before>\d+)?(?<vulgar>[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])|(?<decimal>{DECIMAL})(?:{exponent})?"
    );
    let pattern = format!(
        r"^(?<sign>[+-]?) ?(?<currency>{CURRENCY})? ?(?<inner>[+-]?)(?:{number}) ?(?:(?<per>[%‰])|(?<unit>{UNIT}))?$"
    );
    Regex::new(&pattern).expect("a test compiles it")
});

impl Quantity {
    /// Reads a text that is one number, with a currency, a unit or a per cent sign at most, or that
    /// ends with `#### ` or `\boxed{}` and one; `None` where it is none.
    pub(super) fn read(text: &str) -> Option<Quantity> {
        let text = text.rsplit_once("####").map_or(text, |(_, last)| last);
        let text = latex::boxed(text).unwrap_or(text);
        if text.len() > 4 * DIGITS_MAX {
            return None;
        }
        let plain = plain(text);
        let found = NUMBER.captures(&plain)?;
        let mut value = value(&found)?;
        // A sign may stand before the currency or behind it.
        value = match (&found["sign"], &found["inner"]) {
            ("-", "") | ("", "-") => -value,
            ("+", "") | ("", "" | "+") => value,
            _ => return None,
        };
        let text = |name| found.name(name).map_or("", |part| part.as_str().trim());
        let parts = match text("per") {
            "%" => 100,
            "‰" => 1_000,
            _ => 1,
        };
        let is_attached =
            found.name("unit").is_some_and(|unit| !plain[..unit.start()].ends_with(' '));
        let beside = Beside::read(text("unit"), text("currency"), is_attached)?;
        let value = value * beside.factor;
        Some(Quantity {
            value: value / BigInt::from(parts),
            unit: unit_of(text("currency"), &beside.unit),
            may_be_factor: beside.may_be_factor,
        })
    }

    /// Returns how it differs from another. A unit that only one of them has is no difference, but
    /// where it may be a factor.
    pub(super) fn difference<'a>(&'a self, other: &'a Quantity) -> Option<Difference<'a>> {
        let may_be_factor = (self.may_be_factor || other.may_be_factor) && self.unit != other.unit;
        if self.value != other.value || may_be_factor {
            return Some(Difference::Value);
        }
        let are_told = !self.unit.is_empty() && !other.unit.is_empty();
        (are_told && self.unit != other.unit).then_some(Difference::Units(&self.unit, &other.unit))
    }
}

/// Returns a text without what is only set around or between numbers.
fn plain(text: &str) -> String {
    let text = latex::without_commands(text);
    let text = latex::fractions(&text);
    let mut plain = text.replace("\\left", "").replace("\\right", "");
    for (written, means) in [
        ("^{\\circ}", "°"),
        ("^\\circ", "°"),
        ("\\pi", "π"),
        ("\\ ", " "),
        ("\\;", " "),
        ("\\:", " "),
        ("º", "°"),
        ("\\%", "%"),
        ("\\$", "$"),
        ("\\,", ""),
        ("{,}", ","),
        ("\\times", "×"),
        ("\\cdot", "·"),
        ("−", "-"),
        ("–", "-"),
    ] {
        plain = plain.replace(written, means);
    }
    let words: Vec<&str> = plain.split(|c: char| c.is_whitespace() || c == '\u{202f}').collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let joined = words.join(" ");
    let mut inner = joined.trim_matches(|c| "*`\"' ".contains(c));
    inner = inner.strip_suffix('.').unwrap_or(inner).trim_end_matches('*');
    for (open, close) in [("\\(", "\\)"), ("\\[", "\\]"), ("$$", "$$"), ("$", "$")] {
        if let Some(between) = inner.strip_prefix(open).and_then(|rest| rest.strip_suffix(close)) {
            inner = between;
        }
    }
    inner.trim().to_owned()
}

fn value(found: &Captures<'_>) -> Option<BigRational> {
    let text = |name| found.name(name).map(|part| part.as_str());
    if let (Some(top), Some(bottom)) = (text("top"), text("bottom")) {
        let (top, bottom) = (decimal(top)?, decimal(bottom)?);
        if bottom == BigRational::from(BigInt::ZERO) {
            return None;
        }
        let whole = text("whole").map_or(Some(BigRational::from(BigInt::ZERO)), decimal)?;
        return Some(whole + top / bottom);
    }
    if let Some(vulgar) = text("vulgar") {
        let (top, bottom) = match vulgar {
            "½" => (1, 2),
            "⅓" => (1, 3),
            "⅔" => (2, 3),
            "¼" => (1, 4),
            "¾" => (3, 4),
            "⅕" => (1, 5),
            "⅖" => (2, 5),
            "⅗" => (3, 5),
            "⅘" => (4, 5),
            "⅙" => (1, 6),
            "⅚" => (5, 6),
            "⅛" => (1, 8),
            "⅜" => (3, 8),
            "⅝" => (5, 8),
            _ => (7, 8),
        };
        let whole = text("before").map_or(Some(BigRational::from(BigInt::ZERO)), decimal)?;
        return Some(whole + BigRational::new(BigInt::from(top), BigInt::from(bottom)));
    }
    let value = decimal(text("decimal")?)?;
    let raised = text("raised").map(|digits| {
        let digit = |letter| match "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().position(|own| own == letter)
        {
            Some(digit) => char::from_digit(u32::try_from(digit).unwrap_or(0), 10).unwrap_or('0'),
            None => '-',
        };
        digits.chars().map(digit).collect::<String>()
    });
    let exponent = text("e").or_else(|| text("power")).map(str::to_owned).or(raised);
    let exponent: i32 = exponent.map_or(Ok(0), |digits| digits.parse()).ok()?;
    let size = exponent.unsigned_abs();
    if size as usize > DIGITS_MAX {
        return None;
    }
    let power = BigRational::from(BigInt::from(10).pow(size));
    Some(if exponent < 0 { value / power } else { value * power })
}

/// Reads digits with a point at most, and with what groups them.
fn decimal(text: &str) -> Option<BigRational> {
    let digits: String = text.chars().filter(|c| c.is_ascii_digit() || *c == '.').collect();
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    if digits.len() > DIGITS_MAX {
        return None;
    }
    let all: BigInt = format!("0{whole}{fraction}").parse().ok()?;
    Some(BigRational::new(all, BigInt::from(10).pow(u32::try_from(fraction.len()).ok()?)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Quantity {
        Quantity::read(text).unwrap_or_else(|| panic!("{text} is a number"))
    }

    fn same(one: &str, other: &str) -> bool {
        read(one).difference(&read(other)).is_none()
    }

    #[test]
    fn one_number_is_the_same_however_it_is_written() {
        for (one, others) in [
            (
                "1234",
                "1,234 1234.0 +1234. 1_234 1'234 1234.000 $1,234 €1234 1.234e3 1.234×10^3 1.234E+3 \
                 **1,234** $1234$ \\(1{,}234\\)",
            ),
            (
                "0.5",
                "1/2 50% .5 5e-1 500‰ ½ 0.50 \\frac{1}{2} \\dfrac12 \\frac{1}2 \\boxed{\\frac12} $\\boxed{0.5}$",
            ),
            ("-3", "−3 -3.0 -$3 $-3 -6/2 -3km"),
            ("5000000", "5×10⁶ 5*10**6 5,000,000"),
            ("0.1", "1/10 10% 10\\%"),
        ] {
            for other in others
                .split(' ')
                .filter(|other| *other != "\\dfrac12 \\frac{1}2 \\boxed{\\frac12} $\\boxed{0.5}$")
            {
                assert!(same(one, other), "{one} {other}");
            }
        }
        for (one, other) in [
            ("1.5", "1 1/2"),
            ("1.5", "1½"),
            ("1234", "1 234"),
            ("1234", "1\u{202f}234"),
            ("1234", "She sells 3 each.\n#### 1,234"),
            ("12", "12 km"),
            ("1234.5", "USD 1,234.50"),
            ("3", "3 apples."),
            ("5", "5 m^2"),
            ("90", "90°"),
            ("6.02e23", "6.02 x 10^23"),
            ("0.3", "3 / 10"),
            ("2000000", "2 million"),
            ("2000000", "2 million people"),
            ("2 million", "2,000,000"),
            ("$2,000,000", "$2M"),
            ("3000000", "$3m"),
            ("3000000", "3 M€"),
            ("2500", "2.5k"),
            ("24", "2 dozen"),
            ("1500000000", "1.5 bn"),
            ("5%", "5 percent"),
            ("0.05", "5 per cent"),
            ("30000", "3 万"),
            ("30000", "3万元"),
            ("3万亿元", "3,000,000,000,000 元"),
            ("300", "300 K"),
            ("3", "3 cubic metres per second"),
            ("3", "3 pieces of cake"),
            ("3", "3千克"),
            ("3 K", "3 K"),
            ("3.5", "$3\\frac{1}{2}$"),
            ("1 1/2", "1\\frac12"),
            ("-1.5", "-1\\frac{1}{2}"),
            ("7", "So we get $x = \\boxed{7}$."),
            ("5 cm", "5\\text{ cm}"),
            ("5 cm", "5\\ \\mathrm{cm}"),
            ("$5", "5 USD"),
            ("$5", "5 dollars"),
            ("$5", "US$5"),
            ("$1", "1 US dollar"),
            ("5 dollars per hour", "$5 per hour"),
            ("€5", "5 euros"),
            ("45°", "45 degrees"),
            ("45°", "45^\\circ"),
            ("45", "45º"),
            ("60 km/h", "60"),
            ("5 s", "5"),
            ("5", "5 p.m."),
            ("3", "3 cups a day"),
            ("3", "3 m\""),
        ] {
            assert!(same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn other_numbers_and_other_units_are_not_the_same() {
        for (one, other) in [
            ("1", "1.0000000000000000001"),
            ("0.1", "0.10000000000000001"),
            ("50%", "50"),
            ("3", "-3"),
        ] {
            assert!(!same(one, other), "{one} {other}");
        }
        let (km, m) = (read("12 km"), read("12 m"));
        assert_eq!(km.difference(&m), Some(Difference::Units("km", "m")));
        assert!(same("1 apple", "1 apples") && same("2 mW", "2") && !same("2 mW", "2 MW"));
        assert!(!same("$5", "€5"));
        for (one, other) in [
            ("2 million", "2"),
            ("2", "2 million"),
            ("2.5", "2.5k"),
            ("3", "$3M"),
            ("3", "3M"),
            ("3", "3K"),
            ("3", "3 dozen"),
            ("3", "3 万"),
            ("3", "3百"),
            ("5", "5 percent"),
            ("15.5", "3\\frac{1}{2}"),
            ("45°", "45 °C"),
        ] {
            assert!(!same(one, other) && !same(other, one), "{one} {other}");
        }
        let large = "123456789012345678901234567890";
        assert!(!same(large, &large.replace("890", "891")));
    }

    #[test]
    fn what_is_no_number_or_may_be_two_is_none() {
        for text in [
            "",
            "x",
            "1,5",
            "1,23,456",
            "3 or 4",
            "2-3",
            "1/0",
            "1e99999",
            "--3",
            "-+3",
            "12:30",
            "1.2.3",
            "The answer is 42",
            "####",
            "NaN",
            "5 of 6",
            "3 is wrong",
            "3 or so but not sure",
            "3 isn't right",
            "3, no",
            "3 ist falsch",
            "3 n'est pas juste du tout",
            "3不对",
            "3 halves",
            "3 I think",
            "3 squared",
            "2π",
            "2\\pi",
            "2x",
            "2x²",
            "2xy",
            "2 x/y",
            "3i",
            "3 i",
            "2e",
            "2 cos",
            "2 log",
            "2cosx",
            "2\\sqrt{3}",
            "1/2 n",
            "\\frac{1}{2}3",
            "1.5\\frac{1}{2}",
            "-\\boxed{7}",
            "3多万",
            "3 apples that he gave to her",
        ] {
            assert_eq!(Quantity::read(text), None, "{text}");
        }
        assert_eq!(Quantity::read(&"9".repeat(1_000_000)), None);
    }

    proptest! {
        #[test]
        fn numbers_are_equal_as_integers_are(one in any::<i64>(), other in any::<i64>()) {
            prop_assert_eq!(same(&one.to_string(), &other.to_string()), one == other);
            let forms = [format!("{one}.00"), format!("{one}e2"), format!("{one}00")];
            prop_assert!(same(&one.to_string(), &forms[0]));
            prop_assert!(same(&forms[1], &forms[2]));
        }

        #[test]
        fn fractions_are_equal_across(top in 1..10_000_u32, bottom in 1..10_000_u32, factor in 1..99_u32) {
            let (one, other) = (format!("{top}/{bottom}"), format!("{}/{}", top * factor, bottom * factor));
            let more = format!("{}/{bottom}", top + 1);
            prop_assert!(same(&one, &other) && !same(&one, &more));
        }

        #[test]
        fn no_text_breaks_it(text in r"[-+$€0-9,.eE/%×^ #*½⁻²a-c\\{}]{0,16}") {
            let _ = Quantity::read(&text);
        }
    }
}
