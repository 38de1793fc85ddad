//! `dset job status`: where every shard of a job stands.

use std::path::{Path, PathBuf};

use clap::Args;
use dset_core::plan::ledger::Ledger;
use dset_engine::os::lock::Running;
use dset_engine::shard::JobFile;
use dset_engine::shard::merge::{ShardStatus, job_status};
use serde_json::{Value, json};

use super::shard::{Whole, not_as_split, whole};
use crate::command::shared::write_out;
use crate::display::page;
use crate::display::text::{count, of, quoted};
use crate::error::UserError;
use crate::exit::Exit;
#[cfg(feature = "postgres")]
use crate::layers::Environment;

#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is asked or changed; shards may be running. A shard is done when every question of it has \
an answer or failed; `dset run --job DIR --shard N` asks what failed again, `dset redo --failed` with the same flags also what used up its tries.

Examples:
  dset job status job
  dset job status job --json
  dset job status --store postgres://me@db/jobs"
)]
pub(crate) struct StatusArgs {
    /// Folder of the job
    #[arg(value_name = "DIR", default_value = "job")]
    job: PathBuf,

    /// Where the questions are, if not where they were split
    #[arg(long, value_name = "FILE")]
    questions: Option<PathBuf>,

    #[cfg(feature = "postgres")]
    #[command(flatten)]
    server: crate::command::work::server::ServerArgs,

    /// Write one JSON object to stdout
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &StatusArgs) -> Result<Exit, UserError> {
    #[cfg(feature = "postgres")]
    if let Some(address) = args.server.address(&Environment::read(Path::new("."))?)? {
        return crate::command::work::status::show(&args.server, address, args.json);
    }
    let Whole { job, spec, terminal, .. } = whole(&args.job, args.questions.as_ref())?;
    let shards = job_status(&job, &args.job, &spec).map_err(not_as_split)?;
    match args.json || terminal.json {
        true => page::json(as_json(&job, &shards)),
        false => {
            let (input, questions) = (spec.input.display(), of(job.input.questions, "question"));
            let head = format!("{input}: {questions} in {}\n", of(job.count().into(), "shard"));
            let hint = failed_hint(&args.job, &shards).unwrap_or_default();
            write_out((head + &table(&shards) + &hint).as_bytes());
        }
    }
    Ok(Exit::Done)
}

/// What to do about questions that failed in shards that are done.
fn failed_hint(job: &Path, shards: &[ShardStatus]) -> Option<String> {
    let has_failed = |shard: &&ShardStatus| shard.is_finished() && shard.ledger.failed() > 0;
    let first = shards.iter().find(has_failed)?.number;
    let shard = format!("--job {} --shard {first}", quoted(&job.display().to_string()));
    Some(format!(
        "\nhint: `dset run {shard}` asks what failed again, `dset redo --failed {shard}` also what used up its \
         tries\n"
    ))
}

/// Says in a word where a shard stands.
fn word(shard: &ShardStatus) -> &'static str {
    match (&shard.running, shard.has_store) {
        (Running::Yes(_), _) => "running",
        (_, false) => "not begun",
        _ if shard.is_finished() && shard.ledger.failed() > 0 => "done, with failures",
        _ if shard.is_finished() => "done",
        _ => "stopped",
    }
}

fn sum(shards: &[ShardStatus]) -> Ledger {
    shards.iter().map(|shard| shard.ledger).fold(Ledger::default(), |all, one| Ledger {
        questions: all.questions + one.questions,
        answered: all.answered + one.answered,
        presumed: all.presumed + one.presumed,
        rejected: all.rejected + one.rejected,
        gave_up: all.gave_up + one.gave_up,
        pending: all.pending + one.pending,
    })
}

fn table(shards: &[ShardStatus]) -> String {
    let line = |name: &str, ledger: &Ledger, word: &str| {
        let numbers = [ledger.questions, ledger.answered, ledger.failed(), ledger.pending];
        let [all, answered, failed, left] = numbers.map(count);
        let line = format!("{name:>6} {all:>12} {answered:>12} {failed:>9} {left:>12}  {word}");
        line.trim_end().to_owned() + "\n"
    };
    let head = " shard    questions     answered    failed         left\n".to_owned();
    let rows = shards.iter().map(|one| {
        let words = match one.rescued {
            0 => word(one).to_owned(),
            number => format!(
                "{}, and {} in dset.rescue, which its next run takes in",
                word(one),
                of(number, "answer")
            ),
        };
        line(&one.number.to_string(), &one.ledger, &words)
    });
    let finished = shards.iter().filter(|shard| shard.is_finished()).count() as u64;
    let last = format!("{} of {} done", count(finished), of(shards.len() as u64, "shard"));
    head + &rows.collect::<String>() + &line("all", &sum(shards), &last)
}

fn as_json(job: &JobFile, shards: &[ShardStatus]) -> Value {
    let one = |shard: &ShardStatus| {
        json!({
            "shard": shard.number,
            "state": word(shard),
            "finished": shard.is_finished(),
            "rows": job.shards[shard.number as usize].rows,
            "ledger": shard.ledger,
            "rescued": shard.rescued,
        })
    };
    json!({
        "ledger": sum(shards),
        "shards": shards.iter().map(one).collect::<Vec<_>>(),
    })
}
