//! `dset models`: which models there are, of which services.

use std::path::Path;

use clap::{Args, Subcommand};
use dset_core::key::RequestSettings;
use dset_core::provider::{Preset, read_models};
use dset_core::settings::{Layer, Model, resolve_with_providers};
use dset_engine::http::probe;
use serde_json::{Value, json};

use crate::display::page::{self, DIM, GOOD, Page};
use crate::display::text::{of, one_line};
use crate::error::UserError;
use crate::exit::Exit;
use crate::layers::{Environment, MergedLayer};
use crate::spelling::meant;

use crate::command::check_key::{refuses_key, unreached};

#[derive(Debug, Args)]
pub(crate) struct ModelsArgs {
    #[command(subcommand)]
    pub(crate) command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelsCommand {
    /// The models that dset knows, by service; with --live those that a service tells
    List(ListArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Services serve more models than dset knows of: any name is asked as it is \
given, as PROVIDER/NAME. A model that thinks unless it is told not to is shown as one that thinks.

Exit codes: 0 told, 2 usage, 4 key missing or refused, 6 the service cannot be asked.

Examples:
  dset models list                  everything that is known
  dset models list gpt              what has `gpt` in its name
  dset models list --live deepseek  what DeepSeek says that it serves
  dset run -m openai/gpt-6-luna     to ask one"
)]
pub(crate) struct ListArgs {
    /// Part of the name of a model or a service; with --live a service
    #[arg(value_name = "TEXT")]
    text: Option<String>,

    /// Ask the service, with its key; that of the settings where none is named
    #[arg(long)]
    live: bool,

    /// Write one JSON object to stdout
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: ModelsCommand) -> Result<Exit, UserError> {
    let ModelsCommand::List(args) = command;
    let environment = Environment::read(Path::new("."))?;
    environment.warn();
    match args.live {
        true => live(&args, &environment),
        false => known(&args, &environment),
    }
}

fn known(args: &ListArgs, environment: &Environment) -> Result<Exit, UserError> {
    let text = args.text.as_deref().unwrap_or_default().to_lowercase();
    let mut services = Vec::new();
    for preset in environment.providers.all() {
        let has = |name: &str| name.to_lowercase().contains(&text);
        let is_meant =
            has(&preset.id) || has(&preset.name) || preset.aliases.iter().any(|a| has(a));
        let wanted = |name: &&String| is_meant || has(name);
        let models: Vec<&String> = preset.models.iter().filter(wanted).collect();
        let retired: Vec<&String> = preset.retired_models.keys().filter(wanted).collect();
        if is_meant || !models.is_empty() || !retired.is_empty() {
            services.push((&**preset, models, retired));
        }
    }
    if services.is_empty() {
        let names = environment.providers.all();
        let names = names.flat_map(|preset| preset.models.iter().chain([&preset.id]).cloned());
        let error =
            UserError::new(Exit::Usage, format!("no model is called like `{}`", one_line(&text)));
        return Err(match meant(&text, names) {
            Some(name) => error.hint(format!("Did you mean `dset models list {name}`?")),
            None => error.hint("Any name can be asked all the same: `dset run -m PROVIDER/NAME`"),
        });
    }
    if args.json {
        let services = services.iter().map(|(preset, models, retired)| {
            let key = environment.usual_key(preset).ok().flatten();
            json!({
                "provider": preset.id,
                "name": preset.name,
                "base_url": preset.base_url,
                "key_variable": preset.key_env.first(),
                "key": key.map(|key| key.place()),
                "models": models.iter().map(|name| json!({
                    "name": name,
                    "ask": asked(preset, name),
                    "thinks": thinks(preset, name),
                    "default": **name == preset.default_model,
                })).collect::<Vec<_>>(),
                "retired": retired.iter().map(|name| {
                    let retired = &preset.retired_models[*name];
                    json!({ "name": name, "since": retired.since, "now": retired.used })
                }).collect::<Vec<_>>(),
            })
        });
        let services: Vec<Value> = services.collect();
        page::json(json!({ "providers": services }));
        return Ok(Exit::Done);
    }
    show(&services, environment);
    Ok(Exit::Done)
}

type Service<'a> = (&'a Preset, Vec<&'a String>, Vec<&'a String>);

fn show(services: &[Service<'_>], environment: &Environment) {
    let page = Page::open();
    let names = services.iter().flat_map(|(preset, models, retired)| {
        models.iter().chain(retired).map(|name| asked(preset, name).chars().count())
    });
    let width = names.max().unwrap_or(0).min(44);
    for (at, (preset, models, retired)) in services.iter().enumerate() {
        if at > 0 {
            page.blank();
        }
        let name = if preset.name == "the service" { "any other" } else { &preset.name };
        page.line(
            GOOD,
            &one_line(&preset.id),
            &format!("  {name}{}", key_words(preset, environment)),
            4,
        );
        let line = |name: &str, words: &str| {
            let name = format!("{:width$}", one_line(&asked(preset, name)));
            page.plain(format!("  {name}  {}", one_line(words)).trim_end());
        };
        for name in models {
            let default = (**name == preset.default_model).then_some("default");
            let thinks = thinks(preset, name).then_some("thinks");
            line(name, &[thinks, default].into_iter().flatten().collect::<Vec<_>>().join(", "));
        }
        for name in retired {
            let retired = &preset.retired_models[*name];
            line(name, &format!("retired {} {} {}", retired.since, page.arrow, retired.used));
        }
        if models.is_empty() && retired.is_empty() {
            let how = match preset.base_url.as_str() {
                "" => "whatever is at a URL of yours: `--base-url URL -m NAME`".to_owned(),
                _ => format!("whatever it serves: `-m {}/NAME`", preset.id),
            };
            page.line(DIM, "  ", &how, 2);
        }
    }
}

fn key_words(preset: &Preset, environment: &Environment) -> String {
    let Some(variable) = preset.key_env.first().filter(|_| !preset.keyless) else {
        return if preset.keyless { ", no key".to_owned() } else { String::new() };
    };
    match environment.usual_key(preset) {
        Ok(Some(key)) => format!(", key {variable} from {}", key.place()),
        Ok(None) => format!(", key {variable}: none here"),
        Err(_) => format!(", key {variable}: your keys file cannot be used"),
    }
}

/// Writes a model as `-m` takes it.
fn asked(preset: &Preset, model: &str) -> String {
    match model.split_once('/') {
        Some((first, _)) if first == preset.id => model.to_owned(),
        _ => format!("{}/{model}", preset.id),
    }
}

fn thinks(preset: &Preset, model: &str) -> bool {
    preset.reasons(&RequestSettings { model: model.to_owned(), ..RequestSettings::default() })
}

fn live(args: &ListArgs, environment: &Environment) -> Result<Exit, UserError> {
    let (model, said) = asked_of(args.text.as_deref(), environment)?;
    let key = environment.key(&model, &said)?;
    if key.is_none() && model.key_variable.is_some() {
        return Err(environment.no_key(&model));
    }
    let url = model.preset.models_url(model.base_url());
    let secret = key.as_ref().map(|key| &key.secret);
    let told = super::shared::runtime()?.block_on(probe::get(&model.preset, &url, secret));
    let name = &model.preset.name;
    let told = told.map_err(|error| {
        UserError::new(Exit::Unreachable, format!("{name} cannot be asked for its models"))
            .cause(unreached(&error))
            .hint("`dset doctor` looks closer")
    })?;
    let models = match told.status {
        _ if refuses_key(&told) => {
            let from = key.as_ref().map_or("nowhere", crate::layers::Key::place);
            return Err(UserError::new(Exit::Key, format!("{name} refused the key"))
                .cause(format!(
                    "{} from {from}: {}",
                    model.key_variable.unwrap_or_default(),
                    told.status
                ))
                .hint(format!("Set another with `dset keys set {}`", model.preset.id)));
        }
        200 => read_models(&told.body),
        _ => None,
    };
    let Some(mut models) = models else {
        return Err(UserError::new(Exit::Unreachable, format!("{name} does not tell its models"))
            .cause(format!("{} says {}", dset_core::settings::endpoint(&url), told.status))
            .hint("`dset models list` shows those that are known"));
    };
    models.sort_unstable();
    let name_of = |model_name: &String| one_line(&asked(&model.preset, model_name));
    if args.json {
        page::json(json!({ "provider": model.preset.id, "models": models }));
        return Ok(Exit::Done);
    }
    let page = Page::open();
    models.iter().for_each(|model| page.plain(&name_of(model)));
    let url = dset_core::settings::endpoint(model.base_url());
    page.line(DIM, "", &format!("{} at {}", of(models.len() as u64, "model"), one_line(&url)), 0);
    Ok(Exit::Done)
}

/// Finds the place that is asked: that of the settings, or of a service by its name.
fn asked_of(
    text: Option<&str>,
    environment: &Environment,
) -> Result<(Model, MergedLayer), UserError> {
    let mut said = environment.under(Layer::default())?;
    let resolved =
        |layer: &Layer| resolve_with_providers(layer.clone(), None, &environment.providers);
    let Some(text) = text else {
        let settings = resolved(&said.layer)?.spec;
        return Ok((settings.model().clone(), said));
    };
    let Some(preset) = environment.providers.preset(text) else {
        let error =
            UserError::new(Exit::Usage, format!("there is no provider `{}`", one_line(text)));
        let ids = environment.providers.all().map(|preset| preset.id.clone());
        return Err(match meant(text, ids) {
            Some(id) => error.hint(format!("Did you mean `dset models list --live {id}`?")),
            None => error.hint("`dset models list` shows the providers"),
        });
    };
    if let Ok(now) = resolved(&said.layer)
        && let Some(model) = now.spec.models.iter().find(|model| model.preset.id == preset.id)
    {
        return Ok((model.clone(), said));
    }
    // The settings are about another service: what they say of its place and key is not of this.
    let model = preset.models.first().map_or("any", String::as_str);
    said.forget_place();
    said.layer.model = Some(vec![asked(preset, model)]);
    let settings = resolved(&said.layer)?.spec;
    Ok((settings.model().clone(), said))
}
