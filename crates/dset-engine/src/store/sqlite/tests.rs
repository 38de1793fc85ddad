use rusqlite::Connection;

use super::limits::VERSION;
use super::reader::{Reader, row_sql};
use super::*;
use crate::store::error::StoreError;

#[test]
fn a_store_is_made_once_and_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    Store::open(folder.path()).unwrap().0.set_meta("edition", 3).unwrap();
    assert_eq!(Store::open(folder.path()).unwrap().0.generation().unwrap(), 3);
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

#[test]
fn runs_of_one_millisecond_are_one_to_a_merge_only_where_they_are_one() {
    for is_old in [false, true] {
        let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let [mut one, mut other, mut all] =
            [0, 1, 2].map(|at: usize| Store::open(folders[at].path()).unwrap().0);
        for (key, store) in [(1, &mut one), (2, &mut other)] {
            store.begin_life(7, 1, "http://a", &[]).unwrap();
            let line = format!(
                r#"{{"key":{all:?},"question_hash":{all:?},"settings":1,"edition":0,"life":1,"row":{key},
                "answered_at":9,"question":"q","reasoning":"","answer":"a","metadata":{{}}}}"#,
                all = [key; 16]
            );
            let amount = dset_core::money::Amount::from_picodollars;
            let (bound, unsure) = (amount(i64::from(key) * 100), amount(0));
            let bound =
                crate::store::Write::BoundDeclared { life: 1, bound, unsure, is_last: false };
            let new = serde_json::from_str(&line).unwrap();
            store.commit(&[crate::store::Write::Answered(Box::new(new)), bound]).unwrap();
            if is_old {
                store.connection().execute("UPDATE lives SET identity = NULL", []).unwrap();
            }
        }
        let found = |all: &mut Store| -> (i64, i64, i64) {
            let sql = "SELECT (SELECT count(*) FROM lives), (SELECT sum(bound) FROM bounds),
                              (SELECT count(DISTINCT life) FROM answers)";
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            all.connection().query_row(sql, [], read).unwrap()
        };
        for _ in 0..2 {
            all.take_in(&one).unwrap();
            all.take_in(&other).unwrap();
            assert_eq!(found(&mut all), (2, 300, 2), "old: {is_old}");
        }
        // What is said later counts, and what was said before does not come back.
        let before = tempfile::tempdir().unwrap();
        let (mut earlier, _) = Store::open(before.path()).unwrap();
        earlier.take_in(&one).unwrap();
        let amount = dset_core::money::Amount::from_picodollars;
        let last = [
            crate::store::Write::BoundDeclared {
                life: 1,
                bound: amount(60),
                unsure: amount(0),
                is_last: true,
            },
            crate::store::Write::SessionEnded {
                life: 1,
                at: 11,
                ending: "complete".into(),
                dropped: false,
            },
        ];
        one.commit(&last).unwrap();
        for store in [&one, &earlier] {
            all.take_in(store).unwrap();
            assert_eq!(found(&mut all), (2, 260, 2), "old: {is_old}");
        }
        let ended = "SELECT count(*) FROM lives WHERE ended_at IS NOT NULL";
        assert_eq!(all.connection().query_row(ended, [], |row| row.get(0)), Ok(1));
    }
}

#[test]
fn an_answer_gives_way_in_a_merge_only_to_what_is_merged_too() {
    let answer = |try_number: u32, at: u32, text: &str| {
        let line = format!(
            r#"{{"key":{key:?},"question_hash":{key:?},"settings":1,"edition":0,"life":1,"row":2,
            "answered_at":{at},"question":"q","reasoning":"","answer":"{text}","metadata":{{}},
            "try_number":{try_number}}}"#,
            key = [1; 16]
        );
        crate::store::Write::Answered(Box::new(serde_json::from_str(&line).unwrap()))
    };
    for both_give_way in [false, true] {
        let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let [mut one, mut other, mut all] =
            [0, 1, 2].map(|at: usize| Store::open(folders[at].path()).unwrap().0);
        let aside = crate::store::Write::SetAside(1);
        one.commit(&[answer(1, 7, "before"), answer(2, 8, "accepted")]).unwrap();
        one.commit(std::slice::from_ref(&aside)).unwrap();
        other.commit(&[answer(1, 7, "before"), answer(2, 9, "another")]).unwrap();
        if both_give_way {
            other.commit(&[aside]).unwrap();
        }
        for time in 0..2 {
            all.take_in(&other).unwrap();
            let merged = all.take_in(&one).unwrap();
            assert_eq!(merged.bought_twice, u64::from(both_give_way));
            let is_taken = time == 0 && !both_give_way;
            assert_eq!(merged.taken, u64::from(is_taken));
            let sql = "SELECT group_concat(try || answer, ' ') FROM
                       (SELECT t.try, a.answer FROM later_tries t JOIN answers a ON a.id = t.answer ORDER BY 1)";
            let tries: String = all.connection().query_row(sql, [], |row| row.get(0)).unwrap();
            let expected = if both_give_way { "2another" } else { "2another 3accepted" };
            assert_eq!(tries, expected);
            let aside = all.set_aside().unwrap();
            assert_eq!([1, 2, 3].map(|id| aside.has(id)), [true, false, false]);
        }
    }
}

#[test]
fn an_answer_with_a_damaged_text_is_named_and_not_merged_and_its_cost_is() {
    let answer = |key: u8, try_number: u32, at: u32| {
        let line = serde_json::json!({
            "key": vec![key; 16], "question_hash": vec![key; 16], "settings": 1, "edition": 0, "life": 1,
            "row": key, "answered_at": at, "question": "q", "reasoning": "",
            "answer": format!("{at} is an answer ").repeat(30), "metadata": {"output_tokens": 5},
            "try_number": try_number,
        });
        crate::store::Write::Answered(Box::new(serde_json::from_value(line).unwrap()))
    };
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let [mut one, mut all] = [0, 1].map(|at: usize| Store::open(folders[at].path()).unwrap().0);
    one.begin_life(1, 1, "http://a", &[]).unwrap();
    one.commit(&[answer(1, 1, 7), answer(2, 1, 8), answer(3, 1, 9), answer(2, 2, 10)]).unwrap();
    one.commit(&[crate::store::Write::SetAside(2)]).unwrap();
    let damage = "UPDATE answers SET reasoning = CAST(substr(reasoning, 1, 12) || x'00' || substr(reasoning, 14) AS BLOB)
                  WHERE id IN (1, 2)";
    one.connection().execute(damage, []).unwrap();
    assert_eq!(one.damaged_texts().unwrap(), [(1, Some(1)), (2, Some(2))]);
    for time in 0..2 {
        let merged = all.take_in(&one).unwrap();
        assert_eq!(merged.damaged, 1, "one that was replaced is missed by nobody");
        assert_eq!(merged.first_damaged, [(folders[0].path().to_owned(), Some(1))]);
        assert_eq!([merged.taken, merged.known, merged.bought_twice], [[2, 0, 0], [0, 2, 0]][time]);
        let sql = "SELECT group_concat(row || '/' || answered_at, ' ') FROM
                   (SELECT a.row, a.answered_at FROM keys k JOIN answers a ON a.id = k.answer ORDER BY 1)";
        let kept: String = all.connection().query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(kept, "2/10 3/9", "where the tries before it are lost it is the first");
        let mut tokens = 0;
        all.for_each_call(|call| tokens += call.tokens.output.unwrap_or(0)).unwrap();
        assert_eq!(tokens, 20);
    }
    // A copy of it that is whole is taken in, and makes one whole that is damaged here.
    let [whole, mended] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let (mut copy, _) = Store::open(whole.path()).unwrap();
    copy.commit(&[answer(1, 1, 7)]).unwrap();
    assert_eq!(all.take_in(&copy).unwrap().taken, 1);
    let (mut here, _) = Store::open(mended.path()).unwrap();
    here.commit(&[answer(1, 1, 7)]).unwrap();
    here.connection().execute(damage, []).unwrap();
    assert_eq!(here.damaged_texts().unwrap().len(), 1);
    let merged = here.take_in(&copy).unwrap();
    assert_eq!((merged.taken, merged.known, merged.damaged), (0, 1, 0));
    assert_eq!(here.damaged_texts().unwrap(), []);
    // Nothing gives way to one that is not taken in, and what is here as another try is here.
    let [redone, kept] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let (mut redo, _) = Store::open(redone.path()).unwrap();
    redo.commit(&[answer(4, 1, 7), answer(4, 2, 8)]).unwrap();
    redo.commit(&[crate::store::Write::SetAside(1)]).unwrap();
    redo.connection().execute(&damage.replace("IN (1, 2)", "= 2"), []).unwrap();
    assert_eq!(redo.damaged_texts().unwrap(), [(2, Some(4))]);
    let (mut here, _) = Store::open(kept.path()).unwrap();
    here.commit(&[answer(4, 1, 7), answer(4, 2, 9)]).unwrap();
    let _ = here.take_in(&redo).unwrap();
    assert!(!here.set_aside().unwrap().has(1));
    let elsewhere = tempfile::tempdir().unwrap();
    let (mut other, _) = Store::open(elsewhere.path()).unwrap();
    other.commit(&[answer(4, 1, 9)]).unwrap();
    let merged = here.take_in(&other).unwrap();
    assert_eq!((merged.taken, merged.known, merged.bought_twice), (0, 1, 0));
}

#[test]
fn the_reply_that_was_kept_is_that_of_its_own_answer() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(folder.path()).unwrap();
    let attempt = |key: u8| {
        crate::store::Write::Attempted(crate::store::entry::NewAttempt {
            life: 1,
            at: i64::from(key),
            row: 2,
            question: [1; 16],
            key: [key; 16],
            attempt: 1,
            seconds: 0.5,
            cause: "empty".into(),
            status: Some(200),
            message: String::new(),
            request_id: None,
            input_tokens: None,
            output_tokens: None,
            cached_tokens: None,
            cost: None,
            cost_most: None,
            model: None,
            place: None,
            written: Default::default(),
            body: Some(vec![key]),
        })
    };
    store.commit(&[attempt(1), attempt(2)]).unwrap();
    let tried = store.attempts_by_question(&[[1; 16]].into()).unwrap().remove(&[1; 16]).unwrap();
    for key in [[1; 16], [2; 16]] {
        assert_eq!(tried[&key].key, key);
        assert_eq!(store.kept_reply(&key, 9).unwrap(), Some(vec![key[0]]));
    }
}

#[test]
fn a_redo_of_another_generation_or_that_was_done_since_is_not_open() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(folder.path()).unwrap();
    let begin = |generation: u32, rows: &str, asked: &str| {
        let settings =
            SettingsRow { hash: vec![generation as u8; 16], generation, ..SettingsRow::default() };
        let settings = store.take_settings(&settings).unwrap();
        let life = store.begin_life(1, settings, "http://a", &[]).unwrap();
        let (rows, asked) = (rows.to_owned(), asked.to_owned());
        store.save_redo(&OpenRedo { rows, asked, last_before: 1, began: 1, life }).unwrap();
        life
    };
    begin(0, "1-4", "one");
    begin(0, "7", "one");
    let other = begin(0, "1-4", "two");
    let open = |store: &Store| {
        store.open_redos().unwrap().into_iter().map(|redo| redo.rows).collect::<Vec<_>>()
    };
    assert_eq!(open(&store), ["1-4", "7", "1-4"]);
    let ending = "complete".to_owned();
    store
        .commit(&[crate::store::Write::SessionEnded { life: other, at: 2, ending, dropped: false }])
        .unwrap();
    assert_eq!(open(&store), ["7"]);
    store.set_meta("edition", 1).unwrap();
    assert!(open(&store).is_empty());
}

#[test]
fn answers_that_all_came_from_elsewhere_were_accepted_on_the_terms_of_their_job() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(folder.path()).unwrap();
    let terms = |fingerprint: u8| {
        let line = format!(
            r#"{{"fingerprint":{:?},"on_fail":["retry"],"tries":4,"retry":"reasons"}}"#,
            [fingerprint; 16]
        );
        serde_json::from_str::<dset_core::acceptance::Terms>(&line).unwrap()
    };
    let now = terms(1);
    assert_eq!(store.terms_before(&now).unwrap(), None, "answers without runs were all accepted");
    let life = LifeRow { started_at: 1, endpoint: "http://a".into(), ..LifeRow::default() };
    store.take_life(&life, &std::collections::HashSet::new(), true).unwrap();
    assert_eq!(store.terms_before(&now).unwrap(), Some(now.clone()));
    store.begin_life(2, 1, "http://a", &[]).unwrap();
    assert_eq!(store.terms_before(&now).unwrap(), None, "a run that held them against nothing");
    store.save_terms(&terms(2)).unwrap();
    assert_eq!(store.terms_before(&now).unwrap(), Some(terms(2)));
}
