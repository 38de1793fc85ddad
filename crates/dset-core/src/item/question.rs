//! A question as it was read from the input.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use xxhash_rust::xxh3::xxh3_128;

use super::content::Content;
use super::params::Params;
use crate::acceptance::{RetryWith, another_try};
use crate::schema::Reason;

/// Place of a wanted answer among those of the input, from 0: row by row, then model by model, then
/// sample by sample. With one model and one sample, the place of a question among the non-empty ones.
pub type QuestionIndex = u32;

/// What an answer is stored under: a hash of the whole request, the sample, the ordinal among
/// identical requests, and the generation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key(pub [u8; 16]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Tells a question from every other one of the input, whatever the settings: the hash of its
/// trimmed text, and its ordinal among equal texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct QuestionId {
    /// xxh3-64 of the trimmed question.
    pub text_hash: u64,
    /// 0 for the first question with this text, 1 for the second, and so on.
    pub ordinal: u32,
}

impl QuestionId {
    /// Hashes a question's text as every part of dset does it: trimmed, xxh3-64.
    #[must_use]
    pub fn hash_text(question: &str) -> u64 {
        xxhash_rust::xxh3::xxh3_64(question.trim().as_bytes())
    }

    /// Returns the name of the question in datasets, where the input has none for it: of its text
    /// alone, so that it outlives sorting and edits of other rows.
    #[must_use]
    pub fn name(self) -> String {
        match self.ordinal {
            0 => format!("{:016x}", self.text_hash),
            ordinal => format!("{:016x}-{ordinal}", self.text_hash),
        }
    }

    /// Returns the 128 bits this question is known by in the store.
    #[must_use]
    pub fn hash(self) -> [u8; 16] {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&self.text_hash.to_le_bytes());
        bytes[8..].copy_from_slice(&self.ordinal.to_le_bytes());
        xxh3_128(&bytes).to_be_bytes()
    }
}

/// A question that is to be asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Its place among the wanted answers, from 0.
    pub index: QuestionIndex,
    /// Its row as a spreadsheet counts it, from 1; a header is row 1.
    pub row_number: u64,
    /// The id that the input gives it.
    pub name: Option<Arc<str>>,
    /// The question cell, with the blanks around it.
    pub text: Arc<str>,
    /// What is sent; the same text where the template is the question alone.
    pub content: Content,
    /// The system prompt that goes with it.
    pub system: Option<Arc<str>>,
    /// Further fields of the request that its row brings along.
    pub params: Option<Arc<Params>>,
    /// What its answer will be stored under.
    pub key: Key,
    /// What it is known by under any settings.
    pub id: QuestionId,
    /// What its ending without an answer is remembered by, see [`crate::plan::Plan::failure_key`].
    pub failure_key: [u8; 16],
    /// Its row says ERROR.
    pub marked: bool,
    /// An earlier run ended it without an answer.
    pub has_failed: bool,
    /// Which model is asked: its place among those of the settings.
    pub model: u16,
    /// Which sample of the model's, from 0.
    pub sample: u32,
    /// What came of it before, where it is asked again because no answer was accepted.
    pub earlier: Option<Arc<EarlierTries>>,
    /// The fields of its row, where answers are held against them.
    pub fields: Option<Arc<Map<String, Value>>>,
    /// Hashes of the growing beginnings of its prompt, see [`crate::item::prefix`], where its model's
    /// provider caches prompts.
    pub prefixes: Option<Arc<[u64]>>,
}

/// Answers to a question that were not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierTries {
    /// How many there are, those that were set aside apart.
    pub count: u32,
    /// How many were set aside, because the row is asked again on purpose.
    pub aside: u32,
    /// What was sent for the first of them.
    pub content: Content,
}

impl Question {
    /// Makes a question that is asked for the first time, as its text stands, by one model without a
    /// system prompt. `index` is its place among the wanted answers.
    #[must_use]
    pub fn new(
        index: QuestionIndex,
        row_number: u64,
        text: Arc<str>,
        key: Key,
        id: QuestionId,
    ) -> Question {
        Question {
            index,
            row_number,
            name: None,
            content: Content::Text(Arc::clone(&text)),
            text,
            system: None,
            params: None,
            key,
            id,
            failure_key: id.hash(),
            marked: false,
            has_failed: false,
            model: 0,
            sample: 0,
            earlier: None,
            fields: None,
            prefixes: None,
        }
    }

    /// Returns which try at this question the next answer is, from 1.
    #[must_use]
    pub fn try_number(&self) -> u32 {
        self.earlier.as_ref().map_or(1, |earlier| earlier.count + earlier.aside + 1)
    }

    /// Returns how many answers have been given once the next is there, of those that count.
    #[must_use]
    pub fn tries(&self) -> u32 {
        self.earlier.as_ref().map_or(1, |earlier| earlier.count + 1)
    }

    /// Returns what is asked after this answer, which was not accepted for these reasons.
    #[must_use]
    pub fn another_try<'r>(
        &self,
        answer: &str,
        reasons: impl Iterator<Item = &'r Reason>,
        with: RetryWith,
    ) -> Question {
        let first = self.earlier.as_ref().map_or(&self.content, |earlier| &earlier.content);
        let aside = self.earlier.as_ref().map_or(0, |earlier| earlier.aside);
        let earlier = EarlierTries { count: self.tries(), aside, content: first.clone() };
        let content = another_try(first, answer, reasons, with);
        Question { content, earlier: Some(Arc::new(earlier)), ..self.clone() }
    }
}
