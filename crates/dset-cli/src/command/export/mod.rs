//! `dset export`: datasets of the answers, and the outputs written anew.

mod dataset;
mod rebuild;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use dset_core::layout::split::Splits;

use crate::error::UserError;
use crate::exit::Exit;
use crate::run_selector::RunSelectorArgs;

#[derive(Debug, Args)]
#[command(
    after_help = "A dataset is written whole, from the questions and the store, as often as you like; \
nothing is asked, and the same questions, answers and options give the same bytes. The ending of PATH says \
what is written: .jsonl, .json, .csv (each also .gz or .zst) or .parquet. A PATH with a slash at its end, \
or without an ending, becomes a folder as the Hugging Face Hub has them, with a card. There is one row for \
every answer; in `preference` and `open-r1` one for every question.

Expressions are written as in a template, without braces, and see the columns of the question's row, `answer`, \
`reasoning`, `model`, `sample`, `finish_reason`, `prompt_tokens`, `completion_tokens`, `reasoning_tokens`, `seconds`, `id` and `question`; \
a column with the name of one of those is `row.answer`. Columns of a CSV file are text: `level|int > 3`.

A rebuild writes the outputs anew: every answered \
question that is in the file of questions, in its order, once. Rows whose question was removed are \
left out; their answers stay in the store. Outputs that hold anything that dset did not write are \
copied to .earlier/<time>/ first. Nothing is asked. Cut short at any moment, it is finished by the \
next `dset run` or rebuild.

Exit codes: 0 written, 1 disk or damaged store, 2 usage or input, or nothing was asked yet, 3 answers \
are missing and --strict wants all, 11 a run has the folder (rebuild alone).

Examples:
  dset export --to rows.jsonl                          your columns and everything about the answers
  dset export --to sft.parquet --layout chat           for TRL, axolotl and others
  dset export --to lf.json --layout sharegpt           for LLaMA-Factory, reasoning in <think>
  dset export --to hub/ --layout chat --split train=0.98,test=0.02
  dset export --to dpo.jsonl --layout preference --rank 'row.gold in answer'
  dset export --to again.csv --failed                  what has no answer yet, to be asked again
  dset export --rebuild                                after rows were moved or removed in q.csv
  dset export --rebuild --csv-bom                      output.csv as Excel wants it"
)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) which: RunSelectorArgs,

    /// Write a dataset there: a file, or a folder for the Hub
    #[arg(long, value_name = "PATH", conflicts_with = "rebuild")]
    to: Option<PathBuf>,

    #[command(flatten)]
    dataset: DatasetArgs,

    /// Write the outputs anew, in the order of the questions
    #[arg(long)]
    pub(crate) rebuild: bool,

    /// Begin output.csv with a byte order mark, by which Excel knows UTF-8 [default: as the file is]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_name = "BOOL", hide_possible_values = true, requires = "rebuild")]
    #[arg(value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) csv_bom: Option<bool>,
}

/// What is said of a dataset beside where it goes.
#[derive(Debug, Args)]
struct DatasetArgs {
    /// What its rows are: rows, chat, openai, prompt-completion, sharegpt, alpaca, preference, kto, open-r1,
    /// thoughts, s1k or batch-results [default: rows]
    #[arg(long, value_name = "NAME", requires = "to")]
    layout: Option<String>,

    /// Where reasoning goes: field (of its own), think (before the answer, in think tags) or drop
    /// [default: as the layout has it]
    #[arg(long, value_name = "WHERE", requires = "to", hide_possible_values = true)]
    reasoning: Option<Reasoning>,

    /// Keep these columns of the questions [default: all in rows and open-r1, none in others]
    #[arg(long, value_name = "COLUMNS", requires = "to", value_delimiter = ',')]
    keep: Option<Vec<String>>,

    /// Give a column another name, as in `answer=output`; can be given again
    #[arg(long, value_name = "OLD=NEW", requires = "to", value_parser = pair)]
    rename: Vec<(String, String)>,

    /// Only answers of which this expression holds
    #[arg(long = "where", value_name = "EXPR", requires = "to")]
    filter: Option<String>,

    /// An expression that is higher, or true, for better answers
    #[arg(long, value_name = "EXPR", requires = "to")]
    rank: Option<String>,

    /// Which answers of a question: all, first or best (by --rank) [default: all]
    #[arg(long, value_name = "WHICH", requires = "to", hide_possible_values = true)]
    samples: Option<SamplesArg>,

    /// In which order: input, answered or shuffle [default: input]
    #[arg(long, value_name = "ORDER", requires = "to", hide_possible_values = true)]
    order: Option<OrderArg>,

    /// Another number, another shuffle [default: 0]
    #[arg(long, value_name = "N", requires = "order")]
    seed: Option<u64>,

    /// Divide the rows, by the names of their questions
    #[arg(long, value_name = "NAME=SHARE,…", requires = "to", value_parser = Splits::parse)]
    split: Option<Splits>,

    /// Leave out what was asked and answered in the same words before: exact
    #[arg(long, value_name = "HOW", requires = "to", hide_possible_values = true)]
    dedup: Option<DedupArg>,

    /// Write so many files, with numbers in their names
    #[arg(long, value_name = "N", requires = "to", conflicts_with = "shard_rows")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=99_999))]
    shards: Option<u32>,

    /// Write files of so many rows, with numbers in their names
    #[arg(long, value_name = "N", requires = "to")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    shard_rows: Option<u64>,

    /// Write nothing if an answer is missing
    #[arg(long, requires = "to")]
    strict: bool,

    /// Leave out rows that the layout has no place for, and count them
    #[arg(long, requires = "to")]
    skip_unfit: bool,

    /// Only questions without an answer, with their columns as they are, to be asked again
    #[arg(long, requires = "to")]
    #[arg(conflicts_with_all = ["layout", "reasoning", "filter", "rank", "samples", "dedup", "strict"])]
    failed: bool,

    /// Replace what is there; a folder only if dset wrote it
    #[arg(long, requires = "to")]
    force: bool,

    /// Write one JSON object to stdout
    #[arg(long, requires = "to")]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Reasoning {
    Field,
    Think,
    Drop,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SamplesArg {
    All,
    First,
    Best,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OrderArg {
    Input,
    Answered,
    Shuffle,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DedupArg {
    Exact,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((old, new)) if !old.is_empty() && !new.is_empty() => Ok((old.into(), new.into())),
        _ => Err("it is written OLD=NEW".to_owned()),
    }
}

pub(super) fn run(args: &ExportArgs) -> Result<Exit, UserError> {
    if let Some(to) = &args.to {
        return dataset::run(args, to);
    }
    if args.rebuild {
        return rebuild::run(args);
    }
    Err(UserError::new(Exit::Usage, "nothing was said of what to export")
        .cause("`dset export` writes a dataset, or the outputs anew")
        .hint(format!("Write a dataset with `{} --to rows.jsonl`", args.which.command("export")))
        .hint(format!("Write them anew with `{} --rebuild`", args.which.command("export"))))
}
