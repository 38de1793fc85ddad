//! The items of an input as they would be asked: rendered, and known by their fingerprints.

use std::sync::Arc;

use dset_core::item::content::Content;
use dset_core::item::{Item, Place};
use dset_core::key::{Fingerprint, RequestHasher, RequestSettings};
use dset_core::template::{PromptError, Prompts, Rendered};

use super::bad_row::{BadRows, RowProblem};
use super::{Cursor, Source, SourceError};

/// Reads an input item by item, with what is sent for each.
pub(crate) struct Items<'s> {
    source: &'s mut dyn Source,
    prompts: &'s Prompts,
    /// One for each model.
    hashers: Vec<RequestHasher>,
    fingerprints: Vec<Fingerprint>,
    /// Items that were read, those included that are left out because a prompt fails on them.
    read: u64,
    /// The hashes of the texts of those that were left out behind the item before.
    left_out: Vec<u64>,
}

/// An item, and what is sent for it.
#[derive(Debug)]
pub(crate) struct Prepared<'a> {
    pub(crate) item: Item<'a>,
    /// `None` for an empty item, which is not asked.
    pub(crate) rendered: Option<Rendered<'a>>,
    /// Of the request to each model; none of an empty item.
    pub(crate) fingerprints: &'a [Fingerprint],
    /// The hashes of the texts of the items before it that were left out because a prompt fails on them.
    pub(crate) left_out: &'a [u64],
}

/// Why an item cannot be asked.
#[derive(Debug)]
pub(crate) enum ItemError {
    /// It cannot be read.
    Source(SourceError),
    /// A prompt fails on it.
    Prompt(Place, PromptError),
}

impl<'s> Items<'s> {
    /// Returns the rows that were left out so far because they cannot be asked.
    pub(crate) fn bad_rows(&self) -> BadRows {
        self.source.bad_rows()
    }

    /// Returns how many items were read, and from where the next can be read.
    pub(crate) fn progress(&self) -> (u64, Option<Cursor>) {
        (self.read, self.source.cursor())
    }

    /// Goes on where the source stands; `requests` is what each model is asked with.
    pub(crate) fn new(
        source: &'s mut dyn Source,
        prompts: &'s Prompts,
        requests: &[RequestSettings],
    ) -> Items<'s> {
        let hashers: Vec<RequestHasher> =
            requests.iter().map(RequestSettings::request_hasher).collect();
        Items::with_hashers(source, prompts, hashers)
    }

    pub(crate) fn with_hashers(
        source: &'s mut dyn Source,
        prompts: &'s Prompts,
        hashers: Vec<RequestHasher>,
    ) -> Items<'s> {
        let fingerprints = Vec::with_capacity(hashers.len());
        Items { source, prompts, fingerprints, hashers, read: 0, left_out: Vec::new() }
    }

    /// Reads the next item; `None` behind the last.
    pub(crate) fn next(&mut self) -> Result<Option<Prepared<'_>>, ItemError> {
        self.left_out.clear();
        let filled = loop {
            if !self.source.advance().map_err(ItemError::Source)? {
                return Ok(None);
            }
            self.read += 1;
            // A question alone is borrowed, and nothing of it fails.
            if self.prompts.are_the_question_alone() && self.source.current().system.is_none() {
                break None;
            }
            // What is borrowed here cannot be returned beside a source that goes on.
            let error = match self.prompts.render(&self.source.current()) {
                Ok(rendered) => break Some(rendered.map(Rendered::into_owned)),
                Err(error) => error,
            };
            self.left_out.push(self.source.current().text_hash());
            let place = self.source.position();
            let problem = RowProblem::Template(error.error.to_string());
            self.source.skip_bad_row(problem).map_err(|_| ItemError::Prompt(place, error))?;
        };
        let item = self.source.current();
        let rendered = match filled {
            Some(filled) => filled,
            None => {
                let rendered = self.prompts.render(&item);
                rendered.map_err(|error| ItemError::Prompt(item.place, error))?
            }
        };
        self.fingerprints.clear();
        if let Some(rendered) = &rendered {
            let hashers = self.hashers.iter_mut();
            let prints = hashers.map(|hasher| hasher.fingerprint_of_item(&item, rendered));
            self.fingerprints.extend(prints);
        }
        let (fingerprints, left_out) = (&self.fingerprints, &self.left_out);
        Ok(Some(Prepared { item, rendered, fingerprints, left_out }))
    }
}

impl Prepared<'_> {
    /// Returns what is sent, the system prompt apart; `text` is the item's, shared where it is all.
    pub(crate) fn content(&self, text: &Arc<str>) -> Option<Content> {
        let rendered = self.rendered.as_ref()?;
        Some(match self.item.turns {
            Some(turns) => Content::Chat(Arc::clone(turns)),
            None if *rendered.user == **text => Content::Text(Arc::clone(text)),
            None => Content::Text(Arc::from(&*rendered.user)),
        })
    }
}
