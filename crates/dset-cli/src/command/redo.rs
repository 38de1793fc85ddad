//! `dset redo`: asks rows again on purpose.

use std::ops::RangeInclusive;

use clap::Args;
use dset_engine::run::redo::RedoSelector;

use super::job::ShardArgs;
use super::run::{DecisionArgs, EndArgs, RunArgs, run_rows};
use crate::error::UserError;
use crate::exit::Exit;
use crate::layers::SettingsLayer;

#[derive(Debug, Args)]
#[command(
    mut_arg("input", |input| input.long("questions").value_name("FILE")),
    mut_arg("offset", |offset| offset.hide(true)),
    mut_arg("sample", |sample| sample.hide(true)),
    after_help = "A row keeps the answer it has until another is accepted in its place; the old one stays in the \
store, and `dset show N` has it. Rows that are in the outputs are replaced by `dset export --rebuild`. What it costs is said \
before it begins, and asked at a terminal where it is much, as `dset run` does; other rows are not \
asked. Where it was killed or ended early, the same command asks what is left. \
Model, service, prompts and checks are those of dset.toml, the environment and these flags: give those that \
the run was given. `--questions FILE` names the questions.

N is the number of a question in the file, the first being 1, as in `dset show`.

Exit codes: as those of `dset run`.

Examples:
  dset redo 42
  dset redo 100-200
  dset redo --where \"level > 4\"
  dset redo --failed                 those that used up their tries, too
  dset redo --failed --job job --shard 12"
)]
pub(crate) struct RedoArgs {
    /// Number of the question in the file, or the first and the last of several
    #[arg(value_name = "N|FIRST-LAST", value_parser = numbers)]
    #[arg(required_unless_present_any = ["where", "failed"], conflicts_with_all = ["where", "failed"])]
    numbers: Option<RangeInclusive<u64>>,

    /// Those that failed, also those that used up their tries
    #[arg(long, conflicts_with = "where")]
    failed: bool,

    /// Answers that other settings bought stay as they are; these rows are asked with the new ones
    #[arg(long = "continue")]
    keep: bool,

    /// Begin without a question, whatever it is going to cost
    #[arg(long)]
    yes: bool,

    #[command(flatten)]
    layer: SettingsLayer,

    #[command(flatten)]
    shard: ShardArgs,
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
    let mut layer = args.layer;
    if layer.layer.offset.is_some() || layer.layer.sample.is_some() {
        return Err(UserError::new(
            Exit::Usage,
            "--offset and --sample say nothing of rows to redo",
        )
        .hint("Name the rows by their numbers, with `--where EXPR`, or `--failed`"));
    }
    let which = match (args.numbers, layer.layer.r#where.take()) {
        (Some(numbers), _) => RedoSelector::Numbers(numbers),
        (None, Some(condition)) => RedoSelector::Where(condition),
        (None, None) => RedoSelector::Failed,
    };
    let run = RunArgs {
        layer,
        decisions: DecisionArgs { yes: args.yes, keep: args.keep, ..DecisionArgs::default() },
        dataset: EndArgs::default(),
        shard: args.shard,
        #[cfg(unix)]
        ack_fd: None,
    };
    run_rows(run, None, Some(which))
}
