//! The texts of answers that wait in memory: for their place, or for an output to take them.
//!
//! They are there to spare a reading from the store, and bounded: what does not fit is kept as a
//! number, and read back. So neither a question that holds up the order nor an output's disk that
//! is slower than the service makes a run grow by more than a few bytes a row.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dset_core::answer::row::Row;

/// Bytes of texts at once. Some seconds' worth of a fast service, and little beside any memory.
const TEXT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How many bytes of texts there are. Clones count together.
#[derive(Debug, Clone, Default)]
pub(super) struct RowCache(Arc<AtomicUsize>);

/// An answer as the row of an output, which counts against the cache until its last owner drops it.
#[derive(Debug)]
pub struct CachedRow {
    row: Row,
    bytes: usize,
    counted: RowCache,
}

impl RowCache {
    /// Keeps a row while there is room for it.
    pub(super) fn keep(&self, row: Row) -> Option<Box<CachedRow>> {
        let bytes = row.question.len() + row.reasoning.len() + row.answer.len();
        // One thread adds and others only take away, so that what fits here still fits below.
        if self.0.load(Ordering::Relaxed) + bytes > TEXT_BYTES_MAX {
            return None;
        }
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Some(Box::new(CachedRow { row, bytes, counted: self.clone() }))
    }
}

impl CachedRow {
    /// Returns the row as the outputs write it.
    #[must_use]
    pub fn row(&self) -> &Row {
        &self.row
    }
}

impl Drop for CachedRow {
    fn drop(&mut self) {
        self.counted.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use dset_core::answer::row::Metadata;

    use super::*;

    #[test]
    fn texts_are_kept_while_there_is_room_and_again_when_others_are_gone() {
        let texts = RowCache::default();
        let row = || Row {
            answered_at: 0,
            question: String::new(),
            reasoning: String::new(),
            answer: "x".repeat(TEXT_BYTES_MAX / 4),
            metadata: Metadata::default(),
            reading: None,
        };
        let mut kept: Vec<_> = std::iter::from_fn(|| texts.keep(row())).collect();
        assert_eq!(kept.len(), 4);
        kept.pop();
        assert!(texts.keep(row()).is_some_and(|text| text.row() == &row()));
        assert_eq!(texts.keep(row()).into_iter().chain(kept).count(), 4);
        assert_eq!(texts.0.load(Ordering::Relaxed), 0);
    }
}
