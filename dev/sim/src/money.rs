//! What the simulated service bills, and the user's limit, over all the lives of a run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dset_core::answer::{ParsedReply, Usage};
use dset_core::item::question::Question;
use dset_core::money::{Amount, Asked, Cost, Prices, SessionCost};
use dset_core::run::ask::AskId;
use dset_core::run::{BudgetRules, BudgetStatus, EndReason, Ending, Payee, Spending};
use dset_core::time::Time;
use serde::{Deserialize, Serialize};

use crate::disk::{Store, StoredCost};
use crate::life::Life;
use crate::prepare::Prepared;
use crate::schedule::ReplyKind;
use crate::world::World;

/// The tokens of an answer, at most, where no setting limits them.
pub(crate) const OUTPUT_MAX: u64 = 4_096;
/// The longest that a simulated ask takes.
const TIMEOUT: Duration = Duration::from_secs(600);
/// A Monday at 01:00 UTC, when the first model becomes twice as dear.
const PEAK_UNIX_MS: i64 = 1_795_395_600_000;
/// Keeps the draws of bills apart from all others.
const BILLS: u64 = 0x6269_6c6c;
/// A limit of so many worst cases can be used up but for a twentieth.
const WORTH_MEASURING: u64 = 20;

/// Who is paid: by hours, and with a price for writing the cache.
const ASKED: [Asked<'_>; 2] = [
    Asked { provider: Some("deepseek"), model: "deepseek-flash" },
    Asked { provider: Some("openai"), model: "gpt-6-luna" },
];

/// A limit of money.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Limit {
    /// In millionths of a dollar.
    pub(crate) micros: u64,
    /// It holds for each life alone, not for all together.
    #[serde(default)]
    pub(crate) of_run: bool,
    /// The first life begins so many minutes before the first model becomes dearer.
    #[serde(default)]
    pub(crate) minutes: i64,
}

impl Limit {
    /// Draws one, with a chance of its own.
    pub(crate) fn drawn(seed: u64) -> Limit {
        let mut random = fastrand::Rng::with_seed(seed ^ BILLS);
        // From half a worst case of the first model to a hundred.
        let micros = 1_250.0 * 200_f64.powf(random.f64());
        Limit { micros: micros as u64, of_run: random.u32(..4) == 0, minutes: random.i64(-30..60) }
    }

    pub(crate) fn begins_unix_ms(self) -> i64 {
        PEAK_UNIX_MS - self.minutes * 60_000
    }

    fn amount(self) -> Amount {
        Amount::from_picodollars(self.micros as i64 * 1_000_000)
    }
}

/// What an ask was billed.
#[derive(Debug, Clone, Copy)]
struct Billed {
    usage: Usage,
    asked: Asked<'static>,
    sent_unix_ms: i64,
    amount: Amount,
}

/// The service's books.
#[derive(Debug, Default)]
pub(crate) struct Books {
    prices: Arc<Prices>,
    billed: Amount,
    billed_before_life: Amount,
    asks: BTreeMap<AskId, Billed>,
    /// Shares of limits that were used when they ended a run.
    pub(crate) used: Vec<f64>,
}

impl Books {
    /// Begins a life.
    pub(crate) fn life(&mut self) {
        self.billed_before_life = self.billed;
        self.asks.clear();
    }

    /// What a life goes by that finds this store.
    pub(crate) fn rules(
        &self,
        store: &Store,
        limit: Limit,
        (models, places): (u32, u32),
        output_max: u64,
    ) -> BudgetRules {
        let recorded = |life: &u64| store.recorded.get(life).copied().unwrap_or_default();
        let unsure = store.bounds.iter().map(|(life, said)| {
            SessionCost { recorded: recorded(life), ..*said }.may_have_been_billed()
        });
        let payees = (0..models).flat_map(|model| {
            let asked = ASKED[model as usize];
            let payee = Payee {
                provider: asked.provider.map(str::to_owned),
                model: asked.model.to_owned(),
                output_max,
                fixed_bytes: 0,
            };
            (0..places).map(move |_| payee.clone())
        });
        BudgetRules {
            total: (!limit.of_run).then(|| limit.amount()),
            run: limit.of_run.then(|| limit.amount()),
            spent_before: store.recorded.values().copied().sum(),
            unsure_before: unsure.sum(),
            run_before: Spending::default(),
            of_job: None,
            granted: None,
            prices: Arc::clone(&self.prices),
            payees: payees.collect(),
            timeout: TIMEOUT,
        }
    }

    /// An ask was sent: the service bills what it will write, whatever becomes of it.
    pub(crate) fn ask(
        &mut self,
        (seed, life): (u64, u64),
        (ask, question): (AskId, &Question),
        what: ReplyKind,
        output_max: u64,
        (sent_unix_ms, ms): (i64, u64),
    ) {
        if !matches!(what, ReplyKind::Answer | ReplyKind::Lost | ReplyKind::Cut) {
            return;
        }
        let mut random = fastrand::Rng::with_seed(seed ^ BILLS ^ (life << 40) ^ ask.0);
        let input = random.u64(1..=question.text.len() as u64 + 64);
        let most = output_max as f64;
        let output = match what {
            ReplyKind::Cut => output_max,
            _ => (most / 10.0 * 10_f64.powf(random.f64())) as u64,
        };
        let usage = Usage {
            input: Some(input),
            cached: Some(random.u64(..=input)),
            output: Some(output),
            reasoning: Some(random.u64(..=output)),
            ..Usage::default()
        };
        let mut billed = Billed {
            usage,
            asked: ASKED[usize::from(question.model)],
            sent_unix_ms,
            amount: Amount::ZERO,
        };
        billed.amount = self.cost(&billed, sent_unix_ms + ms as i64);
        self.billed += billed.amount;
        self.asks.insert(ask, billed);
    }

    /// The reply to an ask was there earlier, as it was to be dropped.
    pub(crate) fn came_after(&mut self, ask: AskId, ms: u64) {
        if let Some(billed) = self.asks.get(&ask).copied() {
            let amount = self.cost(&billed, billed.sent_unix_ms + ms as i64);
            self.billed = self.billed - billed.amount + amount;
            self.asks.insert(ask, Billed { amount, ..billed });
        }
    }

    /// What the service bills: what it writes into its cache is billed as such, and told nobody.
    fn cost(&self, billed: &Billed, at: i64) -> Amount {
        most(self.prices.cost(billed.asked, &billed.usage, at)).unwrap_or_default()
    }

    /// What the service says of the tokens of a reply: not always everything.
    pub(crate) fn usage(&self, ask: AskId, what: ReplyKind) -> Usage {
        let usage = self.asks.get(&ask).map(|billed| billed.usage).unwrap_or_default();
        match (usage.input.unwrap_or(0) % 7, what) {
            (0, _) => Usage { cached: None, ..usage },
            (1, ReplyKind::Answer) => Usage { input: None, cached: None, ..usage },
            (2, ReplyKind::Answer) => Usage { output: None, reasoning: None, ..usage },
            (3, ReplyKind::Answer) => Usage::default(),
            _ => usage,
        }
    }

    /// What whoever reads the store will say that a call cost, at most, by its tokens.
    fn stored(&self, model: u16, usage: &Usage, at: i64) -> Option<Amount> {
        most(self.prices.cost(ASKED[usize::from(model)], usage, at))
    }

    /// No more is billed than the limit, whatever happens.
    pub(crate) fn check(&self, limit: Limit) {
        let since = if limit.of_run { self.billed_before_life } else { Amount::ZERO };
        let billed = self.billed - since;
        assert!(billed <= limit.amount(), "no more is billed than the limit");
    }

    /// What is said at the end of a life is what was billed, or more; and a limit ends a run only where
    /// it pays for no further question.
    pub(crate) fn end(
        &mut self,
        limit: Limit,
        status: &BudgetStatus,
        is_reached: bool,
        dearest: Amount,
    ) {
        let said = status.spent + status.unsure;
        assert!(self.billed <= said, "what is said to be spent is no less than the bill");
        assert_eq!(status.reserved, Amount::ZERO, "nothing is reserved at the end");
        if is_reached {
            assert!(status.left < dearest, "a limit that pays for a question ends no run");
            if limit.amount() >= dearest.times(WORTH_MEASURING) {
                let used = if limit.of_run { status.run_spent + status.run_unsure } else { said };
                let share = used.picodollars() as f64 / limit.amount().picodollars() as f64;
                self.used.push(share.min(1.0));
            }
        }
    }

    /// The worst case of the longest of these questions, at any hour.
    pub(crate) fn dearest(&self, longest: usize, models: u32, output_max: u64) -> Amount {
        let asked = ASKED.iter().take(models as usize);
        let spans = asked.filter_map(|asked| self.prices.span(*asked, PEAK_UNIX_MS));
        spans.map(|span| span.most(longest as u64 + 64, output_max)).max().unwrap_or_default()
    }
}

impl World {
    /// The user's limit, as a life that is planned so goes by it.
    pub(crate) fn budget(&self, begin: &Prepared) -> Option<BudgetRules> {
        let of = (self.start.models, self.start.endpoints);
        let rules = |limit| self.books.rules(&self.store, limit, of, begin.output_max());
        self.start.limit.map(rules)
    }

    /// What a life says at its end of the user's limit.
    pub(crate) fn check_budget(&mut self, ending: &Ending, output_max: u64) {
        if let (Some(limit), Some(status)) = (self.start.limit, &ending.budget) {
            let longest = self.rows.iter().map(|row| row.text.len()).max().unwrap_or(0);
            let dearest = self.books.dearest(longest, self.start.models, output_max);
            let is_reached = matches!(ending.reason, EndReason::CostLimit { .. });
            self.books.end(limit, status, is_reached, dearest);
        }
    }
}

impl Life<'_> {
    /// What the call of an answer or a failure cost, as it is worked out from the store.
    pub(crate) fn cost(
        &self,
        question: &Question,
        usage: Option<Usage>,
        most: Option<Amount>,
        at: Time,
    ) -> StoredCost {
        let usage = usage.filter(|_| self.world.start.limit.is_some());
        let stored =
            usage.and_then(|usage| self.world.books.stored(question.model, &usage, at.unix_ms));
        (self.world.store.lives, stored.or(most).unwrap_or_default())
    }
}

/// Puts into a reply what the service counts; refusals have a status, so that nobody takes them for
/// replies that were lost.
pub(crate) fn count(reading: &mut ParsedReply, what: ReplyKind, usage: Usage) {
    match reading {
        ParsedReply::Answer(answer) => answer.usage = usage,
        ParsedReply::Failure(failure) if what != ReplyKind::Lost => {
            failure.status = Some(match what {
                ReplyKind::Cut => 200,
                ReplyKind::Throttled { .. } => 429,
                _ => 500,
            });
            failure.partial.iter_mut().for_each(|partial| partial.usage = usage);
        }
        ParsedReply::Failure(_) => {}
    }
}

fn most(cost: Cost) -> Option<Amount> {
    match cost {
        Cost::Between(_, upper) => Some(upper),
        Cost::Unknown(_) => None,
    }
}
