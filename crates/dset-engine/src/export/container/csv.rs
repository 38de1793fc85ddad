//! CSV as RFC 4180 has it: a header, then a record a row. What is no plain value is JSON in a cell.

use std::fs::File;
use std::io::{self, Write as _};

use dset_core::layout::{Cell, Column, Kind};
use dset_core::time::rfc3339;

use super::json::write_value;
use super::{Container, ContainerKind, Keeps};
use crate::export::pack::{Packed, Packing};

pub(super) const KIND: ContainerKind = ContainerKind {
    ending: "csv",
    about: "CSV",
    packs: true,
    has_moments: false,
    // Every cell is read as text.
    keeps: Keeps::Columns(|_| false),
    is_awkward: has_nul,
    open,
};

/// Tells whether a cell has a NUL, at which some readers stop.
fn has_nul(cell: &Cell<'_>) -> bool {
    match cell {
        Cell::Text(text) => text.contains('\0'),
        Cell::Json(value) => {
            value.contains("\\u0000")
                && matches!(serde_json::from_str(value), Ok(serde_json::Value::String(text)) if text.contains('\0'))
        }
        _ => false,
    }
}

struct Csv {
    to: csv::Writer<Packed>,
    kinds: Vec<Kind>,
}

fn open(file: File, packing: Packing, columns: &[Column]) -> io::Result<Box<dyn Container>> {
    let to = packing.writer(file)?;
    let mut to = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(to);
    to.write_record(columns.iter().map(|column| &column.name))?;
    Ok(Box::new(Csv { to, kinds: columns.iter().map(|column| column.kind).collect() }))
}

impl Container for Csv {
    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        let mut other = Vec::new();
        for (cell, kind) in cells.iter().zip(&self.kinds) {
            other.clear();
            match cell {
                Cell::Text(text) => {
                    self.to.write_field(&**text)?;
                    continue;
                }
                Cell::Time(at) => other.extend(rfc3339(*at).into_bytes()),
                // An empty cell is what readers of CSV take for unknown.
                Cell::Integer(None) | Cell::Float(None) | Cell::Truth(None) => {}
                Cell::Json(value) => match serde_json::from_str(value) {
                    Ok(serde_json::Value::Null) => {}
                    Ok(serde_json::Value::String(text)) => other.extend(text.into_bytes()),
                    _ => other.extend(value.as_bytes()),
                },
                cell => write_value(*kind, cell, &mut other)?,
            }
            self.to.write_field(&other)?;
        }
        Ok(self.to.write_record(None::<&[u8]>)?)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        let mut packed = self.to.into_inner().map_err(|error| error.into_error())?;
        packed.flush()?;
        packed.finish()
    }
}
