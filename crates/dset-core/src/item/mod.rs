//! What is asked: an item of the input with its fields and its question, what is sent of it, and the
//! marks in its file.
//!
//! An item is a row of a table, a line of a text or an element of an array; nothing here says which,
//! but for its [`Place`].

pub mod content;
pub mod error_marks;
pub mod fields;
pub mod params;
pub mod prefix;
pub mod question;
pub mod shape;

use std::borrow::Cow;
use std::sync::Arc;

use crate::csv::ERROR;
use content::{Turn, canonical_json};
use fields::Fields;
use params::Params;
use question::{Question, QuestionId};
use serde_json::{Map, Value};

/// One item of an input, as it was read.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    /// Where it stands.
    pub place: Place,
    /// Its question with the blanks around it, which may belong to it; blank where it has none.
    pub text: &'a str,
    /// The turns that are sent in place of a user message, where the question is a chat; `text` is the
    /// last of them.
    pub turns: Option<&'a Arc<[Turn]>>,
    /// The system prompt that the chat brings along.
    pub system: Option<&'a Arc<str>>,
    /// Further fields of the request that it brings along.
    pub params: Option<&'a Arc<Params>>,
    /// All its fields by their names, the question's among them.
    pub fields: Fields<'a>,
    /// Fields that hold bytes which are no text, and cannot be sent.
    pub bytes: &'a [String],
    /// The name that the input gives it. No key is made of it.
    pub id: Option<&'a str>,
    /// What its mark says.
    pub status: Status,
}

#[cfg(test)]
impl<'a> Item<'a> {
    /// A question with these fields, for tests of what reads fields.
    pub(crate) fn of_fields(fields: &'a serde_json::Map<String, serde_json::Value>) -> Item<'a> {
        Item {
            place: Place::Row(2),
            text: "Why?",
            turns: None,
            system: None,
            params: None,
            fields: Fields::Object(fields),
            bytes: &[],
            id: None,
            status: Status::Empty,
        }
    }
}

impl<'a> Item<'a> {
    /// Returns what answers are held against of an item that was read before: its question and its
    /// fields.
    #[must_use]
    pub fn of_question(question: &'a Question, fields: &'a Map<String, Value>) -> Item<'a> {
        Item {
            place: Place::Row(question.row_number),
            text: &question.text,
            turns: None,
            system: None,
            params: None,
            fields: Fields::Object(fields),
            bytes: &[],
            id: question.name.as_deref(),
            status: Status::Empty,
        }
    }
}

impl Item<'_> {
    /// Returns the hash of what is asked, which tells it from every other question: of the text, or of
    /// all turns.
    #[must_use]
    pub fn text_hash(&self) -> u64 {
        match self.turns {
            Some(turns) => QuestionId::hash_text(&canonical_json(turns)),
            None => QuestionId::hash_text(self.text),
        }
    }

    /// Returns what names the item in every dataset: its id, or else its question's name.
    #[must_use]
    pub fn name(&self, question: QuestionId) -> Cow<'_, str> {
        self.id.map_or_else(|| question.name().into(), Cow::Borrowed)
    }
}

/// Where an item stands in its input, from 1. The words for it are the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A row as a spreadsheet counts, a header being row 1.
    Row(u64),
    /// A line of a text.
    Line(u64),
    /// An element of an array.
    Element(u64),
}

impl Place {
    /// Returns the number, of whatever it is.
    #[must_use]
    pub fn number(self) -> u64 {
        match self {
            Place::Row(number) | Place::Line(number) | Place::Element(number) => number,
        }
    }
}

/// What the mark of an item says; one of an input without marks is empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Status {
    /// Nothing.
    #[default]
    Empty,
    /// ERROR: it was asked and failed.
    Error,
    /// The user's own word.
    Own,
}

impl Status {
    /// Reads the cell of a status column.
    #[must_use]
    pub fn from_cell(cell: &str) -> Status {
        match cell.trim() {
            "" => Status::Empty,
            ERROR => Status::Error,
            _ => Status::Own,
        }
    }
}
