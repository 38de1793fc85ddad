//! The keys: whether they are there, and may be sent.

use dset_core::settings::Model;

use super::{Check, Plan};
use crate::display::text::service;
use crate::error::UserError;
use crate::layers::Key;

/// Whether each key that is wanted is there, and may be sent.
pub(super) fn keys(plan: &Plan) -> Vec<Check> {
    let mut seen = Vec::new();
    let mut checks = Vec::new();
    for model in &plan.settings.models {
        let wanted = (&model.key_variable, &model.preset.id);
        if seen.contains(&wanted) {
            continue;
        }
        seen.push(wanted);
        checks.push(match (&model.key_variable, key(plan, model)) {
            (None, _) => Check::good("key", format!("none is needed for {}", service(model))),
            (Some(name), Ok(Some(key))) => {
                Check::good("key", format!("{name} from {}", key.place()))
            }
            (Some(name), Ok(None)) => lacking(name, model, plan.environment.may_keep(model)),
            (Some(_), Err(error)) => Check::error("key", error),
        });
    }
    checks
}

fn lacking(name: &str, model: &Model, may_keep: bool) -> Check {
    let says = format!("{name} is neither in the environment, nor in .env, nor in your keys file");
    Check::problem("key", says).fix(match may_keep {
        true => format!("Keep one with `dset keys set {}`", model.preset.id),
        false => format!("Put `{name}=…` into .env; a service without keys takes `--key none`"),
    })
}

pub(super) fn key(plan: &Plan, model: &Model) -> Result<Option<Key>, UserError> {
    plan.environment.key(model, &plan.merged)
}
