//! The sums of a plan: of each entry its state, of each row its mark.

use std::collections::HashSet;
use std::ops::Range;

use crate::acceptance::Standing;
use crate::item::error_marks::InputMarks;
use crate::item::question::{QuestionId, QuestionIndex};
use crate::plan::classify::{Evidence, classify};
use crate::plan::fanout::Fanout;
use crate::plan::{AnswerId, NotAccepted, Provenance, Role, Stored, Tries};
use crate::run::Planned;

/// Counts entries and rows while they are planned.
pub(super) struct Tally<'a> {
    wanted: &'a Fanout,
    /// Is called for each answered entry with the answer that counts, and with those behind it.
    answered: &'a mut dyn FnMut(QuestionIndex, AnswerId, Role),
    totals: Totals,
    /// Entries with answers of their own that are asked for again: nothing else settles them.
    tried: HashSet<QuestionIndex>,
    /// Entries that count an answer of other settings in place of their own, which are not accepted.
    counted_otherwise: HashSet<QuestionIndex>,
    /// Entries whose own answers are not accepted, and one of these has a place in the outputs.
    own_placed: HashSet<QuestionIndex>,
    /// Entries without an accepted answer whose row is in the outputs with one of other settings.
    placed_otherwise: HashSet<QuestionIndex>,
}

/// What [`crate::plan::Plan`] has of them.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) states: Vec<Planned>,
    pub(super) marks: InputMarks,
    pub(super) unplaced: Vec<(QuestionIndex, AnswerId)>,
    pub(super) not_accepted: Vec<NotAccepted>,
    pub(super) with_other_settings: Vec<u64>,
    pub(super) marked_though_answered: u64,
    pub(super) marked_and_pending: u64,
    pub(super) inconsistent_keys: u64,
    pub(super) outdated: u64,
    pub(super) counted_rows: u64,
    /// Rows of the outputs beside another of the same entry.
    pub(super) beside_another: u64,
}

impl<'a> Tally<'a> {
    /// Starts with every entry of so many rows pending.
    pub(super) fn new(
        wanted: &'a Fanout,
        rows: usize,
        answered: &'a mut dyn FnMut(QuestionIndex, AnswerId, Role),
    ) -> Tally<'a> {
        let totals = Totals {
            states: vec![Planned::Pending; rows * wanted.per_row() as usize],
            with_other_settings: vec![0; wanted.models()],
            ..Totals::default()
        };
        Tally {
            wanted,
            answered,
            totals,
            tried: HashSet::new(),
            counted_otherwise: HashSet::new(),
            own_placed: HashSet::new(),
            placed_otherwise: HashSet::new(),
        }
    }

    pub(super) fn wanted(&self) -> &Fanout {
        self.wanted
    }

    /// Tells whether nothing has settled this entry so far.
    pub(super) fn is_open(&self, at: QuestionIndex) -> bool {
        self.totals.states[at as usize] == Planned::Pending && !self.tried.contains(&at)
    }

    /// Counts an entry by what is known of it.
    pub(super) fn entry(&mut self, at: QuestionIndex, evidence: &Evidence) {
        // One key stands for one answer.
        self.totals.inconsistent_keys += u64::from(!self.is_open(at));
        let state = classify(evidence);
        self.totals.states[at as usize] = state;
        self.totals.inconsistent_keys += u64::from(evidence.is_under_other_key);
        if evidence.own.is_some() && state == Planned::Pending {
            self.tried.insert(at);
        }
        let Some(answer) = evidence.answer() else { return };
        if answer.standing != Standing::Accepted {
            let tries = if evidence.own.is_some() { answer.tries } else { Tries::default() };
            let (answer, placed, waits) = (answer.id, answer.placed, answer.waits);
            if evidence.own.is_some() && placed {
                self.own_placed.insert(at);
            }
            let not_accepted = NotAccepted { index: at, answer, tries, placed, waits };
            self.totals.not_accepted.push(not_accepted);
            return;
        }
        self.totals.outdated += u64::from(answer.is_outdated);
        if state == Planned::Unplaced {
            self.totals.unplaced.push((at, answer.id));
        }
        if evidence.own.is_none() && answer.provenance == Provenance::OtherSettings {
            self.totals.with_other_settings[usize::from(self.wanted.model(at))] += 1;
        }
        (self.answered)(at, answer.id, Role::Counts);
    }

    /// Takes an answer that other settings bought to an entry that has answers of its own: it counts where
    /// none of these is accepted, and its place in the outputs is that of the entry.
    pub(super) fn beside_own(&mut self, at: QuestionIndex, other: &Stored) {
        let state = self.totals.states[at as usize];
        let is_own_accepted = matches!(state, Planned::Placed | Planned::Unplaced);
        if is_own_accepted && other.standing == Standing::Accepted {
            self.behind(at, &[other.id]);
        }
        match (state, other.standing) {
            (Planned::Unplaced, _) if other.placed => {
                self.totals.states[at as usize] = Planned::Placed;
                self.totals.outdated += 1;
            }
            (Planned::Pending | Planned::Failed, Standing::Accepted) => {
                self.totals.states[at as usize] = Planned::Pending;
                self.tried.remove(&at);
                self.counted_otherwise.insert(at);
                let is_placed = self.own_placed.contains(&at);
                self.totals.beside_another += u64::from(is_placed && other.placed);
                let is_outdated = other.is_outdated || is_placed && !other.placed;
                let other = Stored { placed: other.placed || is_placed, is_outdated, ..*other };
                self.entry(at, &Evidence { other: Some(other), ..Evidence::default() });
            }
            (Planned::Placed, _) if other.placed => self.totals.beside_another += 1,
            (Planned::Pending | Planned::Failed, _) if other.placed => {
                self.placed_otherwise.insert(at);
            }
            _ => {}
        }
    }

    /// Takes accepted answers that would count for an entry without the one that does.
    pub(super) fn behind(&mut self, at: QuestionIndex, answers: &[AnswerId]) {
        answers.iter().for_each(|answer| (self.answered)(at, *answer, Role::Behind));
    }

    /// Leaves out what of these entries has no accepted answer, of every model with enough of them.
    pub(super) fn settle_for(&mut self, entries: Range<QuestionIndex>, enough: u32) {
        let samples = self.wanted.samples();
        let mut from = entries.start;
        while from < entries.end {
            let of_model = from..from + samples;
            let states = &self.totals.states[from as usize..(from + samples) as usize];
            let is_accepted =
                |state: &&Planned| matches!(state, Planned::Placed | Planned::Unplaced);
            if states.iter().filter(is_accepted).count() as u64 >= u64::from(enough) {
                self.leave_out(of_model);
            }
            from += samples;
        }
    }

    /// Leaves out what of these entries has no answer.
    pub(super) fn leave_out(&mut self, entries: Range<QuestionIndex>) {
        for state in &mut self.totals.states[entries.start as usize..entries.end as usize] {
            if matches!(state, Planned::Pending | Planned::Failed) {
                *state = Planned::LeftOut;
            }
        }
    }

    /// Decides on the mark of a row whose entries are all counted; `marked` where it says ERROR. That of one
    /// that is to be left out stays as it is, unless every answer is there.
    pub(super) fn row(
        &mut self,
        id: QuestionId,
        entries: Range<QuestionIndex>,
        marked: bool,
        is_left_out: bool,
        is_mark_unwritten: impl FnOnce() -> bool,
    ) {
        let states = &self.totals.states[entries.start as usize..entries.end as usize];
        let has = |state: Planned| states.contains(&state);
        let (is_pending, is_failed) = (has(Planned::Pending), has(Planned::Failed));
        let is_answered = has(Planned::Placed) || has(Planned::Unplaced);
        if is_answered && !is_pending && !is_failed {
            self.totals.marked_though_answered += u64::from(marked);
            // A mark that the store still wants is wanted no more, and the store is to learn of it.
            if marked || is_mark_unwritten() {
                self.totals.marks.clear.insert(id);
            }
            return;
        }
        self.totals.marked_and_pending += u64::from(marked && is_pending && !is_left_out);
        // A mark that the store wants also where the row says ERROR already, so that the store
        // learns of it; and one that is not asked again, if its mark was taken away.
        if is_failed && !marked && !is_left_out || is_mark_unwritten() {
            self.totals.marks.set.insert(id);
        }
    }

    /// Counts a row in which a question is answered, or is to be.
    pub(super) fn count_row(&mut self, entries: Range<QuestionIndex>) {
        let states = &self.totals.states[entries.start as usize..entries.end as usize];
        let counts = states.iter().any(|state| *state != Planned::LeftOut);
        self.totals.counted_rows += u64::from(counts);
    }

    /// Returns how many wanted answers have their place.
    pub(super) fn placed(&self) -> u64 {
        let is_placed = |one: &&NotAccepted| {
            let is_otherwise = self.placed_otherwise.contains(&one.index);
            (one.placed || is_otherwise) && !self.counted_otherwise.contains(&one.index)
        };
        let not_accepted = self.totals.not_accepted.iter().filter(is_placed).count();
        let placed = self.totals.states.iter().filter(|&&state| state == Planned::Placed).count();
        (placed + not_accepted) as u64
    }

    /// Returns the sums, answers without a place in the order of the input.
    pub(super) fn finish(mut self) -> Totals {
        let states = &self.totals.states;
        self.totals.unplaced.retain(|(at, _)| states[*at as usize] == Planned::Unplaced);
        self.totals.unplaced.sort_unstable();
        self.totals.not_accepted.sort_unstable_by_key(|one| one.index);
        self.totals.not_accepted.dedup_by_key(|one| one.index);
        let (not_own, placed) = (&self.counted_otherwise, &self.placed_otherwise);
        self.totals.not_accepted.retain(|one| !not_own.contains(&one.index));
        for one in &mut self.totals.not_accepted {
            one.placed |= placed.contains(&one.index);
        }
        self.totals
    }
}
