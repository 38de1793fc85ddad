//! Every kept answer held against what is asked of answers now, and what that changes. Nothing is asked
//! of a service, and nothing is written.

use std::sync::Arc;

use dset_core::acceptance::{Acceptance, Outcome, Verdict};
use dset_core::key::RequestSettings;
use dset_core::plan::AnswerId;
use dset_core::run::Planned;
use dset_core::settings::{JobSpec, Model};

use crate::error::JobError;
use crate::run::accepting::Accepting;
use crate::run::plan_input::{for_each_planned, try_for_each_planned};
use crate::run::run_plan::{AnswersOfEntries, RunPlan, ScannedInput};
use crate::store::{Invocation, Rejudged, Store, open_readonly};
use crate::view::status::Rows;

/// What is thought of the kept answers.
#[derive(Debug)]
pub struct CheckReport {
    /// Answers that were read, those of earlier tries among them.
    pub answers: u64,
    /// What each check says of them, in the order of their declarations.
    pub checks: Vec<CheckCount>,
    /// Wanted answers of which one is accepted.
    pub accepted: u64,
    /// Those without any answer.
    pub unanswered: u64,
    /// Those that were given and of which none is.
    pub not_accepted: Rows,
    /// Those among them that a run asks for again.
    pub to_ask: u64,
    /// Accepted now, and not on the terms of the last run.
    pub newly_accepted: Rows,
    /// Not accepted now, and accepted on the terms of the last run.
    pub newly_failed: Rows,
    /// Those among them whose rows are in the outputs, and stay there until these are rebuilt.
    pub in_outputs: Rows,
    /// What is thought of each answer, to be recorded.
    pub judged: Arc<JudgedAnswers>,
    /// The settings with the models, places and samples of the last run, whose answers these are.
    pub spec: JobSpec,
}

/// What is thought of answers under an acceptance.
#[derive(Debug, Default)]
pub struct JudgedAnswers {
    pub(crate) acceptance: [u8; 16],
    /// Nothing of those that passed every check.
    pub(crate) verdicts: Vec<(AnswerId, Option<Vec<Verdict>>)>,
}

/// What one check says of the answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckCount {
    /// Its name; with what it says, where several have that.
    pub check: String,
    /// So many pass,
    pub passed: u64,
    /// so many do not,
    pub failed: u64,
    /// and of so many it cannot tell.
    pub unknown: u64,
}

/// Reads every kept answer again; `None` where there is no store, or nothing is asked of answers.
pub fn check(settings: &JobSpec) -> Result<Option<CheckReport>, JobError> {
    let report = open_readonly(&settings.output, |store| -> Result<_, JobError> {
        let generation = store.generation()?;
        let asked = store.last_requests(generation)?;
        let mut spec = as_asked(settings, asked.clone(), store.last_invocation()?.as_ref());
        let formats = store.formats(&settings.formats)?;
        spec.formats = formats.iter().map(|format| format.name.to_owned()).collect();
        let mut input = ScannedInput::to_look_at(&spec, store.marks_column()?, asked, None)?;
        let Some(mut accepting) = Accepting::new(&spec, &input)? else { return Ok(None) };
        let before = store.terms()?;
        let enough = accepting.terms.enough.or(before.and_then(|before| before.enough));
        accepting.terms.enough = enough.filter(|enough| *enough < input.samples);
        spec.checks.enough = accepting.terms.enough;
        Reading { store, generation, accepting }.read(&mut input, spec).map(Some)
    })?;
    Ok(report.flatten())
}

/// Returns these settings with what the last run asked, and where.
fn as_asked(
    settings: &JobSpec,
    asked: Option<(Vec<RequestSettings>, u32)>,
    call: Option<&Invocation>,
) -> JobSpec {
    let Some((requests, samples)) = asked else { return settings.clone() };
    let models = requests.into_iter().enumerate().map(|(at, request)| {
        let is_same = |model: &&Model| model.request.model == request.model;
        let known = settings.models.iter().find(is_same).unwrap_or_else(|| settings.model());
        let model = Model { request, ..known.clone() };
        match call.and_then(|call| call.places.get(at)) {
            Some(place) => place.of(model),
            None => model,
        }
    });
    JobSpec { models: models.collect(), samples, ..settings.clone() }
}

struct Reading<'a> {
    store: &'a Store,
    generation: u32,
    accepting: Accepting,
}

impl Reading<'_> {
    fn read(&self, input: &mut ScannedInput, spec: JobSpec) -> Result<CheckReport, JobError> {
        let before = self.store.terms()?;
        let before = RunPlan::new(input, self.store, self.generation, before.as_ref())?.plan.states;
        let mut report = CheckReport::new(spec);
        input.rejudged = self.judge(input, &mut report)?;
        let terms = Some(&self.accepting.terms);
        let now = RunPlan::new(input, self.store, self.generation, terms)?.plan;
        let ScannedInput { source, prompts, requests, .. } = input;
        for_each_planned(&mut **source, prompts, &requests[0], &now, |seen| {
            let is_left_out = now.lacks_what_was_left_out(now.wanted().row(seen.entries.start));
            for at in seen.entries.clone() {
                let was = before[at as usize];
                let has_answer = now.not_accepted(at).is_some();
                match now.states[at as usize] {
                    state @ (Planned::Placed | Planned::Unplaced) => {
                        report.settle(seen.row_number(), state, was);
                    }
                    state @ (Planned::Pending | Planned::Failed) if has_answer => {
                        report.settle(seen.row_number(), state, was);
                    }
                    Planned::Pending | Planned::Failed => report.unanswered += 1,
                    Planned::LeftOut if is_left_out && has_answer && is_accepted(was) => {
                        report.settle(seen.row_number(), Planned::LeftOut, was);
                    }
                    Planned::LeftOut | Planned::Presumed => {}
                }
            }
        })?;
        let acceptance = self.accepting.terms.fingerprint;
        let rejudged = std::mem::take(&mut input.rejudged);
        let mut verdicts: Vec<_> =
            rejudged.all().map(|(answer, verdicts)| (answer, verdicts.list)).collect();
        verdicts.sort_unstable_by_key(|(answer, _)| *answer);
        report.answers = verdicts.len() as u64;
        report.judged = Arc::new(JudgedAnswers { acceptance, verdicts });
        Ok(report)
    }

    /// Judges all answers that may count for a wanted one, whatever settings bought them.
    fn judge(
        &self,
        input: &mut ScannedInput,
        report: &mut CheckReport,
    ) -> Result<Rejudged, JobError> {
        let Accepting { judge, terms } = &self.accepting;
        let tries = self.store.tries_by_answer(Some(self.generation))?;
        let aside = self.store.set_aside()?;
        let mut answers = AnswersOfEntries::default();
        let plan = RunPlan::with_all_answers(input, self.store, self.generation, |at, answer| {
            answers.extend(at, tries.of(answer).filter(|answer| !aside.has(*answer)));
        })?;
        answers.sort();
        let mut rejudged = Rejudged::under(terms.fingerprint);
        let ScannedInput { source, prompts, requests, .. } = input;
        let archive = self.store.as_reader();
        try_for_each_planned(&mut **source, prompts, &requests[0], &plan.plan, |seen| {
            for answer in answers.of(&seen.entries) {
                let row = archive.row(answer)?;
                let judged = judge.judge(row.received(), seen.item);
                judged.list.iter().enumerate().for_each(|(at, verdict)| report.count(at, verdict));
                rejudged.insert(answer, (!judged.are_passed()).then_some(judged.list));
            }
            Ok::<_, JobError>(())
        })?;
        Ok(rejudged)
    }
}

fn is_accepted(state: Planned) -> bool {
    matches!(state, Planned::Placed | Planned::Unplaced)
}

impl CheckReport {
    fn new(spec: JobSpec) -> CheckReport {
        CheckReport {
            answers: 0,
            checks: Vec::new(),
            accepted: 0,
            unanswered: 0,
            not_accepted: Rows::default(),
            to_ask: 0,
            newly_accepted: Rows::default(),
            newly_failed: Rows::default(),
            in_outputs: Rows::default(),
            judged: Arc::default(),
            spec,
        }
    }

    fn count(&mut self, at: usize, verdict: &Verdict) {
        if self.checks.is_empty() {
            let declared = &self.spec.checks.declared;
            let labels = Acceptance::labels(self.spec.schema.is_some(), declared);
            let count = |check| CheckCount { check, passed: 0, failed: 0, unknown: 0 };
            self.checks = labels.into_iter().map(count).collect();
        }
        let Some(count) = self.checks.get_mut(at) else { return };
        match verdict.outcome {
            Outcome::Passed => count.passed += 1,
            Outcome::Failed => count.failed += 1,
            Outcome::Unknown => count.unknown += 1,
        }
    }

    fn settle(&mut self, row: u64, now: Planned, before: Planned) {
        let was_accepted = is_accepted(before);
        if is_accepted(now) {
            self.accepted += 1;
            if !was_accepted {
                self.newly_accepted.add(row);
            }
            return;
        }
        self.not_accepted.add(row);
        self.to_ask += u64::from(now == Planned::Pending);
        if was_accepted {
            self.newly_failed.add(row);
        }
        if before == Planned::Placed {
            self.in_outputs.add(row);
        }
    }
}
