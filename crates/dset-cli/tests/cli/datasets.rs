//! `dset export --to`: datasets, the same bytes each time, whole or not there.

use std::io::Read as _;

use crate::common::{Folder, Service, questions};
use dset_mock::MockSettings;
use serde_json::Value;

/// A folder with answers to these questions.
fn answered(file: &str, arguments: &[&str]) -> (Folder, Service) {
    let (folder, service) = (Folder::with(file), Service::friendly());
    folder.asks(&service);
    folder.dset(&[&["run"], arguments].concat()).exits(0);
    (folder, service)
}

const TOPICS: &str = "id,question,topic,gold,status\n\
    a-1,\"Why is the sky blue?\",physics,007,\n\
    a-2,\"Who wrote Emma?\",books,,\n\
    a-3,\"What is 6 × 7?\",\"ma,th\",\"4\"\"2\",\n";

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn rows_have_every_column_of_the_user_and_all_that_is_known_of_the_answer() {
    let (folder, service) = answered(TOPICS, &[]);
    let before = folder.everything();
    folder.dset(&["export", "--to", "rows.jsonl"]).exits(0).tells("rows.jsonl: 3 rows");
    let rows = lines(&folder.read("rows.jsonl"));
    let keys: Vec<_> = rows[0].as_object().unwrap().keys().map(String::as_str).collect();
    let ours = [
        "row",
        "reasoning",
        "answer",
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
    assert_eq!(keys, [&["id", "question", "topic", "gold"][..], &ours].concat());
    assert!(rows.iter().all(|row| row.as_object().unwrap().keys().eq(keys.iter())));
    assert_eq!(rows[0]["gold"], "007");
    assert_eq!((&rows[1]["gold"], &rows[2]["gold"]), (&"".into(), &"4\"2".into()));
    assert_eq!(
        rows.iter().map(|row| row["row"].as_u64()).collect::<Vec<_>>(),
        [Some(2), Some(3), Some(4)]
    );
    let time = rows[0]["time"].as_str().unwrap();
    assert!(time.len() == 24 && time.ends_with('Z') && &time[10..11] == "T", "{time}");
    assert!(!rows[0]["answer"].as_str().unwrap().is_empty());
    // Nothing else was changed, and nothing was asked.
    let mut after = folder.everything();
    after.remove(&folder.path("rows.jsonl"));
    after.remove(&folder.path("dset_generator/dset.datasets"));
    assert!(after == before && service.stats().asked == 3);
}

#[test]
fn the_same_dataset_is_the_same_bytes_in_every_kind_of_file() {
    let (folder, _service) = answered(TOPICS, &["--samples", "2"]);
    let shuffle = ["--order", "shuffle", "--seed", "7", "--layout", "chat", "--keep", "topic"];
    let mut names = vec!["a.jsonl", "a.json", "a.csv", "a.jsonl.gz", "a.jsonl.zst", "a.csv.gz"];
    names.extend(cfg!(feature = "parquet").then_some("a.parquet"));
    for name in names {
        let other = name.replacen('a', "b", 1);
        folder.dset(&[&["export", "--to", name], &shuffle[..]].concat()).exits(0).tells("6 rows");
        folder.dset(&[&["export", "--to", &other], &shuffle[..]].concat()).exits(0);
        let [one, two] = [name, &*other].map(|name| std::fs::read(folder.path(name)).unwrap());
        assert!(one == two && !one.is_empty(), "{name}");
    }
    let plain = folder.read("a.jsonl");
    let unpacked = zstd::decode_all(std::fs::File::open(folder.path("a.jsonl.zst")).unwrap());
    assert_eq!(unpacked.unwrap(), plain.as_bytes());
    let array: Vec<Value> = serde_json::from_str(&folder.read("a.json")).unwrap();
    assert_eq!(array, lines(&plain));
    let text = folder.read("a.csv");
    let mut csv = csv::Reader::from_reader(text.as_bytes());
    let records: Vec<_> = csv.records().map(Result::unwrap).collect();
    for (record, row) in records.iter().zip(&array) {
        let messages: Value = serde_json::from_str(&record[0]).unwrap();
        assert_eq!(messages, row["messages"]);
        assert_eq!(record[4], row["topic"]);
    }
    folder.dset(&["export", "--to", "c.jsonl", "--layout", "chat", "--keep", "topic"]).exits(0);
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_ne!(folder.read("c.jsonl"), plain);
    assert_eq!(sorted(&folder.read("c.jsonl")), sorted(&plain));
}

#[test]
fn each_answer_stands_beside_what_was_sent_for_it() {
    let file = "question,topic\none,a\ntwo,b\n";
    let (folder, service) =
        answered(file, &["-s", "Be brief.", "-t", "{{ question }} ({{ topic }})"]);
    let asked = |to: &str, arguments: &[&str]| {
        folder.dset(&[&["export", "--layout", "chat", "--to", to], arguments].concat()).exits(0)
    };
    folder.write("q.csv", folder.read("q.csv").replace("two,b", "two,b\nthree,c"));
    let later = [
        "run",
        "--continue",
        "-m",
        "deepseek-v4-pro",
        "-s",
        "Be exact.",
        "-t",
        "Say: {{ question }}",
    ];
    folder.dset(&later).exits(0);
    assert_eq!(service.stats().asked, 3);
    asked("rows.jsonl", &[]);
    let said: Vec<_> = lines(&folder.read("rows.jsonl"))
        .iter()
        .map(|row| [0, 1].map(|at| row["messages"][at]["content"].as_str().unwrap().to_owned()))
        .collect();
    let sent = |system: &str, user: &str| [system.to_owned(), user.to_owned()];
    let [one, two] = ["one (a)", "two (b)"].map(|user| sent("Be brief.", user));
    assert_eq!(said, [one, two, sent("Be exact.", "Say: three")]);
    asked("hub/", &[]);
    let made: Value = serde_json::from_str(&folder.read("hub/dset.json")).unwrap();
    let models = made["requests"].as_array().unwrap().iter().map(|one| one["model"].as_str());
    assert_eq!(models.collect::<Vec<_>>(), [Some("deepseek-v4-pro"), Some("deepseek-flash")]);
    // What was sent cannot be made without the column that it was made of.
    folder.write("q.csv", folder.read("q.csv").replace("topic", "subject"));
    asked("gone.jsonl", &[]).tells("2 answers stand beside the prompt of the last run");
    let again = asked("gone.jsonl", &["--force", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&again.out).unwrap()["sent_unknown"], 2);
}

#[test]
fn nothing_is_written_over_what_is_there_unless_that_is_said() {
    let (folder, _service) = answered(TOPICS, &[]);
    folder.write("mine.jsonl", "mine\n");
    folder.dset(&["export", "--to", "mine.jsonl"]).exits(2).says("is there already");
    #[cfg(unix)]
    {
        folder.shell("mkfifo pipe.jsonl").exits(0);
        let export = ["export", "--to", "pipe.jsonl", "--force"];
        folder.dset(&export).exits(2).says("`pipe.jsonl` is no file");
    }
    assert_eq!(folder.read("mine.jsonl"), "mine\n");
    folder.dset(&["export", "--to", "mine.jsonl", "--force"]).exits(0);
    assert_eq!(lines(&folder.read("mine.jsonl")).len(), 3);
    folder.write("hub/notes.txt", "mine");
    for force in [&[][..], &["--force"]] {
        let ran = folder.dset(&[&["export", "--to", "hub/"], force].concat()).exits(2);
        ran.says("not a folder that dset wrote");
    }
    assert_eq!(folder.read("hub/notes.txt"), "mine");
    for own in ["q.csv", "dset_generator/output.json", "dset_generator/new.jsonl"] {
        folder.dset(&["export", "--to", own, "--force"]).exits(2).says("belongs to the run");
    }
    assert_eq!(folder.read("q.csv"), TOPICS);
    folder.dset(&["export", "--to", "-"]).exits(2).says("no kind of file");
    folder.dset(&["export", "--to", "a.docx"]).exits(2).says("no kind of file");
    folder
        .dset(&["export", "--to", "new/a.jsonl", "--layout", "caht"])
        .exits(2)
        .says("--layout chat");
    assert!(!folder.path("new").exists());
}

#[test]
fn a_dataset_that_nobody_changed_is_written_anew_without_a_word() {
    let (folder, service) = answered(TOPICS, &[]);
    let export = ["export", "--to", "sub/a.jsonl", "--layout", "chat"];
    folder.dset(&export).exits(0);
    folder.write("q.csv", TOPICS.to_owned() + "a-4,Why?,books,,\n");
    service.run(&folder, &[]).exits(0);
    folder.dset(&export).exits(0);
    assert_eq!(lines(&folder.read("sub/a.jsonl")).len(), 4);
    folder.write("sub/a.jsonl", folder.read("sub/a.jsonl") + "{}\n");
    folder.dset(&export).exits(2).says("is there already");
    assert_eq!(lines(&folder.read("sub/a.jsonl")).len(), 5);
    // Without its record a dataset is anybody's.
    folder.dset(&[&export[..], &["--force"]].concat()).exits(0);
    std::fs::remove_file(folder.path("dset_generator/dset.datasets")).unwrap();
    folder.dset(&export).exits(2).says("is there already");
}

const DECLARED: &str = "[[export]]\nto = \"sft.jsonl\"\nlayout = \"chat\"\nkeep = [\"topic\"]\n\
    rename = { messages = \"turns\" }\n\n\
    [[export]]\nto = \"parts.jsonl\"\nwhere = \"topic == 'physics'\"\nsplit = { train = 0.5, test = 0.5 }\n\
    skip-unfit = true\n";

#[test]
fn a_run_that_goes_to_its_end_writes_the_datasets_that_were_wanted() {
    let (folder, service) = (Folder::with(TOPICS), Service::friendly());
    folder.asks(&service);
    folder.write("dset.toml", DECLARED);
    let run = ["run", "--to", "hub/", "--layout", "openai"];
    let poor = Service::with(&["Emma=402"]);
    poor.run(&folder, &run[1..]).exits(5).says("goes to its end");
    assert!(!folder.path("sft.jsonl").exists() && !folder.path("hub").exists());
    let ran = folder.dset(&[&run[..], &["--json"]].concat()).exits(0);
    let rows = lines(&folder.read("sft.jsonl"));
    assert_eq!(rows.len(), 3);
    assert_eq!(
        (&rows[0]["topic"], &rows[0]["turns"][0]["role"]),
        (&"physics".into(), &"user".into())
    );
    let parts = folder.read("parts-train.jsonl") + &folder.read("parts-test.jsonl");
    assert_eq!(lines(&parts).len(), 1);
    assert!(folder.path("hub/README.md").exists());
    let events: Vec<Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let written: Vec<_> = events.iter().filter(|event| event["event"] == "dataset").collect();
    assert_eq!(
        written.iter().map(|event| event["rows"].as_u64().unwrap()).collect::<Vec<_>>(),
        [3, 1, 3]
    );
    // The same command again asks nothing and writes the same; a new row goes into all of them.
    let (first, asked) = (folder.everything(), service.stats().asked);
    folder.dset(&run).exits(0).says("sft.jsonl: 3 rows");
    assert_eq!(service.stats().asked, asked);
    assert!(
        folder.everything().get(&folder.path("sft.jsonl")) == first.get(&folder.path("sft.jsonl"))
    );
    folder.write("q.csv", TOPICS.to_owned() + "a-4,Why?,books,,\n");
    folder.dset(&run).exits(0);
    assert_eq!(lines(&folder.read("sft.jsonl")).len(), 4);
    // `dset export` alone writes what is declared.
    std::fs::remove_file(folder.path("sft.jsonl")).unwrap();
    let object = folder.dset(&["export", "--json"]).exits(0).json();
    assert_eq!(object["datasets"].as_array().unwrap().len(), 2);
    assert_eq!(lines(&folder.read("sft.jsonl")).len(), 4);
}

#[test]
fn files_of_other_splits_and_shards_give_way_to_those_of_now() {
    let (folder, _service) = answered(TOPICS, &[]);
    let files = |options: &[&str]| {
        folder.dset(&[&["export", "--to", "s.jsonl"], options].concat()).exits(0);
        let names = std::fs::read_dir(folder.path(".")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name.starts_with("s")).collect();
        names.sort();
        names
    };
    folder.dset(&["export", "--to", "s-own.jsonl"]).exits(0);
    let own = "s-own.jsonl";
    assert_eq!(files(&["--shards", "2"]).len(), 3);
    assert_eq!(files(&[]), [own, "s.jsonl"]);
    assert_eq!(files(&["--split", "test=0.5,train=0.5"]), [own, "s-test.jsonl", "s-train.jsonl"]);
    folder.write("s-test.jsonl", "mine\n");
    assert_eq!(
        files(&["--split", "train=0.5,valid=0.5"]),
        [own, "s-test.jsonl", "s-train.jsonl", "s-valid.jsonl"]
    );
}

#[test]
fn a_run_says_that_rows_are_named_otherwise_than_before() {
    let (folder, _service) = answered(TOPICS, &[]);
    let named = folder.dset(&["run"]).exits(0);
    assert!(!named.err.contains("before: ids"), "{}", named.err);
    folder.write("q.csv", TOPICS.replacen("id,", "uid,", 1));
    folder.dset(&["run"]).exits(0).says("rows were named by `id` before");
    folder.write("q.csv", TOPICS.replacen("id,", "name,", 1));
    folder.dset(&["run", "--id", "name"]).exits(0);
}

#[test]
fn a_dataset_of_a_run_says_that_it_has_rows_which_that_run_left_out() {
    let (folder, _service) = answered(TOPICS, &[]);
    let books = ["run", "--where", "topic == 'books'", "--to", "books.jsonl"];
    folder.dset(&books).exits(0).says("of 2 questions in it that the run left out");
    let object = folder.dset(&["export", "--to", "b.jsonl", "--json"]).exits(0).json();
    assert_eq!((&object["rows"], &object["not_chosen"]), (&3.into(), &2.into()));
    let chosen = ["export", "--to", "b.jsonl", "--where", "topic == 'books'", "--json"];
    assert_eq!(folder.dset(&chosen).exits(0).json()["not_chosen"], 0);
    folder.dset(&["run"]).exits(0);
    let object = folder.dset(&["export", "--to", "b.jsonl", "--json"]).exits(0).json();
    assert_eq!(object["not_chosen"], 0);
}

#[test]
fn a_dataset_that_cannot_be_written_at_the_end_is_an_error_before_anything_is_asked() {
    let (folder, service) = (Folder::with(TOPICS), Service::friendly());
    folder.asks(&service);
    folder.write("mine.jsonl", "mine\n");
    for (to, layout, says) in [
        ("mine.jsonl", "rows", "is there already"),
        ("a.docx", "rows", "no kind of file"),
        ("q.csv", "rows", "belongs to the run"),
        ("a.jsonl", "caht", "--layout chat"),
        ("a.jsonl", "preference", "not said which answers are better"),
        ("mine.jsonl/b.jsonl", "rows", "a dataset goes into a folder"),
    ] {
        folder.dset(&["run", "--to", to, "--layout", layout]).exits(2).says(says);
    }
    for (declared, says) in [
        ("to = \"a.jsonl\"\nkeep = \"tpoic\"\n", "Perhaps `topic`"),
        ("to = \"a.jsonl\"\nwhere = \"level > \"\n", "`--where` cannot be used"),
        (
            "to = \"a.jsonl\"\nlayout = \"preference\"\nrank = \"answer\"\n",
            "no question has two answers",
        ),
        ("to = \"a.jsonl\"\nlayuot = \"chat\"\n", "[[export]] has no `layuot`"),
        ("to = \"a.jsonl\"\nreasoning = \"feild\"\n", "line 3: `--reasoning` cannot be `feild`"),
        ("to = \"a.jsonl\"\nstrict = \"yes\"\n", "line 3: `export.strict` cannot be what it is"),
        ("to = \"a.jsonl\"\nlayout = \"caht\"\n", "line 3: there is no layout `caht`"),
        ("layout = \"chat\"\n", "[[export]] lacks `to`"),
    ] {
        folder.write("dset.toml", format!("[[export]]\n{declared}"));
        folder.dset(&["run"]).exits(2).says(says);
    }
    folder.write("dset.toml", "[export]\nto = \"a.jsonl\"\n");
    folder.dset(&["run"]).exits(2).says("`export` must be a list of tables");
    let two = |one: &str, other: &str| {
        let table = |to: &str| format!("[[export]]\nto = \"{to}\"\n");
        folder.write("dset.toml", table(one) + &table(other));
        folder.dset(&["run"]).exits(2).says("two datasets go to the same place");
    };
    two("a.jsonl", "./a.jsonl");
    two("hub", "hub/");
    two("hub/", "hub/data/x.jsonl");
    folder.write("dset.toml", "[[export]]\nto = \"mine.jsonl\"\nlayout = \"chat\"\n");
    folder.dset(&["run"]).exits(2).says("`dset export --force`");
    assert_eq!(service.stats().asked, 0);
    assert_eq!(folder.read("mine.jsonl"), "mine\n");
}

#[test]
fn a_folder_for_the_hub_is_written_whole_and_keeps_what_the_user_added() {
    let (folder, _service) = answered(&questions(60), &[]);
    let export = ["export", "--to", "hub", "--layout", "chat", "--split", "train=0.8,test=0.2"];
    let ran = folder.dset(&[&export[..], &["--json"]].concat()).exits(0).json();
    assert_eq!(ran["rows"], 60);
    let card = folder.read("hub/README.md");
    for text in ["split: test\n    path: data/test-*", "- name: reasoning_content", "n<1K"] {
        assert!(card.contains(text), "{text} is not in\n{card}");
    }
    let manifest: Value = serde_json::from_str(&folder.read("hub/dset.json")).unwrap();
    let files: Vec<_> =
        manifest["files"].as_array().unwrap().iter().map(|f| f["path"].clone()).collect();
    let ending = if cfg!(feature = "parquet") { "parquet" } else { "jsonl" };
    assert_eq!(files[0], format!("data/train-00000-of-00001.{ending}"));
    assert_eq!(files[1], format!("data/test-00000-of-00001.{ending}"));
    let first = folder.everything();
    folder.dset(&export).exits(0);
    assert!(folder.everything() == first, "the same bytes");
    folder.write(&format!("hub/data/test-00000-of-00001.{ending}"), "changed");
    folder.dset(&export).exits(2).says("is there already");
    folder.dset(&[&export[..], &["--force"]].concat()).exits(0);
    folder.write("hub/dset.json", folder.read("hub/dset.json") + " ");
    folder.dset(&export).exits(2).says("is there already");
    folder.dset(&[&export[..], &["--force"]].concat()).exits(0);
    folder.write(
        "hub/README.md",
        card.replace("---\ntags", "---\nlicense: mit\ntags") + "\nThanks!\n",
    );
    folder.write("hub/LICENSE", "MIT");
    folder.dset(&[&export[..], &["--force", "--shards", "2"]].concat()).exits(0);
    let card = folder.read("hub/README.md");
    assert!(card.contains("license: mit\n") && card.ends_with("\nThanks!\n"), "{card}");
    assert_eq!(folder.read("hub/LICENSE"), "MIT");
    assert!(folder.path(&format!("hub/data/train-00001-of-00002.{ending}")).exists());
    assert!(!folder.path(&format!("hub/data/train-00000-of-00001.{ending}")).exists());
    let left = std::fs::read_dir(folder.path(".")).unwrap().map(|e| e.unwrap().file_name());
    assert!(left.filter(|name| name.to_string_lossy().starts_with(".dset-")).count() == 0);
}

#[test]
fn each_dataset_that_cannot_be_written_is_told_and_the_others_are_written() {
    let (folder, service) =
        (Folder::with("id,question,level\na,One?,1\nb,Two?,high\n"), Service::friendly());
    folder.asks(&service);
    let of = |to: &str, more: &str| format!("[[export]]\nto = \"{to}\"\n{more}\n");
    let wrong = "where = \"level > 2\"";
    let declared = of("a.jsonl", wrong) + &of("b.jsonl", "") + &of("c.jsonl", wrong);
    folder.write("dset.toml", declared);
    let ran = folder.dset(&["run", "--json"]).exits(2).says("a.jsonl: ").says("c.jsonl: ");
    let events = ran.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of_datasets: Vec<Value> = events.filter(|event| event["event"] == "dataset").collect();
    let failed = of_datasets.iter().map(|event| event["error"].is_string());
    assert_eq!(failed.collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(lines(&folder.read("b.jsonl")).len(), 2);
    std::fs::remove_file(folder.path("b.jsonl")).unwrap();
    let ran = folder.dset(&["export", "--json"]).exits(2).says("a.jsonl: ").says("c.jsonl: ");
    assert_eq!(ran.json()["datasets"].as_array().unwrap().len(), 1);
    assert_eq!(lines(&folder.read("b.jsonl")).len(), 2);
}

#[test]
fn rows_that_ask_the_same_are_in_one_split() {
    let rows: String = (0..40).map(|row| format!("r{row},What is {}?\n", row % 10)).collect();
    let (folder, _service) = answered(&format!("id,question\n{rows}"), &[]);
    folder.dset(&["export", "--to", "s.jsonl", "--split", "train=0.5,test=0.5"]).exits(0);
    let [train, test] = ["s-train.jsonl", "s-test.jsonl"].map(|name| lines(&folder.read(name)));
    assert_eq!(train.len() + test.len(), 40);
    assert!(train.iter().all(|row| test.iter().all(|other| other["question"] != row["question"])));
}

#[test]
fn splits_and_shards_are_files_of_their_own_and_a_row_stays_in_its_split() {
    let (folder, service) = answered(&questions(40), &[]);
    let split = ["export", "--to", "s.jsonl", "--split", "train=0.7,test=0.3"];
    folder.dset(&split).exits(0);
    let ids = |name: &str| -> Vec<String> {
        lines(&folder.read(name)).iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    let (train, test) = (ids("s-train.jsonl"), ids("s-test.jsonl"));
    assert!(train.len() + test.len() == 40 && !test.is_empty() && train.len() > test.len());
    folder.write("q.csv", questions(50));
    service.run(&folder, &[]).exits(0);
    folder.dset(&[&split[..], &["--force"]].concat()).exits(0);
    assert!(
        ids("s-test.jsonl").starts_with(&test)
            || test.iter().all(|id| ids("s-test.jsonl").contains(id))
    );
    folder.dset(&["export", "--to", "n.jsonl", "--shards", "3"]).exits(0);
    let counts: Vec<_> =
        (0..3).map(|at| ids(&format!("n-0000{at}-of-00003.jsonl")).len()).collect();
    assert_eq!(counts, [17, 17, 16]);
    folder
        .dset(&["export", "--to", "m.csv", "--shard-rows", "20"])
        .exits(0)
        .tells("m-00002-of-00003.csv: 10 rows");
    let files =
        || ["n-00000-of-00003.jsonl", "n-00002-of-00003.jsonl"].map(|name| folder.path(name));
    folder.write("n-00002-of-00003.jsonl", "changed");
    folder
        .dset(&["export", "--to", "n.jsonl", "--shards", "2", "--force"])
        .exits(2)
        .says("earlier export");
    assert!(files().iter().all(|file| file.exists()));
    folder.dset(&["export", "--to", "n.jsonl", "--shards", "3", "--force"]).exits(0);
    folder.dset(&["export", "--to", "n.jsonl", "--shards", "2"]).exits(0);
    assert!(!files().iter().any(|file| file.exists()), "those of before are gone");
}

#[test]
fn expressions_choose_and_rank_answers_and_pairs_are_made_of_the_ranks() {
    let file = "question,level\none,1\ntwo,2\nthree,3\n";
    let folder = Folder::with(file);
    let service = Service::start(MockSettings { seed: 5, ..MockSettings::default() });
    folder.asks(&service);
    folder.dset(&["run", "--samples", "3"]).exits(0);
    let export =
        |name: &str, more: &[&str]| folder.dset(&[&["export", "--to", name], more].concat());
    export("w.jsonl", &["--where", "level|int > 1 and sample != 1"])
        .exits(0)
        .tells("4 rows")
        .tells("5 answers left out");
    export("f.jsonl", &["--samples", "first"])
        .exits(0)
        .tells("3 rows")
        .tells("6 answers left out beside");
    export("b.jsonl", &["--samples", "best", "--rank", "sample"]).exits(0);
    assert!(lines(&folder.read("b.jsonl")).iter().all(|row| row["sample"] == 2));
    export("m.jsonl", &["--samples", "best", "--rank", "-sample", "--where", "-1 < 0"]).exits(0);
    assert!(lines(&folder.read("m.jsonl")).iter().all(|row| row["sample"] == 0));
    export("x.jsonl", &["--samples", "best"]).exits(2).says("--rank");
    export("x.jsonl", &["--layout", "preference"]).exits(2).says("which answers are better");
    export("x.jsonl", &["--where", "levl == 1"]).exits(2).says("Perhaps `level`");
    export("x.jsonl", &["--keep", "levle"]).exits(2).says("Perhaps `level`");
    export("p.jsonl", &["--layout", "preference", "--rank", "sample if level != '2' else 0"])
        .exits(0)
        .tells("2 rows")
        .tells("1 question left out: all answers rank the same");
    let pair = &lines(&folder.read("p.jsonl"))[0];
    assert_eq!((&pair["score_chosen"], &pair["score_rejected"]), (&2.0.into(), &0.0.into()));
    assert_eq!(pair["prompt"][0]["content"], "one");
    assert_eq!(pair["chosen"][0]["role"], "assistant");
    export("k.jsonl", &["--layout", "kto", "--rank", "sample > 0"]).exits(0);
    let labels: Vec<_> =
        lines(&folder.read("k.jsonl")).iter().map(|row| row["label"].clone()).collect();
    assert_eq!(labels[..3], [false, true, true]);
    export("o.jsonl", &["--layout", "open-r1"]).exits(0).tells("3 rows");
    assert_eq!(lines(&folder.read("o.jsonl"))[0]["generations"].as_array().unwrap().len(), 3);
    export("r.jsonl", &["--rename", "answer=output", "--rename", "topic=x"])
        .exits(2)
        .says("no column `topic`");
    export("r.jsonl", &["--rename", "answer=output"]).exits(0);
    assert!(lines(&folder.read("r.jsonl"))[0]["output"].is_string());
}

#[test]
fn batch_results_are_lines_as_a_service_returns_them() {
    let (folder, _service) = answered(TOPICS, &[]);
    folder.dset(&["export", "--to", "batch.jsonl", "--layout", "batch-results"]).exits(0);
    let line = &lines(&folder.read("batch.jsonl"))[0];
    assert_eq!(line["response"]["status_code"], 200);
    assert_eq!(line["response"]["body"]["choices"][0]["message"]["role"], "assistant");
    assert!(line["error"].is_null() && !line["custom_id"].as_str().unwrap().is_empty());
}

#[test]
fn what_has_no_answer_is_written_to_be_asked_again_and_strict_writes_nothing_else() {
    let folder = Folder::with(TOPICS);
    let service = Service::with(&["Emma=risk"]);
    folder.asks(&service);
    folder.dset(&["run"]).exits(3);
    folder.dset(&["export", "--to", "all.jsonl", "--strict"]).exits(3).says("1 answer missing");
    assert!(!folder.path("all.jsonl").exists());
    folder
        .dset(&["export", "--to", "some.jsonl"])
        .exits(0)
        .tells("2 rows")
        .tells("1 answer missing yet");
    folder.dset(&["export", "--to", "again.csv", "--failed"]).exits(0).tells("again.csv: 1 row");
    assert_eq!(
        folder.read("again.csv"),
        "id,question,topic,gold\r\na-2,Who wrote Emma?,books,\r\n"
    );
    let friendly = Service::friendly();
    friendly.run(&folder, &["again.csv", "-o", "again"]).exits(0);
    assert_eq!(friendly.stats().asked, 1);
}

#[test]
fn duplicates_are_left_out_by_question_and_answer() {
    let (folder, _service) = answered("question,topic\nsame,a\nsame,b\nother,c\n", &[]);
    let ran =
        folder.dset(&["export", "--to", "d.jsonl", "--dedup", "exact", "--json"]).exits(0).json();
    let answers: Vec<_> =
        lines(&folder.read("d.jsonl")).iter().map(|row| row["answer"].clone()).collect();
    let left = ran["left_out"]["duplicates"].as_u64().unwrap();
    assert_eq!(answers.len() as u64 + left, 3);
}

#[test]
fn an_answer_that_is_left_out_makes_no_later_one_a_duplicate() {
    let (folder, _service) =
        answered("question,topic\nsame,a\nsame,b\nsame,c\n", &["--samples", "2"]);
    // x and y, y and z, y and y.
    folder.sql(
        "UPDATE answers SET answer = (SELECT substr('xyyzyy', (answers.row - 2) * 2 + k.sample + 1, 1)
           FROM keys k WHERE k.answer = answers.id)",
    );
    let first = ["export", "--to", "d.jsonl", "--dedup", "exact", "--samples", "first", "--json"];
    let ran = folder.dset(&first).exits(0).json();
    let answers: Vec<_> =
        lines(&folder.read("d.jsonl")).iter().map(|row| row["answer"].clone()).collect();
    assert_eq!(answers, ["x", "y"]);
    let left = &ran["left_out"];
    assert_eq!((&left["duplicates"], &left["other_samples"]), (&2.into(), &2.into()), "{left}");
}

#[test]
fn a_card_that_cannot_be_read_is_not_written_over() {
    let (folder, service) = answered(TOPICS, &[]);
    folder.dset(&["export", "--to", "hub"]).exits(0);
    let manifest: Value = serde_json::from_str(&folder.read("hub/dset.json")).unwrap();
    assert_eq!(manifest["left_out"]["gone"], 0, "{manifest}");
    let own = b"---\nlicense: mit\n---\nSch\xf6n\n";
    std::fs::write(folder.path("hub/README.md"), own).unwrap();
    folder.dset(&["export", "--to", "hub"]).exits(1).says("README.md");
    assert_eq!(std::fs::read(folder.path("hub/README.md")).unwrap(), own);
    let before = service.stats().asked;
    folder.write("q.csv", TOPICS.to_owned() + "a-4,Why?,books,,\n");
    folder.dset(&["run", "--to", "hub"]).exits(1).says("README.md");
    assert_eq!(service.stats().asked, before);
}

#[test]
fn a_killed_export_leaves_nothing_under_its_name_and_the_next_one_cleans_up() {
    let (folder, _service) = answered(&questions(300), &[]);
    for wait in [0, 2, 5, 10, 20] {
        let mut child =
            folder.command(&["export", "--to", "out.json", "--shards", "1"]).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(wait));
        let _ = child.kill();
        child.wait().unwrap();
        let path = folder.path("out-00000-of-00001.json");
        if let Ok(mut file) = std::fs::File::open(&path) {
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            assert_eq!(serde_json::from_str::<Vec<Value>>(&text).unwrap().len(), 300);
            std::fs::remove_file(path).unwrap();
        }
    }
    folder.dset(&["export", "--to", "out.json"]).exits(0);
    let left = std::fs::read_dir(folder.path(".")).unwrap().map(|e| e.unwrap().file_name());
    assert!(left.filter(|name| name.to_string_lossy().starts_with(".dset-")).count() == 0);
}

#[test]
fn a_dataset_is_never_among_the_questions_of_the_next_run() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("data/data")).unwrap();
    folder.write("data/a.jsonl", "{\"question\": \"a\"}\n");
    let service = Service::friendly();
    folder.asks(&service);
    for (input, to) in [
        ("data/*.jsonl", "data/out.jsonl"),
        ("data/*.jsonl", "./data/../data/out.jsonl"),
        ("data", "data/out.csv"),
        ("data/", "data/data/out.parquet"),
        ("data", "data/data"),
        ("data", "data"),
        ("data/a*.jsonl", "data/a.parquet.jsonl"),
    ] {
        let run = ["run", input, "-o", "out", "--to", to];
        folder.dset(&run).exits(2).says("belongs to the run");
    }
    assert_eq!(service.stats().asked, 0);
    folder.dset(&["run", "data", "-o", "out", "--to", "data/report/out.jsonl"]).exits(0);
    let force = ["export", "data", "-o", "out", "--to", "data/a.jsonl", "--force"];
    folder.dset(&force).exits(2).says("belongs to the run");
    let split = ["export", "data/*-train.jsonl", "-o", "out", "--to", "data/b.jsonl", "--split"];
    folder.dset(&[&split[..], &["train=1"]].concat()).exits(2);
    assert_eq!(folder.read("data/a.jsonl"), "{\"question\": \"a\"}\n");
}

#[test]
fn two_datasets_do_not_write_one_file() {
    let folder = Folder::with(TOPICS);
    let service = Service::friendly();
    folder.asks(&service);
    for (one, other) in [
        ("to = 'a-train.jsonl'", "to = 'a.jsonl'\nsplit = { train = 0.5, test = 0.5 }"),
        ("to = 'a.jsonl'\nshards = 2", "to = './a.jsonl'\nshards = 3"),
        ("to = 'hub/'", "to = 'hub/data/train-00000-of-00001.parquet'"),
    ] {
        folder.write("dset.toml", format!("[[export]]\n{one}\n[[export]]\n{other}\n"));
        folder.dset(&["run"]).exits(2).says("two datasets go to the same place");
    }
    assert_eq!(service.stats().asked, 0);
}

#[test]
fn lists_and_objects_of_the_questions_stay_what_they_are() {
    let folder = Folder::new();
    let rows = [
        r#"{"question":"a","choices":["x","y"],"meta":{"k":1},"turns":[{"role":"user","n":null}]}"#,
        r#"{"question":"b","choices":null,"meta":{"k":2,"l":[]},"turns":[]}"#,
    ];
    folder.write("q.jsonl", rows.join("\n"));
    let service = Service::friendly();
    service.run(&folder, &["q.jsonl", "--column", "question"]).exits(0);
    folder.dset(&["export", "q.jsonl", "--to", "r.jsonl"]).exits(0);
    folder.dset(&["export", "q.jsonl", "--to", "r.json", "--order", "shuffle"]).exits(0);
    let of = |row: &Value| ["question", "choices", "meta", "turns"].map(|name| row[name].clone());
    let expected: Vec<_> = lines(&rows.join("\n")).iter().map(of).collect();
    assert_eq!(lines(&folder.read("r.jsonl")).iter().map(of).collect::<Vec<_>>(), expected);
    let array: Vec<Value> = serde_json::from_str(&folder.read("r.json")).unwrap();
    assert!(array.iter().map(of).all(|row| expected.contains(&row)));
    let chat = ["export", "q.jsonl", "--to", "c.jsonl", "--layout", "chat", "--keep", "choices"];
    folder.dset(&chat).exits(0);
    assert_eq!(lines(&folder.read("c.jsonl"))[0]["choices"], expected[0][1]);
    folder.dset(&["export", "q.jsonl", "--to", "r.csv"]).exits(0);
    assert!(folder.read("r.csv").contains(r#""[""x"",""y""]""#));
    if cfg!(feature = "parquet") {
        folder.dset(&["export", "q.jsonl", "--to", "r.parquet"]).exits(0);
        let template = "{{ choices|join('+') }} {{ meta.k + 1 }} {{ turns|length }}";
        service.run(&folder, &["r.parquet", "-o", "p", "-t", template]).exits(0);
        assert!(service.asked().contains_key("x+y 2 1"), "{:?}", service.asked());
    }
}

#[test]
fn what_failed_of_a_table_without_a_header_is_asked_again_and_no_made_up_name() {
    let folder = Folder::new();
    folder.write("q.csv", "Why so?,a\nbad 1,b\n");
    let service = Service::with(&["bad=risk"]);
    service.run(&folder, &["q.csv", "--header", "no"]).exits(3);
    folder.dset(&["export", "q.csv", "--failed", "--to", "again.csv"]).exits(0);
    assert!(folder.read("again.csv").starts_with("question,"), "{}", folder.read("again.csv"));
    service.run(&folder, &["again.csv", "-o", "again"]).exits(3);
    assert_eq!(service.asked().into_keys().collect::<Vec<_>>(), ["Why so?", "bad 1"]);
}

#[test]
fn what_failed_is_asked_again_with_the_same_prompts() {
    let folder = Folder::new();
    let rows = [
        r#"{"id":"a","question":"bad 1","meta":null,"n":5,"big":18446744073709551615,"t":null}"#,
        r#"{"id":"b","question":"bad 2","meta":{"k":1},"n":50,"big":1,"t":"x"}"#,
    ];
    folder.write("q.jsonl", rows.join("\n"));
    let service = Service::with(&["bad=risk"]);
    let template = "{{ question }}|{{ meta }}|{% if meta %}has{% endif %}|{% if n is number %}num{% endif %}|{{ t is none }}";
    service.run(&folder, &["q.jsonl", "-t", template]).exits(3);
    let asked: Vec<String> = service.asked().into_keys().collect();
    assert_eq!(asked, ["bad 1|||num|True", "bad 2|{'k': 1}|has|num|False"]);
    folder.dset(&["export", "q.jsonl", "--failed", "--to", "again.jsonl"]).exits(0);
    assert_eq!(folder.read("again.jsonl"), rows.join("\n") + "\n");
    folder.dset(&["export", "q.jsonl", "--failed", "--to", "again.csv"]).exits(2).says("`meta`");
    if cfg!(feature = "parquet") {
        folder
            .dset(&["export", "q.jsonl", "--failed", "--to", "no.parquet"])
            .exits(2)
            .says("`big`");
        folder.write("q.jsonl", rows.join("\n").replace("18446744073709551615", "7"));
        service.run(&folder, &["q.jsonl", "-t", template]).exits(3);
        folder.dset(&["export", "q.jsonl", "--failed", "--to", "again.parquet"]).exits(0);
        service.run(&folder, &["again.parquet", "-t", template, "-o", "again"]).exits(3);
        assert_eq!(service.asked().into_keys().collect::<Vec<_>>(), asked);
    }
}

#[test]
fn what_failed_has_what_each_row_has_where_it_is_asked_again() {
    let folder = Folder::new();
    let rows = [
        r#"{"question":"bad 1","z":"t"}"#,
        r#"{"question":"bad 2","hint":null,"z":"t"}"#,
        r#"{"z":"t","question":"bad 3","n":5}"#,
    ];
    folder.write("q.jsonl", rows.join("\n"));
    folder.write("q.csv", "question,hint\nbad 4\nbad 5,x\n");
    let service = Service::with(&["bad=risk"]);
    let asked_of = |file: &str, output: &str| {
        let template = "{{ row|tojson }}{% if hint is defined %}{{ hint }}{% endif %}";
        let before = service.asked();
        service.run(&folder, &[file, "-o", output, "-t", template]).exits(3);
        let after = service.asked();
        let is_new = |(text, times): &(&String, &u64)| before.get(*text) != Some(*times);
        after.iter().filter(is_new).map(|(text, _)| text.clone()).collect::<Vec<_>>()
    };
    for (from, ways) in [("q.jsonl", &["jsonl", "json"][..]), ("q.csv", &["jsonl", "csv"])] {
        let asked = asked_of(from, &format!("of-{from}"));
        let outputs = format!("of-{from}");
        for way in ways {
            let to = format!("again-{from}.{way}");
            folder.dset(&["export", from, "-o", &outputs, "--failed", "--to", &to]).exits(0);
            assert_eq!(asked_of(&to, &format!("of-{to}")), asked, "{to}");
        }
    }
    let again = folder.read("again-q.jsonl.jsonl");
    assert_eq!(again, rows.join("\n") + "\n");
    let export = ["export", "q.jsonl", "-o", "of-q.jsonl", "--failed", "--to"];
    for (to, column) in [("no.csv", "`hint`"), ("no.parquet", "`hint`")] {
        if to == "no.csv" || cfg!(feature = "parquet") {
            folder.dset(&[&export[..], &[to]].concat()).exits(2).says(column).says("again.jsonl");
        }
    }
}

#[test]
fn a_nul_in_csv_is_kept_and_told_and_refused_where_it_is_to_be_asked_again() {
    let folder = Folder::new();
    folder.write(
        "q.jsonl",
        "{\"question\": \"Why?\"}\n{\"question\": \"W\\u0000hat?\"}\n{\"question\": \"Who?\"}\n",
    );
    let answer = r#"{"metadata":{"question":"Who?"},"response":{"answer":"N\u0000body"}}"#;
    folder.write("answers.jsonl", answer);
    let answers = Some(folder.path("answers.jsonl"));
    let service = Service::start(MockSettings { answers, ..MockSettings::default() });
    folder.asks(&service);
    folder.dset(&["run", "q.jsonl"]).exits(0);
    let export = |to: &str, more: &[&str]| {
        folder.dset(&[&["export", "q.jsonl", "--force", "--to", to], more].concat())
    };
    for more in [&["--json"][..], &["--json", "--order", "answered"]] {
        let told = export("rows.csv", more).exits(0).json();
        assert_eq!(told["with_nul"], serde_json::json!({ "count": 2, "first": [2, 3] }));
        assert_eq!(export("rows.jsonl", more).exits(0).json()["with_nul"]["count"], 0);
    }
    export("rows.csv", &[])
        .exits(0)
        .tells("2 rows have a NUL character, which is kept (rows 2, 3)");
    assert!(folder.read("rows.csv").contains("W\0hat?"));
    folder.write("q.jsonl", folder.read("q.jsonl") + "{\"question\": \"Wh\\u0000?\"}\n");
    export("again.csv", &["--failed"])
        .exits(2)
        .says("NUL character")
        .says("row 4")
        .says("again.jsonl");
    assert!(!folder.path("again.csv").exists());
    export("again.jsonl", &["--failed"]).exits(0);
}

#[test]
fn what_has_no_row_in_a_dataset_is_counted_whatever_the_reason() {
    let folder = Folder::new();
    let rows = "{\"question\": \"one\"}\n{\"question\": \"two\"}\n{\"nothing\": 1}\n";
    folder.write("q.jsonl", rows);
    let service = Service::friendly();
    let run = ["q.jsonl", "--on-bad-row", "skip"];
    service.run(&folder, &[&run[..], &["--samples", "2"]].concat()).exits(0);
    folder.write("q.jsonl", rows.replace("two", "three"));
    service.run(&folder, &[&run[..], &["--samples", "1"]].concat()).exits(0);
    let export = ["export", "q.jsonl", "--to", "a.jsonl"];
    let told = folder.dset(&export).exits(0).tells("a.jsonl: 2 rows");
    told.tells("left out: the question is no longer").tells("1 row left out that cannot be asked");
    let left =
        folder.dset(&[&export[..], &["--json"]].concat()).exits(0).json()["left_out"].clone();
    let of = |name: &str| left[name].as_u64().unwrap();
    assert_eq!((of("gone") + of("unwanted") > 2, of("bad_rows")), (true, 1), "{left}");
    let failed = folder.dset(&["export", "q.jsonl", "--failed", "--to", "f.jsonl"]).exits(0);
    failed.tells("f.jsonl: 0 rows").tells("1 row left out that cannot be asked");
}
