//! What was asked in the minute before a run: it still counts towards the user's limits a minute.

use dset_core::rate::sliding_window::EarlierAsk;
use rusqlite::{Row, Statement, params};

use super::facts;
use super::limits::MERGED_AT;
use super::store::Store;
use crate::store::error::StoreError;

/// How far back asks may still count: a minute, and what clocks may be apart.
pub(crate) const RATE_HISTORY_BACK_MS: i64 = 62_000;

/// The asks of the minute before a run.
#[derive(Debug, Default)]
pub(crate) struct RateHistory {
    pub(crate) asks: Vec<EarlierAsk>,
    /// A run was killed or dropped asks in that minute, or at an unknown time: what it had sent and
    /// not recorded is not known.
    pub(crate) unknown: bool,
}

impl RateHistory {
    /// Takes what was asked elsewhere under the same limits.
    pub(crate) fn add(&mut self, other: RateHistory) {
        self.asks.extend(other.asks);
        self.unknown |= other.unknown;
    }
}

impl Store {
    /// Returns what was asked in the minute before `now`.
    pub(crate) fn rate_history(&self, now_unix_ms: i64) -> Result<RateHistory, StoreError> {
        let from = now_unix_ms - RATE_HISTORY_BACK_MS;
        let connection = &self.reader.connection;
        let is_merged = self.meta::<i64>(MERGED_AT)?.is_some_and(|at| at >= from);
        let mut asks = Vec::new();
        let mut answers = connection.prepare(&format!(
            "SELECT a.answered_at, {} FROM answers a LEFT JOIN answer_facts f ON f.answer = a.id
             WHERE a.life > 0 ORDER BY a.id DESC",
            facts::COLUMNS
        ))?;
        for_each_since(&mut answers, from, is_merged, |row, back_unix_ms| {
            let metadata = facts::metadata(row, 1)?;
            asks.push(EarlierAsk {
                sent_unix_ms: sent(back_unix_ms, metadata.seconds.unwrap_or(0.0)),
                back_unix_ms,
                tokens: metadata.output_tokens.map(|out| out + metadata.input_tokens.unwrap_or(0)),
            });
            Ok(())
        })?;
        let mut attempts = connection.prepare(
            "SELECT at, seconds, input_tokens, output_tokens, status FROM attempts ORDER BY id DESC",
        )?;
        for_each_since(&mut attempts, from, is_merged, |row, back_unix_ms| {
            let (input, output): (Option<i64>, Option<i64>) = (row.get(2)?, row.get(3)?);
            let count = |tokens: Option<i64>| tokens.and_then(|tokens| u64::try_from(tokens).ok());
            asks.push(EarlierAsk {
                sent_unix_ms: sent(back_unix_ms, row.get(1)?),
                back_unix_ms,
                tokens: match row.get::<_, Option<i64>>(4)? {
                    Some(429 | 503 | 529) => Some(0),
                    _ => count(output).map(|out| out + count(input).unwrap_or(0)),
                },
            });
            Ok(())
        })?;
        let unknown = connection.query_row(
            "SELECT EXISTS (
               SELECT 1 FROM lives WHERE (ended_at IS NULL OR dropped)
               AND coalesce(ended_at, (SELECT min(n.started_at) FROM lives n WHERE n.id > lives.id), ?1)
                 >= ?2)",
            params![now_unix_ms, from],
            |row| row.get(0),
        )?;
        Ok(RateHistory { asks, unknown })
    }
}

/// Calls `each` with the rows whose first column, the time in Unix milliseconds, is not before `from`. They
/// come newest first, so that the first that is too old ends it, unless a merge may have put older ones
/// last. Nothing is in the future: a clock was set back, and those count as just now.
fn for_each_since(
    statement: &mut Statement<'_>,
    from: i64,
    is_merged: bool,
    mut each: impl FnMut(&Row<'_>, i64) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let unix_ms: i64 = row.get(0)?;
        if unix_ms >= from {
            each(row, unix_ms)?;
        } else if !is_merged {
            break;
        }
    }
    Ok(())
}

fn sent(back_unix_ms: i64, seconds: f64) -> i64 {
    back_unix_ms - (seconds * 1000.0) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_348_800_000;

    /// A store in which `sql` has happened.
    fn earlier(sql: &str) -> RateHistory {
        let folder = tempfile::tempdir().unwrap();
        let (mut store, _) = Store::open(folder.path()).unwrap();
        let sql = sql.replace("NOW", &NOW.to_string());
        store.connection().execute_batch(&sql).unwrap();
        store.rate_history(NOW).unwrap()
    }

    fn life(id: u32, started: i64, ended: Option<i64>, ending: &str) -> String {
        let ended = ended.map_or("NULL".into(), |ms| format!("NOW - {ms}"));
        let dropped = ending.ends_with("dropped");
        format!(
            "INSERT INTO lives (id, started_at, ended_at, ending, dropped, version, settings, endpoint)
             VALUES ({id}, NOW - {started}, {ended}, '{ending}', {dropped}, '', 1, '');"
        )
    }

    #[test]
    fn answers_and_failures_of_the_last_minute_count_from_when_they_were_sent() {
        let answer = |life: &str, ms: u32| {
            format!(
                "INSERT INTO answers (life, row, answered_at, question, reasoning, answer, metadata)
                 VALUES ({life}, 1, NOW - {ms}, '', '', '',
                   '{{\"seconds\":2.5,\"input_tokens\":10,\"output_tokens\":90}}');"
            )
        };
        let failure =
            "INSERT INTO attempts (life, at, row, question, key, attempt, seconds, cause, message)
                       VALUES (1, NOW - 1000, 1, x'', x'', 1, 1.0, '', '');";
        let lives = life(1, 90_000, Some(500), "complete");
        let [old, adopted, new] = [answer("1", 70_000), answer("NULL", 100), answer("1", 5_000)];
        let found = earlier(&format!("{lives}{old}{adopted}{new}{failure}"));
        let ask = |sent: i64, back: i64, tokens| EarlierAsk {
            sent_unix_ms: NOW - sent,
            back_unix_ms: NOW - back,
            tokens,
        };
        assert_eq!(found.asks, [ask(7_500, 5_000, Some(100)), ask(2_000, 1_000, None)]);
        assert!(!found.unknown);
    }

    #[test]
    fn answers_that_were_merged_behind_them_do_not_hide_those_of_the_last_minute() {
        let answer = |ms: u32| {
            format!(
                "INSERT INTO answers (life, row, answered_at, question, reasoning, answer, metadata)
                 VALUES (1, 1, NOW - {ms}, '', '', '', '{{}}');"
            )
        };
        let [new, old] = [answer(5_000), answer(90_000)];
        for (merged, asks) in [(1_000, 1), (63_000, 0)] {
            let merged = format!("INSERT INTO meta VALUES ('merged_at', NOW - {merged});");
            assert_eq!(earlier(&format!("{new}{old}{merged}")).asks.len(), asks);
        }
    }

    #[test]
    fn a_run_that_was_killed_or_dropped_asks_in_the_last_minute_leaves_it_unknown() {
        let (killed, orderly) = (life(1, 300_000, None, ""), "stopped");
        for (sql, unknown) in [
            (String::new(), false),
            (killed.clone(), true),
            (format!("{killed}{}", life(2, 100_000, Some(1_000), orderly)), false),
            (format!("{killed}{}", life(2, 50_000, Some(1_000), orderly)), true),
            (life(1, 90_000, Some(1_000), "stopped, asks dropped"), true),
            (life(1, 90_000, Some(70_000), "stopped, asks dropped"), false),
        ] {
            assert_eq!(earlier(&sql).unknown, unknown, "{sql}");
        }
    }
}
