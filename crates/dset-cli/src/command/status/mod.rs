//! `dset status`: where the run stands.

mod watch;

use std::path::Path;
use std::time::Duration;

use clap::Args;
use dset_core::answer::Cause;
use dset_core::money::{Amount, Expenses, next_limit};
use dset_core::plan::ledger::Fault;
use dset_core::run::EndReason;
use dset_core::settings::{CostLimits, JobSpec};
use dset_engine::os::clock::unix_ms;
use dset_engine::os::lock::Running;
use dset_engine::run::budget;
use dset_engine::store::{FailedAsks, Recent, Session, Store};
use dset_engine::view::status::{RunStatus, run_status};
use serde_json::{Value, json};

use crate::command::forecast;
use crate::command::money::Money;
use crate::command::resume_command::{LastRun, redo_command, resume_command};
use crate::display;
use crate::display::hints::advice;
use crate::display::page::{self, DIM, Page};
use crate::display::preamble::{BY_SAMPLE, bad_rows, left_out};
use crate::display::text::{clock, count, judged_before, of, one_line, span, when, written};
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;
use crate::run_selector::RunSelectorArgs;
use watch::watch;

#[derive(Debug, Args)]
#[command(
    after_help = "Reads the questions and the store, asks nothing and changes nothing: it can be \
used at any time, also while `dset run` is at work in another terminal.

Every question is counted once: questions = answered + taken as answered + rejected + gave up + \
pending. Rejected and given up are the rows that say ERROR; the next run asks them again.

With --watch it goes on after the end of the run, as `watch` does, until Ctrl-C; with --json it \
writes an object a line.

Exit codes: 0 told, also where nothing was asked yet, 1 the store cannot be read, 2 usage or input, \
130 and 143 watched until Ctrl-C or SIGTERM.

Examples:
  dset status                       of ./q.csv and ./dset_generator
  dset status in/q.csv -o out       of another run
  dset status --json                one JSON object, for a program
  dset status --watch               again every 2 seconds, in place
  dset status --watch 60 >> log     in a pipe or a file one block behind the other"
)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) which: RunSelectorArgs,

    /// Tell it again every so many seconds, until Ctrl-C; 2 where none are named
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) watch: Option<u64>,

    /// Write one JSON object to stdout
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &StatusArgs) -> Result<Exit, UserError> {
    let (which, settings, terminal) = super::shared::settings_of(&args.which)?;
    let money = Money::read()?;
    let json = args.json || terminal.json;
    if let Some(seconds) = args.watch {
        return watch(&settings, Duration::from_secs(seconds), |standing| match json {
            true => format!("{}\n", object(&settings, standing, &money)),
            false => {
                let page = Page::kept();
                show(&page, &which, &settings, standing, &money);
                page.blank();
                let now = clock(unix_ms());
                page.line(DIM, &format!("at {now}, every {seconds} s until Ctrl-C"), "", 0);
                page.into_text()
            }
        });
    }
    let standing = run_status(&settings).map_err(explain::job)?;
    if !standing.has_store
        && let Some(error) = super::shared::folder_of_job(&settings.output)
    {
        return Err(error);
    }
    match json {
        true => page::json(object(&settings, &standing, &money)),
        false => show(&Page::open(), &which, &settings, &standing, &money),
    }
    Ok(Exit::Done)
}

/// What `dset status --json` writes.
#[cfg(feature = "view")]
pub(super) fn report(settings: &JobSpec, money: &Money) -> Result<Value, UserError> {
    let standing = run_status(settings).map_err(explain::job)?;
    Ok(object(settings, &standing, money))
}

/// Tells of the run in this folder, for whoever has said nothing else; nothing where there is none.
pub(crate) fn here() -> Option<Result<Exit, UserError>> {
    let args = StatusArgs { which: RunSelectorArgs::default(), watch: None, json: false };
    let is_here = match super::shared::settings_of(&args.which) {
        Ok((_, settings, _)) => settings.input.is_file() || Store::exists(&settings.output),
        // What is wrong with them is worth hearing where a run is meant.
        Err(_) => Path::new("q.csv").is_file(),
    };
    is_here.then(|| run(&args))
}

fn show(
    page: &Page,
    which: &RunSelectorArgs,
    settings: &JobSpec,
    standing: &RunStatus,
    money: &Money,
) {
    let ledger = &standing.ledger;
    page.plain(&format!(
        "{} {} {}/: {}",
        settings.input.display(),
        page.arrow,
        settings.output.display(),
        state(standing)
    ));
    page.blank();
    page.bar(ledger.answered, ledger.questions);
    page.blank();
    let causes = |wanted: Fault| {
        let of = standing.failed.iter().filter(|ended| ended.fault == wanted);
        of.map(|ended| format!("{} {}", count(ended.count), one_line(&ended.cause)))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let term = |name: &str, number: u64, more: &str| {
        let gap = if more.is_empty() { "" } else { "   " };
        page.pair(name, &format!("{:>9}{gap}{more}", count(number)));
    };
    term("answered", ledger.answered, "");
    if ledger.presumed > 0 {
        term("taken as answered", ledger.presumed, "before a bookmark of the original script");
    }
    term(Fault::Rejected.code(), ledger.rejected, &causes(Fault::Rejected));
    term(Fault::GaveUp.code(), ledger.gave_up, &causes(Fault::GaveUp));
    if !standing.failed_checks.is_empty() {
        let of = standing.failed_checks.iter();
        let of = of.map(|(check, number)| format!("{check} {}", count(*number)));
        page.pair("failed checks", &of.collect::<Vec<_>>().join(", "));
    }
    if let Some(words) = judged_before(&standing.judged_before) {
        page.pair("judged before", &words);
    }
    let unjudged = match standing.unjudged {
        0 => String::new(),
        unjudged => format!("{} answered, and not judged so far", count(unjudged)),
    };
    term("pending", ledger.pending, &unjudged);
    if standing.rescued > 0 {
        term("rescued", standing.rescued, "wait in dset.rescue: the next run takes them in first");
    }
    let verdict = if ledger.balances() { "= the sum: it balances" } else { "is NOT the sum" };
    let total = if standing.wants_several() { "answers wanted" } else { "questions" };
    term(total, ledger.questions, verdict);
    if standing.empty > 0 {
        page.pair("", &format!("{} skipped", of(standing.empty, "empty row")));
    }
    let others = [bad_rows(&standing.bad_rows), left_out(&standing.left_out, BY_SAMPLE)];
    for words in others.into_iter().flatten() {
        page.pair("", &words);
    }
    page.blank();
    if standing.has_store {
        page.pair("outputs", &outputs(standing));
    }
    page.pair("marks", &marks(standing));
    if standing.failed_asks.count > 0 {
        page.pair("failed asks", &failed_asks(&standing.failed_asks));
    }
    let expenses = money.expenses(&settings.output).unwrap_or_default();
    display::money::pairs(page, &expenses);
    if let Some(most) = money.limit {
        page.pair("limit", &display::money::limit(most, &expenses));
    }
    if let Some(words) = forecast::cheaper(settings, standing, money) {
        page.pair("cheaper", &words);
    }
    let endpoint = standing.endpoint().map_or_else(|| settings.model().endpoint(), one_line);
    let endpoint = written(&endpoint);
    let models = standing.requests.iter().map(|request| one_line(&request.model));
    let mut models = models.collect::<Vec<_>>().join(", ");
    if standing.samples > 1 {
        models += &format!(", {} of each", of(u64::from(standing.samples), "sample"));
    }
    page.pair("model", &format!("{models} at {endpoint}"));
    if let Some(session) = &standing.session {
        page.pair("last run", &session_words(session, &standing.running));
    }
    for redo in standing.open_redos.iter().filter(|_| !is_running(standing)) {
        let began = when(redo.began);
        page.pair(
            "redo",
            &format!(
                "{}, begun {began}, is not done: the same `dset redo` goes on",
                one_line(&redo.rows)
            ),
        );
    }
    if let Some(recent) = &standing.recent {
        page.pair("last minute", &recent_words(recent));
    }
    if standing.generation > 0 {
        page.pair(
            "asked again",
            &format!("{} (`--again`)", of(u64::from(standing.generation), "time")),
        );
    }
    let mut hints = hints(which, settings, standing, money, &expenses);
    hints.extend(display::money::price_hint(&expenses));
    if !hints.is_empty() {
        page.blank();
    }
    hints.iter().for_each(|hint| page.hint(hint));
    if standing.running == Running::Unknown {
        page.line(
            DIM,
            "",
            "this file system has no locks: whether a run is going on is not known",
            0,
        );
    }
}

fn is_running(standing: &RunStatus) -> bool {
    matches!(standing.running, Running::Yes(_))
}

/// Whether a run goes on, and how far everything is, in a few words.
fn state(standing: &RunStatus) -> String {
    match &standing.running {
        Running::Yes(Some(holder)) => {
            format!("running, process {}, since {}", holder.pid, when(holder.started_at))
        }
        Running::Yes(None) => "running".to_owned(),
        _ if !standing.has_store => "nothing was asked yet".to_owned(),
        _ => "not running".to_owned(),
    }
}

fn outputs(standing: &RunStatus) -> String {
    let first = standing.outputs[0].rows;
    let files = |rows: u64, names: &[&str]| format!("{} in {}", of(rows, "row"), names.join(", "));
    let names: Vec<&str> = standing.outputs.iter().map(|output| output.file).collect();
    let same = standing.outputs.iter().all(|output| output.rows == first);
    let mut words = match same {
        true => files(first, &names),
        false => {
            let each = standing.outputs.iter().map(|output| files(output.rows, &[output.file]));
            each.collect::<Vec<_>>().join(", ")
        }
    };
    let least = standing.outputs.iter().map(|output| output.rows).min().unwrap_or(0);
    let waiting = standing.ledger.answered.saturating_sub(least);
    if waiting > 0 && standing.placed >= least {
        words += &format!(", {} still to be written", count(waiting));
    }
    words
}

fn failed_asks(asks: &FailedAsks) -> String {
    let causes: Vec<String> =
        asks.causes.iter().map(|(cause, n)| format!("{} {}", count(*n), one_line(cause))).collect();
    let paid = match asks.maybe_paid {
        0 => "none of them may have been paid for".to_owned(),
        number => format!("{} may have been paid for", count(number)),
    };
    let beside = match asks.were_dropped {
        true => "; not counted: asks that a run dropped on their way, which may have been",
        false => "",
    };
    format!("{}: {}; {paid}{beside}", count(asks.count), causes.join(", "))
}

fn marks(standing: &RunStatus) -> String {
    let Some(marks) = &standing.marks else {
        return "none: this input is never written; `dset show --failed` names what failed".into();
    };
    let mut words = match marks.marked {
        1 => "1 row says ERROR".to_owned(),
        number => format!("{} say ERROR", of(number, "row")),
    };
    for (rows, what) in [
        (&marks.waiting, "still to be marked"),
        (&marks.though_answered, "of them answered, to be cleared"),
    ] {
        if rows.count > 0 {
            words += &format!(", {} {what}", count(rows.count));
        }
    }
    words
}

fn session_words(session: &Session, running: &Running) -> String {
    let began = format!("began {}", when(session.started_at));
    match (session.ended_at, &session.ending) {
        (Some(at), Some(ending)) => format!("{began}, ended {}: {}", when(at), one_line(ending)),
        (Some(at), None) => format!("{began}, ended {}", when(at)),
        (None, _) if matches!(running, Running::Yes(_)) => format!("{began}, is going on"),
        (None, _) => format!("{began}, ended without saying goodbye; every answer is intact"),
    }
}

/// What came lately. How many are on their way is not said: only the run itself knows.
fn recent_words(recent: &Recent) -> String {
    let mut words = of(recent.answers, "answer");
    if recent.failed_asks > 0 {
        words += &format!(", {}", of(recent.failed_asks, "failed ask"));
    }
    if let Some(at) = recent.answered_at {
        let ago = u64::try_from(unix_ms() - at).unwrap_or(0);
        words += &format!("; the last {} ago", span(Duration::from_millis(ago)));
        recent.row.iter().for_each(|row| words += &format!(", to row {row}"));
    }
    words
}

/// What was asked last, and where.
pub(super) fn last_run(standing: &RunStatus) -> Option<LastRun<'_>> {
    LastRun::of(
        standing.endpoint(),
        standing.invocation.as_ref(),
        (&standing.requests, standing.samples),
        standing.cost_limit,
    )
}

fn hints(
    which: &RunSelectorArgs,
    settings: &JobSpec,
    standing: &RunStatus,
    money: &Money,
    expenses: &Expenses,
) -> Vec<String> {
    let ledger = &standing.ledger;
    if is_running(standing) {
        return Vec::new();
    }
    let mut before = last_run(standing);
    let is_reached = standing.session.as_ref().and_then(|session| session.ending.as_deref())
        == Some(EndReason::COST_LIMIT)
        && standing.cost_limit.total.or(money.limit).is_some();
    let enough = || {
        let limit = standing.cost_limit.total.or(money.limit)?;
        let used = expenses.spent.upper + expenses.unsure;
        let rest = expenses.more_answers(&standing.left_of_models());
        let limits = CostLimits { total: Some(limit), ..standing.cost_limit };
        let least = budget::least_ask(settings, limits, money.pricing().prices);
        Some(next_limit(used, limit, rest, least.unwrap_or_default()))
    };
    // With the same limit.
    let forgiving = resume_command(which, before.as_ref(), &[]).ticked_with(" --forgive-lost");
    if let Some(before) = before.as_mut().filter(|_| is_reached) {
        before.cost_limit.total = enough();
    }
    let again = |without: &[&str], words: &str| {
        resume_command(which, before.as_ref(), without).ticked_with(words)
    };
    let run = again(&[], "");
    if standing.has_legacy_outputs {
        return vec![format!(
            "There are outputs of the original script: {run} takes their rows as answered, and asks \
             the rest"
        )];
    }
    if !standing.has_store && ledger.questions == 0 {
        return vec![explain::WRITE_QUESTIONS.to_owned()];
    }
    if !standing.has_store {
        let elsewhere = super::shared::stores_elsewhere(settings);
        return vec![
            super::shared::at_another_store("status", &elsewhere)
                .unwrap_or_else(|| format!("Ask the questions with {run}")),
        ];
    }
    let mut hints = Vec::new();
    if ledger.presumed > 0 {
        let presumed = of(ledger.presumed, "question");
        hints.push(format!("{presumed} without a text: {run} with `--from-start` asks them"));
    }
    let why = || format!("See why with `{}`", which.command_with("show --failed", "--questions"));
    hints.extend((ledger.failed() > 0).then(why));
    match (ledger.pending, ledger.failed().saturating_sub(standing.kept)) {
        (0, 0) => {}
        (0, _) => {
            let is_worker = resume_command(which, before.as_ref(), &[]).is_worker();
            let words = if is_worker { " --again-failed" } else { "" };
            hints.push(format!("Ask the failed questions again with {}", again(&[], words)));
        }
        _ if is_reached => {
            hints.push(format!("The limit is reached: {run} goes on with a higher one"));
        }
        _ => hints.push(format!("Run {run} to continue")),
    }
    if expenses.unsure > Amount::ZERO && (standing.cost_limit.are_set() || money.limit.is_some()) {
        hints.push(format!(
            "Once the service's bill shows that replies that did not come are not on it: {forgiving}"
        ));
    }
    // Those the same command does not ask again.
    let causes = standing.failed.iter().map(|ended| &*ended.cause).filter(|_| standing.kept > 0);
    let kept = causes.filter(|cause| Cause::from_code(cause).is_some_and(Cause::keeps_answer));
    let redo = redo_command(which, before.as_ref()).ticked_with(" --failed");
    let is_shard = before.as_ref().is_some_and(LastRun::is_shard);
    hints.extend(advice(kept, again, &redo, is_shard));
    hints
}

/// Who runs, for a program.
pub(super) fn running(running: &Running) -> Value {
    match running {
        Running::No => json!(false),
        Running::Unknown => Value::Null,
        Running::Yes(holder) => {
            let (pid, at) = (holder.as_ref().map(|h| h.pid), holder.as_ref().map(|h| h.started_at));
            json!({ "pid": pid, "started_at": at })
        }
    }
}

fn object(settings: &JobSpec, standing: &RunStatus, money: &Money) -> Value {
    let causes = standing.failed_asks.causes.iter();
    let causes: serde_json::Map<String, Value> =
        causes.map(|(cause, number)| (cause.clone(), json!(number))).collect();
    let marks = standing.marks.clone().unwrap_or_default();
    let mut object = json!({
        "input": settings.input,
        "output": settings.output,
        "has_store": standing.has_store,
        "running": running(&standing.running),
        "ledger": standing.ledger,
        "rescued": standing.rescued,
        "balances": standing.ledger.balances(),
        "empty": standing.empty,
        "bad_rows": standing.bad_rows.count,
        "left_out": standing.left_out.count(),
        "failed": standing.failed,
        "failed_checks": standing.failed_checks,
        "judged_before": standing.judged_before.rows,
        "marks": {
            "marked": marks.marked,
            "waiting": marks.waiting.count,
            "unmarked": marks.unmarked.count,
            "though_answered": marks.though_answered.count,
        },
        "outputs": standing.outputs,
        "failed_asks": {
            "count": standing.failed_asks.count,
            "maybe_paid": standing.failed_asks.maybe_paid,
            "causes": causes,
        },
        "model": standing.requests[0].model,
        "endpoint": standing.endpoint().unwrap_or(settings.model().base_url().as_str()),
        "edition": standing.generation,
        "open_redos": standing.open_redos,
        "last_run": standing.session.as_ref().map(|session| json!({
            "started_at": session.started_at,
            "ended_at": session.ended_at,
            "ending": session.ending,
        })),
    });
    let expenses = money.expenses(&settings.output).unwrap_or_default();
    object["spent"] = display::money::object(&expenses, money.prices.table);
    if let Some(recent) = &standing.recent {
        object["recent"] = json!(recent);
    }
    if standing.wants_several() {
        object["models"] = standing.requests.iter().map(|request| &*request.model).collect();
        object["samples"] = json!(standing.samples);
    }
    object
}
