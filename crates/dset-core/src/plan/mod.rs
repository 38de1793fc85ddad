//! What is left to do: the input held against the store, before the first ask.
//!
//! Every row is as many entries of the plan as it is to get answers, see [`Fanout`].
//! One pass over the whole input ([`Planner`]), one scan of the stored keys (`merge`), and
//! a verdict on every entry (`classify`), whose sums are the plan (`tally`). Of each entry a
//! state and of each row a short fingerprint stay in memory, never its text; the texts are read
//! again, in order, when they are asked.

mod classify;
pub mod fanout;
mod key_index;
pub mod ledger;
mod merge;
mod planner;
mod tally;

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::acceptance::Standing;
use crate::item::error_marks::InputMarks;
use crate::item::question::{Key, QuestionId, QuestionIndex};
use crate::key::{Fingerprint, ModelHash, SettingsHash, key};
use crate::plan::fanout::Fanout;
pub use crate::plan::planner::{Ordinals, Planner};
use crate::run::{PlanSummary, Planned};

/// The row id of an answer in the store.
pub type AnswerId = i64;

/// An answer in the store, as one scan of its keys gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Its key, which no other has.
    pub key: Key,
    /// [`QuestionId::hash`] of its question.
    pub question: [u8; 16],
    /// Where it is.
    pub id: AnswerId,
    /// What it was bought with.
    pub provenance: Provenance,
    /// For which model of this run it counts, or may; for another model a number behind all of these.
    pub model: u16,
    /// Which sample it is.
    pub sample: u32,
    /// How it is found where other settings bought it.
    pub found_by: FoundBy,
    /// The place of it in the outputs is decided, or of an earlier try.
    pub placed: bool,
    /// It is accepted, and the place is that of an earlier try.
    pub is_outdated: bool,
    /// Whether it is accepted.
    pub standing: Standing,
    /// It is not accepted only because a program is still to judge it.
    pub waits: bool,
    /// How many answers there are under its key, itself among them: it is the one that counts, or the
    /// last.
    pub tries: Tries,
}

/// How an answer is found that is under none of the keys of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundBy {
    /// By its question: equal questions were equal requests, or nobody knows what was asked.
    Question,
    /// What was asked is known: it is one of [`StoreFacts::former_keys`], or its row is not in the input any more.
    FormerKey,
    /// By its question where no other row has or had the same: more than that was asked, and the input has not
    /// the fields of it any more.
    LoneQuestion,
}

/// How many answers there are under one key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tries {
    /// Those that count.
    pub count: u32,
    /// Those that count no more, because the row was asked again on purpose.
    pub aside: u32,
}

/// Answers to a wanted one that are not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAccepted {
    /// What is wanted.
    pub index: QuestionIndex,
    /// The last of them.
    pub answer: AnswerId,
    /// How many there are under the key of the wanted one; none where they are under another.
    pub tries: Tries,
    /// An earlier acceptance has placed one of them in the outputs.
    pub placed: bool,
    /// It is so only because a program is still to judge the last.
    pub waits: bool,
}

/// What an accepted answer is to the wanted one that it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It counts.
    Counts,
    /// It would count without the one that does.
    Behind,
}

/// An answer of a further sample or another model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unwanted {
    /// [`QuestionId::hash`] of its question.
    pub question: [u8; 16],
    /// Where it is.
    pub answer: AnswerId,
    /// It is accepted, and the one of its sample that would count, to a question of the input.
    pub counts: bool,
}

/// What an answer was bought with, as far as the plan cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provenance {
    /// With the settings of its model in this run.
    Current,
    /// With settings that are none of this run's; it may count in place of an answer under these.
    OtherSettings,
    /// Of another model, for which none of this run's stands: it is kept, and counts for nothing.
    OtherModel,
    /// By the original script, with settings that nobody knows.
    Imported,
}

/// The rows of an input as settings of before would ask them.
#[derive(Debug, Clone)]
pub struct FormerRequests {
    /// What the settings are known by in the store.
    pub hash: SettingsHash,
    /// Of each row that is asked now; absent where it could not be asked so.
    pub prints: Vec<Option<Fingerprint>>,
    /// Equal rows were equal then, too: the prompts are those of now.
    pub prompts_are_those_of_now: bool,
}

/// What settings of before asked of the rows of an input.
#[derive(Debug, Clone, Default)]
pub struct Former {
    /// The rows as these would ask them. There are none where all ask the question alone, as those of now do:
    /// equal questions are equal requests then.
    pub requests: Vec<FormerRequests>,
    /// Those whose prompts the input has no fields for.
    pub unbound: Vec<SettingsHash>,
}

/// What else the store knows of questions without an answer.
#[derive(Debug, Clone, Default)]
pub struct StoreFacts {
    /// Taken as answered, because they lie before a bookmark of the original script.
    pub presumed: HashSet<[u8; 16]>,
    /// Cut by a token limit: not to be asked under the limit of this run. By [`Plan::failure_key`].
    pub truncated: HashSet<[u8; 16]>,
    /// Ended without an answer by an earlier run. By [`Plan::failure_key`].
    pub ended: HashSet<[u8; 16]>,
    /// To be marked ERROR, which could not be written so far.
    pub unwritten_marks: HashSet<[u8; 16]>,
    /// There may be answers in this generation that were bought otherwise or by the script.
    pub has_other_provenance: bool,
    /// How many accepted samples of a model are enough, where not all that are wanted must be.
    pub enough: Option<u32>,
    /// The wanted answers by the keys that other settings gave them.
    pub former_keys: HashMap<Key, QuestionIndex>,
    /// The model that this generation was first asked with, where several are asked.
    pub primary_model: Option<ModelHash>,
}

impl StoreFacts {
    /// Tells whether there is anything that a question without an answer may be looked up in.
    fn may_settle(&self) -> bool {
        !self.presumed.is_empty() || !self.truncated.is_empty() || !self.unwritten_marks.is_empty()
    }
}

/// What is known of rows that are asked again on purpose, and no others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redo {
    /// What is asked for and has an accepted answer, which counts until another is accepted.
    pub stands: BTreeSet<QuestionIndex>,
    /// Answers of other rows, which this run does not count,
    pub answered_beside: u64,
    /// and what is taken as answered among these.
    pub presumed_beside: u64,
}

/// What is left to do, and where everything else stands.
#[derive(Debug)]
pub struct Plan {
    /// Where each wanted answer stands.
    pub states: Vec<Planned>,
    /// Bookmarks that the input lacks or has too many.
    pub marks: InputMarks,
    /// Answers whose place in the outputs is not decided, in the order of the input.
    pub unplaced: Vec<(QuestionIndex, AnswerId)>,
    /// Wanted answers that were given and are not accepted, in the order of the input.
    pub not_accepted: Vec<NotAccepted>,
    /// Wanted answers that are there only under other settings, of each model.
    pub with_other_settings: Vec<u64>,
    /// Answers that this run does not want, of further samples and other models.
    pub unwanted: Vec<Unwanted>,
    /// Rows of the outputs that are of no answer to a question of the input, or beside another of the same one.
    pub orphaned: u64,
    /// Those whose question is no longer in the input.
    pub gone: u64,
    /// Rows of the outputs that have another answer than the one that counts.
    pub outdated: u64,
    /// Rows in which a question is answered, or is to be.
    pub counted_rows: u64,
    /// Rows that are asked again on purpose.
    pub redo: Redo,
    /// Rows that say ERROR although they are answered.
    pub marked_though_answered: u64,
    /// Rows marked ERROR among those to be asked.
    pub marked_and_pending: u64,
    /// Questions that are the same request as an earlier one.
    pub duplicates: u64,
    /// Questions that have an answer under these very settings and are not found under its key.
    /// Where the prompt is the question that cannot be: the store is damaged.
    pub inconsistent_keys: u64,
    ended: HashSet<[u8; 16]>,
    /// Of each row, whether the user left it out; empty where none is.
    left_out: Vec<bool>,
    generation: u32,
    wanted: Fanout,
    prints: Vec<u64>,
    ordinals: Vec<u32>,
    text_ordinals: Option<Vec<u32>>,
}

impl Plan {
    /// Returns the answers that every row is to get.
    #[must_use]
    pub fn wanted(&self) -> &Fanout {
        &self.wanted
    }

    /// Returns the answers that are not wanted and would count, with the hashes of their questions.
    pub fn counting_unwanted(&self) -> impl Iterator<Item = ([u8; 16], AnswerId)> + '_ {
        let counting = self.unwanted.iter().filter(|one| one.counts);
        counting.map(|one| (one.question, one.answer))
    }

    /// Returns how many rows have a question.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.prints.len() as u64
    }

    /// Returns of each row whether the user wants it asked; nothing where all are.
    #[must_use]
    pub fn chosen(&self) -> Vec<bool> {
        self.left_out.iter().map(|is_left_out| !is_left_out).collect()
    }

    /// Tells whether the user left this row out, with an answer that it lacks.
    #[must_use]
    pub fn lacks_what_was_left_out(&self, row: u32) -> bool {
        let mut entries = self.wanted.entries_of_row(row);
        self.left_out.get(row as usize) == Some(&true)
            && entries.any(|at| self.states[at as usize] == Planned::LeftOut)
    }

    /// Tells whether the question of this row still is the one that was planned; the fingerprint is
    /// of its request to the first model.
    #[must_use]
    pub fn fits(&self, row: u32, fingerprint: Fingerprint) -> bool {
        self.prints.get(row as usize) == Some(&fingerprint.short())
    }

    /// Returns the key under which this answer will be stored; the fingerprint is of the request to
    /// its model.
    #[must_use]
    pub fn key(&self, at: QuestionIndex, fingerprint: Fingerprint) -> Key {
        let ordinal = self.ordinals[self.wanted.row(at) as usize];
        key(fingerprint, self.wanted.sample(at), ordinal, self.generation)
    }

    /// Returns what the question of this row is known by, with the hash of its text.
    #[must_use]
    pub fn id(&self, row: u32, text_hash: u64) -> QuestionId {
        let ordinals = self.text_ordinals.as_ref().unwrap_or(&self.ordinals);
        QuestionId { text_hash, ordinal: ordinals[row as usize] }
    }

    /// Tells whether an earlier run ended this entry of a question without an answer.
    #[must_use]
    pub fn has_failed(&self, id: QuestionId, at: QuestionIndex) -> bool {
        !self.ended.is_empty() && self.find_failure(id, at, |key| self.ended.get(key)).is_some()
    }

    /// Returns what the ending of an entry of this question is remembered by: where more is asked than the
    /// question, that is what is asked.
    #[must_use]
    pub fn failure_key(&self, id: QuestionId, at: QuestionIndex) -> [u8; 16] {
        self.wanted.failure_key(self.failure_id(id, at), at)
    }

    /// Looks the ending of an entry up, also where it was remembered beside other models.
    pub fn find_failure<T>(
        &self,
        id: QuestionId,
        at: QuestionIndex,
        get: impl FnMut(&[u8; 16]) -> Option<T>,
    ) -> Option<T> {
        self.wanted.find_failure(self.failure_id(id, at), at, get)
    }

    fn failure_id(&self, id: QuestionId, at: QuestionIndex) -> QuestionId {
        let row = self.wanted.row(at) as usize;
        let is_question_alone = self.text_ordinals.is_none();
        failure_id(is_question_alone, id, self.prints[row], self.ordinals[row])
    }

    /// Returns what the machine is told of this plan.
    #[must_use]
    pub fn summary(&self) -> PlanSummary {
        PlanSummary {
            states: self.states.clone(),
            per_row: self.wanted.per_row(),
            marks: self.marks.clone(),
            placed_before: self
                .not_accepted
                .iter()
                .filter_map(|one| one.placed.then_some(one.index))
                .collect(),
            redo: self.redo.clone(),
            answered_before: false,
        }
    }

    /// Returns what came before of a wanted answer that is not accepted so far.
    #[must_use]
    pub fn not_accepted(&self, at: QuestionIndex) -> Option<&NotAccepted> {
        let found = self.not_accepted.binary_search_by_key(&at, |one| one.index);
        found.ok().map(|found| &self.not_accepted[found])
    }

    /// Returns the wanted answers that were given, are not accepted, and are not asked for again.
    pub fn failed_by_checks(&self) -> impl Iterator<Item = &NotAccepted> {
        let failed = |one: &&NotAccepted| self.states[one.index as usize] == Planned::Failed;
        self.not_accepted.iter().filter(failed)
    }

    /// Counts them.
    #[must_use]
    pub fn failed_checks(&self) -> u64 {
        self.failed_by_checks().count() as u64
    }

    /// Takes what programs are still to judge as open, for whoever looks before a run has it judged.
    pub fn open_unjudged(&mut self) {
        for one in self.not_accepted.iter().filter(|one| one.waits) {
            let state = &mut self.states[one.index as usize];
            if *state == Planned::Failed {
                *state = Planned::Pending;
            }
        }
    }

    /// Tells whether there is an answer to this that a program is still to judge.
    #[must_use]
    pub fn is_unjudged(&self, at: QuestionIndex) -> bool {
        self.not_accepted(at).is_some_and(|one| one.waits)
    }

    /// Counts the answers that programs are still to judge.
    #[must_use]
    pub fn unjudged(&self) -> u64 {
        let is_open = |at: QuestionIndex| self.states[at as usize] == Planned::Pending;
        let waiting = self.not_accepted.iter().filter(|one| one.waits && is_open(one.index));
        waiting.count() as u64
    }

    /// Counts what is to be asked of each model.
    #[must_use]
    pub fn pending_by_model(&self) -> Vec<u64> {
        let mut pending = vec![0; self.wanted.models()];
        for (at, state) in (0..).zip(&self.states) {
            if *state == Planned::Pending && !self.is_unjudged(at) {
                pending[usize::from(self.wanted.model(at))] += 1;
            }
        }
        pending
    }

    /// Counts the questions in this state.
    #[must_use]
    pub fn count(&self, planned: Planned) -> u64 {
        self.states.iter().filter(|&&state| state == planned).count() as u64
    }
}

/// Returns what the endings of a question are found by: itself, or where more is asked than the question, its
/// request to the first model, which is the `ordinal`th of its kind.
fn failure_id(
    is_question_alone: bool,
    id: QuestionId,
    short_print: u64,
    ordinal: u32,
) -> QuestionId {
    if is_question_alone { id } else { QuestionId { text_hash: short_print, ordinal } }
}

/// Tells whether a question whose answer was cut may be asked again: under a higher token limit.
///
/// `limit` held when it was cut, `reached` is how many tokens it had got to. Where neither is
/// known, the service's own limit cut it, and any limit of the user's may be higher.
#[must_use]
pub fn is_raised(now: Option<u64>, limit: Option<u64>, reached: Option<u64>) -> bool {
    match (now, limit.max(reached)) {
        (Some(now), Some(then)) => now > then,
        (Some(_), None) => true,
        (None, _) => limit.is_some(),
    }
}

#[cfg(test)]
mod tests;
