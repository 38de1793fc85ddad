//! What is known of each service, as data.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::key::RequestSettings;
use crate::schema::dialect::Structured;

/// A service, or a family of services that are asked alike. A table of the user's own is read into
/// it as well: only `base-url` must be in one, see
/// [`Providers::from_tables`](crate::provider::Providers::from_tables).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Preset {
    /// Its name in settings.
    pub id: String,
    /// Other names for it there.
    pub aliases: Vec<String>,
    /// Its name for people.
    pub name: String,
    /// When the facts were gathered, `YYYY-MM-DD`.
    pub as_of: String,
    /// Where the facts are from.
    pub source: String,
    /// The shape of requests.
    pub dialect: Dialect,
    /// Its base URL; empty where the user names it.
    pub base_url: String,
    /// Its own hosts, whole or from a dot on: the only ones, beside those the user names, that its
    /// key goes to.
    pub hosts: Vec<String>,
    /// The path of the dialect below the base URL.
    pub path: String,
    /// Variables that hold its key; the first is the usual one.
    pub key_env: Vec<String>,
    /// It wants no key, as servers on the user's own machine do.
    pub keyless: bool,
    /// The header that carries the key, in lower case.
    pub auth_header: String,
    /// What stands before the key in that header.
    pub auth_prefix: String,
    /// Headers that are sent beside it, in lower case.
    pub headers: BTreeMap<String, String>,
    /// The model that is asked when none is named.
    pub default_model: String,
    /// Models it is known to serve; there may be others.
    pub models: Vec<String>,
    /// Models it does not serve any more.
    pub retired_models: BTreeMap<String, RetiredModel>,
    /// The name of the field that limits the answer.
    pub max_tokens_field: String,
    /// The `max_tokens` that is sent where the user sets none, for a service that requires one.
    pub max_tokens_default: Option<u64>,
    /// The reasoning counts in that limit too, so that no reply is longer. Where it is not known, it
    /// does not.
    pub max_tokens_bounds_reasoning: bool,
    /// The field that switches reasoning on or off.
    pub reasoning_switch: ReasoningSwitch,
    /// Prefixes of the names of models that reason unless a request switches it off.
    pub reasoning_models: Vec<String>,
    /// Where it puts the reasoning. For people: every place is read, whatever stands here.
    pub reasoning_in: Vec<String>,
    /// What it does not take, and is therefore not sent.
    pub refuses: Vec<Unsupported>,
    /// How it is asked for answers that fit a schema.
    pub structured: Structured,
    /// How it is asked to go on with an answer that has begun.
    pub continuing: Continuing,
    /// Its base URL for that, where it is another.
    pub continuing_base_url: String,
    /// What it gives back may begin with the beginning that it was sent.
    pub repeats_beginning: bool,
    /// How many requests at once it allows, by model; a ceiling that an account may lie below.
    pub concurrency_max: BTreeMap<String, u32>,
    /// Whether replies are streamed by default: a stream distinguishes a long wait from a dead
    /// connection, and what was written before a break is kept.
    pub stream: bool,
    /// Whom it tells which models it serves.
    pub lists_models: ListsModels,
    /// The path below the base URL where it tells what is left to spend; empty where it does not.
    pub balance_path: String,
    /// Where keys are made.
    pub key_page: String,
    /// Where money is paid in.
    pub money_page: String,
}

/// The shape of requests; replies are recognised by their own shape.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// OpenAI's Chat Completions API.
    #[default]
    Chat,
    /// Anthropic's Messages API.
    Anthropic,
}

/// The request field that switches reasoning on or off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReasoningSwitch {
    /// `reasoning_effort`, with `none` for off: the one word that compatible servers share.
    #[default]
    Effort,
    /// `thinking: {"type": "enabled" | "disabled"}`, and `reasoning_effort`.
    ThinkingType,
    /// `thinking: {"type": "adaptive", "display": "summarized"}` or `{"type": "disabled"}`, and `output_config.effort`.
    Adaptive,
    /// `reasoning: {"enabled": …, "effort": …}`.
    ReasoningObject,
    /// `enable_thinking: true | false`.
    EnableThinking,
    /// `chat_template_kwargs`, under both names that templates use.
    TemplateKwargs,
}

/// How a service is asked to go on with the turn of the model that a chat ends with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Continuing {
    /// Not at all, or it is not known how.
    #[default]
    No,
    /// It does so with any chat that ends with one.
    AsItStands,
    /// `prefix: true` in that message.
    Prefix,
    /// `partial: true` in that message.
    Partial,
    /// `continue_final_message: true` and `add_generation_prompt: false` beside the messages.
    ContinueFinalMessage,
}

/// What a service does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unsupported {
    /// A temperature while the model reasons: refused, or without effect.
    TemperatureWhileReasoning,
    /// `stream_options`; its streams have counts without it.
    StreamOptions,
}

/// Whom a service tells which models it serves, at `/models` beside the path of its dialect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListsModels {
    /// Only with a valid key: a list is a sign that the key works.
    #[default]
    WithKey,
    /// Without a key as well.
    Openly,
    /// Not at all, or under other names than those that are asked.
    No,
}

/// What a retired model is replaced with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetiredModel {
    /// The model asked in its place.
    pub used: String,
    /// Whether that is to reason, as the retired one did.
    pub reasoning: bool,
    /// Since when it is gone, `YYYY-MM-DD`.
    pub since: String,
}

/// The built-in services, as JSON.
pub(crate) const TABLE: &str = include_str!("presets.json");

static PRESETS: LazyLock<Vec<Arc<Preset>>> = LazyLock::new(|| {
    let table: Vec<Preset> = serde_json::from_str(TABLE).expect("a test reads presets.json");
    let named = |preset: Preset| {
        let id = preset.id.clone();
        Arc::new(preset.named(&id).expect("a test names every preset"))
    };
    table.into_iter().map(named).collect()
});

/// Returns the built-in presets, in the order of the table.
#[must_use]
pub fn presets() -> &'static [Arc<Preset>] {
    &PRESETS
}

/// Returns the preset of this id or alias.
#[must_use]
pub fn preset(id: &str) -> Option<&'static Arc<Preset>> {
    presets().iter().find(|preset| preset.id == id || preset.aliases.iter().any(|own| own == id))
}

/// How much of a URL is a service's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Closeness {
    /// The host.
    Host,
    /// The protocol, the host and the port.
    Origin,
    /// The path, too, as far as a base URL goes.
    Address { path_bytes: usize },
}

impl Preset {
    /// Returns true if a URL leads to one of its own hosts.
    #[must_use]
    pub fn is_official_host(&self, url: &Url) -> bool {
        let is_own = |host: &str, own: &String| {
            host == own || own.starts_with('.') && host.ends_with(own.as_str())
        };
        url.host_str().is_some_and(|host| self.hosts.iter().any(|own| is_own(host, own)))
    }

    /// Returns true if a URL leads to one of its own hosts as its base URL does: by the same protocol,
    /// to the same port.
    #[must_use]
    pub fn is_official_origin(&self, url: &Url) -> bool {
        let way = |url: &Url| (url.scheme().to_owned(), url.port_or_known_default());
        let mut own = self.own_urls().map(|own| way(&own)).peekable();
        let is_own = match own.peek() {
            Some(_) => own.any(|own| own == way(url)),
            None => way(url) == ("https".to_owned(), Some(443)),
        };
        is_own && self.is_official_host(url)
    }

    /// Tells how much of a URL is this service's address: more is closer. `None` where nothing is.
    pub(super) fn closeness(&self, url: &Url) -> Option<Closeness> {
        let shared = |own: Url| {
            let path = own.path().trim_end_matches('/');
            match url.path().strip_prefix(path) {
                Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                    Closeness::Address { path_bytes: path.len() }
                }
                _ => Closeness::Origin,
            }
        };
        let own = self.own_urls().filter(|own| own.origin() == url.origin()).map(shared).max();
        match (own, self.is_official_host(url)) {
            (None, true) => Some(Closeness::Host),
            (Some(Closeness::Origin), false) => None,
            (own, _) => own,
        }
    }

    fn own_urls(&self) -> impl Iterator<Item = Url> {
        [&self.base_url, &self.continuing_base_url].into_iter().filter_map(|url| url.parse().ok())
    }

    /// Returns what a retired model is replaced with.
    #[must_use]
    pub fn retired(&self, model: &str) -> Option<&RetiredModel> {
        self.retired_models.get(model)
    }

    /// Returns true if it is known to serve a model.
    #[must_use]
    pub fn serves(&self, model: &str) -> bool {
        self.models.iter().any(|own| own == model)
    }

    /// Returns true if a model will reason that is asked under these settings.
    #[must_use]
    pub fn reasons(&self, settings: &RequestSettings) -> bool {
        let by_itself = || {
            let mut beginnings = self.reasoning_models.iter();
            beginnings.any(|beginning| settings.model.starts_with(beginning.as_str()))
        };
        match (settings.reasoning, settings.reasoning_effort.as_deref()) {
            (Some(on), _) => on,
            (None, Some("none")) => false,
            (None, Some(_)) => true,
            (None, None) => by_itself(),
        }
    }

    /// Returns true if a temperature that these settings name is left out, because the service does
    /// not take it. `at_home` says that its own host is asked; a stranger's may take it.
    #[must_use]
    pub(crate) fn leaves_out_temperature(&self, settings: &RequestSettings, at_home: bool) -> bool {
        settings.temperature.is_some()
            && at_home
            && self.refuses.contains(&Unsupported::TemperatureWhileReasoning)
            && self.reasons(settings)
    }

    /// Returns true if a key of its own can be kept for it: it wants one, and it is one service.
    #[must_use]
    pub fn may_have_key(&self) -> bool {
        let is_one = !self.hosts.is_empty() || !self.base_url.is_empty();
        is_one && !self.keyless && !self.key_env.is_empty()
    }

    /// Returns the variable that usually holds its key; that of the default service, where it is
    /// any server at a URL of the user's.
    #[must_use]
    pub fn key_variable(&self) -> &str {
        self.key_env.first().map_or("DEEPSEEK_API_KEY", String::as_str)
    }

    /// Returns the URL of the dialect below a base URL, which may end with a slash, with `/v1`, or
    /// already with the path, and may have a slash too many.
    #[must_use]
    pub fn url(&self, base_url: &Url) -> Url {
        let path = slim(base_url.path());
        let path = path.as_str();
        let mut url = base_url.clone();
        match path.ends_with(&self.path) {
            true => url.set_path(path),
            false => url.set_path(&format!("{}{}", self.base(path), self.path)),
        }
        url
    }

    /// Anthropic's path begins with the version that some base URLs end with.
    fn base<'a>(&self, path: &'a str) -> &'a str {
        match self.path.starts_with("/v1/") {
            true => path.strip_suffix("/v1").unwrap_or(path),
            false => path,
        }
    }

    /// Returns the URL below this base URL that tells which models there are, see
    /// [`lists_models`](Preset::lists_models).
    #[must_use]
    pub fn models_url(&self, base_url: &Url) -> Url {
        let is_versioned = self.path.starts_with("/v1/");
        let own = Url::parse(&self.base_url).ok();
        let own = own.filter(|_| base_url.as_str() == self.continuing_base_url);
        let base_url = own.as_ref().unwrap_or(base_url);
        let mut url = self.beside(base_url, if is_versioned { "/v1/models" } else { "/models" });
        if self.dialect == Dialect::Anthropic {
            // It lists twenty where no limit is given.
            url.query_pairs_mut().append_pair("limit", "1000");
        }
        url
    }

    /// Returns the URL that reports what is left to spend, if there is one. At the official host
    /// that is below the official base URL, whatever version the user's URL has.
    #[must_use]
    pub fn balance_url(&self, base_url: &Url) -> Option<Url> {
        if self.balance_path.is_empty() {
            return None;
        }
        let own = Url::parse(&self.base_url).ok();
        let own = own.filter(|own| own.host() == base_url.host());
        Some(self.beside(own.as_ref().unwrap_or(base_url), &self.balance_path))
    }

    fn beside(&self, base_url: &Url, path: &str) -> Url {
        let mut url = base_url.clone();
        let base = slim(base_url.path());
        let base = self.base(base.strip_suffix(self.path.as_str()).unwrap_or(&base));
        url.set_path(&format!("{base}{path}"));
        url
    }
}

/// Leaves out the slashes that are too many in a path, and the one at its end.
fn slim(path: &str) -> String {
    let parts = path.split('/').filter(|part| !part.is_empty());
    parts.flat_map(|part| ["/", part]).collect()
}

#[cfg(test)]
mod tests;
