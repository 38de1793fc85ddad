//! The prompts of a run, bound to its input and judged before anything is asked.

use dset_core::item::shape::Shape;
use dset_core::settings::JobSpec;
use dset_core::template::{Prompts, has_code};

use crate::error::JobError;
use crate::store::open_readonly;

/// Prompts that may be sent.
pub(crate) struct CheckedPrompts {
    pub(crate) prompts: Prompts,
    /// The system prompt holds what is read or refused now, and is sent as it stands, as it was when
    /// the answers were bought that are there.
    pub(crate) system_as_before: bool,
}

/// Binds the prompts of these settings to an input, and fails where a placeholder would be sent. A
/// system prompt with answers in the store is sent as before, so that nothing is bought twice.
pub(crate) fn check_prompts(
    settings: &mut JobSpec,
    shape: &Shape,
) -> Result<CheckedPrompts, JobError> {
    let system = settings.model().request.system.clone().unwrap_or_default();
    let bound = |settings: &JobSpec| Prompts::new(&settings.model().request, shape);
    if !has_code(&system) {
        let prompts = bound(settings)?;
        let Err(error) = prompts.check(false) else {
            return Ok(CheckedPrompts { prompts, system_as_before: false });
        };
        // Only of the system prompt may there be answers that make up for it.
        prompts.check(true)?;
        return match has_answers(settings, &system) {
            true => Ok(CheckedPrompts { prompts, system_as_before: true }),
            false => Err(error.into()),
        };
    }
    let system_as_before = has_answers(settings, &system);
    for model in &mut settings.models {
        model.request.system_is_template = !system_as_before;
    }
    let prompts = bound(settings)?;
    prompts.check(system_as_before)?;
    Ok(CheckedPrompts { prompts, system_as_before })
}

/// Tells whether answers were bought with this system prompt as it stands. A store that cannot be read
/// is an error of whoever opens it.
fn has_answers(settings: &JobSpec, system: &str) -> bool {
    let found = open_readonly(&settings.output, |store| store.has_answers_to(system));
    found.ok().flatten().unwrap_or(false)
}
