//! How a run is told: in the lines of the original script, or in events.

use crate::common::{Folder, Ran, Service};

const TWO: &str = "question,status\nWhat is the capital of France?,\nHow does a very long question that goes on and on end?,\n";

/// The lines with `[time]` for a time, and the folder named.
fn lines(folder: &Folder, ran: &Ran) -> Vec<String> {
    let here = std::fs::canonicalize(folder.path("")).unwrap();
    let is_time = |line: &str| {
        let bytes = line.as_bytes();
        bytes.len() > 10 && bytes[0] == b'[' && bytes[9] == b']' && bytes[3] == b':'
    };
    let told = ran.err.replace(here.to_str().unwrap().trim_end_matches('/'), "HERE");
    let line = |line: &str| match is_time(line) {
        true => format!("[time]{}", &line[10..]),
        false => line.to_owned(),
    };
    told.lines().map(line).collect()
}

#[test]
fn original_prints_the_lines_of_the_script_and_nothing_else() {
    let folder = Folder::with(TWO);
    let service = Service::friendly();
    let ran = service.run(&folder, &["-c", "1", "--log-format", "original"]).exits(0);
    assert_eq!(
        lines(&folder, &ran),
        [
            "[time] Processing question 1/2: What is the capital of France?...",
            "Successfully processed question 1/2",
            "[time] Processing question 2/2: How does a very long question that goes on and on ...",
            "Successfully processed question 2/2",
            "All 2 questions processed successfully!",
            "Output files located in: HERE/dset_generator",
        ]
    );
    assert_eq!(ran.out, "");
}

#[test]
fn original_tells_an_outage_in_the_words_of_the_script() {
    let folder = Folder::with(TWO);
    let service = Service::with(&["France=503*1", "very long=503"]);
    // Whole minutes are written as the script does; nobody waits for them here.
    let backoff = ["--backoff", "10ms", "--retries", "3"];
    let arguments = [&["-c", "1", "--log-format", "original"][..], &backoff].concat();
    let ran = service.run(&folder, &arguments).exits(6);
    let told = lines(&folder, &ran);
    let error = |line: &String| line.starts_with("Error: overloaded (503)");
    let told: Vec<&str> =
        told.iter().map(|line| if error(line) { "Error: …" } else { line.as_str() }).collect();
    assert_eq!(
        told,
        [
            "[time] Processing question 1/2: What is the capital of France?...",
            "Error: …",
            "Retrying in 0.0s...",
            "[time] Retry attempt 1/3...",
            "Successfully processed question 1/2",
            "[time] Processing question 2/2: How does a very long question that goes on and on ...",
            "Error: …",
            "Retrying in 0.0s...",
            "[time] Retry attempt 1/3...",
            "Error: …",
            "Retrying in 0.0s...",
            "[time] Retry attempt 2/3...",
            "Error: …",
            "Retrying in 0.0s...",
            "[time] Retry attempt 3/3...",
            "Error: …",
            "[time] Final retry failed!",
            "Updating q.csv bookmark at row 3",
            "Execution paused. Resume with same command later.",
        ]
    );
}

#[test]
fn original_says_in_one_line_what_the_script_knew_no_words_for() {
    let folder = Folder::with(TWO);
    let service = Service::with(&["France=401"]);
    let ran = service.run(&folder, &["-c", "1", "--log-format", "original"]).exits(4);
    let told = lines(&folder, &ran);
    assert!(told[1].starts_with("Error: 127.0.0.1 refused the key (key refused (401)"), "{told:?}");
    assert_eq!(told[2..], ["Execution paused. Resume with same command later."]);
}

#[test]
fn every_event_and_line_of_a_log_says_when_and_of_which_answer_it_is() {
    let (folder, service) = (Folder::with(TWO), Service::friendly());
    let several = ["--json", "--samples", "2", "-m", "one", "-m", "two", "-c", "1"];
    let ran = service.run(&folder, &several).exits(0);
    let events: Vec<serde_json::Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for event in &events {
        let time = event["time"].as_str().unwrap();
        let at: jiff::Timestamp = time.parse().unwrap_or_else(|e| panic!("{time}: {e}"));
        assert!(at.duration_until(jiff::Timestamp::now()).as_secs() < 600, "{time}");
    }
    let answers = events.iter().filter(|event| event["event"] == "answer");
    let mut of: Vec<_> = answers
        .map(|e| {
            let number = |name: &str| e[name].as_u64().unwrap();
            let model = e["model"].as_str().unwrap().to_owned();
            (number("question"), number("row"), model, number("sample"))
        })
        .collect();
    of.sort();
    let of: Vec<_> = of.iter().map(|(q, row, model, s)| (*q, *row, model.as_str(), *s)).collect();
    assert_eq!(
        of,
        [1, 2]
            .map(|q| ["one", "two"].map(|model| [0, 1].map(|s| (q, q + 1, model, s))))
            .concat()
            .concat()
    );
    let told = ran.err.lines().filter(|line| line.contains("Successfully processed"));
    let told: Vec<&str> = told.collect();
    assert_eq!(told.len(), 8);
    for line in told {
        let (time, rest) = line[1..].split_once("] ").unwrap();
        time.parse::<jiff::Timestamp>().unwrap_or_else(|e| panic!("{time}: {e}"));
        let number = if rest.contains("question 1/2 (row 2, ") { 1 } else { 2 };
        assert!(rest.contains(&format!("question {number}/2 (row {}, ", number + 1)), "{line}");
        assert!(rest.contains("one, sample ") || rest.contains("two, sample "), "{line}");
    }
}

#[test]
fn json_as_a_form_is_the_events_of_the_flag() {
    let service = Service::friendly();
    let events = |arguments: &[&str]| -> Vec<String> {
        let folder = Folder::with(TWO);
        let ran = service.run(&folder, &[&["-c", "1"], arguments].concat()).exits(0);
        assert!(ran.err.contains("Processing question 1/2"), "talk goes on beside it");
        let event = |line: &str| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(event["v"], 1);
            event["event"].as_str().unwrap().to_owned()
        };
        ran.out.lines().map(event).collect()
    };
    let expected = ["start", "ask", "answer", "ask", "answer", "end"];
    assert_eq!(events(&["--json"]), expected);
    assert_eq!(events(&["--log-format", "json"]), expected);
    let folder = Folder::with(TWO);
    folder.write("dset.toml", "log-format = \"json\"\n");
    service.run(&folder, &[]).exits(0).tells("\"event\":\"start\"");
}
