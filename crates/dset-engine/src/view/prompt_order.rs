//! Whether prompts of an input would begin alike for longer with the fields of their template in another
//! order. Asks nothing and writes nothing.

use dset_core::item::error_marks::MarksColumn;
use dset_core::key::RequestSettings;
use dset_core::settings::JobSpec;
use dset_core::template::Prompts;
use dset_core::template::order::{OrderAdvice, PromptOrder};

use crate::error::JobError;
use crate::source::items::{Items, Prepared};
use crate::source::{self, SourceOptions};

/// Looks at the prompts of the first rows as this request would ask them; `None` where the order of the
/// fields is as good as another, or the template has but one.
pub fn prompt_order(
    settings: &JobSpec,
    request: &RequestSettings,
) -> Result<Option<OrderAdvice>, JobError> {
    let options = SourceOptions::new(settings, MarksColumn::Unknown).asked_with(request);
    let mut source = source::open(&settings.input, &options)?;
    let prompts = Prompts::new(request, source.shape())?;
    if prompts.are_the_question_alone() {
        return Ok(None);
    }
    let mut order = PromptOrder::default();
    let mut items = Items::new(&mut *source, &prompts, &[]);
    while let Some(Prepared { item, rendered, .. }) = items.next()? {
        // Of a chat all turns are sent, as they stand.
        let Some(rendered) = rendered.filter(|_| item.turns.is_none()) else { continue };
        if !order.add(&item, &rendered) {
            break;
        }
    }
    Ok(order.advice())
}
