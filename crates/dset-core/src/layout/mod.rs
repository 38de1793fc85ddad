//! Datasets: which columns one has, and what stands in them.
//!
//! A layout makes rows of records: of a row of the input, joined with its answers. It names its
//! columns and their kinds before the first row, and keeps to them in every row, because readers take
//! the first rows, or the first of several files, for the kind of all. Nothing here is stored: a
//! dataset is worked out again whenever it is written. Files are written by the engine's containers,
//! which know nothing of layouts.

mod alpaca;
mod batch_results;
mod cell;
mod chat;
mod columns;
mod conversation;
pub mod expression;
pub mod failed;
mod kto;
mod open_r1;
mod openai;
mod preference;
mod prompt_completion;
mod rows;
mod s1k;
mod sharegpt;
pub mod split;
pub mod survey;
mod thoughts;

use std::borrow::Cow;

pub use self::cell::{Cell, Column, Kind, ValueType};
use crate::answer::row::Row;
use crate::item::content::{Role, Turn, split_beginning};

/// The layouts, in the order in which they are listed. Another one is a file here and a line in this
/// list.
pub const LAYOUTS: &[&dyn Layout] = &[
    &rows::Rows,
    &chat::Chat,
    &openai::OpenAi,
    &prompt_completion::PromptCompletion,
    &sharegpt::ShareGpt,
    &alpaca::Alpaca,
    &preference::Preference,
    &kto::Kto,
    &open_r1::OpenR1,
    &thoughts::Thoughts,
    &s1k::S1k,
    &batch_results::BatchResults,
];

/// Returns the layout of this name.
#[must_use]
pub fn layout(name: &str) -> Option<&'static dyn Layout> {
    LAYOUTS.iter().copied().find(|layout| layout.name() == name)
}

/// How records become rows of a dataset.
pub trait Layout: Sync {
    /// Its name, as `--layout` takes it.
    fn name(&self) -> &'static str;

    /// What reads it, in a few words.
    fn about(&self) -> &'static str;

    /// Where the reasoning can go, the usual place first.
    fn reasoning(&self) -> &'static [ReasoningPlace];

    /// Returns true if a row keeps all columns of the input where the user names none.
    fn keeps_all_columns(&self) -> bool {
        false
    }

    /// Returns true if it cannot be made without a rank for every answer.
    fn wants_rank(&self) -> bool {
        false
    }

    /// Returns true if it has columns for ratings and notes.
    fn has_reviews(&self) -> bool {
        false
    }

    /// Returns true if it sets answers to one question against each other.
    fn compares_answers(&self) -> bool {
        false
    }

    /// Returns true if a row says what was sent.
    fn shows_prompt(&self) -> bool {
        true
    }

    /// Returns true if a row can hold a chat of several turns.
    fn takes_turns(&self) -> bool {
        true
    }

    /// Tells why there is no row of a record, if there is none.
    fn unfit(&self, record: &Record<'_>) -> Option<Unfit> {
        (!self.takes_turns() && record.has_several_turns()).then_some(Unfit::Turns)
    }

    /// The columns of every row, in their order.
    fn columns(&self, shape: &Shape, options: &Options) -> Vec<Column>;

    /// Shows the rows of a record that fits, each with a cell for every column, of the column's kind.
    fn rows(&self, record: &Record<'_>, options: &Options, emit: &mut dyn FnMut(&[Cell<'_>]));
}

/// Why a record has no row in a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// It is a chat of several turns, and a row has one question and one answer.
    Turns,
    /// It has one answer, and a row has two.
    OneAnswer,
    /// Its answers have the same rank.
    Tie,
}

impl Unfit {
    /// Returns true if such records are left out without a word of the user: they are expected, and
    /// counted.
    #[must_use]
    pub fn is_expected(self) -> bool {
        self != Unfit::Turns
    }
}

/// What is known of the records before the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    /// The input's columns that a dataset keeps, in their order.
    pub fields: Vec<Column>,
    /// Names of columns of ours that one of those holds already: `question` where the questions are
    /// in a column of that name.
    pub held: Vec<&'static str>,
    /// Answers have to fit a schema, so that each has a value.
    pub has_values: bool,
    /// Ratings and notes are wanted.
    pub has_reviews: bool,
}

/// A row of the input, joined with the answers to it.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// What is known of all records.
    pub shape: &'a Shape,
    /// Names the row in every dataset, whatever becomes of the rows around it.
    pub id: &'a str,
    /// The row as a spreadsheet counts it, at the time of writing.
    pub row: u64,
    /// The question, trimmed.
    pub question: &'a str,
    /// The system prompt that was sent with it.
    pub system: Option<&'a str>,
    /// The user message that was sent.
    pub prompt: &'a str,
    /// The turns that were sent in place of the user message, where the question is a chat.
    pub turns: Option<&'a [Turn]>,
    /// A cell for each of [`Shape::fields`].
    pub fields: &'a [Cell<'a>],
    /// Its answers, model by model and sample by sample.
    pub answers: &'a [Row],
    /// A rank for each of them, where the user says how they rank.
    pub ranks: Option<&'a [f64]>,
}

impl Record<'_> {
    /// Returns true if more is sent than a system prompt and one question.
    #[must_use]
    pub fn has_several_turns(&self) -> bool {
        has_several_turns(self.turns)
    }
}

/// Returns true if a chat is more than a system prompt and one question.
#[must_use]
pub fn has_several_turns(turns: Option<&[Turn]>) -> bool {
    let (turns, _) = split_beginning(turns.unwrap_or_default());
    let leading = usize::from(turns.first().is_some_and(|turn| turn.role == Role::System));
    turns.len() > leading + 1
}

/// What the user may say of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Where the reasoning goes.
    pub reasoning: ReasoningPlace,
}

/// Where a layout has the reasoning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasoningPlace {
    /// In a field of its own: `reasoning_content` beside `content`, or a column.
    Field,
    /// Before the answer, between `<think>` and `</think>`, as R1 and its kin write it.
    Think,
    /// Nowhere.
    Drop,
}

impl ReasoningPlace {
    /// Every place.
    pub const ALL: [ReasoningPlace; 3] =
        [ReasoningPlace::Field, ReasoningPlace::Think, ReasoningPlace::Drop];

    /// Its name, as `--reasoning` takes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ReasoningPlace::Field => "field",
            ReasoningPlace::Think => "think",
            ReasoningPlace::Drop => "drop",
        }
    }
}

/// The answer as a model that thinks writes it, where its reasoning is to stand before it.
fn answer_text<'a>(answer: &'a Row, options: &Options) -> Cow<'a, str> {
    match options.reasoning {
        ReasoningPlace::Think if !answer.reasoning.trim().is_empty() => {
            format!("<think>\n{}\n</think>\n\n{}", answer.reasoning.trim(), answer.answer).into()
        }
        _ => answer.answer.as_str().into(),
    }
}

#[cfg(test)]
mod tests;
