//! What is odd about the settings of a run, and was probably not meant.

use dset_core::item::params::Billing;
use dset_core::provider::Providers;
use dset_core::settings::{JobSpec, Warning};

use super::model_suggestion::ModelSuggestion;
use crate::display::text::quoted;

/// Says what is odd about settings, each with what to do about it.
pub(crate) fn oddities(
    spec: &JobSpec,
    warnings: &[Warning],
    providers: &Providers,
) -> Vec<(String, Option<String>)> {
    let typos = spec.models.iter().filter_map(|model| ModelSuggestion::for_model(model, providers));
    let typos = typos.map(|typo| (typo.says.clone(), Some(typo.hint("-m"))));
    warnings.iter().map(words).chain(typos).collect()
}

/// Says that calls cost something else than what is counted, because of a field that is sent with them.
pub(super) fn billed_otherwise(
    field: &str,
    billing: Billing,
    model: &str,
) -> (String, Option<String>) {
    match billing {
        Billing::OtherPrice => (
            format!("costs are counted by the usual price of {model}, which `{field}` changes"),
            Some(format!(
                "Say what it costs: `dset prices set {} --input 0.6 --output 2.4`",
                quoted(model)
            )),
        ),
        Billing::Apart => {
            (format!("what `{field}` costs is in no count of tokens: costs are too low"), None)
        }
    }
}

fn words(warning: &Warning) -> (String, Option<String>) {
    match warning {
        Warning::RetiredModel { given, since, used, reasoning } => {
            let how = if *reasoning { "with" } else { "without" };
            let text =
                format!("model `{given}` was retired on {since}: asking `{used}` {how} thinking");
            (text, Some(format!("Name it yourself with `-m {used}`")))
        }
        Warning::TemperatureLeftOut { provider } => (
            format!("the temperature is not sent: {provider} takes none while a model thinks"),
            Some("Let it not think with `--reasoning off`".to_owned()),
        ),
        Warning::NotStreamed { provider } => {
            (format!("answers are not streamed: {provider} streams none that fit a schema"), None)
        }
        Warning::OtherPrice { field, model } => billed_otherwise(field, Billing::OtherPrice, model),
        Warning::BilledApart { field } => billed_otherwise(field, Billing::Apart, ""),
        Warning::KeyInClear { host } => {
            (format!("the key goes to {host} unencrypted, over plain http"), None)
        }
    }
}
