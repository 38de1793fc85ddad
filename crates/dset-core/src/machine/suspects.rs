//! Tells a refusal of the settings from refusals of questions.
//!
//! A wrong parameter is refused for every question alike, and must not mark a whole file ERROR.
//! So while nothing has succeeded, refused questions are only suspected: the same words for the
//! first five different questions mean that it is the settings.

use std::sync::Arc;

use crate::answer::Failure;
use crate::planted::{Bug, planted};
use crate::question::Question;

/// So many different questions refused in the same words, and nothing else, are the settings.
const SAME_REFUSALS: usize = 5;

/// Refused questions whose refusal may be the settings' fault.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    signature: Option<String>,
    refused: Vec<(Arc<Question>, Failure)>,
    /// Something else has happened since: a refusal is the question's own.
    settled: bool,
}

/// What a refusal makes of the suspicion.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// Not known yet.
    Open,
    /// The settings are refused.
    Settings,
    /// These questions are refused, each on its own account.
    Questions(Vec<(Arc<Question>, Failure)>),
}

impl Suspects {
    /// Takes a refusal of a question that was not refused before in this run.
    pub(super) fn refused(&mut self, question: Arc<Question>, failure: Failure) -> Verdict {
        let signature = crate::provider::refusal_signature(&failure.message);
        let same = self.signature.get_or_insert_with(|| signature.clone()) == &signature;
        self.refused.push((question, failure));
        if self.settled || !same {
            return Verdict::Questions(self.settle());
        }
        let enough =
            self.refused.len() >= SAME_REFUSALS && !planted(Bug::SettingsTakenForQuestions);
        if enough { Verdict::Settings } else { Verdict::Open }
    }

    /// Ends the suspicion for good; returns the questions that were under it.
    pub(super) fn settle(&mut self) -> Vec<(Arc<Question>, Failure)> {
        self.settled = true;
        std::mem::take(&mut self.refused)
    }
}
