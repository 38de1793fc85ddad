//! A job in shards: split once, each run in a folder of its own, with the keys of the whole.

use std::collections::BTreeMap;

use crate::common::{Folder, Going, Ran, Service, until};
use dset_mock::MockSettings;
use serde_json::Value;

/// Seven questions, one of them three times, and a blank one.
const QUESTIONS: &str = "question\na\nb\na\n\" \"\nc\nd\na\ne\n";

/// The keys in a store, each with its row and question.
fn keys(folder: &Folder, name: &str) -> BTreeMap<Vec<u8>, (i64, String)> {
    let store = rusqlite::Connection::open(folder.path(name).join("dset.db")).unwrap();
    let sql =
        "SELECT k.key, a.row, a.question FROM keys_by_row k JOIN answers a ON a.id = k.answer";
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
fn shards_take_turns_under_a_limit_of_the_run_and_not_under_the_jobs_own() {
    let (folder, service) = (Folder::with(QUESTIONS), Service::friendly());
    split(&folder, &service, &["--rpm", "90000"]);
    let run = |more: &[&str]| folder.dset(&[&["run", "--job", "job"], more].concat()).exits(0);
    run(&["--shard", "0"]);
    assert!(!folder.path("job/.lanes").exists(), "what all may ask is divided already");
    run(&["--shard", "1", "--rpm", "60000"]);
    run(&["--shard", "2", "--rpm", "60000"]);
    let turns: Value = serde_json::from_str(&folder.read("job/.lanes/0.json")).unwrap();
    let turns: Vec<_> = turns.as_array().unwrap().iter().map(|turn| &turn["folder"]).collect();
    assert_eq!(turns, ["shard-00001", "shard-00002"]);
    folder.dset(&["job", "merge", "job"]).exits(0);
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
    // The whole file is not asked into it.
    let whole = service.run(&folder, &["-o", "job/shard-00001"]).exits(2);
    whole.says("`job/shard-00001` is the folder of a shard").says("--shard 1");
    assert_eq!(service.stats().asked, 14);
}

#[test]
fn a_scheduler_says_which_shard_a_process_is() {
    let (folder, service) = (Folder::with(QUESTIONS), Service::friendly());
    split(&folder, &service, &[]);
    let auto = |name: &str, value: &str| {
        let mut command = folder.command(&["run", "--job", "job", "--shard", "auto"]);
        crate::common::Ran::from(command.env(name, value).output().unwrap())
    };
    auto("SLURM_ARRAY_TASK_ID", "0").exits(0);
    auto("JOB_COMPLETION_INDEX", "1").exits(0);
    auto("RANK", "2").exits(0);
    assert_eq!(service.stats().answered, 7);
    auto("SLURM_ARRAY_TASK_ID", "3").exits(2).says("there is no shard 3: the job has 3");
    auto("RANK", "x").exits(2).says("RANK is no number of a shard");
    auto("OTHER", "1").exits(2).says("no scheduler says which shard this is");
}

/// The first block of a page in which this stands.
#[cfg(unix)]
fn block_with(page: &str, words: &str) -> String {
    let blocks = page.split("```").skip(1).step_by(2);
    let found = blocks.map(|block| block.split_once('\n').unwrap().1).find(|b| b.contains(words));
    found.unwrap().to_owned()
}

#[cfg(unix)]
#[test]
fn the_script_for_slurm_stops_in_time_and_puts_its_task_into_the_queue_again() {
    use std::process::{Command, Stdio};
    let page = include_str!("../../../../docs/scale.md");
    let settings = MockSettings { latency_ms: 300, ..MockSettings::default() };
    let (folder, service) = (Folder::with(QUESTIONS), Service::start(settings));
    split(&folder, &service, &["-c", "1"]);
    folder.write("dset.sh", block_with(page, "#SBATCH"));
    folder.write("bin/scontrol", "#!/bin/sh\necho $1 $2 > requeued\n");
    let binary = std::path::PathBuf::from(env!("CARGO_BIN_EXE_dset"));
    let here = folder.path("bin");
    let path = format!(
        "{}:{}:{}",
        here.display(),
        binary.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(here.join("scontrol"), executable).unwrap();
    let task = |shard: &str| {
        let mut command = Command::new("bash");
        for (name, _) in folder.command(&[]).get_envs().filter(|(_, value)| value.is_none()) {
            command.env_remove(name);
        }
        command.arg("dset.sh").current_dir(folder.path(".")).env("PATH", &path);
        command.env("SLURM_ARRAY_TASK_ID", shard).env("SLURM_JOB_ID", "4711");
        command.env("DSET_SHARE_PACE", "off").env("XDG_CONFIG_HOME", folder.path(".config"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        crate::common::Going { child: command.spawn().unwrap() }
    };
    let going = task("0");
    until("it asks", || service.stats().asked > 0);
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&going.child),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    going.end().exits(143);
    assert_eq!(folder.read("requeued"), "requeue 4711\n");
    let stats = service.stats();
    assert_eq!((stats.asked, stats.answered), (1, 1), "what was on its way came home");
    std::fs::remove_file(folder.path("requeued")).unwrap();
    task("0").end().exits(0);
    assert_eq!(service.stats().asked, 2);
    assert!(!folder.path("requeued").exists());
}

#[test]
fn two_runs_of_one_shard_at_once_are_one_too_many() {
    let settings = MockSettings { latency_ms: 600_000, ..MockSettings::default() };
    let (folder, service) = (Folder::with(QUESTIONS), Service::start(settings));
    split(&folder, &service, &[]);
    let run = ["run", "--job", "job", "--shard", "0"];
    let going = crate::common::Going { child: folder.command(&run).spawn().unwrap() };
    until("it asks", || service.stats().asked > 0);
    folder.dset(&run).exits(11).says("another `dset run` is using this folder");
    going.kill();
}

#[test]
fn an_input_that_has_grown_is_gone_on_with_in_one_folder() {
    let (folder, service) = (Folder::with(QUESTIONS), Service::friendly());
    split(&folder, &service, &[]);
    let run = |shard| ["run", "--job", "job", "--shard", shard];
    folder.dset(&run("0")).exits(0);
    folder.dset(&run("1")).exits(0);
    let asked = service.stats().asked;
    folder.write(
        "q.csv",
        format!("new\n{QUESTIONS}").replacen("new\nquestion\n", "question\nnew\n", 1),
    );
    folder.dset(&run("2")).exits(2).says("`dset merge` puts the folders of the shards together");
    folder.dset(&["merge", "job/shard-00000", "job/shard-00001", "-o", "all"]).exits(0);
    service.run(&folder, &["-o", "all"]).exits(0);
    assert_eq!(service.stats().asked, 7 + 1, "of which {asked} were asked before");
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
    folder.write("dset.toml", "[[check]]\nname = \"lacks\"\npattern = \"zzz\"\n");
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

/// The rows of a dataset as it was written.
fn rows_of(folder: &Folder, name: &str) -> Vec<Value> {
    folder.read(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn run_shards(folder: &Folder, shards: &[&str]) {
    for shard in shards {
        folder.dset(&["run", "--job", "job", "--shard", shard]).exits(0);
    }
}

#[test]
fn shards_are_merged_in_the_order_of_the_input_and_the_whole_run_has_the_same_keys() {
    let (folder, service) = (Folder::with(QUESTIONS), Service::friendly());
    split(&folder, &service, &[]);
    run_shards(&folder, &["2", "0"]);
    folder
        .dset(&["job", "merge", "job", "--to", "all.jsonl"])
        .exits(2)
        .says("1 shard of the job unfinished")
        .says("2 questions left in shard 1");
    assert!(!folder.path("job/merged").exists());
    let partial = ["job", "merge", "job", "--partial", "--to", "all.jsonl", "--json"];
    let told = folder.dset(&partial).exits(0).json();
    assert_eq!((&told["answered"], &told["missing"]), (&5.into(), &2.into()), "{told}");
    assert_eq!(rows_of(&folder, "all.jsonl").len(), 5);
    let seen = folder.dset(&["job", "status", "job", "--json"]).exits(0).json();
    let states: Vec<&str> =
        seen["shards"].as_array().unwrap().iter().map(|s| s["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["done", "not begun", "done"]);
    assert_eq!(seen["ledger"]["pending"], 2);
    run_shards(&folder, &["1"]);
    folder.dset(&["job", "status", "job"]).exits(0).tells("3 of 3 shards done");
    folder
        .dset(&["job", "merge", "job", "--to", "all.jsonl", "--force"])
        .exits(0)
        .tells("job/merged/: 7 answers");
    let rows = rows_of(&folder, "all.jsonl");
    let questions: Vec<&str> = rows.iter().map(|row| row["question"].as_str().unwrap()).collect();
    assert_eq!(questions, ["a", "b", "a", "c", "d", "a", "e"]);
    let csv = folder.read("job/merged/output.csv");
    assert_eq!(csv.lines().count(), 8, "{csv}");
    // It is the folder of a whole run.
    let url = service.url();
    let run = ["run", "q.csv", "-o", "job/merged", "--base-url", &url, "--key", "none"];
    folder.dset(&run).exits(0);
    assert_eq!(service.stats().asked, 7, "nothing is asked again");
    service.run(&folder, &[]).exits(0);
    assert_eq!(keys(&folder, "job/merged"), keys(&folder, "dset_generator"));
    folder.dset(&["verify", "-o", "job/merged"]).exits(0);
}

#[test]
fn what_a_whole_run_has_a_shard_does_not_ask() {
    let (folder, service) = (Folder::with(QUESTIONS), Service::friendly());
    service.run(&folder, &["-n", "4"]).exits(0);
    split(&folder, &service, &[]);
    folder.dset(&["merge", "dset_generator", "-o", "job/shard-00000"]).exits(0);
    folder.dset(&["merge", "dset_generator", "-o", "job/shard-00001"]).exits(0);
    run_shards(&folder, &["0", "1", "2"]);
    assert_eq!(service.stats().asked, 7);
    assert!(service.asked().values().all(|&times| times <= 3), "{:?}", service.asked());
}

#[test]
fn folders_that_were_asked_apart_become_one_and_contradictions_are_named() {
    let (folder, service) = (Folder::with(QUESTIONS), Service::friendly());
    service.run(&folder, &["-n", "4", "-o", "a"]).exits(0);
    // The same questions in another order, and one more.
    folder.write("q.csv", "question\nx\ne\nd\na\n");
    service.run(&folder, &["-o", "b"]).exits(0);
    assert_eq!(service.stats().asked, 8);
    let told = folder.dset(&["merge", "a", "b", "-o", "c"]).exits(0);
    assert!(told.out.starts_with("c/: 7 answers taken in"), "{}", told.out);
    assert!(told.err.contains("1 answer bought in two folders"), "{}", told.err);
    let again = folder.dset(&["merge", "b", "a", "-o", "c", "--json"]).exits(0).json();
    assert_eq!((&again["taken"], &again["known"]), (&0.into(), &7.into()), "{again}");
    folder.write("q.csv", QUESTIONS);
    service.run(&folder, &["-o", "c"]).exits(0);
    assert_eq!(service.stats().asked, 9, "one of three equal questions is left to ask");
    folder.dset(&["verify", "-o", "c"]).exits(0);
    // Both answers to the same request are kept.
    let store = rusqlite::Connection::open(folder.path("c/dset.db")).unwrap();
    let count = |sql: &str| store.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM attempts WHERE cause = 'paid twice'"), 1);
    assert_eq!(count("SELECT count(*) FROM lives"), 3);
    folder.dset(&["merge", "a", "nowhere", "-o", "d"]).exits(2).says("nothing was asked yet");
    assert!(!folder.path("d").exists());
    service.run(&folder, &["-o", "a", "--again"]).exits(0);
    folder.dset(&["merge", "b", "a", "-o", "d"]).exits(2).says("asked again 1 time");
}

#[test]
fn a_text_that_is_compressed_in_one_folder_and_not_in_another_is_the_same_text() {
    let (folder, service) = (Folder::with("question\na\nb\n"), Service::friendly());
    service.run(&folder, &["-o", "new"]).exits(0);
    fs_err::create_dir(folder.path("old")).unwrap();
    fs_err::copy(folder.path("new/dset.db"), folder.path("old/dset.db")).unwrap();
    let texts = |name: &str| -> (i64, i64) {
        let store = rusqlite::Connection::open(folder.path(name).join("dset.db")).unwrap();
        let sql = "SELECT total(typeof(reasoning) = 'blob'), count(*) FROM answers";
        store.query_row(sql, [], |row| Ok((row.get::<_, f64>(0)? as i64, row.get(1)?))).unwrap()
    };
    assert_eq!(texts("new"), (2, 2), "answers of the service are long enough");
    // As versions before kept them.
    let old = rusqlite::Connection::open(folder.path("old/dset.db")).unwrap();
    for id in [1, 2] {
        let sql = "SELECT reasoning, answer FROM answers WHERE id = ?1";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let (both, begins): (Vec<u8>, [u8; 8]) = old.query_row(sql, [id], read).unwrap();
        let both = String::from_utf8(zstd::decode_all(&both[..]).unwrap()).unwrap();
        let (reasoning, answer) =
            both.split_at(u32::from_le_bytes(*begins.first_chunk().unwrap()) as usize);
        let sql = "UPDATE answers SET reasoning = ?2, answer = ?3 WHERE id = ?1";
        old.execute(sql, rusqlite::params![id, reasoning, answer]).unwrap();
    }
    let older = "UPDATE answer_facts SET answered_at = NULL, life = NULL; DELETE FROM meta WHERE name = 'facts_from'";
    old.execute_batch(older).unwrap();
    assert_eq!(texts("old"), (0, 2));
    for (from, to) in [("old", "a"), ("new", "b")] {
        let other = if from == "old" { "new" } else { "old" };
        let merged = folder.dset(&["merge", from, other, "-o", to, "--json"]).exits(0).json();
        assert_eq!((&merged["taken"], &merged["known"]), (&2.into(), &2.into()), "{merged}");
        assert_eq!(merged["contradictions"], 0, "{merged}");
        let store = rusqlite::Connection::open(folder.path(to).join("dset.db")).unwrap();
        let sql = "SELECT count(*) FROM answers a JOIN answer_facts f ON f.answer = a.id
                   WHERE f.life = a.life AND f.answered_at = a.answered_at";
        assert_eq!(store.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap(), 2);
    }
    service.run(&folder, &["-o", "a"]).exits(0);
    assert_eq!(service.stats().asked, 2);
}

#[test]
fn what_failed_in_a_shard_is_failed_in_the_merged_folder() {
    let (folder, service) = (Folder::with(QUESTIONS), Service::with(&["c=risk"]));
    split(&folder, &service, &[]);
    run_shards(&folder, &["0", "2"]);
    folder.dset(&["run", "--job", "job", "--shard", "1"]).exits(3);
    let seen = folder.dset(&["job", "status", "job", "--json"]).exits(0).json();
    assert_eq!(seen["shards"][1]["state"], "done, with failures");
    assert_eq!(folder.read("q.csv"), QUESTIONS);
    folder.dset(&["job", "merge", "job"]).exits(0).tells("6 answers, 1 without one");
    let seen = folder.dset(&["status", "-o", "job/merged", "--json"]).exits(0).json();
    assert_eq!((&seen["ledger"]["answered"], &seen["ledger"]["rejected"]), (&6.into(), &1.into()));
}

#[test]
fn nothing_that_a_merged_folder_does_marks_the_jobs_input() {
    // One row says ERROR from before, as every shard read it.
    let before = "question,status\na,\nb,ERROR\nc,\nd,\n";
    let (folder, service) = (Folder::with(before), Service::with(&["c=risk"]));
    split(&folder, &service, &["-m", "m"]);
    run_shards(&folder, &["0", "1"]);
    folder.dset(&["run", "--job", "job", "--shard", "2"]).exits(3);
    let url = service.url();
    let as_before = ["q.csv", "-m", "m", "--base-url", &url, "--key", "none"];
    let merged = |name: &str| {
        let run = [&["run", "-o", name][..], &as_before].concat();
        let told = folder.dset(&run).exits(3);
        assert!(!told.err.contains("marked ERROR"), "{}", told.err);
        let redo = [&["redo", "-o", name, "--failed", "--questions"][..], &as_before].concat();
        folder.dset(&redo).exits(3);
        let checked = [&["check", "-o", name][..], &as_before].concat();
        let checked = [&checked[..], &["--check", "length=9999999..", "--apply"]].concat();
        folder.dset(&checked).exits(3);
        assert_eq!(folder.read("q.csv"), before, "{name}");
        folder.dset(&["status", "-o", name]).exits(0).tells("none: this input is never written");
    };
    folder.dset(&["job", "merge", "job"]).exits(0);
    merged("job/merged");
    // Nor where shards are put together by their names, and again from there.
    folder.dset(&["merge", "job/shard-00001", "job/shard-00000", "-o", "both"]).exits(0);
    folder.dset(&["merge", "both", "job/shard-00002", "-o", "all"]).exits(0);
    merged("all");
    folder.dset(&["job", "status", "job"]).exits(0).tells("3 of 3 shards done");
    // Nor before any shard was asked.
    let new = ["job", "split", "q.csv", "--shards", "2", "-o", "new", "-m", "m", "--key", "none"];
    folder.dset(&[&new[..], &["--base-url", &url]].concat()).exits(0);
    folder.dset(&["job", "merge", "new", "--partial"]).exits(0);
    merged("new/merged");
}

#[test]
fn a_row_that_is_asked_again_in_a_shard_is_so_in_the_merged_folder_too() {
    let (folder, service) = (Folder::with(QUESTIONS), Service::friendly());
    split(&folder, &service, &["-m", "m", "--temperature", "1"]);
    run_shards(&folder, &["0", "1", "2"]);
    let merged = || {
        folder.dset(&["job", "merge", "job", "--to", "all.jsonl", "--force"]).exits(0);
        folder.dset(&["verify", "-o", "job/merged"]).exits(0);
        rows_of(&folder, "all.jsonl")
    };
    let before = merged();
    folder.dset(&["redo", "1", "--job", "job", "--shard", "1"]).exits(0);
    let after = merged();
    assert_eq!(after.len(), 7);
    // The first of its shard is the third of the file.
    let is_new = |at: &usize| before[*at]["time"] != after[*at]["time"];
    assert_eq!((0..7).filter(is_new).collect::<Vec<_>>(), [2]);
}

#[test]
fn what_failed_in_a_shard_is_asked_again_by_its_hints() {
    let service = Service::with(&["x=risk", "y=length*3"]);
    let folder = Folder::with("question\nb1\nb2\nx\ny\nb3\nb4\n");
    split(
        &folder,
        &service,
        &["-m", "m", "--check", "whole", "--on-fail", "retry", "--tries", "2"],
    );
    let again = "dset run --job job --shard 1";
    let redo = "dset redo --failed --job job --shard 1";
    let told = folder.dset(&["run", "--job", "job", "--shard", "1"]).exits(3);
    assert!(told.err.contains(&format!("again with `{again}`")), "{}", told.err);
    let as_redo = "dset redo --job job --shard 1 --failed";
    assert!(told.err.contains(&format!("anew with `{as_redo}`")), "{}", told.err);
    assert!(!told.err.contains("--max-tokens"), "{}", told.err);
    let status = folder.dset(&["status", "-o", "job/shard-00001"]).exits(0);
    assert!(status.out.contains(&format!("again with `{again}`")), "{}", status.out);
    assert!(status.out.contains(&format!("`{as_redo}`")), "{}", status.out);
    let job = folder.dset(&["job", "status", "job"]).exits(0);
    assert!(job.out.contains(again) && job.out.contains(redo), "{}", job.out);
    let asked = service.stats().asked;
    folder.dset(&["run", "--job", "job", "--shard", "1"]).exits(3);
    assert_eq!(
        service.stats().asked,
        asked + 1,
        "what was refused, and not what has used up its tries"
    );
    folder.dset(&["redo", "--failed", "--job", "job", "--shard", "1"]).exits(3);
    assert_eq!(service.stats().asked, asked + 4, "both, and one twice");
    let seen = folder.dset(&["job", "status", "job", "--json"]).exits(0).json();
    assert_eq!(seen["shards"][1]["ledger"]["answered"], 1, "{seen}");
    assert_eq!(seen["shards"][1]["ledger"]["rejected"], 1, "{seen}");
    folder.dset(&["run", "--job", "job", "--shard", "1", "--again"]).exits(2);
}

#[test]
fn a_shard_is_not_asked_otherwise_than_the_whole() {
    let (folder, service) = (Folder::with("question\na\nb\n"), Service::friendly());
    let url = service.url();
    let split = ["job", "split", "q.csv", "--shards", "2", "-m", "m", "--base-url", &url];
    folder.dset(&[&split[..], &["--key", "none"]].concat()).exits(0);
    let run = ["run", "--job", "job", "--shard", "0"];
    folder.write("dset.toml", "temperature = 0.3\n");
    folder.dset(&run).exits(2).says("temperature").says("split anew");
    folder.write("dset.toml", "rpm = 100\n");
    let mut other = folder.command(&run);
    let other = other.env("DSET_MODEL", "other").output().unwrap();
    assert_eq!(other.status.code(), Some(2), "{}", String::from_utf8_lossy(&other.stderr));
    folder.dset(&[&run[..], &["--samples", "2"]].concat()).exits(2).says("samples");
    folder.dset(&[&run[..], &["--check", "length=1.."]].concat()).exits(2).says("check");
    assert_eq!(service.stats().asked, 0);
    folder.dset(&run).exits(0);
}

/// Whatever follows the first hint with these words, between its ticks.
fn hinted(err: &str, words: &str) -> String {
    let hint = err.lines().find(|line| line.contains(words)).unwrap_or_else(|| panic!("{err}"));
    hint.split('`').nth(1).unwrap().to_owned()
}

#[test]
fn hints_about_a_job_lead_to_what_they_name() {
    let (folder, service) = (Folder::with(QUESTIONS), Service::friendly());
    split(&folder, &service, &[]);
    let url = service.url();
    let other = ["job", "split", "q.csv", "--shards", "5", "--base-url", &url, "--key", "none"];
    let ran = folder.dset(&other).exits(2);
    let command = hinted(&ran.err, "Name another folder").replace("DIR", "job5");
    folder.shell(&command).exits(0);
    assert!(folder.path("job5/job.json").exists());
    // Without a bound of tokens no shard could keep to a limit.
    let limited = [&other[..], &["-o", "dear", "--max-cost", "5"]].concat();
    let ran = folder.dset(&limited).exits(2).says("a limit needs to know how long an answer");
    assert!(!folder.path("dear").exists());
    folder.shell(&hinted(&ran.err, "Say the most tokens")).exits(0);
    assert!(folder.path("dear/job.json").exists());
    // The questions have moved.
    for shard in ["0", "1", "2"] {
        folder.dset(&["run", "--job", "job", "--shard", shard]).exits(0);
    }
    std::fs::rename(folder.path("q.csv"), folder.path("moved.csv")).unwrap();
    for command in [&["job", "merge", "job"][..], &["job", "status", "job"]] {
        let ran = folder.dset(command).exits(2);
        folder.shell(&hinted(&ran.err, "where they are now").replace("FILE", "moved.csv")).exits(0);
    }
}

#[test]
fn what_a_redo_of_a_shard_hints_at_can_be_given() {
    let folder = Folder::with("question\none\nCUT two\nthree\nfour\nfive\nsix\n");
    let service = Service::with(&["CUT=length"]);
    split(&folder, &service, &[]);
    folder.dset(&["run", "--job", "job", "--shard", "0"]).exits(3);
    let ran = folder.dset(&["redo", "--failed", "--job", "job", "--shard", "0"]).exits(3);
    let asked = service.stats().asked;
    folder.shell(&hinted(&ran.err, "are asked anew")).exits(3);
    assert_eq!(service.stats().asked, asked + 1);
}

#[test]
fn a_refused_key_and_a_folder_in_use_lead_to_the_job_and_its_service() {
    let folder = Folder::with(QUESTIONS);
    let service = Service::start(MockSettings { latency_ms: 60_000, ..MockSettings::default() });
    split(&folder, &service, &[]);
    let run = folder.command(&["run", "--job", "job", "--shard", "0"]).spawn().unwrap();
    until("it asks", || service.stats().asked > 0);
    let ran = folder.dset(&["run", "--job", "job", "--shard", "0"]).exits(11);
    folder.shell(&hinted(&ran.err, "how far it is")).exits(0);
    Going { child: run }.kill();
    let service = Service::with(&["a=401", "b=401", "OK=401"]);
    let url = service.url();
    let key = ["--base-url", &url, "--key", "OWN_KEY", "-o", "refused"];
    folder.dset(&[&["job", "split", "q.csv", "--shards", "2"][..], &key].concat()).exits(0);
    folder.write(".env", "OWN_KEY=sk-1\n");
    let mut run = folder.command(&["run", "--job", "refused", "--shard", "0"]);
    let ran = Ran::from(run.env("OWN_KEY", "sk-1").output().unwrap()).exits(4);
    let command = hinted(&ran.err, "Check it with");
    assert!(command.contains(&url) && command.contains("q.csv"), "{command}");
    folder.shell(&command).exits(1).tells("OWN_KEY");
}
