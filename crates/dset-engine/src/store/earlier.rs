//! What was asked in the minute before a run: it still counts towards the user's limits a minute.

use dset_core::pace::minute::Earlier;
use dset_core::row::Metadata;
use rusqlite::params;

use super::{Store, StoreError};

/// How far back asks may still count: a minute, and what clocks may be apart.
const BACK_MS: i64 = 62_000;

/// The asks of the minute before a run.
#[derive(Debug, Default)]
pub(crate) struct EarlierAsks {
    pub(crate) asks: Vec<Earlier>,
    /// A run was killed or dropped asks in that minute, or nobody knows when: what it had sent and
    /// not recorded is not known.
    pub(crate) unknown: bool,
}

impl Store {
    /// Returns what was asked in the minute before `now`.
    pub(crate) fn earlier_asks(&self, now_unix_ms: i64) -> Result<EarlierAsks, StoreError> {
        let from = now_unix_ms - BACK_MS;
        let connection = &self.as_reader().connection;
        // Newest first, so that the first that is too old ends it. Nothing is in the future: a
        // clock was set back, and those count as just now.
        let mut asks = Vec::new();
        let mut answers = connection
            .prepare("SELECT answered_at, metadata FROM answers WHERE life > 0 ORDER BY id DESC")?;
        let mut rows = answers.query([])?;
        while let Some(row) = rows.next()? {
            let back_unix_ms: i64 = row.get(0)?;
            if back_unix_ms < from {
                break;
            }
            let metadata: String = row.get(1)?;
            let metadata: Metadata = serde_json::from_str(&metadata).unwrap_or_default();
            asks.push(Earlier {
                sent_unix_ms: sent(back_unix_ms, metadata.seconds.unwrap_or(0.0)),
                back_unix_ms,
                tokens: metadata.output_tokens.map(|out| out + metadata.input_tokens.unwrap_or(0)),
            });
        }
        let mut attempts = connection.prepare(
            "SELECT at, seconds, input_tokens, output_tokens FROM attempts ORDER BY id DESC",
        )?;
        let mut rows = attempts.query([])?;
        while let Some(row) = rows.next()? {
            let back_unix_ms: i64 = row.get(0)?;
            if back_unix_ms < from {
                break;
            }
            let (input, output): (Option<i64>, Option<i64>) = (row.get(2)?, row.get(3)?);
            let count = |tokens: Option<i64>| tokens.and_then(|tokens| u64::try_from(tokens).ok());
            asks.push(Earlier {
                sent_unix_ms: sent(back_unix_ms, row.get(1)?),
                back_unix_ms,
                tokens: count(output).map(|out| out + count(input).unwrap_or(0)),
            });
        }
        let unknown = connection.query_row(
            "SELECT EXISTS (
               SELECT 1 FROM lives WHERE (ended_at IS NULL OR ending LIKE '%dropped')
               AND coalesce(ended_at, (SELECT min(n.started_at) FROM lives n WHERE n.id > lives.id), ?1)
                 >= ?2)",
            params![now_unix_ms, from],
            |row| row.get(0),
        )?;
        Ok(EarlierAsks { asks, unknown })
    }
}

fn sent(back_unix_ms: i64, seconds: f64) -> i64 {
    back_unix_ms - (seconds * 1000.0) as i64
}
