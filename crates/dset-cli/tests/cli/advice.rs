//! What is proposed helps where it is proposed: it shows something, or asks something, and nothing
//! that costs money comes unannounced.

use crate::common::{Folder, Ran, Service, questions};

/// The commands between ticks in the hints.
fn proposed(ran: &Ran) -> Vec<String> {
    let all = format!("{}\n{}", ran.out, ran.err);
    let hints = all.lines().filter(|line| line.to_lowercase().contains("hint: "));
    let ticked = |line: &str| -> Vec<String> {
        line.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    hints.flat_map(ticked).filter(|words| words.starts_with("dset ")).collect()
}

const READING: [&[&str]; 6] = [
    &["show", "1"],
    &["search", "question"],
    &["stats"],
    &["verify"],
    &["export", "--rebuild"],
    &["status"],
];

#[test]
fn commands_that_read_look_at_the_input_that_was_asked_last_whatever_it_is_called() {
    let (folder, service) = (Folder::new(), Service::friendly());
    folder.write("questions.csv", questions(2));
    service.run(&folder, &["questions.csv"]).exits(0);
    for command in READING {
        folder.dset(command).exits(0);
    }
    assert_eq!(service.stats().asked, 2, "none of them asked anything");
    std::fs::rename(folder.path("questions.csv"), folder.path("moved.csv")).unwrap();
    for command in READING {
        let ran = folder.dset(command).exits(2);
        let hints = proposed(&ran);
        assert_eq!(hints.len(), 1, "{command:?}: {ran:?}");
        assert!(hints[0].starts_with(&format!("dset {}", command[0])), "{hints:?}");
        folder.shell(&hints[0]).exits(0);
    }
}

#[test]
fn commands_that_read_find_the_store_in_another_folder() {
    let (folder, service) = (Folder::with(&questions(2)), Service::friendly());
    service.run(&folder, &["-o", "my out"]).exits(0);
    for command in READING {
        let ran = folder.dset(command);
        let hints = proposed(&ran);
        assert_eq!(hints.len(), 1, "{command:?}: {ran:?}");
        let shown = folder.shell(&hints[0]).exits(0);
        assert!(!shown.out.contains("nothing was asked"), "{shown:?}");
    }
    assert_eq!(service.stats().asked, 2);
    service.run(&folder, &["-o", "second"]).exits(0);
    folder.dset(&["stats"]).exits(2).says("There are stores in `'my out'`, `second`");
}

#[test]
fn where_nothing_was_asked_at_all_a_run_is_proposed_as_what_costs_money() {
    let folder = Folder::with(&questions(1));
    for command in &READING[..5] {
        folder.dset(command).exits(2).says("may cost money");
    }
    let elsewhere = Folder::new();
    for command in &READING[..5] {
        let ran = elsewhere.dset(command).exits(2);
        assert!(!ran.err.contains("dset run FILE"), "{ran:?}");
    }
}

#[test]
fn no_other_file_is_proposed_to_whoever_names_one() {
    let folder = Folder::new();
    folder.write("test.csv", questions(1));
    let ran = folder.dset(&["run", "train.csv", "--key", "none"]).exits(2);
    assert!(!ran.err.contains("Did you mean"), "{ran:?}");
    folder.dset(&["run", "tset.csv", "--key", "none"]).exits(2).says("`dset run test.csv");
    // Outputs are no questions.
    let service = Service::friendly();
    service.run(&folder, &["test.csv"]).exits(0);
    std::fs::remove_file(folder.path("dset_generator/dset.db")).unwrap();
    let mut inside = folder.command(&["run", "--key", "none"]);
    inside.current_dir(folder.path("dset_generator"));
    let ran = Ran::from(inside.output().unwrap()).exits(2);
    assert!(!ran.err.contains("output.csv"), "{ran:?}");
}

#[test]
fn for_rows_that_the_same_command_does_not_ask_what_asks_them_is_proposed() {
    for fault in ["length", "loop"] {
        let (folder, service) = (
            Folder::with("question\nA short one\nA long one\n"),
            Service::with(&[&format!("long={fault}*1")]),
        );
        let flags = ["--stop-loops", "--stream", "on", "--max-tokens", "50000"];
        let ran = service.run(&folder, &flags).exits(3);
        let asked = service.stats().asked;
        let at_the_end = proposed(&ran);
        let again = service.run(&folder, &flags).exits(3);
        assert_eq!(service.stats().asked, asked, "{fault}: the same command asks nothing");
        for ran in [again, folder.dset(&["status"]), folder.dset(&["show", "--failed"])] {
            let hints = proposed(&ran);
            let is_idle = |hint: &&String| hint.starts_with("dset run") && !hint.contains(" N ");
            assert_eq!(hints.iter().find(is_idle), None, "{fault}: {ran:?}");
            assert!(hints.iter().any(|hint| hint.contains("--max-tokens N")), "{fault}: {ran:?}");
        }
        let command = at_the_end.iter().find(|hint| hint.contains(" N ")).unwrap();
        let command = command.replace(" N ", " 60000 ").replace(" T ", " 1.1 ");
        folder.shell(&command).exits(0);
        assert_eq!(service.stats().asked, asked + 1, "{fault}: {command}");
    }
}

#[test]
fn what_continues_a_run_does_not_ask_everything_again() {
    let (folder, service) = (Folder::with(&questions(3)), Service::with(&["Question 2,=risk*1"]));
    let ran = service.run(&folder, &["--again"]).exits(3);
    let hints = proposed(&ran);
    assert!(hints.iter().all(|hint| !hint.contains("--again")), "{hints:?}");
    let command = hints.iter().find(|hint| hint.starts_with("dset run")).unwrap();
    folder.shell(command).exits(0);
    assert_eq!(service.stats().asked, 4, "3, and the refused one once more");
}

#[test]
fn a_mend_that_also_asks_says_so() {
    let folder = Folder::with("question,status\nA?,\nB?,\nC?,\n");
    Service::friendly().run(&folder, &["-n", "2"]).exits(0);
    folder.write("q.csv", "question,status\nA?,ERROR\nB?,\nC?,\n");
    let ran = folder.dset(&["verify"]).exits(1);
    ran.tells("mend: dset run").tells("(it also asks for the 1 question without an answer)");
}

#[test]
fn a_file_in_the_place_of_the_command_is_told_where_it_belongs() {
    let folder = Folder::with(&questions(1));
    folder.dset(&["q.csv"]).exits(2).says("`dset run q.csv`");
    folder.dset(&["./q.csv"]).exits(2).says("`dset run ./q.csv`");
    folder.dset(&["questions.jsonl"]).exits(2).says("`dset run questions.jsonl`");
    let ran = folder.dset(&["q.csv", "--key", "sk-0123456789abcdef"]).exits(2);
    let ran = ran.says("The command comes first: `dset run q.csv …`");
    assert!(!ran.err.contains("sk-0123"), "{ran:?}");
    Service::friendly().run(&folder, &[]).exits(0);
    folder.dset(&["dset_generator"]).exits(2).says("`dset status -o dset_generator`");
}

#[test]
fn the_version_is_told_in_every_way_that_people_ask_for_it() {
    let folder = Folder::new();
    let told = folder.dset(&["--version"]).exits(0).out;
    assert_eq!(folder.dset(&["version"]).exits(0).out, told);
    assert_eq!(folder.dset(&["-V"]).exits(0).out, told);
}

#[test]
fn variables_that_are_or_are_not_take_what_scripts_write() {
    let service = Service::friendly();
    for (words, is) in [(["1", "true", "YES", "on"], true), (["0", "false", "No", "off"], false)] {
        for word in words {
            let folder = Folder::with(&questions(1));
            folder.asks(&service);
            let mut run = folder.command(&["run"]);
            run.env("DSET_QUIET", word).env("DSET_JSON", word).env("DSET_VERBOSE", word);
            run.env("DSET_STREAM", word).env("DSET_STOP_LOOPS", word);
            let ran = Ran::from(run.output().unwrap()).exits(0);
            assert_eq!(ran.err.contains("Processing"), !is, "{word}: {ran:?}");
            assert_eq!(ran.out.contains("\"event\""), is, "{word}: {ran:?}");
        }
    }
    let folder = Folder::with(&questions(1));
    let mut run = folder.command(&["run"]);
    let ran = Ran::from(run.env("DSET_QUIET", "maybe").output().unwrap()).exits(2);
    ran.says("`DSET_QUIET` cannot be `maybe`").says("`true` or `false`");
}

#[test]
fn one_of_anything_is_spoken_of_as_one() {
    let plural_of_one = |text: &str| {
        let nouns = "questions rows answers asks tokens lines models samples times warnings \
                     problems differences settings are were have say count";
        let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric() && c != '/').collect();
        let of_one =
            |pair: &[&str]| pair[0] == "1" && nouns.split_whitespace().any(|n| n == pair[1]);
        words.windows(2).filter(|pair| of_one(pair)).map(|pair| pair.join(" ")).collect::<Vec<_>>()
    };
    let (folder, service) = (Folder::new(), Service::with(&["long=length*1", "bad=risk*1"]));
    let mut told = Vec::new();
    for (file, arguments) in [
        ("question,status\nfirst,\n,\nfirst,\n", &["-n", "1", "-v"][..]),
        ("question,status\nfirst,\n,\nfirst,\n", &["-v"]),
        ("question,status\nfirst,\n", &["-v"]),
        ("question,status\nfirst,\na bad one,\n", &["-v"]),
        ("question,status\na long one,\n", &["--log-format", "lines"]),
        ("question,status\nfirst,ERROR\n", &["--json", "--samples", "1"]),
        ("question,status\nfirst,\n", &["--continue", "--max-tokens", "9", "-v"]),
    ] {
        folder.write("q.csv", file);
        told.push(service.run(&folder, arguments));
        for command in READING {
            told.push(folder.dset(command));
        }
        told.push(folder.dset(&["show", "--failed"]));
        told.push(folder.dset(&["doctor", "--offline", "--key", "none"]));
        told.push(folder.dset(&["show", "9"]));
    }
    for ran in told {
        // `1 of 1 question` is one of one.
        for text in [&ran.out, &ran.err] {
            assert_eq!(plural_of_one(text), Vec::<String>::new(), "{text}");
        }
    }
}
