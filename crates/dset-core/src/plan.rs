//! What is left to do: the input held against the store, before the first ask.
//!
//! One pass over the whole input, one ordered scan of the stored keys. Of each question a state
//! and a short fingerprint stay in memory, never its text; the texts are read again, in order,
//! when they are asked.

use std::collections::{HashMap, HashSet};

use crate::bookmark::Marks;
use crate::key::{Fingerprint, key};
use crate::machine::{PlanSummary, Planned};
use crate::question::{Key, QuestionId, QuestionIndex};

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
    pub bought: Bought,
    /// Its place in the outputs is decided.
    pub placed: bool,
}

/// What an answer was bought with, as far as the plan cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bought {
    /// With the settings of this run.
    Now,
    /// With other settings.
    Otherwise,
    /// By the original script, with settings that nobody knows.
    ByScript,
}

/// What else the store knows of questions without an answer.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Taken as answered, because they lie before a bookmark of the original script.
    pub presumed: HashSet<[u8; 16]>,
    /// Cut by a token limit: not to be asked under the limit of this run.
    pub cut: HashSet<[u8; 16]>,
    /// To be marked ERROR, which could not be written so far.
    pub unwritten: HashSet<[u8; 16]>,
    /// There are answers in this edition that were bought with other settings.
    pub has_others: bool,
}

/// Collects the questions of the input.
#[derive(Debug, Default)]
pub struct Planner {
    edition: u32,
    /// Equal prompts are equal questions: true for the default template.
    prompts_are_questions: bool,
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
    /// Where each question stands.
    pub states: Vec<Planned>,
    /// Bookmarks that the input lacks or has too many.
    pub marks: Marks,
    /// Answers whose place in the outputs is not decided, in the order of the input.
    pub unplaced: Vec<(QuestionIndex, AnswerId)>,
    /// Questions that have an answer only under other settings.
    pub bought_otherwise: u64,
    /// Rows that say ERROR although they are answered.
    pub marked_though_answered: u64,
    /// Rows marked ERROR among those to be asked.
    pub marked_and_pending: u64,
    /// The first row that says ERROR.
    pub first_marked: Option<QuestionIndex>,
    /// Questions that are the same request as an earlier one.
    pub duplicates: u64,
    /// Questions that have an answer under these very settings and are not found under its key.
    /// Where the prompt is the question that cannot be: the store is damaged.
    pub contradicted: u64,
    edition: u32,
    prints: Vec<u64>,
    ordinals: Vec<u32>,
    text_ordinals: Option<Vec<u32>>,
}

impl Planner {
    /// Plans an edition; `prompts_are_questions` where the template is the question alone.
    #[must_use]
    pub fn new(edition: u32, prompts_are_questions: bool) -> Planner {
        Planner { edition, prompts_are_questions, ..Planner::default() }
    }

    /// Takes the next non-empty question of the input.
    pub fn push(&mut self, question: &str, fingerprint: Fingerprint, marked: bool) {
        self.prints.push(fingerprint);
        self.texts.push(QuestionId::hash_text(question));
        self.marked.push(marked);
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
        self.prints.len()
    }

    /// Tells whether no question was taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.prints.is_empty()
    }

    /// Returns the questions before the first that says ERROR, by [`QuestionId::hash`]: those the
    /// original script is taken to have answered.
    #[must_use]
    pub fn before_first_mark(&self) -> Vec<[u8; 16]> {
        let first = self.marked.iter().position(|&marked| marked).unwrap_or(0);
        let ordinals = self.text_ordinals();
        (0..first).map(|at| self.id(at, &ordinals).hash()).collect()
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
    pub fn plan(self, stored: impl IntoIterator<Item = Stored>, known: &Known) -> Plan {
        self.plan_and_note(stored, known, |_, _| {})
    }

    /// Does the same, and tells `answered` of each answered question which answer is its own.
    pub fn plan_and_note(
        self,
        stored: impl IntoIterator<Item = Stored>,
        known: &Known,
        mut answered: impl FnMut(QuestionIndex, AnswerId),
    ) -> Plan {
        let count = self.prints.len();
        let ordinals = ordinals(&self.prints);
        let text_ordinals = (!self.prompts_are_questions).then(|| self.text_ordinals());
        let by_text = text_ordinals.as_deref().unwrap_or(&ordinals);

        let key_at = |at: usize| key(self.prints[at], 0, ordinals[at], self.edition);
        let mut stored = stored.into_iter().peekable();
        // A first run has nothing to be held against.
        let looked_for = if stored.peek().is_some() { count } else { 0 };
        let mut keys: Vec<(Key, QuestionIndex)> =
            (0..looked_for).map(|at| (key_at(at), index(at))).collect();
        keys.sort_unstable();

        let mut states = vec![Planned::Pending; count];
        let mut unplaced = Vec::new();
        // Answers under other settings, and the questions answered under these: a question of
        // both was mended, a question of the first alone is a changed setting.
        let mut others: HashMap<[u8; 16], Stored> = HashMap::new();
        let mut now: HashSet<[u8; 16]> = HashSet::new();
        // Answers under these settings that no row asks for: of rows that were deleted or mended.
        let mut unasked: HashSet<[u8; 16]> = HashSet::new();
        let mut next = keys.iter().peekable();
        for answer in stored {
            if known.has_others {
                match answer.bought {
                    Bought::Now => drop(now.insert(answer.question)),
                    _ => drop(others.insert(answer.question, answer)),
                }
            }
            while next.next_if(|(key, _)| *key < answer.key).is_some() {}
            if let Some(&(_, at)) = next.next_if(|(key, _)| *key == answer.key) {
                settle(&mut states, &mut unplaced, at, answer);
                answered(at, answer.id);
            } else if answer.bought == Bought::Now && self.prompts_are_questions {
                unasked.insert(answer.question);
            }
        }
        drop(keys);

        let asks_ids = !others.is_empty()
            || !unasked.is_empty()
            || !known.presumed.is_empty()
            || !known.cut.is_empty()
            || !known.unwritten.is_empty();
        let (mut bought_otherwise, mut contradicted) = (0, 0);
        let mut marks = Marks::default();
        let (mut marked_though_answered, mut marked_and_pending) = (0, 0);
        for at in 0..count {
            let id = self.id(at, by_text);
            if asks_ids && states[at] == Planned::Pending {
                let hash = id.hash();
                contradicted += u64::from(unasked.contains(&hash));
                if let Some(&other) = others.get(&hash).filter(|_| !now.contains(&hash)) {
                    bought_otherwise += u64::from(other.bought == Bought::Otherwise);
                    settle(&mut states, &mut unplaced, index(at), other);
                    answered(index(at), other.id);
                } else if known.presumed.contains(&hash) {
                    states[at] = Planned::Presumed;
                } else if known.cut.contains(&hash) {
                    states[at] = Planned::Kept;
                }
                // A wish of the store also where the row says ERROR already, so that the store hears
                // of it; and one that is not asked again, whoever took its mark away.
                let is_wanted = match states[at] {
                    Planned::Settled | Planned::Unplaced => false,
                    Planned::Kept if !self.marked[at] => true,
                    _ => known.unwritten.contains(&hash),
                };
                if is_wanted {
                    marks.set.insert(id);
                }
            }
            match states[at] {
                Planned::Settled | Planned::Unplaced if self.marked[at] => {
                    marked_though_answered += 1;
                    marks.set.remove(&id);
                    marks.clear.insert(id);
                }
                Planned::Pending => marked_and_pending += u64::from(self.marked[at]),
                _ => {}
            }
        }
        unplaced.sort_unstable();
        let duplicates = ordinals.iter().filter(|&&ordinal| ordinal > 0).count() as u64;
        Plan {
            states,
            marks,
            unplaced,
            bought_otherwise,
            marked_though_answered,
            marked_and_pending,
            first_marked: self.marked.iter().position(|&marked| marked).map(index),
            duplicates,
            contradicted,
            edition: self.edition,
            prints: self.prints.iter().map(|print| print.short()).collect(),
            ordinals,
            text_ordinals,
        }
    }
}

impl Plan {
    /// Tells whether the question at this place still is the one that was planned.
    #[must_use]
    pub fn fits(&self, at: QuestionIndex, fingerprint: Fingerprint) -> bool {
        self.prints.get(at as usize) == Some(&fingerprint.short())
    }

    /// Returns the key under which the answer to this question will be stored.
    #[must_use]
    pub fn key(&self, at: QuestionIndex, fingerprint: Fingerprint) -> Key {
        key(fingerprint, 0, self.ordinals[at as usize], self.edition)
    }

    /// Returns what the question at this place is known by.
    #[must_use]
    pub fn id(&self, at: QuestionIndex, question: &str) -> QuestionId {
        let ordinals = self.text_ordinals.as_ref().unwrap_or(&self.ordinals);
        QuestionId { text_hash: QuestionId::hash_text(question), ordinal: ordinals[at as usize] }
    }

    /// Returns what the machine is told of this plan.
    #[must_use]
    pub fn summary(&self) -> PlanSummary {
        PlanSummary { states: self.states.clone(), marks: self.marks.clone() }
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
    states[at as usize] = if answer.placed { Planned::Settled } else { Planned::Unplaced };
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
