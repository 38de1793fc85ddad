//! Asks rows again on purpose: the answers that they have stay, and count no more.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use dset_core::item::Status;
use dset_core::item::question::QuestionIndex;
use dset_core::key::{RequestHasher, RequestSettings};
use dset_core::plan::AnswerId;
use dset_core::run::Planned;
use dset_core::template::condition::Condition;

use crate::error::JobError;
use crate::run::accepting::Accepting;
use crate::run::choice::condition_error;
use crate::run::plan_input::try_for_each_planned;
use crate::run::run_plan::{RunPlan, ScannedInput};
use crate::store::{Store, StoreError, Write};

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

/// Answers that were set aside for new ones. Those in whose place nothing came count again when this is
/// dropped, at the end of the run, however it ends.
#[derive(Debug)]
pub(crate) struct Withdrawn {
    folder: PathBuf,
    /// Answers with higher numbers are newer.
    newest: AnswerId,
    /// The key of what is asked for, with what was there.
    entries: Vec<([u8; 16], Vec<AnswerId>)>,
}

impl Withdrawn {
    fn take_back(&self) -> Result<(), StoreError> {
        let (mut store, _) = Store::open(&self.folder)?;
        let mut writes = Vec::new();
        for (key, answers) in &self.entries {
            if store.tries(key, None)?.iter().all(|answer| *answer <= self.newest) {
                writes.extend(answers.iter().copied().map(Write::TakenBack));
            }
        }
        if !writes.is_empty() {
            store.commit(&writes)?;
        }
        Ok(())
    }
}

impl Drop for Withdrawn {
    fn drop(&mut self) {
        // A store that cannot be written was complained of by the run; then the rows are asked again.
        let _ = self.take_back();
    }
}

/// Sets the answers of the chosen rows aside, and plans anew: of what is left only these rows are
/// asked. Fails where no row is chosen.
pub(crate) fn redo(
    which: &RedoSelector,
    input: &mut ScannedInput,
    folder: &Path,
    store: &mut Store,
    plan: &RunPlan,
    accepting: Option<&Accepting>,
) -> Result<(RunPlan, Withdrawn), JobError> {
    let generation = plan.generation;
    let all_tries = store.tries_by_answer(generation)?;
    let mut answers: HashMap<QuestionIndex, AnswerId> = HashMap::new();
    RunPlan::with_answers(input, store, generation, None, |at, first| {
        answers.insert(at, first);
    })?;
    let condition = match which {
        RedoSelector::Where(source) => Some(
            Condition::new(source, &input.source.shape().fields)
                .map_err(|error| condition_error(&error))?,
        ),
        _ => None,
    };
    let ended = store.ended(generation)?;
    let mut is_chosen = Vec::new();
    let mut writes = Vec::new();
    let mut entries = Vec::new();
    let mut hashers: Vec<RequestHasher> =
        input.requests.iter().map(RequestSettings::request_hasher).collect();
    let ScannedInput { source, prompts, requests, .. } = &mut *input;
    try_for_each_planned(&mut **source, prompts, &requests[0], &plan.plan, |seen| {
        let number = is_chosen.len() as u64 + 1;
        let has_failed = || {
            seen.item.status == Status::Error
                || seen.entries.clone().any(|at| {
                    let state = plan.plan.states[at as usize];
                    let wanted = plan.plan.wanted();
                    let was_asked = plan.plan.not_accepted(at).is_some()
                        || wanted.find_failure(seen.id, at, |hash| ended.get(hash)).is_some();
                    state == Planned::Failed || state == Planned::Pending && was_asked
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
        if is_it {
            let keeps = |at: &QuestionIndex| {
                // Of a row that failed, what was accepted stays.
                matches!(which, RedoSelector::Failed | RedoSelector::Unanswered)
                    && matches!(plan.plan.states[*at as usize], Planned::Placed | Planned::Unplaced)
            };
            for at in seen.entries.filter(|at| !keeps(at)) {
                let first = answers.get(&at).copied();
                let tries: Vec<AnswerId> =
                    first.into_iter().flat_map(|first| all_tries.of(first)).collect();
                writes.extend(tries.iter().copied().map(Write::SetAside));
                if !tries.is_empty() {
                    let hasher = &mut hashers[usize::from(plan.plan.wanted().model(at))];
                    let fingerprint = hasher.fingerprint_of_item(seen.item, seen.rendered);
                    entries.push((plan.plan.key(at, fingerprint).0, tries));
                }
                // What was cut before there was a text is asked again, too.
                let question = plan.plan.wanted().failure_key(seen.id, at);
                writes.push(Write::NotEnded { question, edition: generation });
            }
        }
        Ok::<_, JobError>(())
    })?;
    if !is_chosen.contains(&true) {
        return Err(JobError::NothingToRedo);
    }
    let withdrawn =
        Withdrawn { folder: folder.to_owned(), newest: store.newest_answer()?, entries };
    store.commit(&writes)?;
    input.scanned.planner.choose(&is_chosen);
    let plan = RunPlan::new(input, store, generation, accepting.map(|accepting| &accepting.terms))?;
    Ok((plan, withdrawn))
}
