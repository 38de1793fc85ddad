//! Questions with what came of them, for somebody who reads them: one of the file, those that ended
//! without an answer, or those that were answered last. Nothing is asked, made or changed.

pub mod object;

use std::collections::{HashMap, HashSet};

use dset_core::acceptance::{Terms, Verdict};
use dset_core::answer::Cause;
use dset_core::answer::row::Row;
use dset_core::item::Status;
use dset_core::item::question::{QuestionId, QuestionIndex};
use dset_core::key::{RequestHasher, RequestSettings};
use dset_core::plan::ledger::Fault;
use dset_core::plan::{AnswerId, Plan, Unwanted};
use dset_core::run::Planned;
use dset_core::settings::{CostLimits, JobSpec};

use crate::error::JobError;
use crate::run::plan_input::PlannedRow;
use crate::store::{AttemptSummary, Invocation, Store, StoreError, open_readonly};
use crate::view::index::{RunIndex, end_now};

/// Which questions are to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuestionSelector {
    /// The one with this number: its place among the questions of the file, from 1.
    Number(u64),
    /// Those that ended without an answer, in the order of the file.
    Failed,
    /// So many that were answered last, newest first: the answers that count.
    Last(u32),
}

/// What is shown.
#[derive(Debug)]
pub struct ShowReport {
    /// Questions of the file.
    pub questions_count: u64,
    /// Those that were looked for.
    pub questions: Vec<ShownQuestion>,
    /// What each model is asked with.
    pub requests: Vec<RequestSettings>,
    /// How many answers each is to give to a question.
    pub samples: u32,
    /// The endpoint of the last run; absent where there was none.
    pub endpoint: Option<String>,
    /// How the last run was called, where that is known.
    pub invocation: Option<Invocation>,
    /// What the last run let the folder cost.
    pub cost_limit: CostLimits,
}

/// A question and what came of it.
#[derive(Debug)]
pub struct ShownQuestion {
    /// Its number and its row as a spreadsheet counts; absent where it is no longer in the file.
    pub place: Option<(u64, u64)>,
    /// The question, trimmed.
    pub text: String,
    /// The answers that it was to get, model by model and sample by sample; then those that the last
    /// run did not want.
    pub entries: Vec<ShownSlot>,
}

/// An answer that a question was to get.
#[derive(Debug)]
pub struct ShownSlot {
    /// The model that gave it, else the one that is asked.
    pub model: Option<String>,
    /// Which sample it is, from 0.
    pub sample: u32,
    /// What came of it.
    pub outcome: SlotOutcome,
    /// The answers that there are, where checks say something of them or there are several, in the
    /// order of their tries.
    pub tries: Vec<ShownTry>,
}

/// One answer to a wanted one, and what checks say of it.
#[derive(Debug)]
pub struct ShownTry {
    /// Which, from 1.
    pub number: u32,
    /// It is the one that counts.
    pub is_accepted: bool,
    /// The answer.
    pub row: Row,
    /// What checks say of it; nothing where it passed all of them.
    pub verdicts: Vec<Verdict>,
}

/// What came of a wanted answer.
#[derive(Debug)]
pub enum SlotOutcome {
    /// It is there.
    Answered(Box<Row>),
    /// Taken as answered, before a bookmark of the original script.
    Presumed,
    /// It ended without.
    Failed {
        /// How, and why; absent where the service was unreachable and the row was marked for that.
        end: Option<(Fault, String)>,
        /// The asks that failed, where they are known.
        tried: Option<AttemptSummary>,
    },
    /// It did not come yet.
    Pending {
        /// The asks that failed so far.
        tried: Option<AttemptSummary>,
    },
}

/// Returns what is to be shown; `None` where there is no store. A number that is not in the file
/// finds nothing.
pub fn show(settings: &JobSpec, which: QuestionSelector) -> Result<Option<ShowReport>, JobError> {
    open_readonly(&settings.output, |store| {
        let mut view = RunIndex::load(store, settings)?;
        let questions = match which {
            QuestionSelector::Number(number) => by_number(store, &mut view, number)?,
            QuestionSelector::Failed => failed(store, &mut view)?,
            QuestionSelector::Last(most) => last(store, &mut view, most)?,
        };
        Ok(ShowReport {
            questions_count: view.plan.rows(),
            questions,
            samples: view.plan.wanted().samples(),
            endpoint: store.last_session()?.map(|life| life.endpoint),
            invocation: store.last_invocation()?,
            cost_limit: store.cost_limit()?,
            requests: view.requests,
        })
    })
}

/// A row of the input that is to be shown.
struct PickedQuestion {
    number: u64,
    row_number: u64,
    text: String,
    id: QuestionId,
    marked: bool,
    /// Its entries, each with the key of its answer.
    entries: Vec<(QuestionIndex, [u8; 16])>,
}

fn by_number(
    store: &Store,
    view: &mut RunIndex,
    number: u64,
) -> Result<Vec<ShownQuestion>, JobError> {
    let picked = pick(view, |_, seen, at| (at == number).then(|| seen.entries.clone().collect()))?;
    let beside = std::mem::take(&mut view.plan.unwanted);
    let mut questions = with_outcomes(store, view, picked)?;
    for (picked, question) in &mut questions {
        let of_it = beside.iter().filter(|one| one.question == picked.id.hash());
        for Unwanted { answer: id, .. } in of_it {
            let row = question.place.map(|(_, row)| row);
            question.entries.push(answered(store, *id, row)?);
        }
        set_aside(store, view, picked, question)?;
        for entry in &mut question.entries {
            if let SlotOutcome::Failed { tried: Some(tried), .. }
            | SlotOutcome::Pending { tried: Some(tried) } = &mut entry.outcome
            {
                tried.reply = store.kept_reply(&tried.key, tried.last.at)?;
            }
        }
    }
    Ok(questions.into_iter().map(|(_, question)| question).collect())
}

fn failed(store: &Store, view: &mut RunIndex) -> Result<Vec<ShownQuestion>, JobError> {
    let ended = store.ended(view.generation)?;
    let picked = pick(view, |plan, seen, _| {
        let is_failed = |at: &QuestionIndex| match plan.states[*at as usize] {
            Planned::Failed => true,
            Planned::Pending => {
                seen.item.status == Status::Error
                    || plan.find_failure(seen.id, *at, |hash| ended.get(hash)).is_some()
            }
            _ => false,
        };
        let entries: Vec<_> = seen.entries.clone().filter(is_failed).collect();
        (!entries.is_empty()).then_some(entries)
    })?;
    let mut questions: Vec<_> =
        with_outcomes(store, view, picked)?.into_iter().map(|(_, question)| question).collect();
    // A mark of somebody else's, on a row that was not asked yet.
    for question in &mut questions {
        question.entries.retain(|entry| matches!(entry.outcome, SlotOutcome::Failed { .. }));
    }
    questions.retain(|question| !question.entries.is_empty());
    Ok(questions)
}

fn last(store: &Store, view: &mut RunIndex, most: u32) -> Result<Vec<ShownQuestion>, JobError> {
    let newest = store.newest(view.generation, most)?;
    let looked_for: HashSet<_> = newest.iter().map(|(_, question)| *question).collect();
    let mut places = HashMap::new();
    pick(view, |_, seen, at| {
        let hash = seen.id.hash();
        if looked_for.contains(&hash) {
            places.insert(hash, (at, seen.row_number()));
        }
        None
    })?;
    let question = |(id, hash): (AnswerId, [u8; 16])| {
        let place: Option<(u64, u64)> = places.get(&hash).copied();
        let entry = answered(store, id, place.map(|(_, row_number)| row_number))?;
        let SlotOutcome::Answered(row) = &entry.outcome else { unreachable!("it was read") };
        let text = row.question.clone();
        Ok(ShownQuestion { place, text, entries: vec![entry] })
    };
    newest.into_iter().map(question).collect()
}

/// Goes through the input and keeps the rows of which `wanted` names entries.
fn pick(
    view: &mut RunIndex,
    mut wanted: impl FnMut(&Plan, &PlannedRow<'_>, u64) -> Option<Vec<QuestionIndex>>,
) -> Result<Vec<PickedQuestion>, JobError> {
    let mut picked = Vec::new();
    let mut hashers: Vec<RequestHasher> =
        view.requests.iter().map(RequestSettings::request_hasher).collect();
    let mut number = 0;
    view.for_each_row(|plan, seen| {
        number += 1;
        let Some(entries) = wanted(plan, &seen, number) else { return };
        let key = |at: QuestionIndex| {
            let model = usize::from(plan.wanted().model(at));
            (at, plan.key(at, hashers[model].fingerprint_of_item(seen.item, seen.rendered)).0)
        };
        picked.push(PickedQuestion {
            number,
            row_number: seen.row_number(),
            text: seen.item.text.to_owned(),
            id: seen.id,
            marked: seen.item.status == Status::Error,
            entries: entries.into_iter().map(key).collect(),
        });
    })?;
    Ok(picked)
}

/// Looks up what came of them.
fn with_outcomes(
    store: &Store,
    view: &RunIndex,
    picked: Vec<PickedQuestion>,
) -> Result<Vec<(PickedQuestion, ShownQuestion)>, StoreError> {
    let (ended, causes) = (store.ended(view.generation)?, view.causes_of_checks(store)?);
    let is_open = |at: QuestionIndex| {
        matches!(view.plan.states[at as usize], Planned::Failed | Planned::Pending)
    };
    let open = picked.iter().filter(|picked| picked.entries.iter().any(|&(at, _)| is_open(at)));
    let tried = store.attempts_by_question(&open.map(|picked| picked.id.hash()).collect())?;
    let wanted = view.plan.wanted();
    let mut questions = Vec::with_capacity(picked.len());
    for picked in picked {
        let mut entries = Vec::new();
        for &(at, key) in &picked.entries {
            if let Some(id) = view.answers[at as usize] {
                let entry = answered(store, id, Some(picked.row_number))?;
                let tries = tries(store, &key, Some(picked.row_number), Some(id))?;
                entries.push(ShownSlot { sample: wanted.sample(at), tries, ..entry });
                continue;
            }
            let is_tried =
                view.plan.not_accepted(at).is_some_and(|one| one.tries.count > 0 && !one.waits);
            let recorded = view.plan.find_failure(picked.id, at, |hash| ended.get(hash));
            let end = end_now(recorded, causes.get(&at));
            let end = end.map(|(fault, cause)| (fault, cause.to_owned()));
            // An answer that a check of later does not accept ended nothing when it came.
            let failed_check = || (Fault::Rejected, Cause::FailedCheck.code().to_owned());
            let end = end.or_else(|| is_tried.then(failed_check));
            let by_key = tried.get(&picked.id.hash());
            let own = by_key.and_then(|by_key| by_key.get(&key));
            // Asked with other settings before these were decided.
            let before = || {
                let fits =
                    |tried: &&AttemptSummary| end.as_ref().is_some_and(|e| e.1 == tried.last.cause);
                by_key?.values().filter(fits).max_by_key(|tried| tried.last.at)
            };
            let tried = own.or_else(before).cloned();
            let outcome = match view.plan.states[at as usize] {
                Planned::Presumed => SlotOutcome::Presumed,
                _ if end.is_some() => SlotOutcome::Failed { end, tried },
                _ if picked.marked && tried.is_some() => SlotOutcome::Failed { end, tried },
                _ => SlotOutcome::Pending { tried },
            };
            let model = view.requests[usize::from(wanted.model(at))].model.clone();
            let tries = tries(store, &key, Some(picked.row_number), None)?;
            entries.push(ShownSlot {
                model: Some(model),
                sample: wanted.sample(at),
                outcome,
                tries,
            });
        }
        let place = Some((picked.number, picked.row_number));
        let question = ShownQuestion { place, text: picked.text.clone(), entries };
        questions.push((picked, question));
    }
    Ok(questions)
}

/// Puts answers before the tries of a question that other settings bought and that count no more, because it was
/// asked again on purpose.
fn set_aside(
    store: &Store,
    view: &RunIndex,
    picked: &PickedQuestion,
    question: &mut ShownQuestion,
) -> Result<(), JobError> {
    let aside = store.set_aside_of(view.generation, &picked.id.hash())?;
    let terms = store.terms()?;
    let wanted = view.plan.wanted();
    for ((at, key), entry) in picked.entries.iter().zip(&mut question.entries) {
        let model = view.requests[usize::from(wanted.model(*at))].model_hash();
        let is_of_it = |settings: &Option<RequestSettings>| {
            let is_it = |one: &RequestSettings| one.model_hash() == model;
            view.requests.len() == 1 || settings.as_ref().is_some_and(is_it)
        };
        let own = store.tries(key, Some(picked.row_number))?;
        let of_entry = aside.iter().filter(|(answer, sample, settings)| {
            *sample == wanted.sample(*at) && is_of_it(settings) && !own.contains(answer)
        });
        let before: Vec<AnswerId> = of_entry.map(|(answer, ..)| *answer).collect();
        if before.is_empty() {
            continue;
        }
        let accepted = view.answers[*at as usize];
        let all = before.into_iter().chain(own);
        entry.tries = shown_tries(store, terms.as_ref(), all, accepted)?;
    }
    Ok(())
}

/// Returns the answers under a key, of which this one counts; none where it is the only one and
/// passed every check.
pub(crate) fn tries(
    store: &Store,
    key: &[u8; 16],
    row: Option<u64>,
    accepted: Option<AnswerId>,
) -> Result<Vec<ShownTry>, StoreError> {
    let terms = store.terms()?;
    let tries = shown_tries(store, terms.as_ref(), store.tries(key, row)?, accepted)?;
    let says_nothing =
        tries.len() == 1 && tries.iter().all(|one| one.is_accepted && one.verdicts.is_empty());
    Ok(if says_nothing { Vec::new() } else { tries })
}

fn shown_tries(
    store: &Store,
    terms: Option<&Terms>,
    answers: impl IntoIterator<Item = AnswerId>,
    accepted: Option<AnswerId>,
) -> Result<Vec<ShownTry>, StoreError> {
    let mut tries = Vec::new();
    for (number, answer) in (1..).zip(answers) {
        let verdicts = terms.map(|terms| store.as_reader().verdicts(answer, &terms.fingerprint));
        tries.push(ShownTry {
            number,
            is_accepted: accepted == Some(answer),
            row: store.as_reader().row(answer)?,
            verdicts: verdicts.transpose()?.flatten().unwrap_or_default(),
        });
    }
    Ok(tries)
}

/// Returns an answer, with the row of its question as it is now.
fn answered(store: &Store, id: AnswerId, row: Option<u64>) -> Result<ShownSlot, StoreError> {
    let row = Box::new(store.as_reader().row_at(id, row)?);
    let (model, sample) = (row.metadata.model.clone(), row.metadata.sample.unwrap_or(0));
    Ok(ShownSlot { model, sample, outcome: SlotOutcome::Answered(row), tries: Vec::new() })
}
