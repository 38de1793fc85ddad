//! Ratings and notes.

use std::collections::HashMap;

use dset_core::plan::AnswerId;

use super::{BrowseError, Browser};
use crate::os::clock::unix_ms;
use crate::store::{Review, ReviewChange, ReviewKey, Reviews, Store, StoreError};

/// Returns the reviews of a generation by the answers that they are of.
pub(crate) fn reviews_of(
    store: &Store,
    folder: &std::path::Path,
) -> Result<HashMap<AnswerId, Review>, StoreError> {
    let Some(reviews) = Reviews::open_readonly(folder)? else { return Ok(HashMap::new()) };
    let reviews = reviews.all(store.generation()?)?;
    let tries = store.tries_of(&reviews.iter().map(|(of, _)| of.key).collect())?;
    let of_answers = reviews.into_iter().filter_map(|(of, review)| {
        Some((*tries.get(&of.key)?.get(of.try_number as usize)?, review))
    });
    Ok(of_answers.collect())
}

impl Browser {
    /// Changes what was said of an answer, and returns the whole of it.
    pub fn review(&self, answer: AnswerId, change: ReviewChange) -> Result<Review, BrowseError> {
        let of = self.with(|store, _| {
            let (key, row) = store.key_of(answer)?.ok_or(BrowseError::NoSuch)?;
            let tries = store.tries(&key, row)?;
            let place = tries.iter().position(|one| *one == answer).unwrap_or(0);
            Ok(ReviewKey { key, try_number: place as u32, generation: store.generation()? })
        })?;
        let review = Reviews::open(&self.side.folder)?.change(&of, change, unix_ms())?;
        self.kept().reviewed_at = None;
        Ok(review)
    }

    /// Returns what was said of an answer.
    pub(super) fn review_of(&self, store: &Store, answer: AnswerId) -> Result<Review, BrowseError> {
        Ok(reviews_of(store, &self.side.folder)?.remove(&answer).unwrap_or_default())
    }

    /// Takes in what was said since.
    pub(super) fn take_reviews(&self, store: &Store) -> Result<(), BrowseError> {
        let path = self.side.folder.join("review.db");
        let changed = std::fs::metadata(path).and_then(|file| file.modified()).ok();
        if self.kept().reviewed_at == changed {
            return Ok(());
        }
        let reviews = reviews_of(store, &self.side.folder)?;
        let mut loaded = self.loaded.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        for record in &mut loaded.columns.records {
            let review = reviews.get(&record.answer.into()).filter(|_| record.answer > 0);
            record.rating = review.and_then(|review| review.rating).unwrap_or(0);
            record.has_note = review.is_some_and(|review| !review.note.is_empty());
        }
        loaded.revision += 1;
        self.kept().reviewed_at = changed;
        Ok(())
    }
}
