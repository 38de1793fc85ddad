//! A folder made for the original script works unchanged.

use crate::common::{Folder, Service};
use dset_mock::MockSettings;

const QUESTIONS: &str = "question,status,topic\n\"What is the capital of France?\",,geo\n,,\n\"Please fail, now\",,x\nLast one\n";
const MARKED: &str = "question,status,topic\n\"What is the capital of France?\",,geo\n,,\n\"Please fail, now\",ERROR,x\nLast one\n";

/// What the script left behind for the first question.
const CSV: &str = "timestamp,question,thoughts,final_answer\r\n2026-11-22 11:49:24,What is the capital of France?,\"The capital…\nline 2\",\"=Paris, \"\"the\"\" city\nof light — é\"\r\n";
const JSON: &str = "{\"metadata\": {\"timestamp\": \"2026-11-22 11:49:24\", \"question\": \"What is the capital of France?\"}, \"response\": {\"reasoning\": \"The capital…\\nline 2\", \"answer\": \"=Paris, \\\"the\\\" city\\nof light — é\"}}\n";
const TXT: &str = "Timestamp: 2026-11-22 11:49:24\nQuestion: What is the capital of France?\nThought Process: The capital…\nline 2\nFinal Answer: =Paris, \"the\" city\nof light — é\n--------------------------------------------------\n\n";

fn service(folder: &Folder, on: &[&str]) -> Service {
    folder.write("answers.jsonl", JSON);
    Service::start(MockSettings {
        answers: Some(folder.path("answers.jsonl")),
        on: on.iter().map(|rule| rule.parse().unwrap()).collect(),
        ..MockSettings::default()
    })
}

/// The outputs with every timestamp as the script's, and nothing behind the question.
fn outputs(folder: &Folder) -> [String; 3] {
    let [csv, json, txt] = folder.outputs();
    let stamp = csv.lines().nth(1).unwrap()[..19].to_owned();
    let then = "2026-11-22 11:49:24";
    let (from, to) = (json.find(", \"row\"").unwrap(), json.find("}, \"response\"").unwrap());
    let json = format!("{}{}", &json[..from], &json[to..]);
    [csv, json, txt].map(|text| text.replace(&stamp, then))
}

#[test]
fn a_failing_service_is_waited_for_three_times_and_one_row_is_marked() {
    let folder = Folder::with(QUESTIONS);
    let service = service(&folder, &["fail=503", "Last=503"]);
    let ran = service.run(&folder, &["-c", "1", "--backoff", "10ms,20ms,40ms"]).exits(6);
    let lines = ran.lines();
    let told: Vec<&&str> = lines.iter().filter(|line| line.starts_with("Retry")).collect();
    assert_eq!(
        told,
        [
            &"Retrying in 0.0s...",
            &"Retry attempt 1/3...",
            &"Retrying in 0.0s...",
            &"Retry attempt 2/3...",
            &"Retrying in 0.0s...",
            &"Retry attempt 3/3...",
        ]
    );
    assert!(lines.contains(&"Final retry failed!"));
    assert!(lines.contains(&"Updating q.csv bookmark at row 4"));
    assert!(lines.contains(&"Execution paused. Resume with same command later."));
    assert_eq!(folder.read("q.csv"), MARKED);
    assert_eq!(outputs(&folder), [CSV, JSON, TXT]);
    assert_eq!(service.asked()["Last one"], 1, "the only other question, after the last retry");

    // The same command, once the service is well again.
    drop(service);
    let service = Service::friendly();
    service.run(&folder, &["-c", "1"]).exits(0).says("All 3 questions processed successfully!");
    assert_eq!(folder.read("q.csv"), QUESTIONS);
    assert_eq!(service.stats().asked, 2);
    assert_eq!(folder.agreed(), ["What is the capital of France?", "Please fail, now", "Last one"]);
}

#[test]
fn a_refused_question_is_marked_and_the_run_goes_on() {
    let folder = Folder::with(QUESTIONS);
    let service = service(&folder, &["fail=400"]);
    service.run(&folder, &["-c", "1"]).exits(3);
    assert_eq!(folder.read("q.csv"), MARKED);
    assert_eq!(folder.agreed(), ["What is the capital of France?", "Last one"]);
    assert_eq!(service.stats().asked, 3, "without a retry");
}

#[test]
fn outputs_of_the_script_count_as_answered_and_are_continued() {
    let folder = Folder::with(QUESTIONS);
    // Killed while it wrote: the JSON has a torn line, the text lacks the second row.
    let second = "2026-11-22 11:50:00,\"Please fail, now\",because,no\r\n";
    folder.write("dset_generator/output.csv", format!("{CSV}{second}"));
    folder.write("dset_generator/output.json", format!("{JSON}{{\"metadata\": {{\"time"));
    folder.write("dset_generator/output.txt", TXT);
    let service = Service::friendly();
    service
        .run(&folder, &[])
        .exits(0)
        .says("took over the outputs of the original script: 2 rows count as answered")
        .says("what they cost is not known: it is in no sum, and no limit counts it")
        .says("1 row torn at the end of a file and cut off");
    assert_eq!(service.stats().asked, 1, "only the last one");
    assert_eq!(folder.agreed().len(), 3);
    let [csv, json, txt] = folder.outputs();
    assert!(csv.starts_with(CSV) && json.starts_with(JSON) && txt.starts_with(TXT));
    let copies = std::fs::read_dir(folder.path("dset_generator/.earlier")).unwrap().count();
    assert_eq!(copies, 1, "the files were copied first");

    let before = folder.outputs();
    service.run(&folder, &[]).exits(0);
    assert_eq!((service.stats().asked, folder.outputs()), (1, before));
}

/// Killed behind the CSV of a row, run again from the start, and killed again: the files disagree,
/// two rows are torn, and the text went through Windows.
#[test]
fn what_two_kills_of_the_script_left_agrees_afterwards() {
    let folder = Folder::with(QUESTIONS);
    let (header, first) = CSV.split_once("\r\n").unwrap();
    let lost = "2026-11-22 11:50:00,\"Please fail, now\",because,\"lost\nand found\"\r\n";
    let torn = "2026-11-22 11:51:00,\"Please fail, now\",\"because\n";
    folder.write("dset_generator/output.csv", format!("{header}\r\n{first}{lost}{first}{torn}"));
    folder.write("dset_generator/output.json", format!("{JSON}{JSON}"));
    let windows = format!("{TXT}{}", &TXT[..TXT.len() - 5]).replace('\n', "\r\n");
    folder.write("dset_generator/output.txt", windows);
    let service = Service::friendly();
    service
        .run(&folder, &[])
        .exits(0)
        .says("took over the outputs of the original script: 3 rows count as answered")
        .says("2 rows torn at the end of a file and cut off");
    assert_eq!(service.stats().asked, 1, "only the last one");
    let [csv, json, txt] = folder.outputs();
    for (output, answer) in
        [(csv, "\"lost\nand found\""), (json, "lost\\nand found"), (txt, "lost\nand found")]
    {
        assert_eq!(output.matches(answer).count(), 1);
        assert_eq!(output.matches("What is the capital of France?").count(), 2);
        assert_eq!(output.matches("Please fail, now").count(), 1);
        assert_eq!(output.matches("Last one").count(), 1);
    }
}

#[test]
fn a_table_with_other_columns_is_there_as_it_was_until_the_new_one_is_whole() {
    let folder = Folder::with(QUESTIONS);
    let other =
        "question,final_answer,thoughts,timestamp\r\nLast one,yes,so,2026-11-22 11:50:00\r\n";
    folder.write("dset_generator/output.csv", other);
    folder.write("dset_generator/output.json", JSON);
    // What a full disk leaves of a file that is written over is seen under its other name.
    std::fs::hard_link(folder.path("dset_generator/output.csv"), folder.path("same.csv")).unwrap();
    let service = Service::friendly();
    service.run(&folder, &[]).exits(0).says("2 rows count as answered");
    assert_eq!(folder.read("same.csv"), other);
    assert_eq!((service.stats().asked, folder.agreed().len()), (1, 3));
}

#[test]
fn outputs_of_the_script_in_formats_that_are_not_wanted_stay_as_they_are() {
    let folder = Folder::with(QUESTIONS);
    folder.write("dset_generator/output.csv", CSV);
    let torn = format!("{JSON}{{\"metadata\": {{\"time");
    folder.write("dset_generator/output.json", &torn);
    let service = Service::friendly();
    service.run(&folder, &["--formats", "csv"]).exits(0);
    assert_eq!((service.stats().asked, folder.rows().len()), (2, 3));
    assert_eq!(folder.read("dset_generator/output.json"), torn);
    assert!(!folder.path("dset_generator/output.txt").exists());
    // Wanted after all, they are written from the store.
    service.run(&folder, &[]).exits(0);
    assert_eq!((service.stats().asked, folder.agreed().len()), (2, 3));
}

#[test]
fn a_bookmark_without_any_record_is_where_the_run_starts_if_that_is_said() {
    let folder = Folder::with("question,status\none,\ntwo,\nthree,ERROR\nfour,\n");
    let service = Service::friendly();
    service.run(&folder, &[]).exits(2).says("--from-start").says("--from-bookmark");
    assert!(!folder.path("dset_generator").exists(), "nothing is made before that is said");
    let ran = service.run(&folder, &["--from-bookmark"]).exits(0);
    ran.says("starting at the bookmark in row 4").says("2 of 4 answered and saved");
    assert_eq!(folder.agreed(), ["three", "four"]);
    service.run(&folder, &[]).exits(0).says("2 questions before the first ERROR taken as answered");
    assert_eq!(service.stats().asked, 2, "nor does the next run ask them");
    service.run(&folder, &["--from-start"]).exits(0);
    assert_eq!(service.stats().asked, 4);
    assert_eq!(folder.read("q.csv"), "question,status\none,\ntwo,\nthree,\nfour,\n");
}

#[test]
fn a_mark_of_a_run_into_another_folder_is_no_bookmark_of_the_script() {
    let folder = Folder::with("question,status\none,\ntwo,\nbad,\nfour,\n");
    Service::with(&["bad=risk"]).run(&folder, &[]).exits(3);
    assert!(folder.read("q.csv").contains("bad,ERROR"));
    let service = Service::friendly();
    service.run(&folder, &["-o", "other"]).exits(0);
    assert_eq!(service.stats().answered, 4);
}

#[test]
fn a_retired_model_is_mapped_with_one_warning() {
    let folder = Folder::new();
    let ran = folder.dset(&["run", "-m", "deepseek-reasoner"]).exits(2);
    assert_eq!(ran.err.matches("was retired on 2026-07-24").count(), 1);
}

#[test]
fn a_service_that_cannot_be_asked_as_it_is_named_says_how_to_name_it() {
    let folder = Folder::with("question,status\none,\n");
    for (model, said) in [
        (
            "azure/luna",
            "error: Azure OpenAI is asked at a URL of your own, and none is named\n\n\
             hint: Name it with `--base-url`, and the model as it is called there\n",
        ),
        (
            "groq/",
            "error: --model names groq and no model of it\n\nhint: Name it like `-m groq/NAME`\n",
        ),
    ] {
        assert_eq!(folder.dset(&["run", "-m", model]).exits(2).err, said);
    }
    let ran = folder.dset(&["run", "--temperature", "1"]).exits(4);
    ran.says("the temperature is not sent: DeepSeek takes none while a model thinks");
    let ran = folder.dset(&["run", "-m", "gpt-6-luna"]).exits(4);
    ran.says("no API key for OpenAI").says("OPENAI_API_KEY");
}
