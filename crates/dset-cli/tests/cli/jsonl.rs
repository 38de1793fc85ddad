//! `output.jsonl`: written as answers come, repaired, rebuilt and verified like the other outputs.
#![cfg(unix)]

use std::fs;

use crate::common::{Folder, Service, questions, until};

const JSONL: &str = "dset_generator/output.jsonl";
const STORE: &str = "dset_generator/dset.db";
const ALL: [&str; 2] = ["--formats", "csv,json,txt,jsonl"];
const ALONE: [&str; 2] = ["--formats", "jsonl"];
const KEYS: [&str; 17] = [
    "id",
    "row",
    "question",
    "reasoning",
    "answer",
    "parsed",
    "parsed_from",
    "model",
    "sample",
    "finish_reason",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "reasoning_tokens",
    "seconds",
    "request_id",
    "time",
];

fn rows(folder: &Folder) -> Vec<serde_json::Value> {
    folder.read(JSONL).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Checks that every row has every key, in one order and of one type, and returns the questions.
fn asked(folder: &Folder) -> Vec<String> {
    let kinds = |row: &serde_json::Value| {
        KEYS.map(|key| match &row[key] {
            value if value.is_u64() => "integer",
            value if value.is_f64() => "float",
            value if value.is_string() => "text",
            _ => "other",
        })
    };
    let text = folder.read(JSONL);
    let rows = rows(folder);
    for (row, line) in rows.iter().zip(text.lines()) {
        let places = KEYS.map(|key| line.find(&format!("\"{key}\":")).unwrap());
        assert!(places.is_sorted(), "{line}");
        assert_eq!(row.as_object().unwrap().len(), KEYS.len(), "{line}");
        assert_eq!(kinds(row), kinds(&rows[0]), "{line}");
        assert!(!kinds(row).contains(&"other"), "{line}");
        let time = row["time"].as_str().unwrap();
        assert!(time.len() == 24 && time.as_bytes()[10] == b'T' && time.ends_with('Z'), "{time}");
    }
    rows.iter().map(|row| row["question"].as_str().unwrap().to_owned()).collect()
}

/// The rows of `output.jsonl` say what those of `output.json` say.
fn agrees_with_json(folder: &Folder) {
    let json = folder.read("dset_generator/output.json");
    let json: Vec<serde_json::Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let rows = rows(folder);
    assert_eq!(rows.len(), json.len());
    for (row, json) in rows.iter().zip(&json) {
        assert_eq!(row["reasoning"], json["response"]["reasoning"]);
        assert_eq!(row["answer"], json["response"]["answer"]);
        let metadata = json["metadata"].as_object().unwrap();
        for (key, value) in metadata.iter().filter(|(key, _)| KEYS.contains(&key.as_str())) {
            assert_eq!(&row[key], value, "{key}");
        }
        let second = row["time"].as_str().unwrap()[..19].replace('T', " ");
        assert_eq!(json["metadata"]["timestamp"], second);
    }
}

#[test]
fn it_is_not_written_unless_it_is_named_and_can_be_added_later() {
    let folder = Folder::with(&questions(3));
    let service = Service::friendly();
    service.run(&folder, &[]).exits(0);
    assert!(!folder.path(JSONL).exists());
    let before = folder.outputs();
    let ran = service.run(&folder, &ALL).exits(0);
    assert_eq!(service.stats().asked, 3, "{}", ran.err);
    assert_eq!(folder.outputs(), before, "the others are the same bytes");
    assert_eq!(asked(&folder).len(), 3);
    agrees_with_json(&folder);
    folder.dset(&["verify"]).exits(0);
    let readme = folder.read("dset_generator/README.md");
    assert!(readme.contains("data_files: output.jsonl\n"), "{readme}");
    assert!(readme.contains("| `output.jsonl` |"), "{readme}");
    // Left out again, it stays as it is, and the README names what is written.
    service.run(&folder, &["--formats", "csv,json,txt"]).exits(0);
    let readme = folder.read("dset_generator/README.md");
    assert!(readme.contains("data_files: output.json\n"), "{readme}");
}

#[test]
fn alone_it_is_the_only_output_and_status_and_verify_look_at_it() {
    let folder = Folder::with(&questions(4));
    let service = Service::friendly();
    service.run(&folder, &ALONE).exits(0);
    for other in ["csv", "json", "txt"] {
        assert!(!folder.path(&format!("dset_generator/output.{other}")).exists());
    }
    assert_eq!(asked(&folder).len(), 4);
    folder.dset(&["status"]).exits(0).tells("4 rows in output.jsonl");
    folder.dset(&["verify"]).exits(0);
    folder.write(JSONL, folder.read(JSONL).replacen("Question 2", "Question two", 1));
    folder.dset(&["verify"]).exits(1).tells("output.jsonl");
}

#[test]
fn it_is_written_as_answers_come_and_a_killed_run_goes_on() {
    for formats in [ALL, ALONE] {
        let folder = Folder::with(&questions(8));
        let held = Service::with(&["Question 6,=hang", "Question 7,=hang", "Question 8,=hang"]);
        let run = held.begin(&folder, &[&["-c", "3"], formats.as_slice()].concat());
        until("five rows are in it", || {
            let text = std::fs::read_to_string(folder.path(JSONL));
            text.is_ok_and(|text| text.lines().count() == 5 && text.ends_with('\n'))
        });
        run.kill();
        let before = folder.read(JSONL);
        let service = Service::friendly();
        service.run(&folder, &formats).exits(0);
        assert_eq!(service.stats().asked, 3, "what is durable is not bought again");
        assert!(folder.read(JSONL).starts_with(&before));
        assert_eq!(asked(&folder).len(), 8);
        folder.dset(&["verify"]).exits(0);
    }
}

#[test]
fn cut_anywhere_it_is_completed_to_the_same_bytes_and_text_of_the_users_stays() {
    let folder = Folder::with(&questions(3));
    let service = Service::friendly();
    service.run(&folder, &ALL).exits(0);
    let whole = folder.read(JSONL);
    let last = whole.trim_end().rfind('\n').unwrap() + 1;
    for at in [0, 1, last - 1, last, last + 1, whole.len() - 2, whole.len() - 1] {
        folder.write(JSONL, &whole[..at]);
        service.run(&folder, &ALL).exits(0);
        assert_eq!(folder.read(JSONL), whole, "{at}");
    }
    // Rows behind the checkpoint: as a crash leaves them, whole, torn, or zeros.
    let rows_before = folder.count("SELECT count(*) FROM sinks WHERE name = 'jsonl' AND rows = 3");
    assert_eq!(rows_before, 1);
    let after_a_crash: [fn(&str) -> String; 4] = [
        |rows| rows.to_owned(),
        |rows| rows[..rows.len() - 9].to_owned(),
        |rows| rows[..rows.len() - 9].to_owned() + "\0\0\0",
        |rows| rows.to_owned() + "\0\0\0\0",
    ];
    for (case, left) in after_a_crash.into_iter().enumerate() {
        let folder = folder.copy();
        let more = Service::with(&["Question 5,=hang"]);
        folder.write("q.csv", questions(5));
        let run = more.begin(&folder, &[&["-c", "1"], ALL.as_slice()].concat());
        until("four rows are in it", || folder.read(JSONL).lines().count() == 4);
        run.kill();
        let four = folder.read(JSONL);
        folder.write(JSONL, left(&four));
        service.run(&folder, &ALL).exits(0);
        let now = folder.read(JSONL);
        assert!(now.starts_with(&four), "{case}");
        assert_eq!(asked(&folder).len(), 5, "{case}");
        folder.dset(&["verify"]).exits(0);
    }
    folder.write(JSONL, whole.clone() + "mine");
    service.run(&folder, &ALL).exits(0);
    assert_eq!(folder.read(JSONL), whole + "mine\n");
}

#[test]
fn a_rebuild_writes_it_in_the_order_of_the_file_and_twice_the_same_bytes() {
    let folder = Folder::with("question\none\ntwo\nthree\n");
    let service = Service::friendly();
    service.run(&folder, &ALL).exits(0);
    let before = folder.read(JSONL);
    folder.dset(&["export", "--rebuild"]).exits(0);
    assert_eq!(folder.read(JSONL), before, "the same order is the same bytes");
    folder.write("q.csv", "question\nthree\none\n");
    folder.dset(&["export", "--rebuild"]).exits(0);
    assert_eq!(asked(&folder), ["three", "one"]);
    assert_eq!(rows(&folder)[0]["row"], 2);
    agrees_with_json(&folder);
    let rebuilt = folder.read(JSONL);
    folder.dset(&["export", "--rebuild"]).exits(0);
    assert_eq!(folder.read(JSONL), rebuilt);
    folder.dset(&["verify"]).exits(0);
    std::fs::remove_file(folder.path(JSONL)).unwrap();
    service.run(&folder, &ALL).exits(0).says("output.jsonl");
    assert_eq!(folder.read(JSONL), rebuilt);
    assert_eq!(service.stats().asked, 3);
}

#[test]
fn alone_and_without_its_store_it_is_not_bought_again_in_silence() {
    let folder = Folder::with(&questions(3));
    let service = Service::friendly();
    service.run(&folder, &ALONE).exits(0);
    let (store, before) = (fs::read(folder.path(STORE)).unwrap(), folder.read(JSONL));
    for left in [None, Some("")] {
        fs::remove_file(folder.path(STORE)).unwrap();
        left.into_iter().for_each(|store| folder.write(STORE, store));
        for formats in [&ALONE[..], &[]] {
            let ran = service.run(&folder, formats).exits(2);
            ran.says("the answers in it are not read back, and all would be bought again")
                .says("--again` moves the file to");
            assert_eq!(folder.path(STORE).exists(), left.is_some());
            assert_eq!(folder.read(JSONL), before);
        }
        folder.write(STORE, &store);
        service.run(&folder, &ALONE).exits(0);
    }
    assert_eq!(service.stats().asked, 3);
    // Said so, it is moved away whole; an unfinished run of these goes on without a word.
    fs::remove_file(folder.path(STORE)).unwrap();
    let again = [&ALONE[..], &["--again"]].concat();
    service.run(&folder, &[&again[..], &["-n", "2"]].concat()).says("the earlier outputs are in");
    service.run(&folder, &ALONE).exits(0);
    assert_eq!(service.stats().asked, 6);
    assert_eq!(asked(&folder).len(), 3);
    let mut earlier = fs::read_dir(folder.path("dset_generator/.earlier")).unwrap();
    let moved =
        earlier.find_map(|one| fs::read_to_string(one.unwrap().path().join("output.jsonl")).ok());
    assert_eq!(moved.as_deref(), Some(&*before));
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn somebody_elses_file_of_its_name_is_moved_aside() {
    let folder = Folder::with(&questions(2));
    fs::create_dir(folder.path("dset_generator")).unwrap();
    folder.write(JSONL, "{\"question\":\"q\",\"answer\":\"a\"}\n");
    let service = Service::friendly();
    service.run(&folder, &ALONE).exits(0).says("output.jsonl was not what dset had written");
    assert_eq!(asked(&folder).len(), 2);
}

#[test]
fn help_of_the_setting_names_every_format() {
    let folder = Folder::new();
    let ran = folder.dset(&["run", "--help"]).exits(0);
    for format in dset_engine::output::live::LIVE_FORMATS {
        let line = ran.out.lines().find(|line| line.contains("Outputs to write: ")).unwrap();
        let (names, _) = line.split_once(" [default").unwrap();
        assert!(names.split([' ', ',']).any(|word| word == format.name), "{line}");
        folder.dset(&["help", "files"]).exits(0).tells(format.file);
    }
}
