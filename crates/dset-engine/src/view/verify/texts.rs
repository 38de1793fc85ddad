//! Whether every text in the store can be read.

use std::collections::HashSet;

use dset_core::plan::AnswerId;

use crate::store::{Store, StoreError};
use crate::view::index::RunIndex;
use crate::view::verify::{Difference, Findings, Note};

/// Reads all of them; tells whether one is damaged that has a place in the outputs.
pub(super) fn check(
    store: &Store,
    index: &RunIndex,
    generation: u32,
    found: &mut Findings,
) -> Result<bool, StoreError> {
    let damaged = store.damaged_texts()?;
    if damaged.is_empty() {
        return Ok(false);
    }
    let placed: HashSet<AnswerId> = store.order(generation)?.into_iter().collect();
    let per_row = u64::from(index.plan.wanted().per_row());
    let mut others = 0;
    for (answer, row) in &damaged {
        let at = index.answers.iter().position(|one| one == &Some(*answer));
        let number = at.map(|at| at as u64 / per_row + 1);
        match number.is_some() || placed.contains(answer) {
            true => found.differences.push(Difference::TextDamaged { row: *row, number }),
            false => others += 1,
        }
    }
    found.notes.extend((others > 0).then_some(Note::TextsDamaged(others)));
    Ok(damaged.iter().any(|(answer, _)| placed.contains(answer)))
}
