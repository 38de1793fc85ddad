//! `dset status`: what it tells, at any moment, and that it changes nothing.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use crate::common::{Folder, Service, questions};
use dset_mock::MockSettings;
use serde_json::json;

#[test]
fn of_an_input_without_questions_it_is_told_what_to_write_and_no_run_that_would_fail() {
    let folder = Folder::with("question\n");
    let out = folder.dset(&["status"]).exits(0).tells("hint: Write one question a line").out;
    assert!(!out.contains("dset run"), "{out}");
}

fn balanced(folder: &Folder) -> serde_json::Value {
    let status = folder.dset(&["status", "--json"]).exits(0).json();
    let term = |name: &str| status["ledger"][name].as_u64().unwrap();
    let terms = ["answered", "presumed", "rejected", "gave_up", "pending"].map(term);
    assert_eq!(terms.iter().sum::<u64>(), term("questions"), "{status}");
    assert_eq!((&status["v"], &status["balances"]), (&json!(1), &json!(true)));
    status
}

#[test]
fn before_the_first_run_nothing_was_asked_and_nothing_is_made() {
    let folder = Folder::with(&questions(3));
    let before = folder.everything();
    folder
        .dset(&["status"])
        .exits(0)
        .tells("nothing was asked yet")
        .tells("pending                   3")
        .tells("hint: Ask the questions with `dset run`");
    let status = balanced(&folder);
    assert_eq!((&status["has_store"], &status["ledger"]["pending"]), (&json!(false), &json!(3)));
    assert_eq!(folder.everything(), before);
    assert!(!folder.path("dset_generator").exists());
    folder.dset(&["status", "x.csv"]).exits(2).says("there is no `x.csv`");
}

#[test]
fn after_a_run_everything_is_counted_where_it_stands_and_no_byte_changes() {
    let folder = Folder::with(&questions(12));
    let service = Service::with(&["Question 7,=risk", "Question 9,=500*1", "Question 3,=length*1"]);
    folder.asks(&service);
    folder.dset(&["run", "--max-tokens", "50"]).exits(3);
    let before = folder.everything();
    folder
        .dset(&["status"])
        .exits(0)
        .tells("not running")
        .tells("answered                 10")
        .tells("= the sum: it balances")
        .tells("1 content filter, 1 length limit")
        .tells("failed checks     whole 1")
        .tells("10 rows in output.csv, output.json, output.txt")
        .tells("2 rows say ERROR")
        .tells("2: 1 content filter, 1 server error; none of them may have been paid for")
        .tells(&format!("deepseek-flash at {}", service.url()))
        .tells(": complete")
        .tells("hint: Ask the failed questions again with `dset run --max-tokens 50`");
    let status = balanced(&folder);
    assert_eq!(
        (&status["ledger"]["rejected"], &status["marks"]["marked"], &status["running"]),
        (&json!(2), &json!(2), &json!(false))
    );
    assert_eq!(folder.everything(), before, "nor is a file of SQLite's left behind");
}

#[test]
fn while_a_run_goes_on_it_is_told_by_whom_and_how_far() {
    let folder = Folder::with(&questions(20));
    let service = Service::with(&["Question 20,=hang"]);
    folder.asks(&service);
    let mut child = folder.command(&["run", "--json"]).spawn().unwrap();
    let events = BufReader::new(child.stdout.take().unwrap()).lines();
    let answers = events.filter(|line| line.as_ref().unwrap().contains("\"answer\""));
    assert_eq!(answers.take(19).count(), 19);
    // An answer is told when it came, and counted once it is durable.
    let deadline = Instant::now() + Duration::from_secs(20);
    let status = loop {
        let status = balanced(&folder);
        assert_eq!(status["running"]["pid"], child.id());
        if status["ledger"]["answered"] == 19 {
            break status;
        }
        assert!(Instant::now() < deadline, "{status}");
    };
    assert_eq!(status["ledger"]["pending"], 1);
    folder
        .dset(&["status"])
        .exits(0)
        .tells(&format!("running, process {}, since ", child.id()))
        .tells("is going on");
    // Killed, the lock is free and the store has no last word.
    child.kill().unwrap();
    child.wait().unwrap();
    let before = folder.everything();
    let status = balanced(&folder);
    assert_eq!(
        (&status["running"], &status["last_run"]["ended_at"]),
        (&json!(false), &json!(null))
    );
    folder
        .dset(&["status"])
        .exits(0)
        .tells("ended without saying goodbye")
        .tells("Run `dset run` to continue");
    assert_eq!(folder.everything(), before);
}

#[test]
fn killed_at_any_moment_the_ledger_balances() {
    let folder = Folder::with(&questions(150));
    let service = Service::start(MockSettings {
        latency_ms: 10,
        chance: vec!["500=0.05".parse().unwrap()],
        ..MockSettings::default()
    });
    folder.asks(&service);
    let mut answered = 0;
    for lines in [1, 12, 40, 90] {
        let mut child = folder.command(&["run", "--json", "-c", "6"]).spawn().unwrap();
        let events = BufReader::new(child.stdout.take().unwrap()).lines();
        events.take(lines).for_each(|line| drop(line.unwrap()));
        child.kill().unwrap();
        child.wait().unwrap();
        let now = balanced(&folder)["ledger"]["answered"].as_u64().unwrap();
        assert!(now >= answered, "{now} after {answered}");
        answered = now;
    }
    assert!(answered > 0);
}

#[test]
fn what_was_asked_is_read_from_the_store_and_not_from_flags() {
    let folder = Folder::new();
    folder.write("in/q.csv", "topic,question,status\ngeo,one,\nbio,two,\n");
    let service = Service::friendly();
    let template = "{{ question }} <{{ topic }}>";
    let more = ["in/q.csv", "-o", "my out", "-m", "other", "-t", template, "-s", "Be brief."];
    service.run(&folder, &more).exits(0);
    folder
        .dset(&["status", "in/q.csv", "-o", "my out"])
        .exits(0)
        .tells("other at ")
        .tells("2/2  100%");
    let status = folder.dset(&["status", "in/q.csv", "-o", "my out", "--json"]).exits(0).json();
    assert_eq!((&status["ledger"]["answered"], &status["model"]), (&json!(2), &json!("other")));
    folder.write("in/q.csv", "topic,question,status\ngeo,one,\nbio,two,\nbio,three,\n");
    folder
        .dset(&["status", "in/q.csv", "-o", "my out"])
        .exits(0)
        .tells("hint: Run `dset run in/q.csv -o 'my out' --base-url http://127.0.0.1:")
        .tells(" --key none -m other --system 'Be brief.' --template '{{ question }} <{{ topic }}>'` to");
}

/// The last command between ticks that begins like this.
fn hinted<'a>(told: &'a str, begins: &str) -> &'a str {
    let ticked = told.split('`').skip(1).step_by(2);
    ticked.filter(|command| command.starts_with(begins)).last().unwrap_or_else(|| panic!("{told}"))
}

#[test]
fn the_command_that_goes_on_with_a_run_asks_what_is_left_and_nothing_else() {
    for more in [
        &[][..],
        &["-m", "foo/bar"],
        &[
            "-m",
            "foo/bar",
            "-t",
            "X's {{ question }} $(exit 9)",
            "--temperature",
            "0.3",
            "-s",
            "sys",
        ],
        &["--max-tokens", "500", "--samples", "2", "--reasoning", "off", "-t=--{{ question }}"],
        &["-m", "one", "-m", "two/three", "--reasoning-effort", "low", "--system="],
    ] {
        let folder = Folder::with(&questions(6));
        let service = Service::with(&["Question 2,=risk*1"]);
        service.run(&folder, &[more, &["-c", "1"]].concat()).exits(3);
        let left = balanced(&folder)["ledger"].clone();
        let left = left["questions"].as_u64().unwrap() - left["answered"].as_u64().unwrap();
        let told = folder.dset(&["status"]).exits(0).out;
        let command = hinted(&told, "dset run ");
        let begins = format!("dset run --base-url {} --key none", service.url());
        assert!(command.starts_with(&begins), "{command}");
        let failed = folder.dset(&["show", "--failed"]).exits(0).out;
        assert_eq!(hinted(&failed, "dset run "), command);
        let asked = service.stats().asked;
        folder.shell(command).exits(0);
        assert_eq!(service.stats().asked - asked, left, "{command}");
        assert_eq!(balanced(&folder)["ledger"]["rejected"], 0);
    }
}

#[test]
fn the_command_that_goes_on_names_the_column_the_key_and_every_place() {
    let key = ["--key", "MY_PLACE"];
    for (csv, more, said) in [
        ("question,frage\nx,one\ny,two\n", &["--column", "frage"][..], " --column frage"),
        ("one,question\ntwo,x\n", &["--header", "no"], " --header no"),
        ("question\none\ntwo\n", &[], ""),
    ] {
        let service = Service::start(MockSettings {
            on: vec!["two=risk*1".parse().unwrap()],
            expect_key: Some("sk-of-this-place".to_owned()),
            ..MockSettings::default()
        });
        let url = service.url();
        let folder = Folder::with(csv);
        folder.write(".env", "MY_PLACE=sk-of-this-place\n");
        let place = ["run", "--base-url", &url, "-c", "1"];
        folder.dset(&[&place, &key[..], more].concat()).exits(3);
        let rows = folder.rows().len();
        let told = folder.dset(&[&["status"], more].concat()).exits(0).out;
        let flag = |text: &str| text.matches("--column").count();
        assert_eq!(flag(hinted(&told, "dset run ")), flag(&more.concat()), "said once");
        let told = folder.dset(&["status"]).exits(0).out;
        let command = hinted(&told, "dset run ");
        assert_eq!(command, format!("dset run --base-url {url} --key MY_PLACE{said}"));
        // A store of an older version says less.
        let old = folder.copy();
        old.sql("DELETE FROM meta WHERE name = 'call'");
        let told = old.dset(&["status"]).exits(0).out;
        assert_eq!(hinted(&told, "dset run "), format!("dset run --base-url {url} --key none"));
        let before = service.asked();
        folder.shell(command).exits(0);
        let mut new = service.asked();
        new.retain(|question, times| before.get(question) != Some(times));
        assert!(new.len() == 1 && new.keys().all(|question| question.contains("two")), "{new:?}");
        assert_eq!(folder.rows().len(), rows + 1);
    }
    let (one, two) = (Service::friendly(), Service::friendly());
    let folder = Folder::with(&questions(2));
    one.run(&folder, &["--base-url", &two.url(), "-n", "1"]);
    let told = folder.dset(&["status"]).exits(0).out;
    let places = format!("dset run --base-url {} --base-url {} --key none", one.url(), two.url());
    assert_eq!(hinted(&told, "dset run "), places);
    // What stands in a query may be a secret.
    let folder = Folder::with(&questions(2));
    one.run(&folder, &["--base-url", &format!("{}/v1?token=x", two.url()), "-n", "1"]);
    folder.dset(&["status"]).exits(0).tells("Run `dset run` (with the same flags as before) to");
}

#[test]
fn the_command_that_goes_on_reads_and_chooses_the_rows_as_the_run_did() {
    let lines = |questions: &[&str]| -> String {
        questions
            .iter()
            .map(|question| json!({ "question": question }).to_string() + "\n")
            .collect()
    };
    let csv = "question,level\none,1\ntwo bad,9\nthree,9\nfour bad,1\n";
    let chats = r#"{"messages":[{"role":"user","content":"bad"},{"role":"assistant","content":"x"}]}
{"messages":[]}
"#;
    let files = [
        ("q.csv", csv.to_owned()),
        ("q.txt", "one\n---\nbad\nof two lines\n".to_owned()),
        ("chats.jsonl", chats.to_owned()),
        ("hub/train.jsonl", lines(&["one", "two bad"])),
        ("hub/test.jsonl", lines(&["three", "four bad"])),
    ];
    for (more, said) in [
        (&["q.csv", "--where", "level == 9"][..], " --where 'level == 9'"),
        (&["q.csv", "--offset", "3"], " --offset 3"),
        (&["q.csv", "--sample", "100%"], " --sample 100%"),
        (&["q.txt", "--split-on", "---"], " --split-on=---"),
        (
            &["chats.jsonl", "--last", "drop", "--on-bad-row", "skip"],
            " --on-bad-row skip --last drop",
        ),
        (&["hub", "--split", "test"], " --split test"),
    ] {
        let folder = Folder::with("question\n");
        std::fs::create_dir(folder.path("hub")).unwrap();
        files.iter().for_each(|(name, text)| folder.write(name, text));
        let service = Service::with(&["bad=risk*1"]);
        service.run(&folder, &[more, &["-c", "1"]].concat()).exits(3);
        let before = service.asked();
        for told in [&["status", more[0]][..], &["show", "--questions", more[0], "--failed"]] {
            let told = folder.dset(told).exits(0).out;
            let command = hinted(&told, "dset run ");
            assert!(command.ends_with(said), "{command}");
        }
        let told = folder.dset(&["status", more[0]]).exits(0).out;
        folder.shell(hinted(&told, "dset run ")).exits(0);
        let mut new = service.asked();
        new.retain(|question, times| before.get(question) != Some(times));
        assert!(new.keys().all(|question| question.contains("bad")), "{said}: {new:?}");
        assert!(!new.is_empty(), "{said}");
    }
}

#[test]
fn a_long_system_prompt_is_told_in_words() {
    let folder = Folder::with(&questions(2));
    let service = Service::with(&["Question 2,=risk*1"]);
    folder.write("prompt.txt", "Be brief. ".repeat(40));
    service.run(&folder, &["--system-file", "prompt.txt"]).exits(3);
    for command in [&["status"][..], &["show", "--failed"]] {
        let told = folder.dset(command).exits(0).out;
        assert!(told.contains("again with `dset run` (with the same flags as before)"), "{told}");
    }
}

#[test]
fn what_variables_and_files_say_by_themselves_is_not_said_again() {
    let folder = Folder::with(&questions(3));
    let service = Service::with(&["Question 2,=risk*2"]);
    folder.asks(&service);
    folder.write("prompt.txt", "Be brief.\nVery `brief`.\n");
    folder.write("dset.toml", "system-file = 'prompt.txt'\nmax-tokens = 70\nsamples = 2\n");
    folder.dset(&["run"]).exits(3);
    folder.dset(&["status"]).exits(0).tells("again with `dset run`");
    // What stands in a file is said by a file.
    folder.write("dset.toml", "samples = 2\n");
    folder.dset(&["status"]).exits(0).tells(
        "again with `dset run --system $'Be brief.\\nVery \\x60brief\\x60.\\n' --max-tokens 70`",
    );
}
