//! `dset export --to`: a dataset, whole and of one kind in every row.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use dset_core::settings::JobSpec;
use dset_engine::export::{ExportError, ExportRequest, Exported, ExportedFile, LeftOut, export};
use dset_engine::store::waiting_answers;
use dset_engine::view::browse::SideFiles;
use serde_json::{Value, json};

use super::ExportArgs;
use crate::config_file::ConfigFile;
use crate::datasets::DatasetArgs;
use crate::display;
use crate::display::page::{self, GOOD, Page};
use crate::display::terminal_variables;
use crate::display::text::{self, by, count, of, row_numbers};
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;
use crate::layers::project_path;
use crate::run_selector::RunSelectorArgs;

/// Files that are named one by one; of more only how many there are.
const FILES_NAMED_MAX: usize = 6;

pub(super) fn run(args: &ExportArgs) -> Result<Exit, UserError> {
    let (which, spec, terminal) = crate::command::shared::settings_of(&args.which)?;
    let datasets = match &args.dataset.to {
        Some(_) => vec![args.dataset.clone()],
        None => ConfigFile::read(&project_path(Path::new(".")))?.datasets,
    };
    if datasets.is_empty() {
        return Err(nothing_said(args));
    }
    let is_json = args.json || terminal.json;
    let side = SideFiles::beside(&spec.output, &terminal_variables::cache_folder());
    let mut objects = Vec::new();
    let ended = each_dataset(&datasets, |said| {
        let Some(request) = said.request(args.force)? else { return Ok(()) };
        let request = ExportRequest { reviews_in: Some(&side.folder), ..request };
        let exported = write(&spec, &request, !is_json && !terminal.quiet)
            .map_err(|error| explain::export(error, &which))?
            .ok_or_else(|| crate::command::shared::nothing_asked(&which, &spec))?;
        match is_json {
            true => objects.push(object(&exported)),
            false => written(&exported, said),
        }
        Ok(())
    });
    match (is_json, &args.dataset.to) {
        (false, _) => {}
        (true, Some(_)) => objects.into_iter().for_each(page::json),
        (true, None) => page::json(json!({ "datasets": objects })),
    }
    ended.map(|()| Exit::Done)
}

/// Writes every dataset that can be written. Of those that cannot the error of the last is returned, and the others'
/// are shown; where there are several datasets, each with the place that it is of.
pub(super) fn each_dataset(
    datasets: &[DatasetArgs],
    mut write: impl FnMut(&DatasetArgs) -> Result<(), UserError>,
) -> Result<(), UserError> {
    let mut failed = Ok(());
    for said in datasets {
        let Err(error) = write(said) else { continue };
        let error = match (&said.to, datasets.len()) {
            (Some(to), 2..) if !error.message.contains(&*to.to_string_lossy()) => {
                let message = format!("{}: {}", to.display(), error.message);
                UserError { message, ..error }
            }
            _ => error,
        };
        if let Err(before) = std::mem::replace(&mut failed, Err(error)) {
            UserError::print(&before);
        }
    }
    failed
}

/// Writes a dataset of the run that flags name.
pub(in crate::command) fn write_dataset(
    spec: &JobSpec,
    request: &ExportRequest<'_>,
    which: &RunSelectorArgs,
) -> Result<Option<Exported>, UserError> {
    write(spec, request, true).map_err(|error| explain::export(error, which))
}

/// Says what was written.
pub(in crate::command) fn written(exported: &Exported, said: &DatasetArgs) {
    let (page, lines) = (Page::open(), lines(exported, said));
    lines.files.iter().for_each(|line| page.line(GOOD, page.tick, line, 2));
    let plain = anstyle::Style::new();
    lines.left_out.iter().for_each(|line| page.line(plain, "  ", line, 2));
}

/// Writes a dataset, with progress on a terminal; `None` where there is no store.
pub(super) fn write(
    spec: &JobSpec,
    request: &ExportRequest<'_>,
    shows: bool,
) -> Result<Option<Exported>, ExportError> {
    let shows = shows && std::io::stderr().is_terminal();
    let mut progress = |done: u64, all: u64| {
        if shows {
            // Overwritten by the next one, and erased at the end.
            let _ = write!(std::io::stderr(), "\r{} of {}", count(done), of(all, "question"));
        }
    };
    let rescued = waiting_answers(&spec.output);
    if rescued > 0 {
        display::warn(
            &format!("{} in dset.rescue, and not in the dataset yet", of(rescued, "answer")),
            Some("The next `dset run` there takes them in first"),
        );
    }
    let exported = export(spec, request, &mut progress);
    if shows {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
    exported
}

fn nothing_said(args: &ExportArgs) -> UserError {
    UserError::new(Exit::Usage, "nothing was said of what to export")
        .cause("`dset export` writes a dataset, or the outputs anew")
        .hint(format!("Write a dataset with `{} --to rows.jsonl`", args.which.command("export")))
        .hint(format!("Write them anew with `{} --rebuild`", args.which.command("export")))
}
/// What was left out, each with its number and its words.
fn left_out(left_out: &LeftOut) -> [(&'static str, u64, &'static str, &'static str); 9] {
    let LeftOut {
        unanswered: _,
        filtered,
        duplicates,
        other_samples,
        chats,
        one_answer,
        ties,
        gone,
        unwanted,
        bad_rows,
    } = *left_out;
    [
        ("filtered", filtered, "answer", "left out by --where"),
        ("duplicates", duplicates, "answer", "left out: in the words of an earlier one"),
        ("other_samples", other_samples, "answer", "left out beside the one that was taken"),
        ("chats", chats, "question", "left out: chats of several turns"),
        ("one_answer", one_answer, "question", "left out: no answer to set another against"),
        ("ties", ties, "question", "left out: all answers rank the same"),
        ("gone", gone, "answer", "left out: the question is no longer in the file"),
        (
            "unwanted",
            unwanted,
            "answer",
            "left out: of samples or models that the last run did not want",
        ),
        ("bad_rows", bad_rows, "row", "left out that cannot be asked"),
    ]
}

/// What was written, a line each; and what has no row in it.
pub(super) struct Lines {
    pub(super) files: Vec<String>,
    pub(super) left_out: Vec<String>,
}

pub(super) fn lines(exported: &Exported, said: &DatasetArgs) -> Lines {
    let files = match &exported.files[..] {
        [first, rest @ ..] if rest.len() >= FILES_NAMED_MAX => {
            let (first, more) = (first.path.display(), of(rest.len() as u64, "file"));
            vec![format!(" {first} and {more} more: {}", of(exported.rows(), "row"))]
        }
        files => {
            let line =
                |file: &ExportedFile| format!(" {}: {}", file.path.display(), of(file.rows, "row"));
            files.iter().map(line).collect()
        }
    };
    let missing = Some(exported.left_out.unanswered).filter(|&number| number > 0 && !said.failed);
    let missing = missing.map(|number| format!("{} missing yet", of(number, "answer")));
    let counts = left_out(&exported.left_out).into_iter().filter(|(_, number, ..)| *number > 0);
    let counts = counts.map(|(_, number, noun, words)| format!("{} {words}", of(number, noun)));
    let empty = exported.empty_splits.iter();
    let empty = empty.map(|name| format!("no row fell to the split {name}, which is left out"));
    let nul = Some(&exported.with_nul).filter(|rows| rows.count > 0).map(|rows| {
        format!(
            "{} {} a NUL character, which is kept ({}): not every program reads such CSV, and dset does not; JSON \
             lines are read by all",
            of(rows.count, "row"),
            by(rows.count, "has", "have"),
            row_numbers(rows),
        )
    });
    let sent = Some(exported.sent_unknown).filter(|&number| number > 0).map(|number| {
        format!(
            "{} {} beside the prompt of the last run: what was sent cannot be made any more, because a column that it \
             was made of is gone",
            of(number, "answer"),
            by(number, "stands", "stand"),
        )
    });
    let not_chosen = Some(exported.not_chosen).filter(|&number| number > 0).map(|number| {
        format!(
            "of {} in it that the run left out: answers of earlier runs are written, too (`dset export \
             --where` chooses)",
            of(number, "question"),
        )
    });
    let before = text::judged_before(&exported.judged_before);
    let left_out = missing.into_iter().chain(counts).chain(empty).chain(nul).chain(sent);
    let left_out = left_out.chain(not_chosen).chain(before);
    Lines { files, left_out: left_out.collect() }
}

pub(crate) fn object(exported: &Exported) -> Value {
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
        "with_nul": exported.with_nul,
        "empty_splits": exported.empty_splits,
        "sent_unknown": exported.sent_unknown,
        "judged_before": exported.judged_before.rows,
        "not_chosen": exported.not_chosen,
    })
}
