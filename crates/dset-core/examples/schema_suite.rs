//! Judges the tests of the official JSON Schema suite, for `dev/schema-suite/run`.
//!
//! Reads lines of JSON, each a group of tests (`draft`, `file`, `schema`, `tests`), and writes the
//! tests that end otherwise than they should, and how many of each draft end as they should.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, Write, stdin, stdout};

use dset_core::schema::Schema;
use dset_core::structured::Json;
use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut out = stdout().lock();
    for line in stdin().lock().lines() {
        let group: Value = serde_json::from_str(&line?)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let schema = Schema::new(group["schema"].clone());
        for test in group["tests"].as_array().into_iter().flatten() {
            let data = Json::parse(&test["data"].to_string());
            let fits = schema
                .as_ref()
                .map(|schema| data.as_ref().is_ok_and(|data| schema.reasons(data).is_empty()));
            let is_right = fits.as_ref().ok().copied() == test["valid"].as_bool();
            let (right, all) = counts.entry(text(&group["draft"])).or_default();
            *right += usize::from(is_right);
            *all += 1;
            if !is_right {
                let names = [&group["draft"], &group["file"], &group["description"]].map(text);
                let why = fits.err().map(|error| error.to_string()).unwrap_or_default();
                writeln!(out, "{}: {}: {why}", names.join(", "), text(&test["description"]))?;
            }
        }
    }
    for (draft, (right, all)) in counts {
        writeln!(out, "{draft}: {right} of {all}, {:.2} %", 100.0 * right as f64 / all as f64)?;
    }
    Ok(())
}
