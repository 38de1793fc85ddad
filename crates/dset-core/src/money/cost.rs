//! What one call cost, as an interval: a count that the service did not give is not zero.

use super::amount::Amount;
use super::rates::Rates;
use crate::answer::Usage;

/// What a call cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// At least the first, at most the second; the same where everything is known.
    Between(Amount, Amount),
    /// Nobody can tell.
    Unknown(WhyUnknown),
}

/// Why a cost is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyUnknown {
    /// The model has no price, or none for that time.
    NoPrice,
    /// The service did not count the tokens sent, or those received.
    NoCounts,
}

impl Cost {
    /// Works out a cost that is known exactly.
    #[must_use]
    pub fn exactly(amount: Amount) -> Cost {
        Cost::Between(amount, amount)
    }
}

impl Rates {
    /// Returns what these tokens cost.
    ///
    /// Where it is unknown how many were cached the cost lies between all and none. Where writing
    /// the cache costs more than sending, nobody counted what was written and it is not known to be left out
    /// (`may_write`), any token that was not cached may have been written.
    #[must_use]
    pub fn cost(&self, tokens: &Usage, may_write: bool) -> Cost {
        let (Some(input), Some(output)) = (tokens.input, tokens.output) else {
            return Cost::Unknown(WhyUnknown::NoCounts);
        };
        let cached_price = self.cached_input.unwrap_or(self.input);
        // More cached or written than sent is a slip of the service: then nothing is known of it.
        let cached = tokens.cached.filter(|cached| *cached <= input);
        let left = input - cached.unwrap_or(0);
        let written = tokens.written.filter(|written| *written <= left);
        let write_price = self.cache_write.unwrap_or(self.input);
        let may_be_price = if may_write && written.is_none() { write_price } else { self.input };
        let (least_sent, most_sent) = (self.input.min(may_be_price), self.input.max(may_be_price));
        let in_cache = written.map_or(Amount::ZERO, |written| {
            let hour = tokens.written_1h.unwrap_or(0).min(written);
            let hour_price = self.cache_write_1h.unwrap_or(write_price);
            hour_price.of(hour) + write_price.of(written - hour)
        });
        let left = left - written.unwrap_or(0);
        let sent = match cached {
            Some(cached) => {
                let known = cached_price.of(cached) + in_cache;
                (known + least_sent.of(left), known + most_sent.of(left))
            }
            None => {
                let (least, most) = (least_sent.min(cached_price), most_sent.max(cached_price));
                (in_cache + least.of(left), in_cache + most.of(left))
            }
        };
        let reasoning_price = self.reasoning.unwrap_or(self.output);
        let received = match tokens.reasoning.filter(|reasoning| *reasoning <= output) {
            Some(reasoning) => {
                let cost = reasoning_price.of(reasoning) + self.output.of(output - reasoning);
                (cost, cost)
            }
            None => {
                let (least, most) =
                    (self.output.min(reasoning_price), self.output.max(reasoning_price));
                (least.of(output), most.of(output))
            }
        };
        Cost::Between(sent.0 + received.0, sent.1 + received.1)
    }

    /// Returns what the provider's cache saved at least: what its tokens would have cost without it.
    #[must_use]
    pub fn saved(&self, tokens: &Usage) -> Amount {
        let cached = match (tokens.cached, tokens.input) {
            (Some(cached), Some(input)) if cached <= input => cached,
            _ => return Amount::ZERO,
        };
        let cached_price = self.cached_input.unwrap_or(self.input);
        (self.input.of(cached) - cached_price.of(cached)).max(Amount::ZERO)
    }
}
