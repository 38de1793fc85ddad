//! What a service tells for free: the models that it serves, and the money that is left.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::provider::lenient_json::Text;

/// What is left to spend, as the service words it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Balance {
    /// Each currency with its amount, a decimal number; none where a key has no limit.
    pub amounts: Vec<(String, String)>,
    /// Whether the service would still answer.
    pub is_enough: bool,
}

impl Balance {
    /// Returns what is left in dollars; `None` where there is something in another currency, too, of which
    /// nobody knows what it pays for.
    #[must_use]
    pub fn dollars_alone(&self) -> Option<f64> {
        let amount = |amount: &str| amount.parse::<f64>().ok();
        let (dollars, others): (Vec<_>, Vec<_>) =
            self.amounts.iter().partition(|(currency, _)| currency == "USD");
        let has_others = others.iter().any(|(_, left)| amount(left).is_none_or(|left| left > 0.0));
        amount(&dollars.first()?.1).filter(|_| !has_others)
    }
}

/// A model in a list; only its name is read.
#[derive(Deserialize)]
struct Listed<'a> {
    #[serde(borrow, default)]
    id: Text<'a>,
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    model: Text<'a>,
}

impl Listed<'_> {
    fn name(&self) -> &str {
        let names: [&str; 3] = [&self.id, &self.model, &self.name];
        names.into_iter().find(|name| !name.is_empty()).unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow, alias = "models")]
    data: Vec<Listed<'a>>,
}

#[derive(Deserialize)]
struct Account<'a> {
    is_available: Option<bool>,
    #[serde(borrow)]
    balance_infos: Option<Vec<Info<'a>>>,
    data: Option<Key>,
}

#[derive(Deserialize)]
struct Info<'a> {
    #[serde(borrow, default)]
    currency: Text<'a>,
    total_balance: Option<Value>,
}

impl Info<'_> {
    /// Returns the amount as it was written, a text or a number.
    fn amount(&self) -> Option<String> {
        let amount = match self.total_balance.as_ref()? {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        is_amount(&amount).then_some(amount)
    }
}

#[derive(Deserialize)]
struct Key {
    /// Absent where it is not reported, `null` where there is no limit.
    #[serde(default, deserialize_with = "present_or_null")]
    limit_remaining: Option<Option<f64>>,
}

fn present_or_null<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<f64>>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

/// Reads the list of models in a reply: their names, in their order; `None` where it is no such
/// list.
///
/// Takes OpenAI's and Anthropic's shape, a list without anything around it, and those in which a
/// model has a `name` and no `id`, as Ollama's own and Gemini's. Gemini's `models/` before each
/// name is left out, since its names work without.
#[must_use]
pub fn read_models(body: &[u8]) -> Option<Vec<String>> {
    let models = match body.trim_ascii_start().starts_with(b"[") {
        true => serde_json::from_slice(body).ok()?,
        false => serde_json::from_slice::<List<'_>>(body).ok()?.data,
    };
    let own = |model: &Listed<'_>| {
        let name = model.name();
        name.strip_prefix("models/").unwrap_or(name).to_owned()
    };
    let names: Vec<String> = models.iter().map(own).filter(|name| !name.is_empty()).collect();
    // Of a list of something else no name is known.
    (!names.is_empty() || models.is_empty()).then_some(names)
}

/// Reads a balance in DeepSeek's shape or in that of OpenRouter's keys; `None` where it is neither.
#[must_use]
pub fn read_balance(body: &[u8]) -> Option<Balance> {
    let account: Account<'_> = serde_json::from_slice(body).ok()?;
    if let Some(infos) = account.balance_infos {
        let told = infos.iter().filter(|info| !info.currency.is_empty());
        let amounts = told.filter_map(|info| Some((info.currency.to_string(), info.amount()?)));
        let amounts: Vec<_> = amounts.collect();
        let is_enough = account.is_available.unwrap_or(true);
        // Without an amount nothing is known of it.
        return (!amounts.is_empty()).then_some(Balance { amounts, is_enough });
    }
    Some(match account.data?.limit_remaining? {
        Some(left) => {
            Balance { amounts: vec![("USD".into(), format!("{left:.2}"))], is_enough: left > 0.0 }
        }
        None => Balance { amounts: Vec::new(), is_enough: true },
    })
}

fn is_amount(text: &str) -> bool {
    text.len() <= 32 && text.parse::<f64>().is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_models_is_read_in_every_shape_and_anything_else_is_none() {
        let some = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        for (body, models) in [
            (
                r#"{"object":"list","data":[{"id":"a","object":"model"},{"id":"b"}]}"#,
                some(&["a", "b"]),
            ),
            (r#"{"data":[{"type":"model","id":"c"}],"has_more":false}"#, some(&["c"])),
            (
                r#"[{"id":"org/d","type":"chat"},{"name":"no id"},{"id":7}]"#,
                some(&["org/d", "no id"]),
            ),
            (r#"{"data":[{"name":"m"}]}"#, some(&["m"])),
            (r#"{"models":[{"name":"qwen3:8b","model":"qwen3:8b"}]}"#, some(&["qwen3:8b"])),
            (r#"{"models":[{"name":"models/gemini-x","displayName":"X"}]}"#, some(&["gemini-x"])),
            (r#"{"data":[{"id":"a","name":"A model"}]}"#, some(&["a"])),
            (r#"{"data":[{"title":"m"}]}"#, None),
            (r#"{"data":[{"id":"models/gemini-x"}]}"#, some(&["gemini-x"])),
            (r#"{"data":[]}"#, some(&[])),
            (r#"{"error":{"message":"no"}}"#, None),
            ("<html>", None),
            ("", None),
        ] {
            assert_eq!(read_models(body.as_bytes()), models, "{body}");
        }
    }

    #[test]
    fn dollars_are_all_that_is_left_only_beside_nothing_in_other_currencies() {
        for (amounts, dollars) in [
            (&[("USD", "4.87")][..], Some(4.87)),
            (&[("USD", "4.87"), ("CNY", "0.00")], Some(4.87)),
            (&[("USD", "4.87"), ("CNY", "0.01")], None),
            (&[("USD", "4.87"), ("CNY", "much")], None),
            (&[("CNY", "3")], None),
            (&[], None),
        ] {
            let own = |(one, other): &(&str, &str)| ((*one).to_owned(), (*other).to_owned());
            let amounts = amounts.iter().map(own).collect();
            assert_eq!(Balance { amounts, is_enough: true }.dollars_alone(), dollars);
        }
    }

    #[test]
    fn a_balance_is_what_the_service_says_is_left() {
        let some = |amounts: &[(&str, &str)], is_enough| {
            let own = |(one, other): &(&str, &str)| ((*one).to_owned(), (*other).to_owned());
            Some(Balance { amounts: amounts.iter().map(own).collect(), is_enough })
        };
        for (body, balance) in [
            (
                r#"{"is_available":true,"balance_infos":[{"currency":"USD","total_balance":"4.87","granted_balance":"0.00"},{"currency":"CNY","total_balance":"0.00"}]}"#,
                some(&[("USD", "4.87"), ("CNY", "0.00")], true),
            ),
            (
                r#"{"is_available":false,"balance_infos":[{"currency":"USD","total_balance":"-0.10"}]}"#,
                some(&[("USD", "-0.10")], false),
            ),
            (
                r#"{"balance_infos":[{"currency":"USD","total_balance":"\u001b[2J"},{"currency":7,"total_balance":"1"}]}"#,
                None,
            ),
            (
                r#"{"balance_infos":[{"currency":"USD","total_balance":12.5}]}"#,
                some(&[("USD", "12.5")], true),
            ),
            (r#"{"is_available":true,"balance_infos":[]}"#, None),
            (
                r#"{"data":{"limit":5,"usage":0.1,"limit_remaining":4.8984}}"#,
                some(&[("USD", "4.90")], true),
            ),
            (r#"{"data":{"limit":5,"limit_remaining":0}}"#, some(&[("USD", "0.00")], false)),
            (r#"{"data":{"limit":null,"limit_remaining":null}}"#, some(&[], true)),
            (r#"{"data":{"usage":1}}"#, None),
            ("not json", None),
        ] {
            assert_eq!(read_balance(body.as_bytes()), balance, "{body}");
        }
    }
}
