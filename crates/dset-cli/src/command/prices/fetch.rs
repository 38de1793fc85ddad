//! Asks OpenRouter what its models cost, and writes that into dset.toml.

use std::path::Path;

use clap::Args;
use dset_core::money::{Price, Published, Rates, read_published};
use dset_core::provider::Preset;
use dset_core::settings::{Layer, resolve_with_providers};
use dset_engine::http::probe;
use url::Url;

use super::set::write_price;
use crate::command::check_key::unreached;
use crate::command::shared::runtime;
use crate::display;
use crate::display::text::{one_line, quoted};
use crate::error::UserError;
use crate::exit::Exit;
use crate::layers::Environment;
use crate::spelling::meant;

/// The service that publishes what its models cost.
const SERVICE: &str = "openrouter";

#[derive(Debug, Args)]
#[command(
    after_help = "One request without a key, to OpenRouter alone. Each price is written as [prices.\"openrouter/MODEL\"] \
into dset.toml of this folder, as `dset prices set` would; run it again when prices change. Of a model with other \
prices by length or hour the dearest is written, and said.

Exit codes: 0 written, 2 usage, or a model has no price there, 6 OpenRouter cannot be reached.

Examples:
  dset prices fetch                            the models that dset.toml asks at OpenRouter
  dset prices fetch deepseek/deepseek-v4-pro   this one"
)]
pub(super) struct FetchArgs {
    /// Names of models at OpenRouter [default: those of the settings]
    #[arg(value_name = "MODEL")]
    models: Vec<String>,
}

pub(super) fn run(args: &FetchArgs) -> Result<Exit, UserError> {
    let environment = Environment::read(Path::new("."))?;
    environment.warn();
    let preset = environment.providers.preset(SERVICE).expect("the table has OpenRouter");
    let models = match args.models.is_empty() {
        true => of_settings(&environment)?,
        false => args.models.iter().map(|name| bare(name)).collect(),
    };
    if models.is_empty() {
        return Err(UserError::new(Exit::Usage, "no model of OpenRouter is asked here")
            .cause("neither dset.toml nor the environment names one")
            .hint("Name it: `dset prices fetch deepseek/deepseek-v4-pro`"));
    }
    let published = published(preset)?;
    // All or none: half of what was asked for would look like all of it.
    let priced: Vec<(&Published, Rates)> =
        models.iter().map(|model| find(model, &published)).collect::<Result<_, _>>()?;
    for (of, rates) in priced {
        write_price(&format!("{SERVICE}/{}", of.model), &fields(&rates))?;
        if of.varies {
            display::remark(&format!(
                "{} has other prices by length or hour: the dearest is written",
                one_line(&of.model)
            ));
        }
    }
    Ok(Exit::Done)
}

/// Returns a model's name without that of the service.
fn bare(name: &str) -> String {
    let rest = name.strip_prefix(SERVICE).and_then(|rest| rest.strip_prefix('/'));
    rest.filter(|rest| rest.contains('/')).unwrap_or(name).to_owned()
}

fn of_settings(environment: &Environment) -> Result<Vec<String>, UserError> {
    let said = environment.under(Layer::default())?;
    let spec = resolve_with_providers(said.layer, None, &environment.providers)?.spec;
    let asked = spec.models.iter().filter(|model| &*model.preset.id == SERVICE);
    Ok(asked.map(|model| model.request.model.clone()).collect())
}

fn published(preset: &Preset) -> Result<Vec<Published>, UserError> {
    let url: Url = preset.base_url.parse().expect("a preset has a URL");
    let url = preset.models_url(&url);
    let unreachable = |cause: String| {
        UserError::new(Exit::Unreachable, format!("{url} does not tell its prices"))
            .cause(cause)
            .hint("Try again later; the prices in dset.toml are as they were")
    };
    let reply = runtime()?.block_on(probe::get(preset, &url, None));
    let reply = reply.map_err(|error| unreachable(unreached(&error)))?;
    if reply.status != 200 {
        return Err(unreachable(format!("it answers with status {}", reply.status)));
    }
    read_published(&reply.body).ok_or_else(|| unreachable("its list has another form".to_owned()))
}

fn find<'a>(model: &str, published: &'a [Published]) -> Result<(&'a Published, Rates), UserError> {
    let shown = one_line(model);
    let Some(found) = published.iter().find(|one| one.model == model) else {
        let error = UserError::new(Exit::Usage, format!("OpenRouter has no price of `{shown}`"));
        let near = meant(model, published.iter().map(|one| one.model.clone()));
        return Err(match near {
            Some(near) => error.hint(format!("Did you mean `dset prices fetch {near}`?")),
            None => error.hint("Name it as OpenRouter does, like `deepseek/deepseek-v4-pro`"),
        });
    };
    match &found.rates {
        Ok(rates) => Ok((found, *rates)),
        Err(why) => {
            Err(UserError::new(Exit::Usage, format!("the price of `{shown}` cannot be used"))
                .cause(why.to_string())
                .hint(format!(
                    "Say what it costs at most: `dset prices set {} --input 1 --output 4`",
                    quoted(&format!("{SERVICE}/{model}"))
                )))
        }
    }
}

/// Returns the fields of a price as dset.toml has them.
fn fields(rates: &Rates) -> Vec<(&'static str, Price)> {
    let all = [
        ("input", Some(rates.input)),
        ("cached-input", rates.cached_input),
        ("cache-write", rates.cache_write),
        ("output", Some(rates.output)),
        ("reasoning", rates.reasoning),
    ];
    all.into_iter().filter_map(|(name, price)| Some((name, price?))).collect()
}
