//! What answers are held against in a run: made of the settings, and applied to what is stored.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use dset_core::acceptance::{Acceptance, Consequence, Terms, Verdict};
use dset_core::item::question::QuestionIndex;
use dset_core::key::RequestSettings;
use dset_core::plan::AnswerId;
use dset_core::run::Planned;
use dset_core::settings::{JobSpec, Model};

use crate::check::Judge;
use crate::error::JobError;
use crate::run::plan_input::try_for_each_planned;
use crate::run::run_plan::{RunPlan, ScannedInput};
use crate::store::{IdSet, NewVerdicts, Store, Write};
use crate::view::check::JudgedAnswers;

/// So many verdicts are recorded at once.
const BATCH: usize = 4_096;

/// What answers are held against.
#[derive(Debug, Clone)]
pub(crate) struct Accepting {
    pub(crate) judge: Arc<Judge>,
    pub(crate) terms: Terms,
}

impl Accepting {
    /// Makes it of the settings for an input; `None` where nothing is asked of answers. Starts the
    /// programs that judge. Fails where a check is none, or is about a column that is not there.
    pub(crate) fn new(spec: &JobSpec, input: &ScannedInput) -> Result<Option<Accepting>, JobError> {
        let columns = &input.source.shape().fields;
        let acceptance =
            Acceptance::new(spec.schema.clone(), spec.checks.declared.clone(), columns)?;
        if acceptance.is_empty() {
            return Ok(None);
        }
        Accepting::start(spec, acceptance).map(Some)
    }

    /// Makes it of nothing but that answers are whole.
    pub(crate) fn of_whole_answers(spec: &JobSpec) -> Result<Accepting, JobError> {
        let Accepting { judge, terms } =
            Accepting::start(spec, Acceptance::new(None, Vec::new(), &[])?)?;
        Ok(Accepting { judge, terms: Terms { enough: None, ..terms } })
    }

    fn start(spec: &JobSpec, acceptance: Acceptance) -> Result<Accepting, JobError> {
        let terms = Terms::new(&acceptance, &spec.checks);
        let asked_for = spec.models.iter().map(Model::asked_for);
        let restores = asked_for.map(|asked| asked.map(|asked| asked.restore).unwrap_or_default());
        let judge = Arc::new(Judge::start(acceptance, restores.collect(), &spec.output)?);
        Ok(Accepting { judge, terms })
    }

    /// Judges what is stored and was not judged so far, and records that; and anew what its row decides, which
    /// may have changed. What was `applied` is recorded in place of what was thought before, and not judged
    /// again. Asks nothing of a service.
    pub(crate) fn judge_stored(
        &self,
        input: &mut ScannedInput,
        store: &mut Store,
        generation: u32,
        applied: Option<&JudgedAnswers>,
    ) -> Result<Rejudged, JobError> {
        let acceptance = self.terms.fingerprint;
        let applied = applied.filter(|applied| applied.acceptance == acceptance);
        let mut just_judged = IdSet::default();
        for part in applied.map_or(&[][..], |applied| &applied.verdicts).chunks(BATCH) {
            let writes: Vec<Write> = part
                .iter()
                .map(|(answer, list)| {
                    just_judged.insert(*answer);
                    let verdicts = NewVerdicts { acceptance, list: list.clone() };
                    Write::Judged { answer: *answer, verdicts }
                })
                .collect();
            store.commit(&writes)?;
        }
        let unjudged = match self.terms.are_of_whole_alone() {
            true => store.unjudged_cut(generation, &acceptance)?,
            false => store.unjudged(generation, &acceptance)?,
        };
        let depends_on_rows = applied.is_none() && self.judge.depends_on_rows();
        let mut rejudged = Rejudged::default();
        if unjudged.answers.count == 0 && !depends_on_rows {
            return Ok(rejudged);
        }
        let is_new = |answer: &AnswerId| unjudged.answers.has(*answer) && !just_judged.has(*answer);
        let mut wanted: HashMap<QuestionIndex, Vec<AnswerId>> = HashMap::new();
        let plan = RunPlan::with_answers(input, store, generation, None, |at, answer| {
            let all = unjudged.tries.of(answer).filter(|one| depends_on_rows || is_new(one));
            let all: Vec<AnswerId> = all.collect();
            if !all.is_empty() {
                wanted.insert(at, all);
            }
        })?;
        let mut writes = Vec::new();
        let ScannedInput { source, prompts, requests, .. } = input;
        let archive = store.reader()?;
        try_for_each_planned(&mut **source, prompts, &requests[0], &plan.plan, |seen| {
            for at in seen.entries {
                for answer in wanted.remove(&at).into_iter().flatten() {
                    let row = archive.row(answer)?;
                    let before = match is_new(&answer) {
                        true => None,
                        false => archive.verdicts(answer, &acceptance)?,
                    };
                    let verdicts = match &before {
                        None => self.judge.judge(row.received(), seen.item),
                        Some(before) => self.judge.judge_again(row.received(), seen.item, before),
                    };
                    let list = (!verdicts.are_passed()).then_some(verdicts.list);
                    if let Some(before) = before {
                        if list.as_deref().unwrap_or_default() == before {
                            continue;
                        }
                        rejudged.note(&self.terms, answer, before, list.as_deref());
                    }
                    let verdicts = NewVerdicts { acceptance, list };
                    writes.push(Write::Judged { answer, verdicts });
                }
            }
            if writes.len() >= BATCH {
                store.commit(&std::mem::take(&mut writes))?;
            }
            Ok::<_, JobError>(())
        })?;
        store.commit(&writes)?;
        Ok(rejudged)
    }
}

/// Answers that were judged otherwise before, on the same terms: their rows have changed since.
#[derive(Debug, Default)]
pub(crate) struct Rejudged {
    /// Those that were accepted and are not any more.
    failed: HashSet<AnswerId>,
    /// What brings back what was thought of them.
    undo: Vec<Write>,
}

impl Rejudged {
    fn note(
        &mut self,
        terms: &Terms,
        answer: AnswerId,
        before: Vec<Verdict>,
        now: Option<&[Verdict]>,
    ) {
        let is_accepted = |list| terms.consequence(list) == Consequence::Accept;
        if is_accepted(Some(&before[..])) && !is_accepted(now) {
            self.failed.insert(answer);
        }
        let list = Some(before).filter(|before| !before.is_empty());
        let verdicts = NewVerdicts { acceptance: terms.fingerprint, list };
        self.undo.push(Write::Judged { answer, verdicts });
    }
}

/// Decides what becomes of answers that were accepted on the terms of the last run, and are not on
/// those of this, or not since their rows have changed: they are kept, or asked for again. Fails where nobody
/// has said which, with everything as it was.
pub(crate) fn decide(
    input: &ScannedInput,
    store: &mut Store,
    plan: RunPlan,
    accepting: Option<&Accepting>,
    rejudged: Rejudged,
    (keep, again): (bool, bool),
) -> Result<RunPlan, JobError> {
    let Some(accepting) = accepting else { return Ok(plan) };
    let before = store.terms()?;
    let is_new =
        before.as_ref().is_none_or(|before| before.fingerprint != accepting.terms.fingerprint);
    if !is_new && rejudged.failed.is_empty() || !plan.has_other_tries() {
        return Ok(plan);
    }
    let is_asked = |at: QuestionIndex| plan.plan.states[at as usize] == Planned::Pending;
    let not_any_more = plan.plan.not_accepted.iter().filter(|one| is_asked(one.index));
    let concerned: Vec<AnswerId> = if is_new {
        let mut accepted: HashMap<QuestionIndex, AnswerId> = HashMap::new();
        RunPlan::with_answers(input, store, plan.generation, before.as_ref(), |at, answer| {
            accepted.insert(at, answer);
        })?;
        not_any_more.filter_map(|one| accepted.get(&one.index).copied()).collect()
    } else {
        let tries = store.tries_by_answer(Some(plan.generation))?;
        let was_accepted = |answer: &AnswerId| rejudged.failed.contains(answer);
        not_any_more.filter_map(|one| tries.of(one.answer).find(was_accepted)).collect()
    };
    if concerned.is_empty() || again {
        return Ok(plan);
    }
    if !keep {
        store.commit(&rejudged.undo)?;
        let schema = |requests: &[RequestSettings]| requests.first().and_then(|r| r.schema.clone());
        let asked = store.last_requests(plan.generation)?.map(|(requests, _)| requests);
        let now = schema(&input.requests);
        return Err(JobError::AcceptanceChanged {
            answers: concerned.len() as u64,
            is_schema_new: now.is_some() && now != asked.as_deref().and_then(schema),
        });
    }
    let acceptance = accepting.terms.fingerprint;
    let writes: Vec<Write> =
        concerned.into_iter().map(|answer| Write::Kept { answer, acceptance }).collect();
    store.commit(&writes)?;
    RunPlan::new(input, store, plan.generation, Some(&accepting.terms))
}
