//! From the server into the store.

use std::collections::{HashMap, HashSet};

use dset_core::money::Amount;
use serde::de::DeserializeOwned;

use super::{Brought, IS_UNJUDGED, PART, lacking, mark};
use crate::store::Store;
use crate::store::entry::{NewAnswer, NewAttempt};
use crate::store::postgres::connection::Server;
use crate::store::roles::Write;
use crate::store::server_fault::ServerFault;
use crate::store::sqlite::{
    AnswerMark, AttemptMark, LifeRow, NewVerdicts, PAID_TWICE, SettingsRow,
};

/// The numbers that settings and runs of the server have in the store here.
struct Numbers {
    settings: HashMap<Vec<u8>, i64>,
    lives: HashMap<i64, i64>,
}

impl Numbers {
    fn life(&self, number: Option<i64>) -> Option<i64> {
        self.lives.get(&number?).copied()
    }

    fn of_settings(&self, hash: Option<Vec<u8>>) -> i64 {
        hash.and_then(|hash| self.settings.get(&hash).copied()).unwrap_or(0)
    }
}

fn damaged(error: &serde_json::Error) -> ServerFault {
    ServerFault::Damaged(error.to_string())
}

/// Takes what the server has of one shard, or of all, and the store lacks.
pub(in super::super) fn pull(
    server: &mut Server,
    store: &mut Store,
    shard: Option<u32>,
) -> Result<Brought, ServerFault> {
    let numbers = pull_numbers(server, store, shard)?;
    pull_bounds(server, store, shard, &numbers)?;
    let of = of_shard(shard);
    let sql = format!("SELECT key, try, at, shard FROM answer {of}");
    let there = server.part(async |to| to.query_anew(&sql).await)?;
    let shards: HashMap<AnswerMark, i32> =
        there.iter().filter_map(|row| Some((mark(row)?, row.get(3)))).collect();
    let there: HashSet<AnswerMark> = shards.keys().copied().collect();
    let lacking = lacking(&there, &store.answer_marks()?);
    let wanted = lacking.into_iter().map(|mark| (shards[&mark], mark)).collect();
    let mut brought = pull_answers(server, store, wanted, &numbers)?;
    brought.known = there.len() as u64 - brought.answers;
    let own = store.answer_marks()?;
    let others = Others(there.difference(&own).map(|(key, number, _)| (*key, *number)).collect());
    pull_verdicts(server, store, &of, &others)?;
    brought.unjudged = unjudged(server, shard)?;
    pull_aside(server, store, &of, &others)?;
    let mut marks = store.attempt_marks()?;
    pull_attempts(server, store, &of, &numbers, &mut marks)?;
    brought.paid_twice += pull_paid_twice(server, store, &of, &numbers, &own, &mut marks)?;
    pull_ended(server, store, &of)?;
    Ok(brought)
}

/// The keys and tries under which there is another answer here.
struct Others(HashSet<([u8; 16], u32)>);

impl Others {
    fn is_here(&self, key: &[u8], number: i32) -> bool {
        <[u8; 16]>::try_from(key).is_ok_and(|key| !self.0.contains(&(key, number as u32)))
    }
}

fn pull_verdicts(
    server: &mut Server,
    store: &mut Store,
    of: &str,
    others: &Others,
) -> Result<(), ServerFault> {
    let sql = format!(
        "SELECT DISTINCT ON (key, try) key, try, entry FROM verdict {of} ORDER BY key, try, number DESC"
    );
    pull_rows(server, &sql, |rows| {
        let mut verdicts = Vec::new();
        for row in rows {
            let (key, number): (Vec<u8>, i32) = (row.get(0), row.get(1));
            let said: NewVerdicts = entry(row, 2)?;
            if others.is_here(&key, number) {
                verdicts.push((key, number as u32, said));
            }
        }
        Ok(store.take_verdicts(&verdicts)?)
    })
}

fn unjudged(server: &mut Server, shard: Option<u32>) -> Result<u64, ServerFault> {
    let of = shard.map_or_else(String::new, |shard| format!("a.shard = {shard} AND "));
    let sql = format!("SELECT count(*) FROM answer a WHERE {of}{IS_UNJUDGED}");
    let counted = server.part(async |to| to.query_anew(&sql).await)?;
    Ok(counted[0].get::<_, i64>(0) as u64)
}

fn pull_aside(
    server: &mut Server,
    store: &mut Store,
    of: &str,
    others: &Others,
) -> Result<(), ServerFault> {
    pull_rows(server, &format!("SELECT key, try FROM aside {of}"), |rows| {
        for row in rows.iter().filter(|row| others.is_here(row.get(0), row.get(1))) {
            store.take_aside(row.get(0), row.get::<_, i32>(1) as u32)?;
        }
        Ok(())
    })
}

fn pull_attempts(
    server: &mut Server,
    store: &mut Store,
    of: &str,
    numbers: &Numbers,
    marks: &mut HashSet<AttemptMark>,
) -> Result<(), ServerFault> {
    let sql = format!("SELECT life, entry FROM attempt {of} ORDER BY at, attempt");
    pull_rows(server, &sql, |rows| {
        let mut writes = Vec::new();
        for row in rows {
            let mut new: NewAttempt = entry(row, 1)?;
            new.life = numbers.life(row.get(0)).unwrap_or(0);
            if marks.insert((new.key, new.at, new.attempt, new.cause.clone())) {
                writes.push(Write::Attempted(new));
            }
        }
        Ok(store.commit(&writes).map(drop)?)
    })
}

/// Takes the answers that came although there was one; returns how many there are.
fn pull_paid_twice(
    server: &mut Server,
    store: &mut Store,
    of: &str,
    numbers: &Numbers,
    own: &HashSet<AnswerMark>,
    marks: &mut HashSet<AttemptMark>,
) -> Result<u64, ServerFault> {
    let mut count = 0;
    let sql = format!("SELECT life, entry FROM paid_twice {of} ORDER BY at");
    pull_rows(server, &sql, |rows| {
        let mut writes = Vec::new();
        for row in rows {
            count += 1;
            let answer: NewAnswer = entry(row, 1)?;
            // Here it is the one that counts.
            if own.contains(&(answer.key, answer.try_number, answer.answered_at)) {
                continue;
            }
            let new = paid_twice(answer, row.get(1), numbers.life(row.get(0)).unwrap_or(0));
            if marks.insert((new.key, new.at, new.attempt, new.cause.clone())) {
                writes.push(Write::Attempted(new));
            }
        }
        Ok(store.commit(&writes).map(drop)?)
    })?;
    Ok(count)
}

fn pull_ended(server: &mut Server, store: &mut Store, of: &str) -> Result<(), ServerFault> {
    pull_rows(server, &format!("SELECT entry FROM ended {of}"), |rows| {
        let writes = rows.iter().map(|row| Ok(Write::Ended(entry(row, 0)?)));
        let writes = writes.collect::<Result<Vec<_>, ServerFault>>()?;
        Ok(store.commit(&writes).map(drop)?)
    })
}

/// Reads an entry in JSON.
fn entry<T: DeserializeOwned>(row: &tokio_postgres::Row, at: usize) -> Result<T, ServerFault> {
    serde_json::from_str(row.get(at)).map_err(|error| damaged(&error))
}

fn of_shard(shard: Option<u32>) -> String {
    shard.map_or_else(String::new, |number| format!("WHERE shard = {number}"))
}

fn pull_numbers(
    server: &mut Server,
    store: &Store,
    shard: Option<u32>,
) -> Result<Numbers, ServerFault> {
    let settings = server.part(async |to| {
        to.query(
            "SELECT hash, edition, text, decision, together, decided_at FROM settings
             ORDER BY edition, decided_at, hash",
            &[],
        )
        .await
    })?;
    let mut numbers = Numbers { settings: HashMap::new(), lives: HashMap::new() };
    for row in settings {
        let new = SettingsRow {
            id: 0,
            hash: row.get(0),
            generation: row.get::<_, i32>(1) as u32,
            text: row.get(2),
            decision: row.get(3),
            together: row.get(4),
            decided_at: row.get(5),
        };
        numbers.settings.insert(new.hash.clone(), store.take_settings(&new)?);
    }
    // Read by its name, because a job of an earlier version that may only be read has no such column.
    let sql = format!(
        "SELECT id, started_at, ended_at, ending, dropped, version, settings, endpoint,
           to_jsonb(life) ->> 'places' FROM life {}
         ORDER BY started_at, id",
        of_shard(shard)
    );
    let lives = server.part(async |to| to.query(&sql, &[]).await)?;
    let mut taken = HashSet::new();
    for row in lives {
        let new = LifeRow {
            id: row.get(0),
            started_at: row.get(1),
            // A run of which nothing more is heard is over, whatever became of it.
            ended_at: Some(row.get::<_, Option<i64>>(2).unwrap_or_else(|| row.get(1))),
            ending: Some(row.get::<_, Option<String>>(3).unwrap_or_else(|| "elsewhere".into())),
            dropped: row.get(4),
            version: row.get(5),
            settings: numbers.of_settings(row.get(6)),
            endpoint: row.get(7),
            identity: None,
            places: row.get(8),
        };
        // Shards may have begun in the same millisecond.
        let own = store.take_life(&new, &taken, true)?;
        taken.insert(own);
        numbers.lives.insert(new.id, own);
    }
    Ok(numbers)
}

/// Takes what each run may be billed, and was: of one that has not said, all that it was granted.
fn pull_bounds(
    server: &mut Server,
    store: &Store,
    shard: Option<u32>,
    numbers: &Numbers,
) -> Result<(), ServerFault> {
    let of = shard.map_or_else(String::new, |number| format!("AND shard = {number}"));
    let sql = format!(
        "SELECT id, coalesce(billed, granted) FROM life WHERE (billed IS NOT NULL OR granted > 0) {of}"
    );
    let others = store.lives_of_others()?;
    for row in server.part(async |to| to.query(&sql, &[]).await)? {
        if let Some(life) = numbers.life(row.get(0)) {
            let bound = Amount::from_picodollars(row.get(1));
            store.take_bound(life, bound, !others.contains(&life))?;
        }
    }
    Ok(())
}

/// Takes these answers of these shards. One that has passed every check comes behind those that are here under its key,
/// where all of them were judged and have not; of any other, that is here counts.
fn pull_answers(
    server: &mut Server,
    store: &mut Store,
    mut wanted: Vec<(i32, AnswerMark)>,
    numbers: &Numbers,
) -> Result<Brought, ServerFault> {
    let mut brought = Brought::default();
    wanted.sort_unstable_by_key(|(_, (key, number, at))| (*number, *at, *key));
    for part in wanted.chunks(PART) {
        let shards: Vec<i32> = part.iter().map(|(shard, _)| *shard).collect();
        let keys: Vec<&[u8]> = part.iter().map(|(_, (key, _, _))| &key[..]).collect();
        let tries: Vec<i32> = part.iter().map(|(_, (_, number, _))| *number as i32).collect();
        let times: Vec<i64> = part.iter().map(|(_, (_, _, at))| *at).collect();
        let rows = server.part(async |to| {
            let sql = "SELECT a.life, a.settings, a.entry
                       FROM unnest($1::integer[], $2::bytea[], $3::integer[], $4::bigint[])
                       AS wanted (shard, key, try, at)
                       JOIN answer a ON a.shard = wanted.shard AND a.try = wanted.try
                       AND a.at = wanted.at AND a.key = wanted.key ORDER BY a.try, a.at, a.identity";
            to.query(sql, &[&shards, &keys, &tries, &times]).await
        })?;
        let mut writes = Vec::new();
        for row in rows {
            let entry: String = row.get(2);
            let mut new: NewAnswer = serde_json::from_str(&entry).map_err(|e| damaged(&e))?;
            (new.life, new.settings) = (numbers.life(row.get(0)), numbers.of_settings(row.get(1)));
            // Numbers of another store.
            (new.sets_aside, new.replaces) = (Vec::new(), Vec::new());
            let mark = (new.key, new.try_number, new.answered_at);
            if let Some(NewVerdicts { acceptance, list: None }) = &new.verdicts
                && let Some(next) = store.try_behind_rejected(&mark, acceptance)?
            {
                new.try_number = next;
            }
            let forgets = new.forgets();
            writes.push(Write::Answered(Box::new(new)));
            writes.extend(forgets);
        }
        brought.answers += store.commit(&writes)?.iter().flatten().count() as u64;
    }
    Ok(brought)
}

/// Shows the rows of a statement, some at a time.
fn pull_rows(
    server: &mut Server,
    sql: &str,
    mut each: impl FnMut(&[tokio_postgres::Row]) -> Result<(), ServerFault>,
) -> Result<(), ServerFault> {
    let begin = format!("BEGIN; DECLARE pulled NO SCROLL CURSOR FOR {sql}");
    // What is done with a part may take longer than a transaction may rest.
    let begin =
        begin.replace("BEGIN;", "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0;");
    server.part(async |to| to.run(&begin).await)?;
    loop {
        let fetch = format!("FETCH FORWARD {PART} FROM pulled");
        let rows = server.part(async |to| to.query_anew(&fetch).await)?;
        if rows.is_empty() {
            break;
        }
        if let Err(fault) = each(&rows) {
            server.disconnect();
            return Err(fault);
        }
    }
    server.part(async |to| to.run("COMMIT").await)
}

/// An answer that came although there was one, as the store keeps it: among the asks that brought none.
fn paid_twice(answer: NewAnswer, entry: &str, life: i64) -> NewAttempt {
    let known = &answer.metadata;
    let number = |count: Option<u64>| count.and_then(|count| i64::try_from(count).ok());
    NewAttempt {
        life,
        at: answer.answered_at,
        row: answer.row.unwrap_or(0),
        question: answer.question_hash,
        key: answer.key,
        attempt: known.attempts.unwrap_or(1),
        seconds: known.seconds.unwrap_or(0.0),
        cause: PAID_TWICE.to_owned(),
        status: Some(200),
        message: "another worker has an answer to the same request".to_owned(),
        request_id: known.request_id.clone(),
        input_tokens: number(known.input_tokens),
        output_tokens: number(known.output_tokens),
        cached_tokens: number(known.cached_tokens),
        cost: known.cost,
        cost_most: answer.cost_most,
        model: None,
        place: answer.place,
        written: answer.written,
        body: Some(entry.as_bytes().to_vec()),
    }
}
