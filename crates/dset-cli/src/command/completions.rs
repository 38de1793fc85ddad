//! `dset completions`: what a shell needs to complete commands and flags.

use std::sync::Arc;

use clap::builder::PossibleValuesParser;
use clap::{Arg, Args, Command};
use clap_complete::{Shell, generate};
use dset_core::provider::{Preset, Providers, presets};

use super::help::TOPICS;
use crate::cli::command_line;
use crate::error::UserError;
use crate::exit::Exit;
use crate::setting::Setting;

#[derive(Debug, Args)]
#[command(
    after_help = "Writes a script to standard output; where it belongs is the shell's affair.

Exit codes: 0 written, 2 usage.

Examples:
  dset completions bash > ~/.local/share/bash-completion/completions/dset
  dset completions zsh > ~/.zfunc/_dset        where `fpath` has ~/.zfunc
  dset completions fish > ~/.config/fish/completions/dset.fish
  dset completions powershell >> $PROFILE"
)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs) -> Result<Exit, UserError> {
    let mut script = Vec::new();
    generate(args.shell, &mut completed(command_line(), ""), "dset", &mut script);
    if args.shell == Shell::Fish {
        script.extend(words_for_fish().into_bytes());
    }
    super::shared::write_out(&script);
    Ok(Exit::Done)
}

/// Writes for fish what may stand for arguments without a flag, which its generator leaves out.
fn words_for_fish() -> String {
    let of_commands = [
        ("config get", "name"),
        ("config set", "name"),
        ("keys set", "provider"),
        ("keys remove", "provider"),
        ("help", "words"),
    ];
    let line = |(path, argument): (&str, &str)| {
        let within = match path.split_once(' ') {
            Some((command, below)) => format!("{command}; and __fish_seen_subcommand_from {below}"),
            None => path.to_owned(),
        };
        let words = proposals(path, argument).unwrap_or_default().join(" ");
        format!("complete -c dset -n \"__fish_dset_using_subcommand {within}\" -f -a \"{words}\"\n")
    };
    of_commands.map(line).concat()
}

/// Returns a command with all that can be completed of it. What it takes is no more than a proposal:
/// whoever reads a command line must not take this grammar.
fn completed(command: Command, path: &str) -> Command {
    let command = without_hidden(command).mut_args(|argument| {
        match proposals(path, argument.get_id().as_str()) {
            Some(words) => argument.value_parser(PossibleValuesParser::new(words)),
            None => argument,
        }
    });
    command.mut_subcommands(|command| {
        let path = format!("{path} {}", command.get_name());
        completed(command, path.trim_start())
    })
}

/// Takes out what help does not show; a grammar cannot be told to forget an argument.
fn without_hidden(command: Command) -> Command {
    if !command.get_arguments().any(Arg::is_hide_set) {
        return command;
    }
    let shown = command.get_arguments().filter(|argument| !argument.is_hide_set());
    Command::new(&*command.get_name().to_owned().leak())
        .about(command.get_about().cloned().unwrap_or_default())
        .args(shown.cloned())
}

/// What may stand for an argument, beside anything else.
fn proposals(path: &str, argument: &str) -> Option<Vec<&'static str>> {
    match (path, argument) {
        ("run" | "doctor" | "init" | "config show", "model") => Some(models()),
        ("config get" | "config set", "name") => {
            Some(Setting::all().iter().map(|setting| &*setting.name().leak()).collect())
        }
        ("keys set" | "keys remove", "provider") => {
            let presets = presets().iter().filter(|preset| preset.may_have_key());
            Some(presets.map(|preset| preset.id.as_str()).collect())
        }
        ("help", "words") => {
            let grammar = command_line();
            let commands = grammar.get_subcommands();
            let commands = commands.map(|command| &*command.get_name().to_owned().leak());
            Some(commands.chain(TOPICS).collect())
        }
        _ => None,
    }
}

/// The models that are known: by their names where those mean one service, and with its name.
fn models() -> Vec<&'static str> {
    let of = |preset: &'static Arc<Preset>| preset.models.iter().map(move |model| (preset, model));
    let all = || presets().iter().flat_map(of);
    let known = Providers::default();
    let means = |preset: &Preset, model: &str| {
        let found = known.by_model(model);
        found.is_ok_and(|found| found.is_some_and(|(own, _)| own.id == preset.id))
    };
    let alone = all().filter(|(preset, model)| means(preset, model));
    let alone = alone.map(|(_, model)| model.as_str());
    alone.chain(all().map(|(preset, model)| &*format!("{}/{model}", preset.id).leak())).collect()
}
