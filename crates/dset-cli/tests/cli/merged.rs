//! Folders and shards put together: nothing that was paid for is left behind, and limits are those of the whole.

use crate::checks::{arithmetic, service as answering};
use crate::common::{Folder, Service, questions};

fn split(folder: &Folder, service: &Service, more: &[&str]) {
    let url = service.url();
    let all = ["job", "split", "q.csv", "--shards", "2", "--base-url", &url, "--key", "none"];
    folder.dset(&[&all[..], more].concat()).exits(0);
}

fn run_shard(folder: &Folder, shard: &str) {
    folder.dset(&["run", "--job", "job", "--shard", shard]).exits(0);
}

/// Moves the last answer of a store into its rescue file, as a run does whose disk is full.
fn rescue(folder: &Folder, name: &str) {
    let store = rusqlite::Connection::open(folder.path(name).join("dset.db")).unwrap();
    let sql = "SELECT k.key, k.question, k.settings, a.id, a.life, a.row, a.answered_at, a.question
               FROM keys k JOIN answers a ON a.id = k.answer JOIN output_order o ON o.answer = a.id
               ORDER BY o.position DESC LIMIT 1";
    let (id, line) = store
        .query_row(sql, [], |row| {
            let bytes = |at: usize| row.get::<_, Vec<u8>>(at);
            let answer = serde_json::json!({
                "key": bytes(0)?, "question_hash": bytes(1)?, "settings": row.get::<_, i64>(2)?,
                "edition": 0, "life": row.get::<_, i64>(4)?, "row": row.get::<_, i64>(5)?,
                "answered_at": row.get::<_, i64>(6)?, "question": row.get::<_, String>(7)?,
                "reasoning": "", "answer": "rescued", "metadata": {},
            });
            Ok((row.get::<_, i64>(3)?, serde_json::json!({ "v": 1, "answer": answer })))
        })
        .unwrap();
    for (table, column) in [
        ("keys_by_row", "answer"),
        ("output_order", "answer"),
        ("answer_facts", "answer"),
        ("answers", "id"),
    ] {
        store.execute(&format!("DELETE FROM {table} WHERE {column} = ?1"), [id]).unwrap();
    }
    drop(store);
    folder.write(&format!("{name}/dset.rescue"), format!("\n{line}\n"));
}

#[test]
fn what_a_run_could_only_rescue_is_merged_and_not_bought_again() {
    let (folder, service) = (Folder::with(&questions(4)), Service::friendly());
    service.run(&folder, &["-o", "a"]).exits(0);
    rescue(&folder, "a");
    let seen = folder.dset(&["status", "-o", "a", "--json"]).exits(0).json();
    assert_eq!((&seen["ledger"]["answered"], &seen["rescued"]), (&3.into(), &1.into()), "{seen}");
    folder.dset(&["status", "-o", "a"]).exits(0).tells("wait in dset.rescue");
    folder
        .dset(&["export", "-o", "a", "--to", "a.jsonl"])
        .exits(0)
        .says("1 answer in dset.rescue, and not in the dataset yet");
    folder
        .dset(&["merge", "a", "-o", "b"])
        .exits(0)
        .says("took in 1 answer first that a run could only rescue")
        .tells("4 answers taken in");
    service.run(&folder, &["-o", "b"]).exits(0);
    assert_eq!(service.stats().asked, 4, "nothing is bought again");
}

#[test]
fn a_folder_whose_checks_cannot_be_read_is_named_and_takes_nothing_in() {
    let (folder, service) = (Folder::with(&questions(4)), Service::friendly());
    service.run(&folder, &["-o", "a", "-n", "2"]).exits(0);
    service.run(&folder, &["-o", "b"]).exits(0);
    let store = rusqlite::Connection::open(folder.path("a/dset.db")).unwrap();
    store.execute("UPDATE meta SET value = '{' WHERE name = 'acceptance'", []).unwrap();
    let merged = folder.dset(&["merge", "b", "-o", "a"]).exits(1);
    merged.says("what was accepted last cannot be read");
    let answers = store.query_row("SELECT count(*) FROM answers", [], |row| row.get(0));
    assert_eq!(answers, Ok(2));
}

#[test]
fn an_accepted_answer_of_one_folder_counts_before_one_of_another_that_fails_its_check() {
    for more in
        [&["--on-fail", "mark"][..], &["--on-fail", "retry", "--retry", "fresh", "--tries", "2"]]
    {
        let (folder, answers) = arithmetic(3);
        let (wrong, right) = (answering(answers.clone(), 1.0), answering(answers, 0.0));
        let checked = [&["--gold", "gold"][..], more].concat();
        wrong.run(&folder, &[&checked[..], &["-o", "a"]].concat()).exits(3);
        right.run(&folder, &[&checked[..], &["-o", "b"]].concat()).exits(0);
        for (first, second, to) in [("a", "b", "ab"), ("b", "a", "ba")] {
            for _ in 0..2 {
                folder.dset(&["merge", first, second, "-o", to]).exits(0);
            }
            let status = folder.dset(&["status", "-o", to, "--json"]).exits(0).json();
            assert_eq!(status["ledger"]["answered"], 3, "{to}");
            right.run(&folder, &[&checked[..], &["-o", to]].concat()).exits(0);
            folder.dset(&["verify", "-o", to]).exits(0);
        }
        assert_eq!(right.stats().asked, 3, "nothing is bought again");
    }
}

#[test]
fn a_shard_whose_answers_were_rescued_is_done_once_they_are_taken_in() {
    let (folder, service) = (Folder::with(&questions(4)), Service::friendly());
    split(&folder, &service, &[]);
    ["0", "1"].iter().for_each(|shard| run_shard(&folder, shard));
    rescue(&folder, "job/shard-00001");
    folder.dset(&["job", "status", "job"]).exits(0).tells("and 1 answer in dset.rescue");
    let told = folder.dset(&["job", "merge", "job", "--json"]).exits(0).json();
    let told = ["rescued", "answered", "missing"].map(|name| told[name].as_u64());
    assert_eq!(told, [Some(1), Some(4), Some(0)]);
    assert_eq!(service.stats().asked, 4);
}

#[test]
fn the_folder_of_a_job_is_that_of_no_run() {
    let (folder, service) = (Folder::with(&questions(4)), Service::friendly());
    split(&folder, &service, &[]);
    for words in [&["status", "-o", "job"][..], &["export", "-o", "job", "--to", "a.jsonl"]] {
        let ran = folder.dset(words).exits(2).says("`job` is the folder of a job of shards");
        ran.says("dset job status job").says("dset job merge job");
    }
    service.run(&folder, &["-o", "job"]).exits(2).says("`job` is the folder of a job of shards");
    assert!(service.stats().asked == 0 && !folder.path("job/dset.db").exists());
}

#[test]
fn what_goes_on_in_the_merged_folder_has_the_settings_and_limits_of_the_whole_job() {
    let (folder, service) = (Folder::with(&questions(4)), Service::friendly());
    folder.dset(&["prices", "set", "m", "--input", "1", "--output", "10"]).exits(0);
    let limits = ["-m", "m", "-s", "Be brief.", "--max-cost", "3", "--max-output-bound", "300"];
    split(&folder, &service, &limits);
    for begun in [false, true] {
        if begun {
            run_shard(&folder, "0");
            std::fs::remove_dir_all(folder.path("job/merged")).unwrap();
        }
        folder.dset(&["job", "merge", "job", "--partial"]).exits(0);
        let status = folder.dset(&["status", "-o", "job/merged"]).exits(0);
        let status = status.tells("--max-cost 3 --max-output-bound 300").tells(&service.url());
        status.tells("--key none").tells("'Be brief.'");
    }
    // What was asked there counts as answered, too.
    let run = ["run", "q.csv", "-o", "job/merged", "-s", "Be brief.", "-m", "m"];
    let url = service.url();
    folder.dset(&[&run[..], &["--base-url", &url, "--key", "none"]].concat()).exits(0);
    let again = folder.dset(&["job", "merge", "job", "--partial", "--json"]).exits(0).json();
    assert_eq!((&again["answered"], &again["missing"]), (&4.into(), &0.into()), "{again}");
    assert_eq!(service.stats().asked, 4);
}

#[test]
fn a_split_says_what_will_not_hold_as_a_limit_of_the_job() {
    let (folder, service) = (Folder::with(&questions(4)), Service::friendly());
    let url = service.url();
    let split = ["job", "split", "q.csv", "--shards", "2", "--base-url", &url, "--key", "none"];
    let limits = ["-m", "m", "--max-cost-run", "3", "--max-output-bound", "300"];
    folder
        .dset(&[&split[..], &limits].concat())
        .exits(0)
        .says("a limit needs the price of m, which is not known: where it is not known either")
        .says("`--max-cost-run` is a limit of each run of a shard");
}

#[test]
fn the_next_command_of_a_merged_folder_asks_as_its_folders_were_asked() {
    let (folder, service) = (Folder::with(&questions(3)), Service::friendly());
    let asked = ["-m", "mm", "-s", "Be brief.", "--temperature", "0.5"];
    service.run(&folder, &[&["-o", "a", "-n", "2"], &asked[..]].concat()).exits(0);
    let merged = folder.dset(&["merge", "a", "-o", "m"]).exits(0);
    let next = merged.out.lines().find_map(|line| line.strip_prefix("next: ")).unwrap();
    let next = next.strip_suffix(" asks the rest and writes the outputs").unwrap();
    assert!(next.starts_with("dset run q.csv -o m "), "{next}");
    folder.shell(next).exits(0);
    assert_eq!(service.stats().asked, 3);
}
