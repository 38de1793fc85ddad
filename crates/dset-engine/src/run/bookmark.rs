//! A bookmark of the original script: the first row that says ERROR, where there is no record of any
//! answer. The script is taken to have answered the rows before it, if the user says so.

use std::collections::HashSet;
use std::path::Path;

use dset_core::settings::JobSpec;
use fs_err as fs;

use crate::error::JobError;
use crate::run::plan_input::PlannedInput;
use crate::run::prepare::Decisions;
use crate::store::open_readonly;

/// Returns the questions before the first bookmark, where there is no record of any answer: those
/// that are to be taken as answered, if that was said. None where all are to be asked; an error where
/// nobody has said either.
pub(crate) fn bare_bookmark(
    scanned: &PlannedInput,
    settings: &JobSpec,
    decisions: &Decisions,
) -> Result<Vec<[u8; 16]>, JobError> {
    let before = scanned.planner.before_first_mark();
    let (Some(row), false) = (scanned.first_marked_row, before.is_empty()) else {
        return Ok(Vec::new());
    };
    if decisions.from_bookmark {
        return Ok(before);
    }
    let asks_all = decisions.from_start || decisions.ask_again;
    if asks_all || is_mark_of_other_run(settings, &scanned.planner.marked()) {
        return Ok(Vec::new());
    }
    Err(JobError::Bookmark {
        path: settings.input.clone(),
        folder: settings.output.clone(),
        row,
        before: before.len() as u64,
        questions: scanned.planner.len() as u64,
    })
}

/// Tells whether a store of another run, in a folder beside the questions or beside this run's
/// folder, knows that one of these questions failed: then the marks are that run's, and no bookmark
/// of the original script.
fn is_mark_of_other_run(settings: &JobSpec, marked: &HashSet<[u8; 16]>) -> bool {
    let above = |path: &Path| Some(std::path::absolute(path).ok()?.parent()?.to_owned());
    let real = |path: &Path| path.canonicalize().ok();
    let (input, folder) = (&settings.input, &settings.output);
    let own = real(folder);
    let folders = [above(input), real(input).and_then(|real| above(&real)), above(folder)];
    let beside = folders.into_iter().flatten();
    let beside = beside.filter_map(|above| fs::read_dir(above).ok()).flatten().flatten();
    let knows = |path: &Path| open_readonly(path, |store| store.has_failed(marked));
    beside
        .map(|entry| entry.path())
        .filter(|path| real(path) != own)
        .any(|path| matches!(knows(&path), Ok(Some(true))))
}
