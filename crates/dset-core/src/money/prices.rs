//! The prices that hold: the user's own before those of the table.

use super::amount::Amount;
use super::cost::{Cost, WhyUnknown};
use super::rates::{Rates, Tariff};
use super::table::{PriceEntry, PriceTable};
use crate::answer::Usage;

/// Whom a call asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The provider by its id; absent where it is not known whose address was asked.
    pub provider: Option<&'a str>,
    /// The model by its name on the wire.
    pub model: &'a str,
}

/// A price that the user says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnPrice {
    /// The model, as `NAME` at any address or as `PROVIDER/NAME`.
    pub name: String,
    /// The same with the provider's id, where the name has another name of it.
    pub with_id: Option<String>,
    /// What it costs, at any time and length.
    pub rates: Rates,
    /// Which file says it: a lower number is heard first.
    pub file: usize,
}

impl OwnPrice {
    /// Says what a model costs, in the file that is heard first.
    #[must_use]
    pub fn new(name: &str, rates: Rates) -> OwnPrice {
        OwnPrice { name: name.to_owned(), with_id: None, rates, file: 0 }
    }

    /// Tells whether it is the price of a model at one provider, by its id.
    #[must_use]
    pub fn is_at(&self, provider: &str, model: &str) -> bool {
        let is_it = |name: &str| {
            name.strip_prefix(provider).and_then(|rest| rest.strip_prefix('/')) == Some(model)
        };
        is_it(&self.name) || self.with_id.as_deref().is_some_and(is_it)
    }
}

/// All prices that hold.
#[derive(Debug, Clone)]
pub struct Prices {
    /// The user's own, which outrank those of the table.
    pub own: Vec<OwnPrice>,
    /// The table that comes with dset, or another.
    pub table: &'static PriceTable,
}

impl Default for Prices {
    fn default() -> Prices {
        Prices { own: Vec::new(), table: PriceTable::built_in() }
    }
}

/// Where a price comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PriceSource<'a> {
    /// The user said it.
    Own(&'a OwnPrice),
    /// The table says it.
    Table(&'a PriceEntry),
}

impl Prices {
    /// Finds the price of what is asked at a moment, in Unix milliseconds.
    #[must_use]
    pub fn find(&self, asked: Asked<'_>, unix_ms: i64) -> Option<PriceSource<'_>> {
        if let Some(own) = self.own(asked) {
            return Some(PriceSource::Own(own));
        }
        self.table.find(asked.provider?, asked.model, unix_ms).map(PriceSource::Table)
    }

    /// Tells whether the user says what it costs.
    #[must_use]
    pub fn has_own(&self, asked: Asked<'_>) -> bool {
        self.own(asked).is_some()
    }

    /// Finds what the user says of it: by the file, and in one file a price with the provider's name
    /// before one without.
    fn own(&self, asked: Asked<'_>) -> Option<&OwnPrice> {
        let is_at_provider = |own: &OwnPrice| {
            asked.provider.is_some_and(|provider| own.is_at(provider, asked.model))
        };
        let meant = self.own.iter().filter(|own| own.name == asked.model || is_at_provider(own));
        meant.min_by_key(|own| (own.file, !is_at_provider(own)))
    }

    /// Returns what a call cost whose reply ended at a moment, in Unix milliseconds.
    #[must_use]
    pub fn cost(&self, asked: Asked<'_>, tokens: &Usage, unix_ms: i64) -> Cost {
        self.cost_and_saved(asked, tokens, unix_ms).0
    }

    /// Returns what a call cost, and what the provider's cache saved of it at least: nothing where
    /// there is no price.
    #[must_use]
    pub fn cost_and_saved(&self, asked: Asked<'_>, tokens: &Usage, unix_ms: i64) -> (Cost, Amount) {
        let Some(found) = self.find(asked, unix_ms) else {
            return (Cost::Unknown(WhyUnknown::NoPrice), Amount::ZERO);
        };
        let rates = found.rates(unix_ms, tokens.input);
        (rates.cost(tokens, found.may_write()), rates.saved(tokens))
    }
}

impl PriceSource<'_> {
    /// Returns what a request with a prompt of so many tokens costs at a moment.
    #[must_use]
    pub fn rates(&self, unix_ms: i64, input_tokens: Option<u64>) -> &Rates {
        match self {
            PriceSource::Own(own) => &own.rates,
            PriceSource::Table(entry) => entry.rates(unix_ms, input_tokens),
        }
    }

    /// Returns the next moment at which another tariff begins; `None` where none does.
    #[must_use]
    pub fn next_tariff(&self, unix_ms: i64) -> Option<i64> {
        match self {
            PriceSource::Own(_) => None,
            PriceSource::Table(entry) => entry.next_tariff(unix_ms),
        }
    }

    /// Returns the tariff of a moment; `None` where it costs the same at every hour.
    #[must_use]
    pub fn tariff(&self, unix_ms: i64) -> Option<Tariff> {
        match self {
            PriceSource::Own(_) => None,
            PriceSource::Table(entry) => entry.tariff(unix_ms),
        }
    }

    /// Returns when it ends to hold, in Unix milliseconds; `None` where that is not known.
    #[must_use]
    pub fn ends(&self) -> Option<i64> {
        match self {
            PriceSource::Own(_) => None,
            PriceSource::Table(entry) => entry.until,
        }
    }

    /// Tells whether prompts are cached without being asked for it, and what is cached costs less.
    #[must_use]
    pub fn caches_prompts(&self) -> bool {
        let rates = match self {
            PriceSource::Own(own) => &own.rates,
            PriceSource::Table(entry) => &entry.base,
        };
        self.may_write() && rates.cached_input.is_some_and(|cached| cached < rates.input)
    }

    /// Tells whether tokens that were not cached may have been billed as written into the cache.
    #[must_use]
    pub fn may_write(&self) -> bool {
        match self {
            PriceSource::Own(_) => true,
            PriceSource::Table(entry) => !entry.cache_write_on_request,
        }
    }
}
