//! Answers that are durable, as the engine keeps them: which of them count, where a question stands with them, and
//! what an answer comes in place of where its row is asked again on purpose.

use std::collections::BTreeSet;
use std::sync::Arc;

use dset_core::acceptance::{Consequence, Standing, Verdict};
use dset_core::item::question::{EarlierTries, Key, Question, QuestionId, QuestionIndex};

use crate::tries::World;

/// An answer that is durable.
pub(crate) struct Kept {
    pub(crate) text: &'static str,
    pub(crate) verdicts: Vec<Verdict>,
    /// It was judged; else it died with its life while it was being judged.
    pub(crate) is_judged: bool,
    /// Its number among all, in the order in which they became durable.
    pub(crate) number: u32,
    /// It counts no more.
    pub(crate) is_aside: bool,
    /// Those that count no more once it is accepted.
    pub(crate) before: Vec<u32>,
}

/// What was begun and is not done.
pub(crate) struct Redo {
    chosen: BTreeSet<QuestionIndex>,
    /// The last answer that was there before.
    last: u32,
}

impl World {
    fn consequence(&self, kept: &Kept) -> Consequence {
        self.terms.consequence(Some(&kept.verdicts))
    }

    /// Tells whether an answer was judged and is accepted.
    pub(crate) fn accepts(&self, kept: &Kept) -> bool {
        kept.is_judged && self.consequence(kept) == Consequence::Accept
    }

    pub(crate) fn standing(&self, index: QuestionIndex, is_redo: bool) -> Standing {
        let counted = self.counted(index, is_redo);
        match counted.last() {
            _ if counted.iter().any(|kept| self.accepts(kept)) => Standing::Accepted,
            Some(last) if !last.is_judged => Standing::Another,
            Some(last) => self.terms.standing(self.consequence(last), counted.len() as u32),
            None => Standing::Another,
        }
    }

    /// Makes a question as the reader of the input does, from what is stored.
    pub(crate) fn question(&self, index: QuestionIndex, is_redo: bool) -> Question {
        let id = QuestionId { text_hash: index.into(), ordinal: 0 };
        let text: Arc<str> = format!("question {index}").into();
        let question = Question::new(index, u64::from(index) + 2, text, Key([index as u8; 16]), id);
        let counted = self.counted(index, is_redo);
        let aside = (self.kept[index as usize].len() - counted.len()) as u32;
        let content = question.content.clone();
        let before = |count| Some(Arc::new(EarlierTries { count, aside, content }));
        let Some(last) = counted.last() else {
            return Question { earlier: before(0).filter(|_| aside > 0), ..question };
        };
        let question = Question { earlier: before(counted.len() as u32 - 1), ..question };
        let reasons = last.verdicts.iter().flat_map(|verdict| &verdict.reasons);
        question.another_try(last.text, reasons, self.terms.retry)
    }

    /// Decides whether the next life asks rows again: those of a redo that was begun, or others.
    pub(crate) fn begins_redo(&mut self, is_calm: bool) -> bool {
        if self.redo.is_some() {
            return is_calm || self.random.bool();
        }
        if is_calm || self.random.u32(..3) > 0 {
            return false;
        }
        let was_asked = |at: &QuestionIndex| self.standing(*at, false) != Standing::Another;
        let asked: Vec<QuestionIndex> = (0..self.count).filter(was_asked).collect();
        let chosen: BTreeSet<QuestionIndex> =
            asked.into_iter().filter(|_| self.random.bool()).collect();
        let begins = !chosen.is_empty();
        self.redo = begins.then_some(Redo { chosen, last: self.numbers });
        begins
    }

    /// Tells whether a row is one of those that are asked again.
    pub(crate) fn is_chosen(&self, index: QuestionIndex) -> bool {
        self.redo.as_ref().is_some_and(|redo| redo.chosen.contains(&index))
    }

    /// The answers to a question that count; where it is asked again, those that have come since.
    pub(crate) fn counted(&self, index: QuestionIndex, is_redo: bool) -> Vec<&Kept> {
        let redo = self.redo.as_ref().filter(|redo| is_redo && redo.chosen.contains(&index));
        let last = redo.map_or(0, |redo| redo.last);
        let kept = self.kept[index as usize].iter();
        kept.filter(|kept| !kept.is_aside && kept.number > last).collect()
    }

    /// Returns what a plan says of a life that asks rows again.
    pub(crate) fn of_redo(&self) -> dset_core::plan::Redo {
        let is_accepted = |at: &QuestionIndex| self.standing(*at, false) == Standing::Accepted;
        let (stands, others): (BTreeSet<QuestionIndex>, BTreeSet<QuestionIndex>) =
            (0..self.count).filter(is_accepted).partition(|at| self.is_chosen(*at));
        let answered_beside = others.len() as u64;
        dset_core::plan::Redo { stands, answered_beside, presumed_beside: 0 }
    }

    /// Returns what a new answer comes in place of once it is accepted. Where none of those before is, they count
    /// no more as soon as it is here.
    pub(crate) fn replaced_by(&mut self, index: QuestionIndex, is_redo: bool) -> Vec<u32> {
        let redo = self.redo.as_ref().filter(|redo| is_redo && redo.chosen.contains(&index));
        let Some(last) = redo.map(|redo| redo.last) else { return Vec::new() };
        let kept = &self.kept[index as usize];
        let old = kept.iter().filter(|kept| kept.number <= last && !kept.is_aside);
        if old.clone().any(|kept| self.accepts(kept)) {
            return old.map(|kept| kept.number).collect();
        }
        let old = self.kept[index as usize].iter_mut();
        old.filter(|kept| kept.number <= last).for_each(|kept| kept.is_aside = true);
        Vec::new()
    }

    /// What is thought of an answer is durable: with that it comes in place of others, or does not.
    pub(crate) fn settle(&mut self, index: QuestionIndex, at: usize) {
        if self.accepts(&self.kept[index as usize][at]) {
            let before = self.kept[index as usize][at].before.clone();
            let kept = self.kept[index as usize].iter_mut();
            kept.filter(|kept| before.contains(&kept.number)).for_each(|kept| kept.is_aside = true);
            self.had.insert(index);
        }
    }

    /// Checks that no accepted answer is lost, whatever is asked again and whenever that dies.
    pub(crate) fn check_accepted(&self) {
        for index in &self.had {
            let accepted =
                self.counted(*index, false).into_iter().filter(|kept| self.accepts(kept));
            assert!(accepted.count() == 1, "a question that was answered has one accepted answer");
        }
    }

    /// A life that asked rows again went to its end.
    pub(crate) fn end_redo(&mut self, is_calm: bool) {
        let redo = self.redo.as_ref().expect("a redo that ends was begun");
        for index in redo.chosen.iter().filter(|_| is_calm) {
            assert!(
                self.standing(*index, true) != Standing::Another,
                "a redo without faults asks as often as it may"
            );
        }
        self.redo = None;
    }
}
