//! What answers are held against in a run: made of the settings, and applied to what is stored.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use dset_core::acceptance::{Acceptance, Consequence, Occasion, Rejudgement, Terms, Verdict};
use dset_core::item::question::{QuestionId, QuestionIndex};
use dset_core::key::RequestSettings;
use dset_core::plan::AnswerId;
use dset_core::run::Planned;
use dset_core::settings::{JobSpec, Model};
use dset_core::template::Prompts;
use xxhash_rust::xxh3::Xxh3;

use crate::check::Judge;
use crate::error::JobError;
use crate::run::plan_input::try_for_each_planned;
use crate::run::prepare::Decisions;
use crate::run::run_plan::{AnswersOfEntries, RunPlan, ScannedInput};
use crate::source::Source;
use crate::source::items::{Items, Prepared};
use crate::store::{IdSet, NewVerdicts, Rejudged, Store, StoreError, Write};
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
    /// Makes it of the settings for an input; `None` where nothing is asked of answers, and all of them are wanted.
    /// Starts the programs that judge. Fails where a check is none, or is about a column that is not there.
    pub(crate) fn new(spec: &JobSpec, input: &ScannedInput) -> Result<Option<Accepting>, JobError> {
        let columns = &input.source.shape().fields;
        let acceptance =
            Acceptance::new(spec.schema.clone(), spec.checks.declared.clone(), columns)?;
        match acceptance.is_empty() {
            true => enough(spec).map(|_| Accepting::of_whole_answers(spec)).transpose(),
            false => Accepting::start(spec, acceptance).map(Some),
        }
    }

    /// Makes it of nothing but that answers are whole.
    pub(crate) fn of_whole_answers(spec: &JobSpec) -> Result<Accepting, JobError> {
        let Accepting { judge, terms } =
            Accepting::start(spec, Acceptance::new(None, Vec::new(), &[])?)?;
        Ok(Accepting { judge, terms: Terms { enough: enough(spec), ..terms } })
    }

    fn start(spec: &JobSpec, acceptance: Acceptance) -> Result<Accepting, JobError> {
        let terms = Terms::new(&acceptance, &spec.checks);
        let asked_for = spec.models.iter().map(Model::asked_for);
        let restores = asked_for.map(|asked| asked.map(|asked| asked.restore).unwrap_or_default());
        let judge = Arc::new(Judge::start(acceptance, restores.collect(), &spec.output)?);
        Ok(Accepting { judge, terms })
    }

    fn expected(&self, input: &mut ScannedInput, generation: u32) -> Result<String, JobError> {
        let ScannedInput { source, prompts, requests, samples, .. } = input;
        let asked = (&requests[..], *samples, generation);
        hash_expected(self.judge.acceptance(), &mut **source, prompts, asked)
    }

    /// Judges what is stored and was not judged so far, and records that; and anew what its row decides, which
    /// may have changed: what is thought otherwise of it now is returned, and not recorded before somebody has
    /// decided on it. An answer that was to come in place of others does so with its verdict.
    /// One with a damaged text cannot be judged, which ends every run but one that asks rows again.
    /// What the decisions apply is recorded in place of what was thought before, and not judged again.
    /// Asks nothing of a service.
    pub(crate) fn judge_stored(
        &self,
        input: &mut ScannedInput,
        store: &mut Store,
        generation: u32,
        decisions: &Decisions,
    ) -> Result<Rejudged, JobError> {
        let acceptance = self.terms.fingerprint;
        let applied =
            decisions.applies.as_deref().filter(|applied| applied.acceptance == acceptance);
        let to_replace = store.to_replace()?;
        let just_judged = self.record_applied(applied, store, &to_replace)?;
        let unjudged = match self.terms.are_of_whole_alone() {
            true => store.unjudged_cut(generation, &acceptance)?,
            false => store.unjudged(generation, &acceptance)?,
        };
        let mut depends_on_rows = applied.is_none() && self.judge.depends_on_rows();
        if depends_on_rows {
            let expected = self.expected(input, generation)?;
            depends_on_rows = store.expected()?.as_ref() != Some(&expected);
            input.expected = Some(expected);
        }
        let mut rejudged = Rejudged::under(acceptance);
        if unjudged.answers.count == 0 && !depends_on_rows {
            return Ok(rejudged);
        }
        let is_new = |answer: &AnswerId| unjudged.answers.has(*answer) && !just_judged.has(*answer);
        let mut wanted = AnswersOfEntries::default();
        let plan = RunPlan::with_all_answers(input, store, generation, |at, answer| {
            let tries = unjudged.tries.of(answer);
            wanted.extend(at, tries.filter(|one| depends_on_rows || is_new(one)));
        })?;
        wanted.sort();
        let mut writes = Vec::new();
        let ScannedInput { source, prompts, requests, .. } = input;
        let archive = store.reader()?;
        try_for_each_planned(&mut **source, prompts, &requests[0], &plan.plan, |seen| {
            for answer in wanted.of(&seen.entries) {
                let row = match archive.row(answer) {
                    Err(StoreError::TextDamaged { .. }) if decisions.redo.is_some() => continue,
                    row => row?,
                };
                let is_new = is_new(&answer);
                let before = archive.verdicts(answer, &acceptance)?;
                let verdicts = match &before {
                    Some(before) if !is_new => {
                        self.judge.judge_again(row.received(), seen.item, before)
                    }
                    _ => self.judge.judge(row.received(), seen.item),
                };
                let list = (!verdicts.are_passed()).then_some(verdicts.list);
                let how = Occasion { is_new, replaces: to_replace.contains_key(&answer) };
                let becomes = self.terms.rejudgement(before.as_deref(), list.as_deref(), how);
                match becomes {
                    Rejudgement::Same => {}
                    Rejudgement::Wait => rejudged.insert(answer, list),
                    Rejudgement::Record => {
                        let verdicts = NewVerdicts { acceptance, list };
                        writes.extend(self.judged(answer, verdicts, &to_replace))
                    }
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

    /// Records the verdicts that a check has found; returns the answers that they are on.
    fn record_applied(
        &self,
        applied: Option<&JudgedAnswers>,
        store: &mut Store,
        to_replace: &HashMap<AnswerId, Vec<AnswerId>>,
    ) -> Result<IdSet, JobError> {
        let acceptance = self.terms.fingerprint;
        let mut recorded = IdSet::default();
        for part in applied.map_or(&[][..], |applied| &applied.verdicts).chunks(BATCH) {
            let mut writes = Vec::new();
            for (answer, list) in part {
                recorded.insert(*answer);
                let verdicts = NewVerdicts { acceptance, list: list.clone() };
                writes.extend(self.judged(*answer, verdicts, to_replace));
            }
            store.commit(&writes)?;
        }
        Ok(recorded)
    }

    /// Returns what is written for a verdict: with an answer that is accepted, those go that it is to come in
    /// place of.
    fn judged(
        &self,
        answer: AnswerId,
        verdicts: NewVerdicts,
        to_replace: &HashMap<AnswerId, Vec<AnswerId>>,
    ) -> impl Iterator<Item = Write> {
        let is_accepted = self.terms.consequence(verdicts.list.as_deref()) == Consequence::Accept;
        let before = to_replace.get(&answer).filter(|_| is_accepted).cloned();
        let aside = before.into_iter().flatten().map(Write::SetAside);
        aside.chain([Write::Judged { answer, verdicts }])
    }
}

/// Hashes what the rows expect of their answers, and what says which of these are judged by that: what each model
/// is asked with, the samples and the generation.
pub(crate) fn hash_expected(
    acceptance: &Acceptance,
    source: &mut dyn Source,
    prompts: &Prompts,
    (requests, samples, generation): (&[RequestSettings], u32, u32),
) -> Result<String, JobError> {
    let mut hash = Xxh3::new();
    hash.update(&acceptance.fingerprint());
    hash.update(&generation.to_be_bytes());
    hash.update(&samples.to_be_bytes());
    requests.iter().for_each(|request| hash.update(&request.hash()));
    source.rewind()?;
    let mut items = Items::new(source, prompts, &requests[..1]);
    while let Some(Prepared { item, fingerprints, .. }) = items.next()? {
        fingerprints.iter().for_each(|fingerprint| hash.update(&fingerprint.0));
        for expected in acceptance.expected(&item) {
            hash.update(&expected.len().to_be_bytes());
            hash.update(expected.as_bytes());
        }
    }
    Ok(format!("{:032x}", hash.digest128()))
}

/// Returns how many accepted samples are enough, where that is not all of them.
fn enough(spec: &JobSpec) -> Option<u32> {
    spec.checks.enough.filter(|enough| *enough < spec.samples)
}

/// Decides what becomes of answers that were accepted on the terms of the last run, and are not on
/// those of this, or not since their rows have changed: they are kept, or asked for again. Those of rows that
/// are `chosen` to be asked again are not concerned. Fails where nobody has said which, with everything as it
/// was.
pub(crate) fn decide(
    input: &mut ScannedInput,
    store: &mut Store,
    plan: RunPlan,
    accepting: Option<&Accepting>,
    chosen: &[Option<QuestionId>],
    (keep, again): (bool, bool),
) -> Result<RunPlan, JobError> {
    let rejudged = std::mem::take(&mut input.rejudged);
    let Some(accepting) = accepting else { return Ok(plan) };
    let concerned = match again {
        true => Vec::new(),
        false => not_accepted_any_more(input, store, &plan, accepting, &rejudged, (chosen, keep))?,
    };
    if !concerned.is_empty() && !keep {
        let schema = |requests: &[RequestSettings]| requests.first().and_then(|r| r.schema.clone());
        let asked = store.last_requests(plan.generation)?.map(|(requests, _)| requests);
        let now = schema(&input.requests);
        return Err(JobError::AcceptanceChanged {
            answers: concerned.len() as u64,
            is_schema_new: now.is_some() && now != asked.as_deref().and_then(schema),
        });
    }
    let acceptance = accepting.terms.fingerprint;
    let are_kept = !concerned.is_empty();
    let kept = concerned.into_iter().map(|answer| Write::Kept { answer, acceptance });
    let judged = rejudged.all().map(|(answer, verdicts)| Write::Judged { answer, verdicts });
    store.commit(&kept.chain(judged).collect::<Vec<_>>())?;
    match are_kept {
        true => RunPlan::new(input, store, plan.generation, Some(&accepting.terms)),
        false => Ok(plan),
    }
}

/// Returns the answers that were accepted on the terms of the last run, of rows that are not chosen and would
/// be asked again by this plan; where they are to be kept, also those of rows that it would mark.
fn not_accepted_any_more(
    input: &ScannedInput,
    store: &Store,
    plan: &RunPlan,
    accepting: &Accepting,
    rejudged: &Rejudged,
    (chosen, keep): (&[Option<QuestionId>], bool),
) -> Result<Vec<AnswerId>, JobError> {
    let before = store.terms_before(&accepting.terms)?;
    let RunPlan { plan, generation, .. } = plan;
    let is_new = before.as_ref().is_none_or(|before| {
        let now = &accepting.terms;
        (before.fingerprint, &before.on_fail) != (now.fingerprint, &now.on_fail)
    });
    let is_concerned = |at: QuestionIndex| {
        let state = plan.states[at as usize];
        (state == Planned::Pending || keep && state == Planned::Failed)
            && chosen.get(plan.wanted().row(at) as usize).is_none_or(Option::is_none)
    };
    let all = plan.not_accepted.iter().map(|one| one.index).filter(|at| is_concerned(*at));
    let concerned: HashSet<QuestionIndex> = all.collect();
    let mut accepted = Vec::new();
    if concerned.is_empty() || !is_new && rejudged.is_empty() {
        return Ok(Vec::new());
    }
    RunPlan::with_answers(input, store, *generation, before.as_ref(), |at, answer| {
        if concerned.contains(&at) {
            accepted.push((at, answer));
        }
    })?;
    let archive = store.as_reader();
    let acceptance = &accepting.terms.fingerprint;
    let mut all = Vec::with_capacity(accepted.len());
    for (at, answer) in accepted {
        // Half an answer that nobody asks for again is kept by nobody's word.
        let is_cut = plan.states[at as usize] == Planned::Failed
            && archive.verdicts(answer, acceptance)?.iter().flatten().any(Verdict::says_cut);
        if !is_cut {
            all.push(answer);
        }
    }
    Ok(all)
}
