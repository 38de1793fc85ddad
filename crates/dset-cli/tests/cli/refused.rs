//! A run that is refused or declined at its very beginning: nothing that it decides is remembered.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rusqlite::types::Value;

use crate::common::pty::Pty;
use crate::common::{Folder, Service, questions};
use dset_mock::MockSettings;

/// A folder of before, and the decisions of a run that is refused there.
struct Case {
    name: &'static str,
    questions: String,
    before: &'static [&'static [&'static str]],
    decisions: &'static [&'static str],
}

fn cases() -> Vec<Case> {
    let marked = "question,status\none,\ntwo,\nthree,ERROR\nfour,\n".to_owned();
    let case = |name, before, decisions| Case { name, questions: questions(6), before, decisions };
    vec![
        case("asked again", &[&[]], &["--again"]),
        case("other settings", &[&["-n", "3"]], &["-s", "Be brief.", "--continue"]),
        case("another check", &[&["-n", "3"]], &["--check", "matches=^never$", "--continue"]),
        case(
            "answers that were kept",
            &[
                &["-n", "3"],
                &["--check", "matches=^never$", "--on-fail", "mark", "--continue", "-n", "1"],
            ],
            &["--check", "matches=^never$", "--on-fail", "mark", "--again-failed"],
        ),
        case("other outputs", &[&["-n", "3"]], &["--formats", "jsonl", "--samples", "2"]),
        case("rows again", &[&[]], &["redo", "2"]),
        Case {
            questions: marked.clone(),
            ..case("before a bookmark", &[&["--from-bookmark", "-n", "1"]], &["--from-start"])
        },
        Case {
            questions: marked,
            ..case("taken as answered", &[&["--from-start", "-n", "1"]], &["--from-bookmark"])
        },
    ]
}

/// All files but the note of who had the folder last, and what the store says, but for what checks think of
/// answers, which is no decision.
fn left(folder: &Folder) -> (BTreeMap<PathBuf, Vec<u8>>, Vec<String>) {
    let mut files = folder.everything();
    files.retain(|path, _| !path.ends_with("dset.running") && !path.ends_with("dset.db"));
    let store = rusqlite::Connection::open(folder.path("dset_generator/dset.db")).unwrap();
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'verdicts'";
    let mut tables = store.prepare(tables).unwrap();
    let tables = tables.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let mut rows = Vec::new();
    for table in tables.map(Result::unwrap) {
        let mut all = store.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = all.column_count();
        let row = |row: &rusqlite::Row<'_>| {
            Ok((0..columns).map(|at| row.get_unwrap(at)).collect::<Vec<Value>>())
        };
        rows.extend(
            all.query_map([], row).unwrap().map(|row| format!("{table} {:?}", row.unwrap())),
        );
    }
    (files, rows)
}

#[test]
fn a_run_that_is_refused_has_decided_nothing() {
    for Case { name, questions, before, decisions } in cases() {
        let (folder, service) = (Folder::with(&questions), Service::friendly());
        for words in before {
            let ran = service.run(&folder, words);
            assert!(matches!(ran.code, Some(0 | 3)), "{name}: {}", ran.err);
        }
        let (before, asked) = (left(&folder), service.stats().asked);
        let url = service.url();
        let own = |key: &'static str| {
            let words = match decisions {
                ["redo", rest @ ..] => [&["redo", "--questions", "q.csv"], rest].concat(),
                words => [&["run"], words].concat(),
            };
            [
                words.iter().map(|word| (*word).to_owned()).collect(),
                vec!["--base-url".to_owned(), url.clone(), "--key".to_owned(), key.to_owned()],
            ]
            .concat()
        };
        let refused = |words: Vec<String>, code: i32| {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let ran = folder.dset(&words);
            assert_eq!(ran.code, Some(code), "{name}: {}", ran.err);
            assert!(left(&folder) == before, "{name}: {words:?}");
        };
        refused(own("NOT_THERE"), 4);
        if decisions[0] != "redo" {
            refused([own("none"), vec!["--forgive-lost".to_owned()]].concat(), 2);
        }
        assert_eq!(service.stats().asked, asked, "{name}");
    }
}

#[test]
fn a_run_whose_output_cannot_be_written_has_decided_nothing() {
    let (folder, service) = (Folder::with(&questions(6)), Service::friendly());
    service.run(&folder, &["-n", "3"]).exits(0);
    std::fs::remove_file(folder.path("dset_generator/output.csv")).unwrap();
    folder.write("dset_generator/output.csv/mine.txt", "mine");
    let before = left(&folder);
    service.run(&folder, &["-s", "Be brief.", "--continue"]).exits(1).says("is not a file");
    assert!(left(&folder) == before);
    assert_eq!(service.stats().asked, 3);
}

#[test]
fn whoever_declines_what_a_run_is_going_to_cost_has_decided_nothing() {
    let (folder, service) = (Folder::with(&questions(30)), Service::start(MockSettings::default()));
    folder.write("dset.toml", "[prices.mock-model]\ninput = 50000\noutput = 50000\n");
    let model = ["-m", "mock-model"];
    service.run(&folder, &model).exits(0);
    let before = left(&folder);
    let url = service.url();
    let all = ["run", "--base-url", &url, "--key", "none", "-m", "mock-model"];
    for decisions in [&["--again"][..], &["-s", "Be brief.", "--samples", "2", "--continue"]] {
        let mut terminal = Pty::start(&folder.command(&[&all, decisions].concat()), (100, 30), &[]);
        terminal.shows("Begin (y/n)");
        terminal.press("n\r");
        let (code, screen, _) = terminal.end();
        assert_eq!(code, 2, "{screen}");
        assert!(screen.contains("the run was not begun"), "{screen}");
        assert!(left(&folder) == before, "{decisions:?}");
    }
    service.run(&folder, &model).exits(0);
    assert_eq!(service.stats().asked, 30);
}
