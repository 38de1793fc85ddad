//! `dset run --samples N` and several models in one run.

use crate::checks::{arithmetic, service as answering};
use crate::common::{Folder, Service, questions, until};
use dset_mock::MockSettings;

/// Which sample each row of `output.json` is.
fn samples(folder: &Folder) -> Vec<(String, Option<u64>)> {
    let of = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = line["metadata"]["question"].as_str().unwrap().to_owned();
        (text, line["metadata"]["sample"].as_u64())
    };
    folder.read("dset_generator/output.json").lines().map(of).collect()
}

fn ledger(folder: &Folder) -> serde_json::Value {
    let status = folder.dset(&["status", "--json"]).exits(0).json();
    assert_eq!(status["balances"], true);
    status["ledger"].clone()
}

#[test]
fn every_sample_is_bought_once_and_its_rows_stand_together() {
    let folder = Folder::with(&questions(3));
    let service = Service::friendly();
    let ran = service.run(&folder, &["--samples", "3"]).exits(0);
    ran.says("3 questions, 9 answers, 0 already answered").says("All 9 answers");
    assert_eq!(service.stats().asked, 9);
    assert!(service.asked().values().all(|&asked| asked == 3));
    let of_row = |n: usize| (0..3).map(move |s| (format!("Question {n}, what then?"), Some(s)));
    assert_eq!(samples(&folder), (1..=3).flat_map(of_row).collect::<Vec<_>>());
    let before = folder.outputs();
    service.run(&folder, &["--samples", "3"]).exits(0).says("9 already answered");
    assert_eq!((service.stats().asked, folder.outputs()), (9, before));
    assert_eq!(ledger(&folder)["answered"], 9);
    folder.dset(&["status"]).exits(0).tells("answers wanted").tells("3 samples of each");
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn raising_the_samples_buys_what_is_missing_and_lowering_them_keeps_what_is_there() {
    let folder = Folder::with(&questions(2));
    let service = Service::friendly();
    service.run(&folder, &[]).exits(0);
    for (samples, asked) in [("2", 4), ("4", 8), ("1", 8), ("3", 8)] {
        service.run(&folder, &["--samples", samples]).exits(0);
        assert_eq!(service.stats().asked, asked, "{samples}");
        assert_eq!(folder.agreed().len() as u64, asked, "{samples}");
        folder.dset(&["verify"]).exits(0);
    }
    service.run(&folder, &["--samples", "1"]).exits(0);
    folder.dset(&["export", "--rebuild"]).exits(0);
    assert_eq!(folder.agreed().len(), 8, "what was bought stays in the outputs");
    let of_row = |n: usize| (0..4).map(move |_| format!("Question {n}, what then?"));
    assert_eq!(folder.agreed(), (1..=2).flat_map(of_row).collect::<Vec<_>>());
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn what_was_not_accepted_is_in_no_rebuild_once_it_is_not_wanted_any_more() {
    let (checked, answers) = arithmetic(2);
    let cutting = Service::with(&["Question 1,=length"]);
    for (folder, first, second, check) in [
        (
            checked,
            answering(answers.clone(), 0.0),
            answering(answers, 1.0),
            &["--gold", "gold"][..],
        ),
        (Folder::with(&questions(2)), Service::friendly(), cutting, &[]),
    ] {
        first.run(&folder, check).exits(0);
        second.run(&folder, &[check, &["--samples", "2"]].concat()).exits(3);
        let rows = folder.agreed();
        first.run(&folder, &[check, &["--samples", "1"]].concat()).exits(0);
        folder.dset(&["export", "--rebuild"]).exits(0);
        assert_eq!(folder.agreed().len(), rows.len());
        folder.dset(&["verify"]).exits(0);
    }
}

#[test]
fn what_was_set_aside_is_in_no_rebuild_once_it_is_not_wanted_any_more() {
    for (all, fewer) in [
        (["-m", "a", "--samples", "2"], ["-m", "a", "--samples", "1"]),
        (["-m", "a,b", "--samples", "1"], ["-m", "a", "--samples", "1"]),
    ] {
        let (folder, service) = (Folder::with(&questions(2)), Service::friendly());
        service.run(&folder, &all).exits(0);
        let (url, briefly) = (service.url(), ["-s", "Be brief."]);
        let redo = ["redo", "1", "--base-url", &url, "--key", "none", "--continue"];
        folder.dset(&[&redo[..], &all, &briefly].concat()).exits(0);
        let of_run = || folder.count("SELECT count(*) FROM answers");
        assert_eq!((service.stats().asked, of_run()), (6, 6));
        service.run(&folder, &[&fewer[..], &briefly].concat()).exits(0);
        folder.dset(&["export", "--rebuild"]).exits(0);
        assert_eq!((service.stats().asked, folder.agreed().len()), (6, 4), "{fewer:?}");
        folder.dset(&["verify"]).exits(0);
    }
}

#[test]
fn where_nothing_is_asked_of_answers_a_whole_one_is_enough() {
    let (folder, service) = (Folder::with(&questions(4)), Service::friendly());
    let best = ["--samples", "3", "--enough", "1"];
    service.run(&folder, &[&best[..], &["-n", "3"]].concat()).exits(0);
    assert_eq!(service.stats().asked, 3, "what is not asked takes nothing of what may be");
    service.run(&folder, &best).exits(0);
    service.run(&folder, &best).exits(0);
    assert_eq!((service.stats().asked, folder.agreed().len()), (4, 4));
    let ledger = ledger(&folder);
    assert_eq!((&ledger["answered"], &ledger["pending"]), (&4.into(), &0.into()));
    folder.dset(&["status"]).exits(0).tells("4/4");
    folder.dset(&["verify"]).exits(0);
    let cutting = Service::start(MockSettings {
        on: vec!["Question 2,=length".parse().unwrap()],
        ..MockSettings::default()
    });
    let other = Folder::with(&questions(3));
    cutting.run(&other, &best).exits(3);
    assert_eq!((cutting.stats().asked, other.agreed().len()), (5, 2), "one that is cut is not");
    service.run(&folder, &["--samples", "3"]).exits(0);
    assert_eq!((service.stats().asked, folder.agreed().len()), (12, 12));
}

#[test]
fn a_run_of_samples_that_is_killed_buys_at_most_what_was_on_its_way_again() {
    let folder = Folder::with(&questions(10));
    let service = Service::start(MockSettings { latency_ms: 20, ..MockSettings::default() });
    let arguments = ["--samples", "3", "-c", "2"];
    let going = service.begin(&folder, &arguments);
    until("some samples are answered", || service.stats().answered > 7);
    going.kill();
    service.run(&folder, &arguments).exits(0);
    assert_eq!(folder.agreed().len(), 30);
    let asked = service.stats().asked;
    assert!((30..=32).contains(&asked), "{asked}");
    let mut rows = samples(&folder);
    rows.sort();
    rows.dedup();
    assert_eq!(rows.len(), 30, "each sample of each question once");
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn a_further_model_is_asked_for_its_own_answers_and_a_dropped_one_keeps_its() {
    let folder = Folder::with(&questions(3));
    let service = Service::friendly();
    service.run(&folder, &["-m", "a"]).exits(0);
    service.run(&folder, &["-m", "a", "-m", "b"]).exits(0).says("3 questions, 6 answers");
    assert_eq!(service.stats().asked, 6);
    let models = |folder: &Folder| {
        let lines = folder.read("dset_generator/output.json");
        let lines =
            lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.map(|line| line["metadata"]["model"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut asked = models(&folder);
    asked.sort();
    assert_eq!(asked, ["a", "a", "a", "b", "b", "b"], "each answer is of the model that was asked");
    let of_row = |n: usize| (0..2).map(move |_| format!("Question {n}, what then?"));
    service.run(&folder, &["-m", "b", "-m", "a"]).exits(0);
    assert_eq!(service.stats().asked, 6, "in whatever order");
    folder.dset(&["export", "--rebuild"]).exits(0);
    assert_eq!(folder.agreed(), (1..=3).flat_map(of_row).collect::<Vec<_>>());
    for one in ["a", "b"] {
        service.run(&folder, &["-m", one]).exits(0);
        folder.dset(&["verify"]).exits(0);
    }
    assert_eq!(service.stats().asked, 6, "each alone has its answers");
    folder.write("q.csv", questions(4));
    service.run(&folder, &["-m", "a"]).exits(0);
    service.run(&folder, &["-m", "b"]).exits(0);
    assert_eq!(service.stats().asked, 8, "what one says stands for nothing of the other's");
    assert_eq!(folder.agreed().len(), 8);
}

#[test]
fn changed_settings_of_several_models_want_one_decision_and_each_keeps_its_own() {
    let folder = Folder::with(&questions(4));
    let service = Service::friendly();
    let both = ["-m", "a,b", "--samples", "2"];
    let changed = [&both[..], &["-s", "Be brief."]].concat();
    service.run(&folder, &[&both[..], &["-n", "8"]].concat()).exits(0);
    let ran = service.run(&folder, &changed).exits(2);
    ran.says("8 answers were bought with other settings").says("system was `not set`");
    assert_eq!(service.stats().asked, 8);
    service.run(&folder, &[&changed[..], &["--continue"]].concat()).exits(0);
    assert_eq!(service.stats().asked, 16);
    service.run(&folder, &[&changed[..], &["--again"]].concat()).exits(0);
    assert_eq!(service.stats().asked, 32);
    assert_eq!(folder.agreed().len(), 16);
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn a_row_says_error_until_each_of_its_answers_is_there() {
    let folder = Folder::with("question,status\nfirst,\nsecond,\n");
    let asked = |service: &Service| service.asked().get("second").copied().unwrap_or(0);
    let service = Service::start(MockSettings {
        on: vec!["second=length".parse().unwrap()],
        ..MockSettings::default()
    });
    let limited = ["--samples", "2", "--max-tokens", "50"];
    service.run(&folder, &limited).exits(3);
    assert_eq!(folder.read("q.csv"), "question,status\nfirst,\nsecond,ERROR\n");
    assert_eq!((ledger(&folder)["rejected"].as_u64(), asked(&service)), (Some(2), 2));
    folder.dset(&["verify"]).exits(0);
    service.run(&folder, &limited).exits(3);
    assert_eq!(asked(&service), 2, "under the same limit nothing is asked again");
    let raised = ["--samples", "3", "--max-tokens", "50"];
    service.run(&folder, &raised).exits(3);
    assert_eq!(asked(&service), 3, "and of further samples only those");
    assert_eq!(folder.read("q.csv"), "question,status\nfirst,\nsecond,ERROR\n");
}

#[test]
fn where_the_store_is_gone_every_sample_is_taken_over_from_the_outputs() {
    let folder = Folder::with(&questions(3));
    let service = Service::friendly();
    let arguments = ["--samples", "2"];
    service.run(&folder, &arguments).exits(0);
    std::fs::remove_file(folder.path("dset_generator/dset.db")).unwrap();
    service.run(&folder, &arguments).exits(0).says("6 already answered");
    assert_eq!((service.stats().asked, folder.agreed().len()), (6, 6));
}
