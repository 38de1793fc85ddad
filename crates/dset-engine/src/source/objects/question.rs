//! Which field of an object is the question, and what is asked of one.

use std::path::Path;
use std::sync::Arc;

use dset_core::csv::{Chosen, SecondNames, is_chat, question_among};
use dset_core::item::params::{Params, SERVICE_TIER, setter};
use dset_core::item::shape::Shape;
use serde_json::Value;

use super::Object;
use crate::source::bad_row::RowProblem;
use crate::source::chat::{Chat, is_broken_chat, is_filled, turns_as_text, turns_in};
use crate::source::{ID_FIELDS, SourceError, SourceOptions};

/// Fields of batch lines with the request: OpenAI's, Anthropic's.
const BODIES: [&str; 2] = ["body", "params"];
/// The turns in it, and the system prompt beside them.
const MESSAGES: &str = "messages";
const SYSTEM: &str = "system";
/// What a batch line says of its request that is no parameter: the run's settings say whom to ask,
/// and how answers come.
const NOT_PARAMETERS: [&str; 4] = [MESSAGES, SYSTEM, "model", "stream"];
/// Fields beside a chat that hold its system prompt.
pub(in crate::source) const SYSTEMS: [&str; 2] = ["system", "system_prompt"];
/// Fields beside a chat or a question that would have to be sent with it.
pub(in crate::source) const BESIDE: [&str; 10] = [
    "tools",
    "functions",
    "history",
    "image",
    "images",
    "image_url",
    "audio",
    "audios",
    "video",
    "videos",
];

/// What is asked of an object.
#[derive(Debug)]
pub(super) struct Asked {
    /// The question; of a chat its last turn.
    pub(super) text: String,
    /// The chat, where it is one.
    pub(super) chat: Option<Chat>,
    /// Further fields of the request that it brings along.
    pub(super) params: Option<Arc<Params>>,
}

/// Returns the fields of an input and which is the question, judged by its first rows.
pub(super) fn shape_of(
    path: &Path,
    rows: &[Object],
    all: Option<Vec<String>>,
    options: &SourceOptions,
) -> Result<Shape, SourceError> {
    let mut fields = all.unwrap_or_default();
    for name in rows.iter().flat_map(Object::keys) {
        if !fields.contains(name) {
            fields.push(name.clone());
        }
    }
    let missing = |column: &str| {
        let (path, column, found) = (path.to_owned(), column.to_owned(), fields.clone());
        SourceError::NoSuchColumn { path, column, found }
    };
    let place = |name: &str| fields.iter().position(|field| field == name);
    let (question, chosen) = match &options.column {
        Some(column) => (place(column).ok_or_else(|| missing(column))?, Chosen::ByUser),
        None => match find(path, rows, &fields, options.has_template)? {
            Some(found) => found,
            None => {
                let found = fields.clone();
                return Err(SourceError::NoQuestionField { path: path.to_owned(), found });
            }
        },
    };
    Ok(Shape { fields, has_names: true, is_table: false, question, chosen, marks: None })
}

/// Finds the field with the question by its name, else the only one that holds texts.
fn find(
    path: &Path,
    rows: &[Object],
    fields: &[String],
    has_template: bool,
) -> Result<Option<(usize, Chosen)>, SourceError> {
    let names: Vec<&str> = fields.iter().map(String::as_str).collect();
    let question = question_among(names.iter().copied().filter(|name| !is_chat(name)));
    let question = question.and_then(|at| names.iter().filter(|name| !is_chat(name)).nth(at));
    let chat = names.iter().find(|name| is_chat(name));
    let is_object = |name: &str| rows.iter().any(|row| row.get(name).is_some_and(Value::is_object));
    let body = names.iter().find(|name| BODIES.contains(name) && is_object(name));
    let at = |name: &&str| names.iter().position(|other| other == name).expect("it is one of them");
    if let (Some(question), Some(chat), false) = (question, chat, has_template) {
        let (path, first, second) = (path.to_owned(), (*question).into(), (*chat).into());
        return Err(SourceError::TwoFields { path, first, second });
    }
    if let Some(found) = question.or(chat).or(body) {
        return Ok(Some((at(found), Chosen::ByName)));
    }
    let is_text =
        |name: &&&str| rows.iter().any(|row| row.get(**name).is_some_and(Value::is_string));
    let others: Vec<&&str> = names.iter().filter(|name| !ID_FIELDS.contains(name)).collect();
    Ok(match others.as_slice() {
        // A template says what is sent; the first text tells rows apart.
        _ if has_template => Some((names.iter().find(is_text).map_or(0, at), Chosen::First)),
        [only] if is_text(only) => Some((at(only), Chosen::First)),
        _ => None,
    })
}

/// Returns a field of an object that belongs to the question in this field, and would not be sent; whatever other
/// rows have. Where the rows that were surveyed lack it, that is also one with a better name for the question.
pub(super) fn second_of<'o>(object: &'o Object, shape: &Shape) -> Option<&'o str> {
    let question = shape.fields[shape.question].as_str();
    if is_chat(question) || BODIES.contains(&question) {
        return None;
    }
    let new = object
        .iter()
        .filter(|(name, value)| !shape.fields.contains(name) && is_filled(Some(value)));
    let new: Vec<&str> = new.map(|(name, _)| name.as_str()).collect();
    if !new.is_empty() && is_filled(object.get(question)) {
        let names = std::iter::once(question).chain(new.iter().copied());
        if let Some(better) = question_among(names).filter(|at| *at > 0) {
            return Some(new[better - 1]);
        }
    }
    let seconds = SecondNames::of(question);
    let is_second = |name: &str| is_chat(name) || seconds.contain(name);
    let mut fields = object.iter();
    let found = fields.find(|(name, value)| is_second(name) && is_filled(Some(value)));
    found.map(|(name, _)| name.as_str())
}

/// Returns what is asked of an object; `is_told` where the user says which of its fields are sent.
pub(super) fn asked(
    object: &Object,
    field: &str,
    options: &SourceOptions,
    is_told: bool,
) -> Result<Asked, RowProblem> {
    let no_field = || RowProblem::NoField { field: field.to_owned() };
    let value = object.get(field);
    if options.has_template {
        // What is sent, the template says; a chat in this field is not.
        let text = value.map(plain).unwrap_or_default();
        return Ok(Asked { text, chat: None, params: None });
    }
    let value = value.ok_or_else(no_field)?;
    if let Some(body) = value.as_object().filter(|_| BODIES.contains(&field)) {
        nothing_beside(object, &BESIDE, is_told)?;
        return of_batch_line(field, body, object, options);
    }
    let turns = match value {
        Value::String(text) if !is_chat(field) => turns_as_text(text),
        value => turns_in(value),
    };
    if let Some(turns) = turns {
        let chat = with_systems(Chat::new(&turns, options.reading.last)?, object)?;
        nothing_beside(object, &BESIDE, is_told)?;
        return Ok(of_chat(chat));
    }
    match value {
        Value::Array(_) | Value::Object(_) => Err(RowProblem::NotText { field: field.to_owned() }),
        Value::String(text) if is_chat(field) && is_broken_chat(text) => {
            Err(RowProblem::BrokenChat { field: field.to_owned() })
        }
        value => {
            nothing_beside(object, &BESIDE, is_told)?;
            nothing_beside(object, &SYSTEMS, is_told || options.has_system)?;
            Ok(Asked { text: plain(value), chat: None, params: None })
        }
    }
}

/// Reads a line of a batch: its messages are sent, and its parameters with them.
fn of_batch_line(
    field: &str,
    body: &Object,
    line: &Object,
    options: &SourceOptions,
) -> Result<Asked, RowProblem> {
    let no_field = || RowProblem::NoField { field: format!("{field}.{MESSAGES}") };
    let turns = body.get(MESSAGES).and_then(turns_in).ok_or_else(no_field)?;
    let params = params(field, body, options)?;
    let chat = Chat::new(&turns, options.reading.last)?;
    let chat = match body.get(SYSTEM) {
        Some(system) => chat.with_system_in(&format!("{field}.{SYSTEM}"), system)?,
        None => chat,
    };
    Ok(Asked { params, ..of_chat(with_systems(chat, line)?) })
}

/// Takes the system prompts of the fields beside a chat, which are one.
fn with_systems(chat: Chat, object: &Object) -> Result<Chat, RowProblem> {
    named(object, &SYSTEMS).try_fold(chat, |chat, (name, value)| chat.with_system_in(name, value))
}

/// Returns the parameters of a batch line; those that say what is said for all rows anyway are passed
/// over.
fn params(
    field: &str,
    body: &Object,
    options: &SourceOptions,
) -> Result<Option<Arc<Params>>, RowProblem> {
    let mut fields = Object::new();
    for (name, value) in body {
        if NOT_PARAMETERS.contains(&name.as_str()) || !is_filled(Some(value)) {
            continue;
        }
        // What a row costs would be its own.
        let of_tier = || (name == SERVICE_TIER).then(|| (name.clone(), "--param service_tier="));
        let Some((name_of_own, setter)) = setter(name, value).or_else(of_tier) else {
            fields.insert(name.clone(), value.clone());
            continue;
        };
        if !options.said.get(name).is_some_and(|said| is_equal(said, value)) {
            let (field, value) = (format!("{field}.{name_of_own}"), value.to_string());
            return Err(RowProblem::Setting { field, value, setter });
        }
    }
    let params = Params::new(fields);
    let params = params.map_err(|error| RowProblem::Param { field: field.to_owned(), error })?;
    Ok((!params.is_empty()).then(|| Arc::new(params)))
}

/// Tells whether values are equal, numbers however they are written.
fn is_equal(one: &Value, other: &Value) -> bool {
    one == other || one.as_f64().is_some_and(|one| Some(one) == other.as_f64())
}

fn of_chat(chat: Chat) -> Asked {
    Asked { text: chat.last_text().to_owned(), chat: Some(chat), params: None }
}

/// Returns the fields of these names, in capitals or not, that say anything.
fn named<'o>(
    object: &'o Object,
    names: &'static [&'static str],
) -> impl Iterator<Item = (&'o str, &'o Value)> {
    let is_named = |field: &str| names.iter().any(|name| name.eq_ignore_ascii_case(field.trim()));
    let fields = object.iter().map(|(field, value)| (field.as_str(), value));
    fields.filter(move |(field, value)| is_named(field) && is_filled(Some(value)))
}

/// Fails where a field beside the question belongs to it and would not be sent.
fn nothing_beside(
    object: &Object,
    names: &'static [&'static str],
    is_told: bool,
) -> Result<(), RowProblem> {
    match named(object, names).next().filter(|_| !is_told) {
        Some((field, _)) => Err(RowProblem::Beside { field: field.to_owned() }),
        None => Ok(()),
    }
}

/// Returns a value as a cell of a table would say it.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
