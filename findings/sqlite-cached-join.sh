#!/bin/sh
# A cached prepared statement of rusqlite's bundled SQLite is parsed and planned anew for every value bound, where it has a LEFT JOIN.
# Versions: rusqlite 0.43.0 (bundled SQLite).
# Guess (what our own store was built on, until a profile of an export showed the parser): prepare_cached prepares once; a look-up by the primary key has one plan whatever is bound, so re-preparation counts 0.
# Seen: the plain look-up is planned once. With a LEFT JOIN of a second table by the same key the re-preparation count is one for each execution: on return to the
#   cache the bindings are cleared, and the planner has noted that a bound value may change the plan, so the next step
#   throws the plan away. PRAGMAs show nothing of it; SQLITE_DBCONFIG_ENABLE_QPSG makes it 0.
# Hurts: an export or a viewer that reads a million rows one by one through a "prepared" statement spends half its CPU in SQLite's parser.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
mkdir "$t/src"
cat >"$t/Cargo.toml" <<'TOML'
[package]
name = "probe"
version = "0.1.0"
edition = "2024"
[dependencies]
rusqlite = { version = "=0.43.0", features = ["bundled"] }
TOML
cat >"$t/src/main.rs" <<'RS'
use rusqlite::{Connection, StatementStatus, config::DbConfig};
fn planned_again(connection: &Connection, sql: &str) -> i32 {
    for id in 1..=100 {
        let mut statement = connection.prepare_cached(sql).unwrap();
        let mut rows = statement.query([id]).unwrap();
        assert!(rows.next().unwrap().is_some());
    }
    connection.prepare_cached(sql).unwrap().get_status(StatementStatus::RePrepare)
}
fn main() {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, t TEXT); CREATE TABLE f (a INTEGER PRIMARY KEY, n INTEGER);
         WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 100) INSERT INTO a SELECT i, 'x' FROM c;
         INSERT INTO f SELECT id, id FROM a;").unwrap();
    let plain = planned_again(&connection, "SELECT a.t FROM a WHERE a.id = ?1");
    let joined = planned_again(&connection, "SELECT a.t, f.n FROM a LEFT JOIN f ON f.a = a.id WHERE a.id = ?1");
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).unwrap();
    connection.flush_prepared_statement_cache();
    let stable = planned_again(&connection, "SELECT a.t, f.n FROM a LEFT JOIN f ON f.a = a.id WHERE a.id = ?1");
    println!("seen: SQLite {}: planned again in 100 executions: plain {plain}, left join {joined}, left join with QPSG {stable}", rusqlite::version());
    assert_eq!((plain, stable), (0, 0));
    assert!(joined >= 99, "{joined}");
}
RS
cd "$t"
cargo run -q
