//! What a folder has spent, for the commands that say it.

use std::path::Path;

use dset_core::money::{Amount, Asked, Expenses, PriceSource, Prices};
use dset_core::provider::Providers;
use dset_core::settings::{Dollars, JobSpec, Layer};
use dset_engine::os::clock::unix_ms;
use dset_engine::view::expenses::{Pricing, expenses};

use crate::display;
use crate::error::UserError;
use crate::layers::Environment;

/// The prices that hold in this folder, and whose address is whose.
#[derive(Debug)]
pub(crate) struct Money {
    pub(super) prices: Prices,
    providers: Providers,
    /// What the folder may cost in all its runs, where variables or files of settings limit it.
    pub(super) limit: Option<Amount>,
}

impl Money {
    /// Reads what the files of settings say.
    pub(super) fn read() -> Result<Money, UserError> {
        Ok(Money::of(&Environment::read(Path::new("."))?))
    }

    pub(crate) fn of(environment: &Environment) -> Money {
        let said = environment.under(Layer::default()).ok();
        Money {
            prices: environment.prices(),
            providers: environment.providers.clone(),
            limit: said.and_then(|said| said.layer.max_cost).map(|Dollars(most)| most),
        }
    }

    /// Works out what was spent in a folder; nothing where its store cannot be read, which whoever
    /// reads it next says better.
    pub(crate) fn expenses(&self, folder: &Path) -> Option<Expenses> {
        expenses(folder, self.pricing()).ok().flatten()
    }

    /// Returns the services whose addresses are known.
    #[cfg(feature = "view")]
    pub(super) fn providers(&self) -> &Providers {
        &self.providers
    }

    /// Returns what costs are worked out by.
    pub(super) fn pricing(&self) -> Pricing<'_> {
        Pricing { prices: &self.prices, providers: &self.providers }
    }

    /// Says so where a price of the table is used, and the table is old.
    pub(super) fn say_if_stale(&self, settings: &JobSpec) {
        let now = unix_ms();
        let is_of_table = settings.models.iter().any(|model| {
            let asked = Asked { provider: model.payee(), model: &model.request.model };
            matches!(self.prices.find(asked, now), Some(PriceSource::Table(_)))
        });
        if let Some(words) = display::money::stale(self.prices.table, now).filter(|_| is_of_table) {
            display::remark(&words);
        }
    }
}
