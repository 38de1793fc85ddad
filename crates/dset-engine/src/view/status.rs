//! Where a run stands, as its store and its input say: while it goes on, and after it ended in
//! whatever way. Nothing is asked, made or changed.

use std::collections::BTreeMap;

use dset_core::acceptance::Outcome;
use dset_core::check::OnFail;
use dset_core::item::Status;
use dset_core::item::error_marks::MarksColumn;
use dset_core::item::question::QuestionIndex;
use dset_core::key::RequestSettings;
use dset_core::plan::ledger::{Fault, Ledger};
use dset_core::run::Planned;
use dset_core::settings::{CostLimits, JobSpec};
use serde::Serialize;

use crate::error::JobError;
use crate::os::clock::unix_ms;
use crate::os::lock::{Running, running};
use crate::output::live::{LiveFormat, has_outputs, legacy, live_formats};
use crate::run::choice::LeftOut;
use crate::run::plan_input::for_each_planned;
use crate::run::run_plan::{RunPlan, ScannedInput};
use crate::source::bad_row::BadRows;
use crate::store::{
    FailedAsks, Invocation, OpenRedo, Recent, Session, Store, open_readonly, waiting_answers,
};
use crate::view::check_stats::labels;
use crate::view::index::{RowsSeen, RunIndex};
use crate::view::judged_before::JudgedBefore;

/// Rows that are named one by one, at most.
const NAMED_MAX: usize = 5;

/// Where a run stands.
#[derive(Debug)]
pub struct RunStatus {
    /// Where every question stands.
    pub ledger: Ledger,
    /// Rows that are skipped because they are empty.
    pub empty: u64,
    /// Rows that are left out because they cannot be asked.
    pub bad_rows: BadRows,
    /// Rows that the user left out.
    pub left_out: LeftOut,
    /// Why questions ended without an answer.
    pub failed: Vec<EndedCount>,
    /// How many wanted answers each check keeps from being accepted, by its name.
    pub failed_checks: BTreeMap<String, u64>,
    /// Rows whose answers were judged against another value than they have now.
    pub judged_before: JudgedBefore,
    /// Answers among those that failed which a run with these settings does not ask for again: they
    /// were cut by a token limit that is no higher now.
    pub kept: u64,
    /// Pending ones that are answered, and whose answers programs are still to judge.
    pub unjudged: u64,
    /// What the rows of the input say; `None` where that is never written.
    pub marks: Option<RowMarks>,
    /// The outputs.
    pub outputs: Vec<OutputState>,
    /// Rows whose place in the outputs is decided.
    pub placed: u64,
    /// Whether a run is going on.
    pub running: Running,
    /// The last run; absent where there was none.
    pub session: Option<Session>,
    /// What was asked again on purpose and is not all done.
    pub open_redos: Vec<OpenRedoState>,
    /// How the last run was called, where that is known.
    pub invocation: Option<Invocation>,
    /// What came lately, while a run goes on. What is on its way only the run itself knows.
    pub recent: Option<Recent>,
    /// Asks that failed, in every run.
    pub failed_asks: FailedAsks,
    /// What each model is asked with.
    pub requests: Vec<RequestSettings>,
    /// How many answers a run would ask each for.
    pub left_by_model: Vec<u64>,
    /// How many answers each is to give to a question.
    pub samples: u32,
    /// What the last run let the folder cost in all its runs, and how long it took a reply to be.
    pub cost_limit: CostLimits,
    /// How often everything was asked again.
    pub generation: u32,
    /// Somebody has said that rows before a bookmark are to be taken as answered.
    pub presumed_agreed: bool,
    /// Answers that the last run could only rescue: they count once the next one has taken them in.
    pub rescued: u64,
    /// There is a store. Where there is none, nothing was asked yet.
    pub has_store: bool,
    /// There are outputs, and no store that has made them: they are of the original script.
    pub has_legacy_outputs: bool,
}

impl RunStatus {
    /// Returns where the last run asked, or is to, where that is known.
    #[must_use]
    pub fn endpoint(&self) -> Option<&str> {
        let place = || self.invocation.as_ref()?.places.first()?.base_urls.first();
        let session = self.session.as_ref().map(|session| &*session.endpoint);
        session.or_else(|| place().map(|url| &**url))
    }

    /// Returns how many answers a run would ask each model for, by its name on the wire.
    #[must_use]
    pub fn left_of_models(&self) -> Vec<(&str, u64)> {
        let models = self.requests.iter().map(|request| &*request.model);
        models.zip(self.left_by_model.iter().copied()).collect()
    }

    /// Returns how many answers a run would ask for.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left_by_model.iter().sum()
    }

    /// Tells whether every question is to get more than one answer.
    #[must_use]
    pub fn wants_several(&self) -> bool {
        self.requests.len() > 1 || self.samples > 1
    }
}

/// Questions that ended without an answer in the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndedCount {
    /// Whether they were rejected, or dset gave up.
    pub fault: Fault,
    /// The cause, in the words of [`Cause::code`](dset_core::answer::Cause::code).
    pub cause: String,
    /// The number of questions.
    pub count: u64,
}

/// How far an output is known to be whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OutputState {
    /// The name of its file in the folder.
    pub file: &'static str,
    /// The number of whole rows.
    pub rows: u64,
    /// Their length in bytes.
    pub bytes: u64,
}

/// Rows that were asked again on purpose, not all of which are done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenRedoState {
    /// Which rows, as the user named them.
    pub rows: String,
    /// When that was begun, in Unix milliseconds.
    pub began: i64,
}

/// Rows, of which the first are named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Rows {
    /// How many.
    pub count: u64,
    /// The first of them, as a spreadsheet counts.
    pub first: Vec<u64>,
}

impl Rows {
    pub(crate) fn add(&mut self, row_number: u64) {
        self.count += 1;
        if self.first.len() < NAMED_MAX {
            self.first.push(row_number);
        }
    }
}

/// What rows of the input say, and should say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowMarks {
    /// Say ERROR.
    pub marked: u64,
    /// Say ERROR although they are answered.
    pub though_answered: Rows,
    /// Ended without an answer and say nothing.
    pub unmarked: Rows,
    /// Are to say ERROR, which is still to be written.
    pub waiting: Rows,
}

/// Tells where the run of these settings stands.
pub fn run_status(settings: &JobSpec) -> Result<RunStatus, JobError> {
    let folder = &settings.output;
    let running = running(folder);
    let seen = open_readonly(folder, |store| -> Result<RunStatus, JobError> {
        let mut view = RunIndex::load_chosen(store, settings)?;
        let RowsSeen { ledger, failed, marks } = view.rows(store)?;
        Ok(RunStatus {
            ledger,
            empty: view.input.empty,
            bad_rows: view.input.bad_rows.clone(),
            left_out: view.input.left_out,
            failed,
            failed_checks: failed_checks(store, &view)?,
            judged_before: view.judged_before(store)?,
            kept: view.plan.count(Planned::Failed),
            unjudged: view.plan.unjudged(),
            marks: view.source.shape().marks.is_some().then_some(marks),
            outputs: outputs(store, settings)?,
            placed: store.position(view.generation)?,
            running: running.clone(),
            session: store.last_session()?,
            open_redos: open_redos(store)?,
            invocation: store.last_invocation()?,
            cost_limit: store.cost_limit()?,
            recent: match running {
                Running::Yes(_) => Some(store.recent(unix_ms())?),
                _ => None,
            },
            failed_asks: store.failed_asks()?,
            left_by_model: view.plan.pending_by_model(),
            requests: view.requests.clone(),
            samples: view.plan.wanted().samples(),
            generation: view.generation,
            presumed_agreed: store.has_agreed_to_presumed()?,
            rescued: waiting_answers(folder),
            has_store: true,
            has_legacy_outputs: false,
        })
    })?;
    match seen {
        Some(standing) => Ok(standing),
        None => nothing_yet(settings, running),
    }
}

/// Counts what checks say of the last answers of those that have no accepted one.
fn failed_checks(store: &Store, view: &RunIndex) -> Result<BTreeMap<String, u64>, JobError> {
    let mut failed = BTreeMap::new();
    let Some(terms) = store.terms()? else { return Ok(failed) };
    let labels = labels(store, &terms)?;
    let is_wanted = |at: QuestionIndex| view.plan.states[at as usize] != Planned::LeftOut;
    let judged = view.plan.not_accepted.iter().filter(|one| !one.waits);
    let wanted = judged.filter(|one| is_wanted(one.index));
    for one in wanted.filter(|one| one.tries.count > 0) {
        let verdicts = store.as_reader().verdicts(one.answer, &terms.fingerprint)?;
        let verdicts = verdicts.unwrap_or_default().into_iter().zip(&terms.on_fail);
        for (at, (verdict, on_fail)) in verdicts.enumerate() {
            if verdict.outcome != Outcome::Passed && *on_fail != OnFail::Keep {
                let check = labels.get(at).cloned().unwrap_or(verdict.check);
                *failed.entry(check).or_default() += 1;
            }
        }
    }
    Ok(failed)
}

fn open_redos(store: &Store) -> Result<Vec<OpenRedoState>, JobError> {
    let state = |OpenRedo { rows, began, .. }: OpenRedo| OpenRedoState { rows, began };
    Ok(store.open_redos()?.into_iter().map(state).collect())
}

fn outputs(store: &Store, settings: &JobSpec) -> Result<Vec<OutputState>, JobError> {
    let checkpoints = store.checkpoints()?;
    let of = |format: LiveFormat| {
        let checkpoint = checkpoints.iter().find(|checkpoint| checkpoint.name == format.name);
        let checkpoint = checkpoint.filter(|_| settings.output.join(format.file).exists());
        let (rows, bytes) =
            checkpoint.map_or((0, 0), |checkpoint| (checkpoint.rows, checkpoint.bytes));
        OutputState { file: format.file, rows, bytes }
    };
    Ok(store.formats(&settings.formats)?.into_iter().map(of).collect())
}

/// Without a store every question is pending.
fn nothing_yet(settings: &JobSpec, running: Running) -> Result<RunStatus, JobError> {
    let mut input = ScannedInput::to_look_at(settings, MarksColumn::Unknown, None, None)?;
    let plan = RunPlan::without_store(&input).plan;
    let questions = plan.states.len() as u64 - plan.count(Planned::LeftOut);
    let mut marks = RowMarks::default();
    for_each_planned(&mut *input.source, &input.prompts, &input.requests[0], &plan, |seen| {
        marks.marked += u64::from(seen.item.status == Status::Error);
    })?;
    let wanted = live_formats(&settings.formats).unwrap_or_else(|_| legacy::ALL.to_vec());
    let not_begun = |format: &LiveFormat| OutputState { file: format.file, rows: 0, bytes: 0 };
    Ok(RunStatus {
        ledger: Ledger { questions, pending: questions, ..Ledger::default() },
        empty: input.scanned.empty,
        bad_rows: input.scanned.bad_rows.clone(),
        left_out: input.scanned.left_out,
        failed: Vec::new(),
        failed_checks: BTreeMap::new(),
        judged_before: JudgedBefore::default(),
        kept: 0,
        unjudged: 0,
        marks: input.source.shape().marks.is_some().then_some(marks),
        outputs: wanted.iter().map(not_begun).collect(),
        placed: 0,
        running,
        session: None,
        open_redos: Vec::new(),
        invocation: None,
        recent: None,
        failed_asks: FailedAsks::default(),
        left_by_model: plan.pending_by_model(),
        requests: input.requests,
        samples: settings.samples,
        cost_limit: CostLimits::default(),
        generation: 0,
        presumed_agreed: false,
        rescued: waiting_answers(&settings.output),
        has_store: false,
        has_legacy_outputs: has_outputs(&settings.output),
    })
}
