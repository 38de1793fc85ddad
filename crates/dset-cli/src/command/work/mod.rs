//! `dset work`: asks shards of a job that lies on a server, until none is left.

mod patience;
pub(crate) mod server;
pub(crate) mod status;

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use dset_core::run::{EndReason, Spending};
use dset_core::settings::{CostLimits, JobSpec, Layer, Resolved, RunOptions};
use dset_engine::error::JobError;
use dset_engine::os::clock::unix_ms;
use dset_engine::os::lock::Lock;
use dset_engine::run::lanes::Lanes;
use dset_engine::run::prepare::Decisions;
use dset_engine::run::redo::{AskedSince, RedoSelector};
use dset_engine::store::postgres::{Brought, Claim, Lease, Pushed, SharedJob, WorkerFunds};

use self::patience::Patience;
use self::server::ServerArgs;
use super::job::settings::of_shard;
use super::money::Money;
use super::run::{Asked, Extras, Keys, RunSettings, ask, keys_of, resolved};
use crate::display;
use crate::display::text::{by, count, of};
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;
use crate::layers::{Environment, SettingsLayer, TerminalOptions};
use crate::same_command::same_command_as;

/// How often a worker looks that finds no free shard, at first and later: one may become free, or the job be done. It has
/// no connection meanwhile, and makes one for each look.
const LOOK_EVERY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));
/// How long a shard belongs to a worker that says nothing more.
const LEASE_SECONDS: u32 = 30;

#[derive(Debug, Args)]
#[command(
    after_help = "Takes one shard after the other of the job that `dset job split --store` put on the server, asks it, and \
ends when none is left. Any number of workers may do so at once, on any machine; one that is killed has its shard taken \
over by another after half a minute, with every answer that was there. What the job says of --rpm, --tpm and --max-cost holds \
for all workers together; what is said here holds for this one beside that.

Questions that failed are not asked again by themselves: --again-failed opens the shards again in which there are any, for all \
workers, and asks them once more, whatever was tried before. Where that is going on already, the worker takes part in it.

Every answer is durable on the server and in this worker's own folder before it counts. Where the server is away, nothing is \
asked, and the worker waits for it. Each worker has a folder of its own.

The address is that of PostgreSQL 13 or later: postgres://USER@HOST:PORT/DATABASE, with ?schema=NAME where a database has \
several jobs. The password comes from PGPASSWORD; --store without an address takes it from DSET_STORE, which may hold the \
password too.

Exit codes: 0 all answered, 1 disk or internal error, 2 usage, settings, the server's version or rights, 3 some questions \
failed, 4 key missing or refused, 5 out of money, 6 service or server unreachable, 11 another worker has the folder, 130 and \
143 stopped.

Examples:
  dset job split q.csv --shards 64 --store postgres://me@db/jobs
  dset work --store postgres://me@db/jobs
  dset work --store postgres://me@db/jobs --again-failed
  DSET_STORE=postgres://me:word@db/jobs dset work --store -o worker-2
  dset job merge --store postgres://me@db/jobs --to data.parquet"
)]
#[command(mut_arg("output", |arg| arg.help("Folder of this worker [default: dset-work]")))]
#[command(mut_arg("input", |arg| arg.help("Where the questions are, if they are not to be brought from the server")))]
pub(crate) struct WorkArgs {
    #[command(flatten)]
    layer: SettingsLayer,

    #[command(flatten)]
    server: ServerArgs,

    /// Ask once more what failed in shards that are done, also what used up its tries
    #[arg(long)]
    again_failed: bool,

    /// How long a shard belongs to a worker that says nothing more (for tests)
    #[arg(long, value_name = "SECONDS", hide = true, default_value_t = LEASE_SECONDS)]
    lease: u32,
}

pub(super) fn run(mut args: WorkArgs) -> Result<Exit, UserError> {
    let environment = Environment::read(Path::new("."))?;
    environment.warn();
    let patience = Patience::listen()?;
    let address =
        args.server.address(&environment)?.ok_or_else(|| server::missing(&environment))?;
    let folder = args.layer.layer.output.take().unwrap_or_else(|| PathBuf::from("dset-work"));
    let own_input = args.layer.layer.input.take();
    let mut job = SharedJob::open(address).map_err(explain::server)?;
    job.stop_when(patience.stop());
    let settings = Settings::read(&environment, args.layer, &job)?;
    let in_folder = |error| explain::job(JobError::folder(&folder, error));
    fs_err::create_dir_all(&folder).map_err(in_folder)?;
    let lock = Lock::take(&folder, unix_ms()).map_err(|e| explain::job(JobError::lock(&folder, e)));
    let _lock = lock?;
    job.file.write(&folder).map_err(explain::job_file)?;
    match &own_input {
        Some(input) => job.file.check_input(input, None).map_err(explain::source)?,
        None => match job.input(&folder) {
            Err(_) if patience.is_stopped() => return Ok(patience.stopped()),
            input => drop(input.map_err(explain::server)?),
        },
    }
    let worker = Worker {
        holder: holder(),
        lasts: Duration::from_secs(u64::from(args.lease.max(1))),
        environment: &environment,
        settings,
        folder,
        own_input,
    };
    if args.again_failed && !worker.open_failed(&mut job, &patience)? {
        return Ok(patience.stopped());
    }
    worker.work(&mut job, &patience)
}

/// What says who has a shard: the machine, the process, and when it began.
fn holder() -> String {
    let host = fs_err::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = match host.trim() {
        "" => std::env::var("COMPUTERNAME").unwrap_or_else(|_| "worker".to_owned()),
        host => host.to_owned(),
    };
    format!("{host}, process {}, {}", std::process::id(), display::text::clock(unix_ms()))
}

/// What every shard is asked with.
struct Settings {
    spec: JobSpec,
    options: RunOptions,
    terminal: TerminalOptions,
    keys: Vec<Option<secrecy::SecretString>>,
    key_from: Option<&'static str>,
    state: Option<PathBuf>,
}

impl Settings {
    fn read(
        environment: &Environment,
        said: SettingsLayer,
        job: &SharedJob,
    ) -> Result<Settings, UserError> {
        let of_job = of_shard(&job.file.settings, NonZeroU32::MIN)?;
        // The server shares them out.
        let of_job = Layer { rpm: None, tpm: None, max_cost: None, ..of_job };
        let said = environment.under_with(said, Some(of_job))?;
        let Resolved { spec, options, warnings } =
            resolved(said.layer.clone(), &environment.providers)?;
        job.file.check_settings(&spec).map_err(explain::job_file)?;
        for (text, hint) in super::oddities::oddities(&spec, &warnings, &environment.providers) {
            display::warn(&text, hint.as_deref());
        }
        let (keys, key_from) = keys_of(environment, &spec, &said)?;
        for (model, key) in spec.models.iter().zip(&keys) {
            if model.key_variable.is_some() && key.is_none() {
                return Err(environment.no_key(model));
            }
        }
        Ok(Settings {
            keys,
            key_from,
            state: environment.state_folder().filter(|_| options.share_pace),
            terminal: said.terminal.resolve(),
            spec,
            options,
        })
    }
}

struct Worker<'e> {
    holder: String,
    lasts: Duration,
    environment: &'e Environment,
    settings: Settings,
    folder: PathBuf,
    /// Where the questions are, if the user says it.
    own_input: Option<PathBuf>,
}

impl Worker<'_> {
    /// Opens the shards again in which questions failed; returns false if the worker is to stop.
    fn open_failed(&self, job: &mut SharedJob, patience: &Patience) -> Result<bool, UserError> {
        let Some(open) = patience.for_server(|| job.ask_failed_again())? else { return Ok(false) };
        self.say(&match open {
            0 => "nothing has failed in shards that are done".to_owned(),
            _ => format!("what failed is asked again in {}", of(open, "shard")),
        });
        Ok(true)
    }

    fn work(&self, job: &mut SharedJob, patience: &Patience) -> Result<Exit, UserError> {
        let brought = patience.for_server(|| job.bring_left_over(&self.folder, &self.holder))?;
        let Pushed { answers, damaged } = brought.unwrap_or_default();
        if answers > 0 {
            let answers = of(answers, "answer");
            self.say(&format!("{answers} of an earlier run brought to the server"));
        }
        warn_of_damaged(damaged);
        let mut funds = self.funds(job)?;
        let mut waits = None::<Duration>;
        loop {
            let claim =
                patience.for_server(|| job.claim(&self.holder, self.lasts, &self.folder))?;
            match claim {
                None => return Ok(patience.stopped()),
                Some(Claim::Done) => break,
                Some(Claim::Busy { shards }) => {
                    if waits.is_none() {
                        let left = of(shards, "shard");
                        self.say(&format!(
                            "{left} left, and other workers have them: waiting, in case one dies"
                        ));
                    }
                    job.disconnect();
                    let wait = waits.unwrap_or(LOOK_EVERY.0.min(self.lasts / 10));
                    waits = Some((wait * 2).min(LOOK_EVERY.1).min(self.lasts / 6));
                    if !patience.wait(wait) {
                        return Ok(patience.stopped());
                    }
                }
                Some(Claim::Leased(lease)) => {
                    waits = None;
                    if let Some(exit) = self.ask_shard(job, &lease, patience, &mut funds)? {
                        return Ok(exit);
                    }
                }
            }
        }
        let shards = patience.for_server(|| job.status())?.unwrap_or_default();
        let failed: u64 =
            shards.iter().filter_map(|shard| shard.ledger).map(|ledger| ledger.failed()).sum();
        let done = of(shards.len() as u64, "shard");
        self.say(&match failed {
            0 => format!("all {done} done"),
            _ => format!(
                "all {done} done, {} failed: `{} --again-failed` asks {} again",
                of(failed, "question"),
                same_command_as("run", &["again_failed"]),
                by(failed, "it", "them")
            ),
        });
        Ok(if failed > 0 { Exit::Marked } else { Exit::Done })
    }

    /// Returns what this worker may spend: of its own limit what its earlier runs left.
    fn funds(&self, job: &SharedJob) -> Result<WorkerFunds, UserError> {
        let own = self.settings.options.cost;
        let folder_before = match own.total {
            Some(_) => {
                let money = Money::of(self.environment);
                job.billed_in(&self.folder, money.pricing()).map_err(explain::server)?
            }
            None => Spending::default(),
        };
        Ok(WorkerFunds { own, folder_before, ..WorkerFunds::default() })
    }

    fn say(&self, words: &str) {
        if !self.settings.terminal.quiet && !self.settings.terminal.json {
            display::remark(words);
        }
    }

    /// Asks one shard; returns how the whole is to end, if it is.
    fn ask_shard(
        &self,
        job: &mut SharedJob,
        lease: &Lease,
        patience: &Patience,
        funds: &mut WorkerFunds,
    ) -> Result<Option<Exit>, UserError> {
        let taken = patience.for_server(|| job.take_over(lease, &self.folder))?;
        let Some((brought, pushed, asked_since)) = taken else {
            let _ = job.release(lease, None, None);
            return Ok(Some(patience.stopped()));
        };
        self.say(&shard_line(job, lease, brought, pushed.answers));
        warn_of_damaged(pushed.damaged);
        let Some(of_job) = patience.for_server(|| job.cost_limit())? else {
            let _ = job.release(lease, None, None);
            return Ok(Some(patience.stopped()));
        };
        funds.of_job = of_job;
        let input = match &self.own_input {
            Some(input) => Some(input.clone()),
            None => patience.for_server(|| job.input(&self.folder))?,
        };
        let Some(input) = input else {
            let _ = job.release(lease, None, None);
            return Ok(Some(patience.stopped()));
        };
        let asked = self.ask(job, lease, input, asked_since, *funds);
        let Asked { ending, agreed, .. } = match asked {
            Ok(ended) => ended,
            Err(error) => {
                let _ = job.release(lease, None, None);
                return Err(error);
            }
        };
        if brought.unjudged > 0 {
            patience.for_server(|| job.bring_verdicts(lease, &self.folder))?;
        }
        let billed = ending.budget.map(|budget| {
            let billed = budget.in_run();
            funds.folder_before += billed;
            funds.run_before += billed;
            billed.sum()
        });
        let release = || job.release(lease, Some(&ending.ledger), billed);
        let is_over = !matches!(ending.reason, EndReason::Complete | EndReason::LeaseLost);
        // A worker that ends does not wait to say so: its lease runs out.
        let released = match is_over {
            true => {
                let mut release = release;
                release().ok()
            }
            false => patience.for_server(release)?,
        };
        if released.is_none() {
            display::warn(
                "the server was not told how this shard ended",
                Some("Run the same command in this folder again: it brings there what is missing"),
            );
        }
        Ok(is_over.then(|| Exit::of(&ending, agreed)))
    }

    fn ask(
        &self,
        job: &mut SharedJob,
        lease: &Lease,
        input: PathBuf,
        asked_since: AskedSince,
        funds: WorkerFunds,
    ) -> Result<Asked, UserError> {
        let Settings { spec, options, terminal, keys, key_from, state } = &self.settings;
        let part = job.file.part(&self.folder, lease.number, spec.clone());
        let part = part.map_err(explain::job_file)?;
        let spec = JobSpec { input, ..part };
        let keys = Keys { keys, from: *key_from, environment: self.environment };
        let shared = Some(job.work(lease, funds));
        // What is said of limits here is the worker's, whichever shard it has.
        let lanes = Some(Lanes { folder: self.folder.clone(), most: None });
        let extras = Extras { shared, lanes, yes: true, ..Extras::default() };
        let of_job = funds.of_job.map(|job| job.total);
        let total = [options.cost.total, of_job].into_iter().flatten().min();
        let cost = CostLimits { total, ..options.cost };
        let options = RunOptions { cost, ..options.clone() };
        let settings = RunSettings { spec, options, terminal: *terminal };
        let redo = lease.is_again.then_some(RedoSelector::Unanswered(asked_since));
        let decisions = Decisions { redo, ..Decisions::default() };
        ask(settings, decisions, &keys, state.as_deref(), extras)
    }
}

/// Says which answers only this machine has, and cannot read.
fn warn_of_damaged(damaged: u64) {
    if damaged > 0 {
        let (answers, are) = (of(damaged, "answer"), by(damaged, "it is", "they are"));
        let words = "with a damaged text not brought to the server";
        display::warn(&format!("{answers} {words}: {are} asked again"), None);
    }
}

fn shard_line(job: &SharedJob, lease: &Lease, brought: Brought, pushed: u64) -> String {
    let mut line = format!("shard {} of {}", lease.number, count(job.file.count().into()));
    if brought.answers > 0 {
        line += &format!(", {} taken over from other workers", of(brought.answers, "answer"));
    }
    if pushed > 0 {
        line += &format!(", {} brought to the server", of(pushed, "answer"));
    }
    line
}
