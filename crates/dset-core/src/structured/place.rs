//! A place in a value or in an answer: a JSON pointer (`/a/0`), or names with dots (`a.0`).

use std::fmt;

use thiserror::Error;

use crate::structured::json::{Json, push_token};

/// A place in the parsed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    tokens: Vec<String>,
}

/// A text that names no place.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is no place: write a JSON pointer (`/answer/0`) or names with dots (`answer.0`)")]
pub struct PlaceError(pub String);

impl Place {
    /// Reads a place. A dotted one may begin with `parsed`, which is the whole value.
    pub fn read(text: &str) -> Result<Place, PlaceError> {
        let wrong = || PlaceError(text.to_owned());
        if text.is_empty() {
            return Err(wrong());
        }
        if let Some(pointer) = text.strip_prefix('/') {
            let unescaped = pointer.split('/').map(|token| {
                let rest = token.replace("~0", "").replace("~1", "");
                let token = token.replace("~1", "/").replace("~0", "~");
                if rest.contains('~') { Err(wrong()) } else { Ok(token) }
            });
            return Ok(Place { tokens: unescaped.collect::<Result<_, _>>()? });
        }
        let names = match text.strip_prefix("parsed") {
            Some("") => return Ok(Place { tokens: Vec::new() }),
            Some(rest) if rest.starts_with('.') => &rest[1..],
            _ => text,
        };
        let tokens: Vec<String> = names.split('.').map(str::to_owned).collect();
        if tokens.iter().any(String::is_empty) { Err(wrong()) } else { Ok(Place { tokens }) }
    }

    /// Returns the names on the way, from the root.
    pub(crate) fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// Returns what stands there.
    #[must_use]
    pub fn find<'a>(&self, value: &'a Json) -> Option<&'a Json> {
        self.tokens.iter().try_fold(value, |value, token| match value {
            Json::Object(_) => value.get(token),
            Json::Array(items) => {
                let is_index = token == "0" || !token.starts_with(['0', '+']);
                items.get(token.parse::<usize>().ok().filter(|_| is_index)?)
            }
            _ => None,
        })
    }
}

/// As a JSON pointer.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut pointer = String::new();
        self.tokens.iter().for_each(|token| push_token(&mut pointer, token));
        f.write_str(&pointer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_pointer_or_names_with_dots() {
        let value = Json::parse(r#"{"a":[{"b/c":1}],"parsed":2,"x":{"a.b":3}}"#).unwrap();
        for (text, pointer, found) in [
            ("/a/0/b~1c", "/a/0/b~1c", Some("1")),
            ("a.0.b/c", "/a/0/b~1c", Some("1")),
            ("parsed.a.0", "/a/0", Some(r#"{"b/c":1}"#)),
            ("parsed.parsed", "/parsed", Some("2")),
            ("/x/a.b", "/x/a.b", Some("3")),
            ("x.a.b", "/x/a/b", None),
            ("a.00", "/a/00", None),
            ("a.+0", "/a/+0", None),
            ("/a/1", "/a/1", None),
        ] {
            let place = Place::read(text).unwrap();
            assert_eq!(place.to_string(), pointer);
            assert_eq!(place.find(&value).map(Json::to_string).as_deref(), found, "{text}");
        }
        assert_eq!(Place::read("parsed").unwrap().find(&value), Some(&value));
        for wrong in ["", "a..b", ".a", "/a~2"] {
            assert_eq!(Place::read(wrong), Err(PlaceError(wrong.into())));
        }
    }
}
