//! Brings a store to the version that this program writes.
//!
//! All steps together are one transaction that ends with the new number, so that what is cut short
//! was never begun, and a new store costs one. A step only adds: what an earlier version wrote
//! stays as it is, and a store of ten million answers takes as long as an empty one. A step that
//! writes a table anew has to copy the file first.

use rusqlite::{Connection, TransactionBehavior};

use super::limits::{APPLICATION, VERSION};
use crate::store::error::StoreError;

/// What makes a store of each version one of the next, from an empty file on. A step that was
/// released is never changed.
const STEPS: [&str; VERSION as usize] = [
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
    include_str!("schema/5.sql"),
    include_str!("schema/6.sql"),
    include_str!("schema/7.sql"),
    include_str!("schema/8.sql"),
];

/// Schema objects that a read-only connection to a store of each earlier version lacks.
const LOOKS: [&str; VERSION as usize - 1] = [
    include_str!("schema/look_1.sql"),
    include_str!("schema/look_2.sql"),
    include_str!("schema/look_3.sql"),
    include_str!("schema/look_4.sql"),
    include_str!("schema/look_5.sql"),
    include_str!("schema/look_6.sql"),
    include_str!("schema/look_7.sql"),
];

/// Takes the steps that a store of this version lacks.
pub(super) fn migrate(connection: &mut Connection, found: i64) -> Result<(), StoreError> {
    if found == VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (_, step) in (1..).zip(STEPS).filter(|(version, _)| *version > found) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(())
}

/// Shows a store of an earlier version as one of this, changing nothing in it.
pub(super) fn show(connection: &Connection, found: i64) -> Result<(), StoreError> {
    for (_, look) in (1..).zip(LOOKS).filter(|(version, _)| *version >= found) {
        connection.execute_batch(look)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use fs_err as fs;
    use rusqlite::fallible_iterator::FallibleIterator;
    use rusqlite::types::Value;

    use super::super::connection::connect;
    use super::super::limits::STORE;
    use super::super::store::Store;
    use super::*;

    const OLD: [&str; 3] = ["samples", "marks", "script"];

    fn old(name: &str) -> PathBuf {
        let stores = "../../fixtures/stores/v1";
        Path::new(env!("CARGO_MANIFEST_DIR")).join(stores).join(name).join("dset_generator")
    }

    fn copy(from: &Path) -> tempfile::TempDir {
        let to = tempfile::tempdir().unwrap();
        for name in [STORE, "dset.db-wal"] {
            if from.join(name).exists() {
                fs::copy(from.join(name), to.path().join(name)).unwrap();
            }
        }
        to
    }

    /// Everything in a store: its tables with their rows.
    fn everything(folder: &Path) -> Vec<(String, Vec<Vec<Value>>)> {
        let connection = Connection::open(folder.join(STORE)).unwrap();
        let mut tables = connection
            .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY name")
            .unwrap();
        let tables = tables.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let tables: Vec<(String, String)> = tables.map(Result::unwrap).collect();
        let rows = |(name, sql): (String, String)| {
            let mut all = connection.prepare(&format!("SELECT * FROM {name}")).unwrap();
            let columns = all.column_count();
            let rows = all.query_map([], |row| (0..columns).map(|at| row.get(at)).collect());
            (sql, rows.unwrap().map(Result::unwrap).collect())
        };
        tables.into_iter().map(rows).collect()
    }

    fn version(folder: &Path) -> i64 {
        let connection = Connection::open(folder.join(STORE)).unwrap();
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_step_that_is_killed_at_any_of_its_statements_is_taken_by_the_next_who_opens() {
        for name in OLD {
            let whole = copy(&old(name));
            drop(Store::open(whole.path()).unwrap());
            assert_eq!(version(whole.path()), VERSION);
            let expected = everything(whole.path());
            for found in 1..VERSION {
                for statements in 0.. {
                    let folder = copy(&old(name));
                    let connection = connect(&folder.path().join(STORE)).unwrap();
                    // Every page that is dirty goes to the log at once.
                    connection.pragma_update(None, "cache_size", 1).unwrap();
                    STEPS[1..found as usize]
                        .iter()
                        .for_each(|step| connection.execute_batch(step).unwrap());
                    connection.pragma_update(None, "user_version", found).unwrap();
                    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
                    let step = STEPS[found as usize];
                    let mut batch = rusqlite::Batch::new(&connection, step);
                    let mut taken = 0;
                    while taken < statements {
                        let Some(mut statement) = batch.next().unwrap() else { break };
                        statement.execute([]).unwrap();
                        taken += 1;
                    }
                    // What a kill leaves at this moment.
                    let left = copy(folder.path());
                    drop(Store::open(left.path()).unwrap());
                    assert_eq!(version(left.path()), VERSION);
                    assert_eq!(everything(left.path()), expected, "{name}, {statements}");
                    if taken < statements {
                        break;
                    }
                }
            }
        }
    }

    #[test]
    fn a_store_of_any_earlier_version_says_what_it_knows_of_calls_and_stays_as_it_is() {
        for found in 1..VERSION {
            let folder = copy(&old("samples"));
            let connection = connect(&folder.path().join(STORE)).unwrap();
            for step in &STEPS[1..found as usize] {
                connection.execute_batch(step).unwrap();
            }
            connection.pragma_update(None, "user_version", found).unwrap();
            drop(connection);
            let looked = crate::store::sqlite::open_readonly(folder.path(), |store| {
                let mut places = Vec::new();
                store.for_each_call(|call| places.push(call.place))?;
                store.all_attempts()?;
                places.iter().for_each(|place| assert_eq!(*place, None));
                Ok::<_, StoreError>((!places.is_empty(), store.sessions()?[0].places.clone()))
            });
            assert_eq!(looked.unwrap(), Some((true, Vec::new())), "version {found}");
            assert_eq!(version(folder.path()), found);
        }
    }

    #[test]
    fn what_was_words_in_a_text_is_a_column_afterwards_and_for_whoever_looks_before() {
        let folder = copy(&old("samples"));
        let change = "UPDATE lives SET ending = 'stopped, asks dropped' WHERE id = 1";
        Connection::open(folder.path().join(STORE)).unwrap().execute(change, []).unwrap();
        let found = |connection: &Connection| -> (i64, i64, i64) {
            let sql =
                "SELECT (SELECT sum(together) FROM settings), (SELECT sum(dropped) FROM lives),
                       (SELECT count(*) FROM answer_facts)";
            connection
                .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .unwrap()
        };
        let looked = crate::store::sqlite::open_readonly(folder.path(), |store| {
            Ok::<_, StoreError>(found(&store.reader.connection))
        });
        assert_eq!(looked.unwrap(), Some((1, 1, 0)));
        assert_eq!(version(folder.path()), 1, "who looks changes nothing");
        let (store, _) = Store::open(folder.path()).unwrap();
        assert_eq!(found(&store.reader.connection), (1, 1, 0));
    }
}
