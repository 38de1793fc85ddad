//! Models that are probably not meant: a name that is all but one that is known.

use dset_core::provider::Providers;
use dset_core::settings::Model;

use crate::display::text::quoted;
use crate::spelling::slips;

/// Who is asked for a model that no service is known to have.
const DEFAULT_PROVIDER: &str = "deepseek";

/// Why a model is probably not meant.
#[derive(Debug, PartialEq)]
pub(super) struct ModelSuggestion {
    pub(super) says: String,
    /// The name that probably is, as settings take it.
    pub(super) meant: Option<String>,
}

impl ModelSuggestion {
    /// Looks for what is odd about the name of a model.
    pub(super) fn for_model(model: &Model, providers: &Providers) -> Option<ModelSuggestion> {
        let (name, preset) = (&model.request.model, &model.preset);
        if !model.uses_official_hosts() || preset.serves(name) {
            return None;
        }
        let known = providers.all().flat_map(|preset| preset.models.iter().cloned());
        // A name with a provider that is none was taken for the name of a model, slash and all.
        let slash = name.split_once('/');
        let known = known.chain(providers.all().filter_map(|preset| {
            let (given, rest) = slash?;
            let mut names = [&preset.id].into_iter().chain(&preset.aliases);
            let own = names.find(|own| is_typo(given, own))?;
            Some(format!("{own}/{rest}"))
        }));
        if let Some(known) = known.into_iter().find(|known| is_typo(name, known)) {
            let says =
                format!("`{name}` is no model that dset knows; {} is asked for it", preset.name);
            return Some(ModelSuggestion { says, meant: Some(known) });
        }
        let Some((service, _)) = slash else {
            // What nobody has is asked of the usual service; its own new models have its name.
            let builtin = Providers::default();
            let usual = builtin.preset(DEFAULT_PROVIDER)?;
            let is_usual = preset.id == usual.id && preset.base_url == usual.base_url;
            return (is_usual && !name.starts_with(&usual.id)).then(|| ModelSuggestion {
                says: format!(
                    "`{name}` is no model that dset knows; {} is asked for it",
                    preset.name
                ),
                meant: None,
            });
        };
        let has_slashes = preset.models.iter().any(|own| own.contains('/'));
        (!preset.models.is_empty() && !has_slashes).then(|| ModelSuggestion {
            says: format!(
                "`{service}` is no service that dset knows; {} is asked for `{name}`",
                preset.name
            ),
            meant: None,
        })
    }

    /// Says what to do about it, where `command` is followed by the model.
    pub(super) fn hint(&self, command: &str) -> String {
        match &self.meant {
            Some(meant) => format!("Did you mean `{command} {}`?", quoted(meant)),
            None => "`dset models list` names the services and their models; one is named like \
                 `ollama/llama3`"
                .to_owned(),
        }
    }
}

/// Tells whether a name is another, typed wrongly.
fn is_typo(given: &str, known: &str) -> bool {
    given != known && known.len() > 4 && slips(given, known).is_some()
}

#[cfg(test)]
mod tests {
    use dset_core::settings::{Layer, resolve};

    use super::*;

    #[test]
    fn a_name_that_is_all_but_a_known_one_is_doubted_with_what_was_meant() {
        for (name, meant) in [
            ("gpt-6-lna", Some(Some("gpt-6-luna"))),
            ("deepseek-flsh", Some(Some("deepseek-flash"))),
            ("antropic/claude-haiku-4-5", Some(Some("anthropic/claude-haiku-4-5"))),
            ("gogle/gemini-x", Some(Some("google/gemini-x"))),
            ("nosuch/x", Some(None)),
            ("together/meta-llama/of-tomorrow", None),
            ("gpt-6-luna", None),
            ("deepseek-of-tomorrow", None),
            ("llama3", Some(None)),
        ] {
            let layer = Layer { model: Some(vec![name.to_owned()]), ..Layer::default() };
            let settings = resolve(layer, None).unwrap().spec;
            let typo = ModelSuggestion::for_model(settings.model(), &Providers::default());
            let typo = typo.map(|typo| typo.meant);
            assert_eq!(typo, meant.map(|meant| meant.map(str::to_owned)), "{name}");
        }
    }
}
