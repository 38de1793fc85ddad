//! Asks rows again on purpose: the answers that they have count until others are there.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use dset_core::item::Status;
use dset_core::item::question::QuestionIndex;
use dset_core::plan::{AnswerId, Redo};
use dset_core::run::Planned;
use dset_core::template::condition::Condition;

use crate::error::JobError;
use crate::run::accepting::Accepting;
use crate::run::choice::condition_error;
use crate::run::plan_input::try_for_each_planned;
use crate::run::run_plan::{RunPlan, ScannedInput};
use crate::store::{Anew, Replaced, Store};

/// Which rows are asked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedoSelector {
    /// The questions with these numbers: their places in the file, from 1.
    Numbers(RangeInclusive<u64>),
    /// Those of which this expression over their columns holds.
    Where(String),
    /// Those that have no accepted answer and were asked, or say ERROR.
    Failed,
    /// All that have no accepted answer.
    Unanswered,
}

/// Plans the chosen rows as if they had not been asked: of what is left only these are. What they have is
/// not touched, and counts until another answer comes in its place. Fails where no row is chosen.
pub(crate) fn redo(
    which: &RedoSelector,
    input: &mut ScannedInput,
    store: &Store,
    plan: &RunPlan,
    accepting: Option<&Accepting>,
) -> Result<(RunPlan, Replaced), JobError> {
    let generation = plan.generation;
    let tries = store.tries_by_answer(Some(generation))?;
    let mut answers: HashMap<QuestionIndex, AnswerId> = HashMap::new();
    RunPlan::with_answers(input, store, generation, None, |at, answer| {
        answers.insert(at, answer);
    })?;
    let condition = match which {
        RedoSelector::Where(source) => Some(
            Condition::new(source, &input.source.shape().fields)
                .map_err(|error| condition_error(&error))?,
        ),
        _ => None,
    };
    let ended = store.ended(generation)?;
    let enough = accepting.and_then(|accepting| accepting.terms.enough);
    let mut replaced = Replaced::new(enough.map(|enough| (enough, input.samples)));
    let (mut is_chosen, mut anew, mut of_rows) = (Vec::new(), Anew::default(), Redo::default());
    let ScannedInput { source, prompts, requests, .. } = &mut *input;
    try_for_each_planned(&mut **source, prompts, &requests[0], &plan.plan, |seen| {
        let number = is_chosen.len() as u64 + 1;
        let state = |at: QuestionIndex| plan.plan.states[at as usize];
        let is_accepted = |at| matches!(state(at), Planned::Placed | Planned::Unplaced);
        let has_failed = || {
            seen.item.status == Status::Error
                || seen.entries.clone().any(|at| {
                    let wanted = plan.plan.wanted();
                    let was_asked = plan.plan.not_accepted(at).is_some()
                        || wanted.find_failure(seen.id, at, |hash| ended.get(hash)).is_some();
                    state(at) == Planned::Failed || state(at) == Planned::Pending && was_asked
                })
        };
        let is_it = match (which, &condition) {
            (RedoSelector::Numbers(numbers), _) => numbers.contains(&number),
            (_, Some(condition)) => condition
                .holds(seen.item)
                .map_err(|error| JobError::from(condition_error(&error)))?,
            (RedoSelector::Unanswered, _) => true,
            _ => has_failed(),
        };
        is_chosen.push(is_it);
        if !is_it {
            for at in seen.entries {
                of_rows.answered_beside += u64::from(is_accepted(at));
                of_rows.presumed_beside += u64::from(state(at) == Planned::Presumed);
            }
            return Ok(());
        }
        // Of a row that failed, what was accepted stays.
        let keeps = matches!(which, RedoSelector::Failed | RedoSelector::Unanswered);
        for at in seen.entries.filter(|at| !(keeps && is_accepted(*at))) {
            if is_accepted(at) {
                of_rows.stands.insert(at);
            }
            if let Some(answer) = answers.get(&at) {
                let before: Vec<AnswerId> = tries.of(*answer).collect();
                anew.answers.extend(&before);
                replaced.add(at, before, is_accepted(at));
            }
            // What was cut before there was a text is asked again, too.
            anew.failures.insert(plan.plan.wanted().failure_key(seen.id, at));
        }
        Ok::<_, JobError>(())
    })?;
    if !is_chosen.contains(&true) {
        return Err(JobError::NothingToRedo);
    }
    let chosen = is_chosen.iter().filter(|is_chosen| **is_chosen).count() as u64;
    input.scanned.planner.choose(&is_chosen);
    input.anew = anew;
    let mut plan =
        RunPlan::new(input, store, generation, accepting.map(|accepting| &accepting.terms))?;
    (plan.plan.redo, plan.plan.counted_rows) = (of_rows, chosen);
    Ok((plan, replaced))
}
