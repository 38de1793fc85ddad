//! What a run is going to cost, before it begins.

use dset_core::money::Amount;
use dset_core::settings::{CostLimits, JobSpec};
use dset_core::time::stamp;
use dset_engine::os::clock::unix_ms;
use dset_engine::view::estimate::{Estimate, estimate_of};
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
/// whether it may begin where that is much and nothing limits it. A run that first waits for cheap hours
/// does so `until` they begin.
pub(super) fn before_run(
    spec: &JobSpec,
    limits: CostLimits,
    money: &Money,
    (left, until): (&[u64], Option<i64>),
    yes: bool,
    terminal: TerminalOptions,
) -> Result<(), UserError> {
    if left.iter().sum::<u64>() < ANSWERS_LEAST {
        return Ok(());
    }
    let models = spec.models.iter().map(|model| &*model.request.model);
    let models: Vec<(&str, u64)> = models.zip(left.iter().copied()).collect();
    // What cannot be read is said by the run, which opens the store to write.
    let estimate = |at: i64| estimate_of(&spec.output, &models, money.pricing(), at).ok();
    let Some(found) = estimate(until.unwrap_or_else(unix_ms)) else { return Ok(()) };
    let Some(words) = cost_words(&found, |model| &model.now) else { return Ok(()) };
    let time = time_words(&found).map(|time| format!(", {time}")).unwrap_or_default();
    let dear = until.and_then(|_| estimate(unix_ms()));
    let wait = until.map(|until| wait_words(until, &found, dear.as_ref())).unwrap_or_default();
    if !terminal.quiet {
        let answers = of(found.left(), "answer");
        display::remark(&format!("{answers} will cost about {words}{time}{wait}"));
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

/// Says that asks wait for cheap hours, and what that saves.
fn wait_words(until: i64, cheap: &Estimate, dear: Option<&Estimate>) -> String {
    let expected = |found: &Estimate| Some(cost(found, |model| &model.now)?.expected);
    let saved = dear.and_then(expected).zip(expected(cheap)).map(|(dear, cheap)| dear - cheap);
    let saved = saved.filter(|saved| *saved > 0.0).and_then(Amount::from_dollars);
    let saved = saved.map(|saved| format!(", {} less than now", saved.shown()));
    format!(", from {} UTC on{}", &stamp(until)[..16], saved.unwrap_or_default())
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

#[cfg(test)]
mod tests {
    use dset_core::money::Sample;
    use dset_engine::view::estimate::{Costs, ModelEstimate};

    use super::*;

    #[test]
    fn what_waits_for_cheap_hours_says_from_when_on_and_what_that_saves() {
        let estimate = |each: f64| {
            let mut sample = Sample::default();
            (0..9).for_each(|_| sample.add(each));
            let now = Costs { lower: sample, upper: sample, unknown: 0 };
            let model = ModelEstimate { left: 50, now, ..ModelEstimate::default() };
            Estimate { models: vec![model], ..Estimate::default() }
        };
        let (cheap, dear) = (estimate(0.01), estimate(0.02));
        let until = 1_795_406_400_000;
        let words = |dear| wait_words(until, &cheap, dear);
        assert_eq!(words(Some(&dear)), ", from 2026-11-23 04:00 UTC on, $0.50 less than now");
        assert_eq!(words(None), ", from 2026-11-23 04:00 UTC on");
        assert_eq!(words(Some(&cheap)), words(None));
    }
}
