//! Takes what another store has into this one: answers by their keys, what they were bought with, and the
//! asks that failed. Columns are copied by their names, so that one that is added is not lost.

mod copied;
mod metas;

use std::collections::HashMap;

use dset_core::answer::CUT;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use self::copied::Copied;
use self::metas::metas;
use super::keys;
use super::limits::FACTS_FROM;
use super::mirrored::TRIES;
use super::redos;
use super::store::Store;
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
    /// among the failed asks, whole. Behind one that was cut a whole one is taken in.
    pub bought_twice: u64,
    /// Those of them whose answers differ.
    pub contradictions: u64,
    /// The first of these.
    pub first: Vec<Contradiction>,
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

fn mapped(numbers: &HashMap<i64, i64>, number: Option<i64>) -> Value {
    number.and_then(|number| numbers.get(&number)).map_or(Value::Null, |own| Value::Integer(*own))
}

impl Store {
    /// Takes in what `other` has and this store lacks. What is cut short is finished by the next merge.
    pub(crate) fn take_in(&mut self, other: &Store) -> Result<Merged, StoreError> {
        let from = &other.reader.connection;
        let to = &mut self.reader.connection;
        let transaction = to.transaction()?;
        let numbers = Numbers { settings: settings(from, &transaction)?, lives: HashMap::new() };
        let numbers = Numbers { lives: lives(from, &transaction, &numbers)?, ..numbers };
        metas(from, &transaction, &numbers)?;
        transaction.commit()?;
        let merged = answers(from, to, &numbers)?;
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

/// Runs, and what each may have been billed.
fn lives(
    from: &Connection,
    to: &Transaction<'_>,
    numbers: &Numbers,
) -> Result<HashMap<i64, i64>, StoreError> {
    let mut lives = HashMap::new();
    let mut statement = from.prepare("SELECT * FROM lives ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut copied = Copied::read(row)?;
        copied.set("settings", mapped(&numbers.settings, copied.number("settings")));
        let known: Option<i64> = to
            .query_row(
                "SELECT id FROM lives WHERE started_at = ?1 AND endpoint = ?2 AND settings IS ?3",
                params![copied.get("started_at"), copied.get("endpoint"), copied.get("settings")],
                |row| row.get(0),
            )
            .optional()?;
        let own = match known {
            // It may have ended since.
            Some(own) => {
                to.execute(
                    "UPDATE lives SET ended_at = ?1, ending = ?2, dropped = ?3 WHERE id = ?4",
                    params![
                        copied.get("ended_at"),
                        copied.get("ending"),
                        copied.get("dropped"),
                        own
                    ],
                )?;
                own
            }
            None => {
                copied.insert(to, "lives", "id")?;
                to.last_insert_rowid()
            }
        };
        lives.insert(row.get("id")?, own);
    }
    let mut statement = from.prepare("SELECT * FROM bounds")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut copied = Copied::read(row)?;
        let Value::Integer(life) = mapped(&lives, copied.number("life")) else { continue };
        copied.set("life", life);
        to.execute("DELETE FROM bounds WHERE life = ?1", [life])?;
        copied.insert(to, "bounds", "")?;
    }
    Ok(lives)
}

fn answers(
    from: &Connection,
    to: &mut Connection,
    numbers: &Numbers,
) -> Result<Merged, StoreError> {
    let mut merged = Merged::default();
    keys::index(to)?;
    // In the order in which they came.
    let mut keys = from.prepare(
        "SELECT *, 1 AS try FROM keys UNION ALL
         SELECT row, key, question, settings, edition, sample, answer, try FROM later_keys ORDER BY answer",
    )?;
    let mut keys = keys.query([])?;
    let mut texts = from.prepare("SELECT * FROM answers WHERE id = ?1")?;
    let mut facts = from.prepare("SELECT * FROM answer_facts WHERE answer = ?1")?;
    let mut is_done = false;
    while !is_done {
        let transaction = to.transaction()?;
        for _ in 0..BATCH {
            let Some(row) = keys.next()? else {
                is_done = true;
                break;
            };
            let (mut key, number) = (Copied::read(row)?, row.get::<_, i64>("answer")?);
            key.set("settings", mapped(&numbers.settings, key.number("settings")));
            let mut text = texts.query_row([number], Copied::read)?;
            text.set("life", mapped(&numbers.lives, text.number("life")));
            let mut known = facts.query_row([number], Copied::read).optional()?;
            if let Some(facts) = &mut known {
                facts.set("request", mapped(&numbers.settings, facts.number("request")));
            }
            if let Some(own) = answer(&transaction, key, &text, known, &mut merged)? {
                judged(from, &transaction, number, own)?;
            }
        }
        transaction.commit()?;
    }
    Ok(merged)
}

/// Takes over what was thought of an answer, and what was said of it, also since it was taken in.
fn judged(from: &Connection, to: &Transaction<'_>, number: i64, own: i64) -> rusqlite::Result<()> {
    for table in ["verdicts", "kept", "set_aside"] {
        let sql = format!("SELECT * FROM {table} WHERE answer = ?1");
        let mut statement = from.prepare_cached(&sql)?;
        let mut rows = statement.query([number])?;
        while let Some(row) = rows.next()? {
            let mut copied = Copied::read(row)?;
            copied.set("answer", own);
            match table {
                "set_aside" => redos::set_aside(to, own)?,
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
        if let Some(before) = keys::find_try(to, &key, number_of_try)? {
            redos::will_replace(to, own, before)?;
        }
    }
    Ok(())
}

/// Takes in one answer, where it is not there, and returns its number; or notes that another one has its key
/// and try.
fn answer(
    to: &Transaction<'_>,
    mut key: Copied,
    text: &Copied,
    facts: Option<Copied>,
    merged: &mut Merged,
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
    // A whole answer is the next try behind one that was cut.
    let is_cut = |facts: Option<&Copied>| {
        facts.is_some_and(|facts| facts.text("finish").is_ok_and(|finish| finish == CUT))
    };
    if is_cut(own.as_ref()) && !is_cut(facts.as_ref()) {
        let sql = "SELECT max(t.try), max(iif(a.answered_at = ?2 AND answer_of(a.reasoning, a.answer) = answer_of(?3, ?4), a.id, NULL))
                   FROM later_tries t JOIN answers a ON a.id = t.answer WHERE t.key = ?1";
        let (last, known): (Option<i64>, Option<i64>) = to.prepare_cached(sql)?.query_row(
            [key.get("key"), text.get("answered_at"), text.get("reasoning"), text.get("answer")],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        if known.is_some() {
            merged.known += 1;
            return Ok(known);
        }
        key.set("try", last.unwrap_or(1) + 1);
        return insert(to, key, text, facts, merged).map(Some);
    }
    let Some(own) = own else {
        return insert(to, key, text, facts, merged).map(Some);
    };
    let (own_texts, texts) = (own.texts()?, text.texts()?);
    let says_the_same = own_texts == texts;
    if says_the_same && own.get("answered_at") == text.get("answered_at") {
        merged.known += 1;
        return Ok(own.number("id"));
    }
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

/// Keeps an answer that was bought although there is one, among the asks that brought none.
fn keep(
    to: &Transaction<'_>,
    key: &Copied,
    text: &Copied,
    facts: Option<&Copied>,
) -> rusqlite::Result<()> {
    let fact = |name: &str| facts.and_then(|facts| facts.get(name)).cloned().unwrap_or(Value::Null);
    let [reasoning, answer] = text.texts()?;
    let said = serde_json::json!({
        "question": text.text("question")?,
        "reasoning": reasoning,
        "answer": answer,
        "metadata": text.text("metadata")?,
    });
    let body = zstd::encode_all(said.to_string().as_bytes(), 3).ok();
    let at = text.get("answered_at");
    let sql = "SELECT EXISTS (SELECT 1 FROM attempts WHERE key = ?1 AND at = ?2 AND cause = ?3)";
    if to.query_row(sql, params![key.get("key"), at, PAID_TWICE], |row| row.get(0))? {
        return Ok(());
    }
    to.prepare_cached(
        "INSERT INTO attempts (life, at, row, question, key, attempt, seconds, cause, status,
         message, request_id, input_tokens, output_tokens, body, cached_tokens, cost, cost_most)
         VALUES (ifnull(?1, 0), ?2, ifnull(?3, 0), ?4, ?5, ifnull(?6, 1), ifnull(?7, 0), ?8, 200, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?
    .execute(params![
        text.get("life"),
        at,
        text.get("row"),
        key.get("question"),
        key.get("key"),
        fact("attempts"),
        fact("seconds"),
        PAID_TWICE,
        "another folder has another answer to the same request",
        fact("request_id"),
        fact("input_tokens"),
        fact("output_tokens"),
        body,
        fact("cached_tokens"),
        fact("cost"),
        fact("cost_most")
    ])?;
    Ok(())
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

/// Questions that ended without an answer, unless there is one now; and those that are taken as answered.
fn failures(from: &Connection, to: &Transaction<'_>) -> Result<(), StoreError> {
    let mut statement = from.prepare("SELECT * FROM ended")?;
    let mut rows = statement.query([])?;
    let mut ended: HashMap<(Vec<u8>, i64), Copied> = HashMap::new();
    while let Some(row) = rows.next()? {
        ended.insert((row.get("question")?, row.get("edition")?), Copied::read(row)?);
    }
    if !ended.is_empty() {
        let mut statement = to.prepare("SELECT question, edition FROM keys")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            ended.remove(&(row.get("question")?, row.get("edition")?));
        }
    }
    ended.values().try_for_each(|copied| copied.insert(to, "ended", ""))?;
    let mut statement = from.prepare("SELECT * FROM presumed")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        Copied::read(row)?.insert(to, "presumed", "")?;
    }
    Ok(())
}
