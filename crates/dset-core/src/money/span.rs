//! Prices that hold for a span of time: looked up once and used until they change.

use super::amount::{Amount, Price};
use super::cost::Cost;
use super::prices::{Asked, PriceSource, Prices};
use super::rates::Rates;
use crate::answer::Usage;

/// What one model costs at one provider, for as long as that does not change.
#[derive(Debug, Clone, PartialEq)]
pub struct PriceSpan {
    /// From this moment, Unix milliseconds.
    pub from: i64,
    /// Up to this one, without it.
    pub until: i64,
    /// What a request costs whose prompt has more than so many tokens, by that number; the first is
    /// that of short prompts, above none.
    steps: Vec<(u64, Rates)>,
    may_write: bool,
}

impl Prices {
    /// Finds what is asked costs from a moment on, in Unix milliseconds, until it costs something else.
    #[must_use]
    pub fn span(&self, asked: Asked<'_>, unix_ms: i64) -> Option<PriceSpan> {
        let found = self.find(asked, unix_ms)?;
        let mut steps: Vec<(u64, Rates)> = match found {
            PriceSource::Own(_) => Vec::new(),
            PriceSource::Table(entry) => {
                let long = entry.above_input_tokens.iter().map(|long| (long.above, long.rates));
                long.collect()
            }
        };
        steps.push((0, *found.rates(unix_ms, None)));
        steps.sort_by_key(|(above, _)| *above);
        let until = [found.next_tariff(unix_ms), found.ends()].into_iter().flatten().min();
        let may_write = found.may_write();
        Some(PriceSpan { from: unix_ms, until: until.unwrap_or(i64::MAX), steps, may_write })
    }
}

impl PriceSpan {
    /// Tells whether it holds at a moment, in Unix milliseconds.
    #[must_use]
    pub fn holds(&self, unix_ms: i64) -> bool {
        (self.from..self.until).contains(&unix_ms)
    }

    /// Returns what these tokens cost.
    #[must_use]
    pub fn cost(&self, tokens: &Usage) -> Cost {
        let input = tokens.input.unwrap_or(0);
        let applying = self.steps.iter().take_while(|(above, _)| *above == 0 || input > *above);
        let (_, rates) = applying.last().expect("there is a price of short prompts");
        rates.cost(tokens, self.may_write)
    }

    /// Returns the most that a request can cost with at most so many tokens sent and received.
    #[must_use]
    pub fn most(&self, input: u64, output: u64) -> Amount {
        let applying = self.steps.iter().take_while(|(above, _)| *above == 0 || input > *above);
        let most = applying.map(|(_, rates)| {
            let written = rates.cache_write.filter(|_| self.may_write);
            let sent = dearest([Some(rates.input), rates.cached_input, written]);
            sent.of(input) + dearest([Some(rates.output), rates.reasoning, None]).of(output)
        });
        most.max().unwrap_or_default()
    }
}

fn dearest(prices: [Option<Price>; 3]) -> Price {
    prices.into_iter().flatten().max().unwrap_or_default()
}
