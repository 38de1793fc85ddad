//! What is elsewhere: the services, their models, the money that is left.

use std::time::Duration;

use dset_core::answer::{Failure, ParsedReply};
use dset_core::provider::parse_reply;
use dset_core::provider::reply::HttpReply;
use dset_core::provider::{Balance, ListsModels, Providers, read_balance, read_models};
use dset_core::settings::{Model, Warning, endpoint};
use dset_engine::http::probe;
use dset_engine::http::probe::{ProbeError, ProbeReply};
use url::Url;

use super::keys::key;
use super::{Check, Grade, Plan, question};
use crate::command::check_key::{money, refuses_key, unreached};
use crate::command::model_suggestion::ModelSuggestion;
use crate::display::conveyed;
use crate::display::text::{of, one_line, quoted, same_command};
use crate::layers::Key;
use crate::same_command::same_command_as;
use crate::spelling::meant;

/// So many models of a service's list are named.
const MODELS_NAMED: usize = 5;

/// What can be told of models without asking anybody.
pub(super) fn from_afar(plan: &Plan) -> Vec<Check> {
    let mut checks = warnings(plan);
    checks.extend(schemas(plan));
    let models = plan.settings.models.iter();
    checks.extend(models.filter_map(|model| misspelt(model, &plan.environment.providers)));
    checks
}

/// Asks each service once, and tells what it says.
pub(super) async fn asked(plan: &Plan) -> Vec<Check> {
    let mut checks = warnings(plan);
    checks.extend(schemas(plan));
    let mut seen: Vec<(&Url, &Option<String>)> = Vec::new();
    let mut of_models = Vec::new();
    for model in &plan.settings.models {
        // A key that must not be sent is not; whether it is there was told.
        let Ok(key) = key(plan, model) else { continue };
        for base_url in &model.base_urls {
            let is_first = !seen.contains(&(base_url, &model.key_variable));
            seen.push((base_url, &model.key_variable));
            let providers = &plan.environment.providers;
            let place = Place { model, base_url, key: key.as_ref(), providers };
            let (service, check) = place.ask(is_first).await;
            let fails = |check: &Check| check.grade == Grade::Problem;
            // One that is probably mistyped is not asked: some services answer for any name.
            let is_typo = check.as_ref().is_some_and(|check| fails(check) && is_meant(check));
            let lacks_key = model.key_variable.is_some() && key.is_none();
            let question = match lacks_key || is_typo || service.iter().any(fails) {
                true => None,
                false => Some(question::asked(&plan.options, model, base_url, key.as_ref()).await),
            };
            // A list of models may lack some that are served.
            let answers = question.as_ref().is_some_and(|check| check.grade == Grade::Good);
            let check = check.map(|check| match answers && fails(&check) {
                true => Check { grade: Grade::Warning, ..check },
                false => check,
            });
            if is_first {
                checks.extend(service);
            }
            of_models.extend(check);
            of_models.extend(question);
        }
    }
    of_models.dedup_by(|a, b| a.name == b.name && a.says == b.says);
    // Balances come behind the models, as a run needs them.
    checks.sort_by_key(|check| check.name == "balance");
    let balances = checks.iter().position(|check| check.name == "balance").unwrap_or(checks.len());
    checks.splice(balances..balances, of_models);
    checks
}

/// A place where a model is asked.
struct Place<'a> {
    model: &'a Model,
    base_url: &'a Url,
    key: Option<&'a Key>,
    providers: &'a Providers,
}

impl Place<'_> {
    /// Asks for the models, and what is left to spend; what is told of the service, and of the model.
    async fn ask(&self, with_balance: bool) -> (Vec<Check>, Option<Check>) {
        let preset = &self.model.preset;
        let url = preset.models_url(self.base_url);
        let told = match self.get(&url).await {
            Ok(told) => told,
            Err(error) => return (vec![self.unreached(&error)], None),
        };
        let mut checks = vec![self.answers(&url, &told)];
        let mut is_refused = self.is_refusal(&told);
        let balance = preset.balance_url(self.base_url).filter(|_| with_balance && !is_refused);
        if let Some(url) = balance.filter(|_| self.key.is_some())
            && let Ok(told) = self.get(&url).await
        {
            is_refused = self.is_refusal(&told);
            let balance = read_balance(&told.body).filter(|_| told.status == 200);
            checks.extend(balance.map(|balance| self.balance(&balance)));
        }
        if is_refused {
            checks.push(self.refused());
        }
        let models = read_models(&told.body).filter(|_| told.status == 200);
        let models = models.filter(|_| preset.lists_models != ListsModels::No);
        let model = match models {
            Some(models) => Some(self.served(&models)),
            None => misspelt(self.model, self.providers),
        };
        (checks, model)
    }

    /// Who is asked there, as a run names it.
    fn name(&self) -> String {
        match self.model.preset.is_official_host(self.base_url) {
            true => self.model.preset.name.clone(),
            false => self.base_url.host_str().unwrap_or_default().to_owned(),
        }
    }

    async fn get(&self, url: &Url) -> Result<ProbeReply, ProbeError> {
        probe::get(&self.model.preset, url, self.key.map(|key| &key.secret)).await
    }

    fn is_refusal(&self, told: &ProbeReply) -> bool {
        self.key.is_some() && refuses_key(told)
    }

    fn answers(&self, url: &Url, told: &ProbeReply) -> Check {
        let at = one_line(&endpoint(self.base_url));
        let took = milliseconds(told.took);
        match told.status {
            300..=399 => {
                let to = told.location.as_deref().map(|to| format!(", to {}", one_line(to)));
                let to = to.unwrap_or_default();
                Check::problem("service", format!("{at} sends elsewhere ({}){to}", told.status))
                    .fix("Name the place itself with `--base-url URL`: nothing is sent after a redirect")
            }
            200..=299 if is_page(told) => {
                let page = page(told);
                let says = format!("{} is a page for people: {page}", one_line(&endpoint(url)));
                Check::problem("service", says).fix(self.base_url_meant())
            }
            401 if self.key.is_none() => {
                let says = format!("{at} wants a key (401), and none is sent");
                Check::problem("service", says)
                    .fix("Name the variable with the key: `--key NAME`, with `NAME=…` in .env")
            }
            403 if self.key.is_some() => {
                let says = format!("{at} says 403 in {took}: this key may not look around");
                let run = same_command_as("run", &[]);
                Check::warning("service", says).fix(format!("See whether it may ask: `{run} -n 1`"))
            }
            404 | 405 if self.model.preset.lists_models != ListsModels::No => {
                let url = one_line(&endpoint(url));
                Check::warning("service", format!("{url} says {} in {took}", told.status))
                    .fix(self.base_url_meant())
            }
            429 | 500.. => {
                Check::warning("service", format!("{at} says {} in {took}", told.status))
                    .fix(format!("Look again later with `{}`; a run waits for it", same_command()))
            }
            _ => Check::good("service", format!("{at} answers in {took}")),
        }
    }

    /// What to do about a base URL below which there is no list of models.
    fn base_url_meant(&self) -> String {
        match self.model.preset.suggested_base_url(self.base_url, &no_such_path()) {
            Some(meant) => {
                let meant = quoted(meant.as_str().trim_end_matches('/'));
                format!("Did you mean `--base-url {meant}`?")
            }
            None => {
                "Look whether the base URL is that of an API: `dset config show --origin`".into()
            }
        }
    }

    fn unreached(&self, error: &ProbeError) -> Check {
        let at = one_line(&endpoint(self.base_url));
        let again = format!("Try again with `{}`", same_command());
        let other_scheme = format!(
            "Try the base URL with `{}://`",
            if self.base_url.scheme() == "https" { "http" } else { "https" }
        );
        let (kind, fix) = match error {
            ProbeError::Name { .. } => (
                "no such name",
                "Look at the base URL, `dset config show --origin`, and at the network",
            ),
            ProbeError::Proxy(_) => {
                ("not reached", "Look at HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY")
            }
            ProbeError::Foreign(_) => ("speaks another protocol", &*other_scheme),
            ProbeError::Tls(_) => {
                ("not trusted", "Look at the clock of this machine, and at whoever is between")
            }
            ProbeError::Connect(_) => (
                "not reached",
                "Look whether it runs there; `dset config show --origin` tells of a base URL that no flag names",
            ),
            ProbeError::Late => ("does not answer", &*again),
            ProbeError::Endpoint(_) => {
                ("cannot be asked", "Set the key anew with `dset keys set`, or in .env")
            }
            ProbeError::Broken(_) | ProbeError::TooLarge => (
                "not understood",
                "Look whether the base URL is that of an API: `dset config show --origin`",
            ),
        };
        Check::problem("service", format!("{at} {kind}: {}", unreached(error))).fix(fix)
    }

    fn refused(&self) -> Check {
        let preset = &self.model.preset;
        let name = self.model.key_variable.as_deref().unwrap_or_default();
        let place = self.key.map_or("nowhere", Key::place);
        let says = format!("{} refuses {name} from {place}", self.name());
        let check = Check::problem("key", says);
        match (place, preset.may_have_key()) {
            ("your keys file", true) => {
                check.fix(format!("Set another with `dset keys set {}`", preset.id))
            }
            _ => check.fix(format!("Put another as {name} into {place}")),
        }
    }

    fn balance(&self, balance: &Balance) -> Check {
        let preset = &self.model.preset;
        let is_zero = |(_, amount): &(String, String)| amount.parse().is_ok_and(|n: f64| n <= 0.0);
        let is_out = !balance.amounts.is_empty() && balance.amounts.iter().all(is_zero);
        let says = money(balance);
        if balance.is_enough && !is_out {
            return Check::good("balance", says);
        }
        let check = Check::problem("balance", format!("{says}: {} will not answer", self.name()));
        match preset.money_page.as_str() {
            page if page.is_empty() || !preset.is_official_host(self.base_url) => check,
            page => check.fix(format!("Top up at {page}")),
        }
    }

    /// Whether the model is in the list, or one whose name begins so: many are listed with a date or a tag.
    fn served(&self, models: &[String]) -> Check {
        let (preset, name) = (&self.model.preset, self.model.request.model.as_str());
        if models.iter().any(|own| own == name || is_dated(own, name)) {
            let thinks = if preset.reasons(&self.model.request) { ", thinks" } else { "" };
            return Check::good("model", format!("{name} is served{thinks}"));
        }
        if let Some(retired) = preset.retired(name) {
            return retirement(name, &retired.since, &retired.used);
        }
        let says = match models.len() as u64 {
            0 => format!("{name} is not listed: the service lists no model"),
            listed => {
                format!("{name} is not among the {} that the service lists", of(listed, "model"))
            }
        };
        let check = match preset.serves(name) {
            true => Check::warning("model", says),
            false => Check::problem("model", says),
        };
        let typo =
            ModelSuggestion::for_model(self.model, self.providers).and_then(|typo| typo.meant);
        let near = || meant(name, models.iter().cloned()).map(|own| self.written(&own));
        check.fix(match typo.or_else(near) {
            Some(own) => did_you_mean(&own),
            None if preset.is_official_host(self.base_url) => {
                format!("See which there are: `dset models list --live {}`", preset.id)
            }
            None if models.is_empty() => "Load or download one there".to_owned(),
            None => {
                let first = models.iter().take(MODELS_NAMED).map(|own| one_line(own));
                format!("It lists: {}", first.collect::<Vec<_>>().join(", "))
            }
        })
    }

    /// Writes another model of this service as settings take it.
    fn written(&self, model: &str) -> String {
        let preset = &self.model.preset;
        match preset.is_official_host(self.base_url) && !preset.serves(model) {
            true => format!("{}/{model}", preset.id),
            false => model.to_owned(),
        }
    }
}

/// What a path without an API is to the reader of replies.
fn no_such_path() -> Failure {
    let reply = HttpReply::new(404, Vec::new(), Vec::new());
    match parse_reply(&reply) {
        ParsedReply::Failure(failure) => failure,
        ParsedReply::Answer(_) => unreachable!("a 404 is no answer"),
    }
}

fn is_page(told: &ProbeReply) -> bool {
    told.body.trim_ascii_start().starts_with(b"<")
}

/// What a page says, in one line.
fn page(told: &ProbeReply) -> String {
    let reply = HttpReply::new(told.status, Vec::new(), told.body.clone());
    match parse_reply(&reply) {
        ParsedReply::Failure(failure) => one_line(&failure.message),
        ParsedReply::Answer(_) => String::new(),
    }
}

/// Tells whether a check names what was probably meant.
fn is_meant(check: &Check) -> bool {
    check.fix.as_deref().is_some_and(|fix| fix.starts_with(DID_YOU_MEAN))
}

const DID_YOU_MEAN: &str = "Did you mean";

fn did_you_mean(model: &str) -> String {
    let model = quoted(model);
    format!("{DID_YOU_MEAN} `-m {model}`? For good: `dset config set model {model}`")
}

/// Tells whether one name is another with a date, like `-0813`, or a tag, like `:latest`.
fn is_dated(own: &str, name: &str) -> bool {
    let rest = own.strip_prefix(name).unwrap_or_default();
    let date = rest.strip_prefix('-').unwrap_or_default();
    rest.starts_with([':', '@']) || date.starts_with(|c: char| c.is_ascii_digit())
}

/// A name that is probably not meant, or is not known of a service whose models are and close to one
/// that is.
fn misspelt(model: &Model, providers: &Providers) -> Option<Check> {
    if let Some(typo) = ModelSuggestion::for_model(model, providers) {
        let fix = typo.meant.as_deref().map(did_you_mean);
        let fix = fix.unwrap_or_else(|| typo.hint("-m"));
        return Some(Check::warning("model", typo.says).fix(fix));
    }
    let (preset, name) = (&model.preset, model.request.model.as_str());
    if preset.serves(name) || !preset.is_official_host(model.base_url()) {
        return None;
    }
    let own = meant(name, preset.models.iter().cloned())?;
    let check = Check::warning("model", format!("{name} is not known of {}", preset.name));
    Some(check.fix(did_you_mean(&format!("{}/{own}", preset.id))))
}

fn retirement(given: &str, since: &str, used: &str) -> Check {
    let says = format!("{given} was retired on {since}; in its place there is {used}");
    Check::warning("model", says).fix(format!("Name that: `dset config set model {used}`"))
}

fn warnings(plan: &Plan) -> Vec<Check> {
    let told = |warning: &Warning| match warning {
        Warning::RetiredModel { given, since, used, .. } => retirement(given, since, used),
        Warning::TemperatureLeftOut { provider } => Check::warning(
            "temperature",
            format!("is not sent: {provider} takes none while a model thinks"),
        )
        .fix("Let it not think with `--reasoning off`"),
        Warning::NotStreamed { provider } => Check::warning(
            "stream",
            format!("{provider} streams no answers that fit a schema: not streamed"),
        ),
        Warning::OtherPrice { field, model } => Check::warning(
            "costs",
            format!("are counted by the usual price of {model}, which `{field}` changes"),
        )
        .fix(format!(
            "Say what it costs: `dset prices set {} --input 0.6 --output 2.4`",
            quoted(model)
        )),
        Warning::BilledApart { field } => Check::warning(
            "costs",
            format!("are too low: what `{field}` costs is in no count of tokens"),
        ),
        Warning::KeyInClear { host } => Check::warning(
            "service",
            format!("the key goes to {host} unencrypted, over plain http"),
        ),
    };
    plan.warnings.iter().map(told).collect()
}

/// What each model is sent of the schema.
fn schemas(plan: &Plan) -> impl Iterator<Item = Check> {
    let lines = plan.settings.models.iter().flat_map(conveyed::lines);
    lines.map(|line| Check::good("schema", line))
}

fn milliseconds(span: Duration) -> String {
    format!("{} ms", span.as_millis().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_date_or_a_tag_is_the_same_model_and_a_longer_one_is_another() {
        for (own, name, is) in [
            ("claude-haiku-4-5-20260101", "claude-haiku-4-5", true),
            ("qwen3:latest", "qwen3", true),
            ("gpt-5-mini", "gpt-5", false),
            ("gpt-5.1", "gpt-5", false),
            ("gpt", "gpt-5", false),
        ] {
            assert_eq!(is_dated(own, name), is, "{own}");
        }
    }
}
