//! Why a run ends, and what must hold once it has.

use dset_core::csv::ERROR;
use dset_core::run::{EndReason, Ending, Planned};

use crate::checker::Checker;
use crate::world::World;

/// What may end a run, the weightiest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    Store,
    Output,
    Settings,
    Input,
    Key,
    Money,
    Limit,
    Unreachable,
    ToldToWait,
    Signal,
    Lease,
    Paused,
    Complete,
}

impl From<&EndReason> for Reason {
    fn from(why: &EndReason) -> Reason {
        match why {
            EndReason::StoreFailed => Reason::Store,
            EndReason::OutputFailed => Reason::Output,
            EndReason::WrongSettings(_) => Reason::Settings,
            EndReason::InputChanged { .. } => Reason::Input,
            EndReason::KeyRefused(_) => Reason::Key,
            EndReason::OutOfMoney(_) => Reason::Money,
            EndReason::CostLimit { .. } => Reason::Limit,
            EndReason::Unreachable(_) => Reason::Unreachable,
            EndReason::RetryAfterTooLong(..) => Reason::ToldToWait,
            EndReason::Stopped(_) => Reason::Signal,
            EndReason::LeaseLost => Reason::Lease,
            EndReason::Paused => Reason::Paused,
            EndReason::Complete => Reason::Complete,
        }
    }
}

impl Checker {
    /// The ending says what happened.
    pub(crate) fn check_ending(&mut self, ending: &Ending) {
        self.declare_systemic();
        assert!(self.flights.is_empty() && !self.has_unsynced(), "nothing is on its way");
        assert_eq!(ending.ledger, self.ledger, "the ledger at the end");
        assert_eq!(ending.dropped, self.dropped, "what was dropped is counted");
        let is_complete = ending.ledger.pending == 0 && ending.ledger.failed() == 0;
        let weightiest = match self.reasons.first() {
            Some(Reason::Signal | Reason::Paused) if is_complete => Reason::Complete,
            Some(reason) => *reason,
            None => Reason::Complete,
        };
        assert_eq!(Reason::from(&ending.reason), weightiest, "the weightiest reason ends the run");
        if weightiest == Reason::Complete {
            let left = ending.ledger.pending;
            assert!(left == 0 || self.limit_is_reached(), "a complete run leaves nothing");
        }
        let is_given_up = self.reasons.contains(&Reason::Unreachable);
        assert_eq!(ending.marked_question.is_some(), is_given_up, "an outage leaves a bookmark");
    }

    /// Every answer of this input is in the outputs, past whatever stays unanswered.
    pub(crate) fn check_placed(&self, world: &World) {
        let store = &world.store;
        for stored in self.begin.questions.iter().filter_map(|q| store.answers.get(&q.key)) {
            assert!(store.is_placed(stored.id), "what was paid for is in the outputs at the end");
        }
    }

    /// The input says ERROR in the rows that ended without an answer, and in no answered one.
    pub(crate) fn check_statuses(&self, world: &World) {
        let store = &world.store;
        let planned = self.begin.plan.states.iter();
        let questions = self.begin.questions.iter().zip(&self.begin.places).zip(planned);
        let is_open = |index, ending| {
            self.is_open(index) || store.ended.contains_key(&(ending, store.edition))
        };
        for ((question, &place), planned) in questions {
            let now = world.rows[place].status.as_str();
            let before = self.statuses[place].as_str();
            let hash = question.id.hash();
            assert!(!store.marks.contains(&hash), "every mark is written at the end");
            let is_own_word = before != ERROR && !before.is_empty();
            let has_ended = self.ended.contains(&question.index) || *planned == Planned::Failed;
            let of_row = self.begin.questions.iter().filter(|q| q.id == question.id);
            let is_answered = of_row.into_iter().all(|q| !is_open(q.index, q.failure_key));
            if is_own_word {
                assert_eq!(now, before, "the user's own word is left alone");
            } else if has_ended {
                assert_eq!(now, ERROR, "a row that ended without an answer says ERROR");
            }
            if is_answered {
                assert_ne!(now, ERROR, "no answered row says ERROR");
            }
        }
    }
}
