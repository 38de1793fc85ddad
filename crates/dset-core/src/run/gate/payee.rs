//! Who is paid for asks at one place: what one can cost at most there, and what it did cost.

use std::time::Duration;

use crate::answer::{Failure, Usage};
use crate::item::question::Question;
use crate::money::{Amount, Asked, Cost, FailedCall, PriceSpan, Prices};
use crate::time::Time;

/// Tokens that services wrap a message in, at most: roles, separators, and what a model's template says
/// by itself. Where it is more, replies show it.
const MESSAGE_TOKENS: u64 = 64;

/// Who is paid for asks at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payee {
    /// The provider by its id, where it is known.
    pub provider: Option<String>,
    /// The model by its name on the wire.
    pub model: String,
    /// The most tokens that a reply may have, reasoning included.
    pub output_max: u64,
    /// What every request has beside its texts, in bytes: the schema, and further fields.
    pub fixed_bytes: u64,
}

/// The worst case of an ask.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Reservation {
    pub(crate) amount: Amount,
    /// The tokens sent, as far as that can be told beforehand,
    known_input: u64,
    /// and at most.
    input: u64,
    /// The tokens received, at most.
    output: u64,
}

/// What a reply says of its price.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bill {
    /// An answer, with its tokens and what the service says that it cost.
    Answered(Usage, Option<f64>),
    /// A reply of no use that was counted.
    Failed(Usage, Option<f64>),
    /// No reply, or not all of it, though the service may have written one.
    Lost,
    /// A refusal, or nothing arrived there.
    None,
}

impl Bill {
    /// Takes what a failure says of it.
    pub(crate) fn of_failure(failure: &Failure) -> Bill {
        let partial = failure.partial.as_deref();
        let usage = partial.map(|partial| partial.usage).unwrap_or_default();
        let said = partial.and_then(|partial| partial.cost);
        let failed = FailedCall {
            cause: failure.cause.code(),
            status: failure.status,
            is_counted: usage.input.is_some() || usage.output.is_some() || said.is_some(),
            has_reply: partial.is_some(),
            is_answered: false,
        };
        match failed.billed_as() {
            None => Bill::None,
            Some(_) if failed.is_counted => Bill::Failed(usage, said),
            Some(_) => Bill::Lost,
        }
    }

    fn tokens(&self) -> Option<(Usage, Option<Amount>)> {
        match self {
            Bill::Answered(tokens, said) | Bill::Failed(tokens, said) => {
                Some((*tokens, said.and_then(bill_said)))
            }
            Bill::Lost | Bill::None => None,
        }
    }
}

/// Returns what a service says that it bills: whoever is paid has a price, and where a gateway says that
/// all is free that price holds.
fn bill_said(dollars: f64) -> Option<Amount> {
    Amount::from_dollars(dollars).filter(|said| *said > Amount::ZERO)
}

/// A payee with the prices that hold now and as long as an ask may take.
#[derive(Debug)]
pub(crate) struct PayeePrices {
    payee: Payee,
    spans: Vec<PriceSpan>,
    /// The moments at which an ask may be sent for which `spans` hold, Unix milliseconds.
    valid: std::ops::Range<i64>,
    /// How many more tokens were sent than could be told beforehand.
    extra_input: u64,
    /// What else replies cost beyond their worst case.
    surcharge: Amount,
}

/// Returns what no ask can cost less than in its worst case: where less is left, none is sent.
/// `system_bytes` is the length of a system prompt that every ask has, `now` Unix time in milliseconds.
#[must_use]
pub fn least_ask(
    payees: &[Payee],
    system_bytes: u64,
    prices: &Prices,
    now: i64,
    timeout: Duration,
) -> Amount {
    let least = payees.iter().map(|payee| {
        let fixed_bytes = payee.fixed_bytes + system_bytes;
        let mut payee = PayeePrices::new(Payee { fixed_bytes, ..payee.clone() });
        payee.refresh(prices, now, timeout);
        payee.worst_of(1, 1, 0).amount
    });
    least.min().unwrap_or_default()
}

impl PayeePrices {
    pub(crate) fn new(payee: Payee) -> PayeePrices {
        PayeePrices {
            payee,
            spans: Vec::new(),
            valid: 0..0,
            extra_input: 0,
            surcharge: Amount::ZERO,
        }
    }

    fn asked(&self) -> Asked<'_> {
        Asked { provider: self.payee.provider.as_deref(), model: &self.payee.model }
    }

    /// Looks the prices up, where those that were looked up last do not hold any more.
    pub(crate) fn refresh(&mut self, prices: &Prices, now: i64, timeout: Duration) {
        if self.valid.contains(&now) {
            return;
        }
        let timeout = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
        let end = now.saturating_add(timeout);
        let (mut spans, mut at): (Vec<PriceSpan>, _) = (Vec::new(), now);
        while let Some(span) = prices.span(self.asked(), at).filter(|_| at <= end) {
            at = span.until;
            spans.push(span);
        }
        // A price that ends without another is the best that is known.
        if spans.is_empty() {
            return;
        }
        let first_ends = spans[0].until;
        self.valid = now..first_ends.min(at.saturating_sub(timeout)).max(now + 1);
        self.spans = spans;
    }

    /// Returns the worst case of asking this.
    pub(crate) fn worst(&self, question: &Question) -> Reservation {
        let texts = question.content.texts().chain(question.system.as_deref());
        let (bytes, messages) =
            texts.fold((0, 0), |(bytes, messages), text| (bytes + text.len() as u64, messages + 1));
        let fields = question.params.as_ref().map_or(0, |params| params.bytes()) as u64;
        self.worst_of(bytes, messages, fields)
    }

    /// Returns the worst case of messages with so many bytes.
    fn worst_of(&self, bytes: u64, messages: u64, fields: u64) -> Reservation {
        let fixed = self.payee.fixed_bytes + fields;
        // What is said of a schema may be a message of its own.
        let messages = messages + u64::from(fixed > 0);
        // Tokenisers of bytes give no more tokens than bytes.
        let known_input = bytes + fixed + messages * MESSAGE_TOKENS;
        let (input, output) = (known_input + self.extra_input, self.payee.output_max);
        // Without any price nothing can be paid.
        let amount = self.most(input).map_or(Amount::MAX, |most| most + self.surcharge);
        Reservation { amount, known_input, input, output }
    }

    fn most(&self, input: u64) -> Option<Amount> {
        self.spans.iter().map(|span| span.most(input, self.payee.output_max)).max()
    }

    fn cost(&self, prices: &Prices, at: i64, tokens: &Usage) -> Option<Amount> {
        let known = self.spans.iter().find(|span| span.holds(at));
        let cost = match known {
            Some(span) => span.cost(tokens),
            None => prices.cost(self.asked(), tokens, at),
        };
        match cost {
            Cost::Between(_, upper) => Some(upper),
            Cost::Unknown(_) => None,
        }
    }

    /// Returns what whoever works costs out from the store will say of it, at most.
    pub(crate) fn stored(&self, prices: &Prices, at: i64, bill: &Bill) -> Option<Amount> {
        match bill {
            Bill::Answered(tokens, said) | Bill::Failed(tokens, said) => {
                said.and_then(bill_said).or_else(|| self.cost(prices, at, tokens))
            }
            Bill::Lost | Bill::None => None,
        }
    }

    /// Returns what an ask was billed at most that was sent at a moment and is back now: as far as it
    /// could be foreseen, and, where the clock was set meanwhile, on the dearer of its sides.
    pub(crate) fn billed(
        &self,
        prices: &Prices,
        now: Time,
        sent_at: Time,
        reserved: Reservation,
        bill: &Bill,
    ) -> (Amount, Amount) {
        let Some((tokens, said)) = bill.tokens() else {
            let amount = if *bill == Bill::None { Amount::ZERO } else { reserved.amount };
            return (amount, amount);
        };
        if let Some(said) = said {
            return (said, said);
        }
        let tokens = Usage {
            input: Some(tokens.input.unwrap_or(reserved.input)),
            output: Some(tokens.output.unwrap_or(reserved.output)),
            ..tokens
        };
        // The tariff of its end.
        let cost = |at| self.cost(prices, at, &tokens).unwrap_or(reserved.amount);
        let ended = sent_at.after(now.since(sent_at)).unix_ms;
        let foreseen = cost(ended);
        match ended == now.unix_ms {
            true => (foreseen, foreseen),
            false => (foreseen, foreseen.max(cost(now.unix_ms))),
        }
    }

    /// Raises the worst case of later asks to what a reply shows.
    pub(crate) fn learn(&mut self, reserved: Reservation, bill: &Bill, billed: Amount) {
        let Some((tokens, _)) = bill.tokens() else { return };
        let input = tokens.input.unwrap_or(0);
        self.extra_input = self.extra_input.max(input.saturating_sub(reserved.known_input));
        self.payee.output_max = self.payee.output_max.max(tokens.output.unwrap_or(0));
        // What was foreseen is no surprise, though its price may be over by now.
        if billed <= reserved.amount {
            return;
        }
        let most = self.most(reserved.known_input + self.extra_input).unwrap_or(billed);
        self.surcharge = self.surcharge.max(billed - most);
    }
}
