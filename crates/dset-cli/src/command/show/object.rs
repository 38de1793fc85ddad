//! What `dset show` tells a program.

use dset_core::settings::JobSpec;
use dset_engine::view::show::{ShowReport, object};
use serde_json::{Value, json};

pub(super) fn of(settings: &JobSpec, shown: &ShowReport) -> Value {
    json!({
        "input": settings.input,
        "output": settings.output,
        "of": shown.questions_count,
        "questions": shown.questions.iter().map(object::question).collect::<Vec<_>>(),
    })
}
