//! From layers to what holds.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use url::Url;

use super::job_spec::{Checks, JobSpec, Model};
use super::key_text::{begins_like_a_key, is_variable};
use super::layer::{Layer, NO_KEY};
use super::reading::{Choice, LastTurn, Reading};
use super::run_options::{CostLimits, RunOptions};
use super::schema_source::SchemaSource;
use super::values::{Dollars, Span, Switch};
use crate::acceptance::SCHEMA;
use crate::check::{Declaration, OnFail};
use crate::item::params::Billing;
use crate::item::params::Params;
use crate::key::RequestSettings;
use crate::provider::{Ambiguous, Continuing, Preset, Providers};
use crate::rate::outage::OutageBackoff;
use crate::rate::sliding_window::MinuteLimits;
use crate::schema::Schema;
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

/// What is wrong with a setting.
#[derive(Debug, Error, PartialEq)]
pub enum SettingsError {
    /// A base URL that is none.
    #[error("`{given}` is not a URL: {detail}")]
    BaseUrl {
        /// What was said.
        given: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A key itself where the name of its variable belongs.
    #[error("--key takes the name of a variable, not the key itself")]
    KeyItself,
    /// A key where the name of a model belongs.
    #[error("--model takes the name of a model, and this looks like a key")]
    KeyForModel,
    /// No name where that of a model belongs.
    #[error("--model is empty")]
    EmptyModel,
    /// A model of one name at two services: answers are told apart by the name alone.
    #[error("{} and {} are asked for `{model}`: a run asks a model at one service", services[0], services[1])]
    ModelTwice {
        /// The model, as both call it.
        model: String,
        /// Their names in settings.
        services: [String; 2],
    },
    /// A number out of range.
    #[error("{name} must be {bounds}, not {given}")]
    OutOfRange {
        /// The setting.
        name: &'static str,
        /// What it may be.
        bounds: &'static str,
        /// What was said.
        given: String,
    },
    /// A service that has no base URL of its own.
    #[error("{provider} is asked at a URL of your own, and none is named")]
    NoBaseUrl {
        /// The service, as people call it.
        provider: String,
    },
    /// A service without a model.
    #[error("--model names {provider} and no model of it")]
    NoModel {
        /// The service's name in settings.
        provider: String,
    },
    /// A model that several services have.
    #[error("several services have the model `{model}`: {}", providers.join(", "))]
    SeveralServices {
        /// The model.
        model: String,
        /// Their names in settings.
        providers: Vec<String>,
    },
    /// A service of which it is not known how it goes on with an answer.
    #[error("--last continue: how {provider} goes on with an answer that has begun is not known")]
    CannotContinue {
        /// The service, as people call it.
        provider: String,
    },
    /// Two settings that exclude each other.
    #[error("{one} and {other} say the same thing twice")]
    Both {
        /// One.
        one: &'static str,
        /// The other.
        other: &'static str,
    },
}

/// Something worth saying about settings that work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The model is gone; another is asked in its place.
    RetiredModel {
        /// What was said.
        given: String,
        /// Since when it is gone, `YYYY-MM-DD`.
        since: String,
        /// What is asked.
        used: String,
        /// With reasoning or without.
        reasoning: bool,
    },
    /// The temperature is not sent: the service takes none while the model reasons.
    TemperatureLeftOut {
        /// The service, as people call it.
        provider: String,
    },
    /// Answers are not streamed: the service streams none that are to fit a schema.
    NotStreamed {
        /// The service, as people call it.
        provider: String,
    },
    /// A field of the request makes calls cost something else than what prices are counted by.
    OtherPrice {
        /// The field.
        field: &'static str,
        /// The model.
        model: String,
    },
    /// A field of the request makes calls cost something that is in no count of tokens.
    BilledApart {
        /// The field.
        field: &'static str,
    },
    /// The key will cross a network unencrypted.
    KeyInClear {
        /// To this host.
        host: String,
    },
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

/// What all models have in common.
struct Shared<'a> {
    providers: &'a Providers,
    /// But for the model's name.
    request: RequestSettings,
    base_urls: Vec<String>,
    key: Option<String>,
    stream: Option<bool>,
    schema: Option<&'a Schema>,
    last: LastTurn,
}

fn resolve_model(
    name: Option<&str>,
    shared: &Shared<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<Model, SettingsError> {
    let first = shared.base_urls.first().map(String::as_str);
    let Service { preset, base_url: first, mut model } = service(name, first, shared.providers)?;
    let mut base_urls = vec![first];
    for given in shared.base_urls.iter().skip(1) {
        let url = base_url(given)?;
        if !base_urls.contains(&url) {
            base_urls.push(url);
        }
    }
    if shared.last == LastTurn::Continue {
        if preset.continuing == Continuing::No {
            return Err(SettingsError::CannotContinue { provider: preset.name.clone() });
        }
        if shared.base_urls.is_empty() && !preset.continuing_base_url.is_empty() {
            base_urls = vec![base_url(&preset.continuing_base_url)?];
        }
    }
    let at_home = base_urls.iter().all(|url| preset.is_official_host(url));
    let mut reasoning = shared.request.reasoning;
    // Other hosts may still serve a model under the name that its own no longer knows.
    if let Some(retired) = preset.retired(&model).filter(|_| at_home) {
        let thinks = *reasoning.get_or_insert(retired.reasoning);
        let given = std::mem::replace(&mut model, retired.used.clone());
        warnings.push(Warning::RetiredModel {
            given,
            since: retired.since.clone(),
            used: model.clone(),
            reasoning: thinks,
        });
    }
    let key_variable = match &shared.key {
        Some(name) if name.eq_ignore_ascii_case(NO_KEY) => None,
        Some(name) if !is_variable(name) => return Err(SettingsError::KeyItself),
        Some(name) => Some(name.clone()),
        None if preset.keyless => None,
        None => Some(preset.key_variable().to_owned()),
    };
    let in_clear = |url: &&Url| url.scheme() == "http" && !is_loopback(url);
    if let Some(url) = base_urls.iter().find(in_clear).filter(|_| key_variable.is_some()) {
        warnings.push(Warning::KeyInClear { host: host(url) });
    }
    let request = RequestSettings { model, reasoning, ..shared.request.clone() };
    if preset.leaves_out_temperature(&request, at_home) {
        let provider = preset.name.clone();
        warnings.push(Warning::TemperatureLeftOut { provider });
    }
    match request.params.billed_otherwise() {
        Some((field, Billing::OtherPrice)) => {
            warnings.push(Warning::OtherPrice { field, model: request.model.clone() });
        }
        Some((field, Billing::Apart)) => warnings.push(Warning::BilledApart { field }),
        None => {}
    }
    let conveyed = shared.schema.map(|schema| Arc::new(preset.convey(schema, &request.model)));
    let may_stream = conveyed.as_ref().is_none_or(|conveyed| conveyed.may_stream);
    if shared.stream == Some(true) && !may_stream {
        warnings.push(Warning::NotStreamed { provider: preset.name.clone() });
    }
    let stream = may_stream && shared.stream.unwrap_or(preset.stream && at_home);
    let payee = |url| shared.providers.payee_of(&preset.id, url).map(|payee| payee.id.clone());
    let payees = base_urls.iter().map(payee).collect();
    Ok(Model { request, preset, base_urls, payees, key_variable, stream, conveyed })
}

/// Whose wire is spoken where, and of which model.
struct Service {
    preset: Arc<Preset>,
    base_url: Url,
    model: String,
}

/// Chooses the service. Where a base URL is named, the model's name is the service's own and left
/// whole, slashes and all, and the host tells the service, or the end of the path whose messages are
/// spoken; else the name tells it.
fn service(
    model: Option<&str>,
    url: Option<&str>,
    providers: &Providers,
) -> Result<Service, SettingsError> {
    let deepseek = providers.preset("deepseek").expect("the table has DeepSeek");
    let Some(url) = url else {
        let given = model.unwrap_or(&deepseek.default_model);
        let found = providers.by_model(given).map_err(|Ambiguous { providers }| {
            SettingsError::SeveralServices { model: given.to_owned(), providers }
        })?;
        let (preset, model) = found.unwrap_or((deepseek, given));
        if preset.base_url.is_empty() {
            return Err(SettingsError::NoBaseUrl { provider: preset.name.clone() });
        }
        let model = if model.is_empty() { &preset.default_model } else { model };
        if model.is_empty() {
            return Err(SettingsError::NoModel { provider: preset.id.clone() });
        }
        let (base_url, model) = (base_url(&preset.base_url)?, model.to_owned());
        return Ok(Service { preset: Arc::clone(preset), base_url, model });
    };
    let base_url = base_url(url)?;
    let mut model = model.unwrap_or(&deepseek.default_model);
    let any = providers
        .preset("openai-compatible")
        .expect("the table has a preset for any other service");
    let messages =
        providers.preset("anthropic-compatible").expect("the table has one for Anthropic's wire");
    let preset = match providers.by_url(&base_url) {
        Some(preset) => preset,
        None if base_url.path().trim_end_matches('/').ends_with(&messages.path) => messages,
        None if deepseek.serves(model) => deepseek,
        None => any,
    };
    // The deployments of Azure have no slash in their names, and no base URL but the user's.
    if let Some((id, rest)) = model.split_once('/').filter(|_| preset.base_url.is_empty())
        && id == preset.id
    {
        model = rest;
    }
    Ok(Service { preset: Arc::clone(preset), base_url, model: model.to_owned() })
}

fn base_url(given: &str) -> Result<Url, SettingsError> {
    let wrong = |detail: String| SettingsError::BaseUrl { given: without_secrets(given), detail };
    let url = Url::parse(given.trim()).map_err(|error| wrong(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(wrong("it must begin with http:// or https:// and name a host".into()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it must not hold a user name or a password".into()));
    }
    Ok(url)
}

/// Leaves out of an address what may be secret.
fn without_secrets(given: &str) -> String {
    let mut shown = without_password(given);
    if let Some(query) = shown.find('?') {
        shown.replace_range(query.., "?…");
    }
    shown
}

fn without_password(given: &str) -> String {
    let Some(at) = given.rfind('@') else { return given.to_owned() };
    let scheme = given.find("://").map(|at| at + 3).filter(|end| *end < at);
    format!("{}…{}", &given[..scheme.unwrap_or(0)], &given[at..])
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
