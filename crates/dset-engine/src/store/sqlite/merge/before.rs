//! What was there before a merge.

use rusqlite::{Connection, Transaction, params};

use super::copied::Copied;
use crate::store::sqlite::id_set::IdSet;

/// The answers that were there, each of which is one of the other store's at most.
pub(super) struct Before {
    last: i64,
    found: IdSet,
}

impl Before {
    pub(super) fn read(to: &Connection) -> rusqlite::Result<Before> {
        let sql = "SELECT ifnull(max(id), 0) FROM answers";
        Ok(Before { last: to.query_row(sql, [], |row| row.get(0))?, found: IdSet::default() })
    }

    /// Returns the last try under a key that is here and, where one of those that were here before is this very answer, its
    /// number: as a try it may be another one there. Where its text is damaged here, it is whole again.
    pub(super) fn find_same(
        &mut self,
        to: &Transaction<'_>,
        key: &Copied,
        text: &Copied,
        texts: &[String; 2],
    ) -> rusqlite::Result<(i64, Option<i64>)> {
        let sql = "SELECT a.id, a.answered_at, a.question, a.reasoning, a.answer, k.try
                   FROM (SELECT answer, 1 AS try FROM temp.key_index WHERE key = ?1
                         UNION ALL SELECT answer, try FROM later_tries WHERE key = ?1) k
                   JOIN answers a ON a.id = k.answer ORDER BY k.try";
        let mut statement = to.prepare_cached(sql)?;
        let tries = statement.query_map([key.get("key")], Copied::read)?;
        let tries = tries.collect::<rusqlite::Result<Vec<Copied>>>()?;
        let last = tries.last().and_then(|one| one.number("try")).unwrap_or(1);
        for one in tries.iter().filter(|one| one.get("answered_at") == text.get("answered_at")) {
            let number = one.number("id").unwrap_or(0);
            if number > self.last || self.found.has(number) {
                continue;
            }
            let is_damaged = !one.is_whole();
            if is_damaged {
                let sql =
                    "UPDATE answers SET question = ?1, reasoning = ?2, answer = ?3 WHERE id = ?4";
                let whole = ["question", "reasoning", "answer"].map(|name| text.get(name));
                to.execute(sql, params![whole[0], whole[1], whole[2], one.get("id")])?;
            }
            if is_damaged || one.texts()? == *texts {
                self.found.insert(number);
                return Ok((last, Some(number)));
            }
        }
        Ok((last, None))
    }
}
