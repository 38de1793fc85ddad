//! What is decided before the first row: columns and their kinds, and whether the layout can be made.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use dset_core::answer::ValueReading;
use dset_core::item::fields::Field;
use dset_core::layout::failed::Failed;
use dset_core::layout::survey::{Kept, Survey};
use dset_core::layout::{
    Column, Kind, Layout, Options, Shape, Unfit, ValueType, has_several_turns,
};
use dset_core::schema::dialect::Restore;
use dset_core::schema::{Notation, Schema};
use dset_core::settings::JobSpec;

use super::container::{ContainerKind, Keeps};
use super::error::ExportError;
use super::select::{Named, Selection, count_missing};
use super::{ExportRequest, LeftOut, Samples};
use crate::error::JobError;
use crate::run::plan_input::PlannedRow;
use crate::store::Store;
use crate::view::browse::reviews_of;
use crate::view::index::RunIndex;
use crate::view::judged_before::JudgedBefore;
use crate::view::sent::SentPrompts;

/// A dataset whose rows can be made.
pub(super) struct Prepared {
    pub(super) index: RunIndex,
    pub(super) selection: Selection,
    pub(super) judged_before: JudgedBefore,
    /// Under the names that the user wants.
    pub(super) columns: Vec<Column>,
}

/// For when a dataset is prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// It is written of the answers there are.
    Now,
    /// It is written when a run has brought all answers.
    BeforeRun,
}

/// What the column of questions is called that has no name.
const QUESTION: &str = "question";

/// Rows that an error names, at most.
const ROWS_NAMED_MAX: usize = 5;

/// Decides everything that is the same for all rows, in one pass over the input.
pub(super) fn prepare(
    store: &Store,
    spec: &JobSpec,
    request: &ExportRequest<'_>,
    container: &'static ContainerKind,
    moment: Moment,
) -> Result<Prepared, ExportError> {
    let mut index = match request.of_run {
        Some(run) => RunIndex::load_of_run(store, spec, run)?,
        None => RunIndex::load_chosen(store, spec)?,
    };
    let layout: &'static dyn Layout = if request.failed { &Failed } else { request.layout };
    let missing = count_missing(&index.answers, &index.plan.states);
    if request.strict && missing > 0 && moment == Moment::Now {
        return Err(ExportError::Missing { count: missing });
    }
    let places = layout.reasoning();
    let reasoning = request.reasoning.unwrap_or(places[0]);
    if !places.contains(&reasoning) {
        return Err(ExportError::Reasoning { layout: layout.name(), places });
    }
    if request.reviews && !layout.has_reviews() {
        return Err(ExportError::Reviews { layout: layout.name() });
    }
    let wants_rank = layout.wants_rank() || request.samples == Samples::Best;
    let terms = index.terms.clone();
    let has_checks = match moment {
        Moment::Now => terms.as_ref().is_some_and(|terms| !terms.are_of_whole_alone()),
        Moment::BeforeRun => spec.declares_checks(),
    };
    let by_checks = layout.compares_answers() && request.rank.is_none() && has_checks;
    if wants_rank && request.rank.is_none() && !by_checks {
        return Err(ExportError::NoRank);
    }
    let judged_before = match moment {
        Moment::Now => index.judged_before(store)?,
        Moment::BeforeRun => JudgedBefore::default(),
    };
    let rejected = by_checks.then(|| index.rejected(store)).transpose()?;
    let looked = look(&mut index, layout, request, moment, by_checks)?;
    let names = looked.survey.names().to_vec();
    let mut kept = kept(&index, &looked, layout, request)?;
    let mut held = Vec::new();
    let has = |name: &str| kept.columns().iter().any(|column| column.name == name);
    held.extend((looked.id_is_field && has("id")).then_some("id"));
    let shape = index.source.shape();
    let own_name = shape.fields.get(shape.question);
    let question = own_name.is_some_and(|name| name == QUESTION);
    // A header that names no question would be read as one.
    let nameless = own_name.filter(|_| request.failed && !shape.has_names).cloned();
    held.extend((question && has(QUESTION)).then_some(QUESTION));
    let reading = reading(&index, spec);
    let has_values = reading.is_some();
    let has_reviews = request.reviews;
    let shape = Shape { fields: kept.columns().to_vec(), held, has_values, has_reviews };
    let options = Options { reasoning };
    let mut columns = renamed(layout.columns(&shape, &options), request.rename)?;
    if let Some(column) = columns.iter_mut().find(|column| Some(&column.name) == nameless.as_ref())
    {
        QUESTION.clone_into(&mut column.name);
    }
    if request.failed {
        match container.keeps {
            Keeps::Rows => {
                kept = kept.in_rows(columns.into_iter().map(|column| column.name).collect());
                columns = vec![Column::new("row", Kind::Row)];
            }
            Keeps::Columns(keeps) => is_kept(&columns, keeps, container)?,
        }
    }
    let selection = Selection {
        layout,
        options,
        shape,
        kept,
        filter: Named::parse("--where", request.filter, &names)?,
        rank: Named::parse("--rank", request.rank, &names)?,
        reading,
        samples: request.samples,
        acceptance: terms.map(|terms| terms.fingerprint),
        rejected,
        skip_unfit: request.skip_unfit,
        failed: request.failed,
        reviews: reviews_of(store, request.reviews_in.unwrap_or(&spec.output))?,
        written: request.dedup.then(HashSet::new),
        sent: SentPrompts::load(store, &index, &[])?,
        left_out: LeftOut::default(),
        sent_unknown: 0,
        not_chosen: 0,
    };
    Ok(Prepared { index, selection, judged_before, columns })
}

/// Returns how the values of answers are read that were asked for before there was a schema: as the
/// schema of the last run, or of the one that is to begin, says.
fn reading(index: &RunIndex, spec: &JobSpec) -> Option<ValueReading> {
    let stored = index.requests.iter().find_map(|request| request.schema.as_deref());
    let stored = stored.and_then(|text| Schema::read(text, Notation::Json).ok());
    let schema = stored.or_else(|| spec.schema.clone())?;
    Some(ValueReading::new(Arc::new(schema), Restore::default()))
}

/// What one pass over the input tells.
struct Looked {
    survey: Survey,
    /// Every id is in a field of that name.
    id_is_field: bool,
}

fn look(
    index: &mut RunIndex,
    layout: &'static dyn Layout,
    request: &ExportRequest<'_>,
    moment: Moment,
    by_checks: bool,
) -> Result<Looked, ExportError> {
    let mut survey = Survey::new(&index.source.shape().fields);
    let (mut id_is_field, mut chats, mut rows) = (true, 0, Vec::new());
    let mut has_two = by_checks;
    let answers = std::mem::take(&mut index.answers);
    let result = index.try_for_each_row::<JobError>(|seen| {
        survey.note(seen.item.fields);
        id_is_field &= id_is_in_field(&seen);
        let of_row = &answers[seen.entries.start as usize..seen.entries.end as usize];
        let there = match moment {
            Moment::Now => of_row.iter().flatten().count(),
            Moment::BeforeRun => of_row.len(),
        };
        has_two |= there > 1;
        let turns = seen.item.turns.map(|turns| &**turns);
        if there > 0 && !layout.takes_turns() && has_several_turns(turns) {
            chats += 1;
            if rows.len() < ROWS_NAMED_MAX {
                rows.push(seen.row_number());
            }
        }
        Ok(())
    });
    let answered = moment == Moment::BeforeRun || answers.iter().any(Option::is_some);
    index.answers = answers;
    result?;
    if chats > 0 && !request.skip_unfit {
        let (layout, unfit) = (layout.name(), Unfit::Turns);
        return Err(ExportError::Unfit { layout, unfit, count: chats, rows });
    }
    if layout.compares_answers() && answered && !has_two {
        return Err(ExportError::OneAnswerEach);
    }
    Ok(Looked { survey, id_is_field })
}

fn id_is_in_field(seen: &PlannedRow<'_>) -> bool {
    match (seen.item.id, seen.item.fields.get("id")) {
        (Some(id), Some(Field::Text(text))) => id == text,
        (Some(id), Some(Field::Json(value))) => *id == *value.to_string(),
        _ => false,
    }
}

/// Which columns of the input every row keeps: those that are named, or all but the marks.
fn kept(
    index: &RunIndex,
    looked: &Looked,
    layout: &'static dyn Layout,
    request: &ExportRequest<'_>,
) -> Result<Kept, ExportError> {
    let survey = &looked.survey;
    let marks = index.source.shape().marks.as_deref();
    let names: Vec<String> = match request.keep {
        Some(keep) => {
            let own =
                layout.columns(&Shape::default(), &Options { reasoning: layout.reasoning()[0] });
            let is_own = |name: &String| own.iter().any(|column| column.name == *name);
            let unknown = keep.iter().find(|name| !survey.names().contains(name) && !is_own(name));
            if let Some(name) = unknown {
                let (name, known) = (name.clone(), survey.names().to_vec());
                return Err(ExportError::UnknownColumn { option: "--keep", name, known });
            }
            keep.to_vec()
        }
        None if layout.keeps_all_columns() => {
            survey.names().iter().filter(|name| Some(name.as_str()) != marks).cloned().collect()
        }
        None => Vec::new(),
    };
    Ok(survey.kept(&names, request.failed))
}

/// Fails where what is to be asked again would be read as something else than it was.
fn is_kept(
    columns: &[Column],
    keeps: fn(Option<&ValueType>) -> bool,
    container: &'static ContainerKind,
) -> Result<(), ExportError> {
    let is_lost = |column: &&Column| column.kind == Kind::Json && !keeps(column.values.as_deref());
    match columns.iter().find(is_lost) {
        Some(column) => {
            Err(ExportError::OtherKind { column: column.name.clone(), about: container.about })
        }
        None => Ok(()),
    }
}

fn renamed(
    mut columns: Vec<Column>,
    rename: &[(String, String)],
) -> Result<Vec<Column>, ExportError> {
    let known: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    for (from, to) in rename {
        match known.iter().position(|name| name == from) {
            Some(at) => columns[at].name.clone_from(to),
            None => {
                let name = from.clone();
                return Err(ExportError::UnknownColumn { option: "--rename", name, known });
            }
        }
    }
    let mut seen: HashMap<&str, Kind> = HashMap::new();
    for column in &columns {
        if seen.insert(&column.name, column.kind).is_some() {
            return Err(ExportError::SameName(column.name.clone()));
        }
    }
    Ok(columns)
}
