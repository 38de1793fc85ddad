//! The schemas that answers were asked for under, as their settings have them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use dset_core::answer::ValueReading;
use dset_core::key::RequestSettings;
use dset_core::schema::dialect::AskedFor;
use dset_core::schema::{Notation, Schema};
use rusqlite::{Connection, OptionalExtension as _};

use crate::store::error::StoreError;

/// Schemas by the run that asked, each read once: all its models are asked under one.
#[derive(Debug, Default)]
pub(super) struct Schemas {
    read: RefCell<HashMap<i64, Option<Arc<Schema>>>>,
}

impl Schemas {
    /// Returns how the value of an answer of this run is read.
    pub(super) fn reading(
        &self,
        connection: &Connection,
        life: Option<i64>,
        asked_for: AskedFor,
    ) -> Result<Option<ValueReading>, StoreError> {
        let Some(life) = life else { return Ok(None) };
        let mut read = self.read.borrow_mut();
        if let std::collections::hash_map::Entry::Vacant(entry) = read.entry(life) {
            let sql =
                "SELECT s.text FROM lives l JOIN settings s ON s.id = l.settings WHERE l.id = ?1";
            let text = connection.query_row(sql, [life], |row| row.get::<_, String>(0));
            let request =
                text.optional()?.and_then(|text| RequestSettings::from_canonical_json(&text));
            let schema = request.and_then(|request| request.schema);
            let schema = schema.and_then(|text| Schema::read(&text, Notation::Json).ok());
            entry.insert(schema.map(Arc::new));
        }
        let schema = read[&life].clone();
        Ok(schema.map(|schema| ValueReading::new(schema, asked_for.restore)))
    }
}
