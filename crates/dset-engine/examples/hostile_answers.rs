//! What it costs to read answers and to hold them against a schema of 20 properties: good ones, and
//! hostile ones, each bounded.
//!
//! `cargo run --release -p dset-engine --example hostile_answers [COUNT]`
#![allow(clippy::print_stdout, reason = "it is a measurement")]

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dset_core::answer::ValueReading;
use dset_core::schema::Schema;
use dset_core::schema::dialect::Restore;
use dset_core::structured::read;
use serde_json::{Map, Value, json};

const PROPERTIES: usize = 20;
/// Times that the good answer is read.
const TIMES: u32 = 100_000;
/// No answer of 10 MB may take longer.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// What a hostile answer is like, and how one of so many bytes is made.
type Kind = (&'static str, fn(usize) -> String);

fn main() {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(100_000);
    let schema = schema();
    good(&schema);
    hostile(&schema, count);
}

fn schema() -> Schema {
    let kinds = [
        json!({"type": "string", "minLength": 1}),
        json!({"type": "integer", "minimum": 0}),
        json!({"enum": ["yes", "no", "unsure"]}),
        json!({"type": "array", "items": {"type": "string"}, "maxItems": 9}),
    ];
    let names = (0..PROPERTIES).map(|at| format!("property_{at}"));
    let properties: Map<String, Value> =
        names.clone().enumerate().map(|(at, name)| (name, kinds[at % 4].clone())).collect();
    let required: Vec<String> = names.collect();
    Schema::new(json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    }))
    .expect("it is a schema")
}

fn good(schema: &Schema) {
    let values = [json!("a word or two"), json!(42), json!("yes"), json!(["one", "two"])];
    let members = (0..PROPERTIES).map(|at| (format!("property_{at}"), values[at % 4].clone()));
    let answer = Value::from(members.collect::<Map<_, _>>()).to_string();
    let reading =
        ValueReading::new(Arc::new(schema.clone()), Restore { nullable: true, wrapped: false });
    let began = Instant::now();
    for _ in 0..TIMES {
        let parsed = reading.read(&answer).expect("it is JSON");
        assert!(schema.reasons(&parsed.value).is_empty(), "it fits");
    }
    let each = began.elapsed() / TIMES;
    println!("an answer of {} bytes that fits: {each:?} to read and to check", answer.len());
}

fn hostile(schema: &Schema, count: usize) {
    let kinds: [Kind; 8] = [
        ("deep arrays", |size| "[".repeat(size)),
        ("deep objects", |size| "{\"a\":".repeat(size / 5)),
        ("a long number", |size| "9".repeat(size)),
        ("a large exponent", |_| "{\"property_1\":1e999999999}".to_owned()),
        ("one name again and again", |size| format!("{{{}\"a\":1}}", "\"a\":1,".repeat(size / 6))),
        ("many names", |size| {
            let mut text = String::from("{");
            for at in 0..size / 12 {
                let _ = write!(text, "\"{at}\":{at},");
            }
            text + "\"a\":1}"
        }),
        ("escapes", |size| format!("\"{}\"", "\\ud83d\\ude00".repeat(size / 12))),
        ("brackets in words", |size| "} { ] [ ```json ".repeat(size / 16)),
    ];
    let began = Instant::now();
    for at in 0..count {
        let (_, make) = kinds[at % kinds.len()];
        judge(schema, &make(20 + at % 5_000));
    }
    println!("{count} hostile answers: {:?}", began.elapsed());
    for (name, make) in kinds {
        let answer = make(10_000_000);
        let began = Instant::now();
        judge(schema, &answer);
        let took = began.elapsed();
        println!("{name}, {} bytes: {took:?}", answer.len());
        assert!(took < ANSWER_MAX, "{name} takes too long");
    }
}

fn judge(schema: &Schema, answer: &str) {
    if let Ok(parsed) = read(answer) {
        let _ = schema.reasons(&parsed.value);
    }
}
