//! Runs and exports without a terminal, for programs that have `dset` within them.
//!
//! What is wanted is said in the words of the command line, read by its grammar; what is wrong is said in the
//! three parts of an error. Nothing is printed.

use std::path::Path;

use dset_core::money::Prices;
use dset_core::run::{EndReason, Ending};
use dset_core::settings::{JobSpec, Resolved};
use dset_engine::engine::{Engine, EngineError, EngineReport};
use dset_engine::export::export as write_export;
use dset_engine::os::open_files::raise_open_files_max;
use dset_engine::run::budget::LimitError;
use dset_engine::run::prepare::Decisions;
use dset_engine::shard::JobFile;
use dset_engine::view::status::run_status;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::cli::{self, Command};
use crate::command::run::{RunArgs, resolved};
use crate::command::{cost_limit, export, job, shared};
use crate::display::text::one_line;
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;
use crate::layers::Environment;

/// Why something was not done: what happened, why, and what to do.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What happened.
    pub message: String,
    /// Why, where that is known.
    pub cause: Option<String>,
    /// What to do.
    pub hints: Vec<String>,
    /// The exit code of the command line, see its documentation.
    pub exit: u8,
}

impl From<UserError> for Failure {
    fn from(error: UserError) -> Failure {
        let UserError { message, cause, hints, exit } = error;
        Failure { message, cause, hints, exit: exit as u8 }
    }
}

/// A run that is ready to begin.
#[derive(Debug)]
pub struct PreparedRun {
    engine: Engine,
    /// A model that lacks its key.
    without_key: Option<Failure>,
}

/// Reads what follows `dset` on a command line.
fn read(words: &[String]) -> Result<Command, Failure> {
    let all = ["dset"].into_iter().chain(words.iter().map(String::as_str));
    let read = cli::read(all).map_err(|error| {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        let message = one_line(first.strip_prefix("error: ").unwrap_or(first));
        Failure::from(UserError::new(Exit::Usage, message))
    })?;
    Ok(read.command)
}

fn wrong_command() -> Failure {
    UserError::new(Exit::Usage, "this command does not belong here").into()
}

/// Prepares `dset run` with the words that follow `run`; `key` is used for every model in place of those
/// of the environment.
///
/// # Errors
///
/// The words are none that `dset run` takes, or contradict each other.
pub fn prepare_run(words: &[String], key: Option<String>) -> Result<PreparedRun, Failure> {
    let all: Vec<String> = ["run".to_owned()].into_iter().chain(words.iter().cloned()).collect();
    let Command::Run(args) = read(&all)? else { return Err(wrong_command()) };
    Ok(prepared(*args, key)?)
}

fn prepared(args: RunArgs, key: Option<String>) -> Result<PreparedRun, UserError> {
    let environment = Environment::read(Path::new("."))?;
    let shard = args.shard.open(&environment)?;
    let input = args.layer.layer.input.clone();
    let layer = shard.as_ref().map(|shard| shard.layer.clone());
    let said = environment.under_with(args.layer, layer)?;
    let Resolved { spec, options, .. } = resolved(said.layer.clone(), &environment.providers)?;
    let mut keys = Vec::new();
    let mut without_key = None;
    for model in &spec.models {
        let own = key.clone().map(SecretString::from);
        let found = match own {
            Some(own) => Some(own),
            None => environment.key(model, &said)?.map(|key| key.secret),
        };
        if found.is_none() && model.key_variable.is_some() {
            without_key.get_or_insert_with(|| environment.no_key(model).into());
        }
        keys.push(found.map(|key| key.expose_secret().to_owned()));
    }
    let spec = match &shard {
        Some(shard) => shard.spec(spec, input)?,
        None => spec,
    };
    let decisions = Decisions {
        keep_answers: args.decisions.keep,
        ask_again: args.decisions.again,
        again_failed: args.decisions.again_failed,
        from_start: args.decisions.from_start,
        from_bookmark: args.decisions.from_bookmark,
        limit: args.decisions.limit,
        pilot: None,
        forgive_lost: args.decisions.forgive_lost,
        redo: None,
        applies_only: false,
    };
    let mut keys = keys.into_iter();
    let prices: Prices = environment.prices();
    let mut engine = Engine::of(spec, options)
        .with_keys(|_| keys.next().flatten().map(SecretString::from))
        .with_decisions(decisions)
        .with_prices(environment.providers.clone(), prices)
        .with_open_files_max(raise_open_files_max());
    if let Some(state) = environment.state_folder() {
        engine = engine.sharing_limits_in(state);
    }
    Ok(PreparedRun { engine, without_key })
}

impl PreparedRun {
    /// Returns what is asked.
    #[must_use]
    pub fn spec(&self) -> &JobSpec {
        self.engine.spec()
    }

    /// Returns the engine that runs it.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Says why a run did not begin.
    #[must_use]
    pub fn explained(&self, error: EngineError) -> Failure {
        match error {
            EngineError::Job(dset_engine::error::JobError::NoKey) => self
                .without_key
                .clone()
                .unwrap_or_else(|| UserError::new(Exit::Key, "there is no key").into()),
            EngineError::Job(error) => explain::job(error).into(),
            EngineError::Store(error) => UserError::from(error).into(),
            EngineError::Endpoint(error) => UserError::new(Exit::Key, error.to_string()).into(),
            EngineError::Limit(error) => match error {
                LimitError::NoPrice { model } => cost_limit::without_price(&model).into(),
                LimitError::NoBound { at, .. } => {
                    cost_limit::without_bound(&self.spec().models[at]).into()
                }
            },
        }
    }
}

/// Returns what a run came to: `exit`, `reason`, `detail`, `folder`, and where the questions stand.
#[must_use]
pub fn report(report: &EngineReport) -> Value {
    let Ending { reason, ledger, .. } = &report.ending;
    let (reason, detail) = reason_words(reason);
    json!({
        "exit": Exit::of(&report.ending, report.found.presumed_agreed) as u8,
        "reason": reason,
        "detail": detail,
        "folder": report.folder.display().to_string(),
        "questions": ledger.questions,
        "answered": ledger.answered,
        "failed": ledger.failed(),
        "left": ledger.pending,
        "presumed": ledger.presumed,
        "answered_before": report.found.answered,
    })
}

fn reason_words(reason: &EndReason) -> (&'static str, Option<String>) {
    match reason {
        EndReason::StoreFailed => ("the store failed", None),
        EndReason::OutputFailed => ("an output could not be written", None),
        EndReason::WrongSettings(why) => {
            ("the service refuses the settings", Some(one_line(&why.message)))
        }
        EndReason::InputChanged { .. } => ("the questions were changed during the run", None),
        EndReason::KeyRefused(why) => ("the key was refused", Some(one_line(&why.message))),
        EndReason::OutOfMoney(why) => ("no money is left", Some(one_line(&why.message))),
        EndReason::CostLimit { .. } => ("the limit of cost is reached", None),
        EndReason::Unreachable(why) => {
            ("the service cannot be reached", Some(one_line(&why.message)))
        }
        EndReason::RetryAfterTooLong(why, _) => {
            ("the service wants to be left alone", Some(one_line(&why.message)))
        }
        EndReason::Stopped(_) => ("stopped", None),
        EndReason::Paused => ("paused at a failure", None),
        EndReason::Complete => ("complete", None),
    }
}

/// Writes a dataset, by the words that follow `dset export`; returns what was written.
///
/// # Errors
///
/// The words are none that `dset export` takes, nothing was asked yet, or the dataset cannot be written.
pub fn export(words: &[String]) -> Result<Value, Failure> {
    let all: Vec<String> = ["export".to_owned()].into_iter().chain(words.iter().cloned()).collect();
    let Command::Export(args) = read(&all)? else { return Err(wrong_command()) };
    Ok(exported(&args)?)
}

fn exported(args: &export::ExportArgs) -> Result<Value, UserError> {
    let environment = Environment::read(Path::new("."))?;
    let (spec, _) = shared::settings_under(&environment, args.which.layer())?;
    let request = args.request()?.ok_or_else(|| {
        UserError::new(Exit::Usage, "nothing was said of what to export")
            .hint("Name a file or a folder to write")
    })?;
    let exported = write_export(&spec, &request, &mut |_, _| {})
        .map_err(|error| explain::export(error, &args.which))?
        .ok_or_else(|| shared::nothing_asked(&args.which, &spec))?;
    Ok(export::object(&exported))
}

/// Tells where the run of a folder stands.
///
/// # Errors
///
/// The folder, or its questions, cannot be read.
pub fn status(folder: &str) -> Result<Value, Failure> {
    let environment = Environment::read(Path::new("."))?;
    let layer = dset_core::settings::Layer {
        output: Some(folder.into()),
        ..dset_core::settings::Layer::default()
    };
    let (spec, _) = shared::settings_under(&environment, layer)?;
    let found = run_status(&spec).map_err(|error| Failure::from(explain::job(error)))?;
    Ok(json!({
        "questions": found.ledger.questions,
        "answered": found.ledger.answered,
        "failed": found.ledger.failed(),
        "left": found.ledger.pending,
        "has_store": found.has_store,
    }))
}

/// Splits questions into shards, by the words that follow `dset job split`; returns how many there are.
///
/// # Errors
///
/// The words are none that `dset job split` takes, or the questions cannot be split so.
pub fn split(words: &[String]) -> Result<u32, Failure> {
    let all = ["job".to_owned(), "split".to_owned()].into_iter().chain(words.iter().cloned());
    let Command::Job(args) = read(&all.collect::<Vec<_>>())? else { return Err(wrong_command()) };
    Ok(job::split_quietly(args.command)?.as_ref().map_or(0, JobFile::count))
}
