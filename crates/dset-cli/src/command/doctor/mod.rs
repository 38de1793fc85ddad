//! `dset doctor`: whether a run would find all that it needs.

mod files;
mod keys;
mod question;
mod service;

use std::path::Path;

use clap::Args;
use dset_core::settings::{
    JobSpec, Resolved, RunOptions, Warning, endpoint, resolve_with_providers,
};
use dset_engine::os::clock::unix_ms;
use dset_engine::view::estimate::cached_rates;
use dset_engine::view::inspect::refusals;
use dset_engine::view::prompt_order::prompt_order;
use serde_json::json;

use crate::command::cost_limit::payees;
use crate::command::estimate::order_words;
use crate::command::money::Money;
use crate::command::off_peak;
use crate::display::page::{self, BAD, GOOD, Page};
use crate::display::text::{of, one_line};
use crate::error::{UserError, WARNING};
use crate::exit::Exit;
use crate::explain;
use crate::layers::{Environment, MergedLayer, SettingsLayer};
use crate::schema_file;

#[derive(Debug, Args)]
#[command(mut_arg("json", |json| json.help("Write one JSON object to stdout").long_help(None)))]
#[command(
    after_help = "Looks at the questions, the settings, the key, the service, the model, the balance \
where the service tells it, and the folder. Asks each model one question of one token, as a run would \
ask it, and says what that took; with `--offline` nothing is asked, and nothing costs. Takes the \
settings of `dset run`. Changes nothing, and can be used while a run goes on.

A cross is what a run would fail of, and has the command that mends it; an exclamation mark is what \
you may want to know.

Exit codes: 0 no crosses, 1 some, 2 usage.

Examples:
  dset doctor                       of ./q.csv and ./dset_generator
  dset doctor -m openai/gpt-6-luna  would that model answer?
  dset doctor --offline             without asking the service, at no cost
  dset doctor --json                one JSON object, for a program"
)]
pub(crate) struct DoctorArgs {
    /// Do not ask the service
    #[arg(long)]
    offline: bool,

    #[command(flatten)]
    layer: SettingsLayer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grade {
    Good,
    Warning,
    Problem,
}

/// One thing that was looked at.
#[derive(Debug)]
struct Check {
    grade: Grade,
    name: String,
    says: String,
    /// What mends it.
    fix: Option<String>,
}

impl Check {
    fn new(grade: Grade, name: impl Into<String>, says: impl Into<String>) -> Check {
        Check { grade, name: name.into(), says: says.into(), fix: None }
    }

    fn good(name: impl Into<String>, says: impl Into<String>) -> Check {
        Check::new(Grade::Good, name, says)
    }

    fn warning(name: impl Into<String>, says: impl Into<String>) -> Check {
        Check::new(Grade::Warning, name, says)
    }

    fn problem(name: impl Into<String>, says: impl Into<String>) -> Check {
        Check::new(Grade::Problem, name, says)
    }

    fn fix(mut self, fix: impl Into<String>) -> Check {
        self.fix = Some(fix.into());
        self
    }

    /// What a command would have failed of.
    fn error(name: impl Into<String>, error: UserError) -> Check {
        let says = match error.cause {
            Some(cause) => format!("{}: {cause}", error.message),
            None => error.message,
        };
        let fix = error.hints.into_iter().next();
        Check { grade: Grade::Problem, name: name.into(), says, fix }
    }
}

/// What a run would begin with.
struct Plan {
    environment: Environment,
    merged: MergedLayer,
    settings: JobSpec,
    options: RunOptions,
    warnings: Vec<Warning>,
}

pub(super) fn run(mut args: DoctorArgs) -> Result<Exit, UserError> {
    let mut as_json = args.layer.terminal.json == Some(true);
    let checks = match plan(std::mem::take(&mut args.layer)) {
        Ok(plan) => {
            as_json = plan.merged.terminal.resolve().json;
            checks(&plan, args.offline)?
        }
        Err(error) => vec![Check::error("settings", error)],
    };
    let count = |grade| checks.iter().filter(|check| check.grade == grade).count() as u64;
    let (problems, warnings) = (count(Grade::Problem), count(Grade::Warning));
    if as_json {
        page::json(object(&checks, problems, warnings));
    } else {
        show(&checks, problems, warnings);
    }
    Ok(if problems > 0 { Exit::Ours } else { Exit::Done })
}

fn plan(layer: SettingsLayer) -> Result<Plan, UserError> {
    let environment = Environment::read(Path::new("."))?;
    let mut said = environment.under(layer)?;
    schema_file::load(&mut said.layer)?;
    if let Some(path) = &said.layer.system_file {
        fs_err::metadata(path).map_err(|error| {
            UserError::new(Exit::Usage, "cannot read the system prompt").cause(error.to_string())
        })?;
    }
    let Resolved { spec, options, warnings } =
        resolve_with_providers(said.layer.clone(), None, &environment.providers)?;
    let names_folder = said.layer.output.is_some();
    let settings = super::shared::placed(spec, names_folder, said.terminal.resolve())?;
    Ok(Plan { environment, merged: said, settings, options, warnings })
}

fn checks(plan: &Plan, offline: bool) -> Result<Vec<Check>, UserError> {
    let (mut checks, columns) = files::questions(&plan.settings);
    let can_be_read = columns.is_some();
    checks.extend(files::settings(&plan.environment));
    checks.extend(refused(plan, columns.as_deref()));
    checks.extend(keys::keys(plan));
    checks.extend(files::dot_env(&plan.environment));
    checks.extend(files::keys_file(&plan.environment, &checks));
    match offline {
        true => checks.extend(service::from_afar(plan)),
        false => checks.extend(crate::command::shared::runtime()?.block_on(service::asked(plan))),
    }
    let (output, left) = files::output(&plan.settings, can_be_read);
    checks.extend(output);
    let may_be_sent =
        plan.settings.models.iter().all(|model| plan.environment.key(model, &plan.merged).is_ok());
    if left == Some(0) && may_be_sent {
        nothing_is_asked(&mut checks);
    }
    others_answer(plan, &mut checks);
    checks.extend(prompt_order_check(plan).filter(|_| can_be_read));
    checks.push(Check::good("dset", env!("CARGO_PKG_VERSION")));
    Ok(checks)
}

/// The settings with which a run would not begin.
fn refused(plan: &Plan, columns: Option<&[String]>) -> Vec<Check> {
    let (settings, options) = (&plan.settings, &plan.options);
    let money = Money::of(&plan.environment);
    let of_job = columns.map(|columns| refusals(settings, columns)).unwrap_or_default();
    let of_job = of_job.into_iter().map(explain::job);
    let limit = payees(settings, options.cost, &money).err();
    let hours = off_peak::rules(settings, options, &money, None).err();
    let errors = of_job.chain(limit).chain(hours);
    errors.map(|error| Check::error("settings", error)).collect()
}

/// What a template costs whose fields stand in an order that leaves the provider's cache empty.
fn prompt_order_check(plan: &Plan) -> Option<Check> {
    let (settings, money) = (&plan.settings, Money::of(&plan.environment));
    let request = &settings.model().request;
    cached_rates(settings, &request.model, money.pricing().prices, unix_ms())?;
    let order = prompt_order(settings, request).ok().flatten()?;
    Some(Check::warning("template", order_words(&order, None)))
}

/// What is wrong with a key or a service stops no run that has nothing to ask.
fn nothing_is_asked(checks: &mut [Check]) {
    let of_asks = |check: &&mut Check| {
        check.grade == Grade::Problem
            && matches!(&*check.name, "key" | "service" | "model" | "balance")
    };
    for check in checks.iter_mut().filter(of_asks) {
        check.grade = Grade::Warning;
        check.says += " (nothing is left to ask)";
    }
}

/// A place that does not answer stops no run whose models are asked at another as well.
fn others_answer(plan: &Plan, checks: &mut [Check]) {
    let out: Vec<String> = checks
        .iter()
        .filter(|check| check.name == "service" && check.grade == Grade::Problem)
        .map(|check| check.says.clone())
        .collect();
    let is_out = |url: &url::Url| {
        let at = one_line(&endpoint(url));
        let rest = |says: &String| says.strip_prefix(&*at).map(|rest| rest.starts_with([' ', '/']));
        out.iter().any(|says| rest(says) == Some(true))
    };
    let models = &plan.settings.models;
    if models.iter().all(|model| model.base_urls.len() == 1) {
        return;
    }
    if !models.iter().all(|model| model.base_urls.iter().any(|url| !is_out(url))) {
        return;
    }
    for check in checks.iter_mut().filter(|check| out.contains(&check.says)) {
        check.grade = Grade::Warning;
        check.says += "; another place is asked meanwhile";
    }
}

/// The width of the names of what was looked at.
const NAME: usize = 12;

fn show(checks: &[Check], problems: u64, warnings: u64) {
    let page = Page::open();
    for check in checks {
        let (style, mark) = match check.grade {
            Grade::Good => (GOOD, page.tick),
            Grade::Warning => (WARNING, "!"),
            Grade::Problem => (BAD, page.cross),
        };
        let words = format!("{:<NAME$} {}", one_line(&check.name), one_line(&check.says));
        page.line(style, &format!("  {mark} "), &words, NAME + 5);
    }
    page.blank();
    let counted: Vec<String> = [(problems, "problem"), (warnings, "warning")]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, noun)| of(number, noun))
        .collect();
    match counted.as_slice() {
        [] => page.line(GOOD, "", "nothing is wrong", 0),
        counted => page.plain(&counted.join(", ")),
    }
    let mut fixes: Vec<&String> = checks.iter().filter_map(|check| check.fix.as_ref()).collect();
    fixes.dedup();
    fixes.iter().for_each(|fix| page.hint(&one_line(fix)));
}

fn object(checks: &[Check], problems: u64, warnings: u64) -> serde_json::Value {
    let checks = checks.iter().map(|check| {
        let grade = match check.grade {
            Grade::Good => "good",
            Grade::Warning => "warning",
            Grade::Problem => "problem",
        };
        json!({ "grade": grade, "name": check.name, "says": check.says, "fix": check.fix })
    });
    json!({
        "problems": problems,
        "warnings": warnings,
        "checks": checks.collect::<Vec<_>>(),
    })
}
