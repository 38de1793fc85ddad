//! Tells a refusal of the settings, or of the key, from refusals of questions.
//!
//! A wrong parameter is refused for every question alike, and so is all that a gateway says once its
//! quota is used up; neither must mark a whole file ERROR. So questions that are refused one after the
//! other in the same words, with no answer between them, become suspicious: nothing more is asked until
//! what is on its way is back. An answer among that clears them; without one it is the settings. While
//! nothing has ever worked, the questions themselves wait for that verdict. A question that
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
    /// Takes a refusal of a question that was not refused before in this run, whether
    /// anything [worked](super::Dispatch::has_worked); returns the questions that are refused, each on its own account.
    pub(crate) fn refused(
        &mut self,
        question: Arc<Question>,
        failure: Failure,
        has_worked: bool,
    ) -> Vec<(Arc<Question>, Failure)> {
        let words = crate::provider::refusal_signature(&failure.message);
        let mut refused = match self.words.as_ref() == Some(&words) {
            true => Vec::new(),
            false => self.clear(),
        };
        self.words = Some(words);
        // A key without rights is refused everything, whatever was refused before.
        let is_key = failure.class == FailureClass::Forbidden && !has_worked;
        if !question.has_failed || is_key {
            self.alike.insert(question.id);
        }
        self.last = Some(failure.clone());
        let list = if has_worked { &mut refused } else { &mut self.waiting };
        list.push((question, failure));
        refused
    }

    /// Returns the last refusal where there are enough of them to suspect the settings, or the key.
    pub(crate) fn verdict(&self, has_worked: bool) -> Option<&Failure> {
        let last = self.last.as_ref()?;
        let most = match has_worked {
            true => ALIKE_LATER,
            false if last.class == FailureClass::Forbidden => 1,
            false if last.class == FailureClass::Refused(Refusal::Question) => ALIKE_IF_CERTAIN,
            false => ALIKE_AT_FIRST,
        };
        (self.alike.len() >= most && !planted(Mutant::SettingsTakenForQuestions)).then_some(last)
    }

    /// Ends the suspicion; returns the questions that waited for a verdict.
    pub(crate) fn clear(&mut self) -> Vec<(Arc<Question>, Failure)> {
        std::mem::take(self).waiting
    }
}
