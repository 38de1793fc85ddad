//! How long every answer is, one after the other, in the order of arrival.

use dset_core::answer::row::Metadata;
use dset_core::plan::AnswerId;

use super::facts;
use super::id_set::IdSet;
use super::store::Store;
use crate::store::error::StoreError;

/// How long an answer is, and what is known of it beside its texts.
#[derive(Debug)]
pub(crate) struct MeasuredAnswer {
    pub(crate) id: AnswerId,
    /// Characters (code points) of the reasoning.
    pub(crate) reasoning: u64,
    /// Characters (code points) of the answer.
    pub(crate) answer: u64,
    pub(crate) metadata: Metadata,
}

impl Store {
    /// Shows how long every answer of a generation is, those of every try.
    pub(crate) fn for_each_measured(
        &self,
        generation: u32,
        mut each: impl FnMut(MeasuredAnswer),
    ) -> Result<(), StoreError> {
        let of_generation = self.ids(generation)?;
        let sql = format!(
            "SELECT a.id, length(reasoning_of(a.id, a.row, a.reasoning, a.answer)), length(answer_of(a.id, a.row, a.reasoning, a.answer)),
               {} FROM answers a
             LEFT JOIN answer_facts f ON f.answer = a.id ORDER BY a.id",
            facts::COLUMNS
        );
        let mut statement = self.reader.connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let id = row.get(0)?;
            if of_generation.has(id) {
                let (reasoning, answer): (i64, i64) = (row.get(1)?, row.get(2)?);
                each(MeasuredAnswer {
                    id,
                    reasoning: reasoning as u64,
                    answer: answer as u64,
                    metadata: facts::metadata(row, 3)?,
                });
            }
        }
        Ok(())
    }

    fn ids(&self, generation: u32) -> Result<IdSet, StoreError> {
        let sql = "SELECT answer FROM keys WHERE edition = ?1
                   UNION ALL SELECT answer FROM later_keys WHERE edition = ?1";
        let mut statement = self.reader.connection.prepare(sql)?;
        let mut rows = statement.query([generation])?;
        let mut ids = IdSet::default();
        while let Some(row) = rows.next()? {
            let id: AnswerId = row.get(0)?;
            if id < 1 {
                return Err(StoreError::Damaged("an answer has no number".into()));
            }
            ids.insert(id);
        }
        Ok(ids)
    }
}
