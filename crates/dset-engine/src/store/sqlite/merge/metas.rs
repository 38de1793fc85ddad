//! How the last run of a folder was called.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::super::limits::INPUT_IS_SHARED;
use super::super::tries::{ACCEPTANCE, EXPECTED};
use super::Numbers;
use crate::store::error::StoreError;

/// What of `meta` says how a run was called, and how its folder is to be.
const METAS: [&str; 10] = [
    ACCEPTANCE,
    "call",
    "asked",
    "edition",
    "formats",
    "csv_bom",
    "csv_id",
    "marks_column",
    "cost_limit",
    "from_bookmark",
];
/// How the last run was called, where nothing says so here: of a shard as a run of the whole input.
pub(super) fn metas(
    from: &Connection,
    to: &Transaction<'_>,
    numbers: &Numbers,
) -> Result<(), StoreError> {
    let put = |name: &str, value: Value| {
        let sql = "INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)";
        to.execute(sql, params![name, value])
    };
    let get = |of: &Connection, name: &str| {
        let sql = "SELECT value FROM meta WHERE name = ?1";
        of.query_row(sql, [name], |row| row.get::<_, Value>(0)).optional()
    };
    let is_of_shard = matches!(get(from, "call")?, Some(Value::Text(call)) if has_shard(&call));
    if is_of_shard || get(from, INPUT_IS_SHARED)?.is_some() {
        put(INPUT_IS_SHARED, Value::Integer(1))?;
    }
    // What comes was judged by other files.
    to.execute("DELETE FROM meta WHERE name = ?1", [EXPECTED])?;
    let of_call = get(to, "call")?.is_none();
    // Earlier versions held no answers against anything where nothing was asked of them.
    let lacks_terms = get(to, ACCEPTANCE)?.is_none();
    for name in METAS.into_iter().filter(|name| of_call || lacks_terms && *name == ACCEPTANCE) {
        let Some(value) = get(from, name)? else { continue };
        let value = match (name, value) {
            ("call", Value::Text(call)) => Value::Text(of_the_whole(&call)),
            ("asked", Value::Text(asked)) => match renumbered(&asked, numbers) {
                Some(asked) => Value::Text(asked),
                None => continue,
            },
            (_, value) => value,
        };
        put(name, value)?;
    }
    Ok(())
}

fn has_shard(call: &str) -> bool {
    let call = serde_json::from_str::<serde_json::Value>(call).unwrap_or_default();
    call.pointer("/reading/shard").is_some_and(|shard| !shard.is_null())
}

fn of_the_whole(call: &str) -> String {
    let Ok(mut call) = serde_json::from_str::<serde_json::Value>(call) else {
        return call.to_owned();
    };
    if let Some(reading) = call.get_mut("reading").and_then(|reading| reading.as_object_mut()) {
        reading.shift_remove("shard");
    }
    call.to_string()
}

/// Which settings were asked, `1,2;samples`, by the numbers that they have here.
fn renumbered(asked: &str, numbers: &Numbers) -> Option<String> {
    let (ids, samples) = asked.split_once(';')?;
    let own = |id: &str| Some(numbers.settings.get(&id.parse().ok()?)?.to_string());
    let ids: Option<Vec<String>> = ids.split(',').map(own).collect();
    Some(format!("{};{samples}", ids?.join(",")))
}
