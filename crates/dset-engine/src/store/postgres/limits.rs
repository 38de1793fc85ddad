//! The limits of a whole job: what they are, and how they are shared out.

use dset_core::money::Amount;
use dset_core::rate::shared_bucket::SharedBucket;
use dset_core::run::PermitUse;

use super::connection::Server;
use crate::store::server_fault::ServerFault;

/// What an ask takes of the limit on tokens before one is back.
const TOKENS_AT_FIRST: f64 = 1_000.0;

/// Limits that hold for all workers of a job together; absent where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SharedLimits {
    /// Asks in a minute.
    pub asks: Option<u64>,
    /// Tokens in a minute, in and out.
    pub tokens: Option<u64>,
    /// What all of it may cost.
    pub cost: Option<Amount>,
}

pub(super) fn read(server: &mut Server) -> Result<SharedLimits, ServerFault> {
    let rows = server.part(async |to| {
        to.query("SELECT asks_a_minute, tokens_a_minute, cost FROM limits", &[]).await
    })?;
    let Some(row) = rows.first() else { return Ok(SharedLimits::default()) };
    let number = |at: usize| row.get::<_, Option<i64>>(at);
    let count = |at: usize| number(at).and_then(|most| u64::try_from(most).ok());
    let cost = number(2).map(Amount::from_picodollars);
    Ok(SharedLimits { asks: count(0), tokens: count(1), cost })
}

/// Sets those that are said, and leaves the others as they are.
pub(super) fn change(server: &mut Server, to: SharedLimits) -> Result<(), ServerFault> {
    let number = |most: Option<u64>| most.map(|most| i64::try_from(most).unwrap_or(i64::MAX));
    let cost = to.cost.map(|most| i64::try_from(most.picodollars()).unwrap_or(i64::MAX));
    let (asks, tokens) = (number(to.asks), number(to.tokens));
    server.transact(async |to| {
        to.query(
            "UPDATE limits SET asks_a_minute = coalesce($1, asks_a_minute),
             tokens_a_minute = coalesce($2, tokens_a_minute), cost = coalesce($3, cost)",
            &[&asks, &tokens, &cost],
        )
        .await
        .map(drop)
    })
}

/// Of what alias `l` of `life` says: nobody knows what it was billed, and no worker has it any more.
pub(super) const IS_LOST: &str = "l.billed IS NULL AND l.granted > 0 AND NOT EXISTS (
    SELECT 1 FROM shard s WHERE s.number = l.shard AND s.token = l.token
    AND s.leased_until > clock_timestamp())";

/// What is booked of the limit of money: what was billed at most, and what workers may still be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SharedSpending {
    /// All of it.
    pub booked: Amount,
    /// Of it what was granted to runs that were killed, and may have been billed,
    pub lost: Amount,
    /// and how many those are.
    pub lost_runs: u64,
}

pub(super) fn spending(server: &mut Server) -> Result<SharedSpending, ServerFault> {
    let sql = format!(
        "SELECT coalesce(sum(coalesce(l.billed, l.granted)), 0)::bigint,
         coalesce(sum(l.granted) FILTER (WHERE {IS_LOST}), 0)::bigint,
         count(*) FILTER (WHERE {IS_LOST}) FROM life l"
    );
    let rows = server.part(async |to| to.query(&sql, &[]).await)?;
    let amount = |at: usize| Amount::from_picodollars(rows[0].get(at));
    let lost_runs = rows[0].get::<_, i64>(2) as u64;
    Ok(SharedSpending { booked: amount(0), lost: amount(1), lost_runs })
}

/// What became of earlier permits of a run and is not on the server yet.
#[derive(Debug, Default)]
pub(super) struct Carried {
    unused: i64,
    /// Tokens beside those that were taken for the asks that used them.
    tokens: f64,
    counted: u64,
    sum: f64,
}

impl Carried {
    /// What an ask takes as a rule.
    fn size(&self) -> f64 {
        if self.counted == 0 { TOKENS_AT_FIRST } else { (self.sum / self.counted as f64).max(1.0) }
    }

    pub(super) fn add(&mut self, used: &PermitUse) {
        let expected = self.size() * f64::from(used.counted);
        self.unused += i64::from(used.unused);
        self.tokens += used.tokens as f64 - expected;
        self.counted += u64::from(used.counted);
        self.sum += used.tokens as f64;
    }

    pub(super) fn settled(&mut self) {
        (self.unused, self.tokens) = (0, 0.0);
    }

    /// Whether what was handed back arrived is not known: it is not handed back again.
    pub(super) fn forget_in_doubt(&mut self) {
        (self.unused, self.tokens) = (0, self.tokens.max(0.0));
    }
}

/// The limits a minute, how far they are spent, and the moment by the server's clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Minute {
    pub(super) asks: Option<SharedBucket>,
    pub(super) tokens: Option<SharedBucket>,
    pub(super) limits: SharedLimits,
    pub(super) now_us: i64,
    /// Workers that have a shard.
    pub(super) workers: u64,
}

impl Minute {
    /// Grants a run its part, where it wants any; returns how many asks that are, or nothing where there are
    /// no limits a minute.
    pub(super) fn grant(&mut self, carried: &Carried, wants: bool) -> Option<u32> {
        if self.asks.is_none() && self.tokens.is_none() {
            return None;
        }
        let (now, size) = (self.now_us, carried.size());
        if let Some(asks) = &mut self.asks {
            asks.take(now, -carried.unused, 1.0);
        }
        if let Some(tokens) = &mut self.tokens {
            tokens.take(now, -carried.unused, size);
            tokens.correct(now, carried.tokens, size);
        }
        // A second's worth for all together, and one at least.
        let of_tokens = self.limits.tokens.map(|most| (most as f64 / size).ceil() as u64);
        let a_minute = [self.limits.asks, of_tokens].into_iter().flatten().min().unwrap_or(0);
        let a_second = a_minute.div_ceil(60).div_ceil(self.workers.max(1));
        let wanted = if wants { u32::try_from(a_second).unwrap_or(u32::MAX) } else { 0 };
        let there = [
            self.asks.map(|asks| asks.available(now, 1.0)),
            self.tokens.map(|tokens| tokens.available(now, size)),
        ];
        let granted = there.into_iter().flatten().fold(wanted, u32::min);
        if let Some(asks) = &mut self.asks {
            asks.take(now, granted.into(), 1.0);
        }
        if let Some(tokens) = &mut self.tokens {
            tokens.take(now, granted.into(), size);
        }
        Some(granted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four workers that want all they can get, for two minutes; each ask takes `taken` tokens and is back a
    /// moment later. Returns asks and tokens of the second minute.
    fn drive(limits: SharedLimits, taken: u64) -> (u64, u64) {
        let mut carried: [Carried; 4] = Default::default();
        let (mut asks_due, mut tokens_due, mut second) = (0, 0, (0, 0));
        for now_us in (1_000_000_000_i64..1_120_000_000).step_by(25_000) {
            let at = (now_us / 25_000 % 4) as usize;
            let mut minute = Minute {
                asks: limits.asks.map(|most| SharedBucket::new(most, asks_due)),
                tokens: limits.tokens.map(|most| SharedBucket::new(most, tokens_due)),
                limits,
                now_us,
                workers: 4,
            };
            let granted = minute.grant(&carried[at], true).unwrap();
            asks_due = minute.asks.map_or(0, |asks| asks.due_us());
            tokens_due = minute.tokens.map_or(0, |tokens| tokens.due_us());
            carried[at].settled();
            let tokens = u64::from(granted) * taken;
            carried[at].add(&PermitUse { counted: granted, tokens, ..PermitUse::default() });
            if now_us >= 1_060_000_000 {
                second = (second.0 + u64::from(granted), second.1 + tokens);
            }
        }
        second
    }

    #[test]
    fn four_workers_use_a_limit_of_asks_up_to_five_per_cent_and_never_more() {
        let (asks, _) = drive(SharedLimits { asks: Some(600), ..SharedLimits::default() }, 1);
        assert!((570..=600).contains(&asks), "{asks}");
    }

    #[test]
    fn four_workers_use_a_limit_of_tokens_whatever_an_answer_takes() {
        for taken in [50, 1_000, 7_000] {
            let limits = SharedLimits { tokens: Some(600_000), ..SharedLimits::default() };
            let (_, tokens) = drive(limits, taken);
            assert!((550_000..=600_000).contains(&tokens), "{tokens} at {taken} an answer");
        }
    }

    #[test]
    fn an_answer_that_takes_more_than_a_second_of_the_limit_is_asked_for_all_the_same() {
        for (most, taken) in [(30_000, 1_000), (200_000, 8_000), (30_000, 100), (6_000, 3_000)] {
            let limits = SharedLimits { tokens: Some(most), ..SharedLimits::default() };
            let (_, tokens) = drive(limits, taken);
            let least = (most * 9 / 10).saturating_sub(taken);
            assert!((least..=most).contains(&tokens), "{tokens} of {most} at {taken} an answer");
        }
    }

    #[test]
    fn without_a_limit_a_minute_everybody_sends_what_he_likes() {
        let limits = SharedLimits { cost: Some(Amount::MAX), ..SharedLimits::default() };
        let mut minute = Minute { asks: None, tokens: None, limits, now_us: 7, workers: 1 };
        assert_eq!(minute.grant(&Carried::default(), true), None);
    }
}
