//! What a folder has spent, worked out anew from what is stored whenever somebody looks.

use std::collections::BTreeMap;

use super::amount::Amount;
use super::cost::{Cost, WhyUnknown};
use super::prices::{Asked, Prices};
use crate::answer::{Cause, Usage};

/// Models that are told apart; the calls of any further ones are counted together.
const MODELS_MAX: usize = 32;

/// A call that was billed, or may have been.
#[derive(Debug, Clone, Copy)]
pub struct Billed<'a> {
    /// Whom it asked.
    pub asked: Asked<'a>,
    /// When its reply ended, Unix milliseconds.
    pub at: i64,
    /// Its tokens, as far as the service counted them.
    pub tokens: Usage,
    /// What the service says that it cost, in US dollars.
    pub said: Option<f64>,
    /// What a reply that was not counted cost at most, as its run reckoned under a limit.
    pub most: Option<Amount>,
    /// What came of it.
    pub outcome: BilledAs<'a>,
    /// It is an answer behind another to the same question, which was not accepted.
    pub is_later_try: bool,
}

/// What came of a call; all but the answers with the cause of the failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BilledAs<'a> {
    /// An answer that is kept.
    Answer,
    /// A reply that may not be kept, after which an answer came.
    Retried(&'a str),
    /// A reply that may not be kept, and no answer after it.
    Rejected(&'a str),
    /// A reply that did not come, or not whole; the service may have written it.
    Lost(&'a str),
}

/// An ask that failed, as far as it tells whether it was billed.
#[derive(Debug, Clone, Copy)]
pub struct FailedCall<'a> {
    /// The cause, see [`Failure::cause`](crate::answer::Failure::cause).
    pub cause: &'a str,
    /// The HTTP status, where a reply came.
    pub status: Option<u16>,
    /// The service counted its tokens, or said what it cost.
    pub is_counted: bool,
    /// A reply, or some of it, came with a good status.
    pub has_reply: bool,
    /// Its question has an answer now.
    pub is_answered: bool,
}

/// Nothing came as far as a service.
const NOT_SENT: [Cause; 4] =
    [Cause::ConnectionFailed, Cause::WrongProtocol, Cause::ProxyLogin, Cause::ProxyRefused];

impl<'a> FailedCall<'a> {
    /// Tells what it may be billed as; `None` where no service bills it: a refusal, or a request that
    /// never arrived.
    #[must_use]
    pub fn billed_as(&self) -> Option<BilledAs<'a>> {
        let is = |cause: &Cause| cause.code() == self.cause;
        // Sent, and no end of a reply came: the service may have written one all the same.
        let is_waited_for = match self.status {
            None => !NOT_SENT.iter().any(is),
            // A good beginning, or a gateway says that whoever does the work broke off, or that it waits
            // no longer.
            Some(200..=299 | 408 | 499 | 502 | 504 | 520 | 524) => true,
            Some(_) => [Cause::ConnectionLost, Cause::TimedOut].iter().any(is),
        };
        match (self.is_counted, self.has_reply || is_waited_for, self.is_answered) {
            (true, _, true) => Some(BilledAs::Retried(self.cause)),
            (true, _, false) => Some(BilledAs::Rejected(self.cause)),
            (false, true, _) => Some(BilledAs::Lost(self.cause)),
            (false, false, _) => None,
        }
    }
}

/// A sum of costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Total {
    /// Calls, also those of unknown cost.
    pub calls: u64,
    /// The least that they cost.
    pub lower: Amount,
    /// The most that they cost, as far as it is known.
    pub upper: Amount,
    /// Calls of models that have no price.
    pub no_price: u64,
    /// Calls whose tokens the service did not count.
    pub no_counts: u64,
    /// Calls of known cost that brought a further answer to a question whose first was not accepted.
    pub later_tries: u64,
}

/// What was spent on one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelExpenses {
    /// The provider by its id, where it is known.
    pub provider: Option<String>,
    /// The model by its name on the wire; empty for those beyond the first 32.
    pub model: String,
    /// Its answers, and every other call.
    pub spent: Total,
    /// Its answers alone.
    pub answers: Total,
    /// What the provider's cache saved at least.
    pub saved: Amount,
}

/// What a folder has spent in all its runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expenses {
    /// Everything.
    pub spent: Total,
    /// Of it for answers that are kept.
    pub answers: Total,
    /// Of it for replies that were of no use, after which an answer came.
    pub retried: Total,
    /// Of it for replies that were of no use, and no answer came after them.
    pub rejected: Total,
    /// Of it for replies that did not come, or not whole.
    pub lost: Total,
    /// What runs under a limit may have been billed beside all that: see
    /// [`SessionCost`](super::SessionCost).
    pub unsure: Amount,
    /// Calls of runs without a limit whose cost is not known, so that no later limit can count them.
    pub uncounted: u64,
    /// What the provider's cache saved at least.
    pub saved: Amount,
    /// Calls whose cost the service itself said.
    pub said: u64,
    /// The same by model, in the order in which they were first seen.
    pub models: Vec<ModelExpenses>,
    /// What was spent on calls that brought no answer, by cause.
    pub causes: BTreeMap<String, Total>,
}

impl Total {
    /// Adds a call.
    pub fn add(&mut self, cost: Cost) {
        self.calls += 1;
        match cost {
            Cost::Between(lower, upper) => {
                self.lower += lower;
                self.upper += upper;
            }
            Cost::Unknown(WhyUnknown::NoPrice) => self.no_price += 1,
            Cost::Unknown(WhyUnknown::NoCounts) => self.no_counts += 1,
        }
    }

    /// Returns how many calls have a known cost.
    #[must_use]
    pub fn known(&self) -> u64 {
        self.calls - self.no_price - self.no_counts
    }

    /// Returns how many questions have answers of a known cost, whose tries are counted together.
    #[must_use]
    pub fn questions(&self) -> u64 {
        self.known().saturating_sub(self.later_tries)
    }

    /// Tells whether it is one amount, with nothing unknown.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.lower == self.upper && self.known() == self.calls
    }
}

/// Tells whether what a service says outranks a price. Gateways that know none say that all is free, also of what
/// they did not count.
fn is_said(said: Amount, priced: &Cost) -> bool {
    said > Amount::ZERO || matches!(priced, Cost::Unknown(WhyUnknown::NoPrice))
}

/// Returns what the tokens cost at least that the service did count.
fn least(prices: &Prices, billed: &Billed<'_>) -> Amount {
    let Usage { input, output, .. } = billed.tokens;
    let counted = Usage { input: input.or(Some(0)), output: output.or(Some(0)), ..billed.tokens };
    match prices.cost(billed.asked, &counted, billed.at) {
        Cost::Between(least, _) => least,
        Cost::Unknown(_) => Amount::ZERO,
    }
}

impl Expenses {
    /// Adds a call, and returns what it cost at most where that is known. What the service itself says of
    /// its cost outranks every price.
    pub fn add(&mut self, prices: &Prices, billed: &Billed<'_>) -> Option<Amount> {
        let said = billed.said.and_then(Amount::from_dollars);
        let (priced, saved) = prices.cost_and_saved(billed.asked, &billed.tokens, billed.at);
        let said = said.filter(|said| is_said(*said, &priced));
        let cost = match (said.map_or(priced, Cost::exactly), billed.most) {
            (Cost::Unknown(WhyUnknown::NoCounts), Some(most)) => {
                Cost::Between(least(prices, billed).min(most), most)
            }
            (cost, _) => cost,
        };
        self.said += u64::from(said.is_some());
        self.spent.add(cost);
        self.saved += saved;
        let (of_kind, cause) = match billed.outcome {
            BilledAs::Answer => (&mut self.answers, None),
            BilledAs::Retried(cause) => (&mut self.retried, Some(cause)),
            BilledAs::Rejected(cause) => (&mut self.rejected, Some(cause)),
            BilledAs::Lost(cause) => (&mut self.lost, Some(cause)),
        };
        of_kind.add(cost);
        let is_later = billed.is_later_try && matches!(cost, Cost::Between(..));
        of_kind.later_tries += u64::from(is_later);
        if let Some(cause) = cause {
            match self.causes.get_mut(cause) {
                Some(total) => total.add(cost),
                None => self.causes.entry(cause.to_owned()).or_default().add(cost),
            }
        }
        let model = self.model(billed.asked);
        model.spent.add(cost);
        model.saved += saved;
        if billed.outcome == BilledAs::Answer {
            model.answers.add(cost);
            model.answers.later_tries += u64::from(is_later);
        }
        match cost {
            Cost::Between(_, upper) => Some(upper),
            Cost::Unknown(_) => None,
        }
    }

    fn model(&mut self, asked: Asked<'_>) -> &mut ModelExpenses {
        let is = |known: &ModelExpenses, asked: Asked<'_>| {
            known.model == asked.model && known.provider.as_deref() == asked.provider
        };
        let mut asked = asked;
        let mut at = self.models.iter().position(|known| is(known, asked));
        if at.is_none() && self.models.len() >= MODELS_MAX {
            asked = Asked { provider: None, model: "" };
            at = self.models.iter().position(|known| is(known, asked));
        }
        let at = at.unwrap_or_else(|| {
            self.models.push(ModelExpenses {
                provider: asked.provider.map(str::to_owned),
                model: asked.model.to_owned(),
                spent: Total::default(),
                answers: Total::default(),
                saved: Amount::ZERO,
            });
            self.models.len() - 1
        });
        &mut self.models[at]
    }

    /// Returns what a thousand answered questions cost at most, with every try and everything that was of no
    /// use; `None` where no answer has a known cost.
    #[must_use]
    pub fn thousand_answers(&self) -> Option<Amount> {
        let questions = self.answers.questions();
        (questions > 0).then(|| self.spent.upper.times(1_000).share(questions))
    }

    /// Returns what so many more questions to these models cost at most, where each model's tries are like those
    /// that are there; of one without any as of the dearest. `None` where no answer has a known cost.
    #[must_use]
    pub fn more_answers(&self, left: &[(&str, u64)]) -> Option<Amount> {
        let each = |answers: &Total, number: u64| {
            let questions = answers.questions();
            (questions > 0).then(|| answers.upper.times(number).share(questions))
        };
        let more = |&(name, number): &(&str, u64)| {
            let own = self.models.iter().find(|model| model.model == name);
            let own = own.and_then(|model| each(&model.answers, number));
            own.or_else(|| self.models.iter().filter_map(|one| each(&one.answers, number)).max())
        };
        left.iter().filter(|(_, number)| *number > 0).map(more).sum()
    }

    /// Returns the names of the models that have no price, each once.
    #[must_use]
    pub fn without_price(&self) -> Vec<&str> {
        let without = self.models.iter().filter(|model| model.spent.no_price > 0);
        without.map(|model| &*model.model).collect()
    }
}
