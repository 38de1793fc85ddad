//! Writes into SQLite: every batch is one transaction.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use dset_core::plan::AnswerId;
use fs_err as fs;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::bounds;
use super::facts::OfCall;
use super::keys::{Keys, NewKey};
use super::limits::STORE;
use super::store::{Store, together};
use super::{facts, keys, redos, texts, tries};
use crate::os::files;
use crate::os::files::Identity;
use crate::store::entry::{NewAnswer, NewAttempt, NewEnded};
use crate::store::error::StoreError;
use crate::store::roles::{AnswerRef, Journal, Value, Write};
use crate::store::writer::message::Checkpoint;

/// The next position in the outputs of a generation, as far as it was needed.
type Positions = HashMap<u32, i64>;

/// The one connection that writes during a run.
#[derive(Debug)]
pub(crate) struct SqliteJournal {
    /// Absent once a commit has failed.
    connection: Option<Connection>,
    folder: PathBuf,
    /// The same from the root: a working folder that is deleted has no way to its folders.
    real_folder: PathBuf,
    /// The file that the connection writes to.
    identity: Identity,
    positions: Positions,
}

impl Store {
    /// Gives the store to the thread that writes during a run.
    pub(crate) fn into_journal(self, folder: &Path) -> io::Result<SqliteJournal> {
        keys::drop_index(&self.reader.connection).map_err(io::Error::other)?;
        Ok(SqliteJournal {
            identity: Identity::from_path(&folder.join(STORE))?,
            connection: Some(self.reader.connection),
            folder: folder.to_owned(),
            real_folder: fs::canonicalize(folder)?,
            positions: Positions::new(),
        })
    }

    /// Records all of this or nothing, before a run or beside one. Answers may come in any order, and
    /// may be there.
    pub(crate) fn commit(&mut self, writes: &[Write]) -> Result<Vec<Option<AnswerId>>, StoreError> {
        if writes.iter().any(|write| matches!(write, Write::Answered(_))) {
            keys::index(&self.reader.connection)?;
        }
        commit(&self.reader.connection, writes, &mut Positions::new())
    }
}

impl Journal for SqliteJournal {
    fn commit(&mut self, writes: &[Write]) -> Result<Vec<Option<AnswerId>>, StoreError> {
        let Some(connection) = self.connection.take() else {
            return Err(StoreError::Busy);
        };
        let ids = commit(&connection, writes, &mut self.positions)?;
        if !self.identity.is_at(&self.folder.join(STORE)) {
            // Nothing in a deleted file is durable, though every commit to it succeeds.
            let saved_in = save(&self.folder, &connection)
                .or_else(|_| save(&self.real_folder, &connection))
                .or_else(|_| save_elsewhere(&connection))
                .ok();
            return Err(StoreError::Gone { saved_in });
        }
        self.connection = Some(connection);
        Ok(ids)
    }

    /// Folds the log into the file. SQLite does so by itself, and says nothing when it cannot.
    fn close(&mut self) -> Result<(), StoreError> {
        if let Some(connection) = &self.connection {
            connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        }
        Ok(())
    }
}

/// Writes a store whose file was deleted under our hands into a new one, from the connection that
/// still has it, and returns where that is: in its old place or, where another file has that now,
/// beside it.
fn save(folder: &Path, connection: &Connection) -> Result<PathBuf, StoreError> {
    fs::create_dir_all(folder)?;
    let copy = tempfile::Builder::new().prefix(files::TEMPORARY).tempdir_in(folder)?;
    let new = copy.path().join(STORE);
    connection.execute("VACUUM INTO ?1", [new.to_string_lossy()])?;
    fs::File::open(&new)?.sync_all()?;
    let mut path = folder.join(STORE);
    if path.exists() {
        path = folder.join(format!("saved-{}", STORE));
    } else {
        // A log under this name belongs to the old file, and would be taken for the new one's.
        for suffix in ["-wal", "-shm"] {
            match fs::remove_file(super::connection::beside(&path, suffix)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
    }
    fs::rename(&new, &path)?;
    files::sync_folder(folder)?;
    Ok(path)
}

/// Does the same in a folder of its own in the system's temporary folder.
fn save_elsewhere(connection: &Connection) -> Result<PathBuf, StoreError> {
    let folder = tempfile::Builder::new().prefix("dset-saved-").tempdir()?;
    let path = save(folder.path(), connection)?;
    let _kept = folder.keep();
    Ok(path)
}

pub(super) fn commit(
    connection: &Connection,
    writes: &[Write],
    positions: &mut Positions,
) -> Result<Vec<Option<AnswerId>>, StoreError> {
    let mut ids = Vec::new();
    let transaction = together(connection)?;
    let mut keys = Keys::of(connection)?;
    for write in writes {
        apply(connection, write, &mut ids, positions, &mut keys)?;
    }
    transaction.map_or(Ok(()), Transaction::commit)?;
    Ok(ids)
}

fn apply(
    to: &Connection,
    write: &Write,
    ids: &mut Vec<Option<AnswerId>>,
    positions: &mut Positions,
    keys: &mut Keys,
) -> rusqlite::Result<()> {
    match write {
        Write::Answered(answer) => ids.push(answer.insert(to, keys)?),
        Write::Attempted(attempt) => attempt.insert(to)?,
        Write::Judged { answer, verdicts } => {
            tries::record(to, *answer, verdicts)?;
            redos::settle(to, *answer, verdicts)?;
        }
        Write::SetAside(answer) => redos::set_aside(to, *answer)?,
        Write::Kept { answer, acceptance } => tries::keep(to, *answer, acceptance)?,
        Write::Ended(ended) => ended.insert(to)?,
        Write::NotEnded { question, generation } => {
            to.prepare_cached("DELETE FROM ended WHERE question = ?1 AND edition = ?2")?
                .execute(params![&question[..], generation])?;
        }
        Write::MarkDue(question) => {
            to.prepare_cached("INSERT OR IGNORE INTO marks (question) VALUES (?1)")?
                .execute([&question[..]])?;
        }
        Write::Marked(question) => {
            to.prepare_cached("DELETE FROM marks WHERE question = ?1")?.execute([&question[..]])?;
        }
        Write::Placed { generation, answer, row } => {
            let answer = match answer {
                AnswerRef::Stored(id) => Some(*id),
                AnswerRef::New(at) => ids.get(*at).copied().flatten(),
            };
            if let Some(answer) = answer {
                let position = next_position(to, positions, *generation)?;
                place(to, *generation, *position, answer, *row)?;
                *position += 1;
            }
        }
        Write::Ordered { generation, answers } => {
            to.execute("DELETE FROM output_order WHERE edition = ?1", [generation])?;
            for (position, (answer, row)) in (0..).zip(answers) {
                place(to, *generation, position, *answer, Some(*row))?;
            }
            positions.remove(generation);
        }
        Write::Checkpoint(mark) => mark.record(to)?,
        Write::CheckpointsForgotten => to.execute_batch("DELETE FROM sinks")?,
        Write::PendingForgotten => to.execute_batch("DELETE FROM marks; DELETE FROM presumed;")?,
        Write::Meta { name, value } => set_meta(to, name, value.as_ref())?,
        Write::LegacyImported { at } => {
            to.prepare_cached(
                "INSERT OR IGNORE INTO settings (id, hash, edition, text, decision, decided_at)
                 VALUES (0, x'', 0, 'the original script', 'first', ?1)",
            )?
            .execute([at])?;
        }
        Write::BoundDeclared { life, bound, unsure, is_last } => {
            bounds::declare(to, *life, *bound, *unsure, *is_last)?;
        }
        Write::SessionEnded { life, at, ending, dropped } => {
            to.execute(
                "UPDATE lives SET ended_at = ?1, ending = ?2, dropped = ?3 WHERE id = ?4",
                params![at, ending, dropped, life],
            )?;
        }
    }
    Ok(())
}

/// Returns the next position in the outputs of a generation: a place is dense, whatever was there
/// before.
fn next_position<'p>(
    to: &Connection,
    positions: &'p mut Positions,
    generation: u32,
) -> rusqlite::Result<&'p mut i64> {
    use std::collections::hash_map::Entry::{Occupied, Vacant};
    Ok(match positions.entry(generation) {
        Occupied(known) => known.into_mut(),
        Vacant(unknown) => {
            let sql = "SELECT ifnull(max(position) + 1, 0) FROM output_order WHERE edition = ?1";
            unknown.insert(to.query_row(sql, [generation], |row| row.get(0))?)
        }
    })
}

fn place(
    to: &Connection,
    generation: u32,
    position: i64,
    answer: AnswerId,
    row: Option<u64>,
) -> rusqlite::Result<()> {
    to.prepare_cached(
        "INSERT INTO output_order (edition, position, answer, row) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![generation, position, answer, row.map(|row| row as i64)])?;
    Ok(())
}

fn set_meta(to: &Connection, name: &str, value: Option<&Value>) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)";
    match value {
        Some(Value::Number(number)) => to.execute(sql, params![name, number])?,
        Some(Value::Text(text)) => to.execute(sql, params![name, text])?,
        None => to.execute("DELETE FROM meta WHERE name = ?1", [name])?,
    };
    Ok(())
}

impl NewAnswer {
    /// Inserts it, and returns its id; `None` where an answer with its key and try is there already.
    fn insert(&self, to: &Connection, keys: &mut Keys) -> rusqlite::Result<Option<AnswerId>> {
        for before in &self.sets_aside {
            redos::set_aside(to, *before)?;
        }
        let may_have_moved = self.try_number > 1 || self.is_known;
        let first = keys.find(to, &self.key, self.row, may_have_moved)?;
        // Where the tries before it are lost, it is the first.
        let is_later = self.try_number > 1 && first.is_some();
        let sql = "SELECT answer FROM later_tries WHERE key = ?1 AND try = ?2";
        let found = match is_later {
            true => to
                .prepare_cached(sql)?
                .query_row(params![&self.key[..], self.try_number], |row| row.get(0))
                .optional()?,
            false => first,
        };
        // As the first it was put in when it came, where the tries before it are lost.
        let found = match (found, first) {
            (None, Some(first)) if self.is_known && self.is_answer(to, first)? => Some(first),
            _ => found,
        };
        if let Some(id) = found {
            if !self.is_known {
                return Ok(None);
            }
            if let Some(verdicts) = &self.verdicts {
                tries::record(to, id, verdicts)?;
                redos::settle(to, id, verdicts)?;
            }
            return Ok(Some(id));
        }
        let [reasoning, answer] = texts::pack_both(&self.reasoning, &self.answer)?;
        to.prepare_cached(
            "INSERT INTO answers (life, row, answered_at, question, reasoning, answer, metadata)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            self.life,
            self.row.map(|row| row as i64),
            self.answered_at,
            texts::pack(&self.question)?,
            reasoning,
            answer,
            facts::rest(&self.metadata)
        ])?;
        let id = to.last_insert_rowid();
        let NewAnswer { cost_most, answered_at, life, place, written, .. } = *self;
        let of_call = OfCall { cost_most, answered_at, life, place, written };
        facts::insert(to, id, self.settings, &self.metadata, &of_call)?;
        if let Some(verdicts) = &self.verdicts {
            tries::record(to, id, verdicts)?;
        }
        for before in &self.replaces {
            redos::will_replace(to, id, *before)?;
        }
        if is_later {
            to.prepare_cached("INSERT INTO later_tries (key, try, answer) VALUES (?1, ?2, ?3)")?
                .execute(params![&self.key[..], self.try_number, id])?;
            return Ok(Some(id));
        }
        let key = NewKey {
            row: self.row,
            key: &self.key,
            question: &self.question_hash,
            settings: self.settings,
            generation: self.generation,
            sample: self.sample,
            answer: id,
        };
        keys.insert(to, &key)?;
        Ok(Some(id))
    }

    /// Tells whether a stored answer is this very one.
    fn is_answer(&self, to: &Connection, id: AnswerId) -> rusqlite::Result<bool> {
        let sql = "SELECT 1 FROM answers WHERE id = ?1 AND answered_at = ?2
                   AND answer_of(id, row, reasoning, answer) = ?3";
        to.prepare_cached(sql)?.exists(params![id, self.answered_at, self.answer])
    }
}

impl NewAttempt {
    fn insert(&self, to: &Connection) -> rusqlite::Result<()> {
        let body = self.body.as_deref().and_then(|body| zstd::encode_all(body, 3).ok());
        to.prepare_cached(
            "INSERT INTO attempts (life, at, row, question, key, attempt, seconds, cause, status,
             message, request_id, input_tokens, output_tokens, body, cached_tokens, cost, cost_most,
             model, place, written_tokens, written_1h_tokens)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20,
             ?21)",
        )?
        .execute(params![
            self.life,
            self.at,
            self.row as i64,
            &self.question[..],
            &self.key[..],
            self.attempt,
            self.seconds,
            self.cause,
            self.status,
            self.message,
            self.request_id,
            self.input_tokens,
            self.output_tokens,
            body,
            self.cached_tokens,
            self.cost,
            self.cost_most,
            self.model,
            self.place,
            self.written.all,
            self.written.hour
        ])?;
        Ok(())
    }
}

impl NewEnded {
    fn insert(&self, to: &Connection) -> rusqlite::Result<()> {
        to.prepare_cached(
            "INSERT OR REPLACE INTO ended
             (question, edition, row, fault, cause, at, max_tokens, cut_at_tokens)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            &self.question[..],
            self.generation,
            self.row as i64,
            self.fault,
            self.cause,
            self.at,
            self.max_tokens,
            self.cut_at_tokens
        ])?;
        Ok(())
    }
}

impl Checkpoint {
    /// Records it in place of the one before.
    fn record(&self, to: &Connection) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO sinks (name, rows, bytes, tail, shape)
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        let (rows, bytes) = (self.rows as i64, self.bytes as i64);
        to.prepare_cached(sql)?.execute(params![
            self.name,
            rows,
            bytes,
            &self.seal()[..],
            self.shape
        ])?;
        Ok(())
    }
}
