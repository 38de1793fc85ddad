//! Inputs whose rows are JSON objects, or become such: JSON lines, JSON arrays, Parquet, texts.
//!
//! A form gives [`Objects`], one after the other; what of an object is asked, and what is wrong with
//! it, is decided here, once for all of them.

mod array;
mod line_reader;
mod lines;
#[cfg(feature = "parquet")]
mod parquet;
mod question;
mod text;
mod whole;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dset_core::csv::Chosen;
use dset_core::item::content::Turn;
use dset_core::item::fields::Fields;
use dset_core::item::params::Params;
use dset_core::item::shape::Shape;
use dset_core::item::{Item, Place, Status};
use serde_json::{Map, Value};

use self::question::{Asked, asked, second_of, shape_of};
use super::bad_row::{BadRows, RowProblem};
use super::{Cursor, Source, SourceError, SourceOptions};

pub(super) use array::KIND as ARRAY;
pub(super) use lines::{KIND as LINES, are_texts};
#[cfg(feature = "parquet")]
pub(super) use parquet::KIND as PARQUET;
pub(super) use question::{BESIDE, SYSTEMS};
pub(super) use text::KIND as TEXT;

/// The fields of one row.
pub(super) type Object = Map<String, Value>;

/// So many rows tell which fields there are, and which of them is the question.
const SURVEYED_ROWS: usize = 1000;

/// A row, or what is wrong with it.
pub(super) type Read = Result<Object, RowProblem>;

/// Reads the rows of a file, one after the other.
pub(super) trait Objects: fmt::Debug + Send {
    /// Goes back to the first row.
    fn rewind(&mut self) -> Result<(), SourceError>;

    /// Reads the next row with its place; `None` behind the last. Fails where nothing behind it can
    /// be read either.
    fn next(&mut self) -> Result<Option<(Place, Read)>, SourceError>;

    /// Returns from where the next row can be read alone, see [`Source::cursor`].
    fn cursor(&self) -> Option<Cursor> {
        None
    }

    /// Goes to a place that such a reader gave.
    fn seek(&mut self, to: &Cursor) -> Result<(), SourceError> {
        let _ = to;
        self.rewind()
    }

    /// Returns the fields of the last row that hold bytes which are no text.
    fn bytes(&self) -> &[String] {
        &[]
    }

    /// Returns fields that the file says once, of every row that does not say them itself.
    fn beside(&self) -> Object {
        Object::new()
    }

    /// Returns the fields that every row has, where the file says so.
    fn fields(&self) -> Option<Vec<String>> {
        None
    }
}

/// The rows of a file of objects as items.
#[derive(Debug)]
pub(super) struct ObjectSource {
    path: PathBuf,
    objects: Box<dyn Objects>,
    options: SourceOptions,
    shape: Shape,
    object: Object,
    text: String,
    turns: Option<Arc<[Turn]>>,
    system: Option<Arc<str>>,
    params: Option<Arc<Params>>,
    id_field: Option<String>,
    id: Option<String>,
    place: Place,
    bad_rows: BadRows,
}

impl ObjectSource {
    /// Finds out which fields there are and which holds the question, by the first rows.
    pub(super) fn open(
        path: &Path,
        mut objects: Box<dyn Objects>,
        options: &SourceOptions,
    ) -> Result<Box<dyn Source>, SourceError> {
        let mut rows = Vec::new();
        let mut first_problem = None;
        while rows.len() < SURVEYED_ROWS
            && let Some((place, row)) = objects.next()?
        {
            match row {
                Ok(object) => rows.push(object),
                Err(problem) => {
                    first_problem.get_or_insert((place, problem));
                }
            }
        }
        if rows.is_empty() {
            let path = path.to_owned();
            return Err(match first_problem {
                Some((place, problem)) => SourceError::BadRow { path, place, problem },
                None => SourceError::Empty { path },
            });
        }
        let mut shape = shape_of(path, &rows, objects.fields(), options)?;
        let beside = objects.beside();
        rows.iter().chain([&beside]).try_for_each(|row| no_second(path, &shape, options, row))?;
        objects.rewind()?;
        // What folders say is no question, and yields to what the file says.
        let mut partition = options.partition.clone();
        partition.retain(|(name, _)| !shape.fields.contains(name) && !beside.contains_key(name));
        partition.extend(beside);
        for (name, _) in &partition {
            if !shape.fields.contains(name) {
                shape.fields.push(name.clone());
            }
        }
        Ok(Box::new(ObjectSource {
            path: path.to_owned(),
            objects,
            options: SourceOptions { partition, ..options.clone() },
            shape,
            object: Object::new(),
            text: String::new(),
            turns: None,
            system: None,
            params: None,
            id_field: None,
            id: None,
            place: Place::Row(0),
            bad_rows: BadRows::default(),
        }))
    }

    /// Takes a row over; tells what is wrong with it.
    fn take(&mut self, row: Read) -> Result<(), RowProblem> {
        let mut object = row?;
        for (name, value) in &self.options.partition {
            object.entry(name).or_insert_with(|| value.clone());
        }
        let field = &self.shape.fields[self.shape.question];
        // What a template sends, that says.
        if !self.options.has_template && self.objects.bytes().contains(field) {
            return Err(RowProblem::Bytes { field: field.clone() });
        }
        let is_told = self.options.has_template || self.options.column.is_some();
        let Asked { text, chat, params } = asked(&object, field, &self.options, is_told)?;
        (self.text, self.params) = (text, params);
        if chat.as_ref().is_some_and(|chat| chat.has_reasoning) {
            self.bad_rows.note_reasoning(self.place);
        }
        (self.system, self.turns) = match chat {
            Some(chat) => (chat.system, Some(chat.turns).filter(|turns| !turns.is_empty())),
            None => (None, None),
        };
        self.id = self.id_field.as_ref().and_then(|field| match object.get(field)? {
            Value::Null => None,
            Value::String(id) => Some(id.clone()).filter(|id| !id.trim().is_empty()),
            other => Some(other.to_string()),
        });
        self.object = object;
        Ok(())
    }
}

impl Source for ObjectSource {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn rewind(&mut self) -> Result<(), SourceError> {
        self.bad_rows = BadRows::default();
        self.objects.rewind()
    }

    fn cursor(&self) -> Option<Cursor> {
        self.objects.cursor()
    }

    fn seek(&mut self, to: &Cursor) -> Result<(), SourceError> {
        self.bad_rows = BadRows::default();
        self.objects.seek(to)
    }

    fn advance(&mut self) -> Result<bool, SourceError> {
        loop {
            let Some((place, row)) = self.objects.next()? else { return Ok(false) };
            self.place = place;
            if let Ok(object) = &row {
                no_second(&self.path, &self.shape, &self.options, object)?;
            }
            match self.take(row) {
                Ok(()) => return Ok(true),
                Err(problem) => self.skip_bad_row(problem)?,
            }
        }
    }

    fn current(&self) -> Item<'_> {
        Item {
            place: self.place,
            text: &self.text,
            turns: self.turns.as_ref(),
            system: self.system.as_ref(),
            params: self.params.as_ref(),
            fields: Fields::Object(&self.object),
            bytes: self.objects.bytes(),
            id: self.id.as_deref(),
            status: Status::Empty,
        }
    }

    fn position(&self) -> Place {
        self.place
    }

    fn take_ids_from(&mut self, field: &str) {
        self.id_field = Some(field.to_owned());
    }

    fn skip_bad_row(&mut self, problem: RowProblem) -> Result<(), SourceError> {
        let place = self.place;
        self.bad_rows.skip(self.options.reading.on_bad_row, &self.path, place, problem)
    }

    fn bad_rows(&self) -> BadRows {
        self.bad_rows.clone()
    }

    fn skipped(&self) -> u64 {
        self.bad_rows.count
    }
}

/// Fails where a field of a row belongs to the question and would not be sent, unless the user says what is.
fn no_second(
    path: &Path,
    shape: &Shape,
    options: &SourceOptions,
    row: &Object,
) -> Result<(), SourceError> {
    if options.has_template || shape.chosen == Chosen::ByUser {
        return Ok(());
    }
    let question = &shape.fields[shape.question];
    match second_of(row, shape) {
        None => Ok(()),
        Some(second) => Err(SourceError::TwoFields {
            path: path.to_owned(),
            first: question.clone(),
            second: second.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests;
