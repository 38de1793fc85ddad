//! The settings that answers were bought with, what was decided on them, and what such answers are to a run.

use std::collections::HashMap;

use dset_core::key::{ModelHash, RequestSettings, SettingsHash};
use dset_core::plan::{Former, FoundBy, Provenance};
use rusqlite::{OptionalExtension, params};

use super::store::Store;
use crate::store::as_asked::KnownSettings;
use crate::store::error::StoreError;

impl Store {
    /// Returns the number of these settings in a generation, where they are decided.
    pub fn settings(
        &self,
        settings: &RequestSettings,
        generation: u32,
    ) -> Result<Option<i64>, StoreError> {
        let hash = settings.hash();
        let id = self
            .reader
            .connection
            .query_row(
                "SELECT id FROM settings WHERE hash = ?1 AND edition = ?2",
                params![&hash[..], generation],
                |row| row.get(0),
            )
            .optional()?;
        Ok(id)
    }

    /// Returns the settings that bought an answer of a generation, as they were decided last.
    pub(crate) fn bought_with(&self, generation: u32) -> Result<Option<String>, StoreError> {
        let sql = "SELECT text FROM settings WHERE id <> 0 AND id IN
                   (SELECT settings FROM keys WHERE edition = ?1) ORDER BY id DESC LIMIT 1";
        Ok(self.reader.connection.query_row(sql, [generation], |row| row.get(0)).optional()?)
    }

    /// Returns true if answers were bought with this system prompt, sent as it stands.
    pub fn has_answers_to(&self, system: &str) -> Result<bool, StoreError> {
        let sql = "SELECT id, text FROM settings WHERE id <> 0";
        let mut statement = self.reader.connection.prepare(sql)?;
        let settings = statement
            .query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?
            .collect::<Result<Vec<_>, _>>()?;
        for (id, text) in settings {
            let is_it = RequestSettings::from_canonical_json(&text)
                .is_some_and(|settings| settings.fixed_system() == Some(system));
            let sql = "SELECT EXISTS (SELECT 1 FROM keys WHERE settings = ?1)";
            let connection = &self.reader.connection;
            if is_it && connection.query_row(sql, [id], |row| row.get(0))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Records a decision for these settings, and whether the model is asked beside others; returns
    /// their number.
    pub fn decide(
        &self,
        settings: &RequestSettings,
        generation: u32,
        decision: &str,
        together: bool,
        at: i64,
    ) -> Result<i64, StoreError> {
        self.reader.connection.execute(
            "INSERT INTO settings (id, hash, edition, text, decision, together, decided_at)
             VALUES ((SELECT max(0, ifnull(max(id), 0)) + 1 FROM settings), ?1, ?2, ?3, ?4, ?5, ?6)",
            params![&settings.hash()[..], generation, settings.canonical_json(), decision, together, at],
        )?;
        Ok(self.reader.connection.last_insert_rowid())
    }

    /// Returns true if models were asked beside each other in a generation.
    pub(crate) fn has_parallel_models(&self, generation: u32) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM settings WHERE edition = ?1 AND together)";
        Ok(self.reader.connection.query_row(sql, [generation], |row| row.get(0))?)
    }

    /// Returns the settings of a generation that this model was last asked with.
    pub(crate) fn text_of_model(
        &self,
        model: ModelHash,
        generation: u32,
    ) -> Result<Option<String>, StoreError> {
        let sql = "SELECT text FROM settings WHERE edition = ?1 AND id <> 0 ORDER BY id DESC";
        let mut statement = self.reader.connection.prepare(sql)?;
        let mut texts = statement.query_map([generation], |row| row.get::<_, String>(0))?;
        let is_of_it = |text: &String| {
            RequestSettings::from_canonical_json(text)
                .is_some_and(|settings| settings.model_hash() == model)
        };
        Ok(texts.find(|text| text.as_ref().map_or(true, is_of_it)).transpose()?)
    }

    /// Returns the model that a generation was first asked with.
    pub(super) fn first_model(&self, generation: u32) -> Result<Option<ModelHash>, StoreError> {
        let sql = "SELECT text FROM settings WHERE edition = ?1 AND id <> 0 ORDER BY id LIMIT 1";
        let text: Option<String> =
            self.reader.connection.query_row(sql, [generation], |row| row.get(0)).optional()?;
        Ok(text
            .and_then(|text| RequestSettings::from_canonical_json(&text))
            .map(|first| first.model_hash()))
    }

    /// Remembers what a run wants: settings by their numbers, and samples. Nothing is remembered of
    /// one of each, which is what the last life says.
    pub(crate) fn save_requests(&self, settings: &[i64], samples: u32) -> Result<(), StoreError> {
        let kept = self.meta::<String>("asked")?;
        if settings.len() == 1 && samples == 1 {
            return kept.map_or(Ok(()), |_| self.unset_meta("asked"));
        }
        let ids: Vec<String> = settings.iter().map(i64::to_string).collect();
        let asked = format!("{};{samples}", ids.join(","));
        if kept.as_ref() == Some(&asked) { Ok(()) } else { self.set_meta("asked", asked) }
    }

    /// Returns what the last run of a generation asked each model with, and how many samples it
    /// wanted.
    pub(crate) fn last_requests(
        &self,
        generation: u32,
    ) -> Result<Option<(Vec<RequestSettings>, u32)>, StoreError> {
        let Some(asked) = self.meta::<String>("asked")? else {
            return Ok(self.last_settings(generation)?.map(|(_, settings)| (vec![settings], 1)));
        };
        let damaged = || StoreError::Damaged("what was asked last cannot be read".to_owned());
        let (ids, samples) = asked.split_once(';').ok_or_else(damaged)?;
        let mut requests = Vec::new();
        for id in ids.split(',') {
            let id: i64 = id.parse().map_err(|_| damaged())?;
            let sql = "SELECT text FROM settings WHERE id = ?1";
            let text: Option<String> =
                self.reader.connection.query_row(sql, [id], |row| row.get(0)).optional()?;
            requests.push(
                text.and_then(|t| RequestSettings::from_canonical_json(&t)).ok_or_else(damaged)?,
            );
        }
        let samples = samples.parse().ok().filter(|samples| *samples > 0).ok_or_else(damaged)?;
        Ok(Some((requests, samples)))
    }

    /// Returns the number of the last settings of any run.
    pub(crate) fn last_settings_number(&self) -> Result<i64, StoreError> {
        let sql = "SELECT ifnull(max(id), 0) FROM settings";
        Ok(self.reader.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// Returns for all settings of a generation what answers bought with them are to a run with
    /// these settings, and for which of its models they count, or may.
    pub(super) fn purchases(
        &self,
        generation: u32,
        requests: &[RequestSettings],
        known: Option<KnownSettings>,
    ) -> Result<HashMap<i64, Purchase>, StoreError> {
        let sql = "SELECT id, hash, text, together FROM settings WHERE edition = ?1 OR id = 0";
        let mut statement = self.reader.connection.prepare(sql)?;
        let rows = statement.query_map([generation], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, Vec<u8>>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, bool>(3)?,
            ))
        })?;
        let rows: Vec<_> = rows.collect::<Result<_, _>>()?;
        let of = |hash: &[u8]| requests.iter().position(|request| request.hash() == hash);
        // Where models are asked beside each other, the answers of one stand for no other's.
        let any_beside = rows.iter().any(|(.., is_beside)| *is_beside);
        let mut own = rows.iter().filter(|(_, hash, ..)| of(hash) == Some(0));
        let first_is_beside = own.next().map_or(any_beside, |(.., is_beside)| *is_beside);
        let mut others = Vec::new();
        let mut other_model = |model: Option<ModelHash>| {
            let at = others.iter().position(|other| *other == model).unwrap_or_else(|| {
                others.push(model);
                others.len() - 1
            });
            (Provenance::OtherModel, (requests.len() + at) as u16)
        };
        let mut purchase = |(id, hash, text, is_beside): &(i64, Vec<u8>, String, bool)| {
            if *id == 0 {
                return (Provenance::Imported, 0);
            }
            let of_text = || Some(RequestSettings::from_canonical_json(text)?.model_hash());
            // Of a later run, which is none of those that this one kept.
            if known.is_some_and(|known| *id > known.last) {
                return other_model(of_text());
            }
            if let Some(model) = of(hash) {
                return (Provenance::Current, model as u16);
            }
            let model = of_text();
            match requests.iter().position(|request| Some(request.model_hash()) == model) {
                Some(model) => (Provenance::OtherSettings, model as u16),
                None if *is_beside || first_is_beside => other_model(model),
                None => (Provenance::OtherSettings, 0),
            }
        };
        let mut of_row = |row: &(i64, Vec<u8>, String, bool)| {
            let (provenance, model) = purchase(row);
            (row.0, Purchase { provenance, model, hash: row.1.clone() })
        };
        Ok(rows.iter().map(&mut of_row).collect())
    }

    /// Returns the settings, other than these, that answers of this generation were bought with.
    pub(crate) fn former_settings(
        &self,
        requests: &[RequestSettings],
        known: Option<KnownSettings>,
    ) -> Result<Vec<RequestSettings>, StoreError> {
        let generation = match known {
            Some(known) => known.generation,
            None => self.generation()?,
        };
        let purchases = self.purchases(generation, requests, known)?;
        let is_other = |one: &Purchase| one.provenance == Provenance::OtherSettings;
        let mut former = Vec::new();
        if !purchases.values().any(is_other) {
            return Ok(former);
        }
        // Not those with which nothing was bought.
        let sql = "SELECT text, id FROM settings
                   WHERE id IN (SELECT settings FROM keys WHERE edition = ?1)";
        let mut statement = self.reader.connection.prepare(sql)?;
        let mut rows = statement.query([generation])?;
        while let Some(row) = rows.next()? {
            if purchases.get(&row.get(1)?).is_some_and(is_other) {
                former.extend(RequestSettings::from_canonical_json(&row.get::<_, String>(0)?));
            }
        }
        Ok(former)
    }
}

/// What answers bought with some settings are to a run.
#[derive(Debug)]
pub(super) struct Purchase {
    pub(super) provenance: Provenance,
    /// For which of its models they count, or may; for another model a number behind all of these.
    pub(super) model: u16,
    /// What the settings are known by.
    pub(super) hash: Vec<u8>,
}

impl Purchase {
    /// Tells how its answers are found.
    pub(super) fn found_by(&self, former: &Former) -> FoundBy {
        let is_it = |hash: &SettingsHash| hash[..] == self.hash;
        match self.provenance {
            Provenance::OtherSettings if former.requests.iter().any(|one| is_it(&one.hash)) => {
                FoundBy::FormerKey
            }
            Provenance::OtherSettings if former.unbound.iter().any(is_it) => FoundBy::LoneQuestion,
            _ => FoundBy::Question,
        }
    }
}
