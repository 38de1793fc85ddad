//! Records of a run as the server has them, and how they get there.

use std::collections::{HashMap, HashSet};

use dset_core::money::Amount;
use tokio_postgres::Error;

use super::connection::Connected;
use crate::store::entry::{NewAnswer, NewAttempt, NewEnded};
use crate::store::roles::Write;
use crate::store::sqlite::{LifeRow, NewVerdicts, SettingsRow};

/// Separates what is hashed here from whatever else is hashed with BLAKE3.
const CONTEXT: &str = "dset 2026-11 what tells answers of a shared job apart";

/// Which run of which shard, under which lease.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) shard: u32,
    pub(super) token: i64,
    pub(super) holder: String,
    pub(super) life: LifeRow,
    /// What answers are bought with, by their numbers in the store here.
    pub(super) settings: HashMap<i64, SettingsRow>,
}

/// An answer for the server.
#[derive(Debug, Clone)]
pub(super) struct AnswerRecord {
    identity: Vec<u8>,
    try_number: i32,
    key: Vec<u8>,
    settings: Vec<u8>,
    at: i64,
    entry: String,
    has_passed: bool,
}

impl AnswerRecord {
    /// Returns it as another try.
    fn as_try(&self, number: i32) -> AnswerRecord {
        let Ok(new) = serde_json::from_str::<NewAnswer>(&self.entry) else { return self.clone() };
        let new = NewAnswer { try_number: number.unsigned_abs(), ..new };
        AnswerRecord { try_number: number, entry: json(&new), ..self.clone() }
    }

    /// Tells whether it is the same, whichever try.
    fn is_same(&self, other: &AnswerRecord) -> bool {
        (&self.identity, self.at) == (&other.identity, other.at)
    }
}

/// What is thought of an answer that the server has.
#[derive(Debug)]
pub(super) struct VerdictRecord {
    identity: Vec<u8>,
    try_number: i32,
    key: Vec<u8>,
    at: i64,
    entry: String,
}

/// What one commit brings.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) answers: Vec<AnswerRecord>,
    pub(super) verdicts: Vec<VerdictRecord>,
    pub(super) attempts: Vec<NewAttempt>,
    pub(super) ended: Vec<NewEnded>,
    pub(super) not_ended: Vec<([u8; 16], u32)>,
    pub(super) end: Option<(i64, String, bool)>,
    /// What the run was billed at most, once nothing is on its way any more.
    pub(super) billed: Option<Amount>,
}

impl Records {
    /// Takes what all workers are to know; where rows stand in outputs is everybody's own.
    pub(super) fn of(writes: &[Write], session: &Session) -> Records {
        let mut records = Records::default();
        for write in writes {
            match write {
                Write::Answered(new) if new.is_known => {
                    records.verdicts.extend(verdict(new, &session.settings));
                }
                Write::Answered(new) => records.add_answer(new, session),
                Write::Attempted(new) => records.attempts.push(new.clone()),
                Write::Ended(new) => records.ended.push(new.clone()),
                Write::NotEnded { question, generation } => {
                    records
                        .ended
                        .retain(|one| (&one.question, one.generation) != (question, *generation));
                    records.not_ended.push((*question, *generation));
                }
                Write::BoundDeclared { bound, is_last: true, .. } => records.billed = Some(*bound),
                Write::SessionEnded { at, ending, dropped, .. } => {
                    records.end = Some((*at, ending.clone(), *dropped));
                }
                _ => {}
            }
        }
        records
    }

    pub(super) fn add_answer(&mut self, new: &NewAnswer, session: &Session) {
        let settings = session.settings.get(&new.settings);
        let text = settings.map_or("", |settings| &settings.text);
        self.answers.push(AnswerRecord {
            identity: identity(&new.key, text, &new.question).to_vec(),
            try_number: i32::try_from(new.try_number).unwrap_or(i32::MAX),
            key: new.key.to_vec(),
            settings: settings.map(|settings| settings.hash.clone()).unwrap_or_default(),
            at: new.answered_at,
            entry: json(new),
            has_passed: has_passed(new),
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        let Records { answers, verdicts, attempts, ended, not_ended, end, billed } = self;
        answers.is_empty()
            && verdicts.is_empty()
            && attempts.is_empty()
            && ended.is_empty()
            && not_ended.is_empty()
            && end.is_none()
            && billed.is_none()
    }
}

/// Returns what is thought of an answer, where something is.
pub(super) fn verdict(
    new: &NewAnswer,
    settings: &HashMap<i64, SettingsRow>,
) -> Option<VerdictRecord> {
    let text = settings.get(&new.settings).map_or("", |settings| &settings.text);
    Some(VerdictRecord {
        identity: identity(&new.key, text, &new.question).to_vec(),
        try_number: i32::try_from(new.try_number).unwrap_or(i32::MAX),
        key: new.key.to_vec(),
        at: new.answered_at,
        entry: json(new.verdicts.as_ref()?),
    })
}

/// Returns what tells an answer from all others, whoever chose the question: its key, what it was bought
/// with, and the question itself.
pub(super) fn identity(key: &[u8; 16], settings: &str, question: &str) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    for part in [&key[..], settings.as_bytes(), question.as_bytes()] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut identity = [0; 16];
    identity.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    identity
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("records are plain values")
}

/// Records the run where it is not known yet, with the token under which it asked; returns its number. Its shard is locked first, as by whoever renews a
/// lease or hands it back: two that lock these the other way round would wait for each other.
pub(super) async fn begin_life(
    to: &mut Connected,
    session: &Session,
    token: i64,
) -> Result<i64, Error> {
    let sql = "SELECT 1 FROM shard WHERE number = $1 FOR NO KEY UPDATE";
    to.query(sql, &[&(session.shard as i32)]).await?;
    for row in session.settings.values() {
        to.query(
            "INSERT INTO settings (hash, edition, text, decision, together, decided_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            &[
                &row.hash,
                &(row.generation as i32),
                &row.text,
                &row.decision,
                &row.together,
                &row.decided_at,
            ],
        )
        .await?;
    }
    let life = &session.life;
    let (hash, generation) = match session.settings.get(&life.settings) {
        Some(row) => (row.hash.clone(), row.generation as i32),
        None => (Vec::new(), 0),
    };
    let rows = to
        .query(
            "INSERT INTO life (shard, token, holder, started_at, ended_at, ending, dropped, version,
             settings, edition, endpoint, places) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
             ON CONFLICT (shard, started_at, endpoint) DO UPDATE SET
             ended_at = coalesce(life.ended_at, excluded.ended_at),
             ending = coalesce(life.ending, excluded.ending) RETURNING id",
            &[
                &(session.shard as i32),
                &token,
                &session.holder,
                &life.started_at,
                &life.ended_at,
                &life.ending,
                &life.dropped,
                &life.version,
                &hash,
                &generation,
                &life.endpoint,
                &life.places,
            ],
        )
        .await?;
    Ok(rows[0].get(0))
}

/// Records all this in the transaction that is open. Where the shard has gone to another worker since, what
/// was paid for is recorded all the same, and nothing else. An answer in whose place there is another comes beside it;
/// one that has passed every check, where those that are there have not, is the next try. Returns how many answers there were already.
pub(super) async fn insert(
    to: &mut Connected,
    session: &Session,
    life: i64,
    records: &Records,
) -> Result<u64, Error> {
    let shard = session.shard as i32;
    // Held until the commit: who takes the shard over sees all of this.
    let sql = "SELECT token FROM shard WHERE number = $1 FOR SHARE";
    let rows = to.query(sql, &[&shard]).await?;
    let is_current = rows.first().is_some_and(|row| row.get::<_, i64>(0) == session.token);
    let twice = insert_answers(to, shard, life, &records.answers).await?;
    insert_verdicts(to, shard, &records.verdicts).await?;
    insert_attempts(to, shard, life, &records.attempts).await?;
    if is_current {
        insert_ended(to, shard, life, records).await?;
    }
    if let Some((at, ending, dropped)) = &records.end {
        let sql = "UPDATE life SET ended_at = $2, ending = $3, dropped = $4 WHERE id = $1";
        to.query(sql, &[&life, at, ending, dropped]).await?;
    }
    if let Some(billed) = records.billed {
        let billed = i64::try_from(billed.picodollars()).unwrap_or(i64::MAX);
        to.query("UPDATE life SET billed = $2 WHERE id = $1", &[&life, &billed]).await?;
    }
    Ok(twice)
}

/// Tells whether an answer has passed every check, or none is made.
fn has_passed(new: &NewAnswer) -> bool {
    new.verdicts.as_ref().is_none_or(|verdicts| verdicts.list.is_none())
}

/// Tells whether an answer was judged, and has not passed.
fn is_rejected(verdicts: Option<&NewVerdicts>) -> bool {
    verdicts.is_some_and(|verdicts| verdicts.list.is_some() && !verdicts.are_unknown())
}

async fn insert_answers(
    to: &mut Connected,
    shard: i32,
    life: i64,
    answers: &[AnswerRecord],
) -> Result<u64, Error> {
    let mut others = insert_into(to, "answer", shard, life, answers.to_vec()).await?;
    if others.is_empty() {
        return Ok(0);
    }
    let tries = tries_of(to, shard, &others).await?;
    let of = |one: &AnswerRecord| tries.get(&one.identity);
    // What is there from this very run came with a commit of which nobody knew that it had succeeded.
    others.retain(|one| of(one).is_none_or(|tries| !tries.known.contains(&(life, one.at))));
    let twice = others.len() as u64;
    let (mut better, mut rest) = (Vec::new(), Vec::new());
    for one in others {
        match of(&one).filter(|tries| tries.are_rejected && one.has_passed) {
            Some(tries) => better.push((one, tries.last + 1)),
            None => rest.push(one),
        }
    }
    let as_next = better.iter().map(|(one, next)| one.as_try(*next)).collect();
    let refused = insert_into(to, "answer", shard, life, as_next).await?;
    let is_refused = |one: &AnswerRecord| refused.iter().any(|other| other.is_same(one));
    rest.extend(better.into_iter().map(|(one, _)| one).filter(is_refused));
    insert_into(to, "paid_twice", shard, life, rest).await?;
    Ok(twice)
}

/// Inserts answers into a table of them; returns those in whose place there is another.
async fn insert_into(
    to: &mut Connected,
    table: &str,
    shard: i32,
    life: i64,
    mut answers: Vec<AnswerRecord>,
) -> Result<Vec<AnswerRecord>, Error> {
    if answers.is_empty() {
        return Ok(answers);
    }
    let identities: Vec<&[u8]> = answers.iter().map(|one| &one.identity[..]).collect();
    let tries: Vec<i32> = answers.iter().map(|one| one.try_number).collect();
    let keys: Vec<&[u8]> = answers.iter().map(|one| &one.key[..]).collect();
    let settings: Vec<&[u8]> = answers.iter().map(|one| &one.settings[..]).collect();
    let times: Vec<i64> = answers.iter().map(|one| one.at).collect();
    let entries: Vec<&str> = answers.iter().map(|one| &*one.entry).collect();
    let sql = format!(
        "INSERT INTO {table} (identity, try, key, shard, life, settings, at, entry)
         SELECT identity, try, key, $1::integer, $2::bigint, settings, at, entry
         FROM unnest($3::bytea[], $4::integer[], $5::bytea[], $6::bytea[], $7::bigint[], $8::text[])
         AS new (identity, try, key, settings, at, entry)
         ON CONFLICT DO NOTHING RETURNING identity, try, at"
    );
    let rows = to
        .query(&sql, &[&shard, &life, &identities, &tries, &keys, &settings, &times, &entries])
        .await?;
    let taken: HashSet<(&[u8], i32, i64)> =
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    answers.retain(|one| !taken.contains(&(&one.identity[..], one.try_number, one.at)));
    Ok(answers)
}

/// The answers to one request that the server has.
struct Tries {
    last: i32,
    /// Their runs, and when they came.
    known: HashSet<(i64, i64)>,
    /// All of them were judged, and none has passed.
    are_rejected: bool,
}

async fn tries_of(
    to: &mut Connected,
    shard: i32,
    answers: &[AnswerRecord],
) -> Result<HashMap<Vec<u8>, Tries>, Error> {
    let identities: Vec<&[u8]> = answers.iter().map(|one| &one.identity[..]).collect();
    let keys: Vec<&[u8]> = answers.iter().map(|one| &one.key[..]).collect();
    let sql = "SELECT identity, try, entry FROM verdict WHERE shard = $1 AND key = ANY($2) ORDER BY number";
    let mut said: HashMap<(Vec<u8>, i32), NewVerdicts> = HashMap::new();
    for row in to.query(sql, &[&shard, &keys]).await? {
        if let Ok(verdicts) = serde_json::from_str(row.get(2)) {
            said.insert((row.get(0), row.get(1)), verdicts);
        }
    }
    let sql =
        "SELECT identity, try, coalesce(life, 0), at, entry FROM answer WHERE identity = ANY($1)";
    let mut all = HashMap::new();
    for row in to.query(sql, &[&identities]).await? {
        let (identity, number): (Vec<u8>, i32) = (row.get(0), row.get(1));
        let came = serde_json::from_str::<NewAnswer>(row.get(4)).ok();
        let came = came.and_then(|came| came.verdicts);
        let verdicts = said.get(&(identity.clone(), number)).or(came.as_ref());
        let tries = all.entry(identity).or_insert_with(|| Tries {
            last: 0,
            known: HashSet::new(),
            are_rejected: true,
        });
        tries.last = tries.last.max(number);
        tries.known.insert((row.get(2), row.get(3)));
        tries.are_rejected &= is_rejected(verdicts);
    }
    Ok(all)
}

/// Records what is thought of these answers, not of others under their keys.
pub(super) async fn insert_verdicts(
    to: &mut Connected,
    shard: i32,
    verdicts: &[VerdictRecord],
) -> Result<(), Error> {
    if verdicts.is_empty() {
        return Ok(());
    }
    let identities: Vec<&[u8]> = verdicts.iter().map(|one| &one.identity[..]).collect();
    let tries: Vec<i32> = verdicts.iter().map(|one| one.try_number).collect();
    let keys: Vec<&[u8]> = verdicts.iter().map(|one| &one.key[..]).collect();
    let times: Vec<i64> = verdicts.iter().map(|one| one.at).collect();
    let entries: Vec<&str> = verdicts.iter().map(|one| &*one.entry).collect();
    to.query(
        "INSERT INTO verdict (identity, try, key, shard, entry)
         SELECT new.identity, new.try, new.key, $1::integer, new.entry
         FROM unnest($2::bytea[], $3::integer[], $4::bytea[], $5::bigint[], $6::text[])
         AS new (identity, try, key, at, entry)
         JOIN answer a ON a.identity = new.identity AND a.try = new.try AND a.at = new.at",
        &[&shard, &identities, &tries, &keys, &times, &entries],
    )
    .await?;
    Ok(())
}

async fn insert_attempts(
    to: &mut Connected,
    shard: i32,
    life: i64,
    attempts: &[NewAttempt],
) -> Result<(), Error> {
    if attempts.is_empty() {
        return Ok(());
    }
    let keys: Vec<&[u8]> = attempts.iter().map(|one| &one.key[..]).collect();
    let times: Vec<i64> = attempts.iter().map(|one| one.at).collect();
    let numbers: Vec<i32> = attempts.iter().map(|one| one.attempt as i32).collect();
    let causes: Vec<&str> = attempts.iter().map(|one| &*one.cause).collect();
    let entries: Vec<String> = attempts.iter().map(json).collect();
    to.query(
        "INSERT INTO attempt (key, at, attempt, cause, shard, life, entry)
         SELECT key, at, attempt, cause, $1::integer, $2::bigint, entry
         FROM unnest($3::bytea[], $4::bigint[], $5::integer[], $6::text[], $7::text[])
         AS new (key, at, attempt, cause, entry) ON CONFLICT DO NOTHING",
        &[&shard, &life, &keys, &times, &numbers, &causes, &entries],
    )
    .await?;
    Ok(())
}

/// Records what has ended without an answer, in place of what an earlier run knew of it.
async fn insert_ended(
    to: &mut Connected,
    shard: i32,
    life: i64,
    records: &Records,
) -> Result<(), Error> {
    for (question, generation) in &records.not_ended {
        let sql = "DELETE FROM ended WHERE question = $1 AND edition = $2";
        to.query(sql, &[&&question[..], &(*generation as i32)]).await?;
    }
    for one in &records.ended {
        to.query(
            "INSERT INTO ended (question, edition, shard, entry, life) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (question, edition) DO UPDATE
             SET shard = excluded.shard, entry = excluded.entry, life = excluded.life
             WHERE ended.entry <> excluded.entry AND coalesce(ended.life, 0) <= excluded.life",
            &[&&one.question[..], &(one.generation as i32), &shard, &json(one), &life],
        )
        .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_decides_the_identity_and_no_key_alone() {
        let one = identity(&[1; 16], "settings", "question");
        assert_eq!(one, identity(&[1; 16], "settings", "question"));
        for other in [
            identity(&[2; 16], "settings", "question"),
            identity(&[1; 16], "settings!", "question"),
            identity(&[1; 16], "settings", "question!"),
            identity(&[1; 16], "settingsq", "uestion"),
        ] {
            assert_ne!(one, other);
        }
    }
}
