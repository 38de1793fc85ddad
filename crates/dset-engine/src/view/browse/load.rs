//! The records of a run, made from its input and its store, and brought up to date by what is new.

use std::collections::HashMap;

use dset_core::acceptance::Terms;
use dset_core::check::WHOLE;
use dset_core::item::Status;
use dset_core::key::{RequestHasher, RequestSettings};
use dset_core::money::{BilledAs, Expenses};
use dset_core::plan::AnswerId;
use dset_core::plan::ledger::Fault;
use dset_core::run::Planned;
use dset_core::settings::JobSpec;

use super::columns::{Columns, Numbers, Record, State, UNKNOWN};
use super::requests::{Requests, Starts};
use crate::error::JobError;
use crate::source::bad_row::BadRows;
use crate::store::{AnswerFacts, OpenQuestions, Pulse, Store, StoreError, StoredCall};
use crate::view::expenses::{AskedBy, Pricing};
use crate::view::index::{RunIndex, end_now};
use crate::view::sent::SentPrompts;

/// The records, and what tells whether they are the latest.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) columns: Columns,
    pub(super) open: OpenQuestions,
    pub(super) pulse: Pulse,
    /// What each model is asked with.
    pub(super) requests: Vec<RequestSettings>,
    pub(super) samples: u32,
    /// By the place of its record, the last answer of those that has none which is accepted.
    pub(super) not_accepted: HashMap<u32, AnswerId>,
    /// What was sent for its answers.
    pub(super) sent: Requests,
    /// Rows that are left out because they cannot be asked.
    pub(super) bad_rows: BadRows,
    /// Answers are held against more than that they are whole.
    pub(super) has_checks: bool,
    /// Counted up whenever something in the columns has changed.
    pub(super) revision: u64,
    last: AnswerId,
}

impl Loaded {
    /// Reads the input and the store.
    pub(super) fn load(
        store: &Store,
        settings: &JobSpec,
        pricing: Pricing<'_>,
    ) -> Result<Loaded, JobError> {
        let pulse = store.pulse()?;
        let mut view = RunIndex::load_chosen(store, settings)?;
        let beside = view.other_answers()?;
        let sent = SentPrompts::load(store, &view, &beside)?;
        let (mut columns, mut starts) = (Columns::default(), Starts::default());
        let open = OpenQuestions::new()?;
        let names: Vec<String> =
            view.requests.iter().map(|request| request.model.clone()).collect();
        let models: Vec<u8> = names.iter().map(|name| columns.models.number(name)).collect();
        let ended = store.ended(view.generation)?;
        let has_checks = has_checks(store.terms()?.as_ref());
        let failed_checks = failed_checks(store, &mut columns)?;
        let mut not_accepted = HashMap::new();
        let causes = view.causes_of_checks(store)?;
        let answers = std::mem::take(&mut view.answers);
        let (mut beside, mut failed) = (beside.into_iter().peekable(), None);
        let mut hashers: Vec<RequestHasher> =
            view.requests.iter().map(RequestSettings::request_hasher).collect();
        view.for_each_row(|plan, seen| {
            let row = columns.row_numbers.len() as u32;
            starts.note(row, &seen);
            columns.row_numbers.push(seen.row_number() as u32);
            columns.questions.push(first_eight(&seen.id.hash()));
            let (wanted, mut is_open) = (plan.wanted(), false);
            for at in seen.entries.clone() {
                let answer = answers[at as usize].unwrap_or(0);
                let sample = wanted.sample(at).min(u32::from(u16::MAX)) as u16;
                let hasher = &mut hashers[usize::from(wanted.model(at))];
                let key = plan.key(at, hasher.fingerprint_of_item(seen.item, seen.rendered));
                let mut record = Record {
                    key: beginning(&key.0),
                    sample,
                    model: models[usize::from(wanted.model(at))],
                    ..Record::of(row, answer)
                };
                let last = plan.not_accepted(at).map(|one| one.answer);
                let judged = last.filter(|_| !plan.is_unjudged(at));
                if let Some(seen) = answers[at as usize].or(judged) {
                    record.check = failed_checks.get(&seen).copied().unwrap_or(0);
                }
                if record.answer == 0 {
                    is_open = true;
                    if let Some(last) = last {
                        not_accepted.insert(columns.records.len() as u32, last);
                    }
                    let end = plan.find_failure(seen.id, at, |hash| ended.get(hash));
                    let is_marked = seen.item.status == Status::Error;
                    record.state =
                        state_of(plan.states[at as usize], end.map(|(fault, _)| *fault), is_marked);
                    let end = end_now(end, causes.get(&at));
                    record.cause = end.map_or(0, |(_, cause)| columns.causes.number(cause));
                }
                columns.records.push(record);
            }
            while let Some((_, id)) = beside.next_if(|(of, _)| *of == row) {
                columns.records.push(Record::of(row, id));
            }
            if is_open && failed.is_none() {
                failed = open.insert(row, seen.item.text.trim()).err();
            }
        })?;
        drop(answers);
        if let Some(error) = failed {
            return Err(error.into());
        }
        let mut loaded = Loaded {
            columns,
            open,
            pulse,
            samples: view.plan.wanted().samples(),
            requests: view.requests,
            not_accepted,
            sent: Requests::new(view.source, view.prompts, sent, starts),
            bad_rows: view.input.bad_rows,
            has_checks,
            revision: 1,
            last: 0,
        };
        loaded.take_facts(store, pricing)?;
        Ok(loaded)
    }

    /// Fills in the numbers of every answer.
    fn take_facts(&mut self, store: &Store, pricing: Pricing<'_>) -> Result<(), StoreError> {
        let mut of_answer = vec![u32::MAX; self.pulse.answers as usize + 1];
        for (at, record) in self.columns.records.iter().enumerate() {
            if let Some(of) =
                of_answer.get_mut(record.answer as usize).filter(|_| record.answer > 0)
            {
                *of = at as u32;
            }
        }
        for (record, last) in &self.not_accepted {
            if let Some(of) = of_answer.get_mut(*last as usize) {
                *of = *record;
            }
        }
        let mut costs = Costs::new(store, pricing)?;
        let columns = &mut self.columns;
        let mut last = 0;
        store.for_each_fact(0, |facts| {
            last = facts.id;
            let at = of_answer.get(facts.id as usize).copied().unwrap_or(u32::MAX);
            if at != u32::MAX {
                fill(columns, at as usize, &facts, &mut costs);
            }
        })?;
        self.last = last;
        Ok(())
    }

    /// Takes what came since; says false where only reading everything anew will do.
    pub(super) fn refresh(
        &mut self,
        store: &Store,
        pricing: Pricing<'_>,
        pulse: Pulse,
    ) -> Result<bool, StoreError> {
        // What checks say of a new answer is worked out with all others.
        let is_one_each = self.requests.len() == 1 && self.samples == 1 && !self.has_checks;
        let ascends = self.columns.row_numbers.is_sorted_by(|a, b| a < b);
        if pulse.basis != self.pulse.basis || !ascends {
            return Ok(false);
        }
        if pulse.ended != self.pulse.ended && !is_one_each {
            return Ok(false);
        }
        let mut costs = Costs::new(store, pricing)?;
        let (columns, not_accepted) = (&mut self.columns, &mut self.not_accepted);
        let model = |(id, text): (i64, String)| {
            let model = RequestSettings::from_canonical_json(&text)?.model;
            Some((id, columns.models.find(&model)?))
        };
        let models: HashMap<i64, u8> =
            store.settings_texts()?.into_iter().filter_map(model).collect();
        let (mut last, mut fits) = (self.last, true);
        let terms = store.terms()?;
        let of_whole_alone = terms.as_ref().is_some_and(Terms::are_of_whole_alone);
        // Of what is thought of it is known whether it passed, and was cut if not; nothing else.
        let passes = |answer| match &terms {
            None => Some(true),
            Some(terms) => match store.as_reader().verdicts(answer, &terms.fingerprint) {
                Ok(Some(failed)) if failed.is_empty() => Some(true),
                Ok(Some(_)) => of_whole_alone.then_some(false),
                Ok(None) => of_whole_alone.then_some(true),
                Err(_) => None,
            },
        };
        store.for_each_fact(self.last, |facts| {
            last = facts.id;
            let found = free_record(columns, &facts, &models);
            let (Some(at), Some(passes)) = (found, passes(facts.id)) else {
                fits = false;
                return;
            };
            let check = if passes { 0 } else { columns.checks.number(WHOLE) };
            let record = &mut columns.records[at];
            record.check = check;
            if passes {
                (record.answer, record.state) = (facts.id as u32, State::Answered);
                record.cause = 0;
                not_accepted.remove(&(at as u32));
            } else {
                not_accepted.insert(at as u32, facts.id);
            }
            fill(columns, at, &facts, &mut costs);
        })?;
        // Some answer has no place among what is loaded, which stays as old as it was until all is read.
        if !fits {
            return Ok(false);
        }
        if pulse.ended != self.pulse.ended {
            for (row, fault, cause) in store.ended_rows(pulse.basis.0)? {
                let Some(row) = columns.row_numbered(row) else { continue };
                for at in columns.of_row(row) {
                    if columns.records[at].answer == 0 {
                        columns.records[at].state = match fault {
                            Fault::Rejected => State::Rejected,
                            Fault::GaveUp => State::GaveUp,
                        };
                        columns.records[at].cause = columns.causes.number(&cause);
                    }
                }
            }
        }
        self.last = last;
        self.pulse = pulse;
        self.revision += 1;
        Ok(true)
    }
}

/// Returns the beginning of a key.
pub(super) fn beginning(key: &[u8; 16]) -> u32 {
    u32::from_be_bytes([key[0], key[1], key[2], key[3]])
}

fn first_eight(hash: &[u8; 16]) -> [u8; 8] {
    hash[..8].try_into().expect("eight of sixteen bytes")
}

fn has_checks(terms: Option<&Terms>) -> bool {
    terms.is_some_and(|terms| !terms.are_of_whole_alone())
}

/// Returns where a wanted answer stands that is not there.
fn state_of(planned: Planned, end: Option<Fault>, is_marked: bool) -> State {
    match (planned, end) {
        (Planned::Presumed, _) => State::Presumed,
        (_, Some(Fault::Rejected)) => State::Rejected,
        (_, Some(Fault::GaveUp)) => State::GaveUp,
        (Planned::Failed, None) => State::Rejected,
        (Planned::LeftOut, None) => State::LeftOut,
        _ if is_marked => State::GaveUp,
        _ => State::Pending,
    }
}

/// Returns the checks that answers do not pass, as numbers of their names.
fn failed_checks(
    store: &Store,
    columns: &mut Columns,
) -> Result<HashMap<AnswerId, u8>, StoreError> {
    let mut failed = HashMap::new();
    if let Some(terms) = store.terms()? {
        store.for_each_failed_check(&terms.fingerprint, |answer, names| {
            failed.insert(answer, columns.checks.number(names));
        })?;
    }
    Ok(failed)
}

/// Finds the record that waits for an answer; `models` are those of the settings, by their numbers.
fn free_record(columns: &Columns, facts: &AnswerFacts, models: &HashMap<i64, u8>) -> Option<usize> {
    let row = columns.row_numbered(facts.row?)?;
    let model = *models.get(&facts.request?)?;
    let sample = facts.sample.unwrap_or(0).min(u32::from(u16::MAX)) as u16;
    columns.of_row(row).find(|&at| {
        let record = &columns.records[at];
        record.answer == 0 && record.model == model && record.sample == sample
    })
}

/// Works out what answers cost.
struct Costs<'a> {
    asked: AskedBy,
    pricing: Pricing<'a>,
    expenses: Expenses,
}

impl<'a> Costs<'a> {
    fn new(store: &Store, pricing: Pricing<'a>) -> Result<Costs<'a>, StoreError> {
        let asked = AskedBy::load(store, pricing.providers)?;
        Ok(Costs { asked, pricing, expenses: Expenses::default() })
    }

    /// Returns dollars; NaN where it is not known.
    fn of(&mut self, facts: &AnswerFacts) -> f32 {
        let Some(session) = facts.session else { return f32::NAN };
        let call = StoredCall {
            at: facts.answered_at,
            session,
            request: facts.request,
            tokens: facts.tokens,
            said: facts.cost,
            most: None,
            model: None,
            failed: None,
            later_try_of: None,
            answer: None,
            place: facts.place,
        };
        let billed = self.asked.billed(&call, BilledAs::Answer);
        let cost = self.expenses.add(self.pricing.prices, &billed);
        cost.map_or(f32::NAN, |cost| cost.picodollars() as f32 / 1e12)
    }
}

fn fill(columns: &mut Columns, at: usize, facts: &AnswerFacts, costs: &mut Costs<'_>) {
    let most = |number: u64| u32::try_from(number).map_or(UNKNOWN - 1, |n| n.min(UNKNOWN - 1));
    let known = |number: Option<u64>| number.map_or(UNKNOWN, most);
    let record = &mut columns.records[at];
    record.numbers = Numbers {
        input_tokens: known(facts.tokens.input),
        output_tokens: known(facts.tokens.output),
        reasoning_tokens: known(facts.tokens.reasoning),
        took_ms: known(facts.seconds.map(|seconds| (seconds * 1000.0).round() as u64)),
        reasoning_bytes: most(facts.reasoning_bytes),
        answer_bytes: most(facts.answer_bytes),
        cost: costs.of(facts),
        answered_at: most(u64::try_from(facts.answered_at / 1000).unwrap_or(0)),
    };
    record.attempts = facts.attempts.unwrap_or(1).min(u32::from(u16::MAX)) as u16;
    if let Some(sample) = facts.sample {
        record.sample = sample.min(u32::from(u16::MAX)) as u16;
    }
    record.finish = facts.finish_reason.as_deref().map_or(0, |word| columns.finishes.number(word));
    if record.model == 0 {
        record.model = facts.model.as_deref().map_or(0, |model| columns.models.number(model));
    }
}
