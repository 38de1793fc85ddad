//! `dset estimate`: what the rest of a run will probably cost, and how long it will take.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use dset_core::money::{Amount, Forecast, SAMPLE_LEAST};
use dset_core::provider::Balance;
use dset_core::settings::{JobSpec, resolve_with_providers};
use dset_core::template::order::OrderAdvice;
use dset_core::time::{rfc3339, stamp};
use dset_engine::os::clock::unix_ms;
use dset_engine::source::is_there;
use dset_engine::store::last_run;
use dset_engine::view::estimate::{Costs, Estimate, ModelEstimate, estimate};
use serde_json::{Value, json};

use crate::command::check_key::{balance, money as amounts};
use crate::command::job::ShardArgs;
use crate::command::money::Money;
use crate::command::run::{DecisionArgs, EndArgs, RunArgs, resolved, run_rows};
use crate::display::page::{self, Page};
use crate::display::text::{about, by, count, of, one_line, tokens};
use crate::error::UserError;
use crate::exit::Exit;
use crate::explain;
use crate::layers::{Environment, MergedLayer, Origin, SettingsLayer};
use crate::same_command::same_command_as;
use crate::setting::Setting;

#[derive(Debug, Args)]
#[command(mut_arg("json", |json| json.help("Write one JSON object to stdout").long_help(None)))]
#[command(
    after_help = "Reckons from the answers that this folder has, as if those that are left were like them, with the tries that \
checks made of each; in nine of ten cases the sum lies between the numbers in brackets. With --pilot it \
buys some first, of the run's own questions, evenly from the whole file; they count as answers, and it takes the settings of \
`dset run`. Without, it asks \
no question and changes nothing. The balance, where the service tells it, costs nothing to ask for. Replies of no use and the end of a run's patience are not in it.

Exit codes: 0 told, 1 the store cannot be read, 2 usage or input, or there are too few answers; with --pilot \
also those of `dset run`.

Examples:
  dset estimate --pilot 50          buy 50 answers, then say what the rest will take
  dset estimate                     what the rest will take
  dset estimate --json              one JSON object, for a program"
)]
pub(crate) struct EstimateArgs {
    /// Buy the answers of N rows first, chosen evenly from the whole file
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pilot: Option<u64>,

    /// With --pilot, begin without a question, whatever the pilot is going to cost
    #[arg(long, requires = "pilot")]
    yes: bool,

    #[command(flatten)]
    layer: SettingsLayer,
}

/// Settings on which answers depend.
const OF_THE_REQUEST: [&str; 12] = [
    "model",
    "samples",
    "base_url",
    "system",
    "system_file",
    "template",
    "max_tokens",
    "temperature",
    "reasoning",
    "reasoning_effort",
    "param",
    "schema",
];

pub(super) fn run(args: EstimateArgs) -> Result<Exit, UserError> {
    let mut exit = Exit::Done;
    if let Some(rows) = args.pilot {
        if rows < SAMPLE_LEAST {
            return Err(UserError::new(Exit::Usage, "a pilot of so few rows tells nothing")
                .cause(format!("{SAMPLE_LEAST} answers are the least to reckon from"))
                .hint(format!(
                    "Buy more: `{} --pilot 50`",
                    same_command_as("estimate", &["pilot"])
                )));
        }
        exit = run_rows(pilot_of(&args.layer, args.yes), Some(rows), None)?;
        if !matches!(exit, Exit::Done | Exit::Marked) {
            return Ok(exit);
        }
    } else if let Some(flag) = OF_THE_REQUEST.iter().find(|id| args.layer.layer.said().contains(id))
    {
        return Err(of_another_request(flag));
    }
    let environment = Environment::read(Path::new("."))?;
    environment.warn();
    // That of `dset run` with the same words.
    let mut flags = args.layer.clone();
    let asked = environment.under(flags.clone())?.layer;
    let asked = resolve_with_providers(asked, None, &environment.providers)?.spec.input;
    if is_there(&asked) {
        flags.layer.input = Some(asked);
    }
    let (settings, terminal) = super::shared::settings_under(&environment, flags)?;
    let said = environment.under(args.layer.clone())?;
    if let Some(id) = changed(&said, &settings.output, &environment)? {
        return Err(of_a_changed_request(id, &said, &environment));
    }
    let money = Money::of(&environment);
    let now = unix_ms();
    let found = estimate(&settings, money.pricing(), now).map_err(explain::job)?;
    let asked = found.models.iter().filter(|model| model.left > 0);
    if let Some(model) = asked.min_by_key(|model| model.counted())
        && model.counted() < SAMPLE_LEAST
    {
        return Err(too_few(model, found.models.len() > 1));
    }
    let balance =
        if found.left() > 0 { balance_of(&environment, &settings, args.layer)? } else { None };
    match terminal.json {
        true => page::json(object(&settings, &found, &money, balance.as_ref())),
        false => show(&Page::open(), &settings, &found, balance.as_ref()),
    }
    Ok(exit)
}

/// The error of a flag that says how a question is asked: what answers to it are like, no answer tells.
fn of_another_request(flag: &str) -> UserError {
    let flag = format!("--{}", flag.replace('_', "-"));
    UserError::new(Exit::Usage, format!("without `--pilot`, `dset estimate` takes no `{flag}`"))
        .cause("it reckons from the answers in this folder, as the last run asked for them")
        .hint(format!(
            "Buy some as it says: `{} --pilot 50`",
            same_command_as("estimate", &["pilot"])
        ))
        .hint("Leave the flag out for what the last run left")
}

/// Finds what a place says of how a question is asked otherwise than the last run had it.
fn changed(
    said: &MergedLayer,
    folder: &Path,
    environment: &Environment,
) -> Result<Option<&'static str>, UserError> {
    let is_said = |id: &&'static str| said.origin(id) != Origin::Default;
    let told: Vec<&'static str> = OF_THE_REQUEST.into_iter().filter(is_said).collect();
    // Whatever is wrong with the store is said by who reads it next.
    let last = if told.is_empty() { None } else { last_run(folder).ok().flatten() };
    let Some(last) = last.filter(|last| !last.requests.is_empty()) else { return Ok(None) };
    let now = resolved(said.layer.clone(), &environment.providers)?.spec;
    let (new, old) = (&now.model().request, &last.requests[0]);
    let is_changed = |id: &&'static str| match *id {
        "model" => {
            let asked = now.models.iter().map(|model| &model.request.model);
            !asked.eq(last.requests.iter().map(|request| &request.model))
        }
        "samples" => now.samples != last.samples,
        "base_url" => now.model().endpoint() != last.endpoint,
        "system" | "system_file" => new.system != old.system,
        "template" => new.template != old.template,
        "max_tokens" => new.max_tokens != old.max_tokens,
        "temperature" => new.temperature != old.temperature,
        "reasoning" => new.reasoning != old.reasoning,
        "reasoning_effort" => new.reasoning_effort != old.reasoning_effort,
        "param" => new.params != old.params,
        _ => new.schema != old.schema,
    };
    Ok(told.into_iter().find(is_changed))
}

/// The error of a setting that the answers that are there were not asked with.
fn of_a_changed_request(id: &str, said: &MergedLayer, environment: &Environment) -> UserError {
    let name = id.replace('_', "-");
    let place = Setting::named(&name).map(|setting| environment.place(&setting, said));
    let place = place.unwrap_or_default();
    UserError::new(Exit::Usage, format!("`{name}` ({place}) is not what the last run asked with"))
        .cause("answers are reckoned from as the last run asked for them")
        .hint(format!(
            "Buy some as it says: `{} --pilot 50`",
            same_command_as("estimate", &["pilot"])
        ))
        .hint("Or put it back for what the last run left")
}

/// What is left to spend at the service of the first model, where there is a key and it tells.
fn balance_of(
    environment: &Environment,
    settings: &JobSpec,
    layer: SettingsLayer,
) -> Result<Option<Balance>, UserError> {
    let said = environment.under(layer)?;
    // What is wrong with a key is said by whoever asks with it.
    let key = environment.key(settings.model(), &said).ok().flatten();
    key.map_or(Ok(None), |key| balance(settings.model(), &key.secret))
}

/// How many of the answers that are left a balance in dollars pays for, as far as can be expected.
fn answers_paid(found: &Estimate, balance: &Balance) -> Option<u64> {
    let cost = cost(found, |model| &model.now).filter(|cost| cost.expected > 0.0)?;
    Some(dset_core::money::answers_paid(balance.dollars_alone()?, cost.expected, found.left()))
}

fn balance_words(found: &Estimate, balance: &Balance) -> String {
    let left = found.left();
    match answers_paid(found, balance) {
        None => amounts(balance),
        Some(paid) if paid == left => format!("{}, enough for all", amounts(balance)),
        Some(paid) => {
            format!(
                "{}, lasts for about {} of {}",
                amounts(balance),
                count(paid),
                of(left, "answer")
            )
        }
    }
}

/// The run that buys the pilot: of it people are told, and a program of the estimate alone.
fn pilot_of(layer: &SettingsLayer, yes: bool) -> RunArgs {
    let mut layer = layer.clone();
    layer.terminal.json = Some(false);
    RunArgs {
        layer,
        shard: ShardArgs::default(),
        decisions: DecisionArgs { yes, ..DecisionArgs::default() },
        dataset: EndArgs::default(),
        #[cfg(unix)]
        ack_fd: None,
    }
}

fn too_few(model: &ModelEstimate, is_of_several: bool) -> UserError {
    let (answers, left) = (model.counted(), model.left);
    let whose =
        if is_of_several { format!(" of {}", one_line(&model.model)) } else { String::new() };
    UserError::new(Exit::Usage, "there are too few answers to reckon from")
        .cause(format!(
            "{}{whose} {} counted tokens here, and {SAMPLE_LEAST} are the least; {} left",
            of(answers, "answer"),
            by(answers, "has", "have"),
            by(left, "1 is", &format!("{} are", count(left)))
        ))
        .hint(format!(
            "Buy some of the run's own, which count: `{} --pilot 50`",
            same_command_as("estimate", &["pilot"])
        ))
}

fn show(page: &Page, settings: &JobSpec, found: &Estimate, balance: Option<&Balance>) {
    let (input, output) = (settings.input.display(), settings.output.display());
    page.plain(&format!("{input} {} {output}/", page.arrow));
    page.blank();
    page.pair("left", &of(found.left(), "answer"));
    if found.left() == 0 {
        return;
    }
    let (input, output) = tokens_of(found);
    for (name, sum) in [("tokens in", input), ("tokens out", output)] {
        if let Some(sum) = sum {
            let shown = |number: f64| tokens(number.round() as u64);
            let (low, high) = (shown(sum.low), shown(sum.high));
            page.pair(name, &format!("{} ({low} to {high})", shown(sum.expected)));
        }
    }
    let of_now = cost_words(found, |model| &model.now);
    page.pair("cost", &of_now.unwrap_or_else(|| "unknown".to_owned()));
    if let (Some(at), Some(words)) = (found.next_tariff_at, cost_words(found, |model| &model.then))
    {
        page.pair("", &format!("from {} UTC {words}", &stamp(at)[..16]));
    }
    if let Some(balance) = balance {
        page.pair("balance", &balance_words(found, balance));
    }
    if let Some(took) = time_words(found) {
        page.pair("time", &format!("{took}, at the pace of the last run"));
    }
    page.pair("reckoned from", &of(found.answers(), "answer"));
    if let Some(order) = &found.order {
        page.blank();
        page.hint(&order_words(order, found.order_saves));
    }
}

fn tokens_of(found: &Estimate) -> (Option<Forecast>, Option<Forecast>) {
    (
        found.total(|model| model.input.forecast(model.left)),
        found.total(|model| model.output.forecast(model.left)),
    )
}

/// Returns what the answers that are left will cost: from the least where the counts that are missing are
/// cheap to the most where they are dear.
pub(super) fn cost(found: &Estimate, costs: fn(&ModelEstimate) -> &Costs) -> Option<Forecast> {
    found.total(|model| {
        let (lower, upper) =
            (costs(model).lower.forecast(model.left)?, costs(model).upper.forecast(model.left)?);
        Some(Forecast { low: lower.low, expected: upper.expected, high: upper.high })
    })
}

pub(super) fn cost_words(found: &Estimate, costs: fn(&ModelEstimate) -> &Costs) -> Option<String> {
    let cost = cost(found, costs)?;
    let shown = |sum: f64| Amount::from_dollars(sum).map(Amount::shown);
    let (low, expected, high) = (shown(cost.low)?, shown(cost.expected)?, shown(cost.high)?);
    let unknown = match found.models.iter().map(|model| costs(model).unknown).sum() {
        0 => String::new(),
        number => format!(", by the answers whose cost is known: {} not", count(number)),
    };
    Some(format!("{expected} ({low} to {high}){unknown}"))
}

pub(super) fn time_words(found: &Estimate) -> Option<String> {
    Some(about(Duration::from_secs_f64(seconds(found)?)))
}

fn seconds(found: &Estimate) -> Option<f64> {
    let seconds = found.left() as f64 / found.pace?;
    // A pace of next to nothing tells nothing.
    (seconds < 1e9).then_some(seconds)
}

/// Says that a template has its fields in an order that leaves the provider's cache empty.
pub(super) fn order_words(order: &OrderAdvice, saves: Option<f64>) -> String {
    let field = one_line(&order.field);
    let per_cent = |share: f64| format!("{:.0} %", share * 100.0);
    let saves = saves.filter(|saves| *saves > 0.0).and_then(Amount::from_dollars);
    let saves = saves.map(|saves| format!(", about {} less", saves.shown())).unwrap_or_default();
    format!(
        "`{field}` stands behind what differs: prompts begin alike for {} at most, and {} of what is sent can \
         be cached; with it at the beginning of the template {}{saves}. A changed template buys answers anew",
        of(order.longest_now as u64, "byte"),
        per_cent(order.share_now),
        per_cent(order.share_then),
    )
}

fn object(settings: &JobSpec, found: &Estimate, money: &Money, balance: Option<&Balance>) -> Value {
    let sum = |sum: Option<Forecast>, digits: usize| {
        let text = |number: f64| format!("{number:.digits$}");
        sum.map(|sum| {
            json!({ "low": text(sum.low), "expected": text(sum.expected), "high": text(sum.high) })
        })
    };
    let then = found
        .next_tariff_at
        .map(|at| json!({ "at": rfc3339(at), "cost": sum(cost(found, |model| &model.then), 6) }));
    let (input, output) = tokens_of(found);
    let unknown: u64 = found.models.iter().map(|model| model.now.unknown).sum();
    json!({
        "input": settings.input,
        "output": settings.output,
        "left": found.left(),
        "answers": found.answers(),
        "confidence": 0.9,
        "input_tokens": sum(input, 0),
        "output_tokens": sum(output, 0),
        "cost": sum(cost(found, |model| &model.now), 6),
        "unknown": unknown,
        "order": found.order.as_ref().map(|order| json!({
            "field": order.field,
            "share_now": order.share_now,
            "share_then": order.share_then,
            "longest_bytes": order.longest_now,
            "saves": found.order_saves.map(|saves| format!("{saves:.6}")),
        })),
        "next_tariff": then,
        "seconds": seconds(found).map(f64::round),
        "balance": balance.map(|balance| json!({
            "amounts": balance.amounts.iter().cloned().collect::<BTreeMap<_, _>>(),
            "answers": answers_paid(found, balance),
        })),
        "price_table": money.prices.table.version,
    })
}
