//! An input held against its store, for everything that looks at a run.

use std::collections::{BTreeMap, HashMap};

use dset_core::acceptance::{Consequence, Terms, Verdict};
use dset_core::answer::Cause;
use dset_core::csv::HeaderMode;
use dset_core::item::Status;
use dset_core::item::question::QuestionIndex;
use dset_core::key::RequestSettings;
use dset_core::plan::ledger::{Fault, Ledger};
use dset_core::plan::{AnswerId, Plan};
use dset_core::run::Planned;
use dset_core::settings::{Choice, JobSpec, Reading};
use dset_core::template::Prompts;

use crate::error::JobError;
use crate::run::choice::LeftOut;
use crate::run::plan_input::{PlannedInput, PlannedRow, for_each_planned, try_for_each_planned};
use crate::run::run_plan::{RunPlan, ScannedInput};
use crate::source::Source;
use crate::source::bad_row::BadRows;
use crate::store::{AsAsked, Invocation, Store, StoreError};
use crate::view::status::{EndedCount, RowMarks};

/// What one pass over the rows shows.
#[derive(Debug)]
pub(crate) struct RowsSeen {
    /// Where every question stands.
    pub(crate) ledger: Ledger,
    /// Why questions ended without an answer.
    pub(crate) failed: Vec<EndedCount>,
    /// What the rows say, and should say.
    pub(crate) marks: RowMarks,
}

/// The input held against a store that is only looked at, under the settings that the store was
/// last asked with.
pub(crate) struct RunIndex {
    pub(crate) generation: u32,
    /// What each model is asked with.
    pub(crate) requests: Vec<RequestSettings>,
    /// What answers are accepted by; absent where all are.
    pub(crate) terms: Option<Terms>,
    pub(crate) plan: Plan,
    /// The answer of each entry of the plan that has one.
    pub(crate) answers: Vec<Option<AnswerId>>,
    pub(crate) input: IndexedInput,
    pub(crate) source: Box<dyn Source>,
    pub(crate) prompts: Prompts,
}

/// What the input holds beside the rows of the plan.
#[derive(Debug, Clone, Default)]
pub(crate) struct IndexedInput {
    /// Rows that are skipped because they are empty.
    pub(crate) empty: u64,
    /// Rows that are left out because they cannot be asked.
    pub(crate) bad_rows: BadRows,
    /// Rows that the user left out.
    pub(crate) left_out: LeftOut,
}

/// Returns these settings with the input read as the last run read it, wherever the user says nothing
/// else.
pub(crate) fn as_it_was_read(store: &Store, settings: &JobSpec) -> Result<JobSpec, JobError> {
    Ok(match store.last_invocation()? {
        Some(last) => read_as(last, settings),
        None => settings.clone(),
    })
}

fn read_as(last: Invocation, settings: &JobSpec) -> JobSpec {
    let mut settings = settings.clone();
    if settings.column.is_none() {
        settings.column = last.column;
    }
    if settings.header == HeaderMode::Auto {
        settings.header = last.header;
    }
    let is_of_shard = settings.reading.shard.is_none() && last.reading.shard.is_some();
    if settings.reading == Reading::default() || is_of_shard {
        settings.reading = last.reading;
        if settings.reading.shard.is_none() {
            settings.reading.id_before = settings.reading.id.take();
        }
    }
    settings
}

impl RunIndex {
    /// Loads all rows of the input, whichever the last run chose.
    pub(crate) fn load(store: &Store, settings: &JobSpec) -> Result<RunIndex, JobError> {
        let mut settings = as_it_was_read(store, settings)?;
        settings.reading.choice = Choice::default();
        RunIndex::load_as_read(store, &settings)
    }

    /// Loads the input with the rows left out that the last run left out.
    pub(crate) fn load_chosen(store: &Store, settings: &JobSpec) -> Result<RunIndex, JobError> {
        RunIndex::load_as_read(store, &as_it_was_read(store, settings)?)
    }

    /// Does the same for another run than the last.
    pub(crate) fn load_of_run(
        store: &Store,
        settings: &JobSpec,
        run: &AsAsked,
    ) -> Result<RunIndex, JobError> {
        let settings = read_as(run.call.clone(), settings);
        let asked = Some((run.requests()?, run.samples));
        let marks = store.marks_column()?;
        let input = ScannedInput::to_look_at(&settings, marks, asked, Some(run.known))?;
        let terms = store.terms_that_reject(run.terms.clone())?;
        RunIndex::held_against(store, input, run.known.generation, terms)
    }

    fn load_as_read(store: &Store, settings: &JobSpec) -> Result<RunIndex, JobError> {
        let generation = store.generation()?;
        let asked = store.last_requests(generation)?;
        let input = ScannedInput::to_look_at(settings, store.marks_column()?, asked, None)?;
        RunIndex::held_against(store, input, generation, store.terms()?)
    }

    fn held_against(
        store: &Store,
        input: ScannedInput,
        generation: u32,
        terms: Option<Terms>,
    ) -> Result<RunIndex, JobError> {
        let mut answers = vec![None; input.scanned.planner.answers() as usize];
        let note = |at: QuestionIndex, id: AnswerId| answers[at as usize] = Some(id);
        let mut plan = RunPlan::with_answers(&input, store, generation, terms.as_ref(), note)?.plan;
        plan.open_unjudged();
        let ScannedInput { source, prompts, requests, scanned, .. } = input;
        let PlannedInput { empty, bad_rows, left_out, .. } = scanned;
        let found = IndexedInput { empty, bad_rows, left_out };
        Ok(RunIndex { generation, requests, terms, plan, answers, input: found, source, prompts })
    }

    /// Goes through the input again and shows every row of the plan, and the plan. Fails where the
    /// input is no longer what was planned.
    pub(crate) fn for_each_row(
        &mut self,
        mut each: impl FnMut(&Plan, PlannedRow<'_>),
    ) -> Result<(), JobError> {
        let RunIndex { source, prompts, requests, plan, .. } = self;
        for_each_planned(&mut **source, prompts, &requests[0], plan, |seen| each(plan, seen))
    }

    /// Does the same, until `each` fails.
    pub(crate) fn try_for_each_row<E: From<JobError>>(
        &mut self,
        each: impl FnMut(PlannedRow<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let RunIndex { source, prompts, requests, plan, .. } = self;
        try_for_each_planned(&mut **source, prompts, &requests[0], plan, each)
    }

    /// Returns the answers to questions of the input that the last run did not want and that would count,
    /// of further samples and other models, each with its row among those that are asked; in the order of both.
    pub(crate) fn other_answers(&mut self) -> Result<Vec<(u32, AnswerId)>, JobError> {
        if self.plan.counting_unwanted().next().is_none() {
            return Ok(Vec::new());
        }
        let mut rows = HashMap::new();
        self.for_each_row(|plan, seen| {
            rows.insert(seen.id.hash(), plan.wanted().row(seen.entries.start));
        })?;
        let of = |(question, id): ([u8; 16], AnswerId)| Some((*rows.get(&question)?, id));
        let mut beside: Vec<_> = self.plan.counting_unwanted().filter_map(of).collect();
        beside.sort_unstable();
        Ok(beside)
    }

    /// Returns of each entry its answers that are not accepted, where it has any, in the order of their tries. What
    /// is kept though it fails a check is accepted, and of what is not judged so far nobody knows.
    pub(crate) fn rejected(
        &self,
        store: &Store,
    ) -> Result<HashMap<QuestionIndex, Vec<AnswerId>>, StoreError> {
        let mut rejected = HashMap::<_, Vec<_>>::new();
        let Some(terms) = &self.terms else { return Ok(rejected) };
        let tries = store.tries_by_answer(Some(self.generation))?;
        let kept = store.kept(Some(terms))?;
        for (at, accepted) in (0..).zip(&self.answers) {
            let last = self.plan.not_accepted(at).map(|one| one.answer);
            let Some(known) = accepted.or(last) else { continue };
            let accepts = |answer: &AnswerId| *accepted == Some(*answer) || kept.has(*answer);
            for answer in tries.of(known).filter(|answer| !accepts(answer)) {
                let verdicts = store.as_reader().verdicts(answer, &terms.fingerprint)?;
                // Half an answer teaches nothing about the other.
                let is_cut = verdicts.iter().flatten().any(Verdict::says_cut);
                let waits = terms.waits(verdicts.as_deref().unwrap_or_default());
                if !is_cut
                    && !waits
                    && terms.consequence(verdicts.as_deref()) != Consequence::Accept
                {
                    rejected.entry(at).or_default().push(answer);
                }
            }
        }
        Ok(rejected)
    }

    /// Returns the number of every row that is asked, as a spreadsheet counts.
    pub(crate) fn row_numbers(&mut self) -> Result<Vec<u64>, JobError> {
        let mut numbers = Vec::with_capacity(self.plan.rows() as usize);
        self.for_each_row(|_, seen| {
            numbers.push(seen.row_number());
        })?;
        Ok(numbers)
    }

    /// Returns why each answer that is not accepted, and not asked for again, is not: the end of its question is
    /// recorded by no run where its check was another then.
    pub(crate) fn causes_of_checks(
        &self,
        store: &Store,
    ) -> Result<HashMap<QuestionIndex, Cause>, StoreError> {
        let mut causes = HashMap::new();
        let Some(terms) = &self.terms else { return Ok(causes) };
        for one in &self.plan.not_accepted {
            if self.plan.states[one.index as usize] == Planned::Failed {
                let verdicts = store.as_reader().verdicts(one.answer, &terms.fingerprint)?;
                causes.insert(one.index, terms.rejection(verdicts.as_deref()));
            }
        }
        Ok(causes)
    }

    /// Counts every question where it stands, and looks at what its row says.
    pub(crate) fn rows(&mut self, store: &Store) -> Result<RowsSeen, JobError> {
        let (ended, to_mark) = (store.ended(self.generation)?, store.marks()?);
        let questions = self.plan.states.len() as u64 - self.plan.count(Planned::LeftOut);
        let mut ledger = Ledger { questions, ..Ledger::default() };
        let mut failed: BTreeMap<(bool, &str), u64> = BTreeMap::new();
        let mut marks = RowMarks::default();
        let can_be_marked = self.source.shape().marks.is_some();
        let causes = self.causes_of_checks(store)?;
        self.for_each_row(|plan, seen| {
            marks.marked += u64::from(seen.item.status == Status::Error);
            let (mut is_answered, mut is_open, mut has_failed) = (false, false, false);
            for at in seen.entries.clone() {
                let planned = plan.states[at as usize];
                let end = plan.find_failure(seen.id, at, |hash| ended.get(hash));
                ledger.count(planned, end.map(|(fault, _)| *fault));
                match planned {
                    Planned::Placed | Planned::Unplaced => is_answered = true,
                    Planned::Presumed | Planned::LeftOut => {}
                    Planned::Failed | Planned::Pending => {
                        is_open = true;
                        has_failed |= end.is_some();
                        if let Some((fault, cause)) = end_now(end, causes.get(&at)) {
                            *failed.entry((fault == Fault::GaveUp, cause)).or_default() += 1;
                        }
                    }
                }
            }
            let row = plan.wanted().row(seen.entries.start);
            if !can_be_marked || plan.lacks_what_was_left_out(row) {
                return;
            }
            if is_open {
                if to_mark.contains(&seen.id.hash()) && seen.item.status != Status::Error {
                    marks.waiting.add(seen.row_number());
                } else if has_failed && seen.item.status == Status::Empty {
                    marks.unmarked.add(seen.row_number());
                }
            } else if is_answered && seen.item.status == Status::Error {
                marks.though_answered.add(seen.row_number());
            }
        })?;
        let failed = failed.into_iter().map(|((gave_up, cause), count)| {
            let fault = if gave_up { Fault::GaveUp } else { Fault::Rejected };
            EndedCount { fault, cause: cause.to_owned(), count }
        });
        Ok(RowsSeen { ledger, failed: failed.collect(), marks })
    }
}

/// Returns how a question ended, from what was recorded of that and why its answer is not accepted now: a check may say
/// something else than when it ended.
pub(crate) fn end_now<'e>(
    recorded: Option<&'e (Fault, String)>,
    of_check: Option<&Cause>,
) -> Option<(Fault, &'e str)> {
    let is_of_check = |cause: &str| {
        matches!(Cause::from_code(cause), Some(Cause::FailedCheck | Cause::NoVerdict))
    };
    match (recorded, of_check) {
        (Some((fault, cause)), None) => Some((*fault, cause)),
        (Some((fault, cause)), _) if !is_of_check(cause) => Some((*fault, cause)),
        (_, Some(cause)) => Some((Fault::Rejected, cause.code())),
        (None, None) => None,
    }
}
