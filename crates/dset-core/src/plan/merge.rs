//! Stored answers and wanted ones, brought together by their keys.

use std::collections::{HashMap, HashSet};

use crate::acceptance::Standing;
use crate::item::question::{Key, QuestionId, QuestionIndex};
use crate::plan::classify::Evidence;
use crate::plan::fanout::Fanout;
use crate::plan::tally::Tally;
use crate::plan::{AnswerId, FoundBy, Provenance, StoreFacts, Stored, Unwanted};

/// A question, a model and a sample: what one answer is wanted for.
type EntryKey = ([u8; 16], u16, u32);

/// Answers of other settings, by what they are to.
#[derive(Debug)]
struct Others<K> {
    /// Of each the one that counts.
    best: HashMap<K, Stored>,
    /// Accepted ones that it comes before.
    behind: HashMap<K, Vec<AnswerId>>,
}

impl<K> Default for Others<K> {
    fn default() -> Others<K> {
        Others { best: HashMap::new(), behind: HashMap::new() }
    }
}

impl<K: Copy + Eq + std::hash::Hash> Others<K> {
    /// Of two answers to a wanted one, the accepted one counts, and of two such the one in the outputs; the place
    /// there is that of the wanted one, whichever has it.
    fn add(&mut self, at: K, answer: Stored) {
        let rank = |one: &Stored| (one.standing == Standing::Accepted, one.placed, one.id);
        let Some(known) = self.best.get_mut(&at) else {
            self.best.insert(at, answer);
            return;
        };
        let is_better = rank(&answer) > rank(known);
        let (best, other) = if is_better { (answer, *known) } else { (*known, answer) };
        if other.standing == Standing::Accepted {
            self.behind.entry(at).or_default().push(other.id);
        }
        *known = Stored {
            placed: best.placed || other.placed,
            is_outdated: best.is_outdated || other.placed && !best.placed,
            ..best
        };
    }

    fn get(&self, at: &K) -> Option<OtherSettings<'_>> {
        let behind = self.behind.get(at).map_or(&[][..], Vec::as_slice);
        self.best.get(at).map(|best| OtherSettings { best, behind })
    }
}

/// The answers of other settings to a wanted one.
#[derive(Debug, Clone, Copy)]
pub(super) struct OtherSettings<'a> {
    /// The one that counts.
    pub(super) best: &'a Stored,
    /// Accepted ones that it comes before.
    pub(super) behind: &'a [AnswerId],
}

/// The stored answers, as far as they are not simply under the key of a wanted one.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// Answers of other settings to wanted ones whose requests are the same but for these.
    former: Others<QuestionIndex>,
    /// Answers of other settings or of the script.
    others: Others<EntryKey>,
    /// Answers of other settings that belong to their questions only where these are alone in their words.
    of_lone: Vec<(EntryKey, Stored)>,
    /// The questions of all such.
    lone: HashSet<[u8; 16]>,
    /// What is answered under the settings of this run, where there are others: a question of both
    /// was edited, a question of the others alone is a changed setting.
    current: HashSet<EntryKey>,
    /// Answers under these settings that no row asks for: of rows that were deleted or edited.
    unasked: HashSet<EntryKey>,
    /// Answers of further samples and other models.
    pub(super) unwanted: Vec<Unwanted>,
    /// Of each sample of these, the accepted answer that would count, with its place among them.
    best_unwanted: HashMap<EntryKey, (Stored, usize)>,
    /// The questions of those that have a place in the outputs.
    unwanted_placed: Vec<[u8; 16]>,
    /// All answers with a place in the outputs.
    placed: u64,
}

/// Goes through `stored` once, tallies every wanted answer that `find` finds under its key, and
/// returns what is known of the rest.
pub(super) fn merge(
    find: impl Fn(Key) -> Option<QuestionIndex>,
    stored: impl Iterator<Item = Stored>,
    prompts_are_questions: bool,
    facts: &StoreFacts,
    tally: &mut Tally<'_>,
) -> Beside {
    let mut beside = Beside::default();
    for answer in stored {
        beside.placed += u64::from(answer.placed);
        let slot = (answer.question, answer.model, answer.sample);
        if answer.provenance == Provenance::OtherModel || answer.sample >= tally.wanted().samples()
        {
            beside.note_unwanted(slot, answer);
            continue;
        }
        let is_current = answer.provenance == Provenance::Current;
        let own = find(answer.key);
        if answer.found_by == FoundBy::LoneQuestion {
            beside.lone.insert(answer.question);
        }
        match (is_current, answer.found_by) {
            _ if !facts.has_other_provenance => {}
            (true, _) => drop(beside.current.insert(slot)),
            // Of the very request of a row it is that row's, and no other's.
            _ if own.is_some() => {}
            (_, FoundBy::FormerKey) => {
                if let Some(at) = facts.former_keys.get(&answer.key) {
                    beside.former.add(*at, answer);
                }
            }
            (_, FoundBy::LoneQuestion) => beside.of_lone.push((slot, answer)),
            (_, FoundBy::Question) => beside.others.add(slot, answer),
        }
        if let Some(at) = own {
            tally.entry(at, &Evidence { own: Some(answer), ..Evidence::default() });
        } else if is_current && prompts_are_questions {
            beside.unasked.insert(slot);
        }
    }
    for (_, at) in beside.best_unwanted.values() {
        beside.unwanted[*at].counts = true;
    }
    beside
}

impl Beside {
    fn note_unwanted(&mut self, slot: EntryKey, answer: Stored) {
        let Stored { question, id, placed, .. } = answer;
        let at = self.unwanted.len();
        self.unwanted.push(Unwanted { question, answer: id, counts: false });
        self.unwanted_placed.extend(placed.then_some(question));
        if answer.standing != Standing::Accepted {
            return;
        }
        // As of a wanted one, an accepted answer under these settings comes before one of others.
        let rank = |one: &Stored| (one.provenance == Provenance::Current, one.placed, one.id);
        let best = self.best_unwanted.entry(slot).or_insert((answer, at));
        if rank(&answer) > rank(&best.0) {
            *best = (answer, at);
        }
    }

    /// Takes, of the answers that are found by lone questions, those to questions of the input that no other row
    /// has or had in the same words.
    pub(super) fn settle_lone(&mut self, questions: impl Fn() -> Vec<QuestionId>) {
        if self.of_lone.is_empty() {
            return;
        }
        let questions = questions();
        let repeated = questions.iter().filter(|id| id.ordinal > 0).map(|id| id.text_hash);
        let repeated: HashSet<u64> = repeated.collect();
        let is_lone = |id: &&QuestionId| {
            let second = QuestionId { ordinal: 1, ..**id };
            !repeated.contains(&id.text_hash) && !self.lone.contains(&second.hash())
        };
        let here: HashSet<_> = questions.iter().filter(is_lone).map(|id| id.hash()).collect();
        for (slot, answer) in std::mem::take(&mut self.of_lone) {
            if here.contains(&slot.0) {
                self.others.add(slot, answer);
            }
        }
    }

    /// Tells whether any of it may concern an entry that is not under its key.
    pub(super) fn may_settle(&self) -> bool {
        !self.former.best.is_empty() || !self.others.best.is_empty() || !self.unasked.is_empty()
    }

    /// Returns what other settings bought to an entry that has answers of its own.
    pub(super) fn beside_own(
        &self,
        id: QuestionId,
        at: QuestionIndex,
        wanted: &Fanout,
    ) -> Option<OtherSettings<'_>> {
        let slot = || (id.hash(), wanted.model(at), wanted.sample(at));
        self.former.get(&at).or_else(|| self.others.get(&slot()))
    }

    /// Returns what other settings bought to an entry without answers of its own.
    pub(super) fn in_place_of_own(
        &self,
        id: QuestionId,
        at: QuestionIndex,
        wanted: &Fanout,
    ) -> Option<OtherSettings<'_>> {
        let slot = (id.hash(), wanted.model(at), wanted.sample(at));
        let others = || self.others.get(&slot).filter(|_| !self.current.contains(&slot));
        self.former.get(&at).or_else(others)
    }

    /// Collects what is known of an entry of this question that is not under its key; its endings are under
    /// another id; `other` is what other settings bought to it.
    pub(super) fn evidence(
        &self,
        (id, failure): (QuestionId, QuestionId),
        at: QuestionIndex,
        other: Option<OtherSettings<'_>>,
        facts: &StoreFacts,
        wanted: &Fanout,
    ) -> Evidence {
        let hash = id.hash();
        let slot = (hash, wanted.model(at), wanted.sample(at));
        let is_truncated = || wanted.find_failure(failure, at, |hash| facts.truncated.get(hash));
        // What the script did counts for the first answer of a row.
        let is_first = at.is_multiple_of(wanted.per_row());
        Evidence {
            own: None,
            other: other.map(|other| *other.best),
            is_presumed: is_first && facts.presumed.contains(&hash),
            is_truncated: !facts.truncated.is_empty() && is_truncated().is_some(),
            is_under_other_key: self.unasked.contains(&slot),
        }
    }

    /// Counts the answers with a place in the outputs that are of no wanted one and of no unwanted one to a
    /// question of the input; of those that are not wanted none counts whose question is not there any more.
    /// `placed` are those that are wanted and placed, `questions` gives those of the input.
    pub(super) fn orphaned(
        &mut self,
        placed: u64,
        questions: impl FnOnce() -> HashSet<[u8; 16]>,
    ) -> u64 {
        let here = match self.unwanted.is_empty() {
            true => HashSet::new(),
            false => questions(),
        };
        for one in &mut self.unwanted {
            one.counts &= here.contains(&one.question);
        }
        let unwanted_here = self.unwanted_placed.iter().filter(|question| here.contains(*question));
        self.placed - placed - unwanted_here.count() as u64
    }
}
