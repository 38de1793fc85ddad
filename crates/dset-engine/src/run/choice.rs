//! Which rows of an input are asked, where the user chose some: those that a condition holds for, of
//! these all but the first ones, of these a sample.

use dset_core::item::Item;
use dset_core::item::question::QuestionId;
use dset_core::item::shape::Shape;
use dset_core::plan::Planner;
use dset_core::settings::{Choice, Sample};
use dset_core::template::condition::Condition;

use crate::source::SourceError;

/// Rows that the user left out, by what left them out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// The condition does not hold for them.
    pub by_condition: u64,
    /// They are passed over.
    pub by_offset: u64,
    /// They are not in the sample.
    pub by_sample: u64,
}

impl LeftOut {
    /// Returns how many.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.by_condition + self.by_offset + self.by_sample
    }
}

/// Judges the rows of an input, one after the other.
pub(crate) struct Chooser<'a> {
    choice: &'a Choice,
    condition: Option<Condition>,
    /// Of each row that may be asked, whether the condition holds; empty where there is none.
    holds: Vec<bool>,
}

impl Chooser<'_> {
    pub(crate) fn new<'a>(choice: &'a Choice, shape: &Shape) -> Result<Chooser<'a>, SourceError> {
        let condition = choice.condition.as_deref();
        let condition = condition.map(|source| Condition::new(source, &shape.fields)).transpose();
        let condition = condition.map_err(|error| condition_error(&error))?;
        Ok(Chooser { choice, condition, holds: Vec::new() })
    }

    /// Judges the next row.
    pub(crate) fn judge(&mut self, item: &Item<'_>) -> Result<(), SourceError> {
        if let Some(condition) = &self.condition {
            let holds = condition.holds(item).map_err(|error| condition_error(&error))?;
            self.holds.push(holds);
        }
        Ok(())
    }

    /// Leaves out what is not chosen, once all rows are judged.
    pub(crate) fn choose(self, planner: &mut Planner) -> LeftOut {
        let mut left_out = LeftOut::default();
        if self.choice.is_all() {
            return left_out;
        }
        let mut passed_over = 0;
        let mut is_in_reach = |at: usize| {
            if self.holds.get(at) == Some(&false) {
                left_out.by_condition += 1;
                return false;
            }
            passed_over += 1;
            let is_behind = passed_over > self.choice.offset;
            left_out.by_offset += u64::from(!is_behind);
            is_behind
        };
        let mut is_chosen: Vec<bool> = (0..planner.len()).map(&mut is_in_reach).collect();
        if let Some(sample) = self.choice.sample {
            left_out.by_sample = take_sample(sample, &planner.ids(), &mut is_chosen);
        }
        planner.choose(&is_chosen);
        left_out
    }
}

/// Keeps a sample of the rows that are chosen; returns how many of them it leaves out.
fn take_sample(sample: Sample, ids: &[QuestionId], is_chosen: &mut [bool]) -> u64 {
    let candidates = (0..ids.len()).filter(|&at| is_chosen[at]);
    let mut ranked: Vec<(u64, usize)> = candidates.map(|at| (rank(ids[at]), at)).collect();
    ranked.sort_unstable();
    let taken = match sample {
        Sample::Rows(rows) => rows.min(ranked.len() as u64) as usize,
        Sample::Millionths(millionths) => {
            let limit = u64::MAX / 1_000_000 * u64::from(millionths);
            ranked.partition_point(|(rank, _)| *rank < limit)
        }
    };
    ranked[taken..].iter().for_each(|&(_, at)| is_chosen[at] = false);
    (ranked.len() - taken) as u64
}

/// Orders questions in a way that has nothing to do with their order in the input.
fn rank(id: QuestionId) -> u64 {
    let hash = id.hash();
    u64::from_be_bytes(hash[..8].try_into().expect("a hash has 16 bytes"))
}

pub(crate) fn condition_error(error: &dset_core::template::TemplateError) -> SourceError {
    SourceError::Condition { detail: error.to_string() }
}

#[cfg(test)]
mod tests {
    use dset_core::key::RequestSettings;
    use dset_core::plan::StoreFacts;
    use dset_core::plan::fanout::Fanout;
    use dset_core::run::Planned;

    use super::*;

    /// Plans rows and returns which of them are asked.
    fn asked(texts: &[&str], choice: &Choice) -> (Vec<usize>, LeftOut) {
        let mut planner = Planner::new(true, Fanout::default());
        let mut hasher = RequestSettings::default().request_hasher();
        for text in texts {
            planner.push(QuestionId::hash_text(text), [hasher.fingerprint(text)], false);
        }
        let chooser = Chooser { choice, condition: None, holds: Vec::new() };
        let left_out = chooser.choose(&mut planner);
        let plan = planner.plan(0, [], &StoreFacts::default());
        let pending = |(at, state): (usize, &Planned)| (*state == Planned::Pending).then_some(at);
        (plan.states.iter().enumerate().filter_map(pending).collect(), left_out)
    }

    #[test]
    fn a_sample_is_the_same_rows_whatever_their_order_and_number() {
        let texts: Vec<String> = (0..1000).map(|at| format!("question {at}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let reversed: Vec<&str> = texts.iter().rev().copied().collect();
        for sample in [Sample::Rows(50), Sample::Millionths(50_000)] {
            let choice = Choice { sample: Some(sample), ..Choice::default() };
            let (some, left_out) = asked(&texts, &choice);
            assert_eq!(some.len() as u64 + left_out.by_sample, 1000);
            assert!((25..=90).contains(&some.len()), "{}", some.len());
            let other: Vec<usize> =
                asked(&reversed, &choice).0.into_iter().map(|at| 999 - at).rev().collect();
            assert_eq!(some, other);
        }
        let more = Choice { sample: Some(Sample::Rows(2000)), ..Choice::default() };
        assert_eq!(asked(&texts, &more).0.len(), 1000);
    }

    #[test]
    fn rows_are_passed_over_before_a_sample_is_taken() {
        let choice = Choice { offset: 2, ..Choice::default() };
        let (some, left_out) = asked(&["a", "b", "a", "c"], &choice);
        assert_eq!((some, left_out.by_offset), (vec![2, 3], 2));
        let choice = Choice { offset: 3, sample: Some(Sample::Rows(5)), ..Choice::default() };
        assert_eq!(asked(&["a", "b", "a", "c"], &choice).0, [3]);
    }
}
