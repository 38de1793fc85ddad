//! The rows of an input as settings of before would ask them: an answer that these bought is found by
//! what was asked, however rows were added, moved or edited since.

use dset_core::item::Item;
use dset_core::key::RequestSettings;
use dset_core::plan::{Former, FormerRequests};
use dset_core::template::Prompts;

use crate::error::JobError;
use crate::source::Source;
use crate::source::items::Items;

/// Reads the input once more, as these settings would ask it; `of_now` are those that it is planned with, and ask
/// the question alone where `is_question_alone`.
pub(crate) fn former_requests(
    source: &mut dyn Source,
    prompts: &Prompts,
    of_now: &RequestSettings,
    former: &[RequestSettings],
    is_question_alone: bool,
) -> Result<Former, JobError> {
    let (shape, mut unbound) = (source.shape().clone(), Vec::new());
    let bound = former.iter().filter_map(|settings| {
        let Ok(prompts) = Prompts::new(settings, &shape) else {
            unbound.push(settings.hash());
            return None;
        };
        let requests = FormerRequests {
            hash: settings.hash(),
            prints: Vec::new(),
            prompts_are_those_of_now: settings.has_prompts_of(of_now),
        };
        Some((prompts, settings.request_hasher(), requests))
    });
    let mut all: Vec<_> = bound.collect();
    let is_by_question = is_question_alone
        && unbound.is_empty()
        && all.iter().all(|(prompts, ..)| prompts.are_the_question_alone());
    if all.is_empty() || is_by_question {
        return Ok(Former { requests: Vec::new(), unbound });
    }
    source.rewind()?;
    let mut items = Items::new(source, prompts, &[]);
    while let Some(prepared) = items.next()? {
        if prepared.rendered.is_none() {
            continue;
        }
        let item: &Item<'_> = &prepared.item;
        for (prompts, hasher, requests) in &mut all {
            let rendered = prompts.render(item).ok().flatten();
            let print = rendered.map(|rendered| hasher.fingerprint_of_item(item, &rendered));
            requests.prints.push(print);
        }
    }
    Ok(Former { requests: all.into_iter().map(|(.., requests)| requests).collect(), unbound })
}
