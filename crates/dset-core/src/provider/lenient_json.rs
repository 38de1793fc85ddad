//! JSON as it comes: fields that stand twice or hold something else than they should, and what no
//! JSON has. An answer that was paid for is not lost to what stands beside it.
//!
//! Not serde_json alone: it stops at the first byte that is out of form, and a reply with it is paid for.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Reads a struct of an object by its fields; what the object does not say is empty. Of a field
/// that stands twice the last counts, as most readers of JSON have it; serde's own refuse it, and
/// NVIDIA says `reasoning_content` twice.
macro_rules! read_fields {
    ($type:ident<'a>, $what:literal, { $($name:literal => $field:ident,)* }) => {
        read_fields!(@ ['de: 'a, 'a] $type<'a>, $type<'de>, $what, { $($name => $field,)* });
    };
    ($type:ident, $what:literal, { $($name:literal => $field:ident,)* }) => {
        read_fields!(@ ['de] $type, $type, $what, { $($name => $field,)* });
    };
    (@ [$($lives:tt)*] $own:ty, $read:ty, $what:literal, { $($name:literal => $field:ident,)* }) => {
        impl<$($lives)*> serde::Deserialize<'de> for $own {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$own, D::Error> {
                struct Fields;
                impl<'de> serde::de::Visitor<'de> for Fields {
                    type Value = $read;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($what)
                    }
                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<$read, A::Error> {
                        let mut object = <$read>::default();
                        while let Some(name) = map.next_key::<$crate::provider::lenient_json::Text<'de>>()? {
                            match &*name {
                                $($name => object.$field = map.next_value()?,)*
                                _ => {
                                    map.next_value::<serde::de::IgnoredAny>()?;
                                }
                            }
                        }
                        Ok(object)
                    }
                }
                deserializer.deserialize_map(Fields)
            }
        }
    };
}
pub(crate) use read_fields;

/// An object; anything that is none is nothing. It stands apart, since readers hand on what they have
/// read by value, and most objects that a reply may hold are not there.
#[derive(Debug, Clone)]
pub(crate) struct Object<T>(pub(super) Option<Box<T>>);

impl<T> Default for Object<T> {
    fn default() -> Object<T> {
        Object(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<T>, D::Error> {
        struct Any<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Any<T> {
            type Value = Object<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
                    .map(|read| Object(Some(Box::new(read))))
            }
            fn visit_unit<E>(self) -> Result<Object<T>, E> {
                Ok(Object(None))
            }
            fn visit_str<E>(self, _: &str) -> Result<Object<T>, E> {
                Ok(Object(None))
            }
            fn visit_bool<E>(self, _: bool) -> Result<Object<T>, E> {
                Ok(Object(None))
            }
            fn visit_u64<E>(self, _: u64) -> Result<Object<T>, E> {
                Ok(Object(None))
            }
            fn visit_i64<E>(self, _: i64) -> Result<Object<T>, E> {
                Ok(Object(None))
            }
            fn visit_f64<E>(self, _: f64) -> Result<Object<T>, E> {
                Ok(Object(None))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Object<T>, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Object(None))
            }
        }
        deserializer.deserialize_any(Any(PhantomData))
    }
}

/// A text that is borrowed where it has no escapes; anything that is no text is an empty one, so
/// that no answer is lost to a number in place of a name.
#[derive(Debug, Default, Clone)]
pub(crate) struct Text<'a>(Cow<'a, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(text.into()))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(text.to_owned().into()))
            }
            fn visit_unit<E>(self) -> Result<Text<'de>, E> {
                Ok(Text::default())
            }
            fn visit_bool<E>(self, _: bool) -> Result<Text<'de>, E> {
                Ok(Text::default())
            }
            fn visit_u64<E>(self, _: u64) -> Result<Text<'de>, E> {
                Ok(Text::default())
            }
            fn visit_i64<E>(self, _: i64) -> Result<Text<'de>, E> {
                Ok(Text::default())
            }
            fn visit_f64<E>(self, _: f64) -> Result<Text<'de>, E> {
                Ok(Text::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Text<'de>, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Text::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text<'de>, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Text::default())
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// Half a character of UTF-16 stands for itself by one of the last 2,048 characters for private use
/// until all of a text is there.
const HALVES: u32 = 0x10_f800;

/// Makes characters of the halves that [`mended`] leaves: where the other half of one follows, maybe in
/// the next piece of a stream, that character, else U+FFFD.
pub(crate) fn join_halves(text: &mut String) {
    let unit = |c: char| u32::from(c).checked_sub(HALVES).map(|half| half as u16 + 0xd800);
    if text.chars().any(|c| unit(c).is_some()) {
        let mut units = Vec::with_capacity(text.len());
        for c in text.chars() {
            match unit(c) {
                Some(half) => units.push(half),
                None => units.extend_from_slice(c.encode_utf16(&mut [0; 2])),
            }
        }
        *text = String::from_utf16_lossy(&units);
    }
}

/// Mends what readers of JSON refuse and some services write; `None` where there is nothing of it.
///
/// `\ud800` to `\udfff` that do not stand in pairs, which models and gateways leave behind that cut in
/// the middle of an emoji, become halves for [`join_halves`]; control characters in texts what they are escaped as, or a space;
/// `NaN` and `Infinity`, which Python writes, become `null`.
pub(crate) fn mended(text: &str) -> Option<String> {
    let unit = |at: usize| {
        let hex = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(hex, 16).ok()
    };
    let bytes = text.as_bytes();
    let says = |at: usize, word: &str| bytes[at..].starts_with(word.as_bytes());
    let mut mended = String::new();
    let mut half = [0; 4];
    let (mut at, mut copied, mut is_in_text) = (0, 0, false);
    while at < bytes.len() {
        let (length, instead) = match (is_in_text, bytes[at]) {
            (_, b'"') => {
                is_in_text = !is_in_text;
                (1, None)
            }
            (true, b'\\') => match unit(at) {
                Some(0xd800..=0xdbff) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => {
                    (12, None)
                }
                Some(unit @ 0xd800..=0xdfff) => {
                    let private = char::from_u32(HALVES + u32::from(unit) - 0xd800);
                    (6, private.map(|half_of| &*half_of.encode_utf8(&mut half)))
                }
                Some(_) => (6, None),
                // Some other escape: its second byte is no quote, and no backslash of another.
                None => (2, None),
            },
            (true, b'\n') => (1, Some("\\n")),
            (true, b'\r') => (1, Some("\\r")),
            (true, b'\t') => (1, Some("\\t")),
            (true, ..b' ') => (1, Some(" ")),
            (false, b'N') if says(at, "NaN") => (3, Some("null")),
            (false, b'I') if says(at, "Infinity") => (8, Some("null")),
            (false, b'-') if says(at, "-Infinity") => (9, Some("null")),
            _ => (1, None),
        };
        if let Some(instead) = instead {
            if mended.is_empty() {
                mended.reserve(text.len());
            }
            mended.push_str(&text[copied..at]);
            mended.push_str(instead);
            copied = at + length;
        }
        at += length;
    }
    if mended.is_empty() {
        return None;
    }
    mended.push_str(&text[copied..]);
    Some(mended)
}
