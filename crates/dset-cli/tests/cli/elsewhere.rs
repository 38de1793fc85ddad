//! A file of questions that is named from another working folder, and a folder that is named without its file.

use crate::common::{Folder, Ran, Service};

/// A folder `data` with a file whose questions are answered there, and a folder `work`.
fn answered(service: &Service) -> Folder {
    let folder = Folder::new();
    folder.write("data/q.csv", "question\none\ntwo\n");
    folder.write("work/.keep", "");
    at(&folder, "data", &["run", "--base-url", &service.url(), "--key", "none"]).exits(0);
    folder
}

fn at(folder: &Folder, place: &str, arguments: &[&str]) -> Ran {
    Ran::from(folder.command(arguments).current_dir(folder.path(place)).output().unwrap())
}

#[test]
fn a_file_named_from_another_folder_goes_on_with_the_answers_beside_it() {
    let service = Service::friendly();
    let folder = answered(&service);
    let url = service.url();
    let whole = folder.path("data/q.csv").display().to_string();
    let mut inputs = vec!["../data/q.csv", &whole];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&whole, folder.path("work/q.csv")).unwrap();
        std::os::unix::fs::symlink(folder.path("data"), folder.path("linked")).unwrap();
        inputs.extend(["q.csv", "../linked/q.csv"]);
    }
    for input in inputs {
        let ran = at(&folder, "work", &["run", input, "--base-url", &url, "--key", "none"]);
        ran.exits(0).says("that folder is used");
        for command in [
            &["status", input][..],
            &["verify", input],
            &["stats", input],
            &["show", "--questions", input, "1"],
            &["search", "--questions", input, "one"],
            &["export", "--rebuild", input],
        ] {
            at(&folder, "work", command).exits(0).says("that folder is used");
        }
        let doctor = ["doctor", "--offline", "--base-url", &url, "--key", "none", input];
        at(&folder, "work", &doctor).exits(0).tells("2 answered, 0 pending");
        assert!(!folder.path("work/dset_generator").exists(), "{input}");
    }
    assert_eq!(service.stats().asked, 2);
}

#[test]
fn a_folder_that_is_named_is_used_and_so_is_the_one_here_where_the_answers_are_another_files() {
    let service = Service::friendly();
    let folder = answered(&service);
    folder.write("data/other.csv", "question\nthree\n");
    let place = ["--base-url", &service.url(), "--key", "none"];
    let run = |more: &[&str]| at(&folder, "work", &[&["run"], more, &place].concat());
    run(&["../data/other.csv"]).exits(0);
    assert!(folder.path("work/dset_generator/dset.db").exists());
    run(&["../data/q.csv", "-o", "mine"]).exits(0);
    assert_eq!(service.stats().asked, 5);
    // What is here is another file's: the answers beside the file are meant.
    run(&["../data/q.csv"]).exits(0).says("that folder is used");
    assert_eq!(service.stats().asked, 5);
}

#[test]
fn where_two_folders_may_be_meant_nothing_is_asked_and_both_are_named() {
    let service = Service::friendly();
    let folder = answered(&service);
    let place = ["--base-url", &service.url(), "--key", "none"];
    let run = |more: &[&str]| at(&folder, "work", &[&["run"], more, &place].concat());
    run(&["../data/q.csv", "-o", "dset_generator"]).exits(0);
    let ran = run(&["../data/q.csv"]).exits(2).says("-o ../data/dset_generator`");
    ran.says("-o dset_generator`");
    at(&folder, "work", &["status", "../data/q.csv"]).exits(2).says("-o ../data/dset_generator`");
    // A folder of another name beside the file is named, and not used by itself.
    std::fs::remove_dir_all(folder.path("work/dset_generator")).unwrap();
    std::fs::rename(folder.path("data/dset_generator"), folder.path("data/answers")).unwrap();
    run(&["../data/q.csv"]).exits(2).says("-o ../data/answers`");
    run(&["../data/q.csv", "-o", "dset_generator"]).exits(0);
    run(&["../data/q.csv"]).exits(0);
    assert_eq!(service.stats().asked, 6);
}

#[test]
fn outputs_of_the_original_script_beside_the_file_are_taken_over_from_another_folder_too() {
    let service = Service::friendly();
    let folder = answered(&service);
    for left in ["dset.db", "dset.db-wal", "dset.db-shm"] {
        let _ = std::fs::remove_file(folder.path("data/dset_generator").join(left));
    }
    let ran = at(
        &folder,
        "work",
        &["run", "../data/q.csv", "--base-url", &service.url(), "--key", "none"],
    );
    ran.exits(0).says("that folder is used");
    assert_eq!(service.stats().asked, 2);
}

/// A folder whose `o` was asked from `r.csv`, beside a `q.csv` that nobody asked.
fn asked_beside(service: &Service) -> Folder {
    let folder = Folder::with("question\nsomething else\n");
    folder.asks(service);
    folder.write("r.csv", "question\nr1\nr2\n");
    folder.dset(&["run", "r.csv", "-o", "o"]).exits(0);
    folder
}

#[test]
fn a_folder_that_is_named_is_read_with_what_it_was_asked_from() {
    let service = Service::friendly();
    let folder = asked_beside(&service);
    let checks = |folder: &Folder| {
        folder.dset(&["export", "-o", "o", "--to", "x.jsonl", "--force"]).exits(0).tells("2 rows");
        folder.dset(&["status", "-o", "o"]).exits(0).tells("r.csv").tells("2/2");
        folder.dset(&["show", "2", "-o", "o"]).exits(0).tells("r2");
        folder.dset(&["search", "r1", "-o", "o"]).exits(0).tells("1 question");
        folder.dset(&["stats", "-o", "o"]).exits(0).tells("2 of 2");
        folder.dset(&["verify", "-o", "o"]).exits(0).tells("r.csv");
        folder.dset(&["check", "-o", "o", "--check", "length=1.."]).exits(0);
        folder.dset(&["export", "-o", "o", "--rebuild"]).exits(0);
        assert_eq!(folder.read("o/output.json").lines().count(), 2);
    };
    checks(&folder);
    // Whatever says which file is meant where no folder is named.
    folder.write("dset.toml", "input = \"q.csv\"\n");
    checks(&folder);
    folder.write("dset.toml", "");
    let url = service.url();
    folder.write(".env", format!("DSET_BASE_URL={url}\nDSET_KEY=none\nDSET_INPUT=q.csv\n"));
    checks(&folder);
    assert_eq!(service.stats().asked, 2);
    folder.dset(&["redo", "2", "-o", "o", "--yes"]).exits(0);
    assert_eq!(service.stats().asked, 3);
    assert!(!std::fs::read_to_string(folder.path("o/output.json")).unwrap().contains("something"));
    // The file that is named is meant.
    folder.dset(&["status", "q.csv", "-o", "o"]).exits(0).tells("0/1");
}

#[test]
fn hints_name_what_a_folder_was_asked_from() {
    let service = Service::friendly();
    let folder = asked_beside(&service);
    folder.write("r.csv", "question\nr1\nr2\nr3\n");
    folder.dset(&["status", "-o", "o"]).exits(0).tells("`dset run r.csv -o o");
    // Nobody names anything: a file that has no answer in the folder is not what was asked there.
    std::fs::rename(folder.path("o"), folder.path("dset_generator")).unwrap();
    folder.dset(&["status"]).exits(0).tells("`dset run r.csv`");
    folder.dset(&["export", "--to", "x.jsonl"]).exits(0).tells("2 rows");
}

#[test]
fn where_what_a_folder_was_asked_from_is_gone_that_is_said() {
    let service = Service::friendly();
    let folder = asked_beside(&service);
    // Renamed: it is known by its rows.
    let gone = |folder: &Folder| {
        for command in [
            &["export", "-o", "o", "--to", "x.jsonl"][..],
            &["status", "-o", "o"],
            &["verify", "-o", "o"],
            &["redo", "1", "-o", "o"],
            &["export", "-o", "o", "--rebuild"],
        ] {
            folder.dset(command).exits(2).says("the questions of `o` are gone").says("r.csv");
        }
    };
    std::fs::rename(folder.path("r.csv"), folder.path("s.csv")).unwrap();
    gone(&folder);
    assert!(!folder.path("x.jsonl").exists());
    folder.dset(&["status", "s.csv", "-o", "o"]).exits(0).tells("2/2");
    std::fs::rename(folder.path("s.csv"), folder.path("q.csv")).unwrap();
    folder.dset(&["status", "-o", "o"]).exits(0).tells("2/2");
    // Moved with its folder.
    folder.write("there/q.csv", "question\nsomething else\n");
    std::fs::rename(folder.path("q.csv"), folder.path("there/r.csv")).unwrap();
    std::fs::rename(folder.path("o"), folder.path("there/o")).unwrap();
    at(&folder, "there", &["status", "-o", "o"]).exits(0).tells("r.csv").tells("2/2");
    folder.dset(&["status", "-o", "there/o"]).exits(0).tells("2/2");
}
