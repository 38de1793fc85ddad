use std::path::PathBuf;

use dset_core::answer::row::Metadata;
use dset_core::plan::AnswerId;
use dset_core::settings::{JobSpec, Layer, resolve};
use fs_err as fs;

use super::*;
use crate::recover::Recovered;
use crate::recover::rebuild::rebuild;
use crate::run::prepare::{Decisions, Job};
use crate::view::verify::verify;

/// A format of which nothing else knows: one value in the list.
pub(super) const FIFTH: LiveFormat = LiveFormat {
    name: "fifth",
    file: "output.fifth",
    about: "the same, for a test",
    header: b"# fifth\n",
    header_with_bom: None,
    looks: None,
    newline: b"\n",
    shape: 1,
    earlier_shapes: &[],
    loader_rank: 9,
    write: |row, output| {
        output.extend_from_slice(format!("{:?} -> {:?}\n", row.question, row.answer).as_bytes());
    },
};

fn row(question: &str, reasoning: &str, answer: &str) -> Row {
    Row {
        answered_at: 1_795_348_164_000,
        question: question.into(),
        reasoning: reasoning.into(),
        answer: answer.into(),
        metadata: Metadata::default(),
        reading: None,
    }
}

fn written(format: LiveFormat, row: &Row) -> String {
    let mut bytes = Vec::new();
    (format.write)(row, &mut bytes);
    String::from_utf8(bytes).unwrap()
}

/// The row that the original script wrote in the folder it left behind.
fn of_the_script() -> Row {
    row(
        "What is the capital of France?",
        "The capital…\nline 2",
        "=Paris, \"the\" city\nof light — é",
    )
}

#[test]
fn every_output_has_the_bytes_of_the_original_script() {
    let row = of_the_script();
    assert_eq!(
        written(csv::FORMAT, &row),
        "2026-11-22 11:49:24,What is the capital of France?,\"The capital…\nline 2\",\"=Paris, \"\"the\"\" city\nof light — é\"\r\n"
    );
    assert_eq!(
        written(json::FORMAT.of_shape(1), &row),
        "{\"metadata\": {\"timestamp\": \"2026-11-22 11:49:24\", \"question\": \"What is the capital of France?\"}, \"response\": {\"reasoning\": \"The capital…\\nline 2\", \"answer\": \"=Paris, \\\"the\\\" city\\nof light — é\"}}\n"
    );
    assert_eq!(
        written(txt::FORMAT, &row),
        "Timestamp: 2026-11-22 11:49:24\nQuestion: What is the capital of France?\nThought Process: The capital…\nline 2\nFinal Answer: =Paris, \"the\" city\nof light — é\n--------------------------------------------------\n\n"
    );
}

#[test]
fn awkward_rows_are_read_back_by_other_readers() {
    let long = "x".repeat(10 << 20);
    for text in ["", "\"", "a,b", "a\r\nb\rc\nd", "\0", "😀 é", " lead", "=1+1", "\u{2028}", &long]
    {
        let row = row(text, text, text);
        let csv = written(csv::FORMAT, &row);
        let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(csv.as_bytes());
        let record = reader.records().next().unwrap().unwrap();
        assert!((1..4).all(|at| &record[at] == text));
        let json: serde_json::Value = serde_json::from_str(&written(json::FORMAT, &row)).unwrap();
        assert_eq!(json["response"]["answer"], text);
        assert_eq!(json["metadata"]["question"], text);
        let jsonl: serde_json::Value = serde_json::from_str(&written(jsonl::FORMAT, &row)).unwrap();
        assert_eq!(
            (&jsonl["question"], &jsonl["answer"]),
            (&json["metadata"]["question"], &json["response"]["answer"])
        );
    }
}

#[test]
fn what_is_known_of_an_answer_follows_the_question_and_what_is_not_has_its_key() {
    let mut row = row("q", "", "a");
    row.metadata = Metadata { row: Some(2), seconds: Some(1.0), ..Metadata::default() };
    let line = |keys: &str| {
        format!(
            "{{\"metadata\": {{\"timestamp\": \"2026-11-22 11:49:24\", \"question\": \"q\", {keys}}}, \"response\": {{\"reasoning\": \"\", \"answer\": \"a\"}}}}\n"
        )
    };
    assert_eq!(
        written(json::FORMAT, &row),
        line(
            "\"row\": 2, \"model\": \"\", \"sample\": 0, \"finish_reason\": \"\", \"input_tokens\": 0, \"cached_tokens\": 0, \"output_tokens\": 0, \"reasoning_tokens\": 0, \"at_token_limit\": false, \"cost\": 0.0, \"attempts\": 0, \"seconds\": 1.0, \"request_id\": \"\", \"system_fingerprint\": \"\""
        )
    );
    // As files have it that an earlier version began.
    assert_eq!(written(json::FORMAT.of_shape(1), &row), line("\"row\": 2, \"seconds\": 1.0"));
}

#[test]
fn what_is_written_where_no_formats_are_named_is_what_the_script_wrote() {
    let names: Vec<&str> = legacy::ALL.iter().map(|format| format.name).collect();
    let settings = resolve(Layer::default(), None).unwrap().spec;
    assert_eq!(settings.formats.iter().collect::<Vec<_>>(), names);
}

#[test]
fn names_files_and_ranks_of_formats_are_each_their_own() {
    for (at, one) in LIVE_FORMATS.iter().enumerate() {
        for other in &LIVE_FORMATS[..at] {
            assert_ne!(one.name, other.name);
            assert_ne!(one.file, other.file);
            assert_ne!(one.loader_rank, other.loader_rank);
        }
    }
}

/// A folder whose three answers were taken over from an `output.json`, and its settings.
fn three_answers(folder: &Path, formats: &[&str]) -> JobSpec {
    let (input, output) = (folder.join("q.csv"), folder.join("out"));
    fs::write(&input, "question\nc\nb\na\n").unwrap();
    fs::create_dir(&output).unwrap();
    let line = |text: &str| written(json::FORMAT, &row(text, "", "x"));
    fs::write(output.join("output.json"), ["a", "b", "c"].map(line).concat()).unwrap();
    let layer = Layer {
        input: Some(input),
        output: Some(output),
        key: Some("none".into()),
        formats: Some(formats.iter().map(|&name| name.to_owned()).collect::<Vec<_>>().into()),
        ..Layer::default()
    };
    resolve(layer, None).unwrap().spec
}

fn repairs(settings: &JobSpec) -> Vec<Repair> {
    let job = Job::prepare(settings.clone(), Decisions::default(), true).unwrap().begin().unwrap();
    assert_eq!((job.report().answered, job.report().pending), (3, 0));
    let repairs = job.report().recovered.iter().filter_map(|one| match one {
        Recovered::Repaired(repair) => Some(repair.clone()),
        _ => None,
    });
    repairs.collect()
}

#[test]
fn a_format_that_is_one_value_in_the_list_is_written_repaired_verified_and_rebuilt() {
    let folder = tempfile::tempdir().unwrap();
    let settings = three_answers(folder.path(), &["fifth"]);
    assert_eq!(repairs(&settings), []);
    let path: PathBuf = settings.output.join(FIFTH.file);
    let whole = "# fifth\n\"a\" -> \"x\"\n\"b\" -> \"x\"\n\"c\" -> \"x\"\n";
    assert_eq!(fs::read_to_string(&path).unwrap(), whole);

    // Torn within its last row, and the checkpoint before that row.
    {
        let (mut store, _) = crate::store::Store::open(&settings.output).unwrap();
        let before = &whole.as_bytes()[..whole.len() - 11];
        store.record_checkpoints(&[Checkpoint::for_bytes(FIFTH, 2, before)]).unwrap();
        fs::write(&path, &whole.as_bytes()[..whole.len() - 3]).unwrap();
    }
    assert_eq!(repairs(&settings), [Repair::Torn { file: FIFTH.file }]);
    assert_eq!(fs::read_to_string(&path).unwrap(), whole);

    // Lines of the user's stay.
    fs::write(&path, format!("{whole}mine")).unwrap();
    assert_eq!(repairs(&settings), [Repair::Foreign { file: FIFTH.file }]);
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{whole}mine\n"));
    assert!(!verify(&settings).unwrap().unwrap().differences.is_empty());

    let rebuilt = rebuild(&settings).unwrap().unwrap();
    assert_eq!(rebuilt.copied_to.len(), 1);
    let rebuilt = "# fifth\n\"c\" -> \"x\"\n\"b\" -> \"x\"\n\"a\" -> \"x\"\n";
    assert_eq!(fs::read_to_string(&path).unwrap(), rebuilt);
    assert_eq!(verify(&settings).unwrap().unwrap().differences, []);
    assert_eq!(repairs(&settings), []);

    fs::remove_file(&path).unwrap();
    assert_eq!(repairs(&settings), [Repair::Missing { file: FIFTH.file, rows: 3 }]);
    assert_eq!(fs::read_to_string(&path).unwrap(), rebuilt);
}

#[test]
fn rows_that_are_ordered_meanwhile_are_written_together_and_what_follows_them_is_not_lost() {
    let (tell, orders) = std::sync::mpsc::channel();
    let order = |upto| OutputOrder {
        upto,
        rows: vec![Placed { answer: upto as AnswerId, text: None, row: None }],
    };
    for message in [ToOutputs::Rows(order(2)), ToOutputs::Rows(order(3)), ToOutputs::Flush] {
        tell.send(message).unwrap();
    }
    tell.send(ToOutputs::Rows(order(4))).unwrap();
    let mut first = order(1);
    let next = take_more(&orders, &mut first);
    assert!(matches!(next, Some(ToOutputs::Flush)));
    let answers: Vec<_> = first.rows.iter().map(|placed| placed.answer).collect();
    assert_eq!((first.upto, &answers[..]), (3, &[1, 2, 3][..]));
    assert!(take_more(&orders, &mut first).is_none());
    assert_eq!(first.upto, 4);
}
