//! `dset stats`: what the answers of a run are like.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use dset_core::answer::Cause;
use dset_core::histogram::Histogram;
use dset_core::money::Expenses;
use dset_core::settings::JobSpec;
use dset_engine::view::check_stats::{CheckStats, check_stats};
use dset_engine::view::stats::{Measures, Stats, stats};
use serde_json::{Value, json};

use crate::command::money::Money;
use crate::display;
use crate::display::page::{self, BOLD, Page};
use crate::display::text::{count, judged_before, of, one_line, shortened, span, tokens};
use crate::display::{pager, plot};
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;
use crate::run_selector::RunSelectorArgs;

#[derive(Debug, Args)]
#[command(
    after_help = "Counts every answer in the store, also those whose question is no longer in the \
file, but not those before `--again`. Medians and percentiles are off by less than 0.8 %, the slowest \
and the longest are exact. Asks nothing and changes nothing, also while `dset run` is at work.

Exit codes: 0 told, 1 the store cannot be read, 2 usage or input, or nothing was asked yet.

Examples:
  dset stats                        of ./q.csv and ./dset_generator
  dset stats in/q.csv -o out        of another run
  dset stats --json                 one JSON object, for a program"
)]
pub(crate) struct StatsArgs {
    #[command(flatten)]
    which: RunSelectorArgs,

    /// Write one JSON object to stdout
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &StatsArgs) -> Result<Exit, UserError> {
    let (which, settings, terminal) = super::shared::settings_of(&args.which)?;
    let Some(stats) = stats(&settings).map_err(explain::job)? else {
        return Err(super::shared::nothing_asked(&which, &settings));
    };
    let money = Money::read()?;
    let expenses = money.expenses(&settings.output).unwrap_or_default();
    if args.json || terminal.json {
        page::json(with_money(&settings, &stats, &expenses, &money)?);
        return Ok(Exit::Done);
    }
    let page = Page::kept();
    let checks = checks(&settings, &money)?;
    show(&page, &settings, &stats, &expenses, &checks);
    pager::write(&page.into_text());
    Ok(Exit::Done)
}

fn checks(settings: &JobSpec, money: &Money) -> Result<Vec<CheckStats>, UserError> {
    check_stats(&settings.output, money.pricing()).map_err(|error| explain::job(error.into()))
}

fn with_money(
    settings: &JobSpec,
    stats: &Stats,
    expenses: &Expenses,
    money: &Money,
) -> Result<Value, UserError> {
    let mut object = object(settings, stats);
    object["spent"] = display::money::object(expenses, money.prices.table);
    let checks = checks(settings, money)?;
    let checks = checks.iter().map(|check| {
        json!({
            "check": check.check,
            "passed": check.passed,
            "failed": check.failed,
            "unknown": check.unknown,
            "asked_again": check.asked_again,
            "spent_on_failed": display::money::total_object(&check.spent.spent),
        })
    });
    object["checks"] = checks.collect();
    object["judged_before"] = json!(stats.judged_before.rows);
    Ok(object)
}

fn show_checks(page: &Page, checks: &[CheckStats]) {
    for check in checks {
        let mut said = format!("{} pass, {} fail", count(check.passed), count(check.failed));
        if check.unknown > 0 {
            said += &format!(", {} unknown", count(check.unknown));
        }
        if check.asked_again > 0 {
            said += &format!("; {} of them asked again", count(check.asked_again));
        }
        if let Some(spent) = display::money::spent(&check.spent) {
            said += &format!("; spent on what fails: {spent}");
        }
        page.pair(&format!("check {}", check.check), &said);
    }
}

/// What `dset stats --json` writes; `None` where there is no store.
#[cfg(feature = "view")]
pub(super) fn report(settings: &JobSpec, money: &Money) -> Result<Option<Value>, UserError> {
    let Some(stats) = stats(settings).map_err(explain::job)? else { return Ok(None) };
    let expenses = money.expenses(&settings.output).unwrap_or_default();
    with_money(settings, &stats, &expenses, money).map(Some)
}

fn show(
    page: &Page,
    settings: &JobSpec,
    stats: &Stats,
    expenses: &Expenses,
    checks: &[CheckStats],
) {
    let (input, output) = (settings.input.display(), settings.output.display());
    let answers = of(stats.all.answers, "answer");
    page.plain(&format!("{input} {} {output}/: {answers}", page.arrow));
    page.blank();
    let ledger = &stats.ledger;
    let wanted = if stats.wants_several { " wanted" } else { "" };
    page.pair(
        "answered",
        &format!("{} of {}{wanted}", count(ledger.answered), count(ledger.questions)),
    );
    if ledger.failed() > 0 {
        let causes = stats.failed.iter().map(|ended| (&*ended.cause, ended.count));
        page.pair("failed", &format!("{}: {}", count(ledger.failed()), list(causes)));
    }
    let cut = cut(stats);
    if cut > 0 {
        page.pair("cut", &format!("{} at the token limit", of(cut, "answer")));
    }
    if stats.all.at_token_limit > 0 {
        let answers = of(stats.all.at_token_limit, "answer");
        page.pair("perhaps cut", &format!("{answers} exactly as long as the token limit"));
    }
    if stats.duplicates > 0 {
        page.pair(
            "duplicates",
            &format!("{} the same as an earlier one", of(stats.duplicates, "question")),
        );
    }
    show_checks(page, checks);
    if let Some(words) = judged_before(&stats.judged_before) {
        page.pair("judged before", &words);
    }
    measures(page, &stats.all);
    let asks = &stats.failed_asks;
    if asks.count > 0 {
        let causes = asks.causes.iter().map(|(cause, n)| (&**cause, *n));
        page.pair("failed asks", &format!("{}: {}", count(asks.count), list(causes)));
    }
    display::money::pairs(page, expenses);
    display::money::pairs_by_model_and_cause(page, expenses);
    if stats.models.len() > 1 {
        page.blank();
        page.line(BOLD, "models", "", 2);
        for (name, measures) in &stats.models {
            let name = name.as_deref().map_or_else(|| "others".to_owned(), |n| shortened(n, 40));
            let mut said = of(measures.answers, "answer");
            if let Some(median) = measures.took_ms.quantile(0.5) {
                said += &format!(", median {}", ms(median));
            }
            said += &format!(", {} out{}", tokens(measures.output), share(measures));
            page.pair(&name, &said);
        }
    }
    plot::draw(page, "seconds of an answer", &stats.all.took_ms, seconds_bound);
    plot::draw(page, "tokens of an answer", &stats.all.tokens, count);
}

fn measures(page: &Page, all: &Measures) {
    if all.answers == 0 {
        return;
    }
    page.blank();
    if all.output > 0 {
        let cached = match all.cached {
            0 => String::new(),
            number => format!(" ({} cached)", tokens(number)),
        };
        let (out, sent) = (tokens(all.output), tokens(all.input));
        page.pair("tokens", &format!("{out} out{}, {sent} in{cached}", share(all)));
    }
    let took = &all.took_ms;
    if let [Some(median), Some(p90), Some(p99)] = [0.5, 0.9, 0.99].map(|q| took.quantile(q)) {
        let slowest = all.slowest.map(|number| format!(" (question {})", count(number)));
        let (median, p90, p99, max) = (ms(median), ms(p90), ms(p99), ms(took.max()));
        let slowest = slowest.unwrap_or_default();
        page.pair(
            "seconds",
            &format!("median {median}, p90 {p90}, p99 {p99}, slowest {max}{slowest}"),
        );
    }
    for (name, lengths) in [("reasoning", &all.reasoning_length), ("answers", &all.answer_length)] {
        if let [Some(median), Some(p90)] = [0.5, 0.9].map(|q| lengths.quantile(q)) {
            let (median, p90, max) = (count(median), count(p90), count(lengths.max()));
            page.pair(name, &format!("median {median} characters, p90 {p90}, longest {max}"));
        }
    }
    if all.retried > 0 {
        page.pair("retried", &format!("{} took more than one ask", of(all.retried, "answer")));
    }
}

/// Answers cut by the token limit. Those that are kept may be among those that ended their questions.
fn cut(stats: &Stats) -> u64 {
    let ended = stats.failed.iter().filter(|ended| ended.cause == Cause::LengthLimit.code());
    stats.all.cut.max(ended.map(|ended| ended.count).sum())
}

fn share(measures: &Measures) -> String {
    match (measures.reasoning * 100).checked_div(measures.output) {
        // Older answers may have reasoning counted beside the output.
        Some(share) if measures.reasoning > 0 && share <= 100 => format!(" ({share} % reasoning)"),
        _ => String::new(),
    }
}

fn list<'a>(causes: impl Iterator<Item = (&'a str, u64)>) -> String {
    let words = causes.map(|(cause, number)| format!("{} {}", count(number), one_line(cause)));
    words.collect::<Vec<_>>().join(", ")
}

fn ms(ms: u64) -> String {
    match ms {
        0..100 => seconds_bound(ms),
        _ => span(Duration::from_millis(ms)),
    }
}

/// Writes a round number of milliseconds: `0.5s`, `20s`.
fn seconds_bound(ms: u64) -> String {
    format!("{}s", ms as f64 / 1000.0)
}

fn object(settings: &JobSpec, stats: &Stats) -> Value {
    let mut failed: BTreeMap<&str, u64> = BTreeMap::new();
    for ended in &stats.failed {
        *failed.entry(&ended.cause).or_default() += ended.count;
    }
    let asks: BTreeMap<&str, u64> =
        stats.failed_asks.causes.iter().map(|(cause, number)| (&**cause, *number)).collect();
    let models = stats.models.iter().map(|(name, measures)| {
        let mut object = measures_object(measures);
        object["model"] = json!(name);
        object
    });
    json!({
        "input": settings.input,
        "output": settings.output,
        "ledger": stats.ledger,
        "failed": failed,
        "failed_asks": asks,
        "cut": cut(stats),
        "duplicates": stats.duplicates,
        "all": measures_object(&stats.all),
        "models": models.collect::<Vec<_>>(),
    })
}

fn measures_object(measures: &Measures) -> Value {
    json!({
        "answers": measures.answers,
        "retried": measures.retried,
        "at_token_limit": measures.at_token_limit,
        "tokens": {
            "input": measures.input,
            "cached": measures.cached,
            "output": measures.output,
            "reasoning": measures.reasoning,
        },
        "seconds": sizes(&measures.took_ms, |ms| json!(ms as f64 / 1000.0)),
        "slowest_question": measures.slowest,
        "output_tokens": sizes(&measures.tokens, |n| json!(n)),
        "reasoning_characters": sizes(&measures.reasoning_length, |n| json!(n)),
        "answer_characters": sizes(&measures.answer_length, |n| json!(n)),
    })
}

/// The sizes that stand for all; null of none.
fn sizes(sizes: &Histogram, write: impl Fn(u64) -> Value) -> Value {
    let at = |share| sizes.quantile(share).map(&write);
    match sizes.count() {
        0 => Value::Null,
        number => json!({
            "count": number,
            "median": at(0.5),
            "p90": at(0.9),
            "p99": at(0.99),
            "max": write(sizes.max()),
        }),
    }
}
