//! Brings a folder's store and the server to the same answers: before a shard is asked, and for an export.

use std::collections::{HashMap, HashSet};

use dset_core::money::Amount;

use super::connection::Server;
use super::records::{self, Records, Session};
use crate::store::entry::{NewAnswer, NewAttempt, NewEnded};
use crate::store::roles::Write;
use crate::store::server_fault::ServerFault;
use crate::store::sqlite::{AnswerMark, LifeRow, NewVerdicts, PAID_TWICE, SettingsRow};
use crate::store::{Store, StoreError};

/// The token of runs that had no lease, or of which this is not known.
pub(super) const NO_LEASE: i64 = -1;
/// Records that are moved at once.
const PART: usize = 2_000;

/// Of what alias `a` of `answer` says: the server does not know what programs say of it.
const IS_UNJUDGED: &str = r#"strpos(a.entry, '"unknown"') > 0
    AND NOT EXISTS (SELECT 1 FROM verdict v WHERE v.identity = a.identity AND v.try = a.try
                    AND v.shard = a.shard AND v.key = a.key AND strpos(v.entry, '"unknown"') = 0)"#;

/// What was brought here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Brought {
    /// Answers that the store lacked.
    pub answers: u64,
    /// Answers that it had.
    pub known: u64,
    /// Answers that came although there was one.
    pub paid_twice: u64,
    /// Answers of which the server does not know what programs say.
    pub unjudged: u64,
}

/// What was brought to the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pushed {
    /// Answers that it lacked, those among them that came although it had one.
    pub answers: u64,
    /// Answers that stay here alone, because their texts are damaged.
    pub damaged: u64,
}

impl std::ops::AddAssign for Pushed {
    fn add_assign(&mut self, other: Pushed) {
        self.answers += other.answers;
        self.damaged += other.damaged;
    }
}

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
pub(super) fn pull(
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
    // Under these keys and tries there is another answer here.
    let others: HashSet<([u8; 16], u32)> =
        there.difference(&own).map(|(key, number, _)| (*key, *number)).collect();
    let is_here = |key: &[u8], number: i32| {
        <[u8; 16]>::try_from(key).is_ok_and(|key| !others.contains(&(key, number as u32)))
    };
    let sql = format!(
        "SELECT DISTINCT ON (key, try) key, try, entry FROM verdict {of} ORDER BY key, try, number DESC"
    );
    pull_rows(server, &sql, |rows| {
        let mut verdicts = Vec::new();
        for row in rows {
            let (key, number, entry): (Vec<u8>, i32, String) = (row.get(0), row.get(1), row.get(2));
            let said: NewVerdicts = serde_json::from_str(&entry).map_err(|e| damaged(&e))?;
            if is_here(&key, number) {
                verdicts.push((key, number as u32, said));
            }
        }
        Ok(store.take_verdicts(&verdicts)?)
    })?;
    let sql = match shard {
        Some(shard) => {
            format!("SELECT count(*) FROM answer a WHERE a.shard = {shard} AND {IS_UNJUDGED}")
        }
        None => format!("SELECT count(*) FROM answer a WHERE {IS_UNJUDGED}"),
    };
    let unjudged = server.part(async |to| to.query_anew(&sql).await)?;
    brought.unjudged = unjudged[0].get::<_, i64>(0) as u64;
    pull_rows(server, &format!("SELECT key, try FROM aside {of}"), |rows| {
        for row in rows.iter().filter(|row| is_here(row.get(0), row.get(1))) {
            store.take_aside(row.get(0), row.get::<_, i32>(1) as u32)?;
        }
        Ok(())
    })?;
    let mut marks = store.attempt_marks()?;
    let sql = format!("SELECT life, entry FROM attempt {of} ORDER BY at, attempt");
    pull_rows(server, &sql, |rows| {
        let mut writes = Vec::new();
        for row in rows {
            let entry: String = row.get(1);
            let mut new: NewAttempt = serde_json::from_str(&entry).map_err(|e| damaged(&e))?;
            new.life = numbers.life(row.get(0)).unwrap_or(0);
            if marks.insert((new.key, new.at, new.attempt, new.cause.clone())) {
                writes.push(Write::Attempted(new));
            }
        }
        Ok(store.commit(&writes).map(drop)?)
    })?;
    let sql = format!("SELECT life, entry FROM paid_twice {of} ORDER BY at");
    pull_rows(server, &sql, |rows| {
        let mut writes = Vec::new();
        for row in rows {
            let entry: String = row.get(1);
            let answer: NewAnswer = serde_json::from_str(&entry).map_err(|e| damaged(&e))?;
            // Here it is the one that counts.
            let mark = (answer.key, answer.try_number, answer.answered_at);
            if own.contains(&mark) {
                brought.paid_twice += 1;
                continue;
            }
            let new = paid_twice(answer, &entry, numbers.life(row.get(0)).unwrap_or(0));
            brought.paid_twice += 1;
            if marks.insert((new.key, new.at, new.attempt, new.cause.clone())) {
                writes.push(Write::Attempted(new));
            }
        }
        Ok(store.commit(&writes).map(drop)?)
    })?;
    pull_rows(server, &format!("SELECT entry FROM ended {of}"), |rows| {
        let mut writes = Vec::new();
        for row in rows {
            let entry: String = row.get(0);
            let new: NewEnded = serde_json::from_str(&entry).map_err(|e| damaged(&e))?;
            writes.push(Write::Ended(new));
        }
        Ok(store.commit(&writes).map(drop)?)
    })?;
    Ok(brought)
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

/// Returns what is there and not here. An answer that has another try here than there is the same one.
fn lacking(there: &HashSet<AnswerMark>, here: &HashSet<AnswerMark>) -> Vec<AnswerMark> {
    let came = |(key, _, at): &AnswerMark| (*key, *at);
    let elsewhere: HashSet<_> = here.difference(there).map(came).collect();
    there.difference(here).filter(|mark| !elsewhere.contains(&came(mark))).copied().collect()
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

/// Brings to the server what programs say of the answers of a shard of which it does not know that.
pub(super) fn push_verdicts(
    server: &mut Server,
    store: &Store,
    shard: u32,
) -> Result<(), ServerFault> {
    let shard = shard as i32;
    let open = server.part(async |to| {
        to.query(
            &format!(
                "SELECT a.key, a.try, a.at FROM answer a WHERE a.shard = $1 AND {IS_UNJUDGED}"
            ),
            &[&shard],
        )
        .await
    })?;
    let open = marks(&open);
    let settings = settings_of(store)?;
    let mut verdicts = Vec::new();
    store.for_each_answer(
        |mark| open.contains(mark),
        |new| {
            let is_known = |it: &NewVerdicts| !it.are_unknown();
            if new.verdicts.as_ref().is_some_and(is_known) {
                verdicts.extend(records::verdict(&new, &settings));
            }
            Ok::<(), StoreError>(())
        },
    )?;
    for part in verdicts.chunks(PART) {
        server.transact(async |to| records::insert_verdicts(to, shard, part).await)?;
    }
    Ok(())
}

fn settings_of(store: &Store) -> Result<HashMap<i64, SettingsRow>, StoreError> {
    Ok(store.all_settings()?.into_iter().map(|row| (row.id, row)).collect())
}

/// Reads keys, tries and times.
fn marks(rows: &[tokio_postgres::Row]) -> HashSet<AnswerMark> {
    rows.iter().filter_map(mark).collect()
}

fn mark(row: &tokio_postgres::Row) -> Option<AnswerMark> {
    let key = <[u8; 16]>::try_from(row.get::<_, &[u8]>(0)).ok()?;
    Some((key, row.get::<_, i32>(1) as u32, row.get(2)))
}

/// Brings to the server what this store has of a shard and the server lacks. An answer that came in the place of
/// another one that is there was paid for too.
pub(super) fn push(
    server: &mut Server,
    store: &Store,
    shard: u32,
    token: i64,
    holder: &str,
) -> Result<Pushed, ServerFault> {
    let [answers, twice] = ["answer", "paid_twice"].map(|table| {
        let sql = format!("SELECT key, try, at FROM {table} WHERE shard = $1");
        server.part(async |to| to.query(&sql, &[&(shard as i32)]).await)
    });
    let (answers, twice) = (marks(&answers?), marks(&twice?));
    let own = store.answer_marks()?;
    let lacking: HashSet<AnswerMark> = lacking(&own, &answers).into_iter().collect();
    let settings = settings_of(store)?;
    let mut lives: HashMap<Option<i64>, (Session, Records)> = HashMap::new();
    let of_life = |life: LifeRow| {
        let settings = settings.clone();
        let session = Session { shard, token, holder: holder.to_owned(), life, settings };
        (session, Records::default())
    };
    for life in store.all_lives()? {
        lives.insert(Some(life.id), of_life(life));
    }
    let nobody = LifeRow {
        id: 0,
        started_at: 0,
        ended_at: Some(0),
        ending: None,
        dropped: false,
        version: String::new(),
        settings: 0,
        endpoint: String::new(),
        identity: None,
        places: None,
    };
    let mut pushed = Pushed::default();
    pushed.damaged = store.for_each_answer(
        |mark| lacking.contains(mark) && !twice.contains(mark),
        |new| {
            let of = new.life.filter(|life| lives.contains_key(&Some(*life)));
            let (session, records) = lives.entry(of).or_insert_with(|| of_life(nobody.clone()));
            records.add_answer(&new, session);
            pushed.answers += 1;
            Ok::<(), StoreError>(())
        },
    )?;
    for attempt in store.all_attempts()?.into_iter().filter(|one| one.cause != PAID_TWICE) {
        let of = Some(attempt.life).filter(|life| lives.contains_key(&Some(*life)));
        let (_, records) = lives.entry(of).or_insert_with(|| of_life(nobody.clone()));
        records.attempts.push(attempt);
    }
    let last = store.all_lives()?.last().map(|life| life.id);
    if let Some((_, records)) = lives.get_mut(&last) {
        records.ended = store.all_ended()?;
    }
    for (life, cost) in store.bounds()? {
        if let Some((_, records)) = lives.get_mut(&Some(life)).filter(|_| cost.has_ended) {
            records.billed = Some(cost.bound);
        }
    }
    for (session, mut records) in lives.into_values() {
        loop {
            let answers = records.answers.split_off(records.answers.len().min(PART));
            let attempts = records.attempts.split_off(records.attempts.len().min(PART));
            if records.is_empty() {
                break;
            }
            server.transact(async |to| {
                let number = records::begin_life(to, &session, NO_LEASE).await?;
                records::insert(to, &session, number, &records).await
            })?;
            records = Records { answers, attempts, ..Records::default() };
        }
    }
    // Where the server has another answer, it is not that one which counts no more.
    let others: HashSet<([u8; 16], u32)> =
        answers.difference(&own).map(|(key, number, _)| (*key, *number)).collect();
    let aside = store.all_aside()?.into_iter();
    let aside = aside.filter(|(key, number, _)| !others.contains(&(*key, *number)));
    let (keys, tries): (Vec<Vec<u8>>, Vec<i32>) =
        aside.map(|(key, number, _)| (key.to_vec(), number as i32)).unzip();
    if !keys.is_empty() {
        let sql = "INSERT INTO aside (key, try, shard) SELECT key, try, $1::integer
                   FROM unnest($2::bytea[], $3::integer[]) AS new (key, try) ON CONFLICT DO NOTHING";
        server.transact(async |to| to.query(sql, &[&(shard as i32), &keys, &tries]).await)?;
    }
    Ok(pushed)
}
