//! Answers of rows that are asked again on purpose: they count until another comes in their place.

use std::collections::HashMap;

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
    /// The accepted answers of this run, by the first sample of each model.
    accepted: HashMap<QuestionIndex, u32>,
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

    /// Takes a new answer, and returns those that it comes in place of.
    pub(super) fn on_answer(&mut self, at: QuestionIndex, is_accepted: bool) -> Vec<AnswerId> {
        if self.before.is_empty() {
            return Vec::new();
        }
        let is_better = self.before.get(&at).is_some_and(|one| is_accepted || !one.is_accepted);
        let own = if is_better { self.before.remove(&at) } else { None };
        let mut answers: Vec<AnswerId> = own.into_iter().flat_map(|one| one.answers).collect();
        if let (Some((enough, samples)), true) = (self.enough, is_accepted) {
            let first = at - at % samples;
            let accepted = self.accepted.entry(first).or_default();
            *accepted += 1;
            if *accepted >= enough {
                // No other sample is asked any more.
                let others = (first..first + samples).filter_map(|at| self.before.remove(&at));
                answers.extend(others.flat_map(|one| one.answers));
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
        assert!(replaced.on_answer(0, false).is_empty());
        assert_eq!(replaced.on_answer(1, false), [3]);
        assert_eq!(replaced.on_answer(0, true), [1, 2]);
        assert!(replaced.on_answer(0, true).is_empty());
    }

    #[test]
    fn where_enough_samples_are_accepted_none_of_before_counts() {
        let mut replaced = Replaced::new(Some((2, 3)));
        (0..6).for_each(|at| replaced.add(at, vec![i64::from(at)], true));
        assert_eq!(replaced.on_answer(4, true), [4]);
        assert!(replaced.on_answer(3, false).is_empty());
        let mut rest = replaced.on_answer(5, true);
        rest.sort_unstable();
        assert_eq!(rest, [3, 5]);
        assert_eq!(replaced.on_answer(0, true), [0]);
    }
}
