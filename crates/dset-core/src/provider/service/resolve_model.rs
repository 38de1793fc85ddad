//! Which service is asked: by the name of the model, or by the host that is asked.

use std::sync::Arc;

use url::Url;

use crate::provider::{Preset, Providers};
use crate::settings::is_loopback;

/// A model that several services are known to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ambiguous {
    /// The ids of those services.
    pub providers: Vec<String>,
}

impl Providers {
    /// Finds the service that a model's name means: `provider/model`, or the name of a model that
    /// one service alone is known to serve. Returns it with the name that the service knows the
    /// model by, empty where only the service is named; `None` where the name tells nothing.
    ///
    /// A name may have slashes of its own: only what stands before the first is looked up, and a
    /// model that a service lists with its own name before a slash (`openrouter/auto`) is left
    /// whole.
    pub fn by_model<'a>(
        &'a self,
        model: &'a str,
    ) -> Result<Option<(&'a Arc<Preset>, &'a str)>, Ambiguous> {
        if let Some((id, rest)) = model.split_once('/')
            && let Some(preset) = self.preset(id)
        {
            return Ok(Some((preset, if preset.serves(model) { model } else { rest })));
        }
        let one = alone(self.all(), model)?;
        Ok(one.map(|preset| (preset, model)))
    }

    /// Finds the service whose own host a URL leads to; of several at one host the one whose base URL
    /// is most of it.
    #[must_use]
    pub(crate) fn by_url(&self, url: &Url) -> Option<&Arc<Preset>> {
        let official = |preset: &&Arc<Preset>| preset.is_official_host(url);
        self.closest(url, |_| false).filter(official)
    }

    /// Finds who is paid for what a URL answers: the service whose address is most of it, which may be
    /// one on this machine. Of several at one address it is the one that serves the model.
    #[must_use]
    pub fn payee(&self, url: &Url, model: &str) -> Option<&Arc<Preset>> {
        self.closest(url, |preset| preset.serves(model))
    }

    /// Finds who is paid for what a URL answers that is asked as the service of this id is.
    pub(crate) fn payee_of(&self, id: &str, url: &Url) -> Option<&Arc<Preset>> {
        self.closest(url, |preset| preset.id == id)
    }

    /// Finds the service whose address is most of a URL; of several a preferred one, else the first.
    fn closest(&self, url: &Url, is_preferred: impl Fn(&Preset) -> bool) -> Option<&Arc<Preset>> {
        // Where known programs listen on this machine, the user's own service is meant.
        let is_own = |preset: &Preset| is_loopback(url) && self.has_own(&preset.id);
        let close =
            |preset: &Preset| Some((preset.closeness(url)?, is_preferred(preset), is_own(preset)));
        let close = self.all().filter_map(|preset| close(preset).map(|how| (how, preset)));
        let closest = close.reduce(|best, other| if other.0 > best.0 { other } else { best });
        closest.map(|(_, preset)| preset)
    }
}

/// Finds the one service that serves a model, or once did.
fn alone<'a>(
    presets: impl Iterator<Item = &'a Arc<Preset>>,
    model: &str,
) -> Result<Option<&'a Arc<Preset>>, Ambiguous> {
    let serves =
        |preset: &&Arc<Preset>| preset.serves(model) || preset.retired_models.contains_key(model);
    let serving: Vec<&Arc<Preset>> = presets.filter(serves).collect();
    match serving.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        several => {
            Err(Ambiguous { providers: several.iter().map(|preset| preset.id.clone()).collect() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Layer, resolve_with_providers};

    #[test]
    fn a_model_is_found_by_its_provider_or_by_a_name_that_one_provider_has() {
        let known = Providers::default();
        for (model, expected) in [
            ("deepseek-flash", Some(("deepseek", "deepseek-flash"))),
            ("deepseek-reasoner", Some(("deepseek", "deepseek-reasoner"))),
            ("openai/gpt-6-luna", Some(("openai", "gpt-6-luna"))),
            ("gpt-6-luna", Some(("openai", "gpt-6-luna"))),
            ("claude-haiku-4-5", Some(("anthropic", "claude-haiku-4-5"))),
            ("together/meta-llama/Llama-3.3-70B", Some(("together", "meta-llama/Llama-3.3-70B"))),
            ("openrouter/deepseek/deepseek-v4.1", Some(("openrouter", "deepseek/deepseek-v4.1"))),
            ("openrouter/auto", Some(("openrouter", "openrouter/auto"))),
            ("ollama/qwen3:8b", Some(("ollama", "qwen3:8b"))),
            ("google/gemini-2.5-pro", Some(("gemini", "gemini-2.5-pro"))),
            (
                "deepseek-ai/DeepSeek-V4-Pro-0813",
                Some(("together", "deepseek-ai/DeepSeek-V4-Pro-0813")),
            ),
            ("vllm/", Some(("vllm", ""))),
            ("meta-llama/Llama-3.3-70B", None),
            ("a-model-of-tomorrow", None),
            ("openai", None),
            ("", None),
        ] {
            let found = known.by_model(model).unwrap();
            let found = found.map(|(preset, name)| (preset.id.as_str(), name));
            assert_eq!(found, expected, "{model}");
        }
    }

    #[test]
    fn a_name_that_several_providers_have_is_not_guessed() {
        let serving = |id: &str, model: &str| {
            let preset = Preset { models: vec![model.to_owned()], ..Preset::default() };
            Arc::new(preset.named(id).unwrap())
        };
        let presets = [serving("one", "m"), serving("two", "n"), serving("three", "m")];
        assert_eq!(alone(presets.iter(), "m").unwrap_err().providers, ["one", "three"]);
        assert_eq!(alone(presets.iter(), "n").unwrap().unwrap().id, "two");
        assert_eq!(alone(presets.iter(), "o"), Ok(None));
        // Groq and Together serve it, and what stands before its slash decides.
        let known = Providers::default();
        let by_model = |model| known.by_model(model).unwrap().unwrap();
        assert_eq!(by_model("openai/gpt-oss-120b").0.id, "openai");
        assert_eq!(by_model("groq/openai/gpt-oss-120b").1, "openai/gpt-oss-120b");
    }

    #[test]
    fn of_several_services_at_one_host_the_closest_is_paid() {
        let own = |id: &str, base_url: &str| {
            let table = [("base-url".to_owned(), base_url.into())].into_iter().collect();
            (id.to_owned(), table)
        };
        let providers = Providers::from_tables([
            own("aa", "http://gw:8782/v1"),
            own("bb", "http://gw:8792/v1"),
            own("gw", "http://gw:8792"),
            own("here", "http://localhost:8000/v1"),
            own("openai", "https://firm.example/ai"),
            own("anthropic", "https://firm.example/ai"),
            own("work", "https://api.deepseek.com"),
        ])
        .unwrap();
        let url = |url: &str| Url::parse(url).unwrap();
        for (at, model, id) in [
            ("http://gw:8792/v1", "m", Some("bb")),
            ("http://gw:8782/v1/", "m", Some("aa")),
            ("http://gw:8792/v10", "m", Some("gw")),
            ("https://gw/v1", "m", Some("aa")),
            ("http://localhost:8000/v1", "m", Some("here")),
            ("http://localhost:8000/", "m", None),
            ("http://localhost:8001/v1", "m", None),
            ("https://firm.example/ai", "gpt-6-luna", Some("openai")),
            ("https://firm.example/ai", "claude-haiku-4-5", Some("anthropic")),
            ("https://api.deepseek.com/v1", "m", Some("deepseek")),
        ] {
            let found = providers.payee(&url(at), model).map(|preset| preset.id.as_str());
            assert_eq!(found, id, "{at}");
        }
        assert_eq!(providers.by_url(&url("http://gw:8792/v1")).unwrap().id, "bb");
        assert!(providers.by_url(&url("http://localhost:8000/v1")).is_none());
        for name in ["work/deepseek-flash", "anthropic/gpt-6-luna", "bb/m", "here/m"] {
            let layer = Layer { model: Some(vec![name.to_owned()]), ..Layer::default() };
            let now = resolve_with_providers(layer, None, &providers).unwrap();
            assert_eq!(now.spec.model().payee(), name.split('/').next());
        }
    }

    #[test]
    fn a_host_tells_its_service_and_this_machine_none() {
        let known = Providers::default();
        for (url, id) in [
            ("https://api.deepseek.com/beta", Some("deepseek")),
            ("https://mine.openai.azure.com/openai/v1", Some("azure")),
            ("https://api.together.xyz/v1", Some("together")),
            ("http://localhost:11434/v1", None),
            ("https://api.example/v1", None),
        ] {
            let found = known.by_url(&Url::parse(url).unwrap());
            assert_eq!(found.map(|preset| preset.id.as_str()), id, "{url}");
        }
    }
}
