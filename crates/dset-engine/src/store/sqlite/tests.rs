use rusqlite::Connection;

use super::*;
use crate::store::error::StoreError;

#[test]
fn a_store_is_made_once_and_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    Store::open(folder.path()).unwrap().0.set_meta("edition", 3).unwrap();
    assert_eq!(Store::open(folder.path()).unwrap().0.edition().unwrap(), 3);
}

#[test]
fn a_newer_store_a_foreign_one_and_a_damaged_one_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(STORE);
    Store::open(folder.path()).unwrap();
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 5).unwrap();
    assert!(matches!(Store::open(folder.path()), Err(StoreError::Newer { found: 4, .. })));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(STORE);
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE mine (x)").unwrap();
    assert!(matches!(Store::open(folder.path()), Err(StoreError::Foreign)));

    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join(STORE), "this is no database at all, but text\n".repeat(200))
        .unwrap();
    assert!(matches!(Store::open(folder.path()), Err(StoreError::Damaged(_))));
}
