//! What the rest of a run will probably take, by the answers that it has. Nothing is asked, made or
//! changed.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use dset_core::money::{Asked, Cost, Forecast, Price, Prices, Sample};
use dset_core::plan::AnswerId;
use dset_core::provider::Providers;
use dset_core::settings::JobSpec;
use dset_core::template::order::OrderAdvice;

use crate::error::JobError;
use crate::store::open_readonly;
use crate::view::expenses::{AskedBy, Pricing};
use crate::view::prompt_order::prompt_order;
use crate::view::status::run_status;

/// Picodollars in a dollar, for sums that are no longer exact.
const DOLLAR: f64 = 1e12;

/// What is left, and what the answers so far were like.
#[derive(Debug, Clone, Default)]
pub struct Estimate {
    /// Of each model that is asked.
    pub models: Vec<ModelEstimate>,
    /// When another tariff begins, Unix milliseconds.
    pub next_tariff_at: Option<i64>,
    /// A field that would better stand first in the template, where the provider of a model caches
    /// prompts.
    pub order: Option<OrderAdvice>,
    /// What the cache would save then of what is left, in dollars, where the price of it is known.
    pub order_saves: Option<f64>,
    /// Answers a second in the last run, from its first to its last.
    pub pace: Option<f64>,
}

/// The same of one model: they differ in their prices and in what they write.
#[derive(Debug, Clone, Default)]
pub struct ModelEstimate {
    /// Its name on the wire.
    pub model: String,
    /// Answers that the next run asks it for.
    pub left: u64,
    /// Tokens sent for each question that there are answers to, in all its tries.
    pub input: Sample,
    /// Tokens received for each.
    pub output: Sample,
    /// What each would cost at the tariff of now.
    pub now: Costs,
    /// What each would cost when the next tariff has begun.
    pub then: Costs,
}

/// What all tries at one question took.
#[derive(Debug, Clone, Copy, Default)]
struct Taken {
    /// Where every try was counted.
    input: Option<u64>,
    output: Option<u64>,
    now: Option<Cost>,
    then: Option<Cost>,
}

impl Taken {
    fn add(&mut self, other: &Taken) {
        let sum = |one: Option<u64>, other: Option<u64>| Some(one? + other?);
        self.input = sum(self.input, other.input);
        self.output = sum(self.output, other.output);
        let cost = |one: Option<Cost>, other: Option<Cost>| match (one?, other?) {
            (Cost::Between(low, high), Cost::Between(more_low, more_high)) => {
                Some(Cost::Between(low + more_low, high + more_high))
            }
            (Cost::Unknown(why), _) | (_, Cost::Unknown(why)) => Some(Cost::Unknown(why)),
        };
        self.now = cost(self.now, other.now);
        self.then = cost(self.then, other.then);
    }
}

impl Estimate {
    /// Returns how many answers the next run asks for.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.models.iter().map(|model| model.left).sum()
    }

    /// Returns how many questions with answers it is reckoned from.
    #[must_use]
    pub fn answers(&self) -> u64 {
        self.models.iter().map(|model| model.output.count()).sum()
    }

    /// Forecasts a sum over what is left, each model by its own answers.
    pub fn total(&self, of: impl Fn(&ModelEstimate) -> Option<Forecast>) -> Option<Forecast> {
        Forecast::total(self.models.iter().filter(|model| model.left > 0).map(of))
    }
}

impl ModelEstimate {
    fn add(&mut self, taken: &Taken) {
        taken.input.iter().for_each(|number| self.input.add(*number as f64));
        taken.output.iter().for_each(|number| self.output.add(*number as f64));
        taken.now.iter().for_each(|cost| self.now.add(*cost));
        taken.then.iter().for_each(|cost| self.then.add(*cost));
    }

    /// Returns how many questions tell what it costs, or how long its answers are.
    #[must_use]
    pub fn counted(&self) -> u64 {
        self.output.count().max(self.now.upper.count())
    }
}

/// Costs of answers in dollars.
#[derive(Debug, Clone, Copy, Default)]
pub struct Costs {
    /// At least.
    pub lower: Sample,
    /// At most.
    pub upper: Sample,
    /// Answers whose cost is unknown.
    pub unknown: u64,
}

impl Costs {
    fn add(&mut self, cost: Cost) {
        match cost {
            Cost::Between(lower, upper) => {
                self.lower.add(lower.picodollars() as f64 / DOLLAR);
                self.upper.add(upper.picodollars() as f64 / DOLLAR);
            }
            Cost::Unknown(_) => self.unknown += 1,
        }
    }
}

/// Of a thousand answers, so many had more tokens than [`tokens_of_nearly_all`] says.
const LONGER_OF_THOUSAND: usize = 1;

/// Returns the tokens that 99.9 % of the answers of a model in a folder had at most; of few answers, what
/// the longest had. `None` where fewer than [`dset_core::money::SAMPLE_LEAST`] were counted.
pub fn tokens_of_nearly_all(
    folder: &Path,
    model: &str,
    providers: &Providers,
) -> Result<Option<u64>, JobError> {
    let found = open_readonly(folder, |store| -> Result<Option<u64>, JobError> {
        let asked_by = AskedBy::load(store, providers)?;
        let mut counts = Vec::new();
        store.for_each_call(|call| {
            if call.failed.is_none() && asked_by.of(call).model == model {
                counts.extend(call.tokens.output);
            }
        })?;
        counts.sort_unstable();
        let is_enough = counts.len() as u64 >= dset_core::money::SAMPLE_LEAST;
        let at = (counts.len() - counts.len() * LONGER_OF_THOUSAND / 1_000).saturating_sub(1);
        Ok(counts.get(at).copied().filter(|_| is_enough))
    })?;
    Ok(found.flatten())
}

/// Collects what an estimate needs, for a moment in Unix milliseconds. Without a store there are no
/// answers in it.
pub fn estimate(settings: &JobSpec, pricing: Pricing<'_>, now: i64) -> Result<Estimate, JobError> {
    let status = run_status(settings)?;
    let found = estimate_of(&settings.output, &status.left_of_models(), pricing, now)?;
    let Some(request) = status.requests.first().filter(|_| found.left() > 0) else {
        return Ok(found);
    };
    let Some(rates) = cached_rates(settings, &request.model, pricing.prices, now) else {
        return Ok(found);
    };
    // Whatever is wrong with the input is said by who asks it.
    let order = prompt_order(settings, request).ok().flatten();
    let input = found.total(|model| model.input.forecast(model.left)).map(|sum| sum.expected);
    let order_saves = order.as_ref().zip(input).map(|(order, tokens)| {
        let cheaper = rates.0.of(1_000_000) - rates.1.of(1_000_000);
        let each = cheaper.picodollars() as f64 / DOLLAR / 1e6;
        tokens * (order.share_then - order.share_now) * each
    });
    Ok(Estimate { order, order_saves, ..found })
}

/// Returns what a token sent costs, and one that was cached, where the provider of a model caches prompts
/// by itself.
pub fn cached_rates(
    settings: &JobSpec,
    model: &str,
    prices: &Prices,
    now: i64,
) -> Option<(Price, Price)> {
    let found = prices.find(Asked { provider: settings.model().payee(), model }, now)?;
    let rates = found.rates(now, None);
    rates.cached_input.filter(|_| found.caches_prompts()).map(|cached| (rates.input, cached))
}

/// Collects the same for so many answers that are left to each of these models, from theirs in a folder.
pub fn estimate_of(
    folder: &Path,
    models: &[(&str, u64)],
    pricing: Pricing<'_>,
    now: i64,
) -> Result<Estimate, JobError> {
    let of_model = |(model, left): &(&str, u64)| ModelEstimate {
        model: (*model).to_owned(),
        left: *left,
        ..ModelEstimate::default()
    };
    let empty =
        || Estimate { models: models.iter().map(of_model).collect(), ..Estimate::default() };
    let seen = open_readonly(folder, |store| -> Result<Estimate, JobError> {
        let asked_by = AskedBy::load(store, pricing.providers)?;
        let mut all = empty();
        // To look for the next tariff is a search through a week.
        let mut nexts: HashMap<String, Option<i64>> = HashMap::new();
        // Of the last run: its number, its answers, the first and the last.
        let mut last = (0, 0_u64, 0, 0);
        // By the first answer: a question is what all its tries were.
        let mut questions: BTreeMap<AnswerId, (usize, Taken)> = BTreeMap::new();
        let several = store.tries_by_answer(None)?;
        store.for_each_call(|call| {
            let asked = asked_by.of(call);
            let of_it = all.models.iter().position(|model| model.model == asked.model);
            let Some((of_it, answer)) = of_it.zip(call.answer) else { return };
            let tokens = &call.tokens;
            let next = nexts.get(asked.model).copied().unwrap_or_else(|| {
                let price = pricing.prices.find(asked, now);
                let next = price.and_then(|price| price.next_tariff(now));
                nexts.insert(asked.model.to_owned(), next);
                next
            });
            all.next_tariff_at = [all.next_tariff_at, next].into_iter().flatten().min();
            let taken = Taken {
                input: tokens.input,
                output: tokens.output,
                now: Some(pricing.prices.cost(asked, tokens, now)),
                then: Some(pricing.prices.cost(asked, tokens, next.unwrap_or(now))),
            };
            match call.later_try_of {
                None if !several.has_later(answer) => all.models[of_it].add(&taken),
                first => match questions.entry(first.unwrap_or(answer)) {
                    Entry::Vacant(new) => drop(new.insert((of_it, taken))),
                    Entry::Occupied(mut known) => known.get_mut().1.add(&taken),
                },
            }
            if call.session > last.0 {
                last = (call.session, 0, call.at, call.at);
            }
            if call.session == last.0 {
                let is_first = u64::from(call.later_try_of.is_none());
                last = (last.0, last.1 + is_first, last.2.min(call.at), last.3.max(call.at));
            }
        })?;
        questions.values().for_each(|(of_it, taken)| all.models[*of_it].add(taken));
        let (_, answers, first, end) = last;
        let is_enough = answers >= dset_core::money::SAMPLE_LEAST && end > first;
        all.pace = is_enough.then(|| (answers - 1) as f64 * 1_000.0 / (end - first) as f64);
        Ok(all)
    })?;
    Ok(seen.unwrap_or_else(empty))
}
