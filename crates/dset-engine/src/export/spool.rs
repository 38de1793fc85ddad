//! Rows in another order than they are made in: kept in a file without a name, then read by place.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use dset_core::layout::{Cell, Column, Kind};
use serde_json::Value;

/// Rows that wait for their place. In memory is only where each of them is.
pub(super) struct Spool {
    file: BufWriter<File>,
    length: u64,
    /// What each row is sorted by, where it begins, and its split.
    places: Vec<(u64, u64, u16)>,
}

impl Spool {
    /// Begins one, in a folder with room for the dataset.
    pub(super) fn new(folder: &Path) -> io::Result<Spool> {
        let file = BufWriter::new(tempfile::tempfile_in(folder)?);
        Ok(Spool { file, length: 0, places: Vec::new() })
    }

    /// Keeps a row.
    pub(super) fn push(&mut self, key: u64, split: usize, cells: &[Cell<'_>]) -> io::Result<()> {
        let mut line = serde_json::to_vec(&cells.iter().map(encode).collect::<Vec<_>>())?;
        line.push(b'\n');
        self.places.push((key, self.length, split as u16));
        self.length += line.len() as u64;
        self.file.write_all(&line)
    }

    /// Shows all rows in the order of their keys; of equal ones the first comes first.
    pub(super) fn for_each(
        mut self,
        columns: &[Column],
        mut each: impl FnMut(usize, &[Cell<'_>]) -> io::Result<()>,
    ) -> io::Result<()> {
        self.places.sort_unstable();
        let mut file = BufReader::new(self.file.into_inner().map_err(|error| error.into_error())?);
        let mut line = Vec::new();
        for (_, place, split) in self.places {
            file.seek(SeekFrom::Start(place))?;
            line.clear();
            file.read_until(b'\n', &mut line)?;
            let values: Vec<Value> = serde_json::from_slice(&line)?;
            let cells: Vec<_> = columns
                .iter()
                .zip(values)
                .map(|(column, value)| decode(column.kind, value))
                .collect();
            each(usize::from(split), &cells)?;
        }
        Ok(())
    }
}

fn encode(cell: &Cell<'_>) -> Value {
    match cell {
        Cell::Text(text) | Cell::Json(text) => Value::from(&**text),
        Cell::Integer(number) => Value::from(*number),
        // By its bits: what is written and read back as digits may be another number.
        Cell::Float(number) => Value::from(number.map(f64::to_bits)),
        Cell::Truth(truth) => Value::from(*truth),
        Cell::Time(at) => Value::from(*at),
        Cell::Texts(texts) => texts.iter().map(|text| Value::from(&**text)).collect(),
        Cell::Objects(objects) => {
            let object = |texts: &Vec<Cow<'_, str>>| -> Value {
                texts.iter().map(|text| Value::from(&**text)).collect()
            };
            objects.iter().map(object).collect()
        }
    }
}

fn decode(kind: Kind, value: Value) -> Cell<'static> {
    let text = |value: Value| match value {
        Value::String(text) => text,
        _ => String::new(),
    };
    let list = |value: Value| match value {
        Value::Array(values) => values,
        _ => Vec::new(),
    };
    match kind {
        Kind::Text => Cell::Text(text(value).into()),
        Kind::Json | Kind::Row => Cell::Json(text(value).into()),
        Kind::Integer => Cell::Integer(value.as_i64()),
        Kind::Float => Cell::Float(value.as_u64().map(f64::from_bits)),
        Kind::Truth => Cell::Truth(value.as_bool()),
        Kind::Time => Cell::Time(value.as_i64().unwrap_or_default()),
        Kind::Texts => {
            Cell::Texts(list(value).into_iter().map(|value| text(value).into()).collect())
        }
        Kind::Objects(_) => {
            let object = |value| list(value).into_iter().map(|value| text(value).into()).collect();
            Cell::Objects(list(value).into_iter().map(object).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_were_in_the_order_of_their_keys() {
        let kinds = [
            Kind::Text,
            Kind::Integer,
            Kind::Float,
            Kind::Truth,
            Kind::Time,
            Kind::Texts,
            Kind::Objects(&["a", "b"]),
            Kind::Json,
            Kind::Row,
        ];
        let columns = kinds.map(|kind| Column::new(format!("{kind:?}"), kind));
        let row = |text: &'static str| {
            [
                Cell::Text(text.into()),
                Cell::Integer(Some(-7)),
                Cell::Float(Some(0.1 + 0.2)),
                Cell::Truth(None),
                Cell::Time(-1),
                Cell::Texts(vec![text.into()]),
                Cell::Objects(vec![vec![text.into(), "".into()]]),
                Cell::Json("{\"k\":[1]}".into()),
                Cell::Json("{\"b\":null,\"a\":1}".into()),
            ]
        };
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(folder.path()).unwrap();
        for (key, text) in [(2, "c\nd"), (1, "a"), (2, "e"), (0, "\u{0}\"")] {
            spool.push(key, 3, &row(text)).unwrap();
        }
        let mut seen = Vec::new();
        spool
            .for_each(&columns, |split, cells| {
                assert_eq!(split, 3);
                seen.push(format!("{cells:?}"));
                Ok(())
            })
            .unwrap();
        assert_eq!(seen, ["\u{0}\"", "a", "c\nd", "e"].map(|text| format!("{:?}", row(text))));
    }
}
