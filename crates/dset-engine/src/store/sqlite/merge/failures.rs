//! Questions that ended without an answer that is accepted; and those that are taken as answered.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, Transaction};

use super::copied::Copied;

/// A question, and its generation.
type Asked = (Vec<u8>, i64);
/// Answers by their keys, and when they came.
type Answers = HashSet<(Vec<u8>, i64)>;

/// Every answer with what it answers.
const ANSWERS: &str = "SELECT k.question, k.edition, k.key, a.answered_at FROM
                       (SELECT question, edition, key, answer FROM keys UNION ALL
                        SELECT question, edition, key, answer FROM later_keys) k JOIN answers a ON a.id = k.answer";

/// Takes over what ended in the other store, unless this one has an answer to it that the other one lacks.
pub(super) fn failures(from: &Connection, to: &Transaction<'_>) -> rusqlite::Result<()> {
    let mut statement = from.prepare("SELECT * FROM ended")?;
    let mut rows = statement.query([])?;
    let mut ended: HashMap<Asked, Copied> = HashMap::new();
    while let Some(row) = rows.next()? {
        ended.insert((row.get("question")?, row.get("edition")?), Copied::read(row)?);
    }
    if !ended.is_empty() {
        let there = answers_to(from, &ended)?;
        for (asked, own) in answers_to(to, &ended)? {
            // What is known there ended with the answers that are there: none of them was accepted.
            let is_known = there.get(&asked).is_some_and(|there| {
                let keys: HashSet<&Vec<u8>> = there.iter().map(|(key, _)| key).collect();
                own.iter().filter(|(key, _)| keys.contains(key)).all(|one| there.contains(one))
            });
            if !is_known {
                ended.remove(&asked);
            }
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

/// Returns the answers to these questions.
fn answers_to(
    store: &Connection,
    questions: &HashMap<Asked, Copied>,
) -> rusqlite::Result<HashMap<Asked, Answers>> {
    let mut found: HashMap<Asked, Answers> = HashMap::new();
    let mut statement = store.prepare(ANSWERS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let asked = (row.get(0)?, row.get(1)?);
        if questions.contains_key(&asked) {
            found.entry(asked).or_default().insert((row.get(2)?, row.get(3)?));
        }
    }
    Ok(found)
}
