#!/bin/sh
# Rust's csv crate with serde_json: the cells "Nan", "inf" and "Infinity" become null, and in a column asked for as text the same cells stay.
# Versions: csv 1.4.0, serde 1.0.229, serde_json 1.0.154.
# Guess: a CSV file has no types and this crate guesses none, so a map of serde_json::Value has a string for each cell; at most digits become numbers.
# Seen: a struct with `id: String` and the other columns flattened into a map of Value. id keeps "007"; the answers 007, 1e5, 1.10, true become 7, 100000.0,
#   1.1, true; and Nan (a name, a bread), NaN, inf, Infinity become null. Without the struct, read as maps, the ids are changed as well; as maps of String
#   nothing is. "1_000" and the empty cell stay texts, and a number of 23 digits ends the row with an error.
# Cause: asked for "any" value the reader tries numbers first, a double takes the words for infinity and not-a-number, and JSON has no such doubles.
# Known: rust-csv issue 151, open since 2019, for text that looks like numbers; nothing was found for the nulls.
# Hurts: the usual way to carry on "all other columns" of a CSV file into JSON lines: answers are gone or rewritten, by their spelling, row by row. Read strings.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
mkdir "$t/src"
cat >"$t/Cargo.toml" <<'TOML'
[package]
name = "probe"
version = "0.1.0"
edition = "2024"
[dependencies]
csv = "=1.4.0"
serde = { version = "=1.0.229", features = ["derive"] }
serde_json = "=1.0.154"
TOML
cat >"$t/src/main.rs" <<'RS'
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(serde::Deserialize)]
struct Row {
    id: String,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

fn read<T: DeserializeOwned>(answers: &[&str]) -> Vec<Result<T, csv::Error>> {
    let text: String = answers.iter().map(|answer| format!("007,{answer}\n")).collect();
    csv::Reader::from_reader(format!("id,answer\n{text}").as_bytes()).into_deserialize().collect()
}

fn main() {
    let answers = ["Nan", "NaN", "inf", "Infinity", "007", "1e5", "1.10", "true", "1_000", "", "Paris"];
    let kept: Vec<Row> = read(&answers).into_iter().map(Result::unwrap).collect();
    let got: Vec<Value> = kept.iter().map(|row| row.others["answer"].clone()).collect();
    let pairs: Vec<String> = answers.iter().zip(&got).map(|(cell, value)| format!("{cell}->{value}")).collect();
    assert!(kept.iter().all(|row| row.id == "007"));
    assert_eq!(json!(got), json!([null, null, null, null, 7, 100000.0, 1.1, true, "1_000", "", "Paris"]));
    let maps: Vec<BTreeMap<String, Value>> = read(&["Nan"]).into_iter().map(Result::unwrap).collect();
    assert_eq!(json!(maps), json!([{"id": 7, "answer": null}]));
    let texts: Vec<BTreeMap<String, String>> = read(&answers).into_iter().map(Result::unwrap).collect();
    assert!(texts.iter().zip(answers).all(|(row, cell)| row["id"] == "007" && row["answer"] == cell));
    assert!(read::<Row>(&["12345678901234567890123"])[0].is_err());
    println!("seen: {}", pairs.join(", "));
}
RS
cd "$t"
nice cargo run -q
