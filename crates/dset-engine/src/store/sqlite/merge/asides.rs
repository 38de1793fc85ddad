//! Answers that count no more in the other store, and what has come in their place there.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, Transaction};

use super::copied::Copied;
use crate::store::sqlite::{keys, redos};

/// What counts no more in the other store.
#[derive(Default)]
pub(super) struct Asides {
    answers: HashSet<i64>,
    /// Keys and tries, by the question.
    of_questions: HashMap<Vec<u8>, Vec<(Vec<u8>, u32)>>,
    /// Those of them that are in this store, by their questions and their numbers here.
    own: Vec<(Vec<u8>, i64)>,
    /// Questions whose other answer is not taken in.
    kept: HashSet<Vec<u8>>,
}

impl Asides {
    pub(super) fn read(from: &Connection) -> rusqlite::Result<Asides> {
        let mut asides = Asides::default();
        let sql = "SELECT k.question, k.key, k.try, k.answer FROM set_aside s JOIN
                   (SELECT question, key, 1 AS try, answer FROM keys UNION ALL
                    SELECT question, key, try, answer FROM later_keys) k ON k.answer = s.answer";
        let mut statement = from.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let of_question = asides.of_questions.entry(row.get(0)?).or_default();
            of_question.push((row.get(1)?, row.get(2)?));
            asides.answers.insert(row.get(3)?);
        }
        Ok(asides)
    }

    /// Tells whether an answer of the other store has come there in place of one that still counts here.
    pub(super) fn are_replaced_by(
        &self,
        answer: i64,
        key: &Copied,
        to: &Transaction<'_>,
    ) -> rusqlite::Result<bool> {
        if self.has(answer) {
            return Ok(false);
        }
        for (key, try_number) in self.of_questions.get(&key.bytes("question")).into_iter().flatten()
        {
            let counts = match keys::find_try(to, key, *try_number)? {
                Some(own) => !redos::is_aside(to, own)?,
                None => true,
            };
            if counts {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn has(&self, answer: i64) -> bool {
        self.answers.contains(&answer)
    }

    /// Notes the number that an answer to a question has here.
    pub(super) fn note(&mut self, question: Vec<u8>, answer: i64, own: i64) {
        if self.has(answer) {
            self.own.push((question, own));
        }
    }

    /// Nothing gives way to an answer of the other store that is not taken in.
    pub(super) fn keep(&mut self, question: Vec<u8>) {
        self.kept.insert(question);
    }

    /// They count no more here either. What has come in their place must be here.
    pub(super) fn apply(&self, to: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut own = self.own.iter().filter(|(question, _)| !self.kept.contains(question));
        own.try_for_each(|(_, own)| redos::set_aside(to, *own))
    }
}
