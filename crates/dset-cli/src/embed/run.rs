//! A run within another program.

use std::path::Path;
use std::time::{Duration, Instant};

use dset_core::answer::FailureClass;
use dset_core::item::question::Question;
use dset_core::provider::Providers;
use dset_core::run::{EndReason, Notice, Snapshot};
use dset_core::settings::Resolved;
use dset_core::time::Time;
use dset_engine::engine::{Cancel, Engine, EnginePlan, EngineReport};
use dset_engine::error::{EngineError, JobError};
use dset_engine::observer::{LocalFailure, Observer};
use dset_engine::os::open_files::open_files_max;
use dset_engine::run::lanes::Lanes;
use dset_engine::run::prepare::Decisions;
use dset_engine::source::spool::STDIN;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::{Failure, read, warning, wrong_command};
use crate::cli::Command;
use crate::command::export::DatasetsAtEnd;
use crate::command::money::Money;
use crate::command::oddities::oddities;
use crate::command::run::{DecisionArgs, RunArgs, datasets, resolved};
use crate::command::{cost_limit, off_peak, shared};
use crate::display::plain::failure_words;
use crate::display::preamble;
use crate::display::run_object::{self, Ended};
use crate::display::text::{one_line, service};
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;
use crate::layers::{Environment, MergedLayer, TerminalOptions};

/// A run that is ready to begin.
#[derive(Debug)]
pub struct PreparedRun {
    engine: Engine,
    /// A model that lacks its key.
    without_key: Option<Failure>,
    /// What is written when it has gone to its end; a shard writes none.
    datasets: Option<DatasetsAtEnd>,
    providers: Providers,
    money: Money,
    warnings: Vec<String>,
}

/// Prepares `dset run` with the words that follow `run`; `key` is used for every model in place of those
/// of the environment, and limits a minute are kept by turns in `lanes`, a shard's in its job where none are said.
///
/// # Errors
///
/// The words are none that `dset run` takes, or contradict each other.
pub fn prepare_run(
    words: &[String],
    key: Option<SecretString>,
    lanes: Option<Lanes>,
) -> Result<PreparedRun, Failure> {
    let Command::Run(args) = read(&["run"], words)? else { return Err(wrong_command()) };
    Ok(prepared(*args, key, lanes)?)
}

/// Nothing is printed.
fn silent(terminal: TerminalOptions) -> TerminalOptions {
    TerminalOptions { json: false, quiet: true, ..terminal }
}

fn prepared(
    args: RunArgs,
    key: Option<SecretString>,
    lanes: Option<Lanes>,
) -> Result<PreparedRun, UserError> {
    let environment = Environment::read(Path::new("."))?;
    let shard = args.shard.open(&environment)?;
    let datasets = shard.is_none().then(|| datasets(&args, &environment)).transpose()?;
    let input = args.layer.layer.input.clone();
    let said =
        environment.under_with(args.layer, shard.as_ref().map(|shard| shard.layer.clone()))?;
    let Resolved { spec, options, warnings } =
        resolved(said.layer.clone(), &environment.providers)?;
    let spec = match &shard {
        Some(shard) => shard.spec(spec, input)?,
        None => {
            let terminal = silent(said.terminal.resolve());
            shared::placed(spec, said.layer.output.is_some(), terminal)?
        }
    };
    if spec.input == Path::new(STDIN) {
        return Err(UserError::new(Exit::Usage, "standard input is none of the run's here")
            .cause("it is the program's that runs it")
            .hint("Name a file"));
    }
    let lanes = match &shard {
        Some(shard) => shard.lanes(options.minute).map(|of_job| lanes.unwrap_or(of_job)),
        None => lanes,
    };
    let money = Money::of(&environment);
    let deadline = args.decisions.deadline;
    let engine = Engine::of(spec.clone(), options.clone())
        .with_decisions(decisions(&args.decisions))
        .with_prices(environment.providers.clone(), environment.prices())
        .keeping_to_cheap_hours(off_peak::rules(&spec, &options, &money, deadline)?)
        .with_open_files_max(open_files_max())
        .taking_turns_in(lanes);
    let engine = match environment.state_folder().filter(|_| options.share_pace) {
        Some(state) => engine.sharing_limits_in(state),
        None => engine,
    };
    let (engine, without_key) = with_keys(engine, key, &environment, &said)?;
    let odd = oddities(&spec, &warnings, &environment.providers);
    let providers = environment.providers;
    let warnings = environment.warnings.into_iter().chain(odd).map(warning).collect();
    Ok(PreparedRun { engine, without_key, datasets, providers, money, warnings })
}

fn decisions(args: &DecisionArgs) -> Decisions {
    Decisions {
        keep_answers: args.keep,
        ask_again: args.again,
        again_failed: args.again_failed,
        from_start: args.from_start,
        from_bookmark: args.from_bookmark,
        limit: args.limit,
        pilot: None,
        forgive_lost: args.forgive_lost,
        redo: None,
        spooled: None,
        applies: None,
    }
}

/// Gives each model its key; returns why the first that lacks one cannot be asked.
fn with_keys(
    engine: Engine,
    own: Option<SecretString>,
    environment: &Environment,
    said: &MergedLayer,
) -> Result<(Engine, Option<Failure>), UserError> {
    let mut keys = Vec::new();
    let mut without_key = None;
    let models = &engine.spec().models;
    if let (Some(own), [first, rest @ ..]) = (&own, &models[..]) {
        if own.expose_secret().trim().is_empty() {
            return Err(UserError::new(Exit::Key, "the key that was given is empty"));
        }
        if let Some(other) = rest.iter().find(|model| model.preset.id != first.preset.id) {
            let [one, other] = [service(first), service(other)];
            return Err(UserError::new(Exit::Usage, "one key was given for several services")
                .cause(format!("it would be sent to {one} and to {other}"))
                .hint("Keep each in its variable, or in `dset keys set`, and give none"));
        }
    }
    for model in models {
        let found = match &own {
            Some(own) => {
                environment.check_given_key(model, said)?;
                Some(own.clone())
            }
            None => environment.key(model, said)?.map(|key| key.secret),
        };
        if found.is_none() && model.key_variable.is_some() {
            without_key.get_or_insert_with(|| environment.no_key(model).into());
        }
        keys.push(found);
    }
    let mut keys = keys.into_iter();
    Ok((engine.with_keys(|_| keys.next().flatten()), without_key))
}

impl PreparedRun {
    /// Returns what a terminal would be warned of, a line each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Works out what a run would ask, and changes nothing.
    ///
    /// # Errors
    ///
    /// The run could not begin.
    pub fn plan(&self) -> Result<EnginePlan, Failure> {
        self.engine.plan().map_err(|error| self.explained(error.into()))
    }

    /// Asks, and writes the datasets that settings name where the run goes to its end. Returns what the events
    /// `start` and `end` of `dset run --json` say, the second over the first, and beside that `reason` and
    /// `detail` of the end, `put_right` (what was found and mended before, a sentence each), `answered_before`, and `as_asked`, by which [`super::export()`] finds its rows.
    ///
    /// # Errors
    ///
    /// The run cannot begin, or a dataset cannot be written.
    pub async fn run(
        &self,
        observer: &mut (dyn Observer + Send),
        cancel: &Cancel,
    ) -> Result<Value, Failure> {
        let began = Instant::now();
        let spec = self.engine.spec();
        if let Some(datasets) = &self.datasets {
            datasets.check(spec)?;
        }
        let mut noting = Noting { observer, failed: None };
        let ran = self.engine.run(&mut noting, cancel).await;
        let failed = noting.failed;
        let ran = ran.map_err(|error| self.explained(error))?;
        if let Some(datasets) = &self.datasets {
            let terminal = silent(TerminalOptions::default());
            datasets.write(spec, terminal, &ran.ending, &ran.as_asked)?;
        }
        Ok(self.report(&ran, began.elapsed(), failed))
    }

    fn report(&self, ran: &EngineReport, took: Duration, failed: Option<String>) -> Value {
        let (found, ending) = (&ran.found, &ran.ending);
        let spent = self.money.expenses(&ran.folder);
        let (presumed_agreed, outdated) = (found.presumed_agreed, found.outdated);
        let ended = Ended { ending, presumed_agreed, outdated, took, spent: spent.as_ref() };
        let mut report = run_object::found(self.engine.spec(), found);
        report.extend(run_object::ended(&ended));
        let (reason, detail) = reason_words(&ending.reason);
        let as_asked = serde_json::to_string(&ran.as_asked).expect("settings are plain values");
        for (name, value) in [
            ("reason", json!(reason)),
            ("detail", json!(detail.or(failed))),
            ("put_right", json!(preamble::put_right(found))),
            ("answered_before", json!(found.answered)),
            ("as_asked", json!(as_asked)),
        ] {
            report.insert(name.to_owned(), value);
        }
        Value::Object(report)
    }

    fn explained(&self, error: EngineError) -> Failure {
        match error {
            EngineError::Job(JobError::NoKey) => self
                .without_key
                .clone()
                .unwrap_or_else(|| UserError::new(Exit::Key, "there is no key").into()),
            EngineError::Job(error) => explain::job(error).into(),
            EngineError::Store(error) => UserError::from(error).into(),
            EngineError::Endpoint(error) => UserError::new(Exit::Key, error.to_string()).into(),
            EngineError::Limit(error) => {
                cost_limit::cannot_limit(&error, self.engine.spec(), &self.providers).into()
            }
        }
    }
}

fn reason_words(reason: &EndReason) -> (&'static str, Option<String>) {
    match reason {
        EndReason::StoreFailed => ("the store failed", None),
        EndReason::OutputFailed => ("an output could not be written", None),
        EndReason::WrongSettings(why) if why.class == FailureClass::FailedCheck => {
            ("the program that judges answers gives no verdict", Some(one_line(&why.message)))
        }
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
        EndReason::LeaseLost => ("another worker has the shard", None),
        EndReason::Paused => ("paused at a failure", None),
        EndReason::Complete => ("complete", None),
    }
}

/// Passes on what is observed, and keeps the words of what this machine could not do.
struct Noting<'a> {
    observer: &'a mut (dyn Observer + Send),
    failed: Option<String>,
}

impl Observer for Noting<'_> {
    fn notice(&mut self, now: Time, notice: &Notice) {
        self.observer.notice(now, notice);
    }

    fn snapshot(&mut self, now: Time, snapshot: &Snapshot) {
        self.observer.snapshot(now, snapshot);
    }

    fn local_failure(&mut self, now: Time, failure: &LocalFailure) {
        // The first is why; a server that is away is waited for.
        if !matches!(failure, LocalFailure::Server { .. }) {
            self.failed.get_or_insert_with(|| failure_words(failure));
        }
        self.observer.local_failure(now, failure);
    }

    fn status(&mut self, now: Time, snapshot: &Snapshot) {
        self.observer.status(now, snapshot);
    }

    fn acknowledged(&mut self, question: &Question) {
        self.observer.acknowledged(question);
    }
}
