//! The whole input, read from its first row to its last.
//!
//! To plan it, before a run and for whoever looks at one.

use dset_core::csv::ERROR;
use dset_core::key::RequestSettings;
use dset_core::plan::Planner;
use dset_core::prompt::Template;

use crate::job::JobError;
use crate::source::Source;

/// What one pass over the input gives.
pub(crate) struct Scanned {
    pub(crate) planner: Planner,
    /// Rows that are skipped because they are empty.
    pub(crate) empty: u64,
    /// The first row that says ERROR.
    pub(crate) first_marked_row: Option<u64>,
}

/// Collects every question of the input, as these settings would ask it.
pub(crate) fn scan(
    source: &mut Source,
    template: &Template,
    request: &RequestSettings,
    edition: u32,
) -> Result<Scanned, JobError> {
    source.rewind()?;
    let (question_column, status) = (source.layout().question, source.layout().status);
    let mut hasher = request.hasher();
    let mut scanned = Scanned {
        planner: Planner::new(edition, template.is_default()),
        empty: 0,
        first_marked_row: None,
    };
    while let Some(row) = source.next_row()? {
        let question = row.cell(question_column).unwrap_or_default().trim();
        let Some(prompt) = template.render(row.row_number, question, row)? else {
            scanned.empty += 1;
            scanned.planner.skip(question);
            continue;
        };
        let marked = status.and_then(|at| row.cell(at)).is_some_and(|cell| cell.trim() == ERROR);
        if marked {
            scanned.first_marked_row.get_or_insert(row.row_number);
        }
        scanned.planner.push(question, hasher.fingerprint(&prompt), marked);
    }
    Ok(scanned)
}
