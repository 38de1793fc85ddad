//! `dset job limits`: what all workers of a job on a server may do together.

use std::path::Path;

use clap::Args;
use dset_core::settings::Dollars;
use dset_engine::store::postgres::{SharedJob, SharedLimits};
use serde_json::json;

use crate::command::shared::write_out;
use crate::command::work::server::{ServerArgs, missing};
use crate::display::page;
use crate::display::text::count;
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;
use crate::layers::Environment;

#[derive(Debug, Args)]
#[command(
    after_help = "Without a limit it shows those there are. What is said replaces what was said to `dset job split` and holds for \
all workers together: rates within seconds, money for shards that are begun or gone on with from then on. Work that ended \
with exit code 5 goes on with `dset work` once --max-cost is higher.

Examples:
  dset job limits --store postgres://me@db/jobs
  dset job limits --store postgres://me@db/jobs --rpm 1200 --max-cost 80"
)]
pub(crate) struct LimitsArgs {
    #[command(flatten)]
    server: ServerArgs,

    /// Questions asked in a minute, at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rpm: Option<u32>,

    /// Tokens in a minute, in and out, at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    tpm: Option<u64>,

    /// US dollars that all of it may cost
    #[arg(long, value_name = "DOLLARS", allow_hyphen_values = true)]
    max_cost: Option<Dollars>,

    /// Write one JSON object to stdout
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &LimitsArgs) -> Result<Exit, UserError> {
    let environment = Environment::read(Path::new("."))?;
    let address = args.server.address(&environment)?.ok_or_else(missing)?;
    let mut job = SharedJob::open(address).map_err(explain::server)?;
    let said = SharedLimits {
        asks: args.rpm.map(u64::from),
        tokens: args.tpm,
        cost: args.max_cost.map(|Dollars(cost)| cost),
    };
    if said != SharedLimits::default() {
        job.change_limits(said).map_err(explain::server)?;
    }
    let SharedLimits { asks, tokens, cost } = job.limits().map_err(explain::server)?;
    if args.json {
        let cost = cost.map(|cost| cost.to_string());
        page::json(json!({ "rpm": asks, "tpm": tokens, "max_cost": cost }));
        return Ok(Exit::Done);
    }
    let number = |most: Option<u64>| most.map_or_else(|| "no limit".to_owned(), count);
    let cost = cost.map_or_else(|| "no limit".to_owned(), |cost| format!("${cost}"));
    write_out(
        format!("rpm       {}\ntpm       {}\nmax-cost  {cost}\n", number(asks), number(tokens))
            .as_bytes(),
    );
    Ok(Exit::Done)
}
