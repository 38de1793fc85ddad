//! Sets of the ids of answers.

use dset_core::plan::AnswerId;

/// A set of row ids, which are dense: a bit each.
#[derive(Debug, Default)]
pub(crate) struct IdSet {
    bits: Vec<u64>,
    pub(crate) count: u64,
}

impl IdSet {
    pub(crate) fn insert(&mut self, id: AnswerId) {
        let (at, bit) = (id as usize / 64, id as u64 % 64);
        if self.bits.len() <= at {
            self.bits.resize(at + 1, 0);
        }
        self.bits[at] |= 1 << bit;
        self.count += 1;
    }

    pub(crate) fn has(&self, id: AnswerId) -> bool {
        self.bits.get(id as usize / 64).is_some_and(|bits| bits >> (id as u64 % 64) & 1 == 1)
    }
}
