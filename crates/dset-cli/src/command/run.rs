//! `dset run`: asks the questions that have no answer yet.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use dset_core::provider::Providers;
use dset_core::run::{EndReason, Ending};
use dset_core::settings::{JobSpec, Layer, Resolved, RunOptions, endpoint, resolve_with_providers};
use dset_engine::error::JobError;
use dset_engine::http::ask::{Endpoint, EndpointSettings};
use dset_engine::os::files::real_place;
use dset_engine::os::lock::{LockError, Running, running};
use dset_engine::os::open_files::raise_open_files_max;
use dset_engine::run::drive::{Target, drive};
use dset_engine::run::lanes::Lanes;
use dset_engine::run::peer_limits::PeerLimits;
use dset_engine::run::prepare::{Decisions, Job};
use dset_engine::run::redo::RedoSelector;
use dset_engine::source::spool::{STDIN, Spooled, spool, spool_path};
use dset_engine::store::{AsAsked, Store};
use secrecy::SecretString;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::export::DatasetsAtEnd;
use super::job::ShardArgs;
use super::signals;
use crate::command::money::Money;
use crate::command::oddities::{billed_otherwise, oddities};
use crate::command::{check_key, cost_limit, forecast, off_peak};
use crate::datasets::DatasetArgs;
use crate::display::{self, RunContext, text};
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;
use crate::layers::{Environment, Key, MergedLayer, SettingsLayer, TerminalOptions};
use crate::prompt;
use crate::run_selector::RunSelectorArgs;
use crate::schema_file;

#[derive(Debug, Args)]
#[command(
    after_help = "Every setting can also come from a variable: DSET_ and the flag's name, as in \
DSET_MODEL or DSET_MAX_TOKENS (DSET_INPUT for QUESTIONS), from the environment or from .env in the \
working folder; or from a line like `model = \"deepseek-flash\"` in dset.toml there, or in a file of \
your own for all folders. Flags outrank the environment, which outranks .env, dset.toml and your own \
file, in this order: see `dset config show --origin`.

On a terminal, s tells where the run stands (elsewhere SIGUSR1 does), p pauses it and lets it go on, \
r tries a service that does not answer, q stops it as Ctrl-C does.

Exit codes: 0 all answered, 1 disk or internal error, 2 usage, settings or input, 3 some rows \
marked ERROR, 4 key missing or refused, 5 out of money, 6 service unreachable, 11 another run has \
the folder, 130 and 143 stopped."
)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) layer: SettingsLayer,

    #[command(flatten)]
    pub(crate) shard: ShardArgs,

    #[command(flatten)]
    pub(crate) decisions: DecisionArgs,

    #[command(flatten)]
    pub(crate) dataset: EndArgs,

    /// Write a line to this file descriptor for every answer that is durable (for tests)
    #[cfg(unix)]
    #[arg(long, value_name = "N", hide = true)]
    pub(crate) ack_fd: Option<u32>,
}

/// So long the last words of a run have after a signal until they are given up.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// What only one run is told; no variable sets these.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "This run only")]
pub(crate) struct DecisionArgs {
    /// Ask for N answers at most: one to a question, but for samples and several models
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,

    /// After a change of settings or checks: keep the answers there are, ask the rest
    #[arg(long = "continue", conflicts_with_all = ["again", "again_failed"])]
    pub(crate) keep: bool,

    /// After a change of checks: ask again for the answers that do not pass any more
    #[arg(long)]
    pub(crate) again_failed: bool,

    /// Ask everything again; earlier outputs are moved, not deleted
    #[arg(long, conflicts_with = "job")]
    pub(crate) again: bool,

    /// Where rows say ERROR and nothing tells who wrote that: ask all rows
    #[arg(long, conflicts_with = "from_bookmark")]
    pub(crate) from_start: bool,

    /// The same, but take the rows before the first ERROR as answered
    #[arg(long)]
    pub(crate) from_bookmark: bool,

    /// Count replies of earlier runs no more that did not come and may have been billed: the service's
    /// bill shows that they were not
    #[arg(long)]
    pub(crate) forgive_lost: bool,

    /// With --off-peak, be done by then, at whatever price the rest needs: 18:00, "2026-12-01 08:00" (your
    /// time), 2026-12-01T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = off_peak::parse_deadline)]
    pub(crate) deadline: Option<jiff::Timestamp>,

    /// Begin without a question, whatever it is going to cost
    #[arg(long)]
    pub(crate) yes: bool,
}

/// What is written when the run has gone to its end, beside what `[[export]]` in `dset.toml` says.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "At the end of the run")]
pub(crate) struct EndArgs {
    /// Write a dataset there, as `dset export --to` does: a file, or a folder for the Hub
    #[arg(long, value_name = "PATH", conflicts_with = "job")]
    pub(crate) to: Option<PathBuf>,

    /// What its rows are, as `dset help export` lists them [default: rows]
    #[arg(long, value_name = "NAME", requires = "to")]
    pub(crate) layout: Option<String>,
}

pub(super) fn run(args: RunArgs) -> Result<Exit, UserError> {
    run_rows(args, None, None)
}

/// Asks what has no answer yet, of the whole input or of so many rows evenly from it; or rows again.
pub(super) fn run_rows(
    args: RunArgs,
    pilot: Option<u64>,
    redo: Option<RedoSelector>,
) -> Result<Exit, UserError> {
    let environment = Environment::read(Path::new("."))?;
    environment.warn();
    let shard = args.shard.open(&environment)?;
    // A pilot is not the run's end, and a shard not the dataset.
    let datasets =
        (pilot.is_none() && shard.is_none()).then(|| datasets(&args, &environment)).transpose()?;
    let input = args.layer.layer.input.clone();
    let said =
        environment.under_with(args.layer, shard.as_ref().map(|shard| shard.layer.clone()))?;
    let Resolved { spec, options, warnings } =
        resolved(said.layer.clone(), &environment.providers)?;
    let terminal = said.terminal.resolve();
    let spec = match (&redo, &shard) {
        (Some(_), None) => match super::shared::input_of_folder(&said, &spec)? {
            Some(input) => JobSpec { input, ..spec },
            None => spec,
        },
        _ => spec,
    };
    let spec = match &shard {
        Some(shard) => shard.spec(spec, input)?,
        None => super::shared::placed(spec, said.layer.output.is_some(), terminal)?,
    };
    let (spec, spooled) = match spec.input == Path::new(STDIN) {
        true => from_stdin(spec)?,
        false => (spec, None),
    };
    if redo.is_some() && !Store::exists(&spec.output) {
        let which = RunSelectorArgs::of(&said.layer);
        return Err(super::shared::nothing_asked(&which, &spec));
    }
    for (text, hint) in oddities(&spec, &warnings, &environment.providers) {
        display::warn(&text, hint.as_deref());
    }
    let (keys, key_from) = keys_of(&environment, &spec, &said)?;
    let decisions = Decisions {
        keep_answers: args.decisions.keep,
        ask_again: args.decisions.again,
        again_failed: args.decisions.again_failed,
        from_start: args.decisions.from_start,
        from_bookmark: args.decisions.from_bookmark,
        limit: args.decisions.limit,
        pilot,
        forgive_lost: args.decisions.forgive_lost,
        redo,
        spooled: spooled.clone(),
        applies: None,
    };
    #[cfg(unix)]
    let acks = args.ack_fd.map(display::durable_log::DurableLog::open).transpose()?;
    #[cfg(not(unix))]
    let acks = None;
    let state = environment.state_folder().filter(|_| options.share_pace);
    let keys = Keys { keys: &keys, from: key_from, environment: &environment };
    let yes = args.decisions.yes;
    let deadline = args.decisions.deadline;
    let lanes = shard.as_ref().and_then(|shard| shard.lanes(options.minute));
    let datasets_at_end = datasets.as_ref();
    let extras =
        Extras { acks, datasets: datasets_at_end, yes, deadline, lanes, ..Extras::default() };
    let settings = RunSettings { spec: spec.clone(), options, terminal };
    let Asked { ending, agreed, as_asked } =
        ask(settings, decisions, &keys, state.as_deref(), extras).map_err(|error| {
            spooled.iter().fold(error, |error, spooled| of_stdin(error, spooled.path()))
        })?;
    datasets.map_or(Ok(()), |datasets| datasets.write(&spec, terminal, &ending, &as_asked))?;
    Ok(Exit::of(&ending, agreed))
}

/// Returns the key of each model, where it has one, and where the first was found.
pub(super) fn keys_of(
    environment: &Environment,
    spec: &JobSpec,
    said: &MergedLayer,
) -> Result<(Vec<Option<SecretString>>, Option<&'static str>), UserError> {
    let keys = spec.models.iter().map(|model| environment.key(model, said));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    let from = keys.first().and_then(Option::as_ref).map(Key::place);
    Ok((keys.into_iter().map(|key| key.map(|key| key.secret)).collect(), from))
}

/// Returns the datasets that are written at the end; fails where one cannot be meant so.
pub(crate) fn datasets(
    args: &RunArgs,
    environment: &Environment,
) -> Result<DatasetsAtEnd, UserError> {
    let EndArgs { to, layout } = &args.dataset;
    let own = DatasetArgs::new(to.clone(), layout.clone());
    own.request(false)?;
    let own_place = own.to.as_deref().map(real_place);
    let declared = environment.project.datasets.iter();
    let declared = declared.filter(|said| said.to.as_deref().map(real_place) != own_place);
    let datasets = declared.cloned().chain(to.is_some().then(|| own.clone())).collect();
    Ok(DatasetsAtEnd { which: RunSelectorArgs::of(&args.layer.layer), datasets })
}

/// Writes down what comes on standard input; returns these settings with the file that it becomes when the
/// run begins.
fn from_stdin(settings: JobSpec) -> Result<(JobSpec, Option<Arc<Spooled>>), UserError> {
    if std::io::stdin().is_terminal() {
        return Err(UserError::new(Exit::Usage, "there are no questions on standard input")
            .cause("it is a terminal, and `-` reads what a pipe or a file gives")
            .hint("Give it some: `cat questions.jsonl | dset run -`, or name a file"));
    }
    if let Running::Yes(holder) = running(&settings.output) {
        return Err(explain::job(JobError::Lock(LockError::InUse(holder))));
    }
    let spooled = spool(std::io::stdin().lock(), &settings.output).map_err(explain::source)?;
    let input = spool_path(&settings.output);
    Ok((JobSpec { input, ..settings }, Some(Arc::new(spooled))))
}

/// Calls a file that nobody has named what the user calls it.
fn of_stdin(error: UserError, path: &Path) -> UserError {
    let path = path.display().to_string();
    let named = |text: String| text.replace(&path, STDIN);
    let is_of_file = |hint: &String| hint.contains(&path);
    let hints = error.hints.into_iter().filter(|hint| !is_of_file(hint)).collect();
    let (message, cause) = (named(error.message), error.cause.map(named));
    UserError { message, cause, hints, exit: error.exit }
}

pub(crate) fn resolved(mut layer: Layer, providers: &Providers) -> Result<Resolved, UserError> {
    schema_file::load(&mut layer)?;
    let system = match &layer.system_file {
        Some(path) => Some(fs_err::read_to_string(path).map_err(|error| {
            UserError::new(Exit::Usage, "cannot read the system prompt")
                .cause(text::one_line(&error.to_string()))
                .hint("Check the name, which is meant from the working folder")
        })?),
        None => None,
    };
    Ok(resolve_with_providers(layer, system, providers)?)
}

/// What holds for a run.
pub(super) struct RunSettings {
    pub(super) spec: JobSpec,
    pub(super) options: RunOptions,
    pub(super) terminal: TerminalOptions,
}

/// The key of each model.
pub(super) struct Keys<'a> {
    pub(super) keys: &'a [Option<SecretString>],
    /// Where the first was found, for people.
    pub(super) from: Option<&'static str>,
    pub(super) environment: &'a Environment,
}

/// What not every run has.
#[derive(Default)]
pub(super) struct Extras<'a> {
    /// It is a demonstration.
    pub(super) demo: Option<&'a display::Demo>,
    /// A line for every answer that is durable.
    pub(super) acks: Option<display::durable_log::DurableLog>,
    /// What is written at its end, and must be possible before anything is asked.
    pub(super) datasets: Option<&'a DatasetsAtEnd>,
    /// Whatever it costs is agreed to.
    pub(super) yes: bool,
    /// Where it takes turns with other folders.
    pub(super) lanes: Option<Lanes>,
    /// When it is to be done, at whatever price.
    pub(super) deadline: Option<jiff::Timestamp>,
    /// What it has in common with runs on other machines.
    #[cfg(feature = "postgres")]
    pub(super) shared: Option<dset_engine::store::postgres::SharedRun>,
}

/// A run that has ended.
pub(super) struct Asked {
    pub(super) ending: Ending,
    /// Somebody has said that rows are to be taken as answered.
    pub(super) agreed: bool,
    /// What its rows are found by.
    as_asked: AsAsked,
}

/// Runs with these settings, and shows it.
pub(super) fn ask(
    settings: RunSettings,
    decisions: Decisions,
    keys: &Keys<'_>,
    state: Option<&Path>,
    extras: Extras<'_>,
) -> Result<Asked, UserError> {
    let RunSettings { spec, options, terminal } = settings;
    let Extras { demo, acks, datasets, yes, deadline, lanes, .. } = extras;
    let runtime = super::shared::runtime()?;
    // First, so that nothing is touched for a run that cannot ask.
    let asked = places(&spec, &options, keys.keys, state)?;
    let money = Money::of(keys.environment);
    let payees = cost_limit::payees(&spec, options.cost, &money)?;
    let off_peak = off_peak::rules(&spec, &options, &money, deadline)?;
    let lacking = spec.models.iter().zip(keys.keys);
    let lacking = lacking.filter(|(model, key)| model.key_variable.is_some() && key.is_none());
    let lacking = lacking.map(|(model, _)| model).next();
    let mut decisions = decisions;
    let mut job = loop {
        match (Job::prepare(spec.clone(), decisions.clone(), lacking.is_none()), lacking) {
            (Ok(job), _) => break job,
            (Err(JobError::NoKey), Some(model)) => return Err(keys.environment.no_key(model)),
            (Err(error @ JobError::SettingsChanged { .. }), _) if prompt::is_possible() => {
                decide(explain::job(error), &mut decisions)?;
            }
            (Err(error @ JobError::AcceptanceChanged { .. }), _) if prompt::is_possible() => {
                decide_failed(explain::job(error), &mut decisions)?;
            }
            (Err(error @ JobError::Bookmark { .. }), _) if prompt::is_possible() => {
                begin_where(explain::job(error), &mut decisions)?;
            }
            (Err(error), _) => return Err(explain::job(error)),
        }
    };
    if let Some(rules) = off_peak {
        job.keep_to_cheap_hours(rules);
    }
    job.fill_prompt_caches(money.pricing());
    datasets.map_or(Ok(()), |datasets| datasets.check(&spec))?;
    if decisions.forgive_lost && !options.cost.are_set() {
        return Err(UserError::new(Exit::Usage, "`--forgive-lost` is about a limit of money")
            .cause("this run has none: it would buy whatever is left")
            .hint("Say one with it, `--max-cost 20`; `dset status` names the whole command"));
    }
    let before = job
        .limit_cost(&options, money.pricing(), payees, decisions.forgive_lost)
        .map_err(|error| cost_limit::explain(error, &spec, &money))?;
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
    if demo.is_none() && !terminal.quiet {
        money.say_if_stale(&spec);
    }
    if demo.is_none() {
        let left = job.left_by_model(decisions.limit);
        forecast::before_run(&spec, options.cost, &money, &left, yes, terminal)?;
    }
    if let Some(lanes) = lanes {
        job.take_turns(&lanes, options.minute).map_err(explain::job)?;
    }
    // Nothing refuses it any more.
    let job = job.begin().map_err(explain::job)?;
    let (agreed, as_asked) = (job.report().presumed_agreed, job.as_asked().clone());
    let (wish, wishes) = mpsc::channel(8);
    let opening = RunContext {
        settings: &spec,
        options: &options,
        terminal,
        found: job.report(),
        demo,
        key_from: keys.from,
        limit: decisions.limit,
        is_redo: decisions.redo.is_some(),
    };
    let (signals, mut display) = {
        let _inside = runtime.enter();
        (signals::listen(wish.clone()), display::open(&opening, wish))
    };
    if let Some(acks) = acks {
        display = Box::new(display::Tee { one: Box::new(acks), other: display });
    }
    let files_max = raise_open_files_max();
    let (ending, is_cut) = runtime.block_on(async {
        let mut signals = tokio::spawn(signals);
        // A task, because the thread that waits here is none of the runtime's: to wake it for every
        // answer would cost a system call and a change of threads.
        let run = tokio::spawn(async move {
            let ending = drive(job, &options, asked, files_max, wishes, &mut *display).await;
            (ending, display)
        });
        let (ending, mut display) = run.await.unwrap_or_else(panicked);
        let ending = ending?;
        let spent = demo.is_none().then(|| money.expenses(&spec.output)).flatten();
        // Whoever looks on may take nothing: a signal ends that.
        let shown = ending.clone();
        let mut shown = tokio::task::spawn_blocking(move || display.end(&shown, spent.as_ref()));
        tokio::select! {
            biased;
            shown = &mut shown => {
                shown.unwrap_or_else(panicked);
                Ok::<_, UserError>((ending, false))
            }
            Ok(signal) = &mut signals => match timeout(GOODBYE_MAX, &mut shown).await {
                Ok(shown) => {
                    shown.unwrap_or_else(panicked);
                    Ok((ending, false))
                }
                Err(_) => Ok((Ending { reason: EndReason::Stopped(signal), ..ending }, true)),
            },
        }
    })?;
    if is_cut {
        runtime.shutdown_background();
    }
    let is_of_money =
        matches!(ending.reason, EndReason::OutOfMoney(_) | EndReason::CostLimit { .. });
    if is_of_money && demo.is_none() && !terminal.quiet {
        say_balances(&spec, keys.keys);
    }
    Ok(Asked { ending, agreed, as_asked })
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

/// Asks whoever sits at the terminal where to begin in a file with bookmarks of which nothing is
/// known; fails with `error` where nothing is decided.
fn begin_where(error: UserError, decisions: &mut Decisions) -> Result<(), UserError> {
    let what = [Some(error.message.as_str()), error.cause.as_deref()];
    display::warn(&what.into_iter().flatten().collect::<Vec<_>>().join(": "), None);
    let question = "Ask all rows (a), take those before the first ERROR as answered (b), stop (s)";
    match prompt::word(question, "s")?.to_ascii_lowercase().as_str() {
        "a" | "all" => decisions.from_start = true,
        "b" | "bookmark" => decisions.from_bookmark = true,
        _ => return Err(error),
    }
    Ok(())
}

/// Asks whoever sits at the terminal what is to become of answers that other settings bought; fails
/// with `error` where nothing is decided.
fn decide(error: UserError, decisions: &mut Decisions) -> Result<(), UserError> {
    let what = [Some(error.message.as_str()), error.cause.as_deref()];
    display::warn(&what.into_iter().flatten().collect::<Vec<_>>().join(": "), None);
    let question = "Keep them and ask the rest (k), ask all again (a), stop (s)";
    let word = prompt::word(question, "s")?;
    match word.to_ascii_lowercase().as_str() {
        "k" | "keep" => decisions.keep_answers = true,
        "a" | "again" => decisions.ask_again = true,
        _ => return Err(error),
    }
    Ok(())
}

/// Asks whoever sits at the terminal what becomes of answers that do not pass any more.
fn decide_failed(error: UserError, decisions: &mut Decisions) -> Result<(), UserError> {
    display::warn(&error.message, None);
    let question = "Keep them all the same (k), ask again for them (a), stop (s)";
    match prompt::word(question, "s")?.to_ascii_lowercase().as_str() {
        "k" | "keep" => decisions.keep_answers = true,
        "a" | "again" => decisions.again_failed = true,
        _ => return Err(error),
    }
    Ok(())
}

fn panicked<T>(error: tokio::task::JoinError) -> T {
    std::panic::resume_unwind(error.into_panic())
}

/// Sets up every place where a model is asked.
fn places(
    spec: &JobSpec,
    options: &RunOptions,
    keys: &[Option<SecretString>],
    state: Option<&Path>,
) -> Result<Vec<Target>, UserError> {
    let mut places = Vec::new();
    for (number, (model, key)) in (0..).zip(spec.models.iter().zip(keys)) {
        for (at, base_url) in (0..).zip(&model.base_urls) {
            let wire = EndpointSettings::new(options, model, base_url);
            let shared = state.map(|state| {
                PeerLimits::new(state, &endpoint(base_url), &model.request.model, key.as_ref())
            });
            let endpoint = Endpoint::new(wire, key.clone())
                .map_err(|error| UserError::new(Exit::Key, error.to_string()))?;
            places.push(Target { model: number, number: at, endpoint, peer_limits: shared });
        }
    }
    Ok(places)
}
