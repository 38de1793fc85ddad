//! The limits of money of a run: who is paid, and whether that can be limited.

use dset_core::run::Payee;
use dset_core::settings::{CostLimits, JobSpec, Model};
use dset_engine::run::budget::{self, LimitError};

use super::money::Money;
use crate::display::text::{one_line, quoted};
use crate::error::UserError;
use crate::exit::Exit;
use crate::same_command::same_command_as;

/// The tokens of an answer in examples.
const TOKENS_EXAMPLE: u64 = 4_000;

/// Returns who is paid at each place where a model is asked, in their order; nobody where nothing is
/// limited. Fails where the worst case of an ask cannot be known.
pub(super) fn payees(
    spec: &JobSpec,
    limits: CostLimits,
    money: &Money,
) -> Result<Vec<Payee>, UserError> {
    let pricing = money.pricing();
    budget::payees(spec, limits, pricing.prices, pricing.providers).map_err(|error| match error {
        LimitError::NoPrice { model } => without_price(&model),
        LimitError::NoBound { at, .. } => without_bound(&spec.models[at]),
    })
}

pub(crate) fn without_price(model: &str) -> UserError {
    let (shown, name) = (one_line(model), quoted(model));
    UserError::new(Exit::Usage, format!("a limit needs the price of {shown}, which is not known"))
        .cause("what an ask may cost at most is reserved before it is sent")
        .hint(format!("Say it: `dset prices set {name} --input 0.3 --output 1.2`"))
        .hint(format!("Or in dset.toml: `[prices.{name}]`, `input = 0.3`, `output = 1.2`"))
}

pub(crate) fn without_bound(model: &Model) -> UserError {
    let name = one_line(&model.request.model);
    let again = same_command_as("run", &[]);
    let error = UserError::new(
        Exit::Usage,
        format!("a limit needs to know how long an answer of {name} can be"),
    );
    if model.bounds_reasoning() {
        return error
            .cause("nothing limits its tokens")
            .hint(format!("Limit them: `{again} --max-tokens {TOKENS_EXAMPLE}`"));
    }
    let cause = match model.request.max_tokens {
        None => "nothing limits its tokens",
        Some(_) => "--max-tokens may not count the tokens it thinks with at this service",
    };
    error.cause(cause).hint(format!(
        "Say the most tokens that a reply can have, reasoning included: `{again} --max-output-bound \
         {TOKENS_EXAMPLE}`"
    ))
}
