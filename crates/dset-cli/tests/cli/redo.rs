//! `dset redo`: rows are asked again, and what they had is kept until something better is there.

use crate::checks::{STORED, arithmetic, service};
use crate::common::{Folder, Ran, Service};
use dset_mock::MockSettings;

#[test]
fn redo_asks_the_named_rows_again_and_no_others_and_keeps_what_was_there() {
    let (folder, answers) = arithmetic(12);
    let service = service(answers, 0.0);
    service.run(&folder, &[]).exits(0);
    let redo = |words: &[&str]| {
        let url = service.url();
        let more = ["--base-url", &url, "--key", "none"];
        folder.dset(&[&["redo"], words, &more].concat())
    };
    redo(&["3-5"]).exits(0);
    assert_eq!((service.stats().asked, folder.count(STORED)), (15, 15));
    redo(&["--where", r#"question is startingwith('Box 1 ')"#]).exits(0);
    assert_eq!((service.stats().asked, folder.count(STORED)), (16, 16));
    assert_eq!(folder.agreed().len(), 12, "a row is not written twice");
    folder.dset(&["export", "--rebuild"]).exits(0);
    assert_eq!(folder.agreed().len(), 12);
    folder.dset(&["verify"]).exits(0);
    redo(&["--failed"]).exits(2).says("no row is to be asked again");
    redo(&["99"]).exits(2).says("there is no question 99").says("12 questions");
    folder.dset(&["show", "3"]).exits(0).tells("set aside");
    service.run(&folder, &[]).exits(0);
    assert_eq!(service.stats().asked, 16);
}

#[test]
fn redo_that_is_refused_withdraws_nothing() {
    let (folder, answers) = arithmetic(6);
    let service = service(answers, 0.0);
    service.run(&folder, &[]).exits(0);
    let url = service.url();
    let other = ["redo", "1-4", "--base-url", &url, "--key", "none", "-s", "other"];
    folder.dset(&other).exits(2).says("6 answers");
    assert_eq!(folder.dset(&["status", "--json"]).exits(0).json()["ledger"]["answered"], 6);
    service.run(&folder, &[]).exits(0);
    assert_eq!(service.stats().asked, 6);
}

#[test]
fn an_answer_in_whose_place_nothing_came_counts_again() {
    let (folder, answers) = arithmetic(6);
    let friendly = service(answers, 0.0);
    friendly.run(&folder, &[]).exits(0);
    let refusing = Service::with(&["Box 2 =401"]);
    let at = |url: &str| ["--base-url", url, "--key", "none"].map(str::to_owned);
    let redo = |rows: &str, service: &Service, exit| {
        let url = service.url();
        let words = [vec!["redo".to_owned(), rows.to_owned()], at(&url).to_vec()].concat();
        folder.dset(&words.iter().map(String::as_str).collect::<Vec<_>>()).exits(exit);
    };
    redo("2", &refusing, 4);
    let answered =
        || folder.dset(&["status", "--json"]).exits(0).json()["ledger"]["answered"].clone();
    assert_eq!(answered(), 6);
    redo("2", &friendly, 0);
    assert_eq!((answered(), folder.count(STORED)), (6.into(), 7));
    let asked = friendly.stats().asked;
    friendly.run(&folder, &[]).exits(0);
    assert_eq!(friendly.stats().asked, asked);
    assert_eq!(folder.agreed().len(), 6);
}

#[test]
fn redo_of_failed_rows_begins_their_tries_anew() {
    let (folder, answers) = arithmetic(20);
    let service = service(answers, 0.5);
    let fresh = ["--gold", "gold", "--on-fail", "retry", "--retry", "fresh", "--tries", "2"];
    service.run(&folder, &fresh).exits(3);
    let failed = 20 - folder.agreed().len() as u64;
    let asked = service.stats().asked;
    let url = service.url();
    let more = ["--base-url", &url, "--key", "none", "--gold", "gold", "--on-fail", "retry"];
    folder.dset(&[&["redo", "--failed"], &more[..]].concat()).exits(0);
    assert_eq!(service.stats().asked, asked + 2 * failed, "a fresh one, and one that mends");
    assert_eq!(folder.agreed().len(), 20);
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn rows_are_asked_again_as_the_run_asked_them_and_no_others() {
    let folder = Folder::with("question,gold\nWhat is 2+2?,4\nWhat is 3+3?,wrong\n");
    let line = |question: &str, answer: &str| {
        format!(r#"{{"metadata":{{"question":"{question}"}},"response":{{"answer":"{answer}"}}}}"#)
    };
    let lines = [line("What is 2+2?", "4"), line("What is 3+3?", "6")].join("\n");
    folder.write("answers.jsonl", lines);
    let service = service(folder.path("answers.jsonl"), 0.0);
    let url = service.url();
    let at = ["--base-url", &url, "--key", "none"];
    let checked = ["--gold", "gold", "--on-fail", "mark", "--samples", "2"];
    let all = [&at[..], &checked].concat();
    folder.dset(&[&["run"], &all[..]].concat()).exits(3);
    assert_eq!(service.stats().asked, 4);
    folder
        .dset(&[&["redo", "1", "-o", "nowhere"], &all[..]].concat())
        .exits(2)
        .says("nothing was asked");
    assert!(!folder.path("nowhere").exists());
    folder.dset(&[&["redo", "1"], &all[..]].concat()).exits(0);
    assert_eq!(service.stats().asked, 6);
    assert!(folder.read("q.csv").contains("ERROR"));
    folder.dset(&["status"]).tells("dset redo --base-url").tells("with the same checks as before");
    let ran = folder.dset(&[&["redo", "--where", "gold == 4"], &all[..]].concat());
    ran.exits(0);
    assert_eq!(service.stats().asked, 8);
    let report = folder.dset(&[&["check", "--json"], &checked[..]].concat()).exits(3).json();
    assert_eq!((&report["accepted"], &report["not_accepted"]["count"]), (&2.into(), &2.into()));
    folder.dset(&["verify"]).tells("answers that do not count any more");
}

/// Runs a command against a service.
fn ask(service: &Service, folder: &Folder, words: &[&str], more: &[&str]) -> Ran {
    let url = service.url();
    folder.dset(&[words, &["--base-url", &url, "--key", "none"], more].concat())
}

fn status(folder: &Folder) -> serde_json::Value {
    folder.dset(&["status", "--json"]).exits(0).json()["ledger"].clone()
}

/// The line of the end among the events of a run.
fn end(ran: &Ran) -> serde_json::Value {
    let mut events = ran.out.lines().map(|line| serde_json::from_str(line).unwrap());
    events.rfind(|event: &serde_json::Value| event["event"] == "end").unwrap()
}

const SCHEMA: &str = r#"{"type": "object", "properties": {"n": {"type": "integer"}},
    "required": ["n"], "additionalProperties": false}"#;

fn with_schema(questions: &str) -> Folder {
    let folder = Folder::with(questions);
    folder.write("s.json", SCHEMA);
    folder
}

#[test]
fn an_accepted_answer_gives_way_to_an_accepted_one_alone() {
    let folder = with_schema("question\nHow many?\nHow much?\n");
    let friendly = Service::friendly();
    let fits = ["--schema", "s.json", "--tries", "1", "-c", "1"];
    friendly.run(&folder, &fits).exits(0);
    let rows = folder.rows();
    let refusing = Service::with(&["many=no-schema", "much=400"]);
    let ran = ask(&refusing, &folder, &["redo", "1-2"], &fits).exits(3);
    ran.says("0 of 2 answered and saved, 2 keep the answers they had").says("show N");
    assert_eq!(folder.count("SELECT count(*) FROM answers"), 3, "the one that failed is kept");
    assert_eq!(status(&folder)["answered"], 2);
    assert!(!folder.read("q.csv").contains("ERROR"));
    folder.dset(&["verify"]).exits(0);
    let again = ask(&refusing, &folder, &["redo", "2"], &[&fits[..], &["--json"]].concat());
    let ended = end(&again.exits(3));
    assert_eq!((&ended["questions"], &ended["failed"]), (&1.into(), &1.into()));
    assert_eq!(ended["keep_answer"], 1);
    friendly.run(&folder, &fits).exits(0);
    folder.dset(&["export", "--rebuild"]).exits(0);
    assert_eq!(folder.rows(), rows);
}

#[test]
fn every_try_of_a_row_counts_no_more_where_it_is_asked_again() {
    let folder = with_schema("question\nHow many?\n");
    let service = Service::with(&["many=no-schema*2"]);
    let fits = ["--schema", "s.json"];
    service.run(&folder, &fits).exits(0);
    assert_eq!(service.stats().asked, 3);
    // A row that was accepted at its last try has all its tries again.
    let late = Service::with(&["many=no-schema*1"]);
    ask(&late, &folder, &["redo", "1"], &[&fits[..], &["--tries", "2"]].concat()).exits(0);
    assert_eq!(late.stats().asked, 2);
    assert_eq!((status(&folder)["answered"].clone(), folder.count(STORED)), (1.into(), 5));
    let never = Service::with(&["many=no-schema"]);
    ask(&never, &folder, &["redo", "1"], &fits).exits(3);
    assert_eq!(never.stats().asked, 3);
    let checked = folder.dset(&["check", "--schema", "s.json"]).exits(0);
    assert!(!checked.out.contains("newly accepted"), "{}", checked.out);
    folder.dset(&["verify"]).exits(0);
    // What is set aside is not what a check finds: the row that fails anew counts as failed.
    folder.sql("INSERT OR IGNORE INTO set_aside SELECT id FROM answers WHERE id <= 5");
    let checked = folder.dset(&["check", "--schema", "s.json", "--json"]).exits(3).json();
    assert_eq!((&checked["accepted"], &checked["newly_accepted"]["count"]), (&0.into(), &0.into()));
}

#[test]
fn where_enough_samples_are_accepted_anew_none_of_before_comes_back() {
    let folder = with_schema("question\nHow many?\n");
    let service = Service::with(&["many=no-schema*1"]);
    let best = ["--schema", "s.json", "--tries", "1", "-c", "1", "--samples", "2", "--enough", "1"];
    service.run(&folder, &best).exits(0);
    assert_eq!(service.stats().asked, 2, "the second sample is accepted");
    ask(&service, &folder, &["redo", "1"], &best).exits(0);
    assert_eq!(service.stats().asked, 3);
    folder.dset(&["export", "--rebuild"]).exits(0);
    assert_eq!(folder.rows().len(), 1);
    assert_eq!(status(&folder)["answered"], 1);
    folder.dset(&["verify"]).exits(0);
    service.run(&folder, &best).exits(0);
    assert_eq!(service.stats().asked, 3);
}

#[test]
fn a_run_says_that_the_outputs_have_the_answers_before() {
    let (folder, answers) = arithmetic(4);
    let service = service(answers, 0.0);
    service.run(&folder, &[]).exits(0);
    ask(&service, &folder, &["redo", "2-3"], &[])
        .exits(0)
        .says("2 rows of the outputs still have the answer before: `dset export --rebuild`");
    let ended = end(&ask(&service, &folder, &["redo", "3"], &["--json"]).exits(0));
    assert_eq!((&ended["outdated"], &ended["questions"]), (&2.into(), &1.into()));
    service.run(&folder, &[]).exits(0).says("2 rows of the outputs still have");
    folder.dset(&["export", "--rebuild"]).exits(0);
    let after = service.run(&folder, &[]).exits(0);
    assert!(!after.err.contains("of the outputs still"), "{}", after.err);
}

#[test]
fn a_redo_that_is_cut_short_goes_on_with_the_rows_that_are_left() {
    let (folder, answers) = arithmetic(6);
    let friendly = service(answers, 0.0);
    friendly.run(&folder, &[]).exits(0);
    let poor = Service::start(MockSettings { money: Some(2), ..MockSettings::default() });
    ask(&poor, &folder, &["redo", "2-5"], &["-c", "1"]).exits(5).says("dset redo 2-5 --base-url");
    assert_eq!(status(&folder)["answered"], 6);
    folder.dset(&["verify"]).exits(0);
    let nobody = ["redo", "3", "--base-url", "http://127.0.0.1:1/v1", "--key", "none"];
    let ran = folder.dset(&[&nobody[..], &["--retries", "0"]].concat()).exits(6);
    ran.says("dset redo 3 --base-url");
    assert!(!folder.read("q.csv").contains("ERROR"));
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn a_row_asked_again_with_other_settings_stands_in_the_outputs_once() {
    let (folder, answers) = arithmetic(3);
    let service = service(answers, 0.0);
    service.run(&folder, &[]).exits(0);
    let other = ["-s", "Be brief.", "--continue"];
    ask(&service, &folder, &["redo", "2"], &other).exits(0).says("1 row of the outputs still has");
    assert_eq!(folder.dset(&["verify", "--json"]).exits(0).json()["answers"], 4);
    service.run(&folder, &other).exits(0);
    assert_eq!(folder.agreed().len(), 3, "a row is not written twice");
    // Whichever settings are those of the last run.
    for last in [&[][..], &other] {
        service.run(&folder, last).exits(0);
        assert_eq!(folder.agreed().len(), 3, "a row is not written twice");
        let object = folder.dset(&["export", "--to", "a.jsonl", "--json"]).exits(0).json();
        assert_eq!((&object["rows"], &object["left_out"]["gone"]), (&3.into(), &0.into()));
        folder.dset(&["show", "2"]).exits(0).tells("set aside");
    }
    let rebuilt = folder.dset(&["export", "--rebuild"]).exits(0);
    let rebuilt = rebuilt.tells("1 row with another answer than before");
    assert!(!rebuilt.out.contains("left out"), "{}", rebuilt.out);
    assert_eq!(folder.agreed().len(), 3);
    folder.dset(&["verify"]).exits(0);
    // One that fails under the new settings leaves the answer that there is.
    let refusing = Service::with(&["Box 3=length"]);
    ask(&refusing, &folder, &["redo", "3"], &other).exits(3);
    assert_eq!(status(&folder)["answered"], 3);
    service.run(&folder, &other).exits(0);
    assert_eq!(folder.agreed().len(), 3);
}

#[test]
fn an_answer_of_before_that_a_redo_leaves_is_accepted_by_check_as_well() {
    let (folder, answers) = arithmetic(3);
    let gold = ["--gold", "gold"];
    let right = service(answers.clone(), 0.0);
    right.run(&folder, &[&gold[..], &["-s", "Be brief."]].concat()).exits(0);
    right.run(&folder, &[&gold[..], &["--continue"]].concat()).exits(0);
    ask(&service(answers, 1.0), &folder, &["redo", "1"], &gold).exits(3);
    assert_eq!(status(&folder)["answered"], 3);
    for more in [&[][..], &["--apply"], &[]] {
        let told = folder.dset(&[&["check", "--json"], &gold[..], more].concat()).exits(0).json();
        assert_eq!((&told["answers"], &told["accepted"]), (&4.into(), &3.into()));
        assert_eq!((&told["newly_failed"]["count"], &told["to_ask"]), (&0.into(), &0.into()));
        assert_eq!(status(&folder)["answered"], 3);
    }
}

#[test]
fn rows_that_are_not_asked_keep_their_marks() {
    let folder = with_schema("question\nHow many?\nHow much?\n");
    let service = Service::with(&["many=no-schema*1", "much=no-schema*0"]);
    let both = ["--schema", "s.json", "--tries", "1", "--samples", "2", "-c", "1"];
    service.run(&folder, &both).exits(3);
    assert_eq!(folder.read("q.csv").matches("ERROR").count(), 1);
    ask(&service, &folder, &["redo", "2"], &both).exits(0);
    assert!(folder.read("q.csv").contains("How many?,ERROR"), "{}", folder.read("q.csv"));
    let chosen = [&both[..], &["--where", "question is startingwith('How much')"]].concat();
    service.run(&folder, &chosen).exits(0);
    assert!(folder.read("q.csv").contains("How many?,ERROR"));
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn under_other_checks_the_rows_that_are_not_chosen_are_a_decision() {
    let (folder, answers) = arithmetic(10);
    let service = service(answers, 0.0);
    service.run(&folder, &[]).exits(0);
    let strict = ["--check", "length=..1", "--on-fail", "retry", "--tries", "2"];
    let refused = ask(&service, &folder, &["redo", "1"], &strict).exits(2);
    refused.says("9 answers that were accepted").says("--continue").says("dset run --base-url");
    let of_one = ["redo", "--where", "question is startingwith('Box 1 ')"];
    let refused = ask(&service, &folder, &of_one, &strict).exits(2);
    let refused = refused.says("9 answers that were accepted").says("--again-failed");
    let run = refused.err.lines().find(|line| line.contains("--again-failed")).unwrap();
    assert!(!run.contains("--where"), "{run}");
    assert_eq!(service.stats().asked, 10);
    // The rows that are meant need none, where they are all.
    let all = folder.copy();
    ask(&service, &all, &["redo", "1-10"], &strict).exits(3);
    assert_eq!(service.stats().asked, 30);
    // What is kept for the one is kept for the next run, too.
    ask(&service, &folder, &["redo", "1", "--continue"], &strict).exits(3);
    assert_eq!(service.stats().asked, 32);
    service.run(&folder, &strict).exits(3);
    assert_eq!(service.stats().asked, 32);
    folder.dset(&["verify"]).exits(0);
}

#[cfg(unix)]
#[test]
fn a_row_that_failed_under_other_settings_is_asked_again_with_all_its_tries() {
    let (folder, answers) = arithmetic(6);
    let service = service(answers, 0.0);
    folder.write("judge.sh", "#!/bin/sh\nwhile read -r line; do cat verdict; done\n");
    folder.shell("chmod +x judge.sh").exits(0);
    folder.write("verdict", "{\"ok\": true}\n");
    for (on_fail, times) in [("mark", 1), ("retry", 2)] {
        let folder = folder.copy();
        let before = service.stats().asked;
        let asked = || service.stats().asked - before;
        let judged = ["--check", "command=./judge.sh", "--on-fail", on_fail, "--tries", "2"];
        service.run(&folder, &judged).exits(0);
        let rows = folder.agreed();
        folder.write("verdict", "{\"ok\": false, \"why\": \"no\"}\n");
        let other = [&judged[..], &["-s", "Be brief.", "--continue"]].concat();
        for round in 1..=2 {
            ask(&service, &folder, &["redo", "1-3"], &other)
                .exits(3)
                .says("0 of 3 answered and saved, 3 keep the answers they had");
            assert_eq!(asked(), 6 + round * 3 * times);
        }
        folder.write("verdict", "{\"ok\": true}\n");
        ask(&service, &folder, &["redo", "1-3"], &other).exits(0);
        assert_eq!(asked(), 6 + 2 * 3 * times + 3);
        assert_eq!(status(&folder)["answered"], 6);
        service.run(&folder, &other).exits(0);
        assert_eq!(asked(), 6 + 2 * 3 * times + 3);
        assert_eq!(folder.agreed(), rows, "a row is not written twice");
        folder.dset(&["export", "--rebuild"]).exits(0);
        assert_eq!(folder.agreed().len(), 6);
        folder.dset(&["verify"]).exits(0);
    }
}
