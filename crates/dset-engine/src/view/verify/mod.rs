//! Whether the store, the outputs and the input agree, and what does not.
//!
//! Takes no lock and changes nothing. While a run goes on, what it is still about to write is left
//! out: the outputs are compared up to their marks, and the input's own marks not at all.

mod files;
mod integrity;
mod output;
mod rows;
mod texts;

use std::path::PathBuf;

use dset_core::key::RequestSettings;
use dset_core::plan::ledger::Ledger;
use dset_core::recover::output_diff::OutputDifference;
use dset_core::settings::{CostLimits, JobSpec};

use crate::error::JobError;
use crate::os::lock::{Running, holder, running};
use crate::store::{IntegrityError, Invocation, Store, open_readonly};
use crate::view::index::RowsSeen;
use crate::view::status::Rows;
use crate::view::verify::integrity::{damaged, unreadable};

/// Rows that are named by their question, at most.
const NAMED_MAX: usize = 3;

/// What was checked, and what came of it.
#[derive(Debug)]
pub struct VerifyReport {
    /// Whether a run is going on.
    pub running: Running,
    /// Where every question stands; absent where the store is too damaged to tell.
    pub ledger: Option<Ledger>,
    /// Answers of this generation in the store.
    pub answers: u64,
    /// The outputs, each with the rows that are in it as they should be.
    pub outputs: Vec<(&'static str, u64)>,
    /// What does not agree.
    pub differences: Vec<Difference>,
    /// What is worth knowing, and no disagreement.
    pub notes: Vec<Note>,
    /// The endpoint of the last run.
    pub endpoint: Option<String>,
    /// How the last run was called, where that is known.
    pub invocation: Option<Invocation>,
    /// What the last run let the folder cost.
    pub cost_limit: CostLimits,
    /// What it asked each model with; none where the store is too damaged to tell.
    pub requests: Vec<RequestSettings>,
    /// How many answers each was to give to a question.
    pub samples: u32,
}

/// Something that does not agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The store is damaged; what was found, a line each. Nothing else was checked.
    StoreDamaged(Vec<String>),
    /// References within the store lead nowhere.
    Dangling(IntegrityError, u64),
    /// A text of an answer is damaged, so that outputs with it were not compared.
    TextDamaged {
        /// The row of the input that it was given to, where it is known.
        row: Option<u64>,
        /// Which question it is the answer to, from 1; none where it stands in outputs alone.
        number: Option<u64>,
    },
    /// An output is not there.
    OutputMissing {
        /// Which.
        file: &'static str,
        /// Rows that it should have.
        rows: u64,
    },
    /// An output is shorter than what was written to it.
    OutputShort {
        /// Which.
        file: &'static str,
        /// Its length.
        bytes: u64,
        /// What it should have at least.
        written: u64,
    },
    /// Bytes of an output are not what they should be.
    Output {
        /// Which.
        file: &'static str,
        /// What, and where.
        misfit: OutputDifference,
        /// The question of the row that it concerns.
        question: Option<String>,
    },
    /// An output lacks its last rows, as after a crash.
    RowsUnwritten {
        /// Which.
        file: &'static str,
        /// How many rows; its end is within one where this is 0.
        rows: u64,
    },
    /// Rows taken over from the original script are not in an output any more.
    RowsOfScriptLacking {
        /// Which.
        file: &'static str,
        /// How many.
        rows: u64,
        /// The question of the first.
        question: String,
    },
    /// Answers whose place in the outputs was never decided, as after a crash.
    Unplaced(u64),
    /// The terms of the ledger do not add up.
    Ledger(Ledger),
    /// Rows say ERROR although they are answered.
    MarkedThoughAnswered(Rows),
    /// Rows ended without an answer and do not say ERROR.
    Unmarked(Rows),
    /// Marks are still to be written.
    MarksWaiting(Rows),
    /// Answers that a run could only rescue, to be taken in.
    Rescue(PathBuf),
    /// The earlier outputs are still to be moved away.
    MoveUnfinished,
    /// A rebuild of the outputs was cut short.
    RebuildUnfinished,
}

/// Something worth knowing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Rows of the outputs whose question is no longer in the input.
    Gone {
        /// How many.
        rows: u64,
        /// The first of their questions.
        first: Vec<String>,
    },
    /// Rows of the outputs whose answers count no more: they do not pass the checks, or were set aside.
    NotAccepted(u64),
    /// Answers with a damaged text that count no more, or for nothing.
    TextsDamaged(u64),
    /// Rows of `output.json` that say another row of the input than their question is in now.
    Moved(u64),
    /// Rows that the original script wrote: their texts were found, their order and form are its
    /// own.
    RowsOfScript {
        /// In which output.
        file: &'static str,
        /// How many.
        rows: u64,
    },
    /// Rows before a bookmark, of which there is no text.
    Presumed(u64),
    /// A file that was being written when its writer died.
    Leftover(PathBuf),
    /// Lines of a rescue file that could not be read.
    Unread(PathBuf),
}

/// What one check after the other has found.
#[derive(Debug, Default)]
struct Findings {
    differences: Vec<Difference>,
    notes: Vec<Note>,
}

/// Checks everything; `None` where there is no store.
pub fn verify(settings: &JobSpec) -> Result<Option<VerifyReport>, JobError> {
    let folder = &settings.output;
    let before = (running(folder), holder(folder));
    let checked = open_readonly(folder, |store| check(store, settings, before.0 != Running::No));
    let mut verified = match checked {
        Err(JobError::Store(error)) => match unreadable(&error) {
            Some(detail) => damaged(vec![detail]),
            None => return Err(error.into()),
        },
        Ok(None) => return Ok(None),
        checked => checked?.expect("matched above"),
    };
    let after = running(folder);
    // A run that began meanwhile has changed what was looked at: once more, knowing of it.
    if before.0 == Running::No && (after != Running::No || holder(folder) != before.1) {
        let again = open_readonly(folder, |store| check(store, settings, true))?;
        verified = again.unwrap_or(verified);
    }
    verified.running = if after == Running::No { before.0 } else { after };
    let found = files::check(settings, verified.running == Running::No);
    verified.differences.extend(found.differences);
    verified.notes.extend(found.notes);
    Ok(Some(verified))
}

/// Checks a store, and what should agree with it; `in_flux` where a run goes on.
fn check(store: &Store, settings: &JobSpec, in_flux: bool) -> Result<VerifyReport, JobError> {
    let generation = store.generation()?;
    let (mut index, dangling) = match integrity::check(store, settings, generation)? {
        Ok(sound) => sound,
        Err(report) => return Ok(*report),
    };
    let RowsSeen { ledger, marks, .. } = index.rows(store)?;
    let mut found = Findings::default();
    // Without its answers an order cannot be followed.
    let lost = [IntegrityError::PlaceWithoutAnswer, IntegrityError::KeyWithoutAnswer];
    let damaged = texts::check(store, &index, generation, &mut found)?;
    let order_holds = !damaged && dangling.iter().all(|(what, _)| !lost.contains(what));
    found.differences.extend(dangling.into_iter().map(integrity::told));
    if !ledger.balances() {
        found.differences.push(Difference::Ledger(ledger));
    }
    let outputs = output::check(store, settings, in_flux, order_holds, &mut found)?;
    if !in_flux {
        rows::unsettled(&index, marks, &mut found);
    }
    if ledger.presumed > 0 {
        found.notes.push(Note::Presumed(ledger.presumed));
    }
    rows::gone_and_moved(store, &mut index, &mut found)?;
    Ok(VerifyReport {
        running: Running::No,
        ledger: Some(ledger),
        answers: store.answers(generation)?,
        outputs,
        differences: found.differences,
        notes: found.notes,
        endpoint: store.last_life()?.map(|(endpoint, _)| endpoint),
        invocation: store.last_invocation()?,
        cost_limit: store.cost_limit()?,
        samples: index.plan.wanted().samples(),
        requests: index.requests,
    })
}
