//! Any three files are taken over without a panic, and taken over again nothing is left to do.
//!
//! An input is `output.csv`, `output.json` and `output.txt`, with a line `%%%` between them.
#![no_main]

use std::fmt::Write as _;

use dset_core::recover::legacy::{LegacyAnswers, Completion, LegacyFile, LegacyOutputs, joint, read_csv, read_json, read_legacy_outputs};
use dset_core::answer::row::Row;
use dset_core::time::stamp;
use libfuzzer_sys::fuzz_target;

const BETWEEN: &[u8] = b"%%%\n";

fuzz_target!(|bytes: &[u8]| {
    let mut files = bytes.to_vec();
    let mut parts = Vec::new();
    while let Some(at) = files.windows(BETWEEN.len()).position(|window| window == BETWEEN) {
        let rest = files.split_off(at + BETWEEN.len());
        files.truncate(at);
        parts.push(std::mem::replace(&mut files, rest));
    }
    parts.push(files);
    parts.resize(3, Vec::new());
    let [csv, json, txt] = [&parts[0], &parts[1], &parts[2]];

    is_read_again(csv, read_csv);
    is_read_again(json, read_json);
    let first = read_legacy_outputs(LegacyOutputs { csv, json, txt }, write_txt);
    assert_eq!(first.rows.len(), first.ids.len());
    let mut ids = first.ids.clone();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), first.rows.len(), "a row is adopted once");

    let csv = completed(
        csv,
        &first.csv,
        &first,
        b"timestamp,question,thoughts,final_answer\r\n",
        b"\r\n",
        write_csv,
    );
    let json = completed(json, &first.json, &first, b"", b"\n", write_json);
    let txt = completed(txt, &first.txt, &first, b"", b"\n", write_txt);
    let again = read_legacy_outputs(LegacyOutputs { csv: &csv, json: &json, txt: &txt }, write_txt);
    assert_eq!(again.torn, 0, "what is completed is not torn");
    for (name, completion, length) in [
        ("csv", &again.csv, csv.len()),
        ("json", &again.json, json.len()),
        ("txt", &again.txt, txt.len()),
    ] {
        assert_eq!(completion.whole_bytes, length as u64, "{name} is whole");
        assert!(completion.missing_rows.is_empty(), "{name} lacks nothing");
    }
    assert_eq!(again.rows, first.rows, "no row is lost or doubled");
    assert_eq!(again.ids, first.ids);
});

/// The whole part of a file holds the same rows and is not torn.
fn is_read_again(bytes: &[u8], read: fn(&[u8]) -> LegacyFile) {
    let found = read(bytes);
    assert!(found.whole_bytes <= bytes.len() as u64);
    assert!(found.torn || found.whole_bytes == bytes.len() as u64);
    let again = read(&bytes[..found.whole_bytes as usize]);
    assert_eq!(again, LegacyFile { torn: false, ..found });
}

fn completed(
    found: &[u8],
    completion: &Completion,
    adoption: &LegacyAnswers,
    header: &[u8],
    newline: &[u8],
    write: fn(&Row, &mut Vec<u8>),
) -> Vec<u8> {
    let mut bytes = found[..completion.whole_bytes as usize].to_vec();
    let joint = joint(&bytes, header, newline).to_vec();
    bytes.extend(joint);
    completion.missing_rows.iter().for_each(|&at| write(&adoption.rows[at], &mut bytes));
    bytes
}

fn write_csv(row: &Row, output: &mut Vec<u8>) {
    let cell = |text: &str| match text.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    };
    let cells = [&stamp(row.answered_at), &row.question, &row.reasoning, &row.answer];
    output.extend(cells.map(|text| cell(text)).join(",").bytes());
    output.extend(b"\r\n");
}

fn write_json(row: &Row, output: &mut Vec<u8>) {
    let mut line = String::new();
    let text = |text: &str| {
        let mut quoted = String::from("\"");
        for c in text.chars() {
            match c {
                '"' | '\\' => quoted.extend(['\\', c]),
                '\0'..='\x1f' => write!(quoted, "\\u{:04x}", c as u32).expect("a string grows"),
                c => quoted.push(c),
            }
        }
        quoted + "\""
    };
    writeln!(
        line,
        "{{\"metadata\": {{\"timestamp\": \"{}\", \"question\": {}}}, \"response\": {{\"reasoning\": {}, \"answer\": {}}}}}",
        stamp(row.answered_at),
        text(&row.question),
        text(&row.reasoning),
        text(&row.answer)
    )
    .expect("a string grows");
    output.extend(line.bytes());
}

fn write_txt(row: &Row, output: &mut Vec<u8>) {
    let text = format!(
        "Timestamp: {}\nQuestion: {}\nThought Process: {}\nFinal Answer: {}\n{}\n\n",
        stamp(row.answered_at),
        row.question,
        row.reasoning,
        row.answer,
        "-".repeat(50)
    );
    output.extend(text.bytes());
}
