//! The wanted answers, found by their keys.

use crate::item::question::{Key, QuestionIndex};

/// Wanted answers by the first bits of their keys. Keys are hashes, so that a bucket has about one.
///
/// Takes 8 bytes a wanted answer: keys are worked out again when they are compared.
#[derive(Debug)]
pub(super) struct KeyIndex {
    /// Where each bucket begins in `entries`, and the end of the last.
    starts: Vec<u32>,
    entries: Vec<QuestionIndex>,
    /// How many of the first 64 bits of a key are not the number of its bucket.
    shift: u32,
}

impl KeyIndex {
    /// Sorts so many wanted answers into buckets, by a function that gives their keys.
    pub(super) fn new(count: QuestionIndex, key_at: impl Fn(QuestionIndex) -> Key) -> KeyIndex {
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
    pub(super) fn find(
        &self,
        key: Key,
        key_at: impl Fn(QuestionIndex) -> Key,
    ) -> Option<QuestionIndex> {
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
        fn every_key_is_found_and_no_other(keys: std::collections::BTreeSet<[u8; 16]>, other: [u8; 16]) {
            let keys: Vec<Key> = keys.into_iter().map(Key).collect();
            let key_at = |at: QuestionIndex| keys[at as usize];
            let index = KeyIndex::new(keys.len() as QuestionIndex, key_at);
            for (at, key) in keys.iter().enumerate() {
                prop_assert_eq!(index.find(*key, key_at), Some(at as QuestionIndex));
            }
            let is_there = keys.contains(&Key(other));
            prop_assert_eq!(index.find(Key(other), key_at).is_some(), is_there);
        }
    }
}
