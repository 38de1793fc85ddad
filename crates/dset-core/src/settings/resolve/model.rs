//! One model of the settings: which service it is asked at, where, and with what.

use std::sync::Arc;

use url::Url;

use super::{SettingsError, Warning, host, is_loopback};
use crate::item::params::Billing;
use crate::key::RequestSettings;
use crate::provider::{Ambiguous, Continuing, Preset, Providers};
use crate::schema::Schema;
use crate::settings::job_spec::Model;
use crate::settings::key_text::is_variable;
use crate::settings::layer::NO_KEY;
use crate::settings::reading::LastTurn;

/// What all models have in common.
pub(super) struct Shared<'a> {
    pub(super) providers: &'a Providers,
    /// But for the model's name.
    pub(super) request: RequestSettings,
    pub(super) base_urls: Vec<String>,
    pub(super) key: Option<String>,
    pub(super) stream: Option<bool>,
    pub(super) schema: Option<&'a Schema>,
    pub(super) last: LastTurn,
}

pub(super) fn resolve_model(
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

/// The API that is spoken, where, and of which model.
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
