//! What dispatch has of the rest of the machine while it takes an event.

use crate::item::question::QuestionId;
use crate::money::Amount;
use crate::run::custody::Custody;
use crate::run::dispatch::router::EndpointIndex;
use crate::run::gate::Gates;
use crate::run::gate::budget::Budget;
use crate::run::gate::payee::{Bill, Reservation};
use crate::run::shutdown::Shutdown;
use crate::run::{Effect, JournalRecord, Notice, Rules, Seq};
use crate::time::Time;

/// The moment, the rules, and the parts of the machine beside dispatch.
pub(crate) struct Context<'a> {
    pub(crate) now: Time,
    pub(crate) rules: &'a Rules,
    pub(crate) custody: &'a mut Custody,
    pub(crate) gates: &'a mut Gates,
    pub(crate) shutdown: &'a mut Shutdown,
    pub(crate) effects: &'a mut Vec<Effect>,
}

impl Context<'_> {
    /// Hands a record to the store.
    pub(crate) fn record(&mut self, record: JournalRecord) -> Seq {
        self.custody.record(record, self.effects)
    }

    /// Marks a row ERROR: in the store first, then in the file.
    pub(crate) fn mark_row(&mut self, id: QuestionId) {
        self.custody.mark_row(id, self.effects);
    }

    /// Returns true if the run is ending: nothing more is asked.
    pub(crate) fn is_ending(&self) -> bool {
        self.shutdown.reason.is_some()
    }

    /// Tells the store of a higher bound, where one is due.
    pub(crate) fn declare_bound(&mut self) {
        let due = self.gates.budget.as_mut().and_then(Budget::take_due_bound);
        if let Some((bound, unsure)) = due {
            self.tell_bound(bound, unsure, false);
        }
    }

    /// Nothing is on its way any more: tells the store what the run was billed.
    pub(crate) fn close_budget(&mut self) {
        let due = self.gates.budget.as_mut().and_then(Budget::take_last_bound);
        if let Some((bound, unsure)) = due {
            self.tell_bound(bound, unsure, true);
        }
    }

    fn tell_bound(&mut self, bound: Amount, unsure: Amount, is_last: bool) {
        let seq = self.record(JournalRecord::BoundDeclared { bound, unsure, is_last });
        if let Some(budget) = &mut self.gates.budget {
            budget.declared(seq, bound);
        }
    }

    /// An ask is back, or will not come back: books what it was billed. Returns what it cost at most where
    /// its reply came and was not counted.
    pub(crate) fn settle(&mut self, paid: &PaidAsk, bill: &Bill) -> Option<Amount> {
        let budget = self.gates.budget.as_mut()?;
        let settled = budget.settle(self.now, paid.sent_at, paid.endpoint, paid.reservation, bill);
        if let Some((billed, reserved)) = settled.over {
            self.effects.push(Effect::Show(Notice::BillAboveReservation { billed, reserved }));
        }
        settled.cost_most
    }
}

/// What is known of an ask whose price is to be booked.
pub(crate) struct PaidAsk {
    pub(crate) sent_at: Time,
    pub(crate) endpoint: EndpointIndex,
    pub(crate) reservation: Reservation,
}
