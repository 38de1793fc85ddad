//! What is thought of stored answers in place of what is stored.

use std::collections::BTreeMap;

use dset_core::acceptance::Verdict;
use dset_core::plan::AnswerId;

use super::id_set::IdSet;
use super::tries::NewVerdicts;

/// Verdicts on answers under one acceptance. Of those that pass every check, most of them as a rule, it takes a
/// bit each.
#[derive(Debug, Default)]
pub(crate) struct Rejudged {
    acceptance: [u8; 16],
    passed: IdSet,
    others: BTreeMap<AnswerId, Vec<Verdict>>,
}

impl Rejudged {
    /// Nothing so far under this acceptance.
    pub(crate) fn under(acceptance: [u8; 16]) -> Rejudged {
        Rejudged { acceptance, ..Rejudged::default() }
    }

    /// Takes the verdicts on an answer that has none here; nothing of one that passed every check.
    pub(crate) fn insert(&mut self, answer: AnswerId, list: Option<Vec<Verdict>>) {
        match list {
            None => self.passed.insert(answer),
            Some(list) => drop(self.others.insert(answer, list)),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.passed.count == 0 && self.others.is_empty()
    }

    /// Returns the verdicts on an answer under this acceptance, where it has any here.
    pub(super) fn get(
        &self,
        answer: AnswerId,
        acceptance: &[u8; 16],
    ) -> Option<Option<&Vec<Verdict>>> {
        if self.acceptance != *acceptance {
            return None;
        }
        let other = self.others.get(&answer).map(Some);
        other.or_else(|| self.passed.has(answer).then_some(None))
    }

    /// Returns all verdicts: those that passed every check, and then the others.
    pub(crate) fn all(self) -> impl Iterator<Item = (AnswerId, NewVerdicts)> {
        let Rejudged { acceptance, passed, others } = self;
        let passed = passed.into_iter().map(|answer| (answer, None));
        let all = passed.chain(others.into_iter().map(|(answer, list)| (answer, Some(list))));
        all.map(move |(answer, list)| (answer, NewVerdicts { acceptance, list }))
    }
}
