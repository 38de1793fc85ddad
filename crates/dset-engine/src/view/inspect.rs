//! A file of questions, looked through before anything is asked of it: nothing is changed.

use std::collections::HashMap;

use dset_core::acceptance::Acceptance;
use dset_core::item::Status;
use dset_core::item::fields::{Field, Fields};
use dset_core::settings::JobSpec;

use crate::error::JobError;
use crate::output::live::format::live_formats;
use crate::run::prepare::marks_known;
use crate::run::prompts::check_prompts;
use crate::source::bad_row::BadRows;
use crate::source::items::Items;
use crate::source::{self, SourceOptions};

/// So many pairs of the same question are named.
const NAMED_MAX: usize = 3;

/// What is in a file of questions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspected {
    /// Rows that are to be asked.
    pub questions: u64,
    /// Rows that are skipped because they are empty.
    pub empty: u64,
    /// Rows that are skipped because they cannot be asked.
    pub bad_rows: BadRows,
    /// Rows that say ERROR.
    pub marked: u64,
    /// Rows that ask what an earlier row asks.
    pub repeated: u64,
    /// The first of those, each with the row it repeats, as a spreadsheet counts.
    pub pairs: Vec<(u64, u64)>,
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The column with the questions, from 0.
    pub question_column: usize,
    /// The cells of the first row, where that is asked because nothing says that it is a header.
    pub first_row: Option<Vec<String>>,
}

/// Returns why a run with these settings would not begin, whose input has these columns: formats that are none, and
/// checks that are none, or about a column that is not there. Starts no program.
#[must_use]
pub fn refusals(settings: &JobSpec, columns: &[String]) -> Vec<JobError> {
    let checks = settings.checks.declared.clone();
    let checks = Acceptance::new(settings.schema.clone(), checks, columns).err();
    let formats = live_formats(&settings.formats).err();
    formats.map(JobError::from).into_iter().chain(checks.map(JobError::from)).collect()
}

/// Reads the whole file of these settings, as a run would.
pub fn inspect(settings: &JobSpec) -> Result<Inspected, JobError> {
    let mut settings = settings.clone();
    let options = SourceOptions::new(&settings, marks_known(&settings.output));
    let mut source = source::open(&settings.input, &options)?;
    let shape = source.shape().clone();
    let prompts = check_prompts(&mut settings, &shape)?.prompts;
    let (columns, question_column) = (shape.fields, shape.question);
    let mut found = Inspected { columns, question_column, ..Inspected::default() };
    let mut first = HashMap::new();
    let request = std::slice::from_ref(&settings.model().request);
    let mut items = Items::new(&mut *source, &prompts, request);
    while let Some(prepared) = items.next()? {
        let item = &prepared.item;
        if !shape.has_names && found.first_row.is_none() {
            found.first_row = Some(texts(item.fields));
        }
        let Some(fingerprint) = prepared.fingerprints.first() else {
            found.empty += 1;
            continue;
        };
        found.questions += 1;
        found.marked += u64::from(item.status == Status::Error);
        let row_number = item.place.number();
        let earlier = *first.entry(*fingerprint).or_insert(row_number);
        if earlier != row_number {
            found.repeated += 1;
            if found.pairs.len() < NAMED_MAX {
                found.pairs.push((row_number, earlier));
            }
        }
    }
    found.bad_rows = source.bad_rows();
    Ok(found)
}

fn texts(fields: Fields<'_>) -> Vec<String> {
    let mut texts = Vec::new();
    fields.for_each(|_, field| {
        texts.push(match field {
            Field::Text(text) => text.to_owned(),
            Field::Json(value) => value.to_string(),
        });
    });
    texts
}

#[cfg(test)]
mod tests {
    use dset_core::settings::{Layer, resolve};

    use super::*;

    #[test]
    fn rows_are_counted_as_what_they_are_and_repeats_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("q.csv");
        fs_err::write(&input, "id,question,status\n1,a,\n2,,\n3,b,ERROR\n4,\"a\",\n5,c,\n6,b,\n")
            .unwrap();
        let layer = Layer { input: Some(input), ..Layer::default() };
        let settings = resolve(layer, None).unwrap().spec;
        let found = inspect(&settings).unwrap();
        assert_eq!((found.questions, found.empty, found.marked, found.repeated), (5, 1, 1, 2));
        assert_eq!(found.pairs, [(5, 2), (7, 4)]);
        assert_eq!((found.columns.len(), found.question_column), (3, 1));
        assert_eq!(found.first_row, None, "it is a header");
    }
}
