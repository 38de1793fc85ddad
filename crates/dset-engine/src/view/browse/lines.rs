//! Records as lines of JSON: what is filtered, whole, with its ratings and notes.

use dset_core::plan::AnswerId;
use serde_json::json;

use super::columns::Names;
use super::review::reviews_of;
use super::{BrowseError, Browser, Filter};
use crate::store::open_readonly;

/// Records that one call returns, at most.
const LINES_MAX: usize = 200;

/// The answers that a filter let through when it was asked, in its order: what comes later changes neither.
#[derive(Debug)]
pub struct Lines {
    records: Vec<Line>,
    models: Names,
    written: usize,
}

#[derive(Debug)]
struct Line {
    answer: u32,
    row: u32,
    model: u8,
}

impl Browser {
    /// Finds the records that the filter lets through and that have an answer.
    pub fn lines(&self, filter: &Filter) -> Result<Lines, BrowseError> {
        self.with(|store, loaded| {
            let columns = &loaded.columns;
            let order = self.order(store, loaded, filter)?;
            let all = order.iter().map(|at| &columns.records[*at as usize]);
            let records = all.filter(|record| record.answer > 0).map(|record| Line {
                answer: record.answer,
                row: columns.row_numbers[record.row as usize],
                model: record.model,
            });
            Ok(Lines { records: records.collect(), models: columns.models.clone(), written: 0 })
        })
    }

    /// Returns the next of them, a line of JSON each; `None` behind the last.
    pub fn next_lines(&self, of: &mut Lines) -> Result<Option<String>, BrowseError> {
        let rest = &of.records[of.written..];
        let next = &rest[..rest.len().min(LINES_MAX)];
        if next.is_empty() {
            return Ok(None);
        }
        let lines = open_readonly(&self.settings.output, |store| {
            let reviews = reviews_of(store, &self.side.folder)?;
            let mut lines = String::new();
            for line in next {
                let answer = AnswerId::from(line.answer);
                let row = store.as_reader().row_at(answer, Some(line.row.into()))?;
                let review = reviews.get(&answer);
                let line = json!({
                    "question": row.question,
                    "reasoning": row.reasoning,
                    "answer": row.answer,
                    "model": of.models.name(line.model),
                    "rating": review.and_then(|review| review.rating),
                    "note": review.map(|review| &review.note),
                    "metadata": row.metadata,
                });
                lines += &line.to_string();
                lines.push('\n');
            }
            Ok::<_, BrowseError>(lines)
        })?;
        of.written += next.len();
        lines.ok_or(BrowseError::Gone).map(Some)
    }
}
