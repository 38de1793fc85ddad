//! Splits an input into shards.

use std::path::Path;

use dset_core::item::error_marks::MarksColumn;
use dset_core::settings::JobSpec;
use serde_json::{Map, Value};

use super::contents::read_all;
use super::job_file::{JobFile, JobInput, JobShard};
use super::{JobFileError, ShardRows};
use crate::error::JobError;
use crate::run::choice::LeftOut;
use crate::run::run_plan::ScannedInput;
use crate::source::bad_row::BadRows;
use crate::source::items::{Items, Prepared};
use crate::source::{Cursor, SourceError, files_of};

/// An input that was split.
#[derive(Debug)]
pub struct SplitInput {
    /// The job, as it was written.
    pub job: JobFile,
    /// Rows that are in no shard because they cannot be asked.
    pub bad_rows: BadRows,
}

/// Splits an input into so many shards with about as many questions each, and writes that into the
/// folder of a job, once. `settings` is kept there for whoever runs the shards. Reads the input twice and
/// its bytes once more; needs 64 bytes a row.
pub fn split(
    mut spec: JobSpec,
    shards: u32,
    folder: &Path,
    settings: Map<String, Value>,
) -> Result<SplitInput, JobError> {
    let paths = files_of(&spec.input, &spec.reading)?;
    let files = read_all(&paths)?;
    let mut input = ScannedInput::to_ask(&mut spec, MarksColumn::Unknown)?;
    let questions = input.scanned.planner.len() as u64;
    if questions == 0 {
        let bad_rows = Box::new(input.scanned.bad_rows);
        return Err(JobError::NoQuestions { path: spec.input, bad_rows });
    }
    if shards == 0 || u64::from(shards) > questions {
        return Err(SourceError::from(JobFileError::TooFew { questions, shards }).into());
    }
    let mut job_input = JobInput::new(&spec, folder, files, input.scanned.id_field.clone());
    (job_input.empty, job_input.questions) = (input.scanned.empty, questions);
    let parts = parts(&mut input, shards)?;
    let job = JobFile::new(job_input, settings, parts);
    // What was changed while it was read would be found by every shard.
    job.check_input(&spec.input, None)?;
    job.write(folder).map_err(SourceError::from)?;
    Ok(SplitInput { job, bad_rows: input.scanned.bad_rows })
}

/// Reads the planned input again, and notes where each shard begins and ends.
fn parts(input: &mut ScannedInput, shards: u32) -> Result<Vec<JobShard>, JobError> {
    let planner = &input.scanned.planner;
    let (ordinals, left_out, rows) = (planner.ordinals(), planner.left_out(), planner.len());
    // Counted where nothing would be counted twice.
    let counts = |shard: u32| if shard == 0 { input.scanned.left_out } else { LeftOut::default() };
    let end_of = |shard: u32| (rows as u64 * u64::from(shard + 1) / u64::from(shards)) as usize;
    input.source.rewind()?;
    let mut items =
        Items::new(&mut *input.source, &input.prompts, std::slice::from_ref(&input.requests[0]));
    let mut parts: Vec<JobShard> = Vec::with_capacity(shards as usize);
    let mut at = Place::default();
    let (read, cursor) = items.progress();
    at.go_on(read, cursor);
    let (mut start, mut start_row, mut first_number) = (at.clone(), 0, 0);
    for row in 0..rows {
        let number = loop {
            let Some(Prepared { item, rendered, .. }) = items.next()? else {
                return Err(JobError::InputChanged);
            };
            let (number, is_asked) = (item.place.number(), rendered.is_some());
            let (read, cursor) = items.progress();
            at.go_on(read, cursor);
            if is_asked {
                break number;
            }
        };
        if row == start_row {
            first_number = number;
        }
        let shard = parts.len() as u32;
        if row + 1 < end_of(shard) {
            continue;
        }
        let known = ShardRows::of(start_row..row + 1, &ordinals, left_out, counts(shard));
        let items = at.read - start.read;
        let from = match shard {
            0 => (None, 0),
            _ => (start.cursor.clone(), start.read - start.read_at_cursor),
        };
        parts.push(JobShard::new((first_number, number), from, items, &known));
        (start, start_row) = (at.clone(), row + 1);
    }
    Ok(parts)
}

/// How far an input was read.
#[derive(Debug, Clone, Default)]
struct Place {
    /// Items, from the first.
    read: u64,
    /// The last place that is known from which it can be read on, and the items before that.
    cursor: Option<Cursor>,
    read_at_cursor: u64,
}

impl Place {
    fn go_on(&mut self, read: u64, cursor: Option<Cursor>) {
        self.read = read;
        let Some(cursor) = cursor.filter(|cursor| self.cursor.as_ref() != Some(cursor)) else {
            return;
        };
        self.read_at_cursor = match cursor {
            Cursor::File { items, .. } => items,
            _ => read,
        };
        self.cursor = Some(cursor);
    }
}
