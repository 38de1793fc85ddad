//! `dset show`: a question with its answers, those that failed and why, and that nothing changes.

use crate::common::{Folder, Service, questions, until};
use dset_mock::MockSettings;
use serde_json::{Value, json};

/// A service that gives these answers: question, reasoning, answer.
fn giving(folder: &Folder, answers: &[[&str; 3]]) -> Service {
    let line = |[question, reasoning, answer]: &[&str; 3]| {
        let object = json!({
            "metadata": { "question": question },
            "response": { "reasoning": reasoning, "answer": answer },
        });
        format!("{object}\n")
    };
    folder.write("answers.json", answers.iter().map(line).collect::<String>());
    let answers = Some(folder.path("answers.json"));
    Service::start(MockSettings { answers, ..MockSettings::default() })
}

fn shown(folder: &Folder, arguments: &[&str]) -> Value {
    let all = [&["show", "--json"], arguments].concat();
    let shown = folder.dset(&all).exits(0).json();
    assert_eq!(shown["v"], 1);
    shown
}

#[test]
fn a_question_is_shown_with_its_reasoning_folded_and_its_answer() {
    let folder = Folder::with("question,status\n\"one, two\",\n\n\"Why?\nSay it.\",\nthree,\n");
    let reasoning = "1\n2\n3\n4\n5\n6\n7\n8";
    let service = giving(&folder, &[["Why?\nSay it.", reasoning, "Because.\n\n  x = 1"]]);
    service.run(&folder, &[]).exits(0);
    let before = folder.everything();
    let ran = folder.dset(&["show", "2"]).exits(0);
    let ran = ran
        .tells("2/3  Why?\n     Say it.\n     q.csv row 4\nanswered ")
        .tells(", deepseek-flash, ")
        .tells("first 6 of 8 lines; --full for all)\n  1\n  2\n  3\n  4\n  5\n  6\n\nanswer\n")
        .tells("answer\n  Because.\n\n    x = 1\n\n<- 1   3 ->     `dset show 3`\n");
    assert_eq!(ran.err, "");
    folder.dset(&["show", "2", "--full"]).exits(0).tells("  7\n  8\n\nanswer");
    assert_eq!(folder.dset(&["show", "2", "--raw"]).exits(0).out, "Because.\n\n  x = 1\n");
    let all = shown(&folder, &["2"]);
    let answer = &all["questions"][0]["answers"][0];
    assert_eq!((&all["of"], &all["questions"][0]["row"]), (&json!(3), &json!(4)));
    assert_eq!((&answer["state"], &answer["reasoning"]), (&json!("answered"), &json!(reasoning)));
    assert_eq!(folder.everything(), before);
}

#[test]
fn a_number_that_is_not_in_the_file_is_refused_with_the_last_one() {
    let folder = Folder::new();
    folder.write("in/q.csv", questions(3));
    let service = Service::friendly();
    service.run(&folder, &["in/q.csv"]).exits(0);
    let here = ["--questions", "in/q.csv"];
    folder
        .dset(&[&["show", "4"], &here[..]].concat())
        .exits(2)
        .says("there is no question 4 in `in/q.csv`")
        .says("hint: The last one is `dset show 3 --questions in/q.csv`");
    folder
        .shell("dset show 3 --questions in/q.csv")
        .exits(0)
        .tells("dset show 2 --questions in/q.csv");
    folder.dset(&["show"]).exits(2);
    folder.dset(&["show", "0"]).exits(2);
    folder.dset(&["show", "1"]).exits(0).tells("in/q.csv row 2");
}

#[test]
fn before_the_first_run_there_is_nothing_to_show_and_nothing_is_made() {
    let folder = Folder::with(&questions(3));
    folder.dset(&["show", "1"]).exits(2).says("nothing was asked yet").says("`dset run`");
    assert!(!folder.path("dset_generator").exists());
}

#[test]
fn what_failed_is_shown_with_the_last_ask_and_what_to_do() {
    let folder = Folder::with(&questions(12));
    let rules = ["Question 7,=risk", "Question 9,=500*2", "Question 3,=length"];
    let service = Service::with(&rules);
    folder.asks(&service);
    folder
        .dset(&["run", "--max-tokens", "50", "--backoff", "1ms"])
        .exits(3)
        .says("See why with `dset show --failed`");
    folder.dset(&["status"]).exits(0).tells("hint: See why with `dset show --failed`");
    let before = folder.everything();
    folder
        .shell("dset show --failed")
        .exits(0)
        .tells("3/12  Question 3, what then?  q.csv row 4\nrejected: length limit\ntry 1  not accepted\n  whole  ")
        .tells(
            "7/12  Question 7, what then?  q.csv row 8\nrejected: content filter, asked once, at ",
        )
        .tells("  last ask          400, content filter after ")
        .tells("  message           Content Exists Risk\n  request id        req_")
        .tells("2 questions of 12 ended without an answer")
        .tells("under a higher one: `dset run --max-tokens N --continue`")
        .tells("hint: Ask the failed questions again with `dset run --max-tokens 50`");
    let all = shown(&folder, &["--failed"]);
    let last = &all["questions"][1]["answers"][0]["last_ask"];
    assert_eq!((&last["status"], &last["asks"]), (&json!(400), &json!(1)));
    assert!(last["request_id"].as_str().unwrap().starts_with("req_"));
    // An answer that took three asks says so, and is not among them.
    folder.dset(&["show", "9"]).exits(0).tells(", 3 asks\n");
    folder.dset(&["show", "7"]).exits(0).tells("rejected: content filter");
    folder.dset(&["show", "7", "--raw"]).exits(1).says("there is no answer yet");
    assert_eq!(folder.everything(), before);
}

#[test]
fn where_nothing_failed_that_is_said() {
    let folder = Folder::with(&questions(2));
    Service::friendly().run(&folder, &[]).exits(0);
    folder.dset(&["show", "--failed"]).exits(0).tells("no question ended without an answer");
    assert_eq!(shown(&folder, &["--failed"])["questions"], json!([]));
}

#[test]
fn a_row_that_was_marked_because_the_service_was_gone_is_among_those_that_failed() {
    let folder = Folder::with(&questions(4));
    let service = Service::with(&["Question=503"]);
    service.run(&folder, &["-c", "1", "--retries", "0"]).exits(6);
    folder
        .dset(&["show", "--failed"])
        .exits(0)
        .tells("1/4  Question 1, what then?")
        .tells("marked ERROR: the service could not be reached")
        .tells("  last ask          503, ");
    folder.dset(&["show", "2"]).exits(0).tells("2/4  Question 2").tells("not answered yet");
}

#[test]
fn the_newest_answers_come_first_and_say_where_they_belong() {
    let folder = Folder::with(&questions(3));
    let service = Service::friendly();
    service.run(&folder, &["-c", "1"]).exits(0);
    let numbers = |arguments: &[&str]| {
        let all = shown(&folder, arguments);
        let numbers = all["questions"].as_array().unwrap().iter();
        numbers.map(|question| question["question"].as_u64()).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&["--last"]), [Some(3)]);
    assert_eq!(numbers(&["--last", "2"]), [Some(3), Some(2)]);
    assert_eq!(numbers(&["--last", "9"]), [Some(3), Some(2), Some(1)]);
    // A row that was removed, and another that moved.
    let more: String = questions(2).lines().rev().take(2).map(|row| format!("{row}\n")).collect();
    folder.write("q.csv", format!("question,status\n{more}"));
    assert_eq!(numbers(&["--last", "3"]), [None, Some(1), Some(2)]);
    folder
        .dset(&["show", "--last"])
        .exits(0)
        .tells("-  Question 3, what then?  no longer in q.csv");
}

#[test]
fn every_sample_and_every_model_is_shown_with_its_head() {
    let folder = Folder::with(&questions(2));
    let service = Service::friendly();
    service.run(&folder, &["-m", "one", "-m", "two", "--samples", "2"]).exits(0);
    let all = shown(&folder, &["2"]);
    let answers = all["questions"][0]["answers"].as_array().unwrap().iter();
    let heads: Vec<_> =
        answers.map(|a| (a["model"].as_str().unwrap().to_owned(), a["sample"].clone())).collect();
    let expected = [("one", 0), ("one", 1), ("two", 0), ("two", 1)];
    assert_eq!(heads, expected.map(|(model, sample)| (model.to_owned(), json!(sample))));
    folder.dset(&["show", "2"]).exits(0).tells(", two, sample 1, ");
    // What the last run did not want is still there.
    service.run(&folder, &["-m", "two"]).exits(0);
    assert_eq!(shown(&folder, &["2"])["questions"][0]["answers"].as_array().unwrap().len(), 4);
    assert_eq!(folder.dset(&["show", "2", "--raw"]).exits(0).out.matches("\n\n").count(), 3);
}

#[test]
fn while_a_run_goes_on_what_is_there_can_be_read() {
    let folder = Folder::with(&questions(5));
    let service = Service::with(&["Question 5,=hang"]);
    let going = service.begin(&folder, &[]);
    until("four answers", || {
        folder.path("dset_generator/dset.db").exists()
            && folder.dset(&["status", "--json"]).exits(0).json()["ledger"]["answered"] == 4
    });
    folder.dset(&["show", "4"]).exits(0).tells("\nanswer\n");
    folder.dset(&["show", "5"]).exits(0).tells("not answered yet");
    going.kill();
}

#[cfg(unix)]
#[test]
fn in_a_folder_that_may_only_be_read_everything_can_be_shown() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::with(&questions(2));
    Service::friendly().run(&folder, &[]).exits(0);
    let output = folder.path("dset_generator");
    let allow = |mode| {
        std::fs::set_permissions(&output, std::fs::Permissions::from_mode(mode)).unwrap();
        let store = std::fs::Permissions::from_mode(mode & 0o644);
        std::fs::set_permissions(output.join("dset.db"), store).unwrap();
    };
    allow(0o555);
    let ran = folder.dset(&["show", "2"]);
    allow(0o755);
    ran.exits(0).tells("\nanswer\n");
}

/// What a terminal of this size is shown.
#[cfg(target_os = "linux")]
fn on_terminal(folder: &Folder, size: [u16; 2], pager: &str, command: &str) -> String {
    let [columns, rows] = size;
    let binary = env!("CARGO_BIN_EXE_dset");
    let line = format!("stty cols {columns} rows {rows}; exec {binary} {command}");
    let mut script = std::process::Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).current_dir(folder.path("."));
    script.env("PAGER", pager).env("LANG", "C.UTF-8").env_remove("LC_ALL").env("NO_COLOR", "1");
    let ran = script.stdin(std::process::Stdio::null()).output().unwrap();
    String::from_utf8(ran.stdout).unwrap().replace("\r\n", "\n")
}

#[cfg(target_os = "linux")]
#[test]
fn on_a_terminal_lines_fit_and_what_is_longer_goes_through_the_pager() {
    let folder = Folder::with("question,status\nWhy?,\n");
    let answer = "漢字 and words \x1b[2J that take more than one line of a terminal, as they do";
    let service = giving(&folder, &[["Why?", "a\nb\nc\nd\ne\nf\ng\nh", answer]]);
    service.run(&folder, &[]).exits(0);
    let seen = on_terminal(&folder, [40, 50], "sed s/^/paged:/", "show 1");
    assert!(!seen.contains("paged:"), "it fits: {seen}");
    assert!(!seen.contains('\x1b'), "{seen:?}");
    assert!(seen.contains("  漢字 and words  that take more than\n  one line"), "{seen}");
    assert!(seen.lines().all(|line| line.chars().count() <= 40), "{seen}");
    let paged = on_terminal(&folder, [40, 10], "sed s/^/paged:/", "show 1 --full");
    assert!(paged.contains("paged:  h\n"), "{paged}");
    // None, one that is not there, and one that is left at once.
    for pager in ["", "no-such-pager-at-all"] {
        let seen = on_terminal(&folder, [40, 10], pager, "show 1 --full");
        assert!(seen.contains("\n  h\n") && !seen.contains("no-such"), "{pager}: {seen}");
    }
    assert_eq!(on_terminal(&folder, [40, 10], "true", "show 1 --full").trim(), "");
}

#[test]
fn of_a_file_without_questions_no_last_one_is_named() {
    let folder = Folder::with("question,status\nOne?,\n");
    Service::friendly().run(&folder, &[]).exits(0);
    folder.write("q.csv", "question,status\n");
    let ran = folder.dset(&["show", "1"]).exits(2);
    assert!(!ran.err.contains("show 0") && ran.err.contains("hint: Write one"), "{}", ran.err);
}

#[test]
fn the_hint_after_a_run_shows_the_failed_questions_of_that_run() {
    let folder = Folder::with("One?\nTwo?\n");
    let service = Service::with(&["Two=risk"]);
    let ran = service.run(&folder, &["--header", "no", "-o", "far", "--column", "1"]).exits(3);
    let command = "dset show --failed -o far --column 1 --header no";
    let ran = ran.says(&format!("See why with `{command}`"));
    assert!(ran.err.contains("row 2"), "{}", ran.err);
    folder.shell(command).exits(0).tells("Two?");
}

#[test]
fn the_newest_are_the_answers_that_count() {
    let folder = Folder::with("question\nOne?\nTwo?\nThree?\n");
    let service =
        giving(&folder, &[["One?", "", "yes"], ["Two?", "", "no"], ["Three?", "", "yes"]]);
    folder.asks(&service);
    let last = |most: &str| -> Vec<Option<u64>> {
        let all = shown(&folder, &["--last", most]);
        let of = |question: &Value| question["question"].as_u64();
        all["questions"].as_array().unwrap().iter().map(of).collect()
    };
    folder.dset(&["run", "-c", "1"]).exits(0);
    folder.dset(&["redo", "1"]).exits(0);
    let set_aside = "what was set aside is none, and what came in its place is one";
    assert_eq!(last("4"), [Some(1), Some(3), Some(2)], "{set_aside}");
    folder.dset(&["run", "--check", "matches=yes", "--on-fail", "mark"]).exits(3);
    assert_eq!(last("4"), [Some(1), Some(3)], "what fails a check is none");
}
