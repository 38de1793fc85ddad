//! Parquet, read by `dset-parquet`: a value is the one that DuckDB's `to_json` gives of it.

use std::path::Path;

use dset_core::item::Place;
use dset_parquet::{ReadError, Reader};

use super::{Object, ObjectSource, Objects, Read};
use crate::source::{
    Cursor, Likelihood, Source, SourceError, SourceKind, SourceOptions, open_file,
};

pub(in crate::source) const KIND: SourceKind = SourceKind {
    name: "parquet",
    endings: &["parquet"],
    sniff: |head| if head.starts_with(b"PAR1") { Likelihood::Likely } else { Likelihood::No },
    open,
};

fn open(path: &Path, options: &SourceOptions) -> Result<Box<dyn Source>, SourceError> {
    drop(open_file(path)?);
    let reader = Reader::open(path).map_err(|error| broken(&error))?;
    ObjectSource::open(path, Box::new(ParquetRows { reader, row: 0 }), options)
}

#[derive(Debug)]
struct ParquetRows {
    reader: Reader,
    row: u64,
}

impl Objects for ParquetRows {
    fn rewind(&mut self) -> Result<(), SourceError> {
        self.reader.rewind();
        self.row = 0;
        Ok(())
    }

    fn cursor(&self) -> Option<Cursor> {
        let (number, rows) = self.reader.group();
        (rows == self.row).then_some(Cursor::Group { number: number as u64, rows })
    }

    fn seek(&mut self, to: &Cursor) -> Result<(), SourceError> {
        let Cursor::Group { number, rows } = *to else { return self.rewind() };
        self.reader.seek_group(usize::try_from(number).unwrap_or(usize::MAX));
        self.row = rows;
        Ok(())
    }

    fn next(&mut self) -> Result<Option<(Place, Read)>, SourceError> {
        let mut object = Object::new();
        match self.reader.next(&mut object) {
            Ok(false) => Ok(None),
            Ok(true) => {
                self.row += 1;
                Ok(Some((Place::Row(self.row), Ok(object))))
            }
            Err(error) => Err(broken(&error)),
        }
    }

    fn bytes(&self) -> &[String] {
        self.reader.bytes()
    }

    fn fields(&self) -> Option<Vec<String>> {
        Some(self.reader.columns().to_vec())
    }
}

/// Behind what cannot be read nothing is known of the rows.
fn broken(error: &ReadError) -> SourceError {
    SourceError::Unreadable { path: error.path().to_owned(), detail: error.to_string() }
}
