//! Where a run stands, as its store and its input say: while it goes on, and after it ended in
//! whatever way. Nothing is asked, made or changed.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use dset_core::item::question::QuestionIndex;
use dset_core::key::RequestSettings;
use dset_core::plan::ledger::{Fault, Ledger};
use dset_core::plan::{AnswerId, Plan, StoreFacts};
use dset_core::run::Planned;
use dset_core::settings::Settings;
use dset_core::template::Prompts;

use crate::error::JobError;
use crate::os::clock::unix_ms;
use crate::os::lock::{Running, running};
use crate::output::live::{LiveFormat, legacy, live_formats};
use crate::run::plan_input::{RowStatus, for_each_planned, plan_input};
use crate::source::{Source, SourceOptions};
use crate::store::{FailedAsks, Invocation, Recent, Session, Store, open_readonly};

/// Rows that are named one by one, at most.
const NAMED_MAX: usize = 5;

/// Where a run stands.
#[derive(Debug)]
pub struct RunStatus {
    /// Where every question stands.
    pub ledger: Ledger,
    /// Rows that are skipped because they are empty.
    pub empty: u64,
    /// Why questions ended without an answer: how, the cause, how many.
    pub failed: Vec<(Fault, String, u64)>,
    /// Answers among those that failed which a run with these settings does not ask for again: they
    /// were cut by a token limit that is no higher now.
    pub kept: u64,
    /// What the rows of the input say.
    pub marks: RowMarks,
    /// The outputs, each with its rows and bytes as far as they are known to be whole.
    pub outputs: Vec<(&'static str, u64, u64)>,
    /// Rows whose place in the outputs is decided.
    pub placed: u64,
    /// Whether a run is going on.
    pub running: Running,
    /// The last run; absent where there was none.
    pub session: Option<Session>,
    /// How the last run was called, where that is known.
    pub invocation: Option<Invocation>,
    /// What came lately, while a run goes on. What is on its way only the run itself knows.
    pub recent: Option<Recent>,
    /// Asks that failed, in every run.
    pub failed_asks: FailedAsks,
    /// What each model is asked with.
    pub requests: Vec<RequestSettings>,
    /// How many answers each is to give to a question.
    pub samples: u32,
    /// How often everything was asked again.
    pub edition: u32,
    /// Somebody has said that rows before a bookmark are to be taken as answered.
    pub presumed_agreed: bool,
    /// There is a store. Where there is none, nothing was asked yet.
    pub has_store: bool,
    /// There are outputs, and no store that has made them: they are of the original script.
    pub has_legacy_outputs: bool,
}

impl RunStatus {
    /// Tells whether every question is to get more than one answer.
    #[must_use]
    pub fn wants_several(&self) -> bool {
        self.requests.len() > 1 || self.samples > 1
    }
}

/// Rows, of which the first are named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
pub fn run_status(settings: &Settings) -> Result<RunStatus, JobError> {
    let folder = &settings.output;
    let running = running(folder);
    let seen = open_readonly(folder, |store| -> Result<RunStatus, JobError> {
        let mut view = RunIndex::load(store, settings)?;
        let (ledger, failed, marks) = view.rows(store)?;
        Ok(RunStatus {
            ledger,
            empty: view.empty,
            failed,
            kept: view.plan.count(Planned::Truncated),
            marks,
            outputs: outputs(store, settings)?,
            placed: store.position(view.generation)?,
            running: running.clone(),
            session: store.last_session()?,
            invocation: store.last_invocation()?,
            recent: match running {
                Running::Yes(_) => Some(store.recent(unix_ms())?),
                _ => None,
            },
            failed_asks: store.failed_asks()?,
            requests: view.requests.clone(),
            samples: view.plan.wanted().samples(),
            edition: view.generation,
            presumed_agreed: store.has_agreed_to_presumed()?,
            has_store: true,
            has_legacy_outputs: false,
        })
    })?;
    match seen {
        Some(standing) => Ok(standing),
        None => nothing_yet(settings, running),
    }
}

fn outputs(store: &Store, settings: &Settings) -> Result<Vec<(&'static str, u64, u64)>, JobError> {
    let marks = store.sink_marks()?;
    let of = |format: LiveFormat| {
        let mark = marks.iter().find(|mark| mark.name == format.name);
        let mark = mark.filter(|_| settings.output.join(format.file).exists());
        let (rows, bytes) = mark.map_or((0, 0), |mark| (mark.rows, mark.bytes));
        (format.file, rows, bytes)
    };
    Ok(store.formats(&settings.formats)?.into_iter().map(of).collect())
}

/// Without a store every question is pending.
fn nothing_yet(settings: &Settings, running: Running) -> Result<RunStatus, JobError> {
    let mut source = Source::open(&settings.input, &SourceOptions::new(settings, None))?;
    let requests = settings.requests();
    let prompts = Prompts::new(&requests[0], &source.layout().columns)?;
    let scanned = plan_input(&mut source, &prompts, &requests, settings.samples)?;
    let plan = scanned.planner.plan(0, [], &StoreFacts::default());
    let questions = plan.states.len() as u64;
    let mut marks = RowMarks::default();
    for_each_planned(&mut source, &prompts, &requests[0], &plan, |seen| {
        marks.marked += u64::from(seen.status == RowStatus::Error);
    })?;
    let wanted = live_formats(&settings.formats).unwrap_or_else(|_| legacy::ALL.to_vec());
    Ok(RunStatus {
        ledger: Ledger { questions, pending: questions, ..Ledger::default() },
        empty: scanned.empty,
        failed: Vec::new(),
        kept: 0,
        marks,
        outputs: wanted.iter().map(|format| (format.file, 0, 0)).collect(),
        placed: 0,
        running,
        session: None,
        invocation: None,
        recent: None,
        failed_asks: FailedAsks::default(),
        requests,
        samples: settings.samples,
        edition: 0,
        presumed_agreed: false,
        has_store: false,
        has_legacy_outputs: has_outputs(&settings.output),
    })
}

pub(crate) fn has_outputs(folder: &Path) -> bool {
    legacy::ALL.iter().any(|format| folder.join(format.file).is_file())
}

/// The input held against a store that is only looked at, under the settings that the store was
/// last asked with.
pub(crate) struct RunIndex {
    pub(crate) generation: u32,
    /// What each model is asked with.
    pub(crate) requests: Vec<RequestSettings>,
    pub(crate) plan: Plan,
    /// The answer of each entry of the plan that has one.
    pub(crate) answers: Vec<Option<AnswerId>>,
    pub(crate) empty: u64,
    pub(crate) source: Source,
    pub(crate) prompts: Prompts,
}

impl RunIndex {
    pub(crate) fn load(store: &Store, settings: &Settings) -> Result<RunIndex, JobError> {
        let edition = store.edition()?;
        let (requests, samples) = match store.last_requests(edition)? {
            Some(asked) => asked,
            None => (settings.requests(), settings.samples),
        };
        let options = SourceOptions::new(settings, store.marks_column()?);
        let mut source = Source::open(&settings.input, &options)?;
        let prompts = Prompts::new(&requests[0], &source.layout().columns)?;
        let scanned = plan_input(&mut source, &prompts, &requests, samples)?;
        let mut answers = vec![None; scanned.planner.answers() as usize];
        let note = |at: QuestionIndex, id: AnswerId| answers[at as usize] = Some(id);
        let plan = store.plan_and_note(&scanned.planner, edition, &requests, note)?;
        Ok(RunIndex {
            generation: edition,
            requests,
            plan,
            answers,
            empty: scanned.empty,
            source,
            prompts,
        })
    }

    /// Returns the answers to questions of the input that the last run did not want, of further
    /// samples and other models, each with its row among those that are asked; in the order of both.
    pub(crate) fn other_answers(&mut self) -> Result<Vec<(u32, AnswerId)>, JobError> {
        if self.plan.unwanted.is_empty() {
            return Ok(Vec::new());
        }
        let mut rows = HashMap::new();
        for_each_planned(&mut self.source, &self.prompts, &self.requests[0], &self.plan, |seen| {
            rows.insert(seen.id.hash(), self.plan.wanted().row(seen.entries.start));
        })?;
        let of = |(question, id): &([u8; 16], AnswerId)| Some((*rows.get(question)?, *id));
        let mut beside: Vec<_> = self.plan.unwanted.iter().filter_map(of).collect();
        beside.sort_unstable();
        Ok(beside)
    }

    /// Returns the number of every row that is asked, as a spreadsheet counts.
    pub(crate) fn row_numbers(&mut self) -> Result<Vec<u64>, JobError> {
        let mut numbers = Vec::with_capacity(self.plan.rows() as usize);
        for_each_planned(&mut self.source, &self.prompts, &self.requests[0], &self.plan, |seen| {
            numbers.push(seen.row_number);
        })?;
        Ok(numbers)
    }

    /// Counts every question where it stands, and looks at what its row says.
    #[allow(clippy::type_complexity, reason = "three results of one pass")]
    pub(crate) fn rows(
        &mut self,
        store: &Store,
    ) -> Result<(Ledger, Vec<(Fault, String, u64)>, RowMarks), JobError> {
        let (ended, to_mark) = (store.ended(self.generation)?, store.marks()?);
        let questions = self.plan.states.len() as u64;
        let mut ledger = Ledger { questions, ..Ledger::default() };
        let mut failed: BTreeMap<(bool, &str), u64> = BTreeMap::new();
        let mut marks = RowMarks::default();
        for_each_planned(&mut self.source, &self.prompts, &self.requests[0], &self.plan, |seen| {
            marks.marked += u64::from(seen.status == RowStatus::Error);
            let (mut is_answered, mut is_open, mut has_failed) = (false, false, false);
            for at in seen.entries {
                let planned = self.plan.states[at as usize];
                let end = self.plan.wanted().find_failure(seen.id, at, |hash| ended.get(hash));
                ledger.count(planned, end.map(|(fault, _)| *fault));
                match planned {
                    Planned::Placed | Planned::Unplaced => is_answered = true,
                    Planned::Presumed => {}
                    Planned::Truncated | Planned::Pending => {
                        is_open = true;
                        if let Some((fault, cause)) = end {
                            has_failed = true;
                            *failed.entry((*fault == Fault::GaveUp, cause)).or_default() += 1;
                        }
                    }
                }
            }
            if is_open {
                if to_mark.contains(&seen.id.hash()) && seen.status != RowStatus::Error {
                    marks.waiting.add(seen.row_number);
                } else if has_failed && seen.status == RowStatus::Empty {
                    marks.unmarked.add(seen.row_number);
                }
            } else if is_answered && seen.status == RowStatus::Error {
                marks.though_answered.add(seen.row_number);
            }
        })?;
        let failed = failed.into_iter().map(|((gave_up, cause), count)| {
            let fault = if gave_up { Fault::GaveUp } else { Fault::Rejected };
            (fault, cause.to_owned(), count)
        });
        let failed = failed.collect();
        Ok((ledger, failed, marks))
    }
}
