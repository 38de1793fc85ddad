//! A shard of an input, read as an input of its own. Its file is never marked: other shards read it.

use std::path::{Path, PathBuf};

use dset_core::item::error_marks::MarksColumn;
use dset_core::item::shape::Shape;
use dset_core::item::{Item, Place};
use dset_core::settings::Shard;

use super::bad_row::{BadRows, RowProblem};
use super::{Cursor, Source, SourceError, SourceOptions, open_whole};
use crate::shard::{JobFile, ShardRows};

/// So many items of a source, from one of them on.
#[derive(Debug)]
struct Slice {
    source: Box<dyn Source>,
    from: Option<Cursor>,
    /// Items to pass over from there.
    skip: u64,
    /// How many; of the last shard all that come.
    items: Option<u64>,
    read: u64,
    /// What was left out among the items that were passed over.
    bad_before: BadRows,
    rows: ShardRows,
}

/// Opens a shard at its first item. Fails where the input is not what was split.
pub(super) fn open(
    path: &Path,
    options: &SourceOptions,
    shard: &Shard,
) -> Result<Box<dyn Source>, SourceError> {
    let job = JobFile::read(&shard.job)?;
    let part = job.shard(shard.number)?;
    job.check_input(path, Some(shard.number))?;
    let options = SourceOptions { marks: MarksColumn::Never, ..options.clone() };
    let source = open_whole(path, &options)?;
    let mut slice = Slice {
        source,
        from: part.from.clone(),
        skip: part.skip,
        // Rows that cannot be asked may stand behind the last one.
        items: (shard.number + 1 < job.count()).then_some(part.items),
        read: 0,
        bad_before: BadRows::default(),
        rows: job.rows_of(&shard.job, shard.number)?,
    };
    slice.rewind()?;
    Ok(Box::new(slice))
}

impl Source for Slice {
    fn shape(&self) -> &Shape {
        self.source.shape()
    }

    fn rewind(&mut self) -> Result<(), SourceError> {
        match &self.from {
            Some(from) => self.source.seek(from)?,
            None => self.source.rewind()?,
        }
        self.read = 0;
        for _ in 0..self.skip {
            self.source.advance()?;
        }
        self.bad_before = self.source.bad_rows();
        Ok(())
    }

    fn advance(&mut self) -> Result<bool, SourceError> {
        if Some(self.read) == self.items {
            return Ok(false);
        }
        self.read += 1;
        self.source.advance()
    }

    fn current(&self) -> Item<'_> {
        self.source.current()
    }

    fn position(&self) -> Place {
        self.source.position()
    }

    fn take_ids_from(&mut self, field: &str) {
        self.source.take_ids_from(field);
    }

    fn skip_bad_row(&mut self, problem: RowProblem) -> Result<(), SourceError> {
        self.source.skip_bad_row(problem)
    }

    fn bad_rows(&self) -> BadRows {
        self.source.bad_rows().since(&self.bad_before)
    }

    fn unread(&self) -> &[PathBuf] {
        self.source.unread()
    }

    fn shard_rows(&self) -> Option<&ShardRows> {
        Some(&self.rows)
    }
}
