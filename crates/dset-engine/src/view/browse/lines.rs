//! Records as lines of JSON: what is filtered, whole, with its ratings and notes.

use serde_json::json;

use super::review::reviews_of;
use super::{BrowseError, Browser, Filter};

/// Records that one call returns, at most.
const LINES_MAX: usize = 200;

impl Browser {
    /// Returns records from the `offset`th on that the filter lets through and that have an answer, a line
    /// of JSON each, and where to go on; absent behind the last.
    pub fn lines(
        &self,
        filter: &Filter,
        offset: u64,
    ) -> Result<(String, Option<u64>), BrowseError> {
        self.with(|store, loaded| {
            let columns = &loaded.columns;
            let order = self.order(store, loaded, filter)?;
            let reviews = reviews_of(store, &self.side.folder)?;
            let mut lines = String::new();
            for &at in order.iter().skip(offset as usize).take(LINES_MAX) {
                let record = &columns.records[at as usize];
                if record.answer == 0 {
                    continue;
                }
                let number = columns.row_numbers[record.row as usize];
                let row = store.as_reader().row_at(record.answer.into(), Some(number.into()))?;
                let review = reviews.get(&record.answer.into());
                let line = json!({
                    "question": row.question,
                    "reasoning": row.reasoning,
                    "answer": row.answer,
                    "model": columns.models.name(record.model),
                    "rating": review.and_then(|review| review.rating),
                    "note": review.map(|review| &review.note),
                    "metadata": row.metadata,
                });
                lines += &line.to_string();
                lines.push('\n');
            }
            let next = offset + LINES_MAX as u64;
            Ok((lines, (next < order.len() as u64).then_some(next)))
        })
    }
}
