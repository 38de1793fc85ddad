//! Takes what another store has into this one: answers by their keys, what they were bought with, and the
//! asks that failed. Columns are copied by their names, so that one that is added is not lost.

mod accepting;
mod asides;
mod before;
mod copied;
mod failures;
mod kept;
mod lives;
mod metas;

use std::collections::HashMap;
use std::path::PathBuf;

use dset_core::answer::CUT;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use self::accepting::Accepting;
use self::asides::Asides;
use self::before::Before;
use self::copied::Copied;
use self::failures::failures;
use self::kept::{keep, keep_damaged};
use self::lives::lives;
use self::metas::metas;
use super::keys;
use super::limits::{FACTS_FROM, MERGED_AT};
use super::mirrored::TRIES;
use super::redos;
use super::store::Store;
use crate::os::clock::unix_ms;
use crate::store::error::StoreError;

/// Answers of one transaction: what is taken in twice costs only a look.
const BATCH: u64 = 10_000;
/// Contradictions that are named one by one, at most.
const NAMED_MAX: usize = 20;
/// What an answer is filed under whose key has another one.
pub(crate) const PAID_TWICE: &str = "paid twice";

/// What came of a merge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Merged {
    /// Answers that were taken in.
    pub taken: u64,
    /// Answers that were there already.
    pub known: u64,
    /// Requests that were bought in both stores: the answer of the first one stays, the other is kept
    /// among the failed asks, whole. Behind one that was cut a whole one is taken in, and an accepted one behind
    /// those that are not.
    pub bought_twice: u64,
    /// Those of them whose answers differ.
    pub contradictions: u64,
    /// The first of these.
    pub first: Vec<Contradiction>,
    /// Answers with a damaged text, which were not taken in: what they cost counts all the same.
    pub damaged: u64,
    /// The first of them: the folder, and the row where it is known.
    pub first_damaged: Vec<(PathBuf, Option<i64>)>,
    /// Answers that a run could only rescue, taken into the stores of their folders first, and
    pub rescued: u64,
    /// lines of them that could not be read.
    pub unread: u64,
}

/// One request with two answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The row of the input that was answered first, where it is known.
    pub row: Option<i64>,
    /// What was asked.
    pub question: String,
    /// The answer that stays, and the other one.
    pub answers: [String; 2],
}

impl Merged {
    /// Adds what came of another merge.
    pub fn add(&mut self, other: Merged) {
        self.taken += other.taken;
        self.known += other.known;
        self.bought_twice += other.bought_twice;
        self.contradictions += other.contradictions;
        self.first.extend(other.first);
        self.first.truncate(NAMED_MAX);
        self.damaged += other.damaged;
        self.first_damaged.extend(other.first_damaged);
        self.first_damaged.truncate(NAMED_MAX);
        self.rescued += other.rescued;
        self.unread += other.unread;
    }
}

/// Which numbers of the other store are which of this one.
#[derive(Default)]
struct Numbers {
    settings: HashMap<i64, i64>,
    lives: HashMap<i64, i64>,
}

impl Numbers {
    /// Returns the number of settings here; of those that are nowhere, that of what nobody knows.
    fn settings_of(&self, number: Option<i64>) -> i64 {
        number.and_then(|number| self.settings.get(&number).copied()).unwrap_or(0)
    }
}

fn mapped(numbers: &HashMap<i64, i64>, number: Option<i64>) -> Value {
    number.and_then(|number| numbers.get(&number)).map_or(Value::Null, |own| Value::Integer(*own))
}

impl Store {
    /// Takes in what `other` has and this store lacks. What is cut short is finished by the next merge.
    pub(crate) fn take_in(&mut self, other: &Store) -> Result<Merged, StoreError> {
        self.set_meta(MERGED_AT, unix_ms())?;
        let from = &other.reader.connection;
        let to = &mut self.reader.connection;
        let transaction = to.transaction()?;
        let numbers = Numbers { settings: settings(from, &transaction)?, lives: HashMap::new() };
        let numbers = Numbers { lives: lives(from, &transaction, &numbers)?, ..numbers };
        metas(from, &transaction, &numbers)?;
        transaction.commit()?;
        let mut merged = answers(from, to, &numbers)?;
        let folder = other.path.parent().unwrap_or(&other.path);
        merged.first_damaged.iter_mut().for_each(|(of, _)| folder.clone_into(of));
        let transaction = to.transaction()?;
        attempts(from, &transaction, &numbers)?;
        failures(from, &transaction)?;
        transaction.commit()?;
        Ok(merged)
    }
}

fn settings(from: &Connection, to: &Transaction<'_>) -> Result<HashMap<i64, i64>, StoreError> {
    let mut numbers = HashMap::new();
    let mut statement = from.prepare("SELECT * FROM settings ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut copied = Copied::read(row)?;
        let number: i64 = row.get("id")?;
        let known = to
            .query_row(
                "SELECT id FROM settings WHERE hash = ?1 AND edition = ?2",
                params![copied.get("hash"), copied.get("edition")],
                |row| row.get(0),
            )
            .optional()?;
        let own = match known {
            Some(own) => own,
            // Those of the original script have this number everywhere.
            None if number == 0 => 0,
            None => {
                to.query_row("SELECT max(0, ifnull(max(id), 0)) + 1 FROM settings", [], |row| {
                    row.get(0)
                })?
            }
        };
        if known.is_none() {
            copied.set("id", own);
            copied.insert(to, "settings", "")?;
        }
        numbers.insert(number, own);
    }
    Ok(numbers)
}

fn answers(
    from: &Connection,
    to: &mut Connection,
    numbers: &Numbers,
) -> Result<Merged, StoreError> {
    let mut merged = Merged::default();
    keys::index(to)?;
    kept::index(to)?;
    // In the order in which they came.
    let mut keys = from.prepare(
        "SELECT *, 1 AS try FROM keys UNION ALL
         SELECT row, key, question, settings, edition, sample, answer, try FROM later_keys ORDER BY answer",
    )?;
    let mut keys = keys.query([])?;
    let mut texts = from.prepare("SELECT * FROM answers WHERE id = ?1")?;
    let mut facts = from.prepare("SELECT * FROM answer_facts WHERE answer = ?1")?;
    let (mut asides, mut is_done) = (Asides::read(from)?, false);
    let accepting = Accepting::read(to)?;
    let mut before = Before::read(to)?;
    // Tries with a damaged text, by their keys.
    let mut lost: HashMap<Vec<u8>, i64> = HashMap::new();
    while !is_done {
        let transaction = to.transaction()?;
        for _ in 0..BATCH {
            let Some(row) = keys.next()? else {
                is_done = true;
                break;
            };
            let (mut key, number) = (Copied::read(row)?, row.get::<_, i64>("answer")?);
            key.set("settings", numbers.settings_of(key.number("settings")));
            let mut text = texts.query_row([number], Copied::read)?;
            text.set("life", mapped(&numbers.lives, text.number("life")));
            let mut known = facts.query_row([number], Copied::read).optional()?;
            if let Some(facts) = &mut known {
                facts.set("request", numbers.settings_of(facts.number("request")));
            }
            if !text.is_whole() {
                if !asides.has(number) {
                    asides.keep(key.bytes("question"));
                    merged.damaged += 1;
                    if merged.first_damaged.len() < NAMED_MAX {
                        merged.first_damaged.push((PathBuf::new(), text.number("row")));
                    }
                }
                if keep_damaged(&transaction, &key, &text, known.as_ref())? {
                    *lost.entry(key.bytes("key")).or_insert(0) += 1;
                }
                continue;
            }
            // The try behind one that is lost comes in its place.
            if let Some(lost) = lost.get(&key.bytes("key")) {
                key.set("try", key.number("try").unwrap_or(1) - lost);
            }
            let question = key.bytes("question");
            let is_in_place = |key: &Copied| {
                let is_preferred =
                    !asides.has(number) && accepting.prefers(from, number, key, &transaction)?;
                Ok(is_preferred || asides.are_replaced_by(number, key, &transaction)?)
            };
            let taken = (&mut before, &mut merged);
            if let Some(own) = answer(&transaction, key, &text, known, is_in_place, taken)? {
                judged(from, &transaction, number, own)?;
                asides.note(question, number, own);
            }
        }
        if is_done {
            asides.apply(&transaction)?;
        }
        transaction.commit()?;
    }
    Ok(merged)
}

/// Takes over what was thought of an answer, and what was said of it, also since it was taken in.
fn judged(from: &Connection, to: &Transaction<'_>, number: i64, own: i64) -> rusqlite::Result<()> {
    for table in ["verdicts", "kept"] {
        let sql = format!("SELECT * FROM {table} WHERE answer = ?1");
        let mut statement = from.prepare_cached(&sql)?;
        let mut rows = statement.query([number])?;
        while let Some(row) = rows.next()? {
            let mut copied = Copied::read(row)?;
            copied.set("answer", own);
            match table {
                "verdicts" => {
                    // What no program had said when it was taken in gives way to what one says now.
                    let sql = "DELETE FROM verdicts WHERE answer = ?1 AND acceptance = ?2
                               AND instr(list, '\"unknown\"') > 0";
                    to.prepare_cached(sql)?.execute(params![own, copied.get("acceptance")])?;
                    copied.insert(to, table, "")?;
                }
                _ => copied.insert(to, table, "")?,
            }
        }
    }
    // Those before it have other numbers here.
    let sql = format!(
        "SELECT k.key, k.try FROM replaces r JOIN ({TRIES}) k ON k.answer = r.before WHERE r.answer = ?1"
    );
    let mut statement = from.prepare_cached(&sql)?;
    let mut rows = statement.query([number])?;
    while let Some(row) = rows.next()? {
        let (key, number_of_try): (Vec<u8>, u32) = (row.get(0)?, row.get(1)?);
        let before = keys::find_try(to, &key, number_of_try)?.filter(|before| *before != own);
        if let Some(before) = before {
            redos::will_replace(to, own, before)?;
        }
    }
    Ok(())
}

/// Takes in one answer, where it is not there, and returns its number; or notes that another one has its key
/// and try. One that `is_in_place` of an answer that counts here, or of those that a check does not accept, is
/// taken in as the next try.
fn answer(
    to: &Transaction<'_>,
    mut key: Copied,
    text: &Copied,
    facts: Option<Copied>,
    is_in_place: impl Fn(&Copied) -> rusqlite::Result<bool>,
    (before, merged): (&mut Before, &mut Merged),
) -> rusqlite::Result<Option<i64>> {
    let is_first = key.number("try") == Some(1);
    let sql = match is_first {
        true => {
            "SELECT a.id, a.answered_at, a.reasoning, a.answer, a.row, f.finish FROM temp.key_index k
             JOIN answers a ON a.id = k.answer LEFT JOIN answer_facts f ON f.answer = a.id
             WHERE k.key = ?1 AND ?2 = 1"
        }
        false => {
            "SELECT a.id, a.answered_at, a.reasoning, a.answer, a.row, f.finish FROM later_tries k
             JOIN answers a ON a.id = k.answer LEFT JOIN answer_facts f ON f.answer = a.id
             WHERE k.key = ?1 AND k.try = ?2"
        }
    };
    let own = to
        .prepare_cached(sql)?
        .query_row([key.get("key"), key.get("try")], Copied::read)
        .optional()?;
    if own.is_none() && is_first {
        return insert(to, key, text, facts, merged).map(Some);
    }
    let texts = text.texts()?;
    let (last, known) = before.find_same(to, &key, text, &texts)?;
    if known.is_some() {
        merged.known += 1;
        return Ok(known);
    }
    let Some(own) = own else {
        return insert(to, key, text, facts, merged).map(Some);
    };
    // A whole answer is the next try behind one that was cut, or is damaged.
    let is_cut = |facts: &Copied| facts.text("finish").is_ok_and(|finish| finish == CUT);
    let own_texts = own.texts().ok();
    let is_better = is_cut(&own) && !facts.as_ref().is_some_and(is_cut) || is_in_place(&key)?;
    let Some(own_texts) = own_texts.filter(|_| !is_better) else {
        key.set("try", last + 1);
        return insert(to, key, text, facts, merged).map(Some);
    };
    let says_the_same = own_texts == texts;
    merged.bought_twice += 1;
    if !says_the_same {
        merged.contradictions += 1;
        if merged.first.len() < NAMED_MAX {
            merged.first.push(Contradiction {
                row: own.number("row"),
                question: text.text("question")?,
                answers: [own_texts, texts].map(|[_, answer]| answer),
            });
        }
    }
    keep(to, &key, text, facts.as_ref())?;
    Ok(None)
}

/// Takes in an answer whose key and try are free, and returns its number.
fn insert(
    to: &Transaction<'_>,
    mut key: Copied,
    text: &Copied,
    facts: Option<Copied>,
    merged: &mut Merged,
) -> rusqlite::Result<i64> {
    text.insert(to, "answers", "id")?;
    let number = to.last_insert_rowid();
    match facts {
        Some(mut facts) => {
            facts.set("answer", number);
            for name in ["answered_at", "life"] {
                facts.set(name, text.get(name).cloned().unwrap_or(Value::Null));
            }
            facts.insert(to, "answer_facts", "")?;
        }
        None => {
            let sql = "UPDATE meta SET value = max(value, ?2 + 1) WHERE name = ?1";
            to.prepare_cached(sql)?.execute(params![FACTS_FROM, number])?;
        }
    }
    key.set("answer", number);
    match key.number("try") == Some(1) {
        true => {
            key.set("row", text.number("row").unwrap_or(0));
            key.insert(to, "keys_by_row", "try")?;
            if let Some(Value::Blob(key)) = key.get("key") {
                keys::note(to, key, number)?;
            }
        }
        false => {
            to.prepare_cached("INSERT INTO later_tries (key, try, answer) VALUES (?1, ?2, ?3)")?
                .execute(params![key.get("key"), key.get("try"), number])?;
        }
    }
    to.prepare_cached("DELETE FROM ended WHERE question = ?1 AND edition = ?2")?
        .execute(params![key.get("question"), key.get("edition")])?;
    merged.taken += 1;
    Ok(number)
}

fn attempts(from: &Connection, to: &Transaction<'_>, numbers: &Numbers) -> Result<(), StoreError> {
    // The store may have many, and no index of them.
    to.execute_batch("CREATE INDEX IF NOT EXISTS temp_attempts_of_merge ON attempts (key, at)")?;
    let mut statement = from.prepare("SELECT * FROM attempts ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut copied = Copied::read(row)?;
        let life = match mapped(&numbers.lives, copied.number("life")) {
            Value::Null => Value::Integer(0),
            own => own,
        };
        copied.set("life", life);
        let sql = "SELECT EXISTS (SELECT 1 FROM attempts
                   WHERE key = ?1 AND at = ?2 AND attempt = ?3 AND cause = ?4)";
        let is_known: bool = to.prepare_cached(sql)?.query_row(
            params![
                copied.get("key"),
                copied.get("at"),
                copied.get("attempt"),
                copied.get("cause")
            ],
            |row| row.get(0),
        )?;
        if !is_known {
            copied.insert(to, "attempts", "id")?;
        }
    }
    to.execute_batch("DROP INDEX temp_attempts_of_merge")?;
    Ok(())
}
