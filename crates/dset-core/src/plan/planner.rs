//! The questions of the input, collected in one pass and held against a store.

use std::collections::{HashMap, HashSet};

use crate::item::question::{Key, QuestionId, QuestionIndex};
use crate::key::{Fingerprint, key};
use crate::plan::fanout::Fanout;
use crate::plan::key_index::KeyFinder;
use crate::plan::merge::merge;
use crate::plan::tally::Tally;
use crate::plan::{AnswerId, FormerRequests, Plan, Redo, Role, StoreFacts, Stored, failure_id};

/// Collects the questions of the input.
#[derive(Debug, Default)]
pub struct Planner {
    /// Equal prompts are equal questions: true for the default template.
    prompts_are_questions: bool,
    wanted: Fanout,
    /// Of each row one for each model.
    prints: Vec<Fingerprint>,
    texts: Vec<u64>,
    marked: Vec<bool>,
    /// Rows that are not asked: how many questions came before each, and its text, which may be blank.
    /// They count in the ordinals of equal texts, as they do for bookmarks.
    skipped: Vec<(u32, u64)>,
    /// Of each row, whether the user left it out; empty where all are to be asked.
    left_out: Vec<bool>,
    /// What the rows are numbered by where they are only a part of the input.
    numbered: Option<Ordinals>,
}

/// Which of the equal rows of the whole input each row is, from 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ordinals {
    /// Among rows that are asked with the same request.
    pub requests: Vec<u32>,
    /// Among rows with the same text, asked or not.
    pub texts: Vec<u32>,
}

impl Planner {
    /// Starts with no question; `prompts_are_questions` where the template is the question alone.
    #[must_use]
    pub fn new(prompts_are_questions: bool, wanted: Fanout) -> Planner {
        Planner { prompts_are_questions, wanted, ..Planner::default() }
    }

    /// Says that equal questions need not be equal requests: some row brings more along than its
    /// question.
    pub fn requests_may_differ(&mut self) {
        self.prompts_are_questions = false;
    }

    /// Takes the next non-empty question of the input by the hash of its text, with the fingerprint of
    /// its request to each model.
    pub fn push(
        &mut self,
        text_hash: u64,
        fingerprints: impl IntoIterator<Item = Fingerprint>,
        marked: bool,
    ) {
        self.prints.extend(fingerprints);
        self.texts.push(text_hash);
        self.marked.push(marked);
    }

    /// Takes a row that is not asked by the hash of its text.
    pub fn skip(&mut self, text_hash: u64) {
        // Where prompts are questions, no blank one is ever asked.
        if !self.prompts_are_questions || text_hash != QuestionId::hash_text("") {
            self.skipped.push((index(self.texts.len()), text_hash));
        }
    }

    /// Leaves out the rows that are not chosen, of all that were taken: they are not asked, and their
    /// answers count as before. The keys of the others are those that they have without this.
    pub fn choose(&mut self, is_chosen: &[bool]) {
        assert_eq!(is_chosen.len(), self.len(), "every row is judged");
        self.left_out = is_chosen.iter().map(|chosen| !chosen).collect();
    }

    /// Returns how the rows that were taken are numbered.
    #[must_use]
    pub fn ordinals(&self) -> Ordinals {
        Ordinals { requests: self.request_ordinals(), texts: self.text_ordinals() }
    }

    /// Numbers the rows that were taken as those of a larger input: the keys are then those that
    /// they have there.
    pub fn number(&mut self, ordinals: Ordinals) {
        let rows = (ordinals.requests.len(), ordinals.texts.len());
        assert_eq!(rows, (self.len(), self.len()), "every row is numbered");
        self.numbered = Some(ordinals);
    }

    /// Returns of each row that was taken whether the user left it out; empty where none is.
    #[must_use]
    pub fn left_out(&self) -> &[bool] {
        &self.left_out
    }

    /// Returns what every question that was taken is known by, in the order of the input.
    #[must_use]
    pub fn ids(&self) -> Vec<QuestionId> {
        let ordinals = self.text_ordinals();
        (0..self.len()).map(|at| self.id(at, &ordinals)).collect()
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
        if let Some(numbered) = &self.numbered {
            return numbered.texts.clone();
        }
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

    /// Plans these questions for a generation, against the answers that the store has of it, in any
    /// order, each key once. Linear in questions and answers.
    #[must_use]
    pub fn plan(
        &self,
        generation: u32,
        stored: impl IntoIterator<Item = Stored>,
        facts: &StoreFacts,
    ) -> Plan {
        self.plan_and_note(generation, stored, facts, |_, _, _| {})
    }

    /// Does the same, and calls `answered` for each answered entry with the answer that counts, and with those
    /// that would count without it, each of other settings.
    pub fn plan_and_note(
        &self,
        generation: u32,
        stored: impl IntoIterator<Item = Stored>,
        facts: &StoreFacts,
        mut answered: impl FnMut(QuestionIndex, AnswerId, Role),
    ) -> Plan {
        assert_eq!(self.prints.len(), self.texts.len() * self.wanted.models(), "each row is whole");
        let wanted = self.wanted.clone().with_primary_model(facts.primary_model);
        let ordinals = self.request_ordinals();
        let text_ordinals = (!self.prompts_are_questions).then(|| self.text_ordinals());
        let by_text = text_ordinals.as_deref().unwrap_or(&ordinals);

        let mut stored = stored.into_iter().peekable();
        // A first run has nothing to be held against.
        let count = if stored.peek().is_some() { index(self.answers() as usize) } else { 0 };
        let key_at = |at: QuestionIndex| self.key(at, generation, &wanted, &ordinals);
        let keys = KeyFinder::new(count, key_at);
        let mut tally = Tally::new(&wanted, self.len(), &mut answered);
        let find = |key| keys.find(key);
        let mut beside = merge(find, stored, self.prompts_are_questions, facts, &mut tally);
        drop(keys);
        let ids = || (0..self.len()).map(|row| self.id(row, by_text));
        beside.settle_lone(|| ids().collect());

        let needs_ids = beside.may_settle() || facts.may_settle();
        for (row, &marked) in self.marked.iter().enumerate() {
            let id = self.id(row, by_text);
            let entries = wanted.entries_of_row(index(row));
            for at in entries.clone().filter(|_| needs_ids) {
                if tally.is_open(at) {
                    let print = self.prints[row * wanted.models()].short();
                    let failure = failure_id(self.prompts_are_questions, id, print, ordinals[row]);
                    let other = beside.in_place_of_own(id, at, &wanted);
                    tally.entry(at, &beside.evidence((id, failure), at, other, facts, &wanted));
                    tally.behind(at, other.map_or(&[], |other| other.behind));
                } else if let Some(other) = beside.beside_own(id, at, &wanted) {
                    tally.beside_own(at, other.best);
                    tally.behind(at, other.behind);
                }
            }
            if let Some(enough) = facts.enough {
                tally.settle_for(entries.clone(), enough);
            }
            let is_left_out = self.left_out.get(row) == Some(&true);
            let is_mark_unwritten = || needs_ids && facts.unwritten_marks.contains(&id.hash());
            tally.row(id, entries.clone(), marked, is_left_out, is_mark_unwritten);
            if is_left_out {
                tally.leave_out(entries.clone());
            }
            tally.count_row(entries);
        }
        let orphaned = beside.orphaned(tally.placed(), || ids().map(|id| id.hash()).collect());
        let totals = tally.finish();
        Plan {
            states: totals.states,
            marks: totals.marks,
            unplaced: totals.unplaced,
            not_accepted: totals.not_accepted,
            with_other_settings: totals.with_other_settings,
            unwanted: beside.unwanted,
            orphaned,
            gone: orphaned.saturating_sub(totals.beside_another),
            outdated: totals.outdated,
            counted_rows: totals.counted_rows,
            redo: Redo::default(),
            marked_though_answered: totals.marked_though_answered,
            marked_and_pending: totals.marked_and_pending,
            duplicates: ordinals.iter().filter(|&&ordinal| ordinal > 0).count() as u64,
            inconsistent_keys: totals.inconsistent_keys,
            ended: facts.ended.clone(),
            left_out: self.left_out.clone(),
            generation,
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

    /// Returns which of the equal requests each row is, from 0.
    fn request_ordinals(&self) -> Vec<u32> {
        if let Some(numbered) = &self.numbered {
            return numbered.requests.clone();
        }
        match self.wanted.models() {
            1 => ordinals(&self.prints),
            // What is the same request to one model is so to all.
            models => ordinals(&self.prints.iter().copied().step_by(models).collect::<Vec<_>>()),
        }
    }

    /// Returns the wanted answers of a model by the keys that requests of before gave them.
    #[must_use]
    pub fn former_keys(
        &self,
        generation: u32,
        model: u16,
        former: &FormerRequests,
    ) -> HashMap<Key, QuestionIndex> {
        let prints = &former.prints;
        // A row that could not be asked so is equal to none; and part of an input has its own numbers.
        let ordinals = match former.prompts_are_those_of_now || self.numbered.is_some() {
            true => self.request_ordinals(),
            false => ordinals(prints),
        };
        let wanted = &self.wanted;
        let asked = prints.iter().enumerate().filter_map(|(row, print)| Some((row, (*print)?)));
        let keys = asked.flat_map(|(row, print)| {
            let entries = wanted.entries_of_row(index(row));
            let of_model = entries.filter(|at| wanted.model(*at) == model);
            let ordinal = ordinals[row];
            of_model.map(move |at| (key(print, wanted.sample(at), ordinal, generation), at))
        });
        // Rows of a part may have been equal otherwise then: which of them a key is of is not known.
        let mut found: HashMap<Key, Option<QuestionIndex>> = HashMap::new();
        for (key, at) in keys {
            found.entry(key).and_modify(|known| *known = None).or_insert(Some(at));
        }
        found.into_iter().filter_map(|(key, at)| Some((key, at?))).collect()
    }

    /// Tells whether equal prompts are equal questions.
    #[must_use]
    pub fn prompts_are_questions(&self) -> bool {
        self.prompts_are_questions
    }

    fn key(&self, at: QuestionIndex, generation: u32, wanted: &Fanout, ordinals: &[u32]) -> Key {
        let row = wanted.row(at) as usize;
        let print = self.prints[row * wanted.models() + usize::from(wanted.model(at))];
        key(print, wanted.sample(at), ordinals[row], generation)
    }
}

fn index(at: usize) -> QuestionIndex {
    QuestionIndex::try_from(at).expect("a file has fewer than four billion questions")
}

/// A hash, or what begins with one.
pub(super) trait Hashed: Ord {
    /// The hash, or so much of it.
    fn first_bits(&self) -> u64;
}

impl Hashed for u64 {
    fn first_bits(&self) -> u64 {
        *self
    }
}

impl Hashed for Fingerprint {
    fn first_bits(&self) -> u64 {
        self.short()
    }
}

impl<T: Hashed> Hashed for Option<T> {
    fn first_bits(&self) -> u64 {
        self.as_ref().map_or(0, T::first_bits)
    }
}

/// Numbers equal values in their order: the first of each is 0. Most are like no other: only what shares its
/// first bits is compared.
pub(super) fn ordinals<T: Hashed>(values: &[T]) -> Vec<u32> {
    let repeated = repeated(values);
    let is_repeated = |&at: &u32| repeated.binary_search(&values[at as usize].first_bits()).is_ok();
    let mut order: Vec<u32> = match repeated.is_empty() {
        true => Vec::new(),
        false => (0..values.len()).map(index).filter(is_repeated).collect(),
    };
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

/// Returns the first bits that several values have, each once and sorted.
fn repeated<T: Hashed>(values: &[T]) -> Vec<u64> {
    let mut bits: Vec<u64> = values.iter().map(T::first_bits).collect();
    bits.sort_unstable();
    let mut repeated: Vec<u64> =
        bits.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    repeated.dedup();
    repeated
}
