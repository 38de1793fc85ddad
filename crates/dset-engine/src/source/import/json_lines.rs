//! JSON: an object or a text a line, an array of them, or such an array in a field of an object; with
//! the question in a field or in the messages of a chat.

use std::collections::HashSet;
use std::fmt;
use std::io::{self, BufRead, Read, Write};

use serde::Deserializer as _;
use serde::de::{Error as _, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::chat::{self, ExtractError, ExtractedQuestion, LeftOut, Object, RowList};
use super::{Form, ImportError, ImportOptions, Imported, Input, JsonPlace, QUESTION, json_text};
use crate::source::SourceError;

/// The field with the turns of a chat.
const MESSAGES: &str = "messages";
/// Fields that the columns of a table are made of, at most.
const FIELDS_MAX: usize = 10_000;
/// A file that can only be read as a whole has so many bytes at most.
const WHOLE_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Writes a row for every object: the question, then the other fields, in the order in which the file
/// first has them; what is no text, number or truth is written as JSON.
pub(super) fn write(
    input: &Input<'_>,
    options: &ImportOptions,
    writer: &mut csv::Writer<impl Write>,
    imported: &mut Imported,
) -> Result<(), ImportError> {
    let named = options.column.as_deref();
    let mut seen = FieldSurvey::default();
    let objects = Objects::detect(input, imported.form)?;
    if objects.is_array() {
        imported.form = Form::JsonArray;
    }
    objects.each(input, &mut |at, object| seen.take(input, at, &object, named))?;
    let header = seen.header();
    let Some(column) = seen.column else {
        return Err(SourceError::Empty { path: input.path.to_owned() }.into());
    };
    let path = || input.path.to_owned();
    if let Some((second, rows)) = seen.second {
        return Err(ImportError::TwoFields { path: path(), first: column, second, rows });
    }
    if seen.left.rows > 0 && !options.first_turn_only {
        return Err(ImportError::LeftOut { path: path(), left: seen.left, of: seen.rows });
    }
    (imported.column, imported.is_chat, imported.left) = (column, seen.is_chat, seen.left);
    writer.write_record(&header).map_err(io::Error::from)?;
    imported.halves = objects.each(input, &mut |_, object| {
        let asked = chat::extract_question(&object, named);
        let asked = asked.unwrap_or_else(|_| unreachable!("the first pass read every object"));
        let others = seen.fields.iter().map(|name| match (*name == asked.field, &asked.rest) {
            (true, Some(rest)) => cell(rest),
            (true, None) => String::new(),
            (false, _) => object.get(name).map(cell).unwrap_or_default(),
        });
        let others: Vec<String> = others.collect();
        let cells: Vec<&str> = std::iter::once(asked.question.as_str())
            .chain(others.iter().map(String::as_str))
            .collect();
        imported.count(cells[0], &cells);
        writer.write_record(&cells).map_err(io::Error::from)?;
        Ok(())
    })?;
    Ok(())
}

/// What the first pass finds.
#[derive(Default)]
struct FieldSurvey {
    rows: u64,
    fields: Vec<String>,
    /// The same, to be looked up.
    known: HashSet<String>,
    column: Option<String>,
    is_chat: bool,
    left: LeftOut,
    /// A field that belongs to the question beside it, and the rows in which it says something.
    second: Option<(String, u64)>,
}

impl FieldSurvey {
    fn take(
        &mut self,
        input: &Input<'_>,
        at: JsonPlace,
        object: &Object,
        named: Option<&str>,
    ) -> Result<(), ImportError> {
        let asked = chat::extract_question(object, named).map_err(|unasked| {
            let (path, found) = (input.path.to_owned(), || texts_first(object));
            match unasked {
                ExtractError::NoField => ImportError::NoQuestion { path, at, found: found() },
                ExtractError::NotText(field) => ImportError::NotText { path, at, field },
                ExtractError::Role(role) => ImportError::Role { path, at, role },
            }
        })?;
        self.rows += 1;
        self.is_chat |= asked.is_chat;
        self.left.add(asked.left);
        let ExtractedQuestion { field, second, rest, .. } = asked;
        if let Some(second) = second {
            self.second.get_or_insert((second, 0)).1 += 1;
        }
        let is_other = |name: &&String| **name != field || rest.is_some();
        for name in object.keys().filter(is_other) {
            if self.known.insert(name.clone()) {
                self.fields.push(name.clone());
            }
        }
        if self.fields.len() > FIELDS_MAX {
            let (path, most) = (input.path.to_owned(), FIELDS_MAX);
            return Err(ImportError::TooManyFields { path, most });
        }
        self.column.get_or_insert(field);
        Ok(())
    }

    /// Returns the names of the columns: no second one is called as the questions are.
    fn header(&self) -> Vec<String> {
        let is_free = |name: &String| !self.fields.contains(name);
        let another = || (2..).map(|number| format!("{QUESTION}_{number}")).find(is_free);
        let names = self.fields.iter().map(|name| match name == QUESTION {
            true => another().expect("some number is free"),
            false => name.clone(),
        });
        std::iter::once(QUESTION.to_owned()).chain(names).collect()
    }
}

/// Returns the names of the fields, those first that hold sentences.
fn texts_first(object: &Object) -> Vec<String> {
    let blanks = |value: &Value| value.as_str().map_or(0, |text| text.split_whitespace().count());
    let mut fields: Vec<(&String, &Value)> = object.iter().collect();
    fields.sort_by_key(|(_, value)| std::cmp::Reverse(blanks(value)));
    fields.into_iter().map(|(name, _)| name.clone()).collect()
}

/// How the objects of a file are read.
enum Objects {
    /// One a line.
    Lines,
    /// An array, one item in memory at a time.
    Array,
    /// All of them, because they could not be read otherwise, and how many had half a character.
    Whole { items: Vec<Value>, halves: u64, is_array: bool },
}

type Each<'a> = &'a mut dyn FnMut(JsonPlace, Object) -> Result<(), ImportError>;

impl Objects {
    fn detect(input: &Input<'_>, form: Form) -> Result<Objects, ImportError> {
        if form == Form::JsonArray {
            let mut json = serde_json::Deserializer::from_reader(input.open()?);
            let read = json.deserialize_seq(First).and_then(|first| json.end().map(|()| first));
            return match read {
                Ok(Some(first)) if chat::is_turns(std::slice::from_ref(&first)) => {
                    match json_text::read(&whole(input)?) {
                        Ok((Value::Array(turns), half)) => Ok(Objects::of_array(turns, half)),
                        _ => Ok(Objects::Array),
                    }
                }
                Ok(_) => Ok(Objects::Array),
                Err(error) if error.is_io() => Err(input.unread(error.into())),
                Err(error) => match json_text::read(&whole(input)?) {
                    Ok((Value::Array(items), half)) => Ok(Objects::whole(items, half)),
                    _ => Err(not_json(input, error.line() as u64, detail(&error))),
                },
            };
        }
        let mut lines = input.open()?.lines();
        let mut next = || lines.find(|line| line.as_ref().map_or(true, |line| !is_blank(line)));
        let first = next().transpose().map_err(|error| input.unread(error))?;
        let first = first.unwrap_or_default();
        if json_text::read(&first).is_ok() && next().is_some() {
            return Ok(Objects::Lines);
        }
        let text = whole(input)?;
        Ok(match json_text::read(text.trim_end_matches('\u{1a}')) {
            Ok((Value::Object(outer), half)) => match chat::list_in(&outer) {
                Some(RowList { items, beside }) => {
                    let full = items.into_iter().filter_map(object).map(|mut row| {
                        for (name, value) in &beside {
                            row.entry(name).or_insert_with(|| value.clone());
                        }
                        row.into()
                    });
                    Objects::whole(full.collect(), half)
                }
                None if json_text::read(&first).is_ok() => Objects::Lines,
                None => Objects::Whole {
                    items: vec![outer.into()],
                    halves: half.into(),
                    is_array: false,
                },
            },
            Ok((Value::Array(items), half)) => Objects::of_array(items, half),
            // Objects over several lines each.
            _ => match json_text::read_several(&text) {
                Some(items) if json_text::read(&first).is_err() => {
                    Objects::Whole { items, halves: 0, is_array: false }
                }
                _ => Objects::Lines,
            },
        })
    }

    /// Takes an array for its items, or for the turns of one chat.
    fn of_array(items: Vec<Value>, has_half: bool) -> Objects {
        match chat::is_turns(&items) {
            true => Objects::whole(vec![items.into()], has_half),
            false => Objects::whole(items, has_half),
        }
    }

    fn whole(items: Vec<Value>, has_half: bool) -> Objects {
        Objects::Whole { items, halves: has_half.into(), is_array: true }
    }

    fn is_array(&self) -> bool {
        matches!(self, Objects::Array | Objects::Whole { is_array: true, .. })
    }

    /// Hands on each object with its place; returns how many had half a character.
    fn each(&self, input: &Input<'_>, each: Each<'_>) -> Result<u64, ImportError> {
        match self {
            Objects::Lines => lines(input, each),
            Objects::Array => items(input, each),
            Objects::Whole { items, halves, .. } => {
                for (number, item) in (1..).zip(items) {
                    let object = object(item.clone())
                        .ok_or_else(|| not_json(input, number, NEITHER.to_owned()))?;
                    each(JsonPlace::Item(number), object)?;
                }
                Ok(*halves)
            }
        }
    }
}

const NEITHER: &str = "it is JSON, and something else";

/// Returns what an item of a file is as an object; nothing where it is a number or the like.
fn object(item: Value) -> Option<Object> {
    match item {
        Value::Object(object) => Some(object),
        text @ Value::String(_) => Some(Map::from_iter([(QUESTION.to_owned(), text)])),
        Value::Array(turns) if chat::is_turns(&turns) => {
            Some(Map::from_iter([(MESSAGES.to_owned(), turns.into())]))
        }
        _ => None,
    }
}

fn is_blank(line: &str) -> bool {
    line.trim_end_matches('\u{1a}').trim().is_empty()
}

/// Reads a whole file, where it is not too large for that.
fn whole(input: &Input<'_>) -> Result<String, ImportError> {
    let mut text = String::new();
    let read = input.open()?.take(WHOLE_BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|error| input.unread(error))?;
    match text.len() as u64 > WHOLE_BYTES_MAX {
        true => Err(not_json(input, 1, "it is one JSON text of more than 512 MiB".to_owned())),
        false => Ok(text),
    }
}

fn not_json(input: &Input<'_>, line: u64, detail: String) -> ImportError {
    ImportError::NotJson { path: input.path.to_owned(), line, detail }
}

fn lines(input: &Input<'_>, each: Each<'_>) -> Result<u64, ImportError> {
    let mut halves = 0;
    for (line, text) in (1..).zip(input.open()?.lines()) {
        let text = text.map_err(|error| input.unread(error))?;
        if is_blank(&text) {
            continue;
        }
        let read = json_text::read(text.trim_end_matches('\u{1a}'));
        let (value, half) = read.map_err(|error| not_json(input, line, detail(&error)))?;
        halves += u64::from(half);
        let object = object(value);
        let object = object.ok_or_else(|| not_json(input, line, NEITHER.to_owned()))?;
        each(JsonPlace::Line(line), object)?;
    }
    Ok(halves)
}

/// Reads an array, one item in memory at a time; returns how many had half a character.
fn items(input: &Input<'_>, each: Each<'_>) -> Result<u64, ImportError> {
    let (mut failed, mut halves) = (None, 0);
    let mut json = serde_json::Deserializer::from_reader(input.open()?);
    let items = Items { each, halves: &mut halves, failed: &mut failed };
    let read = json.deserialize_seq(items).and_then(|()| json.end());
    match (failed, read) {
        (Some(error), _) => Err(error),
        (None, Err(error)) if error.is_io() => Err(input.unread(error.into())),
        (None, Err(error)) => Err(not_json(input, error.line() as u64, detail(&error))),
        (None, Ok(())) => Ok(halves),
    }
}

/// Reads an array for its grammar and its first item.
struct First;

impl<'de> Visitor<'de> for First {
    type Value = Option<Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Option<Value>, A::Error> {
        let first = items.next_element()?;
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(first)
    }
}

/// Hands on the items of an array as they are read.
struct Items<'a> {
    each: Each<'a>,
    /// How many had half a character.
    halves: &'a mut u64,
    /// Why reading ended before the array did.
    failed: &'a mut Option<ImportError>,
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of objects or texts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut number = 0;
        while let Some(item) = items.next_element::<Box<RawValue>>()? {
            number += 1;
            let (item, half) = json_text::read(item.get()).map_err(A::Error::custom)?;
            *self.halves += u64::from(half);
            let object = object(item).ok_or_else(|| A::Error::custom(NEITHER))?;
            if let Err(error) = (self.each)(JsonPlace::Item(number), object) {
                *self.failed = Some(error);
                return Err(A::Error::custom("not taken"));
            }
        }
        Ok(())
    }
}

/// Says what is wrong with a line, whose own number means nothing here.
fn detail(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    if error.is_data() { NEITHER.to_owned() } else { text.to_owned() }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
