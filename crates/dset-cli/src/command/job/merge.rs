//! `dset job merge`: the shards of a job put together.

#[cfg(feature = "postgres")]
use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use dset_core::settings::{CostLimits, JobSpec};
use dset_engine::recover::rebuild::rebuild;
use dset_engine::run::prepare::{Decisions, Job};
use dset_engine::shard::merge::{Merged, job_status, keep_cost_limit, merge, take_in_rescued};
use dset_engine::shard::shard_folder;
use dset_engine::store::Store;
#[cfg(feature = "postgres")]
use dset_engine::store::postgres::{SharedJob, SharedShard};
use dset_engine::view::status::run_status;
use serde_json::json;

use super::shard::{Whole, not_as_split, whole};
use crate::command::export::{write_dataset, written};
use crate::command::merge::{as_json, exit, warn};
use crate::command::shared::write_out;
use crate::datasets::DatasetArgs;
use crate::display::page;
use crate::display::text::{count, of, quoted};
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;
#[cfg(feature = "postgres")]
use crate::layers::Environment;
use crate::layers::TerminalOptions;
use crate::run_selector::{RunSelectorArgs, RunSelectorFlags};

/// Unfinished shards that are named one by one, at most.
const NAMED_MAX: usize = 20;

#[derive(Debug, Args)]
#[command(
    after_help = "The answers of all shards go into one folder (`merged` in that of the job), with outputs in the order \
of the input, as a run of the whole file would have left it: every command takes it with `-o job/merged`. With --to a \
dataset is written too, as `dset export --to` does. It is refused where a shard is unfinished, unless --partial. Nothing is \
asked, and the shards stay as they are. With --store the answers come from the server, and `job.json` and the questions too
where the folder of the job lacks them.

Exit codes: 0 written, 1 disk or damaged store, 2 usage, a changed input, or unfinished shards, 11 a run has the folder.

Examples:
  dset job merge job
  dset job merge job --to data.parquet --layout chat
  dset job merge job --partial --to so-far.jsonl"
)]
pub(crate) struct JobMergeArgs {
    /// Folder of the job
    #[arg(value_name = "DIR", default_value = "job")]
    job: PathBuf,

    /// Where the questions are, if not where they were split
    #[arg(long, value_name = "FILE")]
    questions: Option<PathBuf>,

    /// Folder for all of it [default: merged, in that of the job]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,

    /// Take what there is, though shards are unfinished
    #[arg(long)]
    partial: bool,

    #[cfg(feature = "postgres")]
    #[command(flatten)]
    server: crate::command::work::server::ServerArgs,

    #[command(flatten)]
    dataset: DatasetArgs,

    /// Replace what is there under --to; a folder only if dset wrote it
    #[arg(long)]
    force: bool,

    /// Write one JSON object to stdout
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &JobMergeArgs) -> Result<Exit, UserError> {
    let request = args.dataset.request(args.force)?;
    let output = args.output.clone().unwrap_or_else(|| args.job.join("merged"));
    let is_new = !Store::exists(&output);
    #[cfg(feature = "postgres")]
    let brought = from_server(args, &output)?;
    #[cfg(not(feature = "postgres"))]
    let brought = None;
    let Together { merged, spec, terminal, limits, answered, missing } = match brought {
        Some(together) => together,
        None => from_folders(args, output)?,
    };
    // Whoever went on there has said what holds.
    if is_new && limits.are_set() {
        keep_cost_limit(&spec.output, limits).map_err(explain::job)?;
    }
    rebuild(&spec).map_err(explain::job)?;
    let which = RunSelectorArgs {
        input: Some(spec.input.clone()),
        flags: RunSelectorFlags {
            output: Some(spec.output.clone()),
            ..RunSelectorFlags::default()
        },
    };
    let exported = match &request {
        Some(request) => write_dataset(&spec, request, &which)?,
        None => None,
    };
    if args.json || terminal.json {
        let mut object = as_json(&merged);
        object["folder"] = json!(spec.output.display().to_string());
        object["answered"] = json!(answered);
        object["missing"] = json!(missing);
        object["dataset"] = exported.as_ref().map_or(json!(null), crate::command::export::object);
        page::json(object);
        return Ok(exit(&merged));
    }
    warn(&merged);
    let without = match missing {
        0 => String::new(),
        missing => format!(", {} without one", count(missing)),
    };
    write_out(
        format!("{}/: {}{without}\n", spec.output.display(), of(answered, "answer")).as_bytes(),
    );
    exported.iter().for_each(|exported| written(exported, &args.dataset));
    Ok(exit(&merged))
}

/// All shards in one store.
struct Together {
    merged: Merged,
    spec: JobSpec,
    terminal: TerminalOptions,
    /// What all of it may cost.
    limits: CostLimits,
    answered: u64,
    missing: u64,
}

fn from_folders(args: &JobMergeArgs, output: PathBuf) -> Result<Together, UserError> {
    let Whole { job, spec, terminal, limits } = whole(&args.job, args.questions.as_ref())?;
    job.check_input(&spec.input, None).map_err(|error| not_as_split(error.into()))?;
    let mut merged = Merged::default();
    for number in 0..job.count() {
        let shard = shard_folder(&args.job, number);
        take_in_rescued(&shard, &mut merged).map_err(explain::job)?;
    }
    let shards = job_status(&job, &args.job, &spec).map_err(not_as_split)?;
    let unfinished = shards.iter().filter(|shard| !shard.is_finished());
    let unfinished = unfinished.map(|shard| (shard.number, shard.ledger.pending)).collect();
    let name = quoted(&args.job.display().to_string());
    refuse_unfinished(args, unfinished, |first| format!("dset run --job {name} --shard {first}"))
        .inspect_err(|_| warn(&merged))?;
    let begun = shards.iter().filter(|shard| shard.has_store);
    let folders: Vec<PathBuf> = begun.map(|shard| shard_folder(&args.job, shard.number)).collect();
    merged.add(merge(&folders, &output, true).map_err(explain::merge)?);
    let spec = JobSpec { output, ..spec };
    if folders.is_empty() {
        // No shard tells what is to be asked.
        let decisions = Decisions { from_start: true, ..Decisions::default() };
        let whole = Job::prepare(spec.clone(), decisions, true).map_err(explain::job)?;
        drop(whole.begin().map_err(explain::job)?);
    }
    let ledger = run_status(&spec).map_err(explain::job)?.ledger;
    let (answered, missing) = (ledger.answered, ledger.failed() + ledger.pending);
    Ok(Together { merged, spec, terminal, limits, answered, missing })
}

/// Brings what is on a server, where one is named.
#[cfg(feature = "postgres")]
fn from_server(args: &JobMergeArgs, output: &Path) -> Result<Option<Together>, UserError> {
    let environment = Environment::read(Path::new("."))?;
    let Some(address) = args.server.address(&environment)? else { return Ok(None) };
    let server = address.to_string();
    let mut job = SharedJob::open_to_read(address).map_err(explain::server)?;
    let shards = job.status().map_err(explain::server)?;
    let all = |shard: &SharedShard| {
        let part = job.file.shards.get(shard.number as usize);
        part.map_or(0, |part| part.questions()).saturating_sub(shard.answers)
    };
    let left =
        |shard: &SharedShard| shard.ledger.map_or_else(|| all(shard), |ledger| ledger.pending);
    let unfinished = shards.iter().filter(|shard| !shard.is_done);
    let unfinished = unfinished.map(|shard| (shard.number, left(shard))).collect();
    refuse_unfinished(args, unfinished, |_| format!("dset work --store {}", quoted(&server)))?;
    job.file.write(&args.job).map_err(explain::job_file)?;
    let input = match &args.questions {
        Some(input) => input.clone(),
        None => job.input(&args.job).map_err(explain::server)?,
    };
    let Whole { job: file, spec, terminal, limits } = whole(&args.job, Some(&input))?;
    let total = job.limits().map_err(explain::server)?.cost;
    let limits = CostLimits { total: total.or(limits.total), ..limits };
    file.check_input(&spec.input, None).map_err(explain::source)?;
    let spec = JobSpec { output: output.to_owned(), ..spec };
    let brought = job.bring_all(output).map_err(explain::server)?;
    // As a run of the whole file leaves it, so that every command takes the folder.
    let whole = Job::prepare(spec.clone(), Decisions::default(), true).map_err(explain::job)?;
    let whole = whole.begin().map_err(explain::job)?;
    let report = whole.report().clone();
    drop(whole);
    let merged = Merged {
        taken: brought.answers,
        known: brought.known,
        bought_twice: brought.paid_twice,
        ..Merged::default()
    };
    let missing = report.answers.saturating_sub(report.answered);
    let answered = report.answered;
    Ok(Some(Together { merged, spec, terminal, limits, answered, missing }))
}

/// Fails with a list of the shards that are not done, each with how many questions are left.
fn refuse_unfinished(
    args: &JobMergeArgs,
    unfinished: Vec<(u32, u64)>,
    ask: impl FnOnce(u32) -> String,
) -> Result<(), UserError> {
    if args.partial || unfinished.is_empty() {
        return Ok(());
    }
    let named = unfinished.iter().take(NAMED_MAX).map(|(number, _)| number.to_string());
    let more = match unfinished.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let left: u64 = unfinished.iter().map(|(_, left)| left).sum();
    let shards = of(unfinished.len() as u64, "shard");
    Err(UserError::new(Exit::Usage, format!("{shards} of the job unfinished"))
        .cause(format!(
            "{} left in shard {}{more}",
            of(left, "question"),
            named.collect::<Vec<_>>().join(", ")
        ))
        .hint(format!("Ask the rest: `{}`", ask(unfinished[0].0)))
        .hint(format!("Take what there is: `{} --partial`", crate::display::text::same_command())))
}
