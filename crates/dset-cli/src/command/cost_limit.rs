//! The limits of money of a run: who is paid, and whether that can be limited.

use dset_core::money::token_limit_above;
use dset_core::provider::Providers;
use dset_core::run::{AgainUnpaid, Payee};
use dset_core::settings::{CostLimits, JobSpec, Model};
use dset_engine::error::EngineError;
use dset_engine::run::budget::{self, LimitError};
use dset_engine::view::estimate::tokens_of_nearly_all;

use super::money::Money;
use crate::display::money::dollars_up;
use crate::display::text::{of, one_line, quoted};
use crate::error::UserError;
use crate::exit::Exit;
use crate::same_command::same_command_with;

/// The tokens of an answer in examples.
const TOKENS_EXAMPLE: u64 = 4_000;

/// Returns who is paid at each place where a model is asked, in their order; nobody where nothing is
/// limited. Fails where the worst case of an ask cannot be known.
pub(crate) fn payees(
    spec: &JobSpec,
    limits: CostLimits,
    money: &Money,
) -> Result<Vec<Payee>, UserError> {
    let pricing = money.pricing();
    budget::payees(spec, limits, pricing.prices)
        .map_err(|error| cannot_limit(&error, spec, pricing.providers))
}

/// Says why a run cannot be held to its limits.
pub(super) fn explain(error: EngineError, spec: &JobSpec, money: &Money) -> UserError {
    match error {
        EngineError::Limit(error) => cannot_limit(&error, spec, money.pricing().providers),
        EngineError::Job(error) => crate::explain::job(error),
        EngineError::Store(error) => crate::explain::job(error.into()),
        EngineError::Endpoint(error) => UserError::new(Exit::Key, error.to_string()),
    }
}

/// Says why what a run may spend cannot be limited.
pub(crate) fn cannot_limit(error: &LimitError, spec: &JobSpec, providers: &Providers) -> UserError {
    match error {
        LimitError::NoPrice { model } => without_price(model),
        LimitError::OtherPrice { model, field } => with_other_price(model, field),
        LimitError::BilledApart { field } => billed_apart(field),
        LimitError::NoBound { at, .. } => without_bound(spec, *at, providers),
        LimitError::Again(error) => again_unpaid(*error),
    }
}

fn again_unpaid(error: AgainUnpaid) -> UserError {
    let kept = "nothing was asked, and the answers that are there still count";
    let (exit, cause, option, enough) = match error {
        AgainUnpaid::Run { least, .. } => {
            let cause = format!("one may cost {}; {kept}", least.shown());
            (Exit::Usage, cause, "max_cost_run", least)
        }
        AgainUnpaid::Folder { spent, least, enough, .. } => {
            let cause = format!(
                "{} spent or perhaps billed, and a question may cost {}; {kept}",
                spent.shown(),
                least.shown()
            );
            (Exit::Money, cause, "max_cost", enough)
        }
    };
    let flag = option.replace('_', "-");
    UserError::new(exit, error.to_string()).cause(cause).hint(format!(
        "Allow more: `{} --{flag} {}`",
        same_command_with(option),
        dollars_up(enough)
    ))
}

fn without_price(model: &str) -> UserError {
    let (shown, name) = (one_line(model), quoted(model));
    UserError::new(Exit::Usage, format!("a limit needs the price of {shown}, which is not known"))
        .cause("what an ask may cost at most is reserved before it is sent")
        .hint(format!("Say it: `dset prices set {name} --input 0.3 --output 1.2`"))
        .hint(format!("Or in dset.toml: `[prices.{name}]`, `input = 0.3`, `output = 1.2`"))
}

fn with_other_price(model: &str, field: &str) -> UserError {
    let (shown, name) = (one_line(model), quoted(model));
    UserError::new(Exit::Usage, format!("a limit needs the price of {shown} with `{field}`"))
        .cause("costs are counted by the usual price, and this has another")
        .hint(format!(
            "Say the highest it may be: `dset prices set {name} --input 0.6 --output 2.4`"
        ))
        .hint(format!("Or ask without `{field}`"))
}

fn billed_apart(field: &str) -> UserError {
    UserError::new(Exit::Usage, format!("no limit holds with `{field}`"))
        .cause("it is billed beside the tokens of one answer, and nothing tells how much")
        .hint(format!("Ask without `{field}`, or without a limit"))
}

/// How many tokens nearly every answer of the folder has at most, and a limit under which such answers fit.
fn enough_tokens(spec: &JobSpec, model: &Model, providers: &Providers) -> Option<(u64, u64)> {
    let found = tokens_of_nearly_all(&spec.output, &model.request.model, providers);
    // A store that cannot be read is an error of whoever opens it.
    let most = found.ok().flatten()?;
    Some((most, token_limit_above(most)))
}

fn without_bound(spec: &JobSpec, at: usize, providers: &Providers) -> UserError {
    let model = &spec.models[at];
    let enough = enough_tokens(spec, model, providers);
    let tokens = enough.map_or(TOKENS_EXAMPLE, |(_, tokens)| tokens);
    let error = no_bound(model, tokens);
    match enough {
        None => error,
        Some((most, _)) => error.hint(format!(
            "Of the answers here, 99.9 % have at most {}; a limit cuts those that are longer",
            of(most, "token")
        )),
    }
}

fn no_bound(model: &Model, tokens: u64) -> UserError {
    let name = one_line(&model.request.model);
    let error = UserError::new(
        Exit::Usage,
        format!("a limit needs to know how long an answer of {name} can be"),
    );
    if model.bounds_reasoning() {
        return error.cause("nothing limits its tokens").hint(format!(
            "Limit them: `{} --max-tokens {tokens}`",
            same_command_with("max_tokens")
        ));
    }
    let cause = match model.request.max_tokens {
        None => "nothing limits its tokens",
        Some(_) => "--max-tokens may not count the tokens it thinks with at this service",
    };
    error.cause(cause).hint(format!(
        "Say the most tokens that a reply can have, reasoning included: `{} --max-output-bound {tokens}`",
        same_command_with("max_output_bound")
    ))
}
