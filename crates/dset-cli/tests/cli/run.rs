//! `dset run` against the pretend service: wiring, files, exit codes.

use std::io::{BufRead, BufReader, Read};

use crate::common::terminal::Terminal;
use crate::common::{Folder, Service, questions};
use dset_mock::MockSettings;

#[test]
fn every_question_is_answered_in_order_and_a_second_run_changes_no_byte() {
    let folder = Folder::with(&questions(200));
    let service = Service::friendly();
    let ran = service.run(&folder, &["-c", "16"]).exits(0);
    assert!(ran.lines().contains(&"All 200 questions processed successfully!"));
    assert!(ran.out.is_empty(), "stdout is data");
    let expected: Vec<String> = (1..=200).map(|n| format!("Question {n}, what then?")).collect();
    assert_eq!(folder.agreed(), expected);
    let before = folder.outputs();
    service.run(&folder, &[]).exits(0).says("200 already answered");
    assert_eq!((folder.outputs(), service.stats().asked), (before, 200));
}

#[test]
fn with_every_kind_of_fault_all_are_answered_and_nothing_is_doubled() {
    let folder = Folder::with(&questions(150));
    let chance = [
        "429=0.08",
        "500=0.03",
        "reset=0.02",
        "cut=0.02",
        "broken=0.02",
        "empty=0.02",
        "blank=0.01",
    ];
    let service = Service::start(MockSettings {
        chance: chance.iter().map(|chance| chance.parse().unwrap()).collect(),
        ..MockSettings::default()
    });
    service.run(&folder, &["-c", "32", "--backoff", "100ms"]).exits(0);
    assert_eq!(folder.agreed().len(), 150);
    let stats = service.stats();
    assert_eq!((stats.answered, stats.questions_answered_again), (150, 0), "{stats:?}");
}

#[test]
fn killed_at_any_moment_nothing_is_lost_and_nothing_is_doubled() {
    let folder = Folder::with(&questions(300));
    let service = Service::start(MockSettings { latency_ms: 20, ..MockSettings::default() });
    let url = service.url();
    let arguments = ["run", "--base-url", &url, "--key", "none", "-c", "8", "--json"];
    for lines in [1, 20, 60, 61, 130] {
        let mut child = folder.command(&arguments).spawn().unwrap();
        // So many events later, whenever that is.
        let events = BufReader::new(child.stdout.take().unwrap());
        events.lines().take(lines).for_each(|line| drop(line.unwrap()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    service.run(&folder, &["-c", "8"]).exits(0);
    assert_eq!(folder.agreed().len(), 300);
    let stats = service.stats();
    let again: u64 = stats.repeated.iter().map(|question| question.times - 1).sum();
    assert!(again <= 5 * 8, "bought twice: {again}");
}

#[cfg(unix)]
#[test]
fn every_acknowledged_answer_is_in_the_store_at_that_moment() {
    let folder = Folder::with(&questions(60));
    let service = Service::start(MockSettings { latency_ms: 5, ..MockSettings::default() });
    let url = service.url();
    let arguments = ["run", "--base-url", &url, "--key", "none", "-c", "8", "--ack-fd", "1"];
    let mut child = folder.command(&arguments).spawn().unwrap();
    let acks = BufReader::new(child.stdout.take().unwrap());
    let mut rows = Vec::new();
    for line in acks.lines() {
        let line = line.unwrap();
        let (row, key) = line.split_once(' ').unwrap();
        // Opened anew each time: what another process sees, not what a cache remembers.
        let store = rusqlite::Connection::open(folder.path("dset_generator/dset.db")).unwrap();
        let sql =
            "SELECT answers.row FROM keys_by_row JOIN answers ON answers.id = keys_by_row.answer
                   WHERE hex(key) = upper(?1)";
        let stored: i64 = store.query_row(sql, [key], |row| row.get(0)).unwrap();
        assert_eq!(stored.to_string(), row);
        rows.push(stored);
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    rows.sort_unstable();
    assert_eq!(rows, (2..=61).collect::<Vec<i64>>(), "each row once");
}

#[test]
fn a_mark_that_an_earlier_run_could_not_write_is_gone_once_its_row_is_answered() {
    let folder = Folder::with("question,status\nbad,\ngood,\n");
    let service = Service::with(&["bad=risk*1"]);
    service.run(&folder, &[]).exits(3);
    // As after a crash between the store and the file.
    let store = rusqlite::Connection::open(folder.path("dset_generator/dset.db")).unwrap();
    store.execute("INSERT INTO marks SELECT question FROM ended", []).unwrap();
    drop(store);
    folder.write("q.csv", "question,status\nbad,\ngood,\n");
    service.run(&folder, &[]).exits(0);
    assert_eq!(folder.read("q.csv"), "question,status\nbad,\ngood,\n");
}

#[test]
fn a_run_that_died_before_its_first_ask_is_not_taken_for_the_original_script() {
    let folder = Folder::with(&questions(3));
    let service = Service::friendly();
    folder.write("dset_generator/output.csv", "timestamp,question,thoughts,final_answer\r\n");
    folder.write("dset_generator/output.json", "");
    let ran = service.run(&folder, &[]).exits(0);
    assert!(!ran.err.contains("original script"), "{}", ran.err);
    assert!(!folder.path("dset_generator/.earlier").exists());
    assert_eq!(folder.agreed().len(), 3);
}

#[cfg(unix)]
#[test]
fn a_store_that_is_moved_away_ends_the_run_and_is_saved_where_it_was() {
    let folder = Folder::with(&questions(400));
    let service = Service::start(MockSettings { latency_ms: 20, ..MockSettings::default() });
    let url = service.url();
    let arguments = ["run", "--base-url", &url, "--key", "none", "-c", "4", "--ack-fd", "1"];
    let mut child = folder.command(&arguments).spawn().unwrap();
    let acks = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acks = acks.map(Result::unwrap);
    acks.by_ref().nth(8).unwrap();
    std::fs::rename(folder.path("dset_generator"), folder.path("aside")).unwrap();
    acks.for_each(drop);
    let ran = crate::common::Ran::from(child.wait_with_output().unwrap()).exits(1);
    let ran = ran.says("was deleted or moved while the run went on; what it held is in");
    assert!(!ran.err.contains("could not be kept"), "{}", ran.err);
    let bought = service.stats().answered;
    assert!(bought < 400, "it stops");
    service.run(&folder, &["-c", "4"]).exits(0);
    assert_eq!((service.stats().answered, folder.agreed().len()), (400, 400));
}

#[cfg(unix)]
#[test]
fn a_limit_on_the_size_of_files_is_an_error_with_a_hint_and_kills_nobody() {
    let folder = Folder::with(&questions(60));
    // Thirty rows of output.json are below the second limit, 80 KiB, and sixty are above it.
    let service =
        Service::start(MockSettings { answer_bytes: Some(1_500), ..MockSettings::default() });
    service.run(&folder, &["-n", "30"]).exits(0);
    // Once before the first ask, where outputs are mended, and once in the middle of a run.
    std::fs::remove_file(folder.path("dset_generator/output.json")).unwrap();
    for blocks in [8, 160] {
        let mut limited = std::process::Command::new("sh");
        let run = folder.command(&["run", "--base-url", &service.url(), "--key", "none"]);
        limited.args(["-c", "ulimit -f \"$0\"; exec \"$@\"", &blocks.to_string()]);
        limited.arg(run.get_program()).args(run.get_args());
        limited.current_dir(folder.path("")).stdin(std::process::Stdio::null());
        let ran = crate::common::Ran::from(limited.output().unwrap()).exits(1);
        ran.says("hint: ");
    }
    service.run(&folder, &[]).exits(0);
    assert_eq!((service.stats().answered, folder.agreed().len()), (60, 60));
}

#[test]
fn a_wrong_key_ends_the_run_before_anything_is_asked_twice_and_is_shown_nowhere() {
    let folder = Folder::with(&questions(30));
    let service = Service::start(MockSettings {
        expect_key: Some("right".into()),
        ..MockSettings::default()
    });
    let key = "sk-canary-0123456789";
    folder.write(".env", format!("DEEPSEEK_API_KEY={key}\n"));
    let url = service.url();
    let ran = folder.dset(&["run", "--base-url", &url, "-v"]).exits(4).says("refused the key");
    assert_eq!(service.stats().asked, 0);
    assert!(!ran.err.contains(key) && !ran.out.contains(key));
    for entry in std::fs::read_dir(folder.path("dset_generator")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = Vec::new();
        std::fs::File::open(&path).unwrap().read_to_end(&mut bytes).unwrap();
        let found = bytes.windows(key.len()).any(|window| window == key.as_bytes());
        assert!(!found, "{}", path.display());
    }
    assert_eq!(folder.read("q.csv"), questions(30));
}

#[test]
fn no_key_and_no_questions_are_said_before_anything_is_made() {
    let folder = Folder::new();
    folder.dset(&["run"]).exits(2).says("there is no `q.csv`");
    folder.write("q.csv", questions(3));
    folder.dset(&["run"]).exits(4).says("no API key for DeepSeek");
    assert!(!folder.path("dset_generator").exists());
}

#[test]
fn a_second_run_on_a_folder_is_refused_while_the_first_runs() {
    let folder = Folder::with(&questions(8));
    let service = Service::start(MockSettings {
        on: vec!["Question=hang".parse().unwrap()],
        ..MockSettings::default()
    });
    let url = service.url();
    let arguments = ["run", "--base-url", &url, "--key", "none", "--json"];
    let mut first = folder.command(&arguments).spawn().unwrap();
    let mut events = BufReader::new(first.stdout.take().unwrap());
    events.read_line(&mut String::new()).unwrap();
    let process = format!("process {}", first.id());
    service.run(&folder, &[]).exits(11).says(&process);
    first.kill().unwrap();
    first.wait().unwrap();
}

#[test]
fn changed_settings_want_a_decision_which_is_remembered() {
    let folder = Folder::with(&questions(5));
    let service = Service::friendly();
    service.run(&folder, &["-n", "3"]).exits(0);
    let changed = ["-s", "Be brief."];
    service
        .run(&folder, &changed)
        .exits(2)
        .says("3 answers were bought with other settings")
        .says("system was `not set` and is `Be brief.`")
        .says(&format!(
            "`dset run --base-url {} --key none -s 'Be brief.' --continue`",
            service.url()
        ))
        .says(" --key none -s 'Be brief.' --again`");
    assert_eq!(service.stats().asked, 3);
    service.run(&folder, &[&changed[..], &["--continue"]].concat()).exits(0);
    assert_eq!(service.stats().asked, 5);
    service.run(&folder, &changed).exits(0);
    assert_eq!(service.stats().asked, 5, "the decision is remembered");
    assert_eq!(folder.agreed().len(), 5);
}

#[cfg(unix)]
#[test]
fn at_a_terminal_the_decision_is_asked_for() {
    for (word, code, asked) in [("s", 2, 3), ("", 2, 3), ("k", 0, 5), ("A", 0, 8)] {
        let folder = Folder::with(&questions(5));
        let service = Service::friendly();
        service.run(&folder, &["-n", "3"]).exits(0);
        let url = service.url();
        let changed = ["run", "--base-url", &url, "--key", "none", "-s", "Be brief."];
        let mut terminal = Terminal::start(folder.command(&changed));
        terminal.answer("ask all again (a), stop (s) [s]:", word);
        let (ended, screen) = terminal.end();
        assert_eq!((ended, service.stats().asked), (Some(code), asked), "{word}\n{screen}");
        assert_eq!(screen.contains("--continue"), code == 2, "{screen}");
    }
}

#[test]
fn without_a_key_asking_again_moves_nothing() {
    let folder = Folder::with(&questions(3));
    let service = Service::friendly();
    let url = service.url();
    folder.write(".env", "DEEPSEEK_API_KEY=sk-some-key\n");
    folder.dset(&["run", "--base-url", &url]).exits(0);
    let before = folder.outputs();
    for key in ["", "DEEPSEEK_API_KEY='sk-\u{7f}'\n"] {
        folder.write(".env", key);
        folder.dset(&["run", "--base-url", &url, "--again"]).exits(4);
        assert_eq!(folder.outputs(), before);
    }
    folder.write(".env", "DEEPSEEK_API_KEY=sk-some-key\n");
    folder.dset(&["run", "--base-url", &url]).exits(0);
    assert_eq!((service.stats().asked, folder.outputs()), (3, before));
}

#[test]
fn an_answer_cut_by_the_limit_is_not_bought_again_though_the_store_failed_with_it() {
    let folder = Folder::with("question,status\nfirst,\nlong,\n");
    let service = Service::start(MockSettings {
        on: vec!["long=length".parse().unwrap()],
        latency_ms: 100,
        ..MockSettings::default()
    });
    let limited = ["-c", "1", "--max-tokens", "50"];
    service.run(&folder, &[&limited[..], &["-n", "1"]].concat()).exits(0);
    // Whoever else writes in the store keeps every commit from it.
    let other = rusqlite::Connection::open(folder.path("dset_generator/dset.db")).unwrap();
    other.execute_batch("CREATE TABLE theirs (x)").unwrap();
    let url = service.url();
    let arguments =
        [&["run", "--base-url", &url, "--key", "none", "--json"][..], &limited].concat();
    let mut child = folder.command(&arguments).spawn().unwrap();
    let mut events = BufReader::new(child.stdout.take().unwrap()).lines();
    events.by_ref().find(|line| line.as_ref().unwrap().contains("\"ask\"")).unwrap().unwrap();
    other.execute_batch("BEGIN IMMEDIATE; INSERT INTO theirs VALUES (1)").unwrap();
    events.for_each(drop);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    other.execute_batch("ROLLBACK; DROP TABLE theirs").unwrap();
    drop(other);
    let asked = service.stats().asked;
    service.run(&folder, &limited).exits(3);
    assert_eq!(service.stats().asked, asked);
    assert_eq!(folder.read("q.csv"), "question,status\nfirst,\nlong,ERROR\n");
}

#[test]
fn what_bought_the_answers_is_named_and_not_what_was_decided_since() {
    let folder = Folder::with(&questions(3));
    let service = Service::friendly();
    service.run(&folder, &["-m", "first"]).exits(0);
    service.run(&folder, &["-m", "second", "--continue"]).exits(0);
    service.run(&folder, &["-m", "third"]).exits(2).says("model was `first` and is `third`");
}

#[test]
fn rows_taken_as_answered_are_not_said_to_be_processed() {
    let folder = Folder::with("question,status\none,\ntwo,ERROR\n");
    let ran = Service::friendly().run(&folder, &["--from-bookmark"]).exits(0);
    let ran = ran.says("1 of 2 answered and saved, 1 taken as answered").says("--from-start");
    assert!(!ran.err.contains("processed successfully"), "{}", ran.err);
}

#[test]
fn outputs_that_are_left_out_are_missed_by_nobody() {
    let folder = Folder::with(&questions(3));
    let service = Service::friendly();
    service.run(&folder, &["--formats", "csv"]).exits(0);
    folder.dset(&["verify"]).exits(0);
    let rebuilt = folder.dset(&["export", "--rebuild"]).exits(0).out;
    assert!(rebuilt.contains("output.csv") && !rebuilt.contains("output.json"), "{rebuilt}");
    assert!(!folder.path("dset_generator/output.json").exists());
    service.run(&folder, &[]).exits(0);
    folder.dset(&["verify"]).exits(0);
    assert_eq!((folder.agreed().len(), service.stats().asked), (3, 3));
}

#[test]
fn asking_again_moves_the_earlier_outputs_and_deletes_nothing() {
    let folder = Folder::with(&questions(3));
    let service = Service::friendly();
    service.run(&folder, &[]).exits(0);
    let before = folder.outputs();
    service.run(&folder, &["--again"]).exits(0).says("the earlier outputs are in .earlier/");
    assert_eq!(service.stats().asked, 6);
    assert_eq!(folder.agreed().len(), 3);
    let earlier =
        std::fs::read_dir(folder.path("dset_generator/.earlier")).unwrap().next().unwrap();
    let moved = std::fs::read_to_string(earlier.unwrap().path().join("output.csv")).unwrap();
    assert_eq!(moved, before[0]);
    service.run(&folder, &[]).exits(0);
    assert_eq!(service.stats().asked, 6);
}

#[test]
fn rows_may_be_added_mended_removed_and_moved() {
    let folder = Folder::with("question,status\none,\ntwo,\nthree,\n");
    let service = Service::friendly();
    service.run(&folder, &[]).exits(0);
    folder.write("q.csv", "question,status\nthree,\nfour,\none,\ntwo?,\n");
    service.run(&folder, &[]).exits(0);
    assert_eq!(service.stats().asked, 5, "the new one and the mended one");
    assert_eq!(folder.agreed(), ["one", "two", "three", "four", "two?"]);
}

#[test]
fn outputs_are_mended_whatever_was_done_to_them() {
    let folder = Folder::with(&questions(4));
    let service = Service::friendly();
    service.run(&folder, &[]).exits(0);
    let whole = folder.outputs();
    // One deleted, one cut in a row, one with a line of somebody else's.
    std::fs::remove_file(folder.path("dset_generator/output.csv")).unwrap();
    folder.write("dset_generator/output.json", &whole[1][..whole[1].len() - 30]);
    folder.write("dset_generator/output.txt", format!("{}my own note", whole[2]));
    service
        .run(&folder, &[])
        .exits(0)
        .says("output.csv was missing and is written anew with 4 rows")
        .says("output.json was not what dset had written")
        .says("output.txt ends in text that is not ours");
    let now = folder.outputs();
    assert_eq!(now[..2], whole[..2]);
    assert_eq!(now[2], format!("{}my own note\n", whole[2]));
    folder.write("q.csv", questions(5));
    service.run(&folder, &[]).exits(0);
    assert!(folder.outputs()[2].contains("my own note\nTimestamp: "));
    assert_eq!(service.stats().asked, 5);
}

#[test]
fn an_answer_cut_by_the_limit_is_not_bought_again_under_the_same_one() {
    let folder = Folder::with("question,status\nlong,\nshort,\n");
    let service = Service::with(&["long=length*1"]);
    service.run(&folder, &["--max-tokens", "50"]).exits(3);
    service.run(&folder, &["--max-tokens", "50"]).exits(3).says("--max-tokens N --continue");
    assert_eq!(service.stats().asked, 2);
    service.run(&folder, &["--max-tokens", "5000", "--continue"]).exits(0);
    assert_eq!((service.stats().asked, folder.agreed().len()), (3, 2));
    assert_eq!(folder.read("q.csv"), "question,status\nlong,\nshort,\n");
}

#[test]
fn templates_take_other_columns_and_unknown_names_are_found_before_the_first_ask() {
    let folder = Folder::with("question,status,Final grade,topic\nWhy?,,A,geo\nHow?,,B,\n");
    let service = Service::friendly();
    let template = "{{ question }} {{ row[\"Final grade\"] }} <{{ topic }}>";
    service.run(&folder, &["-t", template]).exits(0);
    let asked: Vec<String> = service.stats().repeated.iter().map(|r| r.question.clone()).collect();
    assert!(asked.is_empty());
    assert_eq!(folder.agreed(), ["Why?", "How?"], "the outputs name the question");
    service.run(&folder, &["-t", "{{ topc }}"]).exits(2).says("`topc` is not a column");
    service.run(&folder, &["-t", "{{ row['x y'] }}"]).exits(2);
    assert_eq!(service.stats().asked, 2);
}

#[test]
fn input_that_is_no_csv_of_text_is_refused_with_its_place_and_left_alone() {
    let folder = Folder::new();
    let run = |bytes: &[u8]| {
        folder.write("q.csv", bytes);
        let ran =
            folder.dset(&["run", "--key", "none", "--base-url", "http://127.0.0.1:9"]).exits(2);
        assert_eq!(std::fs::read(folder.path("q.csv")).unwrap(), bytes);
        assert!(!folder.path("dset_generator").exists());
        ran
    };
    run(b"question\ncaf\xe9\n").says("line 2, column 4: byte 0xE9").says("windows-1252");
    run(b"question\na\0b\n").says("a NUL byte");
    run(b"").says("`q.csv` is empty");
    run(b"question,status\n").says("`q.csv` has no questions");
    std::fs::create_dir(folder.path("none")).unwrap();
    folder.dset(&["run", "none"]).exits(2).says("no file of `none` holds rows");
    folder.write("q.csv", "a,b\nc,d\n");
    folder.dset(&["run", "--column", "frage"]).exits(2).says("the columns are: column_1, column_2");
}

#[test]
fn out_of_money_and_wrong_settings_have_exits_of_their_own() {
    let folder = Folder::with(&questions(9));
    let service = Service::start(MockSettings { money: Some(4), ..MockSettings::default() });
    service.run(&folder, &["-c", "1"]).exits(5).says("Insufficient Balance");
    assert_eq!(folder.agreed().len(), 4);
    drop(service);
    let service = Service::with(&["Question=400"]);
    service.run(&folder, &["-c", "1"]).exits(2).says("refuses these settings");
    assert_eq!(service.stats().asked, 5);
    assert_eq!(folder.read("q.csv"), questions(9), "no row is marked");
}

#[test]
fn rows_that_fail_again_in_a_later_run_are_not_taken_for_its_settings() {
    let lines = |name: &str, count: u32| -> String {
        (0..count).map(|at| format!("{{\"question\": \"{name} {at}\"}}\n")).collect()
    };
    let fault = ["bad=400", "nothing=empty"];
    for (name, fault) in ["bad", "nothing"].into_iter().zip(fault) {
        let folder = Folder::with("");
        let service = Service::with(&[fault]);
        let rows = lines("good", 12) + &lines(name, 11);
        folder.write("q.jsonl", &rows);
        let run = || service.run(&folder, &["q.jsonl", "-c", "8"]);
        run().says("12 of 23 answered");
        folder.write("q.jsonl", rows + &lines("later", 9));
        run().exits(3).says("21 of 32 answered");
    }
}

#[test]
fn to_pause_on_an_error_stops_there_and_continues_later() {
    let folder = Folder::with("question,status\none,\nbad,\nthree,\n");
    let service = Service::with(&["bad=400*1"]);
    service.run(&folder, &["-c", "1", "--on-error", "pause"]).exits(3);
    assert_eq!(folder.read("q.csv"), "question,status\none,\nbad,ERROR\nthree,\n");
    assert_eq!(folder.agreed(), ["one"]);
    service.run(&folder, &["-c", "1", "--on-error", "pause"]).exits(0);
    assert_eq!(folder.agreed(), ["one", "bad", "three"]);
}

#[test]
fn events_are_json_lines_on_standard_output() {
    let folder = Folder::with("question\none\n");
    let service = Service::friendly();
    let ran = service.run(&folder, &["--json"]).exits(0);
    let events: Vec<serde_json::Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["start", "ask", "answer", "end"]);
    assert!(events.iter().all(|event| event["v"] == 1));
    assert_eq!((&events[2]["row"], &events[3]["exit"]), (&2.into(), &0.into()));
}

#[test]
fn an_input_in_another_folder_is_marked_where_it_is() {
    let folder = Folder::new();
    folder.write("in/q.csv", "question,status\nbad,\ngood,\n");
    let service = Service::with(&["bad=risk*1"]);
    service.run(&folder, &["in/q.csv"]).exits(3);
    assert_eq!(folder.read("in/q.csv"), "question,status\nbad,ERROR\ngood,\n");
}

#[test]
fn an_output_can_be_left_out_and_is_completed_when_it_is_wanted_again() {
    let folder = Folder::with(&questions(5));
    let service = Service::friendly();
    service.run(&folder, &["-n", "2"]).exits(0);
    let before = folder.outputs();
    service.run(&folder, &["--formats", "JSON", "-n", "1"]).exits(0);
    let now = folder.outputs();
    assert_eq!((&now[0], &now[2]), (&before[0], &before[2]), "the others stay as they are");
    assert_eq!(now[1].lines().count(), 3);
    service.run(&folder, &[]).exits(0);
    assert_eq!((service.stats().asked, folder.agreed()), (5, folder.agreed()));
    assert_eq!(folder.agreed().len(), 5);

    let folder = Folder::with(&questions(2));
    service.run(&folder, &["--formats", "csv,csv"]).exits(0);
    assert!(!folder.path("dset_generator/output.json").exists());
    service.run(&folder, &[]).exits(0);
    assert_eq!(folder.agreed().len(), 2, "one that never was is written whole");
    assert_eq!(service.stats().asked, 7);
}

#[test]
fn a_format_that_does_not_exist_is_refused_with_those_that_do() {
    let folder = Folder::with(&questions(1));
    let run = |formats: &str| folder.dset(&["run", "--key", "none", "--formats", formats]).exits(2);
    run("csv,xml")
        .says("error: there is no format `xml`")
        .says("cause: the formats are: csv, json, txt")
        .says("hint: Name those you want: `--formats csv,json`");
    run(" , ").says("it names nothing");
    assert!(!folder.path("dset_generator").exists());
}

#[test]
fn one_at_a_time_a_question_that_always_fails_is_marked_and_those_behind_it_are_answered() {
    for fault in ["500", "reset", "broken", "cut", "html"] {
        let folder = Folder::with("question\nA?\nB?\nPOISON 1?\nPOISON 2?\nC?\nD?\n");
        let service = Service::start(MockSettings {
            on: vec![format!("POISON={fault}").parse().unwrap()],
            ..MockSettings::default()
        });
        let arguments = ["-c", "1", "--backoff", "1ms"];
        service.run(&folder, &arguments).exits(3).says("4 of 6 answered");
        assert_eq!(folder.agreed(), ["A?", "B?", "C?", "D?"], "{fault}");
        let marked = folder.read("q.csv").matches("ERROR").count();
        assert_eq!(marked, 2, "{fault}: {}", folder.read("q.csv"));
        // Nothing is left that could tell the service from these two.
        service.run(&folder, &arguments).exits(6);
        assert_eq!(service.stats().questions_answered_again, 0);
    }
}

#[test]
fn an_empty_key_and_a_line_of_dot_env_that_cannot_be_read_are_named_and_never_shown() {
    let folder = Folder::with("question\nWhy?\n");
    folder.write(".env", "DEEPSEEK_API_KEY=\n");
    folder.dset(&["run"]).exits(4).says("DEEPSEEK_API_KEY is empty in .env");
    folder.write(".env", "# mine\n\nDEEPSEEK_API_KEY sk-of-mine\nB=2\nC sk-of-mine\n");
    let ran = folder.dset(&["run"]).exits(4);
    for line in ["line 3 of .env cannot be read", "line 5 of .env cannot be read"] {
        assert!(ran.err.contains(line), "{}", ran.err);
    }
    assert!(ran.err.contains("`NAME=value`") && !ran.err.contains("sk-of-mine"), "{}", ran.err);
    folder.write(".env", "A='x\nDSET_MAX_COST=5\nDEEPSEEK_API_KEY=sk-of-mine\n");
    let ran = folder.dset(&["run"]).exits(2);
    let ran = ran.says("line 1 of .env opens a quote and does not close it");
    assert!(!ran.err.contains("sk-of-mine"), "{}", ran.err);
}
