//! `dset job limits`: what all workers of a job on a server may do together.

use std::path::Path;

use clap::Args;
use dset_core::money::Amount;
use dset_core::settings::Dollars;
use dset_engine::store::postgres::{SharedJob, SharedLimits, SharedSpending};
use serde_json::json;

use crate::command::money::Money;
use crate::command::shared::write_out;
use crate::command::work::server::{ServerArgs, missing};
use crate::display::page;
use crate::display::text::{count, of};
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;
use crate::layers::Environment;

#[derive(Debug, Args)]
#[command(
    after_help = "Without a limit it shows those there are, and what is booked of that of money: what runs were billed at \
most, and all that was granted to those that were killed, because what they had on their way may have been billed. Where the \
service's bill shows that it was not, --forgive-lost books of them what they recorded and no more; runs that a worker \
still has stay as they are. What is said replaces what was said to `dset job split` and holds for \
all workers together: rates within seconds, money for shards that are begun or gone on with from then on. Work that ended \
with exit code 5 goes on with `dset work` once --max-cost is higher.

Examples:
  dset job limits --store postgres://me@db/jobs
  dset job limits --store postgres://me@db/jobs --rpm 1200 --max-cost 80
  dset job limits --store postgres://me@db/jobs --forgive-lost"
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

    /// Give back what was granted to runs that were killed, but for what they recorded: the service's bill shows that the
    /// rest is not on it
    #[arg(long)]
    forgive_lost: bool,

    /// Write one JSON object to stdout
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &LimitsArgs) -> Result<Exit, UserError> {
    let environment = Environment::read(Path::new("."))?;
    let address = args.server.address(&environment)?.ok_or_else(|| missing(&environment))?;
    let said = SharedLimits {
        asks: args.rpm.map(u64::from),
        tokens: args.tpm,
        cost: args.max_cost.map(|Dollars(cost)| cost),
    };
    let open = match said != SharedLimits::default() || args.forgive_lost {
        true => SharedJob::open,
        false => SharedJob::open_to_read,
    };
    let mut job = open(address).map_err(explain::server)?;
    if said != SharedLimits::default() {
        job.change_limits(said).map_err(explain::server)?;
    }
    if args.forgive_lost {
        let money = Money::of(&environment);
        let unpriced = job.forgive_lost(money.pricing()).map_err(explain::server)?;
        if unpriced > 0 {
            return Err(without_prices(unpriced));
        }
    }
    let SharedLimits { asks, tokens, cost } = job.limits().map_err(explain::server)?;
    let spending = job.spending().map_err(explain::server)?;
    if args.json {
        let cost = cost.map(|cost| cost.to_string());
        page::json(json!({
            "rpm": asks,
            "tpm": tokens,
            "max_cost": cost,
            "booked": spending.booked.to_string(),
            "lost": spending.lost.to_string(),
            "lost_runs": spending.lost_runs,
        }));
        return Ok(Exit::Done);
    }
    let number = |most: Option<u64>| most.map_or_else(|| "no limit".to_owned(), count);
    let cost = cost.map_or_else(|| "no limit".to_owned(), |cost| format!("${cost}"));
    let mut text =
        format!("rpm       {}\ntpm       {}\nmax-cost  {cost}\n", number(asks), number(tokens));
    if spending.booked > Amount::ZERO {
        text += &format!("booked    {}{}\n", spending.booked.shown(), lost(&spending, args));
    }
    write_out(text.as_bytes());
    Ok(Exit::Done)
}

/// Says what of it was granted to runs that were killed, and what to do about that.
fn lost(spending: &SharedSpending, args: &LimitsArgs) -> String {
    if spending.lost_runs == 0 {
        return String::new();
    }
    format!(
        ", of it {} granted to {} that did not end, which may have been billed; `dset job limits {} \
         --forgive-lost` once the service's bill shows that it was not",
        spending.lost.shown(),
        of(spending.lost_runs, "run"),
        args.server.words()
    )
}

fn without_prices(runs: u64) -> UserError {
    let runs = of(runs, "run");
    UserError::new(
        Exit::Usage,
        format!("{runs} cannot be forgiven: what was recorded has no price here"),
    )
    .cause("what was billed for it stays booked, and is worked out by the prices of this machine")
    .hint("Say the price that the workers have: `dset prices set NAME --input 0.3 --output 1.2`")
}
