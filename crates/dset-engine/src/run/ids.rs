//! Which field names the rows of an input.

use std::hash::Hasher as _;

use dset_core::item::Item;
use dset_core::item::fields::Field;
use dset_core::item::shape::Shape;
use dset_core::settings::Reading;
use xxhash_rust::xxh3::Xxh3;

use crate::error::JobError;
use crate::source::{ID_FIELDS, Source};

fn has(shape: &Shape, name: &str) -> bool {
    shape.has_names && shape.fields.iter().any(|field| field == name)
}

/// Looks for a field whose value differs in every row.
pub(crate) struct IdFinder {
    /// The user named it.
    is_named: bool,
    /// Fields that may be it, each with a hash of its value in every row so far.
    candidates: Vec<(String, Vec<u64>)>,
}

impl IdFinder {
    /// Starts, with the field that the user names, or that named rows before where it is still there.
    /// Fails where there is none of the name that the user says.
    pub(crate) fn new(reading: &Reading, shape: &Shape) -> Result<IdFinder, JobError> {
        let before = reading.id_before.as_deref().filter(|name| has(shape, name));
        IdFinder::named(reading.id.as_deref().or(before), shape)
    }

    fn named(named: Option<&str>, shape: &Shape) -> Result<IdFinder, JobError> {
        let has = |name: &str| has(shape, name);
        let candidates: Vec<&str> = match named {
            Some(name) if !has(name) => {
                let (field, known) = (name.to_owned(), shape.fields.clone());
                return Err(JobError::NoSuchId { field, known });
            }
            Some(name) => vec![name],
            None => {
                let question = shape.fields.get(shape.question).map(String::as_str);
                let is_one = |name: &&str| has(name) && Some(*name) != question;
                ID_FIELDS.into_iter().filter(is_one).collect()
            }
        };
        let candidates = candidates.into_iter().map(|name| (name.to_owned(), Vec::new()));
        Ok(IdFinder { is_named: named.is_some(), candidates: candidates.collect() })
    }

    /// Starts where it is known which field it is, or that none is.
    pub(crate) fn known(named: Option<&str>, shape: &Shape) -> Result<IdFinder, JobError> {
        match named {
            Some(name) => IdFinder::named(Some(name), shape),
            None => Ok(IdFinder { is_named: false, candidates: Vec::new() }),
        }
    }

    /// Looks at the next row.
    pub(crate) fn see(&mut self, item: &Item<'_>) {
        let is_named = self.is_named;
        self.candidates.retain_mut(|(name, hashes)| match value_hash(item, name) {
            Some(hash) => {
                hashes.push(hash);
                true
            }
            None => is_named,
        });
    }

    /// Returns the field, and has the source give its values as ids from now on. Fails where the user
    /// named a field that holds a value twice.
    pub(crate) fn field(self, source: &mut dyn Source) -> Result<Option<String>, JobError> {
        for (name, mut hashes) in self.candidates {
            hashes.sort_unstable();
            let twice = hashes.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
            match twice {
                None if hashes.is_empty() => {}
                None => {
                    source.take_ids_from(&name);
                    return Ok(Some(name));
                }
                Some(hash) if self.is_named => return Err(equal_ids(source, name, hash)?),
                Some(_) => {}
            }
        }
        Ok(None)
    }
}

/// Finds the two rows with the value of this hash.
fn equal_ids(source: &mut dyn Source, field: String, hash: u64) -> Result<JobError, JobError> {
    source.rewind()?;
    let mut first = None;
    while let Some(item) = source.next()? {
        if value_hash(&item, &field) != Some(hash) {
            continue;
        }
        let row = item.place.number();
        match first {
            None => first = Some(row),
            Some(first) => {
                let id = item.fields.get(&field).map(|field| match field {
                    Field::Text(text) => text.to_owned(),
                    Field::Json(value) => value.to_string(),
                });
                return Ok(JobError::EqualIds {
                    id: id.unwrap_or_default(),
                    field,
                    rows: (first, row),
                });
            }
        }
    }
    Ok(JobError::InputChanged)
}

fn value_hash(item: &Item<'_>, name: &str) -> Option<u64> {
    let mut hasher = Xxh3::new();
    match item.fields.get(name)? {
        Field::Text(text) if text.trim().is_empty() => return None,
        Field::Text(text) => hasher.write(text.as_bytes()),
        Field::Json(value) if value.is_null() => return None,
        Field::Json(value) => hasher.write(value.to_string().as_bytes()),
    }
    Some(hasher.finish())
}
