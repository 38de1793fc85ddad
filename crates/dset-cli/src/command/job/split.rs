//! `dset job split`: notes where each shard of an input begins.

use std::path::{Path, PathBuf};

use clap::Args;
use dset_core::settings::Resolved;
use dset_engine::run::budget::{LimitError, payees};
use dset_engine::shard::{JobFile, SplitInput, split};
use dset_engine::source::bad_row::BadRows;
use dset_engine::source::spool::STDIN;
#[cfg(feature = "postgres")]
use dset_engine::{shard::JobFileError, store::postgres::SharedJob};
use serde_json::json;

use super::settings::{self, check_limits, keep};
use crate::command::cost_limit::cannot_limit;
use crate::command::money::Money;
use crate::command::run::resolved;
use crate::command::shared::write_out;
use crate::display;
use crate::display::preamble::bad_rows;
use crate::display::text::{count, quoted};
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;
use crate::layers::{Environment, SettingsLayer, TerminalOptions};
use crate::schema_file;

#[derive(Debug, Args)]
#[command(
    after_help = "Writes `job.json` into the folder of the job and nothing else; nothing is asked. It says where \
every shard begins, which rows are alike, and the settings that are given here, so that `dset run --job job --shard 3` \
needs no more of them. A shard has the keys and rows that these have in a run of the whole file. The file must stay as \
it is until all shards are done; rows are never marked in it.

What is said here with --rpm, --tpm and --max-cost holds for the whole job and is divided evenly among its shards.

With --store the job and its questions are put on a PostgreSQL server too, for `dset work` on any machine; its workers \
share the limits.

Examples:
  dset job split q.csv --shards 64 -o job
  dset run --job job --shard 12
  dset job split q.csv --shards 64 --store postgres://me@db/jobs
  dset run --job job --shard auto        in a SLURM array or an indexed Kubernetes job"
)]
#[command(mut_arg("output", |arg| arg.help("Folder of the job [default: job]")))]
pub(crate) struct SplitArgs {
    #[command(flatten)]
    layer: SettingsLayer,

    /// How many shards, from 1 to 100,000
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    shards: u32,

    #[cfg(feature = "postgres")]
    #[command(flatten)]
    server: crate::command::work::server::ServerArgs,
}

/// Questions that were split.
pub(crate) struct Split {
    pub(crate) job: JobFile,
    bad_rows: BadRows,
    folder: PathBuf,
    terminal: TerminalOptions,
    /// What was not done as it was said, each with what to do about it.
    pub(crate) warnings: Vec<(String, Option<String>)>,
    /// The server that it was put on.
    server: Option<String>,
}

/// Splits, and prints nothing.
pub(crate) fn split_quietly(mut args: SplitArgs) -> Result<Split, UserError> {
    let folder = args.layer.layer.output.take().unwrap_or_else(|| PathBuf::from("job"));
    let environment = Environment::read(Path::new("."))?;
    let mut warnings = environment.warnings.clone();
    let mut said = environment.under(args.layer)?;
    // The job holds the schema itself: its file may change, or be on no other machine.
    schema_file::load(&mut said.layer)?;
    let terminal = said.terminal.resolve();
    #[cfg(feature = "postgres")]
    let address = args.server.address(&environment)?;
    #[cfg(feature = "postgres")]
    let is_divided = address.is_none();
    #[cfg(not(feature = "postgres"))]
    let is_divided = true;
    if is_divided {
        check_limits(&said.layer, args.shards)?;
    }
    let Resolved { spec, options, .. } = resolved(said.layer.clone(), &environment.providers)?;
    if spec.input == Path::new(STDIN) {
        return Err(UserError::new(Exit::Usage, "standard input cannot be split")
            .cause("every shard reads the file again, on its own machine")
            .hint("Write it into a file first, and split that"));
    }
    // A shard would say so, each of them.
    let money = Money::of(&environment);
    let pricing = money.pricing();
    if let Err(error) = payees(&spec, options.cost, pricing.prices) {
        let told = cannot_limit(&error, &spec, pricing.providers);
        if matches!(error, LimitError::NoBound { .. }) {
            return Err(told);
        }
        let hint = told.hints.into_iter().next();
        let what = format!(
            "{}: where it is not known either, each run ends with exit code 2",
            told.message
        );
        warnings.push((what, hint));
    }
    let kept = keep(&said.layer, spec.model().request.system.clone());
    if said.layer.base_url.iter().flatten().any(|url| settings::holds_more(url)) {
        let how = "Give it to every run: `dset run --job DIR --shard auto --base-url URL`";
        warnings.push((
            "the base URL is not kept in the job: a part of it may be a secret".to_owned(),
            Some(how.to_owned()),
        ));
    }
    if said.layer.max_cost_run.is_some() {
        let run = if is_divided { "run of a shard" } else { "worker" };
        warnings.push((
            format!(
                "`--max-cost-run` is a limit of each {run}, and of nothing that they spend together"
            ),
            Some("Limit the whole job with `--max-cost`".to_owned()),
        ));
    }
    #[cfg(feature = "postgres")]
    let is_new = matches!(JobFile::read(&folder), Err(JobFileError::Missing { .. }));
    let SplitInput { job, bad_rows } =
        split(spec, args.shards, &folder, kept).map_err(explain::job)?;
    #[cfg(feature = "postgres")]
    let server = match address {
        Some(address) => {
            let server = address.to_string();
            let put = SharedJob::put(address, &job, &folder, &options);
            if put.is_err() && is_new {
                JobFile::take_back(&folder);
            }
            put.map_err(explain::server)?;
            Some(server)
        }
        None => None,
    };
    #[cfg(not(feature = "postgres"))]
    let (server, _) = (None, options);
    Ok(Split { job, bad_rows, folder, terminal, warnings, server })
}

pub(super) fn run(args: SplitArgs) -> Result<Exit, UserError> {
    let Split { job, bad_rows, folder, terminal, warnings, server } = split_quietly(args)?;
    warnings.iter().for_each(|(text, hint)| display::warn(text, hint.as_deref()));
    match terminal.json {
        true => write_out(as_json(&job, &bad_rows, &folder, server.as_deref()).as_bytes()),
        false if terminal.quiet => {}
        false => write_out(in_words(&job, &bad_rows, &folder, server.as_deref()).as_bytes()),
    }
    Ok(Exit::Done)
}

fn as_json(job: &JobFile, bad: &BadRows, folder: &Path, server: Option<&str>) -> String {
    let value = json!({
        "v": 1,
        "job": folder.display().to_string(),
        "input": job.input_path(folder).display().to_string(),
        "hash": job.input.hash(),
        "questions": job.input.questions,
        "empty": job.input.empty,
        "bad_rows": bad.count,
        "shards": job.count(),
        "store": server,
    });
    format!("{value}\n")
}

fn in_words(job: &JobFile, bad: &BadRows, folder: &Path, server: Option<&str>) -> String {
    let name = quoted(&folder.display().to_string());
    let questions = job.input.questions;
    let shards = u64::from(job.count());
    let next = match server {
        Some(server) => {
            format!("dset work --store {}, on as many machines as you like", quoted(server))
        }
        None => format!("dset run --job {name} --shard 0, and so on to {}", shards - 1),
    };
    let skipped = bad_rows(bad).map(|words| words + "\n").unwrap_or_default();
    format!(
        "{}: {} questions in {} of about {}\n{skipped}next: {next}\n",
        job.input_path(folder).display(),
        count(questions),
        crate::display::text::of(shards, "shard"),
        count(questions.div_ceil(shards)),
    )
}
