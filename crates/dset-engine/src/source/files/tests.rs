//! Which files of a folder, a dataset or a pattern are the input, and in which order their rows come.

use dset_core::settings::Reading;
use serde_json::json;

use super::*;
use crate::source::{SOURCES, check_use, files_of, open};

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    folder
}

fn row(question: &str) -> String {
    json!({ "question": question }).to_string() + "\n"
}

/// The questions of an input in a folder, in their order.
fn questions(folder: &tempfile::TempDir, input: &str) -> Result<Vec<String>, SourceError> {
    with(folder, input, Reading::default())
}

fn with(
    folder: &tempfile::TempDir,
    input: &str,
    reading: Reading,
) -> Result<Vec<String>, SourceError> {
    let options = SourceOptions { reading, ..SourceOptions::default() };
    let mut source = open(&folder.path().join(input), &options)?;
    let mut texts = Vec::new();
    while let Some(item) = source.next()? {
        texts.push(item.text.to_owned());
    }
    Ok(texts)
}

fn of_split(split: &str) -> Reading {
    Reading { split: Some(split.into()), ..Reading::default() }
}

#[test]
fn rows_that_lie_deeper_are_found_and_what_tells_of_a_data_set_is_not_asked() {
    let files = ["hub/en/train/0.jsonl", "hub/en/test/0.jsonl", "hub/.cache/train/1.jsonl"];
    let rows = files.map(|name| (name, row(name)));
    let mut all: Vec<(&str, &str)> = rows.iter().map(|(name, text)| (*name, &**text)).collect();
    all.push(("hub/dataset_info.json", "{\"splits\": [\"train\"]}"));
    let folder = folder(&all);
    assert_eq!(questions(&folder, "hub").unwrap(), ["hub/en/train/0.jsonl"]);
    assert_eq!(with(&folder, "hub", of_split("test")).unwrap(), ["hub/en/test/0.jsonl"]);
}

#[test]
fn what_save_to_disk_wrote_is_refused_wherever_it_lies() {
    let state = r#"{"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}"#;
    let (info, rows) = ("{\"features\": {}}", "ARROW1");
    let sets = ["one", "dict/train", "nested/a/train"].map(|of| {
        let name = |file: &str| format!("{of}/{file}");
        [
            (name("state.json"), state),
            (name("dataset_info.json"), info),
            (name("data-00000-of-00001.arrow"), rows),
        ]
    });
    let mut files: Vec<(&str, &str)> =
        sets.iter().flatten().map(|(name, text)| (&**name, *text)).collect();
    files.push(("dict/dataset_dict.json", "{\"splits\": [\"train\"]}"));
    files.push(("own/state.json", "[{\"question\": \"Why?\"}]"));
    let folder = folder(&files);
    for input in ["one", "dict", "dict/train", "nested", "one/state.json", "dict/*/*.json"] {
        let error = questions(&folder, input).unwrap_err();
        assert!(matches!(error, SourceError::SavedToDisk { .. }), "{input}: {error}");
    }
    assert_eq!(questions(&folder, "own").unwrap(), ["Why?"]);
}

#[test]
fn a_file_that_the_card_names_and_that_is_not_there_is_an_error() {
    let folder = folder(&[("hub/en/part1.jsonl", &row("a"))]);
    for (path, missing) in [
        ("[en/part1.jsonl, en/part2.jsonl]", Some("en/part2.jsonl")),
        ("[en/*.jsonl, fr/*.jsonl]", None),
        ("en", None),
    ] {
        let card = format!(
            "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: {path}\n---\n"
        );
        fs_err::write(folder.path().join("hub/README.md"), card).unwrap();
        match (questions(&folder, "hub"), missing) {
            (Err(SourceError::NamedFileMissing { pattern, .. }), Some(missing)) => {
                assert_eq!(pattern, missing);
            }
            (read, _) => assert_eq!(read.unwrap(), ["a"], "{path}"),
        }
    }
}

#[test]
fn the_card_of_a_data_set_names_its_files() {
    let card = "---\nlicense: mit\nconfigs:\n- config_name: math\n  data_files:\n  - split: train\n    \
                path: math/train*\n  - split: test\n    path: [math/held-out.jsonl]\n\
                - config_name: art\n  data_files: art.jsonl\n---\n# A set\n";
    let folder = folder(&[
        ("set/math/train.jsonl", &row("m")),
        ("set/math/held-out.jsonl", &row("h")),
        ("set/art.jsonl", &row("a")),
        ("set/README.md", card),
    ]);
    let config = |config: &str, split: Option<&str>| {
        let (config, split) = (Some(config.to_owned()), split.map(str::to_owned));
        with(&folder, "set", Reading { config, split, ..Reading::default() })
    };
    let which = questions(&folder, "set").unwrap_err().to_string();
    assert!(which.contains("configurations math, art"), "{which}");
    assert_eq!(config("art", None).unwrap(), ["a"]);
    assert_eq!(config("math", None).unwrap(), ["m"]);
    assert_eq!(config("math", Some("test")).unwrap(), ["h"]);
    let none = config("math", Some("dev")).unwrap_err();
    assert!(matches!(none, SourceError::WhichPart { what: "splits", .. }), "{none}");
}

#[test]
fn files_of_a_folder_that_are_not_read_are_told_and_an_unreadable_part_of_the_split_is_an_error() {
    let a = row("a");
    let folder = folder(&[
        ("mix/train.jsonl", &a),
        ("mix/contest.jsonl", &a),
        ("mix/trained.jsonl", &a),
        ("mix/notes.md", "no rows"),
        ("mix/more/old.csv.xz", "packed"),
    ]);
    let mix = folder.path().join("mix");
    let source = open(&mix, &SourceOptions::default()).unwrap();
    let unread = ["contest.jsonl", "more/old.csv.xz", "trained.jsonl"].map(|name| mix.join(name));
    assert_eq!(source.unread(), unread);
    fs_err::write(mix.join("train-1.jsonl.xz"), "packed").unwrap();
    let error = questions(&folder, "mix").unwrap_err();
    assert!(matches!(error, SourceError::UnreadPart { .. }), "{error}");
    assert_eq!(questions(&folder, "mix/train.jsonl").unwrap(), ["a"]);
}

#[test]
fn what_names_of_folders_say_are_fields_of_the_rows_in_them() {
    for (name, texts) in [
        ("part-0.jsonl", [row("a"), row("b")]),
        ("part-0.csv", ["a", "b"].map(|text| format!("question\n{text}\n"))),
    ] {
        let first = format!("set/year=2023/city=S%C3%A3o/{name}");
        let second = format!("set/year=2024/city=__HIVE_DEFAULT_PARTITION__/{name}");
        let folder = folder(&[(&first, &texts[0]), (&second, &texts[1])]);
        for input in ["set", "set/*/*/*"] {
            let options = SourceOptions { has_template: true, ..SourceOptions::default() };
            let mut source = open(&folder.path().join(input), &options).unwrap();
            let mut rows = Vec::new();
            while let Some(item) = source.next().unwrap() {
                let row = item.fields.to_object();
                let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
                rows.push([text("year"), text("city")]);
            }
            assert_eq!(rows, [["2023", "São"], ["2024", ""]], "{input} {name}");
        }
    }
}

#[test]
fn parts_that_hold_nothing_are_no_part_of_the_input() {
    let both = row("a") + &row("b");
    let files = [
        ("set/train-00000-of-00004.jsonl", ""),
        ("set/train-00001-of-00004.jsonl", &*both),
        ("set/train-00002-of-00004.jsonl", "\n"),
        ("set/train-00003-of-00004.jsonl", &*row("c")),
        ("none/a.jsonl", "\n"),
        ("none/b.jsonl", "\n"),
        ("torn/a.jsonl", &*both),
        ("torn/b.jsonl", ""),
    ];
    let folder = folder(&files);
    assert_eq!(questions(&folder, "set").unwrap(), ["a", "b", "c"]);
    for input in ["none", "torn"] {
        assert!(matches!(questions(&folder, input), Err(SourceError::Empty { .. })), "{input}");
    }
}

#[test]
fn what_is_said_of_another_kind_of_input_is_an_error() {
    let folder = folder(&[("q.jsonl", &row("a")), ("b/q.jsonl", &row("b")), ("c.txt", "a\nb\n")]);
    let refused = |input: &str, reading: Reading| {
        // What an earlier run recorded so is read all the same.
        assert!(with(&folder, input, reading.clone()).is_ok(), "{input}");
        match check_use(&folder.path().join(input), &reading) {
            Err(SourceError::OfNoUse { setting, .. }) => setting,
            other => panic!("{input}: {other:?}"),
        }
    };
    let name = || Some("train".to_owned());
    for input in ["q.jsonl", "*.jsonl"] {
        assert_eq!(refused(input, Reading { split: name(), ..Reading::default() }), "split");
        assert_eq!(refused(input, Reading { config: name(), ..Reading::default() }), "config");
    }
    let split_on = || Reading { split_on: Some("---".to_owned()), ..Reading::default() };
    for input in ["q.jsonl", "b"] {
        assert_eq!(refused(input, split_on()), "split-on");
    }
    assert_eq!(with(&folder, "c.txt", split_on()).unwrap(), ["a\nb"]);
    assert!(check_use(&folder.path().join("c.txt"), &split_on()).is_ok());
}

#[test]
fn a_configuration_may_be_a_folder_and_one_that_is_not_there_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["math/train.jsonl", "math/test.jsonl", "art/a.jsonl", "b.jsonl"] {
        let path = folder.path().join(file);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, "{\"question\": \"a\"}\n").unwrap();
    }
    let files = |config: Option<&str>, split: Option<&str>| {
        let owned = |name: Option<&str>| name.map(str::to_owned);
        let reading = Reading { config: owned(config), split: owned(split), ..Reading::default() };
        let found = files_of(folder.path(), &reading).map_err(|error| error.to_string())?;
        let name = |path: &PathBuf| {
            path.strip_prefix(folder.path()).unwrap().to_string_lossy().replace('\\', "/")
        };
        Ok::<_, String>(found.iter().map(name).collect::<Vec<_>>())
    };
    assert_eq!(files(None, None).unwrap(), ["b.jsonl"]);
    assert_eq!(files(Some("default"), None).unwrap(), ["b.jsonl"]);
    assert!(files(Some("math"), None).unwrap_err().contains("configurations default"));
    let card = "---\nconfigs:\n- config_name: math\n  data_dir: ./math/\n- config_name: art\n  \
                data_dir: art\n- config_name: gone\n  data_dir: gone\n---\n";
    fs_err::write(folder.path().join("README.md"), card).unwrap();
    assert!(files(None, None).unwrap_err().contains("configurations math, art, gone"));
    assert_eq!(files(Some("math"), None).unwrap(), ["math/train.jsonl"]);
    assert_eq!(files(Some("math"), Some("test")).unwrap(), ["math/test.jsonl"]);
    assert_eq!(files(Some("art"), None).unwrap(), ["art/a.jsonl"]);
    assert!(files(Some("gone"), None).unwrap_err().contains("names `gone`, which is not there"));
}

#[test]
fn what_a_run_writes_is_none_of_its_input_and_outputs_of_other_runs_are_where_they_are_named() {
    let root = tempfile::tempdir().unwrap();
    let at = |path: &str| root.path().join(path);
    let put = |path: &str| {
        fs_err::create_dir_all(at(path).parent().unwrap()).unwrap();
        fs_err::write(at(path), "question\na\n").unwrap();
    };
    let readme = "---\nconfigs:\n- config_name: default\n  data_files: output.csv\n---\n";
    ["d/q.csv", "d/output.csv", "d/dset.db", "e/output.csv", "e/dset.db", "e/b.csv"]
        .iter()
        .for_each(|path| put(path));
    let found = |input: &str, outputs: &str| {
        let (reading, outputs) = (Reading::default(), at(outputs));
        let found = of(SOURCES, &at(input), &reading, Some(&outputs)).unwrap().unwrap();
        let name = |path: &PathBuf| {
            path.strip_prefix(root.path()).unwrap().to_string_lossy().replace('\\', "/")
        };
        let names = |paths: &[PathBuf]| paths.iter().map(name).collect::<Vec<_>>();
        (names(&found.read), names(&found.unread))
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    for pattern in ["**/*.csv", "*/*.csv"] {
        let (read, unread) = found(pattern, "d");
        assert_eq!((read, unread), (names(&["d/q.csv", "e/b.csv"]), names(&["e/output.csv"])));
    }
    assert_eq!(found("*/output.csv", "d").0, names(&["e/output.csv"]));
    assert_eq!(found("d/*.csv", "d"), (names(&["d/q.csv"]), vec![]));
    assert_eq!(found("d", "d"), (names(&["d/q.csv"]), vec![]));
    // A run of before, as its card says.
    fs_err::write(at("e/README.md"), readme).unwrap();
    assert_eq!(found("e", "d").0, names(&["e/output.csv"]));
    // One's own dataset keeps its card; what stands in folders within is found beside one's own outputs.
    fs_err::write(at("d/README.md"), readme.replace("output.csv", "q.csv")).unwrap();
    assert_eq!(found("d", "d").0, names(&["d/q.csv"]));
    ["f/output.csv", "f/dset.db", "f/in/q.csv"].iter().for_each(|path| put(path));
    crate::output::folder::write_readme(
        &at("f"),
        &at("d/q.csv"),
        &[crate::output::live::legacy::CSV],
    );
    assert_eq!(found("f", "f").0, names(&["f/in/q.csv"]));
}
