//! The texts of every answer, one after the other, in the order of arrival.

use dset_core::plan::AnswerId;
use rusqlite::Row;

use super::store::Store;
use crate::store::error::StoreError;

impl Store {
    /// Shows the question, the reasoning and the answer of every answer behind `after`, until `each`
    /// says false.
    pub(crate) fn for_each_text_after(
        &self,
        after: AnswerId,
        mut each: impl FnMut(AnswerId, [&str; 3]) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let sql = "SELECT id, text_of(id, row, question), reasoning_of(id, row, reasoning, answer), answer_of(id, row, reasoning, answer)
                   FROM answers WHERE id > ?1 ORDER BY id";
        let mut statement = self.reader.connection.prepare(sql)?;
        let mut rows = statement.query([after])?;
        while let Some(row) = rows.next()? {
            if !each(row.get(0)?, [text(row, 1)?, text(row, 2)?, text(row, 3)?])? {
                break;
            }
        }
        Ok(())
    }
}

/// Returns a text of a row, without a copy of it.
pub(super) fn text<'a>(row: &'a Row<'_>, at: usize) -> Result<&'a str, StoreError> {
    let value = row.get_ref(at)?;
    value.as_str().map_err(|_| StoreError::Damaged("a text is not text".into()))
}
