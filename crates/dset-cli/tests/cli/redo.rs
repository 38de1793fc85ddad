//! `dset redo`: rows are asked again, and what they had is kept until something better is there.

use crate::checks::{STORED, arithmetic, service};
use crate::common::{Folder, Service};

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
    redo(&["99"]).exits(2);
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
