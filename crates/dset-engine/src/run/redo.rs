//! Asks rows again on purpose: the answers that they have count until others are there.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

use dset_core::item::Status;
use dset_core::item::question::{QuestionId, QuestionIndex};
use dset_core::plan::{AnswerId, Redo};
use dset_core::run::Planned;
use dset_core::template::condition::Condition;

use crate::error::JobError;
use crate::run::accepting::Accepting;
use crate::run::choice::condition_error;
use crate::run::plan_input::try_for_each_planned;
use crate::run::run_plan::{RunPlan, ScannedInput};
use crate::store::{Replaced, Store};

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

/// Returns of each row that is asked again what it is known by. Fails where none is.
pub(crate) fn choose(
    which: &RedoSelector,
    input: &mut ScannedInput,
    store: &Store,
    plan: &RunPlan,
) -> Result<Vec<Option<QuestionId>>, JobError> {
    let condition = match which {
        RedoSelector::Where(source) => Some(
            Condition::new(source, &input.source.shape().fields)
                .map_err(|error| condition_error(&error))?,
        ),
        _ => None,
    };
    let (ended, plan) = (store.ended(plan.generation)?, &plan.plan);
    let mut chosen = Vec::new();
    let ScannedInput { source, prompts, requests, .. } = input;
    try_for_each_planned(&mut **source, prompts, &requests[0], plan, |seen| {
        let number = chosen.len() as u64 + 1;
        let has_failed = || {
            seen.item.status == Status::Error
                || seen.entries.clone().any(|at| {
                    let was_asked = plan.not_accepted(at).is_some()
                        || plan
                            .wanted()
                            .find_failure(seen.id, at, |hash| ended.get(hash))
                            .is_some();
                    let state = plan.states[at as usize];
                    state == Planned::Failed || state == Planned::Pending && was_asked
                })
        };
        let is_chosen = match (which, &condition) {
            (RedoSelector::Numbers(numbers), _) => numbers.contains(&number),
            (_, Some(condition)) => condition
                .holds(seen.item)
                .map_err(|error| JobError::from(condition_error(&error)))?,
            (RedoSelector::Unanswered, _) => true,
            _ => has_failed(),
        };
        chosen.push(is_chosen.then_some(seen.id));
        Ok::<_, JobError>(())
    })?;
    if chosen.iter().any(Option::is_some) { Ok(chosen) } else { Err(JobError::NothingToRedo) }
}

/// Plans the chosen rows as if they had not been asked: of what is left only these are. What they have is
/// not touched, and counts until another answer comes in its place.
pub(crate) fn redo(
    which: &RedoSelector,
    chosen: &[Option<QuestionId>],
    input: &mut ScannedInput,
    store: &Store,
    plan: &RunPlan,
    accepting: Option<&Accepting>,
) -> Result<(RunPlan, Replaced), JobError> {
    let RunPlan { generation, plan, .. } = plan;
    let state = |at: QuestionIndex| plan.states[at as usize];
    let is_accepted = |at| matches!(state(at), Planned::Placed | Planned::Unplaced);
    // Of a row that failed, what was accepted stays.
    let keeps = matches!(which, RedoSelector::Failed | RedoSelector::Unanswered);
    let (mut anew, mut of_rows) = (HashSet::new(), Redo::default());
    for (row, chosen) in (0..).zip(chosen) {
        for at in plan.wanted().entries_of_row(row) {
            let Some(id) = *chosen else {
                of_rows.answered_beside += u64::from(is_accepted(at));
                of_rows.presumed_beside += u64::from(state(at) == Planned::Presumed);
                continue;
            };
            if keeps && is_accepted(at) {
                continue;
            }
            anew.insert(at);
            if is_accepted(at) {
                of_rows.stands.insert(at);
            }
            // What was cut before there was a text is asked again, too.
            input.anew.failures.insert(plan.wanted().failure_key(id, at));
        }
    }
    let enough = accepting.and_then(|accepting| accepting.terms.enough);
    let mut replaced = Replaced::new(enough.map(|enough| (enough, input.samples)));
    for (at, answers) in set_aside(&anew, input, store, *generation)? {
        replaced.add(at, answers, is_accepted(at));
    }
    let is_chosen: Vec<bool> = chosen.iter().map(Option::is_some).collect();
    input.scanned.planner.choose(&is_chosen);
    let terms = accepting.map(|accepting| &accepting.terms);
    let mut plan = RunPlan::new(input, store, *generation, terms)?;
    plan.plan.redo = of_rows;
    plan.plan.counted_rows = is_chosen.iter().filter(|is_chosen| **is_chosen).count() as u64;
    Ok((plan, replaced))
}

/// Takes every answer to these as if it were not there, and returns them. Behind one of the settings of now
/// there may be others, which would count in its place.
fn set_aside(
    anew: &HashSet<QuestionIndex>,
    input: &mut ScannedInput,
    store: &Store,
    generation: u32,
) -> Result<HashMap<QuestionIndex, Vec<AnswerId>>, JobError> {
    let tries = store.tries_by_answer(Some(generation))?;
    let mut all: HashMap<QuestionIndex, Vec<AnswerId>> = HashMap::new();
    loop {
        let mut found = Vec::new();
        RunPlan::with_answers(input, store, generation, None, |at, answer| {
            if anew.contains(&at) {
                found.push((at, answer));
            }
        })?;
        let before = input.anew.answers.len();
        for (at, answer) in found {
            let of_it = all.entry(at).or_default();
            let new: Vec<AnswerId> = tries.of(answer).filter(|one| !of_it.contains(one)).collect();
            of_it.extend(&new);
            input.anew.answers.extend(new);
        }
        if input.anew.answers.len() == before {
            return Ok(all);
        }
    }
}
