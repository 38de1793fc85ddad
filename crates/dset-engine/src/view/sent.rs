//! What was sent for each answer. `--continue` keeps answers to other words than the last run's, and a redo
//! may have words of its own: a dataset says what each answer was an answer to.

use std::collections::{HashMap, HashSet};

use dset_core::item::Item;
use dset_core::key::RequestSettings;
use dset_core::plan::AnswerId;
use dset_core::template::{Prompts, Rendered};

use crate::store::{Store, StoreError};
use crate::view::index::RunIndex;

/// Answers of a run that other settings bought than its own, and what was sent by these.
#[derive(Debug, Default)]
pub(crate) struct SentPrompts {
    others: Vec<OtherSettings>,
    /// Which of them an answer was bought with that was asked for in other words.
    by_answer: HashMap<AnswerId, usize>,
}

#[derive(Debug)]
struct OtherSettings {
    request: RequestSettings,
    /// Absent where the prompts cannot be made of the input as it is.
    prompts: Option<Prompts>,
}

/// What was sent for an answer.
pub(crate) enum Sent {
    /// What the last run sends for its row.
    AsNow,
    /// Something else.
    Other(Rendered<'static>),
    /// It cannot be made any more: the template uses columns that are gone.
    Unknown,
}

impl SentPrompts {
    /// Reads which answers of a run, and of those beside them, have other settings, and binds their prompts to
    /// the input.
    pub(crate) fn load(
        store: &Store,
        index: &RunIndex,
        beside: &[(u32, AnswerId)],
    ) -> Result<SentPrompts, StoreError> {
        let mut sent = SentPrompts::default();
        let Some(now) = index.requests.first() else { return Ok(sent) };
        let others = store.settings_texts()?.into_iter().filter_map(|(id, text)| {
            let request = RequestSettings::from_canonical_json(&text)?;
            let is_now = index.requests.iter().any(|now| now.hash() == request.hash());
            (!is_now).then_some((id, request))
        });
        let mut counted = HashSet::new();
        for (id, request) in others {
            let mut answers = store.bought_under(index.generation, id)?;
            if answers.is_empty() {
                continue;
            }
            if counted.is_empty() {
                counted.extend(index.answers.iter().copied().flatten());
                counted.extend(beside.iter().map(|(_, answer)| *answer));
            }
            answers.retain(|answer| counted.contains(answer));
            if answers.is_empty() {
                continue;
            }
            if !request.has_prompts_of(now) {
                let at = sent.others.len();
                sent.by_answer.extend(answers.into_iter().map(|answer| (answer, at)));
            }
            let prompts = Prompts::new(&request, index.source.shape()).ok();
            sent.others.push(OtherSettings { request, prompts });
        }
        Ok(sent)
    }

    /// Returns what was sent of this item for an answer; `now` is what is sent of it now.
    pub(crate) fn of(&self, answer: AnswerId, item: &Item<'_>, now: &Rendered<'_>) -> Sent {
        let Some(at) = self.by_answer.get(&answer) else { return Sent::AsNow };
        let rendered = self.others[*at].prompts.as_ref().map(|prompts| prompts.render(item));
        match rendered {
            Some(Ok(Some(sent))) if sent == *now => Sent::AsNow,
            Some(Ok(Some(sent))) => Sent::Other(sent.into_owned()),
            _ => Sent::Unknown,
        }
    }

    /// Returns the other settings that answers were bought with.
    pub(crate) fn other_requests(&self) -> impl Iterator<Item = &RequestSettings> {
        self.others.iter().map(|other| &other.request)
    }
}
