//! Prices as OpenRouter publishes them, with its list of models.
//!
//! Source: openrouter.ai/docs, "Models": `pricing` holds dollars a token as decimal texts, `-1` where
//! the price depends on the model that is chosen; `overrides` hold other prices, by length or hour.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::amount::Price;
use super::rates::Rates;

/// What a model of the list costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The model by its name on the wire.
    pub model: String,
    /// Its price, or why a price of tokens does not say what it costs.
    pub rates: Result<Rates, NoRates>,
    /// It has other prices by length or hour, of which `rates` has the dearest.
    pub varies: bool,
}

/// Why a price of tokens does not say what a model costs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoRates {
    /// Every request costs something beside its tokens.
    #[error("every request has a price of its own beside its tokens")]
    PerRequest,
    /// It has no price of tokens that is a plain number.
    #[error("`{0}` is not a price of a token")]
    NotPlain(String),
}

#[derive(Deserialize)]
struct List {
    data: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
    #[serde(default)]
    pricing: Map<String, Value>,
}

/// Reads the list of models; `None` where it is no such list. Models without a price are left out.
#[must_use]
pub fn read_published(body: &[u8]) -> Option<Vec<Published>> {
    let list: List = serde_json::from_slice(body).ok()?;
    let priced = list.data.into_iter().filter(|model| !model.pricing.is_empty());
    Some(priced.map(|Listed { id, pricing }| published(id, &pricing)).collect())
}

fn published(model: String, pricing: &Map<String, Value>) -> Published {
    let overrides = pricing.get("overrides").and_then(Value::as_array);
    let others: Vec<&Map<String, Value>> =
        overrides.into_iter().flatten().filter_map(Value::as_object).collect();
    let varies = !others.is_empty();
    let mut all = others.into_iter().map(|other| {
        // What an override does not say is as it is without.
        let mut whole = pricing.clone();
        whole.extend(other.iter().map(|(name, value)| (name.clone(), value.clone())));
        rates(&whole)
    });
    let rates =
        rates(pricing).and_then(|base| all.try_fold(base, |most, one| Ok(dearer(most, one?))));
    Published { model, rates, varies }
}

fn rates(pricing: &Map<String, Value>) -> Result<Rates, NoRates> {
    let price = |name: &str| match pricing.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Price::of_token(&text).map(Some).map_err(|_| NoRates::NotPlain(text))
        }
    };
    if price("request")?.is_some_and(|price| price > Price::default()) {
        return Err(NoRates::PerRequest);
    }
    let needed = |name: &str| price(name)?.ok_or_else(|| NoRates::NotPlain(format!("no {name}")));
    Ok(Rates {
        input: needed("prompt")?,
        cached_input: price("input_cache_read")?,
        cache_write: price("input_cache_write")?,
        cache_write_1h: None,
        output: needed("completion")?,
        // Where it is zero it is not counted apart.
        reasoning: price("internal_reasoning")?.filter(|price| *price > Price::default()),
    })
}

/// Returns the higher one of each price.
fn dearer(one: Rates, other: Rates) -> Rates {
    // What has no price of its own costs what tokens of its direction do.
    let optional = |own: fn(&Rates) -> Option<Price>, usual: fn(&Rates) -> Price| {
        let price = |rates| own(rates).unwrap_or_else(|| usual(rates));
        own(&one).or(own(&other)).map(|_| price(&one).max(price(&other)))
    };
    Rates {
        input: one.input.max(other.input),
        cached_input: optional(|rates| rates.cached_input, |rates| rates.input),
        cache_write: optional(|rates| rates.cache_write, |rates| rates.input),
        cache_write_1h: None,
        output: one.output.max(other.output),
        reasoning: optional(|rates| rates.reasoning, |rates| rates.output),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_prices_are_read_exactly_and_what_they_do_not_say_stays_unknown() {
        let body = br#"{"data":[
            {"id":"a/b","pricing":{"prompt":"0.00000027","completion":"0.0000011","request":"0",
             "input_cache_read":"0.000000027","internal_reasoning":"0","image":"0"}},
            {"id":"long/x","pricing":{"prompt":"0.000001","completion":"0.000002",
             "overrides":[{"above":200000,"prompt":"0.000003"},{"completion":"0.000001"}]}},
            {"id":"openrouter/auto","pricing":{"prompt":"-1","completion":"-1"}},
            {"id":"search/x","pricing":{"prompt":"0.000001","completion":"0.000001","request":"0.005"}},
            {"id":"free/x:free","pricing":{"prompt":"0","completion":"0"}},
            {"id":"tiny/x","pricing":{"prompt":1e-8,"completion":"0.0000000000001"}},
            {"id":"read/x","pricing":{"prompt":"0.000001","completion":"0.000002",
             "overrides":[{"above":200000,"input_cache_read":"0.0000003"}]}},
            {"id":"none/x"}]}"#;
        let list = read_published(body).unwrap();
        let found = |model: &str| list.iter().find(|one| one.model == model).unwrap();
        let per_million = |model: &str| {
            let rates = found(model).rates.clone().unwrap();
            (rates.input.to_string(), rates.output.to_string())
        };
        assert_eq!(per_million("a/b"), ("0.27".into(), "1.10".into()));
        let rates = found("a/b").rates.clone().unwrap();
        assert_eq!(rates.cached_input.unwrap().to_string(), "0.027");
        assert_eq!((rates.reasoning, rates.cache_write), (None, None));
        assert_eq!(per_million("long/x"), ("3.00".into(), "2.00".into()));
        assert!(found("long/x").varies && !found("a/b").varies);
        assert_eq!(found("openrouter/auto").rates, Err(NoRates::NotPlain("-1".into())));
        assert_eq!(found("search/x").rates, Err(NoRates::PerRequest));
        assert_eq!(per_million("free/x:free"), ("0.00".into(), "0.00".into()));
        assert!(found("tiny/x").rates.is_err());
        let cached = found("read/x").rates.clone().unwrap().cached_input.unwrap();
        assert_eq!(
            cached.to_string(),
            "1.00",
            "tokens without a price of their own cost the full one"
        );
        assert_eq!(list.len(), 7);
        for other in [&b"[]"[..], b"{}", b"<html>", br#"{"data":[{"name":"x"}]}"#] {
            assert_eq!(read_published(other), None);
        }
    }
}
