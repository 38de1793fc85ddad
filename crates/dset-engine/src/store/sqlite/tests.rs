use rusqlite::Connection;

use super::limits::VERSION;
use super::store::{Reader, row_sql};
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
    Connection::open(&path).unwrap().pragma_update(None, "user_version", VERSION + 1).unwrap();
    let newer = Store::open(folder.path());
    assert!(matches!(newer, Err(StoreError::Newer { found, .. }) if found == VERSION + 1));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(STORE);
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE mine (x)").unwrap();
    assert!(matches!(Store::open(folder.path()), Err(StoreError::Foreign)));

    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join(STORE), "this is no database at all, but text\n".repeat(200))
        .unwrap();
    assert!(matches!(Store::open(folder.path()), Err(StoreError::Damaged(_))));
}

#[test]
fn a_statement_that_is_run_for_every_row_is_planned_once() {
    let folder = tempfile::tempdir().unwrap();
    let planned_again = |connection: &Connection| {
        for id in 1..4 {
            let mut statement = connection.prepare_cached(&row_sql()).unwrap();
            assert!(statement.query([id]).unwrap().next().unwrap().is_none());
        }
        let statement = connection.prepare_cached(&row_sql()).unwrap();
        statement.get_status(rusqlite::StatementStatus::RePrepare)
    };
    let (store, _) = Store::open(folder.path()).unwrap();
    assert_eq!(planned_again(&store.reader.connection), 0);
    let reader = Reader::open(&folder.path().join(STORE)).unwrap();
    assert_eq!(planned_again(&reader.connection), 0);
    open_readonly(folder.path(), |store| {
        assert_eq!(planned_again(&store.reader.connection), 0);
        Ok::<_, StoreError>(())
    })
    .unwrap();
}

#[test]
fn an_answer_that_is_judged_after_it_came_stays_one_also_where_the_tries_before_it_are_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(folder.path()).unwrap();
    let answer = |try_number: u32, is_known: bool| {
        let line = format!(
            r#"{{"key":{key:?},"question_hash":{key:?},"settings":1,"edition":0,"life":1,"row":2,
            "answered_at":7,"question":"q","reasoning":"","answer":"a","metadata":{{}},
            "try_number":{try_number},"is_known":{is_known}}}"#,
            key = [9; 16]
        );
        [crate::store::Write::Answered(Box::new(serde_json::from_str(&line).unwrap()))]
    };
    let came = store.commit(&answer(2, false)).unwrap();
    assert_eq!(store.commit(&answer(2, true)).unwrap(), came);
    let all = "SELECT count(*) FROM answers";
    assert_eq!(store.connection().query_row(all, [], |row| row.get(0)), Ok(1));
}

#[test]
fn what_an_answer_is_to_come_in_place_of_is_known_to_a_merged_store_until_it_is_judged() {
    let answer = |key: u8, try_number: u32, replaces: &[i64]| {
        let line = format!(
            r#"{{"key":{key:?},"question_hash":{key:?},"settings":1,"edition":0,"life":1,"row":2,
            "answered_at":7,"question":"q","reasoning":"","answer":"a","metadata":{{}},
            "try_number":{try_number},"replaces":{replaces:?}}}"#,
            key = [key; 16]
        );
        crate::store::Write::Answered(Box::new(serde_json::from_str(&line).unwrap()))
    };
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [mut one, mut all] = [0, 1].map(|at: usize| Store::open(folders[at].path()).unwrap().0);
    one.commit(&[answer(1, 1, &[]), answer(1, 2, &[1]), answer(2, 1, &[1])]).unwrap();
    all.commit(&[answer(3, 1, &[])]).unwrap();
    all.take_in(&one).unwrap();
    assert_eq!(all.to_replace().unwrap(), [(3, vec![2]), (4, vec![2])].into());
    let judged = |answer, outcome: &str| {
        let list = format!(r#"[{{"check":"command","outcome":"{outcome}"}}]"#);
        let list = Some(serde_json::from_str(&list).unwrap());
        let verdicts = NewVerdicts { acceptance: [1; 16], list };
        crate::store::Write::Judged { answer, verdicts }
    };
    all.commit(&[judged(3, "unknown"), judged(4, "failed")]).unwrap();
    assert_eq!(all.to_replace().unwrap(), [(3, vec![2])].into());
    all.commit(&[crate::store::Write::SetAside(2)]).unwrap();
    assert!(all.to_replace().unwrap().is_empty());
}
