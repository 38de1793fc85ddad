//! What a run is going to cost, before it begins.

use dset_core::money::Amount;
use dset_core::settings::{CostLimits, JobSpec};
use dset_core::time::stamp;
use dset_engine::os::clock::unix_ms;
use dset_engine::view::estimate::estimate_of;
use dset_engine::view::status::RunStatus;

use super::estimate::{cost, cost_words, time_words};
use super::money::Money;
use crate::display;
use crate::display::text::of;
use crate::error::UserError;
use crate::exit::Exit;
use crate::layers::TerminalOptions;
use crate::prompt;
use crate::same_command::same_command_as;

/// A job of fewer answers says nothing of what it is going to cost.
const ANSWERS_LEAST: u64 = 20;
/// A job that costs more is not begun at a terminal without a question.
const DOLLARS_ASKED: f64 = 10.0;

/// Says what so many answers are going to cost, where those that there are tell it; asks at a terminal
/// whether it may begin where that is much and nothing limits it.
pub(super) fn before_run(
    spec: &JobSpec,
    limits: CostLimits,
    money: &Money,
    left: &[u64],
    yes: bool,
    terminal: TerminalOptions,
) -> Result<(), UserError> {
    if left.iter().sum::<u64>() < ANSWERS_LEAST {
        return Ok(());
    }
    let models = spec.models.iter().map(|model| &*model.request.model);
    let models: Vec<(&str, u64)> = models.zip(left.iter().copied()).collect();
    // What cannot be read is said by the run, which opens the store to write.
    let Ok(found) = estimate_of(&spec.output, &models, money.pricing(), unix_ms()) else {
        return Ok(());
    };
    let Some(words) = cost_words(&found, |model| &model.now) else { return Ok(()) };
    let time = time_words(&found).map(|time| format!(", {time}")).unwrap_or_default();
    if !terminal.quiet {
        display::remark(&format!("{} will cost about {words}{time}", of(found.left(), "answer")));
    }
    let is_much =
        cost(&found, |model| &model.now).is_some_and(|cost| cost.expected > DOLLARS_ASKED);
    if !is_much || yes || limits.are_set() || !prompt::is_possible() {
        return Ok(());
    }
    match prompt::word("Begin (y/n)", "n")?.to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(UserError::new(Exit::Usage, "the run was not begun")
            .cause("you said no to what it is going to cost")
            .hint(format!("Begin without a question: `{} --yes`", same_command_as("run", &["yes"])))
            .hint("Limit it: `--max-cost 5` stops before more than $5 are spent")),
    }
}

/// Says when it will be cheaper to ask for what is left, and what it will cost then, where it will.
pub(super) fn cheaper(spec: &JobSpec, standing: &RunStatus, money: &Money) -> Option<String> {
    if standing.left() == 0 {
        return None;
    }
    let left = standing.left_of_models();
    let found = estimate_of(&spec.output, &left, money.pricing(), unix_ms()).ok()?;
    let (now, then) = (cost(&found, |model| &model.now)?, cost(&found, |model| &model.then)?);
    let at = stamp(found.next_tariff_at?);
    let shown = |sum: f64| Amount::from_dollars(sum).map(Amount::shown);
    let (dear, cheap) = (shown(now.expected)?, shown(then.expected)?);
    let words = format!("from {} UTC: {cheap} for the rest, now {dear}", at.get(..16)?);
    (then.expected < now.expected).then_some(words)
}
