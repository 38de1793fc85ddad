//! Answers that fit a schema: what is asked, what is read, and what is said.

use crate::common::{Folder, Service, questions};
use dset_mock::MockSettings;
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
    service
        .run(&folder, &with)
        .exits(2)
        .says("does not fit the schema")
        .says("without this schema");
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

/// A schema with what services differ in: what may be absent or null, limits, a union, references.
const MUCH: &str = r##"{
  "title": "A Person",
  "type": "object",
  "required": ["name", "kind", "marks"],
  "properties": {
    "name": {"type": "string", "minLength": 2, "maxLength": 4000},
    "kind": {"const": "person"},
    "age": {"type": "integer", "minimum": 0, "maximum": 150, "multipleOf": 1},
    "note": {"type": ["string", "null"]},
    "marks": {"type": "array", "items": {"$ref": "#/$defs/mark"}, "minItems": 1, "maxItems": 3},
    "either": {"oneOf": [{"type": "integer"}, {"$ref": "#/$defs/mark"}]},
    "both": {"allOf": [{"$ref": "#/$defs/mark"}, {"properties": {"by": {"type": "string"}}}]}
  },
  "$defs": {"mark": {
    "type": "object",
    "required": ["grade"],
    "properties": {"grade": {"enum": ["a", "b"]}, "on": {"type": "string"}}
  }}
}"##;

/// Every service that can be replaced, and the model that it is asked for.
const SERVICES: [(&str, &str, &str); 14] = [
    ("openai", "gpt-6-luna", "strict"),
    ("azure", "gpt-6-luna", "strict"),
    ("openrouter", "some/model", "strict"),
    ("anthropic", "claude-haiku-5-5", "strict"),
    ("gemini", "gemini-3.8-flash", "schema"),
    ("mistral", "mistral-small-latest", "strict"),
    ("groq", "openai/gpt-oss-20b", "strict"),
    ("deepseek", "deepseek-flash", "json"),
    ("moonshot", "kimi-k3", "json"),
    ("qwen", "qwen3.8-flash", "json"),
    ("zai", "glm-5.3-flash", "json"),
    ("vllm", "some-model", "schema"),
    ("llamacpp", "some-model", "schema"),
    ("ollama", "some-model", "schema"),
];

#[test]
fn what_is_sent_is_taken_by_every_service_and_what_comes_back_fits() {
    for (service, model, method) in SERVICES {
        let folder = Folder::with(&questions(20));
        folder.write("s.json", MUCH);
        let mock = Service::keeping(service);
        // The service's own preset at another place.
        let (url, keyless) = (mock.url(), service != "anthropic");
        folder.write(".env", "ANTHROPIC_API_KEY=pretend\n");
        folder.write(
            "dset.toml",
            format!("[provider.{service}]\nbase-url = '{url}'\nkeyless = {keyless}\n"),
        );
        let name = format!("{service}/{model}");
        let run =
            ["run", "-m", &name, "--schema", "s.json", "--formats", "jsonl", "--stop-loops=false"];
        folder.dset(&run).exits(0);
        let stats = mock.stats();
        assert_eq!((stats.asked, stats.refused.len()), (20, 0), "{service}: {:?}", stats.refused);
        let beside: Value =
            serde_json::from_str(&folder_text(&folder, "SELECT metadata FROM answers")).unwrap();
        assert_eq!(beside["asked_for"]["method"], method, "{service}");
        let rows = folder.read("dset_generator/output.jsonl");
        for line in rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            let parsed: Value = serde_json::from_str(line["parsed"].as_str().unwrap()).unwrap();
            assert_eq!(
                (&line["parsed_from"], &parsed["kind"]),
                (&json!("whole"), &json!("person"))
            );
            assert!(
                parsed.get("age") != Some(&Value::Null),
                "{service}: what may be absent is not null"
            );
        }
        folder.dset(&["verify"]).exits(0);
    }
}

#[test]
fn values_are_in_datasets_as_they_were_written() {
    let folder = folder();
    let service = Service::keeping("vllm");
    service.run(&folder, &["-m", "m", "--schema", "s.json"]).exits(0);
    folder
        .dset(&["export", "--to", "rows.jsonl", "--where", "parsed.label in ['yes', 'no']"])
        .exits(0);
    let row: Value = serde_json::from_str(folder.read("rows.jsonl").trim()).unwrap();
    assert_eq!(row["parsed"], row["answer"], "the pretend service writes no blanks");
    assert_eq!(row["parsed_from"], "whole");
    let shown = folder.dset(&["show", "1", "--json"]).exits(0).json();
    assert_eq!(shown["questions"][0]["answers"][0]["parsed"], row["parsed"]);
    for layout in ["chat", "sharegpt", "alpaca", "prompt-completion"] {
        let file = format!("{layout}.jsonl");
        folder.dset(&["export", "--to", &file, "--layout", layout]).exits(0);
        let trained: Value = serde_json::from_str(folder.read(&file).trim()).unwrap();
        assert_eq!(trained["parsed"], row["parsed"], "{layout}");
    }
    // Without a schema there is no such column.
    let plain = Folder::with("question\nWhy?\n");
    service.run(&plain, &["-m", "m"]).exits(0);
    plain.dset(&["export", "--to", "rows.jsonl"]).exits(0);
    assert!(!plain.read("rows.jsonl").contains("parsed"));
}

#[test]
fn an_answer_that_does_not_fit_is_kept_and_asked_for_again_and_one_in_a_fence_is_good() {
    for (fault, is_good) in [
        ("fenced", true),
        ("prose", true),
        ("cut-json", false),
        ("wrong-type", false),
        ("duplicate-keys", false),
        ("no-schema", false),
    ] {
        let folder = folder();
        let service = faulty("vllm", &format!("so={fault}*1"));
        service.run(&folder, &["-m", "m", "--schema", "s.json"]).exits(0);
        let asked = if is_good { 1 } else { 2 };
        assert_eq!(service.stats().asked, asked, "{fault}");
        assert_eq!(folder.count("SELECT count(*) FROM answers"), asked as i64, "{fault}");
        folder.dset(&["check", "--schema", "s.json"]).exits(0);
        folder.dset(&["verify"]).exits(0);
    }
    let always = faulty("vllm", "so=wrong-type");
    let folder = folder();
    always.run(&folder, &["-m", "m", "--schema", "s.json", "--tries", "2"]).exits(3);
    assert_eq!(always.stats().asked, 2);
    folder.dset(&["show", "1"]).exits(0).tells("/label");
    folder.dset(&["show", "1", "--raw"]).exits(1).tells("{");
}

#[test]
fn on_fail_says_it_for_the_schema_too() {
    for (on_fail, exit, asked) in [("mark", 3, 1), ("keep", 0, 1), ("retry", 3, 2)] {
        let (folder, service) = (folder(), faulty("vllm", "so=wrong-type"));
        let flags = ["-m", "m", "--schema", "s.json", "--on-fail", on_fail, "--tries", "2"];
        service.run(&folder, &flags).exits(exit);
        assert_eq!(service.stats().asked, asked, "{on_fail}");
    }
}

#[test]
fn a_sample_that_is_wanted_no_more_need_not_be_accepted() {
    let (folder, service) = (folder(), faulty("vllm", "so=wrong-type*1"));
    let flags = ["--schema", "s.json", "--on-fail", "mark", "--samples", "4", "--enough", "1"];
    service.run(&folder, &[&["-m", "m"], &flags[..]].concat()).exits(0);
    assert_eq!(service.stats().asked, 2);
    folder.dset(&[&["check"], &flags[..]].concat()).exits(0).tells("1 pass, 1 fail");
}

fn faulty(dialect: &str, on: &str) -> Service {
    let (dialect, on) = (dialect.parse().unwrap(), vec![on.parse().unwrap()]);
    Service::start(MockSettings { dialect, on, ..MockSettings::default() })
}

#[test]
fn a_refusal_is_none_of_the_schemas_business() {
    for (dialect, stream) in [("openai", "off"), ("openai", "on"), ("vllm", "off")] {
        let folder = folder();
        let service = faulty(dialect, "so=refusal");
        service.run(&folder, &["-m", "m", "--schema", "s.json", "--stream", stream]).exits(3);
        folder.dset(&["show", "--failed"]).exits(0).tells("can't help with that");
    }
}

#[test]
fn what_is_left_out_of_a_schema_is_said() {
    let folder = folder();
    folder.write("dset.toml", "schema = 's.json'\nmodel = 'openai/gpt-6-luna'\nkey = 'none'\n");
    let said = "not sent, and checked here alone: /properties/note/maxLength";
    folder.dset(&["doctor", "--offline"]).tells(said).tells("is held to the schema by its service");
    let service = Service::keeping("openai");
    let url = service.url();
    folder.write("dset.toml", format!("schema = 's.json'\nmodel = 'openai/gpt-6-luna'\n[provider.openai]\nbase-url = '{url}'\nkeyless = true\n"));
    folder.dset(&["run", "-v"]).exits(0).says(said);
}
