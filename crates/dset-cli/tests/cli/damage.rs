//! Files that are damaged, replaced or gone, between runs and in the middle of one.
//!
//! Each is told with its cause and what to do, or is mended aloud; nothing that was durable is
//! lost or bought again; and once the cause is gone the same command completes.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "shown where a test fails")]
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use dset_mock::MockSettings;

use crate::common::{Folder, Ran, Service, copy_all, questions, until};

const STORE: &str = "dset_generator/dset.db";
/// What SQLite reads and writes at once, as the store is made.
const PAGE_BYTES: usize = 4096;
const OUTPUTS: [&str; 3] =
    ["dset_generator/output.csv", "dset_generator/output.json", "dset_generator/output.txt"];

/// A folder in which five of eight questions are answered, and the bytes of its store.
fn five_of_eight(service: &Service) -> Folder {
    let folder = Folder::with(&questions(8));
    service.run(&folder, &["-n", "5"]).exits(0);
    folder
}

/// A folder whose run was killed when five of eight answers were durable and in the outputs, so
/// that those it bought are in the log of the store and not in `dset.db` itself. So many were
/// answered before it.
fn killed_at_five(folder: &Folder, answered: u64) {
    let service = Service::with(&["Question 6,=hang", "Question 7,=hang", "Question 8,=hang"]);
    let run = service.begin(folder, &["-c", "3"]);
    until("five are durable and three on their way", || service.stats().asked == 8 - answered);
    until("five are in the outputs", || {
        let txt = fs::read_to_string(folder.path(OUTPUTS[2]));
        txt.is_ok_and(|text| text.matches("Timestamp: ").count() == 5 && text.ends_with("\n\n"))
    });
    run.kill();
}

fn outputs_of(folder: &Folder) -> Vec<Vec<u8>> {
    let read = |path: std::path::PathBuf| match path.is_file() {
        true => fs::read(path).unwrap(),
        false => Vec::new(),
    };
    OUTPUTS.iter().map(|name| read(folder.path(name))).collect()
}

/// Checks that an error has its three parts.
#[track_caller]
fn three_parts(ran: Ran) -> Ran {
    let lines: Vec<&str> = ran.err.lines().collect();
    let begins = |word: &str| lines.iter().any(|line| line.starts_with(word));
    assert!(begins("error: ") && begins("  cause: ") && begins("hint: "), "{}", ran.err);
    println!("{}\n", ran.err);
    ran
}

/// Runs against a folder that is damaged: it must end with this exit, ask nothing and leave the
/// outputs alone. Then the folder is put back as it was, and the run completes.
#[track_caller]
fn refused(folder: &Folder, code: i32, repair: impl FnOnce()) -> Ran {
    let service = Service::friendly();
    let before = outputs_of(folder);
    let ran = three_parts(service.run(folder, &[]).exits(code));
    assert_eq!(service.stats().asked, 0, "nothing is asked");
    assert!(outputs_of(folder) == before, "the outputs are left alone");
    repair();
    service.run(folder, &[]).exits(0);
    assert_eq!(service.stats().asked, 3, "only what was left");
    assert_eq!(folder.agreed().len(), 8);
    ran
}

#[test]
fn a_store_cut_off_anywhere_is_refused_and_nothing_is_bought_again() {
    let whole = five_of_eight(&Service::friendly());
    let store = fs::read(whole.path(STORE)).unwrap();
    for length in [
        1,
        15,
        99,
        100,
        511,
        PAGE_BYTES,
        store.len() / 2,
        store.len() - PAGE_BYTES,
        store.len() - 1,
    ] {
        let folder = whole.copy();
        folder.write(STORE, &store[..length]);
        println!("cut to {length} of {}", store.len());
        refused(&folder, 1, || folder.write(STORE, &store)).says("cannot use the store `dset.db`");
    }
    // Where there is no copy to put back, what the hint says works as well.
    let folder = whole.copy();
    folder.write(STORE, &store[..store.len() / 2]);
    let hint =
        "hint: Without one, move `dset.db` and `dset.db-wal` out of the folder: the next run";
    let remove = || fs::rename(folder.path(STORE), folder.path("damaged.db")).unwrap();
    refused(&folder, 1, remove).says(hint);
}

#[test]
fn an_empty_or_deleted_store_beside_outputs_is_made_anew_from_them() {
    let whole = five_of_eight(&Service::friendly());
    for empty in [true, false] {
        let folder = whole.copy();
        if empty {
            folder.write(STORE, "");
        } else {
            fs::remove_file(folder.path(STORE)).unwrap();
        }
        // SQLite deletes such a log even for somebody who only looks.
        for command in ["status", "verify", "show"] {
            folder.dset(&[command]);
        }
        let before = outputs_of(&folder);
        let service = Service::friendly();
        let ran = service.run(&folder, &[]).exits(0).says("5 rows count as answered");
        println!("{}", ran.err);
        assert_eq!(service.stats().asked, 3, "what is in the outputs is not bought again");
        assert_eq!(folder.agreed().len(), 8);
        for (before, now) in before.iter().zip(outputs_of(&folder)) {
            assert!(now.starts_with(before), "no row of them is changed");
        }
        service.run(&folder, &[]).exits(0);
        assert_eq!(service.stats().asked, 3);
    }
}

#[test]
fn an_empty_or_deleted_store_beside_its_log_is_refused_because_answers_are_in_the_log() {
    let whole = Folder::with(&questions(8));
    killed_at_five(&whole, 0);
    let store = fs::read(whole.path(STORE)).unwrap();
    for empty in [true, false] {
        let folder = whole.copy();
        if empty {
            folder.write(STORE, "");
        } else {
            fs::remove_file(folder.path(STORE)).unwrap();
        }
        refused(&folder, 1, || folder.write(STORE, &store)).says("dset.db-wal");
    }
}

#[test]
fn a_log_that_is_deleted_or_damaged_takes_nothing_that_is_in_the_outputs() {
    // In the first run everything is in the log; in a later one, what that one bought.
    for first in [true, false] {
        let whole = Folder::with(&questions(8));
        let answered = if first { 0 } else { 2 };
        if !first {
            Service::friendly().run(&whole, &["-n", "2"]).exits(0);
        }
        killed_at_five(&whole, answered);
        let log = fs::read(whole.path("dset_generator/dset.db-wal")).unwrap();
        // Deleted, and damaged in every third frame: what is behind that is no log any more.
        let frames = (32..log.len()).step_by(PAGE_BYTES + 24).step_by(3);
        for damaged in [None].into_iter().chain([Some(0)]).chain(frames.map(Some)) {
            let folder = whole.copy();
            let path = folder.path("dset_generator/dset.db-wal");
            match damaged {
                None => fs::remove_file(&path).unwrap(),
                Some(at) => {
                    let mut bytes = log.clone();
                    bytes[at] ^= 0x10;
                    fs::write(&path, bytes).unwrap();
                }
            }
            let damage = format!("{damaged:?} of {}", log.len());
            fs::remove_file(folder.path("dset_generator/dset.db-shm")).unwrap();
            let service = Service::friendly();
            let ran = service.run(&folder, &[]);
            println!("first {first}, {damage}:\n{}", ran.err);
            ran.exits(0);
            assert_eq!(service.stats().asked, 3, "first {first}, {damage}");
            assert_eq!(folder.agreed().len(), 8, "first {first}, {damage}");
            service.run(&folder, &[]).exits(0);
            assert_eq!(service.stats().asked, 3, "first {first}, {damage}, once more");
        }
    }
}

#[test]
fn the_shared_memory_of_the_store_may_go() {
    let folder = Folder::with(&questions(8));
    killed_at_five(&folder, 0);
    fs::remove_file(folder.path("dset_generator/dset.db-shm")).unwrap();
    let service = Service::friendly();
    service.run(&folder, &[]).exits(0);
    assert_eq!((service.stats().asked, folder.agreed().len()), (3, 8));
}

#[test]
fn a_store_from_a_newer_version_is_refused() {
    let folder = five_of_eight(&Service::friendly());
    let version = |version: i64| {
        let store = rusqlite::Connection::open(folder.path(STORE)).unwrap();
        store.pragma_update(None, "user_version", version).unwrap();
    };
    version(99);
    refused(&folder, 2, || version(8)).says("was written by a newer dset");
}

#[test]
fn a_store_that_another_program_has_locked_is_waited_for_and_then_named() {
    let folder = five_of_eight(&Service::friendly());
    let other = rusqlite::Connection::open(folder.path(STORE)).unwrap();
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
    refused(&folder, 1, || drop(other)).says("another program has it locked");
}

#[test]
fn a_store_that_another_program_locks_in_the_middle_of_a_run_costs_no_answer() {
    let folder = five_of_eight(&Service::friendly());
    let service = Service::with(&["Question 6,=delay:300", "Question 7,=delay:300"]);
    let run = service.begin(&folder, &["-c", "2"]);
    until("two are asked", || service.stats().asked == 2);
    let other = rusqlite::Connection::open(folder.path(STORE)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let ran = three_parts(run.end().exits(1)).says("dset.rescue");
    assert!(ran.err.contains("locked"), "{}", ran.err);
    drop(other);
    let asked = service.stats().asked;
    let service = Service::friendly();
    // Without the store, too, both what is in the outputs and what was rescued counts.
    let moved = folder.copy();
    for name in ["dset.db", "dset.db-wal", "dset.db-shm"] {
        let _ = std::fs::remove_file(moved.path("dset_generator").join(name));
    }
    service.run(&moved, &[]).exits(0).says("took over the outputs");
    assert_eq!(service.stats().asked + asked, 3);
    assert_eq!(moved.agreed().len(), 8);
    let service = Service::friendly();
    service.run(&folder, &[]).exits(0).says("that the last run could only rescue");
    assert_eq!(service.stats().asked + asked, 3);
    assert_eq!(folder.agreed().len(), 8);
}

#[test]
fn a_bit_flipped_in_the_store_is_harmless_or_refused_and_never_buys_again() {
    let whole = five_of_eight(&Service::friendly());
    let store = fs::read(whole.path(STORE)).unwrap();
    // Fields of the header of the file, and those of the header of every page.
    let header = [
        0, 16, 18, 19, 20, 24, 28, 32, 36, 40, 44, 47, 52, 56, 59, 60, 63, 64, 68, 71, 92, 96, 100,
        101, 103, 105,
    ];
    let pages = (1..store.len() / PAGE_BYTES)
        .flat_map(|page| [0, 3, 5, 9, 3906, 3996, 4056].map(|at| page * PAGE_BYTES + at));
    let places: Vec<usize> = header.into_iter().chain(pages).collect();
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(&place) =
                    places.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    let folder = whole.copy();
                    let mut flipped = store.clone();
                    flipped[place] ^= 1;
                    folder.write(STORE, &flipped);
                    let service = Service::friendly();
                    let ran = service.run(&folder, &[]);
                    let asked = service.stats().asked;
                    println!(
                        "{place}: {:?}, {asked} asked: {}",
                        ran.code,
                        ran.err.lines().last().unwrap_or("")
                    );
                    assert!(asked <= 3, "{place}: {}", ran.err);
                    if ran.code == Some(0) {
                        assert_eq!(folder.agreed().len(), 8, "{place}");
                    } else {
                        assert!([Some(1), Some(2)].contains(&ran.code), "{place}: {}", ran.err);
                        three_parts(ran);
                    }
                }
            });
        }
    });
}

/// Eight rows that are answered, the text of the fourth damaged.
fn with_a_damaged_text() -> (Folder, Service) {
    let settings = MockSettings { answer_bytes: Some(400), ..MockSettings::default() };
    let service = Service::start(settings);
    let folder = Folder::with(&questions(8));
    service.run(&folder, &["-c", "1"]).exits(0);
    folder.sql(
        "UPDATE answers SET reasoning = CAST(substr(reasoning, 1, 20) || x'00' || substr(reasoning, 22) AS BLOB)
         WHERE id = 4",
    );
    (folder, service)
}

#[test]
fn a_redo_leaves_out_of_the_outputs_what_it_asks_again_and_nothing_else() {
    let (folder, service) = with_a_damaged_text();
    fs::remove_file(folder.path(OUTPUTS[0])).unwrap();
    let before = fs::read(folder.path(OUTPUTS[1])).unwrap();
    let (asked, url) = (service.stats().asked, service.url());
    let redo = |rows: &str| folder.dset(&["redo", rows, "--base-url", &url, "--key", "none"]);
    redo("99").exits(2);
    redo("5").exits(1).says("answer 4 (row ");
    assert_eq!(fs::read(folder.path(OUTPUTS[1])).unwrap(), before);
    assert_eq!(service.stats().asked, asked);
    let redone = redo("4").exits(0);
    redone.says("1 row with a damaged text left out of the outputs").says("are in .earlier/");
    assert_eq!(folder.agreed().len(), 8);
    assert_eq!(service.stats().asked, asked + 1);
}

#[test]
fn a_damaged_text_costs_its_row_alone_whatever_was_begun_with_it() {
    let (whole, service) = with_a_damaged_text();
    for begun in [false, true] {
        let folder = whole.copy();
        let named = |ran: Ran| three_parts(ran.exits(1)).says("answer 4 (row ").says("dset redo");
        let verified = folder.dset(&["verify"]).exits(1);
        let verified = verified.tells("1 text damaged, else sound, 8 answers");
        verified.tells("answer to question 4").tells("mend: dset redo ");
        named(folder.dset(&["export", "--rebuild"]));
        assert_eq!(folder.count("SELECT count(*) FROM meta WHERE name = 'rebuilding'"), 0);
        named(folder.dset(&["export", "--to", "d.jsonl"]));
        if begun {
            // As an earlier version left it, and with an output that is to be written anew.
            folder.sql("INSERT INTO meta VALUES ('rebuilding', 'then'); DELETE FROM sinks");
            fs::remove_file(folder.path(OUTPUTS[0])).unwrap();
            named(service.run(&folder, &[]));
            named(folder.dset(&["export", "--rebuild"]));
        }
        let merged = folder.dset(&["merge", "dset_generator", "-o", "m"]).exits(1);
        merged.says("1 answer with a damaged text not taken in").tells("7 answers taken in");
        let asked = service.stats().asked;
        let url = service.url();
        folder.dset(&["redo", "4", "--base-url", &url, "--key", "none"]).exits(0);
        assert_eq!(service.stats().asked, asked + 1);
        folder.dset(&["export", "--rebuild"]).exits(0);
        assert_eq!(folder.agreed().len(), 8);
        folder.dset(&["verify"]).exits(0).tells("1 answer with a damaged text counts no more");
        folder.dset(&["merge", "dset_generator", "-o", "n"]).exits(0).tells("8 answers taken in");
        service.run(&folder, &[]).exits(0);
        assert_eq!(service.stats().asked, asked + 1);
    }
}

#[test]
fn a_directory_or_a_pipe_in_the_place_of_an_output_is_named() {
    let whole = five_of_eight(&Service::friendly());
    for name in OUTPUTS {
        for kind in ["folder", "pipe"] {
            let folder = whole.copy();
            let path = folder.path(name);
            let bytes = fs::read(&path).unwrap();
            fs::remove_file(&path).unwrap();
            put(kind, &path);
            refused(&folder, 1, || {
                if kind == "folder" { fs::remove_dir(&path) } else { fs::remove_file(&path) }
                    .unwrap();
                fs::write(&path, &bytes).unwrap();
            })
            .says(name.rsplit('/').next().unwrap());
        }
    }
}

fn put(kind: &str, path: &Path) {
    match kind {
        "folder" => fs::create_dir(path).unwrap(),
        _ => {
            let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
            assert!(made.success());
        }
    }
}

#[test]
fn an_output_that_is_a_link_is_followed_to_our_own_rows_and_to_nobody_elses() {
    let whole = five_of_eight(&Service::friendly());
    for name in OUTPUTS {
        // Moved to another disk, and linked.
        let folder = whole.copy();
        fs::rename(folder.path(name), folder.path("moved")).unwrap();
        symlink(folder.path("moved"), folder.path(name)).unwrap();
        let service = Service::friendly();
        service.run(&folder, &[]).exits(0);
        assert_eq!((service.stats().asked, folder.agreed().len()), (3, 8));
        assert!(fs::symlink_metadata(folder.path(name)).unwrap().is_symlink());

        // A link to somebody else's file, before the first run and after one.
        for first in [true, false] {
            for mine in ["not of dset, and without a newline", "a,b,c,d\n1,2,3,4\n", ""] {
                let folder = if first { Folder::with(&questions(8)) } else { whole.copy() };
                folder.write("mine", mine);
                let path = folder.path(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                let _ = fs::remove_file(&path);
                symlink(folder.path("mine"), &path).unwrap();
                let service = Service::friendly();
                let ran = service.run(&folder, &[]);
                println!("{name}, first {first}, {mine:?}:\n{}", ran.err);
                ran.exits(0);
                if !mine.is_empty() {
                    assert_eq!(folder.read("mine"), mine, "{name}, first {first}");
                }
                assert_eq!(service.stats().asked, if first { 8 } else { 3 });
            }
        }
    }
}

#[test]
fn a_deleted_folder_is_a_fresh_start() {
    let folder = five_of_eight(&Service::friendly());
    fs::remove_dir_all(folder.path("dset_generator")).unwrap();
    let service = Service::friendly();
    service.run(&folder, &[]).exits(0);
    assert_eq!((service.stats().asked, folder.agreed().len()), (8, 8));
}

#[test]
fn a_folder_deleted_in_the_middle_of_a_run_ends_it_and_every_answer_is_kept() {
    for what in ["dset_generator", STORE] {
        let folder = Folder::with(&questions(8));
        let service = Service::with(&["Question 6,=delay:700", "Question 7,=delay:700"]);
        let run = service.begin(&folder, &["-c", "3"]);
        until("six were asked", || service.stats().asked >= 6);
        // Out of the run's way first: it may be making a file in there.
        let gone = folder.path("gone");
        fs::rename(folder.path(what), &gone).unwrap();
        if gone.is_dir() { fs::remove_dir_all(gone) } else { fs::remove_file(gone) }.unwrap();
        let ran = run.end();
        println!("{}", ran.err);
        let answered = service.stats().answered;
        three_parts(ran.exits(1));
        let service = Service::friendly();
        let ran = service.run(&folder, &[]);
        println!("{}", ran.err);
        ran.exits(0);
        assert_eq!(service.stats().asked + answered, 8, "{what}: no answer is bought again");
        assert_eq!(folder.agreed().len(), 8);
    }
}

/// A working folder that is deleted has no way to what lies in it any more.
#[cfg(unix)]
#[test]
fn a_working_folder_deleted_in_the_middle_of_a_run_takes_no_answer_with_it() {
    let folder = Folder::with(&questions(8));
    let service = Service::with(&["Question 6,=delay:700", "Question 7,=delay:700"]);
    let run = service.begin(&folder, &["-c", "3"]);
    until("six were asked", || service.stats().asked >= 6);
    let gone = tempfile::tempdir().unwrap();
    fs::rename(folder.path(""), gone.path().join("gone")).unwrap();
    // The run may be making a file in there.
    until("it is deleted", || fs::remove_dir_all(gone.path()).is_ok());
    let ran = run.end();
    println!("{}", ran.err);
    let answered = service.stats().answered;
    assert!(!ran.err.contains("could not be kept"), "{}", ran.err);
    three_parts(ran.exits(1));
    folder.write("q.csv", questions(8));
    let service = Service::friendly();
    service.run(&folder, &[]).exits(0);
    assert_eq!(service.stats().asked + answered, 8, "no answer is bought again");
    assert_eq!(folder.agreed().len(), 8);
}

#[test]
fn an_output_deleted_in_the_middle_of_a_run_is_said_and_written_anew() {
    let folder = Folder::with(&questions(8));
    let service = Service::with(&["Question 6,=delay:700"]);
    let run = service.begin(&folder, &["-c", "3"]);
    until("six were asked", || service.stats().asked >= 6);
    fs::remove_file(folder.path(OUTPUTS[1])).unwrap();
    let ran = three_parts(run.end().exits(1)).says("output.json");
    println!("{}", ran.err);
    let asked = service.stats().asked;
    let service = Service::friendly();
    service.run(&folder, &[]).exits(0);
    assert_eq!(service.stats().asked + asked, 8);
    assert_eq!(folder.agreed().len(), 8);
}

#[test]
fn an_input_that_goes_in_the_middle_of_a_run_costs_nothing_but_its_marks() {
    for what in ["deleted", "a folder", "replaced", "read-only"] {
        let folder = Folder::with(&questions(8));
        // The only mark is wanted after the file has gone.
        let service = Service::with(&["Question 3,=risk*1", "Question 2,=delay:500"]);
        let run = service.begin(&folder, &["-c", "1"]);
        until("the second is asked", || service.stats().asked >= 2);
        let path = folder.path("q.csv");
        let text = questions(8);
        match what {
            "deleted" => fs::remove_file(&path).unwrap(),
            "a folder" => {
                fs::remove_file(&path).unwrap();
                fs::create_dir(&path).unwrap();
            }
            "replaced" => {
                folder.write("new.csv", text.replace("Question 1,", "Question 9,"));
                fs::rename(folder.path("new.csv"), &path).unwrap();
            }
            _ => {
                let mut permissions = fs::metadata(&path).unwrap().permissions();
                permissions.set_readonly(true);
                fs::set_permissions(&path, permissions).unwrap();
            }
        }
        let ran = run.end();
        println!("{what}: {}", ran.err);
        let ran = ran.exits(3);
        assert_eq!(folder.agreed().len(), 7, "{what}");
        let expected = match what {
            "replaced" => {
                assert!(folder.read("q.csv").contains("Question 9,"));
                assert!(folder.read("q.csv").contains("Question 3, what then?\",ERROR\n"));
                2
            }
            _ => {
                ran.says("q.csv cannot be marked");
                1
            }
        };
        match what {
            "deleted" => {
                three_parts(service.run(&folder, &[]).exits(2)).says("there is no `q.csv`");
                folder.write("q.csv", &text);
            }
            "a folder" => {
                three_parts(service.run(&folder, &[]).exits(2)).says("holds rows");
                fs::remove_dir(&path).unwrap();
                folder.write("q.csv", &text);
            }
            _ => {}
        }
        let service = Service::friendly();
        service.run(&folder, &[]).exits(0);
        assert_eq!(service.stats().asked, expected, "{what}");
    }
}

#[test]
fn an_input_rewritten_in_place_in_the_middle_of_a_run_is_noticed() {
    // Longer than what is read ahead.
    let long = |word: &str| {
        let rows = (1..=60).map(|n| format!("\"Question {n}, {}\",\n", word.repeat(2000)));
        format!("question,status\n{}", rows.collect::<String>())
    };
    let folder = Folder::with(&long("what"));
    let service = Service::with(&["Question 2,=delay:500"]);
    let run = service.begin(&folder, &["-c", "1"]);
    until("the second is asked", || service.stats().asked == 2);
    folder.write("q.csv", long("then"));
    three_parts(run.end().exits(2)).says("q.csv was changed while it was being read");
    let answered = service.stats().answered;
    folder.write("q.csv", long("what"));
    let service = Service::friendly();
    service.run(&folder, &[]).exits(0);
    assert_eq!(service.stats().asked + answered, 60);
    assert_eq!(folder.agreed().len(), 60);
}

#[test]
fn a_lock_that_cannot_be_opened_and_a_file_where_earlier_outputs_go_are_named() {
    let folder = five_of_eight(&Service::friendly());
    let lock = folder.path("dset_generator/dset.lock");
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    refused(&folder, 1, || fs::remove_dir(&lock).unwrap()).says("dset.lock");

    // Where an output has to be moved.
    let folder = five_of_eight(&Service::friendly());
    let earlier = folder.path("dset_generator/.earlier");
    folder.write("dset_generator/.earlier", "mine");
    let csv = folder.read(OUTPUTS[0]);
    folder.write(OUTPUTS[0], csv.replace("Question 1", "Question X"));
    refused(&folder, 1, || fs::remove_file(&earlier).unwrap()).says("earlier");

    // Where all have to be: nothing is begun.
    let folder = five_of_eight(&Service::friendly());
    let earlier = folder.path("dset_generator/.earlier");
    folder.write("dset_generator/.earlier", "mine");
    let service = Service::friendly();
    three_parts(service.run(&folder, &["--again"]).exits(1)).says("earlier");
    service.run(&folder, &[]).exits(0);
    assert_eq!(service.stats().asked, 3, "asking again was not begun");
    fs::remove_file(&earlier).unwrap();
    service.run(&folder, &["--again"]).exits(0);
    assert_eq!((service.stats().asked, folder.agreed().len()), (11, 8));
}

#[test]
fn a_folder_that_may_not_be_written_is_named() {
    let whole = five_of_eight(&Service::friendly());
    let service = Service::friendly();
    let as_nobody = |folder: &Folder| {
        let url = service.url();
        let dset = folder.command(&[]).get_program().to_owned();
        let copied = folder.path("dset-copy");
        fs::copy(dset, &copied).unwrap();
        let output = std::process::Command::new("setpriv")
            .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
            .arg(&copied)
            .args(["run", "--base-url", &url, "--key", "none"])
            .current_dir(folder.path(""))
            .output();
        output.map(Ran::from)
    };
    let folder = whole.copy();
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    };
    mode(&folder.path(""), 0o755);
    match as_nobody(&folder) {
        Ok(ran) if !ran.err.contains("setpriv:") => {
            three_parts(ran.exits(1)).says("Permission denied");
        }
        _ => {
            eprintln!("SKIPPED: there is no `setpriv`, or this is not root");
            return;
        }
    }
    assert_eq!(service.stats().asked, 0);
    service.run(&folder, &[]).exits(0);
    assert_eq!((service.stats().asked, folder.agreed().len()), (3, 8));
}

#[test]
fn what_a_hand_appends_stays_between_torn_rows_too() {
    let folder = Folder::with(&questions(8));
    let service = Service::friendly();
    service.run(&folder, &["-n", "3"]).exits(0);
    let note = |number| format!("my note {number}");
    for number in 1..=2 {
        // A kill leaves half a row; then somebody writes behind it, without a newline.
        let before = folder.copy();
        service.run(&folder, &["-n", "1"]).exits(0);
        for name in OUTPUTS {
            let (short, long) = (fs::read(before.path(name)).unwrap(), folder.read(name));
            let half = (short.len() + long.len()) / 2;
            folder.write(name, format!("{}{}", &long[..half], note(number)));
        }
        // The store of before the last sync of the outputs, with the answer in it.
        let store = rusqlite::Connection::open(folder.path(STORE)).unwrap();
        let old = rusqlite::Connection::open(before.path(STORE)).unwrap();
        let mut marks = old.prepare("SELECT name, rows, bytes, tail FROM sinks").unwrap();
        let mut rows = marks.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let of: (String, i64, i64, Vec<u8>) = (
                row.get(0).unwrap(),
                row.get(1).unwrap(),
                row.get(2).unwrap(),
                row.get(3).unwrap(),
            );
            store
                .execute(
                    "UPDATE sinks SET rows = ?2, bytes = ?3, tail = ?4 WHERE name = ?1",
                    rusqlite::params![of.0, of.1, of.2, of.3],
                )
                .unwrap();
        }
        drop(store);
        let ran = service.run(&folder, &["-n", "1"]).exits(0);
        for name in OUTPUTS {
            let file = name.rsplit('/').next().unwrap();
            let said =
                format!("{file} ends in text that is not ours: it stays, and rows follow it");
            assert!(ran.err.contains(&said), "{}", ran.err);
        }
    }
    service.run(&folder, &[]).exits(0);
    assert_eq!(service.stats().asked, 8);
    for name in OUTPUTS {
        let text = folder.read(name);
        for number in 1..=2 {
            assert!(
                text.contains(&format!("{}\n", note(number)))
                    || text.contains(&format!("{}\r\n", note(number))),
                "{name}"
            );
        }
    }
    let json = folder.read(OUTPUTS[1]);
    let whole =
        json.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut rows: Vec<String> = whole.map(|row| row["metadata"]["question"].to_string()).collect();
    assert_eq!(rows.len(), 8, "every row is there once, whole");
    rows.sort();
    rows.dedup();
    assert_eq!(rows.len(), 8);
}

#[test]
fn a_folder_that_is_copied_goes_on_where_it_was() {
    let folder = five_of_eight(&Service::friendly());
    let copy = Folder::new();
    copy_all(&folder.path(""), &copy.path(""));
    let service = Service::friendly();
    service.run(&copy, &[]).exits(0);
    assert_eq!((service.stats().asked, copy.agreed().len()), (3, 8));
}

#[test]
fn any_output_that_is_left_brings_its_rows_back_where_the_store_is_gone() {
    let all = ["output.csv", "output.json", "output.txt"];
    let several = [(&[][..], 8), (&["--samples", "3"], 24), (&["-m", "a", "-m", "b"], 16)];
    for (arguments, answers) in several {
        for left in all {
            let (service, folder) = (Service::friendly(), Folder::with(&questions(8)));
            service.run(&folder, arguments).exits(0);
            for gone in ["dset.db", "dset.db-wal", "dset.db-shm"].iter().chain(&all) {
                if *gone != left {
                    let _ = std::fs::remove_file(folder.path(&format!("dset_generator/{gone}")));
                }
            }
            service
                .run(&folder, arguments)
                .exits(0)
                .says(&format!("{answers} rows count as answered"));
            assert_eq!(service.stats().asked, answers, "{left} {arguments:?}");
            let count = |file: &str, text: &str| {
                folder.read(&format!("dset_generator/{file}")).matches(text).count() as u64
            };
            assert_eq!(count("output.txt", "Question: "), answers, "{left} {arguments:?}");
            assert_eq!(count("output.json", "{\"metadata\":"), answers, "{left} {arguments:?}");
            folder.dset(&["verify"]).exits(0).tells("everything agrees");
        }
    }
}

#[test]
fn a_row_of_the_transcript_that_can_be_read_in_two_ways_is_counted_and_not_guessed() {
    let (service, folder) = (Service::friendly(), Folder::with(&questions(3)));
    service.run(&folder, &["--formats", "txt"]).exits(0);
    let text = folder.read("dset_generator/output.txt");
    let odd = text.replacen("Final Answer: ", "Final Answer: No.\nFinal Answer: ", 1);
    folder.write("dset_generator/output.txt", odd);
    for gone in ["dset.db", "dset.db-wal", "dset.db-shm"] {
        let _ = std::fs::remove_file(folder.path(&format!("dset_generator/{gone}")));
    }
    let ran = service.run(&folder, &["--formats", "txt"]).exits(0);
    ran.says("2 rows count as answered").says("1 row unreadable");
    assert_eq!(service.stats().asked, 4);
}
