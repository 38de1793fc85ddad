//! Answers that fit a schema: what is asked, what is read, and what is said.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::{Folder, Service};
use serde_json::{Value, json};

const SCHEMA: &str = r#"{
  "type": "object",
  "properties": {"label": {"enum": ["yes", "no"]}, "note": {"type": "string", "maxLength": 90}},
  "required": ["label"]
}"#;

fn folder() -> Folder {
    let folder = Folder::with("question\nIs it so?\n");
    folder.write("s.json", SCHEMA);
    folder
}

#[test]
fn a_schema_is_sent_in_the_services_form_and_is_a_part_of_what_is_asked() {
    let folder = folder();
    let service = Service::keeping("openai");
    service.run(&folder, &["-m", "m"]).exits(0);
    let with = ["-m", "m", "--schema", "s.json"];
    service.run(&folder, &with).exits(2).says("schema was `not set` and is");
    service.run(&folder, &[&with[..], &["--again"]].concat());
    let sent = service.requests().pop().unwrap();
    let format = &sent["response_format"];
    assert_eq!(format["type"], "json_schema");
    assert_eq!(
        format["json_schema"]["schema"]["properties"]["label"]["enum"],
        json!(["yes", "no"])
    );
    // Blanks, the order of keywords and the notation are no part of it; other words are.
    folder.write("s.yaml", "required: [label]\nproperties:\n  label: {enum: ['yes', 'no']}\n  note: {maxLength: 90, type: string}\ntype: object\n");
    let asked = service.stats().asked;
    service.run(&folder, &["-m", "m", "--schema", "s.yaml"]);
    folder.write("dset.toml", "model = 'm'\n[schema]\ntype = 'object'\nrequired = ['label']\n[schema.properties]\nlabel = {enum = ['yes', 'no']}\nnote = {type = 'string', maxLength = 90}\n");
    service.run(&folder, &[]);
    assert_eq!(service.stats().asked, asked, "the same schema asks nothing");
    folder.write("s.json", SCHEMA.replace("90", "80"));
    service.run(&folder, &with).exits(2).says("schema was");
}

#[test]
fn where_no_schema_is_taken_it_stands_in_the_prompt() {
    let folder = folder();
    let service = Service::keeping("deepseek");
    let run = ["-m", "deepseek-flash", "--schema", "s.json", "-s", "Be brief."];
    service.run(&folder, &run);
    let sent = service.requests().pop().unwrap();
    assert_eq!(sent["response_format"], json!({"type": "json_object"}));
    let system = sent["messages"][0]["content"].as_str().unwrap();
    assert!(system.starts_with("Be brief.\n\nAnswer with one JSON value"), "{system}");
    assert!(system.contains("maxLength"), "{system}");
    folder.dset(&["show", "1"]).exits(0);
    folder.dset(&["verify"]).exits(0);
    let beside: String = folder_text(&folder, "SELECT metadata FROM answers");
    let beside: Value = serde_json::from_str(&beside).unwrap();
    assert_eq!(
        beside["asked_for"],
        json!({"dialect": "json-object", "method": "json", "sentence": 1})
    );
}

fn folder_text(folder: &Folder, sql: &str) -> String {
    let store = rusqlite::Connection::open(folder.path("dset_generator/dset.db")).unwrap();
    store.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn what_is_no_schema_is_refused_before_anything_is_asked() {
    let folder = folder();
    let service = Service::friendly();
    folder.write("bad.json", r#"{"properties": {"a": {"type": "text"}}}"#);
    folder.write("out.json", r#"{"properties": {"a": {"$ref": "https://example.com/s.json"}}}"#);
    for (file, says) in [
        ("bad.json", "`/properties/a/type`"),
        ("out.json", "leads out of the file"),
        ("none.json", "`none.json` cannot be read"),
    ] {
        service.run(&folder, &["--schema", file]).exits(2).says(says);
        folder.dset(&["doctor", "--schema", file, "--offline"]).tells(says);
    }
    folder.write("dset.toml", "[schema]\ntype = 'text'\n");
    service
        .run(&folder, &[])
        .exits(2)
        .says("dset.toml, line 1: [schema] is no schema")
        .says("`/type`");
    assert_eq!(service.stats().asked, 0);
    assert!(!folder.path("dset_generator").exists());
}
