//! Whether the rows of the input say what became of them, and where their answers stand.

use std::collections::{HashMap, HashSet};

use dset_core::item::question::QuestionId;
use dset_core::plan::AnswerId;

use crate::error::JobError;
use crate::store::{Store, StoreError};
use crate::view::index::RunIndex;
use crate::view::status::{RowMarks, Rows};
use crate::view::verify::{Difference, Findings, NAMED_MAX, Note};

/// Answers without a place, and marks that are not what they should be.
pub(super) fn unsettled(index: &RunIndex, marks: RowMarks, found: &mut Findings) {
    if !index.plan.unplaced.is_empty() {
        found.differences.push(Difference::Unplaced(index.plan.unplaced.len() as u64));
    }
    for (rows, difference) in [
        (marks.though_answered, Difference::MarkedThoughAnswered as fn(Rows) -> Difference),
        (marks.unmarked, Difference::Unmarked),
        (marks.waiting, Difference::MarksWaiting),
    ] {
        if rows.count > 0 {
            found.differences.push(difference(rows));
        }
    }
}

/// Rows of the outputs that no question of the input is answered by, and those whose question has
/// moved to another row since they were written.
pub(super) fn gone_and_moved(
    store: &Store,
    index: &mut RunIndex,
    found: &mut Findings,
) -> Result<(), JobError> {
    let beside = index.other_answers()?;
    let numbers = index.row_numbers()?;
    let per_row = index.plan.wanted().per_row() as usize;
    let asked = index.answers.iter().enumerate();
    let asked = asked.filter_map(|(at, id)| Some(((*id)?, numbers[at / per_row])));
    let beside = beside.iter().map(|(row, id)| (*id, numbers[*row as usize]));
    let asked: HashMap<AnswerId, u64> = asked.chain(beside).collect();
    let (mut strays, mut moved, mut position) = (Vec::new(), 0, 0);
    loop {
        let written = store.rows_written(index.generation, position)?;
        if written.is_empty() {
            break;
        }
        position += written.len() as u64;
        for (id, row) in written {
            match asked.get(&id) {
                Some(number) => moved += u64::from(row.is_some_and(|row| row != *number)),
                None => strays.push(id),
            }
        }
    }
    if !strays.is_empty() {
        judge_strays(store, index, &strays, found)?;
    }
    found.notes.extend((moved > 0).then_some(Note::Moved(moved)));
    Ok(())
}

/// Tells rows whose question is no longer in the input from those whose answer counts no more.
fn judge_strays(
    store: &Store,
    index: &mut RunIndex,
    strays: &[AnswerId],
    found: &mut Findings,
) -> Result<(), JobError> {
    let mut asked = HashSet::new();
    index.for_each_row(|_, seen| {
        asked.insert(QuestionId::hash_text(seen.item.text.trim()));
    })?;
    let (mut gone, mut first) = (0, Vec::new());
    for id in strays {
        let question = match store.question(*id) {
            Err(StoreError::TextDamaged { .. }) => continue,
            question => question?.unwrap_or_default(),
        };
        if asked.contains(&QuestionId::hash_text(question.trim())) {
            continue;
        }
        gone += 1;
        if first.len() < NAMED_MAX {
            first.push(question);
        }
    }
    let others = strays.len() as u64 - gone;
    found.notes.extend((gone > 0).then_some(Note::Gone { rows: gone, first }));
    found.notes.extend((others > 0).then_some(Note::NotAccepted(others)));
    Ok(())
}
