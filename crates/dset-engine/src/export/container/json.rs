//! JSON lines, and a JSON array: every key in every row, in one order, or whole rows with the keys that each has.

use std::fs::File;
use std::io::{self, Write};

use dset_core::layout::{Cell, Column, Kind};
use dset_core::time::rfc3339;

use super::{Container, ContainerKind, Keeps};
use crate::export::pack::{Packed, Packing};

pub(super) const LINES: ContainerKind = ContainerKind {
    ending: "jsonl",
    about: "JSON lines",
    packs: true,
    has_moments: false,
    keeps: Keeps::Rows,
    is_awkward: |_| false,
    open: |file, packing, columns| open(file, packing, columns, false),
};

pub(super) const ARRAY: ContainerKind = ContainerKind {
    ending: "json",
    about: "a JSON array",
    packs: true,
    has_moments: false,
    keeps: Keeps::Rows,
    is_awkward: |_| false,
    open: |file, packing, columns| open(file, packing, columns, true),
};

struct Json {
    to: Packed,
    /// What stands before the value of each column, as JSON: its name.
    names: Vec<String>,
    kinds: Vec<Kind>,
    is_array: bool,
    has_rows: bool,
}

fn open(
    file: File,
    packing: Packing,
    columns: &[Column],
    is_array: bool,
) -> io::Result<Box<dyn Container>> {
    let name = |(at, column): (usize, &Column)| {
        let before = if at == 0 { '{' } else { ',' };
        format!("{before}{}:", serde_json::Value::from(&*column.name))
    };
    let mut to = packing.writer(file)?;
    if is_array {
        to.write_all(b"[")?;
    }
    Ok(Box::new(Json {
        to,
        names: columns.iter().enumerate().map(name).collect(),
        kinds: columns.iter().map(|column| column.kind).collect(),
        is_array,
        has_rows: false,
    }))
}

impl Container for Json {
    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        match (self.is_array, self.has_rows) {
            (true, false) => self.to.write_all(b"\n")?,
            (true, true) => self.to.write_all(b",\n")?,
            (false, _) => {}
        }
        self.has_rows = true;
        if let ([Kind::Row], [row]) = (&*self.kinds, cells) {
            write_value(Kind::Row, row, &mut self.to)?;
        } else {
            for ((name, kind), cell) in self.names.iter().zip(&self.kinds).zip(cells) {
                self.to.write_all(name.as_bytes())?;
                write_value(*kind, cell, &mut self.to)?;
            }
            self.to.write_all(b"}")?;
        }
        self.to.write_all(if self.is_array { b"" } else { b"\n" })
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        if self.is_array {
            self.to.write_all(b"\n]\n")?;
        }
        self.to.finish()
    }
}

/// Writes a cell as JSON. Moments are text with milliseconds: without them readers would take the
/// text for a moment of theirs.
pub(super) fn write_value(kind: Kind, cell: &Cell<'_>, to: &mut impl Write) -> io::Result<()> {
    match cell {
        Cell::Text(text) => serde_json::to_writer(to, text)?,
        Cell::Integer(number) => serde_json::to_writer(to, number)?,
        Cell::Float(number) => serde_json::to_writer(to, number)?,
        Cell::Truth(truth) => serde_json::to_writer(to, truth)?,
        Cell::Time(at) => serde_json::to_writer(to, &rfc3339(*at))?,
        Cell::Texts(texts) => serde_json::to_writer(to, texts)?,
        Cell::Json(value) => to.write_all(value.as_bytes())?,
        Cell::Objects(objects) => {
            let keys = if let Kind::Objects(keys) = kind { keys } else { &[] };
            to.write_all(b"[")?;
            for (at, texts) in objects.iter().enumerate() {
                to.write_all(if at == 0 { b"{" } else { b",{" })?;
                for (at, (key, text)) in keys.iter().zip(texts).enumerate() {
                    write!(to, "{}\"{key}\":", if at == 0 { "" } else { "," })?;
                    serde_json::to_writer(&mut *to, text)?;
                }
                to.write_all(b"}")?;
            }
            to.write_all(b"]")?;
        }
    }
    Ok(())
}
