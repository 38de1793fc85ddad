//! What an answer took, in each of the names that services count under.

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::json::{Object, read_fields};
use crate::answer::Usage;

/// The counts of a reply, under every name.
#[derive(Debug, Default)]
pub(super) struct Counts {
    prompt_tokens: Count,
    completion_tokens: Count,
    prompt_cache_hit_tokens: Count,
    /// Moonshot's place for what others put into the details.
    cached_tokens: Count,
    prompt_tokens_details: Object<Details>,
    completion_tokens_details: Object<Details>,
    input_tokens: Count,
    output_tokens: Count,
    cache_read_input_tokens: Count,
    cache_creation_input_tokens: Count,
    output_tokens_details: Object<Details>,
}

read_fields!(Counts, "the counts of an answer", {
    "prompt_tokens" => prompt_tokens,
    "completion_tokens" => completion_tokens,
    "prompt_cache_hit_tokens" => prompt_cache_hit_tokens,
    "cached_tokens" => cached_tokens,
    "prompt_tokens_details" => prompt_tokens_details,
    "completion_tokens_details" => completion_tokens_details,
    "input_tokens" => input_tokens,
    "output_tokens" => output_tokens,
    "cache_read_input_tokens" => cache_read_input_tokens,
    "cache_creation_input_tokens" => cache_creation_input_tokens,
    "output_tokens_details" => output_tokens_details,
});

#[derive(Debug, Default, Clone, Copy)]
struct Details {
    cached_tokens: Count,
    reasoning_tokens: Count,
}

read_fields!(Details, "the details of counts", {
    "cached_tokens" => cached_tokens,
    "reasoning_tokens" => reasoning_tokens,
});

/// No reply has so many tokens; more is no count, and would overflow sums and the store's integers.
const COUNT_MAX: u64 = 1_000_000_000_000_000;

/// A count that may be anything: only a number, or a number in a string, is one.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Count(pub(super) Option<u64>);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Count, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Count;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a count")
            }
            fn visit_u64<E>(self, value: u64) -> Result<Count, E> {
                Ok(Count((value <= COUNT_MAX).then_some(value)))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Count, E> {
                Ok(Count(u64::try_from(value).ok()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Count, E> {
                Ok(Count((0.0..=COUNT_MAX as f64).contains(&value).then_some(value as u64)))
            }
            fn visit_str<E>(self, value: &str) -> Result<Count, E> {
                Ok(Count(value.trim().parse().ok().filter(|count| *count <= COUNT_MAX)))
            }
            fn visit_bool<E>(self, _: bool) -> Result<Count, E> {
                Ok(Count(None))
            }
            fn visit_unit<E>(self) -> Result<Count, E> {
                Ok(Count(None))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Count, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Count(None))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Count, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Count(None))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl Counts {
    /// Takes over what a later part of the same reply says: counts grow while it comes, and what
    /// the later part leaves out still holds.
    pub(super) fn update(&mut self, later: &Counts) {
        macro_rules! latest {
            ($($count:ident),*) => { $(if later.$count.0.is_some() { self.$count = later.$count; })* };
        }
        latest!(
            prompt_tokens,
            completion_tokens,
            prompt_cache_hit_tokens,
            input_tokens,
            output_tokens,
            cache_read_input_tokens,
            cache_creation_input_tokens
        );
        let latest = |known: &mut Object<Details>, later: Object<Details>| {
            known.0 = later.0.or(known.0);
        };
        latest(&mut self.prompt_tokens_details, later.prompt_tokens_details);
        latest(&mut self.completion_tokens_details, later.completion_tokens_details);
        latest(&mut self.output_tokens_details, later.output_tokens_details);
    }

    /// Returns them without the count of what was written, which Anthropic says at the beginning
    /// of a stream, when it can only be a guess.
    pub(super) fn of_the_question(self) -> Counts {
        Counts { output_tokens: Count(None), output_tokens_details: Object(None), ..self }
    }
}

impl From<&Counts> for Usage {
    fn from(counts: &Counts) -> Usage {
        let details = counts.prompt_tokens_details.0.unwrap_or_default();
        let cached =
            counts.prompt_cache_hit_tokens.0.or(details.cached_tokens.0).or(counts.cached_tokens.0);
        let out = counts.completion_tokens_details.0.or(counts.output_tokens_details.0);
        // Anthropic's input leaves the cached tokens out; here it includes them, as elsewhere.
        let native = counts.input_tokens.0.map(|input| {
            let read = counts.cache_read_input_tokens.0.unwrap_or(0);
            input + read + counts.cache_creation_input_tokens.0.unwrap_or(0)
        });
        Usage {
            input: counts.prompt_tokens.0.or(native),
            cached: cached.or(counts.cache_read_input_tokens.0),
            output: counts.completion_tokens.0.or(counts.output_tokens.0),
            reasoning: out.and_then(|details| details.reasoning_tokens.0),
        }
    }
}
