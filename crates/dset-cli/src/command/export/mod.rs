//! `dset export`: datasets of the answers, and the outputs written anew.

mod at_end;
mod dataset;
mod rebuild;

use clap::Args;
use dset_engine::export::ExportRequest;

pub(crate) use self::at_end::DatasetsAtEnd;
pub(crate) use self::dataset::object;
pub(super) use self::dataset::{write_dataset, written};
use crate::datasets::DatasetArgs;
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
`reasoning`, `model`, `sample`, `finish_reason`, `prompt_tokens`, `completion_tokens`, `reasoning_tokens`, `seconds`, `rating`, `note`, `id` and `question`; \
a column with the name of one of those is `row.answer`. What is compared with a number is read as one.

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
  dset export --to dpo.jsonl --layout preference --rank rating --where rating
  dset export --to again.csv --failed                  what has no answer yet, to be asked again
  dset export --rebuild                                after rows were moved or removed in q.csv
  dset export --rebuild --csv-bom                      output.csv as Excel wants it"
)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) which: RunSelectorArgs,

    #[command(flatten)]
    dataset: DatasetArgs,

    /// Replace what is there; a folder only if dset wrote it
    #[arg(long, conflicts_with = "rebuild")]
    force: bool,

    /// Write one JSON object to stdout
    #[arg(long, conflicts_with = "rebuild")]
    json: bool,

    /// Write the outputs anew, in the order of the questions
    #[arg(long, conflicts_with = "to")]
    pub(crate) rebuild: bool,

    /// Begin output.csv with a byte order mark, by which Excel knows UTF-8 [default: as the file is]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_name = "BOOL", hide_possible_values = true, requires = "rebuild")]
    #[arg(value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) csv_bom: Option<bool>,

    /// Give output.csv the column `id` behind its others [default: as the file is]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(value_name = "BOOL", hide_possible_values = true, requires = "rebuild")]
    #[arg(value_parser = clap::builder::BoolishValueParser::new())]
    csv_id: Option<bool>,
}

impl ExportArgs {
    /// Returns the dataset that is wanted, where one is.
    pub(crate) fn request(&self) -> Result<Option<ExportRequest<'_>>, UserError> {
        self.dataset.request(self.force)
    }
}

pub(super) fn run(args: &ExportArgs) -> Result<Exit, UserError> {
    if args.rebuild {
        return rebuild::run(args);
    }
    dataset::run(args)
}
