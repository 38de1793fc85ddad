//! `dset job merge`: the shards of a job put together.

use std::path::PathBuf;

use clap::Args;
use dset_core::settings::JobSpec;
use dset_engine::recover::rebuild::rebuild;
use dset_engine::shard::merge::{ShardStatus, job_status, merge};
use dset_engine::shard::shard_folder;
use serde_json::json;

use super::shard::whole;
use crate::command::export::{write_dataset, written};
use crate::command::merge::{as_json, warn};
use crate::command::shared::write_out;
use crate::datasets::DatasetArgs;
use crate::display::page;
use crate::display::text::{count, of};
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;
use crate::run_selector::{RunSelectorArgs, RunSelectorFlags};

/// Unfinished shards that are named one by one, at most.
const NAMED_MAX: usize = 20;

#[derive(Debug, Args)]
#[command(
    after_help = "The answers of all shards go into one folder (`merged` in that of the job), with outputs in the order \
of the input, as a run of the whole file would have left it: every command takes it with `-o job/merged`. With --to a \
dataset is written too, as `dset export --to` does. It is refused where a shard is unfinished, unless --partial. Nothing is \
asked, and the shards stay as they are.

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
    let (job, spec, terminal) = whole(&args.job, args.questions.as_ref())?;
    job.check_input(&spec.input, None).map_err(explain::source)?;
    let shards = job_status(&job, &args.job, &spec).map_err(explain::job)?;
    refuse_unfinished(args, &shards)?;
    let begun = shards.iter().filter(|shard| shard.has_store);
    let folders: Vec<PathBuf> = begun.map(|shard| shard_folder(&args.job, shard.number)).collect();
    let output = args.output.clone().unwrap_or_else(|| args.job.join("merged"));
    let merged = merge(&folders, &output).map_err(explain::merge)?;
    let spec = JobSpec { output, ..spec };
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
    let failed = shards.iter().map(|shard| shard.ledger.failed()).sum::<u64>();
    let missing = failed + shards.iter().map(|shard| shard.ledger.pending).sum::<u64>();
    let answered = shards.iter().map(|shard| shard.ledger.answered).sum::<u64>();
    if args.json || terminal.json {
        let mut object = as_json(&merged);
        object["folder"] = json!(spec.output.display().to_string());
        object["answered"] = json!(answered);
        object["missing"] = json!(missing);
        object["dataset"] = exported.as_ref().map_or(json!(null), crate::command::export::object);
        page::json(object);
        return Ok(Exit::Done);
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
    Ok(Exit::Done)
}

/// Fails with a list of the shards that are not done.
fn refuse_unfinished(args: &JobMergeArgs, shards: &[ShardStatus]) -> Result<(), UserError> {
    let unfinished: Vec<&ShardStatus> =
        shards.iter().filter(|shard| !shard.is_finished()).collect();
    if args.partial || unfinished.is_empty() {
        return Ok(());
    }
    let named = unfinished.iter().take(NAMED_MAX).map(|shard| shard.number.to_string());
    let more = match unfinished.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let left: u64 = unfinished.iter().map(|shard| shard.ledger.pending).sum();
    let shards = of(unfinished.len() as u64, "shard");
    let name = crate::display::text::quoted(&args.job.display().to_string());
    Err(UserError::new(Exit::Usage, format!("{shards} of the job unfinished"))
        .cause(format!(
            "{} left in shard {}{more}",
            of(left, "question"),
            named.collect::<Vec<_>>().join(", ")
        ))
        .hint(format!("Ask the rest: `dset run --job {name} --shard {}`", unfinished[0].number))
        .hint(format!("Take what there is: `{} --partial`", crate::display::text::same_command())))
}
