//! Tells a refusal of the settings, or of the key, from refusals of questions.
//!
//! A wrong parameter is refused for every question alike, and so is all that a gateway says once its
//! quota is used up; neither must mark a whole file ERROR. So questions that are refused one after the
//! other in the same words, with no answer between them, become suspicious: nothing more is asked until
//! what is on its way is back. An answer among that clears them; without one it is the settings. While
//! nothing has worked in this run, the questions themselves wait for that verdict. That there were answers
//! before, with what was the key then, is a reason to ask more of them before it, and no proof: where
//! none of those that are left is answered, it is the same as if there had been none. A question that
//! failed in an earlier run, too, says nothing of the settings.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::answer::{Failure, FailureClass, Refusal};
use crate::item::question::{Question, QuestionId};
use crate::planted::{Mutant, planted};

/// So many different questions refused in the same words are suspicious before the first answer, …
const ALIKE_AT_FIRST: usize = 5;
/// … and so many after it.
const ALIKE_LATER: usize = 10;
/// So many where the service says that it is the question: a file may begin with its longest ones.
const ALIKE_IF_CERTAIN: usize = 25;

/// What is known of settings and key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Nothing.
    None,
    /// An earlier run had answers with what is called the same now.
    Before,
    /// There is an answer of this run.
    Now,
}

/// Refusals that may be the settings' fault.
#[derive(Debug, Default)]
pub(crate) struct SystemicFailureDetector {
    words: Option<String>,
    /// The different questions refused in these words one after the other.
    alike: BTreeSet<QuestionId>,
    last: Option<Failure>,
    waiting: Vec<(Arc<Question>, Failure)>,
}

impl SystemicFailureDetector {
    /// Takes a refusal of a question that was not refused before in this run; returns the questions that
    /// are refused, each on its own account.
    pub(crate) fn refused(
        &mut self,
        question: Arc<Question>,
        failure: Failure,
        proof: Proof,
    ) -> Vec<(Arc<Question>, Failure)> {
        // Its row is marked already, and there may be any number of them.
        if proof == Proof::Before && question.has_failed {
            return vec![(question, failure)];
        }
        let words = crate::provider::refusal_signature(&failure.message);
        let mut refused = match self.words.as_ref() == Some(&words) {
            true => Vec::new(),
            false => self.clear(),
        };
        self.words = Some(words);
        // A key without rights is refused everything, whatever was refused before.
        let is_key = failure.class == FailureClass::Forbidden && proof == Proof::None;
        if !question.has_failed || is_key {
            self.alike.insert(question.id);
        }
        self.last = Some(failure.clone());
        let list = if proof == Proof::Now { &mut refused } else { &mut self.waiting };
        list.push((question, failure));
        refused
    }

    /// Returns the last refusal where there are enough of them to suspect the settings, or the key;
    /// `is_last` where no other question is left to ask.
    pub(crate) fn verdict(&self, proof: Proof, is_last: bool) -> Option<&Failure> {
        let last = self.last.as_ref()?;
        let most = match (proof, last.class) {
            // Nothing is left that could be marked wrongly.
            (Proof::Now, _) if is_last => return None,
            (Proof::Now, _) => ALIKE_LATER,
            (Proof::Before, _) if !is_last => ALIKE_LATER,
            // One that is refused run after run would be all that every run ends with.
            (Proof::Before, FailureClass::Forbidden | FailureClass::Refused(Refusal::Address)) => 2,
            (_, FailureClass::Forbidden | FailureClass::Refused(Refusal::Address)) => 1,
            (_, FailureClass::Refused(Refusal::Question)) => ALIKE_IF_CERTAIN,
            _ => ALIKE_AT_FIRST,
        };
        (self.alike.len() >= most && !planted(Mutant::SettingsTakenForQuestions)).then_some(last)
    }

    /// Ends the suspicion; returns the questions that waited for a verdict.
    pub(crate) fn clear(&mut self) -> Vec<(Arc<Question>, Failure)> {
        std::mem::take(self).waiting
    }
}
