//! One file a command.

mod check_key;
pub(crate) mod completions;
pub(crate) mod config;
mod demo;
pub(crate) mod doctor;
pub(crate) mod export;
pub(crate) mod help;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod keys;
pub(crate) mod man;
pub(crate) mod mock;
pub(crate) mod model_suggestion;
pub(crate) mod models;
mod resume_command;
pub(crate) mod run;
pub(crate) mod search;
pub(crate) mod show;
mod signals;
pub(crate) mod stats;
pub(crate) mod status;
pub(crate) mod verify;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use dset_core::csv::HeaderMode;
use dset_core::settings::{Layer, Settings, resolve_with_providers};
use dset_engine::os::files::folder_of;
use dset_engine::os::open_files::try_files_needed;
use dset_engine::store::Store;
use dset_engine::view::elsewhere::{AnswersLocation, locate_answers};

use crate::cli::{Cli, Command, NamedRunSelectorArgs, RunSelectorArgs};
use crate::display::{self, text};
use crate::error::UserError;
use crate::exit::Exit;
use crate::layers::Environment;
use crate::usage::same_command_as;

pub(crate) fn run(cli: Cli) -> Result<Exit, UserError> {
    match cli.command {
        Command::Demo => demo::run(),
        Command::Init(args) => init::run(&args),
        Command::Doctor(args) => doctor::run(*args),
        Command::Run(args) => run::run(*args),
        Command::Status(args) => status::run(&args),
        Command::Search(args) => search::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Stats(args) => stats::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Config(args) => config::run(args.command),
        Command::Keys(args) => keys::run(args.command),
        Command::Models(args) => models::run(args.command),
        Command::Import(args) => import::run(args),
        Command::Mock(args) => mock::run(*args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
        Command::Version => {
            write_out(format!("dset {}\n", env!("CARGO_PKG_VERSION")).as_bytes());
            Ok(Exit::Done)
        }
        Command::Help(args) => help::run(&args),
    }
}

impl RunSelectorArgs {
    /// Resolves which run is meant, with whatever else variables and .env say.
    fn settings(&self) -> Result<Settings, UserError> {
        let environment = Environment::read(Path::new("."))?;
        environment.warn();
        let said = environment.under(self.layer())?;
        let names_folder = said.layer.output.is_some();
        let (settings, _) = resolve_with_providers(said.layer, None, &environment.providers)?;
        placed(settings, names_folder)
    }

    fn layer(&self) -> Layer {
        Layer {
            input: self.input.clone(),
            output: self.output.clone(),
            column: self.column.clone(),
            header: self.header,
            ..Layer::default()
        }
    }

    /// Returns a command for the same run.
    fn command(&self, name: &str) -> String {
        self.command_with(name, "")
    }

    /// Returns a command for the same run that names the questions with this flag.
    pub(crate) fn command_with(&self, name: &str, questions: &str) -> String {
        let mut words = vec!["dset".to_owned(), name.to_owned()];
        let mut say = |flag: &str, value: Option<String>| {
            if let Some(value) = value {
                words.extend((!flag.is_empty()).then(|| flag.to_owned()));
                words.push(text::quoted(&value));
            }
        };
        let path = |path: &std::path::PathBuf| path.display().to_string();
        say(questions, self.input.as_ref().map(path));
        say("-o", self.output.as_ref().map(path));
        say("--column", self.column.clone());
        say("--header", self.header.map(|header| header_word(header).to_owned()));
        words.join(" ")
    }
}

fn header_word(header: HeaderMode) -> &'static str {
    match header {
        HeaderMode::Auto => "auto",
        HeaderMode::Yes => "yes",
        HeaderMode::No => "no",
    }
}

impl NamedRunSelectorArgs {
    /// Returns the same run as other commands name it.
    fn which(&self) -> RunSelectorArgs {
        RunSelectorArgs {
            input: self.questions.clone(),
            output: self.output.clone(),
            column: self.column.clone(),
            header: self.header,
        }
    }
}

/// Returns the settings with the folder in which the answers to their file are: where nobody names
/// one, and the file lies in another folder, those may be beside it.
fn placed(settings: Settings, names_folder: bool) -> Result<Settings, UserError> {
    let found = if names_folder { AnswersLocation::Here } else { locate_answers(&settings) };
    match found {
        AnswersLocation::Here => Ok(settings),
        AnswersLocation::Nearby(folder) => {
            if !settings.quiet {
                display::remark(&format!(
                    "the answers to {} are in {}/: that folder is used (`-o {}` says another)",
                    settings.input.display(),
                    folder.display(),
                    settings.output.display(),
                ));
            }
            Ok(Settings { output: folder, ..settings })
        }
        AnswersLocation::Several(folders) => Err(several(&settings, &folders)),
    }
}

/// The error where more than one folder may be meant.
fn several(settings: &Settings, folders: &[PathBuf]) -> UserError {
    let (input, command) = (settings.input.display(), text::same_command());
    let there = folders[1..].iter().map(|folder| format!("`{}`", folder.display()));
    let error = UserError::new(
        Exit::Usage,
        format!("there are answers to `{input}` in another folder than `{}`", folders[0].display()),
    );
    let error = error.cause(format!(
        "they are in {}; a second folder would have all of them asked again",
        there.collect::<Vec<_>>().join(" and in ")
    ));
    folders[1..].iter().chain(&folders[..1]).fold(error, |error, folder| {
        let folder = folder.to_string_lossy();
        error.hint(format!(
            "Use `{}`: `{command} -o {}`",
            text::one_line(&folder),
            text::quoted(&folder)
        ))
    })
}

/// The error of a command that needs a store where there is none.
/// The error of a command that needs a store where there is none. It proposes what shows something,
/// and a run, which costs money, only as what it is.
fn nothing_asked(which: &RunSelectorArgs, settings: &Settings) -> UserError {
    let error = UserError::new(Exit::Usage, "nothing was asked yet")
        .cause(format!("there is no store in `{}`", settings.output.display()));
    let words = text::arguments();
    let command = words.first().map(String::as_str).unwrap_or_default();
    if let Some(hint) = at_another_store(command, &stores_elsewhere(settings)) {
        return error.hint(hint);
    }
    if !settings.input.is_file() {
        let near = crate::file_suggestion::nearby(&settings.input);
        return error.hint(near.unwrap_or_else(|| {
            "Name the folder of the outputs with `-o DIR`, or go to the folder that it is in".into()
        }));
    }
    error.hint(format!(
        "There is something to see once `{}` has asked the questions; it asks a service, which may \
         cost money",
        which.command("run")
    ))
}

/// So many entries of a folder are looked at for stores.
const ENTRIES_MAX: usize = 500;

/// Finds the folders with a store that were probably meant: beside where one was looked for, and
/// beside the questions.
fn stores_elsewhere(settings: &Settings) -> Vec<PathBuf> {
    let here = Path::new(".");
    let beside = folder_of(&settings.input);
    let mut found = Vec::new();
    for folder in [here, beside].into_iter().take(if beside == here { 1 } else { 2 }) {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(ENTRIES_MAX);
        let inner = entries.map(|entry| match folder == here {
            true => PathBuf::from(entry.file_name()),
            false => entry.path(),
        });
        let is_one = |path: &PathBuf| *path != settings.output && Store::exists(path);
        found.extend(std::iter::once(folder.to_owned()).chain(inner).filter(is_one));
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Returns the hint at these stores, with the command that was given.
fn at_another_store(command: &str, stores: &[PathBuf]) -> Option<String> {
    let shown = |path: &PathBuf| text::quoted(&path.display().to_string());
    match stores {
        [] => None,
        [one] => Some(format!(
            "There is a store in `{}`: `{} -o {}`",
            text::one_line(&one.display().to_string()),
            same_command_as(command, &["output"]),
            shown(one)
        )),
        several => Some(format!(
            "There are stores in {}: name one with `-o DIR`",
            several.iter().map(|path| format!("`{}`", shown(path))).collect::<Vec<_>>().join(", ")
        )),
    }
}

/// Writes text that was asked for to standard output; whoever reads may have seen enough.
fn write_out(text: &[u8]) {
    let mut out = std::io::stdout();
    let _ = out.write_all(text).and_then(|()| out.flush());
}

/// Makes the runtime that a command waits in.
fn runtime() -> Result<tokio::runtime::Runtime, UserError> {
    try_files_needed().map_err(|error| {
        UserError::new(Exit::Ours, "this process may open too few files")
            .cause(text::one_line(&error.to_string()))
            .hint("Allow more with `ulimit -n 1024` in this shell, and run again")
    })?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| UserError::new(Exit::Ours, "cannot start").cause(error.to_string()))
}
