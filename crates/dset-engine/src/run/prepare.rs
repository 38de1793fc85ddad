//! A run before its first ask: the folder taken, the store opened, what is left worked out.
//!
//! Everything that can be wrong with files and settings is found here, while nothing has been asked.
//! The order matters: the input is only read, then the folder is ours and what an earlier run left
//! is put right ([`crate::recover`]), then the run is planned (`RunPlan`). What it decides is held back
//! in the store until nothing can refuse it any more: only [`PreparedJob::begin`] makes it durable.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dset_core::item::error_marks::MarksColumn;
use dset_core::item::question::QuestionIndex;
use dset_core::plan::{AnswerId, Plan};
use dset_core::rate::sliding_window::MinuteLimits;
use dset_core::run::{BudgetRules, OffPeakRules};
use dset_core::settings::JobSpec;
use dset_core::template::Prompts;
use dset_core::time::file_stamp;
use fs_err as fs;

use crate::error::JobError;
use crate::os::clock::unix_ms;
use crate::os::files;
use crate::os::lock::Lock;
use crate::output::folder::rename_old;
use crate::output::live::{LiveFormat, Outputs, has_outputs, live_formats, unread_output};
use crate::recover::moved::open_generation;
use crate::recover::rebuild::wished;
use crate::recover::{Recovered, Site, Traces, pending};
use crate::run::accepting::{Accepting, decide};
use crate::run::begin::{Preliminaries, check_settings, decide_all};
use crate::run::bookmark::bare_bookmark;
use crate::run::lanes::{Lane, Lanes};
use crate::run::redo::{RedoSelector, choose, redo};
use crate::run::report::PreparationReport;
use crate::run::run_plan::{RunPlan, ScannedInput};
use crate::source::Source;
use crate::source::spool::Spooled;
use crate::store::{AsAsked, OpenRedo, Replaced, SharedWork, Store, open_readonly};
use crate::view::check::JudgedAnswers;

/// What only one run is told.
#[derive(Debug, Clone, Default)]
pub struct Decisions {
    /// Keep the answers that other settings bought, and ask the rest with these.
    pub keep_answers: bool,
    /// Ask everything again.
    pub ask_again: bool,
    /// Ask again for the answers that were accepted and are not any more.
    pub again_failed: bool,
    /// Ask all rows, also those before a bookmark of which nothing is known.
    pub from_start: bool,
    /// Take the rows before such a bookmark as answered.
    pub from_bookmark: bool,
    /// The most answers to ask for in this run.
    pub limit: Option<u64>,
    /// Ask so many rows alone, evenly from the whole input, and remember it as a run of all.
    pub pilot: Option<u64>,
    /// What earlier runs may have been billed beside what they recorded was not.
    pub forgive_lost: bool,
    /// Ask these rows again, and no others.
    pub redo: Option<RedoSelector>,
    /// The input came through a pipe: it takes its place in the folder when the run begins.
    pub spooled: Option<Arc<Spooled>>,
    /// Ask nothing: record what a check has found, and place what is accepted.
    pub applies: Option<Arc<JudgedAnswers>>,
}

/// A run that can begin. Dropped, it leaves everything as it was: nothing that it decides is durable yet.
#[derive(Debug)]
pub struct PreparedJob {
    /// What was found and done.
    pub report: PreparationReport,
    /// What its rows are found by.
    pub as_asked: AsAsked,
    pub(crate) spec: JobSpec,
    pub(crate) decisions: Decisions,
    /// What it may spend, where that is limited.
    pub(crate) budget: Option<BudgetRules>,
    pub(crate) off_peak: Option<OffPeakRules>,
    /// Of each model, whether its provider caches prompts; empty where nothing is known.
    pub(crate) prompt_caches: Vec<bool>,
    pub(crate) source: Box<dyn Source>,
    /// The column that the store knows to have marks.
    pub(crate) marks_known: MarksColumn,
    pub(crate) prompts: Prompts,
    /// Rows may have fields that make calls cost something else than what is counted.
    pub(crate) may_be_billed_otherwise: bool,
    pub(crate) plan: Plan,
    /// Answers that wait for their place, with their rows.
    pub(crate) waiting: Vec<(QuestionIndex, AnswerId, Option<u64>)>,
    /// Answers that count until another comes in their place.
    pub(crate) replaced: Replaced,
    /// What is asked again on purpose.
    pub(crate) redo: Option<OpenRedo>,
    pub(crate) generation: u32,
    /// The generation is new: what is in the outputs moves away.
    pub(crate) opens_generation: bool,
    /// What answers are held against.
    pub(crate) accepting: Accepting,
    /// Of each model.
    pub(crate) settings_ids: Vec<i64>,
    /// See [`dset_core::run::PlanSummary::answered_before`].
    pub(crate) answered_before: bool,
    pub(crate) folder: RunFolder,
    /// Where it takes turns with other folders, if it does.
    pub(crate) lane: Option<Lane>,
    /// What it has in common with runs of other machines.
    pub(crate) shared: Option<Box<dyn SharedWork>>,
}

/// A run that begins: what it decides is recorded, and its outputs are open.
#[derive(Debug)]
pub struct Job {
    pub(crate) prepared: PreparedJob,
    pub(crate) outputs: Outputs,
}

impl Job {
    /// Returns what was found and done.
    #[must_use]
    pub fn report(&self) -> &PreparationReport {
        &self.prepared.report
    }

    /// Returns what its rows are found by.
    #[must_use]
    pub fn as_asked(&self) -> &AsAsked {
        &self.prepared.as_asked
    }
}

/// Returns the column that the store of a folder knows to have marks. What is wrong with a store is
/// told by whoever opens it.
pub(crate) fn marks_known(folder: &Path) -> MarksColumn {
    open_readonly(folder, |store| store.marks_column()).ok().flatten().unwrap_or_default()
}

impl PreparedJob {
    /// Takes turns with runs in other folders: what those asked in the last minute counts for these limits.
    /// Where there are none, or nothing to ask, it does nothing.
    pub fn take_turns(&mut self, lanes: &Lanes, minute: MinuteLimits) -> Result<(), JobError> {
        if minute == MinuteLimits::default() || self.report.pending == 0 {
            return Ok(());
        }
        let lane = lanes.take(&self.folder.path, unix_ms());
        self.lane = lane.map_err(|error| JobError::folder(&lanes.folder, error))?;
        match (&self.lane, lanes.most) {
            (None, Some(most)) => Err(JobError::NoLane { folder: lanes.folder.clone(), most }),
            _ => Ok(()),
        }
    }
}

impl Job {
    /// Works out what is left to do, and records nothing of what it decides. `can_ask` says whether there is a
    /// key for every model that wants one.
    pub fn prepare(
        mut settings: JobSpec,
        decisions: Decisions,
        can_ask: bool,
    ) -> Result<PreparedJob, JobError> {
        let formats = live_formats(&settings.formats)?;
        let marks_known = marks_known(&settings.output);
        let named = settings.input.clone();
        if let Some(spooled) = &decisions.spooled {
            settings.input = spooled.path().to_owned();
        }
        let mut input = scan(&mut settings, decisions.pilot, marks_known.clone())?;
        let mut accepting = Accepting::new(&settings, &input)?;
        refuse_early(&input, &settings, &decisions, can_ask)?;
        settings.input = named;

        let mut folder = RunFolder::take(&settings, formats)?;
        if let Some(which) = &decisions.redo {
            folder.leave_out_damaged(which, &mut input, &settings, can_ask)?;
        }
        let was_blank = folder.recover(settings.models.len() > 1)?;
        let has_nothing = folder.store.is_blank()?;
        let unread = if has_nothing { unread_in(&settings.output, &decisions)? } else { None };
        if accepting.is_none() && folder.store.has_cut_answers()? {
            accepting = Some(Accepting::of_whole_answers(&settings)?);
        }
        let generation = folder.store.generation()?;
        // What is thought of answers is no decision, and may have taken long: it stays.
        folder.judge(&mut input, generation, accepting.as_ref(), &decisions)?;
        folder.store.hold_writes()?;
        let starts_at_row = folder.presume(&input, &settings, &decisions, was_blank)?;
        if let Some(accepting) = accepting.as_ref().filter(|_| decisions.again_failed) {
            folder.store.withdraw_kept(&accepting.terms)?;
        }
        let terms = accepting.as_ref().map(|accepting| &accepting.terms);
        let mut plan = RunPlan::new(&input, &folder.store, generation, terms)?;
        let asks_again = decisions.ask_again && (!has_nothing || unread.is_some());
        let again_continued = asks_again && plan.is_unfinished_again();
        let opens_generation = asks_again && !again_continued;
        if opens_generation {
            // Nothing moves for a run that could not ask anything afterwards.
            if !can_ask {
                return Err(JobError::NoKey);
            }
            let generation = plan.generation + 1;
            folder.open_generation(&input, generation)?;
            folder.judge(&mut input, generation, accepting.as_ref(), &decisions)?;
            plan = RunPlan::new(&input, &folder.store, generation, terms)?;
        }
        let mut chosen = Vec::new();
        if let Some(which) = &decisions.redo {
            chosen = choose(which, &mut input, &folder.store, &plan)?;
            check_settings(&folder.store, &input.requests, &plan, decisions.keep_answers)?;
        }
        let again = decisions.again_failed || decisions.applies.is_some();
        let (wishes, judged) = ((decisions.keep_answers, again), accepting.as_ref());
        let mut plan = decide(&mut input, &mut folder.store, plan, judged, &chosen, wishes)?;
        let (mut replaced, mut begun, mut continued) = (Replaced::default(), None, None);
        if let Some(which) = &decisions.redo {
            let planned = redo(which, &chosen, &mut input, &mut folder.store, &plan, judged)?;
            (plan, replaced, continued) = (planned.plan, planned.replaced, planned.continued);
            begun = Some(planned.open).filter(|_| !matches!(which, RedoSelector::Unanswered(_)));
        }
        if plan.pending() > 0 && !can_ask && decisions.applies.is_none() {
            return Err(JobError::NoKey);
        }
        let accepting = match accepting {
            Some(accepting) => accepting,
            None => Accepting::of_whole_answers(&settings)?,
        };
        let before = Preliminaries {
            marks_known,
            starts_at_row,
            again_continued,
            opens_generation,
            accepting,
        };
        let job = decide_all(settings, decisions, input, plan, folder, before)?;
        let report = PreparationReport { redo_continued: continued, ..job.report };
        Ok(PreparedJob { report, replaced, redo: begun, ..job })
    }
}

/// Scans the rows that are asked, of a pilot so many alone.
fn scan(
    settings: &mut JobSpec,
    pilot: Option<u64>,
    marks_known: MarksColumn,
) -> Result<ScannedInput, JobError> {
    let choice = settings.reading.choice.clone();
    if let Some(rows) = pilot {
        settings.reading.choice = choice.pilot(rows);
    }
    let input = ScannedInput::to_ask(settings, marks_known)?;
    settings.reading.choice = choice;
    Ok(input)
}

/// Fails where a run would be in vain, before anything is made: a folder with a store would look
/// like a record.
fn refuse_early(
    input: &ScannedInput,
    settings: &JobSpec,
    decisions: &Decisions,
    can_ask: bool,
) -> Result<(), JobError> {
    if input.scanned.planner.is_empty() {
        let bad_rows = Box::new(input.scanned.bad_rows.clone());
        return Err(JobError::NoQuestions { path: settings.input.clone(), bad_rows });
    }
    let is_new = !Store::exists(&settings.output);
    if is_new && !can_ask {
        return Err(JobError::NoKey);
    }
    if is_new && !has_outputs(&settings.output) {
        unread_in(&settings.output, decisions)?;
        bare_bookmark(&input.scanned, settings, decisions)?;
    }
    Ok(())
}

/// Returns an output whose answers are not read back, in a folder of which nothing is on record; fails where it was
/// not said that all are to be asked again.
fn unread_in(folder: &Path, decisions: &Decisions) -> Result<Option<&'static str>, JobError> {
    let unread = unread_output(folder).map_err(|error| JobError::folder(folder, error))?;
    match unread {
        Some(file) if !decisions.ask_again => {
            Err(JobError::UnreadOutput { folder: folder.to_owned(), file })
        }
        unread => Ok(unread),
    }
}

/// The folder of a run: locked, with its store open.
#[derive(Debug)]
pub(crate) struct RunFolder {
    pub(crate) path: PathBuf,
    pub(crate) lock: Lock,
    pub(crate) store: Store,
    /// The outputs that are wanted.
    pub(crate) formats: Vec<LiveFormat>,
    /// When it was taken: Unix time, milliseconds.
    pub(crate) now: i64,
    /// The name of a folder for what is moved out of the way.
    pub(crate) stamp: String,
    /// What was put right, in the order in which that was done.
    pub(crate) recovered: Vec<Recovered>,
}

impl RunFolder {
    /// Makes the folder where there is none, locks it, and opens its store.
    fn take(settings: &JobSpec, formats: Vec<LiveFormat>) -> Result<RunFolder, JobError> {
        let (path, now) = (settings.output.clone(), unix_ms());
        let in_folder = |error| JobError::folder(&path, error);
        fs::create_dir_all(&path).map_err(in_folder)?;
        let lock = Lock::take(&path, now).map_err(|error| JobError::lock(&path, error))?;
        let renamed = rename_old(&path).map_err(in_folder)?.into_iter();
        let mut recovered: Vec<Recovered> =
            renamed.map(|(from, to)| Recovered::Renamed { from, to }).collect();
        files::remove_left_over(&path);
        if let Ok(input) = fs::canonicalize(&settings.input) {
            files::remove_left_over(files::folder_of(&input));
        }
        let (store, rescued) = Store::open(&path)?;
        recovered.extend(rescued.map(Recovered::TakenIn));
        let formats = wished(formats, &store, settings)?;
        Ok(RunFolder { path, lock, store, formats, now, stamp: file_stamp(now), recovered })
    }

    /// Where the outputs cannot be written because the text of an answer is damaged, they are to be without it, so that its
    /// row can be asked again. Fails where such a row is not asked again.
    fn leave_out_damaged(
        &mut self,
        which: &RedoSelector,
        input: &mut ScannedInput,
        settings: &JobSpec,
        can_ask: bool,
    ) -> Result<(), JobError> {
        let generation = self.store.generation()?;
        let store = &mut self.store;
        let checkpoints = store.checkpoints()?;
        let rows_in = |format: &LiveFormat| {
            let checkpoint = checkpoints.iter().find(|checkpoint| checkpoint.name == format.name);
            checkpoint
                .filter(|_| self.path.join(format.file).exists())
                .map_or(0, |checkpoint| checkpoint.rows)
        };
        let from = match store.meta::<String>("rebuilding")? {
            Some(_) => 0,
            None => self.formats.iter().map(rows_in).min().unwrap_or(0),
        };
        let damaged = store.damaged_in_order(generation, from)?;
        if damaged.is_empty() {
            return Ok(());
        }
        if !can_ask {
            return Err(JobError::NoKey);
        }
        let mut entries = HashMap::new();
        let plan = RunPlan::with_answers(input, store, generation, None, |at, answer| {
            if damaged.contains(&answer) {
                entries.insert(answer, at);
            }
        })?;
        let chosen = choose(which, input, store, &plan)?;
        let is_chosen = |at: &QuestionIndex| chosen[plan.plan.wanted().row(*at) as usize].is_some();
        let is_kept = |answer: &AnswerId| !entries.get(answer).is_none_or(is_chosen);
        let kept: Vec<AnswerId> = damaged.iter().copied().filter(is_kept).collect();
        store.check_texts(&kept)?;
        let names_origin = settings.models.len() > 1 || settings.samples > 1;
        store.leave_out(generation, &damaged, names_origin, (&self.stamp, self.now))?;
        let (rows, to) = (damaged.len() as u64, format!("{}/{}", files::EARLIER, self.stamp));
        self.recovered.push(Recovered::LeftOut { rows, to });
        Ok(())
    }

    /// Puts right what is to be put right; tells whether the store had no record at all before.
    fn recover(&mut self, by_model: bool) -> Result<bool, JobError> {
        let traces = Traces::read(&self.store, &self.path)?;
        let mut site = Site {
            store: &mut self.store,
            folder: &self.path,
            formats: &self.formats,
            by_model,
            stamp: &self.stamp,
            now: self.now,
        };
        for recovery in pending(&traces) {
            self.recovered.extend(recovery.apply(&mut site)?);
        }
        // It was begun a moment ago.
        if self.recovered.iter().any(|one| matches!(one, Recovered::LeftOut { .. })) {
            self.recovered.retain(|one| *one != Recovered::Rebuilt);
        }
        let rescued = self.store.take_in_rescued(&self.path)?;
        let is_blank = traces.is_blank && rescued.is_none();
        self.recovered.extend(rescued.map(Recovered::TakenIn));
        Ok(is_blank)
    }

    /// Takes the rows before a bookmark as answered, or no longer, as was decided; returns the row that a run
    /// of a new folder starts at because of it.
    fn presume(
        &mut self,
        input: &ScannedInput,
        settings: &JobSpec,
        decisions: &Decisions,
        was_blank: bool,
    ) -> Result<Option<u64>, JobError> {
        if decisions.from_start {
            self.store.withdraw_presumed()?;
        } else if decisions.from_bookmark {
            self.store.agree_to_presumed()?;
        }
        if !was_blank || self.has_imported() {
            return Ok(None);
        }
        let before = bare_bookmark(&input.scanned, settings, decisions)?;
        if before.is_empty() {
            return Ok(None);
        }
        self.store.presume(&before)?;
        Ok(input.scanned.first_marked_row)
    }

    /// Judges what is stored of a generation and was not judged so far.
    fn judge(
        &mut self,
        input: &mut ScannedInput,
        generation: u32,
        accepting: Option<&Accepting>,
        decisions: &Decisions,
    ) -> Result<(), JobError> {
        if let Some(accepting) = accepting {
            input.rejudged =
                accepting.judge_stored(input, &mut self.store, generation, decisions)?;
        }
        Ok(())
    }

    fn has_imported(&self) -> bool {
        self.recovered.iter().any(|one| matches!(one, Recovered::Imported(_)))
    }

    /// Opens a generation in which everything is asked again.
    fn open_generation(&mut self, input: &ScannedInput, generation: u32) -> Result<(), JobError> {
        open_generation(&mut self.store, &input.requests, generation, &self.stamp, self.now)
    }
}
