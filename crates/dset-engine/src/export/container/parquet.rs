//! Parquet, in which every column has a type whatever its values are.

use std::fs::File;
use std::io;

use dset_core::layout::{Cell, Column};
use dset_parquet::{WriteError, Writer, WriterOptions};

use super::{Container, ContainerKind, Keeps};
use crate::export::pack::Packing;

pub(super) const KIND: ContainerKind = ContainerKind {
    ending: "parquet",
    about: "Parquet",
    packs: false,
    has_moments: true,
    keeps: Keeps::Columns(|values| values.is_some()),
    is_awkward: |_| false,
    open,
};

struct Parquet {
    writer: Writer<File>,
}

fn open(file: File, _: Packing, columns: &[Column]) -> io::Result<Box<dyn Container>> {
    let writer = Writer::new(file, columns, WriterOptions::default()).map_err(plain)?;
    Ok(Box::new(Parquet { writer }))
}

fn plain(error: WriteError) -> io::Error {
    match error {
        WriteError::Io(error) => error,
        error => io::Error::other(error),
    }
}

impl Container for Parquet {
    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        self.writer.push(cells).map_err(plain)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.writer.finish().map_err(plain)?;
        Ok(())
    }
}
