//! What is asked of rows of objects, and what is refused because it would be asked in part.

use std::io::Write as _;

use dset_core::csv::Suspicion;
use dset_core::item::content::Turn;
use dset_core::settings::{OnBadRow, Reading};
use serde_json::json;

use super::*;
use crate::source::open;

/// What is sent of a row: its system prompt, and its text or the texts of its turns.
type Sent = (Option<String>, Vec<String>);

fn read_as(
    name: &str,
    text: &str,
    options: &SourceOptions,
) -> Result<(Vec<Sent>, BadRows), SourceError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let mut file = fs_err::File::create(&path).unwrap();
    if name.ends_with(".gz") {
        let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::default());
        packed.write_all(text.as_bytes()).unwrap();
        packed.finish().unwrap();
    } else {
        file.write_all(text.as_bytes()).unwrap();
    }
    let mut source = open(&path, options)?;
    let mut rows = Vec::new();
    while let Some(item) = source.next()? {
        let texts = match item.turns {
            Some(turns) => turns.iter().map(|Turn { text, .. }| text.to_string()).collect(),
            None => vec![item.text.to_owned()],
        };
        rows.push((item.system.map(ToString::to_string), texts));
    }
    Ok((rows, source.bad_rows()))
}

fn lines(rows: &[Value]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

fn read(rows: &[Value]) -> Result<Vec<Sent>, SourceError> {
    read_as("q.jsonl", &lines(rows), &SourceOptions::default()).map(|(rows, _)| rows)
}

fn problem(row: Value) -> RowProblem {
    match read(&[row]) {
        Err(SourceError::BadRow { problem, .. }) => problem,
        other => panic!("{other:?}"),
    }
}

fn second(rows: &[Value]) -> String {
    match read(rows) {
        Err(SourceError::TwoFields { second, .. }) => second,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_system_prompt_is_sent_whatever_form_it_has_and_wherever_it_stands() {
    let messages = json!([{"role": "user", "content": "Why?"}]);
    let blocks = json!([
        {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "Be kind."},
    ]);
    for (row, system) in [
        (json!({"messages": messages, "system": "Be brief."}), Some("Be brief.")),
        (json!({"messages": messages, "system": blocks}), Some("Be brief.\nBe kind.")),
        (json!({"messages": messages, "system": []}), None),
        (json!({"messages": messages, "system": "", "system_prompt": "Be X."}), Some("Be X.")),
        (
            json!({"custom_id": "a", "params": {"messages": messages, "system": blocks}}),
            Some("Be brief.\nBe kind."),
        ),
        (
            json!({"custom_id": "a", "body": {"messages": messages}, "system": "Be X."}),
            Some("Be X."),
        ),
    ] {
        let sent = read(std::slice::from_ref(&row)).unwrap();
        assert_eq!(sent, [(system.map(str::to_owned), vec!["Why?".to_owned()])], "{row}");
    }
    let picture = json!([{"type": "image", "source": {}}]);
    let not_text = |field: &str| RowProblem::NotTextSystem { field: field.to_owned() };
    let beside = |field: &str| RowProblem::Beside { field: field.to_owned() };
    for (row, expected) in [
        (json!({"messages": messages, "system": picture}), not_text("system")),
        (json!({"params": {"messages": messages, "system": picture}}), not_text("params.system")),
        (
            json!({"messages": messages, "system": "X", "system_prompt": "Y"}),
            RowProblem::TwoSystems,
        ),
        (json!({"body": {"messages": messages}, "images": ["a.png"]}), beside("images")),
    ] {
        assert_eq!(problem(row), expected);
    }
}

#[test]
fn a_second_field_that_belongs_to_the_question_is_found_in_whichever_row_and_field_it_stands() {
    let mut rows = vec![json!({"instruction": "Sum up.", "input": ""}); SURVEYED_ROWS + 1];
    rows.push(json!({"instruction": "Sum up.", "input": "", "context": "A text."}));
    assert_eq!(second(&rows), "context");
    let row = json!({"question": "Which?", "context": "", "choices": ["a", "b"]});
    assert_eq!(second(std::slice::from_ref(&row)), "choices");
    rows.pop();
    assert_eq!(read(&rows).unwrap().len(), rows.len());
    // Whoever names the field says that it is enough.
    let told = SourceOptions { column: Some("question".into()), ..SourceOptions::default() };
    assert_eq!(read_as("q.jsonl", &lines(&[row]), &told).unwrap().0.len(), 1);
    let table = "question,context,choices\nWhich?,,a|b\n";
    let error = read_as("q.csv", table, &SourceOptions::default()).unwrap_err();
    assert!(error.to_string().contains("`choices` beside `question`"), "{error}");
    let skip = Reading { on_bad_row: OnBadRow::Skip, ..Reading::default() };
    let options = SourceOptions { reading: skip, ..SourceOptions::default() };
    read_as("q.csv", table, &options).unwrap_err();
}

#[test]
fn json_without_a_name_is_asked_as_it_is_meant() {
    for text in [
        "{\n  \"question\": \"Why?\\nSo.\"\n}\n{\n  \"question\": \"How?\"\n}\n",
        "[\n  \"Why?\\nSo.\",\n  \"How?\"\n]\n",
        "[\"Why?\\nSo.\",\"How?\"]\n",
        "\"Why?\\nSo.\"\n\"How?\"\n",
    ] {
        let (rows, _) = read_as("questions", text, &SourceOptions::default()).unwrap();
        let sent: Vec<_> = rows.into_iter().flat_map(|(_, texts)| texts).collect();
        assert_eq!(sent, ["Why?\nSo.", "How?"], "{text}");
    }
    // Cells with TeX, which JSON would read otherwise.
    let cells = ["What is $\\frac{1}{2}$?", "What is $\\theta\\neq 1$?"];
    let text = cells.map(|cell| format!("\"{cell}\"\n")).concat();
    let (rows, _) = read_as("questions", &text, &SourceOptions::default()).unwrap();
    let sent: Vec<_> = rows.into_iter().flat_map(|(_, texts)| texts).collect();
    assert_eq!(sent, cells);
}

#[test]
fn what_stands_beside_a_list_of_rows_is_said_of_every_row() {
    let read = |text: &str, options: &SourceOptions| read_as("q.json", text, options);
    let plain = SourceOptions::default();
    let chats = r#"{"system": "Be brief.", "data": [
        {"messages": [{"role": "user", "content": "Why?"}]},
        {"messages": [{"role": "user", "content": "How?"}], "system": "Be X."}]}"#;
    let (rows, _) = read(chats, &plain).unwrap();
    let systems: Vec<_> = rows.iter().map(|(system, _)| system.as_deref().unwrap()).collect();
    assert_eq!(systems, ["Be brief.", "Be X."]);
    for (text, says) in [
        (r#"{"context": "A text.", "questions": ["Why?"]}"#, "`context` beside `question`"),
        (r#"{"context": "A text.", "qas": [{"question": "Why?"}]}"#, "`context` beside"),
        (r#"{"system": "Be brief.", "questions": ["Why?"]}"#, "`system` stands beside"),
    ] {
        let error = read(text, &plain).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
    // And is never the question, nor in the way of the only field that may be.
    let only = r#"{"version": "1.1", "data": [{"body": "Why?"}]}"#;
    assert_eq!(read(only, &plain).unwrap().0, [(None, vec!["Why?".to_owned()])]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("q.json");
    fs_err::write(&path, only).unwrap();
    let mut source = open(&path, &plain).unwrap();
    assert_eq!(source.shape().fields, ["body", "version"]);
    let item = source.next().unwrap().unwrap();
    assert_eq!(Value::from(item.fields.to_object()), json!({"body": "Why?", "version": "1.1"}));
}

#[test]
fn an_array_of_rows_with_a_field_that_turns_have_is_no_chat() {
    let rows = r#"[{"question": "Why?", "from": "en"}, {"question": "How?", "from": "de"}]"#;
    assert_eq!(read_as("q.json", rows, &SourceOptions::default()).unwrap().0.len(), 2);
    let said = r#"[{"from": "en", "value": "Why?"}, {"from": "de", "value": "How?"}]"#;
    let told = SourceOptions { column: Some("value".into()), ..SourceOptions::default() };
    assert_eq!(read_as("q.json", said, &told).unwrap().0.len(), 2);
    let chat = r#"[{"from": "human", "value": "Why?"}]"#;
    let sent = read_as("q.json", chat, &SourceOptions::default()).unwrap().0;
    assert_eq!(sent, [(None, vec!["Why?".to_owned()])]);
}

#[test]
fn a_blank_id_is_none() {
    for (name, text) in [
        ("q.csv", "id,question\na,one\n,two\n\" \",three\n"),
        (
            "q.jsonl",
            "{\"id\": \"a\", \"question\": \"one\"}\n{\"id\": \"\", \"question\": \"two\"}\n{\"id\": \" \", \"question\": \"three\"}\n",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs_err::write(&path, text).unwrap();
        let mut source = open(&path, &SourceOptions::default()).unwrap();
        source.take_ids_from("id");
        let mut ids = Vec::new();
        while let Some(item) = source.next().unwrap() {
            ids.push(item.id.map(str::to_owned));
        }
        assert_eq!(ids, [Some("a".to_owned()), None, None], "{name}");
    }
}

#[test]
fn a_text_has_a_question_a_line_whatever_ends_its_lines() {
    for text in ["Why?\nHow?\nWhen?\n", "Why?\r\nHow?\r\nWhen?", "Why?\rHow?\rWhen?\r"] {
        let (rows, _) = read_as("q.txt", text, &SourceOptions::default()).unwrap();
        let texts: Vec<String> = rows.into_iter().flat_map(|(_, texts)| texts).collect();
        assert_eq!(texts, ["Why?", "How?", "When?"], "{text:?}");
    }
}

#[test]
fn what_is_called_a_text_and_is_none_is_refused_packed_or_not() {
    let judged = |name, text| match read_as(name, text, &SourceOptions::default()) {
        Ok((rows, _)) => Ok(rows.len()),
        Err(SourceError::Suspicious { suspicion, .. }) => Err(suspicion),
        Err(error) => panic!("{error}"),
    };
    let not_csv = |ending: &str| Err(Suspicion::NotCsv { ending: ending.to_owned() });
    for name in ["q.txt", "q.txt.gz"] {
        assert_eq!(judged(name, "{\"question\": \"a\"}\n"), not_csv("json"), "{name}");
        assert_eq!(judged(name, "question;topic\na;x\n"), not_csv("txt"), "{name}");
        assert_eq!(judged(name, "question,topic\na,x\n"), Ok(1), "{name}");
        assert_eq!(judged(name, "Say a, b\nWhy?\n"), Ok(2), "{name}");
    }
}

#[test]
fn capitals_hide_nothing_that_stands_beside_a_question_or_a_chat() {
    let messages = json!([{"role": "user", "content": "Why?"}]);
    for (row, field) in [
        (json!({"question": "Why?", "System": "Be brief."}), "System"),
        (json!({"question": "Why?", "Images": ["a.png"]}), "Images"),
        (json!({"messages": messages, "Tools": [{}]}), "Tools"),
    ] {
        assert_eq!(problem(row), RowProblem::Beside { field: field.into() });
    }
    let sent = read(&[json!({"messages": messages, "System": "Be brief."})]).unwrap();
    assert_eq!(sent, [(Some("Be brief.".to_owned()), vec!["Why?".to_owned()])]);
}

#[test]
fn turns_as_text_in_a_field_of_questions_are_a_chat() {
    let turns = json!([{"role": "user", "content": "Why?"}]).to_string();
    let sent = read(&[json!({"prompt": turns}), json!({"prompt": "[1, 2]"})]).unwrap();
    assert_eq!(sent, [(None, vec!["Why?".to_owned()]), (None, vec!["[1, 2]".to_owned()])]);
}

#[test]
fn a_better_name_for_the_question_is_found_in_whichever_row_it_stands() {
    for field in ["text", "passage"] {
        let mut rows = vec![json!({field: "passage"}); SURVEYED_ROWS];
        rows.push(json!({field: "passage", "topic": "art", "question": null}));
        assert_eq!(read(&rows).unwrap().len(), rows.len());
        rows.push(json!({field: "passage", "question": "Why?"}));
        assert_eq!(second(&rows), "question");
    }
}

#[test]
fn json_that_is_no_list_of_rows_at_its_top_is_read_as_a_whole() {
    let object = r#"{"question": "one"}"#;
    let pretty = "{\n  \"question\": \"one\"\n}\n";
    let two = format!("{pretty}{}", pretty.replace("one", "two"));
    let marked = format!("\u{feff}{object}\n{}\n", object.replace("one", "two"));
    let options = SourceOptions::default();
    for (text, asked) in [
        (object, &["one"][..]),
        (pretty, &["one"]),
        (&two, &["one", "two"]),
        (r#"{"version": 1, "data": [{"question": "one"}, {"question": "two"}]}"#, &["one", "two"]),
        ("{\n \"rows\": [\n  \"one\",\n  \"two\"\n ]\n}\n", &["one", "two"]),
        (r#"[{"role": "user", "content": "one"}]"#, &["one"]),
        (
            r#"{"custom_id": "1", "body": {"messages": [{"role": "user", "content": "one"}]}, "tags": ["x"]}"#,
            &["one"],
        ),
        (&marked, &["one", "two"]),
    ] {
        let (rows, _) = read_as("q.json", text, &options).unwrap();
        let texts: Vec<String> = rows.into_iter().flat_map(|(_, texts)| texts).collect();
        assert_eq!(texts, asked, "{text}");
    }
    for (text, says) in [
        ("{\n \"question\": \"one\"\n", "it is not JSON"),
        (r#"{"question": "\ud800"}"#, "half a character"),
        (
            r#"{"data": [{"question": "one"}, {"question": "\ud800"}]}"#,
            "element 2: a text has half",
        ),
        (r#"{"a": ["x"], "b": ["y"]}"#, "no field of"),
    ] {
        let error = read_as("q.json", text, &options).unwrap_err().to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
}

#[test]
fn what_packers_put_around_the_rows_is_passed_over() {
    let text = lines(&[json!({"question": "a"}), json!({"question": "b"})]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    let padded = [gzip.finish().unwrap(), vec![0; 1024]].concat();
    let packed = zstd::encode_all(text.as_bytes(), 3).unwrap();
    let skippable = [&b"\x5e\x2a\x4d\x18\x04\0\0\0sizeZ"[..12], &packed[..]].concat();
    for (name, bytes) in [("q.jsonl.gz", padded), ("q.jsonl.zst", skippable)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs_err::write(&path, bytes).unwrap();
        let mut source = open(&path, &SourceOptions::default()).unwrap();
        let mut count = 0;
        while source.next().unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, 2, "{name}");
    }
}
