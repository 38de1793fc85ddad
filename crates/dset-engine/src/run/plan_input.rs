//! The whole input, read from its first row to its last.
//!
//! Once to plan it, before a run and for whoever looks at one; and once more, against that plan, for
//! what the plan does not keep: the rows' numbers, their texts and what their status cells say.

use std::ops::Range;

use dset_core::item::question::{QuestionId, QuestionIndex};
use dset_core::item::{Item, Status};
use dset_core::key::RequestSettings;
use dset_core::plan::fanout::Fanout;
use dset_core::plan::{Plan, Planner};
use dset_core::settings::Reading;
use dset_core::template::{Prompts, Rendered};

use crate::error::JobError;
use crate::run::choice::{Chooser, LeftOut};
use crate::run::ids::IdFinder;
use crate::source::bad_row::BadRows;
use crate::source::items::{ItemError, Items, Prepared};
use crate::source::{Cursor, Source, SourceError};

/// What one pass over the input gives.
pub(crate) struct PlannedInput {
    pub(crate) planner: Planner,
    /// Rows that are skipped because they are empty.
    pub(crate) empty: u64,
    /// The first row that says ERROR.
    pub(crate) first_marked_row: Option<u64>,
    /// Rows that are left out because they cannot be asked.
    pub(crate) bad_rows: BadRows,
    /// Rows that the user left out.
    pub(crate) left_out: LeftOut,
    /// The field that names the rows.
    pub(crate) id_field: Option<String>,
    /// Rows may have fields that make calls cost something else than what is counted.
    pub(crate) is_billed_otherwise: bool,
}

/// Collects every question of the input, as these settings would ask it, each so many times.
pub(crate) fn plan_input(
    source: &mut dyn Source,
    prompts: &Prompts,
    requests: &[RequestSettings],
    samples: u32,
    reading: &Reading,
) -> Result<PlannedInput, JobError> {
    source.rewind()?;
    let shape = source.shape().clone();
    let mut chooser = Chooser::new(&reading.choice, &shape)?;
    let mut ids = match source.shard_rows() {
        Some(_) => IdFinder::known(reading.id.as_deref(), &shape)?,
        None => IdFinder::new(reading, &shape)?,
    };
    let models = requests.iter().map(RequestSettings::model_hash).collect();
    let wanted = Fanout::new(models, samples);
    let mut scanned = PlannedInput {
        planner: Planner::new(prompts.are_the_question_alone(), wanted),
        empty: 0,
        first_marked_row: None,
        bad_rows: BadRows::default(),
        left_out: LeftOut::default(),
        id_field: None,
        is_billed_otherwise: false,
    };
    let mut items = Items::new(source, prompts, requests);
    while let Some(prepared) = items.next()? {
        let item = &prepared.item;
        prepared.left_out.iter().for_each(|&text_hash| scanned.planner.skip(text_hash));
        if prepared.rendered.is_none() {
            scanned.empty += 1;
            scanned.planner.skip(item.text_hash());
            continue;
        }
        let marked = item.status == Status::Error;
        if marked {
            scanned.first_marked_row.get_or_insert(item.place.number());
        }
        if item.system.is_some() || item.params.is_some() {
            scanned.planner.requests_may_differ();
        }
        scanned.is_billed_otherwise |=
            item.params.is_some_and(|params| params.billed_otherwise().is_some());
        chooser.judge(item)?;
        ids.see(item);
        scanned.planner.push(item.text_hash(), prepared.fingerprints.iter().copied(), marked);
    }
    scanned.bad_rows = items.bad_rows();
    scanned.left_out = match source.shard_rows() {
        Some(rows) => {
            rows.apply(&mut scanned.planner, &reading.choice).map_err(SourceError::from)?
        }
        None => chooser.choose(&mut scanned.planner),
    };
    scanned.id_field = ids.field(source)?;
    let answers = scanned.planner.answers();
    match answers <= u64::from(QuestionIndex::MAX) {
        true => Ok(scanned),
        false => Err(JobError::TooMany { answers }),
    }
}

impl From<ItemError> for JobError {
    fn from(error: ItemError) -> JobError {
        match error {
            ItemError::Source(error) => error.into(),
            ItemError::Prompt(_, error) => error.into(),
        }
    }
}

/// A row of a plan, seen in the input.
pub(crate) struct PlannedRow<'a> {
    /// As it was read.
    pub(crate) item: &'a Item<'a>,
    /// What is sent for it.
    pub(crate) rendered: &'a Rendered<'a>,
    pub(crate) id: QuestionId,
    /// From where it, and perhaps some before it, can be read without what stands before.
    pub(crate) start: Option<Cursor>,
    /// Its entries in the plan.
    pub(crate) entries: Range<QuestionIndex>,
}

impl PlannedRow<'_> {
    /// Returns the number of the row, or of whatever the item is.
    pub(crate) fn row_number(&self) -> u64 {
        self.item.place.number()
    }
}

/// Goes through the input again and shows every row of its plan; `request` is what the first model
/// is asked with. Fails where the input is no longer what was planned.
pub(crate) fn for_each_planned(
    source: &mut dyn Source,
    prompts: &Prompts,
    request: &RequestSettings,
    plan: &Plan,
    mut each: impl FnMut(PlannedRow<'_>),
) -> Result<(), JobError> {
    try_for_each_planned(source, prompts, request, plan, |seen| {
        each(seen);
        Ok(())
    })
}

/// Does the same, until `each` fails.
pub(crate) fn try_for_each_planned<E: From<JobError>>(
    source: &mut dyn Source,
    prompts: &Prompts,
    request: &RequestSettings,
    plan: &Plan,
    mut each: impl FnMut(PlannedRow<'_>) -> Result<(), E>,
) -> Result<(), E> {
    source.rewind().map_err(JobError::from)?;
    let mut items = Items::new(source, prompts, std::slice::from_ref(request));
    let mut index: u32 = 0;
    loop {
        let (_, start) = items.progress();
        let Some(Prepared { item, rendered, fingerprints, .. }) =
            items.next().map_err(JobError::from)?
        else {
            break;
        };
        let Some(rendered) = &rendered else { continue };
        if !plan.fits(index, fingerprints[0]) {
            return Err(JobError::InputChanged.into());
        }
        each(PlannedRow {
            item: &item,
            rendered,
            start,
            id: plan.id(index, item.text_hash()),
            entries: plan.wanted().entries_of_row(index),
        })?;
        index += 1;
    }
    if u64::from(index) == plan.rows() { Ok(()) } else { Err(JobError::InputChanged.into()) }
}
