//! Which shard of a job a run is about.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use clap::Args;
use dset_core::rate::sliding_window::MinuteLimits;
use dset_core::settings::{CostLimits, JobSpec, Layer, Resolved, resolve_with_providers};
use dset_engine::error::JobError;
use dset_engine::run::lanes::Lanes;
use dset_engine::shard::JobFile;
use dset_engine::source::SourceError;

use super::settings;
use crate::display::text::one_line;
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;
use crate::layers::{Environment, SCHEDULER_VARIABLES, TerminalOptions};
use crate::same_command::{given_name, same_command_as};

/// A part of a job.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "A shard of a job")]
pub(crate) struct ShardArgs {
    /// Folder of a job that `dset job split` made; the shard's outputs go into a folder in there
    #[arg(long, value_name = "DIR", requires = "shard", conflicts_with = "output")]
    pub(crate) job: Option<PathBuf>,

    /// Which of its shards, from 0; auto takes SLURM_ARRAY_TASK_ID, JOB_COMPLETION_INDEX or RANK
    #[arg(long, value_name = "N|auto", requires = "job", value_parser = parse_shard)]
    pub(crate) shard: Option<ShardWord>,
}

/// What the user says of the number of a shard.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ShardWord {
    /// What the scheduler says.
    Auto,
    /// This one.
    Number(u32),
}

fn parse_shard(word: &str) -> Result<ShardWord, String> {
    match word {
        "auto" => Ok(ShardWord::Auto),
        _ => word.parse().map(ShardWord::Number).map_err(|_| "it is a number, or auto".to_owned()),
    }
}

/// A job as a run of the whole input.
pub(super) struct Whole {
    pub(super) job: JobFile,
    pub(super) spec: JobSpec,
    pub(super) terminal: TerminalOptions,
    /// What all of it may cost.
    pub(super) limits: CostLimits,
}

/// Reads a job with what its shards are asked with.
pub(super) fn whole(folder: &Path, input: Option<&PathBuf>) -> Result<Whole, UserError> {
    let environment = Environment::read(Path::new("."))?;
    environment.warn();
    let job = JobFile::read(folder).map_err(explain::job_file)?;
    let layer = settings::of_shard(&job.settings, NonZeroU32::MIN)?;
    let said = environment.under_with(Layer::default(), Some(layer))?;
    let terminal = said.terminal.resolve();
    let Resolved { spec, options, .. } =
        resolve_with_providers(said.layer, None, &environment.providers)?;
    let whole = job.whole(folder, spec);
    let spec = JobSpec { input: input.cloned().unwrap_or_else(|| whole.input.clone()), ..whole };
    Ok(Whole { job, spec, terminal, limits: options.cost })
}

/// Explains why the questions of a whole job cannot be read, for a command with `--questions`.
pub(super) fn not_as_split(error: JobError) -> UserError {
    let is_missing = matches!(error, JobError::Source(SourceError::Missing { .. }));
    let mut error = explain::job(error);
    if is_missing {
        let same = same_command_as(&given_name(), &["questions"]);
        error.hints = vec![format!("Say where they are now: `{same} --questions FILE`")];
    }
    error
}

/// A shard that is to be run.
pub(crate) struct OpenShard {
    folder: PathBuf,
    number: u32,
    job: JobFile,
    /// What the job says of settings, for one shard.
    pub(crate) layer: Layer,
}

impl ShardArgs {
    /// Reads the job, where one is named.
    pub(crate) fn open(&self, environment: &Environment) -> Result<Option<OpenShard>, UserError> {
        let (Some(folder), Some(word)) = (&self.job, self.shard) else { return Ok(None) };
        let job = JobFile::read(folder).map_err(explain::job_file)?;
        let number = match word {
            ShardWord::Number(number) => number,
            ShardWord::Auto => of_scheduler(environment)?,
        };
        job.shard(number).map_err(explain::job_file)?;
        let shards = NonZeroU32::new(job.count()).unwrap_or(NonZeroU32::MIN);
        let layer = settings::of_shard(&job.settings, shards)?;
        Ok(Some(OpenShard { folder: folder.clone(), number, job, layer }))
    }
}

fn of_scheduler(environment: &Environment) -> Result<u32, UserError> {
    let Some((name, value)) = environment.place_in_job() else {
        return Err(UserError::new(Exit::Usage, "no scheduler says which shard this is")
            .cause(format!("none of {} is set", SCHEDULER_VARIABLES.join(", ")))
            .hint("Name it: `--shard 0`"));
    };
    value.parse().map_err(|_| {
        UserError::new(Exit::Usage, format!("{name} is no number of a shard"))
            .cause(format!("it is `{}`", one_line(value)))
            .hint("Name the shard: `--shard 0`")
    })
}

impl OpenShard {
    /// Returns where it takes turns with other shards under these limits a minute. The job's own, which are
    /// divided among its shards, hold for all of them together however these are run.
    pub(crate) fn lanes(&self, minute: MinuteLimits) -> Option<Lanes> {
        let of_job = MinuteLimits { asks: self.layer.rpm, tokens: self.layer.tpm };
        (minute != of_job).then(|| Lanes { folder: self.folder.clone(), most: None })
    }

    /// Returns what is asked in this shard; `input` is where the questions are, where that is not
    /// where they were split. Fails where settings would make other shards of them.
    pub(crate) fn spec(&self, spec: JobSpec, input: Option<PathBuf>) -> Result<JobSpec, UserError> {
        self.job.check_settings(&spec).map_err(explain::job_file)?;
        let part = self.job.part(&self.folder, self.number, spec).map_err(explain::job_file)?;
        Ok(JobSpec { input: input.unwrap_or_else(|| part.input.clone()), ..part })
    }
}
