//! `dset check`: holds every kept answer against the checks of now, and says what that changes.

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use dset_core::money::Amount;
use dset_core::run::EndReason;
use dset_core::settings::{JobSpec, resolve_with_providers};
use dset_engine::run::prepare::Decisions;
use dset_engine::view::check::{CheckReport, check};
use dset_engine::view::status::Rows;
use serde_json::{Value, json};

use super::money::Money;
use super::run::{Extras, Keys, RunSettings, ask};
use crate::display::page::{self, BAD, BOLD, GOOD, Page};
use crate::display::text::{count, of};
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;
use crate::layers::{Environment, SettingsLayer, TerminalOptions};
use crate::run_selector::RunSelectorArgs;
use crate::same_command::same_command_as;
use crate::schema_file;

#[derive(Debug, Args)]
#[command(
    after_help = "Reads every answer that is kept, those that were not accepted among them, and judges it \
by the checks of dset.toml and of these flags. Asks no service, costs nothing, and without --apply \
changes nothing.

Exit codes: 0 every question has an accepted answer, 1 the store cannot be read, or an output not written, 2 usage or input, or \
there are no checks, 3 some have none.

Examples:
  dset check                          by [[check]] in dset.toml
  dset check --gold answer            by the column with the right answers
  dset check --check length=..200     what another check would say
  dset check --apply                  place what passes now, and clear its marks"
)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    layer: SettingsLayer,

    /// Place answers that are accepted now in the outputs, and clear their marks
    #[arg(long)]
    apply: bool,
}

pub(super) fn run(args: CheckArgs) -> Result<Exit, UserError> {
    let environment = Environment::read(Path::new("."))?;
    environment.warn();
    let which = RunSelectorArgs::of(&args.layer.layer);
    let mut layer = args.layer.clone();
    layer.layer.schema = environment.under(layer.clone())?.layer.schema;
    schema_file::load(&mut layer.layer)?;
    let (spec, terminal) = super::shared::settings_under(&environment, layer.clone())?;
    if spec.checks.declared.is_empty() && spec.schema.is_none() {
        return Err(UserError::new(Exit::Usage, "there is no check")
            .cause("neither dset.toml nor a flag says what answers are to pass")
            .hint("Name one: `dset check --gold COLUMN`, or `--check no-refusal`")
            .hint("Or write a line `[[check]]` into dset.toml: see `dset help checks`"));
    }
    let Some(report) = check(&spec).map_err(explain::job)? else {
        return Err(super::shared::nothing_asked(&which, &spec));
    };
    let cut_short = match args.apply {
        true => apply(layer, &report, &environment)?,
        false => None,
    };
    let is_applied = args.apply && cut_short.is_none();
    let spent = Money::of(&environment).expenses(&spec.output).unwrap_or_default();
    let cost = spent.more_answers(&[("", report.to_ask)]).filter(|_| report.to_ask > 0);
    if terminal.json {
        page::json(object(&spec, &report, is_applied, cost));
    } else {
        tell(&report, is_applied, cost);
    }
    let missing = report.not_accepted.count + report.unanswered;
    Ok(match cut_short {
        Some(exit) => exit,
        None if missing == 0 => Exit::Done,
        None => Exit::Marked,
    })
}

/// Runs without a question: what is accepted is placed, and marks follow. Returns what is to be told where
/// that did not come to its end.
fn apply(
    layer: SettingsLayer,
    report: &CheckReport,
    environment: &Environment,
) -> Result<Option<Exit>, UserError> {
    let said = environment.under(layer)?;
    let options = resolve_with_providers(said.layer, None, &environment.providers)?.options;
    let terminal = TerminalOptions { quiet: true, json: false, ..said.terminal.resolve() };
    let nothing: Vec<_> = report.spec.models.iter().map(|_| None).collect();
    let keys = Keys { keys: &nothing, from: None, environment };
    let applies = Some(Arc::clone(&report.judged));
    let decisions = Decisions { applies, limit: Some(0), ..Decisions::default() };
    let settings = RunSettings { spec: report.spec.clone(), options, terminal };
    let asked = ask(settings, decisions, &keys, None, Extras::default())?;
    let is_whole = matches!(asked.ending.reason, EndReason::Complete);
    Ok((!is_whole).then(|| Exit::of(&asked.ending, asked.agreed)))
}

fn tell(report: &CheckReport, is_applied: bool, cost: Option<Amount>) {
    let page = Page::open();
    page.line(BOLD, &of(report.answers, "answer"), " read again", 2);
    for check in &report.checks {
        let unknown = match check.unknown {
            0 => String::new(),
            unknown => format!(", {} unknown", count(unknown)),
        };
        let words = format!(" {} pass, {} fail{unknown}", count(check.passed), count(check.failed));
        page.line(BOLD, &check.check, &words, 2);
    }
    match report.not_accepted.count + report.unanswered {
        0 => page.line(GOOD, page.tick, " every question has an answer that is accepted", 2),
        failed => {
            let words = format!(" of {} accepted", of(report.accepted + failed, "question"));
            page.line(BAD, &count(report.accepted), &words, 2);
        }
    }
    if report.unanswered > 0 {
        page.pair("without an answer", &count(report.unanswered));
    }
    let named = |rows: &Rows| {
        let first: Vec<String> = rows.first.iter().map(u64::to_string).collect();
        let more = if rows.count > first.len() as u64 { ", …" } else { "" };
        format!("{} (row {}{more})", count(rows.count), first.join(", "))
    };
    let changes = [
        ("newly accepted", &report.newly_accepted),
        ("not accepted any more", &report.newly_failed),
        ("of these in the outputs, until `dset export --rebuild`", &report.in_outputs),
    ];
    for (what, rows) in changes.into_iter().filter(|(_, rows)| rows.count > 0) {
        page.pair(what, &named(rows));
    }
    if report.to_ask > 0 {
        let cost = match cost {
            Some(cost) => format!("about {}, by what the answers cost so far", cost.shown()),
            None => "what that costs is not known".to_owned(),
        };
        let asks = format!("{}: {cost}", count(report.to_ask));
        page.pair("asked again by the next run", &asks);
    }
    if !is_applied && report.newly_accepted.count > 0 {
        let command = same_command_as("check", &[]);
        page.hint(&format!("Place what is accepted now: `{command} --apply`"));
    }
}

fn object(spec: &JobSpec, report: &CheckReport, is_applied: bool, cost: Option<Amount>) -> Value {
    let checks = report.checks.iter().map(|check| {
        json!({
            "check": check.check,
            "passed": check.passed,
            "failed": check.failed,
            "unknown": check.unknown,
        })
    });
    json!({
        "input": spec.input,
        "output": spec.output,
        "answers": report.answers,
        "checks": checks.collect::<Vec<_>>(),
        "accepted": report.accepted,
        "unanswered": report.unanswered,
        "not_accepted": report.not_accepted,
        "newly_accepted": report.newly_accepted,
        "newly_failed": report.newly_failed,
        "in_outputs": report.in_outputs,
        "to_ask": report.to_ask,
        "to_ask_cost": cost.map(|cost| cost.to_string()),
        "applied": is_applied,
    })
}
