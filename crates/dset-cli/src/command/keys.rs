//! `dset keys`: keys that are kept for all folders.

use std::io::IsTerminal as _;

use clap::{Args, Subcommand};
use dset_core::provider::Preset;
use dset_core::settings::{Layer, resolve_with_providers};
use secrecy::SecretString;
use serde_json::json;

use crate::display::page;
use crate::display::stdout;
use crate::display::text::one_line;
use crate::error::UserError;
use crate::exit::Exit;
use crate::keys_file::KeysFile;
use crate::layers::Environment;
use crate::prompt;
use crate::spelling::meant;

use crate::command::check_key::read_key;

#[derive(Debug, Args)]
#[command(
    after_help = "A key is looked for in the environment, then in .env of the working folder, then \
here: in a file of your own, beside your file of settings, which only you can read. It is sent to \
the service that it is kept for, or to a URL that you name yourself; never to a host that only a \
folder names, but for this machine (127.0.0.1, localhost).

A key is typed unseen, or read from standard input where that is no terminal. It is never an \
argument, and never shown.

Exit codes: 0 done, 1 disk, 2 usage, or no such key, 4 the file can be read by others, 130 stopped.

Examples:
  dset keys set deepseek
  printf %s \"$KEY\" | dset keys set openai
  dset keys list
  dset keys remove deepseek"
)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    pub(crate) command: KeysCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Keep a key, in place of an earlier one
    Set {
        /// Service it is for: deepseek, openai, or one of your own
        #[arg(value_name = "PROVIDER")]
        provider: String,
    },
    /// For which services keys are kept, and since when
    List {
        /// Write one JSON object to stdout
        #[arg(long)]
        json: bool,
    },
    /// Forget a key
    Remove {
        /// Service it is for
        #[arg(value_name = "PROVIDER")]
        provider: String,
    },
    /// Where the file of keys is, whether it is there or not
    Path,
}

pub(super) fn run(command: KeysCommand) -> Result<Exit, UserError> {
    // Whose key is meant, no folder says.
    let environment = Environment::from_user_files()?;
    let file = environment.keys_file().ok_or_else(no_place)?;
    match command {
        KeysCommand::Set { provider } => set(&provider, &environment, &file)?,
        KeysCommand::List { json } => list(json, &file)?,
        KeysCommand::Remove { provider } => remove(&provider, &environment, &file)?,
        KeysCommand::Path => say(&file.path().display().to_string()),
    }
    Ok(Exit::Done)
}

fn set(given: &str, environment: &Environment, file: &KeysFile) -> Result<(), UserError> {
    let preset = provider(given, environment)?;
    let key = match std::io::stdin().is_terminal() {
        true => typed_key(preset, environment)?,
        false => prompt::piped_key()?,
    };
    file.set(&preset.id, preset.key_variable(), &key)?;
    say(&format!("kept for {}, as {}", preset.name, preset.key_variable()));
    Ok(())
}

/// Asks for a key, and tries it as the user's own settings would ask the service.
fn typed_key(preset: &Preset, environment: &Environment) -> Result<SecretString, UserError> {
    let model = match preset.default_model.as_str() {
        "" => "any",
        model => model,
    };
    let layer = Layer { model: Some(vec![format!("{}/{model}", preset.id)]), ..Layer::default() };
    // One that is asked at a URL of the user's has no place of its own.
    let now = resolve_with_providers(layer, None, &environment.providers).ok();
    let page = match preset.key_page.as_str() {
        "" => String::new(),
        page => format!("; made at {page}"),
    };
    let question = format!("{} API key (hidden{page})", preset.name);
    let model = now.as_ref().map(|now| now.spec.model());
    read_key(&question, model)?
        .ok_or_else(|| UserError::new(Exit::Usage, "no key was given").hint("Nothing was changed"))
}

fn list(as_json: bool, file: &KeysFile) -> Result<(), UserError> {
    let stored = file.read()?;
    if as_json {
        let keys: Vec<_> = stored
            .iter()
            .map(|stored| {
                json!({
                    "provider": stored.provider,
                    "variable": stored.variable,
                    "since": stored.since,
                })
            })
            .collect();
        page::json(json!({ "path": file.path(), "keys": keys }));
        return Ok(());
    }
    if stored.is_empty() {
        say("no keys are kept");
    }
    let width = |of: fn(&crate::keys_file::Stored) -> &str| {
        stored.iter().map(|stored| of(stored).chars().count()).max().unwrap_or(0)
    };
    let [provider, variable] = [width(|s| &s.provider), width(|s| &s.variable)];
    for key in &stored {
        let since = key.since.split('T').next().unwrap_or_default();
        say(&format!(
            "{:provider$}  {:variable$}  since {}",
            one_line(&key.provider),
            one_line(&key.variable),
            one_line(since)
        ));
    }
    Ok(())
}

fn remove(given: &str, environment: &Environment, file: &KeysFile) -> Result<(), UserError> {
    // A service that is described no more may still have a key.
    let id = environment.providers.preset(given).map_or(given, |preset| &preset.id);
    if !file.remove(id)? {
        return Err(UserError::new(
            Exit::Usage,
            format!("no key is kept for `{}`", one_line(given)),
        )
        .hint("`dset keys list` shows for which there are"));
    }
    say(&format!("the key for {} is forgotten", one_line(id)));
    Ok(())
}

/// Finds the service that a key is for.
fn provider<'a>(given: &str, environment: &'a Environment) -> Result<&'a Preset, UserError> {
    let Some(preset) = environment.providers.preset(given) else {
        // Somebody may have put the key itself there.
        let is_name = given.len() < 20;
        let shown = if is_name { format!(" `{}`", one_line(given)) } else { String::new() };
        let error = UserError::new(Exit::Usage, format!("there is no such provider{shown}"));
        let ids = environment.providers.all().map(|preset| preset.id.clone());
        let error = match meant(given, ids).filter(|_| is_name) {
            Some(own) => error.hint(format!("Did you mean `dset keys set {own}`?")),
            None => error.hint("`dset models list` shows the providers"),
        };
        return Err(error.hint(
            "One of your own stands as [provider.NAME] in your own file: `dset config path --user`",
        ));
    };
    if preset.may_have_key() {
        return Ok(preset);
    }
    let cause = match preset.keyless {
        true => "it is asked without one",
        false => "it is any server at a URL of yours",
    };
    let error = UserError::new(Exit::Usage, format!("no key can be kept for `{}`", preset.id));
    Err(error.cause(cause).hint(
        "If yours wants one, describe it in your own file as [provider.mine], with base-url and \
         key-env: `dset config path --user`",
    ))
}

fn no_place() -> UserError {
    UserError::new(Exit::Usage, "there is no place for a file of your own")
        .cause("neither XDG_CONFIG_HOME nor HOME names a folder")
        .hint("Set HOME, or put keys into .env")
}

fn say(line: &str) {
    stdout::write(format!("{}\n", one_line(line)).as_bytes());
}
