//! Values that JSON has no type for, as text.

use std::fmt::Write as _;

use serde_json::Value;

/// A decimal: a number, if JSON's reader gives its digits back, or else a text with all of them.
///
/// Numbers here are 64 bits wide, whole or of double precision; what has more digits would be another number.
pub(super) fn decimal(digits: &str) -> Value {
    if let Ok(whole) = digits.parse::<i64>() {
        return whole.into();
    }
    let trimmed = if digits.contains('.') {
        digits.trim_end_matches('0').trim_end_matches('.')
    } else {
        digits
    };
    match digits.parse::<f64>() {
        Ok(number) if number.to_string() == trimmed => number.into(),
        _ => digits.into(),
    }
}

/// A number; the infinities, for which JSON has no word, as text.
pub(super) fn float(number: f64) -> Value {
    match number {
        f64::INFINITY => "inf".into(),
        f64::NEG_INFINITY => "-inf".into(),
        number => number.into(),
    }
}

/// Bytes as DuckDB shows them: what is printed in ASCII as it is, everything else, quotes and backslashes
/// as `\xNN`.
pub(super) fn escaped(bytes: &[u8]) -> Value {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if matches!(byte, b' '..=b'~') && !matches!(byte, b'\\' | b'\'' | b'"') {
            text.push(char::from(byte));
        } else {
            // Nothing fails that writes to a string.
            let _ = write!(text, "\\x{byte:02X}");
        }
    }
    text.into()
}

/// A UUID, in groups of digits; bytes of another number as [`escaped`].
pub(super) fn uuid(bytes: &[u8]) -> Value {
    if bytes.len() != 16 {
        return escaped(bytes);
    }
    let mut text = String::with_capacity(36);
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let _ = write!(text, "{byte:02x}");
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_decimal_is_a_number_unless_a_double_would_change_its_digits() {
        for (digits, expected) in [
            ("5", json!(5)),
            ("1.50", json!(1.5)),
            ("-0.10", json!(-0.1)),
            ("5.00", json!(5.0)),
            ("9007199254740993", json!(9_007_199_254_740_993_i64)),
            ("9007199254740993.5", json!("9007199254740993.5")),
            ("12345678901234567890.12", json!("12345678901234567890.12")),
        ] {
            assert_eq!(decimal(digits), expected, "{digits}");
        }
    }

    #[test]
    fn bytes_that_print_stay_and_others_are_escaped() {
        assert_eq!(escaped(b"\0ab\xFF\"\\' ~"), json!(r"\x00ab\xFF\x22\x5C\x27 ~"));
    }
}
