//! What an answer took, in each of the names that services count under.

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::answer::Usage;
use crate::provider::lenient_json::{Object, read_fields};

/// The counts of a reply, under every name.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    prompt_tokens: Count,
    completion_tokens: Count,
    total_tokens: Count,
    /// Perplexity's place for what others put into the details.
    reasoning_tokens: Count,
    prompt_cache_hit_tokens: Count,
    /// Moonshot's place for what others put into the details.
    cached_tokens: Count,
    prompt_tokens_details: Object<Details>,
    completion_tokens_details: Object<Details>,
    input_tokens: Count,
    output_tokens: Count,
    cache_read_input_tokens: Count,
    cache_creation_input_tokens: Count,
    cache_creation: Object<CacheCreation>,
    output_tokens_details: Object<Details>,
    cost: Cost,
    /// OpenRouter's word for a call that the user's own key at the provider paid for.
    is_byok: Truth,
    cost_details: Object<CostDetails>,
}

read_fields!(Counts, "the counts of an answer", {
    "prompt_tokens" => prompt_tokens,
    "completion_tokens" => completion_tokens,
    "total_tokens" => total_tokens,
    "reasoning_tokens" => reasoning_tokens,
    "prompt_cache_hit_tokens" => prompt_cache_hit_tokens,
    "cached_tokens" => cached_tokens,
    "prompt_tokens_details" => prompt_tokens_details,
    "completion_tokens_details" => completion_tokens_details,
    "input_tokens" => input_tokens,
    "output_tokens" => output_tokens,
    "cache_read_input_tokens" => cache_read_input_tokens,
    "cache_creation_input_tokens" => cache_creation_input_tokens,
    "cache_creation" => cache_creation,
    "output_tokens_details" => output_tokens_details,
    "cost" => cost,
    "is_byok" => is_byok,
    "cost_details" => cost_details,
});

#[derive(Debug, Default, Clone, Copy)]
struct CostDetails {
    upstream_inference_cost: Cost,
}

read_fields!(CostDetails, "the details of a cost", {
    "upstream_inference_cost" => upstream_inference_cost,
});

/// Anthropic's word for how long what was written is kept.
#[derive(Debug, Default, Clone, Copy)]
struct CacheCreation {
    ephemeral_1h_input_tokens: Count,
}

read_fields!(CacheCreation, "the tokens written into a cache", {
    "ephemeral_1h_input_tokens" => ephemeral_1h_input_tokens,
});

#[derive(Debug, Default, Clone, Copy)]
struct Details {
    cached_tokens: Count,
    cache_write_tokens: Count,
    reasoning_tokens: Count,
}

read_fields!(Details, "the details of counts", {
    "cached_tokens" => cached_tokens,
    "cache_write_tokens" => cache_write_tokens,
    "reasoning_tokens" => reasoning_tokens,
});

/// No reply has as many tokens; more
const COUNT_MAX: u64 = 1_000_000_000_000_000;

/// A count that may be anything: only a number, or a number in a string, is one.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Count(pub(crate) Option<u64>);

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

/// True where the field says `true`, whatever else it may hold.
#[derive(Debug, Default, Clone, Copy)]
struct Truth(bool);

impl<'de> Deserialize<'de> for Truth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Truth, D::Error> {
        Ok(Truth(<&RawValue>::deserialize(deserializer)?.get() == "true"))
    }
}

/// What a call cost, which OpenRouter says as a number and Perplexity as an object with the total.
#[derive(Debug, Default, Clone, Copy)]
struct Cost(Option<f64>);

/// No cost is longer; what is longer is none, and would take many times its size.
const COST_BYTES_MAX: usize = 1_000;

impl<'de> Deserialize<'de> for Cost {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Cost, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        let read = || serde_json::from_str::<serde_json::Value>(raw).ok();
        let Some(cost) = (raw.len() <= COST_BYTES_MAX).then(read).flatten() else {
            return Ok(Cost(None));
        };
        let cost = cost.get("total_cost").unwrap_or(&cost);
        let said = cost.as_f64().or_else(|| cost.as_str()?.trim().parse().ok());
        Ok(Cost(said.filter(|cost: &f64| cost.is_finite() && *cost >= 0.0)))
    }
}

impl Details {
    fn update(known: &mut Object<Details>, later: &Object<Details>) {
        match (&mut known.0, &later.0) {
            (Some(known), Some(later)) => {
                known.cached_tokens.update(later.cached_tokens);
                known.cache_write_tokens.update(later.cache_write_tokens);
                known.reasoning_tokens.update(later.reasoning_tokens);
            }
            (known @ None, later) => known.clone_from(later),
            (Some(_), None) => {}
        }
    }
}

impl Count {
    /// Takes over a later count. Some gateways end a stream with counts of zero; no count falls to
    /// it.
    fn update(&mut self, later: Count) {
        if later.0.is_some_and(|later| later > 0) || self.0.is_none() {
            *self = later;
        }
    }

    /// Returns it where it is more than zero.
    fn some(self) -> Option<u64> {
        self.0.filter(|count| *count > 0)
    }
}

impl Counts {
    /// Takes over what a later part of the same reply says: counts grow while it comes, and what
    /// the later part leaves out still holds.
    pub(crate) fn update(&mut self, later: &Counts) {
        macro_rules! latest {
            ($($count:ident),*) => { $(self.$count.update(later.$count);)* };
        }
        latest!(
            prompt_tokens,
            completion_tokens,
            total_tokens,
            reasoning_tokens,
            prompt_cache_hit_tokens,
            cached_tokens,
            input_tokens,
            output_tokens,
            cache_read_input_tokens,
            cache_creation_input_tokens
        );
        Details::update(&mut self.prompt_tokens_details, &later.prompt_tokens_details);
        Details::update(&mut self.completion_tokens_details, &later.completion_tokens_details);
        Details::update(&mut self.output_tokens_details, &later.output_tokens_details);
        if let Some(written) = &later.cache_creation.0 {
            self.cache_creation.0 = Some(written.clone());
        }
        self.cost.0 = later.cost.0.or(self.cost.0);
        self.is_byok.0 |= later.is_byok.0;
        if let Some(details) = &later.cost_details.0 {
            self.cost_details.0 = Some(details.clone());
        }
    }

    /// Returns them without all that depends on what was written, which some services count at the
    /// beginning of a stream, when it can only be a guess.
    pub(crate) fn of_the_question(self) -> Counts {
        Counts {
            completion_tokens: Count(None),
            total_tokens: Count(None),
            reasoning_tokens: Count(None),
            completion_tokens_details: Object(None),
            output_tokens: Count(None),
            output_tokens_details: Object(None),
            cost: Cost(None),
            ..self
        }
    }

    /// Returns what the call cost in US dollars, where the service says it.
    ///
    /// Of a call with the user's own key at the provider what OpenRouter takes and what the provider
    /// bills; that is not known where either is missing.
    pub(crate) fn cost(&self) -> Option<f64> {
        match self.is_byok.0 {
            false => self.cost.0,
            true => Some(self.cost.0? + self.cost_details.0.as_ref()?.upstream_inference_cost.0?),
        }
    }

    /// Returns the tokens of the answer as the service counts them, which may leave out reasoning.
    pub(crate) fn of_answer(&self) -> Option<u64> {
        self.completion_tokens.0.or(self.output_tokens.0)
    }

    /// Returns what the call took; `wrote` where an answer or reasoning came, beside which a count
    /// of zero means that it was not counted.
    pub(crate) fn usage(&self, wrote_answer: bool, wrote_reasoning: bool) -> Usage {
        let of_prompt = self.prompt_tokens_details.0.as_deref();
        let of_details = of_prompt.and_then(|details| details.cache_write_tokens.0);
        // A gateway says 0 of services that do not count it.
        let created = self.cache_creation_input_tokens;
        let created = if self.prompt_tokens.0.is_some() { created.some() } else { created.0 };
        let written = of_details.or(created);
        let kept = self.cache_creation.0.as_deref();
        let written_1h = kept.and_then(|kept| kept.ephemeral_1h_input_tokens.some());
        let of_prompt = of_prompt.and_then(|details| details.cached_tokens.0);
        let cached = self.prompt_cache_hit_tokens.0.or(of_prompt);
        let cached = cached.or(self.cached_tokens.0).or(self.cache_read_input_tokens.0);
        let of_output = self.completion_tokens_details.0.as_deref();
        let of_output = of_output.or(self.output_tokens_details.0.as_deref());
        let reasoning = of_output.and_then(|details| details.reasoning_tokens.0);
        let reasoning = reasoning.or(self.reasoning_tokens.0);
        // Anthropic's input leaves the cached tokens out; here it includes them, as elsewhere.
        let native = self.input_tokens.0.map(|input| {
            let read = self.cache_read_input_tokens.0.unwrap_or(0);
            input + read + self.cache_creation_input_tokens.0.unwrap_or(0)
        });
        let wrote = wrote_answer || wrote_reasoning;
        let counted = |count: Option<u64>, wrote: bool| count.filter(|count| *count > 0 || !wrote);
        // No question has no tokens.
        let input = counted(self.prompt_tokens.0.or(native), wrote);
        let reasoning = counted(reasoning, wrote_reasoning);
        let beside = self.beside(input, cached, reasoning);
        let of_answer = self.of_answer();
        let output = match of_answer {
            None if beside == 0 => None,
            counts => counted(Some(counts.unwrap_or(0) + beside), wrote),
        };
        let is_hidden = reasoning.is_none() && beside > 0 && of_answer.is_some_and(|n| n > 0);
        let reasoning = if is_hidden { Some(beside) } else { reasoning };
        Usage { input, cached, output, reasoning, written, written_1h }
    }

    /// Returns the tokens that were written and are counted beside the answer's own. xAI and Gemini
    /// count reasoning so, which the total tells; without a total it is plain where there are more
    /// of them than of the whole.
    fn beside(&self, input: Option<u64>, cached: Option<u64>, reasoning: Option<u64>) -> u64 {
        let written = self.of_answer().unwrap_or(0);
        let known = reasoning.unwrap_or(0);
        let total = self.total_tokens.some().zip(input);
        match total.and_then(|(total, input)| total.checked_sub(input + written)) {
            _ if known > written => known,
            // A total that counts the cached tokens beside the others says nothing of the answer.
            Some(more) if Some(more) == cached && more != known => 0,
            Some(more) => more,
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(json: &str) -> Counts {
        serde_json::from_str(json).unwrap()
    }

    fn usage(input: u64, output: u64, reasoning: Option<u64>) -> Usage {
        Usage { input: Some(input), output: Some(output), reasoning, ..Usage::default() }
    }

    #[test]
    fn reasoning_counted_beside_the_answer_belongs_to_what_was_written() {
        for (json, expected) in [
            // xAI
            (
                r#"{"prompt_tokens":40,"completion_tokens":10,"total_tokens":200,"completion_tokens_details":{"reasoning_tokens":150}}"#,
                usage(40, 160, Some(150)),
            ),
            (
                r#"{"prompt_tokens":40,"completion_tokens":100,"total_tokens":190,"completion_tokens_details":{"reasoning_tokens":50}}"#,
                usage(40, 150, Some(50)),
            ),
            (
                r#"{"prompt_tokens":40,"completion_tokens":10,"completion_tokens_details":{"reasoning_tokens":150}}"#,
                usage(40, 160, Some(150)),
            ),
            // Gemini, which does not say what the rest of the total is
            (
                r#"{"prompt_tokens":20,"completion_tokens":198,"total_tokens":623}"#,
                usage(20, 603, Some(405)),
            ),
            (
                r#"{"prompt_tokens":21,"completion_tokens":0,"total_tokens":81,"completion_tokens_details":{"reasoning_tokens":60}}"#,
                usage(21, 60, Some(60)),
            ),
            // OpenAI, where it is a part
            (
                r#"{"prompt_tokens":40,"completion_tokens":160,"total_tokens":200,"completion_tokens_details":{"reasoning_tokens":150}}"#,
                usage(40, 160, Some(150)),
            ),
            // Perplexity
            (
                r#"{"prompt_tokens":40,"completion_tokens":160,"total_tokens":200,"reasoning_tokens":150}"#,
                usage(40, 160, Some(150)),
            ),
            (
                r#"{"input_tokens":40,"output_tokens":160,"total_tokens":200,"output_tokens_details":{"reasoning_tokens":150}}"#,
                usage(40, 160, Some(150)),
            ),
            (r#"{"prompt_tokens":5,"total_tokens":9}"#, usage(5, 4, None)),
            (r#"{"prompt_tokens":5,"completion_tokens":4,"total_tokens":3}"#, usage(5, 4, None)),
        ] {
            assert_eq!(counts(json).usage(true, true), expected, "{json}");
        }
        let cached =
            r#"{"prompt_tokens":5,"completion_tokens":4,"total_tokens":109,"cached_tokens":100}"#;
        assert_eq!(counts(cached).usage(true, true).output, Some(4));
    }

    #[test]
    fn a_last_count_of_zero_takes_nothing_back_and_zeros_beside_a_text_are_unknown() {
        let zeros = counts(
            r#"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0,
                "completion_tokens_details":{"reasoning_tokens":0}}"#,
        );
        let mut known = counts(
            r#"{"prompt_tokens":5,"completion_tokens":7,"completion_tokens_details":{"reasoning_tokens":3}}"#,
        );
        known.update(&zeros);
        assert_eq!(known.usage(true, true), usage(5, 7, Some(3)));
        assert_eq!(zeros.usage(true, true), Usage::default());
        assert_eq!(zeros.usage(true, false), Usage { reasoning: Some(0), ..Usage::default() });
        assert_eq!(zeros.usage(false, false), usage(0, 0, Some(0)));
    }

    #[test]
    fn what_was_written_into_the_cache_is_counted_where_the_service_says_it() {
        for (json, written, written_1h) in [
            (r#"{"input_tokens":1,"cache_creation_input_tokens":7}"#, Some(7), None),
            (r#"{"input_tokens":1,"cache_creation_input_tokens":0}"#, Some(0), None),
            (
                r#"{"input_tokens":1,"cache_creation_input_tokens":7,"cache_creation":
                {"ephemeral_5m_input_tokens":3,"ephemeral_1h_input_tokens":4}}"#,
                Some(7),
                Some(4),
            ),
            (r#"{"prompt_tokens":9,"cache_creation_input_tokens":7}"#, Some(7), None),
            (r#"{"prompt_tokens":9,"cache_creation_input_tokens":0}"#, None, None),
            (
                r#"{"prompt_tokens":9,"prompt_tokens_details":{"cache_write_tokens":0}}"#,
                Some(0),
                None,
            ),
            (r#"{"prompt_tokens":9}"#, None, None),
        ] {
            let usage = counts(json).usage(true, false);
            assert_eq!((usage.written, usage.written_1h), (written, written_1h), "{json}");
        }
    }

    #[test]
    fn what_a_call_cost_is_read_where_it_is_a_number() {
        for (cost, expected) in [
            ("0.00012", Some(0.00012)),
            (r#""0.5""#, Some(0.5)),
            ("0", Some(0.0)),
            (r#"{"input_tokens_cost":0.1,"total_cost":0.3}"#, Some(0.3)),
            ("-1", None),
            ("null", None),
            ("[]", None),
            (r#""free""#, None),
        ] {
            assert_eq!(counts(&format!(r#"{{"cost":{cost}}}"#)).cost(), expected, "{cost}");
        }
        for (counted, expected) in [
            (r#"{"cost":0.1,"cost_details":{"upstream_inference_cost":0.5}}"#, Some(0.1)),
            (
                r#"{"cost":0.25,"is_byok":true,"cost_details":{"upstream_inference_cost":0.5}}"#,
                Some(0.75),
            ),
            (r#"{"cost":0,"is_byok":true,"cost_details":{"upstream_inference_cost":null}}"#, None),
            (r#"{"cost":0,"is_byok":true}"#, None),
            (r#"{"cost":0,"is_byok":false,"cost_details":7}"#, Some(0.0)),
        ] {
            assert_eq!(counts(counted).cost(), expected, "{counted}");
        }
    }
}
