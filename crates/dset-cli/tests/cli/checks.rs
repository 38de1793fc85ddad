//! `dset run` with checks: what fails is kept, asked again, marked or kept with its verdict.

use std::fmt::Write as _;

use crate::common::{Folder, Service, questions, until};
use dset_mock::MockSettings;

/// So many questions of arithmetic with the right answers in a column, and the file of answers from
/// which a service gives them.
pub(crate) fn arithmetic(count: u64) -> (Folder, std::path::PathBuf) {
    let (mut questions, mut answers) = (String::from("question,gold\n"), String::new());
    for number in 1..=count {
        let (a, b, c) = (number * 37 % 1_000 + 2, number * 91 % 877 + 3, number % 12 + 2);
        let right = (a + b) * c;
        let question = format!(
            "Box {number} holds {a} pears and {b} apples. How many pieces do {c} such boxes hold?"
        );
        let steps = format!("{a} + {b} = {}; times {c} is {right}.\\n#### {right}", a + b);
        let _ = writeln!(questions, "\"{question}\",\"Sum and product.\n#### {right}\"");
        let _ = writeln!(
            answers,
            r#"{{"metadata":{{"question":"{question}"}},"response":{{"answer":"{steps}"}}}}"#
        );
    }
    let folder = Folder::with(&questions);
    folder.write("answers.jsonl", answers);
    let path = folder.path("answers.jsonl");
    (folder, path)
}

pub(crate) fn service(answers: std::path::PathBuf, wrong: f64) -> Service {
    let (answers, wrong) = (Some(answers), Some(wrong));
    Service::start(MockSettings { latency_ms: 1, answers, wrong, ..MockSettings::default() })
}

pub(crate) const STORED: &str =
    "SELECT (SELECT count(*) FROM keys) + (SELECT count(*) FROM later_tries)";

#[test]
fn a_fifth_wrong_of_1319_is_shown_what_is_wrong_and_mends_in_the_second_try() {
    let (folder, answers) = arithmetic(1_319);
    let service = service(answers, 0.2);
    let arguments = ["--gold", "gold", "--on-fail", "retry", "-c", "64"];
    service.run(&folder, &arguments).exits(0);
    let asked = service.stats();
    let tries: Vec<u64> = service.asked().values().copied().collect();
    let twice = tries.iter().filter(|times| **times == 2).count() as u64;
    assert!(tries.iter().all(|times| (1..=2).contains(times)), "nobody needs a third try");
    assert!((200..330).contains(&twice), "about a fifth: {twice}");
    assert_eq!(
        asked.answered,
        1_319 + twice,
        "the audit: one ask each, and one more for the wrong"
    );
    assert_eq!(folder.count(STORED) as u64, asked.answered, "every paid answer is kept");
    assert_eq!(folder.count("SELECT count(*) FROM later_tries") as u64, twice);
    assert_eq!(folder.agreed().len(), 1_319);
    folder.dset(&["verify"]).exits(0);
    // The same again asks nothing.
    service.run(&folder, &arguments).exits(0);
    assert_eq!(service.stats().asked, asked.asked);
}

#[test]
fn fresh_tries_mend_nothing_and_are_bounded_over_all_runs() {
    let (folder, answers) = arithmetic(60);
    let service = service(answers, 0.3);
    let fresh = ["--gold", "gold", "--on-fail", "retry", "--retry", "fresh", "-c", "8"];
    service.run(&folder, &fresh).exits(3);
    let tries: Vec<u64> = service.asked().values().copied().collect();
    let failed = tries.iter().filter(|times| **times == 3).count();
    assert!(failed > 5 && tries.iter().all(|times| *times == 1 || *times == 3), "{tries:?}");
    assert_eq!(folder.agreed().len(), 60 - failed);
    let marked = folder.read("q.csv").matches("ERROR").count();
    assert_eq!(marked, failed);
    // Used up: the same command asks nothing more.
    let asked = service.stats().asked;
    service.run(&folder, &fresh).exits(3);
    assert_eq!(service.stats().asked, asked);
    // One try more is asked for, shows what is wrong, and mends.
    let more = ["--gold", "gold", "--on-fail", "retry", "--tries", "4", "-c", "8"];
    service.run(&folder, &more).exits(0);
    assert_eq!(service.stats().asked, asked + failed as u64);
    assert_eq!(folder.agreed().len(), 60);
    assert_eq!(folder.read("q.csv").matches("ERROR").count(), 0, "marks are cleared");
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn a_run_killed_between_tries_goes_on_at_the_next_try() {
    let (folder, answers) = arithmetic(40);
    let (answers, wrong) = (Some(answers), Some(1.0));
    let service =
        Service::start(MockSettings { latency_ms: 15, answers, wrong, ..MockSettings::default() });
    let arguments = ["--gold", "gold", "--on-fail", "retry", "-c", "2"];
    let going = service.begin(&folder, &arguments);
    until("some tries are over", || service.stats().answered > 21);
    going.kill();
    service.run(&folder, &arguments).exits(0);
    assert_eq!(folder.agreed().len(), 40);
    let asked = service.stats().asked;
    assert!((80..=82).contains(&asked), "what was durable was not asked again: {asked}");
    assert_eq!(folder.count(STORED), 80);
    assert_eq!(folder.count("SELECT count(*) FROM answers"), 80);
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn mark_marks_and_keep_keeps() {
    let (folder, answers) = arithmetic(30);
    let service = service(answers, 0.4);
    service.run(&folder, &["--gold", "gold"]).exits(3);
    let right = folder.agreed().len();
    assert!(right < 30 && service.stats().asked == 30, "asked once each");
    assert_eq!(folder.count(STORED), 30, "the wrong ones are kept, too");
    // Looser: what was bought is accepted and placed, and nothing is asked.
    service.run(&folder, &["--gold", "gold", "--on-fail", "keep"]).exits(0);
    assert_eq!((service.stats().asked, folder.agreed().len()), (30, 30));
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn rows_that_were_judged_against_another_value_than_now_are_named() {
    let (folder, answers) = arithmetic(4);
    folder.write("dset.toml", "[[check]]\nname = \"equals\"\ncolumn = \"gold\"\nas = \"number\"\n");
    let service = service(answers, 0.0);
    service.run(&folder, &[]).exits(0);
    let counts = || {
        let export = ["export", "--to", "x.jsonl", "--json", "--force"];
        [&export[..], &["status", "--json"], &["stats", "--json"]]
            .map(|command| folder.dset(command).json()["judged_before"]["count"].clone())
    };
    assert_eq!(counts(), [0, 0, 0]);
    // What passes as before is no row of before.
    let file = folder.read("q.csv");
    let first = file.find("#### ").unwrap();
    folder.write("q.csv", format!("{}#### 9{}", &file[..first], &file[first + 5..]));
    assert_eq!(counts(), [1, 1, 1]);
    folder.write("q.csv", file[..first].to_owned() + "1 + 1\n" + &file[first..]);
    assert_eq!(counts(), [0, 0, 0]);
    folder.write("q.csv", format!("{}#### 9{}", &file[..first], &file[first + 5..]));
    let said = folder.dset(&["export", "--to", "y.jsonl"]).exits(0);
    said.tells("1 row was judged when another value stood in `gold` (row 2)");
    // A damaged answer hides no other, and where the run stands is told all the same.
    folder.sql("UPDATE answers SET reasoning = X'00' WHERE row = 3");
    let status = folder.dset(&["status", "--json"]).exits(0).json();
    assert_eq!(status["judged_before"]["count"], 1);
}

#[test]
fn what_a_check_has_recorded_was_judged_by_the_values_of_now() {
    let (folder, answers) = arithmetic(4);
    let service = service(answers, 0.0);
    service.run(&folder, &["--gold", "gold"]).exits(0);
    let file = folder.read("q.csv");
    let first = file.find("#### ").unwrap();
    folder.write("q.csv", format!("{}#### 9{}", &file[..first], &file[first + 5..]));
    folder.dset(&["check", "--gold", "gold", "--apply"]).exits(3);
    assert_eq!(folder.dset(&["status", "--json"]).json()["judged_before"]["count"], 0);
}

#[test]
fn two_checks_of_one_kind_are_told_apart() {
    let folder = Folder::with(&questions(3));
    let service = Service::friendly();
    let checks = ["--check", "lacks=zzz", "--check", "lacks=.", "--on-fail", "keep"];
    service.run(&folder, &checks).exits(0);
    let checked = folder.dset(&[&["check", "--json"][..], &checks[..4]].concat()).json();
    let stats = folder.dset(&["stats", "--json"]).exits(0).json();
    for found in [&checked, &stats] {
        let found = &found["checks"];
        assert_eq!((&found[0]["check"], &found[0]["passed"]), (&"lacks=zzz".into(), &3.into()));
        assert_eq!((&found[1]["check"], &found[1]["failed"]), (&"lacks=.".into(), &3.into()));
    }
    service.run(&folder, &checks[..4]).exits(3);
    let failed = folder.dset(&["status", "--json"]).json()["failed_checks"].clone();
    assert_eq!(failed, serde_json::json!({ "lacks=.": 3 }));
}

#[test]
fn a_stricter_check_that_would_ask_is_a_decision() {
    let (folder, answers) = arithmetic(30);
    let service = service(answers, 0.4);
    service.run(&folder, &[]).exits(0);
    let strict = ["--gold", "gold", "--on-fail", "retry"];
    let asked = service.run(&folder, &strict).exits(2);
    asked.says("do not pass the checks any more").says("--again-failed").says("--continue");
    assert_eq!(service.stats().asked, 30);
    let kept = folder.copy();
    service.run(&kept, &[&strict[..], &["--continue"]].concat()).exits(0);
    service.run(&kept, &strict).exits(0);
    assert_eq!(service.stats().asked, 30, "kept, and said once");
    service.run(&kept, &[&strict[..], &["--again-failed"]].concat()).exits(0);
    let taken_back = service.stats().asked - 30;
    assert!((5..20).contains(&taken_back), "{taken_back}");
    service.run(&folder, &[&strict[..], &["--again-failed"]].concat()).exits(0);
    let again = service.stats().asked - 30 - taken_back;
    assert!((5..20).contains(&again), "{again}");
    let rows = folder.agreed();
    assert_eq!(rows.len(), 30, "a row that is there is not written twice");
    folder.dset(&["export", "--rebuild"]).exits(0);
    assert_eq!(folder.agreed().len(), 30);
    folder.dset(&["verify"]).exits(0);
    service.run(&folder, &strict).exits(0);
    assert_eq!(service.stats().asked, 30 + taken_back + again);
}

#[test]
fn checks_that_are_none_are_refused_before_anything_is_asked() {
    let (folder, answers) = arithmetic(3);
    let service = service(answers, 0.0);
    service.run(&folder, &["--gold", "golf"]).exits(2).says("The columns are: question, gold");
    service.run(&folder, &["--check", "equal=gold"]).exits(2).says("is no check");
    service.run(&folder, &["--check", "matches=("]).exits(2).says("matches");
    service.run(&folder, &["--check", "matches=((a{999}){999}){999}"]).exits(2).says("matches");
    service.run(&folder, &["--check", "length=9..1"]).exits(2).says("length");
    service.run(&folder, &["--check", "whole=yes"]).exits(2).says("takes no value");
    service.run(&folder, &["--gold", ""]).exits(2);
    service.run(&folder, &["--tries", "0"]).exits(2).says("--tries");
    service.run(&folder, &["--check", "command=./nothing-here"]).exits(2).says("cannot be started");
    folder.write("dset.toml", "[[check]]\nname = \"no-refusals\"\n");
    service.run(&folder, &[]).exits(2).says("dset.toml, line 2").says("Did you mean `no-refusal`?");
    folder.write("dset.toml", "[[check]]\nname = \"lacks\"\npattern = \"a(\"\n");
    service.run(&folder, &[]).exits(2).says("dset.toml, line 3");
    assert_eq!(service.stats().asked, 0);
}

#[cfg(unix)]
#[test]
fn a_program_judges_every_row_and_one_that_hangs_or_dies_never_passes_a_row() {
    let (folder, answers) = arithmetic(12);
    let service = service(answers, 0.0);
    // It reads a line and says whether the answer ends in an even number; for row 4 it dies, and for
    // row 6 it says nothing.
    let program = "#!/bin/sh\necho started >>starts\necho complaint >&2\nwhile read -r line; do\n\
        case \"$line\" in\n*'\"row\":4,'*) exit 1;;\n*'\"row\":6,'*) sleep 30;;\n\
        *[02468]'\",\"fields\"'*) echo '{\"ok\": true}';;\n\
        *) echo '{\"ok\": false, \"why\": \"it is odd\"}';;\nesac\ndone\n";
    folder.write("judge.sh", program);
    folder.shell("chmod +x judge.sh").exits(0);
    let toml = "[[check]]\nname = \"command\"\ncommand = [\"./judge.sh\"]\nseconds = 1\n";
    folder.write("dset.toml", toml);
    service.run(&folder, &["-c", "1"]).exits(3);
    assert_eq!(service.stats().asked, 12);
    let said = |text: &str| {
        folder.count(&format!("SELECT count(*) FROM verdicts WHERE list LIKE '%{text}%'"))
    };
    assert_eq!((said("ended without a word"), said("said nothing for 1 s")), (1, 1));
    assert_eq!(folder.agreed().len() as i64, 10 - said("it is odd"));
    let starts = folder.read("starts").lines().count();
    assert_eq!(starts, 4, "one process, but for those after a death and a hang");
    let complaints = folder.read("dset_generator/check-1.stderr");
    assert!(complaints.contains("complaint"), "{complaints}");
}

#[cfg(unix)]
#[test]
fn a_program_that_dies_at_each_start_ends_the_run_and_once_mended_judges_what_is_there() {
    let folder = Folder::with(&questions(30));
    let service = Service::friendly();
    let judge = |script: &str| folder.write("judge.sh", format!("#!/bin/sh\n{script}\n"));
    judge("exit 1");
    folder.shell("chmod +x judge.sh").exits(0);
    folder.write("dset.toml", "[[check]]\nname = \"command\"\ncommand = [\"./judge.sh\"]\n");
    let mend = "judges what is there and asks for none of that again";
    let ran = service.run(&folder, &["-c", "1"]).exits(2);
    ran.says("the program that judges answers gives no verdict").says(mend);
    assert_eq!(service.stats().asked, 10, "it is not bought unjudged");
    // Where all that is asked for is there, it says the same, and nowhere that it is to be bought anew.
    service.run(&folder, &["-n", "3", "-c", "1"]).exits(3).says("left");
    folder.write("q.csv", questions(13));
    for _ in 0..2 {
        let ran = service.run(&folder, &[]).exits(3).says(mend).says("without a verdict");
        assert!(!ran.err.contains("redo"), "{}", ran.err);
        for command in [&["status"][..], &["show", "--failed"]] {
            let ran = folder.dset(command).exits(0).tells(mend).tells("no verdict");
            assert!(!ran.out.contains("redo"), "{}", ran.out);
        }
    }
    judge("while read -r line; do echo '{\"ok\": false}'; done");
    let ran = service.run(&folder, &[]).exits(3).says("No tries are left");
    assert!(!ran.err.contains(mend), "{}", ran.err);
    folder.dset(&["status"]).exits(0).tells("13 failed check");
    folder.dset(&["show", "--failed"]).exits(0).tells("failed check");
    judge("while read -r line; do echo '{\"ok\": true}'; done");
    folder.dset(&["check", "--apply"]).exits(0);
    assert_eq!(folder.agreed().len(), 13);
    assert_eq!(service.stats().asked, 13);
}

#[test]
fn a_run_that_pauses_at_an_answer_without_tries_left_does_not_say_that_it_is_asked_again() {
    let (folder, answers) = arithmetic(3);
    let service = service(answers, 1.0);
    let ran = service.run(&folder, &["--gold", "gold", "--on-error", "pause", "-c", "1"]).exits(3);
    let ran = ran.says("redo").says("--failed").says("No tries are left");
    assert!(!ran.err.contains("asks it again"), "{}", ran.err);
}

#[test]
fn check_apply_keeps_to_the_outputs_that_the_folder_has() {
    let (folder, answers) = arithmetic(3);
    let service = service(answers, 0.0);
    service.run(&folder, &["--formats", "csv"]).exits(0);
    folder.dset(&["check", "--gold", "gold", "--apply"]).exits(0);
    for other in ["output.json", "output.txt"] {
        assert!(!folder.path("dset_generator").join(other).exists(), "{other}");
    }
    service.run(&folder, &["--formats", "csv", "--gold", "gold"]).exits(0);
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn check_reads_everything_again_for_free_and_apply_places_what_passes_now() {
    let (folder, answers) = arithmetic(30);
    let service = service(answers, 0.4);
    service.run(&folder, &["--gold", "gold"]).exits(3);
    let right = folder.agreed().len() as u64;
    let told = folder.dset(&["check", "--gold", "gold", "--json"]).exits(3).json();
    assert_eq!((&told["answers"], &told["accepted"]), (&30.into(), &right.into()));
    assert_eq!(told["checks"][0]["failed"], 30 - right);
    assert_eq!((&told["newly_accepted"]["count"], &told["to_ask"]), (&0.into(), &0.into()));
    // Another check passes what this one did not.
    let looser = ["check", "--check", "matches=[0-9]"];
    let json = [&looser[..], &["--json"]].concat();
    let told = folder.dset(&json).exits(0).json();
    assert_eq!(told["newly_accepted"]["count"], 30 - right);
    assert_eq!(folder.agreed().len() as u64, right, "nothing is changed without --apply");
    let applied = [&looser[..], &["--apply"]].concat();
    folder.dset(&applied).exits(0).tells("newly accepted");
    assert_eq!(folder.agreed().len(), 30);
    assert_eq!(folder.read("q.csv").matches("ERROR").count(), 0);
    // And a stricter one names the rows that stay in the outputs.
    let told = folder.dset(&["check", "--gold", "gold", "--json"]).exits(3).json();
    assert!(told["to_ask_cost"].is_null(), "a mock has no price, and nothing is asked again");
    assert_eq!(told["in_outputs"]["count"], 30 - right);
    assert_eq!(told["newly_failed"]["count"], 30 - right);
    folder.dset(&["check"]).exits(2).says("there is no check");
    assert_eq!(service.stats().asked, 30, "all of it was free");
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn show_has_every_try_with_its_verdict_and_failures_are_counted_by_check() {
    let (folder, answers) = arithmetic(10);
    let service = service(answers, 1.0);
    service.run(&folder, &["--gold", "gold", "--on-fail", "retry"]).exits(0);
    let shown = folder.dset(&["show", "3"]).exits(0);
    shown.tells("try 1  not accepted").tells("this is not the expected answer");
    let shown = folder.dset(&["show", "3", "--json"]).exits(0).json();
    let tries = &shown["questions"][0]["answers"][0]["tries"];
    assert_eq!((&tries[0]["accepted"], &tries[1]["accepted"]), (&false.into(), &true.into()));
    assert_eq!(tries[0]["verdicts"][0]["check"], "equals");
    let other = Folder::with(&folder.read("q.csv"));
    service.run(&other, &["--gold", "gold"]).exits(3);
    other.dset(&["show", "--failed"]).exits(0).tells("fails 10 questions");
    let status = other.dset(&["status", "--json"]).exits(0).json();
    assert_eq!(status["failed_checks"]["equals"], 10);
    assert_eq!(status["balances"], true);
    other.dset(&["status"]).exits(0).tells("equals 10");
}

#[test]
fn samples_stop_at_the_first_that_is_accepted_and_never_go_beyond_those_that_are_wanted() {
    let (folder, answers) = arithmetic(40);
    let service = service(answers, 0.3);
    // A question that is answered wrongly is so in every sample.
    let best_of = ["--gold", "gold", "--samples", "4", "--enough", "1", "-c", "8"];
    service.run(&folder, &best_of).exits(3);
    let asked: Vec<u64> = service.asked().values().copied().collect();
    let wrong = asked.iter().filter(|times| **times == 4).count();
    assert!(asked.iter().all(|times| [1, 4].contains(times)), "{asked:?}");
    assert!((5..20).contains(&wrong), "{wrong}");
    assert_eq!(folder.agreed().len(), 40 - wrong);
    assert_eq!(folder.read("q.csv").matches("ERROR").count(), wrong);
    let before = service.stats().asked;
    service.run(&folder, &best_of).exits(3);
    assert_eq!(service.stats().asked, before);
    let status = folder.dset(&["status", "--json"]).exits(0).json();
    assert_eq!((&status["balances"], &status["ledger"]["pending"]), (&true.into(), &0.into()));
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn pairs_are_the_accepted_and_the_first_that_failed_and_filters_see_verdicts() {
    let (folder, answers) = arithmetic(20);
    let service = service(answers, 0.5);
    service.run(&folder, &["--gold", "gold", "--on-fail", "retry"]).exits(0);
    let second = folder.count("SELECT count(*) FROM later_tries");
    folder.dset(&["export", "--to", "pairs.jsonl", "--layout", "preference"]).exits(0);
    let pairs = folder.read("pairs.jsonl");
    assert_eq!(pairs.lines().count() as i64, second);
    let first: serde_json::Value = serde_json::from_str(pairs.lines().next().unwrap()).unwrap();
    assert_ne!(first["chosen"], first["rejected"]);
    // What is asked of answers is asked of both sides.
    let not_wrong = ["export", "--to", "none.jsonl", "--layout", "preference", "--where"];
    let ran = folder.dset(&[&not_wrong[..], &["'equals' not in failed_checks", "--json"]].concat());
    let left = &ran.exits(0).json()["left_out"];
    assert_eq!((&left["filtered"], &left["one_answer"]), (&second.into(), &20.into()), "{left}");
    folder.dset(&["export", "--to", "second.jsonl", "--where", "tries > 1"]).exits(0);
    assert_eq!(folder.read("second.jsonl").lines().count() as i64, second);
    let keep = Folder::with(&folder.read("q.csv"));
    service.run(&keep, &["--gold", "gold", "--on-fail", "keep"]).exits(0);
    let right = "'equals' not in failed_checks";
    keep.dset(&["export", "--to", "right.jsonl", "--where", right]).exits(0);
    assert_eq!(keep.read("right.jsonl").lines().count() as i64, 20 - second);
}

#[test]
fn no_answer_is_chosen_and_rejected_where_it_is_kept_though_it_fails() {
    let (folder, answers) = arithmetic(12);
    let service = service(answers, 0.5);
    service.run(&folder, &["--gold", "gold", "--on-fail", "retry"]).exits(0);
    let second = folder.count("SELECT count(*) FROM later_tries");
    assert!(second > 0);
    let stricter = ["--gold", "gold", "--check", "length=..1", "--on-fail", "retry"];
    service.run(&folder, &[&stricter[..], &["--continue"]].concat()).exits(0);
    assert_eq!(service.stats().asked as i64, 12 + second);
    folder.dset(&["export", "--to", "pairs.jsonl", "--layout", "preference"]).exits(0);
    let pairs = folder.read("pairs.jsonl");
    assert_eq!(pairs.lines().count() as i64, second, "{pairs}");
    for pair in pairs.lines() {
        let pair: serde_json::Value = serde_json::from_str(pair).unwrap();
        assert_ne!(pair["chosen"], pair["rejected"]);
    }
}

#[test]
fn pairs_at_the_end_of_a_run_are_made_by_its_own_checks() {
    let (folder, answers) = arithmetic(12);
    let service = service(answers, 0.5);
    folder.asks(&service);
    let asked =
        "[[check]]\nname = \"equals\"\ncolumn = \"gold\"\nas = \"auto\"\non-fail = \"retry\"\n";
    let wanted = "[[export]]\nto = \"pairs.jsonl\"\nlayout = \"preference\"\n";
    folder.write("dset.toml", format!("{asked}{wanted}"));
    folder.dset(&["run"]).exits(0);
    let second = folder.count("SELECT count(*) FROM later_tries");
    assert_eq!(folder.read("pairs.jsonl").lines().count() as i64, second);
    // A run without checks cannot make them, whatever the last one had.
    folder.write("dset.toml", wanted);
    folder.write("q.csv", folder.read("q.csv") + "Why?,1\n");
    let before = service.stats().asked;
    folder.dset(&["run"]).exits(2).says("not said which answers are better");
    assert_eq!(service.stats().asked, before);
}

#[test]
fn an_earlier_answer_that_cannot_be_read_is_the_stores_fault_and_not_the_questions() {
    let (folder, answers) = arithmetic(4);
    let service = service(answers, 1.0);
    let fresh = ["--gold", "gold", "--on-fail", "retry", "--retry", "fresh", "--tries", "1"];
    service.run(&folder, &fresh).exits(3);
    folder.sql("DELETE FROM answers WHERE id = 2");
    let more = ["--gold", "gold", "--on-fail", "retry", "-c", "1"];
    let broken = service.run(&folder, &more).exits(1);
    assert!(!broken.err.contains("changed while"), "{}", broken.err);
    broken.says("dset.db");
}

#[test]
fn stats_count_by_check_what_failed_was_asked_again_and_cost() {
    let (folder, answers) = arithmetic(20);
    let service = service(answers, 1.0);
    folder.dset(&["prices", "set", "mock-model", "--input", "1000", "--output", "1000"]);
    let run = ["-m", "mock-model", "--gold", "gold", "--on-fail", "retry", "--tries", "2"];
    service.run(&folder, &run).exits(0);
    let stats = folder.dset(&["stats", "--json"]).exits(0).json();
    let equals = &stats["checks"][0];
    assert_eq!((&equals["check"], &equals["passed"]), (&"equals".into(), &20.into()));
    assert_eq!((&equals["failed"], &equals["asked_again"]), (&20.into(), &20.into()));
    assert_eq!(equals["spent_on_failed"]["calls"], 20);
    assert_eq!(stats["checks"][1]["passed"], 40, "none was cut");
    assert_eq!(stats["all"]["answers"], 40, "those of every try");
    folder.dset(&["stats"]).exits(0).tells("20 pass, 20 fail; 20 of them asked again");
    // What asking again would cost is said where a stricter check is decided on.
    let strict = ["check", "--check", "length=..1", "--on-fail", "retry", "--tries", "9"];
    let told = folder.dset(&strict).exits(3);
    told.tells("asked again by the next run").tells("about $");
}

#[test]
fn checks_that_every_answer_passes_are_counted() {
    let (folder, service) = (Folder::with(&questions(3)), Service::friendly());
    service.run(&folder, &["--check", "lacks=never", "--check", "length=1.."]).exits(0);
    let stats = folder.dset(&["stats", "--json"]).exits(0).json();
    let checks: Vec<_> = stats["checks"].as_array().unwrap().iter().collect();
    let passed = |check: &serde_json::Value| (check["check"].clone(), check["passed"].clone());
    let three = |name: &str| (name.into(), 3.into());
    let all: Vec<_> = checks.into_iter().map(passed).collect();
    assert_eq!(all, [three("lacks"), three("length"), three("whole")]);
}

#[test]
fn an_answer_that_fails_since_its_check_changed_is_counted_by_that_cause() {
    let (folder, service) = (Folder::with(&questions(3)), Service::friendly());
    service.run(&folder, &[]).exits(0);
    service.run(&folder, &["--check", "length=..1"]).exits(3);
    let stats = folder.dset(&["stats", "--json"]).exits(0).json();
    assert_eq!(stats["failed"], serde_json::json!({ "failed check": 3 }));
}

#[test]
fn continue_keeps_the_answers_that_a_new_check_would_mark() {
    let (folder, service) = (Folder::with(&questions(3)), Service::friendly());
    service.run(&folder, &[]).exits(0);
    let check = ["--check", "length=..1"];
    service.run(&folder, &[&check[..], &["--continue"]].concat()).exits(0);
    service.run(&folder, &check).exits(0);
    assert!(!folder.read("q.csv").contains("ERROR"));
    folder.dset(&["export", "--to", "a.jsonl", "--strict"]).exits(0);
    assert_eq!(service.stats().asked, 3);
}

#[test]
fn a_question_without_an_answer_has_no_accepted_one_and_enough_is_enough() {
    let folder = Folder::with("question\nWhy?\nHow?\nWho?\n");
    let service = Service::friendly();
    folder.asks(&service);
    let check = ["--check", "length=1..", "--on-fail", "retry", "--samples", "3", "--enough", "1"];
    folder.dset(&[&["run", "-n", "2"], &check[..]].concat()).exits(0);
    let report = folder.dset(&[&["check", "--json"], &check[..]].concat()).exits(3).json();
    assert_eq!(report["not_accepted"]["count"], 0);
    assert!(report["unanswered"].as_u64().is_some_and(|count| count > 0), "{report}");
    folder.dset(&[&["run"], &check[..]].concat()).exits(0);
    folder.dset(&[&["check"], &check[..]].concat()).exits(0);
    folder.dset(&["export", "--to", "a.jsonl", "--strict"]).exits(0);
}

#[test]
fn what_rows_expect_now_is_recorded_once_it_is_decided_on() {
    let (folder, answers) = arithmetic(12);
    let service = service(answers, 0.0);
    let strict = ["--gold", "gold", "--on-fail", "retry", "--tries", "2"];
    service.run(&folder, &strict).exits(0);
    let verdicts = || folder.count("SELECT count(*) FROM verdicts WHERE list IS NOT NULL");
    assert_eq!((service.stats().asked, verdicts()), (12, 0));
    folder.write("q.csv", folder.read("q.csv").replace("#### ", "#### 9"));
    for words in [&["run"][..], &["redo", "1"]] {
        let url = service.url();
        let more = ["--base-url", &url, "--key", "none"];
        let refused = folder.dset(&[words, &more, &strict].concat()).exits(2);
        refused.says("that were accepted do not pass the checks any more");
        assert_eq!((service.stats().asked, verdicts()), (12, 0), "everything is as it was");
    }
    // Somebody who dies before the decision leaves nothing decided.
    folder.sql(
        "CREATE TRIGGER dies BEFORE INSERT ON kept BEGIN SELECT RAISE(ABORT, 'power cut'); END",
    );
    let keep = [&strict[..], &["--continue"]].concat();
    service.run(&folder, &keep).exits(1);
    assert_eq!((service.stats().asked, verdicts()), (12, 0));
    folder.sql("DROP TRIGGER dies");
    service.run(&folder, &keep).exits(0);
    service.run(&folder, &strict).exits(0);
    assert_eq!((service.stats().asked, verdicts()), (12, 12), "all are kept, and said once");
    folder.dset(&["verify"]).exits(0);
}

#[test]
fn answers_are_read_again_at_the_start_of_a_run_where_rows_expect_something_else() {
    let (folder, answers) = arithmetic(12);
    let service = service(answers, 0.0);
    let checked = ["--gold", "gold"];
    service.run(&folder, &checked).exits(0);
    folder.sql("UPDATE answers SET answer = 'What nobody reads.'");
    service.run(&folder, &checked).exits(0);
    assert_eq!(folder.count("SELECT count(*) FROM verdicts WHERE list IS NOT NULL"), 0);
    // A row more may stand for a row that is another, and of that all is to be told.
    folder.write("q.csv", folder.read("q.csv") + "\"Box 13?\",\"13\"\n");
    service.run(&folder, &checked).exits(3);
    assert_eq!(folder.count("SELECT count(*) FROM verdicts WHERE list IS NOT NULL"), 13);
    // What a check has recorded is held against what rows expect by the next run.
    folder.sql("UPDATE verdicts SET list = NULL");
    service.run(&folder, &checked).exits(0);
    folder.dset(&["check", "--gold", "gold", "--apply"]).exits(3);
    folder.sql("UPDATE verdicts SET list = NULL");
    service.run(&folder, &checked).exits(3);
    assert_eq!(service.stats().asked, 13);
}

#[test]
fn what_was_kept_though_it_failed_is_a_decision_where_it_would_be_asked_again() {
    let (folder, answers) = arithmetic(12);
    let service = service(answers, 0.5);
    service.run(&folder, &["--gold", "gold", "--on-fail", "keep"]).exits(0);
    let strict = ["--gold", "gold", "--on-fail", "retry"];
    service.run(&folder, &strict).exits(2).says("do not pass the checks any more");
    service.run(&folder, &[&strict[..], &["--continue"]].concat()).exits(0);
    service.run(&folder, &strict).exits(0);
    assert_eq!(service.stats().asked, 12);
}

#[test]
fn rows_that_failed_a_check_are_asked_with_changed_settings() {
    let (folder, service) = (Folder::with(&questions(3)), Service::friendly());
    let check = ["--check", "length=..2"];
    service.run(&folder, &check).exits(3);
    service.run(&folder, &check).exits(3);
    assert_eq!(service.stats().asked, 3, "with the same settings they were tried");
    let changed = [&check[..], &["-s", "Be brief.", "--continue"]].concat();
    service.run(&folder, &changed).exits(3);
    assert_eq!(service.stats().asked, 6);
    service.run(&folder, &changed).exits(3);
    assert_eq!(service.stats().asked, 6, "once");
}

#[test]
fn what_several_models_answered_is_placed_without_the_flags_of_their_run() {
    let (folder, service) = (Folder::with(&questions(2)), Service::friendly());
    let run = ["-m", "mm", "-m", "nn", "-s", "Be brief.", "--check", "length=..2"];
    service.run(&folder, &run).exits(3);
    assert!(folder.rows().is_empty());
    let next = || folder.dset(&["status"]).exits(0).out;
    let place = format!("--base-url {}", service.url());
    assert!(next().contains(&place), "{}", next());
    let looser = ["check", "--check", "length=..50000"];
    folder.dset(&looser).exits(0).tells("`dset check --check length=..50000 --apply`");
    folder.dset(&[&looser[..], &["--apply"]].concat()).exits(0);
    assert_eq!((folder.agreed().len(), service.stats().asked), (4, 4));
    let status = folder.dset(&["status", "--json"]).exits(0).json();
    assert_eq!(status["ledger"]["answered"], 4);
    // What asks the rest is what would have asked it before.
    folder.write("q.csv", folder.read("q.csv") + "One more?\n");
    assert!(next().contains(&place) && next().contains("--key none"), "{}", next());
    folder.dset(&["verify"]).exits(0);
}

#[cfg(unix)]
#[test]
fn a_check_that_cannot_write_what_it_places_has_not_applied_it() {
    let folder = Folder::with("question\nLong?\n");
    let long = "word ".repeat(100_000);
    let answer =
        serde_json::json!({"metadata": {"question": "Long?"}, "response": {"answer": long}});
    folder.write("answers.jsonl", format!("{answer}\n"));
    let answers = Some(folder.path("answers.jsonl"));
    let service = Service::start(MockSettings { answers, ..MockSettings::default() });
    service.run(&folder, &["--check", "length=..9"]).exits(3);
    // The store packs the answer, the outputs do not.
    let check = "dset check --check length=1.. --apply --json";
    let ran = folder.shell(&format!("ulimit -f 512; {check}")).exits(1);
    assert_eq!(ran.json()["applied"], false, "{}", ran.err);
    let told = folder.shell(check).exits(0).json();
    assert_eq!((&told["applied"], folder.agreed().len()), (&true.into(), 1));
}
