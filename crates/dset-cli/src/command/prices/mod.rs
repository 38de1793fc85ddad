//! `dset prices`: what models cost, and where that is known from.

mod fetch;
mod object;
mod set;
mod show;

use std::path::Path;

use clap::{Args, Subcommand};
use dset_core::money::{OwnPrice, PriceEntry, Prices};
use dset_engine::os::clock::unix_ms;

use crate::display::page::{self, Page};
use crate::display::text::one_line;
use crate::error::UserError;
use crate::exit::Exit;
use crate::layers::Environment;
use crate::spelling::meant;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(
    after_help = "Prices are in US dollars a million tokens. They come from the table in dset, whose \
date is shown, and from `[prices.MODEL]` in dset.toml or in your own file of settings, which outranks \
it. Nobody is asked, but by `dset prices fetch`. Hours are in UTC.

A model that has no price costs `unknown`, never nothing.

Exit codes: 0 told, 2 usage, or no price is known.

Examples:
  dset prices                       every model that has a price now
  dset prices deepseek-flash        by the hour, in batches, before; from where
  dset prices openai/gpt-6-luna     at one provider
  dset prices --json                one JSON object, for a program
  dset prices set my-model --input 0.3 --output 1.2
  dset prices fetch                 what OpenRouter says of the models that are asked there"
)]
pub(crate) struct PricesArgs {
    #[command(subcommand)]
    command: Option<PricesCommand>,

    /// Name of a model, or PROVIDER/NAME; all where none is named
    #[arg(value_name = "MODEL")]
    model: Option<String>,

    /// Write one JSON object to stdout
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum PricesCommand {
    /// Write a price of your own into dset.toml
    Set(set::SetArgs),
    /// Ask OpenRouter what its models cost, and write that into dset.toml
    Fetch(fetch::FetchArgs),
}

/// The prices that are shown of one name.
struct Found<'a> {
    own: Vec<&'a OwnPrice>,
    /// Those of the table that hold now, or began or ended at other times.
    entries: Vec<&'a PriceEntry>,
}

pub(super) fn run(args: &PricesArgs) -> Result<Exit, UserError> {
    match &args.command {
        Some(PricesCommand::Set(args)) => return set::run(args),
        Some(PricesCommand::Fetch(args)) => return fetch::run(args),
        None => {}
    }
    let environment = Environment::read(Path::new("."))?;
    environment.warn();
    let (prices, now) = (environment.prices(), unix_ms());
    let found = match &args.model {
        Some(model) => find(&prices, model)?,
        None => Found {
            own: prices.own.iter().collect(),
            entries: prices.table.entries().iter().filter(|entry| entry.holds(now)).collect(),
        },
    };
    match (args.json, &args.model) {
        (true, _) => page::json(object::of(&prices, &found, now)),
        (false, Some(_)) => show::one(&Page::open(), &prices, &found, now),
        (false, None) => show::all(&Page::open(), &prices, &found, now),
    }
    Ok(Exit::Done)
}

/// Finds the prices of a model, at every provider or at the one that is named before a slash.
fn find<'a>(prices: &'a Prices, name: &str) -> Result<Found<'a>, UserError> {
    let at_provider = name.split_once('/').map(|(provider, model)| {
        // Whoever is meant by another name.
        let preset = dset_core::provider::preset(provider);
        (preset.map_or(provider, |preset| &preset.id), model)
    });
    let own = prices.own.iter().filter(|own| {
        let is_at =
            |(provider, model): (&str, &str)| own.name == model || own.is_at(provider, model);
        own.name == name || at_provider.is_some_and(is_at)
    });
    let mut entries: Vec<&PriceEntry> = prices.table.named(name).collect();
    if let Some((provider, model)) = at_provider {
        entries.extend(prices.table.named(model).filter(|entry| entry.provider == provider));
    }
    let found = Found { own: own.collect(), entries };
    if !found.own.is_empty() || !found.entries.is_empty() {
        return Ok(found);
    }
    let shown = one_line(name);
    let error = UserError::new(Exit::Usage, format!("no price is known of `{shown}`"))
        .cause("neither dset.toml nor the table of dset has it: its cost is unknown");
    let names = prices.table.entries().iter();
    let error = match meant(name, names.map(|entry| entry.model.clone())) {
        Some(near) => error.hint(format!("Did you mean `dset prices {near}`?")),
        None => error,
    };
    let name = crate::display::text::quoted(name);
    Err(error.hint(format!("Say what it costs: `dset prices set {name} --input 0.3 --output 1.2`")))
}
