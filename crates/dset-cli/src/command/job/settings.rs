//! The settings that a job keeps for its shards, as `job.json` has them.

use std::num::NonZeroU32;

use dset_core::money::Amount;
use dset_core::schema::{Notation, Schema};
use dset_core::settings::{Dollars, Layer, SchemaSource};
use serde_json::{Map, Value};

use crate::error::UserError;
use crate::exit::Exit;
use crate::layers::SettingsLayer;
use crate::setting::{Setting, ticked};

/// What every shard has for itself, or no file may hold.
const NOT_KEPT: [&str; 3] = ["input", "output", "system-file"];

/// Returns what a job keeps of settings; `system` is the text of the file that they name.
pub(super) fn keep(layer: &Layer, system: Option<String>) -> Map<String, Value> {
    let layer = Layer { system: layer.system.clone().or(system), ..layer.clone() };
    let Ok(Value::Object(mut said)) = serde_json::to_value(&layer) else { return Map::new() };
    said.retain(|name, value| !value.is_null() && !NOT_KEPT.contains(&name.as_str()));
    if layer.base_url.is_some_and(|urls| urls.iter().any(|url| holds_more(url))) {
        said.remove("base-url");
    }
    said
}

/// Tells whether a URL has a part that may be a secret.
pub(super) fn holds_more(url: &str) -> bool {
    url.contains(['?', '@'])
}

/// Reads what a job keeps back, with what holds for all shards together divided among them.
pub(crate) fn of_shard(kept: &Map<String, Value>, shards: NonZeroU32) -> Result<Layer, UserError> {
    let mut said = SettingsLayer::default();
    for (name, value) in kept {
        let setting = Setting::named(name).ok_or_else(|| {
            let message = format!("job.json says {}, which is no setting", ticked(name));
            UserError::new(Exit::Usage, message)
                .hint("Use the version of dset that split the job, or a later one")
        })?;
        if let Some(layer) = whole(name, value) {
            let layer = layer.map_err(|why| {
                UserError::new(Exit::Usage, format!("job.json: {} is none: {why}", ticked(name)))
            })?;
            said = said.over(layer.into());
            continue;
        }
        for word in words(value) {
            let one = setting.read(&word);
            said = said.over(one.map_err(|fault| fault.at("job.json: ", name, &ticked(&word)))?);
        }
    }
    let mut layer = said.layer;
    divide(&mut layer, shards);
    Ok(layer)
}

/// Reads what no flag takes in one word; `None` where a flag does.
fn whole(name: &str, value: &Value) -> Option<Result<Layer, String>> {
    let layer = Layer::default();
    match (name, value) {
        ("check", value) => {
            let read = serde_json::from_value(value.clone()).map_err(|error| error.to_string());
            Some(read.map(|check| Layer { check, ..layer }))
        }
        ("schema", Value::Object(_)) => {
            let read = Schema::read(&value.to_string(), Notation::Json);
            let schema = read.map(|schema| Some(SchemaSource::Read(Box::new(schema))));
            Some(schema.map(|schema| Layer { schema, ..layer }).map_err(|error| error.to_string()))
        }
        _ => None,
    }
}

/// Returns a value as its flag takes it, once or several times.
fn words(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(all) => {
            vec![all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")]
        }
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| format!("{name}={value}")).collect()
        }
        other => vec![other.to_string()],
    }
}

/// Gives each shard its part of the limits that were said for the job.
fn divide(layer: &mut Layer, shards: NonZeroU32) {
    layer.rpm = layer.rpm.map(|rpm| (rpm / shards).max(1));
    layer.tpm = layer.tpm.map(|tpm| (tpm / u64::from(shards.get())).max(1));
    layer.max_cost = layer.max_cost.map(|Dollars(cost)| {
        // Rounded down, so that all together are no more than the limit.
        let part = cost.picodollars() / i128::from(shards.get());
        Dollars(Amount::from_picodollars(part.try_into().unwrap_or(i64::MAX)))
    });
}

/// Fails where a limit of the job is too small to be divided.
pub(super) fn check_limits(layer: &Layer, shards: u32) -> Result<(), UserError> {
    let limits = [("rpm", layer.rpm.map(u64::from)), ("tpm", layer.tpm)];
    let small = |limit: &(&str, Option<u64>)| limit.1.is_some_and(|most| most < u64::from(shards));
    match limits.into_iter().find(small) {
        Some((name, limit)) => Err(UserError::new(
            Exit::Usage,
            format!("`--{name} {}` is less than one for each shard", limit.unwrap_or_default()),
        )
        .cause("what is said for a job is divided among its shards, as if all ran at once")
        .hint(format!("Say it to each run instead: `dset run --job DIR --shard auto --{name} N`"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_read_back_as_it_was_kept() {
        let mut all = SettingsLayer::default();
        for setting in Setting::all() {
            let words = [
                "2",
                "true",
                "on",
                "skip",
                "fail",
                "drop",
                "auto",
                "yes",
                "csv",
                "1m",
                "a",
                "https://a.b/v1",
                "A_KEY",
                "top_p=0.9",
                "no-refusal",
                "retry",
                "fresh",
            ];
            let said = words.iter().find_map(|word| setting.read(word).ok());
            all = all.over(said.unwrap_or_else(|| panic!("{}", setting.name())));
        }
        let layer = Layer {
            input: None,
            output: None,
            system_file: None,
            system: Some("Be, \"brief\".\n".into()),
            model: Some(vec!["a".into(), "b/c".into()]),
            rpm: Some(100),
            tpm: Some(7),
            schema: Some(SchemaSource::Read(Box::new(
                Schema::read("{\"type\": \"object\", \"required\": [\"a\"]}", Notation::Json)
                    .unwrap(),
            ))),
            ..all.layer
        };
        let kept = keep(&layer, None);
        let one = NonZeroU32::MIN;
        assert_eq!(of_shard(&kept, one).unwrap(), layer);
        let third = of_shard(&kept, NonZeroU32::new(3).unwrap()).unwrap();
        assert_eq!((third.rpm, third.tpm), (Some(33), Some(2)));
        assert!(third.max_cost.unwrap().0 < layer.max_cost.unwrap().0);
        assert!(check_limits(&layer, 7).is_ok() && check_limits(&layer, 8).is_err());
    }

    #[test]
    fn a_url_that_may_hold_a_secret_is_not_kept() {
        for url in ["https://a.b/v1?key=sk-1", "https://me:word@a.b/v1"] {
            let layer = Layer { base_url: Some(vec![url.into()]), ..Layer::default() };
            assert!(keep(&layer, None).is_empty(), "{url}");
        }
    }
}
