//! Small files of every type, made by pyarrow, DuckDB and Polars, against what DuckDB's `to_json` makes of
//! them: `dev/parquet/fixtures.py` made both.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};

use dset_parquet::{ReadError, Reader};
use serde_json::{Map, Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/parquet")
}

fn rows_of(path: &Path) -> Result<Vec<Map<String, Value>>, ReadError> {
    let mut reader = Reader::open(path)?;
    let (mut rows, mut row) = (Vec::new(), Map::new());
    while reader.next(&mut row)? {
        rows.push(row.clone());
    }
    assert_eq!(rows.len() as u64, reader.rows(), "{}", path.display());
    Ok(rows)
}

/// What is read otherwise than DuckDB reads it, by file, column and row; the crate's documentation
/// says why.
fn ours(file: &str, column: &str, row: usize) -> Option<Value> {
    let nines = "9".repeat(38);
    Some(match (file, column, row) {
        ("pyarrow_numbers", "nan", 1) => json!("inf"),
        ("pyarrow_numbers", "nan32", 1) => json!("-inf"),
        ("pyarrow_numbers", "nan" | "nan32", _) => Value::Null,
        ("pyarrow_texts", "large_binary", 0) => json!("\u{7f}"),
        ("pyarrow_texts", "large_binary", 1) => json!("é"),
        ("pyarrow_texts", "binary_view", 1) => json!("\n"),
        ("pyarrow_texts", "fixed", 2) => json!("'''"),
        ("pyarrow_numbers", "d38", 0) => json!("12345678901234567890.12"),
        ("pyarrow_numbers", "d38_whole", 1) => json!(nines),
        ("pyarrow_numbers", "d76", 1) => json!(format!("{}.0001", "9".repeat(40))),
        _ => return None,
    })
}

#[test]
fn every_type_is_read_as_duckdb_reads_it_but_for_what_is_named() {
    let mut differences = Vec::new();
    let mut cells = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|it| it != "jsonl") {
            continue;
        }
        let file = path.file_stem().unwrap().to_str().unwrap();
        let lines = fs::read_to_string(&path).unwrap();
        let read = rows_of(&path.with_extension("parquet"));
        let read = read.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(read.len(), lines.lines().count(), "{file}");
        for (number, (line, row)) in lines.lines().zip(&read).enumerate() {
            let expected: Map<String, Value> = serde_json::from_str(line).unwrap();
            assert!(expected.keys().eq(row.keys()), "{file}: {:?}", row.keys());
            for (column, theirs) in expected {
                let theirs = ours(file, &column, number).unwrap_or(theirs);
                cells += 1;
                // As text, so that the order of keys counts, and 1 is not 1.0.
                let (read, theirs) = (row[&column].to_string(), theirs.to_string());
                if read != theirs {
                    differences.push(format!("{file} {column} {number}: {read} for {theirs}"));
                }
            }
        }
    }
    assert!(cells > 5_000, "{cells}");
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn a_reader_that_is_rewound_gives_the_same_rows_again() {
    let mut reader = Reader::open(folder().join("codec_zstd.parquet")).unwrap();
    let mut read = |times: usize| {
        let (mut rows, mut row) = (Vec::new(), Map::new());
        while rows.len() < times && reader.next(&mut row).unwrap() {
            rows.push(row.clone());
        }
        reader.rewind();
        rows
    };
    let first = read(70);
    let all = read(usize::MAX);
    assert_eq!((first.len(), all.len()), (70, 121));
    assert_eq!(first, all[..70]);
}

#[test]
fn a_row_holds_the_columns_of_the_file_in_its_order_whatever_it_held_before() {
    let mut reader = Reader::open(folder().join("same_names.parquet")).unwrap();
    assert_eq!(reader.columns(), ["x", "x_1", "x_2"]);
    let mut row = Map::from_iter([("x_2".to_owned(), json!(9)), ("other".to_owned(), json!(1))]);
    assert!(reader.next(&mut row).unwrap());
    assert_eq!(Value::Object(row.clone()).to_string(), r#"{"x":1,"x_1":"b","x_2":2.5}"#);
    assert!(!reader.next(&mut row).unwrap());
    assert!(row.is_empty());
    assert!(!reader.next(&mut row).unwrap());
}

#[test]
fn columns_of_a_row_that_hold_bytes_and_no_text_are_named() {
    let mut reader = Reader::open(folder().join("pyarrow_texts.parquet")).unwrap();
    let mut row = Map::new();
    for named in [&["binary"][..], &["fixed"], &[], &[]] {
        assert!(reader.next(&mut row).unwrap());
        assert_eq!(reader.bytes(), named);
    }
}

#[test]
fn a_file_that_needs_a_key_is_called_encrypted() {
    for name in ["encrypted_footer", "encrypted_column"] {
        let error = rows_of(&folder().join(format!("{name}.parquet"))).unwrap_err();
        assert!(matches!(error, ReadError::Encrypted { .. }), "{name}: {error}");
    }
}

#[test]
fn an_index_that_pandas_says_beside_the_data_is_a_column() {
    let path = folder().join("pandas_index.parquet");
    let mut reader = Reader::open(&path).unwrap();
    assert_eq!(reader.columns(), ["question", "n"]);
    let rows = rows_of(&path).unwrap();
    let numbers: Vec<&Value> = rows.iter().map(|row| &row["n"]).collect();
    assert_eq!(numbers, [10, 12, 14, 16, 18]);
    assert_eq!(rows[3]["question"], "d");
    // Two rows a group.
    let mut row = Map::new();
    reader.seek_group(1);
    assert!(reader.next(&mut row).unwrap());
    assert_eq!(Value::Object(row), json!({"question": "c", "n": 14}));
}
