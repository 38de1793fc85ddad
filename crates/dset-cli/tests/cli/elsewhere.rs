//! A file of questions that is named from another working folder.

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
