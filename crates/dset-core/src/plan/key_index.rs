//! The wanted answers, found by their keys.

use std::cell::{Cell, OnceCell};

use crate::item::question::{Key, QuestionIndex};

/// Finds wanted answers by their keys. A store gives keys in about the order in which answers are wanted, so that
/// most are found behind the one before; only for others there is an index.
pub(super) struct KeyFinder<F> {
    count: QuestionIndex,
    /// The key of a wanted answer.
    key_at: F,
    /// Behind the last one that was found.
    next: Cell<QuestionIndex>,
    index: OnceCell<KeyIndex>,
}

impl<F: Fn(QuestionIndex) -> Key> KeyFinder<F> {
    pub(super) fn new(count: QuestionIndex, key_at: F) -> KeyFinder<F> {
        KeyFinder { count, key_at, next: Cell::new(0), index: OnceCell::new() }
    }

    /// Returns the wanted answer under a key.
    pub(super) fn find(&self, key: Key) -> Option<QuestionIndex> {
        let next = self.next.get();
        let found = match next < self.count && (self.key_at)(next) == key {
            true => Some(next),
            false => {
                let index = self.index.get_or_init(|| KeyIndex::new(self.count, &self.key_at));
                index.find(key, &self.key_at)
            }
        };
        self.next.set(found.map_or(next, |at| at + 1));
        found
    }
}

/// Wanted answers by the first bits of their keys. Keys are hashes, so that a bucket has about one.
///
/// Takes 8 bytes a wanted answer: keys are worked out again when they are compared.
#[derive(Debug)]
struct KeyIndex {
    /// Where each bucket begins in `entries`, and the end of the last.
    starts: Vec<u32>,
    entries: Vec<QuestionIndex>,
    /// How many of the first 64 bits of a key are not the number of its bucket.
    shift: u32,
}

impl KeyIndex {
    /// Sorts so many wanted answers into buckets, by a function that gives their keys.
    fn new(count: QuestionIndex, key_at: impl Fn(QuestionIndex) -> Key) -> KeyIndex {
        let bits = count.max(2).ilog2();
        let shift = 64 - bits;
        let mut starts = vec![0; (1 << bits) + 1];
        for at in 0..count {
            starts[bucket(key_at(at), shift) + 1] += 1;
        }
        for bucket in 1..starts.len() {
            starts[bucket] += starts[bucket - 1];
        }
        let mut ends = starts.clone();
        let mut entries = vec![0; count as usize];
        for at in 0..count {
            let end = &mut ends[bucket(key_at(at), shift)];
            entries[*end as usize] = at;
            *end += 1;
        }
        KeyIndex { starts, entries, shift }
    }

    /// Returns the wanted answer under a key; `key_at` is that of [`KeyIndex::new`].
    fn find(&self, key: Key, key_at: impl Fn(QuestionIndex) -> Key) -> Option<QuestionIndex> {
        let bucket = bucket(key, self.shift);
        let range = self.starts[bucket] as usize..self.starts[bucket + 1] as usize;
        self.entries[range].iter().copied().find(|&at| key_at(at) == key)
    }
}

fn bucket(key: Key, shift: u32) -> usize {
    let [first, ..] = key.0.as_chunks::<8>().0 else { unreachable!("a key has 16 bytes") };
    (u64::from_be_bytes(*first) >> shift) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_key_is_found_in_any_order_and_no_other(
            (keys, sought) in proptest::collection::btree_set(any::<[u8; 16]>(), 0..40).prop_flat_map(|keys| {
                let keys: Vec<[u8; 16]> = keys.into_iter().collect();
                let from_keys = proptest::sample::select(if keys.is_empty() { vec![[0; 16]] } else { keys.clone() });
                // In their order, in any order, and what is not among them.
                let in_order = Just(keys.clone());
                let sought = proptest::collection::vec(prop_oneof![from_keys, any::<[u8; 16]>()], 0..40);
                (Just(keys), prop_oneof![in_order, sought])
            }),
        ) {
            let key_at = |at: QuestionIndex| Key(keys[at as usize]);
            let finder = KeyFinder::new(keys.len() as QuestionIndex, key_at);
            for key in sought {
                let at = keys.iter().position(|known| *known == key);
                prop_assert_eq!(finder.find(Key(key)), at.map(|at| at as QuestionIndex));
            }
        }

        #[test]
        fn keys_in_their_order_need_no_index(count in 0..50u8) {
            let finder = KeyFinder::new(count.into(), |at| Key([at as u8; 16]));
            for at in 0..count {
                prop_assert_eq!(finder.find(Key([at; 16])), Some(at.into()));
            }
            prop_assert!(finder.index.get().is_none());
        }
    }
}
