//! JSON as Python writes it: `NaN`, and halves of characters.

use dset_core::structured::Json;
use serde_json::Value;

/// Reads a value; tells whether it had half a character, which is U+FFFD now. `NaN` becomes nothing,
/// `Infinity` a text. Where it is no JSON, the error is that of the text as it is.
pub(in crate::source) fn read(text: &str) -> Result<(Value, bool), serde_json::Error> {
    let error = match serde_json::from_str(text) {
        Ok(value) => return Ok((with_large_integers(value, text), false)),
        Err(error) => error,
    };
    let (mended, halves) = mend(text);
    match serde_json::from_str(&mended) {
        Ok(value) => Ok((with_large_integers(value, &mended), halves > 0)),
        Err(_) => Err(error),
    }
}

/// Reads values one behind the other; `None` where anything else stands there.
pub(in crate::source) fn read_several(text: &str) -> Option<Vec<Value>> {
    let (mut read, mut start) = (Vec::new(), 0);
    let mut values = serde_json::Deserializer::from_str(text).into_iter();
    while let Some(value) = values.next() {
        let end = values.byte_offset();
        read.push(with_large_integers(value.ok()?, &text[start..end]));
        start = end;
    }
    Some(read)
}

/// Keeps whole numbers that no 64 bits hold as the text of their digits, which reading has rounded; `text` is
/// what the value was read from.
pub(in crate::source) fn with_large_integers(mut value: Value, text: &str) -> Value {
    if has_large(&value)
        && let Ok(written) = Json::parse(text)
    {
        keep_digits(&mut value, &written);
    }
    value
}

fn has_large(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.iter().any(has_large),
        Value::Object(fields) => fields.values().any(has_large),
        // An integer that is read as a float is at least so large.
        Value::Number(number) => {
            number.is_f64() && number.as_f64().is_some_and(|it| it.abs() >= i64::MAX as f64)
        }
        _ => false,
    }
}

fn keep_digits(value: &mut Value, written: &Json) {
    match (value, written) {
        (Value::Array(values), Json::Array(items)) => {
            values.iter_mut().zip(items).for_each(|(value, item)| keep_digits(value, item));
        }
        (Value::Object(fields), Json::Object(_)) => {
            for (name, value) in fields {
                if let Some(member) = written.get(name) {
                    keep_digits(value, member);
                }
            }
        }
        (value, Json::Number(digits)) if has_large(value) => {
            let unsigned = digits.strip_prefix('-').unwrap_or(digits);
            if unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
                *value = Value::from(&**digits);
            }
        }
        _ => {}
    }
}

/// Returns the text as JSON has it, and how many halves of characters it had.
fn mend(text: &str) -> (String, u64) {
    let (mut mended, mut halves, mut in_text) = (String::with_capacity(text.len()), 0, false);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let taken = match (in_text, c) {
            (true, '\\') => {
                let taken = escape(rest);
                if is_half(&rest[..taken]) {
                    halves += 1;
                    mended.push_str("\\ufffd");
                    rest = &rest[taken..];
                    continue;
                }
                taken
            }
            (_, '"') => {
                in_text = !in_text;
                1
            }
            (false, 'N' | 'I' | '-') => {
                let words =
                    [("NaN", "null"), ("Infinity", "\"Infinity\""), ("-Infinity", "\"-Infinity\"")];
                if let Some((word, json)) = words.iter().find(|(word, _)| rest.starts_with(word)) {
                    mended.push_str(json);
                    rest = &rest[word.len()..];
                    continue;
                }
                1
            }
            _ => c.len_utf8(),
        };
        mended.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    (mended, halves)
}

/// Returns how long the escape is that a text begins with; a pair of halves is one.
fn escape(text: &str) -> usize {
    let unit = |text: &str| u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok();
    match unit(text) {
        Some(0xd800..=0xdbff) => match text.get(6..).and_then(unit) {
            Some(0xdc00..=0xdfff) => 12,
            _ => 6,
        },
        Some(_) => 6,
        // The sign behind a backslash, which may be longer than a byte where it is no JSON.
        None => 1 + text[1..].chars().next().map_or(0, char::len_utf8),
    }
}

fn is_half(escape: &str) -> bool {
    let unit = escape.strip_prefix("\\u").and_then(|unit| u16::from_str_radix(unit, 16).ok());
    unit.is_some_and(|unit| (0xd800..=0xdfff).contains(&unit))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whole_numbers_keep_their_digits_wherever_they_stand() {
        let digits = "123456789012345678901234567890";
        for (text, value) in [
            (
                format!("{{\"a\": {{\"b\": [1, -{digits}]}}}}"),
                json!({"a": {"b": [1, format!("-{digits}")]}}),
            ),
            (format!("[NaN, {digits}, 1e30]"), json!([null, digits, 1e30])),
        ] {
            assert_eq!(read(&text).unwrap().0, value, "{text}");
            assert_eq!(read_several(&format!("{digits}\n{digits}")).unwrap(), [digits; 2]);
        }
    }

    #[test]
    fn what_python_writes_is_read() {
        for (text, value, has_half) in [
            (r#"{"a": NaN, "b": -Infinity}"#, json!({"a": null, "b": "-Infinity"}), false),
            (r#"{"a": "A \ud83d sign"}"#, json!({"a": "A \u{fffd} sign"}), true),
            (r#"{"a": "\ude00 \ud83d\ude00 NaN"}"#, json!({"a": "\u{fffd} 😀 NaN"}), true),
            (r#"{"a": "\\ud83d", "b": NaN}"#, json!({"a": "\\ud83d", "b": null}), false),
            (r#"["\ud83d"]"#, json!(["\u{fffd}"]), true),
        ] {
            assert_eq!(read(text).unwrap(), (value, has_half), "{text}");
        }
        for text in ["{\"a\": Nan}", "{'a': 1}", "{\"a\": \"\\u12", "{\"a\": \"\\é"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
