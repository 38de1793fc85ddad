//! Words in records: through the index as far as it goes, and by reading what is not in it yet, so that
//! what is found never depends on the index.

use std::sync::Arc;

use super::load::Loaded;
use super::{BrowseError, Browser, FilterError, SEARCHES_MAX};
use crate::store::{IdSet, SearchIndex, SearchTerms, Store, StoreError, Tokenizer, open_readonly};

/// The records that have some words: a bit each.
#[derive(Debug)]
pub(super) struct Found {
    bits: Vec<u64>,
}

impl Found {
    pub(super) fn has(&self, at: u32) -> bool {
        self.bits[at as usize / 64] >> (at % 64) & 1 == 1
    }
}

/// Finds the answers that have all of the terms, with the index of this folder as far as it goes.
pub(crate) fn answers_with(
    store: &Store,
    index_folder: &std::path::Path,
    terms: &SearchTerms,
    within: [bool; 3],
    words: &mut Tokenizer,
) -> Result<IdSet, StoreError> {
    let mut hits = IdSet::default();
    let mut after = 0;
    if let Some(index) = SearchIndex::open_readonly(index_folder, store) {
        let last = index.last()?;
        // An index that cannot be read is as good as none.
        let mut indexed = IdSet::default();
        if index.find(terms, within, |id| indexed.insert(id)).is_ok() {
            (hits, after) = (indexed, last);
        }
    }
    let mut folded = [Vec::new(), Vec::new(), Vec::new()];
    store.for_each_text_after(after, |id, texts| {
        for (at, to) in folded.iter_mut().enumerate().filter(|(at, _)| within[*at]) {
            words.fold(texts[at], to)?;
        }
        if terms.find([&folded[0], &folded[1], &folded[2]]).is_some() {
            hits.insert(id);
        }
        Ok(true)
    })?;
    Ok(hits)
}

impl Browser {
    /// Returns the records that have these words; `None` where there are none to look for.
    pub(super) fn found(
        &self,
        store: &Store,
        loaded: &Loaded,
        terms: &[String],
    ) -> Result<Option<Arc<Found>>, BrowseError> {
        if terms.is_empty() {
            return Ok(None);
        }
        let is_it =
            |kept: &&(Vec<String>, u64, Arc<Found>)| kept.0 == terms && kept.1 == loaded.revision;
        if let Some((_, _, found)) = self.kept().searches.iter().find(is_it) {
            return Ok(Some(Arc::clone(found)));
        }
        let mut words = Tokenizer::open()?;
        let ready = SearchTerms::new(terms, &mut words)?;
        if ready.is_empty() {
            return Err(FilterError::NoWord(terms.join(" ")).into());
        }
        let hits = answers_with(store, &self.side.folder, &ready, [true; 3], &mut words)?;
        let (mut rows, mut folded) = (IdSet::default(), Vec::new());
        loaded.open.for_each(|row, question| {
            words.fold(question, &mut folded)?;
            if ready.find([&folded]).is_some() {
                rows.insert(row.into());
            }
            Ok(())
        })?;
        let records = &loaded.columns.records;
        let mut bits = vec![0; records.len().div_ceil(64)];
        for (at, record) in records.iter().enumerate() {
            let has = match record.answer {
                0 => rows.has(record.row.into()),
                answer => hits.has(answer.into()),
            };
            bits[at / 64] |= u64::from(has) << (at % 64);
        }
        let found = Arc::new(Found { bits });
        let mut kept = self.kept();
        kept.searches.retain(|(_, revision, _)| *revision == loaded.revision);
        if kept.searches.len() == SEARCHES_MAX {
            kept.searches.remove(0);
        }
        kept.searches.push((terms.to_vec(), loaded.revision, Arc::clone(&found)));
        Ok(Some(found))
    }

    /// Returns how many answers the index has.
    pub(super) fn indexed(&self, store: &Store) -> Result<u64, BrowseError> {
        let index = SearchIndex::open_readonly(&self.side.folder, store);
        Ok(index.and_then(|index| index.last().ok()).unwrap_or(0) as u64)
    }

    /// Adds some answers to the index, and tells whether there are more to add. Fails where it cannot be
    /// written; a search then reads all texts.
    pub fn index_some(&self) -> Result<bool, BrowseError> {
        let more = open_readonly(&self.settings.output, |store| {
            let mut index = SearchIndex::open(&self.side.folder, store)?;
            if index.last()? >= store.pulse()?.answers {
                return Ok(false);
            }
            index.add(store, &mut Tokenizer::open()?)
        })?;
        Ok(more.unwrap_or(false))
    }
}
