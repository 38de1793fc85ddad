//! A run as an object of JSON: what it found, and what it came to. The events of `--json` and the report for
//! programs that have `dset` within them have the same fields.

use std::time::Duration;

use dset_core::money::{Expenses, PriceTable};
use dset_core::run::Ending;
use dset_core::settings::JobSpec;
use dset_engine::run::report::PreparationReport;
use serde_json::{Map, Value, json};

use super::money;
use crate::exit::Exit;

/// Returns what is known before the first ask.
pub(crate) fn found(settings: &JobSpec, found: &PreparationReport) -> Map<String, Value> {
    let mut line = json!({
        "input": settings.input.display().to_string(),
        "output": settings.output.display().to_string(),
        "model": settings.model().request.model,
        "questions": found.questions,
        "answered": found.answered,
        "presumed": found.presumed,
        "pending": found.pending,
        "empty": found.empty,
        "gone": found.removed,
    });
    if found.bad_rows.count > 0 {
        line["bad_rows"] = json!(found.bad_rows.count);
    }
    if found.bad_rows.reasoning > 0 {
        line["unsent_reasoning"] = json!(found.bad_rows.reasoning);
    }
    if !found.unread.is_empty() {
        line["unread_files"] = found.unread.iter().map(|path| path.display().to_string()).collect();
    }
    if found.left_out.count() > 0 {
        line["left_out"] = json!(found.left_out.count());
    }
    if found.answers != found.questions {
        line["answers"] = json!(found.answers);
        line["models"] = settings.models.iter().map(|model| &*model.request.model).collect();
        line["samples"] = json!(settings.samples);
    }
    fields(line)
}

/// How a run ended.
pub(crate) struct Ended<'a> {
    pub(crate) ending: &'a Ending,
    /// Somebody has said that rows before a bookmark are to be taken as answered.
    pub(crate) presumed_agreed: bool,
    /// Rows of the outputs that had another answer than the one that counts when it began.
    pub(crate) outdated: u64,
    pub(crate) took: Duration,
    /// What all runs of the folder have spent, where that is known.
    pub(crate) spent: Option<&'a Expenses>,
}

/// Returns what is known when it has ended.
pub(crate) fn ended(ended: &Ended<'_>) -> Map<String, Value> {
    let (ending, ledger) = (ended.ending, &ended.ending.ledger);
    let mut end = json!({
        "questions": ledger.questions,
        "answered": ledger.answered,
        "presumed": ledger.presumed,
        "failed": ledger.failed(),
        "left": ledger.pending,
        "keep_answer": ending.standing,
        "outdated": ended.outdated + ending.outdated,
        "dropped": ending.dropped,
        "seconds": ended.took.as_secs_f64(),
        "exit": Exit::of(ending, ended.presumed_agreed) as u8,
    });
    if !ending.unknown_ends.is_empty() {
        end["unknown_ends"] = json!(ending.unknown_ends);
    }
    if let Some(budget) = &ending.budget {
        end["budget"] = money::budget_object(budget);
    }
    if let Some(spent) = ended.spent {
        end["spent"] = money::object(spent, PriceTable::built_in());
    }
    fields(end)
}

fn fields(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
