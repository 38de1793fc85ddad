//! The whole input, read from its first row to its last.
//!
//! Once to plan it, before a run and for whoever looks at one; and once more, against that plan, for
//! what the plan does not keep: the rows' numbers, their texts and what their status cells say.

use std::ops::Range;

use dset_core::csv::ERROR;
use dset_core::item::question::{QuestionId, QuestionIndex};
use dset_core::key::{RequestHasher, RequestSettings};
use dset_core::plan::fanout::Fanout;
use dset_core::plan::{Plan, Planner};
use dset_core::template::{Prompts, Rendered};

use crate::error::JobError;
use crate::source::Source;

/// What one pass over the input gives.
pub(crate) struct PlannedInput {
    pub(crate) planner: Planner,
    /// Rows that are skipped because they are empty.
    pub(crate) empty: u64,
    /// The first row that says ERROR.
    pub(crate) first_marked_row: Option<u64>,
}

/// Collects every question of the input, as these settings would ask it, each so many times.
pub(crate) fn plan_input(
    source: &mut Source,
    prompts: &Prompts,
    requests: &[RequestSettings],
    samples: u32,
) -> Result<PlannedInput, JobError> {
    source.rewind()?;
    let status = source.layout().status;
    let mut hashers: Vec<RequestHasher> =
        requests.iter().map(RequestSettings::request_hasher).collect();
    let models = requests.iter().map(RequestSettings::model_hash).collect();
    let wanted = Fanout::new(models, samples);
    let mut scanned = PlannedInput {
        planner: Planner::new(prompts.are_the_question_alone(), wanted),
        empty: 0,
        first_marked_row: None,
    };
    while let Some((layout, row)) = source.next_row()? {
        let question = layout.question_of(row);
        let Some(rendered) = prompts.render(row.row_number, question, row)? else {
            scanned.empty += 1;
            scanned.planner.skip(question);
            continue;
        };
        let marked = status.and_then(|at| row.cell(at)).is_some_and(|cell| cell.trim() == ERROR);
        if marked {
            scanned.first_marked_row.get_or_insert(row.row_number);
        }
        let prints = hashers.iter_mut().map(|hasher| hasher.fingerprint_of(&rendered));
        scanned.planner.push(question, prints, marked);
    }
    let answers = scanned.planner.answers();
    match answers <= u64::from(QuestionIndex::MAX) {
        true => Ok(scanned),
        false => Err(JobError::TooMany { answers }),
    }
}

/// A row of a plan, seen in the input.
pub(crate) struct PlannedRow<'a> {
    pub(crate) row_number: u64,
    /// The question cell, with the blanks around it.
    pub(crate) text: &'a str,
    /// What is sent for it.
    pub(crate) rendered: &'a Rendered<'a>,
    pub(crate) id: QuestionId,
    /// Its entries in the plan.
    pub(crate) entries: Range<QuestionIndex>,
    pub(crate) status: RowStatus,
}

/// What a row's status cell says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowStatus {
    Empty,
    Error,
    /// The user's own word.
    Own,
}

/// Goes through the input again and shows every row of its plan; `request` is what the first model
/// is asked with. Fails where the input is no
/// longer what was planned.
pub(crate) fn for_each_planned(
    source: &mut Source,
    prompts: &Prompts,
    request: &RequestSettings,
    plan: &Plan,
    mut each: impl FnMut(PlannedRow<'_>),
) -> Result<(), JobError> {
    source.rewind()?;
    let status = source.layout().status;
    let mut hasher = request.request_hasher();
    let mut index: u32 = 0;
    while let Some((layout, row)) = source.next_row()? {
        let text = layout.question_of(row);
        let Some(rendered) = prompts.render(row.row_number, text, row)? else { continue };
        if !plan.fits(index, hasher.fingerprint_of(&rendered)) {
            return Err(JobError::InputChanged);
        }
        let status = match status.and_then(|at| row.cell(at)).unwrap_or_default().trim() {
            "" => RowStatus::Empty,
            ERROR => RowStatus::Error,
            _ => RowStatus::Own,
        };
        each(PlannedRow {
            row_number: row.row_number,
            text,
            rendered: &rendered,
            id: plan.id(index, text),
            entries: plan.wanted().entries_of_row(index),
            status,
        });
        index += 1;
    }
    if u64::from(index) == plan.rows() { Ok(()) } else { Err(JobError::InputChanged) }
}
