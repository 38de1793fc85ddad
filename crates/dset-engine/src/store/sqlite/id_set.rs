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

    pub(super) fn into_iter(self) -> impl Iterator<Item = AnswerId> {
        let words = (0..).zip(self.bits);
        words.flat_map(|(at, bits)| {
            (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| at * 64 + bit)
        })
    }

    pub(crate) fn has(&self, id: AnswerId) -> bool {
        self.bits.get(id as usize / 64).is_some_and(|bits| bits >> (id as u64 % 64) & 1 == 1)
    }
}
