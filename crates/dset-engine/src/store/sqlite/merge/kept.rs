//! Answers of the other store that cannot be answers here, and what they cost.

use rusqlite::types::Value;
use rusqlite::{Connection, Transaction, params};

use super::PAID_TWICE;
use super::copied::Copied;
use crate::store::sqlite::keys;

/// Makes an index of what is kept already: the store may have many asks, and none of them by their keys.
pub(super) fn index(to: &Connection) -> rusqlite::Result<()> {
    to.execute_batch(
        "DROP TABLE IF EXISTS temp.kept_costs;
         CREATE TEMP TABLE kept_costs (key BLOB, at INTEGER, PRIMARY KEY (key, at)) WITHOUT ROWID",
    )?;
    let sql = "INSERT OR IGNORE INTO temp.kept_costs SELECT key, at FROM attempts WHERE cause = ?1";
    to.execute(sql, [PAID_TWICE]).map(drop)
}

/// Keeps an answer that was bought although there is one, among the asks that brought none.
pub(super) fn keep(
    to: &Transaction<'_>,
    key: &Copied,
    text: &Copied,
    facts: Option<&Copied>,
) -> rusqlite::Result<()> {
    let [reasoning, answer] = text.texts()?;
    let said = serde_json::json!({
        "question": text.text("question")?,
        "reasoning": reasoning,
        "answer": answer,
        "metadata": text.text("metadata")?,
    });
    let body = zstd::encode_all(said.to_string().as_bytes(), 3).ok();
    keep_cost(to, key, text, facts, body, "another folder has another answer to the same request")
}

/// Keeps what an answer cost whose text is damaged, unless the answer is here; tells whether it is not.
pub(super) fn keep_damaged(
    to: &Transaction<'_>,
    key: &Copied,
    text: &Copied,
    facts: Option<&Copied>,
) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM answers WHERE id = ?1 AND answered_at = ?2";
    let try_number = key.number("try").unwrap_or(1) as u32;
    if let Some(own) = keys::find_try(to, &key.bytes("key"), try_number)?
        && to.prepare_cached(sql)?.exists(params![own, text.get("answered_at")])?
    {
        return Ok(false);
    }
    keep_cost(to, key, text, facts, None, "its text is damaged in the other folder")?;
    Ok(true)
}

fn keep_cost(
    to: &Transaction<'_>,
    key: &Copied,
    text: &Copied,
    facts: Option<&Copied>,
    body: Option<Vec<u8>>,
    message: &str,
) -> rusqlite::Result<()> {
    let fact = |name: &str| facts.and_then(|facts| facts.get(name)).cloned().unwrap_or(Value::Null);
    let at = text.get("answered_at");
    let sql = "INSERT OR IGNORE INTO temp.kept_costs (key, at) VALUES (?1, ?2)";
    if to.prepare_cached(sql)?.execute(params![key.get("key"), at])? == 0 {
        return Ok(());
    }
    to.prepare_cached(
        "INSERT INTO attempts (life, at, row, question, key, attempt, seconds, cause, status,
         message, request_id, input_tokens, output_tokens, body, cached_tokens, cost, cost_most,
         place, written_tokens, written_1h_tokens)
         VALUES (ifnull(?1, 0), ?2, ifnull(?3, 0), ?4, ?5, ifnull(?6, 1), ifnull(?7, 0), ?8, 200, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
    )?
    .execute(params![
        text.get("life"),
        at,
        text.get("row"),
        key.get("question"),
        key.get("key"),
        fact("attempts"),
        fact("seconds"),
        PAID_TWICE,
        message,
        fact("request_id"),
        fact("input_tokens"),
        fact("output_tokens"),
        body,
        fact("cached_tokens"),
        fact("cost"),
        fact("cost_most"),
        fact("place"),
        fact("written_tokens"),
        fact("written_1h_tokens")
    ])?;
    Ok(())
}
