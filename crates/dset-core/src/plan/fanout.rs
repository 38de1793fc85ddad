//! The answers that every row is to get: of each model in turn, so many samples.
//!
//! Each is an entry of the plan with an index of its own. The entries of a row stand one behind the
//! other, model by model as they were named, sample by sample.

use xxhash_rust::xxh3::xxh3_128;

use crate::item::question::{QuestionId, QuestionIndex};
use crate::key::ModelHash;

/// The answers that every row is to get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fanout {
    models: Vec<ModelHash>,
    samples: u32,
    primary_model: Option<usize>,
}

impl Default for Fanout {
    /// One answer of one model.
    fn default() -> Fanout {
        Fanout { models: vec![0], samples: 1, primary_model: Some(0) }
    }
}

impl Fanout {
    /// Wants `samples` answers (from 1) of each of these models (at least one).
    #[must_use]
    pub fn new(models: Vec<ModelHash>, samples: u32) -> Fanout {
        assert!(!models.is_empty() && samples > 0, "something is wanted");
        Fanout { models, samples, primary_model: Some(0) }
    }

    /// Takes which model the store was first asked with, where it was.
    #[must_use]
    pub(crate) fn with_primary_model(mut self, model: Option<ModelHash>) -> Fanout {
        if let Some(first) = model.filter(|_| self.models.len() > 1) {
            self.primary_model = self.models.iter().position(|&model| model == first);
        }
        self
    }

    /// Returns how many answers a row is to get.
    #[must_use]
    pub fn per_row(&self) -> u32 {
        self.models() as u32 * self.samples
    }

    /// Returns how many models are asked.
    #[must_use]
    pub fn models(&self) -> usize {
        self.models.len()
    }

    /// Returns how many answers each model is to give.
    #[must_use]
    pub fn samples(&self) -> u32 {
        self.samples
    }

    /// Returns the row of an entry, among the rows that are asked.
    #[must_use]
    pub fn row(&self, at: QuestionIndex) -> u32 {
        at / self.per_row()
    }

    /// Returns the entries of a row.
    #[must_use]
    pub fn entries_of_row(&self, row: u32) -> std::ops::Range<QuestionIndex> {
        row * self.per_row()..(row + 1) * self.per_row()
    }

    /// Returns which model an entry is of.
    #[must_use]
    pub fn model(&self, at: QuestionIndex) -> u16 {
        (at % self.per_row() / self.samples) as u16
    }

    /// Returns which sample an entry is, from 0.
    #[must_use]
    pub fn sample(&self, at: QuestionIndex) -> u32 {
        at % self.samples
    }

    /// Returns what the ending of an entry is remembered by: the question's own hash for the first
    /// sample of the only model, or of the model that the store was first asked with; for any other,
    /// a hash of question, model and sample. So neither the order of models nor a further one
    /// changes it.
    #[must_use]
    pub fn failure_key(&self, id: QuestionId, at: QuestionIndex) -> [u8; 16] {
        if self.is_primary(at) { id.hash() } else { self.qualified_failure_key(id, at) }
    }

    /// Looks the ending of an entry up, also where it was remembered beside other models.
    pub fn find_failure<T>(
        &self,
        id: QuestionId,
        at: QuestionIndex,
        mut get: impl FnMut(&[u8; 16]) -> Option<T>,
    ) -> Option<T> {
        let own = if self.is_primary(at) { get(&id.hash()) } else { None };
        own.or_else(|| get(&self.qualified_failure_key(id, at)))
    }

    fn is_primary(&self, at: QuestionIndex) -> bool {
        self.sample(at) == 0 && self.primary_model == Some(usize::from(self.model(at)))
    }

    fn qualified_failure_key(&self, id: QuestionId, at: QuestionIndex) -> [u8; 16] {
        let model = self.models[usize::from(self.model(at))];
        let mut bytes = [0; 28];
        bytes[..16].copy_from_slice(&id.hash());
        bytes[16..24].copy_from_slice(&model.to_le_bytes());
        bytes[24..].copy_from_slice(&self.sample(at).to_le_bytes());
        xxh3_128(&bytes).to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: QuestionId = QuestionId { text_hash: 7, ordinal: 0 };

    #[test]
    fn the_entries_of_a_row_go_model_by_model_and_sample_by_sample() {
        let wanted = Fanout::new(vec![1, 2], 3);
        let of = |at| (wanted.row(at), wanted.model(at), wanted.sample(at));
        let all: Vec<_> = wanted.entries_of_row(1).map(of).collect();
        assert_eq!(all, [(1, 0, 0), (1, 0, 1), (1, 0, 2), (1, 1, 0), (1, 1, 1), (1, 1, 2)]);
    }

    #[test]
    fn one_model_and_one_sample_are_known_by_the_question_and_every_other_answer_by_its_own_hash() {
        assert_eq!(Fanout::default().failure_key(ID, 0), ID.hash());
        let wanted = Fanout::new(vec![1, 2], 2);
        let all: Vec<_> = wanted.entries_of_row(0).map(|at| wanted.failure_key(ID, at)).collect();
        assert_eq!(all[0], ID.hash());
        for (at, hash) in all.iter().enumerate() {
            assert!(!all[..at].contains(hash));
        }
        // On disk: a change would ask again what was cut.
        assert_eq!(all[3][..4], [219, 68, 40, 190]);
    }

    #[test]
    fn what_ended_is_found_again_whichever_models_are_named_and_in_whatever_order() {
        let one = Fanout::new(vec![1], 1).with_primary_model(Some(1));
        let two = Fanout::new(vec![1, 2], 1).with_primary_model(Some(1));
        let swapped = Fanout::new(vec![2, 1], 1).with_primary_model(Some(1));
        assert_eq!(one.failure_key(ID, 0), two.failure_key(ID, 0));
        assert_eq!(two.failure_key(ID, 0), swapped.failure_key(ID, 1));
        assert_eq!(two.failure_key(ID, 1), swapped.failure_key(ID, 0));
        // The second model alone, after both.
        let ended = two.failure_key(ID, 1);
        let alone = Fanout::new(vec![2], 1).with_primary_model(Some(1));
        assert!(alone.find_failure(ID, 0, |hash| (*hash == ended).then_some(())).is_some());
    }
}
