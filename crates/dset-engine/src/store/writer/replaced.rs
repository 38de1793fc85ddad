//! Answers of rows that are asked again on purpose: they count until another comes in their place.

use std::collections::{HashMap, HashSet};

use dset_core::item::question::QuestionIndex;
use dset_core::plan::AnswerId;

/// What there is to a question that is asked again.
#[derive(Debug)]
struct Before {
    answers: Vec<AnswerId>,
    /// One of them is accepted: no other than an accepted one comes in its place.
    is_accepted: bool,
}

/// What counts no more once another answer is there.
#[derive(Debug, Default)]
pub(crate) struct Replaced {
    before: HashMap<QuestionIndex, Before>,
    /// How many accepted samples of a model are enough, and how many there are; all are wanted where absent.
    enough: Option<(u32, u32)>,
    /// The questions with an accepted answer that came since they are asked again.
    accepted: HashSet<QuestionIndex>,
}

impl Replaced {
    /// Starts with none; `enough` of so many samples of a model are, where not all are wanted.
    pub(crate) fn new(enough: Option<(u32, u32)>) -> Replaced {
        Replaced { enough, ..Replaced::default() }
    }

    /// Takes the answers that there are to a question; says whether one of them is accepted.
    pub(crate) fn add(&mut self, at: QuestionIndex, answers: Vec<AnswerId>, is_accepted: bool) {
        self.before.insert(at, Before { answers, is_accepted });
    }

    /// An accepted answer has come.
    pub(crate) fn accept(&mut self, at: QuestionIndex) {
        if !self.before.is_empty() {
            self.accepted.insert(at);
        }
    }

    /// Returns the answers that a new one comes in place of.
    pub(crate) fn by(&self, at: QuestionIndex, is_accepted: bool) -> Vec<AnswerId> {
        if self.before.is_empty() {
            return Vec::new();
        }
        let is_better = |one: &&Before| is_accepted || !one.is_accepted;
        let own = self.before.get(&at).filter(is_better);
        let mut answers: Vec<AnswerId> =
            own.into_iter().flat_map(|one| &one.answers).copied().collect();
        if let (Some((enough, samples)), true) = (self.enough, is_accepted) {
            let first = at - at % samples;
            let of_model = first..first + samples;
            let has_come = |one: &QuestionIndex| *one == at || self.accepted.contains(one);
            if of_model.clone().filter(has_come).count() as u64 >= u64::from(enough) {
                // No other sample is asked any more.
                let others =
                    of_model.filter(|one| *one != at).filter_map(|one| self.before.get(&one));
                answers.extend(others.flat_map(|one| &one.answers));
            }
        }
        answers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accepted_answer_gives_way_to_an_accepted_one_and_others_to_any() {
        let mut replaced = Replaced::new(None);
        replaced.add(0, vec![1, 2], true);
        replaced.add(1, vec![3], false);
        assert!(replaced.by(0, false).is_empty());
        assert_eq!(replaced.by(1, false), [3]);
        assert_eq!(replaced.by(0, true), [1, 2]);
        assert!(replaced.by(2, true).is_empty());
    }

    #[test]
    fn where_enough_samples_are_accepted_none_of_before_counts() {
        let mut replaced = Replaced::new(Some((2, 3)));
        (0..6).for_each(|at| replaced.add(at, vec![i64::from(at)], true));
        assert_eq!(replaced.by(4, true), [4]);
        replaced.accept(4);
        assert!(replaced.by(3, false).is_empty());
        let mut all = replaced.by(5, true);
        all.sort_unstable();
        assert_eq!(all, [3, 4, 5]);
        assert_eq!(replaced.by(0, true), [0]);
    }
}
