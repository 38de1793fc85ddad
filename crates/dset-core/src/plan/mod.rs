//! What is left to do: the input held against the store, before the first ask.
//!
//! Every row is as many entries of the plan as it is to get answers, see [`Wanted`].
//! One pass over the whole input, one ordered scan of the stored keys. Of each entry a state
//! and of each row a short fingerprint stay in memory, never its text; the texts are read again, in order,
//! when they are asked.

pub mod fanout;
pub mod ledger;

use std::collections::{HashMap, HashSet};

use crate::item::error_marks::InputMarks;
use crate::item::question::{Key, QuestionId, QuestionIndex};
use crate::key::{Fingerprint, ModelHash, key};
use crate::plan::fanout::Fanout;
use crate::run::{PlanSummary, Planned};

/// The row id of an answer in the store.
pub type AnswerId = i64;

/// An answer in the store, as one ordered scan of its keys gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Its key; the scan is ordered by it.
    pub key: Key,
    /// [`QuestionId::hash`] of its question.
    pub question: [u8; 16],
    /// Where it is.
    pub id: AnswerId,
    /// What it was bought with.
    pub provenance: Provenance,
    /// For which model of this run it counts, or may.
    pub model: u16,
    /// Which sample it is.
    pub sample: u32,
    /// Its place in the outputs is decided.
    pub placed: bool,
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

/// What else the store knows of questions without an answer.
#[derive(Debug, Clone, Default)]
pub struct StoreFacts {
    /// Taken as answered, because they lie before a bookmark of the original script.
    pub presumed: HashSet<[u8; 16]>,
    /// Cut by a token limit: not to be asked under the limit of this run. By [`Wanted::hash`].
    pub truncated: HashSet<[u8; 16]>,
    /// To be marked ERROR, which could not be written so far.
    pub unwritten_marks: HashSet<[u8; 16]>,
    /// There may be answers in this edition that were bought otherwise or by the script.
    pub has_other_provenance: bool,
}

/// Collects the questions of the input.
#[derive(Debug, Default)]
pub struct Planner {
    edition: u32,
    /// Equal prompts are equal questions: true for the default template.
    prompts_are_questions: bool,
    wanted: Fanout,
    /// Of each row one for each model.
    prints: Vec<Fingerprint>,
    texts: Vec<u64>,
    marked: Vec<bool>,
    /// Rows that are not asked although they have a question: how many questions came before each,
    /// and its text. They count in the ordinals of equal texts, as they do for bookmarks.
    skipped: Vec<(u32, u64)>,
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
    /// Wanted answers that are there only under other settings, of each model.
    pub with_other_settings: Vec<u64>,
    /// Answers that this run does not want, of further samples and other models, by their questions.
    pub unwanted: Vec<([u8; 16], AnswerId)>,
    /// Answers with a place in the outputs whose question is no longer in the input.
    pub orphaned: u64,
    /// Rows that say ERROR although they are answered.
    pub marked_though_answered: u64,
    /// Rows marked ERROR among those to be asked.
    pub marked_and_pending: u64,
    /// Questions that are the same request as an earlier one.
    pub duplicates: u64,
    /// Questions that have an answer under these very settings and are not found under its key.
    /// Where the prompt is the question that cannot be: the store is damaged.
    pub inconsistent_keys: u64,
    edition: u32,
    wanted: Fanout,
    prints: Vec<u64>,
    ordinals: Vec<u32>,
    text_ordinals: Option<Vec<u32>>,
}

impl Planner {
    /// Plans an edition; `prompts_are_questions` where the template is the question alone.
    #[must_use]
    pub fn new(edition: u32, prompts_are_questions: bool, wanted: Fanout) -> Planner {
        Planner { edition, prompts_are_questions, wanted, ..Planner::default() }
    }

    /// Takes the next non-empty question of the input, with the fingerprint of its request to each
    /// model.
    pub fn push(
        &mut self,
        question: &str,
        fingerprints: impl IntoIterator<Item = Fingerprint>,
        marked: bool,
    ) {
        self.prints.extend(fingerprints);
        self.texts.push(QuestionId::hash_text(question));
        self.marked.push(marked);
    }

    /// Takes which model the store was first asked with.
    pub fn set_primary_model(&mut self, model: Option<ModelHash>) {
        self.wanted = self.wanted.clone().with_primary_model(model);
    }

    /// Returns the answers that every row is to get.
    #[must_use]
    pub fn wanted(&self) -> &Fanout {
        &self.wanted
    }

    /// Takes an empty row that is not asked.
    pub fn skip(&mut self, question: &str) {
        if !question.trim().is_empty() {
            self.skipped.push((index(self.texts.len()), QuestionId::hash_text(question)));
        }
    }

    /// Returns how many questions were taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Returns how many answers are wanted; a plan has room for `QuestionIndex::MAX`.
    #[must_use]
    pub fn answers(&self) -> u64 {
        self.texts.len() as u64 * u64::from(self.wanted.per_row())
    }

    /// Tells whether no question was taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Returns the questions before the first that says ERROR, by [`QuestionId::hash`]: those the
    /// original script is taken to have answered.
    #[must_use]
    pub fn before_first_mark(&self) -> Vec<[u8; 16]> {
        let first = self.marked.iter().position(|&marked| marked).unwrap_or(0);
        let ordinals = self.text_ordinals();
        (0..first).map(|at| self.id(at, &ordinals).hash()).collect()
    }

    /// Returns the questions whose rows say ERROR, by [`QuestionId::hash`].
    #[must_use]
    pub fn marked(&self) -> HashSet<[u8; 16]> {
        let ordinals = self.text_ordinals();
        let marked = (0..self.marked.len()).filter(|&at| self.marked[at]);
        marked.map(|at| self.id(at, &ordinals).hash()).collect()
    }

    fn text_ordinals(&self) -> Vec<u32> {
        if self.skipped.is_empty() {
            return ordinals(&self.texts);
        }
        // Each text with whether it is asked, in the order of the rows.
        let mut rows = Vec::with_capacity(self.texts.len() + self.skipped.len());
        let mut skipped = self.skipped.iter().peekable();
        for (at, &text) in self.texts.iter().enumerate() {
            while let Some((_, text)) = skipped.next_if(|(before, _)| *before as usize <= at) {
                rows.push((*text, false));
            }
            rows.push((text, true));
        }
        let texts: Vec<u64> = rows.iter().map(|(text, _)| *text).collect();
        let all = ordinals(&texts).into_iter().zip(rows);
        all.filter(|(_, (_, asked))| *asked).map(|(ordinal, _)| ordinal).collect()
    }

    fn id(&self, at: usize, text_ordinals: &[u32]) -> QuestionId {
        QuestionId { text_hash: self.texts[at], ordinal: text_ordinals[at] }
    }

    /// Holds the questions against the store, whose answers come in the order of their keys.
    /// Answers of other editions must not be among them.
    #[must_use]
    pub fn plan(self, stored: impl IntoIterator<Item = Stored>, known: &StoreFacts) -> Plan {
        self.plan_and_note(stored, known, |_, _| {})
    }

    /// Does the same, and tells `answered` of each answered question which answer is its own.
    pub fn plan_and_note(
        self,
        stored: impl IntoIterator<Item = Stored>,
        known: &StoreFacts,
        mut answered: impl FnMut(QuestionIndex, AnswerId),
    ) -> Plan {
        assert_eq!(self.prints.len(), self.texts.len() * self.wanted.models(), "each row is whole");
        let (rows, wanted) = (self.texts.len(), self.wanted.clone());
        let count = index(rows * wanted.per_row() as usize);
        let ordinals = match wanted.models() {
            1 => ordinals(&self.prints),
            // What is the same request to one model is so to all.
            models => ordinals(&self.prints.iter().copied().step_by(models).collect::<Vec<_>>()),
        };
        let text_ordinals = (!self.prompts_are_questions).then(|| self.text_ordinals());
        let by_text = text_ordinals.as_deref().unwrap_or(&ordinals);

        let key_at = |at: QuestionIndex| {
            let row = wanted.row(at) as usize;
            let print = self.prints[row * wanted.models() + usize::from(wanted.model(at))];
            key(print, wanted.sample(at), ordinals[row], self.edition)
        };
        let mut stored = stored.into_iter().peekable();
        // A first run has nothing to be held against.
        let looked_for = if stored.peek().is_some() { count } else { 0 };
        let mut keys: Vec<(Key, QuestionIndex)> =
            (0..looked_for).map(|at| (key_at(at), at)).collect();
        keys.sort_unstable();

        let mut states = vec![Planned::Pending; count as usize];
        let (mut unplaced, mut beside) = (Vec::new(), Vec::new());
        // Those with a place in the outputs, and the questions of those that are not wanted.
        let (mut placed, mut placed_beside) = (0, Vec::new());
        // Answers under other settings, and the questions answered under these: a question of
        // both was mended, a question of the first alone is a changed setting.
        let mut others: HashMap<EntryKey, Stored> = HashMap::new();
        let mut now: HashSet<EntryKey> = HashSet::new();
        // Answers under these settings that no row asks for: of rows that were deleted or mended.
        let mut unasked: HashSet<EntryKey> = HashSet::new();
        let mut next = keys.iter().peekable();
        for answer in stored {
            let slot = (answer.question, answer.model, answer.sample);
            placed += u64::from(answer.placed);
            if answer.provenance == Provenance::OtherModel || answer.sample >= wanted.samples() {
                beside.push((answer.question, answer.id));
                placed_beside.extend(answer.placed.then_some(answer.question));
                continue;
            }
            if known.has_other_provenance {
                match answer.provenance {
                    Provenance::Current => drop(now.insert(slot)),
                    _ => drop(others.insert(slot, answer)),
                }
            }
            while next.next_if(|(key, _)| *key < answer.key).is_some() {}
            if let Some(&(_, at)) = next.next_if(|(key, _)| *key == answer.key) {
                settle(&mut states, &mut unplaced, at, answer);
                answered(at, answer.id);
            } else if answer.provenance == Provenance::Current && self.prompts_are_questions {
                unasked.insert(slot);
            }
        }
        drop(keys);

        let asks_ids = !others.is_empty()
            || !unasked.is_empty()
            || !known.presumed.is_empty()
            || !known.truncated.is_empty()
            || !known.unwritten_marks.is_empty();
        let mut bought_otherwise = vec![0; wanted.models()];
        let mut contradicted = 0;
        let mut marks = InputMarks::default();
        let (mut marked_though_answered, mut marked_and_pending) = (0, 0);
        for (row, &marked) in self.marked.iter().enumerate() {
            let id = self.id(row, by_text);
            let entries = wanted.entries_of_row(row as u32);
            for at in entries.clone() {
                if !asks_ids || states[at as usize] != Planned::Pending {
                    continue;
                }
                let hash = id.hash();
                let slot = (hash, wanted.model(at), wanted.sample(at));
                contradicted += u64::from(unasked.contains(&slot));
                // What the script did counts for the first answer of a row.
                let is_first = at == entries.start;
                if let Some(&other) = others.get(&slot).filter(|_| !now.contains(&slot)) {
                    let by_user = other.provenance == Provenance::OtherSettings;
                    bought_otherwise[usize::from(slot.1)] += u64::from(by_user);
                    settle(&mut states, &mut unplaced, at, other);
                    answered(at, other.id);
                } else if is_first && known.presumed.contains(&hash) {
                    states[at as usize] = Planned::Presumed;
                } else if !known.truncated.is_empty()
                    && wanted.find_failure(id, at, |hash| known.truncated.get(hash)).is_some()
                {
                    states[at as usize] = Planned::Truncated;
                }
            }
            let of_row = &states[entries.start as usize..entries.end as usize];
            let has = |wanted: Planned| of_row.contains(&wanted);
            let is_open = has(Planned::Pending) || has(Planned::Truncated);
            let is_answered = !is_open && (has(Planned::Placed) || has(Planned::Unplaced));
            if is_answered {
                if marked {
                    marked_though_answered += 1;
                    marks.clear.insert(id);
                }
                continue;
            }
            marked_and_pending += u64::from(marked && has(Planned::Pending));
            // A wish of the store also where the row says ERROR already, so that the store hears
            // of it; and one that is not asked again, whoever took its mark away.
            let is_wished = || asks_ids && known.unwritten_marks.contains(&id.hash());
            if has(Planned::Truncated) && !marked || is_wished() {
                marks.set.insert(id);
            }
        }
        unplaced.sort_unstable();
        let settled = states.iter().filter(|&&state| state == Planned::Placed).count() as u64;
        let here: HashSet<[u8; 16]> = match placed_beside.is_empty() {
            true => HashSet::new(),
            false => (0..rows).map(|row| self.id(row, by_text).hash()).collect(),
        };
        let beside_here = placed_beside.iter().filter(|question| here.contains(*question)).count();
        let gone = placed - settled - beside_here as u64;
        let duplicates = ordinals.iter().filter(|&&ordinal| ordinal > 0).count() as u64;
        Plan {
            states,
            marks,
            unplaced,
            with_other_settings: bought_otherwise,
            unwanted: beside,
            orphaned: gone,
            marked_though_answered,
            marked_and_pending,
            duplicates,
            inconsistent_keys: contradicted,
            edition: self.edition,
            prints: self
                .prints
                .iter()
                .step_by(wanted.models())
                .map(|print| print.short())
                .collect(),
            wanted,
            ordinals,
            text_ordinals,
        }
    }
}

/// A question, a model and a sample: what one answer is wanted for.
type EntryKey = ([u8; 16], u16, u32);

impl Plan {
    /// Returns the answers that every row is to get.
    #[must_use]
    pub fn wanted(&self) -> &Fanout {
        &self.wanted
    }

    /// Returns how many rows have a question.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.prints.len() as u64
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
        key(fingerprint, self.wanted.sample(at), ordinal, self.edition)
    }

    /// Returns what the question of this row is known by.
    #[must_use]
    pub fn id(&self, row: u32, question: &str) -> QuestionId {
        let ordinals = self.text_ordinals.as_ref().unwrap_or(&self.ordinals);
        QuestionId { text_hash: QuestionId::hash_text(question), ordinal: ordinals[row as usize] }
    }

    /// Returns what the machine is told of this plan.
    #[must_use]
    pub fn summary(&self) -> PlanSummary {
        PlanSummary {
            states: self.states.clone(),
            per_row: self.wanted.per_row(),
            marks: self.marks.clone(),
        }
    }

    /// Counts the questions in this state.
    #[must_use]
    pub fn count(&self, planned: Planned) -> u64 {
        self.states.iter().filter(|&&state| state == planned).count() as u64
    }
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

fn settle(
    states: &mut [Planned],
    unplaced: &mut Vec<(QuestionIndex, AnswerId)>,
    at: QuestionIndex,
    answer: Stored,
) {
    states[at as usize] = if answer.placed { Planned::Placed } else { Planned::Unplaced };
    if !answer.placed {
        unplaced.push((at, answer.id));
    }
}

fn index(at: usize) -> QuestionIndex {
    QuestionIndex::try_from(at).expect("a file has fewer than four billion questions")
}

/// Numbers equal values in their order: the first of each is 0.
fn ordinals<T: Ord>(values: &[T]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..values.len()).map(index).collect();
    order.sort_unstable_by(|&a, &b| values[a as usize].cmp(&values[b as usize]).then(a.cmp(&b)));
    let mut ordinals = vec![0; values.len()];
    for pair in order.windows(2) {
        let (before, at) = (pair[0] as usize, pair[1] as usize);
        if values[before] == values[at] {
            ordinals[at] = ordinals[before] + 1;
        }
    }
    ordinals
}

#[cfg(test)]
mod tests;
