//! What is written is read again as it was, and the same rows are the same bytes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::borrow::Cow;
use std::fs;

use dset_core::layout::{Cell, Column, Kind, ValueType};
use dset_parquet::{Reader, WriteError, Writer, WriterOptions};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

const MESSAGE: &[&str] = &["role", "content"];

fn columns() -> Vec<Column> {
    [
        ("text", Kind::Text),
        ("integer", Kind::Integer),
        ("float", Kind::Float),
        ("truth", Kind::Truth),
        ("time", Kind::Time),
        ("texts", Kind::Texts),
        ("objects", Kind::Objects(MESSAGE)),
    ]
    .map(|(name, kind)| Column::new(name, kind))
    .to_vec()
}

/// A row of every kind, and what it is as JSON.
fn row(number: i64) -> (Vec<Cell<'static>>, Value) {
    let known = number % 3 != 0;
    let text = match number % 4 {
        0 => String::new(),
        1 => "2024-03-15".to_owned(),
        2 => format!("NA \u{1}\"{number}\" 𝔘\n"),
        _ => "x".repeat(number as usize),
    };
    let half = number as f64 / 2.0;
    let count = number as usize % 3;
    let message = vec![Cow::Borrowed("user"), Cow::Owned(text.clone())];
    let cells = vec![
        Cell::Text(text.clone().into()),
        Cell::Integer(known.then_some(i64::MAX - number)),
        Cell::Float(known.then_some(half)),
        Cell::Truth(known.then_some(number % 2 == 0)),
        Cell::Time(1_764_380_000_123 + number),
        Cell::Texts(vec![text.clone().into(); count]),
        Cell::Objects(vec![message; count]),
    ];
    let millis = 123 + number;
    let moment = format!(
        "2025-11-29 01:{:02}:{:02}.{:03}",
        33 + (20 + millis / 1000) / 60,
        (20 + millis / 1000) % 60,
        millis % 1000
    );
    let moment = if millis % 1000 == 0 {
        moment[..19].to_owned()
    } else {
        moment.trim_end_matches('0').to_owned()
    };
    let expected = json!({
        "text": text,
        "integer": known.then_some(i64::MAX - number),
        "float": known.then_some(half),
        "truth": known.then_some(number % 2 == 0),
        "time": moment + "+00",
        "texts": vec![json!(text); count],
        "objects": vec![json!({"role": "user", "content": text}); count],
    });
    (cells, expected)
}

fn write(rows: i64, options: WriterOptions) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, &columns(), options).unwrap();
    for number in 0..rows {
        writer.push(&row(number).0).unwrap();
    }
    let length = writer.finish().unwrap();
    assert_eq!(length, bytes.len() as u64);
    bytes
}

fn read(bytes: &[u8]) -> (Vec<String>, Vec<Value>) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("it.parquet");
    fs::write(&path, bytes).unwrap();
    let mut reader = Reader::open(&path).unwrap();
    let (mut rows, mut row) = (Vec::new(), Map::new());
    while reader.next(&mut row).unwrap() {
        rows.push(Value::Object(row.clone()));
    }
    assert_eq!(rows.len() as u64, reader.rows());
    (reader.columns().to_vec(), rows)
}

fn small_groups() -> WriterOptions {
    let mut options = WriterOptions::default();
    options.group_rows = 100;
    options
}

#[test]
fn every_kind_is_read_as_it_was_written_in_any_number_of_row_groups() {
    for (rows, options) in [
        (0, WriterOptions::default()),
        (1, small_groups()),
        (2_345, small_groups()),
        (2_345, WriterOptions::default()),
    ] {
        let (columns, read) = read(&write(rows, options));
        assert_eq!(columns, ["text", "integer", "float", "truth", "time", "texts", "objects"]);
        assert_eq!(read.len() as i64, rows);
        for (number, read) in read.iter().enumerate() {
            assert_eq!(read.to_string(), row(number as i64).1.to_string());
        }
    }
}

#[test]
fn the_same_rows_are_the_same_bytes() {
    let first = write(3_000, small_groups());
    assert_eq!(first, write(3_000, small_groups()));
    let created_by = b"dset version ";
    assert!(first.windows(created_by.len()).any(|it| it == created_by));
}

#[test]
fn a_row_group_ends_by_rows_or_by_bytes() {
    use parquet::file::metadata::ParquetMetaDataReader;
    let groups = |bytes: Vec<u8>| {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("it.parquet");
        fs::write(&path, bytes).unwrap();
        let file = fs::File::open(path).unwrap();
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&file).unwrap();
        let groups = metadata.row_groups().iter();
        groups
            .map(|group| {
                let indexed = |column: &parquet::file::metadata::ColumnChunkMetaData| {
                    column.offset_index_offset().is_some()
                        && column.column_index_offset().is_some()
                        && column.statistics().is_some()
                };
                assert!(group.columns().iter().all(indexed));
                group.num_rows()
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(groups(write(250, small_groups())), [100, 100, 50]);
    let mut by_bytes = WriterOptions::default();
    by_bytes.group_bytes = 20_000;
    let sizes = groups(write(400, by_bytes));
    assert!(sizes.len() > 2 && sizes.iter().sum::<i64>() == 400, "{sizes:?}");
}

#[test]
fn a_cell_of_ten_megabytes_passes() {
    let columns = [Column::new("text", Kind::Text)];
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, &columns, WriterOptions::default()).unwrap();
    let text =
        |number: usize| format!("{number} ").repeat(10_000_000 / (number.to_string().len() + 1));
    for number in 0..12 {
        writer.push(&[Cell::Text(text(number).into())]).unwrap();
    }
    writer.finish().unwrap();
    let (_, rows) = read(&bytes);
    assert_eq!(rows.len(), 12);
    assert!(rows.iter().enumerate().all(|(number, row)| row["text"] == text(number)));
}

#[test]
fn rows_that_are_not_of_the_columns_are_refused() {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, &columns(), WriterOptions::default()).unwrap();
    let (mut cells, _) = row(1);
    assert!(matches!(
        writer.push(&cells[1..]),
        Err(WriteError::Cells { row: 1, cells: 6, columns: 7 })
    ));
    cells[6] = Cell::Objects(vec![vec!["user".into()]]);
    let error = writer.push(&cells).unwrap_err();
    assert_eq!(error.to_string(), r#"row 1 has a cell of another kind in column "objects""#);
    writer.push(&row(1).0).unwrap();
    writer.finish().unwrap();
    assert_eq!(read(&bytes).1.len(), 1);
    let twice = [columns()[0].clone(), columns()[0].clone()];
    let error = Writer::new(Vec::new(), &twice, WriterOptions::default()).unwrap_err();
    assert!(matches!(error, WriteError::SameName(name) if name == "text"));
    assert!(Writer::new(Vec::new(), &[], WriterOptions::default()).is_err());
}

/// Takes so many bytes and no more.
struct Full(usize);

impl std::io::Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self.0.checked_sub(bytes.len()) {
            Some(left) => self.0 = left,
            None => return Err(std::io::ErrorKind::StorageFull.into()),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_an_error_of_the_system_wherever_it_is_full() {
    let whole = write(2_000, small_groups()).len();
    for room in [0, 3, whole / 2, whole - 1] {
        let written = Writer::new(Full(room), &columns(), small_groups()).and_then(|mut writer| {
            (0..2_000).try_for_each(|number| writer.push(&row(number).0))?;
            writer.finish()
        });
        let Err(WriteError::Io(error)) = written else { panic!("{room}: {written:?}") };
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "{room}");
    }
}

#[test]
fn json_whose_values_are_alike_has_their_type_and_nulls_stay_nulls() {
    let list = |of| ValueType::List(Box::new(of));
    let object = |keys: &[(&str, ValueType)]| {
        ValueType::Object(keys.iter().map(|(key, of)| ((*key).to_owned(), of.clone())).collect())
    };
    let typed = |name: &str, values: Option<ValueType>| Column {
        values: values.map(std::sync::Arc::new),
        ..Column::new(name, Kind::Json)
    };
    let turn = object(&[("role", ValueType::Text), ("n", ValueType::Integer)]);
    let columns = [
        typed("choices", Some(list(ValueType::Text))),
        typed("deep", Some(list(list(ValueType::Float)))),
        typed("turns", Some(list(turn))),
        typed("meta", Some(object(&[("ok", ValueType::Truth)]))),
        typed("any", None),
    ];
    let rows = [
        [
            r#"["a",null,""]"#,
            "[[1.5],[],null]",
            r#"[{"role":"u","n":7},null]"#,
            r#"{"ok":true}"#,
            "[1]",
        ],
        ["[]", "null", "[]", r#"{"ok":null}"#, "null"],
        ["null", "[]", r#"[{"role":null,"n":null}]"#, "null", "\"x\""],
    ];
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, &columns, WriterOptions::default()).unwrap();
    for row in rows {
        writer.push(&row.map(|text| Cell::Json(text.into()))).unwrap();
    }
    let wrong = ["[1]", "[]", "[]", "null", "null"].map(|text| Cell::Json(text.into()));
    assert!(matches!(writer.push(&wrong), Err(WriteError::Kind { row: 4, .. })));
    writer.finish().unwrap();
    let (_, read) = read(&bytes);
    for (row, written) in read.iter().zip(rows) {
        let any = match written[4] {
            "null" => Value::Null,
            text => json!(text),
        };
        let values = written[..4].iter().map(|text| serde_json::from_str(text).unwrap());
        let expected: Vec<Value> = values.chain([any]).collect();
        let found: Vec<Value> = row.as_object().unwrap().values().cloned().collect();
        assert_eq!(found, expected);
    }
}
