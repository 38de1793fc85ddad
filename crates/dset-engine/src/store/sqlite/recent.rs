//! What a run that is going on has brought lately, as far as the store knows.

use serde::Serialize;

use super::store::Store;
use crate::store::error::StoreError;

/// How far back `recent` looks.
const BACK_MS: i64 = 60_000;

/// Answers and failures of the last minute, for the status view.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Recent {
    /// When the last answer came, in Unix milliseconds; absent where this run has none.
    pub answered_at: Option<i64>,
    /// Which row it is to, as a spreadsheet counts.
    pub row: Option<u64>,
    /// Answers of the last minute.
    pub answers: u64,
    /// Asks that failed in the last minute.
    pub failed_asks: u64,
}

impl Store {
    /// Returns what came in the minute before `now_unix_ms`, and the last answer of the last run.
    pub(crate) fn recent(&self, now_unix_ms: i64) -> Result<Recent, StoreError> {
        let connection = &self.reader.connection;
        let from = now_unix_ms - BACK_MS;
        // Newest first, so that the first that is too old ends it.
        let mut recent = Recent::default();
        let sql = "SELECT answered_at, row FROM answers
                   WHERE life = (SELECT max(id) FROM lives) ORDER BY id DESC";
        let mut statement = connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let at: i64 = row.get(0)?;
            if recent.answered_at.is_none() {
                recent.answered_at = Some(at);
                recent.row = row.get::<_, Option<i64>>(1)?.and_then(|row| u64::try_from(row).ok());
            }
            if at < from {
                break;
            }
            recent.answers += 1;
        }
        let mut statement = connection.prepare("SELECT at FROM attempts ORDER BY id DESC")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if row.get::<_, i64>(0)? < from {
                break;
            }
            recent.failed_asks += 1;
        }
        Ok(recent)
    }
}
