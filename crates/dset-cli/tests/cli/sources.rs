//! Any usual file of questions is asked as it is: each row once, with its fields, its id and its place;
//! what cannot be asked is an error before the first ask, with file and row, or is counted.

use std::io::Write as _;

use crate::common::{Folder, Service};
use dset_engine::source::SOURCES;
use serde_json::{Value, json};

const ROWS: [(&str, &str, i64); 3] =
    [("a-1", "What is 1+1?", 1), ("a-2", "What is 2+2?", 3), ("a-3", "Say \"so\",\nthen?", 5)];

fn lines() -> String {
    let line =
        |(id, prompt, level)| json!({"id": id, "prompt": prompt, "level": level}).to_string();
    ROWS.map(line).join("\n") + "\n"
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// The same three rows in every form.
fn forms() -> Vec<(&'static str, Vec<u8>)> {
    let array = Value::Array(
        ROWS.map(|(id, prompt, level)| json!({"id": id, "prompt": prompt, "level": level})).into(),
    );
    let table = |sign: &str| {
        let rows = ROWS.map(|(id, prompt, level)| {
            format!("{id}{sign}\"{}\"{sign}{level}\n", prompt.replace('"', "\"\""))
        });
        format!("id{sign}prompt{sign}level\n{}", rows.join(""))
    };
    let lines = lines();
    vec![
        ("q.csv", table(",").into_bytes()),
        ("q.csv.gz", gzip(table(",").as_bytes())),
        ("q.tsv", table("\t").into_bytes()),
        ("q.jsonl", lines.clone().into_bytes()),
        ("q.ndjson.gz", gzip(lines.as_bytes())),
        ("q.jsonl.zst", zstd::encode_all(lines.as_bytes(), 3).unwrap()),
        ("q.json", serde_json::to_vec_pretty(&array).unwrap()),
        ("q.json.zst", zstd::encode_all(array.to_string().as_bytes(), 3).unwrap()),
        // By its first bytes alone.
        ("questions", lines.into_bytes()),
    ]
}

fn rows_of(folder: &Folder) -> Vec<(String, String)> {
    let read = folder.read("dset_generator/output.jsonl");
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        (row["id"].as_str().unwrap().to_owned(), row["question"].as_str().unwrap().to_owned())
    };
    read.lines().map(row).collect()
}

#[test]
fn every_form_of_objects_is_among_those_tried() {
    let tried: Vec<String> = forms().iter().map(|(name, _)| name.to_string()).collect();
    for kind in SOURCES.iter().filter(|kind| !["text", "parquet"].contains(&kind.name)) {
        let is_of = |name: &String| kind.endings.iter().any(|e| name.contains(&format!(".{e}")));
        assert!(tried.iter().any(is_of), "`forms` has no file of the form `{}`", kind.name);
    }
}

#[test]
fn every_form_of_the_same_rows_is_asked_the_same_with_ids_and_fields_in_prompts() {
    for (name, bytes) in forms() {
        let folder = Folder::new();
        folder.write(name, bytes);
        let service = Service::friendly();
        let more = [name, "--formats", "json,jsonl", "-t", "{{ prompt }} ({{ level }})"];
        service.run(&folder, &more).exits(0);
        let asked: Vec<String> = service.asked().into_keys().collect();
        let expected = ["Say \"so\",\nthen? (5)", "What is 1+1? (1)", "What is 2+2? (3)"];
        assert_eq!(asked, expected, "{name}");
        let rows = ROWS.map(|(id, prompt, _)| (id.to_owned(), prompt.to_owned()));
        assert_eq!(rows_of(&folder), rows, "{name}");
        service.run(&folder, &more).exits(0);
        assert_eq!(service.stats().asked, 3, "{name}: nothing is asked twice");
        // What is looked at is what was asked, without naming it again.
        folder.dset(&["status"]).exits(0).tells("3/3  100%");
        folder.dset(&["show", "2"]).exits(0).tells("What is 2+2?");
        folder.dset(&["verify"]).exits(0);
        folder.dset(&["export", "--rebuild"]).exits(0);
        assert_eq!(rows_of(&folder), rows, "{name}");
        folder.dset(&["doctor", name, "--base-url", &service.url(), "-m", "x"]);
    }
}

#[test]
fn the_same_questions_have_the_same_keys_whatever_the_form() {
    let service = Service::friendly();
    let folder = Folder::new();
    for (name, bytes) in forms() {
        folder.write(name, bytes);
        service.run(&folder, &[name]).exits(0);
    }
    assert_eq!(service.stats().asked, 3);
}

#[test]
fn a_text_is_a_question_a_line_or_between_lines_of_the_users_own() {
    let folder = Folder::new();
    folder.write("q.txt", "Why?\n\n How so? \nAnd\n");
    let service = Service::friendly();
    service.run(&folder, &["q.txt"]).exits(0);
    assert_eq!(service.asked().into_keys().collect::<Vec<_>>(), [" How so? ", "And", "Why?"]);
    folder.write("blocks.txt", "Two\nlines\n---\nOne\n---\n\n");
    let service = Service::friendly();
    service.run(&folder, &["blocks.txt", "-o", "two", "--split-on", "---"]).exits(0);
    assert_eq!(service.asked().into_keys().collect::<Vec<_>>(), ["One", "Two\nlines"]);
}

#[test]
fn several_files_are_one_input_in_the_order_of_their_names() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("data")).unwrap();
    folder.write("data/train-2.jsonl", "{\"question\": \"c\"}\n");
    folder.write("data/train-1.jsonl", "{\"question\": \"a\"}\n{\"question\": \"b\"}\n");
    folder.write("data/test-1.jsonl", "{\"question\": \"t\"}\n");
    folder.write("data/notes.md", "no rows\n");
    for (input, more, expected) in [
        ("data", &[][..], &["a", "b", "c"][..]),
        (".", &[], &["a", "b", "c"]),
        ("data", &["--split", "test"], &["t"]),
        ("data/*.jsonl", &[], &["t", "a", "b", "c"]),
    ] {
        let service = Service::friendly();
        let output = format!("out-{}", expected.len());
        let arguments = [&[input, "-o", &output, "--formats", "jsonl"], more].concat();
        service.run(&folder, &arguments).exits(0);
        let text = folder.read(&format!("{output}/output.jsonl"));
        let row = |line: &str| serde_json::from_str::<Value>(line).unwrap()["question"].clone();
        assert_eq!(text.lines().map(row).collect::<Vec<_>>(), expected, "{input}");
        std::fs::remove_dir_all(folder.path(&output)).unwrap();
    }
    folder.write("data/other.csv", "question\nx\n");
    let service = Service::friendly();
    service.run(&folder, &["data/*"]).exits(2);
    service.run(&folder, &["none/*.jsonl"]).exits(2).says("no file of");
    service.run(&folder, &["data", "--split", "eval"]).exits(2).says("splits");
    assert_eq!(service.stats().asked, 0);
}

#[test]
fn whole_numbers_keep_their_digits_and_parts_without_a_byte_are_no_rows() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("out")).unwrap();
    let rows = r#"{"question": "a", "n": 123456789012345678901234567890, "m": 18446744073709551615}
{"question": "b", "n": -12345678901234567890, "m": 1.5}
"#;
    folder.write("out/part-0.json", rows);
    folder.write("out/part-1.json", "");
    let service = Service::friendly();
    service.run(&folder, &["out", "-t", "{{ question }} {{ n }} {{ m }}"]).exits(0);
    let asked =
        ["a 123456789012345678901234567890 18446744073709551615", "b -12345678901234567890 1.5"];
    assert_eq!(service.asked().into_keys().collect::<Vec<_>>(), asked);
    folder.write("out/other.json", "");
    service.run(&folder, &["out"]).exits(2).says("is empty");
}

#[test]
fn cells_that_no_column_names_are_told() {
    let folder = Folder::with(
        "question,x\none,1\n\"two\",\"2\",\"extra\"\n\"three\",3,,\n\"four\",\"4\",\"more\",\n",
    );
    let service = Service::friendly();
    let said = "2 rows have more cells than the header names, from row 3";
    service.run(&folder, &[]).exits(0).says(said);
}

#[test]
fn data_sets_that_cannot_be_read_are_refused_with_what_to_do() {
    let folder = Folder::new();
    for (name, text) in [
        ("arrow/train/x", "ARROW1"),
        ("arrow/dataset_dict.json", "{\"splits\": [\"train\"]}"),
        ("about.json", "{\"title\": \"x\", \"authors\": [\"Ann\", \"Bob\"]}"),
    ] {
        folder.write(name, text);
    }
    let service = Service::friendly();
    service.run(&folder, &["arrow"]).exits(2).says("`save_to_disk` wrote").says("to_parquet");
    service.run(&folder, &["about.json"]).exits(2).says("authors");
    assert_eq!(service.stats().asked, 0);
}

#[test]
fn what_names_of_folders_say_is_asked_chosen_by_and_exported() {
    let folder = Folder::new();
    folder.write("set/year=2023/city=S%C3%A3o/part-0.csv", "question\na\n");
    folder.write("set/year=2024/city=__HIVE_DEFAULT_PARTITION__/part-0.csv", "question\nb\n");
    let service = Service::friendly();
    let template = ["set", "-t", "{{ question }} {{ year }} {{ city }}"];
    service.run(&folder, &template).exits(0);
    assert_eq!(service.asked().into_keys().collect::<Vec<_>>(), ["a 2023 São", "b 2024 "]);
    service.run(&folder, &["set", "-o", "o", "--where", "year > 2023"]).exits(0);
    assert_eq!(service.stats().asked, 3);
    folder.dset(&["export", "set", "-o", "o", "--to", "rows.jsonl"]).exits(0);
    assert!(folder.read("rows.jsonl").contains("\"year\":\"2024\""));
}

#[test]
fn files_of_a_folder_that_are_not_read_are_told_and_an_unreadable_part_of_the_split_is_an_error() {
    let folder = Folder::new();
    for name in ["train.jsonl", "contest.jsonl", "trained.jsonl"] {
        folder.write(&format!("mix/{name}"), "{\"question\": \"a\"}\n");
    }
    folder.write("mix/notes.md", "no rows");
    folder.write("mix/more/old.csv.xz", "packed");
    let service = Service::friendly();
    let said = "3 files of the folder are not read: contest.jsonl, more/old.csv.xz, trained.jsonl";
    service.run(&folder, &["mix"]).exits(0).says(said);
    let told = service.run(&folder, &["mix", "--json"]).exits(0).out.clone();
    let start: Value = serde_json::from_str(told.lines().next().unwrap()).unwrap();
    let files = ["mix/contest.jsonl", "mix/more/old.csv.xz", "mix/trained.jsonl"];
    assert_eq!(start["unread_files"], json!(files));
    folder.write("mix/train-1.jsonl.xz", "packed");
    service
        .run(&folder, &["mix"])
        .exits(2)
        .says("train-1.jsonl.xz")
        .says("belongs to what is asked");
    service.run(&folder, &["mix/train.jsonl"]).exits(0);
    assert_eq!(service.stats().asked, 1);
}

#[test]
fn a_pointer_of_git_lfs_is_no_file_of_questions_in_any_form() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    for name in ["q.csv", "q.tsv", "q.txt", "q.jsonl", "q.json", "q.parquet", "q.jsonl.gz", "q"] {
        if name == "q.parquet" && !cfg!(feature = "parquet") {
            continue;
        }
        refused(name, pointer.as_bytes(), "is a pointer of Git LFS");
    }
    let folder = Folder::new();
    folder.write("d/a.jsonl", "{\"question\": \"a\"}\n");
    folder.write("d/b.jsonl", pointer);
    folder.write("q.csv", pointer);
    Service::friendly().run(&folder, &["d"]).exits(2).says("d/b.jsonl").says("lfs pull");
    folder.dset(&["import", "q.csv", "-o", "new.csv"]).exits(2).says("git -C . lfs pull");
}

#[test]
fn rows_of_several_files_are_counted_with_those_that_are_skipped() {
    let folder = Folder::new();
    folder.write("d/1.jsonl", "{\"question\": \"a\"}\nBROKEN\n{\"question\": \"b\"}\nBROKEN\n");
    folder.write("d/2.jsonl", "{\"question\": \"c\"}\n");
    let service = Service::friendly();
    service.run(&folder, &["d", "--on-bad-row", "skip"]).exits(0);
    folder.dset(&["export", "--to", "rows.jsonl"]).exits(0);
    let rows = folder.read("rows.jsonl");
    let numbers: Vec<u64> = rows
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["row"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [1, 3, 5]);
    folder.dset(&["show", "3"]).exits(0).tells("row 5");
    folder.write(
        "d/1.jsonl",
        "{\"question\": \"a\"}\n{\"question\": \"m\"}\n{\"question\": \"b\"}\nBROKEN\n",
    );
    service.run(&folder, &["d", "--on-bad-row", "skip"]).exits(0);
    assert_eq!(service.stats().asked, 4, "a number is no part of what is asked");
}

#[test]
fn what_of_a_chat_is_not_sent_and_which_column_was_taken_is_told() {
    let folder = Folder::new();
    let turn =
        |role: &str, text: &str| json!({"role": role, "content": text, "reasoning_content": "Hm."});
    let chat = json!({"messages": [turn("user", "a"), turn("assistant", "b"), turn("user", "c")]});
    let plain = json!({"messages": [{"role": "user", "content": "x"}]});
    folder.write("q.jsonl", format!("{plain}\n{chat}\n"));
    let service = Service::friendly();
    let said = "1 chat has reasoning in earlier turns, from line 2: it is not sent";
    service.run(&folder, &["q.jsonl"]).exits(0).says(said);
    let start = service.run(&folder, &["q.jsonl", "--json"]).exits(0).out.clone();
    assert!(start.contains("\"unsent_reasoning\":1"), "{start}");
    folder.write("q.csv", "foo,bar\nWhy is it so?,1\n");
    let ran = service.run(&folder, &["q.csv", "-o", "c"]).exits(0);
    ran.says("questions are taken from").says("--column");
}

#[test]
fn an_input_of_nothing_but_bad_rows_says_how_many_and_what_is_wrong() {
    let folder = Folder::new();
    let chat =
        |role: &str| format!("{{\"messages\": [{{\"role\": \"{role}\", \"content\": \"Q\"}}]}}\n");
    folder.write("q.jsonl", chat("judge").repeat(7));
    let skip = ["q.jsonl", "--on-bad-row", "skip"];
    let job = [&["job", "split"], &skip[..], &["--shards", "1", "-o", "j"]].concat();
    let run = [&["run"], &skip[..], &["--key", "none"]].concat();
    for command in [run, job] {
        let ran = folder.dset(&command).exits(2).says("no questions that can be asked");
        let why = "7 rows skipped that cannot be asked: line 1: turn 1 of the chat is of `judge`";
        let ran = ran.says(why);
        assert!(!ran.err.contains("nothing else"), "{}", ran.err);
    }
    let doctor = [&["doctor", "--offline"], &skip[..], &["--key", "none"]].concat();
    folder.dset(&doctor).tells("7 rows skipped that cannot be asked");
}

#[test]
fn hints_about_rows_lead_somewhere() {
    let folder = Folder::new();
    let service = Service::friendly();
    folder.write("cut.json", "[{\"question\": \"a\"}, {\"question\": \"b\"}");
    for more in [&["cut.json"][..], &["cut.json", "--on-bad-row", "skip"]] {
        let ran = service.run(&folder, more).exits(2).says("ends within the array");
        assert!(!ran.err.contains("To ask the other rows"), "{}", ran.err);
    }
    folder.write("bad.jsonl", "BROKEN\n");
    let ran = service.run(&folder, &["bad.jsonl", "--on-bad-row", "skip"]).exits(2);
    assert!(!ran.err.contains("To ask the other rows"), "{}", ran.err);
    let line = |body: &str| format!("{{\"custom_id\": \"r\", \"body\": {body}}}\n");
    let turns = "\"messages\": [{\"role\": \"user\", \"content\": \"Q\"}]";
    let schema = format!("{{{turns}, \"response_format\": {{\"type\": \"json_object\"}}}}");
    folder.write("b.jsonl", line(&schema));
    service.run(&folder, &["b.jsonl"]).exits(2).says("`--schema FILE`");
    folder.write("b.jsonl", line("{\"input\": \"x\"}"));
    service
        .run(&folder, &["b.jsonl"])
        .exits(2)
        .says("no field `body.messages`")
        .says("as one turn");
    folder.write("n.jsonl", "{\"question\": \"q\", \"nan\": 1, \"inf\": \"x\"}\n");
    service.run(&folder, &["n.jsonl", "-t", "{{nan}} {{inf}}"]).exits(0);
}

#[test]
fn questions_from_a_pipe_are_kept_and_joined_again() {
    let folder = Folder::new();
    folder.write("rows", lines());
    let service = Service::friendly();
    let run = format!("dset run - --formats jsonl --base-url {} -m x --key none", service.url());
    folder.shell(&format!("cat rows | {run}")).exits(0);
    folder.shell(&format!("cat rows | {run}")).exits(0);
    assert_eq!(service.stats().asked, 3);
    folder.dset(&["show", "-q", "-", "1"]);
    folder.dset(&["show", "1"]).exits(0).tells("What is 1+1?");
    folder.dset(&["status", "-"]).exits(0).tells("3/3  100%");
    folder.shell(&format!("{run} < /dev/null")).exits(2);
    folder.dset(&["verify", "-"]).exits(0);
}

#[test]
fn what_comes_through_a_pipe_and_cannot_be_asked_leaves_the_questions_of_before() {
    let folder = Folder::new();
    folder.write("rows", "question\none\ntwo\n");
    let service = Service::friendly();
    let run = format!("dset run - --base-url {} -m x --key none", service.url());
    folder.shell(&format!("cat rows | {run}")).exits(0);
    let before = folder.read("dset_generator/dset.input");
    for (sent, words) in [
        ("question\\n", "`-` has no questions"),
        ("question\\n\\n \\n", "`-` has no questions"),
        ("{\"question\": \"one\"}\\n{\"question\": \"tw", "line 2"),
    ] {
        let ran = folder.shell(&format!("printf '{sent}' | {run}")).exits(2).says(words);
        assert!(!ran.err.contains(".dset-"), "{}", ran.err);
        assert_eq!(folder.read("dset_generator/dset.input"), before);
        folder.dset(&["export", "-", "--to", "b.jsonl", "--force"]).exits(0).tells("2 rows");
    }
    assert_eq!(service.stats().asked, 2);
}

#[test]
fn a_pipe_replaces_the_questions_of_before_only_once_nothing_refuses_the_run() {
    let folder = Folder::new();
    folder.write("rows", "question\none\ntwo\n");
    folder.write("others", "question\nthree\n");
    let service = Service::friendly();
    let run = format!("dset run - --base-url {} -m x", service.url());
    let kept = "dset_generator/dset.input";
    folder.shell(&format!("cat rows | {run} --key none")).exits(0);
    let before = folder.read(kept);
    for (flags, exit) in [("--key none --temperature 0.5", 2), ("--key NO_SUCH_VARIABLE", 4)] {
        folder.shell(&format!("cat rows others | {run} {flags}")).exits(exit);
        assert_eq!(folder.read(kept), before);
    }
    let ran = folder.shell(&format!("cat others | {run} --key none")).exits(0);
    ran.says("what an earlier run was given through a pipe is in .earlier/");
    assert_eq!(folder.read(kept), "question\nthree\n");
    folder.shell("cat dset_generator/.earlier/*/dset.input").exits(0).tells("one\ntwo");
    folder.shell(&format!("cat others | {run} --key none")).exits(0);
    folder.dset(&["status", "-"]).exits(0).tells("1/1  100%");
    assert_eq!(service.stats().asked, 3);
}

#[test]
fn a_packed_text_that_is_none_is_refused_and_an_ending_mends_it() {
    let folder = Folder::new();
    let service = Service::friendly();
    folder.write("q.txt.gz", gzip(lines().as_bytes()));
    folder.write("q.jsonl.gz", gzip(lines().as_bytes()));
    let refused = service.run(&folder, &["q.txt.gz"]).exits(2);
    let refused = refused.says("`q.txt.gz` holds JSON, not CSV").says("`.jsonl.gz`");
    assert!(!refused.err.contains("dset import"), "{}", refused.err);
    service.run(&folder, &["q.jsonl.gz"]).exits(0);
    assert_eq!(service.stats().asked, 3);
}

#[test]
fn what_cannot_be_asked_is_told_with_its_file_and_row_before_the_first_ask() {
    let long = format!("{{\"question\": \"a\"}}\n{{\"question\": \"{}\"}}\n", "x".repeat(65 << 20));
    let torn = {
        let mut all = gzip(lines().as_bytes());
        all.truncate(all.len() - 9);
        all
    };
    let trailing = [gzip(lines().as_bytes()), b"garbage".to_vec()].concat();
    for (name, bytes, says) in [
        ("a.jsonl", "{\"question\": \"a\"}\n{\"question\": \n", "line 2: it is not JSON"),
        (
            "b.jsonl",
            "{\"question\": \"a\"}\n{\"topic\": \"a\"}\n",
            "line 2: it has no field `question`",
        ),
        ("c.jsonl", "{\"question\": \"a\"}\n[1, 2]\n", "line 2: it is JSON, but no object"),
        (
            "d.jsonl",
            "{\"question\": \"a\"}\n{\"question\": {\"a\": 1}}\n",
            "neither a text nor a chat",
        ),
        ("e.jsonl", "{\"question\": \"\\ud800\"}\n", "half a character"),
        ("f.jsonl", "{\"a\": \"x\", \"b\": \"y\"}\n", "--column NAME"),
        (
            "g.jsonl",
            "{\"instruction\": \"x\", \"input\": \"y\"}\n",
            "has `input` beside `instruction`",
        ),
        (
            "h.jsonl",
            "{\"messages\": [{\"role\": \"narrator\", \"content\": \"x\"}]}\n",
            "`narrator`",
        ),
        (
            "i.jsonl",
            "{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"image_url\"}]}]}\n",
            "no text",
        ),
        (
            "j.jsonl",
            "{\"custom_id\": \"1\", \"body\": {\"temperature\": 1, \"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}}\n",
            "`body.temperature` is 1, and --temperature says it for all rows",
        ),
        (
            "j2.jsonl",
            "{\"custom_id\": \"1\", \"body\": {\"tools\": [{}], \"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}}\n",
            "`body` cannot be sent along: `tools` is of tools",
        ),
        ("k.json", "[{\"question\": \"a\"}, {\"question\": \"b\"}", "ends within the array"),
        ("l.json", "[{\"question\": \"a\"}] x", "more behind the array"),
        ("m.jsonl", "{\"question\": \"x\", \"images\": [\"a.png\"]}\n", "`images` stands beside"),
    ] {
        refused(name, bytes.as_bytes(), says);
    }
    refused("n.jsonl", b"{\"question\": \"caf\xe9\"}\n", "it is not UTF-8");
    refused("o.jsonl", long.as_bytes(), "line 2: it is larger than 64 MiB");
    refused("p.jsonl.gz", &torn, "end is missing");
    refused("q.jsonl.gz", &trailing, "q.jsonl.gz");
}

fn refused(name: &str, bytes: &[u8], says: &str) {
    let folder = Folder::new();
    folder.write(name, bytes);
    let service = Service::friendly();
    service.run(&folder, &[name]).exits(2).says(says).says(name);
    assert_eq!(service.stats().asked, 0, "{name}");
    assert!(!folder.path("dset_generator").exists(), "{name}: nothing is made");
}

#[test]
fn lines_of_a_batch_are_asked_by_their_messages_and_named_by_their_ids() {
    let folder = Folder::new();
    let line = |id: &str, text: &str| {
        let messages = json!([{"role": "user", "content": text}]);
        json!({"custom_id": id, "method": "POST", "url": "/v1/chat/completions",
            "body": {"model": "other", "messages": messages}})
        .to_string()
    };
    folder.write("q.jsonl", [line("one", "Why?"), line("two", "How?")].join("\n"));
    let service = Service::friendly();
    service.run(&folder, &["q.jsonl", "--formats", "jsonl"]).exits(0);
    let expected = [("one", "Why?"), ("two", "How?")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(rows_of(&folder), expected);
}

#[test]
fn the_parameters_of_a_batch_line_are_sent_with_it_and_are_a_part_of_what_is_asked() {
    let folder = Folder::new();
    let line = |id: &str, parameters: Value| {
        let mut body = json!({"model": "other", "max_tokens": 500, "n": 1, "stop": null,
            "messages": [{"role": "user", "content": "Why?"}]});
        body.as_object_mut().unwrap().extend(parameters.as_object().unwrap().clone());
        json!({"custom_id": id, "body": body}).to_string() + "\n"
    };
    let (one, two) =
        (line("one", json!({"top_p": 0.5})), line("two", json!({"top_p": 0.25, "seed": 7})));
    folder.write("q.jsonl", one.clone() + &two);
    let service = Service::keeping("deepseek");
    service
        .run(&folder, &["q.jsonl"])
        .exits(2)
        .says("`body.max_tokens` is 500")
        .says("--max-tokens 500");
    let run = ["q.jsonl", "--max-tokens", "500", "--formats", "jsonl"];
    service.run(&folder, &run).exits(0);
    let sent = service.requests();
    let of = |name: &str| sent.iter().map(|body| body[name].clone()).collect::<Vec<_>>();
    assert_eq!(of("max_tokens"), [500, 500]);
    let mut seeds: Vec<_> =
        sent.iter().map(|body| (body["top_p"].as_f64(), body["seed"].as_u64())).collect();
    seeds.sort_by(|one, other| one.partial_cmp(other).unwrap());
    assert_eq!(seeds, [(Some(0.25), Some(7)), (Some(0.5), None)]);
    folder.write("q.jsonl", line("one", json!({"top_p": 0.75})) + &two);
    service.run(&folder, &run).exits(0);
    assert_eq!(service.stats().asked, 3, "the changed row alone");
    folder.dset(&["show", "2", "--questions", "q.jsonl"]).exits(0).tells("The answer is");
    folder.dset(&["verify", "q.jsonl"]).exits(0);
}

#[test]
fn ids_name_rows_and_are_never_a_part_of_what_is_asked() {
    let folder = Folder::new();
    folder.write("q.jsonl", lines());
    let service = Service::friendly();
    service.run(&folder, &["q.jsonl"]).exits(0).says("rows are named by `id`");
    folder.write("q.jsonl", lines().replace("a-2", "b-2"));
    service.run(&folder, &["q.jsonl"]).exits(0);
    assert_eq!(service.stats().asked, 3, "another name is the same question");
    folder.write("q.jsonl", lines().replace("a-2", "a-1"));
    service
        .run(&folder, &["q.jsonl"])
        .exits(2)
        .says("two rows have the same `id`")
        .says("rows 1 and 2: a-1");
    service.run(&folder, &["q.jsonl", "--id", "prompt"]).exits(0);
    service.run(&folder, &["q.jsonl", "--id", "uuid"]).exits(2).says("`--id` names it");
    assert_eq!(service.stats().asked, 3);
}

#[test]
fn a_column_of_ids_that_was_found_and_is_gone_names_no_rows_any_more() {
    let folder = Folder::with("id,question\n1,one\n2,two\n");
    let service = Service::friendly();
    folder.asks(&service);
    folder.dset(&["run"]).exits(0);
    folder.write("q.csv", "question\none\ntwo\nthree\n");
    folder.dset(&["status"]).exits(0);
    folder.dset(&["export", "--to", "x.jsonl"]).exits(0);
    folder.dset(&["run"]).exits(0);
    assert_eq!(service.stats().asked, 3);
    folder.dset(&["run", "--id", "id"]).exits(2).says("`--id` names it");
}

#[test]
fn rows_are_chosen_and_the_keys_of_the_chosen_are_those_of_the_whole() {
    let folder = Folder::new();
    let text: String =
        (0..40).map(|n| format!("{{\"question\": \"q{}\", \"level\": {n}}}\n", n % 20)).collect();
    folder.write("q.jsonl", text);
    let service = Service::friendly();
    service
        .run(&folder, &["q.jsonl", "--where", "level >= 30"])
        .exits(0)
        .says("30 rows left out: 30 by --where");
    assert_eq!(service.stats().asked, 10);
    folder.dset(&["status"]).exits(0).tells("30 rows left out").tells("10/10  100%");
    folder.dset(&["verify"]).exits(0).tells("10 questions = 10 answered");
    folder.dset(&["export", "--to", "all.jsonl", "--strict"]).exits(0).tells("10 rows");
    folder.dset(&["export", "--failed", "--to", "failed.jsonl"]).exits(0).tells("0 rows");
    service.run(&folder, &["q.jsonl", "--sample", "50%"]).exits(0);
    service.run(&folder, &["q.jsonl", "--offset", "35"]).exits(0);
    service.run(&folder, &["q.jsonl"]).exits(0);
    assert_eq!(service.stats().asked, 40, "each row once, whatever was chosen before");
    folder.dset(&["verify"]).exits(0);
    service.run(&folder, &["q.jsonl", "--where", "levl > 1"]).exits(2).says("levl");
    service.run(&folder, &["q.jsonl", "--where", "level >"]).exits(2).says("--where");
}

#[test]
#[cfg(feature = "parquet")]
fn an_exported_dataset_is_an_input_again_and_buys_nothing_twice() {
    let folder = Folder::new();
    folder.write("q.jsonl", lines());
    let service = Service::friendly();
    service.run(&folder, &["q.jsonl"]).exits(0);
    for name in ["back.parquet", "back.jsonl.zst", "back.csv"] {
        folder.dset(&["export", "q.jsonl", "--to", name]).exits(0);
        service.run(&folder, &[name]).exits(0);
        assert_eq!(service.stats().asked, 3, "{name}");
    }
}

#[test]
#[cfg(feature = "parquet")]
fn bytes_of_parquet_are_texts_or_refused_and_never_sent_as_escapes() {
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/parquet");
    let folder = Folder::new();
    std::fs::copy(fixtures.join("pyarrow_texts.parquet"), folder.path("q.parquet")).unwrap();
    let service = Service::friendly();
    let run = |more: &[&str]| service.run(&folder, &[&["q.parquet"], more].concat());
    let refused = "`binary` holds bytes that are no UTF-8 text";
    run(&["--column", "binary"]).exits(2).says("row 1").says(refused);
    run(&["-t", "{{ utf8 }} {{ binary }}"]).exits(2).says("row 1").says(refused);
    run(&["-t", "{{ utf8 }} {{ row.binary }}"]).exits(2).says(refused);
    run(&["-t", "{{ utf8 }}", "--where", "binary == 'x'"]).exits(2).says(refused);
    assert_eq!(service.stats().asked, 0);
    run(&["--column", "binary", "--on-bad-row", "skip", "-o", "skip"]).exits(0).says(refused);
    run(&["--column", "large_binary"]).exits(0);
    assert_eq!(service.asked().into_keys().collect::<Vec<_>>(), ["plain", "x", "\u{7f}", "é"]);
}

#[test]
fn a_pipe_of_lines_with_commas_is_not_cut_at_them() {
    let service = Service::friendly();
    let piped = |text: &str, more: &str| {
        let folder = Folder::new();
        folder.write("in", text);
        let dset = format!("dset run - --base-url {} -m x --key none {more}", service.url());
        folder.shell(&format!("cat in | {dset}"))
    };
    piped("Hello, how are you?\nWhat, now?\n", "").exits(2).says("is a text or a CSV file");
    assert_eq!(service.stats().asked, 0);
    piped("a, b\nc\n---\nd, e\n", "--split-on ---").exits(0);
    assert_eq!(service.asked().into_keys().collect::<Vec<_>>(), ["a, b\nc", "d, e"]);
    piped("x, y\nz,\n", "--column 1").exits(0);
    piped("id,question\n1,Why?\n", "").exits(0);
    piped("Just one\n", "").exits(0);
}

#[test]
fn json_through_a_pipe_is_asked_as_it_is_meant() {
    for text in [
        "{\n  \"question\": \"Why?\\nSo.\"\n}\n{\n  \"question\": \"How?\"\n}\n",
        "[\n  \"Why?\\nSo.\",\n  \"How?\"\n]\n",
        "\"Why?\\nSo.\"\n\"How?\"\n",
    ] {
        let (folder, service) = (Folder::new(), Service::friendly());
        folder.write("in", text);
        let run = format!("dset run - --base-url {} -m x --key none", service.url());
        folder.shell(&format!("cat in | {run}")).exits(0);
        assert_eq!(service.asked().into_keys().collect::<Vec<_>>(), ["How?", "Why?\nSo."]);
        folder.shell(&format!("cat in | {run}")).exits(0);
        assert_eq!(service.stats().asked, 2);
        folder.dset(&["status", "-"]).exits(0).tells("2/2  100%");
    }
}

#[test]
fn a_row_that_is_skipped_is_named_with_its_file() {
    let folder = Folder::new();
    folder.write("d/1.jsonl", "{\"question\": \"a\"}\n");
    folder.write("d/2.jsonl", "{\"question\": \"b\"}\nnothing\n");
    let service = Service::friendly();
    service
        .run(&folder, &["d", "--on-bad-row", "skip"])
        .exits(0)
        .says("2.jsonl, line 2: it is not JSON");
    let fails = service.run(&folder, &["d", "--split", "none", "--on-bad-row", "skip"]);
    assert!(!fails.err.contains("--split none"), "{}", fails.err);
    folder.write("rag.jsonl", "{\"question\": \"Who?\", \"context\": \"Ada wrote it.\"}\n");
    service.run(&folder, &["rag.jsonl"]).exits(2).says("`context` beside `question`");
}

#[test]
fn a_pattern_or_a_folder_that_the_outputs_lie_in_asks_each_question_once() {
    for (input, output) in [("**/*.csv", "dset_generator"), ("d/*.csv", "d"), ("d", "d")] {
        let (folder, service) = (Folder::new(), Service::friendly());
        std::fs::create_dir(folder.path("d")).unwrap();
        folder.write("d/a.csv", "question\na\nb\n");
        let run = |asked| {
            let (url, input) = (service.url(), ["run", input, "-o", output]);
            let service_of = ["--base-url", &url, "--key", "none"];
            folder.dset(&[&input[..], &service_of].concat()).exits(0);
            assert_eq!(service.stats().asked, asked, "{input:?}");
        };
        run(2);
        run(2);
        folder.write("d/b.csv", "question\nc\n");
        run(3);
        run(3);
    }
}
