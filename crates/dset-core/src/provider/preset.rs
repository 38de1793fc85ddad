//! What is known of each service, as data.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use url::Url;

/// A service, or a family of services that are asked alike.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// Its name in settings.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Where the facts are from.
    pub source: String,
    /// Its base URL; empty where the user names it.
    pub base_url: String,
    /// Its own hosts: the only ones, beside those the user names, that its key goes to.
    pub hosts: Vec<String>,
    /// The path of chat completions below the base URL.
    pub chat_path: String,
    /// Variables that hold its key; the first is the usual one.
    pub key_env: Vec<String>,
    /// The header that carries the key, in lower case.
    pub auth_header: String,
    /// What stands before the key in that header.
    pub auth_prefix: String,
    /// The model that is asked when none is named.
    pub default_model: String,
    /// Models it is known to serve.
    pub models: Vec<String>,
    /// Models it does not serve any more.
    pub retired_models: BTreeMap<String, Retired>,
    /// The name of the field that limits the answer.
    pub max_tokens_field: String,
    /// It takes `thinking: {"type": …}` to switch reasoning.
    pub thinking_field: bool,
    /// Where keys are made.
    pub key_page: String,
    /// Where money is paid in.
    pub money_page: String,
}

/// What a retired model is replaced with.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retired {
    /// The model asked in its place.
    pub used: String,
    /// Whether that is to reason, as the retired one did.
    pub reasoning: bool,
    /// Since when it is gone, `YYYY-MM-DD`.
    pub since: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[allow(dead_code, reason = "for whoever reads the table")]
    as_of: String,
    presets: Vec<Preset>,
}

static PRESETS: LazyLock<Vec<Preset>> = LazyLock::new(|| {
    let table: Table =
        serde_json::from_str(include_str!("presets.json")).expect("a test reads presets.json");
    table.presets
});

/// Returns every preset.
#[must_use]
pub fn presets() -> &'static [Preset] {
    &PRESETS
}

/// Returns the preset of this id.
#[must_use]
pub fn preset(id: &str) -> Option<&'static Preset> {
    presets().iter().find(|preset| preset.id == id)
}

impl Preset {
    /// Tells whether a URL leads to one of its own hosts.
    #[must_use]
    pub fn is_at(&self, url: &Url) -> bool {
        url.host_str().is_some_and(|host| self.hosts.iter().any(|own| own == host))
    }

    /// Returns what a retired model is replaced with.
    #[must_use]
    pub fn retired(&self, model: &str) -> Option<&Retired> {
        self.retired_models.get(model)
    }

    /// Tells whether it is known to serve a model.
    #[must_use]
    pub fn serves(&self, model: &str) -> bool {
        self.models.iter().any(|own| own == model)
    }

    /// Returns the variable that usually holds its key.
    #[must_use]
    pub fn key_variable(&self) -> &str {
        self.key_env.first().map_or("DSET_KEY", String::as_str)
    }

    /// Returns the URL of chat completions below a base URL, which may end with a slash, with
    /// `/v1`, or already with the path.
    #[must_use]
    pub fn url(&self, base_url: &Url) -> Url {
        let path = base_url.path().trim_end_matches('/');
        let mut url = base_url.clone();
        if !path.ends_with(&self.chat_path) {
            url.set_path(&format!("{path}{}", self.chat_path));
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_and_every_retired_model_is_replaced_by_a_served_one() {
        for preset in presets() {
            assert!(!preset.source.is_empty(), "{}: a fact has a source", preset.id);
            assert!(preset.chat_path.starts_with('/'));
            assert!(preset.default_model.is_empty() || preset.serves(&preset.default_model));
            assert!(preset.retired_models.values().all(|retired| preset.serves(&retired.used)));
        }
    }

    #[test]
    fn a_base_url_is_joined_without_doubling() {
        let deepseek = preset("deepseek").unwrap();
        for (base, joined) in [
            ("https://api.deepseek.com", "https://api.deepseek.com/chat/completions"),
            ("http://localhost:8000/v1/", "http://localhost:8000/v1/chat/completions"),
            ("http://h/v1/chat/completions", "http://h/v1/chat/completions"),
            ("http://h/v1?api-version=1", "http://h/v1/chat/completions?api-version=1"),
        ] {
            assert_eq!(deepseek.url(&Url::parse(base).unwrap()).as_str(), joined);
        }
    }
}
