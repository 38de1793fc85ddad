//! `dset stats`: what the answers are like, and that nothing changes.

use crate::common::{Folder, Service, questions};
use dset_mock::MockSettings;
use serde_json::{Value, json};

fn stats(folder: &Folder) -> Value {
    let stats = folder.dset(&["stats", "--json"]).exits(0).json();
    assert_eq!(stats["v"], 1);
    stats
}

#[test]
fn everything_is_counted_by_its_cause_and_its_size() {
    let folder = Folder::with(&format!("{}\"Question 2, what then?\",\n", questions(12)));
    let service = Service::start(MockSettings {
        on: ["Question 7,=risk", "Question 3,=length", "Question 9,=500*1"]
            .map(|rule| rule.parse().unwrap())
            .to_vec(),
        ..MockSettings::default()
    });
    service.run(&folder, &["--max-tokens", "50", "--backoff", "1ms"]).exits(3);
    // Sizes that are known.
    folder.sql(
        "UPDATE answers SET answer = printf('%.*c', id * 10, 'x'), reasoning = 'äöü';
         UPDATE answer_facts SET output_tokens = 100, reasoning_tokens = 60, input_tokens = 7,
           cached_tokens = 5, seconds = (SELECT row FROM answers WHERE id = answer_facts.answer) + 0.5;",
    );
    let before = folder.everything();
    let all = stats(&folder);
    assert_eq!(all["ledger"]["answered"], 11);
    assert_eq!(all["failed"], json!({ "content filter": 1, "length limit": 1 }));
    assert_eq!(all["failed_asks"]["server error"], 1);
    assert_eq!((&all["cut"], &all["duplicates"]), (&json!(1), &json!(1)));
    let one = &all["all"];
    assert_eq!((&one["answers"], &one["retried"]), (&json!(12), &json!(1)));
    let tokens = json!({ "input": 84, "cached": 60, "output": 1200, "reasoning": 720 });
    assert_eq!(one["tokens"], tokens);
    // Row 14 is question 13. Of 2.5 … 7.5, 9.5 … 14.5 seconds the middle is 7.5.
    assert_eq!((&one["slowest_question"], &one["seconds"]["max"]), (&json!(13), &json!(14.5)));
    let median = one["seconds"]["median"].as_f64().unwrap();
    assert!((median - 7.5).abs() < 7.5 * 0.008, "{median}");
    assert_eq!(one["answer_characters"]["median"], 60);
    assert_eq!(one["reasoning_characters"]["max"], 3, "characters, not bytes");
    folder
        .dset(&["stats"])
        .exits(0)
        .tells("q.csv -> dset_generator/: 12 answers\n")
        .tells("answered          11 of 13\n")
        .tells("failed            2: 1 content filter, 1 length limit\n")
        .tells("cut               1 answer at the token limit\n")
        .tells("check whole       11 pass, 1 fail")
        .tells("duplicates        1 question the same as an earlier one\n")
        .tells("tokens            1.2k out (60 % reasoning), 84 in (60 cached)\n")
        .tells(", slowest 14s (question 13)\n")
        .tells("retried           1 answer took more than one ask\n")
        .tells("seconds of an answer\n      under 5s  3  ####")
        .tells("\n     5s to 10s  4  ####");
    assert_eq!(folder.everything(), before);
}

#[test]
fn models_are_told_apart() {
    let folder = Folder::with(&questions(3));
    let service = Service::friendly();
    service.run(&folder, &["-m", "one", "-m", "two"]).exits(0);
    let all = stats(&folder);
    let models: Vec<_> = all["models"].as_array().unwrap().iter().map(|m| &m["answers"]).collect();
    assert_eq!(models, [&json!(3), &json!(3)]);
    folder
        .dset(&["stats"])
        .exits(0)
        .tells("answered          6 of 6 wanted\n")
        .tells("  two               3 answers, median ");
    service.run(&folder, &["-m", "one", "--again"]).exits(0);
    assert_eq!(stats(&folder)["all"]["answers"], 3, "without those before --again");
}

#[test]
fn before_the_first_run_there_is_nothing_to_count() {
    let folder = Folder::with(&questions(3));
    folder.dset(&["stats"]).exits(2).says("nothing was asked yet");
    assert!(!folder.path("dset_generator").exists());
}

#[test]
fn while_a_run_goes_on_what_is_there_is_counted() {
    let folder = Folder::with(&questions(5));
    let service = Service::with(&["Question 5,=hang"]);
    let going = service.begin_until(&folder, 4);
    assert_eq!(stats(&folder)["all"]["answers"], 4);
    going.kill();
}
