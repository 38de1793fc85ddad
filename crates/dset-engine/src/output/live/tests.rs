use dset_core::answer::row::Metadata;

use super::*;

fn row(question: &str, reasoning: &str, answer: &str) -> Row {
    Row {
        answered_at: 1_795_348_164_000,
        question: question.into(),
        reasoning: reasoning.into(),
        answer: answer.into(),
        metadata: Metadata::default(),
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
