//! A run from its settings to its end: prepared, begun, driven and shown.

use std::path::Path;
use std::time::Duration;

use dset_core::money::Expenses;
use dset_core::run::{EndReason, Ending, StopSignal};
use dset_core::settings::{JobSpec, RunOptions, endpoint};
use dset_engine::error::JobError;
use dset_engine::http::ask::{Endpoint, EndpointSettings};
use dset_engine::os::clock::unix_ms;
use dset_engine::os::open_files::raise_open_files_max;
use dset_engine::run::drive::{Target, drive};
use dset_engine::run::lanes::Lanes;
use dset_engine::run::peer_limits::PeerLimits;
use dset_engine::run::prepare::{Decisions, Job, PreparedJob};
use dset_engine::store::{AsAsked, StoreError};
use secrecy::SecretString;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::decide::decide;
use crate::command::export::DatasetsAtEnd;
use crate::command::money::Money;
use crate::command::oddities::billed_otherwise;
use crate::command::signals::{self, SignalsBehind, panicked};
use crate::command::{check_key, cost_limit, forecast, off_peak, shared};
use crate::display::{self, Display, RunContext, text};
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;
use crate::layers::{Environment, TerminalOptions};

/// So long the last words of a run have after a signal until they are given up.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// What holds for a run.
pub(in crate::command) struct RunSettings {
    pub(in crate::command) spec: JobSpec,
    pub(in crate::command) options: RunOptions,
    pub(in crate::command) terminal: TerminalOptions,
}

/// The key of each model.
pub(in crate::command) struct Keys<'a> {
    pub(in crate::command) keys: &'a [Option<SecretString>],
    /// Where the first was found, for people.
    pub(in crate::command) from: Option<&'static str>,
    pub(in crate::command) environment: &'a Environment,
}

/// What not every run has.
#[derive(Default)]
pub(in crate::command) struct Extras<'a> {
    /// It is a demonstration.
    pub(in crate::command) demo: Option<&'a display::Demo>,
    /// A line for every answer that is durable.
    pub(in crate::command) acks: Option<display::durable_log::DurableLog>,
    /// What is written at its end, and must be possible before anything is asked.
    pub(in crate::command) datasets: Option<&'a DatasetsAtEnd>,
    /// Whatever it costs is agreed to.
    pub(in crate::command) yes: bool,
    /// Where it takes turns with other folders.
    pub(in crate::command) lanes: Option<Lanes>,
    /// When it is to be done, at whatever price.
    pub(in crate::command) deadline: Option<jiff::Timestamp>,
    /// What it has in common with runs on other machines.
    #[cfg(feature = "postgres")]
    pub(in crate::command) shared: Option<dset_engine::store::postgres::SharedRun>,
}

/// A run that has ended.
pub(in crate::command) struct Asked {
    pub(in crate::command) ending: Ending,
    /// Somebody has said that rows are to be taken as answered.
    pub(in crate::command) agreed: bool,
    /// What its rows are found by.
    pub(super) as_asked: AsAsked,
    /// Absent where a signal has cut its last words.
    pub(super) signals: Option<SignalsBehind>,
}

/// Runs with these settings, and shows it.
pub(in crate::command) fn ask(
    settings: RunSettings,
    decisions: Decisions,
    keys: &Keys<'_>,
    state: Option<&Path>,
    mut extras: Extras<'_>,
) -> Result<Asked, UserError> {
    let runtime = shared::runtime()?;
    // First, so that nothing is touched for a run that cannot ask.
    let targets = targets(&settings.spec, &settings.options, keys.keys, state)?;
    let money = Money::of(keys.environment);
    let (limit, is_redo) = (decisions.limit, decisions.redo.is_some());
    let (demo, acks) = (extras.demo, extras.acks.take());
    let job = prepared(&settings, decisions, keys, &money, extras)?;
    // Nothing refuses it any more.
    let job = job.begin().map_err(explain::job)?;
    let RunSettings { spec, options, terminal } = settings;
    let (agreed, as_asked) = (job.report().presumed_agreed, job.as_asked().clone());
    let (wish, wishes) = mpsc::channel(8);
    let opening = RunContext {
        settings: &spec,
        options: &options,
        terminal,
        found: job.report(),
        demo,
        key_from: keys.from,
        limit,
        is_redo,
    };
    let behind = wish.clone();
    let (signals, mut display) = {
        let _inside = runtime.enter();
        (signals::listen(wish.clone()), display::open(&opening, wish))
    };
    if let Some(acks) = acks {
        display = Box::new(display::Tee { one: Box::new(acks), other: display });
    }
    let files_max = raise_open_files_max();
    let run = async move {
        let ending = drive(job, &options, targets, files_max, wishes, &mut *display).await;
        (ending, display)
    };
    let spent = || demo.is_none().then(|| money.expenses(&spec.output)).flatten();
    let mut heard = runtime.spawn(signals);
    let (ending, shown) = runtime.block_on(shown(run, &mut heard, spent))?;
    let signals = match shown {
        Shown::Cut => {
            runtime.shutdown_background();
            None
        }
        Shown::Whole { is_heard } => {
            if is_heard {
                let _inside = runtime.enter();
                heard = runtime.spawn(signals::listen(behind));
            }
            Some(SignalsBehind { runtime, heard })
        }
    };
    let is_of_money =
        matches!(ending.reason, EndReason::OutOfMoney(_) | EndReason::CostLimit { .. });
    if is_of_money && demo.is_none() && !terminal.quiet {
        say_balances(&spec, keys.keys);
    }
    Ok(Asked { ending, agreed, as_asked, signals })
}

/// Does all that can refuse a run, and asks what is to be decided; nothing of it is recorded yet.
fn prepared(
    RunSettings { spec, options, terminal }: &RunSettings,
    mut decisions: Decisions,
    keys: &Keys<'_>,
    money: &Money,
    extras: Extras<'_>,
) -> Result<PreparedJob, UserError> {
    let forgives = decisions.forgive_lost;
    if forgives && !options.cost.are_set() {
        return Err(UserError::new(Exit::Usage, "`--forgive-lost` is about a limit of money")
            .cause("this run has none: it would buy whatever is left")
            .hint("Say one with it, `--max-cost 20`; `dset status` names the whole command"));
    }
    let payees = cost_limit::payees(spec, options.cost, money)?;
    let off_peak = off_peak::rules(spec, options, money, extras.deadline)?;
    let models = spec.models.iter().zip(keys.keys);
    let mut lacking = models.filter(|(model, key)| model.key_variable.is_some() && key.is_none());
    let lacking = lacking.next().map(|(model, _)| model);
    let mut job = loop {
        match (Job::prepare(spec.clone(), decisions.clone(), lacking.is_none()), lacking) {
            (Ok(job), _) => break job,
            (Err(JobError::NoKey), Some(model)) => return Err(keys.environment.no_key(model)),
            (Err(error), _) => decide(error, &mut decisions)?,
        }
    };
    let until = off_peak.as_ref().and_then(|rules| rules.waits_until(unix_ms()));
    if let Some(rules) = off_peak {
        job.keep_to_cheap_hours(rules).map_err(|error| explain::job(error.into()))?;
    }
    job.fill_prompt_caches(money.pricing().prices);
    extras.datasets.map_or(Ok(()), |datasets| datasets.check(spec))?;
    let before = job
        .limit_cost(options, money.pricing(), payees, forgives)
        .map_err(|error| cost_limit::explain(error, spec, money))?;
    for (field, billing) in job.billed_otherwise().map_err(explain::job)? {
        let (text, hint) = billed_otherwise(field, billing, &spec.model().request.model);
        display::warn(&text, hint.as_deref());
    }
    #[cfg(feature = "postgres")]
    if let Some(shared) = extras.shared {
        job.share(shared);
    }
    if let Some(words) = before.as_ref().and_then(display::money::not_counted) {
        display::warn(&words, None);
    }
    if extras.demo.is_none() && !terminal.quiet {
        money.say_if_stale(spec);
    }
    if extras.demo.is_none() {
        let left = job.left_by_model(decisions.limit);
        forecast::before_run(spec, options.cost, money, (&left[..], until), extras.yes, *terminal)?;
    }
    if let Some(lanes) = extras.lanes {
        job.take_turns(&lanes, options.minute).map_err(explain::job)?;
    }
    Ok(job)
}

/// How the last words of a run were shown.
enum Shown {
    /// All of them, before or behind a signal.
    Whole { is_heard: bool },
    /// A signal cut them off.
    Cut,
}

/// Drives a run to its end and has that shown, with what `spent` tells, unless a signal is heard meanwhile;
/// returns how it ended.
async fn shown(
    run: impl Future<Output = (Result<Ending, StoreError>, Box<dyn Display>)> + Send + 'static,
    signals: &mut JoinHandle<StopSignal>,
    spent: impl FnOnce() -> Option<Expenses>,
) -> Result<(Ending, Shown), UserError> {
    // A task, because the thread that waits here is none of the runtime's: to wake it for every
    // answer would cost a system call and a change of threads.
    let (ending, mut display) = tokio::spawn(run).await.unwrap_or_else(panicked);
    let (ending, spent) = (ending?, spent());
    // Whoever looks on may take nothing: a signal ends that.
    let told = ending.clone();
    let mut told = tokio::task::spawn_blocking(move || display.end(&told, spent.as_ref()));
    tokio::select! {
        biased;
        told = &mut told => {
            told.unwrap_or_else(panicked);
            Ok((ending, Shown::Whole { is_heard: false }))
        }
        Ok(signal) = signals => match timeout(GOODBYE_MAX, &mut told).await {
            Ok(told) => {
                told.unwrap_or_else(panicked);
                Ok((ending, Shown::Whole { is_heard: true }))
            }
            Err(_) => Ok((Ending { reason: EndReason::Stopped(signal), ..ending }, Shown::Cut)),
        },
    }
}

/// Sets up every place where a model is asked.
fn targets(
    spec: &JobSpec,
    options: &RunOptions,
    keys: &[Option<SecretString>],
    state: Option<&Path>,
) -> Result<Vec<Target>, UserError> {
    let mut targets = Vec::new();
    for (number, (model, key)) in (0..).zip(spec.models.iter().zip(keys)) {
        for (at, base_url) in (0..).zip(&model.base_urls) {
            let settings = EndpointSettings::new(options, model, base_url);
            let shared = state.map(|state| {
                PeerLimits::new(state, &endpoint(base_url), &model.request.model, key.as_ref())
            });
            let endpoint = Endpoint::new(settings, key.clone())
                .map_err(|error| UserError::new(Exit::Key, error.to_string()))?;
            targets.push(Target { model: number, number: at, endpoint, peer_limits: shared });
        }
    }
    Ok(targets)
}

/// Says what is left to spend where a service tells it; each is asked once.
fn say_balances(spec: &JobSpec, keys: &[Option<SecretString>]) {
    let mut told: Vec<String> = Vec::new();
    for (model, key) in spec.models.iter().zip(keys) {
        let Some(key) = key else { continue };
        let Ok(Some(balance)) = check_key::balance(model, key) else { continue };
        let words =
            format!("your balance at {} is {}", text::service(model), check_key::money(&balance));
        if !balance.amounts.is_empty() && !told.contains(&words) {
            display::remark(&words);
            told.push(words);
        }
    }
}
