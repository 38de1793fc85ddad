//! From layers to what holds.

mod error;
mod model;

use std::time::Duration;

use url::Url;

pub use self::error::{SettingsError, Warning};
use self::model::{Shared, resolve_model};
use super::job_spec::{Checks, JobSpec, Model};
use super::key_text::begins_like_a_key;
use super::layer::Layer;
use super::reading::{Choice, Reading};
use super::run_options::{CostLimits, RunOptions};
use super::schema_source::SchemaSource;
use super::values::{Dollars, Span, Switch};
use crate::acceptance::SCHEMA;
use crate::check::{Declaration, OnFail};
use crate::item::params::Params;
use crate::key::RequestSettings;
use crate::provider::Providers;
use crate::rate::outage::OutageBackoff;
use crate::rate::sliding_window::MinuteLimits;
use crate::template::{DEFAULT_TEMPLATE, has_code};

/// How long one ask may take: a service may queue for 10 minutes and think for 10, and an ask that
/// we cut off has usually been paid for.
const TIMEOUT: Duration = Duration::from_secs(20 * 60);
/// How long a stream may bring nothing of its answer: services keep it alive with comments for ever,
/// and pauses of more than a minute have been seen while a model thinks.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// The outputs where nobody says: the original script's.
const FORMATS: [&str; 3] = ["csv", "json", "txt"];

/// What holds, once all layers are put over one another.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// What is asked.
    pub spec: JobSpec,
    /// How it is carried out.
    pub options: RunOptions,
    /// What is worth saying about them.
    pub warnings: Vec<Warning>,
}

/// Resolves a layer into what holds, among the known services alone. `system_text` is what the
/// layer's system file says; the file of its schema, if it names one, is not looked at.
pub fn resolve(layer: Layer, system_text: Option<String>) -> Result<Resolved, SettingsError> {
    resolve_with_providers(layer, system_text, &Providers::default())
}

/// Resolves a layer into what holds, among these services.
pub fn resolve_with_providers(
    layer: Layer,
    system_text: Option<String>,
    providers: &Providers,
) -> Result<Resolved, SettingsError> {
    let mut warnings = Vec::new();
    if layer.system.is_some() && layer.system_file.is_some() {
        return Err(SettingsError::Both { one: "--system", other: "--system-file" });
    }
    let temperature = in_range("--temperature", layer.temperature, 0.0..=2.0, "from 0 to 2")?;
    let given = layer.model.unwrap_or_default();
    if given.iter().any(|name| name.trim().is_empty()) {
        return Err(SettingsError::EmptyModel);
    }
    if given.iter().any(|name| begins_like_a_key(name)) {
        return Err(SettingsError::KeyForModel);
    }
    let mut names: Vec<Option<&str>> = given.iter().map(|name| Some(name.as_str())).collect();
    if names.is_empty() {
        names.push(None);
    }
    let system = layer.system.or(system_text);
    let schema = match layer.schema {
        Some(SchemaSource::Read(schema)) => Some(*schema),
        Some(SchemaSource::File(_)) | None => None,
    };
    let shared = Shared {
        request: RequestSettings {
            model: String::new(),
            template: layer.template.unwrap_or_else(|| DEFAULT_TEMPLATE.to_owned()),
            system_is_template: system.as_deref().is_some_and(has_code),
            system,
            max_tokens: layer.max_tokens,
            temperature,
            reasoning: layer.reasoning.map(|switch| switch == Switch::On),
            reasoning_effort: layer.reasoning_effort,
            params: Params::merged(layer.param.as_deref().unwrap_or_default()),
            schema: schema.as_ref().map(|schema| schema.canonical().to_owned()),
        },
        base_urls: layer.base_url.unwrap_or_default(),
        key: layer.key,
        stream: layer.stream.map(|switch| switch == Switch::On),
        schema: schema.as_ref(),
        last: layer.last.unwrap_or_default(),
        providers,
    };
    let mut models = Vec::new();
    for name in names {
        let model = resolve_model(name, &shared, &mut warnings)?;
        let is_same = |other: &&Model| other.request == model.request;
        match models.iter().find(is_same) {
            None => models.push(model),
            Some(other) if other.is_asked_like(&model) => {}
            Some(other) => {
                let services = [other, &model].map(|model| model.preset.id.clone());
                return Err(SettingsError::ModelTwice { model: model.request.model, services });
            }
        }
    }
    warnings.dedup();
    let spec = JobSpec {
        input: layer.input.unwrap_or_else(|| "q.csv".into()),
        output: layer.output.unwrap_or_else(|| "dset_generator".into()),
        formats: layer.formats.unwrap_or_else(|| FORMATS.map(str::to_owned).into()),
        csv_bom: layer.csv_bom,
        csv_id: layer.csv_id,
        models,
        samples: layer.samples.unwrap_or(1),
        header: layer.header.unwrap_or_default(),
        column: layer.column,
        checks: Checks {
            declared: checks(layer.check, layer.gold.as_deref(), layer.on_fail, schema.is_some()),
            tries: layer.tries.unwrap_or(Checks::default().tries),
            retry: layer.retry.unwrap_or_default(),
            enough: layer.enough,
        },
        reading: Reading {
            id_before: None,
            id: layer.id,
            on_bad_row: layer.on_bad_row.unwrap_or_default(),
            last: shared.last,
            split_on: layer.split_on,
            config: layer.config,
            split: layer.split,
            choice: Choice {
                condition: layer.r#where,
                offset: layer.offset.unwrap_or(0),
                sample: layer.sample,
            },
            shard: None,
        },
        schema,
    };
    let options = RunOptions {
        concurrency: layer.concurrency.unwrap_or_default(),
        minute: MinuteLimits { asks: layer.rpm, tokens: layer.tpm },
        cost: CostLimits {
            total: layer.max_cost.map(|Dollars(amount)| amount),
            run: layer.max_cost_run.map(|Dollars(amount)| amount),
            output_bound: layer.max_output_bound,
        },
        off_peak: layer.off_peak.unwrap_or(false),
        share_pace: layer.share_pace != Some(Switch::Off),
        backoff: OutageBackoff {
            retries: layer.retries.unwrap_or(3),
            waits: match layer.backoff {
                Some(spans) => spans.iter().map(|Span(wait)| *wait).collect(),
                None => [60, 120, 240].map(Duration::from_secs).to_vec(),
            },
        },
        timeout: layer.timeout.map_or(TIMEOUT, |Span(timeout)| timeout),
        idle_timeout: layer.idle_timeout.map_or(IDLE_TIMEOUT, |Span(timeout)| timeout),
        stop_loops: layer.stop_loops.unwrap_or(false),
        on_error: layer.on_error.unwrap_or_default(),
    };
    for (name, span) in [("--timeout", options.timeout), ("--idle-timeout", options.idle_timeout)] {
        if span.is_zero() {
            let given = "0s".to_owned();
            return Err(SettingsError::OutOfRange { name, bounds: "above 0", given });
        }
    }
    Ok(Resolved { spec, options, warnings })
}

/// Returns what answers are held against; where a check or the schema does not say what its failing
/// does, `on_fail` says it.
fn checks(
    declared: Option<Vec<Declaration>>,
    gold: Option<&str>,
    on_fail: Option<OnFail>,
    has_schema: bool,
) -> Vec<Declaration> {
    let gold = gold.map(Declaration::gold);
    let mut checks: Vec<Declaration> = declared.into_iter().flatten().chain(gold).collect();
    for check in &mut checks {
        check.on_fail = check.on_fail.or(on_fail);
    }
    if has_schema && checks.iter().all(|check| check.name != SCHEMA) {
        checks.extend(on_fail.map(Declaration::schema));
    }
    checks
}

fn in_range(
    name: &'static str,
    given: Option<f64>,
    range: std::ops::RangeInclusive<f64>,
    bounds: &'static str,
) -> Result<Option<f64>, SettingsError> {
    match given {
        Some(value) if !range.contains(&value) => {
            Err(SettingsError::OutOfRange { name, bounds, given: value.to_string() })
        }
        given => Ok(given),
    }
}

/// Tells whether a URL stays on this machine.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

fn host(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
