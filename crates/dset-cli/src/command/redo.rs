//! `dset redo`: asks rows again on purpose.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::Args;
use dset_core::check::OnFail;
use dset_core::settings::{Concurrency, Layer};
use dset_engine::run::redo::RedoSelector;

use super::job::ShardArgs;
use super::run::{DecisionArgs, EndArgs, RunArgs, run_rows};
use crate::error::UserError;
use crate::exit::Exit;
use crate::layers::SettingsLayer;

#[derive(Debug, Args)]
#[command(
    after_help = "The answers that the rows have stay in the store, and count no more: `dset show N` \
has them. Rows that are in the outputs are replaced by `dset export --rebuild`. What it costs is said \
before it begins, and asked at a terminal where it is much, as `dset run` does; other rows are not \
asked.
Model, service and checks are those of dset.toml, the environment and these flags.

N is the number of a question in the file, the first being 1, as in `dset show`.

Exit codes: as those of `dset run`.

Examples:
  dset redo 42
  dset redo 100-200
  dset redo --where \"level > 4\"
  dset redo --failed                 those that used up their tries, too"
)]
pub(crate) struct RedoArgs {
    /// Number of the question in the file, or the first and the last of several
    #[arg(value_name = "N|FIRST-LAST", value_parser = numbers)]
    #[arg(required_unless_present_any = ["rows", "failed"], conflicts_with_all = ["rows", "failed"])]
    numbers: Option<RangeInclusive<u64>>,

    /// Those of which an expression over their columns holds
    #[arg(long = "where", value_name = "EXPR", conflicts_with = "failed")]
    rows: Option<String>,

    /// Those that failed, also those that used up their tries
    #[arg(long)]
    failed: bool,

    /// Begin without a question, whatever it is going to cost
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    layer: RedoLayer,
}

/// The settings of a run; what chooses rows there is not said here.
#[derive(Debug, Args)]
struct RedoLayer {
    /// CSV file with the questions [default: q.csv]
    #[arg(long, value_name = "FILE")]
    questions: Option<PathBuf>,

    /// Folder of the outputs [default: dset_generator]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,

    /// Model to ask [default: as settings say]
    #[arg(short, long, value_name = "NAME", value_delimiter = ',')]
    model: Option<Vec<String>>,

    /// Ask this service instead of the model's own
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    base_url: Option<Vec<String>>,

    /// Name of the variable that holds the key, or `none`
    #[arg(long, value_name = "NAME")]
    key: Option<String>,

    /// Column with the right answers
    #[arg(long, value_name = "COLUMN")]
    gold: Option<String>,

    /// What a failed check does: retry, mark or keep
    #[arg(long, value_name = "WHAT", hide_possible_values = true)]
    on_fail: Option<OnFail>,

    /// Questions asked at once, at most
    #[arg(short, long, value_name = "N")]
    concurrency: Option<Concurrency>,
}

fn numbers(text: &str) -> Result<RangeInclusive<u64>, String> {
    let number = |text: &str| match text.trim().parse() {
        Ok(number @ 1..) => Ok(number),
        _ => Err(format!("`{text}` is no number of a question, like 42 or 100-200")),
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last)?);
    if first > last { Err("it ends before it begins".into()) } else { Ok(first..=last) }
}

pub(super) fn run(args: RedoArgs) -> Result<Exit, UserError> {
    let which = match (args.numbers, args.rows) {
        (Some(numbers), _) => RedoSelector::Numbers(numbers),
        (None, Some(condition)) => RedoSelector::Where(condition),
        (None, None) => RedoSelector::Failed,
    };
    let of = args.layer;
    let layer = Layer {
        input: of.questions,
        output: of.output,
        model: of.model,
        base_url: of.base_url,
        key: of.key,
        gold: of.gold,
        on_fail: of.on_fail,
        concurrency: of.concurrency,
        ..Layer::default()
    };
    let run = RunArgs {
        layer: SettingsLayer::from(layer),
        decisions: DecisionArgs { yes: args.yes, ..DecisionArgs::default() },
        dataset: EndArgs::default(),
        shard: ShardArgs::default(),
        #[cfg(unix)]
        ack_fd: None,
    };
    run_rows(run, None, Some(which))
}
