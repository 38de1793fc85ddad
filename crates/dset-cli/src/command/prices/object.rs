//! Prices for programs: decimal strings, in US dollars a million tokens.

use dset_core::money::{PriceEntry, Prices, Rates};
use dset_core::time::rfc3339;
use serde_json::{Map, Value, json};

use super::Found;

pub(super) fn of(prices: &Prices, found: &Found<'_>, now: i64) -> Value {
    let own = found.own.iter().map(|own| json!({ "model": own.name, "now": rates(&own.rates) }));
    json!({
        "table": {
            "version": prices.table.version,
            "as_of": prices.table.as_of,
            "age_days": prices.table.age_days(now),
            "made_of": prices.table.made_of,
        },
        "currency": "USD",
        "unit": "a million tokens",
        "own": own.collect::<Vec<_>>(),
        "prices": found.entries.iter().map(|entry| object(entry, now)).collect::<Vec<_>>(),
    })
}

fn object(entry: &PriceEntry, now: i64) -> Value {
    let long = entry.above_input_tokens.iter();
    let long = long.map(|long| json!({ "above": long.above, "rates": rates(&long.rates) }));
    let tiers: Map<String, Value> =
        entry.tier.iter().map(|(name, tier)| (name.clone(), rates(tier))).collect();
    let holds = entry.holds(now);
    json!({
        "provider": entry.provider,
        "model": entry.model,
        "aliases": entry.aliases,
        "from": entry.from.map(rfc3339),
        "until": entry.until.map(rfc3339),
        "now": holds.then(|| rates(entry.rates(now, None))),
        "tariff": entry.tariff(now).filter(|_| holds),
        "next_tariff_at": entry.next_tariff(now).filter(|_| holds).map(rfc3339),
        "base": rates(&entry.base),
        "peak_hours_utc": entry.when.iter().map(|window| json!({
            "weekdays": window.weekdays,
            "minutes": window.utc.iter().map(|hours| [hours.from, hours.until]).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "off_peak": entry.off_peak.as_ref().map(rates),
        "above_input_tokens": long.collect::<Vec<_>>(),
        "batch": entry.batch.as_ref().map(rates),
        "tiers": tiers,
        "source": entry.source,
        "seen": entry.seen,
        "note": entry.note,
    })
}

fn rates(rates: &Rates) -> Value {
    let price = |price: Option<dset_core::money::Price>| price.map(|price| price.to_string());
    json!({
        "input": rates.input.to_string(),
        "cached_input": price(rates.cached_input),
        "cache_write": price(rates.cache_write),
        "cache_write_1h": price(rates.cache_write_1h),
        "output": rates.output.to_string(),
        "reasoning": price(rates.reasoning),
    })
}
