//! The rows of an input as settings of before would ask them: an answer that these bought is found by
//! what was asked, however rows were added, moved or edited since.

use dset_core::item::Item;
use dset_core::key::RequestSettings;
use dset_core::plan::FormerRequests;
use dset_core::template::Prompts;

use crate::error::JobError;
use crate::source::Source;
use crate::source::items::Items;

/// Reads the input once more, as these settings would ask it; `of_now` are those that it is planned with.
/// Those whose prompts the input has no fields for are left out. There are none where all ask the question
/// alone, as those of now do (`is_question_alone`): equal questions are equal requests then.
pub(crate) fn former_requests(
    source: &mut dyn Source,
    prompts: &Prompts,
    of_now: &RequestSettings,
    former: &[RequestSettings],
    is_question_alone: bool,
) -> Result<Vec<FormerRequests>, JobError> {
    let shape = source.shape().clone();
    let bound = former.iter().filter_map(|settings| {
        let prompts = Prompts::new(settings, &shape).ok()?;
        let are_those_of_now = (&settings.template, &settings.system, settings.system_is_template)
            == (&of_now.template, &of_now.system, of_now.system_is_template);
        let requests = FormerRequests {
            hash: settings.hash(),
            prints: Vec::new(),
            prompts_are_those_of_now: are_those_of_now,
        };
        Some((prompts, settings.request_hasher(), requests))
    });
    let mut all: Vec<_> = bound.collect();
    let is_by_question = is_question_alone
        && all.len() == former.len()
        && all.iter().all(|(prompts, ..)| prompts.are_the_question_alone());
    if all.is_empty() || is_by_question {
        return Ok(Vec::new());
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
    Ok(all.into_iter().map(|(.., requests)| requests).collect())
}
