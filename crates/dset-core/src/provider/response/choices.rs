//! The choices of a document in OpenAI's shape, of which the first is read.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::content::Message;
use super::usage::{Count, Counts};
use crate::provider::lenient_json::{Object, Text, read_fields};
use crate::provider::response::finish_reason;
use crate::provider::stream::event_shape_cache::TextSlot;

/// An answer, or a piece of one.
#[derive(Debug, Default)]
pub(crate) struct Choice<'a> {
    index: Count,
    pub(crate) message: Object<Message<'a>>,
    pub(crate) delta: Object<Message<'a>>,
    /// Where the older API for completions has all of it.
    pub(crate) text: Text<'a>,
    pub(crate) finish_reason: Text<'a>,
    /// OpenRouter's place for a provider's own word.
    native_finish_reason: Text<'a>,
    provider_specific_fields: Object<Native<'a>>,
    /// Moonshot's place for the counts of a stream.
    pub(crate) usage: Object<Counts>,
    /// What OpenRouter says where a provider behind it failed.
    pub(crate) error: Option<&'a RawValue>,
}

read_fields!(Choice<'a>, "a choice with a message", {
    "index" => index,
    "message" => message,
    "delta" => delta,
    "text" => text,
    "finish_reason" => finish_reason,
    "native_finish_reason" => native_finish_reason,
    "provider_specific_fields" => provider_specific_fields,
    "usage" => usage,
    "error" => error,
});

impl Choice<'_> {
    pub(crate) fn index(&self) -> u64 {
        self.index.0.unwrap_or(0)
    }

    /// Returns the provider's own reason to stop, which proxies translate.
    fn native_reason(&self) -> &str {
        let of_litellm = self.provider_specific_fields.0.as_ref();
        let of_litellm = of_litellm.map_or("", |native| &*native.native_finish_reason);
        if of_litellm.is_empty() { &self.native_finish_reason } else { of_litellm }
    }

    /// Returns the reason to stop: the provider's own, if there is one, unless it is the other that
    /// says that the answer is not whole.
    pub(crate) fn reason(&self) -> &str {
        let native = self.native_reason();
        let is_other = native.is_empty()
            || finish_reason::is_whole(native) && !finish_reason::is_whole(&self.finish_reason);
        if is_other { &self.finish_reason } else { native }
    }

    /// Returns the text of a piece that has nothing else.
    pub(crate) fn only_text(&self) -> Option<(&str, TextSlot)> {
        let goes_on = self.index() == 0
            && self.finish_reason.is_empty()
            && self.native_reason().is_empty()
            && self.text.is_empty()
            && self.error.is_none()
            && self.usage.0.is_none()
            && self.message.0.is_none();
        self.delta.0.as_ref().filter(|_| goes_on)?.only_text()
    }
}

/// What LiteLLM says beside a reason that it has translated.
#[derive(Debug, Default)]
struct Native<'a> {
    native_finish_reason: Text<'a>,
}

read_fields!(Native<'a>, "what a provider said", {
    "native_finish_reason" => native_finish_reason,
});

/// The first of the choices, by their index. One answer is asked for, and a list of many would take
/// a multiple of the reply that it came in: the rest is passed over.
#[derive(Debug, Default)]
pub(crate) struct Choices<'a>(pub(crate) Option<Box<Choice<'a>>>);

impl<'de: 'a, 'a> Deserialize<'de> for Choices<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Choices<'a>, D::Error> {
        struct First;
        impl<'de> Visitor<'de> for First {
            type Value = Choices<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of choices")
            }
            fn visit_unit<E>(self) -> Result<Choices<'de>, E> {
                Ok(Choices(None))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Choices<'de>, A::Error> {
                Choice::deserialize(MapAccessDeserializer::new(map))
                    .map(|only| Choices(Some(Box::new(only))))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Choices<'de>, A::Error> {
                let mut first = None::<Box<Choice<'de>>>;
                while first.as_ref().is_none_or(|first| first.index() > 0)
                    && let Some(Object(next)) = seq.next_element::<Object<Choice<'de>>>()?
                {
                    let is_before = |next: &Choice<'_>| {
                        first.as_ref().is_none_or(|first| next.index() < first.index())
                    };
                    first = next.filter(|next| is_before(next)).or(first);
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Choices(first))
            }
        }
        deserializer.deserialize_any(First)
    }
}
