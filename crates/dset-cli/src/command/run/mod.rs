//! `dset run`: asks the questions that have no answer yet.

mod ask;
mod decide;
mod input;

use std::path::{Path, PathBuf};

use clap::Args;
use dset_core::settings::{JobSpec, Resolved, Warning};
use dset_engine::os::files::real_place;
use dset_engine::run::prepare::Decisions;
use dset_engine::run::redo::RedoSelector;
use dset_engine::source::spool::STDIN;
use dset_engine::store::Store;
use secrecy::SecretString;

use super::export::DatasetsAtEnd;
use super::job::ShardArgs;
use crate::command::oddities::oddities;
use crate::command::off_peak;
use crate::datasets::DatasetArgs;
use crate::display;
use crate::error::UserError;
use crate::exit::Exit;
use crate::layers::{Environment, Key, MergedLayer, SettingsLayer};
use crate::run_selector::RunSelectorArgs;

pub(super) use ask::{Asked, Extras, Keys, RunSettings, ask};
pub(crate) use input::resolved;
use input::{from_stdin, of_stdin};

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
    let keys = keys_of(&environment, &spec, &said);
    // A key that is not there, or must not go, goes nowhere.
    let goes = keys.as_ref().is_ok_and(|(keys, _)| keys.iter().any(Option::is_some));
    let is_told = |warning: &Warning| goes || !matches!(warning, Warning::KeyInClear { .. });
    let warnings: Vec<Warning> = warnings.into_iter().filter(is_told).collect();
    for (text, hint) in oddities(&spec, &warnings, &environment.providers) {
        display::warn(&text, hint.as_deref());
    }
    let (keys, key_from) = keys?;
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
    let Asked { ending, agreed, as_asked, signals } =
        ask(settings, decisions, &keys, state.as_deref(), extras).map_err(|error| {
            spooled.iter().fold(error, |error, spooled| of_stdin(error, spooled.path()))
        })?;
    let exit = Exit::of(&ending, agreed);
    if let (Some(datasets), Some(signals)) = (datasets, signals) {
        let (stopped, are_due) = (datasets.stopped(), datasets.are_due(&ending));
        let write = move || datasets.write(&spec, terminal, &ending, &as_asked);
        match are_due {
            true => signals.unless_stopped(write).map_err(stopped)??,
            false => write()?,
        }
    }
    Ok(exit)
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
