//! `dset export --to`: a dataset, whole and of one kind in every row.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use dset_core::layout::{LAYOUTS, Layout, ReasoningPlace, layout};
use dset_engine::export::{ExportRequest, Exported, LeftOut, Order, Samples, Shards, export};
use serde_json::{Value, json};

use super::{DatasetArgs, ExportArgs, OrderArg, Reasoning, SamplesArg};
use crate::display::page::{self, GOOD, Page};
use crate::display::text::{count, of, one_line};
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;
use crate::spelling::meant;

/// Files that are named one by one; of more only how many there are.
const FILES_NAMED_MAX: usize = 6;

pub(super) fn run(args: &ExportArgs, to: &Path) -> Result<Exit, UserError> {
    let (settings, terminal) = crate::command::shared::settings_of(&args.which)?;
    let said = &args.dataset;
    let request = request(said, to)?;
    let is_json = said.json || terminal.json;
    let shows = !is_json && !terminal.quiet && std::io::stderr().is_terminal();
    let mut progress = |done: u64, all: u64| {
        if shows {
            // Overwritten by the next one, and erased at the end.
            let _ = write!(std::io::stderr(), "\r{} of {}", count(done), of(all, "question"));
        }
    };
    let exported = export(&settings, &request, &mut progress);
    if shows {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
    let exported = exported.map_err(|error| explain::export(error, &args.which))?;
    let Some(exported) = exported else {
        return Err(crate::command::shared::nothing_asked(&args.which, &settings));
    };
    if is_json {
        page::json(object(&exported));
    } else {
        show(&exported, said);
    }
    Ok(Exit::Done)
}

fn request<'a>(said: &'a DatasetArgs, to: &'a Path) -> Result<ExportRequest<'a>, UserError> {
    Ok(ExportRequest {
        to,
        layout: named(said.layout.as_deref().unwrap_or("rows"))?,
        reasoning: said.reasoning.map(|place| match place {
            Reasoning::Field => ReasoningPlace::Field,
            Reasoning::Think => ReasoningPlace::Think,
            Reasoning::Drop => ReasoningPlace::Drop,
        }),
        keep: said.keep.as_deref(),
        rename: &said.rename,
        filter: said.filter.as_deref(),
        rank: said.rank.as_deref(),
        samples: match said.samples {
            None | Some(SamplesArg::All) => Samples::All,
            Some(SamplesArg::First) => Samples::First,
            Some(SamplesArg::Best) => Samples::Best,
        },
        order: match said.order {
            None | Some(OrderArg::Input) => Order::Input,
            Some(OrderArg::Answered) => Order::Answered,
            Some(OrderArg::Shuffle) => Order::Shuffle(said.seed.unwrap_or(0)),
        },
        splits: said.split.as_ref(),
        shards: match (said.shards, said.shard_rows) {
            (Some(files), _) => Shards::Count(files),
            (None, Some(rows)) => Shards::Rows(rows),
            (None, None) => Shards::One,
        },
        dedup: said.dedup.is_some(),
        strict: said.strict,
        skip_unfit: said.skip_unfit,
        failed: said.failed,
        force: said.force,
    })
}

fn named(name: &str) -> Result<&'static dyn Layout, UserError> {
    let names = || LAYOUTS.iter().map(|layout| layout.name().to_owned());
    layout(name).ok_or_else(|| {
        let error = UserError::new(Exit::Usage, format!("there is no layout `{}`", one_line(name)))
            .cause(format!("the layouts are: {}", names().collect::<Vec<_>>().join(", ")));
        match meant(name, names()) {
            Some(meant) => error.hint(format!("Perhaps `--layout {meant}`")),
            None => error.hint("See `dset help export` for what each is for"),
        }
    })
}

/// What was left out, each with its number and its words.
fn left_out(left_out: &LeftOut) -> [(&'static str, u64, &'static str, &'static str); 6] {
    let LeftOut { unanswered: _, filtered, duplicates, other_samples, chats, one_answer, ties } =
        *left_out;
    [
        ("filtered", filtered, "answer", "left out by --where"),
        ("duplicates", duplicates, "answer", "left out: in the words of an earlier one"),
        ("other_samples", other_samples, "answer", "left out beside the one that was taken"),
        ("chats", chats, "question", "left out: chats of several turns"),
        (
            "one_answer",
            one_answer,
            "question",
            "left out: one answer, and nothing to set it against",
        ),
        ("ties", ties, "question", "left out: all answers rank the same"),
    ]
}

fn show(exported: &Exported, said: &DatasetArgs) {
    let page = Page::open();
    let (tick, files) = (page.tick, &exported.files);
    match files.len() {
        ..=FILES_NAMED_MAX => {
            for file in files {
                let line = format!(" {}: {}", file.path.display(), of(file.rows, "row"));
                page.line(GOOD, tick, &line, 2);
            }
        }
        number => {
            let first = files[0].path.display();
            let rows = of(exported.rows(), "row");
            let line = format!(" {first} and {} more: {rows}", of(number as u64 - 1, "file"));
            page.line(GOOD, tick, &line, 2);
        }
    }
    let say = |line: String| page.line(anstyle::Style::new(), "  ", &line, 2);
    let missing = exported.left_out.unanswered;
    if missing > 0 && !said.failed {
        say(format!("{} missing yet", of(missing, "answer")));
    }
    for (_, number, noun, words) in left_out(&exported.left_out) {
        if number > 0 {
            say(format!("{} {words}", of(number, noun)));
        }
    }
}

fn object(exported: &Exported) -> Value {
    let files = exported.files.iter().map(|file| {
        json!({
            "path": file.path, "split": file.split, "rows": file.rows, "bytes": file.bytes,
        })
    });
    let mut left = json!({ "unanswered": exported.left_out.unanswered });
    for (name, number, ..) in left_out(&exported.left_out) {
        left[name] = json!(number);
    }
    json!({
        "rows": exported.rows(),
        "files": files.collect::<Vec<_>>(),
        "left_out": left,
    })
}
