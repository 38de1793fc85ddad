//! Rows that cannot be asked as they are: the run ends before its first ask, or they are skipped and
//! counted, as the user says.

use std::path::{Path, PathBuf};

use dset_core::item::Place;
use dset_core::item::params::ParamError;
use dset_core::settings::OnBadRow;
use thiserror::Error;

use super::SourceError;

/// Rows that are named one by one, at most.
const NAMED_MAX: usize = 5;

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RowProblem {
    /// It is not UTF-8.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// It is not JSON.
    #[error("it is not JSON: {0}")]
    NotJson(String),
    /// It is JSON, and neither an object nor a text.
    #[error("it is JSON, but no object")]
    NotAnObject,
    /// A text has half of a character that is written as two.
    #[error("a text has half a character")]
    HalfCharacter,
    /// It lacks the field with the question.
    #[error("it has no field `{field}`")]
    NoField {
        /// The field that others have.
        field: String,
    },
    /// The field with the question holds neither a text nor a chat.
    #[error("`{field}` is neither a text nor a chat")]
    NotText {
        /// The field.
        field: String,
    },
    /// The field with the question holds bytes that are no text.
    #[error("`{field}` holds bytes that are no UTF-8 text")]
    Bytes {
        /// The field.
        field: String,
    },
    /// A text in a field of chats begins as one and is none.
    #[error("`{field}` holds no chat: it is not a list of turns in JSON")]
    BrokenChat {
        /// The field.
        field: String,
    },
    /// A turn has a name beside its role, which services do not all take.
    #[error("turn {turn} of the chat has a `name`, which would not be sent")]
    NamedTurn {
        /// The turn, from 1.
        turn: usize,
    },
    /// A turn does not say who speaks.
    #[error("turn {turn} of the chat has no role")]
    NoRole {
        /// The turn, from 1.
        turn: usize,
    },
    /// A turn is of a role that services do not have.
    #[error("turn {turn} of the chat is of `{role}`, which is no role of a chat")]
    Role {
        /// The turn, from 1.
        turn: usize,
        /// What it says.
        role: String,
    },
    /// A turn is of a tool, or calls one.
    #[error("turn {turn} of the chat is of a tool")]
    Tool {
        /// The turn, from 1.
        turn: usize,
    },
    /// A turn has parts that are no text.
    #[error("turn {turn} of the chat has a part that is no text")]
    NotTextPart {
        /// The turn, from 1.
        turn: usize,
    },
    /// A turn has something beside its text that belongs to it.
    #[error("turn {turn} of the chat has `{field}`, which would not be sent")]
    BesideTurn {
        /// The turn, from 1.
        turn: usize,
        /// The field.
        field: &'static str,
    },
    /// The system prompt is, or has a part that is, no text.
    #[error("`{field}`, the system prompt, has a part that is no text")]
    NotTextSystem {
        /// The field.
        field: String,
    },
    /// A turn says nothing.
    #[error("turn {turn} of the chat is empty")]
    EmptyTurn {
        /// The turn, from 1.
        turn: usize,
    },
    /// The last turn is the model's, which has answered already.
    #[error("the chat ends with the assistant")]
    EndsWithAssistant,
    /// No turn is the user's.
    #[error("the chat has no turn of the user")]
    NoUser,
    /// The chat has a system prompt, and a field beside it another one.
    #[error("the chat has two system prompts")]
    TwoSystems,
    /// What stands beside the chat would not be sent.
    #[error("`{field}` stands beside the question and would not be sent")]
    Beside {
        /// The field.
        field: String,
    },
    /// The row says for itself what one flag says for all rows.
    #[error("`{field}` is {value}, and {setter} says it for all rows")]
    Setting {
        /// The field.
        field: String,
        /// What the row says.
        value: String,
        /// What sets it.
        setter: &'static str,
    },
    /// A field of a request cannot be sent along.
    #[error("`{field}` cannot be sent along: {error}")]
    Param {
        /// The field that holds the request.
        field: String,
        /// What is wrong.
        error: ParamError,
    },
    /// A template cannot be filled.
    #[error("{0}")]
    Template(String),
    /// It is too large.
    #[error("it is larger than {} MiB", .0 >> 20)]
    TooLarge(usize),
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
}

/// Rows that were skipped, of which the first are named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BadRows {
    /// How many.
    pub count: u64,
    /// The first of them, each with what is wrong with it.
    pub first: Vec<BadRow>,
    /// Rows that are asked, and have cells that no column names.
    pub surplus: u64,
    /// The first of these.
    pub first_surplus: Option<Place>,
    /// Chats that are asked, and have reasoning in turns that is not sent.
    pub reasoning: u64,
    /// The first of these.
    pub first_reasoning: Option<Place>,
}

/// A row that was skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Its file, where the input is of several.
    pub file: Option<PathBuf>,
    /// Where it stands there.
    pub place: Place,
    /// What is wrong with it.
    pub problem: RowProblem,
}

impl BadRows {
    /// Adds those of one of several files.
    pub(crate) fn extend(&mut self, file: &Path, other: BadRows) {
        self.count += other.count;
        let named = other.first.into_iter();
        self.first.extend(named.map(|row| BadRow { file: Some(file.to_owned()), ..row }));
        self.first.truncate(NAMED_MAX);
        self.surplus += other.surplus;
        self.first_surplus = self.first_surplus.or(other.first_surplus);
        self.reasoning += other.reasoning;
        self.first_reasoning = self.first_reasoning.or(other.first_reasoning);
    }

    /// Returns what was added since.
    pub(crate) fn since(&self, before: &BadRows) -> BadRows {
        BadRows {
            count: self.count - before.count,
            first: self.first[before.first.len().min(self.first.len())..].to_vec(),
            surplus: self.surplus - before.surplus,
            first_surplus: self.first_surplus.filter(|_| self.surplus > before.surplus),
            reasoning: self.reasoning - before.reasoning,
            first_reasoning: self.first_reasoning.filter(|_| self.reasoning > before.reasoning),
        }
    }

    /// Counts a chat that is asked without the reasoning that is in its turns.
    pub(crate) fn note_reasoning(&mut self, place: Place) {
        self.reasoning += 1;
        self.first_reasoning.get_or_insert(place);
    }

    /// Counts a row that is asked, and has cells that no column names.
    pub(crate) fn note_surplus(&mut self, place: Place) {
        self.surplus += 1;
        self.first_surplus.get_or_insert(place);
    }

    /// Leaves a row out and counts it, or fails with what is wrong with it, as the user says.
    pub(crate) fn skip(
        &mut self,
        policy: OnBadRow,
        path: &Path,
        place: Place,
        problem: RowProblem,
    ) -> Result<(), SourceError> {
        match policy {
            OnBadRow::Fail => Err(SourceError::BadRow { path: path.to_owned(), place, problem }),
            OnBadRow::Skip => {
                self.add(place, problem);
                Ok(())
            }
        }
    }

    fn add(&mut self, place: Place, problem: RowProblem) {
        self.count += 1;
        if self.first.len() < NAMED_MAX {
            self.first.push(BadRow { file: None, place, problem });
        }
    }
}
