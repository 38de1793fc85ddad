//! Runs, and what each may have been billed.

use std::collections::{HashMap, HashSet};

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::copied::Copied;
use super::{Numbers, mapped};
use crate::store::error::StoreError;

/// Answers by which runs of earlier versions are told apart, of each run.
const TOLD_BY: usize = 64;

/// Takes over runs that are not there; returns which numbers they have here.
pub(super) fn lives(
    from: &Connection,
    to: &Transaction<'_>,
    numbers: &Numbers,
) -> Result<HashMap<i64, i64>, StoreError> {
    let mut lives = HashMap::new();
    let mut seen = Seen::default();
    let mut statement = from.prepare("SELECT * FROM lives ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut copied = Copied::read(row)?;
        copied.set("settings", numbers.settings_of(copied.number("settings")));
        let id: i64 = row.get("id")?;
        let known = match copied.get("identity") {
            Some(Value::Blob(identity)) => to
                .prepare_cached("SELECT id FROM lives WHERE identity = ?1")?
                .query_row([identity], |row| row.get(0))
                .optional()?,
            _ => {
                let mut of_then = to.prepare_cached(
                    "SELECT * FROM lives WHERE identity IS NULL AND started_at = ?1
                     AND endpoint = ?2 AND settings IS ?3 ORDER BY id",
                )?;
                let then = ["started_at", "endpoint", "settings"].map(|name| copied.get(name));
                let mut of_then = of_then.query(params![then[0], then[1], then[2]])?;
                let mut known = None;
                while let (None, Some(row)) = (known, of_then.next()?) {
                    let own: i64 = row.get("id")?;
                    let is_free = !lives.values().any(|taken| *taken == own);
                    if is_free
                        && seen.are_one(from, to, [id, own], [&copied, &Copied::read(row)?])?
                    {
                        known = Some(own);
                    }
                }
                known
            }
        };
        let own = match known {
            // It may have ended since.
            Some(own) => {
                to.execute(
                    "UPDATE lives SET ended_at = ?1, ending = ?2, dropped = ?3
                     WHERE id = ?4 AND ended_at IS NULL",
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
        lives.insert(id, own);
    }
    bounds(from, to, &lives)?;
    Ok(lives)
}

/// What each run may have been billed: of a run that both know, what was said last.
fn bounds(
    from: &Connection,
    to: &Transaction<'_>,
    lives: &HashMap<i64, i64>,
) -> Result<(), StoreError> {
    let mut statement = from.prepare("SELECT * FROM bounds")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut copied = Copied::read(row)?;
        let Value::Integer(life) = mapped(lives, copied.number("life")) else { continue };
        copied.set("life", life);
        // What is said last is `is_last`; before that, a bound only grows.
        to.execute(
            "DELETE FROM bounds WHERE life = ?1 AND (is_last, bound, forgiven_at IS NOT NULL) < (?2, ?3, ?4)",
            params![
                life,
                copied.get("is_last"),
                copied.get("bound"),
                copied.number("forgiven_at").is_some()
            ],
        )?;
        copied.insert(to, "bounds", "")?;
    }
    Ok(())
}

/// When the first answers of each run came, and to which rows.
type FirstAnswers = HashMap<i64, HashSet<(i64, Option<i64>)>>;

/// What runs without an identity are told apart by, read where it is needed.
#[derive(Default)]
struct Seen {
    /// Of the other store, and of this one.
    answers: Option<[FirstAnswers; 2]>,
}

impl Seen {
    /// Tells whether two runs that began in the same millisecond may be one: what both have agrees.
    fn are_one(
        &mut self,
        from: &Connection,
        to: &Connection,
        ids: [i64; 2],
        lives: [&Copied; 2],
    ) -> Result<bool, StoreError> {
        let both = |name: &str| lives.map(|life| life.number(name));
        let endings = lives.map(|life| life.text("ending"));
        if let ([Some(one), Some(other)], [Ok(how), Ok(how_other)]) = (both("ended_at"), endings)
            && (one, how) != (other, how_other)
        {
            return Ok(false);
        }
        let answers = match &mut self.answers {
            Some(answers) => answers,
            none => none.insert([first_answers(from)?, first_answers(to)?]),
        };
        if let (Some(one), Some(other)) = (answers[0].get(&ids[0]), answers[1].get(&ids[1])) {
            return Ok(!one.is_disjoint(other));
        }
        let last = |of: &Connection, id: i64| {
            let sql = "SELECT bound FROM bounds WHERE life = ?1 AND is_last";
            of.prepare_cached(sql)?.query_row([id], |row| row.get::<_, i64>(0)).optional()
        };
        let last = [last(from, ids[0])?, last(to, ids[1])?];
        Ok(!matches!(last, [Some(one), Some(other)] if one != other))
    }
}

fn first_answers(of: &Connection) -> rusqlite::Result<FirstAnswers> {
    let mut all = FirstAnswers::new();
    let sql = "SELECT life, answered_at, row FROM answers WHERE life IS NOT NULL ORDER BY id";
    let mut statement = of.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let first = all.entry(row.get(0)?).or_default();
        if first.len() < TOLD_BY {
            first.insert((row.get(1)?, row.get(2)?));
        }
    }
    Ok(all)
}
