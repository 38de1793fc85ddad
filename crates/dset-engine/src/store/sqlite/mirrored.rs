//! What is taken from another place where the same is kept, and what is given to it.

use std::collections::HashSet;

use dset_core::plan::AnswerId;
use rusqlite::{OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};

use super::store::Store;
use super::tries::NewVerdicts;
use super::{facts, keys, tries};
use crate::store::entry::{NewAnswer, NewAttempt, NewEnded, Written};
use crate::store::error::StoreError;

/// What answers were bought with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SettingsRow {
    pub(crate) id: i64,
    pub(crate) hash: Vec<u8>,
    #[serde(rename = "edition")]
    pub(crate) generation: u32,
    pub(crate) text: String,
    pub(crate) decision: String,
    pub(crate) together: bool,
    pub(crate) decided_at: i64,
}

/// A run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LifeRow {
    pub(crate) id: i64,
    pub(crate) started_at: i64,
    pub(crate) ended_at: Option<i64>,
    pub(crate) ending: Option<String>,
    pub(crate) dropped: bool,
    pub(crate) version: String,
    pub(crate) settings: i64,
    pub(crate) endpoint: String,
    /// What tells it from all others; absent where it began under an earlier version, or comes from a server.
    pub(crate) identity: Option<[u8; 16]>,
    /// Its places, as JSON; absent where it began under an earlier version.
    #[serde(default)]
    pub(crate) places: Option<String>,
}

/// What tells an ask that failed from others: its key, when it was back, which attempt it was, its cause.
pub(crate) type AttemptMark = ([u8; 16], i64, u32, String);

/// What tells an answer from others: its key, its try, when it came.
pub(crate) type AnswerMark = ([u8; 16], u32, i64);

/// The name, in `meta`, of the word that some records are in this store alone.
pub(crate) const UNSENT: &str = "unsent";
/// And of which runs were brought here from elsewhere.
const OF_OTHERS: &str = "lives_of_others";

/// Every answer with its key and try.
pub(super) const TRIES: &str = "SELECT key, 1 AS try, answer FROM keys
                     UNION ALL SELECT key, try, answer FROM later_tries";

/// And of the last run of which everything is elsewhere too.
pub(crate) const SENT: &str = "sent";

impl Store {
    /// Tells whether records may be in this store alone, though they are to be elsewhere too: the last run
    /// did not get rid of them, was killed, or had nothing to do with elsewhere.
    pub(crate) fn has_unsent(&self) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM lives WHERE id > ?1)";
        let sent = self.meta::<i64>(SENT)?.unwrap_or(0);
        let is_later = self.reader.connection.query_row(sql, [sent], |row| row.get(0))?;
        Ok(is_later || self.meta::<i64>(UNSENT)?.is_some())
    }

    /// Tells whether a worker of a job on a server has this folder.
    pub(crate) fn is_on_server(&self) -> Result<bool, StoreError> {
        Ok(self.meta::<i64>(SENT)?.is_some())
    }

    /// Everything is elsewhere too.
    pub(crate) fn forget_unsent(&self) -> Result<(), StoreError> {
        let last = self.all_lives()?.last().map_or(0, |life| life.id);
        self.set_meta(SENT, last)?;
        self.unset_meta(UNSENT)
    }

    /// Returns what answers were bought with.
    pub(crate) fn all_settings(&self) -> Result<Vec<SettingsRow>, StoreError> {
        let sql = "SELECT id, hash, edition, text, decision, together, decided_at FROM settings ORDER BY id";
        let mut statement = self.reader.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            Ok(SettingsRow {
                id: row.get(0)?,
                hash: row.get(1)?,
                generation: row.get(2)?,
                text: row.get(3)?,
                decision: row.get(4)?,
                together: row.get(5)?,
                decided_at: row.get(6)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Takes settings of elsewhere; returns the number that they have here.
    pub(crate) fn take_settings(&self, new: &SettingsRow) -> Result<i64, StoreError> {
        let connection = &self.reader.connection;
        let known = "SELECT id FROM settings WHERE hash = ?1 AND edition = ?2";
        let known =
            connection.query_row(known, params![new.hash, new.generation], |row| row.get(0));
        if let Some(id) = known.optional()? {
            return Ok(id);
        }
        connection.execute(
            "INSERT INTO settings (id, hash, edition, text, decision, together, decided_at)
             VALUES ((SELECT max(0, ifnull(max(id), 0)) + 1 FROM settings), ?1, ?2, ?3, ?4, ?5, ?6)",
            params![new.hash, new.generation, new.text, new.decision, new.together, new.decided_at],
        )?;
        Ok(connection.last_insert_rowid())
    }

    /// Returns a run that has begun.
    pub(crate) fn life(&self, id: i64) -> Result<LifeRow, StoreError> {
        let life = self.all_lives()?.into_iter().find(|life| life.id == id);
        life.ok_or_else(|| StoreError::Damaged("a run has no row".to_owned()))
    }

    /// Returns every run.
    pub(crate) fn all_lives(&self) -> Result<Vec<LifeRow>, StoreError> {
        let sql = "SELECT id, started_at, ended_at, ending, dropped, version, settings, endpoint,
                   identity, places FROM lives ORDER BY id";
        let mut statement = self.reader.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            Ok(LifeRow {
                id: row.get(0)?,
                started_at: row.get(1)?,
                ended_at: row.get(2)?,
                ending: row.get(3)?,
                dropped: row.get(4)?,
                version: row.get(5)?,
                settings: row.get(6)?,
                endpoint: row.get(7)?,
                identity: row.get(8)?,
                places: row.get(9)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Takes a run, which is none of the `others`; returns the number that it has here. What one that
    /// `is_of_another` worker was billed is none of this folder's.
    pub(crate) fn take_life(
        &self,
        new: &LifeRow,
        others: &HashSet<i64>,
        is_of_another: bool,
    ) -> Result<i64, StoreError> {
        let connection = &self.reader.connection;
        let sql = match new.identity {
            Some(_) => "SELECT id FROM lives WHERE identity = ?1",
            None => "SELECT id FROM lives WHERE started_at = ?1 AND endpoint = ?2 ORDER BY id",
        };
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = match new.identity {
            Some(identity) => statement.query([identity])?,
            None => statement.query(params![new.started_at, new.endpoint])?,
        };
        let mut known: Option<i64> = None;
        while let (None, Some(row)) = (known, rows.next()?) {
            known = Some(row.get(0)?).filter(|id| !others.contains(id));
        }
        let ended = params![new.ended_at, new.ending, new.dropped, known];
        if let Some(id) = known {
            let sql = "UPDATE lives SET ended_at = ?1, ending = ?2, dropped = ?3
                       WHERE id = ?4 AND ended_at IS NULL";
            connection.execute(sql, ended)?;
            return Ok(id);
        }
        let together = connection.unchecked_transaction()?;
        connection.execute(
            "INSERT INTO lives (started_at, ended_at, ending, dropped, version, settings, endpoint, identity,
             places) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                new.started_at,
                new.ended_at,
                new.ending,
                new.dropped,
                new.version,
                new.settings,
                new.endpoint,
                new.identity,
                new.places
            ],
        )?;
        let own = connection.last_insert_rowid();
        if is_of_another {
            let mut others: Vec<i64> = self.lives_of_others()?.into_iter().collect();
            others.push(own);
            self.set_meta(OF_OTHERS, serde_json::to_string(&others).expect("numbers are JSON"))?;
        }
        together.commit()?;
        Ok(own)
    }

    /// Returns the runs that were brought here from elsewhere, by their numbers.
    pub(crate) fn lives_of_others(&self) -> Result<HashSet<i64>, StoreError> {
        let kept = self.meta::<String>(OF_OTHERS)?;
        Ok(kept.and_then(|kept| serde_json::from_str(&kept).ok()).unwrap_or_default())
    }

    /// Shows every answer that `is_wanted`, as it was given to the store, with what was thought of it last.
    /// Returns how many it left out because their texts are damaged; those of others are not looked at.
    pub(crate) fn for_each_answer(
        &self,
        is_wanted: impl Fn(&AnswerMark) -> bool,
        mut each: impl FnMut(NewAnswer) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        let sql = format!(
            "SELECT k.key, k.question, k.settings, k.edition, k.sample, k.try, a.life, a.answered_at,
                    a.id, v.answer IS NOT NULL, v.list, {}, f.cost_most, f.place,
                    f.written_tokens, f.written_1h_tokens
             FROM (SELECT key, question, settings, edition, sample, answer, 1 AS try FROM keys
                   UNION ALL
                   SELECT key, question, settings, edition, sample, answer, try FROM later_keys) k
             JOIN answers a ON a.id = k.answer LEFT JOIN answer_facts f ON f.answer = a.id
             LEFT JOIN verdicts v ON v.answer = a.id AND v.acceptance = ?1
             ORDER BY k.try, a.id",
            facts::COLUMNS
        );
        let acceptance = self.terms()?.map(|terms| terms.fingerprint).unwrap_or_default();
        let mut statement = self.reader.connection.prepare(&sql)?;
        let mut rows = statement.query([&acceptance[..]])?;
        let mut damaged = 0;
        while let Some(row) = rows.next()? {
            let mark = (row.get(0)?, row.get(5)?, row.get(7)?);
            if !is_wanted(&mark) {
                continue;
            }
            let texts = match self.texts_of(row.get(8)?) {
                Err(StoreError::TextDamaged { .. }) => {
                    damaged += 1;
                    continue;
                }
                texts => texts?,
            };
            let list: Option<String> = row.get(10)?;
            let list = list.map(|list| serde_json::from_str(&list)).transpose();
            let list = list.ok().filter(|_| row.get(9) == Ok(true));
            let verdicts = list.map(|list| NewVerdicts { acceptance, list });
            let (key, try_number, _) = mark;
            each(NewAnswer { try_number, verdicts, ..read_answer(row, key, texts)? })?;
        }
        Ok(damaged)
    }

    /// Returns the question, the reasoning and the answer.
    fn texts_of(&self, answer: AnswerId) -> Result<[String; 3], StoreError> {
        let sql = "SELECT text_of(id, row, question), reasoning_of(id, row, reasoning, answer),
                          answer_of(id, row, reasoning, answer) FROM answers WHERE id = ?1";
        let mut statement = self.reader.connection.prepare_cached(sql)?;
        let read = |row: &Row<'_>| Ok([row.get(0)?, row.get(1)?, row.get(2)?]);
        Ok(statement.query_row([answer], read)?)
    }

    /// Returns what tells every answer from others.
    pub(crate) fn answer_marks(&self) -> Result<HashSet<AnswerMark>, StoreError> {
        let sql = format!(
            "SELECT k.key, k.try, a.answered_at FROM ({TRIES}) k JOIN answers a ON a.id = k.answer"
        );
        let mut statement = self.reader.connection.prepare(&sql)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Takes what was thought elsewhere of answers that are here, by their keys and tries, unless that is known
    /// here, or is to decide here what becomes of others.
    pub(crate) fn take_verdicts(
        &mut self,
        verdicts: &[(Vec<u8>, u32, NewVerdicts)],
    ) -> Result<(), StoreError> {
        let connection = &mut self.reader.connection;
        keys::index(connection)?;
        let transaction = connection.transaction()?;
        let decides = "SELECT 1 FROM replaces WHERE answer = ?1";
        for (key, try_number, new) in verdicts {
            let Some(answer) = keys::find_try(&transaction, key, *try_number)? else { continue };
            if transaction.prepare_cached(decides)?.exists([answer])? {
                continue;
            }
            let known = tries::verdicts(&transaction, answer, &new.acceptance)?;
            let is_known = |list| !NewVerdicts { list: Some(list), ..new.clone() }.are_unknown();
            if !known.is_some_and(is_known) {
                tries::record(&transaction, answer, new)?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// Returns which answers count no more.
    pub(crate) fn all_aside(&self) -> Result<Vec<AnswerMark>, StoreError> {
        let sql = format!(
            "SELECT k.key, k.try, a.answered_at FROM ({TRIES}) k
             JOIN set_aside s ON s.answer = k.answer JOIN answers a ON a.id = k.answer"
        );
        let mut statement = self.reader.connection.prepare(&sql)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// An answer counts no more, if it is there.
    pub(crate) fn take_aside(&self, key: &[u8], try_number: u32) -> Result<(), StoreError> {
        let connection = &self.reader.connection;
        keys::index(connection)?;
        if let Some(answer) = keys::find_try(connection, key, try_number)? {
            let sql = "INSERT OR IGNORE INTO set_aside (answer) VALUES (?1)";
            connection.prepare_cached(sql)?.execute([answer])?;
        }
        Ok(())
    }

    /// Returns which try an accepted answer of elsewhere is here: the next one, where another has its place, and all under
    /// its key were judged by the same checks and have not passed.
    pub(crate) fn try_behind_rejected(
        &self,
        (key, try_number, _): &AnswerMark,
        acceptance: &[u8; 16],
    ) -> Result<Option<u32>, StoreError> {
        let connection = &self.reader.connection;
        keys::index(connection)?;
        if keys::find_try(connection, key, *try_number)?.is_none() {
            return Ok(None);
        }
        let sql = "SELECT max(k.try), min(v.list IS NOT NULL AND instr(v.list, '\"unknown\"') = 0)
                   FROM (SELECT answer, 1 AS try FROM temp.key_index WHERE key = ?1
                         UNION ALL SELECT answer, try FROM later_tries WHERE key = ?1) k
                   LEFT JOIN verdicts v ON v.answer = k.answer AND v.acceptance = ?2";
        let mut statement = connection.prepare_cached(sql)?;
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let (last, are_rejected): (u32, bool) =
            statement.query_row(params![&key[..], &acceptance[..]], read)?;
        Ok(are_rejected.then_some(last + 1))
    }

    /// Returns every ask that failed.
    pub(crate) fn all_attempts(&self) -> Result<Vec<NewAttempt>, StoreError> {
        let sql = "SELECT life, at, row, question, key, attempt, seconds, cause, status, message,
                   request_id, input_tokens, output_tokens, body, cached_tokens, cost, cost_most, model, place,
                   written_tokens, written_1h_tokens FROM attempts ORDER BY id";
        let mut statement = self.reader.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            let body: Option<Vec<u8>> = row.get(13)?;
            Ok(NewAttempt {
                life: row.get(0)?,
                at: row.get(1)?,
                row: row.get::<_, i64>(2)? as u64,
                question: row.get(3)?,
                key: row.get(4)?,
                attempt: row.get(5)?,
                seconds: row.get(6)?,
                cause: row.get(7)?,
                status: row.get(8)?,
                message: row.get(9)?,
                request_id: row.get(10)?,
                input_tokens: row.get(11)?,
                output_tokens: row.get(12)?,
                cached_tokens: row.get(14)?,
                cost: row.get(15)?,
                cost_most: row.get(16)?,
                model: row.get(17)?,
                place: row.get(18)?,
                written: Written { all: row.get(19)?, hour: row.get(20)? },
                body: body.and_then(|body| zstd::decode_all(&body[..]).ok()),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns what tells every ask that failed from others.
    pub(crate) fn attempt_marks(&self) -> Result<HashSet<AttemptMark>, StoreError> {
        let sql = "SELECT key, at, attempt, cause FROM attempts";
        let mut statement = self.reader.connection.prepare(sql)?;
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Tells whether an ask of a run that failed is there.
    pub(crate) fn has_attempt(&self, new: &NewAttempt) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM attempts
                   WHERE at = ?1 AND life = ?2 AND key = ?3 AND attempt = ?4 AND cause = ?5)";
        let mut statement = self.reader.connection.prepare_cached(sql)?;
        let mark = params![new.at, new.life, &new.key[..], new.attempt, new.cause];
        Ok(statement.query_row(mark, |row| row.get(0))?)
    }

    /// Returns every question that ended without an answer.
    pub(crate) fn all_ended(&self) -> Result<Vec<NewEnded>, StoreError> {
        let sql =
            "SELECT question, edition, row, fault, cause, at, max_tokens, cut_at_tokens FROM ended";
        let mut statement = self.reader.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            Ok(NewEnded {
                question: row.get(0)?,
                generation: row.get(1)?,
                row: row.get::<_, i64>(2)? as u64,
                fault: row.get(3)?,
                cause: row.get(4)?,
                at: row.get(5)?,
                max_tokens: row.get(6)?,
                cut_at_tokens: row.get(7)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn read_answer(
    row: &Row<'_>,
    key: [u8; 16],
    [question, reasoning, answer]: [String; 3],
) -> Result<NewAnswer, StoreError> {
    let read = dset_core::answer::row::Row {
        answered_at: row.get(7)?,
        question,
        reasoning,
        answer,
        metadata: facts::metadata(row, 11)?,
        reading: None,
    };
    let new = NewAnswer::taken_over(read, key, row.get(1)?, row.get(3)?);
    let (settings, sample, life) = (row.get(2)?, row.get(4)?, row.get(6)?);
    let (cost_most, place) = (row.get(25)?, row.get(26)?);
    let written = Written { all: row.get(27)?, hour: row.get(28)? };
    Ok(NewAnswer { settings, sample, life, cost_most, place, written, ..new })
}

#[cfg(test)]
mod tests;
