//! JSON: an object a line, or an array of objects or texts; with the question in a field or in the
//! messages of a chat.

use std::fmt;
use std::io::{self, BufRead, Write};

use dset_core::csv::is_header_word;
use serde::Deserializer as _;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{Form, ImportError, ImportOptions, Imported, Input, JsonPlace, QUESTION};
use crate::source::SourceError;

/// The field with the turns of a chat.
const MESSAGES: &str = "messages";
/// Fields that the columns of a table are made of, at most.
const FIELDS_MAX: usize = 200;

type Object = Map<String, Value>;

/// Writes a row for every object: the question, then the other fields, in the order in which the file
/// first has them; what is no text, number or truth is written as JSON.
pub(super) fn write(
    input: &Input<'_>,
    options: &ImportOptions,
    writer: &mut csv::Writer<impl Write>,
    imported: &mut Imported,
) -> Result<(), ImportError> {
    let mut fields: Vec<String> = Vec::new();
    let mut source = None;
    let is_array = imported.form == Form::JsonArray;
    objects(input, is_array, &mut |at, object| {
        let Some(field) = question_field(&object, options.column.as_deref()) else {
            let found = object.keys().cloned().collect();
            return Err(ImportError::NoQuestion { path: input.path.to_owned(), at, found });
        };
        source.get_or_insert_with(|| field.clone());
        for name in object.keys().filter(|name| **name != field && *name != QUESTION) {
            if fields.len() < FIELDS_MAX && !fields.contains(name) {
                fields.push(name.clone());
            }
        }
        Ok(())
    })?;
    imported.column = source.ok_or_else(|| SourceError::Empty { path: input.path.to_owned() })?;
    let header = std::iter::once(QUESTION).chain(fields.iter().map(String::as_str));
    writer.write_record(header).map_err(io::Error::from)?;
    objects(input, is_array, &mut |_, object| {
        let field = question_field(&object, options.column.as_deref());
        let field = field.expect("the first pass found it in every object");
        let others = fields.iter().map(|name| match *name == field {
            true => String::new(),
            false => object.get(name).map(cell).unwrap_or_default(),
        });
        let question = match field == MESSAGES {
            true => object.get(MESSAGES).and_then(first_of_user).unwrap_or_default(),
            false => object.get(&field).map(cell).unwrap_or_default(),
        };
        let cells: Vec<String> = std::iter::once(question).chain(others).collect();
        let shown: Vec<&str> = cells.iter().map(String::as_str).collect();
        imported.count(shown[0], &shown);
        writer.write_record(&cells).map_err(io::Error::from)?;
        Ok(())
    })
}

type Each<'a> = &'a mut dyn FnMut(JsonPlace, Object) -> Result<(), ImportError>;

/// Reads the objects of a file with their places.
fn objects(input: &Input<'_>, is_array: bool, each: Each<'_>) -> Result<(), ImportError> {
    if is_array {
        return items(input, each);
    }
    for (line, text) in (1..).zip(input.open()?.lines()) {
        let text = text.map_err(|error| input.unread(error))?;
        if !text.trim().is_empty() {
            let object = serde_json::from_str(&text).map_err(|error| ImportError::NotJson {
                path: input.path.to_owned(),
                line,
                detail: detail(&error),
            })?;
            each(JsonPlace::Line(line), object)?;
        }
    }
    Ok(())
}

/// Reads an array, one item in memory at a time.
fn items(input: &Input<'_>, each: Each<'_>) -> Result<(), ImportError> {
    let mut failed = None;
    let mut json = serde_json::Deserializer::from_reader(input.open()?);
    let read = json.deserialize_seq(Items { each, failed: &mut failed }).and_then(|()| json.end());
    match (failed, read) {
        (Some(error), _) => Err(error),
        (None, Err(error)) if error.is_io() => Err(input.unread(error.into())),
        (None, Err(error)) => Err(ImportError::NotJson {
            path: input.path.to_owned(),
            line: error.line() as u64,
            detail: detail(&error),
        }),
        (None, Ok(())) => Ok(()),
    }
}

/// Hands on the items of an array as they are read.
struct Items<'a> {
    each: Each<'a>,
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
        while let Some(item) = items.next_element()? {
            number += 1;
            let object = match item {
                Value::Object(object) => object,
                text @ Value::String(_) => Map::from_iter([(QUESTION.to_owned(), text)]),
                _ => return Err(A::Error::custom("neither an object nor a text")),
            };
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
    if error.is_data() { "it is JSON, and something else".into() } else { text.to_owned() }
}

/// Returns the field with the question: the one that was named, or one that is called so and holds
/// text, or the messages of a chat in which a user says something.
fn question_field(object: &Object, named: Option<&str>) -> Option<String> {
    if let Some(name) = named {
        return object.contains_key(name).then(|| name.to_owned());
    }
    let is_text = |name: &&String| object.get(*name).is_some_and(Value::is_string);
    let called = object.keys().filter(is_text).find(|name| {
        let name = name.to_lowercase();
        name != dset_core::csv::STATUS && is_header_word(&name)
    });
    let chat = object.get(MESSAGES).and_then(first_of_user).map(|_| MESSAGES.to_owned());
    called.cloned().or(chat)
}

/// Returns what the user says first, where it is text or parts of text.
fn first_of_user(messages: &Value) -> Option<String> {
    let is_user = |message: &&Value| message["role"] == "user";
    match &messages.as_array()?.iter().find(is_user)?["content"] {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let texts = parts.iter().map(|part| part["text"].as_str());
            Some(texts.collect::<Option<Vec<_>>>()?.join("\n"))
        }
        _ => None,
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
