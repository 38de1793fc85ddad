//! Rows that were asked several times: which of their answers counts when checks change.

use crate::checks::{arithmetic, service};
#[cfg(unix)]
use crate::common::until;
use crate::common::{Folder, Service, questions};
use dset_mock::MockSettings;
#[cfg(unix)]
use serde_json::json;

const SCHEMA: &str = r#"{"type": "object", "properties": {"n": {"type": "integer"}},
    "required": ["n"], "additionalProperties": false}"#;

/// One row whose first answer does not fit the schema and whose second does.
fn two_tries() -> (Folder, Service) {
    let folder = Folder::with("question\nHow many?\n");
    folder.write("s.json", SCHEMA);
    let service = Service::with(&["How many=no-schema*1"]);
    service.run(&folder, &["--schema", "s.json"]).exits(0);
    assert_eq!(service.stats().asked, 2);
    (folder, service)
}

fn accepted(folder: &Folder) -> Vec<bool> {
    let shown = folder.dset(&["show", "1", "--json"]).exits(0).json();
    let tries = shown["questions"][0]["answers"][0]["tries"].as_array().unwrap();
    tries.iter().map(|one| one["accepted"].as_bool().unwrap()).collect()
}

#[test]
fn a_try_that_failed_counts_no_better_where_a_changed_check_fails_the_accepted_one_too() {
    let (folder, service) = two_tries();
    let strict = ["--schema", "s.json", "--check", "matches=never"];
    service.run(&folder, &strict).exits(3);
    assert_eq!(service.stats().asked, 2);
    assert_eq!(accepted(&folder), [false, false]);
    let status = folder.dset(&["status", "--json"]).exits(0).json();
    assert_eq!(status["ledger"]["rejected"], 1);
    folder.dset(&["export", "--rebuild"]).exits(0);
    assert!(folder.rows().is_empty());
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn check_apply_judges_every_try_of_a_row() {
    let (folder, _) = two_tries();
    let strict = ["check", "--schema", "s.json", "--check", "matches=never", "--apply"];
    folder.dset(&strict).exits(3).tells("not accepted any more");
    assert_eq!(accepted(&folder), [false, false]);
    folder.dset(&strict).exits(3);
}

#[test]
fn continue_keeps_the_answer_that_was_accepted_and_no_other_try() {
    let (folder, service) = two_tries();
    let strict = ["--schema", "s.json", "--check", "matches=never", "--on-fail", "retry"];
    service.run(&folder, &strict).exits(2).says("--continue");
    service.run(&folder, &[&strict[..], &["--continue"]].concat()).exits(0);
    assert_eq!(service.stats().asked, 2);
    assert_eq!(accepted(&folder), [false, true]);
}

/// Three rows that two settings have answered: the first rightly, those of the last run wrongly.
fn right_before_and_wrong_now() -> (Folder, Service) {
    let (folder, answers) = arithmetic(3);
    let right = service(answers.clone(), 0.0);
    let none = ["--check", "matches=never"];
    right.run(&folder, &[&none[..], &["-s", "Be brief."]].concat()).exits(3);
    let wrong = service(answers, 1.0);
    wrong.run(&folder, &[&none[..], &["--continue"]].concat()).exits(3);
    assert_eq!(stored(&folder), 6);
    (folder, wrong)
}

fn answered(folder: &Folder) -> serde_json::Value {
    folder.dset(&["status", "--json"]).exits(0).json()["ledger"]["answered"].clone()
}

#[test]
fn check_judges_the_answers_of_all_settings_and_says_what_apply_and_a_run_make_of_them() {
    let (folder, service) = right_before_and_wrong_now();
    let gold = ["check", "--gold", "gold", "--json"];
    let told = folder.dset(&gold).exits(0).json();
    let counts = |of: &serde_json::Value| {
        let rows = ["newly_accepted", "newly_failed", "not_accepted", "in_outputs"];
        let [accepted, to_ask] = ["accepted", "to_ask"].map(|name| of[name].as_u64().unwrap());
        (accepted, to_ask, rows.map(|rows| of[rows]["count"].as_u64().unwrap()))
    };
    assert_eq!(told["answers"], 6);
    assert_eq!(counts(&told), (3, 0, [3, 0, 0, 0]));
    let told = folder.dset(&[&gold[..], &["--apply"]].concat()).exits(0).json();
    assert_eq!(counts(&told), (3, 0, [3, 0, 0, 0]));
    assert_eq!((answered(&folder), folder.agreed().len()), (3.into(), 3));
    assert_eq!(counts(&folder.dset(&gold).exits(0).json()), (3, 0, [0, 0, 0, 0]));
    let before = service.stats().asked;
    service.run(&folder, &["--gold", "gold", "--on-fail", "retry"]).exits(0);
    assert_eq!(service.stats().asked, before);
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn an_answer_of_other_settings_that_nobody_has_judged_is_judged_before_it_counts() {
    let (folder, service) = right_before_and_wrong_now();
    let before = service.stats().asked;
    service.run(&folder, &["--check", "matches=neither"]).exits(3);
    assert_eq!((answered(&folder), service.stats().asked), (0.into(), before));
    assert!(folder.rows().is_empty());
}

fn accepted_count(folder: &Folder) -> serde_json::Value {
    folder.dset(&["status", "--json"]).exits(0).json()["ledger"]["answered"].clone()
}

#[cfg(unix)]
#[test]
fn check_apply_records_what_a_changed_program_says_in_both_directions() {
    let folder = Folder::with("question\nA\nB\n");
    let judge = |says: &str| {
        let script = format!("#!/bin/sh\nwhile read -r line; do echo '{{\"ok\":{says}}}'; done\n");
        folder.write("judge.sh", script);
    };
    judge("true");
    folder.shell("chmod +x judge.sh").exits(0);
    folder.write("dset.toml", "[[check]]\nname = \"command\"\ncommand = [\"./judge.sh\"]\n");
    let service = Service::friendly();
    service.run(&folder, &[]).exits(0);
    judge("false");
    folder.dset(&["check", "--apply"]).exits(3).tells("not accepted any more");
    assert_eq!(accepted_count(&folder), 0);
    assert_eq!(folder.read("q.csv").matches("ERROR").count(), 2);
    folder.dset(&["export", "--rebuild"]).exits(0);
    assert!(folder.rows().is_empty());
    folder.dset(&["verify"]).exits(0);
    judge("true");
    folder.dset(&["check", "--apply"]).exits(0).tells("newly accepted");
    assert_eq!((accepted_count(&folder), folder.rows().len()), (2.into(), 2));
    assert_eq!(service.stats().asked, 2);
}

#[test]
fn a_changed_expectation_judges_the_kept_answers_anew() {
    let folder = Folder::with("question,gold\nOne?,wrong\nTwo?,right\n");
    folder.write("answers.jsonl", ["One?", "Two?"].map(|question| {
        format!("{{\"metadata\":{{\"question\":\"{question}\"}},\"response\":{{\"answer\":\"right\"}}}}\n")
    }).concat());
    let service = Service::start(MockSettings {
        answers: Some(folder.path("answers.jsonl")),
        ..MockSettings::default()
    });
    let gold = ["--gold", "gold", "--on-fail", "mark"];
    service.run(&folder, &gold).exits(3);
    folder.write("q.csv", "question,gold\nOne?,right\nTwo?,wrong\n");
    service.run(&folder, &gold).exits(3);
    assert_eq!(service.stats().asked, 2);
    let rows = folder.read("q.csv");
    assert!(rows.contains("Two?,wrong,ERROR") && !rows.contains("One?,right,ERROR"), "{rows}");
    // What would be asked again is a decision, and stays one until it is taken.
    folder.write("q.csv", "question,gold\nOne?,wrong\nTwo?,right\n");
    let retry = ["--gold", "gold", "--on-fail", "retry"];
    service.run(&folder, &retry).exits(2).says("--again-failed");
    service.run(&folder, &retry).exits(2).says("--again-failed");
    service.run(&folder, &[&retry[..], &["--continue"]].concat()).exits(0);
    assert_eq!(service.stats().asked, 2);
}

#[test]
fn check_reckons_with_the_samples_of_the_last_run() {
    let folder = Folder::with("question\nOne?\nTwo?\n");
    let service = Service::friendly();
    folder.asks(&service);
    let passes = ["--check", "length=1.."];
    folder.dset(&[&["run", "--samples", "3", "--enough", "1"], &passes[..]].concat()).exits(0);
    folder.dset(&[&["check"], &passes[..]].concat()).exits(0);
    folder.dset(&[&["check", "--apply"], &passes[..]].concat()).exits(0);
    let status = folder.dset(&["status", "--json"]).exits(0).json();
    assert_eq!(
        (&status["ledger"]["questions"], &status["ledger"]["answered"]),
        (&2.into(), &2.into())
    );
}

/// A folder whose judge says nothing before there is a file `go`.
#[cfg(unix)]
fn with_a_slow_judge(rows: usize) -> Folder {
    let folder = Folder::with(&questions(rows));
    let judge = "#!/bin/sh\nwhile read -r line; do\nwhile [ ! -e go ]; do sleep 0.02; done\necho '{\"ok\":true}'\ndone\n";
    folder.write("judge.sh", judge);
    folder.shell("chmod +x judge.sh").exits(0);
    let toml = "[[check]]\nname = \"command\"\ncommand = [\"./judge.sh\"]\nseconds = 600\n";
    folder.write("dset.toml", toml);
    folder
}

fn stored(folder: &Folder) -> i64 {
    folder.count("SELECT count(*) FROM answers")
}

/// Four of six questions have answers that nobody has judged, and none has failed.
#[cfg(unix)]
fn nothing_has_failed(folder: &Folder) {
    let status = folder.dset(&["status", "--json"]).exits(0).json();
    let ledger = &status["ledger"];
    assert_eq!((&ledger["pending"], &ledger["rejected"]), (&6.into(), &0.into()));
    assert_eq!((&status["failed"], &status["failed_checks"]), (&json!([]), &json!({})));
    let page = folder.dset(&["status"]).exits(0).tells("4 answered, and not judged so far");
    assert!(!page.out.contains("redo"), "{}", page.out);
    folder.dset(&["show", "1"]).exits(0).tells("not answered yet").tells("not judged yet");
    folder.dset(&["show", "--failed"]).exits(0).tells("no question");
    let stats = folder.dset(&["stats", "--json"]).exits(0).json();
    assert_eq!(stats["failed"], json!({}));
}

#[cfg(unix)]
#[test]
fn an_answer_that_came_is_durable_before_it_is_judged_and_is_not_bought_again() {
    let folder = with_a_slow_judge(6);
    let service = Service::friendly();
    let going = service.begin(&folder, &["-c", "4"]);
    until("the store", || folder.path("dset_generator/output.csv").exists());
    until("four answers", || stored(&folder) == 4);
    assert_eq!(service.stats().asked, 4, "asks and what is being judged are four at most");
    nothing_has_failed(&folder);
    going.kill();
    assert!(folder.rows().is_empty(), "a row is written once it is judged");
    nothing_has_failed(&folder);
    folder.write("go", "");
    service.run(&folder, &["-c", "4"]).exits(0);
    assert_eq!(service.stats().asked, 6);
    assert_eq!(folder.agreed().len(), 6);
    assert_eq!(stored(&folder), 6);
    folder.dset(&["verify"]).exits(0);
}

#[cfg(unix)]
#[test]
fn a_run_that_is_stopped_at_once_waits_for_no_judge_and_marks_nothing() {
    let folder = with_a_slow_judge(6);
    let service = Service::friendly();
    let going = service.begin(&folder, &["-c", "4"]);
    until("the store", || folder.path("dset_generator/output.csv").exists());
    until("four answers", || stored(&folder) == 4);
    let pid = rustix::process::Pid::from_raw(going.child.id().cast_signed()).unwrap();
    let mut ended = going;
    until("its end", || {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        ended.child.try_wait().unwrap().is_some()
    });
    ended.end().exits(130);
    assert!(!folder.read("q.csv").contains("ERROR"));
    nothing_has_failed(&folder);
    folder.write("go", "");
    service.run(&folder, &["-c", "4"]).exits(0);
    assert_eq!((service.stats().asked, folder.agreed().len()), (6, 6));
}

#[test]
fn an_estimate_reckons_with_every_try_of_a_question() {
    let folder = Folder::with(&questions(18));
    folder.write("s.json", SCHEMA);
    let prices = ["prices", "set", "m", "--input", "1000", "--output", "1000"];
    folder.dset(&prices).exits(0);
    let service = Service::start(MockSettings {
        dialect: "openai".parse().unwrap(),
        on: vec!["Question=no-schema*2".parse().unwrap()],
        ..MockSettings::default()
    });
    let url = service.url();
    let at = ["--base-url", &url, "--key", "none", "-m", "m", "--schema", "s.json"];
    let pilot = [&["estimate", "--pilot", "6", "--json"], &at[..]].concat();
    let found = folder.dset(&pilot).exits(0).json();
    assert_eq!(service.stats().asked, 18);
    assert_eq!((&found["answers"], &found["left"]), (&6.into(), &12.into()));
    let number = |value: &serde_json::Value| value.as_str().unwrap().parse::<f64>().unwrap();
    let spent = |folder: &Folder| {
        let status = folder.dset(&["status", "--json"]).exits(0).json();
        (number(&status["spent"]["total"]["at_most"]), number(&status["spent"]["thousand_answers"]))
    };
    let (before, thousand) = spent(&folder);
    assert!((thousand - before / 6.0 * 1_000.0).abs() < 1e-6 * thousand, "{thousand}");
    let expected = number(&found["cost"]["expected"]);
    assert!((expected - 2.0 * before).abs() < 0.01 * before, "{expected} after {before}");
    let run = ["run", "--yes"];
    folder.dset(&[&run[..], &at].concat()).exits(0);
    let took = spent(&folder).0 - before;
    assert!((took - expected).abs() < 0.2 * expected, "{took} and not {expected}");
}

#[test]
fn what_a_check_of_later_rejects_is_named_so_and_hints_ask_for_as_many_samples_as_before() {
    let folder = Folder::with("question\nWhy?\nHow?\n");
    let service = Service::friendly();
    service.run(&folder, &[]).exits(0);
    let strict = ["--check", "matches=never", "--on-fail", "mark", "--check", "lacks=e"];
    service.run(&folder, &strict).exits(3);
    let shown = folder.dset(&["show", "1"]).exits(0).tells("failed check");
    assert!(!shown.out.contains("could not be reached"), "{}", shown.out);
    let several = ["--check", "matches=never", "--samples", "2", "--enough", "1", "--tries", "4"];
    service.run(&folder, &several).exits(3);
    folder.dset(&["status"]).exits(0).tells("--samples 2 --enough 1 --tries 4");
    let status = folder.dset(&["status", "--json"]).exits(0).json();
    assert_eq!(status["failed_checks"]["matches"], 4);
    // What is kept is kept from nothing, and what is not wanted any more fails nothing.
    let loose = ["--check", "matches=never", "--check", "length=1..", "--on-fail", "keep"];
    service.run(&folder, &[&loose[..], &["--samples", "2", "--enough", "1"]].concat()).exits(0);
    let status = folder.dset(&["status", "--json"]).exits(0).json();
    assert_eq!(status["failed_checks"], serde_json::json!({}));
}

#[test]
fn a_service_that_takes_no_schema_is_told_how_to_be_asked_and_a_request_is_no_schema() {
    let folder = Folder::with(&questions(7));
    folder.write("s.json", SCHEMA);
    let service = Service::friendly();
    let refused = service.run(&folder, &["-m", "mine", "--schema", "s.json"]).exits(2);
    refused.says("structured = \"json-object\"").says("dset.toml");
    folder.write("s.json", format!(r#"{{"name": "x", "strict": true, "schema": {SCHEMA}}}"#));
    service.run(&folder, &["-m", "mine", "--schema", "s.json"]).exits(2).says("/schema");
}
