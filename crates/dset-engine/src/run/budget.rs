//! What a run may still spend: its limits, and what the folder has cost before.

use std::sync::Arc;
use std::time::Duration;

use dset_core::item::params::Billing;
use dset_core::item::question::QuestionIndex;
use dset_core::money::{Amount, Asked, Expenses, Prices};
use dset_core::run::{AgainUnpaid, BudgetRules, OffPeakRules, Payee, Planned, Spending};
use dset_core::settings::{CostLimits, JobSpec, Model, RunOptions};
use thiserror::Error;

use crate::error::{EngineError, JobError};
use crate::os::clock::unix_ms;
use crate::run::plan_input::for_each_planned;
use crate::run::prepare::PreparedJob;
use crate::store::StoreError;
#[cfg(feature = "postgres")]
use crate::store::postgres::WorkerFunds;
use crate::view::expenses::{Pricing, expenses_of};

impl PreparedJob {
    /// Lets the run ask only while that is cheap.
    pub fn keep_to_cheap_hours(&mut self, rules: OffPeakRules) -> Result<(), StoreError> {
        self.off_peak = Some(rules);
        self.as_asked.call.off_peak = Some(true);
        self.folder.store.save_invocation(&self.as_asked.call)
    }

    /// Works on what is shared with others: every record goes to them too, nothing is sent but what they
    /// leave, and of their limit of money nothing is this run's at first. Limits of the worker itself hold
    /// over all shards that it works on.
    #[cfg(feature = "postgres")]
    pub fn share(&mut self, with: crate::store::postgres::SharedRun) {
        self.shared = Some(with.work);
        let Some(budget) = &mut self.budget else { return };
        let WorkerFunds { own, folder_before, run_before, of_job } = with.funds;
        (budget.total, budget.run) = (own.total, own.run);
        if own.total.is_some() {
            (budget.spent_before, budget.unsure_before) =
                (folder_before.spent, folder_before.unsure);
        }
        (budget.run_before, budget.of_job) = (run_before, of_job);
        budget.granted = of_job.map(|_| Amount::ZERO);
    }

    /// Asks prompts that begin alike one after the other where their provider caches prompts by itself and
    /// sells what is cached for less. A model that is asked at several places has as many caches.
    pub fn fill_prompt_caches(&mut self, prices: &Prices) {
        let is_cached = |model: &Model| {
            let [provider] = &model.payees[..] else { return false };
            let asked = Asked { provider: provider.as_deref(), model: &model.request.model };
            prices.find(asked, unix_ms()).is_some_and(|found| found.caches_prompts())
        };
        self.prompt_caches = self.spec.models.iter().map(is_cached).collect();
    }

    /// Returns how many answers each model is asked for; where no more than `most` are, each a share of them.
    #[must_use]
    pub fn left_by_model(&self, most: Option<u64>) -> Vec<u64> {
        let pending = self.plan.pending_by_model();
        let all: u64 = pending.iter().sum();
        match most.filter(|most| *most < all) {
            Some(most) => pending
                .iter()
                .map(|left| (u128::from(*left) * u128::from(most) / u128::from(all)) as u64)
                .collect(),
            None => pending,
        }
    }

    /// Returns the fields of the rows that are to be asked which make calls cost something else than what is
    /// counted, each once.
    pub fn billed_otherwise(&mut self) -> Result<Vec<(&'static str, Billing)>, JobError> {
        let mut fields = Vec::new();
        if !self.may_be_billed_otherwise {
            return Ok(fields);
        }
        let (source, plan) = (&mut *self.source, &self.plan);
        let request = &self.spec.model().request;
        for_each_planned(source, &self.prompts, request, plan, |mut seen| {
            let is_asked = |at: QuestionIndex| plan.states[at as usize] == Planned::Pending;
            let params = seen.item.params.filter(|_| seen.entries.any(is_asked));
            let field = params.and_then(|params| params.billed_otherwise());
            fields.extend(field.filter(|field| !fields.contains(field)));
        })?;
        source.rewind()?;
        Ok(fields)
    }

    /// Fails where a row has a field with which no limit holds.
    fn check_rows(&mut self, prices: &Prices) -> Result<(), EngineError> {
        for (field, billing) in self.billed_otherwise()? {
            if billing == Billing::Apart {
                return Err(LimitError::BilledApart { field }.into());
            }
            for (at, provider) in places(&self.spec) {
                let model = &*self.spec.models[at].request.model;
                if !prices.has_own(Asked { provider, model }) {
                    return Err(LimitError::OtherPrice { model: model.to_owned(), field }.into());
                }
            }
        }
        Ok(())
    }

    /// Holds the run to the limits of its settings; where there are none, it does nothing. Fails where
    /// they cannot be kept, or leave nothing for asking everything again. `payees` are
    /// who is paid at each place that will be asked, in their order. `forgives` records first that what
    /// earlier runs may have been billed beside what they recorded was not.
    ///
    /// Returns what the folder has cost so far.
    pub fn limit_cost(
        &mut self,
        options: &RunOptions,
        pricing: Pricing<'_>,
        payees: Vec<Payee>,
        forgives: bool,
    ) -> Result<Option<Expenses>, EngineError> {
        if options.cost.are_set() {
            self.check_rows(pricing.prices)?;
        }
        if forgives {
            self.folder.store.forgive_lost(unix_ms())?;
        }
        self.folder.store.keep_cost_limit(options.cost)?;
        if !options.cost.are_set() {
            return Ok(None);
        }
        let before = expenses_of(&self.folder.store, pricing)?;
        let rules = BudgetRules {
            total: options.cost.total,
            run: options.cost.run,
            spent_before: before.spent.upper,
            unsure_before: before.unsure,
            run_before: Spending::default(),
            of_job: None,
            granted: None,
            prices: Arc::new(pricing.prices.clone()),
            payees,
            timeout: options.timeout,
        };
        if self.opens_generation {
            rules.check_again(system_bytes(&self.spec), unix_ms()).map_err(LimitError::from)?;
        }
        self.budget = Some(rules);
        Ok(Some(before))
    }
}

/// Why a limit of money cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LimitError {
    /// Nobody knows what the model costs.
    #[error("a limit needs the price of {model}, which is not known")]
    NoPrice {
        /// The model.
        model: String,
    },
    /// It is asked so that it costs something else than what prices are counted by.
    #[error("a limit needs the price of {model} with `{field}`")]
    OtherPrice {
        /// The model.
        model: String,
        /// The field of the request that does so.
        field: &'static str,
    },
    /// It is asked so that something is billed that is in no count of tokens.
    #[error("no limit holds with `{field}`")]
    BilledApart {
        /// The field of the request that does so.
        field: &'static str,
    },
    /// Nothing bounds the tokens of a reply.
    #[error("a limit needs to know how long an answer of {model} can be")]
    NoBound {
        /// The model.
        model: String,
        /// Its place among the models of the settings.
        at: usize,
    },
    /// Everything is to be asked again, and too little is left for that.
    #[error(transparent)]
    Again(#[from] AgainUnpaid),
}

/// Returns every place where a model is asked, in their order: the model's among those of the settings,
/// and the provider whose address it is, where that is known.
pub fn places(spec: &JobSpec) -> impl Iterator<Item = (usize, Option<&str>)> {
    let models = spec.models.iter().enumerate();
    models.flat_map(|(at, model)| model.payees.iter().map(move |payee| (at, payee.as_deref())))
}

/// Returns who is paid at each place where a model is asked, in their order; nobody where nothing is
/// limited. Fails where the worst case of an ask cannot be known.
pub fn payees(
    spec: &JobSpec,
    limits: CostLimits,
    prices: &Prices,
) -> Result<Vec<Payee>, LimitError> {
    let mut payees = Vec::new();
    if !limits.are_set() {
        return Ok(payees);
    }
    for (at, provider) in places(spec) {
        let model = &spec.models[at];
        let name = &model.request.model;
        // A bound that somebody says holds for all models, and does not lower what is asked for.
        let most = [limits.output_bound, model.output_max()].into_iter().flatten().max();
        let output_max = most.map(|most| most.max(model.request.max_tokens.unwrap_or(0)));
        let output_max =
            output_max.ok_or_else(|| LimitError::NoBound { model: name.clone(), at })?;
        let asked = Asked { provider, model: name };
        match model.request.params.billed_otherwise() {
            Some((field, Billing::Apart)) => return Err(LimitError::BilledApart { field }),
            Some((field, Billing::OtherPrice)) if !prices.has_own(asked) => {
                return Err(LimitError::OtherPrice { model: name.clone(), field });
            }
            _ => {}
        }
        if prices.find(asked, unix_ms()).is_none() {
            return Err(LimitError::NoPrice { model: name.clone() });
        }
        let fixed_bytes = model.fixed_bytes() as u64;
        let provider = provider.map(str::to_owned);
        payees.push(Payee { provider, model: name.clone(), output_max, fixed_bytes });
    }
    Ok(payees)
}

/// Returns what no ask of these settings can cost less than in its worst case, by the prices now; `None`
/// where that cannot be known.
#[must_use]
pub fn least_ask(spec: &JobSpec, limits: CostLimits, prices: &Prices) -> Option<Amount> {
    let payees = payees(spec, limits, prices).ok()?;
    let system_bytes = system_bytes(spec);
    Some(dset_core::run::least_ask(&payees, system_bytes, prices, unix_ms(), Duration::ZERO))
}

/// Returns the length of a system prompt that every ask has.
fn system_bytes(spec: &JobSpec) -> u64 {
    spec.model().request.fixed_system().map_or(0, str::len) as u64
}
