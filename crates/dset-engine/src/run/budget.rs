//! What a run may still spend: its limits, and what the folder has cost before.

use std::sync::Arc;

use dset_core::money::Expenses;
use dset_core::run::{BudgetRules, OffPeakRules, Payee};
use dset_core::settings::RunOptions;

use crate::os::clock::unix_ms;
use crate::run::prepare::Job;
use crate::store::StoreError;
use crate::view::expenses::{Pricing, expenses_of};

impl Job {
    /// Lets the run ask only while that is cheap.
    pub fn keep_to_cheap_hours(&mut self, rules: OffPeakRules) {
        self.off_peak = Some(rules);
    }

    /// Holds the run to the limits of its settings; where there are none, it does nothing. `payees` are
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
    ) -> Result<Option<Expenses>, StoreError> {
        if forgives {
            self.store.forgive_lost(unix_ms())?;
        }
        self.store.keep_cost_limit(options.cost)?;
        if !options.cost.are_set() {
            return Ok(None);
        }
        let before = expenses_of(&self.store, pricing)?;
        self.budget = Some(BudgetRules {
            total: options.cost.total,
            run: options.cost.run,
            spent_before: before.spent.upper,
            unsure_before: before.unsure,
            prices: Arc::new(pricing.prices.clone()),
            payees,
            timeout: options.timeout,
        });
        Ok(Some(before))
    }
}
