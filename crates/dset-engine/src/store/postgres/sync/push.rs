//! From the store to the server.

use std::collections::{HashMap, HashSet};

use super::{IS_UNJUDGED, NO_LEASE, PART, Pushed, lacking, marks};
use crate::store::postgres::connection::Server;
use crate::store::postgres::records::{self, Records, Session};
use crate::store::server_fault::ServerFault;
use crate::store::sqlite::{AnswerMark, LifeRow, NewVerdicts, PAID_TWICE, SettingsRow};
use crate::store::{Store, StoreError};

/// Brings to the server what programs say of the answers of a shard of which it does not know that.
pub(in super::super) fn push_verdicts(
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

/// Brings to the server what this store has of a shard and the server lacks. An answer that came in the place of
/// another one that is there was paid for too.
pub(in super::super) fn push(
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
    let mut lacking: HashSet<AnswerMark> = lacking(&own, &answers).into_iter().collect();
    lacking.retain(|mark| !twice.contains(mark));
    let settings = settings_of(store)?;
    let of_life = |life: LifeRow| {
        let settings = settings.clone();
        let session = Session { shard, token, holder: holder.to_owned(), life, settings };
        (session, Records::default())
    };
    let (lives, pushed) = records_by_life(store, &lacking, of_life)?;
    for (session, records) in lives.into_values() {
        push_records(server, &session, records)?;
    }
    // Where the server has another answer, it is not that one which counts no more.
    let others: HashSet<([u8; 16], u32)> =
        answers.difference(&own).map(|(key, number, _)| (*key, *number)).collect();
    push_aside(server, store, shard, &others)?;
    Ok(pushed)
}

type RecordsByLife = HashMap<Option<i64>, (Session, Records)>;

/// Gathers these answers, and all else that the store has, by the runs that recorded them.
fn records_by_life(
    store: &Store,
    lacking: &HashSet<AnswerMark>,
    of_life: impl Fn(LifeRow) -> (Session, Records),
) -> Result<(RecordsByLife, Pushed), StoreError> {
    let all = store.all_lives()?;
    let last = all.last().map(|life| life.id);
    let mut lives: RecordsByLife =
        all.into_iter().map(|life| (Some(life.id), of_life(life))).collect();
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
        |mark| lacking.contains(mark),
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
    if let Some((_, records)) = lives.get_mut(&last) {
        records.ended = store.all_ended()?;
    }
    for (life, cost) in store.bounds()? {
        if let Some((_, records)) = lives.get_mut(&Some(life)).filter(|_| cost.has_ended) {
            records.billed = Some(cost.bound);
        }
    }
    Ok((lives, pushed))
}

fn push_records(
    server: &mut Server,
    session: &Session,
    mut records: Records,
) -> Result<(), ServerFault> {
    loop {
        let answers = records.answers.split_off(records.answers.len().min(PART));
        let attempts = records.attempts.split_off(records.attempts.len().min(PART));
        if records.is_empty() {
            break;
        }
        server.transact(async |to| {
            let number = records::begin_life(to, session, NO_LEASE).await?;
            records::insert(to, session, number, &records).await
        })?;
        records = Records { answers, attempts, ..Records::default() };
    }
    Ok(())
}

/// Brings what counts no more, but for those answers of which the server has others.
fn push_aside(
    server: &mut Server,
    store: &Store,
    shard: u32,
    others: &HashSet<([u8; 16], u32)>,
) -> Result<(), ServerFault> {
    let aside = store.all_aside()?.into_iter();
    let aside = aside.filter(|(key, number, _)| !others.contains(&(*key, *number)));
    let (keys, tries): (Vec<Vec<u8>>, Vec<i32>) =
        aside.map(|(key, number, _)| (key.to_vec(), number as i32)).unzip();
    if !keys.is_empty() {
        let sql = "INSERT INTO aside (key, try, shard) SELECT key, try, $1::integer
                   FROM unnest($2::bytea[], $3::integer[]) AS new (key, try) ON CONFLICT DO NOTHING";
        server.transact(async |to| to.query(sql, &[&(shard as i32), &keys, &tries]).await)?;
    }
    Ok(())
}
