//! `dset merge`: folders that were asked apart, put together.

use std::path::PathBuf;

use clap::Args;
use dset_engine::shard::merge::{Contradiction, Merged, merge};
use dset_engine::store::{last_input, last_run};
use serde_json::{Value, json};

use crate::command::resume_command::{LastRun, resume_command};
use crate::command::shared::{from_here, write_out};
use crate::display;
use crate::display::page;
use crate::display::text::{count, of, one_line, quoted, shortened};
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;
use crate::run_selector::{RunSelectorArgs, RunSelectorFlags};

/// So much of a text is shown of a contradiction.
const SHOWN_MAX: usize = 60;

#[derive(Debug, Args)]
#[command(
    after_help = "Takes the answers of all folders into the store of the last, each once, by what was asked: so work \
that was done on two machines becomes one run. Where two folders have an answer to the same request, that of the first \
stays; the other is kept too (`dset show --raw`), and named where it differs. Nothing is asked, and the folders stay as they \
are, but for answers that wait in their dset.rescue: these go into their stores first, as in the next run. `dset run QUESTIONS -o C` then asks what none of them has, and writes the outputs.

Exit codes: 0 merged, 1 disk or damaged store (also where answers with a damaged text were not taken in), 2 usage, or a folder without a store, 11 a run has the folder C, or one that has rescued answers.

Examples:
  dset merge laptop desk -o both
  dset merge laptop -o desk             into a folder that has answers of its own"
)]
pub(crate) struct MergeArgs {
    /// Folders with a store
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,

    /// Folder that gets everything
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,

    /// Write one JSON object to stdout
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &MergeArgs) -> Result<Exit, UserError> {
    let merged = merge(&args.folders, &args.output, false).map_err(explain::merge)?;
    match args.json {
        true => page::json(as_json(&merged)),
        false => write_out(in_words(&merged, args).as_bytes()),
    }
    Ok(exit(&merged))
}

/// Says with 1 that answers could not be taken in.
pub(super) fn exit(merged: &Merged) -> Exit {
    if merged.damaged > 0 { Exit::Ours } else { Exit::Done }
}

/// What came of a merge, as JSON.
pub(super) fn as_json(merged: &Merged) -> Value {
    let one = |found: &Contradiction| json!({ "row": found.row, "question": found.question, "answers": found.answers });
    let damaged = |(folder, row): &(PathBuf, Option<i64>)| json!({ "folder": folder.display().to_string(), "row": row });
    json!({
        "taken": merged.taken,
        "known": merged.known,
        "bought_twice": merged.bought_twice,
        "contradictions": merged.contradictions,
        "damaged": merged.damaged,
        "first_damaged": merged.first_damaged.iter().map(damaged).collect::<Vec<_>>(),
        "rescued": merged.rescued,
        "rescued_unread": merged.unread,
        "first": merged.first.iter().map(one).collect::<Vec<_>>(),
    })
}

/// Says on standard error what was rescued, and what was bought twice.
pub(super) fn warn(merged: &Merged) {
    if merged.rescued > 0 {
        let answers = of(merged.rescued, "answer");
        display::remark(&format!("took in {answers} first that a run could only rescue"));
    }
    if merged.unread > 0 {
        let lines = of(merged.unread, "line");
        display::warn(
            &format!(
                "{lines} of what was rescued cannot be read; the file is kept as dset.rescue-unread"
            ),
            None,
        );
    }
    if merged.damaged > 0 {
        let answers = of(merged.damaged, "answer");
        let named = merged.first_damaged.iter().map(|(folder, row)| {
            let row = row.map_or_else(String::new, |row| format!(" row {row}"));
            format!("{}{row}", quoted(&folder.display().to_string()))
        });
        display::warn(
            &format!(
                "{answers} with a damaged text not taken in: {}; {} asked again unless another folder has {}",
                named.collect::<Vec<_>>().join(", "),
                if merged.damaged == 1 { "it is" } else { "they are" },
                if merged.damaged == 1 { "it" } else { "them" },
            ),
            None,
        );
    }
    if merged.bought_twice == 0 {
        return;
    }
    display::warn(
        &format!(
            "{} bought in two folders, {} with another answer: the first stays, the other is kept \
             beside it",
            of(merged.bought_twice, "answer"),
            count(merged.contradictions)
        ),
        None,
    );
    for found in &merged.first {
        let short = |text: &str| shortened(&one_line(text), SHOWN_MAX);
        let row = found.row.map_or_else(String::new, |row| format!("row {row}, "));
        display::remark(&format!(
            "{row}{}: `{}` and `{}`",
            short(&found.question),
            short(&found.answers[0]),
            short(&found.answers[1])
        ));
    }
}

/// Returns what all folders were asked from, or a word that stands for it.
fn questions(folders: &[PathBuf]) -> PathBuf {
    let mut inputs: Vec<_> = folders.iter().map(|folder| last_input(folder)).collect();
    inputs.dedup();
    match inputs.as_slice() {
        [Some(one)] => from_here(one),
        _ => "QUESTIONS".into(),
    }
}

fn in_words(merged: &Merged, args: &MergeArgs) -> String {
    warn(merged);
    let output = &args.output;
    let which = RunSelectorArgs {
        input: Some(questions(&args.folders)),
        flags: RunSelectorFlags { output: Some(output.clone()), ..RunSelectorFlags::default() },
    };
    let last = last_run(output).ok().flatten();
    let before = last.as_ref().and_then(|last| {
        let asked = (&*last.requests, last.samples);
        LastRun::of(Some(&last.endpoint), last.invocation.as_ref(), asked, last.cost_limit)
    });
    let next = resume_command(&which, before.as_ref(), &[]);
    let known = match merged.known {
        0 => String::new(),
        known => format!(", {} were there already", count(known)),
    };
    format!(
        "{}/: {} taken in{known}\nnext: {next} asks the rest and writes the outputs\n",
        output.display(),
        of(merged.taken, "answer")
    )
}
