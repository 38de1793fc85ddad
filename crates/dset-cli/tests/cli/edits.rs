//! What a run buys after an edit: of the file, of the settings, of what is written.
//!
//! The table says what must be, from the rules in `docs/concepts.md`; it is not what the program
//! was seen to do.
#![allow(clippy::print_stdout, reason = "what was seen is shown where a test fails")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::{Folder, Service, until};

/// Six questions. Each cell is what is asked, and then the rows of every output:
/// `-` asks nothing, `456` asks questions 4, 5 and 6, `all` asks every row of the edited file.
/// `stop` asks nothing, changes no output and exits 2; every other cell exits 0. Where the outputs
/// differ, their rows are those of csv, json and txt; `x` is an output that is not there.
///
/// - success: all six are answered.
/// - outage: 1, 2 and 3 are answered, the service failed at 4, which is marked ERROR (exit 6).
/// - limit: 1, 2 and 3 are answered, then `-n 3` ended the run (exit 0).
/// - kill: 1, 3 and 4 are durable, 2, 5 and 6 were on their way when `kill -9` came. 3 and 4 wait
///   for 2, so that only 1 is in the outputs.
///
/// A deleted or mended row stays in the outputs if it was there. That is why to mend question 3
/// leaves seven rows behind except after the kill, where its first answer had not come so far.
const TABLE: &str = "
edit                     | success                | outage                    | limit                     | kill
                         | run   continue  again  | run     continue  again   | run     continue  again   | run     continue  again
nothing                  | -/6    -/6     all/6   | 456/6   456/6     all/6   | 456/6   456/6     all/6   | 256/6   256/6     all/6
add a row                | 7/7    7/7     all/7   | 4567/7  4567/7    all/7   | 4567/7  4567/7    all/7   | 2567/7  2567/7    all/7
delete an answered row   | -/6    -/6     all/5   | 456/6   456/6     all/5   | 456/6   456/6     all/5   | 256/6   256/6     all/5
delete a later row       | -/6    -/6     all/5   | 46/5    46/5      all/5   | 46/5    46/5      all/5   | 26/5    26/5      all/5
reorder                  | -/6    -/6     all/6   | 456/6   456/6     all/6   | 456/6   456/6     all/6   | 256/6   256/6     all/6
mend a question          | 3/7    3/7     all/6   | 3456/7  3456/7    all/6   | 3456/7  3456/7    all/6   | 2356/6  2356/6    all/6
mend another column      | -/6    -/6     all/6   | 456/6   456/6     all/6   | 456/6   456/6     all/6   | 256/6   256/6     all/6
change the template      | stop/6 -/6     all/6   | stop/3  456/6     all/6   | stop/3  456/6     all/6   | stop/1  256/6     all/6
change the system prompt | stop/6 -/6     all/6   | stop/3  456/6     all/6   | stop/3  456/6     all/6   | stop/1  256/6     all/6
change the model         | stop/6 -/6     all/6   | stop/3  456/6     all/6   | stop/3  456/6     all/6   | stop/1  256/6     all/6
change the temperature   | stop/6 -/6     all/6   | stop/3  456/6     all/6   | stop/3  456/6     all/6   | stop/1  256/6     all/6
change the token limit   | stop/6 -/6     all/6   | stop/3  456/6     all/6   | stop/3  456/6     all/6   | stop/1  256/6     all/6
change the base URL      | -/6    -/6     all/6   | 456/6   456/6     all/6   | 456/6   456/6     all/6   | 256/6   256/6     all/6
leave output.txt out     | -/6    -/6     all/6,6,x | 456/6,6,3 456/6,6,3 all/6,6,x | 456/6,6,3 456/6,6,3 all/6,6,x | 256/6,6,1 256/6,6,1 all/6,6,x
";

const STATES: [&str; 4] = ["success", "outage", "limit", "kill"];
const DECISIONS: [&[&str]; 3] = [&[], &["--continue"], &["--again"]];

/// The file, a row each: question, topic.
fn rows() -> Vec<(String, &'static str)> {
    let topics = ["geo", "", "bio", "", "", "art"];
    (1..).zip(topics).map(|(number, topic)| (format!("Question {number}?"), topic)).collect()
}

fn file(rows: &[(String, &str)]) -> String {
    let lines = rows.iter().map(|(question, topic)| format!("{question},{topic},\n"));
    format!("question,topic,status\n{}", lines.collect::<String>())
}

/// What is asked, by the numbers in the questions, one as often as it is asked.
fn asked(service: &Service) -> String {
    let number = |text: &str| text.chars().find(char::is_ascii_digit).unwrap();
    let mut numbers: Vec<char> = service
        .asked()
        .iter()
        .flat_map(|(text, times)| std::iter::repeat_n(number(text), *times as usize))
        .collect();
    numbers.sort_unstable();
    numbers.into_iter().collect()
}

/// A folder in which a run has ended so.
fn state(name: &str) -> Folder {
    let folder = Folder::with(&file(&rows()));
    match name {
        "success" => drop(Service::friendly().run(&folder, &[]).exits(0)),
        "outage" => {
            let service = Service::with(&["Question 4=503", "Question 5=503", "Question 6=503"]);
            let waits = ["-c", "1", "--retries", "1", "--backoff", "10ms"];
            service.run(&folder, &waits).exits(6);
            assert!(folder.read("q.csv").contains("Question 4?,,ERROR\n"));
        }
        "limit" => drop(Service::friendly().run(&folder, &["-n", "3"]).exits(0)),
        "kill" => kill(&folder, &[]),
        _ => panic!("{name}"),
    }
    folder
}

/// Runs until 1, 3 and 4 are durable and 2, 5 and 6 on their way, and kills the run there.
fn kill(folder: &Folder, arguments: &[&str]) {
    let service = Service::with(&["Question 2=hang", "Question 5=hang", "Question 6=hang"]);
    let run = service.begin(folder, &[arguments, &["-c", "3"]].concat());
    // A slot is free again when its answer is durable: six asked at width 3, so three are.
    until("six are asked", || service.stats().asked == 6);
    // The last of the outputs to get a row is output.txt.
    until("the first row is in the outputs", || {
        let txt = folder.path("dset_generator/output.txt");
        std::fs::read_to_string(txt).is_ok_and(|text| text.ends_with("\n\n"))
    });
    run.kill();
    assert_eq!(service.stats().answered, 3);
}

/// Edits the file of a folder, or returns the arguments that are the edit.
fn edit(folder: &Folder, name: &str) -> Vec<&'static str> {
    let mut rows = rows();
    let arguments: &[&str] = match name {
        "nothing" | "change the base URL" => &[],
        "add a row" => {
            rows.insert(3, ("Question 7?".to_owned(), "new"));
            &[]
        }
        "delete an answered row" => {
            rows.remove(0);
            &[]
        }
        "delete a later row" => {
            rows.remove(4);
            &[]
        }
        "reorder" => {
            rows.reverse();
            &[]
        }
        "mend a question" => {
            rows[2].0 = "Question 3 mended?".to_owned();
            &[]
        }
        "mend another column" => {
            rows[2].1 = "biology";
            &[]
        }
        "change the template" => &["-t", "Say: {{ question }}"],
        "change the system prompt" => &["-s", "Be brief."],
        "change the model" => &["-m", "other"],
        "change the temperature" => &["--temperature", "0.5"],
        "change the token limit" => &["--max-tokens", "5000"],
        "leave output.txt out" => &["--formats", "csv,json"],
        _ => panic!("{name}"),
    };
    // The mark of an outage moves with its row, as in a spreadsheet.
    let marked = folder.read("q.csv").contains("Question 4?,,ERROR");
    let mark = if marked { "Question 4?,,ERROR\n" } else { "Question 4?,,\n" };
    folder.write("q.csv", file(&rows).replace("Question 4?,,\n", mark));
    arguments.to_vec()
}

/// The rows of csv, json and txt, as the table says them.
fn rows_written(folder: &Folder) -> String {
    let read =
        |kind| std::fs::read_to_string(folder.path(&format!("dset_generator/output.{kind}")));
    let count = |kind, of: fn(&str) -> usize| read(kind).map_or("x".into(), |t| of(&t).to_string());
    let counts: [String; 3] = [
        count("csv", |text| text.lines().count() - 1),
        count("json", |text| text.lines().count()),
        count("txt", |text| text.matches("Timestamp: ").count()),
    ];
    if counts.iter().all(|one| *one == counts[0]) { counts[0].clone() } else { counts.join(",") }
}

/// One cell: returns what was seen, in the table's words, and panics where a rule is broken that
/// the table does not show.
fn cell(state: &Folder, name: &str, decision: &[&str], waiting: &str) -> String {
    let folder = state.copy();
    let arguments = edit(&folder, name);
    let service = Service::friendly();
    let url = service.url();
    let url = if name == "change the base URL" { format!("{url}/v1") } else { url };
    let run = |arguments: &[&str]| {
        folder.dset(&[&["run", "--base-url", &url, "--key", "none"], arguments].concat())
    };
    let (file, written) = (folder.read("q.csv"), rows_written(&folder));
    let ran = run(&[&arguments[..], decision].concat());
    let seen = asked(&service);
    let every: String = {
        let mut numbers: Vec<char> =
            file.lines().skip(1).filter_map(|l| l.chars().find(char::is_ascii_digit)).collect();
        numbers.sort_unstable();
        numbers.into_iter().collect()
    };
    if ran.code == Some(2) {
        assert!(ran.err.contains("bought with other settings"), "{}", ran.err);
        assert_eq!((seen.as_str(), rows_written(&folder)), ("", written.clone()));
        assert_eq!(folder.read("q.csv"), file);
        // The old settings find the old answers.
        run(&[]).exits(0);
        assert_eq!(asked(&service), waiting);
        assert_eq!(folder.agreed().len(), 6);
        return format!("stop/{written}");
    }
    let asks = match seen.as_str() {
        "" => "-",
        seen if seen == every => "all",
        seen => seen,
    };
    let cell = format!("{asks}/{}", rows_written(&folder));
    let ran = ran.exits(0);
    assert!(!folder.read("q.csv").contains("ERROR"), "every mark is cleared: {}", ran.err);
    // Once more without a decision: nothing is asked, and no byte changes.
    let bytes = || {
        ["csv", "json", "txt"]
            .map(|k| std::fs::read(folder.path(&format!("dset_generator/output.{k}"))).ok())
    };
    let before = bytes();
    run(&arguments).exits(0);
    assert_eq!(asked(&service), seen, "a run without a decision asks nothing");
    assert!(bytes() == before, "and changes nothing");
    if name == "leave output.txt out" {
        run(&[]).exits(0);
        assert_eq!(asked(&service), seen, "an output that is added asks nothing");
    }
    folder.agreed();
    cell
}

#[test]
fn every_edit_buys_what_the_table_says_and_nothing_else() {
    let lines: Vec<Vec<&str>> =
        TABLE.trim().lines().skip(2).map(|line| line.split('|').map(str::trim).collect()).collect();
    let mut cells = Vec::new();
    for line in &lines {
        for (at, state) in STATES.iter().enumerate() {
            let expected: Vec<&str> = line[at + 1].split_whitespace().collect();
            assert_eq!(expected.len(), DECISIONS.len(), "{line:?}");
            let of = |(decision, expected)| (line[0], *state, decision, expected);
            cells.extend(DECISIONS.into_iter().zip(expected).map(of));
        }
    }
    let states: BTreeMap<&str, Folder> = std::thread::scope(|scope| {
        let made = STATES.map(|name| (name, scope.spawn(move || state(name))));
        made.into_iter().map(|(name, thread)| (name, thread.join().unwrap())).collect()
    });
    let (next, seen) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some((name, state, decision, _)) =
                    cells.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let waiting = ["", "456", "456", "256"]
                        [STATES.iter().position(|one| one == state).unwrap()];
                    let cell = || cell(&states[state], name, decision, waiting);
                    let cell = std::panic::catch_unwind(std::panic::AssertUnwindSafe(cell));
                    let cell = cell.unwrap_or_else(|_| "failed".to_owned());
                    seen.lock().unwrap().insert((*name, *state, *decision), cell);
                }
            });
        }
    });
    let seen = seen.into_inner().unwrap();
    let mut table = String::new();
    for line in &lines {
        write!(table, "{:<24}", line[0]).unwrap();
        for state in STATES {
            let of = |decision| seen[&(line[0], state, decision)].as_str();
            write!(table, " | {}", DECISIONS.map(of).join("  ")).unwrap();
        }
        table.push('\n');
    }
    println!("{table}");
    let wrong: Vec<String> = cells
        .iter()
        .filter(|(name, state, decision, expected)| seen[&(*name, *state, *decision)] != *expected)
        .map(|(name, state, decision, expected)| {
            let was = &seen[&(*name, *state, *decision)];
            format!("{name}, after {state}, {decision:?}: expected {expected}, was {was}")
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn one_of_two_equal_rows_may_be_deleted_or_moved() {
    let file = |rows: &str| {
        let lines = rows.chars().map(|row| format!("Question {row}?,,\n"));
        format!("question,topic,status\n{}", lines.collect::<String>())
    };
    // What the file holds run after run, what each run asks, and the rows at the end.
    for (steps, rows) in [
        // Two of three are answered; one of the two goes, wherever it stood.
        (&[("1213", "1123"), ("213", ""), ("123", ""), ("3211", ""), ("11213", "1")][..], 5),
        // A third one is a third question, and the third one again finds its answer.
        (&[("11", "11"), ("111", "1"), ("1", ""), ("111", ""), ("2", "2"), ("1121", "")][..], 4),
    ] {
        let folder = Folder::new();
        let service = Service::friendly();
        let mut all = String::new();
        for (at, (now, asks)) in steps.iter().enumerate() {
            folder.write("q.csv", file(now));
            service.run(&folder, &[]).exits(0);
            all.push_str(asks);
            let mut expected: Vec<char> = all.chars().collect();
            expected.sort_unstable();
            let expected: String = expected.into_iter().collect();
            assert_eq!(asked(&service), expected, "step {at}: {now}");
            folder.agreed();
        }
        assert_eq!(folder.agreed().len(), rows);
    }
}

#[test]
fn one_of_two_equal_rows_deleted_before_the_other_was_asked_is_not_missed() {
    let file = "question,topic,status\nQuestion 1?,,\nQuestion 2?,,\nQuestion 1?,,\n";
    let folder = Folder::with(file);
    let service = Service::friendly();
    service.run(&folder, &["-n", "1"]).exits(0);
    folder.write("q.csv", "question,topic,status\nQuestion 2?,,\nQuestion 1?,,\n");
    service.run(&folder, &[]).exits(0);
    assert_eq!(asked(&service), "12", "the answer that is there is the answer of the row left");
    folder.write("q.csv", file);
    service.run(&folder, &[]).exits(0);
    assert_eq!((asked(&service).as_str(), folder.agreed().len()), ("112", 3));
}

#[test]
fn a_row_mended_and_mended_back_or_deleted_and_added_again_is_not_bought_again() {
    for before in ["success", "outage", "limit", "kill"] {
        let folder = state(before);
        let service = Service::friendly();
        let mut last = String::new();
        // Each edit in turn, and back again after it.
        for name in ["mend a question", "delete an answered row", "reorder", "mend another column"]
        {
            for name in [name, "nothing"] {
                edit(&folder, name);
                service.run(&folder, &[]).exits(0);
                last = asked(&service);
                folder.agreed();
            }
        }
        let expected = match before {
            "success" => "3",
            "kill" => "2356",
            _ => "3456",
        };
        assert_eq!(last, expected, "after {before}");
        let mut rows = folder.agreed();
        rows.sort();
        assert_eq!(rows.len(), 7, "each answer is in the outputs once");
        rows.dedup();
        assert_eq!(rows.len(), 7);
    }
}

#[test]
fn an_answer_whose_row_was_mended_before_it_was_written_comes_back_with_its_row() {
    // 3 is durable and waits for 2; its row is mended, the run ends, and the row is as it was.
    let folder = state("kill");
    let service = Service::friendly();
    edit(&folder, "mend a question");
    service.run(&folder, &[]).exits(0);
    assert!(!folder.agreed().contains(&"Question 3?".to_owned()), "no row without a question");
    edit(&folder, "nothing");
    service.run(&folder, &[]).exits(0);
    assert_eq!(asked(&service), "2356");
    assert_eq!(folder.agreed().last().unwrap(), "Question 3?");
}

#[test]
fn settings_changed_and_changed_back_find_the_old_answers() {
    let folder = state("limit");
    let service = Service::friendly();
    let other = ["-s", "Be brief."];
    // One more with the other settings, then back.
    service.run(&folder, &[&other[..], &["--continue", "-n", "1"]].concat()).exits(0);
    assert_eq!(asked(&service), "4");
    service.run(&folder, &["-n", "1"]).exits(0).says("keeping 1 answer bought with other settings");
    service.run(&folder, &other).exits(0).says("keeping 4 answers bought with other settings");
    service.run(&folder, &[]).exits(0);
    assert_eq!((asked(&service).as_str(), folder.agreed().len()), ("456", 6));
    // A third kind wants a decision of its own, about all six.
    service.run(&folder, &["--temperature", "1"]).exits(2).says("6 answers were bought");
    // Asked again with the other settings, the old ones want a decision: these rows are others.
    service.run(&folder, &[&other[..], &["--again"]].concat()).exits(0);
    assert_eq!(asked(&service), "123445566");
    service.run(&folder, &other).exits(0);
    service.run(&folder, &[]).exits(2).says("6 answers were bought with other settings");
    service.run(&folder, &["--continue"]).exits(0);
    assert_eq!((asked(&service).as_str(), folder.agreed().len()), ("123445566", 6));
}

#[test]
fn to_continue_and_to_be_interrupted_needs_no_second_decision() {
    let folder = state("limit");
    let settings = ["-s", "Be brief."];
    let service = Service::with(&["Question 5=hang", "Question 6=hang"]);
    let run = service.begin(&folder, &[&settings[..], &["--continue", "-c", "2"]].concat());
    until("4 is durable", || service.stats().asked == 3);
    run.kill();
    let service = Service::friendly();
    service.run(&folder, &settings).exits(0);
    assert_eq!((asked(&service).as_str(), folder.agreed().len()), ("56", 6));
}

#[test]
fn to_ask_all_again_and_to_be_killed_buys_nothing_twice() {
    let other = ["-s", "Be brief."];
    for (how, arguments, asks) in [
        ("again, the same settings", &["--again"][..], "256"),
        ("neither", &[], "256"),
        ("to continue, which is said for nothing", &["--continue"], "256"),
        ("again, other settings: all of them", &["--again", "-s", "Be brief."], "123456"),
        ("other settings, which are kept to", &["--continue", "-s", "Be brief."], "256"),
    ] {
        let folder = state("success");
        kill(&folder, &["--again"]);
        let service = Service::friendly();
        if arguments.contains(&"-s") {
            service.run(&folder, &other).exits(2).says("3 answers were bought with other settings");
        }
        let ran = service.run(&folder, arguments).exits(0);
        assert_eq!(asked(&service), asks, "{how}");
        assert_eq!(folder.agreed().len(), 6, "{how}");
        assert_eq!(ran.err.contains("as an earlier run began"), how == "again, the same settings");
        let same: Vec<&str> =
            arguments.iter().filter(|word| !word.starts_with("--")).copied().collect();
        service.run(&folder, &same).exits(0);
        assert_eq!(asked(&service), asks, "{how}, and once more");
        // Once it is finished, to ask again is to ask again.
        service.run(&folder, &[&same[..], &["--again"]].concat()).exits(0);
        assert_eq!(asked(&service).len(), asks.len() + 6, "{how}");
    }
}

#[test]
fn a_template_that_renders_the_same_prompt_buys_nothing() {
    let folder = state("success");
    let service = Service::friendly();
    // Questions 1, 3 and 6 have a topic; the prompts of the others stay as they were.
    let with_topic = "{{ question }}{% if topic %} ({{ topic }}){% endif %}";
    service.run(&folder, &["-t", with_topic]).exits(2).says("3 answers were bought with other");
    service.run(&folder, &["-t", with_topic, "--continue"]).exits(0);
    // One that renders every prompt as it was is no change at all.
    service.run(&folder, &["-t", "{{ question }}{# the same #}"]).exits(0);
    assert_eq!(asked(&service), "");
    service.run(&folder, &["-t", with_topic, "--again"]).exits(0);
    assert_eq!(asked(&service), "123456");
    // A column that the template uses is mended: that row is another request.
    edit(&folder, "mend another column");
    service.run(&folder, &["-t", with_topic]).exits(0);
    assert_eq!(asked(&service), "1233456");
    edit(&folder, "nothing");
    service.run(&folder, &["-t", with_topic]).exits(0);
    assert_eq!((asked(&service).as_str(), folder.agreed().len()), ("1233456", 7));
}

#[test]
fn rows_before_a_bare_bookmark_stay_taken_as_answered_until_they_are_wanted() {
    let marked = file(&rows()).replace("Question 4?,,\n", "Question 4?,,ERROR\n");
    let bare = || (Folder::with(&marked), Service::friendly());
    let (folder, service) = bare();
    let ran = service.run(&folder, &["-n", "1", "--from-bookmark"]).exits(0);
    ran.says("starting at the bookmark in row 5");
    // Edited and continued with other settings, they still are.
    edit(&folder, "reorder");
    service.run(&folder, &["-s", "Be brief.", "--continue"]).exits(0);
    assert_eq!(asked(&service), "456");
    service.run(&folder, &["-s", "Be brief.", "--from-start"]).exits(0);
    assert_eq!((asked(&service).as_str(), folder.agreed().len()), ("123456", 6));
    service.run(&folder, &["-s", "Be brief.", "--from-start"]).exits(0);
    assert_eq!(asked(&service), "123456", "said again, it buys nothing again");
    // Said at once, there is no bookmark to start at; to ask all again asks all.
    for decision in ["--from-start", "--again"] {
        let (folder, service) = bare();
        service.run(&folder, &[decision]).exits(0);
        assert_eq!((asked(&service).as_str(), folder.agreed().len()), ("123456", 6), "{decision}");
        assert_eq!(folder.read("q.csv"), file(&rows()));
    }
}

#[test]
fn the_commands_in_the_hints_of_a_decision_do_what_they_say() {
    for (word, asks) in [("--continue", "456"), ("--again", "123456")] {
        let folder = state("limit");
        let service = Service::friendly();
        let ran = service.run(&folder, &["-s", "Isn't it brief?"]).exits(2);
        let hint = ran.err.lines().find(|line| line.contains(word)).unwrap();
        let command = hint.split('`').nth(1).unwrap();
        let binary = folder.command(&[]).get_program().to_owned();
        let binary = std::path::Path::new(&binary).parent().unwrap();
        let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
        let mut shell = std::process::Command::new("sh");
        let ran = shell.args(["-c", command]).env("PATH", path).current_dir(folder.path(""));
        assert!(ran.output().unwrap().status.success(), "{command}");
        assert_eq!((asked(&service).as_str(), folder.agreed().len()), (asks, 6), "{command}");
        service.run(&folder, &["-s", "Isn't it brief?"]).exits(0);
        assert_eq!(asked(&service), asks);
    }
}

#[test]
fn a_column_mended_under_settings_that_did_not_buy_its_row_is_asked() {
    let folder = Folder::with(&file(&rows()));
    let template = ["-t", "{{ question }} {{ topic }}"];
    let service = Service::friendly();
    service.run(&folder, &template).exits(0);
    let other = [&template[..], &["-s", "Be brief."]].concat();
    service.run(&folder, &[&other[..], &["--continue"]].concat()).exits(0);
    edit(&folder, "mend another column");
    service.run(&folder, &other).exits(0);
    assert_eq!(asked(&service), "1233456");
}

#[test]
fn answers_that_other_settings_bought_stay_with_the_rows_that_asked_for_them() {
    let service = crate::prompts::Recorder::counting(serde_json::Value::Null);
    let rows = |rows: &[&str]| {
        let rows = rows.iter().map(|row| format!("Translate,{row}\n"));
        format!("question,v\n{}", rows.collect::<String>())
    };
    let folder = Folder::with(&rows(&["eins", "zwei", "drei"]));
    let template = ["-t", "{{ question }}: {{ v }}"];
    service.run(&folder, &template).exits(0);
    let later = [&template[..], &["--temperature", "0.5"]].concat();
    service.run(&folder, &[&later[..], &["--continue"]].concat()).exits(0);
    assert_eq!(service.prompts(), ["Translate: eins", "Translate: zwei", "Translate: drei"]);
    for (edited, asked) in [
        (&["null", "eins", "zwei", "drei"][..], &["Translate: null"][..]),
        (&["drei", "null", "eins"], &[]),
        (&["eins", "fünf", "drei"], &["Translate: fünf"]),
    ] {
        folder.write("q.csv", rows(edited));
        service.run(&folder, &later).exits(0);
        assert_eq!(service.prompts(), asked, "{edited:?}");
    }
    // Another template asks nothing else of the rows that are as they were.
    let other = ["-t", "Please: {{ question }}: {{ v }}", "--temperature", "0.5"];
    service.run(&folder, &[&other[..], &["--continue"]].concat()).exits(0);
    assert_eq!(service.prompts(), [""; 0]);
    folder.write("q.csv", rows(&["eins", "sechs", "drei"]));
    service.run(&folder, &other).exits(0);
    assert_eq!(service.prompts(), ["Please: Translate: sechs"]);
}

#[test]
fn an_answer_stays_with_the_document_it_is_of_when_columns_are_renamed_and_rows_put_before_it() {
    for (template, asked) in [("{{ question }} {{ text }}", 3), ("{{ text }}: {{ question }}", 5)] {
        let folder = Folder::with("question,doc\nSum up,alpha\nSum up,beta\n");
        let service = Service::friendly();
        let answers = |to: &str| {
            folder.dset(&["export", "--to", to, "--layout", "prompt-completion"]).exits(0);
            let read = |line: &str| {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                let prompt = line["prompt"].as_str().unwrap().to_owned();
                let is_in = |document: &&str| prompt.contains(document);
                let document = ["alpha", "beta", "gamma"].into_iter().find(is_in).unwrap();
                (document, line["completion"].clone())
            };
            folder.read(to).lines().map(read).collect::<BTreeMap<_, _>>()
        };
        service.run(&folder, &["-t", "{{ question }} {{ doc }}"]).exits(0);
        let before = answers("before.jsonl");
        folder.write("q.csv", "question,text\nSum up,gamma\nSum up,alpha\nSum up,beta\n");
        service.run(&folder, &["-t", template, "--continue"]).exits(0);
        assert_eq!(service.stats().asked, asked, "{template}");
        let after = answers("after.jsonl");
        assert_eq!((before.len(), after.len()), (2, 3));
        for (document, answer) in &after {
            let was = before.iter().find(|(_, before)| *before == answer).map(|(was, _)| was);
            let expected = Some(document).filter(|_| asked == 3 && *document != "gamma");
            assert_eq!(was, expected, "{template}");
        }
        service.run(&folder, &["-t", template]).exits(0);
        assert_eq!(service.stats().asked, asked, "{template}");
    }
}
