//! `dset redo` that is killed or ends early: what was paid for is used, and the same command asks what is left.
#![cfg(unix)]

use crate::checks::{arithmetic, service};
use crate::common::{Folder, Going, Ran, Service, until};
use dset_mock::MockSettings;

fn words<'a>(service: &'a str, words: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [words, &["--base-url", service, "--key", "none"], more].concat()
}

fn begin(service: &Service, folder: &Folder, command: &[&str], more: &[&str]) -> Going {
    let url = service.url();
    Going { child: folder.command(&words(&url, command, more)).spawn().unwrap() }
}

fn ask(service: &Service, folder: &Folder, command: &[&str], more: &[&str], exit: i32) -> Ran {
    let url = service.url();
    folder.dset(&words(&url, command, more)).exits(exit)
}

fn answered(folder: &Folder) -> u64 {
    folder.dset(&["status", "--json"]).exits(0).json()["ledger"]["answered"].as_u64().unwrap()
}

/// A folder with a program that judges: while there is a `gate` it waits there, and then says what is in
/// `verdict`.
fn judged(rows: u64) -> (Folder, Service) {
    let (folder, answers) = arithmetic(rows);
    folder.write(
        "judge.sh",
        "#!/bin/sh\nwhile read -r line; do\nif [ -p gate ]; then echo one >>judging; read -r _ <gate; fi\ncat verdict\ndone\n",
    );
    folder.shell("chmod +x judge.sh").exits(0);
    folder.write("verdict", "{\"ok\": true}\n");
    (folder, service(answers, 0.0))
}

const JUDGED: [&str; 6] = ["--check", "command=./judge.sh", "--on-fail", "mark", "-c", "1"];

/// Kills a redo while the program judges the answer that came, which is durable.
fn kill_while_judging(folder: &Folder, service: &Service, command: &[&str]) {
    folder.shell("mkfifo gate").exits(0);
    let answers = || folder.count("SELECT count(*) FROM answers");
    let before = answers();
    let going = begin(service, folder, command, &JUDGED);
    until("the program judges", || folder.path("judging").exists());
    until("the answer is durable", || answers() > before);
    going.kill();
    folder.shell("echo >gate; rm gate judging").exits(0);
}

#[test]
fn an_answer_that_a_program_had_not_judged_takes_the_old_ones_place_once_it_is_accepted() {
    for command in [&["redo", "2"][..], &["run"]] {
        let (folder, service) = judged(3);
        service.run(&folder, &JUDGED).exits(0);
        kill_while_judging(&folder, &service, &["redo", "2"]);
        assert_eq!(folder.count("SELECT count(*) FROM set_aside"), 0, "the old one counts");
        assert_eq!((service.stats().asked, answered(&folder)), (4, 3));
        ask(&service, &folder, command, &JUDGED, 0);
        assert_eq!(service.stats().asked, 4, "{command:?}: nothing is bought twice");
        assert_eq!(answered(&folder), 3);
        let old = "SELECT count(*) FROM set_aside WHERE answer = 2";
        assert_eq!(folder.count(old), 1, "{command:?}");
        assert_eq!(folder.count("SELECT count(*) FROM replaces"), 0);
        folder.dset(&["export", "--rebuild"]).exits(0);
        assert_eq!(folder.count("SELECT answer FROM output_order WHERE position = 1"), 4);
        folder.dset(&["verify"]).exits(0);
        ask(&service, &folder, &["redo", "2"], &JUDGED, 0);
        assert_eq!(service.stats().asked, if command[0] == "run" { 4 } else { 5 }, "{command:?}");
    }
}

#[test]
fn an_answer_that_a_program_had_not_judged_leaves_the_old_one_where_it_is_not_accepted() {
    let (folder, service) = judged(3);
    service.run(&folder, &JUDGED).exits(0);
    kill_while_judging(&folder, &service, &["redo", "2"]);
    folder.write("verdict", "{\"ok\": false, \"why\": \"no\"}\n");
    ask(&service, &folder, &["redo", "2"], &JUDGED, 3)
        .says("0 of 1 answered and saved, 1 keeps the answer it had");
    assert_eq!((service.stats().asked, answered(&folder)), (4, 3));
    assert_eq!(
        folder.count("SELECT (SELECT count(*) FROM set_aside) + (SELECT count(*) FROM replaces)"),
        0
    );
    assert!(!folder.read("q.csv").contains("ERROR"));
    // It is done: the same command begins anew.
    folder.write("verdict", "{\"ok\": true}\n");
    ask(&service, &folder, &["redo", "2"], &JUDGED, 0);
    assert_eq!((service.stats().asked, answered(&folder)), (5, 3));
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn a_check_that_is_applied_lets_it_take_the_old_ones_place_too() {
    let (folder, service) = judged(3);
    service.run(&folder, &JUDGED).exits(0);
    kill_while_judging(&folder, &service, &["redo", "2"]);
    folder.dset(&["check", "--check", "command=./judge.sh", "--apply"]).exits(0);
    assert_eq!(folder.count("SELECT count(*) FROM set_aside WHERE answer = 2"), 1);
    assert_eq!((service.stats().asked, answered(&folder)), (4, 3));
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn a_redo_that_was_killed_asks_what_is_left_and_the_next_one_all_again() {
    let (folder, answers) = arithmetic(12);
    service(answers.clone(), 0.0).run(&folder, &[]).exits(0);
    let answers = Some(answers);
    let slow = Service::start(MockSettings { latency_ms: 60, answers, ..MockSettings::default() });
    let rows = ["redo", "--where", "question is startingwith('Box')"];
    let going = begin(&slow, &folder, &rows, &["-c", "2"]);
    until("some are there", || folder.count("SELECT count(*) FROM answers") >= 12 + 4);
    going.kill();
    let done = folder.count("SELECT count(*) FROM answers") as u64 - 12;
    let lost = slow.stats().asked - done;
    assert!(done < 12 && lost <= 2, "{done} done, {lost} lost");
    let open = || folder.dset(&["status", "--json"]).exits(0).json()["open_redos"].clone();
    assert_eq!(open()[0]["rows"], "--where question is startingwith('Box')");
    folder.dset(&["status"]).exits(0).tells("the same `dset redo` goes on");
    ask(&slow, &folder, &rows, &[], 0)
        .says("was cut short")
        .says(&format!("{done} of its 12 rows are done"))
        .says("All 12 questions processed successfully!");
    assert_eq!(slow.stats().asked, 12 + lost);
    assert!(open().as_array().unwrap().is_empty());
    assert_eq!(folder.count("SELECT count(*) FROM set_aside"), 12);
    ask(&slow, &folder, &rows, &[], 0);
    assert_eq!(slow.stats().asked, 24 + lost, "that one went to its end");
    assert_eq!(answered(&folder), 12);
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn a_redo_goes_on_only_with_the_same_rows_settings_and_checks() {
    let (folder, answers) = arithmetic(6);
    let friendly = service(answers, 0.0);
    friendly.run(&folder, &[]).exits(0);
    let poor = Service::start(MockSettings { money: Some(2), ..MockSettings::default() });
    let cut =
        |more: &[&str]| ask(&poor, &folder, &["redo", "1-4"], &[&["-c", "1"], more].concat(), 5);
    cut(&[]).says("dset redo 1-4 --base-url");
    let asked = |command: &[&str], more: &[&str]| {
        let (copy, before) = (folder.copy(), friendly.stats().asked);
        ask(&friendly, &copy, command, more, 0);
        friendly.stats().asked - before
    };
    assert_eq!(asked(&["redo", "1-4"], &[]), 2);
    assert_eq!(asked(&["redo", "1-4"], &["-c", "3"]), 2);
    assert_eq!(asked(&["redo", "1-5"], &[]), 5);
    assert_eq!(asked(&["redo", "1-4"], &["-s", "Be brief.", "--continue"]), 4);
    assert_eq!(asked(&["redo", "1-4"], &["--check", "length=1.."]), 4);
}

#[test]
fn tries_of_a_redo_that_was_killed_between_them_go_on_and_failures_are_not_bought_again() {
    let folder = Folder::with("question\nHow many?\nHow much?\n");
    folder.write(
        "s.json",
        r#"{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}"#,
    );
    let fits = ["--schema", "s.json", "--tries", "2", "-c", "1"];
    Service::friendly().run(&folder, &fits).exits(0);
    // The first row fails both its tries; at the second there is no money left.
    let on = vec!["many=no-schema".parse().unwrap()];
    let poor = Service::start(MockSettings { money: Some(2), on, ..MockSettings::default() });
    ask(&poor, &folder, &["redo", "1-2"], &fits, 5);
    assert_eq!(folder.count("SELECT count(*) FROM answers"), 4);
    let service = Service::friendly();
    ask(&service, &folder, &["redo", "1-2"], &fits, 3)
        .says("1 of 2 answered and saved, 1 keeps the answer it had");
    assert_eq!((service.stats().asked, answered(&folder)), (1, 2));
    assert!(!folder.read("q.csv").contains("ERROR"));
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn where_enough_samples_came_before_the_kill_no_other_is_asked_and_none_of_before_counts() {
    let (folder, answers) = arithmetic(4);
    let friendly = service(answers, 0.0);
    let best = ["--check", "length=1..", "--samples", "2", "--enough", "1", "-c", "1"];
    friendly.run(&folder, &best).exits(0);
    assert_eq!(friendly.stats().asked, 4);
    let poor = Service::start(MockSettings { money: Some(2), ..MockSettings::default() });
    ask(&poor, &folder, &["redo", "1-4"], &best, 5);
    ask(&friendly, &folder, &["redo", "1-4"], &best, 0);
    assert_eq!((friendly.stats().asked, folder.count("SELECT count(*) FROM set_aside")), (6, 4));
    folder.dset(&["export", "--rebuild"]).exits(0);
    assert_eq!(folder.agreed().len(), 4);
    folder.dset(&["verify"]).exits(0);
}
