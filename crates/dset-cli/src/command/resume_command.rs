//! The command that goes on with a run, from what its store says of it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use clap::ValueEnum;
use dset_core::item::params::Params;
use dset_core::key::RequestSettings;
use dset_core::provider::{Preset, Providers};
use dset_core::schema::{Notation, Schema};
use dset_core::settings::{
    CostLimits, Dollars, JobSpec, Layer, Model, NO_KEY, Reading, Resolved, SchemaSource, Switch,
    endpoint, is_loopback, resolve_with_providers,
};
use dset_engine::store::{Invocation, InvocationEndpoint};
use url::Url;

use crate::command::shared::from_here;
use crate::display::money::limit_again;
use crate::display::text::{quoted, written};
use crate::error::UserError;
use crate::layers::Environment;
use crate::run_selector::RunSelectorArgs;
use crate::schema_file;

/// What a run asked, and where.
pub(super) struct LastRun<'a> {
    pub(super) endpoint: &'a str,
    /// How it was called; not known of stores of older versions.
    pub(super) invocation: Option<&'a Invocation>,
    pub(super) requests: &'a [RequestSettings],
    pub(super) samples: u32,
    /// What it let the folder cost: a hint must not lead to a run without a limit.
    pub(super) cost_limit: CostLimits,
}

/// The command that goes on with a run.
pub(super) struct ResumeCommand {
    command: String,
    /// What must be said beside it, for people.
    more: &'static str,
    /// What goes on with the folder of a worker of a job on a server.
    worker: Option<String>,
}

/// The flag of a server, whose address no folder says: it is for whoever knows it.
const OF_SERVER: &str = "--store ADDRESS";

/// Said where flags of before cannot be written again.
const FLAGS_BEFORE: &str = " (with the same flags as before)";
/// Said where all can but those of checks.
const CHECKS_BEFORE: &str = " (with the same checks as before)";

impl ResumeCommand {
    fn new(command: String, more: &'static str) -> ResumeCommand {
        ResumeCommand { command, more, worker: None }
    }

    /// Tells whether it is a worker's, which asks what failed again only where that is said.
    pub(super) fn is_worker(&self) -> bool {
        self.worker.is_some()
    }

    /// Returns it as a sentence has it, with more words.
    pub(super) fn ticked_with(&self, words: &str) -> String {
        match (words, &self.worker) {
            (" --forgive-lost", Some(_)) => format!("`dset job limits {OF_SERVER}{words}`"),
            (" --failed", Some(work)) => format!("`{work} --again-failed`"),
            _ => format!("`{}{words}`{}", self.command, self.more),
        }
    }

    /// Returns it as a line has it, with more words.
    pub(super) fn with(&self, words: &str) -> String {
        format!("{}{words}{}", self.command, self.more)
    }
}

impl fmt::Display for ResumeCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.command, self.more)
    }
}

/// A system prompt longer than this is not repeated; it was probably in a file, whose name nobody
/// knows.
const SYSTEM_MAX: usize = 300;

/// Returns the command that goes on with this run, with whatever of its settings variables and
/// files do not say by themselves: a hint must not lead to another run than the one that was meant.
/// It says nothing of the settings in `without`.
pub(super) fn resume_command(
    which: &RunSelectorArgs,
    before: Option<&LastRun<'_>>,
    without: &[&str],
) -> ResumeCommand {
    command_again("run", which, before, without)
}

/// Returns the command that asks rows of this run again, like [`resume_command`].
pub(super) fn redo_command(which: &RunSelectorArgs, before: Option<&LastRun<'_>>) -> ResumeCommand {
    command_again("redo", which, before, &[])
}

fn command_again(
    name: &str,
    which: &RunSelectorArgs,
    before: Option<&LastRun<'_>>,
    without: &[&str],
) -> ResumeCommand {
    let mut command = match name {
        "redo" => which.command_with(name, "--questions"),
        name => which.command(name),
    };
    // Files that cannot be read were complained of when this run was looked for.
    let Some(before) = before else { return ResumeCommand::new(command, "") };
    if let Some(shard) = before.invocation.and_then(|call| call.reading.shard.as_ref()) {
        // The job says what it is asked with.
        let job = quoted(&from_here(&shard.job).display().to_string());
        let is_shared = before.invocation.is_some_and(|call| call.is_shared);
        let worker = is_shared.then(|| format!("dset work {OF_SERVER} -o {job}"));
        let command = match &worker {
            Some(work) if name == "run" => work.clone(),
            _ => format!("dset {name} --job {job} --shard {}", shard.number),
        };
        return ResumeCommand { command, more: "", worker };
    }
    let Ok((mut flags, has_checks)) = flags(which.layer(), before) else {
        return ResumeCommand::new(command, "");
    };
    if !before.can_express(&flags) {
        let Layer { max_cost, max_cost_run, max_output_bound, .. } = flags;
        let limits = Layer { max_cost, max_cost_run, max_output_bound, ..Layer::default() };
        say(&mut command, &limits);
        return ResumeCommand::new(command, FLAGS_BEFORE);
    }
    // Said already, as it was given here.
    if name == "redo" {
        // There these name the rows that are asked again.
        (flags.r#where, flags.offset, flags.sample) = (None, None, None);
    }
    flags.column = flags.column.filter(|_| which.flags.column.is_none());
    flags.header = flags.header.filter(|_| which.flags.header.is_none());
    flags.max_tokens = flags.max_tokens.filter(|_| !without.contains(&"max_tokens"));
    flags.temperature = flags.temperature.filter(|_| !without.contains(&"temperature"));
    say(&mut command, &flags);
    ResumeCommand::new(command, if has_checks { "" } else { CHECKS_BEFORE })
}

/// Returns what must be said for the settings of before to hold again, and whether answers are held
/// against the same without a word.
fn flags(which: Layer, before: &LastRun<'_>) -> Result<(Layer, bool), UserError> {
    let environment = Environment::read(Path::new("."))?;
    let mut said = environment.under(which)?;
    schema_file::load(&mut said.layer)?;
    let file = said.layer.system_file.as_ref();
    let system = file.and_then(|path| fs_err::read_to_string(path).ok());
    let resolved = |flags: &Layer| {
        let layer = flags.clone().over(said.layer.clone());
        let system = system.clone().filter(|_| layer.system_file.is_some());
        resolve_with_providers(layer, system, &environment.providers)
    };
    let is_meant = |flags: &Layer| resolved(flags).is_ok_and(|now| before.is_where(&now.spec));
    let mut places = before.places(&environment.providers);
    let last = places.pop().unwrap_or_default();
    let mut flags = places.into_iter().find(is_meant).unwrap_or(last);
    let Resolved { spec: now, options, .. } = resolved(&flags)?;
    let CostLimits { total, run, output_bound } = before.cost_limit;
    flags.max_cost = total.map(Dollars).filter(|total| said.layer.max_cost != Some(*total));
    flags.max_cost_run = run.map(Dollars);
    let is_limited = flags.max_cost.is_some() || flags.max_cost_run.is_some();
    flags.max_output_bound = output_bound.filter(|_| is_limited);
    let checks = before.invocation.and_then(|call| call.checks.as_ref());
    // What limits and repeats tries can be said again by flags, and what is held against answers cannot.
    let has_checks = checks.is_none_or(|checks| checks.declared == now.checks.declared);
    if let Some(was) = checks {
        let is = &now.checks;
        flags.enough = was.enough.filter(|_| was.enough != is.enough);
        flags.tries = (was.tries != is.tries).then_some(was.tries);
        flags.retry = (was.retry != is.retry).then_some(was.retry);
    }
    let Some(was) = before.requests.first() else { return Ok((flags, has_checks)) };
    let is = &now.model().request;
    flags.template = (was.template != is.template).then(|| was.template.clone());
    flags.system = was.system.clone().filter(|_| was.system != is.system);
    flags.max_tokens = was.max_tokens.filter(|_| was.max_tokens != is.max_tokens);
    flags.temperature = was.temperature.filter(|_| was.temperature != is.temperature);
    let reasoning = was.reasoning.filter(|_| was.reasoning != is.reasoning);
    flags.reasoning = reasoning.map(|on| if on { Switch::On } else { Switch::Off });
    let effort = was.reasoning_effort.clone();
    flags.reasoning_effort = effort.filter(|_| was.reasoning_effort != is.reasoning_effort);
    flags.schema = schema_again(was.schema.as_deref(), is.schema.as_deref());
    flags.param = params_again(&was.params, &is.params);
    flags.samples = (now.samples != before.samples).then_some(before.samples);
    if let Some(call) = before.invocation {
        flags.off_peak = call.off_peak.filter(|was| *was != options.off_peak);
        flags.column = call.column.clone().filter(|_| call.column != now.column);
        flags.header = (call.header != now.header).then_some(call.header);
        read_again(&mut flags, &call.reading, &now.reading);
        let is_now = now.models.iter().map(|model| model.key_variable.as_deref().unwrap_or(NO_KEY));
        let was = call.places.iter().map(|place| &*place.key);
        flags.key = was.zip(is_now).find(|(was, is)| was != is).map(|(was, _)| was.to_owned());
        return Ok((flags, has_checks));
    }
    for model in now.models.iter().filter(|model| model.base_urls.iter().all(is_loopback)) {
        if model.key_variable.is_some() && environment.find_key(model, &said)?.is_none() {
            flags.key = Some(NO_KEY.to_owned());
        }
    }
    Ok((flags, has_checks))
}

/// Has flags say how rows were read and which were asked, as far as it is not said already.
fn read_again(flags: &mut Layer, was: &Reading, is: &Reading) {
    let (chosen, chooses) = (&was.choice, &is.choice);
    flags.r#where = chosen.condition.clone().filter(|_| chosen.condition != chooses.condition);
    flags.offset = (chosen.offset != chooses.offset).then_some(chosen.offset);
    flags.sample = chosen.sample.filter(|_| chosen.sample != chooses.sample);
    flags.on_bad_row = (was.on_bad_row != is.on_bad_row).then_some(was.on_bad_row);
    flags.last = (was.last != is.last).then_some(was.last);
    flags.split_on = was.split_on.clone().filter(|_| was.split_on != is.split_on);
    flags.config = was.config.clone().filter(|_| was.config != is.config);
    flags.split = was.split.clone().filter(|_| was.split != is.split);
}

/// Returns the schema that must be said again.
fn schema_again(was: Option<&str>, is: Option<&str>) -> Option<SchemaSource> {
    let was = was.filter(|was| Some(*was) != is)?;
    Schema::read(was, Notation::Json).ok().map(|schema| SchemaSource::Read(Box::new(schema)))
}

/// Returns the fields that must be said again; none where others are said that cannot be unsaid.
fn params_again(was: &Params, is: &Params) -> Option<Vec<Params>> {
    let changed = was
        .iter()
        .filter(|(name, value)| is.iter().all(|(own, other)| (own, other) != (*name, *value)));
    let changed = changed.map(|(name, value)| (name.to_owned(), value.clone())).collect();
    Params::new(changed).ok().filter(|params| !params.is_empty()).map(|params| vec![params])
}

impl<'a> LastRun<'a> {
    /// What a report says of the last run, where there was one.
    pub(super) fn of(
        endpoint: Option<&'a str>,
        invocation: Option<&'a Invocation>,
        (requests, samples): (&'a [RequestSettings], u32),
        cost_limit: CostLimits,
    ) -> Option<LastRun<'a>> {
        endpoint.map(|endpoint| LastRun { endpoint, invocation, requests, samples, cost_limit })
    }
}

impl LastRun<'_> {
    /// Tells whether it asked a shard of a job.
    pub(super) fn is_shard(&self) -> bool {
        self.invocation.is_some_and(|call| call.reading.shard.is_some())
    }

    /// Tells whether settings ask the same models at the same place.
    fn is_where(&self, now: &JobSpec) -> bool {
        let asked = now.models.iter().map(|model| &model.request.model);
        let is_there = match self.invocation {
            Some(call) => {
                let urls = |model: &Model| model.base_urls.iter().map(endpoint).collect::<Vec<_>>();
                let is_at = |(model, place): (&Model, &InvocationEndpoint)| {
                    let service = place.service.as_ref();
                    urls(model) == place.base_urls
                        && service.is_none_or(|service| *service == model.preset.id)
                };
                now.models.len() == call.places.len()
                    && now.models.iter().zip(&call.places).all(is_at)
            }
            None => now.model().endpoint() == self.endpoint,
        };
        is_there && asked.eq(self.requests.iter().map(|request| &request.model))
    }

    /// Tells whether flags say all that they stand for.
    fn can_express(&self, flags: &Layer) -> bool {
        let is_long = flags.system.as_ref().is_some_and(|s| s.chars().count() > SYSTEM_MAX);
        let mut places = self.invocation.iter().flat_map(|call| &call.places);
        let is_secret = flags.base_url.is_some() && places.any(|place| place.has_query);
        // Nobody knows what its file is called.
        !is_long && !is_secret && flags.schema.is_none()
    }

    /// Returns the ways to say which models were asked and where, from the shortest to one that
    /// always holds.
    fn places(&self, providers: &Providers) -> Vec<Layer> {
        let first = self.requests.first().map_or("", |request| &request.model);
        let asked = |at: usize| {
            let place = self.invocation.and_then(|call| call.places.get(at))?;
            providers.preset(place.service.as_deref()?)
        };
        let by_url = || providers.payee(&Url::parse(self.endpoint).ok()?, first);
        let home = asked(0).or_else(by_url);
        let names = |name: &dyn Fn(&RequestSettings) -> String| {
            Some(self.requests.iter().map(name).collect::<Vec<_>>())
        };
        let bare = names(&|request| request.model.clone());
        let at = |model, base_url| Layer { model, base_url, ..Layer::default() };
        let places = self.invocation.and_then(|call| call.places.first());
        let urls = places.map_or_else(|| vec![self.endpoint.to_owned()], |p| p.base_urls.clone());
        let url = || Some(urls.iter().map(|url| written(url).to_owned()).collect());
        let mut places = vec![at(None, None), at(bare.clone(), None)];
        if let Some(home) = home {
            places.push(at(names(&|request| retired_name(home, request)), None));
            let whole = (0..).zip(self.requests).map(|(at, request)| {
                let (own, name) = (asked(at), &request.model);
                let is_own = |found: &Arc<Preset>| own.is_none_or(|own| own.id == found.id);
                match providers.by_model(name) {
                    Ok(Some((found, _))) if self.requests.len() > 1 && is_own(found) => {
                        name.clone()
                    }
                    _ => format!("{}/{name}", own.unwrap_or(home).id),
                }
            });
            places.push(at(Some(whole.collect()), None));
        }
        places.extend([at(None, url()), at(bare, url())]);
        places
    }
}

/// Returns the retired name that stands for a model with or without thinking; where models of a run
/// differ in nothing else, nothing else tells them apart.
fn retired_name(home: &Preset, request: &RequestSettings) -> String {
    let mut retired = home.retired_models.iter();
    let name = retired.find(|(_, retired)| {
        retired.used == request.model && Some(retired.reasoning) == request.reasoning
    });
    name.map_or_else(|| request.model.clone(), |(name, _)| name.clone())
}

/// Returns a value as its flag takes it.
fn word(value: impl ValueEnum) -> Option<String> {
    value.to_possible_value().map(|value| value.get_name().to_owned())
}

/// Writes flags as a shell takes them.
fn say(command: &mut String, flags: &Layer) {
    let mut say = |flag: &str, value: Option<&str>| {
        let Some(value) = value else { return };
        // A value that looks like a flag is one unless it is tied to its own.
        let gap = if value.starts_with('-') && flag.starts_with("--") { '=' } else { ' ' };
        *command += &format!(" {flag}{gap}{}", quoted(value));
    };
    let number = |number: Option<u64>| number.map(|number| number.to_string());
    flags.base_url.iter().flatten().for_each(|url| say("--base-url", Some(url)));
    say("--key", flags.key.as_deref());
    flags.model.iter().flatten().for_each(|name| say("-m", Some(name)));
    say("--column", flags.column.as_deref());
    say("--header", flags.header.map(crate::run_selector::header_word));
    say("--split-on", flags.split_on.as_deref());
    say("--config", flags.config.as_deref());
    say("--split", flags.split.as_deref());
    say("--on-bad-row", flags.on_bad_row.and_then(word).as_deref());
    say("--last", flags.last.and_then(word).as_deref());
    say("--where", flags.r#where.as_deref());
    say("--offset", number(flags.offset).as_deref());
    say("--sample", flags.sample.map(|sample| sample.to_string()).as_deref());
    say("--system", flags.system.as_deref());
    say("--template", flags.template.as_deref());
    say("--max-tokens", number(flags.max_tokens).as_deref());
    say("--temperature", flags.temperature.map(|degrees| degrees.to_string()).as_deref());
    let reasoning = flags.reasoning.map(|switch| if switch == Switch::On { "on" } else { "off" });
    say("--reasoning", reasoning);
    say("--reasoning-effort", flags.reasoning_effort.as_deref());
    for (name, value) in flags.param.iter().flatten().flat_map(Params::iter) {
        say("--param", Some(&format!("{name}={value}")));
    }
    say("--samples", number(flags.samples.map(u64::from)).as_deref());
    say("--enough", number(flags.enough.map(u64::from)).as_deref());
    say("--tries", number(flags.tries.map(u64::from)).as_deref());
    say("--retry", flags.retry.and_then(word).as_deref());
    for (flag, most) in [("--max-cost", flags.max_cost), ("--max-cost-run", flags.max_cost_run)] {
        say(flag, most.map(|Dollars(most)| limit_again(most)).as_deref());
    }
    say("--max-output-bound", number(flags.max_output_bound).as_deref());
    match flags.off_peak {
        Some(true) => *command += " --off-peak",
        Some(false) => *command += " --off-peak=false",
        None => {}
    }
}
