//! Asks rows again on purpose: the answers that they have count until others are there.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::RangeInclusive;

use dset_core::item::Status;
use dset_core::item::question::{QuestionId, QuestionIndex};
use dset_core::plan::{AnswerId, Redo};
use dset_core::run::Planned;
use dset_core::template::condition::Condition;
use xxhash_rust::xxh3::Xxh3;

use crate::error::JobError;
use crate::os::clock::unix_ms;
use crate::run::accepting::Accepting;
use crate::run::choice::condition_error;
use crate::run::plan_input::try_for_each_planned;
use crate::run::run_plan::{RunPlan, ScannedInput};
use crate::store::{OpenRedo, Replaced, Store, Write};

/// Which rows are asked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedoSelector {
    /// The questions with these numbers: their places in the file, from 1.
    Numbers(RangeInclusive<u64>),
    /// Those of which this expression over their columns holds.
    Where(String),
    /// Those that have no accepted answer and were asked, or say ERROR.
    Failed,
    /// All that have no accepted answer; what was asked of them since that was begun is not asked once more. Of a shared
    /// job it is the server that knows this.
    Unanswered(AskedSince),
}

/// What was asked again already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AskedSince {
    pub(crate) answers: HashSet<AnswerId>,
    /// What ended without an answer.
    pub(crate) ended: HashSet<[u8; 16]>,
}

/// As it is said on the command line.
impl fmt::Display for RedoSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RedoSelector::Numbers(numbers) if numbers.start() == numbers.end() => {
                write!(f, "{}", numbers.start())
            }
            RedoSelector::Numbers(numbers) => write!(f, "{}-{}", numbers.start(), numbers.end()),
            RedoSelector::Where(source) => write!(f, "--where {source}"),
            RedoSelector::Failed => f.write_str("--failed"),
            RedoSelector::Unanswered(_) => f.write_str("all without an answer"),
        }
    }
}

/// What an earlier run began, and this one goes on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedoContinued {
    /// When: Unix time, milliseconds.
    pub began: i64,
    /// So many of its rows are not asked any more.
    pub done: u64,
}

/// Rows that are asked again.
pub(crate) struct RedoPlan {
    pub(crate) plan: RunPlan,
    pub(crate) replaced: Replaced,
    /// What is remembered of it once it begins.
    pub(crate) open: OpenRedo,
    pub(crate) continued: Option<RedoContinued>,
}

/// Finds what an earlier run began with the same rows, settings and checks and did not finish, or begins it.
fn find_open(
    which: &RedoSelector,
    input: &ScannedInput,
    store: &Store,
    generation: u32,
    accepting: Option<&Accepting>,
) -> Result<(OpenRedo, bool), JobError> {
    let mut hash = Xxh3::new();
    hash.update(&generation.to_be_bytes());
    hash.update(&input.samples.to_be_bytes());
    input.requests.iter().for_each(|request| hash.update(&request.hash()));
    hash.update(&accepting.map(|accepting| accepting.terms.fingerprint).unwrap_or_default());
    let (rows, asked) = (which.to_string(), format!("{:032x}", hash.digest128()));
    let is_own = !matches!(which, RedoSelector::Unanswered(_));
    let known = store.open_redos()?.into_iter().filter(|_| is_own);
    if let Some(open) = known.into_iter().find(|one| (&one.rows, &one.asked) == (&rows, &asked)) {
        return Ok((open, true));
    }
    let last_before = store.last_answer()?;
    Ok((OpenRedo { rows, asked, last_before, began: unix_ms(), life: 0 }, false))
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
                        || plan.find_failure(seen.id, at, |hash| ended.get(hash)).is_some();
                    let state = plan.states[at as usize];
                    state == Planned::Failed || state == Planned::Pending && was_asked
                })
        };
        let is_chosen = match (which, &condition) {
            (RedoSelector::Numbers(numbers), _) => numbers.contains(&number),
            (_, Some(condition)) => condition
                .holds(seen.item)
                .map_err(|error| JobError::from(condition_error(&error)))?,
            (RedoSelector::Unanswered(_), _) => true,
            _ => has_failed(),
        };
        chosen.push(is_chosen.then_some(seen.id));
        Ok::<_, JobError>(())
    })?;
    if chosen.iter().any(Option::is_some) {
        return Ok(chosen);
    }
    Err(match which {
        RedoSelector::Numbers(numbers) => {
            JobError::NoSuchQuestion { number: *numbers.start(), questions: chosen.len() as u64 }
        }
        _ => JobError::NothingToRedo,
    })
}

/// Plans the chosen rows as if they had not been asked: of what is left only these are. What they have is
/// not touched, and counts until another answer comes in its place. Where the same was begun before and not
/// finished, what has come since is there.
pub(crate) fn redo(
    which: &RedoSelector,
    chosen: &[Option<QuestionId>],
    input: &mut ScannedInput,
    store: &mut Store,
    plan: &RunPlan,
    accepting: Option<&Accepting>,
) -> Result<RedoPlan, JobError> {
    let RunPlan { generation, plan, .. } = plan;
    let terms = accepting.map(|accepting| &accepting.terms);
    let (open, is_continued) = find_open(which, input, store, *generation, accepting)?;
    let since = match which {
        RedoSelector::Unanswered(since) => Some(since),
        _ => None,
    };
    let ended = match since {
        Some(since) => since.ended.clone(),
        None if is_continued => store.ended_since(*generation, &open)?,
        None => HashSet::new(),
    };
    let is_new = |answer: AnswerId| match since {
        Some(since) => since.answers.contains(&answer),
        None => answer > open.last_before,
    };
    let state = |at: QuestionIndex| plan.states[at as usize];
    let is_accepted = |at| matches!(state(at), Planned::Placed | Planned::Unplaced);
    // Of a row that failed, what was accepted stays.
    let keeps = matches!(which, RedoSelector::Failed | RedoSelector::Unanswered(_));
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
            let failure = plan.failure_key(id, at);
            if !ended.contains(&failure) {
                input.anew.failures.insert(failure);
            }
        }
    }
    let mut come = Vec::new();
    if is_continued || since.is_some_and(|since| !since.answers.is_empty()) {
        RunPlan::with_answers(input, store, *generation, terms, |at, answer| {
            if anew.contains(&at) && is_new(answer) {
                come.push(at);
            }
        })?;
    }
    let enough = terms.and_then(|terms| terms.enough);
    let mut replaced = Replaced::new(enough.map(|enough| (enough, input.samples)));
    for (at, answers) in set_aside(&anew, input, store, *generation, is_new)? {
        replaced.add(at, answers, is_accepted(at));
    }
    // With the last of them there may be enough.
    come.iter().for_each(|at| replaced.accept(*at));
    let aside = come.iter().flat_map(|at| replaced.by(*at, true)).map(Write::SetAside);
    store.commit(&aside.collect::<Vec<_>>())?;
    let is_chosen: Vec<bool> = chosen.iter().map(Option::is_some).collect();
    input.scanned.planner.choose(&is_chosen);
    let mut run_plan = RunPlan::new(input, store, *generation, terms)?;
    let plan = &mut run_plan.plan;
    let mut done = 0;
    for (row, chosen) in (0..).zip(chosen) {
        let Some(id) = chosen else { continue };
        let of_row = || plan.wanted().entries_of_row(row);
        let has = |at: &QuestionIndex, state| plan.states[*at as usize] == state;
        done += u64::from(!of_row().any(|at| has(&at, Planned::Pending)));
        let mut failed = of_row().filter(|at| has(at, Planned::Failed)).peekable();
        if failed.peek().is_some() && failed.all(|at| of_rows.stands.contains(&at)) {
            plan.marks.set.remove(id);
        }
    }
    plan.redo = of_rows;
    plan.counted_rows = is_chosen.iter().filter(|is_chosen| **is_chosen).count() as u64;
    let continued = RedoContinued { began: open.began, done };
    let continued = Some(continued).filter(|_| is_continued && done > 0);
    Ok(RedoPlan { plan: run_plan, replaced, open, continued })
}

/// Takes every answer to these but the new ones as if it were not there, those of other settings among them, and
/// returns them.
fn set_aside(
    anew: &HashSet<QuestionIndex>,
    input: &mut ScannedInput,
    store: &Store,
    generation: u32,
    is_new: impl Fn(AnswerId) -> bool,
) -> Result<HashMap<QuestionIndex, Vec<AnswerId>>, JobError> {
    let tries = store.tries_by_answer(Some(generation))?;
    let mut all: HashMap<QuestionIndex, Vec<AnswerId>> = HashMap::new();
    RunPlan::with_all_answers(input, store, generation, |at, answer| {
        if anew.contains(&at) {
            let of_it = tries.of(answer).filter(|one| !is_new(*one));
            all.entry(at).or_default().extend(of_it);
        }
    })?;
    input.anew.answers.extend(all.values().flatten());
    Ok(all)
}
