//! JSON as it was written: numbers keep their digits, objects their order and all their members.

mod reader;

use std::collections::HashSet;
use std::fmt::{self, Write};

use serde_json::{Number, Value};

use reader::{BLANKS, Reader};

/// How deep values may lie in each other; that of `serde_json`, through which they go later.
pub const DEPTH_MAX: usize = 127;

/// A JSON value as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, digit by digit as it was written.
    Number(Box<str>),
    /// A string, without its escapes.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object, in the order that it was written in; a name may be there twice.
    Object(Vec<(String, Json)>),
}

/// Why a text is no JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where, in bytes from the start of the text.
    pub at: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong at a place of a text that is no JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// The text ends before the value does.
    Cut,
    /// Something else is expected there.
    Unexpected,
    /// An escape that means nothing, or half a surrogate pair.
    Escape,
    /// A line break, a tab or another control character in a string.
    ControlCharacter,
    /// Something stands behind the value.
    Trailing,
    /// It is deeper than [`DEPTH_MAX`].
    TooDeep,
}

impl Json {
    /// Reads a text that is one JSON value, with blanks around it at most.
    pub fn parse(text: &str) -> Result<Json, SyntaxError> {
        let (value, end) = Json::parse_first(text)?;
        let rest = text[end..].trim_start_matches(BLANKS);
        match rest.is_empty() {
            true => Ok(value),
            false => Err(SyntaxError { at: text.len() - rest.len(), problem: Problem::Trailing }),
        }
    }

    /// Reads the JSON value that a text begins with; returns it and where it ends, in bytes.
    pub(crate) fn parse_first(text: &str) -> Result<(Json, usize), SyntaxError> {
        let mut reader = Reader { text, at: 0 };
        let value = reader.value(0)?;
        Ok((value, reader.at))
    }

    /// Returns the member of an object, the last of two with one name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Json> {
        match self {
            Json::Object(members) => {
                members.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// Returns the JSON pointer of the first name that stands twice in one object.
    #[must_use]
    pub fn duplicate(&self) -> Option<String> {
        let (value, mut place) = (self, String::new());
        value.find_duplicate(&mut place).then_some(place)
    }

    fn find_duplicate(&self, place: &mut String) -> bool {
        let before = place.len();
        let mut names = HashSet::new();
        let mut within = |name: &str, is_twice: bool, value: &Json| {
            push_token(place, name);
            if is_twice || value.find_duplicate(place) {
                return true;
            }
            place.truncate(before);
            false
        };
        match self {
            Json::Array(items) => {
                let mut items = items.iter().enumerate();
                items.any(|(index, item)| within(&index.to_string(), false, item))
            }
            Json::Object(members) => members
                .iter()
                .any(|(name, value)| within(name, !names.insert(name.as_str()), value)),
            _ => false,
        }
    }

    /// Returns the JSON pointer of the first number that is another one once it is a double, and the
    /// number.
    #[must_use]
    pub(crate) fn inexact(&self) -> Option<(String, String)> {
        let mut place = String::new();
        self.find_inexact(&mut place).map(|number| (place, number))
    }

    fn find_inexact(&self, place: &mut String) -> Option<String> {
        let before = place.len();
        let mut within = |name: &str, value: &Json| {
            push_token(place, name);
            let found = value.find_inexact(place);
            if found.is_none() {
                place.truncate(before);
            }
            found
        };
        match self {
            Json::Number(digits) => {
                let is_whole = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
                let read = serde_json::from_str::<Number>(digits).ok();
                let is_kept = read.is_some_and(|number| !is_whole || !number.is_f64());
                (!is_kept && **digits != *"-0").then(|| digits.to_string())
            }
            Json::Array(items) => {
                items.iter().enumerate().find_map(|(at, item)| within(&at.to_string(), item))
            }
            Json::Object(members) => members.iter().find_map(|(name, value)| within(name, value)),
            _ => None,
        }
    }

    /// Returns it as a value to calculate with: of two members with one name the last counts.
    /// Fails with the JSON pointer of a number that is too large.
    pub fn to_value(&self) -> Result<Value, String> {
        self.value_at(&mut String::new())
    }

    fn value_at(&self, place: &mut String) -> Result<Value, String> {
        let before = place.len();
        Ok(match self {
            Json::Null => Value::Null,
            Json::Bool(is) => Value::Bool(*is),
            Json::String(text) => Value::String(text.clone()),
            Json::Number(digits) => {
                Value::Number(serde_json::from_str(digits).map_err(|_| place.clone())?)
            }
            Json::Array(items) => {
                let mut values = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    push_token(place, &index.to_string());
                    values.push(item.value_at(place)?);
                    place.truncate(before);
                }
                Value::Array(values)
            }
            Json::Object(members) => {
                let mut values = serde_json::Map::with_capacity(members.len());
                for (name, member) in members {
                    push_token(place, name);
                    values.insert(name.clone(), member.value_at(place)?);
                    place.truncate(before);
                }
                Value::Object(values)
            }
        })
    }
}

/// Adds a name or an index to a JSON pointer.
pub(crate) fn push_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    for letter in token.chars() {
        match letter {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            letter => pointer.push(letter),
        }
    }
}

/// It is written without blanks; numbers as they were.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(is) => write!(f, "{is}"),
            Json::Number(digits) => f.write_str(digits),
            Json::String(text) => write_string(f, text),
            Json::Array(items) => {
                f.write_char('[')?;
                for (index, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if index == 0 { "" } else { "," })?;
                }
                f.write_char(']')
            }
            Json::Object(members) => {
                f.write_char('{')?;
                for (index, (name, value)) in members.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { "," })?;
                    write_string(f, name)?;
                    write!(f, ":{value}")?;
                }
                f.write_char('}')
            }
        }
    }
}

fn write_string(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str(&serde_json::to_string(text).map_err(|_| fmt::Error)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn problem(text: &str) -> (usize, Problem) {
        let error = Json::parse(text).unwrap_err();
        (error.at, error.problem)
    }

    #[test]
    fn numbers_keep_their_digits_and_objects_their_order() {
        for text in [
            r#"{"z":1.0,"a":123456789012345678901234567890,"m":[-0,1e400,0.10]}"#,
            r#"["",null,true,false,{},[],"\"\\\n\u001f/é😀"]"#,
        ] {
            let json = Json::parse(&format!(" \n{text}\t")).unwrap();
            assert_eq!(json.to_string(), text);
        }
        let json = Json::parse(r#""\u00e9\ud83d\ude00\/""#).unwrap();
        assert_eq!(json, Json::String("é😀/".into()));
    }

    #[test]
    fn what_is_no_json_says_where_and_why() {
        for (text, at, why) in [
            ("", 0, Problem::Cut),
            ("  ", 2, Problem::Cut),
            (r#"{"a": 1"#, 7, Problem::Cut),
            (r#"{"a": "b"#, 8, Problem::Cut),
            (r#""a\"#, 3, Problem::Cut),
            ("tru", 0, Problem::Cut),
            ("[1,]", 3, Problem::Unexpected),
            ("{a: 1}", 1, Problem::Unexpected),
            ("{'a': 1}", 1, Problem::Unexpected),
            ("01", 1, Problem::Unexpected),
            ("1.", 2, Problem::Cut),
            ("+1", 0, Problem::Unexpected),
            (".5", 0, Problem::Unexpected),
            ("NaN", 0, Problem::Unexpected),
            ("True", 0, Problem::Unexpected),
            ("{} {}", 3, Problem::Trailing),
            ("\"a\tb\"", 2, Problem::ControlCharacter),
            (r#""\ud800""#, 0, Problem::Escape),
            (r#""\x""#, 0, Problem::Escape),
        ] {
            assert_eq!(problem(text), (at, why), "{text}");
        }
        let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(Json::parse(&deep(DEPTH_MAX)).is_ok());
        assert_eq!(problem(&deep(DEPTH_MAX + 1)).1, Problem::TooDeep);
        assert_eq!(problem(&"[".repeat(1_000_000)).1, Problem::TooDeep);
    }

    #[test]
    fn a_name_that_stands_twice_is_found_with_its_place() {
        let duplicate = |text: &str| Json::parse(text).unwrap().duplicate();
        assert_eq!(duplicate(r#"{"a":{"b":1},"b":1,"c":[{"b":1}]}"#), None);
        assert_eq!(duplicate(r#"{"x":[0,{"a/b":1,"\u0061/b":2}]}"#), Some("/x/1/a~1b".into()));
    }

    #[test]
    fn a_number_beyond_all_bounds_has_no_value() {
        let json = Json::parse(r#"{"a":[1,1e400]}"#).unwrap();
        assert_eq!(json.to_value(), Err("/a/1".to_owned()));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn serde_json_reads_a_float_as_the_one_that_was_written() {
        // Without its feature `float_roundtrip` one in thirty is the next float beside it.
        for float in ["0.9452706955539223", "2.4703282292062328e-324"] {
            let read: f64 = serde_json::from_str(float).unwrap();
            assert_eq!(read, float.parse::<f64>().unwrap(), "{float}");
            assert_eq!(serde_json::from_str::<Value>(float).unwrap().as_f64(), Some(read));
        }
    }

    proptest! {
        #[test]
        fn what_serde_json_writes_is_read_as_it_was(value in any_json()) {
            let compact = value.to_string();
            let json = Json::parse(&compact).unwrap();
            prop_assert_eq!(json.to_string(), compact);
            prop_assert_eq!(json.duplicate(), None);
            prop_assert_eq!(Json::parse(&serde_json::to_string_pretty(&value).unwrap()), Ok(json));
        }

        #[test]
        fn it_takes_what_serde_json_takes_and_nothing_else(
            text in r#"[ \[\]{}:,"\\0-9.eE+\-untrfalsx\t]{0,12}"#,
        ) {
            // A number that is too large is JSON all the same.
            let theirs = serde_json::from_str::<&serde_json::value::RawValue>(&text);
            let ours = Json::parse(&text);
            if ours.is_ok() { prop_assert!(theirs.is_ok()) }
            if serde_json::from_str::<Value>(&text).is_ok() { prop_assert!(ours.is_ok()) }
        }

        #[test]
        fn no_text_breaks_it(text in any::<String>()) {
            let _ = Json::parse(&text);
        }
    }
}
