//! What services are sent of a schema, and which answers fit.

use crate::common::{Folder, Service};
use serde_json::{Value, json};

const SCHEMA: &str = r#"{
  "type": "object",
  "properties": {"label": {"enum": ["yes", "no"]}, "note": {"type": "string", "maxLength": 9}},
  "required": ["label"]
}"#;

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("s.json", SCHEMA);
    folder
}

fn tried(folder: &Folder, words: &[&str]) -> Value {
    folder.dset(&[&["schema", "try", "s.json", "--json"], words].concat()).exits(0).json()
}

#[test]
fn what_each_service_is_sent_is_shown_without_an_ask_or_a_key() {
    let folder = folder();
    let openai = tried(&folder, &["-m", "openai/gpt-6-luna"]);
    let format = &openai["fields"]["response_format"]["json_schema"];
    assert_eq!((&openai["method"], &format["strict"]), (&json!("strict"), &json!(true)));
    assert_eq!(format["schema"]["required"], json!(["label", "note"]));
    assert_eq!(
        (&openai["nullable"], &openai["left_out"]),
        (&json!(true), &json!(["/properties/note/maxLength"]))
    );
    let deepseek = tried(&folder, &["-m", "deepseek-flash"]);
    assert_eq!(deepseek["fields"], json!({"response_format": {"type": "json_object"}}));
    assert!(deepseek["sentence"].as_str().unwrap().contains("maxLength"));
    let anthropic = tried(&folder, &["-m", "anthropic/claude-haiku-4-5"]);
    assert_eq!(anthropic["fields"]["output_config"]["format"]["type"], "json_schema");
    folder
        .dset(&["schema", "try", "s.json", "-m", "openai/gpt-6-luna"])
        .exits(0)
        .tells("left out")
        .tells("/properties/note/maxLength")
        .tells(r#""strict": true"#);
    assert!(!folder.path("dset_generator").exists());
}

#[test]
fn a_schema_that_refers_to_itself_with_something_beside_is_sent() {
    let folder = Folder::with("question\nq\n");
    folder.write(
        "s.json",
        r##"{"type": "object", "properties": {"v": {"type": "integer"}, "next": {"$ref": "#", "nullable": true}}}"##,
    );
    for model in ["openai/gpt-6-luna", "vllm/m", "gemini/gemini-4-hydrogen"] {
        assert!(tried(&folder, &["-m", model])["fields"].to_string().contains("$ref"), "{model}");
    }
    let service = Service::friendly();
    service.run(&folder, &["--schema", "s.json"]).exits(0);
}

#[test]
fn an_answer_is_held_against_the_whole_schema() {
    let folder = folder();
    folder.write("good.txt", "Sure:\n```json\n{\"label\": \"yes\", \"note\": null}\n```\n");
    folder.write("bad.txt", r#"{"label": "maybe", "note": "far too long"}"#);
    let good = tried(&folder, &["-m", "openai/gpt-6-luna", "--answer", "good.txt"]);
    let fits = json!({"fits": true, "parsed_from": "fence", "parsed": r#"{"label":"yes"}"#, "reasons": []});
    assert_eq!(good["answer"], fits);
    // A service that is not asked for null does not answer so.
    let strict = ["schema", "try", "s.json", "-m", "vllm/m", "--answer", "good.txt"];
    folder.dset(&strict).exits(1).tells("the answer does not fit");
    folder
        .shell("dset schema try s.json -m vllm/m --answer - < bad.txt")
        .exits(1)
        .tells(r#"/label"#)
        .tells(r#"this is not one of "yes" or "no"; it is "maybe""#)
        .tells("this is longer than 9 characters");
}

#[test]
fn what_is_no_schema_is_refused_with_its_place() {
    let folder = Folder::new();
    for (name, text, why) in [
        ("a.json", r#"{"properties": {"a": {"type": "text"}}}"#, "`/properties/a/type`"),
        ("b.json", r#"{"$ref": "https://example.com/s.json"}"#, "leads out of the file"),
        ("c.json", "type: object\n", "A schema in YAML has a name that ends with .yaml"),
        ("d.yaml", "type: [object\n", "line "),
        ("e.json", r#"{"$schema": "http://json-schema.org/draft-04/schema#"}"#, "draft-04"),
    ] {
        folder.write(name, text);
        folder.dset(&["schema", "try", name]).exits(2).says("is no schema").says(why);
    }
    folder.dset(&["schema", "try", "none.json"]).exits(2).says("cannot be read");
    folder.write("e.yaml", "type: object\nproperties:\n  a: {type: string}\n");
    folder.dset(&["schema", "try", "e.yaml"]).exits(0);
}
