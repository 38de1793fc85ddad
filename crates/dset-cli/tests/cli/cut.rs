//! What the token limit cut: an answer that is kept, shown, held against checks and asked again like any
//! other, in a run without checks too.

use crate::common::{Folder, Service};
use dset_mock::MockSettings;
use serde_json::json;

const STORED: &str = "SELECT (SELECT count(*) FROM keys) + (SELECT count(*) FROM later_tries)";

/// Three questions, of which the answer to the second is cut so many times.
fn three(times: &str) -> (Folder, Service) {
    let folder = Folder::with("question\nOne?\nTwo?\nThree?\n");
    let on = vec![format!("Two=length*{times}").parse().unwrap()];
    (folder, Service::start(MockSettings { latency_ms: 1, on, ..MockSettings::default() }))
}

#[test]
fn a_cut_answer_is_kept_shown_and_decided_on_like_any_that_fails_a_check() {
    let (folder, service) = three("1");
    let check = ["--check", "length=1.."];
    service.run(&folder, &check).exits(3).says("length limit");
    assert_eq!((service.stats().asked, folder.agreed().len()), (3, 2));
    assert_eq!((folder.count(STORED), folder.count("SELECT count(*) FROM attempts")), (3, 0));
    let shown = folder.dset(&["show", "2", "--json"]).exits(0).json();
    let tried = &shown["questions"][0]["answers"][0]["tries"][0];
    assert_eq!(tried["verdicts"].as_array().unwrap().last().unwrap()["check"], "whole");
    let half = folder.dset(&["show", "2", "--raw"]).exits(1);
    assert!(!half.out.trim().is_empty(), "what was paid for can be read");
    let status = folder.dset(&["status", "--json"]).exits(0).json();
    assert_eq!((&status["failed_checks"]["whole"], &status["balances"]), (&1.into(), &true.into()));
    // Not bought again under the same limit, with the checks or without them.
    service.run(&folder, &check).exits(3);
    service.run(&folder, &[]).exits(3);
    assert_eq!((service.stats().asked, folder.agreed().len()), (3, 2));
    // Kept: it is placed for nothing.
    let kept = folder.copy();
    service.run(&kept, &["--check", "whole", "--on-fail", "keep"]).exits(0);
    assert_eq!((service.stats().asked, kept.agreed().len()), (3, 3));
    kept.dset(&["verify"]).exits(0);
    // Asked again: the model is shown where it was cut.
    let again = folder.copy();
    service.run(&again, &["--check", "whole", "--on-fail", "retry"]).exits(0);
    assert_eq!((service.stats().asked, again.agreed().len()), (4, 3));
    again.dset(&["verify"]).exits(0);
    // Under a higher limit it is asked anew.
    service.run(&folder, &["--max-tokens", "9000", "--continue"]).exits(0);
    assert_eq!((service.stats().asked, folder.agreed().len()), (5, 3));
    assert_eq!(folder.read("q.csv").matches("ERROR").count(), 0);
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn without_checks_a_cut_answer_is_kept_and_shown_and_its_row_marked() {
    let (folder, service) = three("9");
    service.run(&folder, &[]).exits(3).says("length limit").says("--max-tokens N --continue");
    assert_eq!((folder.count(STORED), folder.count("SELECT count(*) FROM attempts")), (3, 0));
    assert_eq!(folder.agreed().len(), 2);
    let half = folder.dset(&["show", "2", "--raw"]).exits(1);
    assert!(!half.out.trim().is_empty(), "what was paid for can be read");
    let failed = folder.dset(&["show", "--failed", "--json"]).exits(0).json();
    let tried = &failed["questions"][0]["answers"][0]["tries"][0];
    assert_eq!(
        (&tried["verdicts"][0]["check"], &tried["accepted"]),
        (&json!("whole"), &json!(false))
    );
    assert_eq!(tried["answer"].as_str().unwrap().trim(), half.out.trim());
    let status = folder.dset(&["status", "--json"]).exits(0).json();
    assert_eq!((&status["failed_checks"]["whole"], &status["balances"]), (&json!(1), &json!(true)));
    let stats = folder.dset(&["stats", "--json"]).exits(0).json();
    let whole = &stats["checks"][0];
    assert_eq!((&whole["passed"], &whole["failed"]), (&json!(2), &json!(1)));
    // The same again asks nothing, though the verdicts, which are worked out, are lost.
    service.run(&folder, &[]).exits(3).says("--max-tokens N --continue");
    folder.sql("DELETE FROM verdicts");
    service.run(&folder, &[]).exits(3);
    assert_eq!((service.stats().asked, folder.agreed().len()), (3, 2));
    assert_eq!(folder.count("SELECT count(*) FROM verdicts"), 1, "whole ones are not judged");
    folder.dset(&["verify"]).exits(0);
    // Pairs for training are made by checks, and there are none.
    let pairs = ["export", "--to", "pairs.jsonl", "--layout", "preference"];
    folder.dset(&pairs).exits(2).says("--rank");
}

#[test]
fn without_checks_a_cut_answer_is_there_for_checks_that_come_later() {
    let (folder, service) = three("1");
    service.run(&folder, &[]).exits(3);
    let read = folder.dset(&["check", "--check", "length=1..", "--json"]).exits(3).json();
    assert_eq!((&read["answers"], &read["unanswered"]), (&json!(3), &json!(0)));
    assert_eq!(read["not_accepted"]["count"], 1);
    let keep = ["check", "--check", "whole", "--on-fail", "keep"];
    let read = folder.dset(&[&keep[..], &["--json"]].concat()).exits(0).json();
    assert_eq!(read["newly_accepted"]["count"], 1);
    let kept = folder.copy();
    kept.dset(&[&keep[..], &["--apply"]].concat()).exits(0);
    assert_eq!((service.stats().asked, kept.agreed().len()), (3, 3));
    kept.dset(&["verify"]).exits(0);
    // Asked again: the model is shown where it was cut.
    service.run(&folder, &["--check", "whole", "--on-fail", "retry"]).exits(0);
    assert_eq!((service.stats().asked, folder.agreed().len()), (4, 3));
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn without_checks_a_cut_answer_is_asked_again_on_purpose() {
    let (folder, service) = three("1");
    service.run(&folder, &[]).exits(3);
    let url = service.url();
    let redo = |what: &str| ["redo", what, "--base-url", &url, "--key", "none"].map(str::to_owned);
    let by_number = folder.copy();
    for (folder, what) in [(&folder, "--failed"), (&by_number, "2")] {
        let arguments = redo(what);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        folder.dset(&arguments).exits(0);
        assert_eq!((folder.agreed().len(), folder.count(STORED)), (3, 4), "{what}");
        folder.dset(&["verify"]).exits(0);
    }
    assert_eq!(service.stats().asked, 5);
}

#[test]
fn what_was_cut_before_it_had_a_text_is_asked_again_on_purpose() {
    let (folder, service) = three("1");
    service.run(&folder, &["--check", "length=1.."]).exits(3);
    // As earlier versions kept it, and as a reply without a text is kept.
    folder.sql(
        "DELETE FROM later_tries; DELETE FROM verdicts WHERE list IS NOT NULL;
         DELETE FROM answers WHERE id IN (SELECT answer FROM answer_facts WHERE finish = 'length');
         DELETE FROM keys_by_row WHERE answer IN (SELECT answer FROM answer_facts WHERE finish = 'length');
         DELETE FROM answer_facts WHERE finish = 'length'; DELETE FROM meta WHERE name = 'acceptance'",
    );
    service.run(&folder, &[]).exits(3);
    assert_eq!(service.stats().asked, 3);
    let url = service.url();
    folder.dset(&["redo", "--failed", "--base-url", &url, "--key", "none"]).exits(0);
    assert_eq!((service.stats().asked, folder.agreed().len()), (4, 3));
}

#[test]
fn folders_put_together_keep_the_whole_answer_behind_the_cut_one() {
    let (folder, service) = three("1");
    let url = service.url();
    let run = |to: &str, more: &[&str]| {
        let said = ["run", "-o", to, "--base-url", &url, "--key", "none"];
        folder.dset(&[&said[..], more].concat())
    };
    run("cut", &[]).exits(3);
    run("whole", &[]).exits(0);
    for (names, to) in [(["cut", "whole"], "one"), (["whole", "cut"], "other")] {
        for _ in 0..2 {
            folder.dset(&["merge", names[0], names[1], "-o", to]).exits(0);
        }
        let status = folder.dset(&["status", "-o", to, "--json"]).exits(0).json();
        assert_eq!(status["ledger"]["answered"], 3, "{to}");
        folder.dset(&["export", "-o", to, "--to", "all.jsonl", "--force"]).exits(0);
        assert_eq!(folder.read("all.jsonl").lines().count(), 3, "{to}");
    }
    assert_eq!(service.stats().asked, 6);
}

#[test]
fn in_a_folder_of_an_earlier_version_what_another_had_cut_is_no_answer() {
    let (folder, service) = three("9");
    let url = service.url();
    let run = |to: &str, more: &[&str], code| {
        let said = ["run", "-o", to, "--base-url", &url, "--key", "none"];
        folder.dset(&[&said[..], more].concat()).exits(code);
    };
    run("earlier", &["-n", "1"], 0);
    let store = rusqlite::Connection::open(folder.path("earlier/dset.db")).unwrap();
    store.execute("DELETE FROM meta WHERE name = 'acceptance'", []).unwrap();
    drop(store);
    run("cut", &[], 3);
    folder.dset(&["merge", "cut", "-o", "earlier"]).exits(0);
    let status = folder.dset(&["status", "-o", "earlier", "--json"]).exits(0).json();
    assert_eq!(
        (&status["ledger"]["answered"], &status["failed_checks"]["whole"]),
        (&json!(2), &json!(1))
    );
}

#[test]
fn what_was_cut_is_not_bought_again_in_a_merged_folder() {
    let (folder, service) = three("9");
    service.run(&folder, &["-o", "a"]).exits(3);
    folder.dset(&["merge", "a", "-o", "m"]).exits(0);
    let ledger =
        |name: &str| folder.dset(&["status", "-o", name, "--json"]).json()["ledger"].clone();
    assert_eq!(ledger("m"), ledger("a"));
    folder.dset(&["status", "-o", "m"]).exits(0).tells("length limit");
    for name in ["a", "m"] {
        service.run(&folder, &["-o", name, "--temperature", "0.5", "--continue"]).exits(3);
        assert_eq!(service.stats().asked, 3, "{name}");
    }
    // A whole answer of another folder is what counts.
    let whole = Service::friendly();
    whole.run(&folder, &["-o", "b"]).exits(0);
    for (first, second, name) in [("a", "b", "ab"), ("b", "a", "ba")] {
        folder.dset(&["merge", first, second, "-o", name]).exits(0);
        assert_eq!(ledger(name)["answered"], 3, "{name}");
        assert_eq!(ended_in(&folder, name), 0, "{name}");
    }
}

fn ended_in(folder: &Folder, name: &str) -> i64 {
    let store = rusqlite::Connection::open(folder.path(name).join("dset.db")).unwrap();
    store.query_row("SELECT count(*) FROM ended", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_row_that_shares_its_question_with_a_cut_one_is_asked_and_so_is_the_cut_one_once_it_is_mended()
{
    let folder = Folder::with("question,doc\nSum up,long\nSum up,B\n");
    let on = vec!["long=length*9".parse().unwrap()];
    let service = Service::start(MockSettings { latency_ms: 1, on, ..MockSettings::default() });
    let run = ["-t", "{{ question }}: {{ doc }}"];
    service.run(&folder, &run).exits(3);
    assert_eq!(service.stats().asked, 2);
    folder.write("q.csv", "question,doc\nSum up,C\nSum up,long\nSum up,B\n");
    service.run(&folder, &run).exits(3);
    assert_eq!(service.stats().asked, 3, "the new row is asked, and the cut one is not");
    assert_eq!(
        folder.read("q.csv"),
        "question,doc,status\nSum up,C\nSum up,long,ERROR\nSum up,B\n"
    );
    folder.write("q.csv", folder.read("q.csv").replace("long", "short"));
    service.run(&folder, &run).exits(0);
    assert_eq!(service.stats().asked, 4);
    assert_eq!(folder.read("q.csv").matches("ERROR").count(), 0);
    folder.dset(&["verify"]).exits(0);
}
