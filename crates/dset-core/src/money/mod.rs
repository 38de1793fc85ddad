//! Money: what tokens cost, where and when.
//!
//! A price is a function of the model, the provider, the kind of token, the moment and the length of
//! the prompt, and it holds for a time; [`PriceTable`] has that shape. Amounts are whole numbers of
//! picodollars ([`Amount`]), rounded up only where they are shown. What is not known is said: a
//! [`Cost`] is an interval, or unknown, and never zero because something is missing.

mod amount;
mod cost;
mod estimate;
mod expenses;
mod feed;
mod limit;
mod prices;
mod rates;
mod session;
mod span;
mod table;
#[cfg(test)]
mod tests;

pub use amount::{Amount, Price, PriceError};
pub use cost::{Cost, WhyUnknown};
pub use estimate::{Forecast, SAMPLE_LEAST, Sample, answers_paid};
pub use expenses::{Billed, BilledAs, Expenses, FailedCall, ModelExpenses, Total};
pub use feed::{NoRates, Published, read_published};
pub use limit::{next_limit, token_limit_above};
pub use prices::{Asked, OwnPrice, PriceSource, Prices};
pub use rates::{Hours, Rates, Tariff, Window};
pub use session::SessionCost;
pub use span::PriceSpan;
pub use table::{LongPrompt, PriceEntry, PriceTable, STALE_DAYS, TableError};
