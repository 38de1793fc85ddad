//! A job in shards: split once, each run in a folder of its own, with the keys of the whole.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::collections::BTreeMap;

use common::{Folder, Service, until};
use dset_mock::MockSettings;
use serde_json::Value;

/// Seven questions, one of them three times, and a blank one.
const QUESTIONS: &str = "question\na\nb\na\n\" \"\nc\nd\na\ne\n";

/// The keys in a store, each with its row and question.
fn keys(folder: &Folder, name: &str) -> BTreeMap<Vec<u8>, (i64, String)> {
    let store = rusqlite::Connection::open(folder.path(name).join("dset.db")).unwrap();
    let sql = "SELECT k.key, a.row, a.question FROM answer_keys k JOIN answers a ON a.id = k.answer";
    let mut answers = store.prepare(sql).unwrap();
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)));
    answers.query_map([], row).unwrap().map(Result::unwrap).collect()
}

fn split(folder: &Folder, service: &Service, more: &[&str]) {
    let url = service.url();
    let mut all = vec!["job", "split", "q.csv", "--shards", "3", "-o", "job"];
    all.extend(["--base-url", &url, "--key", "none"]);
    all.extend(more);
    folder.dset(&all).exits(0);
}

#[test]
fn shards_have_the_keys_of_the_whole_run_and_ask_nothing_twice() {
    let (folder, service) = (Folder::with(QUESTIONS), Service::friendly());
    let url = service.url();
    let told = folder
        .dset(&["job", "split", "q.csv", "--shards", "3", "--base-url", &url, "--key", "none"])
        .exits(0);
    assert_eq!(told.out.lines().next(), Some("q.csv: 7 questions in 3 shards of about 3"));
    assert_eq!(service.stats().asked, 0);
    let run = |shard: &str| folder.dset(&["run", "--job", "job", "--shard", shard]).exits(0);
    ["2", "0", "1"].into_iter().for_each(|shard| drop(run(shard)));
    assert_eq!(service.stats().answered, 7);
    run("1");
    assert_eq!(service.stats().asked, 7, "the same shard twice asks nothing");
    let mut shards = BTreeMap::new();
    (0..3).for_each(|number| shards.extend(keys(&folder, &format!("job/shard-0000{number}"))));
    service.run(&folder, &[]).exits(0);
    assert_eq!(shards, keys(&folder, "dset_generator"));
    assert_eq!(shards.len(), 7);
    assert_eq!(folder.read("q.csv"), QUESTIONS);
    // A shard's folder is looked at like any other.
    let seen = folder.dset(&["status", "-o", "job/shard-00001", "--json"]).exits(0).json();
    assert_eq!(seen["ledger"]["questions"], 2, "{seen}");
    assert_eq!(seen["ledger"]["answered"], 2, "{seen}");
    folder.dset(&["verify", "-o", "job/shard-00002"]).exits(0);
}

#[test]
fn a_scheduler_says_which_shard_a_process_is() {
    let (folder, service) = (Folder::with(QUESTIONS), Service::friendly());
    split(&folder, &service, &[]);
    let auto = |name: &str, value: &str| {
        let mut command = folder.command(&["run", "--job", "job", "--shard", "auto"]);
        common::Ran::from(command.env(name, value).output().unwrap())
    };
    auto("SLURM_ARRAY_TASK_ID", "0").exits(0);
    auto("JOB_COMPLETION_INDEX", "1").exits(0);
    auto("RANK", "2").exits(0);
    assert_eq!(service.stats().answered, 7);
    auto("SLURM_ARRAY_TASK_ID", "3").exits(2).says("there is no shard 3: the job has 3");
    auto("RANK", "x").exits(2).says("RANK is no number of a shard");
    auto("OTHER", "1").exits(2).says("no scheduler says which shard this is");
}

#[test]
fn two_runs_of_one_shard_at_once_are_one_too_many() {
    let settings = MockSettings { latency_ms: 600_000, ..MockSettings::default() };
    let (folder, service) = (Folder::with(QUESTIONS), Service::start(settings));
    split(&folder, &service, &[]);
    let run = ["run", "--job", "job", "--shard", "0"];
    let going = common::Going { child: folder.command(&run).spawn().unwrap() };
    until("it asks", || service.stats().asked > 0);
    folder.dset(&run).exits(11).says("another `dset run` is using this folder");
    going.kill();
}

#[test]
fn an_input_that_changed_is_refused_before_anything_is_asked() {
    let (folder, service) = (Folder::with(QUESTIONS), Service::friendly());
    split(&folder, &service, &[]);
    folder.write("q.csv", QUESTIONS.replace("\nd\n", "\nD\n"));
    let run = ["run", "--job", "job", "--shard", "1"];
    folder
        .dset(&run)
        .exits(2)
        .says("the input is not what was split")
        .says("`q.csv` differs first within lines 1 to 9");
    std::fs::remove_file(folder.path("q.csv")).unwrap();
    folder.dset(&run).exits(2).says("q.csv");
    assert_eq!(service.stats().asked, 0);
    assert!(!folder.path("job/shard-00001").exists());
    // Elsewhere it is the same file.
    folder.write("copy/q.csv", QUESTIONS);
    folder.dset(&["run", "copy/q.csv", "--job", "job", "--shard", "1"]).exits(0);
    assert_eq!(service.stats().answered, 2);
}

#[test]
fn what_was_said_at_the_split_holds_for_every_shard_and_limits_are_divided() {
    let (folder, service) = (Folder::with(QUESTIONS), Service::friendly());
    let more = ["--template", "Say {{ question }}", "--max-tokens", "77", "--rpm", "30"];
    folder.write("system.txt", "Be brief.");
    split(&folder, &service, &[&more[..], &["--system-file", "system.txt"]].concat());
    let job: Value = serde_json::from_str(&folder.read("job/job.json")).unwrap();
    assert_eq!(job["settings"]["system"], "Be brief.");
    std::fs::remove_file(folder.path("system.txt")).unwrap();
    let run = ["run", "--job", "job", "--shard", "0"];
    folder.dset(&run).exits(0);
    assert!(service.asked().contains_key("Say a"), "{:?}", service.asked());
    folder
        .dset(&[&run[..], &["--template", "{{ question }}"]].concat())
        .exits(2)
        .says("`template` is not what the job was split with");
    folder
        .dset(&["job", "split", "q.csv", "--shards", "3", "--rpm", "2", "-o", "other"])
        .exits(2)
        .says("`--rpm 2` is less than one for each shard");
    folder
        .dset(&["job", "split", "q.csv", "--shards", "4", "-o", "job"])
        .exits(2)
        .says("`job` holds another job");
    folder.dset(&["job", "split", "-", "--shards", "4"]).exits(2).says("cannot be split");
    folder.dset(&["run", "--job", "nowhere", "--shard", "0"]).exits(2).says("there is no job");
}
