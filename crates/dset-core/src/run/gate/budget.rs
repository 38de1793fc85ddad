//! The gate of money: no more is on its way than what is left can pay for, whatever comes of it.
//!
//! Before an ask is sent its worst case is reserved; when it is back the reservation becomes what it
//! was billed. Reservations die with the process, so the most that a run may be billed is declared in
//! the store before it may be: see [`JournalRecord::BoundDeclared`](crate::run::JournalRecord).

use std::collections::VecDeque;
use std::ops::AddAssign;
use std::sync::Arc;
use std::time::Duration;

use super::payee::{Bill, Payee, PayeePrices, Reservation};
use crate::item::question::Question;
use crate::money::{Amount, Prices};
use crate::planted::{PlantedBug, planted};
use crate::run::Seq;
use crate::time::Time;

/// The bound is raised by the worst case of at most so many asks, and of no more than may be on their
/// way at once; and by at most such a part of all that may be spent. A run that is killed counts as
/// if it had been billed all of it.
const STEP_ASKS: u64 = 64;
const STEP_PARTS: u64 = 10;

/// What may be spent, and by what prices.
#[derive(Debug, Clone)]
pub struct BudgetRules {
    /// The most that the folder may have cost after this run, where that is limited.
    pub total: Option<Amount>,
    /// The most that this run may cost, where that is limited.
    pub run: Option<Amount>,
    /// What earlier runs of the folder have spent, at most.
    pub spent_before: Amount,
    /// What they may have been billed beside that.
    pub unsure_before: Amount,
    /// What counts for the limit of this run and was billed before it: a worker's earlier shards.
    pub run_before: Spending,
    /// What all workers of a job may spend together, where that is limited.
    pub of_job: Option<JobLimit>,
    /// What tokens cost.
    pub prices: Arc<Prices>,
    /// What of a limit that is shared with other runs is this one's so far; more may be granted later.
    pub granted: Option<Amount>,
    /// Who is paid at each of the places where models are asked, in their order.
    pub payees: Vec<Payee>,
    /// The longest that an ask may take.
    pub timeout: Duration,
}

/// What was billed, at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spending {
    /// What replies that came cost.
    pub spent: Amount,
    /// What may have been billed beside that.
    pub unsure: Amount,
}

impl Spending {
    /// Returns all of it.
    #[must_use]
    pub fn sum(self) -> Amount {
        self.spent + self.unsure
    }
}

impl AddAssign for Spending {
    fn add_assign(&mut self, other: Spending) {
        self.spent += other.spent;
        self.unsure += other.unsure;
    }
}

/// A limit of money that all workers of a job share.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobLimit {
    /// The most that the job may cost.
    pub total: Amount,
    /// What of it was booked when this run began.
    pub booked: Amount,
}

/// Whose limit it is that leaves a run the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitOf {
    /// That of the folder in all its runs.
    Folder,
    /// That of this run.
    Run,
    /// That of all workers of a job.
    Job,
}

/// Where a run stands with its limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BudgetStatus {
    /// The most that the folder may have cost after this run, where that is limited.
    pub total: Option<Amount>,
    /// The most that this run may cost, where that is limited.
    pub run: Option<Amount>,
    /// What the folder has spent in all its runs, at most.
    pub spent: Amount,
    /// What of it this run has spent.
    pub run_spent: Amount,
    /// What the folder may have been billed beside that: replies that did not come, and what earlier
    /// runs that were killed had on their way.
    pub unsure: Amount,
    /// What of it this run may have been.
    pub run_unsure: Amount,
    /// What counts for the limit of this run and was billed before it.
    pub run_before: Spending,
    /// What all workers of a job may spend together, where that is limited.
    pub of_job: Option<JobLimit>,
    /// The worst case of the asks on their way.
    pub reserved: Amount,
    /// What is left beside all that.
    pub left: Amount,
}

impl BudgetStatus {
    /// Tells whether nothing was spent yet that counts for any limit, nor may have been.
    #[must_use]
    pub fn is_unspent(&self) -> bool {
        let of_others = self.of_job.map_or(Amount::ZERO, |job| job.booked);
        let own = self.of_folder().sum() + self.reserved;
        own + self.run_before.sum() + of_others == Amount::ZERO
    }

    /// Returns what counts for the limit of the folder in all its runs.
    #[must_use]
    pub fn of_folder(&self) -> Spending {
        Spending { spent: self.spent, unsure: self.unsure }
    }

    /// Returns what this run itself was billed.
    #[must_use]
    pub fn in_run(&self) -> Spending {
        Spending { spent: self.run_spent, unsure: self.run_unsure }
    }

    /// Returns what counts for the limit of this run.
    #[must_use]
    pub fn of_run(&self) -> Spending {
        let mut billed = self.run_before;
        billed += self.in_run();
        billed
    }

    /// Tells whose limit leaves the least.
    #[must_use]
    pub fn nearest(&self) -> LimitOf {
        let left = |most: Amount, billed: Amount| most - billed - self.reserved;
        let folder = self.total.map(|most| (left(most, self.of_folder().sum()), LimitOf::Folder));
        let run = self.run.map(|most| (left(most, self.of_run().sum()), LimitOf::Run));
        let own = [folder, run].into_iter().flatten().min_by_key(|(left, _)| *left);
        match own {
            Some((left, of)) if self.of_job.is_none() || left <= self.left => of,
            _ => LimitOf::Job,
        }
    }
}

/// Why an ask may not be sent for its money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoFunds {
    /// Its worst case is more than what is left beside what is reserved.
    Short,
    /// The store does not know yet that so much may be billed.
    Undeclared,
}

/// What a run has and wants of a limit of money that is shared with other runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FundsUse {
    /// What it may have been billed, asks on their way included.
    pub used: Amount,
    /// What it wants beside what it has.
    pub wanted: Amount,
    /// Less than this is of no use to it.
    pub least: Amount,
    /// Nothing is on its way, and it can send nothing with what it had: it has handed back what it did not
    /// use.
    pub is_idle: bool,
}

/// What an ask came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// What it was billed where that is more than was reserved, the first time, with what was reserved.
    pub(crate) over: Option<(Amount, Amount)>,
    /// What a reply that came and was not counted cost at most: only this tells whoever reads the store.
    pub(crate) cost_most: Option<Amount>,
}

/// The state of the gate.
#[derive(Debug)]
pub(crate) struct Budget {
    rules: BudgetRules,
    payees: Vec<PayeePrices>,
    slots_max: u64,
    spent: Amount,
    unsure: Amount,
    reserved: Amount,
    /// The most that this run may be billed, as the store knows it,
    bound: Amount,
    /// as the store was last told,
    told: Amount,
    /// what it was told and is not known to be durable,
    telling: VecDeque<(Seq, Amount)>,
    /// and what it is to be told.
    wish: Option<Amount>,
    is_closed: bool,
    has_warned: bool,
    /// What is wanted of a shared limit: in all, and for the next ask.
    wanted: Option<(Amount, Amount)>,
    /// More of a shared limit may come.
    grows: bool,
}

impl Budget {
    /// `slots_max` asks at once at most.
    pub(crate) fn new(rules: BudgetRules, slots_max: u32) -> Budget {
        Budget {
            payees: rules.payees.iter().map(|payee| PayeePrices::new(payee.clone())).collect(),
            wanted: None,
            grows: rules.granted.is_some(),
            rules,
            slots_max: u64::from(slots_max),
            spent: Amount::ZERO,
            unsure: Amount::ZERO,
            reserved: Amount::ZERO,
            bound: Amount::ZERO,
            told: Amount::ZERO,
            telling: VecDeque::new(),
            wish: None,
            is_closed: false,
            has_warned: false,
        }
    }

    /// What this run may be billed in all.
    fn allowance(&self) -> Amount {
        let own = self.own_allowance();
        self.rules.granted.map_or(own, |granted| granted.min(own))
    }

    /// The same as far as other runs have nothing to do with it.
    fn own_allowance(&self) -> Amount {
        let rules = &self.rules;
        let of_folder = rules.total.map(|most| most - rules.spent_before - rules.unsure_before);
        let of_run = rules.run.map(|most| most - rules.run_before.sum());
        let of_job = rules.of_job.map(|job| job.total);
        let least = [of_folder, of_run, of_job].into_iter().flatten().min();
        least.unwrap_or_default().max(Amount::ZERO)
    }

    fn used(&self) -> Amount {
        self.spent + self.unsure + self.reserved
    }

    /// Returns the worst case of asking this there now.
    pub(crate) fn worst(&mut self, now: Time, place: usize, question: &Question) -> Reservation {
        let payee = &mut self.payees[place];
        payee.refresh(&self.rules.prices, now.unix_ms, self.rules.timeout);
        payee.worst(question)
    }

    /// Tells whether so much is left beside what is reserved, or may be once more is granted.
    pub(crate) fn can_pay(&self, worst: Reservation) -> bool {
        let most = if self.grows { self.own_allowance() } else { self.allowance() };
        self.used() + worst.amount <= most
    }

    /// So much of a shared limit is this run's now; nothing will be added where it is the last.
    pub(crate) fn grant(&mut self, granted: Amount, is_last: bool) {
        if self.rules.granted.is_some() {
            (self.rules.granted, self.wanted, self.grows) = (Some(granted), None, !is_last);
        }
    }

    /// Returns what is wanted of a shared limit; where `is_idle`, what is not used is handed back.
    pub(crate) fn take_funds_use(&mut self, is_idle: bool) -> Option<FundsUse> {
        let (wanted, least) = self.wanted?;
        let used = self.used();
        let has = self.rules.granted.unwrap_or_default();
        let is_idle = is_idle && used + least > has;
        if is_idle {
            self.rules.granted = Some(used.min(has));
        }
        let has = self.rules.granted.unwrap_or_default();
        Some(FundsUse { used, wanted: (wanted - has).max(Amount::ZERO), least, is_idle })
    }

    /// Reserves the worst case of asking this there now.
    pub(crate) fn reserve(
        &mut self,
        now: Time,
        place: usize,
        question: &Question,
    ) -> Result<Reservation, NoFunds> {
        let worst = self.worst(now, place, question);
        if !self.can_pay(worst) {
            return Err(NoFunds::Short);
        }
        let used = self.used() + worst.amount;
        let step = self.step(worst.amount);
        if let Some(granted) = self.rules.granted.filter(|_| self.grows) {
            if used + step.share(2) > granted && granted < self.own_allowance() {
                let wanted = (used + step).min(self.own_allowance());
                self.wanted = Some((wanted, worst.amount));
            }
            if used > granted {
                return Err(NoFunds::Undeclared);
            }
        }
        if used + step.share(2) > self.told && self.told < self.allowance() {
            self.wish = Some((used + step).min(self.allowance()));
        }
        let bound = if planted(PlantedBug::BoundNotDurable) { self.told } else { self.bound };
        if used > bound {
            return Err(NoFunds::Undeclared);
        }
        if !planted(PlantedBug::NothingReserved) {
            self.reserved = used - self.spent - self.unsure;
        }
        Ok(worst)
    }

    fn step(&self, worst: Amount) -> Amount {
        let whole = match self.rules.granted {
            Some(_) => self.own_allowance(),
            None => self.allowance(),
        };
        worst.times(STEP_ASKS.min(self.slots_max)).min(whole.share(STEP_PARTS))
    }

    /// An ask is back, or will not come back.
    pub(crate) fn settle(
        &mut self,
        now: Time,
        sent_at: Time,
        place: usize,
        reservation: Reservation,
        bill: &Bill,
    ) -> Settled {
        if !planted(PlantedBug::NothingReserved) {
            self.reserved = self.reserved - reservation.amount;
        }
        if *bill == Bill::Lost && planted(PlantedBug::LostNotBooked) {
            return Settled::default();
        }
        let prices = &self.rules.prices;
        let stored = self.payees[place].stored(prices, now.unix_ms, bill);
        let (foreseen, billed) = self.payees[place].billed(prices, now, sent_at, reservation, bill);
        let has_come = matches!(bill, Bill::Answered(..) | Bill::Failed(..));
        let cost_most = (has_come && stored.is_none()).then_some(billed);
        let sure = stored.or(cost_most).unwrap_or_default().min(billed);
        self.spent += sure;
        self.unsure += billed - sure;
        let is_over = foreseen > reservation.amount;
        self.payees[place].learn(reservation, bill, foreseen);
        let warns = is_over && !std::mem::replace(&mut self.has_warned, true);
        Settled { over: warns.then_some((foreseen, reservation.amount)), cost_most }
    }

    /// Returns the bound that the store is to be told, and how much of what was booked is unsure.
    pub(crate) fn take_due_bound(&mut self) -> Option<(Amount, Amount)> {
        Some((self.wish.take()?, self.unsure))
    }

    /// At the end: returns, once, what the run was billed and may have been, where it declared any.
    pub(crate) fn take_last_bound(&mut self) -> Option<(Amount, Amount)> {
        let is_first = !std::mem::replace(&mut self.is_closed, true);
        (is_first && self.told > Amount::ZERO).then(|| (self.used(), self.unsure))
    }

    /// The store was told of this bound with this record.
    pub(crate) fn declared(&mut self, seq: Seq, bound: Amount) {
        self.told = bound;
        self.telling.push_back((seq, bound));
    }

    /// Records up to `upto` are durable.
    pub(crate) fn on_synced(&mut self, upto: Seq) {
        while let Some(&(seq, bound)) = self.telling.front()
            && seq <= upto
        {
            self.bound = bound;
            self.telling.pop_front();
        }
    }

    /// Returns where the run stands.
    pub(crate) fn status(&self) -> BudgetStatus {
        let rules = &self.rules;
        BudgetStatus {
            total: rules.total,
            run: rules.run,
            spent: rules.spent_before + self.spent,
            run_spent: self.spent,
            unsure: rules.unsure_before + self.unsure,
            run_unsure: self.unsure,
            run_before: rules.run_before,
            of_job: rules.of_job,
            reserved: self.reserved,
            left: (self.allowance() - self.used()).max(Amount::ZERO),
        }
    }
}
